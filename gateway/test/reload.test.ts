import { readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type PostgresServer, missingPostgres, startPostgres } from '@sluice/testkit';
import type pg from 'pg';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { readConfiguration } from '../src/configuration.js';
import { reloadFrom } from '../src/reload.js';
import { type Stand, failure, openStand, targetOf } from './stand.js';

/** Machines are busy. */
const WAIT = { timeout: 20_000 };

const RULES = `
    - { rule: no-deletes, when: 'action.verb == "delete"', deny: Nothing is deleted. }
`;

describe.skipIf(missingPostgres(18))('another configuration, while sessions run', () => {
  if (missingPostgres(18)) return;
  let server: PostgresServer;
  let stand: Stand;
  let client: pg.Client;
  let file: string;
  let reloading: { stop(): void };

  beforeEach(async () => {
    server = await startPostgres({ major: 18 });
    stand = await openStand({ target: targetOf(server), rules: RULES });
    file = join(stand.folder, 'sluice.yaml');
    reloading = reloadFrom(stand.gateway, file, () => readConfiguration(file).config);
    client = await stand.client();
    await client.query("create table people (id int, email text); insert into people values (1, 'ada@example.com')");
  });
  afterEach(async () => {
    reloading.stop();
    await client.end().catch(() => undefined);
    await stand.stop();
    await server.stop();
  });

  const edit = (change: (text: string) => string): void => {
    writeFileSync(file, change(readFileSync(file, 'utf8')));
    // Two changes within the clock's grain are two changes all the same.
    utimesSync(file, new Date(), new Date(Date.now() + Math.random() * 1000));
  };
  const reload = (): Promise<void> => stand.gateway.onReload?.('ada') as Promise<void>;
  const api = async (path: string, method = 'GET', principal = 'operator'): Promise<[number, string]> => {
    const { token } = await stand.gateway.identity.createToken({ principal, name: 'test' });
    const answer = await fetch(`${stand.gateway.url}${path}`, {
      method,
      headers: { authorization: `Bearer ${token}` },
    });
    return [answer.status, await answer.text()];
  };

  test('a session goes on under the new rules from its next command', async () => {
    expect(await failure(client.query('delete from people where id = 7'))).toBe('42501');
    edit((text) => text.replace('"delete"', '"update"'));
    await reload();
    expect(await failure(client.query('delete from people where id = 7'))).toBe('no error');
    expect(await failure(client.query('update people set id = 2 where id = 7'))).toBe('42501');
  });

  test('what a file takes away is gone although it has a mistake elsewhere, and nothing that it gives is there', async () => {
    const { token } = await stand.gateway.identity.createToken({ principal: 'robot', name: 'test' });
    edit((text) =>
      text
        .replace('dev: { groups: [engineers] }', 'dev: {}')
        .replace('robot: { kind: agent, groups: [robots] }', 'robot: { kind: agent, groups: [engineers] }')
        .replace('"delete"', '"delete" &&'),
    );
    await expect(reload()).rejects.toThrow('sluice.yaml');
    // The one who is out: at the next command of the open session, and at a login.
    expect(await failure(client.query('select 1'))).not.toBe('no error');
    expect(await failure(stand.client())).toBe('42501');
    // The one who would come in waits for a file without mistakes; the rules are those of before.
    expect(await failure(stand.client({ user: 'robot', password: token }))).toBe('42501');
    expect(stand.gateway.ready.configuration?.ok).toBe(false);
    edit((text) => text.replace('"delete" &&', '"delete"'));
    await reload();
    const robot = await stand.client({ user: 'robot', password: token });
    expect(await failure(robot.query('select 1'))).toBe('no error');
    await robot.end();
  });

  test('what is not followed is refused from the next command on, in sessions that are open', async () => {
    edit((text) => text.replace(RULES, `\n    - { rule: emails, mask: { columns: [people.email] } }${RULES}`));
    await reload();
    const masked = await stand.client();
    const read = 'do $$ begin end $$; select id from people';
    edit((text) =>
      text
        .replace('policies: [production]', 'policies: [production]\n    functions: { trusted: [f] }')
        .replace(RULES, `${RULES}\n    - { rule: all, allow: true }\n`),
    );
    await reload();
    expect(await failure(masked.query(read))).toBe('no error');
    edit((text) => text.replace('not_followed: mask', 'not_followed: refuse'));
    await reload();
    expect(await failure(masked.query(read))).toBe('42501');
    await masked.end();
  });

  test('the file is looked at, and a statement that was prepared before is judged anew', async () => {
    const statement = { name: 'gone', text: 'delete from people where id = $1', values: [7] };
    edit((text) => text.replace('"delete"', '"insert"'));
    await vi.waitFor(() => expect(stand.gateway.reloads.ok).toBe(1));
    expect(await failure(client.query(statement))).toBe('no error');
    edit((text) => text.replace('"insert"', '"delete"'));
    await reload();
    expect(await failure(client.query(statement))).toBe('42501');
  });

  test('a file with a mistake leaves the one before it in force, and says so', async () => {
    edit((text) => text.replace('action.verb', 'action.vreb'));
    await expect(reload()).rejects.toThrow(/sluice\.yaml:\d+:\d+/);
    expect(await failure(client.query('delete from people where id = 7'))).toBe('42501');
    const [status, ready] = await api('/readyz');
    expect(status).toBe(200);
    expect(JSON.parse(ready)).toMatchObject({ ok: true, configuration: { ok: false } });
    expect((await api('/metrics'))[1]).toContain('sluice_configuration_current 0');
    const [refused, why] = await api('/v1/reload', 'POST');
    expect(refused).toBe(422);
    expect(why).toContain('sluice.yaml');
    edit((text) => text.replace('action.vreb', 'action.verb'));
    expect(await api('/v1/reload', 'POST')).toEqual([200, '{"ok":true}']);
    expect(JSON.parse((await api('/readyz'))[1])).toEqual({ ok: true });
    // The gateway looks at the file by itself as well, and may have come upon the mistake in between.
    const { failed } = stand.gateway.reloads;
    expect(failed).toBeGreaterThanOrEqual(2);
    const metrics = (await api('/metrics'))[1];
    expect(metrics).toContain('sluice_configuration_current 1');
    expect(metrics).toContain(`sluice_reloads_total{result="failed"} ${failed}\n`);
    expect((await api('/v1/reload', 'POST', 'dev'))[0]).toBe(403);
  });

  test.each([
    ['its connection is gone', (text: string) => text.replace('  db:', '  other:')],
    ['it may not use it any more', (text: string) => text.replace('["group:engineers"]', '["user:ada"]')],
    ['its principal is gone', (text: string) => text.replace('  dev:', '  somebody:')],
    [
      'columns are masked now',
      (text: string) =>
        text.replace(
          'policies:\n  production:',
          'policies:\n  production:\n    - { rule: m, mask: { columns: [people.email] } }',
        ),
    ],
  ])('a session is ended when %s', async (_, change) => {
    const ended = new Promise((resolve) => client.once('end', resolve));
    edit(change);
    await reload();
    await ended;
    await vi.waitFor(() => expect(stand.gateway.sessions.size).toBe(0), WAIT);
  });

  test('a statement that runs meanwhile may finish; the next one is not run', async () => {
    const slow = client.query('select pg_sleep(0.5), 7 as n');
    await vi.waitFor(async () => {
      const busy = [...stand.gateway.sessions.values()].some((session) => session.busy);
      expect(busy).toBe(true);
    }, WAIT);
    edit((text) => text.replace('["group:engineers"]', '["user:ada"]'));
    await reload();
    expect((await slow).rows).toMatchObject([{ n: 7 }]);
    expect(await failure(client.query('insert into people values (9)'))).not.toBe('no error');
  });

  test('masks that come with a new configuration hold for who connects then, and others for running sessions', async () => {
    edit((text) =>
      text.replace(
        'policies:\n  production:',
        'policies:\n  production:\n    - { rule: m, mask: { columns: [people.email] } }',
      ),
    );
    await reload();
    const masked = await stand.client();
    const select = async (): Promise<unknown> => (await masked.query('select email from people')).rows;
    expect(await select()).toEqual([{ email: '[masked:EMAIL]' }]);
    edit((text) => text.replace('columns: [people.email]', 'columns: [people.email], with: hash'));
    await reload();
    expect(await select()).toEqual([{ email: expect.stringMatching(/^tok_/) as string }]);
    await masked.end();
  });

  test('whoever is the last of a group can be taken out of it, and goes at once', async () => {
    const ended = new Promise<Error>((resolve) => client.once('error', resolve));
    edit((text) => text.replaceAll('groups: [engineers]', 'groups: [others]'));
    await reload();
    expect((await ended).message).toContain('may no longer use this connection');
    expect(await failure(stand.client())).toBe('42501');
  });

  test('what needs a restart stays as it was', async () => {
    const port = stand.gateway.config.listeners.clients[0]?.port;
    edit((text) => text.replace('port: 0, tls', 'port: 1, tls').replace('"delete"', '"merge"'));
    await reload();
    expect(stand.gateway.config.listeners.clients[0]?.port).toBe(port);
    expect(await failure(client.query('delete from people where id = 7'))).toBe('no error');
  });

  test('a held statement that is released is judged by the rules of then', async () => {
    edit((text) => text.replace('deny: Nothing is deleted.', 'hold: { approvers: ["group:engineers"] }'));
    await reload();
    const waiting = client.query('delete from people where id = 1').then(
      () => 'ran',
      (error: Error) => error.message,
    );
    await vi.waitFor(() => expect(stand.gateway.approvals.pending).toBe(1), WAIT);
    edit((text) => text.replace('hold: { approvers: ["group:engineers"] }', 'deny: Never.'));
    await reload();
    const ada = stand.gateway.identity.principal('ada');
    expect(ada).toBeDefined();
    if (ada) await stand.gateway.approvals.decide(1, ada, 'approve', '');
    expect(await waiting).toBe('Never.');
  });

  test('a held statement that is released is not run when its sender may not use the connection any more', async () => {
    edit((text) => text.replace('deny: Nothing is deleted.', 'hold: { approvers: ["user:ada"] }'));
    await reload();
    const waiting = failure(client.query('delete from people where id = 1'));
    await vi.waitFor(() => expect(stand.gateway.approvals.pending).toBe(1), WAIT);
    edit((text) => text.replace('["group:engineers"]', '["user:ada"]'));
    await reload();
    const ada = stand.gateway.identity.principal('ada');
    if (ada) await stand.gateway.approvals.decide(1, ada, 'approve', '');
    expect(await waiting).not.toBe('no error');
  });

  test('an approval by the terms of before is none by stricter ones', async () => {
    const hold = (count: number) => (text: string) =>
      text.replace(
        /deny: Nothing is deleted\.|hold: \{ approvers[^}]*\}/,
        `hold: { approvers: ["group:engineers"], count: ${count} }`,
      );
    edit(hold(1));
    await reload();
    const ada = stand.gateway.identity.principal('ada');
    if (!ada) throw new Error('there is no ada');
    const waiting = failure(client.query('delete from people where id = 1'));
    await vi.waitFor(() => expect(stand.gateway.approvals.pending).toBe(1), WAIT);
    edit(hold(2));
    await reload();
    await stand.gateway.approvals.decide(1, ada, 'approve', '');
    expect(await waiting).toBe('42501');
    await client.query('set sluice.hold = fail');
    edit(hold(1));
    await reload();
    expect(await failure(client.query('delete from people where id = 1'))).toBe('42501');
    await stand.gateway.approvals.decide(2, ada, 'approve', '');
    edit(hold(2));
    await reload();
    expect(await failure(client.query('delete from people where id = 1'))).toBe('42501');
  });
});
