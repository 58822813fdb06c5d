/** Tags, lengths and fields of messages of both sides. Owns: the frame. Does not: what a message means. Pure. */
import { malformed } from '@sluice/wire';
import type { TextEncoding } from './text-encoding.js';

/**
 * The tag bytes of protocol version 3 (PostgreSQL documentation, 55.7 "Message Formats"), and the few messages that the
 * gateway writes itself. Every message but the first of a connection is
 *
 *     byte1  tag
 *     int32  length, itself included, the tag not
 *     ...    body
 */
const tag = (letter: string): number => letter.charCodeAt(0);

/** Messages that a client may send (F). */
export const F = {
  bind: tag('B'),
  close: tag('C'),
  copyData: tag('d'),
  copyDone: tag('c'),
  copyFail: tag('f'),
  describe: tag('D'),
  execute: tag('E'),
  flush: tag('H'),
  functionCall: tag('F'),
  parse: tag('P'),
  password: tag('p'),
  query: tag('Q'),
  sync: tag('S'),
  terminate: tag('X'),
} as const;

/** Messages that a server may send (B). */
export const B = {
  authentication: tag('R'),
  backendKeyData: tag('K'),
  bindComplete: tag('2'),
  closeComplete: tag('3'),
  commandComplete: tag('C'),
  copyData: tag('d'),
  copyDone: tag('c'),
  copyInResponse: tag('G'),
  copyOutResponse: tag('H'),
  dataRow: tag('D'),
  emptyQueryResponse: tag('I'),
  errorResponse: tag('E'),
  functionCallResponse: tag('V'),
  negotiateProtocolVersion: tag('v'),
  noData: tag('n'),
  noticeResponse: tag('N'),
  notificationResponse: tag('A'),
  parameterDescription: tag('t'),
  parameterStatus: tag('S'),
  parseComplete: tag('1'),
  portalSuspended: tag('s'),
  readyForQuery: tag('Z'),
  rowDescription: tag('T'),
} as const;

export const HEADER_BYTES = 5;

/** The length field of the message that starts at `at`, itself included; the tag before it is not. */
export function messageLength(chunk: Buffer, at: number): number {
  // By hand: this runs for every row of every result.
  const length =
    ((chunk[at + 1] as number) << 24) |
    ((chunk[at + 2] as number) << 16) |
    ((chunk[at + 3] as number) << 8) |
    (chunk[at + 4] as number);
  if (length < 4) throw malformed(`invalid message length: ${length}`);
  return length;
}

/** One message of the given tag. Strings are written NUL-terminated, numbers as int32. */
export function message(tagByte: number, ...fields: readonly (string | number | Uint8Array)[]): Buffer {
  const parts = fields.map(encodeField);
  const size = parts.reduce((sum, part) => sum + part.length, 4);
  const head = Buffer.allocUnsafe(HEADER_BYTES);
  head.writeUInt8(tagByte, 0);
  head.writeInt32BE(size, 1);
  return Buffer.concat([head, ...parts]);
}

/** The untagged first packet of a connection: length, a code or version, then the rest. */
export function startupPacket(code: number, ...fields: readonly (string | number | Uint8Array)[]): Buffer {
  const parts = [encodeField(code), ...fields.map(encodeField)];
  const head = Buffer.allocUnsafe(4);
  head.writeInt32BE(
    parts.reduce((sum, part) => sum + part.length, 4),
    0,
  );
  return Buffer.concat([head, ...parts]);
}

function encodeField(field: string | number | Uint8Array): Uint8Array {
  if (typeof field === 'string') return Buffer.from(`${field}\0`);
  if (typeof field !== 'number') return field;
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeInt32BE(field, 0);
  return bytes;
}

/** Fields of an ErrorResponse or NoticeResponse (55.8), by their one-letter codes. */
export interface ErrorFields {
  readonly severity: 'ERROR' | 'FATAL' | 'NOTICE' | 'WARNING';
  readonly code: string;
  readonly message: string;
  readonly detail?: string | undefined;
  readonly hint?: string | undefined;
  readonly position?: number | undefined;
}

export function errorResponse(fields: ErrorFields): Buffer {
  return message(
    fields.severity === 'NOTICE' || fields.severity === 'WARNING' ? B.noticeResponse : B.errorResponse,
    errorBody(fields),
  );
}

function errorBody(fields: ErrorFields): Buffer {
  const coded: readonly (readonly [string, string | undefined])[] = [
    ['S', fields.severity],
    ['V', fields.severity],
    ['C', fields.code],
    ['M', fields.message],
    ['D', fields.detail],
    ['H', fields.hint],
    ['P', fields.position?.toString()],
  ];
  const text = coded.flatMap(([code, value]) =>
    value === undefined ? [] : [`${code}${value.replaceAll('\0', '')}\0`],
  );
  return Buffer.from(`${text.join('')}\0`);
}

/** Reads the fields of an ErrorResponse or NoticeResponse body (the message without its header). */
export function readErrorFields(
  body: Buffer,
  encoding?: Pick<TextEncoding, 'name' | 'decode'>,
): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  for (let at = 0; at < body.length && body[at] !== 0; ) {
    const end = body.indexOf(0, at + 1);
    if (end < 0) break;
    const text = body.subarray(at + 1, end);
    // A server that has just begun to speak may say things in its own.
    const value = encoding && encoding.name !== 'UTF8' ? encoding.decode(text) : text.toString('utf8');
    fields.set(String.fromCharCode(body[at] as number), value);
    at = end + 1;
  }
  return fields;
}

/** In place of a message that the client does not get. */
export const NOTHING = Buffer.alloc(0);
