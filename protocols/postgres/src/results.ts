/** Recorded answers, for people. Owns their reading. Does not own what was recorded (`recorder.ts`). Pure. */
import { isUtf8 } from 'node:buffer';
import { HEADER_BYTES, B, readErrorFields } from './messages.js';
import { type TextEncoding, UTF8, encodingNamed, readText } from './text-encoding.js';
import { Reader, WireError } from '@sluice/wire';

/** A recorded answer, readable. Cells are text where they are text, `\x...` where the client asked for binary. */
export interface DecodedResult {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly (string | null)[])[];
  /** Notices and errors: severity, SQLSTATE, message. */
  readonly messages: readonly string[];
  /** COPY data, as text. */
  readonly copied: readonly string[];
}

/**
 * Reads the messages that a record kept of an answer. An answer that was cut at the cap, or whose start is missing, gives
 * what there is: a replay shows what was recorded and never fails on it.
 */
export function decodeResult(data: Uint8Array): DecodedResult {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  const result: ReadResult = { columns: [], rows: [], messages: [], copied: [], formats: [], encoding: UTF8 };
  for (let at = 0; at + HEADER_BYTES <= bytes.length; ) {
    const next = at + 1 + bytes.readInt32BE(at + 1);
    if (next < at + HEADER_BYTES || next > bytes.length) break;
    try {
      add(result, bytes[at] as number, bytes.subarray(at + HEADER_BYTES, next));
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      result.messages.push(`a message of ${next - at} bytes that cannot be read: ${error.message}`);
    }
    at = next;
  }
  const { formats: _, encoding: __, ...decoded } = result;
  return decoded;
}

/** What has been read so far, and the formats of the columns that are being read. */
interface ReadResult {
  columns: string[];
  readonly rows: (string | null)[][];
  readonly messages: string[];
  readonly copied: string[];
  formats: number[];
  encoding: TextEncoding;
}

function add(result: ReadResult, tag: number, body: Buffer): void {
  switch (tag) {
    case B.rowDescription: {
      const fields = readFields(new Reader(body), result.encoding);
      result.columns = fields.map((field) => field.name);
      result.formats = fields.map((field) => field.format);
      break;
    }
    case B.dataRow:
      result.rows.push(readRow(new Reader(body), result));
      break;
    // What the texts behind it are in, where that is not UTF-8.
    case B.parameterStatus: {
      const fields = new Reader(body);
      if (fields.cstring() === 'client_encoding') result.encoding = encodingNamed(fields.cstring()) ?? UTF8;
      break;
    }
    // What a called function returns has no description.
    case B.functionCallResponse:
      result.columns = ['result'];
      result.rows.push([readCell(new Reader(body), 0, result.encoding)]);
      break;
    case B.copyData:
      result.copied.push(result.encoding === UTF8 ? body.toString('utf8') : result.encoding.decode(body));
      break;
    case B.errorResponse:
    case B.noticeResponse: {
      const fields = readErrorFields(body, result.encoding);
      const severity = fields.get('V') ?? fields.get('S') ?? 'ERROR';
      result.messages.push(`${severity} ${fields.get('C') ?? ''}: ${fields.get('M') ?? ''}`);
      break;
    }
    default:
  }
}

function readFields(body: Reader, encoding: TextEncoding): { name: string; format: number }[] {
  return Array.from({ length: body.int16() }, () => {
    const name = readText(body, encoding);
    body.bytes(16); // table, attribute, type, type size, type modifier
    return { name, format: body.int16() };
  });
}

function readRow(body: Reader, { formats, encoding }: Pick<ReadResult, 'formats' | 'encoding'>): (string | null)[] {
  return Array.from({ length: body.int16() }, (_, column) => readCell(body, formats[column], encoding));
}

function readCell(body: Reader, format: number | undefined, encoding: TextEncoding): string | null {
  const size = body.int32();
  if (size < 0) return null;
  const cell = body.bytes(size);
  const isText = format !== 1 && !cell.includes(0) && (encoding !== UTF8 || isUtf8(cell));
  return isText ? encoding.decode(cell) : `\\x${cell.toString('hex')}`;
}
