import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { Approvals, type ApprovalRequest, type Storage } from '@sluice/approvals';
import type { Notice, Principal } from '@sluice/contract';
import { type PostgresServer, collectGarbage, findTool, missingPostgres, startPostgres } from '@sluice/testkit';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type Holding, Holds } from '../src/holds.js';
import { type Stand, failure, openStand, targetOf } from './stand.js';

/** Machines are busy. */
const WAIT = { timeout: 20_000 };
const RULES = `
    - { rule: deletes, when: 'action.verb == "delete"', hold: { approvers: ["group:engineers"], timeout: 10m } }
    - { rule: lenient, when: 'action.verb == "update"', hold: { approvers: ["group:robots"], timeout: 1s, on_timeout: allow } }
`;
const ada: Principal = { name: 'ada', kind: 'person', groups: ['engineers'], roles: ['approver'] };
const psql = findTool('psql');

function memory(): Storage {
  const kept = new Map<number, ApprovalRequest>();
  return {
    unfinished: async () => [...kept.values()].filter(({ state }) => state === 'pending'),
    recent: async (most) => [...kept.values()].reverse().slice(0, most),
    reviews: async () => [],
    find: async (number) => kept.get(number),
    last: async () => 0,
    save: async (request) => void kept.set(request.number, request),
  };
}

const holding = (say: (notice: Notice) => void, signal: AbortSignal): Holding => ({
  session: 's',
  principal: 'dev',
  source: {},
  connection: 'db',
  target: '',
  command: { type: 'sql', id: 1, phase: 'run', dialect: { name: 'postgres', major: 18 }, text: 'delete from t' },
  executed: {},
  text: 'delete from t',
  holds: [
    {
      type: 'hold',
      rule: 'deletes',
      approvers: ['group:engineers'],
      timeoutMs: 600_000,
      count: 1,
      onTimeout: 'deny',
      fail: false,
    },
  ],
  waits: true,
  state: '',
  waiter: { answersDelivered: async () => 'idle', say, signal },
  draining: new AbortController().signal,
  impact: async () => undefined,
});

describe('a client that waits', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  test('is told at once, and every half minute', async () => {
    const approvals = await Approvals.open(memory(), () => undefined);
    const holds = new Holds(approvals, Buffer.alloc(32), true);
    const said: Notice[] = [];
    const gone = new AbortController();
    const released = holds.release(holding((text) => said.push(text), gone.signal));
    await vi.advanceTimersByTimeAsync(0);
    expect(said).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(29_000);
    expect(said).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(61_000);
    expect(said).toHaveLength(4);
    for (const notice of said) {
      expect(notice).toEqual({
        code: 'command-waits',
        request: 1,
        rules: ['deletes'],
        approvers: '1 of group:engineers',
      });
    }
    await approvals.decide(1, ada, 'approve', '');
    expect(await released).toBeUndefined();
    await vi.advanceTimersByTimeAsync(120_000);
    expect(said).toHaveLength(4);
  });

  test('is refused when the time is up, however the clock was set meanwhile', async () => {
    let now = 1_000_000;
    const approvals = await Approvals.open(memory(), () => undefined, { now: () => now });
    const holds = new Holds(approvals, Buffer.alloc(32), true);
    const released = holds.release(holding(() => undefined, new AbortController().signal));
    await vi.advanceTimersByTimeAsync(0);
    // Back by an hour: it waits for longer, and for no approval to come by itself.
    now -= 3_600_000;
    await vi.advanceTimersByTimeAsync(600_000);
    expect((await approvals.find(1))?.state).toBe('pending');
    // Ahead by a day: it is over at the next look, and an approval is late.
    now += 86_400_000;
    const late = await approvals.decide(1, ada, 'approve', '');
    expect(late.state).toBe('expired');
    expect(await released).toMatchObject({ type: 'deny', message: 'Nobody answered request 1 in time.' });
  });
});

describe.skipIf(missingPostgres(18))('what ends a wait', () => {
  if (missingPostgres(18)) return;
  let server: PostgresServer;
  let stand: Stand;
  beforeEach(async () => {
    server = await startPostgres({ major: 18 });
    const direct = new pg.Client({ ...server, database: 'postgres' });
    await direct.connect();
    await direct.query('create table t (id int primary key); insert into t select generate_series(1, 2000)');
    await direct.end();
    stand = await openStand({
      target: targetOf(server),
      rules: RULES,
      limits: '{ sessions_per_principal: 2000, drain: 5s }',
    });
  });
  afterEach(async () => {
    await stand.stop();
    await server.stop();
  });
  const state = async (number: number): Promise<ApprovalRequest['state'] | undefined> =>
    (await stand.gateway.approvals.find(number))?.state;
  const asked = (count: number): Promise<void> =>
    vi.waitFor(() => expect(stand.gateway.approvals.pending).toBe(count), { timeout: 60_000 });

  test('on_timeout: allow lets it pass when the time is up', async () => {
    const client = await stand.client();
    expect((await client.query('update t set id = 0 where id = 7')).rowCount).toBe(1);
    expect(await state(1)).toBe('expired');
    await client.end();
  });

  test('a session that is killed withdraws its request', async () => {
    const client = await stand.client();
    const ended = failure(client.query('delete from t where id = 1'));
    await asked(1);
    for (const session of stand.gateway.sessions.values()) session.end({ code: 'ended-by-administrator' });
    expect(await ended).not.toBe('no error');
    await vi.waitFor(async () => expect(await state(1)).toBe('withdrawn'), WAIT);
    await expect(stand.gateway.approvals.decide(1, ada, 'approve', '')).rejects.toThrow('withdrawn already');
  });

  test('a gateway that stops withdraws it, and tells the client', async () => {
    const client = await stand.client();
    const ended = failure(client.query('delete from t where id = 1'));
    await asked(1);
    await stand.gateway.stop();
    // In the words of a server that is shut down.
    expect(await ended).toBe('57P01');
    await vi.waitFor(() => expect(stand.gateway.sessions.size).toBe(0), WAIT);
  });

  test.skipIf(!psql)(
    'Ctrl+C in psql cancels the statement',
    async () => {
      const shell = spawn(psql as string, ['-X', '-h', '127.0.0.1', '-p', String(stand.port), '-U', 'dev', 'db'], {
        env: { ...process.env, PGPASSWORD: stand.token },
      });
      const closed = new Promise((resolve) => shell.once('close', resolve));
      let said = '';
      for (const stream of [shell.stdout, shell.stderr]) stream.on('data', (data: Buffer) => (said += data.toString()));
      shell.stdin.write('delete from t where id = 2;\n');
      await asked(1);
      await vi.waitFor(() => expect(said).toContain('waits for an approval'), WAIT);
      shell.kill('SIGINT');
      await vi.waitFor(() => expect(said).toContain('ERROR:  canceling statement due to user request'), WAIT);
      await closed;
      expect(await state(1)).toBe('withdrawn');
    },
    60_000,
  );

  test('a thousand at once cost little memory each, keep nobody else waiting, and are all released', async () => {
    const COUNT = 1000;
    const small = Buffer.from(`delete from t where id = $1 -- ${'x'.repeat(1000)}`).toString();
    const clients = await Promise.all(Array.from({ length: 50 }, () => stand.client()));
    await Promise.all(clients.map((client) => client.end()));
    collectGarbage();
    const before = process.memoryUsage().heapUsed;
    const program = await stand.client();
    await program.query('set sluice.hold = fail');
    // Requests of programs that do not wait, and of clients that do.
    for (let n = 1; n <= COUNT - 50; n++) await failure(program.query(small, [n]));
    const waiting = await Promise.all(Array.from({ length: 50 }, () => stand.client()));
    const results = waiting.map((client, n) => client.query(small, [COUNT - 49 + n]));
    await asked(COUNT);
    collectGarbage();
    const each = (process.memoryUsage().heapUsed - before) / COUNT;
    expect(each).toBeLessThan(64 * 1024);
    const other = await stand.client();
    expect((await other.query('select 7 as n')).rows).toEqual([{ n: 7 }]);
    for (let number = 1; number <= COUNT; number++) await stand.gateway.approvals.decide(number, ada, 'approve', '');
    expect((await Promise.all(results)).map(({ rowCount }) => rowCount)).toEqual(Array.from({ length: 50 }, () => 1));
    for (let n = 1; n <= 20; n++) expect((await program.query(small, [n])).rowCount).toBe(1);
    for (const client of [program, other, ...waiting]) await client.end();
    await sleep(0);
  }, 180_000);
});
