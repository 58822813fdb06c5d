import { type ChildProcess, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Agent, AllowList, Programs, Secrets, checkUrl, ownKey } from '@sluice/agent';
import type { Stand } from './stand.js';

export const MAIN = join(import.meta.dirname, '..', 'dist', 'main.js');

export interface RunningAgent {
  readonly agent: Agent;
  readonly log: string[];
  /** Resolves, or rejects, when the agent is done. */
  readonly done: Promise<void>;
}

/** An agent in this process. Without a token it must have enrolled with this key before. */
export function startAgent(
  stand: { readonly folder: string; readonly gateway: Stand['gateway'] },
  options: { key?: string; token?: string; allow: string; secrets?: string; programs?: string; ca?: string },
): RunningAgent {
  const log: string[] = [];
  const agent = new Agent({
    gateway: { url: checkUrl(stand.gateway.addresses.get('agents') ?? ''), ca: options.ca },
    identity: { key: ownKey(join(stand.folder, options.key ?? 'agent.key')), token: options.token, version: 'test' },
    allow: new AllowList(options.allow),
    secrets: new Secrets(options.secrets ?? ''),
    programs: new Programs(options.programs ?? ''),
    log: (_, message) => log.push(message),
  });
  return { agent, log, done: agent.run() };
}

export const hour = (): number => Date.now() + 3_600_000;

/** An agent in a process of its own. */
export function spawnAgent(folder: string, gateway: string, allow: string, token: string, ca?: string): ChildProcess {
  const allowFile = join(folder, 'allow');
  writeFileSync(allowFile, allow);
  const args = [
    'agent',
    '--gateway',
    gateway,
    '--allow',
    allowFile,
    '--key',
    join(folder, 'agent.key'),
    '--token',
    token,
  ];
  return spawn(process.execPath, [MAIN, ...args, ...(ca === undefined ? [] : ['--ca', ca])], {
    stdio: process.env['SLUICE_LOG'] ? 'inherit' : 'ignore',
    env: { ...process.env, SLUICE_LOG: process.env['SLUICE_LOG'] ?? 'silent' },
  });
}
