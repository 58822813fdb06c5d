/**
 * What an approval is bound to besides the command and who asks. Lives here: that it releases nothing on another target, by
 * another account or under other rules. Does not: who may give one, see approvers.test.ts.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ApprovalRequest } from '@sluice/approvals';
import type { ApprovalRow } from '@sluice/api';
import { parseConfig } from '@sluice/config';
import type { Principal } from '@sluice/contract';
import { type PostgresServer, missingPostgres, startPostgres, temporaryFolder } from '@sluice/testkit';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { readConfiguration } from '../src/configuration.js';
import { boundTo } from '../src/snapshot.js';
import { caller } from './control.js';
import { type Stand, failure, openStand, targetOf } from './stand.js';

const RULES = `
    - { rule: deletes, when: 'action.verb == "delete"', hold: { approvers: ["group:engineers"], timeout: 10m } }
    - { rule: hidden, mask: { columns: ["t.secret"] } }
`;
const DELETE = 'delete from t where id = 1 returning secret';
const ada: Principal = { name: 'ada', kind: 'person', groups: ['engineers'], roles: ['approver'] };

test('an approval is bound to each part of where it acts, as whom, and by which rules', () => {
  const file = (target: string, more = ''): string => `
listeners: { agents: {} }
connections:
  db: { protocol: postgres, target: { host: db.internal${target} }, credential: { user: shop }, policies: [p]${more} }
policies: { p: [{ rule: r, deny: No. }] }`;
  const bound = (text: string, account = ''): string => {
    const loaded = parseConfig(text, { file: 'sluice.yaml', env: {} });
    const connection = loaded.ok ? loaded.config.connections.get('db') : undefined;
    if (!connection) throw new Error('there is no such connection');
    return boundTo(connection, account, connection);
  };
  const all = [
    bound(file('')),
    bound(file(', port: 5433')),
    bound(file(', database: prod')),
    bound(file(', tls: require')),
    bound(file('', ', via: office')),
    bound(file('', ', functions: { trusted: [f] }')),
    bound(file('').replace('user: shop', 'user: owner')),
    bound(file('').replace('deny: No.', 'allow: true')),
    bound(file(''), 'other'),
  ];
  expect(new Set(all).size).toBe(all.length);
  expect(bound(file('').replace('user: shop', 'user: shop, password: another'))).toBe(all[0]);
});

describe.skipIf(missingPostgres(18))('an approval', () => {
  let server: PostgresServer;
  let stand: Stand;
  let prod: pg.Client;

  beforeAll(async () => {
    server = await startPostgres({ major: 18 });
    const test = new pg.Client({ ...server, database: 'postgres' });
    await test.connect();
    await test.query('create role other superuser login');
    await test.query('create database prod');
    prod = new pg.Client({ ...server, database: 'prod' });
    await prod.connect();
    for (const client of [test, prod]) await client.query('create table t (id int, secret text)');
    await prod.query("insert into t values (1, 'hush')");
    await test.end();
  });
  afterAll(async () => {
    await prod?.end();
    await server?.stop();
  });
  afterEach(() => stand?.stop());

  const reload = async (edit: (text: string) => string): Promise<void> => {
    const file = join(stand.folder, 'sluice.yaml');
    const text = readFileSync(file, 'utf8');
    expect(edit(text)).not.toBe(text);
    writeFileSync(file, edit(text));
    await stand.gateway.reload(readConfiguration(file).config, 'test');
  };
  const pending = async (): Promise<ApprovalRequest> => {
    for (;;) {
      const [one] = await stand.gateway.approvals.recent(1);
      if (one?.state === 'pending') return one;
      await sleep(5);
    }
  };
  const approve = async (): Promise<ApprovalRequest> =>
    stand.gateway.approvals.decide((await pending()).number, ada, 'approve', '');
  /** What becomes of the statement in a session of its own. */
  const once = async (): Promise<string> => {
    const client = await stand.client({ options: '-c sluice.hold=fail' });
    const outcome = await failure(client.query(DELETE));
    await client.end();
    return outcome;
  };

  describe('of a statement that was refused until then', () => {
    beforeEach(async () => {
      stand = await openStand({ target: targetOf(server), rules: RULES });
      expect(await once()).toBe('42501');
      await approve();
    });

    test('releases it where it was asked, once', async () => {
      expect([await once(), await once()]).toEqual(['no error', '42501']);
    });

    test.each<[string, (text: string) => string]>([
      ['in another database of the same name', (text) => text.replace('database: postgres', 'database: prod')],
      ['on another host', (text) => text.replace('host: "127.0.0.1"', 'host: localhost')],
      ['by another account', (text) => text.replace(/credential: \{ user: \w+/, 'credential: { user: other')],
      [
        'with its result in the clear',
        (text) => text.replace('with a mask', '').replace('columns: ["t.secret"]', 'columns: ["t.nothing"]'),
      ],
      [
        'by other rules',
        (text) =>
          text.replace('    - { rule: hidden', "    - { rule: more, when: 'false', deny: No. }\n    - { rule: hidden"),
      ],
    ])('releases nothing %s', async (_, edit) => {
      await reload(edit);
      expect(await once()).toBe('42501');
      expect((await prod.query('select secret from t')).rows).toEqual([{ secret: 'hush' }]);
    });
  });

  test('that was asked in a session of before is none for one that reaches the new target', async () => {
    stand = await openStand({ target: targetOf(server), rules: RULES });
    const old = await stand.client({ options: '-c sluice.hold=fail' });
    await reload((text) => text.replace('database: postgres', 'database: prod'));
    expect(await failure(old.query(DELETE))).toBe('42501');
    await approve();
    expect(await once()).toBe('42501');
    // The session keeps the target that it was opened with, and what was approved was to run there.
    expect((await old.query(DELETE)).rows).toEqual([]);
    expect((await prod.query('select secret from t')).rows).toEqual([{ secret: 'hush' }]);
    await old.end();
  });

  test('of a statement that waits is none when its result would come in the clear meanwhile', async () => {
    stand = await openStand({ target: targetOf(server), rules: RULES });
    const client = await stand.client();
    const done = failure(client.query(DELETE));
    await pending();
    await reload((text) => text.replace('columns: ["t.secret"]', 'columns: ["t.nothing"]'));
    await approve();
    expect(await done).toBe('42501');
    await client.end();
  });

  test('of sessions opens none on another target, nor under other rules', async () => {
    stand = await openStand({
      target: targetOf(server),
      rules: RULES,
      connection: 'approval: { approvers: ["group:engineers"], fail: true }',
    });
    const login = async (): Promise<string> => failure(stand.client().then((client) => client.end()));
    expect(await login()).toBe('42501');
    await approve();
    expect(await login()).toBe('no error');
    await reload((text) => text.replace('database: postgres', 'database: prod'));
    expect(await login()).toBe('42501');
    await reload((text) => text.replace('database: prod', 'database: postgres'));
    expect(await login()).toBe('no error');
    await reload((text) => text.replace('columns: ["t.secret"]', 'columns: ["t.nothing"]'));
    expect(await login()).toBe('42501');
  });
});

describe.skipIf(missingPostgres(18))('somebody who has large statements held', () => {
  const { path: folder, remove } = temporaryFolder('large');
  let server: PostgresServer;
  let stand: Stand;
  const open = (): Promise<Stand> =>
    openStand({ target: targetOf(server), rules: RULES.replace(/\n.*hidden.*/, ''), folder });
  beforeAll(async () => {
    server = await startPostgres({ major: 18 });
    stand = await open();
    const direct = new pg.Client({ ...server, database: 'postgres' });
    await direct.connect();
    await direct.query('create table t (id int)');
    await direct.end();
  });
  afterAll(async () => {
    await stand?.stop();
    await server?.stop();
    remove();
  });

  test('takes the list from nobody, also over a restart, and is stopped at a number of bytes', async () => {
    const large = (n: number): string => `delete from t where id = ${n} -- ${'x'.repeat(12 * 1024 * 1024)}`;
    const client = await stand.client({ options: '-c sluice.hold=fail' });
    const said = (sql: string): Promise<string> => client.query(sql).then(String, (error: Error) => error.message);
    expect(await said(large(1))).toMatch(/needs an approval: request 1/);
    expect(await said(large(2))).toMatch(/needs an approval: request 2/);
    expect(await said(large(3))).toMatch(/more than 32 MiB of text: wait until some are answered/);
    expect(await said('delete from t where id = 4')).toMatch(/needs an approval: request 3/);

    const look = async (): Promise<void> => {
      const { token } = await stand.gateway.identity.createToken({ principal: 'ada', name: 'look' });
      const approver = caller(stand, token);
      const rows = await approver.get<ApprovalRow[]>('/v1/approvals');
      expect(JSON.stringify(rows).length).toBeLessThan(20_000);
      expect(rows.map(({ number, textBytes }) => [number, textBytes > 12_000_000])).toEqual([
        [3, false],
        [2, true],
        [1, true],
      ]);
      expect((await approver.get<ApprovalRow>('/v1/approvals/1')).text).toHaveLength(large(1).length);
      expect((await approver.get<ApprovalRow[]>('/v1/approvals?limit=1&before=3')).map(({ number }) => number)).toEqual(
        [2],
      );
      expect(await approver.get<ApprovalRow[]>('/v1/approvals?state=pending&limit=2')).toHaveLength(
        Math.min(2, stand.gateway.approvals.pending),
      );
    };
    await look();
    expect(stand.gateway.approvals.pending).toBe(3);
    await client.end();
    await stand.stop();
    stand = await open();
    await look();
    expect(stand.gateway.approvals.pending).toBe(0);
  }, 90_000);
});
