import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, test } from 'vitest';
import { lock } from '../src/lock.js';
import { emptyFolder } from './folder.js';

const STALE = '999999999 1\n';

test('a lock is had once, and again after it was let go of', () => {
  const folder = emptyFolder();
  const unlock = lock(folder, 'gateway');
  expect(() => lock(folder, 'gateway')).toThrow('Is another gateway running?');
  lock(folder, 'other')();
  unlock();
  lock(folder, 'gateway')();
  expect(readdirSync(folder)).toEqual([]);
});

test.each([
  ['a process that is gone', STALE],
  ['a process id that is in use again', `${process.pid} 1\n`],
  ['nobody', ''],
])('the lock of %s is taken over', (_, content) => {
  const folder = emptyFolder();
  writeFileSync(join(folder, 'gateway.lock'), content);
  lock(folder, 'gateway')();
});

test.skipIf(!existsSync('/proc/self/stat'))(
  'the lock of a killed process is taken over although its parent never asks for its status',
  async () => {
    const folder = emptyFolder();
    // The child of a process that became another program: nobody waits for it, so that it stays a zombie.
    const parent = spawn('sh', ['-c', 'sleep 0.1 & echo $!; exec sleep 30']);
    const [said] = await once(parent.stdout.setEncoding('utf8'), 'data');
    const pid = String(said).trim();
    const fields = (): string[] => readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    while (fields()[0] !== 'Z') await new Promise((resolve) => setTimeout(resolve, 20));
    writeFileSync(join(folder, 'gateway.lock'), `${pid} ${fields()[19]}\n`);
    try {
      lock(folder, 'gateway')();
    } finally {
      parent.kill();
    }
  },
);

test('of many that find a stale lock at the same time, one gets it', async () => {
  const folder = emptyFolder();
  writeFileSync(join(folder, 'gateway.lock'), STALE);
  const program = `
    import { lock } from ${JSON.stringify(join(import.meta.dirname, '../dist/lock.js'))};
    process.stdout.write('ready\\n');
    process.stdin.once('data', (start) => {
      while (Date.now() < Number(start)) ;
      try { lock(process.argv[1], 'gateway'); process.stdout.write('mine\\n'); } catch { process.stdout.write('not\\n'); }
    });`;
  const children = Array.from({ length: 6 }, () =>
    spawn(process.execPath, ['--input-type=module', '-e', program, folder], { stdio: ['pipe', 'pipe', 'inherit'] }),
  );
  try {
    const lines = children.map(({ stdout }) => createInterface(stdout)[Symbol.asyncIterator]());
    const next = (): Promise<unknown[]> => Promise.all(lines.map(async (line) => (await line.next()).value as unknown));
    expect(await next()).toEqual(children.map(() => 'ready'));
    // Nobody leaves before all have tried: the lock of somebody who has ended is stale as well.
    const start = String(Date.now() + 200);
    for (const { stdin } of children) stdin.write(start);
    const answers = await next();
    expect(answers.filter((answer) => answer === 'mine')).toEqual(['mine']);
    expect(answers.filter((answer) => answer === 'not')).toHaveLength(children.length - 1);
  } finally {
    for (const child of children) child.kill();
  }
});
