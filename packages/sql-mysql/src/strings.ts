/** Where strings in quotes end. Owns: doubled quotes and escapes. Does not: which quote opens a string (lexer.ts). Pure. */

/** The ends of strings in one text, asked for from its start to its end. */
export class StringEnds {
  readonly #source: string;
  readonly #plainBackslash: boolean;
  /** The first backslash at or behind the string that was looked at last: each is searched for once. */
  #nextBackslash = -1;

  constructor(source: string, plainBackslash: boolean) {
    this.#source = source;
    this.#plainBackslash = plainBackslash;
  }

  /** The place behind the closing quote of a string that opens at `open`; -1: there is none. */
  end(open: number, quote: number): number {
    if (this.#plainBackslash) return quotedEnd(this.#source, open, quote);
    const source = this.#source;
    const mark = String.fromCharCode(quote);
    for (let from = open + 1; ; ) {
      const close = source.indexOf(mark, from);
      if (close < 0) return -1;
      if (this.#nextBackslash < from) this.#nextBackslash = found(source.indexOf('\\', from));
      if (this.#nextBackslash < close) from = skipEscapes(source, this.#nextBackslash, close);
      else if (source.charCodeAt(close + 1) !== quote) return close + 1;
      else from = close + 2;
    }
  }

  /** Looks ahead: where that gives -1, the strings that were looked at are asked for again. */
  ahead(look: () => number): number {
    const before = this.#nextBackslash;
    const end = look();
    if (end < 0) this.#nextBackslash = before;
    return end;
  }
}

const found = (index: number): number => (index < 0 ? Number.POSITIVE_INFINITY : index);

/** The place behind the closing quote; -1: there is none. A doubled quote keeps it open. */
export function quotedEnd(source: string, open: number, quote: number): number {
  const mark = String.fromCharCode(quote);
  for (let from = open + 1; ; ) {
    const close = source.indexOf(mark, from);
    if (close < 0) return -1;
    if (source.charCodeAt(close + 1) !== quote) return close + 1;
    from = close + 2;
  }
}

/** Behind the last escape that begins before `close`. */
function skipEscapes(source: string, backslash: number, close: number): number {
  let at = backslash;
  while (at < close) at += source.charCodeAt(at) === 92 ? 2 : 1;
  return at;
}
