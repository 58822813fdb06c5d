/**
 * What the reading of a text rests on: which server, which version, and the modes of the session. Owns: what of a dialect decides
 * how a text is cut and grouped. Does not: the cutting (lexer.ts).
 */
import type { MySqlDialect } from '@sluice/contract';

export interface SqlReading {
  readonly flavour: 'mysql' | 'mariadb';
  /** As in versioned comments: 80036, 101119. */
  readonly version: number;
  /** `"x"` is a name. */
  readonly ansiQuotes: boolean;
  /** `\` is a letter like any other in strings. */
  readonly plainBackslash: boolean;
  /** `||` joins texts. */
  readonly pipesConcat: boolean;
  /** NOT binds like `!`. */
  readonly highNot: boolean;
  /** Blanks may stand between the name of a built-in function and its parenthesis. */
  readonly ignoreSpace: boolean;
  /** What a code unit beyond ASCII is outside of quotes. */
  readonly letters: 'unicode' | 'latin1' | 'ascii';
}

/** Modes that bring another grammar, which nobody here reads. */
const FOREIGN_MODES: ReadonlySet<string> = new Set(['ORACLE', 'MSSQL', 'DB2', 'MAXDB', 'POSTGRESQL']);

/** Character sets of which `\` or a quote can be the second byte of a character: the text may end elsewhere than it seems. */
const UNSAFE_CHARSETS = /^(gbk|gb18030|gb2312|sjis|cp932|big5|ucs2|utf16|utf16le|utf32)$/;

export const isForeignMode = (mode: string): boolean => FOREIGN_MODES.has(mode);
export const isUnsafeCharset = (charset: string): boolean => UNSAFE_CHARSETS.test(charset);

/** A sentence when no text can be read that comes under these settings. */
export function unreadable({ sqlMode, charset, flavour }: MySqlDialect): string | undefined {
  const mode = flavour === 'mariadb' ? sqlMode.find(isForeignMode) : undefined;
  if (mode !== undefined) return `The session is in sql_mode ${mode}, in which statements cannot be read here.`;
  if (isUnsafeCharset(charset))
    return `The session sends its texts in the character set ${charset}, which cannot be read here: use utf8mb4.`;
  return undefined;
}

const remembered = new WeakMap<MySqlDialect, SqlReading>();

/** The same object for the same dialect. */
export function readingOf(dialect: MySqlDialect): SqlReading {
  const known = remembered.get(dialect);
  if (known) return known;
  const { flavour, version, sqlMode, charset } = dialect;
  const ansi = sqlMode.includes('ANSI');
  const reading: SqlReading = {
    flavour,
    version,
    ansiQuotes: ansi || sqlMode.includes('ANSI_QUOTES'),
    plainBackslash: sqlMode.includes('NO_BACKSLASH_ESCAPES'),
    pipesConcat: ansi || sqlMode.includes('PIPES_AS_CONCAT'),
    highNot: sqlMode.includes('HIGH_NOT_PRECEDENCE'),
    ignoreSpace: ansi || dialect.ignoreSpace || sqlMode.includes('IGNORE_SPACE'),
    letters: lettersOf(charset),
  };
  remembered.set(dialect, reading);
  return reading;
}

/** The same for all that are read alike; ends in a blank. */
export function keyOf(reading: SqlReading): string {
  const known = keys.get(reading);
  if (known !== undefined) return known;
  const { flavour, version, ansiQuotes, plainBackslash, pipesConcat, highNot, ignoreSpace, letters } = reading;
  const modes = [ansiQuotes, plainBackslash, pipesConcat, highNot, ignoreSpace].map(Number).join('');
  const key = `${flavour} ${version} ${modes} ${letters} `;
  keys.set(reading, key);
  return key;
}

const keys = new WeakMap<SqlReading, string>();

function lettersOf(charset: string): SqlReading['letters'] {
  if (/^utf8(mb[34])?$/.test(charset)) return 'unicode';
  return charset === 'latin1' ? 'latin1' : 'ascii';
}
