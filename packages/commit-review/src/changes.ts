/**
 * What one transaction has changed of what people look at before its COMMIT. Owns: what is kept of each change and of their savepoints, how
 * people read it, and what tells it from what another transaction has changed. Does not: decide when people are asked (review.ts).
 */
import { hash } from 'node:crypto';
import type { Facts, Parameter, ResponseEnd, Savepoint, SqlCommand } from '@sluice/contract';

/** Changes that people are shown one by one; of those behind them the numbers. */
const MAX_SHOWN_CHANGES = 200;
/** Texts and bound values of all of them are shown whole as long as there is room. Characters. */
const MAX_WHOLE_CHARACTERS = 1024 * 1024;
/** Behind that so much of each text and of each bound value, and so many values of one statement. */
const MAX_SHOWN_CHARACTERS = 2_000;
const MAX_SHOWN_VALUE_CHARACTERS = 1_000;
const MAX_SHOWN_VALUES = 20;

/** A table that was changed, by how many statements of one verb and in how many rows. */
export interface ChangedTable {
  readonly verb: string;
  readonly name: string;
  /** Undefined: the target does not count them. */
  readonly rows: number | undefined;
}

/** A command as people read it. */
export interface ShownCommand {
  /** Without secrets, and with what it executes by name. */
  readonly text: string;
  /** What the names mean that it executes. */
  readonly executed: Readonly<Record<string, string>>;
}

interface Change {
  readonly text: string;
  readonly values: readonly string[];
  /** What of it people do not see, each a phrase. */
  readonly unseen: readonly string[];
  /** Of the whole text and all values. */
  readonly exact: string;
  readonly changed: Facts['actions'];
  /** As the target says it: `UPDATE 3`. */
  summary: string;
  /** The innermost that it has run behind for sure. */
  readonly savepoint: Savepoint | undefined;
}

/** The changes of a transaction, for those who decide about its COMMIT. */
export class ReviewedChanges {
  readonly #shown: Change[] = [];
  /** By number of the command. */
  readonly #running = new Map<number, Change>();
  /** Behind those that are shown. */
  #others = 0;
  #othersExact = '';
  #room = MAX_WHOLE_CHARACTERS;

  get count(): number {
    return this.#shown.length + this.#others;
  }

  /** A command has been let through. `savepoint`: whoever goes back to it takes the command back; undefined where nobody can tell. */
  ran(command: SqlCommand, { actions }: Facts, { text, executed }: ShownCommand, savepoint?: Savepoint): void {
    const { parameters = [] } = command;
    const exact = hash('sha256', JSON.stringify([command.text, parameters.map(exactValue), executed]));
    const change: Change = {
      ...this.#shownOf(text, parameters),
      exact,
      changed: actions.filter(({ effects }) => effects.some((effect) => effect !== 'read' && effect !== 'session')),
      summary: '',
      savepoint,
    };
    this.#running.set(command.id, change);
    if (this.#shown.length < MAX_SHOWN_CHANGES) this.#shown.push(change);
    else this.#others++;
  }

  /** Whole as long as there is room: padding would hide what follows it from those who decide. */
  #shownOf(text: string, parameters: readonly Parameter[]): Pick<Change, 'text' | 'values' | 'unseen'> {
    const isShown = this.#shown.length < MAX_SHOWN_CHANGES;
    const size = parameters.reduce((sum, { value }) => sum + 2 * (value?.length ?? 0), text.length);
    if (isShown && size <= this.#room) {
      this.#room -= size;
      return { text, values: parameters.map(shownValue), unseen: [] };
    }
    const values = parameters.slice(0, MAX_SHOWN_VALUES).map(shownValue);
    const rest = text.length - MAX_SHOWN_CHARACTERS;
    const more = parameters.length - values.length;
    const unseen = [
      ...(rest > 0 ? [`${rest} characters more of this text`] : []),
      ...(more > 0 ? [`${more} values more`] : []),
    ];
    return { text: text.slice(0, MAX_SHOWN_CHARACTERS), values: values.map(cutValue), unseen };
  }

  /** The answer of one of its commands has come. */
  ended({ command, outcome, summary }: ResponseEnd): void {
    const change = this.#running.get(command);
    if (!change) return;
    change.summary = outcome === 'suspended' ? 'more of its rows are to come' : summary;
    if (outcome === 'suspended') return;
    this.#running.delete(command);
    if (!this.#shown.includes(change))
      this.#othersExact = hash('sha256', JSON.stringify([this.#othersExact, change.exact, change.summary]));
  }

  /** The same for the same changes with the same numbers of rows, and for no others. */
  get digest(): string {
    const shown = this.#shown.map((change) => [change.exact, change.summary, isTakenBack(change)]);
    return hash('sha256', JSON.stringify([shown, this.#others, this.#othersExact]));
  }

  /** By table and verb, without what was taken back. */
  get tables(): readonly ChangedTable[] {
    const sums = new Map<string, ChangedTable>();
    for (const change of this.#shown) {
      if (isTakenBack(change)) continue;
      for (const one of tablesOf(change)) {
        const key = `${one.verb} ${one.name}`;
        const before = sums.get(key);
        const isKnown = one.rows !== undefined && (!before || before.rows !== undefined);
        sums.set(key, { ...one, rows: isKnown ? (before?.rows ?? 0) + (one.rows ?? 0) : undefined });
      }
    }
    return [...sums.values()];
  }

  /** The COMMIT as people read it, and what it commits behind it. */
  behind(text: string, values: boolean): string {
    return (LINE_ENDS.test(text) ? indented(text) : text) + this.inWords(values);
  }

  /** As people read it, behind the COMMIT. `values`: bound values may be shown. */
  inWords(values: boolean): string {
    const lines = this.#shown.flatMap((change, at) => [
      `-- ${at + 1}. ${change.summary === '' ? 'not finished' : change.summary}${isTakenBack(change) ? ', taken back by ROLLBACK TO SAVEPOINT' : ''}`,
      indented(change.text),
      ...(values ? change.values.map((value, number) => `-- $${number + 1} = ${oneLine(value)}`) : []),
      ...change.unseen.map((what) => `-- NOT SHOWN: ${what}`),
    ]);
    const more = this.#others === 0 ? [] : [`-- and ${this.#others} statements more, which are not shown`];
    return ['', `-- What it commits, ${this.count} statements:`, ...lines, ...more].join('\n');
  }
}

/** It is shown, and is not counted. */
function isTakenBack({ savepoint }: Change): boolean {
  for (let behind = savepoint; behind; behind = behind.outer) if (behind.isTakenBack) return true;
  return false;
}

/** Rows by what the target says of each statement of the text. */
function tablesOf({ changed, summary }: Change): ChangedTable[] {
  const tags = summary.split('; ');
  return changed.flatMap(({ verb, statement, depth, resources }) => {
    const counted = /(?:^| )(\d+)$/.exec(tags[statement] ?? '')?.[1];
    const rows = depth === 0 && counted !== undefined ? Number(counted) : undefined;
    return resources
      .filter(({ type, access }) => type === 'table' && access !== 'read')
      .map(({ name }) => ({ verb, name, rows }));
  });
}

/** Where a terminal or a page begins a line. */
const LINE_ENDS = /[\r\n\v\f\u0085\u2028\u2029]+/;

const oneLine = (value: string): string => value.split(LINE_ENDS).join(' ');

/** A text of a client: none of its lines can be taken for one of ours, which begin with `--`. */
const indented = (text: string): string =>
  text
    .split(LINE_ENDS)
    .map((line) => `  ${line}`)
    .join('\n');

const hex = (value: Uint8Array): string => Buffer.from(value).toString('hex');

const exactValue = ({ type, format, value }: Parameter): readonly unknown[] => [type, format, value && hex(value)];

/** A bound value, as approvers see it: whole. */
export const shownValue = ({ value, format }: Parameter): string =>
  value === null ? 'NULL' : format === 'text' ? Buffer.from(value).toString() : `\\x${hex(value)}`;

const cutValue = (value: string): string =>
  value.length <= MAX_SHOWN_VALUE_CHARACTERS
    ? value
    : `${value.slice(0, MAX_SHOWN_VALUE_CHARACTERS)} ... (NOT SHOWN: ${value.length - MAX_SHOWN_VALUE_CHARACTERS} characters more)`;
