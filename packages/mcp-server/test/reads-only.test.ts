import type { Principal, Rule } from '@sluice/contract';
import { expect, test } from 'vitest';
import { readsOnly } from '../src/reads-only.js';

const rule = (
  when: string | undefined,
  then: Rule['then'] = { type: 'deny', message: 'No.' },
  mode: Rule['mode'] = 'enforce',
): Rule => ({
  rule: 'one',
  ...(when !== undefined && { when }),
  then,
  mode,
  path: 'policies.p[0]',
});
const of = (...rules: Rule[]): boolean => {
  const principal: Principal = { name: 'robot', kind: 'agent', groups: ['robots'], roles: ['user'] };
  return readsOnly({ name: 'db', protocol: 'postgres', rules }, principal);
};
const CHANGING = '["write", "destroy", "define", "grant", "execute", "egress", "transfer"]';

test.each([
  ['whatever is not read', rule('action.effects.exists(e, e != "read")')],
  ['whatever changes something, by name', rule(`action.effects.exists(e, e in ${CHANGING})`)],
  ['everything', rule(undefined)],
  ['what is none of two', rule('action.effects.exists(e, !(e in ["read", "session"]))')],
  [
    'whatever is not read, for agents',
    rule('principal.kind == "agent" && action.effects.exists(e, e != "read" && e != "session")'),
  ],
])('a rule says no to %s', (_, one) => {
  expect(of(one)).toBe(true);
});

test.each([
  ['there are no rules'],
  ['it hangs on tables', rule('action.effects.exists(e, e != "read") && !action.tables.exists(t, t == "scratch")')],
  ['it hangs on the text', rule('command.text.contains("drop")')],
  ['it hangs on the verb, which a made-up action has not', rule('action.verb == ""')],
  ['it is of others', rule('principal.kind == "person" && action.effects.exists(e, e != "read")')],
  ['it only observes', rule('action.effects.exists(e, e != "read")', undefined, 'observe')],
  [
    'it leaves one effect out',
    rule('action.effects.exists(e, e in ["write", "destroy", "define", "grant", "execute", "egress"])'),
  ],
  ['it speaks of one effect alone', rule('action.effects == ["write"]')],
  [
    'more effects make it false',
    rule('action.effects.exists(e, e != "read") && !action.effects.exists(e, e == "read")'),
  ],
  ['it is of all effects', rule('action.effects.all(e, e != "read")')],
  ['it chooses', rule('action.effects.exists(e, e == "read") ? false : true')],
  [
    'people may release it',
    rule('action.effects.exists(e, e != "read")', {
      type: 'hold',
      approvers: ['user:ada'],
      count: 1,
      timeoutMs: 1000,
      onTimeout: 'deny',
      fail: false,
    }),
  ],
])('nothing is proven where %s', (_, ...rules) => {
  expect(of(...(rules as Rule[]))).toBe(false);
});

test('what is unknown is refused by itself, unless some rule lets something pass', () => {
  const known = rule(`action.effects.exists(e, e in ${CHANGING})`);
  expect(of(known, rule('action.tables.exists(t, t == "scratch")', { type: 'allow' }))).toBe(false);
  expect(of(rule('action.effects.exists(e, e != "read")'), rule('true', { type: 'allow' }))).toBe(true);
});
