import type { Facts, Rule } from '@sluice/contract';
import { expect, test } from 'vitest';
import { type PolicyContext, type TargetAnswers, Unanswered, compilePolicy } from '../src/index.js';

/** What rules ask of the target, and what becomes of them without an answer. */

const facts: Facts = {
  actions: [
    {
      statement: 0,
      depth: 0,
      verb: 'delete',
      effects: ['write'],
      resources: [{ type: 'table', name: 'orders', access: 'write' }],
      reasons: [],
    },
  ],
  confidence: 'exact',
  statements: [{ type: 'none' }],
};
const context: PolicyContext = {
  principal: { name: 'dev', kind: 'person', groups: [], roles: ['user'] },
  connection: { name: 'db', protocol: 'postgres' },
};
const rule = (when: string, then: Rule['then'], mode: Rule['mode'] = 'enforce'): Rule =>
  ({ rule: 'it', path: 'policies.p[0]', when, then, mode }) as Rule;
const DENY: Rule['then'] = { type: 'deny', message: 'Too many.' } as Rule['then'];
const MASK = { type: 'mask', columns: [], detect: [], with: { type: 'redact' } } as unknown as Rule['then'];
const MANY = 'action.verb == "delete" && action.estimated_rows > 100';
const answers = (rows: number, tables: readonly string[] = []): TargetAnswers => ({
  estimatedRows: () => rows,
  tableSize: () => ({ rows, bytes: rows, traffic: rows }),
  meantTables: () => tables,
});
const nobody = (): never => {
  throw new Unanswered('There is no estimate: nobody knows.');
};
const UNANSWERED: TargetAnswers = { estimatedRows: nobody, meantTables: nobody, tableSize: nobody };
const decide = (rules: readonly Rule[], target?: TargetAnswers): { type: string; message?: string } =>
  compilePolicy(rules).judge(facts, 'delete from orders', { ...context, ...(target && { target }) }).decision;

test('answers decide', () => {
  expect(decide([rule(MANY, DENY)], answers(5)).type).toBe('allow');
  expect(decide([rule(MANY, DENY)], answers(1e9))).toMatchObject({ type: 'deny', message: 'Too many.' });
  const hr = rule('action.meant_tables.exists(t, t.startsWith("hr."))', DENY);
  expect(decide([hr], answers(0, ['public.orders'])).type).toBe('allow');
  expect(decide([hr], answers(0, ['hr.salaries'])).type).toBe('deny');
});

test.each([
  MANY,
  '!(action.estimated_rows < 100)',
  'action.estimated_rows > 100 || action.verb == "truncate"',
  'action["estimated_rows"] > 100',
  'action.estimated_rows > 0 ? true : false',
  '[action.estimated_rows].exists(n, n > 100)',
  'action.meant_tables.exists(t, t == "a")',
  '!action.meant_tables.exists(t, t == "a")',
  'size(action.meant_tables) > 3',
])('without an answer it is a no, whatever the rule would do: %s', (when) => {
  for (const then of [DENY, { type: 'allow' } as Rule['then'], MASK]) {
    for (const target of [UNANSWERED, undefined]) {
      const { type, message } = decide([rule(when, then)], target);
      expect(type).toBe('deny');
      if (target) expect(message).toBe('There is no estimate: nobody knows.');
    }
  }
});

test('a rule that only observes stops nothing', () => {
  expect(decide([rule(MANY, DENY, 'observe')], UNANSWERED).type).toBe('allow');
});

test('the target is asked only for conditions that come to it', () => {
  const needs = (when: string): string[] => [
    ...compilePolicy([rule(when, DENY)]).needsOfTarget(facts, 'delete from orders', context),
  ];
  expect(needs(MANY)).toEqual(['estimated_rows']);
  expect(needs('action.verb == "update" && action.estimated_rows > 100')).toEqual([]);
  expect(needs('action.verb == "delete"')).toEqual([]);
  // What it asks of masked columns is known later.
  expect(needs('"other" in masked.asked && action.estimated_rows > 100')).toEqual(['estimated_rows']);
  expect(needs('action.meant_tables.size() > 0 || action.estimated_rows > 1')).toEqual([
    'estimated_rows',
    'meant_tables',
  ]);
});

test('a mask of which it is not known yet whether it applies does', () => {
  const masks = (when: string): number =>
    compilePolicy([rule(when, MASK)]).masksOf(facts, 'delete from orders', context).length;
  expect(masks(MANY)).toBe(1);
  expect(masks('action.verb == "update"')).toBe(0);
  expect(masks('action.verb == "delete"')).toBe(1);
});
