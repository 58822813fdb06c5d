/**
 * Prepared statements of a session, by the number that the target gave them. Owns: their texts, the types and long values of their
 * parameters, and whose rows an open cursor reads; all of it bounded.
 */
import { type Hash, createHash } from 'node:crypto';
import type { MySqlDialect, Parameter } from '@sluice/contract';
import { Roomy, SmallPieces, type StatementRoom, malformed, statementBytes } from '@sluice/wire';
import { PayloadReader } from './packets.js';
import type { CommandState } from './command-state.js';
import { valueOf } from './values.js';

export interface PreparedStatement {
  readonly text: string;
  /** What it was read by: later changes of the session change nothing of it. */
  readonly dialect: MySqlDialect;
  readonly parameters: number;
  /** Of the parameters, as the client last declared them. */
  types: readonly number[] | undefined;
  /** The target has taken these types: of an EXECUTE that was refused or failed it may have none, or others. */
  isTyped: boolean;
  /** Values that come on their own, by the number of the parameter. */
  readonly long: Map<number, LongValue>;
  /** Whose rows are left to fetch. */
  cursor: CommandState | undefined;
}

interface LongValue {
  readonly digest: Hash;
  size: number;
  /** The value in pieces, while it is short enough to be shown, and how long these are. */
  readonly start: Buffer[];
  kept: number;
  readonly pieces: SmallPieces;
}

/** Of a value that comes in pieces this much is kept to be shown; of a longer one its length and a hash are. */
const MAX_KEPT_BYTES = 64 * 1024;
/** The same for all values of a session that are on their way. */
const MAX_ALL_KEPT_BYTES = 1024 * 1024;
/** What one such value takes besides, in bytes. */
const LONG_VALUE_BYTES = 1024;
/** Of a session. */
const MAX_STATEMENTS = 20_000;

/** The statement that was prepared last, for drivers of MariaDB. */
const LAST = 0xffff_ffff;

export class PreparedStatements {
  readonly #known: Roomy<number, PreparedStatement>;
  readonly #room: StatementRoom;
  #last: number | undefined;
  /** Bytes of values that are on their way. */
  #kept = 0;

  constructor(room: StatementRoom) {
    this.#room = room;
    this.#known = new Roomy(room, ({ text, parameters }) => statementBytes(text, parameters));
  }

  /** @param id as a client says it */
  numberOf(id: number): number {
    return id === LAST ? (this.#last ?? LAST) : id;
  }

  get(id: number): PreparedStatement | undefined {
    return this.#known.get(this.numberOf(id));
  }

  /** No other one has room. */
  isFull(text: string): boolean {
    // How many parameters it has only the target can say.
    return this.#known.size >= MAX_STATEMENTS || !this.#room.fits(statementBytes(text));
  }

  add(id: number, { text, dialect, parameters }: Pick<PreparedStatement, 'text' | 'dialect' | 'parameters'>): void {
    this.#known.set(id, {
      text,
      dialect,
      parameters,
      types: undefined,
      isTyped: false,
      long: new Map(),
      cursor: undefined,
    });
    this.#last = id;
  }

  /** Another statement is being prepared: until that is done there is no last one. */
  forgetLast(): void {
    this.#last = undefined;
  }

  close(id: number): void {
    const statement = this.#known.get(id);
    if (statement) this.forgetLong(statement);
    this.#known.delete(id);
    if (id === this.#last) this.#last = undefined;
  }

  clear(): void {
    for (const statement of this.#known.values()) this.forgetLong(statement);
    this.#known.clear();
    this.#last = undefined;
  }

  /** COM_STMT_SEND_LONG_DATA: a piece of a value. 'unknown': there is no such statement or parameter. */
  takeLong(id: number, parameter: number, piece: Buffer): 'taken' | 'unknown' | 'full' {
    const prepared = this.#known.get(id);
    if (!prepared || parameter >= prepared.parameters) return 'unknown';
    let value = prepared.long.get(parameter);
    if (!value) {
      if (!this.#room.fits(LONG_VALUE_BYTES)) return 'full';
      this.#room.take(LONG_VALUE_BYTES);
      value = { digest: createHash('sha256'), size: 0, start: [], kept: 0, pieces: new SmallPieces() };
      prepared.long.set(parameter, value);
    }
    value.digest.update(piece);
    const whole = value.size === value.kept;
    value.size += piece.length;
    if (whole && value.size <= MAX_KEPT_BYTES && this.#kept + piece.length <= MAX_ALL_KEPT_BYTES) {
      value.pieces.add(value.start, piece);
      value.kept = value.size;
      this.#kept += piece.length;
    }
    return 'taken';
  }

  /** They were used, or are not wanted any more. */
  forgetLong({ long }: PreparedStatement): void {
    for (const { kept } of long.values()) this.#kept -= kept;
    this.#room.give(long.size * LONG_VALUE_BYTES);
    long.clear();
  }
}

/** COM_STMT_EXECUTE: values as text. */
export function boundValues(prepared: PreparedStatement, payload: Buffer): Parameter[] {
  const count = prepared.parameters;
  if (count === 0) return [];
  const fields = new PayloadReader(payload, EXECUTE_HEADER_BYTES);
  const nulls = fields.bytes(Math.ceil(count / 8));
  const declared = fields.uint(1) === 1;
  if (declared) {
    prepared.types = Array.from({ length: count }, () => fields.uint(2));
    prepared.isTyped = false;
  }
  const { types } = prepared;
  if (!types) throw malformed('the types of its parameters were never sent');
  return types.map((type, at) => {
    const long = prepared.long.get(at);
    if (long) return longParameter(type, long);
    const isNull = ((nulls[at >> 3] as number) >> (at & 7)) & 1;
    return { type, format: 'text', value: isNull ? null : valueOf(type, fields) };
  });
}

/**
 * COM_STMT_EXECUTE that says its types, where the client has said them to the gateway in one that the target has not taken. Undefined: as
 * it is.
 */
export function withTypes({ parameters, types, isTyped }: PreparedStatement, payload: Buffer): Buffer | undefined {
  const at = EXECUTE_HEADER_BYTES + Math.ceil(parameters / 8);
  if (parameters === 0 || isTyped || !types || payload[at] === 1) return undefined;
  const written = Buffer.alloc(1 + 2 * types.length, 1);
  types.forEach((type, index) => written.writeUInt16LE(type, 1 + 2 * index));
  return Buffer.concat([payload.subarray(0, at), written, payload.subarray(at + 1)]);
}

/** Code, number, flags, count. */
const EXECUTE_HEADER_BYTES = 10;

function longParameter(type: number, { digest, size, start, kept }: LongValue): Parameter {
  if (size === kept) return { type, format: 'text', value: Buffer.concat(start) };
  const text = `(${size} bytes, SHA-256 ${digest.copy().digest('hex')})`;
  return { type, format: 'text', value: Buffer.from(text), unknown: true };
}
