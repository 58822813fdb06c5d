import fs, { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import type { SessionRow, TimelineEntry } from '@sluice/api';
import { ApiClient } from '@sluice/cli';
import { Journal, readJournal } from '@sluice/recording';
import { type PostgresServer, missingPostgres, startPostgres, temporaryFolder } from '@sluice/testkit';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { caller } from './control.js';
import { type Stand, openStand, targetOf } from './stand.js';

/** Counts what this thread opens of the journal in order to read it. Other threads have functions of their own. */
function watchSegments(): string[] {
  const opened: string[] = [];
  const original = fs.openSync;
  fs.openSync = (path, flags, mode) => {
    if (String(path).endsWith('.log') && String(flags ?? 'r').startsWith('r')) opened.push(String(path));
    return original(path, flags, mode);
  };
  syncBuiltinESMExports();
  onTestFinished(() => {
    fs.openSync = original;
    syncBuiltinESMExports();
  });
  return opened;
}

const SESSIONS = 200;
const COMMANDS = 300;

/** A journal of an earlier gateway: sessions of `dev` and `robot` in turn, of which the last was cut off. */
function fillJournal(folder: string): void {
  const journal = new Journal({ folder, segmentBytes: 4 * 1024 * 1024 });
  const write = (header: object, payload?: Uint8Array): void =>
    journal.append(JSON.stringify(header), payload ? [payload] : []);
  const answer = Buffer.alloc(200, 'x');
  for (let n = 0; n < SESSIONS; n++) {
    const [s, t] = [`old-${n}`, 1_000_000 + n * 1_000];
    const principal = n % 2 === 0 ? 'dev' : 'robot';
    write({ k: 'opened', t, s, principal, connection: 'db', protocol: 'other', client: '127.0.0.1:1' });
    for (let id = 1; id <= COMMANDS; id++) {
      const command = { t: t + id, s, id, phase: 'run', text: `select ${id}`, confidence: 'exact', actions: [] };
      write({ k: 'command', ...command, matched: [], decision: id % 10 === 0 ? 'deny' : 'allow' });
      write({ k: 'part', t: t + id, s, id }, answer);
      write({ k: 'end', t: t + id, s, id, outcome: 'ok', summary: '', rows: 1, bytes: 400 }, answer);
    }
    const denied = COMMANDS / 10;
    if (n < SESSIONS - 1) write({ k: 'closed', t: t + 999, s, reason: 'bye', commands: COMMANDS - denied, denied });
    journal.commit();
  }
  journal.close();
}

describe.skipIf(missingPostgres(15))('reading the record', () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres({ major: 15 });
  });
  afterAll(() => server.stop());

  async function openWithJournal(): Promise<{ stand: Stand; admin: ApiClient; folder: string }> {
    const { path: folder, remove } = temporaryFolder('reading');
    mkdirSync(join(folder, 'data'), { mode: 0o700 });
    fillJournal(join(folder, 'data', 'journal'));
    const stand = await openStand({ target: targetOf(server), folder });
    onTestFinished(async () => {
      await stand.stop();
      remove();
    });
    return { stand, admin: ApiClient.find({ data: join(folder, 'data') }), folder };
  }

  test('a long journal is listed, played and exported while others work, and their thread reads none of it', async () => {
    const opened = watchSegments();
    const { stand, admin, folder } = await openWithJournal();
    opened.length = 0;
    const client = await stand.client();
    let queries = 0;
    const over = new AbortController();
    const load = (async () => {
      while (!over.signal.aborted) {
        await client.query('select 1');
        queries++;
      }
    })();

    const all = await admin.get<SessionRow[]>('/v1/sessions?limit=10000');
    expect(all).toHaveLength(SESSIONS + 1);
    expect(all[0]).toMatchObject({ state: 'open', principal: 'dev' });
    // The one that was cut off has its commands counted.
    expect(all[1]).toMatchObject({
      id: `old-${SESSIONS - 1}`,
      commands: COMMANDS - COMMANDS / 10,
      denied: COMMANDS / 10,
    });
    expect(all[1]).not.toHaveProperty('ended');
    expect(all[2]).toMatchObject({ id: `old-${SESSIONS - 2}`, state: 'ended', reason: 'bye' });

    const texts = await Promise.all(
      ['timeline?limit=10000', 'export?format=ocsf', 'watch'].map((as) => admin.text(`/v1/sessions/old-7/${as}`)),
    );
    const [timeline = '', ocsf = '', watch = ''] = texts;
    const entries = JSON.parse(timeline) as TimelineEntry[];
    expect(entries).toHaveLength(2 + COMMANDS * 2);
    expect(ocsf.trimEnd().split('\n')).toHaveLength(COMMANDS);
    expect(watch.split('\n\n').filter((event) => event !== '')).toHaveLength(entries.length);
    await expect(admin.text('/v1/sessions/old-7/export?format=asciicast')).rejects.toThrow('has no output');
    await expect(admin.text('/v1/sessions/old-7777/timeline')).rejects.toThrow('no session old-7777');

    over.abort();
    await load;
    await client.end();
    expect(queries).toBeGreaterThan(5);
    expect(opened).toEqual([]);
    // It would have been noticed.
    for (const { header } of readJournal(join(folder, 'data', 'journal'))) void header;
    expect(opened).not.toEqual([]);
  });

  test('pages: each session and each entry once, whatever the size of a page, and nothing by a cursor that was made up', async () => {
    const { stand, admin } = await openWithJournal();
    const seen: string[] = [];
    for (let before = ''; ; ) {
      const page = await admin.get<SessionRow[]>(`/v1/sessions?limit=37${before}`);
      seen.push(...page.map(({ id }) => id));
      if (page.length < 37) break;
      before = `&before=${page.at(-1)?.id}`;
    }
    expect(seen).toEqual(Array.from({ length: SESSIONS }, (_, n) => `old-${SESSIONS - 1 - n}`));

    const path = '/v1/sessions/old-3/timeline';
    const whole = await admin.get<TimelineEntry[]>(`${path}?limit=10000`);
    const paged: TimelineEntry[] = [];
    for await (const entry of admin.pages<TimelineEntry>(`${path}?limit=41`)) paged.push(entry);
    expect(paged).toEqual(whole);

    const token = (await stand.gateway.identity.createToken({ principal: 'operator', name: 'test' })).token;
    const first = await fetch(new URL(`${path}?limit=5`, stand.gateway.url), {
      headers: { authorization: `Bearer ${token}` },
    });
    const cursor = /cursor=([^>]*)>/.exec(first.headers.get('link') ?? '')?.[1] ?? '';
    expect(cursor).not.toBe('');
    const status = (at: string): Promise<number> => caller(stand, token).status('GET', at);
    expect(await status(`${path}?cursor=${cursor}`)).toBe(200);
    expect(await status(`${path}?cursor=${cursor.replace(/^\d+/, '9')}`)).toBe(400);
    expect(await status(`/v1/sessions/old-5/timeline?cursor=${cursor}`)).toBe(400);
  });

  test('an index that is gone, or behind, is made of the journal again', async () => {
    const { stand, folder, admin } = await openWithJournal();
    const client = await stand.client();
    await client.query('select 1');
    await client.end();
    await vi.waitFor(() => expect(stand.gateway.sessions.size).toBe(0));
    const before = await admin.get<SessionRow[]>('/v1/sessions?limit=10000');
    const copy = join(folder, 'index');
    await stand.gateway.stop();
    const data = join(folder, 'data');
    for (const name of readdirSync(data)) if (name.startsWith('sessions.db')) rmSync(join(data, name));
    for (const make of ['gone', 'behind'] as const) {
      if (make === 'behind') {
        fs.cpSync(join(data, 'sessions.db'), copy);
        const between = await openStand({ target: targetOf(server), folder });
        await (await between.client()).end();
        await vi.waitFor(() => expect(between.gateway.sessions.size).toBe(0));
        await between.stop();
        for (const name of readdirSync(data)) if (name.startsWith('sessions.db')) rmSync(join(data, name));
        fs.cpSync(copy, join(data, 'sessions.db'));
      }
      const again = await openStand({ target: targetOf(server), folder });
      const rows = await ApiClient.find({ data }).get<SessionRow[]>('/v1/sessions?limit=10000');
      expect(rows).toHaveLength(before.length + (make === 'behind' ? 1 : 0));
      expect(rows.slice(-before.length)).toEqual(before);
      await again.stop();
    }
  });

  test('who reads the recording of somebody else is on record, with the token, before they have it; whoever reads their own is not', async () => {
    const { stand, admin, folder } = await openWithJournal();
    const mine = caller(stand, stand.token);
    await mine.get('/v1/sessions/old-2/timeline');
    expect(await mine.status('GET', '/v1/sessions/old-1/timeline')).toBe(404);
    await admin.get('/v1/sessions/old-1/timeline');
    await admin.text('/v1/sessions/old-1/export');
    await admin.text('/v1/sessions/old-2/watch');
    const reads = [...readJournal(join(folder, 'data', 'journal'))].flatMap(({ header }) =>
      header.k === 'read' ? [header] : [],
    );
    const local = stand.gateway.identity.tokens().find(({ name }) => name === 'local command line');
    const by = { actor: 'operator', token: local?.id };
    expect(reads).toMatchObject([
      { ...by, as: 'timeline', of: 'old-1' },
      { ...by, as: 'export', of: 'old-1' },
      { ...by, as: 'watch', of: 'old-2' },
    ]);
  });

  test('one who reads a lot at a time is told to wait, and others are not', async () => {
    const { stand, admin } = await openWithJournal();
    const mine = caller(stand, stand.token);
    const path = '/v1/sessions/old-0/timeline?limit=10000';
    const statuses = await Promise.all(Array.from({ length: 12 }, () => mine.status('GET', path)));
    expect(new Set(statuses)).toEqual(new Set([200, 429]));
    expect((await admin.get<TimelineEntry[]>(path)).length).toBe(2 + COMMANDS * 2);
    expect(await mine.status('GET', path)).toBe(200);
  });

  test('one who goes away in the middle leaves no reading behind', async () => {
    const { stand } = await openWithJournal();
    const headers = { authorization: `Bearer ${stand.token}` };
    for (let n = 0; n < 12; n++) {
      const gone = new AbortController();
      const path = `/v1/sessions/old-${n * 2}/${n % 2 === 0 ? 'export' : 'timeline?limit=10000'}`;
      const answer = fetch(new URL(path, stand.gateway.url), { headers, signal: gone.signal });
      if (n % 3 === 0) await answer;
      gone.abort();
      await answer.then((one) => one.text()).catch(() => undefined);
    }
    const mine = caller(stand, stand.token);
    await vi.waitFor(async () => expect(await mine.status('GET', '/v1/sessions/old-0/export')).toBe(200), 20_000);
  });

  test('somebody who follows a session and does not read is cut off, and fills no memory', async () => {
    const { stand, admin } = await openWithJournal();
    const client = await stand.client();
    await client.query('select 1');
    const [session] = await admin.get<SessionRow[]>('/v1/sessions?state=open');
    const token = (await stand.gateway.identity.createToken({ principal: 'operator', name: 'test' })).token;
    const answer = await fetch(new URL(`/v1/sessions/${session?.id}/watch`, stand.gateway.url), {
      headers: { authorization: `Bearer ${token}` },
    });
    const text = `select '${'x'.repeat(1_000_000)}'`;
    for (let n = 0; n < 40; n++) await client.query(text);
    await expect(answer.text()).rejects.toThrow('terminated');
    await client.end();
  }, 240_000);
});
