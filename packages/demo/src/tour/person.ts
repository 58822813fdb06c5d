/** The people of the demo, each with a command line of their own. Does not: know what they do with it. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { ROOT } from '@sluice/gateway';
import { Browser } from '@sluice/testkit';
import type { Demo } from '../running-demo.js';

const MAIN = join(ROOT, 'gateway', 'dist', 'main.js');

/** Somebody with a command line of their own. */
export interface Person {
  readonly title: string;
  /** With which their commands find the gateway, and the login. */
  readonly env: NodeJS.ProcessEnv;
  login(): Promise<string>;
  /** What a command prints, be it an error. */
  sluice(...args: string[]): Promise<string>;
  forget(): void;
}

/** @param account that of the demo's identity provider: ana or ben */
export function person({ gateway, folder }: Pick<Demo, 'gateway' | 'folder'>, account: string): Person {
  const home = join(folder, `home of ${account}`);
  const env = { ...process.env, XDG_CONFIG_HOME: home, NO_COLOR: '1', SLUICE_URL: gateway.url };
  const sluice = async (...args: string[]): Promise<string> => {
    const failed = (error: { stderr: string }): { stdout: string } => ({ stdout: error.stderr });
    const { stdout } = await promisify(execFile)(process.execPath, [MAIN, ...args], { env }).catch(failed);
    return stdout.trim();
  };
  return {
    title: account === 'ana' ? 'Ana, an engineer,' : 'Ben, a database administrator,',
    env,
    sluice,
    forget: () => rmSync(home, { recursive: true, force: true }),
    login: async () => {
      const child = spawn(process.execPath, [MAIN, 'login', '--no-browser'], {
        env,
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      let [output, address] = ['', ''];
      child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
      child.stderr.on('data', (chunk: Buffer) => (address += chunk.toString()));
      const ended = once(child, 'close');
      while (!/http:\S+\s/.test(address) && child.exitCode === null) await sleep(10);
      const browser = new Browser();
      await browser.open(/http:\S+/.exec(address)?.[0] ?? '');
      await browser.submit({ account });
      await ended;
      return output.trim() || address;
    },
  };
}
