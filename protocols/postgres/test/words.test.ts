/** What clients of Postgres read for the codes of the gateway: SQLSTATE, sentence and hint, to the letter. */
import type { Deny, DenyReason, Ending, RefusalReason } from '@sluice/contract';
import { denyInWords } from '@sluice/contract';
import { describe, expect, test } from 'vitest';
import { readErrorFields } from '../src/messages.js';
import { ending, loginRefusal, refusal, waiting } from '../src/refusal.js';

const REQUEST = { request: 7, approvers: '1 of group:admins' };

/** `SQLSTATE message / hint`. */
function read(bytes: Buffer): string {
  const fields = readErrorFields(bytes.subarray(5));
  const hint = fields.get('H');
  return `${fields.get('C')} ${fields.get('M')}${hint === undefined ? '' : ` / ${hint}`}`;
}

const denied = (reason: DenyReason): Deny => ({
  type: 'deny',
  rule: 'gateway',
  ...denyInWords(reason, 'statement'),
  reason,
});

describe('a statement that is refused', () => {
  test.each<[DenyReason, string]>([
    [{ code: 'cancelled' }, '57014 canceling statement due to user request'],
    [
      { code: 'nobody-can-wait-yet' },
      '42501 This needs an approval, which cannot be waited for at the start of a session. / Send it as a statement once the session is open.',
    ],
    [
      { code: 'nobody-could-be-asked' },
      '42501 Nobody could be asked about this command. / Ask an administrator of the gateway.',
    ],
    [
      { code: 'approval-needed', ...REQUEST },
      '42501 This statement needs an approval: request 7. / Once request 7 is approved, the identical statement passes once. 1 of group:admins can release it: sluice approvals approve 7',
    ],
    [
      { code: 'approval-denied', request: 7, by: 'ada', why: 'not today' },
      '42501 Request 7 was denied by ada: not today / Ask ada what would pass.',
    ],
    [
      { code: 'approval-expired', request: 7 },
      '42501 Nobody answered request 7 in time. / Send the statement again when one of the approvers is there; "sluice approvals watch" shows them what waits.',
    ],
    [
      { code: 'approval-withdrawn', request: 7 },
      '42501 Request 7 was withdrawn: its approval could not be used. / Send the statement again, to ask anew.',
    ],
    [
      { code: 'rules-changed' },
      '42501 The rules for this statement changed while it waited for its approval. / Send it again.',
    ],
    [
      { code: 'definitions-under-way' },
      '55P03 Another session defines what this statement uses, or moves values by what it defines, and that is not over yet. / Send it again when that is over. The other session is one of this gateway: "sluice sessions" has those that are open.',
    ],
    [
      { code: 'definitions-under-way', by: 'lock_timeout' },
      '55P03 Another session defines what this statement uses, or moves values by what it defines, and that is not over within lock_timeout. / Send it again when that is over. The other session is one of this gateway: "sluice sessions" has those that are open.',
    ],
    [
      { code: 'definitions-under-way', by: 'statement_timeout' },
      '57014 Another session defines what this statement uses, or moves values by what it defines, and that is not over within statement_timeout. / Send it again when that is over. The other session is one of this gateway: "sluice sessions" has those that are open.',
    ],
    [
      { code: 'session-outdated' },
      '42501 The configuration of the gateway has changed, and this session cannot go on under it. / Connect again.',
    ],
    [
      { code: 'record-unwritable' },
      '42501 The record cannot be written at the moment, so nothing is run. / An administrator finds the cause in the log of the gateway and under /readyz.',
    ],
  ])('$code', (reason, said) => expect(read(refusal(denied(reason)))).toBe(said));

  test('while it waits', () =>
    expect(read(waiting({ code: 'command-waits', rules: ['a', 'b'], ...REQUEST }))).toBe(
      '00000 This statement waits for an approval: request 7, rule "a", "b". / 1 of group:admins can release it: sluice approvals approve 7. Cancel the statement to withdraw it.',
    ));
});

describe('a login that is refused', () => {
  const ASK = 'Ask the approvers of this connection.';
  test.each<[RefusalReason, string]>([
    [
      { code: 'wrong-proof', user: 'dev', tokens: 8 },
      '28P01 password authentication failed for user "dev" / The password is a token: "sluice login" gets one, or an administrator makes one with "sluice token create". Of more than 8 tokens the newer ones are named: NAME+ID, as "sluice token ls" has it.',
    ],
    [
      { code: 'too-many-failures', user: 'dev' },
      '53300 too many failed logins of "dev" from your address, and this one was wrong too / A right token logs in at any time.',
    ],
    [
      { code: 'too-many-browser-logins' },
      '53300 Too many logins wait to be confirmed in a browser, from your address or in all / Confirm or end one of them, or log in with a token.',
    ],
    [
      { code: 'token-uncheckable', why: 'no keys' },
      '57P03 this token cannot be checked now: no keys / Try again in a minute, or use a gateway token.',
    ],
    [
      { code: 'no-room-to-record' },
      '57P03 there is no room to record another session / What is left is for sessions that are open. An administrator finds more under /readyz.',
    ],
    [
      { code: 'unknown-connection', connection: 'db' },
      '3D000 connection "db" does not exist / The database name is the name of a connection of the gateway, which may differ from that of the database behind it: "sluice ls" has those that you may use.',
    ],
    [
      { code: 'no-access', user: 'dev', connection: 'db' },
      '42501 "dev" may not use connection "db" / Ask an administrator of the gateway for access.',
    ],
    [
      { code: 'unknown-account', account: 'root', connection: 'db' },
      '42501 "root" is no account of connection "db" / Leave it out, or have it added.',
    ],
    [{ code: 'already-chosen', connection: 'db' }, '53300 "db" was chosen already / Connect again for another one.'],
    [
      { code: 'another-login', user: 'dev' },
      '42501 This session is of "dev" and of the token that it was opened with / Connect again to log in otherwise.',
    ],
    [{ code: 'access-lost' }, '28P01 You may no longer use this gateway / Ask an administrator of the gateway.'],
    [
      { code: 'too-many-sessions-of-user', user: 'dev', sessions: 3 },
      '53300 "dev" has 3 sessions open, which is the most there may be / Close one, or have limits.sessions_per_principal raised.',
    ],
    [
      { code: 'too-many-sessions', sessions: 9 },
      '53300 9 sessions are open at the gateway, which is the most there may be / Try again later, or have limits.connections raised.',
    ],
    [
      { code: 'session-approval-needed', connection: 'db', ...REQUEST },
      '42501 Sessions on "db" need an approval: request 7. / Log in again once it is approved. 1 of group:admins can agree: sluice approvals approve 7',
    ],
    [
      { code: 'session-denied', request: 7, by: 'ada', why: 'not today' },
      `42501 Request 7 was denied by ada: not today / ${ASK}`,
    ],
    [
      { code: 'session-approval-outdated', request: 7 },
      `42501 Request 7 was approved, and counts no more: the connection, its rules or who may approve have changed. / ${ASK}`,
    ],
    [{ code: 'session-approval-expired', request: 7 }, `42501 Nobody answered request 7 in time. / ${ASK}`],
    [
      { code: 'session-approval-withdrawn', request: 7, why: 'the gateway is shutting down' },
      `42501 Request 7 was withdrawn: the gateway is shutting down. / ${ASK}`,
    ],
    [{ code: 'session-approval-failed' }, `42501 Nobody could be asked about this session. / ${ASK}`],
    [{ code: 'client-gone' }, `42501 The client is gone. / ${ASK}`],
  ])('$code', (reason, said) => expect(read(loginRefusal({ type: 'refusal', reason }))).toBe(said));

  test('while it waits', () =>
    expect(read(waiting({ code: 'session-waits', ...REQUEST }))).toBe(
      '00000 This session waits for an approval: request 7. / 1 of group:admins can agree: sluice approvals approve 7. You may leave and log in again later.',
    ));
});

describe('a session that is ended', () => {
  test.each<[Ending, string]>([
    [{ code: 'ended-by-administrator' }, '57P01 The session was ended by an administrator.'],
    [{ code: 'ended-by-administrator', why: 'x' }, '57P01 The session was ended by an administrator: x.'],
    [{ code: 'token-revoked' }, '57P01 The token of this session was revoked.'],
    [{ code: 'token-expired' }, '57P01 The token of this session has expired.'],
    [{ code: 'connection-removed' }, '57P01 This connection was taken out of the gateway.'],
    [{ code: 'connection-forbidden' }, '57P01 You may no longer use this connection.'],
    [{ code: 'account-forbidden' }, '57P01 You may no longer use this account.'],
    [{ code: 'columns-masked' }, '57P01 Columns of this connection are masked now. Connect again.'],
    [{ code: 'output-masked' }, '57P01 What programs show is masked here now. Connect again.'],
    [{ code: 'idle' }, '57P05 The session was idle for too long.'],
    [{ code: 'shutdown' }, '57P01 The gateway is shutting down.'],
    [{ code: 'login-too-slow' }, '57P01 The login took too long.'],
    [{ code: 'too-many-logins' }, '57P01 Too many logins at once from your address, or in all: try again.'],
    [{ code: 'record-unwritable' }, '58000 The record cannot be written at the moment, so this session ends.'],
  ])('%o', (reason, said) => expect(read(ending(reason))).toBe(said));
});
