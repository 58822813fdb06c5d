/** What SSH's users read, for every code: nothing of another protocol, and whole sentences. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Deny, DenyReason, Ending, Notice, RefusalReason } from '@sluice/contract';
import { denyInWords } from '@sluice/contract';
import { expect, test } from 'vitest';
import * as words from '../src/words.js';

const REQUEST = { request: 7, approvers: '1 of group:admins' };
const DENIALS: { readonly [C in DenyReason['code']]: Extract<DenyReason, { code: C }> } = {
  cancelled: { code: 'cancelled' },
  'nobody-can-wait-yet': { code: 'nobody-can-wait-yet' },
  'nobody-could-be-asked': { code: 'nobody-could-be-asked' },
  'approval-needed': { code: 'approval-needed', ...REQUEST },
  'approval-denied': { code: 'approval-denied', request: 7, by: 'ada', why: 'Not today.' },
  'approval-expired': { code: 'approval-expired', request: 7 },
  'approval-withdrawn': { code: 'approval-withdrawn', request: 7 },
  'rules-changed': { code: 'rules-changed' },
  'definitions-under-way': { code: 'definitions-under-way' },
  'review-needs-transaction': { code: 'review-needs-transaction' },
  'review-stands-alone': { code: 'review-stands-alone' },
  'session-outdated': { code: 'session-outdated' },
  'grant-needed': { code: 'grant-needed', connection: 'vm' },
  'body-too-long': { code: 'body-too-long', limit: 65_536 },
  'budget-used-up': {
    code: 'budget-used-up',
    unit: 'bytes',
    used: 900,
    limit: 1_000,
    wanted: 200,
    free: 1_700_000_000_000,
  },
  'budget-uncountable': { code: 'budget-uncountable', rule: 'not-much' },
  'budget-uncounted': { code: 'budget-uncounted', rule: 'not-much' },
  'answer-bound': { code: 'answer-bound', rule: 'short', unit: 'bytes', limit: 1_000 },
  frozen: { code: 'frozen', subject: 'user:dev', why: 'looks odd' },
  'tripwire-uncounted': { code: 'tripwire-uncounted', rule: 'machines' },
  'record-unwritable': { code: 'record-unwritable' },
};
const REFUSALS: { readonly [C in RefusalReason['code']]: Extract<RefusalReason, { code: C }> } = {
  'wrong-proof': { code: 'wrong-proof', user: '', tokens: 8 },
  'too-many-failures': { code: 'too-many-failures', user: 'dev' },
  'too-many-browser-logins': { code: 'too-many-browser-logins' },
  'proofs-differ': { code: 'proofs-differ' },
  barred: { code: 'barred', user: 'dev', connection: 'vm', seconds: 60 },
  'token-uncheckable': { code: 'token-uncheckable', why: 'the issuer does not answer' },
  'no-room-to-record': { code: 'no-room-to-record' },
  'unknown-connection': { code: 'unknown-connection', connection: 'vm' },
  'other-protocol': { code: 'other-protocol', connection: 'shop', protocol: 'postgres' },
  'no-access': { code: 'no-access', user: 'dev', connection: 'vm' },
  'unknown-account': { code: 'unknown-account', account: 'root', connection: 'vm' },
  'already-chosen': { code: 'already-chosen', connection: 'vm' },
  'another-login': { code: 'another-login', user: 'dev' },
  'access-lost': { code: 'access-lost' },
  frozen: { code: 'frozen', subject: 'user:dev', why: 'looks odd' },
  'tripwire-uncounted': { code: 'tripwire-uncounted', rule: 'machines' },
  'logins-used-up': {
    code: 'logins-used-up',
    message: 'Budget "logins" is used up: 10 of 10 logins today.',
    hint: 'Whoever runs the gateway can raise it.',
  },
  'too-many-sessions-of-user': { code: 'too-many-sessions-of-user', user: 'dev', sessions: 100 },
  'too-many-sessions': { code: 'too-many-sessions', sessions: 10_000 },
  'session-approval-needed': { code: 'session-approval-needed', connection: 'vm', ...REQUEST },
  'session-denied': { code: 'session-denied', request: 7, by: 'ada', why: 'Not today.' },
  'session-approval-outdated': { code: 'session-approval-outdated', request: 7 },
  'session-approval-expired': { code: 'session-approval-expired', request: 7 },
  'session-approval-withdrawn': { code: 'session-approval-withdrawn', request: 7, why: 'the gateway stops' },
  'session-approval-failed': { code: 'session-approval-failed' },
  'client-gone': { code: 'client-gone' },
};
const ENDINGS: { readonly [C in Ending['code']]: Extract<Ending, { code: C }> } = {
  'ended-by-administrator': { code: 'ended-by-administrator', why: 'maintenance' },
  'token-revoked': { code: 'token-revoked' },
  'token-expired': { code: 'token-expired' },
  frozen: { code: 'frozen', subject: 'user:dev', why: 'looks odd' },
  'tripwire-uncounted': { code: 'tripwire-uncounted', rule: 'machines' },
  'connection-removed': { code: 'connection-removed' },
  reconfigured: { code: 'reconfigured' },
  'connection-forbidden': { code: 'connection-forbidden' },
  'account-forbidden': { code: 'account-forbidden' },
  'columns-masked': { code: 'columns-masked' },
  'output-masked': { code: 'output-masked' },
  'identity-told': { code: 'identity-told' },
  idle: { code: 'idle' },
  'given-up': { code: 'given-up' },
  shutdown: { code: 'shutdown' },
  'login-too-slow': { code: 'login-too-slow' },
  'too-many-logins': { code: 'too-many-logins' },
  'transaction-too-long': { code: 'transaction-too-long' },
  'long-row-unread': { code: 'long-row-unread' },
  'record-unwritable': { code: 'record-unwritable' },
};

const refused = (reason: DenyReason): Deny => ({
  type: 'deny',
  rule: 'gateway',
  ...denyInWords(reason, 'command'),
  reason,
});
const notice: Notice = { code: 'command-waits', rules: ['two-eyes'], ...REQUEST };
const sentences: readonly (readonly [code: string, said: string])[] = [
  ...Object.values(DENIALS).flatMap((reason) => [
    [reason.code, words.commandRefused(refused(reason))] as const,
    [reason.code, words.lineRefused(refused(reason))] as const,
    [reason.code, words.requestRefused(refused(reason))] as const,
  ]),
  ...Object.values(REFUSALS).map((reason) => [reason.code, words.loginRefused({ type: 'refusal', reason })] as const),
  ...Object.values(ENDINGS).map((ending) => [ending.code, words.sessionEnds(ending)] as const),
  [notice.code, words.commandWaits(notice)],
  ['session-waits', words.sessionWaits({ code: 'session-waits', ...REQUEST })],
];

test.each(sentences)('%s: %s', (code, said) => {
  expect(said).not.toMatch(/statement|database|SQL|password authentication|\bundefined\b|\[object/);
  // A name in quotation marks may begin it, or whoever is frozen, as "sluice thaw" wants to have them; other letters are large at the beginning.
  expect(said).toMatch(code === 'frozen' ? /^user:dev is frozen: looks odd/ : /^(["A-Z]|\d)/);
  expect(said).toMatch(/[.:)\d]$/);
});

test('a command that was cancelled is said so, and names no rule', () => {
  expect(words.commandRefused(refused(DENIALS.cancelled))).toBe(
    'The command was cancelled while it waited, and was not run.',
  );
});

test('a refusal of a rule is in its own words', () => {
  const deny: Deny = { type: 'deny', rule: 'no-drop', message: 'No such statement here.', hint: 'Ask ada.' };
  expect(words.commandRefused(deny)).toBe('No such statement here. (rule "no-drop")\nsluice: Ask ada.');
});

test('above the choice of machines stands what was not found, and nothing where nothing was named', () => {
  const at = (connection: string): string =>
    words.aboveMenu({ type: 'refusal', reason: { code: 'unknown-connection', connection } });
  expect([at(''), at('vm')]).toEqual(['', 'There is no machine "vm" that you may reach.']);
});

test('no other file of the protocol has a sentence for a user', () => {
  const folder = join(import.meta.dirname, '..', 'src');
  const others = readdirSync(folder).filter((file) => file !== 'words.ts');
  const found = others.flatMap((file) =>
    Array.from(readFileSync(join(folder, file), 'utf8').matchAll(/['`][A-Z][^'`\n]* [^'`\n]*\.['`]/g), ([text]) => [
      file,
      text,
    ]),
  );
  expect(others.length).toBeGreaterThan(20);
  expect(found).toEqual([]);
});
