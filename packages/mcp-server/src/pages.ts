/**
 * Results in pages. Owns: how much of one goes into a page, and statements whose next page somebody may still ask for. Does not: hold rows that
 * nobody has asked for; those wait at the target, in a session that is open.
 */
import { randomBytes } from 'node:crypto';
import type { Failure, StatementEvent } from './clients/statement.js';
import { type Cell, type Column, MAX_CELL_CHARACTERS } from './values.js';

/** Of one page, as characters of JSON: a model has to read it. */
export const MAX_PAGE_CHARACTERS = 256 * 1024;
/** For so long a statement waits for whoever asks for its next page, in milliseconds. */
export const CURSOR_IDLE_MS = 60_000;
/** Statements of one caller that wait so. */
const MAX_CURSORS_OF_ONE = 4;
/** Results of one text, and what the target says besides. */
const MAX_RESULTS = 100;
const MAX_NOTICES = 50;

export interface PageColumn extends Column {
  readonly masked?: true;
}

export interface PageResult {
  readonly columns: readonly PageColumn[];
  readonly rows: (readonly Cell[])[];
  /** What the target says of it; absent while it has not ended. */
  summary?: string;
  /** Values that were longer than is given of them. */
  readonly cut: { readonly row: number; readonly column: string; readonly characters: number }[];
  /** Rows that were read and are not given. */
  omitted?: number;
}

export interface Page {
  readonly results: PageResult[];
  readonly notices: string[];
  /** The text has ended. Else there is more. */
  readonly complete: boolean;
  readonly failure: Failure | undefined;
}

/** What was heard of a statement at the gate. */
export interface PageSource {
  readonly events: AsyncGenerator<StatementEvent, void>;
  /** For each result that masks were asked about, in order. */
  readonly masked: readonly (readonly boolean[])[];
  /** Whether it may be left where a page ends. Else it is read to its end: what it changes has to last. */
  mayPause(): boolean;
  close(): void;
}

/** A text that runs, and what of it was given. */
export class RunningStatement {
  readonly #source: PageSource;
  #columns: readonly PageColumn[] = [];
  #described = 0;
  #next: StatementEvent | undefined;

  constructor(source: PageSource) {
    this.#source = source;
  }

  /** The next rows, at most so many. Rejects when the session breaks. */
  async page(maxRows: number): Promise<Page> {
    const builder = new PageBuilder(maxRows);
    let failure: Failure | undefined;
    if (this.#next) builder.begin(this.#columns);
    for (;;) {
      const event = this.#next ?? (await this.#take());
      this.#next = undefined;
      if (!event) {
        this.close();
        return { results: builder.results, notices: builder.notices, complete: true, failure };
      }
      if (event.type === 'columns') builder.begin((this.#columns = this.#masked(event.columns)));
      else if (event.type === 'done') builder.done(event.summary);
      else if (event.type === 'notice') builder.notice(event.text);
      else if (event.type === 'failed') failure ??= event.failure;
      else if (builder.takes(event.cells)) continue;
      else if (this.#source.mayPause()) {
        this.#next = event;
        return { results: builder.results, notices: builder.notices, complete: false, failure };
      } else builder.omit();
    }
  }

  close(): void {
    this.#source.close();
  }

  async #take(): Promise<StatementEvent | undefined> {
    const taken = await this.#source.events.next();
    return taken.done === true ? undefined : taken.value;
  }

  #masked(columns: readonly Column[]): readonly PageColumn[] {
    const flags = this.#source.masked[this.#described++];
    return columns.map((column, at) => (flags?.[at] === true ? { ...column, masked: true } : column));
  }
}

class PageBuilder {
  readonly results: PageResult[] = [];
  readonly notices: string[] = [];
  readonly #maxRows: number;
  #rows = 0;
  #room = MAX_PAGE_CHARACTERS;

  constructor(maxRows: number) {
    this.#maxRows = maxRows;
  }

  begin(columns: readonly PageColumn[]): void {
    if (this.results.length < MAX_RESULTS) this.results.push({ columns, rows: [], cut: [] });
  }

  /** Whether there is room for a row. There is always room for one. */
  takes(cells: readonly Cell[]): boolean {
    const result = this.results.at(-1);
    if (!result || this.#rows >= this.#maxRows || (this.#room <= 0 && this.#rows > 0)) return false;
    const room = Math.max(1, Math.floor(MAX_CELL_CHARACTERS / Math.max(1, cells.length / 4)));
    const row = cells.map((cell, at) => {
      if (typeof cell !== 'string' || cell.length <= room) return cell;
      result.cut.push({ row: result.rows.length, column: result.columns[at]?.name ?? '', characters: cell.length });
      return wholeCharacters(cell.slice(0, room));
    });
    this.#room -= row.reduce<number>((sum, cell) => sum + (typeof cell === 'string' ? cell.length + 3 : 8), 2);
    if (this.#room < 0 && this.#rows > 0) {
      while (result.cut.at(-1)?.row === result.rows.length) result.cut.pop();
      return false;
    }
    result.rows.push(row);
    this.#rows++;
    return true;
  }

  omit(): void {
    const result = this.results.at(-1);
    if (result) result.omitted = (result.omitted ?? 0) + 1;
  }

  done(summary: string): void {
    const last = this.results.at(-1);
    if (last && last.summary === undefined) last.summary = summary;
    else if (this.results.length < MAX_RESULTS) this.results.push({ columns: [], rows: [], cut: [], summary });
  }

  notice(text: string): void {
    if (this.notices.length < MAX_NOTICES) this.notices.push(text.slice(0, 2000));
  }
}

/** Without half of a character at its end. */
const wholeCharacters = (text: string): string => text.replace(/[\ud800-\udbff]$/, '');

interface OpenCursor {
  readonly owner: string;
  readonly statement: RunningStatement;
  readonly timer: NodeJS.Timeout;
  /** Of its session. */
  readonly ended: AbortSignal;
  readonly drop: () => void;
}

/** Statements whose next page somebody may ask for. Whose they are, and for how long. */
export class Cursors {
  readonly #open = new Map<string, OpenCursor>();

  /**
   * The oldest one of theirs goes where there are too many, and each as soon as its session ends: nobody would read its last words.
   *
   * @param owner the key of the caller
   * @param ended of its session
   */
  keep(owner: string, statement: RunningStatement, ended: AbortSignal): string {
    const own = [...this.#open].filter(([, one]) => one.owner === owner);
    const [oldest] = own;
    if (oldest && own.length >= MAX_CURSORS_OF_ONE) this.#drop(oldest[0]);
    const name = randomBytes(18).toString('base64url');
    const drop = (): void => this.#drop(name);
    const timer = setTimeout(drop, CURSOR_IDLE_MS).unref();
    this.#open.set(name, { owner, statement, timer, ended, drop });
    ended.addEventListener('abort', drop);
    if (ended.aborted) drop();
    return name;
  }

  /** Takes it out: each page has a cursor of its own. Undefined: there is none, or none of theirs. */
  take(owner: string, name: string): RunningStatement | undefined {
    const found = this.#open.get(name);
    if (found?.owner !== owner) return undefined;
    this.#remove(name, found);
    return found.statement;
  }

  #drop(name: string): void {
    const found = this.#open.get(name);
    if (!found) return;
    this.#remove(name, found);
    found.statement.close();
  }

  #remove(name: string, { timer, ended, drop }: OpenCursor): void {
    this.#open.delete(name);
    clearTimeout(timer);
    ended.removeEventListener('abort', drop);
  }
}
