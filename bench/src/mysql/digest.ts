/**
 * Our tokens against the server's own, as STATEMENT_DIGEST_TEXT shows them: keywords and names in their order. It leaves out literals,
 * to which variables of users and character sets in front of texts belong, and lists of them; operators are not compared.
 */
import type { Tokens } from '@sluice/sql-mysql';

export interface Difference {
  readonly ours: string;
  readonly theirs: string;
  /** Why it is none in the reading; undefined: nobody knows. */
  readonly kind?: string;
}

/** The server cuts its text here (max_digest_length, performance_schema_max_digest_length). Bytes. */
const MAX_DIGEST_BYTES = 1024;

/** @returns the first difference */
export function differs(tokens: Tokens, digest: string): Difference | undefined {
  const ours = ourWords(tokens);
  const theirs = theirWords(digest);
  const length = Math.max(ours.length, theirs.length);
  let synonym = false;
  for (let at = 0; at < length; at++) {
    const [a = '', b = ''] = [ours[at], theirs[at]];
    if (a !== b && canonical(a) === canonical(b)) synonym = true;
    else if (a !== b) return { ours: a, theirs: b, ...explained(a, digest, tokens) };
  }
  return synonym ? { ours: '', theirs: '', kind: 'synonyms of keywords' } : undefined;
}

function explained(ours: string, digest: string, { texts }: Tokens): { kind?: string } {
  // The server does not double it.
  if (texts.some((text) => text.includes('`'))) return { kind: 'a quote in a name' };
  if (Buffer.byteLength(digest) >= MAX_DIGEST_BYTES - 64) return { kind: 'cut' };
  // A long name, or a string in dollar quotes.
  if (/(?<![(,] ?)\.\.\.(?! ?\))|\(unknown\)/.test(digest)) return { kind: 'left out by the server' };
  // The text of the digest is in utf8mb3.
  return /[\u{10000}-\u{10ffff}]/u.test(ours) ? { kind: 'characters of four bytes' } : {};
}

/** Words and names in upper case, without NULL, which is a literal there, and without hints. */
function ourWords({ kinds, texts }: Tokens): string[] {
  const words: string[] = [];
  for (const [at, kind] of kinds.entries()) {
    const text = (texts[at] ?? '').toUpperCase();
    const next = kinds[at + 1];
    const introduces = text.startsWith('_') && (next === 'string' || next === 'hex' || next === 'bit');
    if ((kind === 'word' && text !== 'NULL' && !introduces) || kind === 'name') words.push(text.replaceAll('`', ''));
  }
  return words;
}

function theirWords(digest: string): string[] {
  const plain = digest.replaceAll(/\/\*[^]*?\*\/|\(_charset\)|(?<!@)@`[^`]*`/g, ' ');
  const words: string[] = [];
  for (const [, quoted, word] of plain.matchAll(/`((?:[^`]|``)*)`|([A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*)/g)) {
    if (quoted !== undefined) words.push(quoted.replaceAll('`', '').toUpperCase());
    else if (word !== undefined && word !== 'NULL') words.push(word.toUpperCase());
  }
  return words;
}

/** Spellings of one keyword (lex.h). */
const GROUPS =
  `INT INTEGER INT4,BIGINT INT8,SMALLINT INT2,TINYINT INT1,MEDIUMINT INT3 MIDDLEINT,VARCHAR VARCHARACTER,CHAR CHARACTER,
  DISTINCT DISTINCTROW,DATABASE SCHEMA,DATABASES SCHEMAS,FLOAT FLOAT4,DOUBLE FLOAT8,USER SYSTEM_USER SESSION_USER,
  CURRENT_TIMESTAMP NOW LOCALTIME LOCALTIMESTAMP,ANY SOME,SUBSTR SUBSTRING MID,COLUMNS FIELDS,IO_THREAD RELAY_THREAD,
  DEC DECIMAL,STD STDDEV STDDEV_POP,VARIANCE VAR_POP,RLIKE REGEXP,CURDATE CURRENT_DATE,CURTIME CURRENT_TIME,BOOL BOOLEAN,
  DESC DESCRIBE EXPLAIN,SECOND SQL_TSI_SECOND,MINUTE SQL_TSI_MINUTE,HOUR SQL_TSI_HOUR,DAY SQL_TSI_DAY,WEEK SQL_TSI_WEEK,
  MONTH SQL_TSI_MONTH,QUARTER SQL_TSI_QUARTER,YEAR SQL_TSI_YEAR,GEOMCOLLECTION GEOMETRYCOLLECTION,
  NDB NDBCLUSTER`.split(/,\s*/);
const CANONICAL: ReadonlyMap<string, string> = new Map(
  GROUPS.flatMap((group) => {
    const words = group.split(' ');
    return words.map((word) => [word, words[0] ?? ''] as const);
  }),
);
const canonical = (word: string): string => CANONICAL.get(word) ?? word;
