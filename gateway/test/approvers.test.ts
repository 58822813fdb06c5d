/**
 * Whose word releases a command. Lives here: what somebody would try who wants to approve their own, and what becomes of a word
 * whose speaker is found out. Does not: which rules ask whom, see holds.test.ts.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ApprovalRow, TokenRow } from '@sluice/api';
import { readJournal } from '@sluice/recording';
import { type PostgresServer, findTool, missingPostgres, startPostgres } from '@sluice/testkit';
import type pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { readConfiguration } from '../src/configuration.js';
import { type Caller, caller } from './control.js';
import { TestIssuer } from './issuer.js';
import { type Stand, failure, openStand, targetOf } from './stand.js';

type Made = TokenRow & { token: string };

const RULES = `
    - { rule: deletes, when: 'action.verb == "delete"', hold: { approvers: ["group:dba", "user:bob", "user:bea"], timeout: 10m } }
    - { rule: two, when: 'action.verb == "truncate"', hold: { approvers: ["group:dba", "user:bob", "user:bea"], count: 2 } }
    - { rule: robots, when: 'action.verb == "update"', hold: { approvers: ["group:robots", "agent:robot"] } }
    - { rule: people, when: 'action.verb == "insert"', hold: { approvers: ["group:robots"] } }
`;

const PRINCIPALS = `  adam: { groups: [engineers], roles: [user, admin] }
  bob: { groups: [dba], roles: [user, approver] }
  bea: { groups: [dba], roles: [user, approver] }
  gear: { kind: agent, groups: [robots], roles: [user, approver] }`;

describe.skipIf(missingPostgres(18))('approving', () => {
  let server: PostgresServer;
  let issuer: TestIssuer;
  let stand: Stand;

  beforeAll(async () => {
    server = await startPostgres({ major: 18 });
    issuer = await TestIssuer.open();
  });
  afterAll(async () => {
    issuer?.close();
    await server?.stop();
  });
  afterEach(() => stand?.stop());

  const open = async (sections = ''): Promise<void> => {
    const more = { rules: RULES, principals: PRINCIPALS, sections, access: '["group:engineers"]' };
    stand = await openStand({ target: targetOf(server), ...more });
    const client = await stand.client();
    await client.query('create table if not exists t (id int)');
    await client.end();
  };
  /** As somebody with a token that the operator made. */
  const by = async (principal: string): Promise<Caller> => caller(stand, (await operatorMade(principal)).token);
  const operatorMade = async (principal: string): Promise<Made> => {
    const { token } = await stand.gateway.identity.createToken({ principal: 'operator', name: 'the file' });
    return caller(stand, token).post<Made>('/v1/tokens', { principal });
  };
  /** Sends it as somebody, and waits until it is held. */
  const held = async (client: pg.Client, sql: string): Promise<{ number: number; done: Promise<string> }> => {
    const before = await stand.gateway.approvals.recent(1);
    const done = failure(client.query(sql));
    for (;;) {
      const [one] = await stand.gateway.approvals.recent(1);
      if (one && one.number !== before[0]?.number && one.state === 'pending') return { number: one.number, done };
      await sleep(5);
    }
  };
  const approve = (who: Caller, number: number): Promise<number> =>
    who.status('POST', `/v1/approvals/${number}/approve`, {});
  const state = async (number: number): Promise<string | undefined> =>
    (await stand.gateway.approvals.find(number))?.state;
  const reload = async (edit: (text: string) => string): Promise<void> => {
    const file = join(stand.folder, 'sluice.yaml');
    writeFileSync(file, edit(readFileSync(file, 'utf8')));
    await stand.gateway.reload(readConfiguration(file).config, 'test');
  };

  describe('with tokens that the operator hands out', () => {
    beforeEach(() => open());

    test('an administrator who makes a token for an approver cannot approve with it', async () => {
      const adam = await operatorMade('adam');
      const client = await stand.client({ user: 'adam', password: adam.token });
      const { number, done } = await held(client, 'delete from t where id = 1');
      const admin = caller(stand, adam.token);
      expect(await approve(admin, number)).toBe(403);
      const bob = await admin.post<Made>('/v1/tokens', { principal: 'bob' });
      expect(await approve(caller(stand, bob.token), number)).toBe(403);
      // Nor with one that this one made.
      const next = await caller(stand, bob.token).post<Made>('/v1/tokens', {});
      expect(await approve(caller(stand, next.token), number)).toBe(403);
      expect(await state(number)).toBe('pending');
      expect(await approve(await by('bob'), number)).toBe(200);
      expect(await done).toBe('no error');
      await client.end();
    });

    test('nor who asks under the name of another and approves under their own', async () => {
      await reload((text) =>
        text.replace(
          'adam: { groups: [engineers], roles: [user, admin] }',
          'adam: { groups: [dba], roles: [user, admin, approver] }',
        ),
      );
      const admin = await by('adam');
      const { token } = await admin.post<Made>('/v1/tokens', { principal: 'dev' });
      const client = await stand.client({ password: token });
      const { number, done } = await held(client, 'delete from t where id = 1');
      await expect(admin.post(`/v1/approvals/${number}/approve`)).rejects.toThrow('a token that you made');
      expect(await approve(await by('bob'), number)).toBe(200);
      expect(await done).toBe('no error');
      await client.end();
    });

    test('a token of an approver that was revoked has said nothing', async () => {
      const client = await stand.client();
      await client.query('set sluice.hold = fail');
      const { number } = await held(client, 'delete from t where id = 2');
      const bob = await operatorMade('bob');
      expect(await approve(caller(stand, bob.token), number)).toBe(200);
      expect(await state(number)).toBe('approved');
      await (await by('adam')).delete(`/v1/tokens/${bob.id}`);
      expect(await state(number)).toBe('withdrawn');
      expect(await failure(client.query('delete from t where id = 2'))).toBe('42501');
      await client.end();
    });

    test('an approval is taken back by who gave it, and by administrators, as long as it was not used', async () => {
      const client = await stand.client();
      await client.query('set sluice.hold = fail');
      const bob = await by('bob');
      const first = await held(client, 'delete from t where id = 3');
      expect(await approve(bob, first.number)).toBe(200);
      expect(await (await by('bea')).status('POST', `/v1/approvals/${first.number}/revoke`, {})).toBe(403);
      const taken = await bob.post<ApprovalRow>(`/v1/approvals/${first.number}/revoke`, { reason: 'a slip' });
      expect(taken).toMatchObject({ state: 'withdrawn', why: 'bob took an approval back: a slip' });
      expect(await failure(client.query('delete from t where id = 3'))).toBe('42501');

      const [second] = await stand.gateway.approvals.recent(1);
      expect(await approve(bob, second?.number ?? 0)).toBe(200);
      expect(await (await by('adam')).status('POST', `/v1/approvals/${second?.number}/revoke`, {})).toBe(200);
      expect(await failure(client.query('delete from t where id = 3'))).toBe('42501');

      const [third] = await stand.gateway.approvals.recent(1);
      expect(await approve(bob, third?.number ?? 0)).toBe(200);
      expect(await failure(client.query('delete from t where id = 3'))).toBe('no error');
      expect(await bob.status('POST', `/v1/approvals/${third?.number}/revoke`, {})).toBe(409);
      await client.end();
    });

    test('of two approvers the first counts no more once they are none', async () => {
      const client = await stand.client();
      const { number, done } = await held(client, 'truncate t');
      expect(await approve(await by('bob'), number)).toBe(200);
      await reload((text) =>
        text.replace('bob: { groups: [dba], roles: [user, approver] }', 'bob: { groups: [engineers], roles: [user] }'),
      );
      expect(await approve(await by('bea'), number)).toBe(200);
      expect(await state(number)).toBe('pending');
      stand.gateway.approvals.withdraw(number, 'enough');
      expect(await done).toBe('42501');
      await client.end();
    });

    test('a window that was granted ends when its approver is none any more', async () => {
      await reload((text) =>
        text.replace(
          'policies: [production]',
          'approval: { approvers: ["user:bob"], fail: true }\n    policies: [production]',
        ),
      );
      expect(await failure(stand.client())).toBe('42501');
      const [one] = await stand.gateway.approvals.recent(1);
      expect(await approve(await by('bob'), one?.number ?? 0)).toBe(200);
      await (await stand.client()).end();
      await reload((text) =>
        text.replace('bob: { groups: [dba], roles: [user, approver] }', 'bob: { groups: [dba], roles: [user] }'),
      );
      expect(await failure(stand.client())).toBe('42501');
      expect(await state(one?.number ?? 0)).toBe('withdrawn');
    });

    test('an agent approves only where it is named as one', async () => {
      const client = await stand.client();
      const named = await held(client, 'update t set id = 1');
      expect(await approve(await by('gear'), named.number)).toBe(403);
      await reload((text) => text.replace('"agent:robot"', '"agent:gear"'));
      stand.gateway.approvals.withdraw(named.number, 'enough');
      await named.done;
      const again = await held(client, 'update t set id = 1');
      expect(await approve(await by('gear'), again.number)).toBe(200);
      expect(await again.done).toBe('no error');
      const group = await held(client, 'insert into t values (1)');
      expect(await approve(await by('gear'), group.number)).toBe(403);
      stand.gateway.approvals.withdraw(group.number, 'enough');
      await group.done;
      await client.end();
    });

    test('nobody releases on the command line what they were not shown, nor by pressing Enter', async () => {
      const client = await stand.client();
      const { number, done } = await held(client, 'delete from t where id = 5');
      const { token } = await operatorMade('bob');
      const main = join(import.meta.dirname, '..', 'dist', 'main.js');
      const sluice = async (stdin: string, command: string, ...args: string[]): Promise<string> => {
        const child = spawn(command, args, {
          env: { ...process.env, SLUICE_URL: stand.gateway.url, SLUICE_TOKEN: token, NO_COLOR: '1' },
        });
        let said = '';
        for (const stream of [child.stdout, child.stderr])
          stream.on('data', (data: Buffer) => (said += data.toString()));
        child.stdin.end(stdin);
        await once(child, 'close');
        return said;
      };
      const words = [process.execPath, main, 'approvals', 'approve', String(number)] as const;
      const alone = await sluice('', ...words);
      expect(alone).toContain('delete from t where id = 5');
      expect(alone).toContain('There is no terminal to ask you on.');
      const onTerminal = async (keys: string): Promise<string> =>
        sluice(keys, 'script', '-qec', words.join(' '), '/dev/null');
      if (findTool('script')) {
        expect(await onTerminal('\n')).toMatch(/delete from t where id = 5[^]*\[y\/N\][^]*Nothing was released/);
        expect(await state(number)).toBe('pending');
      }
      const said = await sluice('', ...words, '--yes');
      expect(said.split('delete from t where id = 5')).toHaveLength(3);
      expect(await done).toBe('no error');
      await client.end();
    });

    test('the record names the token of each, and who made it', async () => {
      const dev = await operatorMade('dev');
      const bob = await operatorMade('bob');
      const client = await stand.client({ password: dev.token });
      const { number, done } = await held(client, 'delete from t where id = 4');
      expect(await approve(caller(stand, bob.token), number)).toBe(200);
      await done;
      await client.end();
      stand.gateway.log.flush();
      const headers = Array.from(readJournal(stand.gateway.journal.folder), ({ header }) => header);
      expect(headers).toContainEqual(
        expect.objectContaining({ k: 'opened', principal: 'dev', token: dev.id, makers: ['operator'] }),
      );
      expect(headers).toContainEqual(
        expect.objectContaining({ k: 'approval', event: 'approve', actor: 'bob', token: bob.id, makers: ['operator'] }),
      );
      expect(headers).toContainEqual(
        expect.objectContaining({ k: 'admin', actor: 'operator', action: 'token.create', token: dev.madeWith }),
      );
    });
  });

  describe('where people log in at an issuer', () => {
    beforeEach(() =>
      open(`issuers: { corp: { issuer: "${issuer.url}", audience: sluice, groups: groups, principal: preferred_username } }
roles: { approver: ["group:dba"], admin: ["group:admins"] }`),
    );
    const login = (sub: string, name: string, ...groups: string[]): Promise<string> =>
      issuer.token({ sub, preferred_username: name, groups });
    const asked = async (
      token: string,
      user: string,
    ): Promise<Awaited<ReturnType<typeof held>> & { client: pg.Client }> => {
      const client = await stand.client({ user, password: token, options: '-c sluice.login=password' });
      return { ...(await held(client, 'delete from t where id = 1')), client };
    };

    test('somebody who changes their name at the issuer is who they were', async () => {
      const { number, done, client } = await asked(await login('u-1', 'ana', 'engineers', 'dba'), 'ana');
      for (const name of ['Ana', 'ben', 'ANA2'])
        expect(await approve(caller(stand, await login('u-1', name, 'dba')), number)).toBe(403);
      // Another subject whose name differs in case only may be the same person, by another account.
      expect(await approve(caller(stand, await login('u-2', 'ANA', 'dba')), number)).toBe(403);
      expect(await state(number)).toBe('pending');
      expect(await approve(caller(stand, await login('u-2', 'ben', 'dba')), number)).toBe(200);
      expect(await done).toBe('no error');
      await client.end();
    });

    test('one person under two names is one approver', async () => {
      const client = await stand.client();
      const { number, done } = await held(client, 'truncate t');
      expect(await approve(caller(stand, await login('u-2', 'ben', 'dba')), number)).toBe(200);
      expect(await approve(caller(stand, await login('u-2', 'benjamin', 'dba')), number)).toBe(409);
      expect(await state(number)).toBe('pending');
      expect(await approve(caller(stand, await login('u-3', 'cleo', 'dba')), number)).toBe(200);
      expect(await done).toBe('no error');
      await client.end();
    });

    test('what is theirs stays theirs under another name, and is nobody else’s under theirs', async () => {
      const ana = caller(stand, await login('u-1', 'ana', 'engineers'));
      const { id } = await ana.post<Made>('/v1/tokens');
      const client = await stand.client({
        user: 'ana',
        password: await login('u-1', 'ana', 'engineers'),
        options: '-c sluice.login=password',
      });
      const [renamed, other] = [caller(stand, await login('u-1', 'anna')), caller(stand, await login('u-9', 'ana'))];
      const count = async (who: Caller, path: string): Promise<number> => (await who.get<unknown[]>(path)).length;
      for (const path of ['/v1/sessions', '/v1/tokens'])
        expect([await count(renamed, path), await count(other, path)]).toEqual([1, 0]);
      expect(await other.status('DELETE', `/v1/tokens/${id}`)).toBe(404);
      expect(await renamed.status('DELETE', `/v1/tokens/${id}`)).toBe(200);
      await client.end();
    });

    test('only a login of one’s own counts, or a token that was made with it', async () => {
      const { number, done, client } = await asked(await login('u-1', 'ana', 'engineers'), 'ana');
      expect(await approve(await by('bob'), number)).toBe(403);
      const ben = caller(stand, await login('u-2', 'ben', 'dba'));
      const own = await ben.post<Made>('/v1/tokens');
      expect(await approve(caller(stand, own.token), number)).toBe(200);
      expect(await done).toBe('no error');
      await client.end();
    });
  });
});
