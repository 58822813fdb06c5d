/**
 * Every no of the gateway, with what a client gets beside the words: docs/refusals.md, made from the code. `SLUICE_WRITE_DOCS=1` writes it
 * anew.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Deny,
  type DenyReason,
  ENDING_KINDS,
  type Ending,
  REFUSAL_KINDS,
  type RefusalReason,
  denyInWords,
  endingInWords,
  refusalInWords,
} from '@sluice/contract';
import { expect, test } from 'vitest';
import * as http from '../../protocols/http/src/refusal.js';
import * as mysql from '../../protocols/mysql/src/refusal.js';
import * as postgres from '../../protocols/postgres/src/refusal.js';
import { ROOT } from '../src/root.js';
import { OF_OTHERS, everythingSaid, productFiles, saidIn, unclearCalls } from './refusals/sentences.js';

const DOCUMENT = join(ROOT, 'docs', 'refusals.md');

/** One of each: a code that is added to the contract does not compile until it is here. */
const DENIALS: { readonly [Code in DenyReason['code']]: Extract<DenyReason, { code: Code }> } = {
  cancelled: { code: 'cancelled' },
  'nobody-can-wait-yet': { code: 'nobody-can-wait-yet' },
  'nobody-could-be-asked': { code: 'nobody-could-be-asked' },
  'approval-needed': { code: 'approval-needed', request: 7, approvers: '1 of group:dba' },
  'approval-denied': { code: 'approval-denied', request: 7, by: 'ben', why: 'not on a Friday' },
  'approval-expired': { code: 'approval-expired', request: 7 },
  'approval-withdrawn': { code: 'approval-withdrawn', request: 7 },
  'rules-changed': { code: 'rules-changed' },
  'definitions-under-way': { code: 'definitions-under-way' },
  'grant-needed': { code: 'grant-needed', connection: 'tickets', page: 'https://sluice.example/grants/tickets' },
  'review-needs-transaction': { code: 'review-needs-transaction' },
  'review-stands-alone': { code: 'review-stands-alone' },
  'session-outdated': { code: 'session-outdated' },
  'body-too-long': { code: 'body-too-long', limit: 65_536 },
  'budget-used-up': {
    code: 'budget-used-up',
    rule: 'an-hour',
    unit: 'rows',
    used: 9_900,
    limit: 10_000,
    wanted: 200,
    within: 'within 1 h',
    free: Date.parse('2026-12-01T10:00:00Z'),
    ask: 'Ask #data-help.',
  },
  'budget-uncountable': { code: 'budget-uncountable', rule: 'customers' },
  'budget-uncounted': { code: 'budget-uncounted', rule: 'an-hour' },
  frozen: { code: 'frozen', subject: 'agent:assistant', why: 'tripwire "explorer": 20 new tables within 10 min' },
  'tripwire-uncounted': { code: 'tripwire-uncounted', rule: 'explorer' },
  'answer-bound': { code: 'answer-bound', rule: 'one-answer', unit: 'rows', limit: 10_000 },
  'record-unwritable': { code: 'record-unwritable' },
};
const REFUSALS: { readonly [Code in RefusalReason['code']]: Extract<RefusalReason, { code: Code }> } = {
  'wrong-proof': { code: 'wrong-proof', user: 'ana', tokens: 8 },
  'too-many-failures': { code: 'too-many-failures', user: 'ana' },
  'too-many-browser-logins': { code: 'too-many-browser-logins' },
  'proofs-differ': { code: 'proofs-differ' },
  barred: { code: 'barred', user: 'ana', connection: 'shop', seconds: 60 },
  'token-uncheckable': { code: 'token-uncheckable', why: 'the issuer does not answer' },
  'no-room-to-record': { code: 'no-room-to-record' },
  'unknown-connection': { code: 'unknown-connection', connection: 'shopp' },
  'other-protocol': { code: 'other-protocol', connection: 'vm', protocol: 'ssh' },
  'no-access': { code: 'no-access', user: 'ana', connection: 'shop' },
  'unknown-account': { code: 'unknown-account', account: 'root', connection: 'vm' },
  'already-chosen': { code: 'already-chosen', connection: 'vm' },
  'another-login': { code: 'another-login', user: 'ana' },
  frozen: { code: 'frozen', subject: 'agent:assistant', why: 'tripwire "stop-it": 20 refusals within 10 min' },
  'tripwire-uncounted': { code: 'tripwire-uncounted', rule: 'stop-it' },
  'logins-used-up': {
    code: 'logins-used-up',
    message: 'Budget "logins" is used up: 200 of 200 logins within 1 h.',
    hint: 'There is room again at 2026-12-01 10:00 UTC. Whoever runs the gateway can raise it.',
  },
  'access-lost': { code: 'access-lost' },
  'too-many-sessions-of-user': { code: 'too-many-sessions-of-user', user: 'ana', sessions: 100 },
  'too-many-sessions': { code: 'too-many-sessions', sessions: 10_000 },
  'session-approval-needed': {
    code: 'session-approval-needed',
    connection: 'payroll',
    request: 7,
    approvers: '1 of group:dba',
  },
  'session-denied': { code: 'session-denied', request: 7, by: 'ben', why: 'not today' },
  'session-approval-outdated': { code: 'session-approval-outdated', request: 7 },
  'session-approval-expired': { code: 'session-approval-expired', request: 7 },
  'session-approval-withdrawn': { code: 'session-approval-withdrawn', request: 7 },
  'session-approval-failed': { code: 'session-approval-failed' },
  'client-gone': { code: 'client-gone' },
};
const ENDINGS: { readonly [Code in Ending['code']]: Extract<Ending, { code: Code }> } = {
  'ended-by-administrator': { code: 'ended-by-administrator' },
  'token-revoked': { code: 'token-revoked' },
  'token-expired': { code: 'token-expired' },
  frozen: { code: 'frozen', subject: 'agent:assistant', why: 'looks odd' },
  'tripwire-uncounted': { code: 'tripwire-uncounted', rule: 'stop-it' },
  'connection-removed': { code: 'connection-removed' },
  reconfigured: { code: 'reconfigured' },
  'connection-forbidden': { code: 'connection-forbidden' },
  'account-forbidden': { code: 'account-forbidden' },
  'columns-masked': { code: 'columns-masked' },
  'output-masked': { code: 'output-masked' },
  idle: { code: 'idle' },
  'given-up': { code: 'given-up' },
  shutdown: { code: 'shutdown' },
  'login-too-slow': { code: 'login-too-slow' },
  'too-many-logins': { code: 'too-many-logins' },
  'long-row-unread': { code: 'long-row-unread' },
  'identity-told': { code: 'identity-told' },
  'transaction-too-long': { code: 'transaction-too-long' },
  'record-unwritable': { code: 'record-unwritable' },
};

/** Of an ErrorResponse (55.8): the field C. */
const sqlstate = (packet: Buffer): string => /\0C([0-9A-Z]{5})\0/.exec(packet.toString('latin1'))?.[1] ?? '';
/** Of an ERR packet: the number, and the state behind `#`. */
const mysqlError = (packet: Buffer): string =>
  `${packet.readUInt16LE(1)} (${/#([0-9A-Z]{5})/.exec(packet.toString('latin1'))?.[1] ?? ''})`;

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows].map((row) => `| ${row.map(cell).join(' | ')} |`).join('\n');

/** Angles would be taken for HTML. */
const line = (text: string): string => text.replaceAll('\n', ' ').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

const denial = (reason: DenyReason): Deny => ({ type: 'deny', rule: 'two-eyes', message: '', reason });

function document(): string {
  const commands = Object.values(DENIALS).map((reason) => {
    const { message, hint = '' } = denyInWords(reason, 'statement');
    const { status } = http.denied(denial(reason), 1, false);
    return [
      `\`${reason.code}\``,
      message,
      hint,
      sqlstate(postgres.refusal(denial(reason))),
      mysqlError(mysql.refusal(denial(reason))),
      String(status),
    ];
  });
  const logins = Object.values(REFUSALS).map((reason) => {
    const refusal = { type: 'refusal', reason } as const;
    const { message, hint = '' } = refusalInWords(reason);
    return [
      `\`${reason.code}\``,
      message,
      hint,
      sqlstate(postgres.loginRefusal(refusal)),
      mysqlError(mysql.loginRefusal(refusal, 'ana')),
      String(http.notEntered(refusal).status),
    ];
  });
  const ends = Object.values(ENDINGS).map((reason) => [
    `\`${reason.code}\``,
    endingInWords(reason),
    sqlstate(postgres.ending(reason)),
    String(http.ended(reason).status),
  ]);
  const others = Array.from(everythingSaid(), ([title, said]) => {
    const lines = said.map(({ text, code }) => `- ${code === '' ? '' : `\`${code}\`: `}${line(text)}`);
    return `### ${title}\n\n${lines.join('\n')}\n`;
  });
  return `# Refusals

Every no of the gateway. This page is made from the code by \`gateway/test/refusals.test.ts\`, which fails when it is not current.

A rule of the operator refuses in the operator's own words. The client learns which rule it was: PostgreSQL says so in the detail
(\`Refused by rule "no-destruction".\`, SQLSTATE 42501), MySQL in the message (error 1142, 42000), SSH behind the message, with exit status 126,
and HTTP in \`rule\` of a problem document, with status 403. Whom to ask: whoever runs the gateway, who finds the statement by
\`sluice sessions ls\` and the rule in \`sluice.yaml\`. \`sluice policy explain\` says beforehand what a rule would do.

Refusals of the gateway itself have the rule \`gateway\`.

## Commands

By SSH each of these is in the program's standard error, with exit status 126.

${table(['code', 'message', 'what to do', 'SQLSTATE', 'MySQL', 'HTTP'], commands)}

## Logins

By SSH these are in the banner of a login that then fails, or in standard error with exit status 255, which is ssh's own.

${table(['code', 'message', 'what to do', 'SQLSTATE', 'MySQL', 'HTTP'], logins)}

## Ends of sessions

${table(['code', 'message', 'SQLSTATE', 'HTTP'], ends)}

## Other sentences

Of what is not understood, not well-formed, masked or not offered: all that the code can say to somebody who sends commands. \`…\` stands
for names and reasons. What begins with a small letter is the end of a sentence that begins with what it is about; before it stands the
SQLSTATE or the status of HTTP, where it is always that one.

${others.join('\n')}`;
}

test('docs/refusals.md is current', () => {
  const made = document();
  if (process.env['SLUICE_WRITE_DOCS'] === '1') writeFileSync(DOCUMENT, made);
  expect(readFileSync(DOCUMENT, 'utf8')).toBe(made);
});

test('no code of the contract is missing in the tables', () => {
  expect(Object.keys(REFUSALS).toSorted()).toEqual(Object.keys(REFUSAL_KINDS).toSorted());
  expect(Object.keys(ENDINGS).toSorted()).toEqual(Object.keys(ENDING_KINDS).toSorted());
});

test('each sentence of the code is in the document, or is for somebody else', () => {
  const files = productFiles();
  for (const [pattern, reader] of OF_OTHERS)
    expect([reader, files.some((one) => pattern.test(one))]).toEqual([reader, true]);
  const page = readFileSync(DOCUMENT, 'utf8');
  for (const [, said] of everythingSaid()) for (const { text } of said) expect(page).toContain(line(text));
  expect(saidIn("throw new HttpError(431, 'the head is too long');\n// 'A comment is no sentence of it.'")).toEqual([
    { text: 'the head is too long', code: '431' },
  ]);
  expect(saidIn("const hint = 'Send less at a time.';")).toEqual([{ text: 'Send less at a time.', code: '' }]);
});

test('it is known of each error of a protocol whether a client reads it', () => {
  const calls = productFiles()
    .filter((file) => file.startsWith('protocols/'))
    .flatMap((file) => unclearCalls(readFileSync(join(ROOT, file), 'utf8')).map((name) => `${file}: ${name}`));
  expect(calls).toEqual([]);
  expect(unclearCalls("throw new Surprise('nobody knows it');")).toEqual(['Surprise']);
});

test('every refusal says what to do; only who has withdrawn a command, or is gone, need not be told', () => {
  const silent = Object.values(DENIALS).filter((reason) => denyInWords(reason, 'statement').hint === undefined);
  expect(silent.map(({ code }) => code)).toEqual(['cancelled']);
  expect(Object.values(REFUSALS).filter((reason) => refusalInWords(reason).hint === undefined)).toEqual([]);
});

test('each has a code of its protocol', () => {
  for (const reason of Object.values(DENIALS))
    expect(sqlstate(postgres.refusal(denial(reason)))).toMatch(/^[0-9A-Z]{5}$/);
  for (const reason of Object.values(REFUSALS)) {
    const packet = mysql.loginRefusal({ type: 'refusal', reason }, 'ana');
    // From 2000 on numbers are a client's own, and its packet would count as malformed.
    expect(packet.readUInt16LE(1)).toBeLessThan(2000);
  }
});
