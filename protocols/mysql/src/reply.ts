/**
 * The grammar of one answer: which packet may come next, and what it is. Owns: that state. Does not: change or send anything.
 */
import { type WireError, unexpected } from '@sluice/wire';
import { PayloadReader } from './packets.js';
import { EOF, ERR, LOCAL_INFILE, OK, STATUS, eofStatus, readOk } from './replies.js';

/**
 * What a command is answered with. `query`: results, one or several. `simple`: OK, EOF or ERR. `fetch`: rows that were described
 * before. `fields`: definitions alone. `text`: one packet of text.
 */
export type ReplyKind = 'query' | 'simple' | 'prepare' | 'fetch' | 'fields' | 'text';

type State =
  | { readonly type: 'first' }
  | { readonly type: 'definitions'; left: number; readonly then: 'rows' | 'end' }
  /** Behind definitions, for a client that has not given EOF up. */
  | { readonly type: 'definitions-end'; readonly then: 'rows' | 'end' }
  | { readonly type: 'rows' }
  | { readonly type: 'file' };

/** What a packet is. `ends`: the answer is over with it. */
export type ReplyPart =
  | { readonly type: 'ok' | 'eof'; readonly status: number; readonly ends: boolean; readonly cursor: boolean }
  | { readonly type: 'error'; readonly ends: true }
  | { readonly type: 'count'; readonly columns: number; readonly ends: false }
  /** `last`: rows come next, or nothing does. */
  | { readonly type: 'definition'; readonly last: boolean; readonly ends: boolean }
  | { readonly type: 'separator'; readonly ends: boolean }
  | { readonly type: 'prepared'; readonly id: number; readonly parameters: number; readonly ends: boolean }
  | { readonly type: 'file'; readonly name: Buffer; readonly ends: false }
  | { readonly type: 'text'; readonly ends: true };

/** No server has a table or a result of as many columns. */
const MAX_COLUMNS = 0xffff;
const PASSED = { ends: false } as const;

export class Reply {
  readonly kind: ReplyKind;
  /** The client has given EOF packets up. */
  readonly #deprecated: boolean;
  /** The client asked for a cursor. Servers set the flag for one that a procedure has opened for itself, too. */
  readonly #asksCursor: boolean;
  #state: State = { type: 'first' };
  /** Of a prepared statement: its columns, which come behind its parameters. */
  #columns = 0;

  constructor(kind: ReplyKind, deprecated: boolean, asksCursor = kind === 'fetch') {
    this.kind = kind;
    this.#deprecated = deprecated;
    this.#asksCursor = asksCursor;
    if (kind === 'fetch') this.#state = { type: 'rows' };
    if (kind === 'fields') this.#state = { type: 'definitions', left: Number.POSITIVE_INFINITY, then: 'end' };
  }

  /** A result begins with the next packet, or the whole answer where it has none. */
  get begins(): boolean {
    return this.#state.type === 'first';
  }

  /** Whether a packet is a row, by its first byte and its length. Asked for every row of a result. */
  isRow(first: number, size: number): boolean {
    if (this.#state.type !== 'rows' || size === 0) return false;
    if (first === ERR) return false;
    // A row that begins with a cell of 16 MiB or more has this first byte too, and is longer.
    return first !== EOF || !this.#isEof(size);
  }

  #isEof(size: number): boolean {
    return this.#deprecated ? size < 0xffffff : size < 9;
  }

  /** Takes a packet that is no row. */
  take(payload: Buffer): ReplyPart {
    const first = payload[0];
    if (first === undefined) throw this.#outOfPlace();
    const state = this.#state;
    switch (state.type) {
      case 'first':
        return this.#first(first, payload);
      case 'definitions':
        if (first === ERR) return { type: 'error', ends: true };
        if (this.kind === 'fields' && first === EOF) return this.#end(payload);
        return this.#definition(state);
      case 'definitions-end':
        return this.#separator(state.then, first, payload);
      case 'rows':
        if (first === ERR) return { type: 'error', ends: true };
        return this.#end(payload);
      default:
        this.#state = { type: 'first' };
        if (first === ERR) return { type: 'error', ends: true };
        if (first !== OK) throw this.#outOfPlace();
        return this.#end(payload);
    }
  }

  #first(first: number, payload: Buffer): ReplyPart {
    if (first === ERR) return { type: 'error', ends: true };
    if (this.kind === 'text') return { type: 'text', ends: true };
    if (this.kind === 'prepare') return this.#prepared(first, payload);
    if (first === OK || (first === EOF && this.kind === 'simple')) return this.#end(payload);
    if (this.kind === 'simple') throw this.#outOfPlace();
    if (first === LOCAL_INFILE) {
      this.#state = { type: 'file' };
      return { type: 'file', name: Buffer.from(payload.subarray(1)), ends: false };
    }
    const columns = new PayloadReader(payload).number();
    if (columns > MAX_COLUMNS) throw unexpected(`the target describes ${columns} columns`);
    this.#state = { type: 'definitions', left: columns, then: 'rows' };
    return { type: 'count', columns, ends: false };
  }

  #prepared(first: number, payload: Buffer): ReplyPart {
    if (first !== OK) throw this.#outOfPlace();
    const fields = new PayloadReader(payload, 1);
    const id = fields.uint(4);
    this.#columns = fields.uint(2);
    const parameters = fields.uint(2);
    return { type: 'prepared', id, parameters, ends: !this.#definitionsFollow(parameters) };
  }

  /** Of a prepared statement: first those of its parameters, then those of its columns. */
  #definitionsFollow(left: number): boolean {
    const columns = left > 0 ? left : this.#columns;
    if (left === 0) this.#columns = 0;
    this.#state = columns > 0 ? { type: 'definitions', left: columns, then: 'end' } : { type: 'first' };
    return columns > 0;
  }

  #definition(state: Extract<State, { type: 'definitions' }>): ReplyPart {
    if (--state.left > 0) return { type: 'definition', last: false, ends: false };
    if (!this.#deprecated) {
      this.#state = { type: 'definitions-end', then: state.then };
      return { type: 'definition', last: true, ends: false };
    }
    if (state.then === 'end') return { type: 'definition', last: true, ends: !this.#definitionsFollow(0) };
    this.#state = { type: 'rows' };
    return { type: 'definition', last: true, ends: false };
  }

  #separator(then: 'rows' | 'end', first: number, payload: Buffer): ReplyPart {
    if (first === ERR) return { type: 'error', ends: true };
    if (first !== EOF || payload.length >= 9) throw this.#outOfPlace();
    if (then === 'end') return { type: 'separator', ends: !this.#definitionsFollow(0) };
    const status = eofStatus(payload);
    this.#state = { type: 'rows' };
    if (this.#isCursor(status)) return { type: 'eof', status, ends: true, cursor: true };
    return { type: 'separator', ...PASSED };
  }

  #end(payload: Buffer): ReplyPart {
    const isEof = payload[0] === EOF && payload.length === 5;
    const status = isEof ? eofStatus(payload) : readOk(payload).status;
    const more = (status & STATUS.moreResults) !== 0 && this.kind === 'query';
    this.#state = { type: 'first' };
    return { type: isEof ? 'eof' : 'ok', status, ends: !more, cursor: this.#isCursor(status) };
  }

  #isCursor(status: number): boolean {
    return this.#asksCursor && (status & STATUS.cursorExists) !== 0;
  }

  #outOfPlace(): WireError {
    return unexpected(`the target sent a packet that may not come in the answer to a ${this.kind} command`);
  }
}
