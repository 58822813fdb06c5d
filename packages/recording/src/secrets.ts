/**
 * Takes passwords out of a statement before it is recorded. Owns: where they are looked for. Does not: read SQL; it reads
 * tokens (tokens.ts).
 */
import { createHmac } from 'node:crypto';
import { type Token, tokens } from './tokens.js';

type Mark = (secret: string) => string;

/**
 * Takes passwords out of a statement before it is recorded; the keyed hash in their place tells whether two of them were the
 * same. The text is read as tokens, because a password may stand behind a comment, in several literals, or in one that
 * never ends. In doubt it takes too much.
 *
 * Found: literals behind PASSWORD, IDENTIFIED BY and `password =`, also in statements within literals; `password=` in
 * connection strings; `user:secret@` in addresses; gateway tokens. Not found: a secret under another name, one that goes
 * through a function (`password = crypt('...')`), or one that the server puts together (`format('... password %L', ...)`).
 */
export function redactSecrets(text: string, key: Uint8Array): string {
  if (!MAYBE.test(text)) return text;
  const mark = (secret: string): string =>
    `[secret ${createHmac('sha256', key).update(secret).digest('hex').slice(0, 8)}]`;
  return redact(text, mark, 0);
}

const MAYBE = /passw(?:or)?d|identified|:\/\/|sluice_/i;
/** Literals in literals in literals: a function body that executes a string that has a connection string in it. */
const MAX_DEPTH = 6;

function redact(text: string, mark: Mark, depth: number): string {
  let result = '';
  // 'expected': a password comes next. 'taken': it did, and a literal that follows at once goes on with it.
  let secret: 'none' | 'expected' | 'taken' = 'none';
  let word = '';
  for (const token of tokens(text)) {
    const source = text.slice(token.start, token.end);
    if (token.kind === 'gap') result += inside(source, mark);
    else if (secret !== 'none' && token.kind !== 'word' && token.kind !== 'other') {
      result += mark(source);
      secret = 'taken';
    } else {
      result +=
        token.kind === 'word' || token.kind === 'other' ? inside(source, mark) : literal(text, token, mark, depth);
      if (token.kind !== 'other' && isPassword(word, source)) secret = 'expected';
      else if (secret !== 'taken' || source.toLowerCase() !== 'uescape') secret = 'none';
      word = source.toLowerCase();
    }
  }
  return result;
}

/** `password`, also as the quoted name of an option, and the second word of IDENTIFIED BY. */
const isPassword = (before: string, word: string): boolean =>
  /^"?passw(?:or)?d"?$/i.test(word) || (before === 'identified' && /^(?:by|as)$/i.test(word));

/** A literal that is no password itself may be a statement, a connection string or an address that has one. */
function literal(text: string, token: Token, mark: Mark, depth: number): string {
  const source = text.slice(token.start, token.end);
  if (!MAYBE.test(source)) return source;
  if (depth === MAX_DEPTH) return mark(source);
  const body = text.slice(token.bodyStart, token.bodyEnd);
  const plain = token.quote === '' ? body : body.replaceAll(token.quote + token.quote, token.quote);
  const clean = redact(inside(plain, mark), mark, depth + 1);
  if (clean === plain) return source;
  const again = token.quote === '' ? clean : clean.replaceAll(token.quote, token.quote + token.quote);
  return text.slice(token.start, token.bodyStart) + again + text.slice(token.bodyEnd, token.end);
}

function inside(text: string, mark: Mark): string {
  if (!MAYBE.test(text)) return text;
  const plain = text.replaceAll(CONNINFO, (_, before: string, secret: string) => before + mark(secret));
  return inAddresses(plain, mark).replaceAll(TOKEN, mark);
}

/**
 * `scheme://user:secret@`, where the secret goes on to the last `@` before a blank or quote. By hand, because a pattern would look
 * for that `@` again from each address of a long word.
 */
function inAddresses(text: string, mark: Mark): string {
  let result = '';
  let from = 0;
  for (let at = text.indexOf('://'); at >= 0; at = text.indexOf('://', at)) {
    const scheme = at;
    at += 3;
    if (scheme === 0 || !SCHEME.test(text[scheme - 1] as string)) continue;
    const colon = firstOf(USER_END, text, at);
    if (text[colon] !== ':') continue;
    const end = firstOf(ADDRESS_END, text, colon + 1);
    const last = text.slice(colon + 1, end).lastIndexOf('@') + colon + 1;
    // Nor is there an `@` behind any other address in this word.
    at = end;
    if (last <= colon + 1) continue;
    result += `${text.slice(from, colon + 1)}${mark(text.slice(colon + 1, last))}`;
    from = last;
  }
  return result + text.slice(from);
}

function firstOf(pattern: RegExp, text: string, from: number): number {
  pattern.lastIndex = from;
  return pattern.exec(text)?.index ?? text.length;
}

/**
 * libpq's `keyword = value`, the value in quotes or up to a space, either with backslash escapes. Between two escapes there is one way to read
 * the letters: with more of them a text without an end would take for ever.
 */
const CONNINFO =
  /(\bpassw(?:or)?d\s*=\s*)(\\*'[^'\\]*(?:\\[^][^'\\]*)*(?:'|\\?$)|(?:\\[^]|[^\s'"\\])[^\s\\]*(?:\\[^][^\s\\]*)*)/gi;
const SCHEME = /[a-z0-9+.-]/i;
const USER_END = /[\s:/@'"]/g;
const ADDRESS_END = /[\s'"]/g;
const TOKEN = /\bsluice_[a-z2-7]+_[a-z2-7]+/gi;
