import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import type { SessionRow } from '@sluice/api';
import { ApiClient } from '@sluice/cli';
import { type Head, Journal, readHeads, readJournal, verify } from '@sluice/recording';
import { Readings } from '@sluice/reading';
import { type PostgresServer, missingPostgres, startPostgres, temporaryFolder } from '@sluice/testkit';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { caller } from './control.js';
import { type Stand, openStand, targetOf } from './stand.js';

const DAY = 86_400_000;
const name = (n: number): string => `gateway-0000000${n}.log`;

/** A journal with a sealed segment for each day, in which these connections were used. */
function fillJournal(folder: string, days: readonly (readonly [ago: number, connections: readonly string[]])[]): void {
  let now = 0;
  const at = (ago: number): number => (now = Date.now() - ago * DAY);
  at(days[0]?.[0] ?? 0);
  const journal = new Journal({ folder, now: () => now, segmentAge: 1000 * DAY });
  for (const [ago, connections] of days) {
    const t = at(ago);
    for (const [n, connection] of connections.entries()) {
      const s = `s${ago}-${n}`;
      const session = { principal: 'dev', connection, protocol: 'postgres', client: '127.0.0.1:1' };
      journal.append(JSON.stringify({ k: 'opened', t, s, ...session }));
      journal.append(JSON.stringify({ k: 'closed', t, s, reason: 'bye', commands: 0, denied: 0 }));
    }
    journal.append(
      JSON.stringify({ k: 'login', t, s: 'x', user: 'u', connection: '', client: '', refused: 'credentials' }),
    );
    journal.seal();
  }
  journal.close();
}

describe.skipIf(missingPostgres(15))('an end of the journal', () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres({ major: 15 });
  });
  afterAll(() => server.stop());

  async function open(
    options: { connection?: string; record?: string },
    fill?: (journal: string) => void,
  ): Promise<Stand> {
    const { path: folder, remove } = temporaryFolder('keep');
    mkdirSync(join(folder, 'data'), { mode: 0o700 });
    fill?.(join(folder, 'data', 'journal'));
    const stand = await openStand({ target: targetOf(server), folder, ...options });
    onTestFinished(async () => {
      await stand.stop();
      remove();
    });
    return stand;
  }

  test('what no connection needs any more goes, by a signed line; what anybody needs, and what nobody said anything of, stays', async () => {
    const stand = await open({ connection: 'keep: 30d' }, (journal) =>
      fillJournal(journal, [
        [100, ['db']],
        [90, ['db', 'gone']],
        [80, []],
        [70, ['db', 'db']],
        [10, ['db']],
      ]),
    );
    const journal = join(stand.folder, 'data', 'journal');
    expect(await stand.gateway.keeper.remove()).toBe(2);
    expect([1, 2, 3, 4, 5].map((n) => existsSync(join(journal, name(n))))).toEqual([false, true, true, false, true]);
    await stand.gateway.journal.tend();
    expect(verify(journal)).toMatchObject({ problems: [], removed: 2 });
    const removed = [...readJournal(journal)].flatMap(({ header }) => (header.k === 'journal.removed' ? [header] : []));
    expect(removed).toMatchObject([
      { segment: name(1), records: 3, first: expect.any(String), last: expect.any(String) },
      { segment: name(4), records: 5 },
    ]);
    const rows = await ApiClient.find({ data: join(stand.folder, 'data') }).get<SessionRow[]>('/v1/sessions');
    expect(rows.map(({ id }) => id)).toEqual(['s10-0', 's70-1', 's70-0', 's90-1', 's90-0']);
    expect(await stand.gateway.keeper.remove()).toBe(0);

    // What somebody else takes away is missing, and a line that was taken out of the checkpoint too.
    const line = readFileSync(join(journal, 'gateway.checkpoint'), 'utf8');
    const [removal = ''] = line.split('\n').filter((one) => one.includes(`"removed":"${name(4)}"`));
    writeFileSync(join(journal, 'gateway.checkpoint'), line.replace(`${removal}\n`, ''));
    expect(
      verify(journal)
        .problems.map(({ message }) => message)
        .join('\n'),
    ).toContain('was sealed and is missing');
    writeFileSync(join(journal, 'gateway.checkpoint'), line);
    const other = readFileSync(join(journal, name(2)));
    rmSync(join(journal, name(2)));
    expect(verify(journal).problems).toMatchObject([{ segment: name(3) }, { segment: name(2) }]);
    writeFileSync(join(journal, name(2)), other);
  });

  test('nothing is removed unless somebody asked for it, and an index that lies does not change that', async () => {
    const days = [[900, ['db']]] as const;
    const stand = await open({}, (journal) => fillJournal(journal, days));
    expect(await stand.gateway.keeper.remove()).toBe(0);
    // By the connections of this gateway; the record is that of another.
    const strict = await open({ connection: 'keep: 30d' }, (journal) => fillJournal(journal, [[900, ['other']]]));
    await ApiClient.find({ data: join(strict.folder, 'data') }).get('/v1/sessions');
    const sqlite = join(import.meta.dirname, '..', '..', 'packages', 'store');
    const lie = `import S from 'better-sqlite3'; new S(${JSON.stringify(join(strict.folder, 'data', 'sessions.db'))}).exec("update sessions set connection = 'db'")`;
    execFileSync(process.execPath, ['--input-type=module', '-e', lie], { cwd: sqlite });
    expect(await strict.gateway.keeper.remove()).toBe(0);
    const everything = await open({ record: '{ keep: 30d }' }, (journal) => fillJournal(journal, days));
    expect(await everything.gateway.keeper.remove()).toBe(1);
  });

  test('at record.max_size commands stop and nothing is removed; near it strangers leave no records, then nobody logs in', async () => {
    const stand = await open({ record: '{ max_size: 2MiB, reserve: 1MiB }' });
    const { gateway } = stand;
    const client = await stand.client();
    const room = async (): Promise<string> => {
      await gateway.keeper.look();
      return gateway.keeper.room;
    };
    const failedLogins = (): number =>
      [...readJournal(gateway.journal.folder)].filter(({ header }) => header.k === 'login').length;
    const wrong = (): Promise<unknown> => stand.client({ password: 'wrong' }).catch(() => undefined);
    await wrong();
    gateway.log.flush();
    expect([await room(), failedLogins()]).toEqual(['enough', 1]);
    // The reserve is a twentieth of the most that there may be.
    const fill = (until: number): void => {
      gateway.journal.append('{"k":"admin"}', [Buffer.alloc(until - gateway.journal.size)]);
      gateway.journal.commit();
    };
    const most = 2 * 1024 * 1024;
    fill(most - 180_000);
    expect(await room()).toBe('low');
    expect(gateway.ready).toMatchObject({
      ok: true,
      record: { ok: false, message: expect.stringContaining('getting short') },
    });
    await wrong();
    gateway.log.flush();
    expect(failedLogins()).toBe(1);
    // Somebody who has proven who they are is on record as long as anybody is let in.
    await expect(stand.client({ database: 'nowhere' })).rejects.toThrow('does not exist');
    gateway.log.agentRefused('dc1', '127.0.0.1:1', 'a wrong proof');
    gateway.log.flush();
    expect(failedLogins()).toBe(2);
    const actions = [...readJournal(gateway.journal.folder)].flatMap(({ header }) =>
      header.k === 'admin' ? [header.action] : [],
    );
    expect(actions).not.toContain('agent.refused');
    const second = await stand.client();
    fill(most - 60_000);
    expect(await room()).toBe('scarce');
    await expect(stand.client()).rejects.toThrow('no room to record another session');
    expect((await second.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    await second.query(`select '${'x'.repeat(100_000)}'`).then(
      () => expect.unreachable(),
      (error: Error) => expect(error.message).toBeTruthy(),
    );
    expect(gateway.ready).toMatchObject({ ok: false, reason: expect.stringContaining('record.max_size') });
    await expect(client.query('select 2')).rejects.toThrow();
    expect(statSync(join(gateway.journal.folder, name(1))).size).toBeLessThanOrEqual(most);
    const metrics = await (await fetch(new URL('/metrics', gateway.url))).text();
    expect(metrics).toContain('sluice_journal_room 0');
    await Promise.allSettled([client.end(), second.end()]);
  });

  test('a look for what need not be kept that takes for ever stops neither the measuring nor the signing', async () => {
    // Before the gateway starts: the next look for it is an hour behind the first one.
    const begun = Promise.withResolvers<void>();
    const looking = vi.spyOn(Readings.prototype, 'expired').mockImplementation(() => {
      begun.resolve();
      return Promise.withResolvers<[]>().promise;
    });
    onTestFinished(() => looking.mockRestore());
    const stand = await open({ connection: 'keep: 30d', record: '{ max_size: 2MiB, reserve: 1MiB }' });
    const { gateway } = stand;
    await begun.promise;
    gateway.journal.append('{"k":"admin"}', [Buffer.alloc(2 * 1024 * 1024 - 180_000 - gateway.journal.size)]);
    gateway.journal.commit();
    // One that has begun already may have measured before.
    while (gateway.keeper.room !== 'low') {
      await gateway.keeper.look();
      await nextTurn();
    }
    expect(looking).toHaveBeenCalledTimes(1);
  });

  test('heads go to the store and to the witness; a history that was put back is said at the start, and found by verify', async () => {
    const folder = temporaryFolder('witness');
    onTestFinished(() => folder.remove());
    const file = join(folder.path, 'heads.jsonl');
    const stand = await open({ record: `{ witness: { file: "${file}" } }` });
    const data = join(stand.folder, 'data');
    const use = async (): Promise<void> => {
      const client = await stand.client();
      await client.query('select 1');
      await client.end();
    };
    await use();
    stand.gateway.journal.seal();
    execFileSync('cp', ['-a', join(data, 'journal'), join(folder.path, 'older')]);
    await use();
    stand.gateway.journal.seal();
    const main = join(import.meta.dirname, '..', 'dist', 'main.js');
    const audit = (...more: string[]): string => {
      const words = [main, '--data', data, 'audit', 'verify', ...more];
      try {
        return execFileSync(process.execPath, words, { encoding: 'utf8' });
      } catch (error) {
        return (error as { stdout: string }).stdout;
      }
    };
    await stand.gateway.stop();
    const heads: Head[] = readHeads(readFileSync(file, 'utf8'));
    expect(heads.length).toBeGreaterThan(1);
    expect(heads.at(-1)).toMatchObject({ process: 'gateway', state: 'closed' });
    expect(audit('--heads', file)).toContain('No change was found.');

    rmSync(join(data, 'journal'), { recursive: true });
    execFileSync('cp', ['-a', join(folder.path, 'older'), join(data, 'journal')]);
    rmSync(join(data, 'journal', 'gateway.lock'), { force: true });
    // The store has the head; without it the witness does.
    expect(audit()).toContain('a line that was there at');
    expect(audit('--journal', join(folder.path, 'older'))).toContain('No change was found.');
    expect(audit('--journal', join(folder.path, 'older'), '--heads', file)).toContain('a line that was there at');
    const again = await openStand({ target: targetOf(server), folder: stand.folder });
    expect(again.gateway.ready).toMatchObject({
      ok: true,
      record: { ok: false, message: expect.stringContaining('missing') },
    });
    const token = (await again.gateway.identity.createToken({ principal: 'operator', name: 'test' })).token;
    expect(await caller(again, token).get('/readyz')).toMatchObject({ record: { ok: false } });
    await again.stop();
    expect(audit()).toContain('the gateway found at');
  });

  test('the segment that is written is deleted under the running gateway: commands stop, it is put back, and they go on', async () => {
    const stand = await open({});
    const { gateway, folder } = stand;
    const client = await stand.client();
    await client.query('select 1 as before');
    const { segment } = gateway.journal.position;
    rmSync(join(folder, 'data', 'journal', segment));
    await gateway.keeper.look();
    expect(gateway.ready).toMatchObject({ ok: false, reason: expect.stringContaining(`took ${segment} away`) });
    await expect(client.query('select 2')).rejects.toThrow(`took ${segment} away`);
    for (let n = 0; n < 200 && !gateway.ready.ok; n++) await sleep(50);
    const late = new pg.Client({
      host: '127.0.0.1',
      port: stand.port,
      user: 'dev',
      password: stand.token,
      database: 'db',
    });
    await late.connect();
    await late.query('select 3 as after');
    await late.end();
    gateway.log.flush();
    const texts = [...readJournal(gateway.journal.folder)].flatMap(({ header }) =>
      header.k === 'command' ? [header.text] : [],
    );
    expect(texts).toEqual(expect.arrayContaining(['select 1 as before', 'select 3 as after']));
    expect(verify(gateway.journal.folder).problems).toEqual([]);
  });

  test('the folder of the journal is moved away under the running gateway: it lives, runs nothing, and goes on when it is back', async () => {
    const stand = await open({});
    const { gateway } = stand;
    const folder = gateway.journal.folder;
    renameSync(folder, `${folder}-moved`);
    await gateway.keeper.look();
    expect(gateway.ready).toMatchObject({ ok: false });
    await expect(stand.client()).rejects.toThrow('no room to record another session');
    await sleep(1_200);
    expect((await fetch(new URL('/healthz', gateway.url))).status).toBe(200);
    renameSync(`${folder}-moved`, folder);
    for (let n = 0; n < 200 && !gateway.ready.ok; n++) await sleep(50);
    const client = await stand.client();
    expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    await client.end();
    gateway.log.flush();
    expect(verify(folder).problems).toEqual([]);
  });
});
