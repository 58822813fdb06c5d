import { type ChildProcess, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ApiClient, readBeacon } from '@sluice/cli';
import { temporaryFolder } from '@sluice/testkit';
import { median, shuffled } from './measure.js';
import { figure, pgbench, preparePgbench } from './postgres.js';
import { type Route, end, openSetting, startBouncer } from './setting.js';

const MAIN = join(import.meta.dirname, '..', '..', 'gateway', 'dist', 'main.js');
const CLIENTS = 8;

/** Small queries through a gateway and an agent, beside the gateway alone, and one and two pgbouncers. CPU of all proxies. */
export async function benchChain({ rounds }: { rounds: number }): Promise<string[]> {
  const setting = await openSetting();
  const { path, remove } = temporaryFolder('chain');
  const [direct, sluice, bouncer] = setting.routes as [Route, Route, Route];
  const started: ChildProcess[] = [];
  try {
    await preparePgbench(direct);
    const second = await startBouncer(join(path, 'bouncer'), bouncer.port);
    started.push(second.child);
    const agent = await startAgent(setting.data, path, setting.server.port, started);
    const routes: Route[] = [
      bouncer,
      { ...bouncer, name: 'two pgbouncers', port: second.port, behind: second.child.pid },
      sluice,
      { ...sluice, name: 'sluice and agent', database: 'behind', behind: agent.pid },
    ];
    const samples = new Map<string, number[]>();
    for (let round = 0; round <= rounds; round++) {
      for (const route of shuffled(routes)) {
        const { cpu } = await pgbench(route, 'prepared', CLIENTS, 1);
        // The first round warms up.
        if (round > 0) samples.set(route.name, [...(samples.get(route.name) ?? []), cpu]);
      }
    }
    const base = median(samples.get('pgbouncer') ?? []);
    return [
      '## Small queries through a gateway and an agent',
      '',
      `\`pgbench -S -M prepared -c ${CLIENTS}\`; microseconds of CPU for each query, of all proxies together. The tunnel is inside TLS.`,
      '',
      '| route | µs/query | times pgbouncer |',
      '| --- | --- | --- |',
      ...routes.map(({ name }) => {
        const values = samples.get(name) ?? [];
        return `| ${name} | ${figure(values)} | ${(median(values) / base).toFixed(2)} |`;
      }),
      '',
    ];
  } finally {
    await Promise.all(started.map(end));
    await setting.stop();
    remove();
  }
}

async function startAgent(
  data: string,
  folder: string,
  targetPort: number,
  started: ChildProcess[],
): Promise<ChildProcess> {
  const { token } = await ApiClient.find({ data }).post<{ token: string }>('/v1/agents/tokens', { name: 'edge' });
  const allow = join(folder, 'allow.txt');
  writeFileSync(allow, `127.0.0.1:${targetPort}\n`);
  const gateway = readBeacon(data)?.listeners['agents'] ?? '';
  const key = join(folder, 'agent.key');
  const ca = join(data, 'gateway.crt');
  const child = spawn(
    process.execPath,
    [MAIN, 'agent', '--gateway', gateway, '--allow', allow, '--key', key, '--token', token, '--ca', ca],
    { stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, SLUICE_LOG: 'warn' } },
  );
  started.push(child);
  for (let n = 0; n < 100; n++) {
    const agents = await ApiClient.find({ data }).get<{ state: string }[]>('/v1/agents');
    if (agents.some(({ state }) => state === 'connected')) return child;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('the agent did not come');
}
