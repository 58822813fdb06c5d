import { createPrivateKey, generateKeyPairSync, sign } from 'node:crypto';
import { readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { describeReport, verify } from '../src/index.js';
import { asKilled, bytesOf, filled } from './folder.js';

const name = (n: number): string => `gateway-0000000${n}.log`;
const CHECKPOINT = 'gateway.checkpoint';
const edit = (folder: string, file: string, change: (text: string) => string): void =>
  writeFileSync(join(folder, file), change(readFileSync(join(folder, file), 'utf8')));

test('an untouched journal: vouched for up to the last seal, the tail reported as not sealed', () => {
  const report = verify(filled(3, 4));
  expect(report).toMatchObject({ segments: 4, records: 16, sealed: 12, signed: 0, unsealed: 4, problems: [] });
  const [counts, tail, key, head, verdict] = describeReport(report).split('\n');
  expect(counts).toBe('16 records in 4 segments: 12 sealed, 0 more signed, 4 not signed');
  expect(tail).toBe(
    `What was written since ${report.since} is vouched for by nobody yet: a change of it is not found.`,
  );
  expect(key).toMatch(/^Signed by the key SHA256:\S{43}\.$/);
  expect(head).toMatch(/^Head of gateway, 20\S+Z: record 0 of gateway-00000004\.log, [0-9a-f]{64}$/);
  expect(verdict).toBe('No change was found.');
  expect(JSON.parse(JSON.stringify(report))).toEqual(report);
});

test('one flipped bit, in any byte of a sealed segment or of its checkpoint, is found', () => {
  const whole = filled(2, 2);
  for (const file of [name(1), name(2), CHECKPOINT]) {
    const bytes = bytesOf(whole, file);
    for (let at = 0; at < bytes.length - 1; at++) {
      const changed = Buffer.from(bytes);
      changed[at]! ^= 1 << (at % 8);
      writeFileSync(join(whole, file), changed);
      const { problems } = verify(whole);
      expect(problems, `${file} byte ${at}`).not.toEqual([]);
    }
    writeFileSync(join(whole, file), bytes);
  }
  expect(verify(whole).problems).toEqual([]);
});

test('an edited record is named', () => {
  const folder = filled(2, 5);
  const bytes = bytesOf(folder, name(2));
  bytes.set(Buffer.from('SOME'), bytes.indexOf('some', bytes.length / 2));
  writeFileSync(join(folder, name(2)), bytes);
  expect(verify(folder)).toMatchObject({ sealed: 5, problems: [{ segment: name(2), record: 4 }] });
});

test('a missing, a swapped, a truncated and a lengthened segment are named', () => {
  const whole = filled(4, 3);
  const problems = (change: (folder: string) => void): string => {
    const folder = asKilled(whole);
    change(folder);
    return describeReport(verify(folder));
  };
  expect(problems((folder) => rmSync(join(folder, name(2))))).toContain(
    `${name(2)}: this segment was sealed and is missing`,
  );
  expect(problems((folder) => rmSync(join(folder, name(1))))).toContain(
    `${name(2)}: the segment before this one is missing`,
  );
  const swapped = problems((folder) => {
    renameSync(join(folder, name(2)), join(folder, 'x'));
    renameSync(join(folder, name(3)), join(folder, name(2)));
    renameSync(join(folder, 'x'), join(folder, name(3)));
  });
  expect(swapped).toContain(`${name(2)}, record 1: this record does not follow`);
  expect(swapped).toContain(`${name(3)}, record 1: this record does not follow`);
  const size = bytesOf(whole, name(3)).length;
  expect(problems((folder) => truncateSync(join(folder, name(3)), size - 1))).toContain(
    `${name(3)}: the seal says 3 records`,
  );
  expect(problems((folder) => truncateSync(join(folder, name(3)), (size / 3) * 2))).toContain(
    `${name(3)}: the seal says 3 records`,
  );
  expect(problems((folder) => truncateSync(join(folder, name(3)), 0))).toContain(`${name(3)}: the seal says 3 records`);
  expect(problems((folder) => truncateSync(join(folder, name(3)), size + 1))).toContain(
    `${name(3)}, record 4: no record can be read`,
  );
});

test('a forged chain needs the key: lines signed by another, taken out, or put in another order are found', () => {
  const whole = filled(3, 3);
  const key = createPrivateKey(bytesOf(whole, 'journal.key'));
  const { privateKey: other } = generateKeyPairSync('ed25519');
  const resigned = (line: string, by: typeof key, change: (text: string) => string): string => {
    const text = change(line.split('\t')[0] ?? '');
    return `${text}\t${sign(null, Buffer.from(text), by).toString('base64')}`;
  };
  const lines = (change: (lines: string[]) => string[]): string => {
    const folder = asKilled(whole);
    edit(folder, CHECKPOINT, (text) => change(text.trimEnd().split('\n')).join('\n').concat('\n'));
    return describeReport(verify(folder));
  };
  const second =
    (change: (line: string) => string) =>
    (all: string[]): string[] =>
      all.map((line, index) => (index === 1 ? change(line) : line));
  expect(lines(second((line) => resigned(line, other, (text) => text)))).toContain('line 2 is not signed by this key');
  expect(lines(second((line) => resigned(line, key, (text) => text)))).toContain('No change was found');
  expect(lines(second((line) => resigned(line, key, (text) => text.replace('"records":3', '"records":4'))))).toContain(
    'the seal says 4 records',
  );
  expect(lines(second(() => 'null\t'))).toContain('line 2 cannot be read');
  expect(lines(second(() => '{"segment":1}\tx'))).toContain('line 2 cannot be read');
  expect(lines(([a = '', b = '', c = '']) => [a, c, b])).toContain('line 2 does not follow the one before it');
  expect(lines(([a = '', , c = '']) => [a, c])).toContain(`${name(2)}: this segment has no valid seal`);
  expect(lines(() => [''])).toContain('no valid seal');
});

test('another public key vouches for nothing', () => {
  const folder = filled(2, 3);
  const { publicKey } = generateKeyPairSync('ed25519');
  expect(verify(folder, { key: publicKey })).toMatchObject({ sealed: 0, unsealed: 9 });
  expect(verify(folder, { key: publicKey }).problems.length).toBeGreaterThan(1);
  expect(verify(folder, { key: bytesOf(folder, 'journal.pub').toString() }).problems).toEqual([]);
});
