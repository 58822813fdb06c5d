import { expect, test } from 'vitest';
import { type Config, describeProblem, parseConfig } from '../src/index.js';

/** What is for PostgreSQL alone: `hold_commit`, `annotate`, `rows`. */
const RULE = 'policies: { p: [{ rule: looked-at, hold_commit: { approvers: ["user:ada"], open: 5m } }] }';
const yaml = (connection: string): string => `
listeners: { postgres: { port: 0 }, mysql: { port: 0 }, ssh: { port: 0 }, http: { port: 0 } }
principals: { dev: {}, ada: { roles: [approver] } }
connections:
  one: { ${connection}, access: [dev] }
${RULE}`;
function outcome(connection: string): { config?: Config; problems: string } {
  const loaded = parseConfig(yaml(connection), { file: 'sluice.yaml', env: {} });
  return loaded.ok
    ? { config: loaded.config, problems: '' }
    : { problems: loaded.problems.map(describeProblem).join('\n') };
}
const DATABASE = 'target: { host: db, tls: disable }, credential: { user: app }';

test('changes are looked at before COMMIT in PostgreSQL', () => {
  const { config } = outcome(`protocol: postgres, ${DATABASE}, policies: [p]`);
  expect(config?.connections.get('one')?.rules[0]?.then).toEqual({
    type: 'hold_commit',
    approvers: ['user:ada'],
    timeoutMs: 600_000,
    count: 1,
    fail: false,
    onTimeout: 'deny',
    transaction: { openMs: 300_000, lockWaitMs: 60_000 },
  });
});

test.each([
  ['mysql', DATABASE],
  ['ssh', 'target: { host: h, host_keys: { first_use: true } }, credential: { user: app, password: x }'],
  ['http', 'target: { url: "http://h" }'],
])('and a mistake on a connection by %s', (protocol, rest) => {
  expect(outcome(`protocol: ${protocol}, ${rest}, policies: [p]`).problems).toMatch(
    /rule "looked-at" has "hold_commit", which is for PostgreSQL, and this is /,
  );
});

test('a target is told who has a session, unless a pooler stands between', () => {
  const rows = 'rows: [{ table: public.orders, condition: "true" }]';
  const { config, problems } = outcome(`protocol: postgres, ${DATABASE}, annotate: true, ${rows}`);
  expect(problems).toBe('');
  expect(config?.connections.get('one')).toMatchObject({
    annotate: true,
    rows: [{ table: 'public.orders', condition: 'true' }],
  });
  const pooled = 'target: { host: db, tls: disable, pooled: session }, credential: { user: app }';
  expect(outcome(`protocol: postgres, ${pooled}, annotate: true`).problems).toMatch(/behind a pooler a process/);
  expect(outcome(`protocol: postgres, ${DATABASE}, rows: [{ table: orders, condition: "true" }]`).problems).toMatch(
    /write schema\.table/,
  );
  expect(outcome(`protocol: mysql, ${DATABASE}, annotate: true`).problems).toMatch(/annotate/);
});
