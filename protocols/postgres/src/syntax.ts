/**
 * Mistakes in a text, in the words of the target. Owns: how the target is asked for them, which is by a Parse alone, so that
 * nothing runs, and which of its answers is one. Does not own: that the text is refused, which the gate has said by then.
 */
import type { Deny } from '@sluice/contract';
import { F, HEADER_BYTES, message } from './messages.js';
import type { AskedMistake, PreparedStatement } from './pipeline.js';
import { refusal, unread } from './refusal.js';
import type { TextEncoding } from './text-encoding.js';

/** What the target is to be asked about a text that is refused; undefined: nothing, the refusal is no matter of the text. */
export function askedOf(deny: Deny): AskedMistake | undefined {
  if (deny.syntaxError) return { words: unread(deny.syntaxError.message), isMeant: isSyntaxError };
  return deny.unknownName ? { words: refusal(deny), isMeant: isUnknownName } : undefined;
}

/**
 * Messages for a text that is refused. Where the target can read it, it is to forget it at once, and to fail by the stand-in
 * behind.
 *
 * @param name of the statement that it would become, and nobody uses
 * @param text as the client sent it, with the zero byte at its end, and the types of its parameters as a Parse has them
 * @param standIn fails for sure
 */
export const askingMessages = (name: string, text: Buffer, standIn: Buffer): Buffer =>
  Buffer.concat([message(F.parse, name, text), message(F.close, STATEMENT, name), standIn]);

/** The text in a Query, which has no parameters. */
export const textOfQuery = (bytes: Buffer): Buffer => Buffer.concat([bytes.subarray(HEADER_BYTES), Buffer.alloc(2)]);

/** What stands in a Parse behind the name. */
export const textAndTypesOf = (bytes: Buffer): Buffer => bytes.subarray(bytes.indexOf(0, HEADER_BYTES) + 1);

/** What stands in the Parse of a prepared statement behind the name. */
export function declaredTypes({ text, types }: PreparedStatement, encoding: TextEncoding): Buffer {
  const declared = Buffer.alloc(2 + types.length * 4);
  declared.writeUInt16BE(types.length);
  for (const [at, type] of types.entries()) declared.writeUInt32BE(type, 2 + at * 4);
  return Buffer.concat([encoding.encode(`${text}\0`), declared]);
}

/**
 * Whether an error says that the text is not of the language. A text of several statements is of the language, and yet no
 * statement to prepare: the server gives that the same SQLSTATE, where it prepares (exec_parse_message in postgres.c).
 */
const isSyntaxError: AskedMistake['isMeant'] = (fields) =>
  fields.get('C') === '42601' && fields.get('R') !== 'exec_parse_message' && isOfText(fields);

/** Whether an error says that there is nothing of a name in the text, or that the transaction has failed, which goes before. */
const isUnknownName: AskedMistake['isMeant'] = (fields) =>
  ['42P01', '3F000', '42703', '42883', '42704', '25P02'].includes(fields.get('C') ?? '') && isOfText(fields);

/**
 * A literal of a domain is checked as the text is parsed, and code of the check may give its own words any SQLSTATE: it has a
 * trace.
 */
const isOfText = (fields: ReadonlyMap<string, string>): boolean =>
  fields.get('V') === 'ERROR' && !['W', 'p', 'q'].some((trace) => fields.has(trace));

const STATEMENT = Buffer.from('S');
