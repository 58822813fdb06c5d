/**
 * What a condition with `matches` costs, in work and not in time: blocks that the library of regular expressions runs. Twice
 * the text is twice the work, with the patterns that a backtracking matcher needs exponential time for.
 */
import { growth } from '@sluice/testkit/work';
import type { Action, Facts, Rule } from '@sluice/contract';
import { compilePolicy } from '@sluice/guardrails';
import { expect, test } from 'vitest';

const MOST_GROWTH = 2.2;
/** Beyond the sizes at which the library goes over to another way of matching. */
const SIZE = 65_536;
const context = {
  principal: { name: 'ada', kind: 'person', groups: [], roles: [] },
  connection: { name: 'shop', protocol: 'postgres' },
} as const;
const select: Action = { statement: 0, depth: 0, verb: 'select', effects: ['read'], resources: [], reasons: [] };
const facts: Facts = { actions: [select], confidence: 'exact', statements: [{ type: 'none' }] };

test.each([
  ['(a+)+b', 'a'],
  ['(a|aa)+$', 'a'],
  ['(a|b|ab)*c', 'ab'],
  ['^(a?){30}a{30}$', 'a'],
  ['a{50,90}b', 'a'],
  ['a.*b.*c', 'ab'],
  ['.*.*x', 'a'],
  ['(?i)password', 'passwor'],
  ['\\bdrop\\s+table\\b', 'drop  '],
  ['(?s)/\\*.*\\*/', '/*'],
  ['[^;]*;[^;]*delete', 'x;'],
  ['(é|e)+x', 'é'],
  ['^\\s*(select|insert)\\b', ' '],
])('%s on %j', (pattern, piece) => {
  const rule: Rule = {
    rule: 'asked',
    when: `command.text.matches(${JSON.stringify(pattern)})`,
    then: { type: 'deny', message: 'No.' },
    mode: 'enforce',
    path: 'policies.p[0]',
  };
  const policy = compilePolicy([rule]);
  const judge = (size: number): unknown => policy.judge(facts, piece.repeat(size / piece.length), context);
  // What is compiled at the first use is not counted.
  judge(SIZE);
  expect(growth(SIZE, judge, 're2js')).toBeLessThan(MOST_GROWTH);
});
