/**
 * A sentence for each code, without a word of any protocol: what goes on record, and what a protocol says where
 * its users have no words of their own. Does not: decide anything.
 */
import {
  type Asked,
  type DenyReason,
  type Ending,
  type Notice,
  REFUSAL_KINDS,
  type RefusalKind,
  type RefusalReason,
} from './reasons.js';

export interface Sentence {
  readonly message: string;
  /** What to do about it. */
  readonly hint?: string;
}

export type Noun = 'statement' | 'command';

/** `noun`: what the protocol calls a command. */
export function denyInWords(reason: DenyReason, noun: Noun): Sentence {
  switch (reason.code) {
    case 'cancelled':
      return { message: `The client cancelled the ${noun}.` };
    case 'nobody-can-wait-yet':
      return {
        message: 'This needs an approval, which cannot be waited for at the start of a session.',
        hint: `Send it as a ${noun} once the session is open.`,
      };
    case 'nobody-could-be-asked':
      return { message: reason.why ?? 'Nobody could be asked about this command.', hint: ASK_ADMINISTRATOR };
    case 'approval-needed':
      return {
        message: `This ${noun} needs an approval: request ${reason.request}.`,
        hint: `Once request ${reason.request} is approved, the identical ${noun} passes once. ${howToRelease(reason)}`,
      };
    case 'approval-denied':
      return {
        message: `Request ${reason.request} was denied by ${reason.by}: ${reason.why}`,
        hint: `Ask ${reason.by} what would pass.`,
      };
    case 'approval-expired':
      return {
        message: `Nobody answered request ${reason.request} in time.`,
        hint: `Send the ${noun} again when one of the approvers is there; "sluice approvals watch" shows them what waits.`,
      };
    case 'approval-withdrawn':
      return {
        message: `Request ${reason.request} was withdrawn: ${reason.why ?? UNUSABLE}.`,
        hint: `Send the ${noun} again, to ask anew.`,
      };
    case 'definitions-under-way':
      return {
        message: `Another session defines what this ${noun} uses, or moves values by what it defines, and that is not over ${reason.by === undefined ? 'yet' : `within ${reason.by}`}.`,
        hint: `Send it again when that is over. The other session is one of this gateway: "sluice sessions" has those that are open.`,
      };
    case 'rules-changed':
      return {
        message: `The rules for this ${noun} changed while it waited for its approval.`,
        hint: 'Send it again.',
      };
    case 'review-needs-transaction':
      return {
        message: `People look at what this ${noun} changes before it is committed, so it runs in a transaction only.`,
        hint: 'Send BEGIN first, and COMMIT at the end; drivers have a switch for autocommit. What cannot run in a transaction (VACUUM, CREATE INDEX CONCURRENTLY) does not pass here.',
      };
    case 'review-stands-alone':
      return {
        message: `People look at what this ${noun} changes before it is committed, and the same text ends a transaction.`,
        hint: 'Send COMMIT or ROLLBACK by itself.',
      };
    case 'grant-needed':
      return {
        message: `"${reason.connection}" wants to know who you are, by a grant of your own.`,
        hint:
          reason.page === undefined
            ? `This gateway has no console to give it in: ${ASK_ADMINISTRATOR}`
            : `Give it at ${reason.page}, and send the ${noun} again.`,
      };
    case 'session-outdated':
      return {
        message: 'The configuration of the gateway has changed, and this session cannot go on under it.',
        hint: 'Connect again.',
      };
    case 'body-too-long':
      return {
        message: `The rules read the body of this request, and it is longer than ${reason.limit.toLocaleString('en')} bytes.`,
        hint: 'Send less at a time, or have limits.message raised.',
      };
    case 'budget-used-up':
      return budgetInWords(reason, noun);
    case 'budget-uncounted':
      return {
        message: `Budget "${reason.rule}" cannot be counted at the moment, so the ${noun} is not run.`,
        hint: 'An administrator finds the cause in the log of the gateway.',
      };
    case 'budget-uncountable':
      return {
        message: `Budget "${reason.rule}" counts the different values of a column, and this ${noun} shows what it computes from them: how many are in that, nobody can tell.`,
        hint: 'Select the column itself, or count its values (count).',
      };
    case 'answer-bound':
      return boundInWords(reason, noun);
    case 'frozen':
      return { message: `${isFrozen(reason)}.`, hint: howToThaw(reason.subject) };
    case 'tripwire-uncounted':
      return { message: `${uncountedTripwire(reason.rule)}, so the ${noun} is not run.`, hint: SEE_LOG };
    case 'record-unwritable':
      return {
        message: 'The record cannot be written at the moment, so nothing is run.',
        hint: 'An administrator finds the cause in the log of the gateway and under /readyz.',
      };
    default:
      return reason satisfies never;
  }
}

/** `noun`: what the protocol calls a command. */
export function noticeInWords(notice: Notice, noun: Noun): Required<Sentence> {
  switch (notice.code) {
    case 'command-waits':
      return {
        message: `This ${noun} waits for an approval: request ${notice.request}, rule "${notice.rules.join('", "')}".`,
        hint: `${howToRelease(notice)}. Cancel the ${noun} to withdraw it.`,
      };
    case 'session-waits':
      return {
        message: `This session waits for an approval: request ${notice.request}.`,
        hint: `${howToAgree(notice)}. You may leave and log in again later.`,
      };
    case 'approvers-added':
      return {
        message: `Nobody has answered request ${notice.request} so far: further approvers are asked.`,
        hint: howToRelease(notice),
      };
    case 'glass-broken':
      return {
        message: `You passed request ${notice.request} by break-glass. Everybody who looks after it was told.`,
        hint: `Its review is open until somebody else closes it: ${notice.page ?? `sluice approvals show ${notice.request}`}`,
      };
    default:
      return notice satisfies never;
  }
}

export function refusalInWords(reason: RefusalReason): Sentence {
  switch (reason.code) {
    case 'wrong-proof':
      return {
        message: `the login of "${reason.user}" failed`,
        hint:
          'The password is a token: "sluice login" gets one, or an administrator makes one with "sluice token create". ' +
          `Of more than ${reason.tokens} tokens the newer ones are named: NAME+ID, as "sluice token ls" has it.`,
      };
    case 'too-many-failures':
      return {
        message: `too many failed logins of "${reason.user}" from your address, and this one was wrong too`,
        hint: 'A right token logs in at any time.',
      };
    case 'too-many-browser-logins':
      return {
        message: 'Too many logins wait to be confirmed in a browser, from your address or in all',
        hint: 'Confirm or end one of them, or log in with a token.',
      };
    case 'proofs-differ':
      return {
        message: 'this request shows two proofs of who sends it, and they differ',
        hint: 'Send one token, or one client certificate.',
      };
    case 'barred':
      return {
        message: `an administrator ended the session of "${reason.user}" on "${reason.connection}", and it stays closed for ${reason.seconds} s more`,
        hint: 'Ask an administrator of the gateway.',
      };
    case 'token-uncheckable':
      return {
        message: `this token cannot be checked now: ${reason.why}`,
        hint: 'Try again in a minute, or use a gateway token.',
      };
    case 'no-room-to-record':
      return {
        message: 'there is no room to record another session',
        hint: 'What is left is for sessions that are open. An administrator finds more under /readyz.',
      };
    case 'unknown-connection':
      return {
        message: `connection "${reason.connection}" does not exist`,
        hint: '"sluice ls" has the names of those that you may use; the configuration of the gateway has all of them.',
      };
    case 'other-protocol':
      return {
        message: `connection "${reason.connection}" is of another protocol than this port: ${reason.protocol}`,
        hint: `"sluice connect ${reason.connection}" opens it; "sluice status" has the port for clients of ${reason.protocol}.`,
      };
    case 'no-access':
      return {
        message: `"${reason.user}" may not use connection "${reason.connection}"`,
        hint: 'Ask an administrator of the gateway for access.',
      };
    case 'unknown-account':
      return {
        message: `"${reason.account}" is no account of connection "${reason.connection}"`,
        hint: 'Leave it out, or have it added.',
      };
    case 'already-chosen':
      return { message: `"${reason.connection}" was chosen already`, hint: 'Connect again for another one.' };
    case 'another-login':
      return {
        message: `This session is of "${reason.user}" and of the token that it was opened with`,
        hint: 'Connect again to log in otherwise.',
      };
    case 'frozen':
      return { message: isFrozen(reason), hint: howToThaw(reason.subject) };
    case 'tripwire-uncounted':
      return { message: `${uncountedTripwire(reason.rule)}, so nobody gets in here`, hint: SEE_LOG };
    case 'logins-used-up':
      return { message: reason.message, hint: reason.hint };
    case 'access-lost':
      return { message: 'You may no longer use this gateway', hint: ASK_ADMINISTRATOR };
    case 'too-many-sessions-of-user':
      return {
        message: `"${reason.user}" has ${reason.sessions} sessions open, which is the most there may be`,
        hint: 'Close one, or have limits.sessions_per_principal raised.',
      };
    case 'too-many-sessions':
      return {
        message: `${reason.sessions} sessions are open at the gateway, which is the most there may be`,
        hint: 'Try again later, or have limits.connections raised.',
      };
    case 'session-approval-needed':
      return {
        message: `Sessions on "${reason.connection}" need an approval: request ${reason.request}.`,
        hint: `Log in again once it is approved. ${howToAgree(reason)}`,
      };
    case 'session-denied':
      return { message: `Request ${reason.request} was denied by ${reason.by}: ${reason.why}`, hint: ASK_APPROVERS };
    case 'session-approval-outdated':
      return {
        message: `Request ${reason.request} was approved, and counts no more: the connection, its rules or who may approve have changed.`,
        hint: ASK_APPROVERS,
      };
    case 'session-approval-expired':
      return { message: `Nobody answered request ${reason.request} in time.`, hint: ASK_APPROVERS };
    case 'session-approval-withdrawn':
      return { message: `Request ${reason.request} was withdrawn: ${reason.why ?? UNUSABLE}.`, hint: ASK_APPROVERS };
    case 'session-approval-failed':
      return { message: reason.why ?? 'Nobody could be asked about this session.', hint: ASK_APPROVERS };
    case 'client-gone':
      return { message: 'The client is gone.', hint: ASK_APPROVERS };
    default:
      return reason satisfies never;
  }
}

export function endingInWords(reason: Ending): string {
  switch (reason.code) {
    case 'ended-by-administrator':
      return `The session was ended by an administrator${reason.why === undefined ? '' : `: ${reason.why}`}.`;
    case 'token-revoked':
      return 'The token of this session was revoked.';
    case 'token-expired':
      return 'The token of this session has expired.';
    case 'frozen':
      return `${isFrozen(reason)}.`;
    case 'tripwire-uncounted':
      return `${uncountedTripwire(reason.rule)}, so this session ends.`;
    case 'connection-removed':
      return 'This connection was taken out of the gateway.';
    case 'reconfigured':
      return 'Another configuration of the gateway is in force. Connect again.';
    case 'connection-forbidden':
      return 'You may no longer use this connection.';
    case 'account-forbidden':
      return 'You may no longer use this account.';
    case 'columns-masked':
      return 'Columns of this connection are masked now. Connect again.';
    case 'output-masked':
      return 'What programs show is masked here now. Connect again.';
    case 'idle':
      return 'The session was idle for too long.';
    case 'given-up':
      return 'What it was opened for was cancelled, or took too long.';
    case 'shutdown':
      return reason.why ?? 'The gateway is shutting down.';
    case 'login-too-slow':
      return 'The login took too long.';
    case 'too-many-logins':
      return 'Too many logins at once from your address, or in all: try again.';
    case 'long-row-unread':
      return 'A long row with masked columns was read too slowly while others waited for the memory that it takes. Read results without a pause, or ask for fewer bytes in a row.';
    case 'identity-told':
      return 'By the configuration of now the target goes by who has a session, and this one began before that. Connect again.';
    case 'transaction-too-long':
      return 'This transaction has changed something that people look at before COMMIT, and no COMMIT came in time, so it was rolled back.';
    case 'record-unwritable':
      return 'The record cannot be written at the moment, so this session ends.';
    default:
      return reason satisfies never;
  }
}

const isFrozen = ({ subject, why }: { readonly subject: string; readonly why: string }): string =>
  `${subject} is frozen: ${why}`;
const howToThaw = (subject: string): string =>
  `Somebody else has to thaw it, an approver or administrator: sluice thaw "${subject}" --reason ...`;

const uncountedTripwire = (rule: string): string => `What tripwire "${rule}" counts cannot be counted at the moment`;
const SEE_LOG = 'An administrator finds the cause in the log of the gateway.';

const UNUSABLE = 'its approval could not be used';
const ASK_ADMINISTRATOR = 'Ask an administrator of the gateway.';
const ASK_APPROVERS = 'Ask the approvers of this connection.';

const howToRelease = (asked: Asked): string => `${asked.approvers} can release it: ${where(asked)}`;
const howToAgree = (asked: Asked): string => `${asked.approvers} can agree: ${where(asked)}`;
const where = ({ request, page }: Asked): string =>
  `${page === undefined ? '' : `${page} or `}sluice approvals approve ${request}`;

/** What `Gate.words` says. */
export interface Words {
  refusal(reason: RefusalReason): Sentence & { readonly kind: RefusalKind };
  ending(reason: Ending): string;
  notice(notice: Notice): Sentence;
}

export const NEUTRAL_WORDS: Words = {
  refusal: (reason) => ({ ...refusalInWords(reason), kind: REFUSAL_KINDS[reason.code] }),
  ending: endingInWords,
  notice: (notice) => noticeInWords(notice, 'command'),
};

const UNITS = {
  requests: 'requests',
  tokens: 'tokens',
  cost: 'of cost',
  statements: 'statements',
  rows: 'rows',
  bytes: 'bytes',
  time: 'ms at the target',
  distinct: 'different values',
  at_once: 'at once',
  logins: 'logins',
} as const;

type UsedUp = Extract<DenyReason, { code: 'budget-used-up' }>;

/** What calls of models use up is known by estimates, which they are told; of the rest one is one. */
function budgetInWords({ unit, used, limit, wanted, free, rule, within, ask }: UsedUp, noun: Noun): Sentence {
  const at = free === undefined ? undefined : `${new Date(free).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
  if (rule === undefined)
    return {
      message: `This budget has no room for the request: ${amount(used)} of ${amount(limit)} ${UNITS[unit]} are used up today, and it may take ${amount(wanted)}.`,
      hint: `It is free again at ${at ?? 'a time that nobody knows'}. Whoever runs the gateway can raise it.`,
    };
  const who = ask ?? 'Whoever runs the gateway can raise it.';
  if (unit === 'at_once')
    return {
      message: `Budget "${rule}": ${amount(used)} of ${amount(limit)} run at once already.`,
      hint: `Send the ${noun} again when one of them is over. ${who}`,
    };
  return {
    message: `Budget "${rule}" is used up: ${amount(used)} of ${amount(limit)} ${UNITS[unit]} ${within ?? 'today'}.`,
    hint: `${at === undefined ? '' : `There is room again at ${at}. `}${who}`,
  };
}

type Bound = Extract<DenyReason, { code: 'answer-bound' }>;

function boundInWords({ rule, unit, limit }: Bound, noun: Noun): Sentence {
  if (unit === 'timeout')
    return {
      message: `The ${noun} took longer than the ${amount(limit)} ms that rule "${rule}" allows, and was cancelled.`,
      hint: 'Ask for less at a time.',
    };
  return {
    message: `The answer has more than the ${amount(limit)} ${unit} that rule "${rule}" allows: what came before this is not all of it.`,
    hint: 'Ask for less: a narrower condition, LIMIT, or an aggregate.',
  };
}

const amount = (value: number): string => value.toLocaleString('en', { maximumFractionDigits: 4 });
