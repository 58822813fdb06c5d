import { spawn } from 'node:child_process';
import { openSync, closeSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';

const LOGGING = `
  import { operatorLog } from '@sluice/audit';
  const log = operatorLog(process.argv[1] === 'pretty', 'info', process.argv[2] === 'file' ? { write: () => undefined } : undefined);
  log.info('one');
  setTimeout(() => { log.info('two'); console.log('alive'); }, 50);
`;

async function aliveWith(stderr: number | 'pipe', ...args: string[]): Promise<string> {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', LOGGING, ...args], {
    stdio: ['ignore', 'pipe', stderr],
    cwd: new URL('..', import.meta.url),
    timeout: 10_000,
  });
  child.stderr?.destroy();
  return text(child.stdout as NonNullable<typeof child.stdout>);
}

test.each([
  ['pretty', 'file'],
  ['json', 'file'],
  ['pretty', 'alone'],
  ['json', 'alone'],
])('a log whose disk is full, or whose reader is gone, ends no process (%s, %s)', async (...args) => {
  const full = openSync('/dev/full', 'w');
  try {
    const said = await Promise.all([aliveWith(full, ...args), aliveWith('pipe', ...args)]);
    expect(said).toEqual(['alive\n', 'alive\n']);
  } finally {
    closeSync(full);
  }
});
