import { readFileSync } from 'node:fs';
import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { Secret, describeProblem, parseConfig } from '../src/index.js';

const problemsOf = (text: string, env: NodeJS.ProcessEnv = {}): string[] => {
  const loaded = parseConfig(text, { file: 'sluice.yaml', env });
  return loaded.ok ? [] : loaded.problems.map(describeProblem);
};

const connection = (extra: string): string => `principals: { a: { groups: [g] } }
connections:
  db:
    protocol: postgres
    target: { host: h }
    credential: { user: u, password: "\${env:PW}" }
${extra}`;

test('a key that is not known is a mistake, with its place and the nearest that is', () => {
  expect(problemsOf('limits:\n  mesage: 1MiB\n')).toEqual([
    'sluice.yaml:2:11  "mesage" is not a setting of limits. Did you mean "message"?',
  ]);
});

test.each([
  ['limits: { message: 12 parsecs }', 'is not a size'],
  ['limits: { handshake: soon }', 'is not a duration'],
  ['a: [', 'sluice.yaml:1:'],
  [connection(''), 'The environment variable PW is not set.'],
  [connection('    access: ["group:gg"]'), 'Did you mean "g"?'],
  [connection('    policies: [nowhere]'), 'There is no policy "nowhere".'],
  [connection('    via: dc1'), 'This version has no agents yet'],
  ['policies: { p: [{ rule: r, mask: { columns: [a] } }] }', 'cannot enforce "mask"'],
  ['policies: { p: [{ rule: r, hold: { approvers: [a] } }] }', 'cannot enforce "hold"'],
  ['policies: { p: [{ rule: r }] }', 'needs one of "deny" and "allow"'],
])('%s', (text, words) => {
  expect(problemsOf(text).join('\n')).toContain(words);
});

test('a secret does not print', () => {
  const secret = new Secret('hunter2');
  expect(`${secret.toString()} ${JSON.stringify({ secret })} ${inspect(secret)}`).not.toContain('hunter2');
  expect(secret.reveal()).toBe('hunter2');
});

test('the example loads', () => {
  const text = readFileSync(new URL('../../../examples/sluice.yaml', import.meta.url), 'utf8');
  expect(problemsOf(text, { SHOP_PASSWORD: 'x' })).toEqual([]);
});
