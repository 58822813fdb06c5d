import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CliError } from '@sluice/cli';
import { type Gateway, ROOT } from '@sluice/gateway';

/** The agent of the sample configuration, and how long it may take to be there, in milliseconds. */
const NAME = 'backroom';
const AGENT_START_TIMEOUT_MS = 15_000;

/**
 * An agent as a process of its own, on this machine: as it would be in a private network, with an allow-list that has the sample
 * database on it and nothing else. Undefined when the configuration (of an earlier version) has no use for one.
 */
export async function startDemoAgent(
  gateway: Gateway,
  folder: string,
  port: number,
): Promise<(() => Promise<void>) | undefined> {
  const address = gateway.addresses.get('agents');
  if (address === undefined) return undefined;
  const allow = join(folder, 'agent-allow.txt');
  writeFileSync(allow, `# What the agent of the demo may reach.\n127.0.0.1:${port}\n`);
  const key = join(folder, 'agent.key');
  const enrolled =
    existsSync(key) && gateway.agents.all().some(({ name, revoked }) => name === NAME && revoked === undefined);
  const token = enrolled ? undefined : await gateway.agents.token(NAME, Date.now() + AGENT_START_TIMEOUT_MS);
  const files = ['--allow', allow, '--key', key, '--ca', join(folder, 'gateway.crt')];
  const child = spawn(
    process.execPath,
    [join(ROOT, 'gateway', 'dist', 'main.js'), 'agent', '--gateway', address, ...files],
    {
      // The channel tells it when this process is gone, however it went.
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      // Of its own, so that Ctrl+C stops it after the gateway has let go of it.
      detached: true,
      env: { ...process.env, ...(token !== undefined && { SLUICE_AGENT_TOKEN: token }) },
    },
  );
  const stop = (): Promise<void> => end(child);
  for (let waited = 0; gateway.agents.links().length === 0; waited += 50) {
    if (child.exitCode === null && waited < AGENT_START_TIMEOUT_MS) await sleep(50);
    else {
      await stop();
      throw new CliError(
        'The agent of the demo did not reach the gateway.',
        `Without it: remove "via" and listeners.agents in ${join(folder, 'sluice.yaml')}.`,
      );
    }
  }
  return stop;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGTERM');
  await gone;
}
