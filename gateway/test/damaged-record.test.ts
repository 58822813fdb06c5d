/** Sessions whose record is damaged, as people read them: by the control API and by the command line. */
import { execFile } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { FoundCommand, TimelineEntry } from '@sluice/api';
import { ApiClient } from '@sluice/cli';
import { temporaryFolder } from '@sluice/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CHANGED, MISSING, fillDamagedJournal } from './damaged-journal.js';
import { type Stand, openStand } from './stand.js';

const MAIN = join(import.meta.dirname, '..', 'dist', 'main.js');

let stand: Stand;
let api: ApiClient;
let remove: () => void;
let data: string;
beforeAll(async () => {
  const { path: folder, remove: away } = temporaryFolder('damaged');
  remove = away;
  data = join(folder, 'data');
  mkdirSync(data, { mode: 0o700 });
  fillDamagedJournal(join(data, 'journal'));
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
])('an export as %s has what is left, says so where it is, and in a header', async (format, says) => {
  const { text, damages } = await api.exported(`/v1/sessions/damaged/export?format=${format}`);
  expect(says(text), text).toBe(true);
  expect(text).toContain(MISSING);
  expect(damages).toEqual([expect.stringContaining(CHANGED), expect.stringContaining(MISSING)]);
  const whole = await api.exported(`/v1/sessions/whole/export?format=${format}`);
  expect(whole.damages).toEqual([]);
  expect(whole.text).not.toMatch(/damaged|comment/);
});

test('an export ends with status 4 and says why on standard error, and nothing of what is whole', async () => {
  const [damaged, whole] = await Promise.all(
    ['damaged', 'whole'].map((session) => sluice('sessions', 'export', session)),
  );
  expect(damaged).toMatchObject({ status: 4, out: expect.stringContaining('command 4') as string });
  expect(damaged?.error).toContain(CHANGED);
  expect(damaged?.error).toContain(MISSING);
  expect(whole).toMatchObject({ status: 0, error: '' });
});
