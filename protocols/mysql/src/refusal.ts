/**
 * How MySQL says no: an ERR in place of the answer, which the target never sees. Owns: numbers, states and sentences for clients.
 */
import {
  type Deny,
  ENDING_KINDS,
  type Ending,
  type EndingKind,
  REFUSAL_KINDS,
  type Refusal,
  type RefusalKind,
  denyInWords,
  endingInWords,
  refusalInWords,
} from '@sluice/contract';
import { error } from './replies.js';

/** Clients cut long messages, so the rule and the number of a request come first. */
export function refusal(deny: Deny): Buffer {
  if (deny.syntaxError) return error(1064, '42000', deny.syntaxError.message);
  if (deny.reason?.code === 'cancelled') return error(1317, '70100', 'Query execution was interrupted');
  const { message, hint } = deny.reason ? denyInWords(deny.reason, 'statement') : deny;
  const by = deny.reason ? '' : `Refused by rule "${deny.rule}": `;
  return error(1142, '42000', `${by}${message}${hint === undefined ? '' : ` ${hint}`}`);
}

export const unknownCommand = (): Buffer => error(1047, '08S01', 'Unknown command');

export const tooLong = (limit: number): Buffer =>
  error(
    1153,
    '08S01',
    `The packet is longer than the ${limit} bytes that the gateway reads before it judges a statement (limits.message).`,
  );

export const unknownStatement = (id: number): Buffer =>
  error(1243, 'HY000', `Unknown prepared statement handler (${id}) given to the gateway`);

export const badValues = (why: string): Buffer =>
  error(1210, 'HY000', `Incorrect arguments to mysqld_stmt_execute: ${why}`);

export const noCursor = (id: number): Buffer => error(1421, 'HY000', `The statement (${id}) has no open cursor.`);

export const tooManyStatements = (): Buffer =>
  error(1461, '42000', 'There are more prepared statements in this session than the gateway keeps. Close some.');

export const tooManyReadings = (): Buffer =>
  error(1142, '42000', 'This text changes how it is read too often: send its statements one by one.');

/** The session cannot go on as it is. */
export const unfit = (why: string): Buffer => error(1235, '42000', why);

export const refusedFile = (): Buffer =>
  error(1148, '42000', 'The target asked for a file that no statement of this session names: nothing was sent.');

export const unmaskable = (message: string): Buffer => error(1142, '42000', message);

export const lost = (why: string): Buffer =>
  error(2013, 'HY000', `The connection between the gateway and the target was lost${why}.`);

export const malformedPacket = (why: string): Buffer => error(1835, 'HY000', `Malformed communication packet: ${why}`);

export const notOffered = (what: string): Buffer => error(1235, '42000', `The gateway does not offer ${what}.`);

/** One kind of words for whoever is not let in, whether the name is known or not. */
export function loginRefusal({ reason }: Refusal, user: string): Buffer {
  const { message, hint } = refusalInWords(reason);
  if (reason.code === 'wrong-proof') return accessDenied(user, hint ?? '');
  const [code, sqlstate] = LOGIN_CODES[REFUSAL_KINDS[reason.code]];
  return error(code, sqlstate, `${message}.${hint === undefined ? '' : ` ${hint}`}`);
}

export const accessDenied = (user: string, hint: string): Buffer =>
  error(1045, '28000', `Access denied for user '${user.slice(0, MAX_SHOWN_NAME_CHARACTERS)}'. ${hint}`);

/** Characters. */
const MAX_SHOWN_NAME_CHARACTERS = 80;

const LOGIN_CODES: Readonly<Record<RefusalKind, readonly [code: number, sqlstate: string]>> = {
  credentials: [1045, '28000'],
  connection: [1049, '42000'],
  access: [1045, '28000'],
  limit: [1040, '08004'],
  unavailable: [1045, '28000'],
};

const ENDING_CODES: Readonly<Record<EndingKind, readonly [code: number, sqlstate: string]>> = {
  killed: [1927, '70100'],
  drain: [1053, '08S01'],
  idle: [4031, 'HY000'],
  deadline: [1159, '08S01'],
  failure: [1105, 'HY000'],
};

export function ending(reason: Ending): Buffer {
  const [code, sqlstate] = ENDING_CODES[ENDING_KINDS[reason.code]];
  return error(code, sqlstate, endingInWords(reason));
}

export const tlsNeeded = (): Buffer =>
  error(
    3159,
    'HY000',
    'The gateway takes connections over TLS only, and this one has none: switch TLS on in the client.',
  );

/** Masks of other messages than packets: nothing here could apply them, so nothing passes. */
export const masksRefused = (): Buffer =>
  error(1235, '42000', 'Rules of this connection mask results in a way that the gateway cannot do for MySQL.');

/** A defect of the gateway. */
export const failure = (): Buffer => error(1105, 'HY000', 'The gateway failed to open this session; its log says why.');
