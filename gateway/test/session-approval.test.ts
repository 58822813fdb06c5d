import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ApprovalRequest } from '@sluice/approvals';
import type { Principal } from '@sluice/contract';
import { type PostgresServer, findTool, missingPostgres, missingTool, startPostgres } from '@sluice/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { type Stand, failure, openStand, targetOf } from './stand.js';

const missing = missingPostgres(18);
const check = missing ? test.skip : test;

let server: PostgresServer;
let stand: Stand;

beforeAll(async () => {
  if (!missing) server = await startPostgres({ major: 18 });
});
afterAll(() => server?.stop());

const open = (more = ''): Promise<Stand> =>
  openStand({
    target: targetOf(server),
    limits: '{ handshake: 1s }',
    connection: `approval: { approvers: ["user:ada"], timeout: 1m, window: 1h${more} }`,
  });

beforeEach(async () => {
  if (!missing) stand = await open();
});
afterEach(() => stand?.stop());

const ada: Principal = { name: 'ada', kind: 'person', groups: ['engineers'], roles: ['approver'] };

async function pending({ gateway } = stand): Promise<ApprovalRequest> {
  for (;;) {
    const found = (await gateway.approvals.recent(10)).find(({ state }) => state === 'pending');
    if (found) return found;
    await sleep(10);
  }
}

const decide = async (decision: 'approve' | 'deny', reason = ''): Promise<ApprovalRequest> =>
  stand.gateway.approvals.decide((await pending()).number, ada, decision, reason);

check(
  'a session waits before the target is reached, longer than a login may take, and begins when people agree',
  async () => {
    const login = stand.client();
    const request = await pending();
    expect(request).toMatchObject({ kind: 'session', principal: 'dev', connection: 'db', window: 3_600_000 });
    await sleep(1200);
    expect([...stand.gateway.sessions.values()].map(({ state }) => state)).toEqual(['login']);
    await decide('approve');
    const client = await login;
    expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    await client.end();
  },
);

check(
  'what people agreed to is good for the window, for this principal on this connection, and not for another',
  async () => {
    const login = stand.client();
    await decide('approve');
    await (await login).end();
    await (await stand.client()).end();
    await (await stand.client()).end();
    expect(await stand.gateway.approvals.recent(10)).toHaveLength(1);

    const { token } = await stand.gateway.identity.createToken({ principal: 'ada', name: 't', roles: ['user'] });
    expect(await failure(stand.client({ user: 'ada', password: token }))).toBe('42501');
  },
);

check('a protocol that does not ask for the release reaches nothing', async () => {
  const login = stand.client();
  await pending();
  const [session] = stand.gateway.sessions.values();
  await expect(session?.dial()).rejects.toThrow('before people have agreed');
  await decide('approve');
  await (await login).end();
});

check('a denial, and a time-out, refuse it in words', async () => {
  const denied = stand.client().catch((error: Error) => error.message);
  await decide('deny', 'not on a Friday');
  expect(await denied).toMatch(/Request \d+ was denied by ada: not on a Friday/);
  const late = stand.client().catch((error: Error) => error.message);
  stand.gateway.approvals.expire((await pending()).number);
  expect(await late).toMatch(/Nobody answered request \d+ in time/);
});

check('nobody agrees to their own, nor without being named', async () => {
  const login = stand.client();
  const { number } = await pending();
  const { approvals } = stand.gateway;
  expect(await failure(approvals.decide(number, { ...ada, name: 'dev' }, 'approve', ''))).toMatch(/of their own/);
  expect(await failure(approvals.decide(number, { ...ada, name: 'eve' }, 'approve', ''))).toMatch(/not among/);
  await decide('approve');
  await (await login).end();
});

check('clients of one principal wait for one answer, and a request outlives who made it', async () => {
  const logins = [stand.client(), stand.client(), stand.client()];
  await pending();
  while (stand.gateway.sessions.size < 3) await sleep(10);
  expect(await stand.gateway.approvals.recent(10)).toHaveLength(1);
  await decide('approve');
  for (const client of await Promise.all(logins)) await client.end();
});

check('the gateway stops although a session waits', async () => {
  const login = stand.client().catch((error: Error) => error.message);
  await pending();
  await stand.stop();
  expect(await login).toMatch(/withdrawn|shutting down/);
});

check('a client that cannot wait is refused at once with the number, and logs in once it is approved', async () => {
  const other = await open(', fail: true');
  try {
    const message = await other.client().then(
      () => 'logged in',
      (error: Error) => error.message,
    );
    const { number } = await pending(other);
    expect(message).toContain(`request ${number}`);
    expect(await failure(other.client())).toBe('42501');
    expect(await other.gateway.approvals.recent(10)).toHaveLength(1);
    await other.gateway.approvals.decide(number, ada, 'approve', '');
    await (await other.client()).end();
  } finally {
    await other.stop();
  }
});

const psql = findTool('psql');
const withPsql = missing || missingTool('psql') ? test.skip : test;

withPsql(
  'psql shows the number while it waits; when it is killed, its session is gone and the request is not',
  async () => {
    const connection = `host=127.0.0.1 port=${stand.port} user=dev dbname=db`;
    const start = () =>
      spawn(psql ?? '', [connection, '-Atc', 'select 42'], { env: { ...process.env, PGPASSWORD: stand.token } });
    const first = start();
    let shown = '';
    first.stderr.on('data', (chunk: Buffer) => (shown += chunk.toString()));
    const { number } = await pending();
    while (!shown.includes(`sluice approvals approve ${number}`)) await sleep(10);
    expect(shown).toContain(`NOTICE:  This session waits for an approval: request ${number}.`);
    first.kill('SIGKILL');
    while (stand.gateway.sessions.size > 0) await sleep(10);
    expect((await pending()).number).toBe(number);

    const second = start();
    let got = '';
    second.stdout.on('data', (chunk: Buffer) => (got += chunk.toString()));
    const ended = new Promise((resolve) => second.once('close', resolve));
    while (stand.gateway.sessions.size === 0) await sleep(10);
    await decide('approve');
    await ended;
    expect(got).toBe('42\n');
  },
);
