/**
 * The function call protocol (55.2.6): a call by the number of its function, without a text. Owns: reading the call, the SELECT that
 * it is judged and recorded as, and its answer as a row that masks can edit. Does not own: which function has the number
 * (function-lookup.ts), nor what becomes of the call (client-half.ts).
 */
import type { Parameter, ResultMasks } from '@sluice/contract';
import type { DescribedRows } from './description.js';
import { Reader, malformed } from '@sluice/wire';
import { DataRowEditor, RowEditor } from './masked/editor.js';
import type { CellTexts } from './masked/encoded.js';
import { B, HEADER_BYTES, NOTHING } from './messages.js';
import { type TextEncoding, valueInUtf8 } from './text-encoding.js';

export interface FunctionCall {
  /** pg_proc.oid */
  readonly oid: number;
  /** Views of the message, valid while it is. */
  readonly values: readonly (Buffer | null)[];
  /** One for all, one each, or none, which means text. */
  readonly formats: readonly number[];
  readonly resultFormat: 'text' | 'binary';
}

/** A function, as pg_proc has it. */
export interface CalledFunction {
  readonly schema: string;
  readonly name: string;
  /** Types of its arguments: pg_type.oid, and the name with its schema. */
  readonly inputs: readonly { readonly oid: number; readonly schema: string; readonly name: string }[];
  readonly returns: number;
}

/** missing: the target has no function of this number; unreadable: it could not be asked. */
export type FoundFunction = CalledFunction | 'missing' | 'unreadable';

/** @param bytes one whole FunctionCall (55.7), header included */
export function readFunctionCall(bytes: Buffer): FunctionCall {
  const body = new Reader(bytes, HEADER_BYTES);
  const oid = body.int32() >>> 0;
  const formats: number[] = [];
  for (let left = body.int16() & 0xffff; left > 0; left--) formats.push(body.int16());
  const values: (Buffer | null)[] = [];
  for (let left = body.int16() & 0xffff; left > 0; left--) {
    const size = body.int32();
    values.push(size === -1 ? null : body.bytes(size));
  }
  const resultFormat = body.int16() === 1 ? 'binary' : 'text';
  if (body.left > 0) throw malformed('invalid message format: FunctionCall has bytes after its last field');
  return { oid, formats, values, resultFormat };
}

/** The SELECT that does the same. What cannot be written into it stands as a parameter. */
export interface CallStatement {
  readonly text: string;
  readonly parameters: readonly Parameter[];
}

/** @param found of a function that is not known, the statement calls one that no database has */
export function callStatement(call: FunctionCall, found: FoundFunction, encoding: TextEncoding): CallStatement {
  const parameters: Parameter[] = [];
  const parameter = (type: number, format: Parameter['format'], value: Buffer | null): string => {
    parameters.push({ type, format, value: value && valueInUtf8(value, type, format, encoding) });
    return `$${parameters.length}`;
  };
  const known = typeof found === 'string' ? undefined : found;
  const args = call.values.map((value, at) => {
    const type = known?.inputs[at];
    const format = (call.formats.length === 1 ? call.formats[0] : call.formats[at]) === 1 ? 'binary' : 'text';
    const written = type && (value === null ? 'NULL' : literal(value, type.oid, format, encoding));
    if (!type) return parameter(0, format, value);
    return `${written ?? parameter(type.oid, format, value)}::${qualified(type)}`;
  });
  const name = known ? qualified(known) : `"${found === 'missing' ? 'missing' : 'unread'} function ${call.oid}"`;
  return { text: `SELECT ${name}(${args.join(', ')})`, parameters };
}

/** The result as the target would describe it as the one column of a SELECT. */
export const describeCall = ({ name, returns }: CalledFunction, { resultFormat }: FunctionCall): DescribedRows => ({
  dialect: 'postgres',
  columns: [{ name, table: 0, attribute: 0, type: returns, typmod: -1, format: resultFormat }],
});

/** pg_type.oid of what is written as it is, and of numbers that are sent in so many bytes. */
const TEXTS: ReadonlySet<number> = new Set([19, 25, 1042, 1043]);
const INTEGERS: ReadonlyMap<number, (value: Buffer) => string> = new Map([
  [20, (value: Buffer) => String(value.readBigInt64BE())],
  [21, (value: Buffer) => String(value.readInt16BE())],
  [23, (value: Buffer) => String(value.readInt32BE())],
  [26, (value: Buffer) => String(value.readUInt32BE())],
]);
const INTEGER_BYTES: ReadonlyMap<number, number> = new Map([
  [20, 8],
  [21, 2],
  [23, 4],
  [26, 4],
]);
const BOOL = 16;
const BYTEA = 17;

/** Undefined where the value can only be told by its type's own code. Data (bytea) is no text, however it is sent. */
function literal(value: Buffer, type: number, format: 'text' | 'binary', encoding: TextEncoding): string | undefined {
  if (type === BYTEA) return undefined;
  if (format === 'text' || TEXTS.has(type)) {
    // The server would read it up to there, and nobody else would.
    if (value.includes(0)) throw malformed('a text argument of a function call has a zero byte in it');
    return `'${encoding.decode(value).replaceAll("'", "''")}'`;
  }
  if (type === BOOL && value.length === 1) return value[0] === 0 ? `'f'` : `'t'`;
  if (value.length !== INTEGER_BYTES.get(type)) return undefined;
  return `'${INTEGERS.get(type)?.(value) ?? ''}'`;
}

/** Names of the catalog and of plain letters stand as they are: who reads the record knows them so. */
function qualified({ schema, name }: { readonly schema: string; readonly name: string }): string {
  return `${schema === 'pg_catalog' ? schema : quoted(schema)}.${PLAIN.test(name) ? name : quoted(name)}`;
}
const PLAIN = /^[a-z_][a-z0-9_]*$/;
const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** A FunctionCallResponse is a row of one value without the number of its values. */
const VALUES_BYTES = 2;
const ONE_VALUE = Buffer.from([0, 1]);

/** Masks the value of a FunctionCallResponse, as that of the row that a SELECT would answer with. */
export class CallResultEditor extends RowEditor {
  readonly #rows: DataRowEditor;
  #begun = false;

  constructor(masks: ResultMasks, texts: CellTexts | undefined) {
    super(masks);
    this.#rows = new DataRowEditor(masks, texts);
  }

  protected rewrite(bytes: Buffer): Buffer | Promise<Buffer> {
    const made = this.#rows.push(this.#begun ? bytes : asRow(bytes));
    this.#begun = true;
    return made instanceof Promise ? made.then(asCallResult) : asCallResult(made);
  }

  end(): void {
    this.#rows.end();
  }
}

/** @param start of a message, with the whole of its header */
function asRow(start: Buffer): Buffer {
  const head = Buffer.from(start.subarray(0, HEADER_BYTES));
  head.writeUInt8(B.dataRow, 0);
  head.writeInt32BE(head.readInt32BE(1) + VALUES_BYTES, 1);
  return Buffer.concat([head, ONE_VALUE, start.subarray(HEADER_BYTES)]);
}

function asCallResult(row: Buffer): Buffer {
  if (row.length === 0) return NOTHING;
  const head = Buffer.from(row.subarray(0, HEADER_BYTES));
  head.writeUInt8(B.functionCallResponse, 0);
  head.writeInt32BE(head.readInt32BE(1) - VALUES_BYTES, 1);
  return Buffer.concat([head, row.subarray(HEADER_BYTES + VALUES_BYTES)]);
}
