/** Who asks, by which connection, and what the target was asked, as rules see it. Does not: ask, or decide (policy.ts). */
import type { Action, Command, MaskedUse, Principal } from '@sluice/contract';
import type { Request } from '@sluice/http-requests';
import type { ModelCall, ModelSettings } from '@sluice/language-models';

/** What rules can ask that only the target knows. */
export const TARGET_ATTRIBUTES = ['estimated_rows', 'meant_tables'] as const;
export type TargetAttribute = (typeof TARGET_ATTRIBUTES)[number];

/** What the target says of an action. @throws Unanswered where that is not known */
export interface TargetAnswers {
  /** How many rows it would change, or return where it only reads, by the estimate of the planner. */
  estimatedRows(action: Action): number;
  /** The tables that its names mean, and those behind views, as `schema.table`. */
  meantTables(action: Action): readonly string[];
}

/** A rule asks what nobody could find out. The message is a sentence for whoever sent the command. */
export class Unanswered extends Error {
  override readonly name = 'Unanswered';
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
  /** Names that mean tables of the session's own where they stand without a schema; only for the first statement of a text. */
  readonly ownTables?: ReadonlySet<string> | undefined;
  /** Absent until the target was asked, which is done for rules that need it. */
  readonly target?: TargetAnswers;
  /** Functions that the operator trusts, as the facts name them, beside those that are trusted by that very name. */
  readonly trusted?: ReadonlySet<string>;
  /** What the command does with masked columns other than to show them; absent until that is known. */
  readonly masked?: MaskedUse;
}
