import type { Action, Facts, Rule } from '@sluice/contract';
import { expect, test } from 'vitest';
import { compilePolicy, explain } from '../src/index.js';

const rules: Rule[] = [
  {
    rule: 'unfiltered',
    when: 'action.filter == "none"',
    then: { type: 'deny', message: 'Name the rows.' },
    mode: 'enforce',
    path: 'policies.p[0]',
  },
  {
    rule: 'watched',
    when: '"write" in action.effects',
    then: { type: 'deny', message: 'No.' },
    mode: 'observe',
    path: 'policies.p[1]',
  },
];
const context = {
  principal: { name: 'ada', kind: 'person', groups: [], roles: [] },
  connection: { name: 'shop', protocol: 'postgres' },
} as const;
const action: Action = { statement: 0, depth: 0, verb: 'select', effects: ['read'], resources: [], reasons: [] };
const remove: Action = {
  statement: 0,
  depth: 1,
  verb: 'delete',
  effects: ['write'],
  filter: 'none',
  resources: [{ type: 'table', name: 't', access: 'write' }],
  reasons: ['has no condition that selects rows of the target'],
};
const facts = (...actions: Action[]): Facts => ({ actions, confidence: 'exact', statements: [{ type: 'none' }] });
const explained = (of: Facts): string => explain(compilePolicy(rules), of, '', context).text;

test('says what each action is and what each rule has to say of it', () => {
  expect(explained(facts(action, remove)).split('\n')).toEqual([
    'REFUSED by rule "unfiltered": Name the rows.',
    '',
    'select  [read]',
    '  ○ unfiltered (deny)',
    '  ○ watched (deny, observe)',
    '',
    '  delete  [write]  filter: none',
    '    write table t',
    '    note: it has no condition that selects rows of the target',
    '    ● unfiltered (deny)',
    '    ● watched (deny, observe)',
    '',
    'Observed only: watched',
  ]);
});

test('says that it is allowed', () => {
  expect(explained(facts(action)).split('\n')[0]).toBe('ALLOWED');
});

test('gives the hint of a refusal by the gateway', () => {
  const text = explained(facts({ ...action, effects: ['unknown'], reasons: ['calls f'], unknownFunctions: ['f'] }));
  expect(text).toContain('REFUSED by rule "gateway": This select calls f.\n  ');
  expect(text).toContain('functions.trusted: f');
});

test('of a mistake says the mistake alone', () => {
  const unknown: Action = { ...action, verb: 'unknown', effects: ['unknown'], reasons: ['syntax error'] };
  const text = explained({
    ...facts(unknown),
    confidence: 'opaque',
    syntaxError: { message: 'syntax error', position: 1 },
  });
  expect(text).toBe('REFUSED by rule "gateway": syntax error');
});

test('and gives the verdict with it', () => {
  const result = explain(compilePolicy(rules), facts(remove), '', context);
  expect(result.decision).toMatchObject({ type: 'deny', rule: 'unfiltered' });
  expect(result.matched.map(({ rule }) => rule)).toEqual(['unfiltered', 'watched']);
  expect(result.facts.actions).toEqual([remove]);
});
