/** What a new configuration takes away is gone for programs that never end by themselves, and for who has not chosen yet. */
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { missingSshd } from '@sluice/testkit';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readConfiguration } from '../src/configuration.js';
import { type SshStand, openSshStand, until } from './ssh-stand.js';

describe.skipIf(missingSshd() !== undefined)('another configuration, while SSH sessions run', () => {
  let stand: SshStand;

  beforeEach(async () => {
    stand = await openSshStand();
  });
  afterEach(() => stand.stop());

  const reload = async (change: (text: string) => string): Promise<void> => {
    const file = join(stand.folder, 'sluice.yaml');
    const before = readFileSync(file, 'utf8');
    const after = change(before);
    expect(after).not.toBe(before);
    writeFileSync(file, after);
    await stand.gateway.reload(readConfiguration(file).config, 'test');
  };
  const terminal = (name: string): { said: string; type(text: string): void; ended: Promise<number | null> } => {
    const words = [...stand.options, '-tt', '-p', String(stand.port), name];
    const child = spawn('ssh', words, { stdio: 'pipe' });
    const view = {
      said: '',
      type: (text: string) => void child.stdin.write(text),
      ended: new Promise<number | null>((resolve) => child.once('close', resolve)),
    };
    child.stdout.on('data', (chunk: Buffer) => (view.said += chunk.toString()));
    return view;
  };

  test.each([
    ['access', (text: string) => text.replace('access: ["group:engineers"]', 'access: ["user:ada"]')],
    ['the group', (text: string) => text.replace('dev: { groups: [engineers],', 'dev: { groups: [],')],
    ['the key', (text: string) => text.replace(/ssh_keys: \["[^"]*"\]/, 'ssh_keys: []')],
  ])('a shell is ended when %s is taken away, and not when somebody next presses Enter', async (_, change) => {
    const shell = terminal('vm@127.0.0.1');
    await until(() => shell.said.includes('vm$ '), 'the prompt');
    await reload(change);
    expect(await shell.ended).toBe(255);
  });

  test('a shell is ended when what it shows would be masked now', async () => {
    const shell = terminal('vm@127.0.0.1');
    await until(() => shell.said.includes('vm$ '), 'the prompt');
    await reload((text) => `${text}    - { rule: keys, mask: { detect: [api_key] } }\n`);
    expect(await shell.ended).toBe(255);
  });

  test('a command that runs may finish', async () => {
    const running = stand.ssh(['echo begun; sleep 1; echo done']);
    await until(() => [...stand.gateway.sessions.values()].some(({ busy }) => busy), 'the command');
    await reload((text) => text.replace('access: ["group:engineers"]', 'access: ["user:ada"]'));
    expect((await running).stdout.toString()).toBe('begun\ndone\n');
  });

  test('a machine that one may not reach any more cannot be chosen', async () => {
    const menu = terminal('127.0.0.1');
    await until(() => menu.said.includes('Number or name'), 'the menu');
    await reload((text) => text.replace('dev: { groups: [engineers],', 'dev: { groups: [],'));
    menu.type('1\r');
    expect(await menu.ended).toBe(1);
    expect(menu.said).toContain('may not use');
  });
});
