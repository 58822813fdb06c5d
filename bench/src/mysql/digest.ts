/**
 * Our tokens against the server's own, as STATEMENT_DIGEST_TEXT shows them: keywords and names in their order. It leaves literals out,
 * and lists of them; operators are not compared.
 */
import type { Tokens } from '@sluice/sql-mysql';

export interface Difference {
  readonly ours: string;
  readonly theirs: string;
  /** Why it is none in the reading; undefined: nobody knows. */
  readonly kind?: string;
}

/** The server cuts its text here. Bytes. */
const MAX_DIGEST_BYTES = 1024;

/** @returns the first difference */
export function differs(tokens: Tokens, digest: string): Difference | undefined {
  const ours = ourWords(tokens);
  const theirs = theirWords(digest);
  for (let at = 0; at < Math.max(ours.length, theirs.length); at++) {
    const [a = '', b = ''] = [ours[at], theirs[at]];
    if (same(a, b)) continue;
    return { ours: a, theirs: b, ...explained(a, b, digest) };
  }
  return undefined;
}

function explained(ours: string, theirs: string, digest: string): { kind?: string } {
  if (Buffer.byteLength(digest) >= MAX_DIGEST_BYTES - 64 || digest.endsWith('...')) return { kind: 'cut' };
  if (SYNONYMS.has(`${ours} ${theirs}`)) return { kind: 'synonym' };
  return {};
}

const same = (a: string, b: string): boolean => a === b || SYNONYMS.has(`${a} ${b}`);

/** Words and names in upper case, without NULL, which counts as a literal there. */
function ourWords({ kinds, texts }: Tokens): string[] {
  const words: string[] = [];
  for (const [at, kind] of kinds.entries()) {
    const text = (texts[at] ?? '').toUpperCase();
    if (kind === 'variable') words.push(...text.split('.'));
    else if ((kind === 'word' && text !== 'NULL') || kind === 'name') words.push(text);
  }
  return words;
}

function theirWords(digest: string): string[] {
  const words: string[] = [];
  for (const [, quoted, word] of digest.matchAll(/`((?:[^`]|``)*)`|([A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*)/g)) {
    if (quoted !== undefined) words.push(quoted.replaceAll('``', '`').toUpperCase());
    else if (word !== undefined && word !== 'NULL') words.push(word.toUpperCase());
  }
  return words;
}

/** Ours and theirs: spellings of one keyword. */
const SYNONYMS: ReadonlySet<string> = new Set<string>([]);
