/** What is told of a damaged journal while it is read. */
import { readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Journal, type JournalGap, type JournalPosition, readRange, timeline } from '../src/index.js';
import { asKilled, bytesOf, emptyFolder, filled, numbers, record } from './folder.js';

const SEGMENTS = 3;
const EACH = 4;
const WHOLE: [JournalPosition, JournalPosition] = [
  { segment: 1, offset: 0 },
  { segment: SEGMENTS, offset: Infinity },
];
const nameOf = (segment: number): string => `gateway-0000000${segment}.log`;

/** Where each record of a segment begins, and where the last one ends. */
function startsIn(folder: string, segment: number): number[] {
  const bytes = bytesOf(folder, nameOf(segment));
  const starts = [0];
  for (let at = 0; at < bytes.length; ) starts.push((at += 4 + bytes.readUInt32BE(at)));
  return starts;
}

function read(folder: string, from = WHOLE[0], to = WHOLE[1]): { numbers: number[]; gaps: JournalGap[] } {
  const gaps: JournalGap[] = [];
  const found = [...readRange(folder, 'gateway', from, to, (gap) => gaps.push(gap))].map(({ header }) =>
    Number(/"actor":"(\d+)"/.exec(header.toString())?.[1] ?? -1),
  );
  return { numbers: found, gaps };
}

function change(folder: string, segment: number, act: (bytes: Buffer) => Buffer): void {
  const file = join(folder, nameOf(segment));
  writeFileSync(file, act(readFileSync(file)));
}

const flip = (at: number) => (bytes: Buffer) => {
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  return bytes;
};

/** Three sealed segments of four records, 0 to 11, and a fourth that is not sealed. */
const journal = (): string => filled(SEGMENTS, EACH);

describe('what is read of a journal', () => {
  test('that is whole has no gap', () => {
    const { numbers: found, gaps } = read(journal());
    expect(found).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    expect(gaps).toEqual([]);
  });

  test.each<[what: string, damage: (folder: string, starts: number[]) => void, left: number[], sentences: RegExp[]]>([
    [
      'a flipped bit in a text',
      (folder, [, , third = 0]) => change(folder, 2, flip(third - 10)),
      [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
      [/^the record at byte \d+ of gateway-00000002.log or the one behind it was changed$/],
    ],
    [
      'a flipped bit in the last record of a segment',
      (folder, starts) => change(folder, 2, flip((starts.at(-1) ?? 0) - 10)),
      [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
      [/^what follows byte \d+ of gateway-00000002.log is missing or was changed, up to gateway-00000003.log$/],
    ],
    [
      'the length of a header',
      (folder, [, second = 0]) => change(folder, 2, (bytes) => (bytes.writeUInt32BE(0xffffff, second + 36), bytes)),
      [0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11],
      [/^the record at byte \d+ of gateway-00000002.log cannot be read$/],
    ],
    [
      'the length of the headers of two in a row',
      (folder, [, second = 0, third = 0]) =>
        change(folder, 2, (bytes) => {
          for (const at of [second, third]) bytes.writeUInt32BE(0xffffff, at + 36);
          return bytes;
        }),
      [0, 1, 2, 3, 4, 7, 8, 9, 10, 11],
      [/^the record at byte \d+ of gateway-00000002.log cannot be read$/],
    ],
    [
      'the length of a record, too long for the file',
      (folder, [, second = 0]) => change(folder, 2, (bytes) => (bytes.writeUInt32BE(0xffffff, second), bytes)),
      [0, 1, 2, 3, 4, 8, 9, 10, 11],
      [/^\d+ bytes from byte \d+ of gateway-00000002.log on are missing or cannot be read, and the record before/],
    ],
    [
      'the length of a record, as if it had no more than its head',
      (folder, [, second = 0]) => change(folder, 2, (bytes) => (bytes.writeUInt32BE(36, second), bytes)),
      [0, 1, 2, 3, 4, 8, 9, 10, 11],
      [
        /the record at byte \d+ of gateway-00000002.log cannot be read/,
        /bytes from byte \d+ of gateway-00000002.log on/,
      ],
    ],
    [
      'a segment that was cut between two records',
      (folder, [, , third = 0]) => truncateSync(join(folder, nameOf(2)), third),
      [0, 1, 2, 3, 4, 5, 8, 9, 10, 11],
      [/^what follows byte \d+ of gateway-00000002.log is missing or was changed, up to gateway-00000003.log$/],
    ],
    [
      'a segment that was cut in a record',
      (folder, [, , third = 0]) => truncateSync(join(folder, nameOf(2)), third + 20),
      [0, 1, 2, 3, 4, 5, 8, 9, 10, 11],
      [/^20 bytes from byte \d+ of gateway-00000002.log on are missing or cannot be read/],
    ],
    [
      'bytes taken out of the middle of a segment',
      (folder, [, second = 0, third = 0]) =>
        change(folder, 2, (bytes) => Buffer.concat([bytes.subarray(0, second), bytes.subarray(third)])),
      [0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11],
      [/^the record at byte 0 of gateway-00000002.log or the one behind it was changed$/],
    ],
    [
      'a segment that is gone',
      (folder) => rmSync(join(folder, nameOf(2))),
      [0, 1, 2, 3, 8, 9, 10, 11],
      [/^the segment gateway-00000002.log is missing$/],
    ],
    [
      'the first and the second gone',
      (folder) => [1, 2].forEach((one) => rmSync(join(folder, nameOf(one)))),
      [8, 9, 10, 11],
      [/^the segments gateway-00000001.log to gateway-00000002.log are missing$/],
    ],
    [
      'the last that was asked for gone',
      (folder) => rmSync(join(folder, nameOf(3))),
      [0, 1, 2, 3, 4, 5, 6, 7],
      [/^the segment gateway-00000003.log is missing$/],
    ],
    [
      'an empty one',
      (folder) => truncateSync(join(folder, nameOf(2)), 0),
      [0, 1, 2, 3, 8, 9, 10, 11],
      [/^what follows byte \d+ of gateway-00000001.log is missing or was changed, up to gateway-00000003.log$/],
    ],
  ])('%s is told of, and the rest is read', (_, damage, left, sentences) => {
    const folder = journal();
    damage(folder, startsIn(folder, 2));
    const { numbers: found, gaps } = read(folder);
    expect(found.filter((one) => one >= 0)).toEqual(left);
    expect(gaps.map(({ what }) => what)).toEqual(sentences.map((one) => expect.stringMatching(one) as string));
    expect(gaps.every(({ kind }) => kind === 'damaged')).toBe(true);
    // Whoever does not ask gets the same records.
    expect([...readRange(folder, 'gateway', ...WHOLE)].length).toBe(found.length);
  });

  test('up to a place: the last record before it is held against the one behind it, in the next segment too', () => {
    const folder = journal();
    const starts = startsIn(folder, 2);
    const end = { segment: 2, offset: starts.at(-1) ?? 0 };
    change(folder, 2, flip((starts.at(-1) ?? 0) - 10));
    expect(read(folder, undefined, end).gaps).toHaveLength(1);
    const before = { segment: 2, offset: starts.at(-2) ?? 0 };
    expect(read(folder, undefined, before).gaps).toEqual([]);
    // A length that leads behind the place.
    change(folder, 2, (bytes) => {
      bytes.writeUInt32BE((starts[3] ?? 0) - (starts[1] ?? 0) - 4, starts[1] ?? 0);
      return bytes;
    });
    const second = { segment: 2, offset: starts[2] ?? 0 };
    expect(read(folder, undefined, second).gaps.map(({ what }) => what)).toEqual([
      expect.stringMatching(/^\d+ bytes from byte \d+ of gateway-00000002.log on are missing or cannot be read/),
    ]);
    // A place that is not there any more.
    truncateSync(join(folder, nameOf(2)), 10);
    expect(read(folder, before, end).gaps).toHaveLength(1);
  });

  test('a segment whose time was over is no damage: a signed line says that it was removed', () => {
    const folder = emptyFolder();
    const writing = new Journal({ folder });
    for (let n = 0; n < 12; n++) {
      writing.append(record(n));
      writing.commit();
      if (n % 4 === 3) writing.seal();
    }
    for (const [segment, first] of [
      [nameOf(1), '11'],
      [nameOf(2), '22'],
    ] as const)
      writing.remove(segment, first);
    const { numbers: found, gaps } = read(folder);
    expect(found).toEqual([8, 9, 10, 11]);
    expect(gaps).toEqual([
      {
        kind: 'expired',
        start: { segment: 1, offset: 0 },
        what: 'the segments gateway-00000001.log to gateway-00000002.log were removed because the time that records are kept was over',
      },
    ]);
    // Whoever takes one away and writes a line for it has no key to sign it with.
    const copy = asKilled(folder);
    rmSync(join(copy, nameOf(3)));
    const lines = readFileSync(join(copy, 'gateway.checkpoint'), 'utf8');
    writeFileSync(join(copy, 'gateway.checkpoint'), lines.replaceAll(nameOf(2), nameOf(3)));
    expect(read(copy).gaps.map(({ kind, what }) => `${kind}: ${what}`)).toEqual([
      'expired: the segment gateway-00000001.log was removed because the time that records are kept was over',
      'damaged: the segments gateway-00000002.log to gateway-00000003.log are missing',
    ]);
    writing.close();
  });

  test('who lists a whole folder reads what is left, as before', () => {
    const folder = journal();
    rmSync(join(folder, nameOf(2)));
    expect(numbers(folder)).toEqual([0, 1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 15]);
    expect(timeline(folder, 'nobody')).toEqual([]);
  });
});
