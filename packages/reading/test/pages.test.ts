/** Pages of a session whose records say several things each. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TimelineEntry } from '@sluice/api';
import { Journal, type JournalPosition, responseHeader } from '@sluice/recording';
import { expect, onTestFinished, test } from 'vitest';
import type { ReadingStart, SessionQuestion } from '../src/messages.js';
import { SessionReader } from '../src/reader.js';
import { damagesOf } from '../src/session-records.js';

type Page = Extract<SessionQuestion, { as: 'page' }>;

const SESSION = { id: 's', from: { segment: 1, offset: 0 }, started: 0 } as Page['session'];
const startOf = (folder: string): ReadingStart => ({ folder, process: 'gateway' }) as ReadingStart;

function emptyFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-pages-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A command with an answer of two pieces. */
function answer(journal: Journal, command: number, session = 's'): void {
  const parts = [
    { stream: 'head', data: Buffer.from(`head ${command}`) },
    { stream: 'out', data: Buffer.from(`body ${command}`) },
  ] as const;
  const end = { type: 'end', command, outcome: 'ok', summary: '', rows: 0, bytes: 6, data: [], parts } as const;
  journal.append(
    responseHeader(session, end, command),
    parts.map(({ data }) => data),
  );
}

async function read(
  folder: string,
  to: JournalPosition,
  limit: number,
  cursor?: string,
): Promise<{ entries: TimelineEntry[]; next?: string }> {
  const chunks: Buffer[] = [];
  const reader = new SessionReader(
    startOf(folder),
    { as: 'page', session: SESSION, to, limit, cursor },
    Promise.resolve(undefined),
    (bytes) => {
      chunks.push(Buffer.from(bytes));
      queueMicrotask(() => reader.taken());
    },
  );
  const next = await reader.run();
  return {
    entries: JSON.parse(Buffer.concat(chunks).toString()) as TimelineEntry[],
    ...(next !== undefined && { next }),
  };
}

/** All entries, by pages of at most so many. */
async function paged(folder: string, to: JournalPosition, limit: number): Promise<TimelineEntry[]> {
  const seen: TimelineEntry[] = [];
  for (let cursor: string | undefined, page = 0; page === 0 || cursor !== undefined; page++) {
    const { entries, next } = await read(folder, to, limit, cursor);
    expect(entries.length).toBeLessThanOrEqual(limit);
    seen.push(...entries);
    cursor = next;
  }
  return seen;
}

test('a page ends within a record, and the next one goes on there', async () => {
  const folder = emptyFolder();
  const journal = new Journal({ folder });
  for (let command = 1; command <= 3; command++) answer(journal, command);
  journal.commit();
  const { place: to } = journal;
  journal.close();
  const all = await read(folder, to, 100);
  expect(all.entries.map(({ type }) => type)).toEqual([1, 2, 3].flatMap(() => ['output', 'output', 'response']));
  expect(all.next).toBeUndefined();
  for (const limit of [1, 2, 4]) expect(await paged(folder, to, limit)).toEqual(all.entries);
});

test('what is damaged is told of once, in its place, whatever the size of a page', async () => {
  const folder = emptyFolder();
  const journal = new Journal({ folder });
  const places: JournalPosition[] = [];
  for (let command = 1; command <= 12; command++) {
    places.push(journal.place);
    answer(journal, command, command % 4 === 0 ? 'other' : 's');
    journal.commit();
    if (command % 3 === 0) journal.seal();
  }
  const { place: to } = journal;
  journal.close();
  const file = (segment: number): string => join(folder, `gateway-0000000${segment}.log`);
  const change = (segment: number, at: number, value: number): void => {
    const bytes = readFileSync(file(segment));
    bytes.writeUInt32BE(value, at);
    writeFileSync(file(segment), bytes);
  };
  // A text of the session's second answer, the length of the fifth, and the third segment.
  change(1, (places[2]?.offset ?? 0) - 6, 0);
  change(2, places[4]?.offset ?? 0, 0xffffff);
  rmSync(file(3));
  const whole = await read(folder, to, 100);
  expect(whole.entries.filter(({ type }) => type !== 'output').map((one) => one.command ?? one.summary)).toEqual([
    1,
    2,
    expect.stringContaining('gateway-00000001.log or the one behind it was changed'),
    3,
    expect.stringContaining('of gateway-00000002.log on are missing or cannot be read'),
    expect.stringContaining('the segment gateway-00000003.log is missing'),
    10,
    11,
  ]);
  for (const limit of [1, 2, 3, 4, 5]) expect(await paged(folder, to, limit)).toEqual(whole.entries);
  const damages = whole.entries.flatMap(({ type, summary }) => (type === 'gap' ? [summary] : []));
  expect(await damagesOf(startOf(folder), { session: SESSION, to })).toEqual(damages);
  // What is not of its time is nothing of its own.
  const first = { ...SESSION, to: places[1] } as Page['session'];
  expect(await damagesOf(startOf(folder), { session: first, to })).toEqual([]);
});
