import {
  appendFileSync,
  copyFileSync,
  cpSync,
  readFileSync,
  readdirSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { encode, link } from '../src/format.js';
import { type Head, Journal, type Report, describeReport, readHeads, verify } from '../src/index.js';
import { asKilled, bytesOf, emptyFolder, numbers, record } from './folder.js';

/** What somebody does who has the folder of a journal, but not the key, or has the key as well where it says so. */
const name = (n: number): string => `gateway-0000000${n}.log`;
const CHECKPOINT = 'gateway.checkpoint';
const HEAD = 'gateway.head';

interface Running {
  readonly folder: string;
  readonly journal: Journal;
  /** The folder as a kill would leave it now. */
  killed(): string;
}

/** Two sealed segments of three records each, and a third with three that are signed by a head and two that are not. */
async function running(): Promise<Running> {
  const folder = emptyFolder();
  const journal = new Journal({ folder, headAge: 0 });
  let n = 0;
  const write = (count: number): void => {
    for (let left = count; left > 0; left--) journal.append(record(n++));
    journal.commit();
  };
  for (let segment = 0; segment < 2; segment++) {
    write(3);
    journal.seal();
  }
  write(3);
  await journal.tend();
  write(2);
  return { folder, journal, killed: () => asKilled(folder) };
}

const said = (folder: string, heads?: Head[]): string[] =>
  verify(folder, heads ? { heads } : {}).problems.map(({ segment, message }) => `${segment}: ${message}`);

test('nobody did anything: what is signed is said, and what is not, since when', async () => {
  const { folder, journal, killed } = await running();
  const report = verify(folder);
  expect(report).toMatchObject({ problems: [], notes: [], records: 11, sealed: 6, signed: 3, unsealed: 2 });
  expect(report.since).toBe(journal.head?.at);
  const copy = killed();
  expect(said(copy)).toEqual([]);
  // The next start takes over what nobody had signed, and says so.
  new Journal({ folder: copy }).close();
  const after = verify(copy);
  expect(after).toMatchObject({ problems: [], unsealed: 0 });
  expect(after.notes).toEqual([expect.stringContaining('2 records at its end were signed by nobody')]);
  journal.close();
  expect(verify(folder)).toMatchObject({ problems: [], unsealed: 0, sealed: 11 });
});

test('(a) adds a segment of a process that there never was, to a running journal', async () => {
  const { folder, journal, killed } = await running();
  copyFileSync(join(folder, name(1)), join(folder, 'gateway0-00000001.log'));
  expect(said(folder)).toEqual([expect.stringMatching(/^gateway0\.head: this head is missing/)]);
  // A head or checkpoint that says another name does not help.
  copyFileSync(join(folder, HEAD), join(folder, 'gateway0.head'));
  expect(said(folder)).toContain('gateway0.head: this head is not signed by this key');
  copyFileSync(join(folder, name(1)), join(folder, name(4)));
  expect(said(killed()).join('\n')).toContain(`${name(4)}: this segment was put here`);
  rmSync(join(folder, name(4)));
  journal.close();
});

test.each<[string, (folder: string) => void, string]>([
  ['cuts', (folder) => truncateSync(join(folder, name(3)), bytesOf(folder, name(1)).length - 10), 'and there are 2'],
  ['empties', (folder) => truncateSync(join(folder, name(3)), 0), 'and there are 0'],
  ['deletes', (folder) => rmSync(join(folder, name(3))), 'and is missing'],
  ['renames', (folder) => cpSync(join(folder, name(3)), join(folder, 'x'), { force: true }), ''],
  [
    'forges records in',
    (folder) => {
      const journal = new Journal({ folder: emptyFolder() });
      for (let n = 0; n < 3; n++) journal.append(record(n, 'forged'));
      journal.commit();
      copyFileSync(join(journal.folder, name(1)), join(folder, name(3)));
      journal.close();
    },
    'not the one that was signed',
  ],
])('(b) %s the segment that is not sealed, after a kill', async (does, act, finding) => {
  const { folder, journal, killed } = await running();
  const copy = killed();
  act(copy);
  if (does === 'renames') rmSync(join(copy, name(3)));
  expect(said(copy).join('\n')).toContain(finding === '' ? 'is missing' : finding);
  // The gateway does not go on silently: it knows, and the record says so from then on.
  const next = new Journal({ folder: copy });
  expect(next.missing).toContain(name(3));
  next.close();
  expect(said(copy).join('\n')).toContain('the gateway found at');
  journal.close();
  expect(said(folder)).toEqual([]);
});

test('(b) appends records after the journal was closed in order', async () => {
  const { journal, killed } = await running();
  journal.close();
  const copy = killed();
  // They follow the last record as they should: nothing but the head tells that they are late.
  const forged = Buffer.alloc(1000);
  const end = encode(forged, 0, record(99), []);
  link(forged, 0, journal.head?.hash ?? '');
  writeFileSync(join(copy, name(4)), forged.subarray(0, end));
  expect(said(copy).join('\n')).toContain(`${name(4)}: this segment was put here`);
  new Journal({ folder: copy }).close();
  expect(said(copy).join('\n')).toContain('nothing should have been there');
});

test('(c) cuts history at a seal together with its checkpoint and puts an older head there: who kept a head finds it', async () => {
  const folder = emptyFolder();
  const journal = new Journal({ folder, headAge: 0 });
  journal.append(record(1));
  journal.seal();
  const older = asKilled(folder);
  for (let n = 2; n < 5; n++) {
    journal.append(record(n));
    journal.seal();
  }
  journal.append(record(9));
  journal.commit();
  await journal.tend();
  const kept = journal.head as Head;
  const { heads } = verify(folder);
  expect(said(folder, [kept])).toEqual([]);
  journal.close();
  expect(said(folder, [kept])).toEqual([]);
  // The older copy is whole in itself: nothing but a kept head tells.
  expect(said(older)).toEqual([]);
  for (const witness of [
    [kept],
    heads,
    readHeads(JSON.stringify(verify(folder))),
    readHeads(`${JSON.stringify(kept)}\tx\n`),
  ]) {
    expect(said(older, [...witness]).join('\n')).toContain('is missing');
  }
  // Neither does a gateway that goes on there silently, when its store has kept the head.
  const next = new Journal({ folder: older });
  expect(next.missing).toBeUndefined();
  expect(next.compare(kept)).toContain('checkpoint');
  next.close();
  expect(said(older).join('\n')).toContain('the gateway found at');
  expect(() => readHeads('{"process":1}\n')).toThrow('line 1 is no head');
  const line = JSON.stringify(kept);
  const cut: number[] = [];
  expect(readHeads(`${line}\tx\n${line.slice(0, 40)}\n${line}\n${line.slice(0, 5)}`, (at) => cut.push(at))).toEqual([
    kept,
    kept,
  ]);
  expect(cut).toEqual([2, 4]);
  expect(() => readHeads(`${line.slice(0, 40)}\n${line}\n`)).toThrow('line 1 is no head');
});

test('(c) the same without an older head: the head that is there tells', async () => {
  const { journal, killed } = await running();
  const copy = killed();
  for (const n of [2, 3]) rmSync(join(copy, name(n)));
  writeFileSync(join(copy, CHECKPOINT), `${readFileSync(join(copy, CHECKPOINT), 'utf8').split('\n')[0]}\n`);
  expect(said(copy).join('\n')).toContain(`${CHECKPOINT}: a line that was there at`);
  rmSync(join(copy, HEAD));
  expect(said(copy)).toEqual([expect.stringMatching(/^gateway\.head: this head is missing/)]);
  journal.close();
});

test('(d) deletes everything but the key, or all but the first segment: an empty journal is not an unchanged one', async () => {
  const { journal, killed } = await running();
  const all = killed();
  for (const file of readdirSync(all)) if (file !== 'journal.pub') rmSync(join(all, file));
  expect(said(all)).toEqual(['journal: there is a key and nothing that was signed with it: everything is missing']);
  expect(describeReport(verify(all))).not.toContain('No change');
  const first = killed();
  for (const file of readdirSync(first)) if (file !== 'journal.pub' && file !== name(1)) rmSync(join(first, file));
  expect(said(first)).toEqual([expect.stringMatching(/^gateway\.head: this head is missing/)]);
  journal.close();
});

test('(e) sets the clock back, or writes a history of another time', () => {
  const folder = emptyFolder();
  let now = Date.now();
  const journal = new Journal({ folder, now: () => now });
  const at = (t: number): string => JSON.stringify({ k: 'admin', t, actor: 'a', action: 'b', detail: '' });
  journal.append(at(now));
  journal.append(at(now - 3_600_000));
  journal.commit();
  expect(said(folder)).toEqual([expect.stringContaining('time runs back here')]);
  journal.close();

  // A clock that was set back while the gateway ran is on record, and no problem.
  const other = emptyFolder();
  const honest = new Journal({ folder: other, now: () => now });
  honest.append(at(now));
  void honest.tend();
  now -= 3_600_000;
  honest.append(at(now));
  void honest.tend();
  honest.close();
  expect(said(other)).toEqual([]);
  expect(verify(other).notes).toEqual([expect.stringContaining('The clock was set back')]);
});

test('(f) puts another history with another key there', async () => {
  const { folder, journal } = await running();
  const kept = journal.head as Head;
  journal.close();
  const other = emptyFolder();
  const forger = new Journal({ folder: other });
  for (let n = 0; n < 11; n++) forger.append(record(n));
  expect(forger.compare(kept)).toContain('the key SHA256:');
  forger.close();
  expect(said(other, [kept]).join('\n')).toContain('this is the key SHA256:');
  const { problems } = verify(other, { key: bytesOf(folder, 'journal.pub').toString() });
  expect(problems.map(({ message }) => message).join('\n')).toContain('not signed by this key');
});

test('(g) deletes, replaces, cuts or lengthens the file that is being written: nothing more is taken, and nothing is lost', async () => {
  const acts: readonly [string, (file: string) => void][] = [
    ['took', (file) => rmSync(file)],
    [
      'took',
      (file) => {
        rmSync(file);
        writeFileSync(file, 'another');
      },
    ],
    ['changed the size', (file) => appendFileSync(file, 'more')],
    ['changed the size', (file) => truncateSync(file, 10)],
  ];
  for (const [finding, act] of acts) {
    const { folder, journal } = await running();
    act(join(folder, name(3)));
    await journal.tend();
    expect(journal.failed?.message).toContain(finding);
    expect(() => journal.append(record(99))).toThrow(finding);
    expect(journal.retry()).toBe(true);
    journal.append(record(100));
    journal.close();
    const report: Report = verify(folder);
    if (act === acts[3]?.[1]) {
      // What was cut off is gone, which is found.
      expect(report.problems).toMatchObject([{ segment: name(3) }, { segment: name(3) }]);
      expect(numbers(folder).at(-1)).toBe(100);
    } else {
      expect(report.problems).toEqual([]);
      expect(numbers(folder)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 100]);
    }
  }
});

test('a segment is sealed when its time is over although nothing is recorded any more', async () => {
  const folder = emptyFolder();
  let now = Date.now();
  const journal = new Journal({ folder, segmentAge: 60_000, now: () => now });
  journal.append(record(1));
  journal.commit();
  await journal.tend();
  expect(verify(folder)).toMatchObject({ sealed: 0 });
  now += 60_000;
  await journal.tend();
  expect(verify(folder)).toMatchObject({ sealed: 1, unsealed: 0, problems: [] });
  journal.close();
});
