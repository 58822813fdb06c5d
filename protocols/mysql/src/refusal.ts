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

/** A text that the target reads, for all it says, and the gateway does not. */
export const unread = ({ syntaxError, message }: Deny): Buffer =>
  error(
    1235,
    '42000',
    `The gateway could not read this text, so nothing of it was run: it ${syntaxError?.message ?? message}. The target does not call it a syntax error. Send one statement at a time, in the syntax of the target's version.`,
  );

/** Clients cut long messages, so the rule and the number of a request come first. */
export function refusal(deny: Deny): Buffer {
  // Clients know a syntax error by its number, and people by these words. Ours follow as a phrase about the text.
  if (deny.syntaxError)
    return error(1064, '42000', `You have an error in your SQL syntax: the statement ${deny.syntaxError.message}`);
  if (deny.reason?.code === 'cancelled') return error(1317, '70100', 'Query execution was interrupted');
  const { message, hint } = deny.reason ? denyInWords(deny.reason, 'statement') : deny;
  const by = deny.reason ? '' : `Refused by rule "${deny.rule}": `;
  const [code, sqlstate] = codeOf(deny);
  return error(code, sqlstate, `${by}${message}${hint === undefined ? '' : ` ${hint}`}`);
}

/** ER_USER_LIMIT_REACHED for what is used up, ER_QUERY_TIMEOUT for what took too long. */
function codeOf({ reason }: Deny): readonly [code: number, sqlstate: string] {
  switch (reason?.code) {
    case 'budget-used-up':
    case 'budget-uncounted':
    case 'budget-uncountable':
      return [1226, '42000'];
    case 'answer-bound':
      return reason.unit === 'timeout' ? [3024, 'HY000'] : [1226, '42000'];
    default:
      return [1142, '42000'];
  }
}

/** ER_QUERY_INTERRUPTED: what the target's own error is when a statement was cancelled. */
export const INTERRUPTED = 1317;

export const unknownCommand = (): Buffer => error(1047, '08S01', 'Unknown command');

export const tooLong = (limit: number): Buffer =>
  error(
    1153,
    '08S01',
    `The packet is longer than the ${limit} bytes that the gateway reads before it judges a statement (limits.message).`,
  );

/** A command that is not read to its end, since what else is kept leaves no room for it. */
export const noRoom = (): Buffer =>
  error(
    1041,
    'HY000',
    'Too much of what you send in your sessions is kept at once: the gateway reads a command whole before it judges it. ' +
      'Send it again when the others have come to their end, or send smaller ones.',
  );

export const unknownStatement = (id: number): Buffer =>
  error(1243, 'HY000', `Unknown prepared statement handler (${id}) given to the gateway`);

export const badValues = (why: string): Buffer =>
  error(1210, 'HY000', `Incorrect arguments to mysqld_stmt_execute: ${why}`);

export const noCursor = (id: number): Buffer => error(1421, 'HY000', `The statement (${id}) has no open cursor.`);

export const tooManyStatements = (): Buffer =>
  error(
    1461,
    '42000',
    'There are more prepared statements than the gateway keeps, of this session or of all of yours. Close some, or sessions.',
  );

export const tooManyReadings = (): Buffer =>
  error(1142, '42000', 'This text changes how it is read too often: send its statements one by one.');

/** The session cannot go on as it is. */
export const unfit = (why: string): Buffer => error(1235, '42000', why);

export const refusedFile = (): Buffer =>
  error(1148, '42000', 'The target asked for a file that no statement of this session names: nothing was sent.');

export const unmaskable = (message: string): Buffer => error(1142, '42000', message);

/** ER_TABLE_DEF_CHANGED: what both servers say of a statement that meets other definitions than it began with. */
export const definedAnew = (message: string): Buffer => error(1412, 'HY000', message);

export const lost = (why: string): Buffer =>
  error(1158, '08S01', `The connection between the gateway and the target was lost${why}.`);

export const malformedPacket = (why: string): Buffer => error(1835, 'HY000', `Malformed communication packet: ${why}`);

/** One kind of words for whoever is not let in, whether the name is known or not. */
export function loginRefusal({ reason }: Refusal, user: string): Buffer {
  const { message, hint } = refusalInWords(reason);
  if (reason.code === 'wrong-proof') return accessDenied(user, hint ?? '');
  const [code, sqlstate] = LOGIN_CODES[REFUSAL_KINDS[reason.code]];
  return error(code, sqlstate, `${message}.${hint === undefined ? '' : ` ${hint}`}`);
}

const NEEDS_TLS =
  'The proof fits no token of the gateway. A token of an identity provider is sent over TLS only: switch TLS on in the client.';

export const loginDenied = (outcome: Refusal | 'needs-tls', user: string): Buffer =>
  outcome === 'needs-tls' ? accessDenied(user, NEEDS_TLS) : loginRefusal(outcome, user);

const accessDenied = (user: string, hint: string): Buffer =>
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
