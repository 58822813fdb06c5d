import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { CUTS, type Exchange, joined, parseTranscript } from '@sluice/testkit';
import { describe, expect, test } from 'vitest';
import { type Talk, talk } from './talk.js';

const FOLDER = join(import.meta.dirname, '..', '..', '..', 'fixtures', 'transcripts', 'postgres');
const transcripts = readdirSync(FOLDER)
  .filter((file) => file.endsWith('.txt'))
  .map((file) => ({ name: file.replace('.txt', ''), exchanges: session(readFileSync(join(FOLDER, file), 'utf8')) }));

/** What follows the login: the conversation starts at the server's first ReadyForQuery. */
function session(text: string): Exchange[] {
  const all = joined(parseTranscript(text));
  const said = (side: Exchange['from']): Buffer =>
    Buffer.concat(all.filter(({ from }) => from === side).map(({ bytes }) => bytes));
  const left = { client: said('client').readInt32BE(0), upstream: greeting(said('upstream')) };
  return all.flatMap(({ from, bytes }) => {
    const cut = Math.min(left[from], bytes.length);
    left[from] -= cut;
    return cut < bytes.length ? [{ from, bytes: bytes.subarray(cut) }] : [];
  });
}

function greeting(bytes: Buffer): number {
  for (let at = 0; at < bytes.length; ) {
    const next = at + 1 + bytes.readInt32BE(at + 1);
    if (bytes[at] === 'Z'.charCodeAt(0)) return next;
    at = next;
  }
  throw new Error('the transcript has no ReadyForQuery');
}

function replay(exchanges: readonly Exchange[], cut: (bytes: Buffer) => Buffer[]): Talk {
  const replayed = talk();
  for (const { from, bytes } of exchanges) {
    for (const piece of cut(bytes)) {
      if (from === 'client') replayed.client(piece);
      else replayed.replies(piece);
    }
  }
  return replayed;
}

/** What the record says, without how the answers were cut into parts. */
function account({ recorded }: Talk): unknown[] {
  const bytes = new Map<number, Buffer[]>();
  return recorded.flatMap((event) => {
    const parts = bytes.get(event.command) ?? [];
    bytes.set(event.command, parts);
    parts.push(...event.data.map((one) => Buffer.from(one)));
    if (event.type === 'part') return [];
    const { data: _, ...end } = event;
    return [{ ...end, answer: Buffer.concat(parts).toString('latin1') }];
  });
}

/** postgres.js ends a COPY twice, by CopyDone and CopyFail. The server ignores what comes after the end, and is spared it. */
function withoutLeftovers(bytes: Buffer): Buffer {
  const kept: Buffer[] = [];
  let ended = false;
  for (let at = 0; at < bytes.length; ) {
    const next = at + 1 + bytes.readInt32BE(at + 1);
    const tag = String.fromCharCode(bytes[at] as number);
    if (!(ended && 'dcf'.includes(tag))) kept.push(bytes.subarray(at, next));
    ended = 'dcf'.includes(tag) && (ended || tag !== 'd');
    at = next;
  }
  return Buffer.concat(kept);
}

test('there are transcripts of psql, pgbench and both drivers', () => {
  expect(transcripts.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['psql', 'pgbench-pipeline-2', 'pgbench-prepared-2', 'node-postgres', 'postgres-js']),
  );
});

describe.each(transcripts)('$name', ({ exchanges }) => {
  const whole = replay(exchanges, (bytes) => [bytes]);

  test.each(Object.entries(CUTS))('%s: both sides get what the other sent, and the record says the same', (_, cut) => {
    const replayed = replay(exchanges, cut);
    for (const [from, to] of [
      ['client', 'upstream'],
      ['upstream', 'client'],
    ] as const) {
      const sent = Buffer.concat(exchanges.filter((one) => one.from === from).map(({ bytes }) => bytes));
      const due = from === 'client' ? withoutLeftovers(sent) : sent;
      expect(Buffer.concat(replayed.sent[to]).toString('latin1')).toBe(due.toString('latin1'));
    }
    expect(replayed.asked.map(({ text, phase }) => [phase, text])).toEqual(
      whole.asked.map(({ text, phase }) => [phase, text]),
    );
    expect(account(replayed)).toEqual(account(whole));
  });

  test('every command that ran is closed once in the record', () => {
    const ends = whole.recorded.filter((event) => event.type === 'end' && event.outcome !== 'suspended');
    const ran = whole.asked.filter(({ phase }) => phase === 'run').map(({ id }) => id);
    expect(
      ends
        .map(({ command }) => command)
        .filter((id) => ran.includes(id))
        .toSorted((a, b) => a - b),
    ).toEqual(ran);
  });
});
