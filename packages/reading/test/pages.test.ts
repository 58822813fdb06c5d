/** Pages of a session whose records say several things each. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TimelineEntry } from '@sluice/api';
import { Journal, responseHeader } from '@sluice/recording';
import { expect, onTestFinished, test } from 'vitest';
import type { SessionQuestion } from '../src/messages.js';
import { SessionReader } from '../src/reader.js';

type Page = Extract<SessionQuestion, { as: 'page' }>;

test('a page ends within a record, and the next one goes on there', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-pages-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const journal = new Journal({ folder });
  for (let command = 1; command <= 3; command++) {
    const parts = [
      { stream: 'head', data: Buffer.from(`head ${command}`) },
      { stream: 'out', data: Buffer.from(`body ${command}`) },
    ] as const;
    const end = { type: 'end', command, outcome: 'ok', summary: '', rows: 0, bytes: 6, data: [], parts } as const;
    journal.append(
      responseHeader('s', end, command),
      parts.map(({ data }) => data),
    );
  }
  journal.commit();
  const { place: to } = journal;
  journal.close();

  const read = async (limit: number, cursor?: string): Promise<{ entries: TimelineEntry[]; next?: string }> => {
    const chunks: Buffer[] = [];
    const session = { id: 's', from: { segment: 1, offset: 0 }, started: 0 } as Page['session'];
    const start = { folder, process: 'gateway' } as ConstructorParameters<typeof SessionReader>[0];
    const reader = new SessionReader(
      start,
      { as: 'page', session, to, limit, cursor },
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
  };
  const all = await read(100);
  expect(all.entries.map(({ type }) => type)).toEqual([1, 2, 3].flatMap(() => ['output', 'output', 'response']));
  expect(all.next).toBeUndefined();
  for (const limit of [1, 2, 4]) {
    const seen: TimelineEntry[] = [];
    for (let cursor: string | undefined, page = 0; page === 0 || cursor !== undefined; page++) {
      const { entries, next } = await read(limit, cursor);
      expect(entries.length).toBeLessThanOrEqual(limit);
      seen.push(...entries);
      cursor = next;
    }
    expect(seen).toEqual(all.entries);
  }
});
