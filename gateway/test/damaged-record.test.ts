/** Sessions whose record is damaged, as people read them: by the control API and by the command line. */
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FoundCommand, TimelineEntry } from '@sluice/api';
import { ApiClient } from '@sluice/cli';
import { Journal } from '@sluice/recording';
import { temporaryFolder } from '@sluice/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Stand, openStand } from './stand.js';

const MAIN = join(import.meta.dirname, '..', 'dist', 'main.js');
const CHANGED = 'of gateway-00000002.log or the one behind it was changed';
const MISSING = 'the segment gateway-00000003.log is missing';

/** A session of four segments beside one that is over in the first. The second has a text with a flipped bit, the third is gone. */
function fillJournal(folder: string): void {
  const journal = new Journal({ folder });
  const write = (header: object, payload: readonly Uint8Array[] = []): void =>
    journal.append(JSON.stringify(header), payload);
  const open = (s: string): void =>
    write({ k: 'opened', t: 1_000, s, principal: 'dev', connection: 'db', protocol: 'other', client: '127.0.0.1:1' });
  const close = (s: string): void => write({ k: 'closed', t: 9_000, s, reason: 'bye', commands: 1, denied: 0 });
  const run = (s: string, id: number): void => {
    const command = { type: 'exec', account: 'a', phase: 'run', text: `command ${id}`, confidence: 'exact' };
    write({ k: 'command', t: 1_000 + id, s, id, ...command, actions: [], matched: [], decision: 'allow' });
    write({ k: 'part', t: 1_000 + id, s, id, st: 'out' }, [Buffer.from(`output ${id}\r\n`)]);
    write({ k: 'end', t: 1_000 + id, s, id, outcome: 'ok', summary: 'exit status 0', rows: 0, bytes: 9 });
  };
  open('whole');
  run('whole', 1);
  close('whole');
  open('damaged');
  for (let id = 1; id <= 4; id++) {
    run('damaged', id);
    journal.seal();
  }
  close('damaged');
  journal.close();
  const second = join(folder, 'gateway-00000002.log');
  const bytes = readFileSync(second);
  const at = bytes.indexOf('command 2');
  bytes[at] = (bytes[at] ?? 0) ^ 0x20;
  writeFileSync(second, bytes);
  rmSync(join(folder, 'gateway-00000003.log'));
}

let stand: Stand;
let api: ApiClient;
let remove: () => void;
let data: string;
beforeAll(async () => {
  const { path: folder, remove: away } = temporaryFolder('damaged');
  remove = away;
  data = join(folder, 'data');
  mkdirSync(data, { mode: 0o700 });
  fillJournal(join(data, 'journal'));
  // Nobody connects.
  stand = await openStand({ target: { port: 1, user: 'nobody' }, folder });
  api = ApiClient.find({ data });
});
afterAll(async () => {
  await stand.stop();
  remove();
});

function sluice(...words: string[]): Promise<{ status: unknown; out: string; error: string }> {
  const env = { ...process.env, NO_COLOR: '1' };
  return new Promise((resolve) => {
    execFile(process.execPath, [MAIN, '--data', data, ...words], { env }, (failed, out, error) =>
      resolve({ status: failed?.code ?? 0, out, error }),
    );
  });
}

test('the API has what is left, and a gap where something is missing, on any page and as events', async () => {
  const path = '/v1/sessions/damaged/timeline';
  const entries = await api.get<TimelineEntry[]>(path);
  expect(entries.filter(({ type }) => type !== 'output')).toMatchObject([
    { type: 'opened' },
    { type: 'command', text: 'command 1' },
    { type: 'response' },
    { type: 'command', text: 'Command 2' },
    { type: 'gap', at: 2, summary: expect.stringContaining(CHANGED) as string },
    { type: 'response' },
    { type: 'gap', at: 2, summary: expect.stringContaining(MISSING) as string },
    { type: 'command', text: 'command 4' },
    { type: 'response' },
    { type: 'closed' },
  ]);
  const paged: TimelineEntry[] = [];
  for await (const entry of api.pages<TimelineEntry>(`${path}?limit=2`)) paged.push(entry);
  expect(paged).toEqual(entries);
  const watched: TimelineEntry[] = [];
  for await (const entry of api.events<TimelineEntry>('/v1/sessions/damaged/watch')) watched.push(entry);
  expect(watched).toEqual(entries);
  // Whoever looks for a command that is lost is told that there may be more.
  const found = await api.get<TimelineEntry[]>(`${path}?text=command+3`);
  expect(found.map(({ type }) => type)).toEqual(['gap', 'gap']);
  const whole = await api.get<TimelineEntry[]>('/v1/sessions/whole/timeline');
  expect(whole.map(({ type }) => type)).toEqual(['opened', 'command', 'output', 'response', 'closed']);
});

test('who looks for a command is told what of the record could not be looked through', async () => {
  const { token } = await stand.gateway.identity.createToken({ principal: 'operator', name: 'test' });
  const found: string[] = [];
  const damages = new Set<string>();
  const find = async (query: string): Promise<void> => {
    for (let next: string | undefined = `/v1/commands?${query}`; next !== undefined; ) {
      const answer: Response = await fetch(new URL(next, stand.gateway.url), {
        headers: { authorization: `Bearer ${token}` },
      });
      found.push(...((await answer.json()) as FoundCommand[]).map(({ session, text }) => `${session}: ${text}`));
      for (const one of JSON.parse(answer.headers.get('sluice-damages') ?? '[]') as string[]) damages.add(one);
      next = /<([^>]*)>; rel="next"/.exec(answer.headers.get('link') ?? '')?.[1];
    }
  };
  for (const limit of [1, 50]) {
    found.length = 0;
    damages.clear();
    await find(`text=command&limit=${limit}`);
    expect(found).toEqual(['damaged: command 4', 'damaged: Command 2', 'damaged: command 1', 'whole: command 1']);
    expect([...damages]).toEqual([expect.stringContaining(MISSING), expect.stringContaining(CHANGED)]);
  }
});

test('show and replay say so in a line, and as JSON', async () => {
  const [shown, replayed, json] = await Promise.all([
    sluice('sessions', 'show', 'damaged'),
    sluice('sessions', 'replay', 'damaged', '--speed', '0'),
    sluice('-o', 'json', 'sessions', 'show', 'damaged'),
  ]);
  for (const { out, status } of [shown, replayed]) {
    expect(status).toBe(0);
    const lines = out.split('\n');
    const at = (text: string): number => lines.findIndex((line) => line.includes(text));
    expect(lines.filter((line) => line.includes('! The record is damaged: '))).toHaveLength(2);
    expect(at('Command 2')).toBeLessThan(at(CHANGED));
    expect(at(CHANGED)).toBeLessThan(at(MISSING));
    expect(at(MISSING)).toBeLessThan(at('command 4'));
  }
  const types = (JSON.parse(json.out) as TimelineEntry[]).map(({ type }) => type);
  expect(types.filter((type) => type === 'gap')).toHaveLength(2);
});

test.each([
  ['ocsf', (out: string) => out.split('\n').filter((line) => line.includes('"class_uid":0,')).length === 2],
  [
    'asciicast',
    (out: string) => out.split('\n').filter((line) => /^\[[\d.]+,"m","The record is/.test(line)).length === 2,
  ],
  ['har', (out: string) => (JSON.parse(out) as { log: { comment: string } }).log.comment.includes(MISSING)],
])(
  'an export as %s has what is left and says so, on standard error and by its status as well',
  async (format, says) => {
    const { status, out, error } = await sluice('sessions', 'export', 'damaged', '--format', format);
    expect(says(out), out).toBe(true);
    expect(out).toContain(MISSING);
    expect(error).toContain(CHANGED);
    expect(error).toContain(MISSING);
    expect(status).toBe(4);
    const whole = await sluice('sessions', 'export', 'whole', '--format', format);
    expect(whole).toMatchObject({ status: 0, error: '' });
    expect(whole.out).not.toMatch(/damaged|comment/);
  },
);
