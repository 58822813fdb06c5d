/**
 * OK, EOF and ERR: read, and made anew where the gateway has to change one. Pure.
 */
import { PayloadReader, counted, uint } from './packets.js';

/** Flags of the server's status. */
export const STATUS = {
  inTransaction: 1,
  autocommit: 2,
  moreResults: 8,
  cursorExists: 0x40,
  stateChanged: 0x4000,
} as const;

export const OK = 0x00;
export const EOF = 0xfe;
export const ERR = 0xff;
export const LOCAL_INFILE = 0xfb;

export interface Ok {
  /** 0x00, or 0xfe where it ends rows. */
  readonly head: number;
  /** Affected rows and the last id, as they came: they may have 64 bits. */
  readonly counts: Buffer;
  readonly affected: number;
  readonly status: number;
  readonly warnings: number;
  readonly info: Buffer;
  readonly changes: readonly Change[];
  /** It is the same for a client without session tracking. */
  readonly bare: boolean;
}

/** An entry of session tracking: its type, and its data as they came. */
export interface Change {
  readonly type: number;
  readonly data: Buffer;
}

export const TRACK = { variables: 0, schema: 1, state: 2 } as const;

/** An OK of a server that was asked for session tracking. */
export function readOk(payload: Buffer): Ok {
  const fields = new PayloadReader(payload, 1);
  const affected = fields.number();
  fields.number();
  const counts = payload.subarray(1, fields.at);
  const status = fields.uint(2);
  const warnings = fields.uint(2);
  const bare = fields.left === 0;
  const info = fields.left > 0 ? fields.counted() : Buffer.alloc(0);
  const changes =
    status & STATUS.stateChanged && fields.left > 0 ? readChanges(new PayloadReader(fields.counted())) : [];
  return { head: payload[0] as number, counts, affected, status, warnings, info, changes, bare };
}

function readChanges(fields: PayloadReader): Change[] {
  const changes: Change[] = [];
  while (fields.left > 0) changes.push({ type: fields.uint(1), data: fields.counted() });
  return changes;
}

/** `tracks`: the client has asked for session tracking, which gives the packet another form. */
export function ok(
  { head, counts, status, warnings, info, changes }: Omit<Ok, 'affected' | 'bare'>,
  tracks: boolean,
): Buffer {
  const changed = tracks && changes.length > 0;
  const flags = changed ? status | STATUS.stateChanged : status & ~STATUS.stateChanged;
  const front = [uint(head, 1), counts, uint(flags, 2), uint(warnings, 2)];
  if (!tracks) return Buffer.concat([...front, info]);
  if (!changed) return Buffer.concat(info.length > 0 ? [...front, counted(info)] : front);
  const entries = changes.flatMap(({ type, data }) => [uint(type, 1), counted(data)]);
  return Buffer.concat([...front, counted(info), counted(Buffer.concat(entries))]);
}

const NO_COUNTS = Buffer.alloc(2);

/** An OK of the gateway's own. */
export const plainOk = (status: number): Buffer =>
  ok({ head: OK, counts: NO_COUNTS, status, warnings: 0, info: Buffer.alloc(0), changes: [] }, false);

/** What the client has instead of an EOF, where it has given that up, is an OK with another head. */
export const plainEof = (status: number, deprecated: boolean): Buffer =>
  deprecated
    ? ok({ head: EOF, counts: NO_COUNTS, status, warnings: 0, info: Buffer.alloc(0), changes: [] }, false)
    : Buffer.concat([uint(EOF, 1), uint(0, 2), uint(status & ~STATUS.stateChanged, 2)]);

/** A packet counts no more. */
const MAX_WARNINGS = 0xffff;

export const warningsIn = (counted: number, more: number): number => Math.min(counted + more, MAX_WARNINGS);

/** An EOF with another status, and with more warnings. */
export function endOfRows(payload: Buffer, status: number, warnings: number): Buffer {
  const made = Buffer.from(payload);
  made.writeUInt16LE(warningsIn(made.readUInt16LE(1), warnings), 1);
  made.writeUInt16LE(status, 3);
  return made;
}

/** The variables of one entry, each with its bytes. */
export function variables(data: Buffer): { readonly name: string; readonly value: string; readonly data: Buffer }[] {
  const fields = new PayloadReader(data);
  const found = [];
  while (fields.left > 0) {
    const from = fields.at;
    const name = fields.counted().toString('latin1').toLowerCase();
    const value = fields.counted().toString('utf8');
    found.push({ name, value, data: data.subarray(from, fields.at) });
  }
  return found;
}

export const schema = (data: Buffer): string => new PayloadReader(data).counted().toString('utf8');

/** Bytes of a message in an ERR: some clients cut what is longer. */
const MAX_MESSAGE_BYTES = 512;

export function error(code: number, sqlstate: string, message: string): Buffer {
  let text = Buffer.from(message);
  if (text.length > MAX_MESSAGE_BYTES) text = Buffer.from(`${cut(text, MAX_MESSAGE_BYTES - 4)}...`);
  return Buffer.concat([uint(ERR, 1), uint(code, 2), Buffer.from(`#${sqlstate}`), text]);
}

/** Whole characters of up to so many bytes. */
function cut(text: Buffer, size: number): string {
  let end = size;
  while (end > 0 && ((text[end] as number) & 0xc0) === 0x80) end--;
  return text.toString('utf8', 0, end);
}

export interface ServerError {
  readonly code: number;
  readonly sqlstate: string;
  readonly message: string;
}

export function readError(payload: Buffer): ServerError {
  const fields = new PayloadReader(payload, 1);
  const code = fields.uint(2);
  if (fields.next !== 0x23) return { code, sqlstate: 'HY000', message: fields.rest().toString('utf8') };
  fields.bytes(1);
  return { code, sqlstate: fields.bytes(5).toString('latin1'), message: fields.rest().toString('utf8') };
}

/** An EOF, whatever its form: warnings and status. */
export function eofStatus(payload: Buffer): number {
  return payload.length === 5 ? payload.readUInt16LE(3) : readOk(payload).status;
}
