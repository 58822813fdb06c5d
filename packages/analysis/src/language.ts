/**
 * What judging needs of a language that commands are written in, one interface for all of them. Owns: these words. Does not: any
 * grammar; each language has a package.
 */
import type {
  AppliedMask,
  Dialect,
  Facts,
  HiddenReason,
  MaskedUse,
  Masking,
  PacketMasking,
  SqlCommand,
  TextRange,
} from '@sluice/contract';
import type { Asker } from './pool.js';

/** A language with a parser. Facts come at once where that is quick. */
export interface Language {
  /** As a command's dialect names it. */
  readonly name: string;
  /** Never rejects for a text that cannot be understood: its facts are unknown then. */
  analyze(command: SqlCommand, asker: Asker): Facts | Promise<Facts>;
  /**
   * Where the statements of a text begin and end, as the server that the dialect names would cut it: without the semicolon behind
   * each, with comments that stand alone, without blanks that do. A text that nothing cuts is one range, an empty one as well, and
   * so is what cannot be read. Takes time in proportion to the text, and never throws.
   *
   * @param text a character for each byte (latin1), so that positions count bytes
   */
  split?(text: string, dialect: Dialect): readonly TextRange[];
  /**
   * The dialect of a server that nobody has spoken with, by its version as it tells it (`10.11.6-MariaDB`); without one, of a
   * usual one. Undefined: that is no version. A language without this is asked by number.
   */
  dialectOf?(version: string | undefined): Dialect | undefined;
}

/** A command that outlives the call: its values are views of memory that is read into again. */
export const keptValues = (command: SqlCommand): SqlCommand =>
  command.parameters
    ? {
        ...command,
        parameters: command.parameters.map((one) => ({ ...one, value: one.value && Buffer.from(one.value) })),
      }
    : command;

/** What the names stand for that a command executes, as far as the target knows them. */
export function executedBy({ prepared }: SqlCommand, { executes = [] }: Facts): Readonly<Record<string, string>> {
  const meant = executes.map((name) => [name, prepared?.(name)] as const);
  return Object.fromEntries(meant.filter((one): one is readonly [string, string] => one[1] !== undefined));
}

/** What follows one connection that masks rows: what its names mean, and what becomes of each answer. */
export interface MaskPlanner {
  /** Names that mean tables of the session's own, as the target has confirmed it; absent where that is not followed. */
  readonly ownTables?: ReadonlySet<string>;
  /**
   * The tables that each statement of a text means, and those behind views, as `schema.table`; undefined for a statement of which
   * that is not known. Rejects when the catalog of the target cannot be read.
   */
  meant?(command: SqlCommand, facts: Facts): Promise<readonly (readonly string[] | undefined)[]>;
  /** What has to be known before a statement is prepared; undefined: it is. */
  prepare(): Promise<unknown> | undefined;
  /** Rejects when nobody can tell, with a `NotNow` for what can be judged later. */
  plan(
    command: SqlCommand,
    facts: Facts,
    masks: readonly AppliedMask[],
    wish?: NotFollowed,
  ): MaskPlan | Promise<MaskPlan>;
}

/** What is asked of a target about the names in a statement, where it cannot be told from the text. */
export interface NamesAtTarget {
  /** Those of the functions, as the facts name them, that the operator trusts by another spelling or by a wildcard. */
  trusted(functions: readonly string[]): ReadonlySet<string> | Promise<ReadonlySet<string>>;
}

/** What becomes of a statement of which columns are not followed: they are NULL; it is refused; it is only told (`explain`). */
export type NotFollowed = 'mask' | 'refuse' | 'tell';

/** A column that is NULL in every row because nothing better is known of it. */
export interface HiddenColumn {
  /** Empty: all that the statement returns. */
  readonly name: string;
  readonly reason: HiddenReason;
  /** A phrase of which the statement is the subject. */
  readonly why: string;
}

/** What is to be done with the answer to a command, and what the command does with masked columns besides. */
export interface MaskPlan {
  /** Of answers in messages of PostgreSQL, or in packets of MySQL. */
  readonly masking?: Masking;
  readonly packets?: PacketMasking;
  readonly use: MaskedUse;
  /** With how many values it compares masked columns, by `schema.table.column`. */
  readonly compared: ReadonlyMap<string, number>;
  /** Where `use` stands for what is not known: what that is, and what helps, in sentences; and whether it is a name. */
  readonly unsure?: { readonly hint: string; readonly unknownName?: true };
  /** It does not pass to what is behind the target's pooler, or `NotFollowed` refuses it. */
  readonly refusal?: { readonly message: string; readonly hint: string; readonly unknownName?: true };
  /** Columns that would be NULL because nothing better is known of them. Looked for only where `NotFollowed` is not `mask`. */
  readonly hidden: readonly HiddenColumn[];
}

/** What is known of it before it runs (`explain`). */
export type PlanAhead = Pick<MaskPlan, 'hidden' | 'refusal' | 'use' | 'compared'>;

/** A statement cannot be judged at the moment. The message says why, in a phrase for whoever sent it. */
export class NotNow extends Error {
  override readonly name = 'NotNow';
}
