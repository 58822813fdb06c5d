/** Conditions that compare values of a request each with each: whoever sends the request says how many there are. */
import type { Rule } from '@sluice/contract';
import { PLAIN_READING, requestWritten } from '@sluice/http-requests';
import { threadCpuMs } from '@sluice/testkit/cpu';
import { describe, expect, test } from 'vitest';
import { compilePolicy } from '../src/index.js';

const who = {
  principal: { name: 'ada', kind: 'person', groups: ['a7'], roles: [] },
  connection: { name: 'app', protocol: 'http' },
  command: { type: 'request' },
} as const;

/** What is said to a POST with so many values on either side; undefined: nothing. */
function refusal(when: string, count: number): string | undefined {
  const then: Rule['then'] = { type: 'deny', message: 'Refused by the rule.' };
  const policy = compilePolicy([{ rule: 'asked', when, then, mode: 'enforce', path: 'p[0]' }]);
  const values = (sign: string): string[] => Array.from({ length: count }, (_, at) => `${sign}${at}`);
  const body = JSON.stringify({ from: values('a'), to: values('b') });
  const { request, text } = requestWritten({ method: 'POST', path: '/x', body }, PLAIN_READING);
  const { decision } = policy.judge(request.facts(), text, { ...who, request });
  return decision.type === 'deny' ? decision.message : undefined;
}

describe.each([
  'bodies("/from/*").exists(x, x in bodies("/to/*"))',
  '!bodies("/from/*").all(x, !bodies("/to/*").exists(y, x == y))',
  'bodies("/from/*").filter(x, size(x) > 0).map(x, x + bodies("/to/*")[0]).size() < 0',
  'query("q").exists(x, x == "y") || bodies("/from/*").exists(x, bodies("/to/*").filter(y, y == x).size() > 0)',
])('%s', (when) => {
  test('is asked about as many as can be compared, and refuses more in words', () => {
    expect(refusal(when, 1_000)).toBeUndefined();
    const started = threadCpuMs();
    expect(refusal(when, 100_000)).toContain(
      'compare values of this request with each other, and it has 100000 of them',
    );
    expect(threadCpuMs() - started).toBeLessThan(5_000);
  });
});

test.each([
  ['bodies("/from/*").exists(x, x == "b1")', undefined],
  ['bodies("/from/*").exists(x, x in ["a7", "b1"])', 'Refused by the rule.'],
  ['principal.groups.exists(x, x in bodies("/from/*"))', 'Refused by the rule.'],
  ['bodies("/from/*").exists(x, x == "a7") && bodies("/to/*").exists(x, x == "b7")', 'Refused by the rule.'],
])('others have no bound: %s', (when, said) => expect(refusal(when, 50_000)).toBe(said));
