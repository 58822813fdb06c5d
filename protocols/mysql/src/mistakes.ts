/**
 * Mistakes in a text, in the words of the target. Owns: how the target is asked for them, which is by COM_STMT_PREPARE alone, so that
 * nothing runs, and which of its errors is one. Does not: say that the text is refused, which the gate has done by then.
 */
import { COM } from './commands.js';
import { HEADER_BYTES, MAX_PACKET, framed, payloadLength } from './packets.js';
import { ERR, readError } from './replies.js';

/** ER_PARSE_ERROR, ER_SYNTAX_ERROR: the text is not of the language. */
const SYNTAX_ERRORS: ReadonlySet<number> = new Set([1064, 1149]);

/** The text in a command that has one and fits a packet, as it came; undefined: the target is asked nothing about it. */
export function textIn(raw: Buffer): Buffer | undefined {
  if (raw.length <= HEADER_BYTES || payloadLength(raw, 0) === MAX_PACKET) return undefined;
  const code = raw[HEADER_BYTES];
  return code === COM.query || code === COM.prepare ? raw.subarray(HEADER_BYTES + 1) : undefined;
}

/**
 * Whether a server only reads this text when it prepares it. MariaDB computes the values of SET STATEMENT ... FOR by then, which may set a variable
 * or wait; the keyword is of ASCII in every charset that clients may have here, and cannot be written otherwise.
 */
export const isOnlyRead = (text: Buffer): boolean => !/statement/i.test(text.toString('latin1'));

export const preparePacket = (text: Uint8Array): Buffer => framed(Buffer.concat([Buffer.from([COM.prepare]), text]), 0);

/** The target forgets a statement. Has no answer. */
export function closePacket(id: number): Buffer {
  const payload = Buffer.alloc(5, COM.close);
  payload.writeUInt32LE(id, 1);
  return framed(payload, 0);
}

/** An error of the target that has nothing but the mistake in it: its words and the place in the client's own text. */
export const isMistake = (payload: Buffer): boolean => payload[0] === ERR && SYNTAX_ERRORS.has(readError(payload).code);
