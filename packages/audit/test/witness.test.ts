import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Head, readHeads } from '@sluice/recording';
import { pino } from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { Witness } from '../src/witness.js';

const head = (n: number): Head => ({
  process: 'gateway',
  segment: `gateway-0000000${n}.log`,
  records: n,
  bytes: 1,
  hash: 'x'.repeat(3_000),
  line: String(n),
  at: '2026-01-01T00:00:00.000Z',
  state: 'open',
  key: 'k',
});

test('a head that a full disk has cut spoils none of those behind it', async ({ skip }) => {
  const path = mkdtempSync(join(tmpdir(), 'sluice-witness-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', path], { stdio: 'ignore' });
  } catch {
    rmSync(path, { recursive: true });
    skip('a small file system cannot be mounted here');
  }
  onTestFinished(() => {
    execFileSync('umount', [path]);
    rmSync(path, { recursive: true });
  });
  const file = join(path, 'heads');
  const said: string[] = [];
  const witness = new Witness({ file, webhook: undefined }, pino({ base: null }, { write: (line) => said.push(line) }));
  const see = async (n: number): Promise<void> => {
    witness.see(head(n), `${JSON.stringify(head(n))}\tsigned`);
    await witness.stop();
  };
  await see(1);
  const { bfree, bsize } = statfsSync(path);
  writeFileSync(join(path, 'ballast'), Buffer.alloc(bfree * bsize));
  await see(2);
  expect(said.join()).toContain('the witness cannot be written');
  rmSync(join(path, 'ballast'));
  await see(3);
  const cut: number[] = [];
  const text = readFileSync(file, 'utf8');
  expect(readHeads(text, (line) => cut.push(line)).map(({ records }) => records)).toEqual([1, 3]);
  expect(cut).toEqual([2]);
});
