import { setTimeout as sleep } from 'node:timers/promises';
import type { Facts, SqlCommand } from '@sluice/contract';
import { expect, test } from 'vitest';
import { impactOf } from '@sluice/sql-postgres';

type Lookup = Awaited<ReturnType<Parameters<typeof impactOf>[3]>>;

const facts: Facts = {
  actions: [
    {
      statement: 0,
      depth: 0,
      verb: 'delete',
      effects: ['destroy'],
      resources: [{ type: 'table', name: 'people', access: 'write' }],
      reasons: [],
    },
  ],
  confidence: 'exact',
  statements: [{ type: 'none' }],
};
const command = {
  type: 'sql',
  id: 1,
  text: 'delete from people where id = $1',
  dialect: { name: 'postgres', major: 18 },
  phase: 'run',
  parameters: [{ type: 23, format: 'text', value: Buffer.from('a bound secret') }],
} as unknown as SqlCommand;

/** A connection that answers like this, and says whether it was closed. */
const fake = (query: (sql: string) => Promise<readonly (readonly string[])[]>): Lookup & { closed: boolean } => {
  const side = { closed: false, query, close: () => void (side.closed = true) };
  return side as unknown as Lookup & { closed: boolean };
};

test('a target that takes too long to log in to is not left with a connection', async () => {
  const side = fake(() => Promise.resolve([]));
  const opened = Promise.withResolvers<Lookup>();
  const impact = await impactOf(command, facts, true, () => opened.promise);
  expect(impact?.unknown).toBe('the target took too long');
  opened.resolve(side);
  await sleep(10);
  expect(side.closed).toBe(true);
});

test('what a target says of a value that it cannot plan with is not shown: values may be kept from approvers', async () => {
  const side = fake((sql) =>
    /^(prepare|explain)/.test(sql)
      ? Promise.reject(new Error('invalid input syntax for type integer: "a bound secret"'))
      : Promise.resolve([]),
  );
  const impact = await impactOf(command, facts, true, () => Promise.resolve(side));
  expect(impact?.unknown).toBe('the target cannot plan it');
  expect(side.closed).toBe(true);
});
