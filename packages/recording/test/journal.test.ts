import { createHash } from 'node:crypto';
import { existsSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import fc from 'fast-check';
import type { Write } from '../src/files.js';
import { decode, encode, link, sizeBound } from '../src/format.js';
import { Journal, JournalError, readJournal, verify } from '../src/index.js';
import { asKilled, bytesOf, emptyFolder, filled, numbers, record } from './folder.js';

const FIRST = 'gateway-00000001.log';
const SECOND = 'gateway-00000002.log';

test('what was committed is read back in order, header and payload, byte for byte', () => {
  const folder = emptyFolder();
  const journal = new Journal({ folder });
  journal.append('{"k":"admin","t":1,"detail":"ä😀"}', [Buffer.from([0, 255]), Buffer.from([1])]);
  journal.append('{"k":"admin","t":2}');
  expect(journal.pending).toBe(2);
  expect(numbers(folder)).toEqual([]);
  journal.commit();
  expect(journal.pending).toBe(0);
  const [first, second] = readJournal(folder);
  expect(first).toMatchObject({ header: { t: 1, detail: 'ä😀' }, segment: FIRST, record: 1 });
  expect(first?.payload).toEqual(Buffer.from([0, 255, 1]));
  expect(second).toMatchObject({ header: { t: 2 }, record: 2 });
  expect(journal.position).toMatchObject({ segment: FIRST, records: 2, bytes: statSync(join(folder, FIRST)).size });
  journal.close();
});

test('a record means the same after encoding and decoding, whatever it holds', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 0x10ffff })).map((all) => String.fromCodePoint(...all)),
      fc.array(fc.uint8Array()),
      fc.uint8Array({ minLength: 32, maxLength: 32 }),
      (header, payload, previous) => {
        const buffer = Buffer.alloc(sizeBound(header, payload) + 7);
        const end = encode(buffer, 7, header, payload);
        link(buffer, 7, Buffer.from(previous).toString('hex'));
        const parts = decode(buffer.subarray(7, end));
        expect(parts?.header).toEqual(Buffer.from(header));
        expect(parts?.payload).toEqual(Buffer.concat(payload));
        expect(parts?.previous).toEqual(Buffer.from(previous));
      },
    ),
  );
});

test('however many records are written at once, the bytes are those of one behind the other', () => {
  const one = fc.tuple(fc.string(), fc.array(fc.uint8Array(), { maxLength: 3 }));
  const turn = fc.record({ fails: fc.boolean(), records: fc.array(one, { maxLength: 5 }) });
  fc.assert(
    fc.property(fc.array(turn, { maxLength: 5 }), (turns) => {
      const folder = emptyFolder();
      let isFull = false;
      const write: Write = (...args) => (isFull ? 0 : writeSync(...args));
      const journal = new Journal({ folder, write });
      const expected: Buffer[] = [];
      let previous: Buffer = Buffer.alloc(32);
      const expectNext = (header: string, payload: readonly Uint8Array[] = []): void => {
        const next = recordOf(previous, header, payload);
        expected.push(next);
        previous = createHash('sha256').update(next).digest();
      };
      for (const { fails, records } of turns) {
        const made = records.map(([text, payload]) => [record(1, text), payload] as const);
        for (const [header, payload] of made) journal.append(header, payload);
        isFull = fails && made.length > 0;
        if (isFull) {
          expect(() => journal.commit()).toThrow(JournalError);
          isFull = false;
          expect(journal.retry()).toBe(true);
          // What was lost leaves nothing behind, in the chain either.
          expectNext(JSON.stringify([...readJournal(folder)].at(-1)?.header));
        } else {
          journal.commit();
          for (const [header, payload] of made) expectNext(header, payload);
        }
      }
      expect(bytesOf(folder, FIRST)).toEqual(Buffer.concat(expected));
      expect(journal.position.hash).toBe(previous.toString('hex'));
      journal.close();
    }),
    { numRuns: 8 },
  );
});

/** As the format is described. */
function recordOf(previous: Buffer, header: string, payload: readonly Uint8Array[]): Buffer {
  const text = Buffer.from(header);
  const [length, headerLength] = [Buffer.alloc(4), Buffer.alloc(4)];
  headerLength.writeUInt32BE(text.length);
  const rest = Buffer.concat([previous, headerLength, text, ...payload]);
  length.writeUInt32BE(rest.length);
  return Buffer.concat([length, rest]);
}

test('records larger than every buffer go through', () => {
  const folder = emptyFolder();
  const journal = new Journal({ folder });
  const sizes = [0, 1, 300_000, 5_000_000, 1_048_576, 3];
  for (const size of sizes) journal.append(record(size), [Buffer.alloc(size, 7)]);
  journal.commit();
  expect([...readJournal(folder)].map(({ payload }) => payload.length)).toEqual(sizes);
  journal.close();
  expect(verify(folder).problems).toEqual([]);
});

test('segments follow each other by size and by age, and all are sealed', () => {
  const folder = emptyFolder();
  let now = 1_700_000_000_000;
  const journal = new Journal({ folder, segmentBytes: 1000, segmentAge: 60_000, now: () => now });
  for (let n = 0; n < 30; n++) {
    journal.append(record(n));
    journal.commit();
  }
  const bySize = journal.position.segment;
  expect(Number(bySize.slice(8, 16))).toBeGreaterThan(2);
  now += 60_000;
  journal.append(record(30));
  journal.commit();
  expect(journal.position.segment).not.toBe(bySize);
  journal.close();
  expect(numbers(folder)).toEqual(Array.from({ length: 31 }, (_, n) => n));
  expect(verify(folder)).toMatchObject({ problems: [], sealed: 31, unsealed: 0 });
});

test('starts and ends without a record leave the chain whole', () => {
  const folder = emptyFolder();
  for (const n of [0, undefined, undefined, 1, undefined]) {
    const journal = new Journal({ folder });
    if (n !== undefined) journal.append(record(n));
    journal.close();
  }
  expect(numbers(folder)).toEqual([0, 1]);
  expect(verify(folder)).toMatchObject({ problems: [], sealed: 2, segments: 3 });
});

test('a tail torn at any byte of the last record is cut back to the record before it, and said so', () => {
  const whole = filled(0, 3);
  const bytes = bytesOf(whole, FIRST);
  const last = bytes.length - bytes.length / 3;
  for (let length = last; length < bytes.length; length++) {
    const folder = asKilled(whole);
    writeFileSync(join(folder, FIRST), bytes.subarray(0, length));
    expect(verify(folder)).toMatchObject({ records: 2, problems: [] });
    const journal = new Journal({ folder });
    journal.append(record(9));
    journal.close();
    expect(numbers(folder)).toEqual([0, 1, 9]);
    const cut = length - last;
    const said = [...readJournal(folder)].filter(({ header }) => header.k === 'journal.recovered');
    expect(said.map(({ header }) => header)).toMatchObject(cut === 0 ? [] : [{ segment: FIRST, cut, damaged: false }]);
    expect(verify(folder).problems).toEqual([]);
    if (cut > 0) expect(bytesOf(folder, `${FIRST}.cut`)).toEqual(bytes.subarray(last, length));
  }
});

test('damage in the middle of an unsealed segment is kept and reported, not cut away as if it were a torn tail', () => {
  const whole = filled(0, 4);
  const bytes = bytesOf(whole, FIRST);
  const second = bytes.length / 4;
  // Into the hash, the header and the length of the second record. Not into its time: whether that runs back then depends
  // on the day.
  for (const at of [second + 4 + 5, bytes.indexOf('some words', second), second + 2]) {
    const folder = asKilled(whole);
    const damaged = Buffer.from(bytes);
    damaged[at]! ^= 1;
    writeFileSync(join(folder, FIRST), damaged);
    expect(verify(folder).problems).not.toEqual([]);
    new Journal({ folder }).close();
    const { problems } = verify(folder);
    expect(problems[0]?.message).toContain('with whole records among them were damaged');
    expect(problems.every(({ segment }) => segment === FIRST)).toBe(true);
    const kept = Buffer.concat([bytesOf(folder, FIRST), bytesOf(folder, `${FIRST}.cut`)]);
    expect(kept).toEqual(damaged);
  }
});

test('a sealed segment is never touched by a start, whatever became of its file', () => {
  const folder = filled(1, 3);
  new Journal({ folder }).close();
  const bytes = bytesOf(folder, SECOND);
  writeFileSync(join(folder, SECOND), bytes.subarray(0, 100));
  new Journal({ folder }).close();
  const journal = new Journal({ folder });
  journal.append(record(9));
  journal.close();
  expect(bytesOf(folder, SECOND).length).toBe(100);
  const { problems } = verify(folder);
  expect(problems).not.toEqual([]);
  expect(problems.every(({ segment }) => segment === SECOND)).toBe(true);
});

test('a half-written checkpoint line is cut off by the next start, and its segment sealed again', () => {
  const folder = filled(2, 3);
  const line = bytesOf(folder, 'gateway.checkpoint');
  for (const cut of [1, 10, 200]) {
    const copy = asKilled(folder);
    writeFileSync(join(copy, 'gateway.checkpoint'), line.subarray(0, line.length - cut));
    new Journal({ folder: copy }).close();
    // The line for the second segment was lost: the segment is there, unsealed, in front of later ones.
    // No kill does that, since a line is on the disk before the next segment begins.
    expect(verify(copy).problems).toMatchObject([{ segment: SECOND }, { segment: 'gateway' }]);
  }
  const copy = asKilled(folder);
  writeFileSync(join(copy, 'gateway.checkpoint'), Buffer.concat([line, Buffer.from('{"segment":"gateway-000')]));
  new Journal({ folder: copy }).close();
  expect(verify(copy)).toMatchObject({ problems: [], sealed: 10 });
});

test('a full disk: nothing half-written stays, nothing more is taken, and it goes on when there is room', () => {
  for (const durability of ['process', 'disk'] as const) {
    const folder = emptyFolder();
    let room = Infinity;
    const write: Write = (file, bytes, offset, length, position) => {
      const part = Math.min(length, 50, room);
      if (part === 0) throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
      room -= part;
      return writeSync(file, bytes, offset, part, position);
    };
    const journal = new Journal({ folder, durability, write });
    journal.append(record(1));
    journal.commit();
    const before = journal.position;
    room = 120;
    journal.append(record(2));
    journal.append(record(3));
    expect(() => journal.commit()).toThrow(JournalError);
    expect(journal.failed?.message).toContain('ENOSPC');
    expect(journal.pending).toBe(0);
    expect(journal.position).toEqual(before);
    expect(statSync(join(folder, FIRST)).size).toBe(before.bytes);
    expect(() => journal.append(record(4))).toThrow(JournalError);
    expect(() => journal.commit()).toThrow(JournalError);
    expect(journal.retry()).toBe(false);
    expect(journal.failed).toBeDefined();
    expect(statSync(join(folder, FIRST)).size).toBe(before.bytes);
    room = Infinity;
    expect(journal.retry()).toBe(true);
    journal.append(record(5));
    journal.close();
    expect(numbers(folder)).toEqual([1, 5]);
    expect([...readJournal(folder)].map(({ header }) => header)).toMatchObject([
      {},
      { k: 'journal.resumed', lost: 2 },
      {},
    ]);
    expect(verify(folder)).toMatchObject({ problems: [], sealed: 3 });
  }
});

test('a disk that is full when a segment has to be sealed: the seal is made later, and once', () => {
  const folder = emptyFolder();
  let full = false;
  // A line of the checkpoint starts with a brace, a record with its length.
  const write = (file: number, bytes: Uint8Array, offset: number, length: number, position: number): number => {
    if (!full || bytes[0] !== 0x7b) return writeSync(file, bytes, offset, length, position);
    writeSync(file, bytes, offset, 40, position);
    throw new Error('ENOSPC');
  };
  const journal = new Journal({ folder, segmentBytes: 150, write });
  journal.append(record(1));
  journal.commit();
  full = true;
  journal.append(record(2));
  expect(() => journal.commit()).toThrow(JournalError);
  expect(journal.retry()).toBe(false);
  full = false;
  expect(journal.retry()).toBe(true);
  journal.append(record(3));
  journal.close();
  expect(numbers(folder)).toEqual([1, 2, 3]);
  expect(verify(folder)).toMatchObject({ problems: [], unsealed: 0 });
});

test('a segment that cannot be opened after a seal: nothing is written to the closed one', () => {
  const folder = emptyFolder();
  const journal = new Journal({ folder });
  journal.append(record(1));
  // A file is where the next segment has to be.
  writeFileSync(join(folder, SECOND), '');
  expect(() => journal.seal()).toThrow(JournalError);
  expect(journal.retry()).toBe(false);
  expect(() => journal.append(record(2))).toThrow(JournalError);
  journal.close();
  const again = new Journal({ folder });
  again.append(record(3));
  again.close();
  expect(numbers(folder)).toEqual([1, 3]);
  expect(verify(folder)).toMatchObject({ problems: [], sealed: 2 });
});

test('a record that no reader would take is refused, and the journal goes on', () => {
  const folder = emptyFolder();
  const journal = new Journal({ folder });
  expect(() => journal.append('{}', [{ length: 600 * 1024 * 1024 } as Uint8Array])).toThrow(JournalError);
  journal.append(record(1));
  journal.close();
  expect(numbers(folder)).toEqual([1]);
  expect(() => journal.append(record(2))).toThrow('closed');
  expect(() => journal.commit()).toThrow('closed');
  journal.close();
});

test('the key is for this user only, and the name of a process stays in the folder', () => {
  const folder = filled(1, 1);
  expect(statSync(join(folder, 'journal.key')).mode & 0o777).toBe(0o600);
  expect(existsSync(join(folder, 'journal.pub'))).toBe(true);
  expect(statSync(join(folder, FIRST)).mode & 0o777).toBe(0o600);
  expect(() => new Journal({ folder, process: '../x' })).toThrow(JournalError);
});

test('processes that share a folder have a chain each', () => {
  const folder = emptyFolder();
  const one = new Journal({ folder, process: 'gateway' });
  const two = new Journal({ folder, process: 'gateway-2' });
  for (let n = 0; n < 6; n++) (n % 2 ? two : one).append(record(n));
  one.close();
  two.close();
  expect(numbers(folder)).toEqual([0, 2, 4, 1, 3, 5]);
  expect(verify(folder)).toMatchObject({ problems: [], sealed: 6, segments: 2 });
});
