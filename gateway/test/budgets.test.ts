/** Budgets and bounds of answers at a real PostgreSQL: never one row more than allowed, whichever way rows are asked for, and words for who is stopped. */
import { once } from 'node:events';
import { cpSync, globSync, rmSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ApprovalRequest } from '@sluice/approvals';
import { type PostgresServer, missingPostgres, startPostgres, temporaryFolder } from '@sluice/testkit';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Stand, openStand, targetOf } from './stand.js';

type Failure = Error & { code?: string; detail?: string; hint?: string };

async function failed(attempt: Promise<unknown>): Promise<Failure> {
  try {
    await attempt;
  } catch (error) {
    return error as Failure;
  }
  throw new Error('it did not fail');
}

/** What pg knows of its connection and says in no types. */
interface Connection {
  removeAllListeners(event: string): void;
  on(
    event: string,
    listener: (message: { name: string; length: number; code?: string; status?: string }) => void,
  ): void;
  query(text: string): void;
  parse(query: { name?: string; text: string }): void;
  bind(config: { portal?: string; statement?: string }): void;
  execute(config: { portal?: string; rows?: number }): void;
  sync(): void;
}

/** A client that says what messages it gets, up to a ReadyForQuery. */
async function wire(stand: Stand): Promise<{
  readonly send: Connection;
  next(): Promise<{ readonly rows: number; readonly bytes: number; readonly heard: readonly string[] }>;
  end(): Promise<void>;
}> {
  const client = await stand.client();
  const { connection } = client as unknown as { connection: Connection };
  let heard: string[] = [];
  let rows = 0;
  let bytes = 0;
  const ready: (() => void)[] = [];
  let turns = 0;
  for (const event of EVENTS) {
    connection.removeAllListeners(event);
    connection.on(event, (message) => {
      if (event === 'dataRow' || event === 'copyData') {
        rows++;
        bytes += message.length;
      } else heard.push(event === 'errorMessage' ? `error ${message.code}` : event);
      if (event !== 'readyForQuery') return;
      heard[heard.length - 1] = `ready ${message.status}`;
      turns++;
      ready.shift()?.();
    });
  }
  return {
    send: connection,
    next: async () => {
      if (turns === 0) await new Promise<void>((resolve) => ready.push(resolve));
      turns--;
      const got = { rows, bytes, heard };
      heard = [];
      rows = bytes = 0;
      return got;
    },
    end: () => client.end(),
  };
}

const EVENTS = [
  'dataRow',
  'copyData',
  'copyOutResponse',
  'copyDone',
  'errorMessage',
  'readyForQuery',
  'commandComplete',
  'portalSuspended',
  'notice',
  'rowDescription',
  'parseComplete',
  'bindComplete',
  'emptyQuery',
];

const ADA = { name: 'ada', kind: 'person', groups: ['engineers'], roles: ['approver'] } as const;
const missing = missingPostgres(18);

describe.skipIf(missing !== undefined)(`budgets at PostgreSQL${missing === undefined ? '' : ` (${missing})`}`, () => {
  let server: PostgresServer;
  let direct: pg.Client;
  const stops: (() => Promise<void>)[] = [];

  beforeAll(async () => {
    server = await startPostgres({ major: 18 });
    direct = new pg.Client({
      host: '127.0.0.1',
      port: server.port,
      user: server.user,
      password: server.password,
      database: 'postgres',
    });
    await direct.connect();
    await direct.query('CREATE TABLE made (n int)');
  });

  afterAll(async () => {
    await direct.end();
    await server.stop();
  });

  afterEach(async () => {
    for (const stop of stops.splice(0).reverse()) await stop();
  });

  async function open(rules: string, more: Partial<Parameters<typeof openStand>[0]> = {}): Promise<Stand> {
    const stand = await openStand({ target: targetOf(server), rules, ...more });
    stops.push(stand.stop);
    return stand;
  }

  async function connected(stand: Stand, options?: pg.ClientConfig): Promise<pg.Client> {
    const client = await stand.client(options);
    stops.push(() => client.end());
    return client;
  }

  test('statements: a refusal says which budget, how much of it, when there is room again and whom to ask', async () => {
    const stand = await open(`
    - { rule: few, budget: { statements: 3, within: 1h, ask: "Ask the data team." } }`);
    const client = await connected(stand);
    for (let n = 0; n < 3; n++) await client.query('SELECT 1');
    const failure = await failed(client.query('SELECT 1'));
    expect(failure.code).toBe('53400');
    expect(failure.message).toBe('Budget "few" is used up: 3 of 3 statements within 1 h.');
    expect(failure.detail).toBe('Refused by rule "few".');
    expect(failure.hint).toMatch(/^There is room again at \d{4}-\d\d-\d\d \d\d:\d\d UTC\. Ask the data team\.$/);
    // By another token, and in another session, it is the same person.
    const { token } = await stand.gateway.identity.createToken({ principal: 'dev', name: 'other' });
    const other = await connected(stand, { password: token });
    expect((await failed(other.query({ text: 'SELECT $1::int', values: [1] }))).code).toBe('53400');
  });

  test('statements: a prepared one counts each time it is bound, one that is only prepared does not', async () => {
    const stand = await open(`
    - { rule: few, budget: { statements: 2 } }`);
    const client = await connected(stand);
    await client.query({ name: 'one', text: 'SELECT $1::int AS n', values: [1] });
    await client.query({ name: 'one', text: 'SELECT $1::int AS n', values: [2] });
    expect((await failed(client.query({ name: 'one', text: 'SELECT $1::int AS n', values: [3] }))).code).toBe('53400');
  });

  test('statements: a text of several counts each, and what a session begins with counts none', async () => {
    const stand = await open(`
    - { rule: few, budget: { statements: 3, at_once: 1 } }`);
    const client = await connected(stand, {
      options: '-c statement_timeout=9s -c work_mem=8MB',
      application_name: 'x',
    });
    await client.query('SELECT 1; SELECT 2');
    expect((await failed(client.query('SELECT 1; SELECT 2'))).code).toBe('53400');
    await client.query('SELECT 1');
    // Without any left a session begins all the same, and says so by its statements.
    const other = await connected(stand, { application_name: 'y' });
    expect((await failed(other.query('SELECT 1'))).code).toBe('53400');
  });

  test('rows: never one more than allowed, by whichever way they are asked for', { timeout: 240_000 }, async () => {
    const ways: Record<string, (client: Awaited<ReturnType<typeof wire>>) => Promise<number>> = {
      'one at a time': async ({ send, next }) => {
        send.query('SELECT 1');
        return (await next()).rows;
      },
      'a simple query': async ({ send, next }) => {
        send.query('SELECT * FROM generate_series(1, 10)');
        return (await next()).rows;
      },
      'several results': async ({ send, next }) => {
        send.query('SELECT * FROM generate_series(1, 4); SELECT * FROM generate_series(1, 4)');
        return (await next()).rows;
      },
      COPY: async ({ send, next }) => {
        send.query('COPY (SELECT * FROM generate_series(1, 9)) TO STDOUT');
        return (await next()).rows;
      },
      'a cursor': async ({ send, next }) => {
        send.query('BEGIN; DECLARE c CURSOR FOR SELECT * FROM generate_series(1, 50)');
        await next();
        send.query('FETCH 7 FROM c');
        const { rows } = await next();
        send.query('ROLLBACK');
        await next();
        return rows;
      },
      'a portal with a row limit': async ({ send, next }) => {
        send.parse({ text: 'SELECT * FROM generate_series(1, 20)' });
        send.bind({});
        for (let n = 0; n < 4; n++) send.execute({ rows: 3 });
        send.sync();
        return (await next()).rows;
      },
      'a pipeline': async ({ send, next }) => {
        send.parse({ name: 'p', text: 'SELECT * FROM generate_series(1, 3)' });
        for (let n = 0; n < 5; n++) {
          send.bind({ statement: 'p' });
          send.execute({});
          send.sync();
        }
        let rows = 0;
        for (let n = 0; n < 5; n++) rows += (await next()).rows;
        return rows;
      },
    };
    for (const [name, way] of Object.entries(ways)) {
      const stand = await open(`
    - { rule: rows, budget: { rows: 25 } }`);
      const clients = await Promise.all([1, 2, 3].map(() => wire(stand)));
      let rows = 0;
      for (let round = 0; round < 9; round++) {
        const got = await Promise.all(
          clients.map(async (client) => {
            // A name that is prepared again is an error of its own.
            if (name === 'a pipeline') {
              client.send.query('DEALLOCATE ALL');
              await client.next();
            }
            return way(client);
          }),
        );
        rows += got.reduce((sum, one) => sum + one, 0);
      }
      expect([name, rows]).toEqual([name, 25]);
      await Promise.all(clients.map((client) => client.end()));
    }
  });

  test('bytes are counted too, and what a statement says in notices', async () => {
    const stand = await open(`
    - { rule: bytes, budget: { bytes: 5000 } }
    - { rule: code, when: 'action.verb == "do"', allow: true }`);
    const client = await wire(stand);
    let bytes = 0;
    for (let n = 0; n < 20; n++) {
      client.send.query("SELECT repeat('x', 300) FROM generate_series(1, 4)");
      bytes += (await client.next()).bytes;
    }
    // Rows with their headers.
    expect(bytes).toBeGreaterThan(4_500);
    expect(bytes).toBeLessThanOrEqual(5_000);
    await client.end();
    const other = await open(`
    - { rule: bytes, budget: { bytes: 5000 } }
    - { rule: code, when: 'action.verb == "do"', allow: true }`);
    const talker = await wire(other);
    talker.send.query("DO $$ BEGIN FOR i IN 1..100 LOOP RAISE NOTICE '%', repeat('x', 500); END LOOP; END $$");
    const { heard } = await talker.next();
    expect(heard.filter((one) => one === 'notice').length).toBeLessThan(10);
    expect(heard).toContain('error 53400');
    await talker.end();
  });

  test('a kill -9 of the process would forget nothing: what was given out is on disk when it goes', async () => {
    const { path: folder, remove } = temporaryFolder('budgets');
    stops.push(() => Promise.resolve(remove()));
    const rules = `
    - { rule: rows, budget: { rows: 40, within: 1h } }`;
    const stand = await openStand({ target: targetOf(server), rules, folder });
    stops.push(stand.stop);
    const client = await stand.client();
    await client.query('SELECT * FROM generate_series(1, 30)');
    // What a process that is killed leaves behind: the files as they are.
    const { path: copy, remove: removeCopy } = temporaryFolder('budgets');
    stops.push(() => Promise.resolve(removeCopy()));
    cpSync(folder, copy, { recursive: true });
    for (const lock of globSync('**/*.lock', { cwd: copy })) rmSync(join(copy, lock));
    await client.end();
    const again = await openStand({ target: targetOf(server), rules, folder: copy });
    stops.push(again.stop);
    const other = await wire(again);
    other.send.query('SELECT * FROM generate_series(1, 30)');
    const { rows, heard } = await other.next();
    expect(rows).toBe(10);
    expect(heard).toContain('error 53400');
    await other.end();
  });

  test('at once: two run, the third is refused, and passes when one is over or was cancelled', async () => {
    const stand = await open(`
    - { rule: two, budget: { at_once: 2 } }`);
    const [one, two, three] = await Promise.all([1, 2, 3].map(() => connected(stand)));
    // A query fails with its error, and is over when the server is ready for the next one.
    const over = Promise.all([once(one as pg.Client, 'drain'), once(two as pg.Client, 'drain')]);
    const first = failed((one as pg.Client).query('SELECT pg_sleep(60)'));
    const second = failed((two as pg.Client).query('SELECT pg_sleep(60)'));
    await running(2);
    expect((await failed((three as pg.Client).query('SELECT 1'))).message).toMatch(/2 of 2 run at once already/);
    await direct.query("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)'");
    expect([(await first).code, (await second).code]).toEqual(['57014', '57014']);
    await over;
    await (three as pg.Client).query('SELECT 1');
  });

  test('at once: what is bound and never executed gives its place back when its portal is gone', async () => {
    const stand = await open(`
    - { rule: one, budget: { at_once: 1 } }`);
    const client = await wire(stand);
    const gone: Record<string, () => void> = {
      'a Sync ends the transaction': () => client.send.sync(),
      'a new portal': () => {
        client.send.query('SELECT 1');
      },
    };
    for (const [name, end] of Object.entries(gone)) {
      client.send.parse({ text: 'SELECT 1' });
      client.send.bind({});
      end();
      await client.next();
      client.send.query('SELECT 2');
      expect([name, (await client.next()).heard]).toEqual([name, expect.not.arrayContaining(['error 53400'])]);
    }
    // Within a transaction it may still be executed, and ends with it.
    client.send.query('BEGIN');
    await client.next();
    client.send.parse({ text: 'SELECT 1' });
    client.send.bind({ portal: 'p' });
    client.send.sync();
    await client.next();
    client.send.query('SELECT 2');
    expect((await client.next()).heard).toContain('error 53400');
    // Whoever has no place left can give theirs back.
    const other = await wire(stand);
    client.send.query('ROLLBACK');
    expect((await client.next()).heard).toContain('commandComplete');
    other.send.query('SELECT 3');
    expect((await other.next()).rows).toBe(1);
    await Promise.all([client.end(), other.end()]);
  });

  test('at once: who hangs up while a statement is judged leaves nothing behind that runs', async () => {
    const stand = await open(`
    - { rule: one, budget: { at_once: 1 } }`);
    const left = await Promise.all(Array.from({ length: 4 }, () => stand.client()));
    for (const [at, client] of left.entries()) {
      const { stream } = (client as unknown as { connection: { stream: Socket } }).connection;
      const text = Buffer.from(`SELECT ${at}${', 1 + 1'.repeat(1_000)}\0`);
      const head = Buffer.from([0x51, 0, 0, 0, 0]);
      head.writeInt32BE(4 + text.length, 1);
      stream.end(Buffer.concat([head, text]), () => stream.destroy());
    }
    while (stand.gateway.sessions.size > 0) await sleep(10);
    const client = await connected(stand);
    // Judged behind those of the others.
    for (let n = 0; n < 8; n++) await client.query(`SELECT ${n}${', 2 + 2'.repeat(1_000)}`);
  });

  async function running(count: number): Promise<void> {
    for (;;) {
      const { rows } = await direct.query(
        "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active'",
      );
      if (rows.length === count) return;
      await sleep(20);
    }
  }

  test('what is observed is counted and refuses nothing, and is on record as matched', async () => {
    const stand = await open(`
    - { rule: later, mode: observe, budget: { statements: 1 } }`);
    const client = await connected(stand);
    for (let n = 0; n < 5; n++) await client.query('SELECT 1');
    expect(stand.gateway.counters.budgets.get('["later","statements"]')?.amount).toBe(5);
  });

  test('people release a statement that has no room, once', async () => {
    const stand = await open(`
    - { rule: few, budget: { statements: 1, hold: { approvers: ["user:ada"], timeout: 1m } } }`);
    const client = await connected(stand);
    await client.query('SELECT 1');
    const waiting = client.query('SELECT 2 AS n');
    while (stand.gateway.approvals.pending === 0) await sleep(10);
    const [request] = await stand.gateway.approvals.recent(1);
    await stand.gateway.approvals.decide(request?.number ?? 0, ADA, 'approve', '');
    expect((await waiting).rows).toEqual([{ n: 2 }]);
  });

  test('who releases a statement by another rule releases no budget, and each rule has its own people', async () => {
    const stand = await open(
      `
    - { rule: looked-at, when: 'action.verb == "select"', hold: { approvers: ["user:ada"], timeout: 1m } }
    - { rule: few, budget: { statements: 1, hold: { approvers: ["user:bob"], timeout: 1m } } }
    - { rule: fewer, budget: { statements: 1, within: 2h, hold: { approvers: ["user:cleo"], timeout: 1m } } }`,
      {
        principals: `  bob: { groups: [engineers], roles: [approver] }\n  cleo: { groups: [engineers], roles: [approver] }`,
      },
    );
    const client = await connected(stand);
    const asked = async (): Promise<ApprovalRequest> => {
      while (stand.gateway.approvals.pending === 0) await sleep(10);
      const [request] = await stand.gateway.approvals.recent(1);
      return request as ApprovalRequest;
    };
    const says = async (name: string): Promise<void> => {
      const { number } = await asked();
      await stand.gateway.approvals.decide(number, { ...ADA, name }, 'approve', '');
    };
    const first = client.query('SELECT 1 AS n');
    expect((await asked()).requirements.map(({ rule }) => rule)).toEqual(['looked-at']);
    await says('ada');
    expect((await first).rows).toEqual([{ n: 1 }]);
    const second = client.query('SELECT 2 AS n');
    expect((await asked()).requirements.map(({ rule }) => rule)).toEqual(['looked-at', 'few', 'fewer']);
    for (const name of ['ada', 'bob', 'cleo']) await says(name);
    expect((await second).rows).toEqual([{ n: 2 }]);
  });

  describe('bounds of one answer', () => {
    test('an answer fails at the bound behind what was sent, and the transaction with it', async () => {
      const stand = await open(`
    - { rule: most, max_rows: 5 }`);
      const client = await wire(stand);
      client.send.query('SELECT * FROM generate_series(1, 5)');
      expect(await client.next()).toMatchObject({ rows: 5, heard: ['rowDescription', 'commandComplete', 'ready I'] });
      client.send.query('SELECT * FROM generate_series(1, 6)');
      expect(await client.next()).toMatchObject({ rows: 5, heard: ['rowDescription', 'error 53400', 'ready I'] });
      client.send.query('COPY (SELECT * FROM generate_series(1, 1000000)) TO STDOUT');
      expect(await client.next()).toMatchObject({ rows: 5, heard: ['copyOutResponse', 'error 53400', 'ready I'] });
      client.send.query('BEGIN');
      await client.next();
      client.send.query('SELECT * FROM generate_series(1, 3000000)');
      expect(await client.next()).toMatchObject({ rows: 5, heard: ['rowDescription', 'error 53400', 'ready E'] });
      client.send.query('ROLLBACK');
      await client.next();
      // What follows is whole, and the session goes on.
      client.send.query('SELECT * FROM generate_series(1, 4)');
      expect((await client.next()).rows).toBe(4);
      await client.end();
    });

    test('a pipeline fails at it, and what was sent behind a large answer does not run', async () => {
      await direct.query('TRUNCATE made');
      const stand = await open(`
    - { rule: most, max_rows: 5 }`);
      const client = await wire(stand);
      client.send.parse({ text: 'SELECT * FROM generate_series(1, 3000000)' });
      client.send.bind({});
      client.send.execute({});
      client.send.parse({ text: 'INSERT INTO made VALUES (1)' });
      client.send.bind({});
      client.send.execute({});
      client.send.sync();
      const { rows, heard } = await client.next();
      expect([rows, heard.at(-2), heard.at(-1)]).toEqual([5, 'error 53400', 'ready I']);
      expect((await direct.query('SELECT * FROM made')).rows).toEqual([]);
      client.send.query('SELECT 1');
      expect((await client.next()).rows).toBe(1);
      await client.end();
    });

    test('a portal that is read in parts has all of them together', async () => {
      const stand = await open(`
    - { rule: most, max_rows: 5 }`);
      const client = await wire(stand);
      client.send.parse({ text: 'SELECT * FROM generate_series(1, 20)' });
      client.send.bind({});
      client.send.execute({ rows: 2 });
      client.send.execute({ rows: 2 });
      client.send.execute({ rows: 2 });
      client.send.sync();
      const { rows, heard } = await client.next();
      expect([rows, heard.at(-2)]).toEqual([5, 'error 53400']);
      await client.end();
    });

    test('bytes, with masks as without', async () => {
      await direct.query('CREATE TABLE IF NOT EXISTS people (name text); TRUNCATE people');
      await direct.query("INSERT INTO people SELECT repeat('n', 200) FROM generate_series(1, 100)");
      for (const mask of ['', '\n    - { rule: names, mask: { columns: ["people.name"], with: redact } }']) {
        const stand = await open(`
    - { rule: most, max_bytes: 2KiB }${mask}`);
        const client = await wire(stand);
        client.send.query('SELECT name FROM people');
        const { rows, heard } = await client.next();
        expect([rows, heard]).toEqual([9, ['rowDescription', 'error 53400', 'ready I']]);
        await client.end();
      }
    });

    test('a timeout cancels at the target, whatever the session sets, and says whose it is', async () => {
      const stand = await open(`
    - { rule: fast, when: 'action.verb == "select"', timeout: 900ms }`);
      const client = await connected(stand);
      await client.query('SET statement_timeout = 0');
      const failure = await failed(client.query('SELECT pg_sleep(30)'));
      expect([failure.code, failure.message]).toEqual([
        '57014',
        'The statement took longer than the 900 ms that rule "fast" allows, and was cancelled.',
      ]);
      await running(0);
      await client.query('BEGIN');
      expect((await failed(client.query({ text: 'SELECT pg_sleep($1)', values: [30] }))).code).toBe('57014');
      expect((await failed(client.query('SELECT 1'))).code).toBe('25P02');
      await client.query('ROLLBACK');
      // One behind the other has a time of its own each.
      await Promise.all(Array.from({ length: 8 }, () => client.query('SELECT pg_sleep(0.2)')));
    });

    test('in one pipeline with others a statement has the time of its own rule, and they have none of it', async () => {
      const stand = await open(`
    - { rule: fast, when: 'action.verb == "select"', timeout: 600ms }`);
      const { send, next, end } = await wire(stand);
      stops.push(end);
      const slow = 'INSERT INTO made VALUES ((pg_sleep(1.1) IS NULL)::int)';
      const pipeline = async (...texts: readonly string[]): Promise<readonly string[]> => {
        for (const text of texts) {
          send.parse({ text });
          send.bind({});
          send.execute({});
        }
        send.sync();
        return (await next()).heard.filter((one) => /command|error|ready/.test(one));
      };
      // The target says of none that it is over before the Sync, unless it is asked.
      expect(await pipeline(slow, 'SELECT pg_sleep(30)')).toEqual(['commandComplete', 'error 57014', 'ready I']);
      expect(await pipeline('SELECT 1', slow)).toEqual(['commandComplete', 'commandComplete', 'ready I']);
      expect(await pipeline('SELECT 1', slow, 'SELECT 2', slow, 'SELECT 3')).toEqual([
        ...Array.from({ length: 5 }, () => 'commandComplete'),
        'ready I',
      ]);
      send.parse({ text: slow });
      send.bind({});
      send.execute({});
      send.query('SELECT pg_sleep(30)');
      expect((await next()).heard.filter((one) => /command|error|ready/.test(one))).toEqual([
        'commandComplete',
        'error 57014',
        'ready I',
      ]);
      await running(0);
    });

    test('a statement that catches its cancellation is not waited for', { timeout: 40_000 }, async () => {
      const stand = await open(`
    - { rule: fast, timeout: 200ms }
    - { rule: code, when: 'action.verb == "do"', allow: true }`);
      const client = await connected(stand);
      const stubborn = `DO $$ BEGIN FOR i IN 1..60 LOOP BEGIN PERFORM pg_sleep(1); EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; END $$`;
      expect((await failed(client.query(stubborn))).message).toMatch(/did not stop a statement whose time was over/);
    });
  });
});
