/**
 * Taking rights away. Lives here: that it takes effect first, whatever the store does, stays after a restart, and ends what is
 * open. Does not: which approvals it takes back, see approvers.test.ts.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiClient } from '@sluice/cli';
import { RevocationNotes } from '@sluice/store';
import { type PostgresServer, missingPostgres, startPostgres, temporaryFolder } from '@sluice/testkit';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { readConfiguration } from '../src/configuration.js';
import { TestIssuer } from './issuer.js';
import { type Stand, failure, openStand, targetOf } from './stand.js';

/** A store that somebody else writes, as a backup does. Another process: locks are between processes. Returns what lets go. */
async function locked(file: string): Promise<() => void> {
  const script = `
    const store = new (require('node:sqlite').DatabaseSync)(process.argv[1]);
    store.exec('BEGIN IMMEDIATE');
    console.log('locked');
    process.stdin.once('end', () => store.close()).resume();`;
  const holder = spawn(process.execPath, ['-e', script, file], { stdio: ['pipe', 'pipe', 'inherit'] });
  onTestFinished(() => void holder.kill());
  await once(holder.stdout, 'data');
  return () => void holder.stdin.end();
}

/** Within this a stream has to end, in milliseconds. */
const END = 2_000;

test('a note of a revocation finds its place on a full disk, and is there after a restart', ({ skip }) => {
  const { path, remove } = temporaryFolder('notes');
  const folder = join(path, 'small');
  mkdirSync(folder);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder], { stdio: 'ignore' });
  } catch {
    remove();
    skip('a small file system cannot be mounted here');
  }
  onTestFinished(() => {
    execFileSync('umount', [folder]);
    remove();
  });
  const file = join(folder, 'revocations');
  const notes = RevocationNotes.open(file);
  expect(() => writeFileSync(join(folder, 'ballast'), Buffer.alloc(2 * 1024 * 1024))).toThrow('ENOSPC');
  expect(() => writeFileSync(join(folder, 'another'), Buffer.alloc(64 * 1024))).toThrow('ENOSPC');
  for (let n = 0; n < 1_024; n++) expect(notes.add(`token:${n}`)).toBe(true);
  expect(notes.add('token:one too many')).toBe(false);
  notes.remove('token:7');
  expect(notes.add('agent:7')).toBe(true);
  notes.close();
  const again = RevocationNotes.open(file);
  expect(again.all()).toHaveLength(1_024);
  expect(again.all()).toEqual(expect.arrayContaining(['token:0', 'agent:7', 'token:1023']));
  expect(again.all()).not.toContain('token:7');
  again.close();
});

describe.skipIf(missingPostgres(18))('a revocation', () => {
  let server: PostgresServer;
  let issuer: TestIssuer;
  let stand: Stand;
  const open = (folder?: string): Promise<Stand> =>
    openStand({
      target: targetOf(server),
      principals: '  keeper: { roles: [user, auditor] }',
      sections: `issuers: { corp: { issuer: "${issuer.url}", audience: sluice, groups: groups } }
roles: { auditor: ["group:security"] }`,
      ...(folder !== undefined && { folder }),
    });
  const operator = (): ApiClient => ApiClient.find({ data: join(stand.folder, 'data') });

  beforeAll(async () => {
    server = await startPostgres({ major: 18 });
    issuer = await TestIssuer.open();
  });
  afterAll(async () => {
    issuer?.close();
    await server?.stop();
  });

  describe('that the store cannot keep', () => {
    test('ends the sessions at once, is said to be not stored, and is not undone by a restart', async () => {
      const { path, remove } = temporaryFolder('revoked');
      onTestFinished(remove);
      stand = await open(path);
      const { token, stored } = await stand.gateway.identity.createToken({ principal: 'dev', name: 'stolen' });
      const client = await stand.client({ password: token });
      const ended = new Promise<Error>((resolve) => client.once('error', resolve));
      const unlock = await locked(join(path, 'data', 'control.db'));
      const answering = fetch(`${stand.gateway.url}/v1/tokens/${stored.id}`, {
        method: 'DELETE',
        headers: { authorization: `Bearer ${readFileSync(join(path, 'data', 'admin.token'), 'utf8').trim()}` },
      });
      // While the store is still asked, which may take a minute: a crash by now would undo nothing.
      expect((await ended).message).toMatch(/token of this session was revoked/);
      expect(readFileSync(join(path, 'data', 'revocations')).toString()).toContain(`token:${stored.id}`);
      const answer = await answering;
      expect(answer.status).toBe(202);
      expect(await answer.text()).toContain('Revoked, and in effect. It could not be stored yet');
      expect(await failure(stand.client({ password: token }))).toBe('28P01');
      expect(stand.gateway.ready).toMatchObject({ ok: false, reason: expect.stringContaining('could not be stored') });
      // As a crash leaves it: nothing was stored, and the note is what there is.
      const note = readFileSync(join(path, 'data', 'revocations'));
      expect(note.toString()).toContain(`token:${stored.id}`);
      unlock();
      await vi.waitFor(() => expect(stand.gateway.ready.ok).toBe(true), { timeout: 60_000 });
      expect(readFileSync(join(path, 'data', 'revocations')).toString()).not.toContain('token:');
      await stand.stop();

      const store = new DatabaseSync(join(path, 'data', 'control.db'));
      expect(store.prepare('select revoked from tokens where id = ?').get(stored.id)).not.toEqual({ revoked: null });
      store.prepare('update tokens set revoked = null where id = ?').run(stored.id);
      store.close();
      writeFileSync(join(path, 'data', 'revocations'), note);
      stand = await open(path);
      expect(await failure(stand.client({ password: token }))).toBe('28P01');
      expect(stand.gateway.ready.ok).toBe(true);
      await stand.stop();
      const after = new DatabaseSync(join(path, 'data', 'control.db'));
      expect(after.prepare('select revoked from tokens where id = ?').get(stored.id)).not.toEqual({ revoked: null });
      after.close();
    }, 120_000);
  });

  describe('ends what is open', () => {
    beforeEach(async () => {
      stand = await open();
      return () => stand.stop();
    });

    /** Resolves once the stream has ended; what it said is read meanwhile. */
    const watch = async (
      token: string,
    ): Promise<{ ended: Promise<void>; client: Awaited<ReturnType<Stand['client']>> }> => {
      const client = await stand.client();
      const session = [...stand.gateway.sessions.keys()].at(-1);
      const answer = await fetch(`${stand.gateway.url}/v1/sessions/${session}/watch`, {
        headers: { authorization: `Bearer ${token}` },
      });
      expect(answer.status).toBe(200);
      const ended = (async (): Promise<void> => {
        for await (const _ of answer.body ?? []) continue;
      })();
      return { ended, client };
    };
    const within = async (time: number, ended: Promise<void>): Promise<boolean> =>
      Promise.race([ended.then(() => true), sleep(time, false)]);

    test('an auditor whose token is revoked watches no longer', async () => {
      const { token, stored } = await stand.gateway.identity.createToken({ principal: 'keeper', name: 'audit' });
      const { ended, client } = await watch(token);
      expect(await within(1_500, ended)).toBe(false);
      await operator().delete(`/v1/tokens/${stored.id}`);
      expect(await within(END, ended)).toBe(true);
      await client.end();
    });

    test('nor exports what they have not read by then, however slowly they read', async () => {
      const { token, stored } = await stand.gateway.identity.createToken({ principal: 'keeper', name: 'audit' });
      const client = await stand.client();
      // More than sockets and buffers between here and there hold.
      for (let n = 0; n < 2; n++) await client.query(`select length('${'x'.repeat(7_000_000)}')`);
      const session = [...stand.gateway.sessions.keys()].at(-1) ?? '';
      const { hostname, port } = new URL(stand.gateway.url);
      const socket = connect(Number(port), hostname);
      onTestFinished(() => void socket.destroy());
      socket.write(
        `GET /v1/sessions/${session}/export HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\n\r\n`,
      );
      const [head] = (await once(socket, 'data')) as [Buffer];
      socket.pause();
      expect(head.toString()).toContain('200 OK');
      await operator().delete(`/v1/tokens/${stored.id}`);
      await sleep(END);
      let text = head.toString();
      socket
        .on('data', (chunk: Buffer) => (text += chunk.toString()))
        .on('error', () => undefined)
        .resume();
      await once(socket, 'close');
      expect(text.length).toBeLessThan(14_000_000);
      expect(text.endsWith('\r\n0\r\n\r\n')).toBe(false);
      await client.end();
    }, 60_000);

    test('a session that was being opened while its token was revoked is ended all the same', async () => {
      const { token, stored } = await stand.gateway.identity.createToken({ principal: 'dev', name: 'stolen' });
      const client = await stand.client({ password: token });
      const ended = new Promise<Error>((resolve) => client.once('error', resolve));
      // As if the sessions of the token had been ended a moment before this one began.
      stand.gateway.identity.revokeToken(stored.id);
      expect((await Promise.race([ended, sleep(END, undefined)]))?.message).toMatch(
        /token of this session was revoked/,
      );
    });

    test('nor one whose role was taken away', async () => {
      const { token } = await stand.gateway.identity.createToken({ principal: 'keeper', name: 'audit' });
      const { ended, client } = await watch(token);
      const file = join(stand.folder, 'sluice.yaml');
      writeFileSync(file, readFileSync(file, 'utf8').replace('roles: [user, auditor]', 'roles: [user]'));
      await stand.gateway.reload(readConfiguration(file).config, 'test');
      expect(await within(END, ended)).toBe(true);
      expect((await client.query('select 7 as n')).rows).toEqual([{ n: 7 }]);
      await client.end();
    });

    test('nor one whose token expired, of the gateway or of an issuer; sessions go on', async () => {
      const soon = Date.now() + 4_000;
      const { identity } = stand.gateway;
      const { token } = await identity.createToken({ principal: 'keeper', name: 'audit', expires: soon });
      const brief = await identity.createToken({ principal: 'dev', name: 'brief', expires: soon });
      const session = await stand.client({ password: brief.token });
      const claims = { sub: 'zoe', groups: ['security'], exp: Math.ceil(soon / 1000) };
      const streams = [await watch(token), await watch(await issuer.token(claims))];
      // The clock of an issuer may be off by the minute that its tokens are good for longer.
      vi.useFakeTimers({ toFake: ['Date'], now: Date.now() });
      vi.setSystemTime(soon + 61_000);
      try {
        for (const { ended } of streams) expect(await within(END, ended)).toBe(true);
        expect((await session.query('select 7 as n')).rows).toEqual([{ n: 7 }]);
      } finally {
        vi.useRealTimers();
      }
      await session.end();
      for (const { client } of streams) await client.end();
    });
  });

  test('of the file that the command line uses makes it anew, for its owner only', async () => {
    const { path, remove } = temporaryFolder('mode');
    onTestFinished(remove);
    mkdirSync(join(path, 'data'), { recursive: true, mode: 0o700 });
    const file = join(path, 'data', 'admin.token');
    writeFileSync(file, 'old', { mode: 0o644 });
    stand = await open(path);
    expect(execFileSync('stat', ['-c', '%a', file]).toString().trim()).toBe('600');
    expect(existsSync(`${file}.new`)).toBe(false);
    expect(await operator().get('/v1/whoami')).toMatchObject({ name: 'operator' });
    await stand.stop();
  });
});
