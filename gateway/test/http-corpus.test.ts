import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { Principal, Rule } from '@sluice/contract';
import { compilePolicy } from '@sluice/guardrails';
import { PLAIN_READING, requestWritten } from '@sluice/http-requests';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { type Done, startLenient } from './http-corpus/lenient.js';

/** Everything in fixtures/guardrails/http: evasions, which work without the gateway and are stopped by it, and ordinary requests. */
interface Case {
  readonly method: string;
  readonly path: string;
  readonly headers?: readonly string[];
  readonly body?: string;
  readonly skip?: string;
}

interface Group {
  readonly group: string;
  readonly proof: keyof Done;
  readonly cases: readonly Case[];
}

const FIXTURES = join(import.meta.dirname, '../../fixtures/guardrails/http');
const corpus = (name: string): Group[] => parse(readFileSync(join(FIXTURES, name), 'utf8')) as Group[];
const evasions = corpus('evasions.yaml');
const ordinary = corpus('ordinary.yaml');
const titled = (cases: readonly Case[]): [string, Case][] =>
  cases.map((one) => [
    [one.method, one.path, ...(one.headers ?? []), one.body ?? ''].join(' ').trim().slice(0, 200),
    one,
  ]);

const policy = compilePolicy(rules());
const operator: Principal = { name: 'operator', kind: 'person', groups: [], roles: ['user'] };

describe.each(evasions)('stopped: $group', ({ cases }) => {
  test.each(titled(cases))('%s', (_, one) => {
    expect(decision(one)).not.toBe('allow');
  });
});

let server: Awaited<ReturnType<typeof startLenient>>;
beforeAll(async () => {
  server = await startLenient();
});
afterAll(() => server.close());

describe.each(evasions)('works without the gateway: $group', ({ proof, cases }) => {
  for (const [title, one] of titled(cases)) {
    test.skipIf(one.skip !== undefined)(`${title}${one.skip === undefined ? '' : ` (${one.skip})`}`, async () => {
      await send(one);
      expect(server.last()[proof]).toBe(true);
    });
  }
});

test('of ordinary requests fewer than 5 in 100 are stopped', () => {
  const all = ordinary.flatMap(({ cases }) => cases);
  const stopped = all.filter((one) => decision(one) !== 'allow');
  console.log(
    `ordinary requests: ${all.length}, stopped: ${stopped.length} (${((100 * stopped.length) / all.length).toFixed(1)} %)`,
  );
  expect(stopped.length / all.length, JSON.stringify(stopped, null, 1)).toBeLessThan(0.05);
});

test('ordinary requests do nothing of what evasions do', async () => {
  const harmful: Case[] = [];
  for (const one of ordinary.flatMap(({ cases }) => cases)) {
    await send(one);
    if (Object.values(server.last()).includes(true)) harmful.push(one);
  }
  expect(harmful).toEqual([]);
});

test('the corpus is as large as it says', () => {
  const count = (groups: readonly Group[]): number => groups.reduce((sum, { cases }) => sum + cases.length, 0);
  const tried = evasions.flatMap(({ cases }) => cases).filter(({ skip }) => skip === undefined).length;
  console.log(`evasions: ${count(evasions)}, run for real: ${tried}; ordinary: ${count(ordinary)}`);
  expect(count(evasions)).toBeGreaterThanOrEqual(300);
  expect(tried).toBeGreaterThanOrEqual(300);
  expect(count(ordinary)).toBeGreaterThanOrEqual(150);
});

function decision(one: Case): 'allow' | 'deny' | 'hold' {
  const { request, text } = requestWritten(one, PLAIN_READING);
  const connection = { name: 'app', protocol: 'http' };
  const context = { principal: operator, connection, command: { type: 'request' as const }, request };
  return policy.judge(request.facts(), text, context).decision.type;
}

function rules(): Rule[] {
  const file = parse(readFileSync(join(FIXTURES, 'policy.yaml'), 'utf8')) as {
    rules: { rule: string; when: string; deny: string }[];
  };
  return file.rules.map(({ rule, when, deny }, at) => ({
    rule,
    when,
    mode: 'enforce',
    path: `rules[${at}]`,
    then: { type: 'deny', message: deny },
  }));
}

/** Byte for byte: a library would clean the path, and put headers of its own. */
async function send({ method, path, headers = [], body = '' }: Case): Promise<void> {
  const bytes = Buffer.from(body);
  const lines = [`${method} ${path} HTTP/1.1`, 'Host: app', 'Connection: close', ...headers];
  if (bytes.length > 0) lines.push(`Content-Length: ${bytes.length}`);
  const socket = connect(server.port, '127.0.0.1');
  socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  socket.write(bytes);
  let answer = '';
  for await (const chunk of socket) answer += String(chunk);
  expect(answer).toContain('HTTP/1.1 200');
}
