import { chmodSync, chownSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '@sluice/testkit';
import { expect, onTestFinished, test } from 'vitest';
import { privateFolder, writePrivate } from '../src/private-files.js';
import { openStand } from './stand.js';

function emptyFolder(): string {
  const { path, remove } = temporaryFolder('private');
  onTestFinished(remove);
  return path;
}

test('somebody left admin.token and gateway.json readable to all, or made them links: a start makes them anew', async () => {
  const folder = emptyFolder();
  const data = join(folder, 'data');
  mkdirSync(data, { mode: 0o700 });
  const elsewhere = join(folder, 'elsewhere');
  writeFileSync(elsewhere, 'of somebody', { mode: 0o644 });
  symlinkSync(elsewhere, join(data, 'admin.token'));
  writeFileSync(join(data, 'gateway.json'), '{}', { mode: 0o644 });
  const stand = await openStand({ target: { port: 1, user: 'u' }, folder });
  for (const name of ['admin.token', 'gateway.json']) expect(statSync(join(data, name)).mode & 0o777).toBe(0o600);
  expect(readFileSync(elsewhere, 'utf8')).toBe('of somebody');
  await stand.stop();
});

test('a data folder or a journal that others can write to is refused, in words that say what to do', async () => {
  for (const open of ['data', 'data/journal']) {
    const folder = emptyFolder();
    mkdirSync(join(folder, 'data', 'journal'), { recursive: true, mode: 0o700 });
    chmodSync(join(folder, open), 0o777);
    await expect(openStand({ target: { port: 1, user: 'u' }, folder })).rejects.toThrow(
      new RegExp(`${open} can be written to by everybody: .* chmod 700 `),
    );
    chmodSync(join(folder, open), 0o755);
    await (await openStand({ target: { port: 1, user: 'u' }, folder })).stop();
  }
});

test.skipIf(process.getuid?.() !== 0)('so is one of another user, or of a group that is not its own', () => {
  const folder = emptyFolder();
  chownSync(folder, 0, 12_345);
  privateFolder(folder);
  chmodSync(folder, 0o770);
  expect(() => privateFolder(folder)).toThrow('can be written to by group 12345');
  chownSync(folder, 12_345, 0);
  expect(() => privateFolder(folder)).toThrow('belongs to user 12345');
});

test('a file that cannot be written leaves nothing behind', () => {
  expect(() => writePrivate(join(emptyFolder(), 'no', 'such', 'folder'), 'x')).toThrow('ENOENT');
});
