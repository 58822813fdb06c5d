/**
 * Encodings that a client may have its texts in. Owns: which those are, and their exact conversion. The target converts what passes;
 * the gateway only reads, and writes its own words. Does not own: when a text is read (client-messages.ts). Pure.
 *
 * In all of them a byte below 80 is ASCII and nothing else, so that a quote or a backslash is one for us if it is one for the target.
 * Encodings in which such a byte can be the second half of a character (SJIS, BIG5, GBK, GB18030, UHC, JOHAB) are refused, and so are
 * those of several bytes for which the table of the server is not ours (EUC).
 */
import { isUtf8 } from 'node:buffer';
import { type Reader, malformed } from '@sluice/wire';
import { TABLES } from './encoding-tables.js';

export interface TextEncoding {
  /** As the server writes it in `client_encoding`. */
  readonly name: string;
  /** @throws WireError for bytes that are no text */
  decode(bytes: Buffer): string;
  /** What it has no byte for becomes a question mark. */
  encode(text: string): Buffer;
}

export const UTF8: TextEncoding = {
  name: 'UTF8',
  // Only valid UTF-8 is a text: a replaced byte would make two commands look like one.
  decode: (bytes) => {
    if (bytes.length > 0 && !isUtf8(bytes)) throw malformed('a text field is not valid UTF-8');
    return bytes.toString('utf8');
  },
  encode: (text) => Buffer.from(text),
};

/** Other names of them (src/common/encnames.c), without anything but letters and digits. */
const ALIASES: Readonly<Record<string, string>> = {
  iso88591: 'LATIN1',
  iso88592: 'LATIN2',
  iso88593: 'LATIN3',
  iso88594: 'LATIN4',
  iso88599: 'LATIN5',
  iso885910: 'LATIN6',
  iso885913: 'LATIN7',
  iso885914: 'LATIN8',
  iso885915: 'LATIN9',
  iso885916: 'LATIN10',
  koi8: 'KOI8R',
  alt: 'WIN866',
};

/** Both mean that the texts which follow can be read as UTF-8; psql says SQL_ASCII on a terminal without a locale. */
const OF_UTF8: ReadonlySet<string> = new Set(['utf8', 'unicode', 'sqlascii']);

const made = new Map<string, TextEncoding>();

/** @param name as a client writes it; undefined for an encoding that is not converted here */
export function encodingNamed(name: string): TextEncoding | undefined {
  const plain = name.toLowerCase().replaceAll(/[^a-z0-9]/g, '');
  if (OF_UTF8.has(plain)) return UTF8;
  const windows = plain.replace(/^windows/, 'win');
  const wanted = ALIASES[plain] ?? Object.keys(TABLES).find((one) => one.toLowerCase().replaceAll('_', '') === windows);
  const table = wanted === undefined || !Object.hasOwn(TABLES, wanted) ? undefined : TABLES[wanted];
  if (wanted === undefined || table === undefined) return undefined;
  let encoding = made.get(wanted);
  if (!encoding) made.set(wanted, (encoding = singleByte(wanted, upperHalf(table))));
  return encoding;
}

function upperHalf(table: string): number[] {
  return table.split(/\s+/).flatMap((part): number[] => {
    if (part.startsWith('?')) return Array.from({ length: Number(part.slice(1) || 1) }, () => REPLACEMENT);
    const [from = 0, to = from] = part.split('-').map((digits) => Number.parseInt(digits, 16));
    return Array.from({ length: to - from + 1 }, (_, at) => from + at);
  });
}

const REPLACEMENT = 0xfffd;
const ASCII = 0x80;
const QUESTION_MARK = 0x3f;

function singleByte(name: string, upper: readonly number[]): TextEncoding {
  const bytes = new Map(upper.map((point, at) => [point, ASCII + at]));
  bytes.delete(REPLACEMENT);
  return {
    name,
    decode: (text) => {
      const latin = text.toString('latin1');
      return NOT_ASCII.test(latin)
        ? latin.replaceAll(NOT_ASCII_ALL, (one) => String.fromCodePoint(upper[one.charCodeAt(0) - ASCII] as number))
        : latin;
    },
    encode: (text) =>
      Buffer.from(
        Array.from(text, (one) => {
          const point = one.codePointAt(0) as number;
          return point < ASCII ? point : (bytes.get(point) ?? QUESTION_MARK);
        }),
      ),
  };
}

const NOT_ASCII = /[\u0080-\u00ff]/;
const NOT_ASCII_ALL = /[\u0080-\u00ff]/g;

/** A text that ends with a zero byte. */
export const readText = (body: Reader, encoding: TextEncoding): string =>
  encoding === UTF8 ? body.cstring() : encoding.decode(body.zeroTerminated());

/** One of the gateway's own messages of fields (ErrorResponse, NoticeResponse), which are made in UTF-8, as the client reads it. */
export function inEncoding(message: Buffer, encoding: TextEncoding): Buffer {
  if (encoding === UTF8 || message.every((byte) => byte < ASCII)) return message;
  const body = encoding.encode(message.toString('utf8', FIELDS_START));
  const head = Buffer.from(message.subarray(0, FIELDS_START));
  head.writeInt32BE(body.length + FIELDS_START - 1, 1);
  return Buffer.concat([head, body]);
}

/** Behind the tag and the length. */
const FIELDS_START = 5;
