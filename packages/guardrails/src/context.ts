/** Who asks, by which connection, and what the target was asked, as rules see it. Does not: ask, or decide (policy.ts). */
import type { Action, Command, Facts, MaskedUse, Principal } from '@sluice/contract';
import type { Request } from '@sluice/http-requests';
import type { ModelCall, ModelSettings, ModelText } from '@sluice/language-models';
import type { SeenTool } from './tool.js';

/** What rules can ask that only the target knows. */
export const TARGET_ATTRIBUTES = [
  'estimated_rows',
  'meant_tables',
  'table_rows',
  'table_bytes',
  'table_traffic',
] as const;
export type TargetAttribute = (typeof TARGET_ATTRIBUTES)[number];

/** What the target says of an action. @throws Unanswered where that is not known */
export interface TargetAnswers {
  /** How many rows it would change, or return where it only reads, by the estimate of the planner. */
  estimatedRows(action: Action): number;
  /** The tables that its names mean, and those behind views, as `schema.table`. */
  meantTables(action: Action): readonly string[];
  /** Of the tables that it changes or defines: the most of each. */
  tableSize(action: Action): TableSize;
}

/** How large a table is, and how much it is used, by the statistics of the target. */
export interface TableSize {
  readonly rows: number;
  /** With its indexes and its values that are stored apart. */
  readonly bytes: number;
  /** Scans of it and rows that were changed, a day on average. */
  readonly traffic: number;
}

/** A rule asks what nobody could find out. The message is a sentence for whoever sent the command. */
export class Unanswered extends Error {
  override readonly name = 'Unanswered';
}

/** A rule asks about an answer that is not there, or of which only the head is. */
export class AnswerUnread extends Error {
  override readonly name = 'AnswerUnread';
}

/** An answer by HTTP, as rules see it. All but the first two throw `AnswerUnread` where there is a head alone. */
export interface SeenAnswer {
  readonly status: number;
  /** Of Content-Type, lower case, without parameters. */
  readonly media: string;
  /** What detectors find in it, by the names that rules use. @throws BodyUnreadable */
  found(): readonly string[];
  /** What a model has written; absent where it is the answer of none. */
  readonly said?: SeenWriting | undefined;
}

export interface SeenWriting {
  /** @throws BodyUnreadable */
  text(): ModelText;
  /** @throws BodyUnreadable */
  code(): readonly SeenCode[];
}

/** Code that a model has written. */
export interface SeenCode {
  /** As its fence says, lower case; empty where that says nothing. */
  readonly language: string;
  readonly text: string;
  /** What it would do, as far as it was read. */
  readonly effects: readonly string[];
  readonly verbs: readonly string[];
}

/** Who asks, and by which connection. */
export interface PolicyContext {
  readonly principal: Principal;
  readonly connection: { readonly name: string; readonly protocol: string };
  /** What kind of command it is; absent for SQL. */
  readonly command?: { readonly type: Command['type']; readonly account?: string; readonly terminal?: boolean };
  /** Of a command by HTTP. */
  readonly request?: Request;
  /** What detectors find in it, by the names that rules use. @throws BodyUnread, BodyUnreadable */
  readonly found?: () => readonly string[];
  /** Of a request to a language model, and what its connection says of those. */
  readonly model?: { readonly call: ModelCall; readonly settings: ModelSettings };
  /** Of a call of a tool: of a server of MCP, or proposed by a model. */
  readonly tool?: SeenTool;
  /** Of an answer that is judged; 'unread': nothing of it has come. Absent: a command is judged, before there is one. */
  readonly answer?: SeenAnswer | 'unread';
  /** Names that mean tables of the session's own where they stand without a schema; only for the first statement of a text. */
  readonly ownTables?: ReadonlySet<string> | undefined;
  /** When it is judged, for trials; absent: now. */
  readonly now?: Date | undefined;
  /** Absent until the target was asked, which is done for rules that need it. */
  readonly target?: TargetAnswers;
  /** Functions that the operator trusts, as the facts name them, beside those that are trusted by that very name. */
  readonly trusted?: ReadonlySet<string>;
  /** What the command does with masked columns other than to show them; absent until that is known. */
  readonly masked?: MaskedUse;
}

/** One of the things that a request asks for, of whose answer rules are asked. */
export interface AskedFor {
  readonly facts: Facts;
  readonly text: string;
  readonly context: PolicyContext;
}
