import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { LOG_FILE, LogFile } from '../src/log-file.js';

const LONG = `${'x'.repeat(1024 * 1024 - 1)}\n`;
const fill = (log: LogFile): void => {
  for (let n = 0; n < 9; n++) log.write(LONG);
};

test('a log that cannot begin its next file goes on once it can', ({ skip }) => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-log-'));
  try {
    // The folder itself, the log, and one more file.
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=32m,nr_inodes=3', 'tmpfs', folder], { stdio: 'ignore' });
  } catch {
    rmSync(folder, { recursive: true });
    skip('a small file system cannot be mounted here');
  }
  onTestFinished(() => {
    // The log has its file open.
    execFileSync('umount', ['--lazy', folder]);
    rmSync(folder, { recursive: true });
  });
  const log = new LogFile(folder);
  fill(log);
  writeFileSync(join(folder, 'ballast'), '');
  log.write('lost\n');
  rmSync(join(folder, 'ballast'));
  log.write('found\n');
  expect(readFileSync(join(folder, LOG_FILE), 'utf8')).toBe('found\n');
});

test('a log whose older file cannot be replaced goes on in the file that it has', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-log-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, `${LOG_FILE}.1`, 'of somebody else'), { recursive: true });
  const log = new LogFile(folder);
  fill(log);
  log.write('first\n');
  log.write('second\n');
  expect(readFileSync(join(folder, LOG_FILE), 'utf8').slice(LONG.length * 9)).toBe('first\nsecond\n');
});
