/**
 * Encodings that a client may have its texts in. Owns: which those are, and their exact conversion. The target converts what passes;
 * the gateway only reads, and writes its own words. Does not own: when a text is read (client-messages.ts). Pure.
 *
 * Those of one byte for each character have tables here. Of those of several bytes there is GBK, the only one that the decoder of this
 * runtime reads and the server writes alike in all characters: the test compares them. Of SJIS two characters become one (a yen sign is a
 * backslash to the client), and EUC, UHC, BIG5 and GB18030 have other tables than the server. The server turns a text into its own
 * encoding before it looks for quotes, so a backslash that is half of a character is none for it, and none for us.
 */
import { isUtf8 } from 'node:buffer';
import { TextDecoder } from 'node:util';
import type { Parameter } from '@sluice/contract';
import { type Reader, WireError } from '@sluice/wire';
import { TABLES } from './encoding-tables.js';

export interface TextEncoding {
  /** As the server writes it in `client_encoding`. */
  readonly name: string;
  /** @throws UnreadableText for bytes that are no text */
  decode(bytes: Buffer): string;
  /** What it has no byte for becomes a question mark. */
  encode(text: string): Buffer;
  /** A byte below 80 is ASCII and nothing else. */
  readonly isPlain: boolean;
  /** Its table is the server's where the server keeps its texts in UTF-8. */
  readonly ofUtf8?: true;
}

/** Bytes that are no text in the encoding of the client. Only the message that they are in is lost: where it ends is known. */
export class UnreadableText extends WireError {
  /** @param message as the server says it */
  constructor(message: string) {
    super('WIRE_MALFORMED', message);
  }
}

export const UTF8: TextEncoding = {
  name: 'UTF8',
  // Only valid UTF-8 is a text: a replaced byte would make two commands look like one.
  decode: (bytes) => {
    if (bytes.length > 0 && !isUtf8(bytes))
      throw new UnreadableText(`invalid byte sequence for encoding "UTF8": ${firstNotUtf8(bytes)}`);
    return bytes.toString('utf8');
  },
  encode: (text) => Buffer.from(text),
  isPlain: true,
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
  win936: 'GBK',
  windows936: 'GBK',
};

/** Both mean that the texts which follow can be read as UTF-8; psql says SQL_ASCII on a terminal without a locale. */
const OF_UTF8: ReadonlySet<string> = new Set(['utf8', 'unicode', 'sqlascii']);

const made = new Map<string, TextEncoding>();

/** @param name as a client writes it; undefined for an encoding that is not converted here */
export function encodingNamed(name: string): TextEncoding | undefined {
  const plain = name.toLowerCase().replaceAll(/[^a-z0-9]/g, '');
  if (OF_UTF8.has(plain)) return UTF8;
  const windows = plain.replace(/^windows/, 'win');
  const alias = Object.hasOwn(ALIASES, plain) ? ALIASES[plain] : undefined;
  const wanted = alias ?? NAMES.find((one) => one.toLowerCase().replaceAll('_', '') === windows);
  if (wanted === undefined) return undefined;
  let encoding = made.get(wanted);
  if (!encoding) made.set(wanted, (encoding = encodingOf(wanted)));
  return encoding;
}

const GBK = 'GBK';
const NAMES: readonly string[] = [...Object.keys(TABLES), GBK];

function encodingOf(name: string): TextEncoding {
  const table = TABLES[name];
  return table === undefined ? gbk() : singleByte(name, upperHalf(table));
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
    isPlain: true,
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

function gbk(): TextEncoding {
  const decoder = new TextDecoder('gbk', { fatal: true });
  let bytes: ReadonlyMap<string, Buffer> | undefined;
  return {
    name: GBK,
    isPlain: false,
    ofUtf8: true,
    decode: (text) => {
      try {
        return decoder.decode(text);
      } catch {
        throw new UnreadableText('invalid byte sequence for encoding "GBK"');
      }
    },
    encode: (text) => {
      const known = (bytes ??= bytesOf(decoder));
      return Buffer.concat(
        Array.from(text, (one) => (one < '\u0080' ? Buffer.from(one) : (known.get(one) ?? UNKNOWN))),
      );
    },
  };
}

const UNKNOWN = Buffer.from('?');

/** The bytes of each character: a first from 81 to FE, and a second from 40 to FE; and 80, which is the euro sign. */
function bytesOf(decoder: TextDecoder): Map<string, Buffer> {
  const found = new Map([['€', Buffer.from([ASCII])]]);
  for (let first = 0x81; first <= 0xfe; first++)
    for (let second = 0x40; second <= 0xfe; second++) {
      const bytes = Buffer.from([first, second]);
      try {
        const one = decoder.decode(bytes);
        // The server writes the first of two.
        if (one.length === 1 && !found.has(one)) found.set(one, bytes);
      } catch {
        // It is none.
      }
    }
  return found;
}

const NOT_ASCII = /[\u0080-\u00ff]/;
const NOT_ASCII_ALL = /[\u0080-\u00ff]/g;

/** A text that ends with a zero byte. @throws UnreadableText */
export const readText = (body: Reader, encoding: TextEncoding): string => encoding.decode(body.zeroTerminated());

const BLOCK_BYTES = 4096;

/** The bytes of the first character that is none: as many as its first byte says that it has (report_invalid_encoding in mbutils.c). */
function firstNotUtf8(bytes: Buffer): string {
  const sizeAt = (at: number): number => {
    const first = bytes[at] as number;
    if (first < 0xc0 || first >= 0xf8) return 1;
    return 2 + Number(first >= 0xe0) + Number(first >= 0xf0);
  };
  let at = 0;
  // Blocks that end where a character begins are skipped at once: the text may be long.
  for (let end = at + BLOCK_BYTES; end < bytes.length; end = at + BLOCK_BYTES) {
    while (end > at && ((bytes[end] as number) & 0xc0) === 0x80) end--;
    if (end === at || !isUtf8(bytes.subarray(at, end))) break;
    at = end;
  }
  while (at < bytes.length && isUtf8(bytes.subarray(at, at + sizeAt(at)))) at += sizeAt(at);
  return Array.from(bytes.subarray(at, at + sizeAt(at)), (byte) => `0x${byte.toString(16).padStart(2, '0')}`).join(' ');
}

/** pg_type.oid of types whose binary form is their text, and which has no other bytes but ASCII: "char", name, text, json, xml, jsonb... */
export const TEXT_TYPES: ReadonlySet<number> = new Set([18, 19, 25, 114, 142, 705, 1042, 1043, 2275, 3802]);

/** A value that a client has bound, as whoever judges it reads texts. */
export function valueInUtf8(value: Buffer, type: number, format: Parameter['format'], encoding: TextEncoding): Buffer {
  if (encoding === UTF8 || (format === 'binary' && !TEXT_TYPES.has(type))) return value;
  return value.every((byte) => byte < ASCII) ? value : Buffer.from(encoding.decode(value));
}

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
