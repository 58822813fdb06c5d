/**
 * A recorded answer, readable. Owns: reading the packets that a record kept, cut anywhere. Does not: fail on them.
 *
 * Rows of prepared statements have another form, which no packet names: the record has an empty packet, which no target sends, in
 * front of such an answer (`BINARY_ROWS`).
 */
import type { MySqlColumn, Replayed } from '@sluice/contract';
import { WireError } from '@sluice/wire';
import { readDefinition } from './definitions.js';
import { PayloadReader, HEADER_BYTES, MAX_PACKET, payloadLength } from './packets.js';
import { EOF, ERR, LOCAL_INFILE, OK, STATUS, eofStatus, readError, readOk } from './replies.js';
import { UNSIGNED, valueOf } from './values.js';

export const BINARY_ROWS = Buffer.alloc(HEADER_BYTES);

/** In place of a cell: NULL. */
const NULL_CELL = 0xfb;
const UNSIGNED_FLAG = 0x20;

/** A row of texts. */
export function textRow(payload: Buffer): (string | null)[] {
  const fields = new PayloadReader(payload);
  const cells: (string | null)[] = [];
  while (fields.left > 0) {
    if (fields.next !== NULL_CELL) cells.push(shown(fields.counted()));
    else {
      fields.bytes(1);
      cells.push(null);
    }
  }
  return cells;
}

function binaryRow(payload: Buffer, columns: readonly MySqlColumn[]): (string | null)[] {
  const fields = new PayloadReader(payload, 1);
  // Two bits are left free in front.
  const nulls = fields.bytes(Math.ceil((columns.length + 2) / 8));
  return columns.map(({ type, flags }, at) => {
    const isNull = ((nulls[(at + 2) >> 3] as number) >> ((at + 2) & 7)) & 1;
    const value = isNull ? null : valueOf(flags & UNSIGNED_FLAG ? type | UNSIGNED : type, fields);
    return value && shown(value);
  });
}

/** Text where it is text. */
const shown = (cell: Buffer): string => (cell.includes(0) ? `0x${cell.toString('hex')}` : cell.toString('utf8'));

/** What comes next in the record. */
type Expected = 'answer' | 'definitions' | 'separator' | 'rows' | 'file';

class AnswerReader {
  columns: MySqlColumn[] = [];
  readonly rows: (string | null)[][] = [];
  readonly messages: string[] = [];
  readonly copied: string[] = [];
  #expected: Expected = 'answer';
  #left = 0;
  #binary = false;
  /** The client has not given EOF packets up. */
  #separated = false;

  take(payload: Buffer): void {
    switch (this.#expected) {
      case 'answer':
        return this.#answer(payload);
      case 'definitions':
        this.columns.push(readDefinition(payload));
        if (--this.#left === 0) this.#expected = 'separator';
        return;
      case 'separator':
        this.#separated = payload[0] === EOF && payload.length === 5;
        this.#expected = 'rows';
        if (this.#separated) return;
        return this.#row(payload);
      case 'rows':
        return this.#row(payload);
      case 'file':
        if (payload.length === 0) this.#expected = 'answer';
        else this.copied.push(payload.toString('utf8'));
    }
  }

  #answer(payload: Buffer): void {
    if (payload.length === 0) this.#binary = true;
    else if (payload[0] === ERR) this.#failed(payload);
    else if (payload[0] === OK || payload[0] === EOF) this.#done(payload);
    else if (payload[0] === LOCAL_INFILE) this.#expected = 'file';
    else {
      this.#left = new PayloadReader(payload).number();
      this.columns = [];
      this.#expected = 'definitions';
    }
  }

  #row(payload: Buffer): void {
    if (payload[0] === ERR) return this.#failed(payload);
    const isEnd = payload[0] === EOF && (this.#separated ? payload.length < 9 : payload.length < MAX_PACKET);
    if (!isEnd) this.rows.push(this.#binary ? binaryRow(payload, this.columns) : textRow(payload));
    // What is left of a cursor's rows is fetched later.
    else if ((eofStatus(payload) & STATUS.cursorExists) === 0) this.#expected = 'answer';
  }

  #done(payload: Buffer): void {
    const { info } = payload.length === 5 ? { info: undefined } : readOk(payload);
    if (info && info.length > 0) this.messages.push(info.toString('utf8'));
  }

  #failed(payload: Buffer): void {
    const { code, sqlstate, message } = readError(payload);
    this.messages.push(`ERROR ${code} (${sqlstate}): ${message}`);
    this.#expected = 'answer';
  }
}

/** Reads what a record kept of an answer. One that was cut, or whose start is missing, gives what there is. */
export function decodeResult(data: Uint8Array): Replayed {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  const reader = new AnswerReader();
  let chain: Buffer[] = [];
  for (let at = 0; at + HEADER_BYTES <= bytes.length; ) {
    const size = payloadLength(bytes, at);
    const next = at + HEADER_BYTES + size;
    if (next > bytes.length) break;
    chain.push(bytes.subarray(at + HEADER_BYTES, next));
    at = next;
    if (size === MAX_PACKET) continue;
    const payload = chain.length === 1 ? (chain[0] as Buffer) : Buffer.concat(chain);
    chain = [];
    try {
      reader.take(payload);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      reader.messages.push(`a packet of ${payload.length} bytes that cannot be read: ${error.message}`);
    }
  }
  const { columns, rows, messages, copied } = reader;
  return { columns: columns.map(({ name }) => name), rows, messages, copied };
}
