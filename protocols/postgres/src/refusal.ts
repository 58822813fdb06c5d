/**
 * What the gateway itself says to clients of PostgreSQL, and the stand-ins that must fail. Owns: these sentences and their
 * SQLSTATE. Does not: decide.
 */
import {
  type Deny,
  ENDING_KINDS,
  type Ending,
  type EndingKind,
  type HiddenColumns,
  type Notice,
  REFUSAL_KINDS,
  type Refusal,
  type RefusalKind,
  type RefusalReason,
  type Sentence,
  denyInWords,
  endingInWords,
  noticeInWords,
  refusalInWords,
} from '@sluice/contract';
import { errorResponse, F, message } from './messages.js';

/**
 * How Postgres says no. A refused message is never simply left out: a stand-in that must fail goes to the target in its
 * place, so that the target rolls back what came before in the pipeline and its own ReadyForQuery is true. When the
 * stand-in's error comes back, the client reads ours instead (docs/decisions/0003-a-refusal-is-a-substitution.md).
 */

/** What the client reads in place of the stand-in's error. A text that does not parse fails as the server would fail it. */
export function refusal(deny: Deny): Buffer {
  if (deny.syntaxError) {
    return errorResponse({
      severity: 'ERROR',
      code: '42601',
      message: deny.syntaxError.message,
      position: deny.syntaxError.position,
    });
  }
  if (deny.reason?.code === 'cancelled') return errorResponse({ severity: 'ERROR', code: '57014', message: CANCELLED });
  const { message, hint } = denySentence(deny);
  const code = codeOf(deny);
  return errorResponse({ severity: 'ERROR', code, message, detail: `Refused by rule "${deny.rule}".`, hint });
}

/** configuration_limit_exceeded for what is used up, query_canceled for what took too long (appendix A). */
function codeOf({ reason }: Deny): string {
  switch (reason?.code) {
    case 'budget-used-up':
    case 'budget-uncounted':
    case 'budget-uncountable':
      return '53400';
    case 'definitions-under-way':
      return reason.by === undefined || reason.by === 'lock_timeout' ? '55P03' : QUERY_CANCELED;
    case 'answer-bound':
      return reason.unit === 'timeout' ? QUERY_CANCELED : '53400';
    default:
      return '42501';
  }
}

/** What the target's own error is when a statement was cancelled. */
export const QUERY_CANCELED = '57014';

/** An answer that fails where a bound or a budget ends: rows have gone before it. */
export function cutOff(deny: Deny): Buffer {
  const { message, hint } = denySentence(deny);
  const detail = 'The statement may have run, and what was sent with it.';
  return errorResponse({ severity: 'ERROR', code: codeOf(deny), message, detail, hint });
}

/** A text that the target reads, for all it says, and the gateway does not. */
export const unread = (mistake: string): Buffer =>
  errorResponse({
    severity: 'ERROR',
    code: '42501',
    message: `The gateway could not read this text, so nothing of it was run: ${mistake}.`,
    detail: 'The target was asked what is wrong with it, and does not call it a syntax error.',
    hint: 'Send one statement at a time, in the syntax of the version of PostgreSQL that the target has.',
  });

/** As the server says it. */
const CANCELLED = 'canceling statement due to user request';

/** Why a statement was refused, whoever refused it. */
export const denySentence = (deny: Deny): Sentence => (deny.reason ? denyInWords(deny.reason, 'statement') : deny);

/** What a client reads while its statement waits for people. */
export const waiting = (notice: Notice): Buffer =>
  errorResponse({ severity: 'NOTICE', code: '00000', ...noticeInWords(notice, 'statement') });

/**
 * What a client reads before rows in which some columns are NULL because nothing better is known of them. A state of the
 * gateway's own in the class of warnings (appendix A), so that programs can tell it from those of the server.
 */
export const hiddenColumns = ({ message, detail, hint }: NonNullable<HiddenColumns['notice']>): Buffer =>
  errorResponse({ severity: 'WARNING', code: HIDDEN_COLUMNS, message, detail, hint });

const HIDDEN_COLUMNS = '01M01';

/** A message that is too long to be judged. */
export function tooLong(limit: number): Buffer {
  return errorResponse({
    severity: 'ERROR',
    code: '54000',
    message: `The message is longer than the ${limit} bytes that the gateway reads before it judges a statement.`,
    hint: 'Send it in smaller pieces, use COPY, or have limits.message raised.',
  });
}

/** A message that is not read to its end, since what else is kept leaves no room for it. */
export const noRoom = (): Buffer =>
  errorResponse({
    severity: 'ERROR',
    code: '53400',
    message:
      'Too much of what you send in your sessions is kept at once: the gateway reads a message whole before it judges it.',
    hint: 'Send it again when the other messages have come to their end, send smaller ones, or use COPY.',
  });

/** Another prepared statement, portal or cursor: there is no room for it. */
export const tooMuchPrepared = (): Buffer =>
  errorResponse({
    severity: 'ERROR',
    code: '53400',
    message:
      'There are more prepared statements, portals and cursors in your sessions than the gateway keeps for one person.',
    hint: 'Close some (DEALLOCATE, CLOSE), end the transaction, or end sessions that are not used.',
  });

/** A text, or a name, whose bytes are none: as the server says it (character_not_in_repertoire). */
export const unreadableText = (what: string): Buffer =>
  errorResponse({ severity: 'ERROR', code: '22021', message: what });

/** A call by a number that stands for no function that could be judged. */
export function unknownFunction(oid: number, why: 'missing' | 'unreadable'): Buffer {
  if (why === 'missing')
    return errorResponse({
      severity: 'ERROR',
      code: '42883',
      message: `function with OID ${oid} does not exist`,
      hint: 'The gateway looks functions up on a connection of its own: one that an open transaction has made is not there yet.',
    });
  return errorResponse({
    severity: 'ERROR',
    code: '42501',
    message:
      'This function call could not be judged, so it was not run: the target could not be asked which function it is for.',
    hint: 'Call the function by its name in a SELECT, or try again.',
  });
}

/** A result that cannot be masked: the statement has run, its rows are kept back. */
export function unmaskable(message: string): Buffer {
  return errorResponse({
    severity: 'ERROR',
    code: '42501',
    message,
    detail: 'The statement may have run. Columns of this connection are masked, and its result could not be.',
  });
}

/** serialization_failure (appendix A), at which programs run their transaction again. */
export const OUTDATED = '40001';
export const RUN_AGAIN = 'Run it again. What it shows or changes is judged by the definitions of then.';

/** An answer that is kept back because its statement was judged by definitions that are not those of now. */
export function outdated(message: string): Buffer {
  const detail =
    'The statement has run, by other definitions than those that it was judged by. Its answer is kept back.';
  return errorResponse({ severity: 'ERROR', code: OUTDATED, message, detail, hint: RUN_AGAIN });
}

/** A statement that was stopped at the target because of such definitions, before it has changed anything. */
export const stopped = (): Buffer =>
  errorResponse({
    severity: 'ERROR',
    code: OUTDATED,
    message: 'Another session is changing definitions that this statement uses, so it was stopped.',
    detail:
      'It would have moved values by other definitions than those that it was judged by. What its transaction had done is undone.',
    hint: RUN_AGAIN,
  });

export function hiddenCursor(name: string): Buffer {
  return errorResponse({
    severity: 'ERROR',
    code: '0A000',
    message: `cursor "${name}" was declared in SQL, and columns are masked here: it has to be read in SQL`,
    hint: `Use FETCH FROM ${name}.`,
  });
}

/** A COMMIT that was bound before something that people look at first. */
export const boundTooEarly = (): Buffer =>
  errorResponse({
    severity: 'ERROR',
    code: '42501',
    message: 'This COMMIT was bound before something that people have to look at first was run.',
    hint: 'Bind it again.',
  });

export function missingStatement(name: string): Buffer {
  const message =
    name === '' ? 'unnamed prepared statement does not exist' : `prepared statement "${name}" does not exist`;
  return errorResponse({ severity: 'ERROR', code: '26000', message });
}

/** What such a text means to a server that keeps its texts in yet another encoding is not known here. */
export const foreignEncoding = (name: string, kept: string): Buffer =>
  fatal(
    '0A000',
    `client encoding "${name}" does not pass the gateway to a database whose encoding is "${kept}"`,
    'Set PGCLIENTENCODING=UTF8, or the like of it in your driver.',
  );

/** The texts that follow would not be what we take them for. */
export const encodingStays = (name: string): Buffer =>
  errorResponse({
    severity: 'ERROR',
    code: '0A000',
    message: `client_encoding is "${name}" since this session began, and stays so`,
    hint: 'Open another session, with PGCLIENTENCODING set.',
  });

/** Another client may have a statement of this name at the server process that the pooler chooses. */
export function pooledStatement(): Buffer {
  return errorResponse({
    severity: 'ERROR',
    code: '0A000',
    message:
      'A prepared statement with a name does not pass: columns are masked here, and the pooler before this database may have a statement of another client under that name.',
    hint: 'Have the driver prepare without names: prepareThreshold=0 (JDBC), prepare_threshold=None (psycopg), statement_cache_size=0 (asyncpg), prepare: false (postgres.js).',
  });
}

export function missingPortal(name: string): Buffer {
  return errorResponse({ severity: 'ERROR', code: '34000', message: `portal "${name}" does not exist` });
}

/** Messages that go to the target in place of refused ones, each with the SQLSTATE that it is sure to fail with. */
export type StandIns = ReturnType<typeof standIns>;

/** `unusedName`: a name that no statement or portal has, and that the client cannot guess, or it would prepare one. */
export const standIns = (unusedName: string) => ({
  query: { bytes: message(F.query, REFUSED), code: '42601' },
  parse: { bytes: message(F.parse, '', REFUSED, Buffer.alloc(2)), code: '42601' },
  bind: { bytes: message(F.bind, '', unusedName, Buffer.alloc(6)), code: '26000' },
  execute: { bytes: message(F.execute, unusedName, 0), code: '34000' },
  describe: { bytes: message(F.describe, Buffer.from('S'), unusedName), code: '26000' },
});

/** Not SQL. This much of it is what the log of the target shows. */
const REFUSED = 'Sluice refused this statement';

const LOGIN_CODES: Readonly<Record<RefusalKind, string>> = {
  credentials: '28P01',
  connection: '3D000',
  access: '42501',
  limit: '53300',
  unavailable: '57P03',
};

/** SQLSTATE and words for a login that failed, as the server itself words them where it has words. */
export function loginRefusal({ reason }: Refusal): Buffer {
  const { message, hint } = loginSentence(reason);
  return fatal(LOGIN_CODES[REFUSAL_KINDS[reason.code]], message, hint);
}

function loginSentence(reason: RefusalReason): Sentence {
  const neutral = refusalInWords(reason);
  switch (reason.code) {
    case 'wrong-proof':
      return { ...neutral, message: `password authentication failed for user "${reason.user}"` };
    case 'unknown-connection':
      return {
        ...neutral,
        hint: 'The database name is the name of a connection of the gateway, which may differ from that of the database behind it: "sluice ls" has those that you may use.',
      };
    default:
      return neutral;
  }
}

const ENDING_CODES: Readonly<Record<EndingKind, string>> = {
  killed: '57P01',
  drain: '57P01',
  idle: '57P05',
  deadline: '57P01',
  failure: '58000',
};

export const ending = (reason: Ending): Buffer => fatal(ENDING_CODES[ENDING_KINDS[reason.code]], endingInWords(reason));

export function fatal(code: string, text: string, hint?: string): Buffer {
  return errorResponse({ severity: 'FATAL', code, message: text, hint });
}
