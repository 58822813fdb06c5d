import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ApprovalRequest } from '@sluice/approvals';
import type { ApprovalRow } from '@sluice/api';
import type { Principal } from '@sluice/contract';
import { timeline } from '@sluice/recording';
import { type PostgresServer, findTool, missingPostgres, startPostgres } from '@sluice/testkit';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Stand, failure, openStand, targetOf } from './stand.js';

const RULES = `
    - { rule: deletes, when: 'action.verb == "delete"', hold: { approvers: ["group:engineers"], timeout: 10m } }
    - { rule: brief, when: 'action.verb == "update"', hold: { approvers: ["group:robots"], timeout: 1s } }
    - { rule: two, when: 'action.verb == "truncate"', hold: { approvers: ["group:engineers"], count: 2 } }
    - { rule: failing, when: 'action.verb == "insert"', hold: { approvers: ["group:robots"], fail: true } }
`;
const person = (name: string, groups = ['engineers']): Principal => ({
  name,
  kind: 'person',
  groups,
  roles: ['approver'],
});
const ada = person('ada');
const psql = findTool('psql');
const missing = missingPostgres(18);

describe('statements that wait for people', () => {
  let server: PostgresServer;
  let stand: Stand;
  let direct: pg.Client;
  const check = missing ? test.skip : test;

  beforeAll(async () => {
    if (missing) return;
    server = await startPostgres({ major: 18, auth: 'scram-sha-256' });
    stand = await openStand({ target: targetOf(server), rules: RULES });
    const { host, port, user, password } = server;
    direct = new pg.Client({ host, port, user, password, database: 'postgres' });
    await direct.connect();
    await direct.query('create table t (id int primary key, name text)');
    await direct.query("insert into t select n, 'name ' || n from generate_series(1, 100) n");
  });
  afterAll(async () => {
    await direct?.end();
    await stand?.stop();
    await server?.stop();
  });

  const has = async (id: number): Promise<boolean> =>
    (await direct.query('select from t where id = $1', [id])).rowCount === 1;
  /** The request that waits; there is one, or there will be. */
  const pending = async (): Promise<ApprovalRequest> => {
    for (;;) {
      const found = (await stand.gateway.approvals.recent(10)).find(({ state }) => state === 'pending');
      if (found) return found;
      await sleep(5);
    }
  };
  const decide = async (who: Principal, decision: 'approve' | 'deny', reason = ''): Promise<ApprovalRequest> =>
    stand.gateway.approvals.decide((await pending()).number, who, decision, reason);

  check('an approved statement runs, and its result arrives as if nothing had happened', async () => {
    const client = await stand.client();
    const notices: string[] = [];
    client.on('notice', ({ message }) => notices.push(message ?? ''));
    const result = client.query('delete from t where id = 1 returning name');
    const { number, principal, connection, transaction } = await pending();
    expect({ principal, connection, transaction }).toEqual({ principal: 'dev', connection: 'db', transaction: false });
    expect(await has(1)).toBe(true);
    await decide(ada, 'approve');
    expect((await result).rows).toEqual([{ name: 'name 1' }]);
    expect(await has(1)).toBe(false);
    expect(notices).toEqual([`This statement waits for an approval: request ${number}, rule "deletes".`]);
    expect((await stand.gateway.approvals.find(number))?.used).toBeGreaterThan(0);
    await client.end();
  });

  check('a denied statement fails with the reason, and the session goes on', async () => {
    const client = await stand.client();
    const result = client.query('delete from t where id = $1', [2]).catch((error: unknown) => error);
    expect((await pending()).parameters).toEqual(['2']);
    await decide(ada, 'deny', 'not today');
    const { code, message, detail } = (await result) as pg.DatabaseError;
    expect([code, detail]).toEqual(['42501', 'Refused by rule "deletes".']);
    expect(message).toMatch(/^Request \d+ was denied by ada: not today$/);
    expect((await client.query('select 7 as n')).rows).toEqual([{ n: 7 }]);
    expect(await has(2)).toBe(true);
    await client.end();
  });

  check('nobody answers in time', async () => {
    const client = await stand.client();
    expect(await failure(client.query("update t set name = 'x' where id = 3"))).toBe('42501');
    expect((await direct.query('select name from t where id = 3')).rows).toEqual([{ name: 'name 3' }]);
    await client.end();
  });

  check('a cancel withdraws it in the words of Postgres', async () => {
    const client = await stand.client();
    const result = client.query('delete from t where id = 4').catch((error: unknown) => error);
    const { number } = await pending();
    const other = new pg.Client({ host: '127.0.0.1', port: stand.port }) as pg.Client & {
      connection: { cancel(process: number, secret: number): void; stream: NodeJS.EventEmitter };
    };
    const { processID, secretKey } = client as pg.Client & { processID: number; secretKey: number };
    other.connection.stream.once('connect', () => other.connection.cancel(processID, secretKey));
    other.connection.stream.on('error', () => undefined);
    (other.connection.stream as unknown as { connect(port: number, host: string): void }).connect(
      stand.port,
      '127.0.0.1',
    );
    const { code, message } = (await result) as pg.DatabaseError;
    expect([code, message]).toEqual(['57014', 'canceling statement due to user request']);
    expect((await stand.gateway.approvals.find(number))?.state).toBe('withdrawn');
    expect((await client.query('select 1 as n')).rows).toEqual([{ n: 1 }]);
    expect(await has(4)).toBe(true);
    await client.end();
  });

  check('a client that hangs up withdraws it', async () => {
    const client = await stand.client();
    void client.query('delete from t where id = 5').catch(() => undefined);
    const { number } = await pending();
    (client as pg.Client & { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
    while ((await stand.gateway.approvals.find(number))?.state === 'pending') await sleep(5);
    expect((await stand.gateway.approvals.find(number))?.state).toBe('withdrawn');
    expect(await failure(stand.gateway.approvals.decide(number, ada, 'approve', ''))).toMatch(/withdrawn already/);
    expect(await has(5)).toBe(true);
  });

  check('in a transaction the approver sees that it is open, and a denial fails it', async () => {
    const client = await stand.client();
    await client.query('begin');
    const first = client.query('delete from t where id = 6');
    expect((await pending()).transaction).toBe(true);
    await decide(ada, 'approve');
    expect((await first).rowCount).toBe(1);
    const second = failure(client.query('delete from t where id = 7'));
    await decide(ada, 'deny', 'enough');
    expect(await second).toBe('42501');
    expect(await failure(client.query('select 1'))).toBe('25P02');
    await client.query('rollback');
    expect([await has(6), await has(7)]).toEqual([true, true]);
    await client.end();
  });

  check('a prepared statement needs an approval each time it is bound', async () => {
    const client = await stand.client();
    for (const id of [8, 9]) {
      const result = client.query({ name: 'del', text: 'delete from t where id = $1', values: [id] });
      expect((await pending()).parameters).toEqual([String(id)]);
      await decide(ada, 'approve');
      expect((await result).rowCount).toBe(1);
    }
    await client.end();
  });

  check('approvers see what is behind a name that SQL executes', async () => {
    const client = await stand.client();
    const prepared = client.query('prepare gone (int) as delete from t where id = $1');
    await decide(ada, 'approve');
    await prepared;
    const result = client.query('execute gone(13)');
    expect((await pending()).text).toBe('execute gone(13)\n-- gone: prepare gone (int) as delete from t where id = $1');
    await decide(ada, 'approve');
    expect((await result).rowCount).toBe(1);
    expect(await has(13)).toBe(false);
    await client.end();
  });

  check('the control API shows requests to approvers, and takes their word', async () => {
    const { token } = await stand.gateway.identity.createToken({ principal: 'ada', name: 'test' });
    const call = async (as: string, path: string, body?: unknown): Promise<[number, Partial<ApprovalRow>]> => {
      const headers = { authorization: `Bearer ${as}`, 'content-type': 'application/json' };
      const options = body === undefined ? { headers } : { method: 'POST', headers, body: JSON.stringify(body) };
      const response = await fetch(`${stand.gateway.url}/v1/approvals${path}`, options);
      return [response.status, (await response.json()) as Partial<ApprovalRow>];
    };
    const client = await stand.client();
    const result = client.query('delete from t where id = 14');
    const { number } = await pending();
    expect((await call(stand.token, `/${number}`))[0]).toBe(200);
    expect((await call(stand.token, `/${number}/approve`, {}))[0]).toBe(403);
    expect((await call(token, `/${number}/deny`, {}))[0]).toBe(400);
    expect((await call(token, '/999999'))[0]).toBe(404);
    expect(await call(token, `/${number}`)).toMatchObject([
      200,
      { state: 'pending', text: 'delete from t where id = 14' },
    ]);
    const words = [{ by: 'ada', decision: 'approve', reason: 'ticket 7' }];
    expect(await call(token, `/${number}/approve`, { reason: 'ticket 7' })).toMatchObject([
      200,
      { state: 'approved', words },
    ]);
    expect((await result).rowCount).toBe(1);
    expect((await call(token, `/${number}/approve`, {}))[0]).toBe(409);
    await client.end();
  });

  check('two approvers are two people, and neither is the one who asked', async () => {
    const client = await stand.client();
    const result = client.query('truncate t');
    const { number } = await pending();
    expect(await failure(decide(person('dev'), 'approve'))).toMatch(/of their own/);
    expect(await failure(decide(person('eve', ['robots']), 'approve'))).toMatch(/not among the approvers/);
    await decide(ada, 'approve');
    expect(await failure(decide(ada, 'approve'))).toMatch(/approved request \d+ already/);
    expect((await stand.gateway.approvals.find(number))?.state).toBe('pending');
    await decide(person('bob'), 'deny', 'keep them');
    expect(await failure(result)).toBe('42501');
    expect(await has(10)).toBe(true);
    await client.end();
  });

  check(
    'a program that cannot wait is refused at once; the identical statement passes once after an approval',
    async () => {
      const client = await stand.client();
      const insert = (id: number): Promise<string> =>
        failure(client.query("insert into t values ($1, 'new')", [id]).then(() => Promise.reject(new Error('ran'))));
      expect(await insert(1000)).toBe('42501');
      const { number } = await pending();
      expect(await insert(1000)).toBe('42501');
      expect((await pending()).number).toBe(number);
      await decide(person('eve', ['robots']), 'approve');
      expect(await insert(1001)).toBe('42501');
      await client.query('begin');
      expect(await insert(1000)).toBe('ran');
      await client.query('commit');
      expect(await insert(1000)).toBe('42501');
      expect([await has(1000), await has(1001)]).toEqual([true, false]);
      while ((await stand.gateway.approvals.recent(10)).some(({ state }) => state === 'pending'))
        await decide(person('eve', ['robots']), 'deny', 'done');
      await client.end();
    },
  );

  check('SET sluice.hold = fail, in this session or at its start, has the same done for any rule', async () => {
    const program = await stand.client();
    await program.query('SET sluice.hold = fail');
    expect((await program.query('show sluice.hold')).rows).toEqual([{ 'sluice.hold': 'fail' }]);
    const refused = await program.query('delete from t where id = 60').catch((error: unknown) => error);
    expect((refused as pg.DatabaseError).message).toMatch(/^This statement needs an approval: request \d+\.$/);
    expect((await program.query('select 7 as n')).rows).toEqual([{ n: 7 }]);
    await decide(ada, 'approve');
    await program.end();
    const again = await stand.client({ options: '-c sluice.hold=fail' });
    await again.query('delete from t where id = 60');
    expect(await has(60)).toBe(false);
    expect(await failure(again.query('delete from t where id = 60'))).toBe('42501');
    await decide(ada, 'deny', 'once is enough');
    for (const text of ['set sluice.hold = maybe', "set sluice.hold = 'fail'; set work_mem = '1MB'"])
      expect(await failure(again.query(text)), text).toBe('42501');
    await again.query('reset sluice.hold');
    const waiting = again.query('delete from t where id = 61');
    await decide(ada, 'approve');
    await waiting;
    expect(await has(61)).toBe(false);
    await again.end();
  });

  (missing || !psql ? test.skip : test)('psql shows the notice and takes the result', async () => {
    const env = { ...process.env, PGPASSWORD: stand.token };
    const shell = spawn(
      psql as string,
      ['-X', '-h', '127.0.0.1', '-p', String(stand.port), '-U', 'dev', 'db', '-c', 'delete from t where id = 11'],
      { env },
    );
    const said: string[] = [];
    for (const stream of [shell.stdout, shell.stderr]) stream.on('data', (data: Buffer) => said.push(data.toString()));
    await decide(ada, 'approve');
    await new Promise((resolve) => shell.on('close', resolve));
    expect(said.join('')).toMatch(/NOTICE: {2}This statement waits for an approval: request \d+/);
    expect(said.join('')).toContain('DELETE 1');
  });

  check('the record says who decided, and a restart answers nothing', async () => {
    const client = await stand.client();
    void client.query('delete from t where id = 12').catch(() => undefined);
    const { number, session } = await pending();
    const { folder } = stand;
    const path = folder;
    await stand.gateway.stop();
    const again = await openStand({ target: targetOf(server), rules: RULES, folder: path });
    expect((await again.gateway.approvals.find(number))?.state).toBe('withdrawn');
    expect(await has(12)).toBe(true);
    const said = timeline(join(path, 'data', 'journal'), session).flatMap((entry) =>
      entry.type === 'approval' ? [entry.summary] : [],
    );
    expect(said).toEqual([`request ${number}: requested`, `request ${number}: withdrawn`]);
    await again.stop();
  });
});
