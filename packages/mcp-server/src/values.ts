/**
 * Values of rows as JSON. Owns: which ones JSON holds exactly, and the words for that. What it does not hold stays the text that the native client
 * shows. Pure.
 */

export type Cell = string | number | boolean | null;

/** How the values of a column are written; NULL is null in each. `number`: a string where JSON does not hold it exactly. */
export type Written = 'string' | 'number' | 'boolean' | 'base64';

export interface Column {
  readonly name: string;
  /** As the target calls it. */
  readonly type: string;
  readonly values: Written;
}

/** A value that is longer is cut, and said to be. Characters. */
export const MAX_CELL_CHARACTERS = 100_000;

/** `text`: as the native client shows it. */
export function cellOf(text: string, written: Written): Cell {
  if (written === 'number') return numberOf(text);
  if (written === 'boolean' && (text === 't' || text === 'f')) return text === 't';
  if (written === 'base64' && text.startsWith('\\x')) return Buffer.from(text.slice(2), 'hex').toString('base64');
  return text;
}

/** The same of bytes that are not masked, whatever `bytea_output` is ("bytea Escape Format" of the manual): what is no hexadecimal is that. */
export function bytesOf(text: string): Cell {
  if (text.startsWith('\\x')) return cellOf(text, 'base64');
  const bytes = text.replaceAll(/\\(?:\\|([0-7]{3}))/g, (_, octal?: string) =>
    octal === undefined ? '\\' : String.fromCodePoint(Number.parseInt(octal, 8)),
  );
  return Buffer.from(bytes, 'latin1').toString('base64');
}

/** A number only where it is written as the text is: no digit is lost, and none comes to it. */
function numberOf(text: string): Cell {
  const number = Number(text);
  return Number.isFinite(number) && String(number) === text ? number : text;
}

/** Types of PostgreSQL by their numbers, which are the same in every server (pg_type.dat). */
const POSTGRES: ReadonlyMap<number, readonly [type: string, values: Written]> = new Map([
  [16, ['boolean', 'boolean']],
  [17, ['bytea', 'base64']],
  [18, ['"char"', 'string']],
  [19, ['name', 'string']],
  [20, ['bigint', 'number']],
  [21, ['smallint', 'number']],
  [23, ['integer', 'number']],
  [25, ['text', 'string']],
  [26, ['oid', 'number']],
  [114, ['json', 'string']],
  [142, ['xml', 'string']],
  [600, ['point', 'string']],
  [700, ['real', 'number']],
  [701, ['double precision', 'number']],
  [790, ['money', 'string']],
  [829, ['macaddr', 'string']],
  [869, ['inet', 'string']],
  [650, ['cidr', 'string']],
  [1000, ['boolean[]', 'string']],
  [1005, ['smallint[]', 'string']],
  [1007, ['integer[]', 'string']],
  [1009, ['text[]', 'string']],
  [1015, ['character varying[]', 'string']],
  [1016, ['bigint[]', 'string']],
  [1042, ['character', 'string']],
  [1043, ['character varying', 'string']],
  [1082, ['date', 'string']],
  [1083, ['time', 'string']],
  [1114, ['timestamp', 'string']],
  [1184, ['timestamp with time zone', 'string']],
  [1186, ['interval', 'string']],
  [1231, ['numeric[]', 'string']],
  [1266, ['time with time zone', 'string']],
  [1560, ['bit', 'string']],
  [1562, ['bit varying', 'string']],
  [1700, ['numeric', 'number']],
  [2278, ['void', 'string']],
  [2950, ['uuid', 'string']],
  [3802, ['jsonb', 'string']],
  [3904, ['int4range', 'string']],
  [3926, ['int8range', 'string']],
]);

export function postgresColumn(name: string, oid: number): Column {
  const [type, values] = POSTGRES.get(oid) ?? [`type ${oid}`, 'string'];
  return { name, type, values };
}

/** Types of columns of MySQL, by their numbers in the protocol. */
const MYSQL: ReadonlyMap<number, readonly [type: string, values: Written]> = new Map([
  [0, ['decimal', 'number']],
  [1, ['tinyint', 'number']],
  [2, ['smallint', 'number']],
  [3, ['int', 'number']],
  [4, ['float', 'number']],
  [5, ['double', 'number']],
  [6, ['null', 'string']],
  [7, ['timestamp', 'string']],
  [8, ['bigint', 'number']],
  [9, ['mediumint', 'number']],
  [10, ['date', 'string']],
  [11, ['time', 'string']],
  [12, ['datetime', 'string']],
  [13, ['year', 'number']],
  [15, ['varchar', 'string']],
  [16, ['bit', 'base64']],
  [245, ['json', 'string']],
  [246, ['decimal', 'number']],
  [247, ['enum', 'string']],
  [248, ['set', 'string']],
  [255, ['geometry', 'base64']],
]);
/** Texts and bytes have the same numbers, and differ in their character set: 63 is that of bytes. */
const BINARY_CHARSET = 63;
const TEXTS: ReadonlyMap<number, readonly [text: string, bytes: string]> = new Map([
  [249, ['tinytext', 'tinyblob']],
  [250, ['mediumtext', 'mediumblob']],
  [251, ['longtext', 'longblob']],
  [252, ['text', 'blob']],
  [253, ['varchar', 'varbinary']],
  [254, ['char', 'binary']],
]);

export function mysqlColumn(name: string, type: number, charset: number): Column {
  const text = TEXTS.get(type);
  if (text && charset === BINARY_CHARSET) return { name, type: text[1], values: 'base64' };
  if (text) return { name, type: text[0], values: 'string' };
  const [word, values] = MYSQL.get(type) ?? [`type ${type}`, 'string'];
  return { name, type: word, values };
}
