/** Budgets of calls of language models: what is taken before and settled after, who shares one, and what is said when there is no room. */
import { Counts, type KeptCounts, ModelBudgets } from '@sluice/budgets';
import type { AppliedBudget, Deny } from '@sluice/contract';
import type { CountRecord } from '@sluice/store';
import { temporaryFolder } from '@sluice/testkit';
import fc from 'fast-check';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { openHttpStand } from './http-stand.js';
import { type ModelStand, type ModelStandOptions, openModelStand } from './model-stand.js';

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

async function open(options: ModelStandOptions = {}): Promise<ModelStand> {
  const stand = await openModelStand(options);
  stops.push(stand.stop);
  return stand;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

class Kept implements KeptCounts {
  readonly rows = new Map<string, CountRecord>();
  since = (hour: number): Promise<CountRecord[]> =>
    Promise.resolve([...this.rows.values()].filter((row) => row.hour >= hour));
  save = (records: readonly CountRecord[]): Promise<void> => {
    for (const row of records) this.rows.set(JSON.stringify([row.owner, row.what, row.hour]), row);
    return Promise.resolve();
  };
  purge = (): Promise<void> => Promise.resolve();
}

const budget = (more: Partial<AppliedBudget>): AppliedBudget => ({
  type: 'budget',
  rule: 'few',
  key: 'policies.p few',
  per: ['principal'],
  ...more,
});
const ana = { name: 'ana', kind: 'person', groups: [], roles: [] } as const;
const isDeny = (one: object): one is Deny => 'type' in one;

test('at the edge of a budget there is never one more than allowed, whatever order calls begin and end in, over restarts and days', async () => {
  const call = fc.record({
    input: fc.integer({ min: 0, max: 50 }),
    output: fc.integer({ min: 1, max: 50 }),
    used: fc.integer({ min: 0, max: 1 }),
    then: fc.constantFrom('end', 'wait', 'restart', 'tomorrow'),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(call, { maxLength: 60 }), async (calls) => {
      const kept = new Kept();
      const clock = { now: 1000 * DAY_MS + HOUR_MS };
      const begin = () =>
        Counts.open(
          kept,
          () => undefined,
          () => clock.now,
        );
      let counts = await begin();
      let budgets = new ModelBudgets(counts, () => ({ amount: 0 }));
      let used = { tokens: 0, requests: 0 };
      for (const { input, output, used: said, then } of calls) {
        const use = { model: 'm', input, output, price: undefined };
        const charge = budgets.take([budget({ tokens: 200, requests: 20 })], ana, use);
        const fits = used.tokens + input + output <= 200 && used.requests + 1 <= 20;
        expect(isDeny(charge)).toBe(!fits);
        if (!isDeny(charge)) {
          const spent = then === 'end' ? input + (said === 1 ? output : 0) : input + output;
          used = { tokens: used.tokens + spent, requests: used.requests + 1 };
          if (then === 'end') {
            charge.used({ input, output: said === 1 ? output : 0 });
            charge.end();
          }
        }
        if (then === 'tomorrow') {
          clock.now += DAY_MS;
          used = { tokens: 0, requests: 0 };
        }
        if (then !== 'restart') continue;
        await counts.close();
        counts = await begin();
        budgets = new ModelBudgets(counts, () => ({ amount: 0 }));
      }
      await counts.close();
    }),
    { numRuns: 100, seed: 7 },
  );
});

test('whoever has one of their own, by person and by model, and what a call that is not made gives back', async () => {
  const counts = await Counts.open(new Kept(), () => undefined);
  const budgets = new ModelBudgets(counts, () => ({ amount: 0 }));
  const take = (per: AppliedBudget['per'], name: string, model: string) =>
    budgets.take(
      [budget({ per, requests: 1, key: per.join() })],
      { ...ana, name },
      { model, input: 1, output: 1, price: undefined },
    );
  const fits = (...asked: Parameters<typeof take>) => !isDeny(take(...asked));
  expect([fits([], 'a', 'x'), fits([], 'b', 'y')]).toEqual([true, false]);
  expect([fits(['principal'], 'a', 'x'), fits(['principal'], 'b', 'x'), fits(['principal'], 'a', 'y')]).toEqual([
    true,
    true,
    false,
  ]);
  expect([fits(['model'], 'a', 'x'), fits(['model'], 'b', 'x'), fits(['model'], 'a', 'y')]).toEqual([
    true,
    false,
    true,
  ]);
  const both = ['principal', 'model'] as const;
  expect([fits(both, 'a', 'x'), fits(both, 'a', 'y'), fits(both, 'b', 'x'), fits(both, 'a', 'x')]).toEqual([
    true,
    true,
    true,
    false,
  ]);
  const charge = take(['principal'], 'c', 'x');
  if (!isDeny(charge)) charge.undo();
  expect(fits(['principal'], 'c', 'x')).toBe(true);
  await counts.close();
});

test('no name of a model takes the count of another one, over restarts, or the places of other people', async () => {
  const kept = new Kept();
  const begin = async () => {
    const counts = await Counts.open(kept, () => undefined);
    return { counts, budgets: new ModelBudgets(counts, () => ({ amount: 0 })) };
  };
  const first = await begin();
  const tokens = budget({ per: ['principal', 'model'], tokens: 100 });
  const take = ({ budgets }: typeof first, name: string, model: string, input: number) =>
    isDeny(budgets.take([tokens], { ...ana, name }, { model, input, output: 0, price: undefined }));
  expect(take(first, 'a', 'gpt', 100)).toBe(false);
  // Behind the zero byte stands what would be cut off.
  expect(take(first, 'a', 'gpt\0', 1)).toBe(false);
  expect(take(first, 'a', 'x'.repeat(1_000_000), 1)).toBe(false);
  await first.counts.close();
  expect(JSON.stringify([...kept.rows.values()]).length).toBeLessThan(2_000);
  const second = await begin();
  expect(take(second, 'a', 'gpt', 1)).toBe(true);
  let refused = 0;
  for (let n = 0; n < 60_000; n++) if (take(second, 'a', `model-${n}`, 1)) refused++;
  expect(refused).toBeGreaterThan(50_000);
  expect(take(second, 'a', 'model-0', 1)).toBe(false);
  expect(take(second, 'b', 'gpt', 1)).toBe(false);
  await second.counts.close();
});

const said = (content: string) => [{ role: 'user' as const, content }];
const error = async (
  asking: PromiseLike<unknown>,
): Promise<{ status?: number; message: string; headers?: Headers }> => {
  try {
    await asking;
  } catch (thrown) {
    return thrown as { status?: number; message: string; headers?: Headers };
  }
  throw new Error('it was not refused');
};
async function metric({ gateway, ada }: ModelStand, name: string): Promise<string | undefined> {
  const answer = await fetch(new URL('/metrics', gateway.url), { headers: { authorization: `Bearer ${ada}` } });
  return (await answer.text()).split('\n').find((line) => line.startsWith(name));
}

describe('through a gateway', () => {
  test('requests: one more is refused, in the shape of the provider, once, over a restart', async () => {
    const folder = temporaryFolder('budgets');
    stops.push(async () => folder.remove());
    const rules = `
    - { rule: two-a-day, budget: { requests: 2 } }
`;
    const stand = await openModelStand({ rules, folder: folder.path });
    const ask = (one: ModelStand) => one.openai.chat.completions.create({ model: 'm', messages: said('hi') });
    await ask(stand);
    await ask(stand);
    const refused = await error(ask(stand));
    expect(refused).toMatchObject({ status: 429, code: 'budget-used-up' });
    expect(refused.message).toMatch(
      /2 of 2 requests are used up today, and it may take 1\. It is free again at \d{4}-\d\d-\d\d 00:00 UTC/,
    );
    expect(Number(refused.headers?.get('retry-after'))).toBeGreaterThan(0);
    expect(stand.double.heard).toHaveLength(2);
    await stand.stop();
    const again = await open({ rules, folder: folder.path });
    expect((await error(ask(again))).status).toBe(429);
    expect(again.double.heard).toHaveLength(0);
  });

  test('tokens: as the provider says, of streams too, which are asked for it and do not tell who has not asked', async () => {
    const rules = `
    - { rule: tokens, budget: { tokens: 1100 } }
`;
    const stand = await open({ rules });
    const events: unknown[] = [];
    const stream = await stand.openai.chat.completions.create({ model: 'm', messages: said('hi'), stream: true });
    for await (const event of stream) events.push(event);
    expect(stand.double.heard[0]?.body).toContain('"stream_options":{"include_usage":true}');
    expect(JSON.stringify(events)).not.toContain('usage');
    expect(events.length).toBeGreaterThan(3);
    await vi.waitFor(async () =>
      expect(await metric(stand, 'sluice_budget_used_total{rule="tokens",unit="tokens"}')).toMatch(/ 12$/),
    );
    const asked = { model: 'm', messages: said('hi'), stream: true, stream_options: { include_usage: true } } as const;
    const told: unknown[] = [];
    for await (const event of await stand.openai.chat.completions.create(asked)) told.push(event);
    expect(JSON.stringify(told)).toContain('"total_tokens":12');
    await stand.openai.chat.completions.create({ model: 'm', messages: said('hi') });
    await stand.openai.responses.stream({ model: 'm', input: 'hi' }).finalResponse();
    await vi.waitFor(async () =>
      expect(await metric(stand, 'sluice_budget_used_total{rule="tokens",unit="tokens"}')).toMatch(/ 48$/),
    );
    const large = stand.openai.chat.completions.create({ model: 'm', messages: said('hi'), max_tokens: 2_000 });
    expect((await error(large)).message).toContain('48 of 1,100 tokens are used up today');
    await stand.openai.chat.completions.create({ model: 'm', messages: said('hi'), max_tokens: 100 });
  });

  test('tokens: an answer that is made in the background, of which nobody here hears, counts as much as it may have', async () => {
    const stand = await openHttpStand({
      rules: `
    - { rule: tokens, budget: { tokens: 1100 } }
`,
      connection: 'llm: { provider: openai }',
      serve: (_, response) =>
        response
          .setHeader('Content-Type', 'application/json')
          .end('{"id":"resp_1","object":"response","status":"queued","output":[],"usage":null}'),
    });
    stops.push(stand.stop);
    const ask = async (more: object): Promise<number> => {
      const answer = await fetch(`${stand.url}/v1/responses`, {
        method: 'POST',
        headers: { authorization: `Bearer ${stand.token}`, 'content-type': 'application/json' },
        body: JSON.stringify({ model: 'm', input: 'hi', ...more }),
      });
      await answer.text();
      return answer.status;
    };
    expect(await ask({ background: true })).toBe(403);
    expect(await ask({ max_output_tokens: 600 })).toBe(200);
    expect(await ask({ background: true, max_output_tokens: 600 })).toBe(200);
    expect(await ask({ background: true, max_output_tokens: 600 })).toBe(429);
    expect(stand.reached).toHaveLength(2);
  });

  test.each([
    ['chat/completions', { messages: said('hi'), max_tokens: 1e6 }, '1,000,00'],
    ['chat/completions', { messages: said('hi'), n: 50 }, '50,00'],
    ['completions', { prompt: 'hi', best_of: 50 }, '50,00'],
    ['completions', { prompt: Array.from({ length: 50 }, () => 'hi') }, '50,0'],
    ['completions', { prompt: Array.from({ length: 50 }, () => 'hi'), n: 2, max_tokens: 600 }, '60,0'],
  ])('what %s may be answered at most is taken: %j', async (path, asked, taken) => {
    const stand = await open({ rules: '\n    - { rule: tokens, budget: { tokens: 10000 } }\n' });
    const body = JSON.stringify({ model: 'm', ...asked }).replace('1000000', '1.0e6');
    const answer = await fetch(`${stand.url}/v1/${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${stand.token}`, 'content-type': 'application/json' },
      body,
    });
    expect(answer.status).toBe(429);
    expect(await answer.text()).toContain(`and it may take ${taken}`);
  });

  test('Anthropic by its own words, and after a hang-up an estimate', async () => {
    const rules = `
    - { rule: tokens, budget: { tokens: 100000 } }
`;
    const stand = await open({ rules, provider: 'anthropic' });
    await stand.anthropic.messages.create({ model: 'm', max_tokens: 9, messages: said('hi') });
    await stand.anthropic.messages.stream({ model: 'm', max_tokens: 9, messages: said('hi') }).finalMessage();
    const used = () => metric(stand, 'sluice_budget_used_total{rule="tokens",unit="tokens"}');
    await vi.waitFor(async () => expect(await used()).toMatch(/ 24$/));
    stand.double.pauseMs = 20;
    stand.double.says = () => ({ text: 'a word and another one '.repeat(100) });
    const stream = stand.anthropic.messages.stream({ model: 'm', max_tokens: 999, messages: said('hi') });
    stream.on('error', () => undefined);
    stream.on('abort', () => undefined);
    let words = 0;
    stream.on('text', () => words++);
    await vi.waitFor(() => expect(words).toBeGreaterThan(5));
    stream.abort();
    await vi.waitFor(async () => {
      const [, all = ''] = (await used())?.split(' ') ?? [];
      expect(Number(all)).toBeGreaterThan(24 + 3);
      expect(Number(all)).toBeLessThan(24 + 200);
    });
  });

  test('cost by a price table, and a model without a price is refused', async () => {
    const rules = `
    - { rule: money, budget: { cost: 0.05, per: [principal, model] } }
`;
    const stand = await open({
      rules,
      llm: 'prices: { dear: { input: 1000, output: 5000 }, cheap: { input: 1, output: 2 } }',
    });
    const ask = (model: string) => stand.openai.chat.completions.create({ model, messages: said('hi'), max_tokens: 6 });
    // 7 tokens in and 5 out: 0.032.
    await ask('dear');
    expect((await error(ask('dear'))).message).toMatch(/0\.032 of 0\.05 of cost are used up today/);
    await ask('cheap');
    expect((await error(ask('unknown'))).message).toContain('nobody has said what "unknown" costs');
    expect(await metric(stand, 'sluice_budget_used_total{rule="money",unit="cost"}')).toMatch(/ 0\.0320/);
  });
});
