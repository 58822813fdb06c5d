/**
 * Mistakes in a text, in the words of the target. Owns: how the target is asked for them, which is by a Parse alone, so that
 * nothing runs, and which of its answers is one. Does not own: that the text is refused, which the gate has said by then.
 */
import { F, HEADER_BYTES, message } from './messages.js';

/**
 * Messages for a text that the gateway cannot read. Where the target can, it is to forget it at once, and to fail by the
 * stand-in behind.
 *
 * @param name of the statement that it would become, and nobody uses
 * @param text as the client sent it, with the zero byte at its end
 * @param standIn fails for sure
 */
export const unparsedMessages = (name: string, text: Buffer, standIn: Buffer): Buffer =>
  Buffer.concat([message(F.parse, name, text, Buffer.alloc(2)), message(F.close, STATEMENT, name), standIn]);

/** The text in a Query, with the zero byte at its end. */
export const textOfQuery = (bytes: Buffer): Buffer => bytes.subarray(HEADER_BYTES);

/** The text in a Parse: it stands behind the name. */
export function textOfParse(bytes: Buffer): Buffer {
  const start = bytes.indexOf(0, HEADER_BYTES) + 1;
  return bytes.subarray(start, bytes.indexOf(0, start) + 1);
}

/**
 * Whether an error says that the text is not of the language. A text of several statements is of the language, and yet no
 * statement to prepare: the server gives that the same SQLSTATE, where it prepares (exec_parse_message in postgres.c). A
 * literal of a domain is checked as it is parsed, and code of the check may give its own words that SQLSTATE: it has a trace.
 */
export const isSyntaxError = (fields: ReadonlyMap<string, string>): boolean =>
  fields.get('C') === '42601' &&
  fields.get('V') === 'ERROR' &&
  fields.get('R') !== 'exec_parse_message' &&
  !['W', 'p', 'q'].some((trace) => fields.has(trace));

const STATEMENT = Buffer.from('S');
