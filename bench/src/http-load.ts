/** Load on proxies by HTTP, and what it costs them. Lives here: who is asked when, and nginx as one of them. Does not: what is asked (`http.ts`, `http-masked.ts`). */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findTool, freePort } from '@sluice/testkit';
import { cpuOf, median, shuffled, spread } from './measure.js';
import { accepting } from './setting.js';

/** Cold code costs many times as much, and a busy machine warms it slowly: so many units come before anything is measured, or so many seconds. */
const WARM_UP_UNITS = 40_000;
const MAX_WARM_UP_S = 30;

/** A proxy under load: what a client connects to, and whose CPU counts. */
export interface Way {
  readonly name: string;
  readonly pid: number;
  run(seconds: number): Promise<number>;
}

/** Load on each way in turn, and the median CPU of a unit of it: of the other, of `bare` where that is one of the ways, and of ours; then how often the other's it is. */
export async function compare(
  title: string,
  ways: readonly Way[],
  other: string,
  { rounds, seconds, warmUpUnits = WARM_UP_UNITS }: { rounds: number; seconds: number; warmUpUnits?: number },
): Promise<string> {
  const costs = new Map<string, number[]>(ways.map(({ name }) => [name, []]));
  for (const way of ways) await warmUp(way, warmUpUnits);
  for (let round = 0; round < rounds; round++)
    for (const { name, pid, run } of shuffled(ways)) {
      const before = cpuOf(pid);
      const units = await run(seconds);
      if (units === 0) throw new Error(`${name} answered nothing within ${seconds} s: give it more (--seconds)`);
      costs.get(name)?.push((cpuOf(pid) - before) / units);
    }
  const theirs = costs.get(other) ?? [];
  const ours = costs.get('sluice') ?? [];
  const bare = costs.get('bare');
  const cells = [theirs, ...(bare ? [bare] : []), ours].map((values) => figure(values));
  const least = bare ? [figure(ratiosTo(theirs, bare), 2)] : [];
  return `| ${[title, other, ...cells, ...least].join(' | ')} | **${figure(ratiosTo(theirs, ours), 2)}** |`;
}

/** Round by round. */
const ratiosTo = (theirs: readonly number[], costs: readonly number[]): number[] =>
  costs.map((cost, at) => cost / (theirs[at] ?? Number.NaN));

async function warmUp({ run }: Way, enough: number): Promise<void> {
  const until = Date.now() + MAX_WARM_UP_S * 1000;
  for (let units = 0; units < enough && Date.now() < until; ) units += await run(2);
}

function figure(values: readonly number[], digits = 1): string {
  const [low, high] = spread(values);
  return `${median(values).toFixed(digits)} (${low.toFixed(digits)} to ${high.toFixed(digits)})`;
}

export const run = promisify(execFile);

/** Requests that were answered with 200. */
export async function wrk(url: string, header: string, seconds: number, script?: string): Promise<number> {
  const words = ['-t1', '-c32', `-d${seconds}s`, '-H', header, ...(script === undefined ? [] : ['-s', script]), url];
  const { stdout } = await run(findTool('wrk') as string, words);
  if (/Non-2xx/.test(stdout)) throw new Error(`wrk was refused: ${stdout}`);
  return Number(/(\d+) requests in/.exec(stdout)?.[1] ?? 0);
}

/** nginx with one process. `server`: what it serves on a port. */
export async function startNginx(
  folder: string,
  server: (port: number) => string,
): Promise<{ child: ChildProcess; port: number }> {
  const port = await freePort();
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    join(folder, 'nginx.conf'),
    `daemon off; master_process off; worker_processes 1; pid ${folder}/pid; error_log /dev/null;
events { worker_connections 4096; }
http { client_body_temp_path ${folder}/a; proxy_temp_path ${folder}/b; fastcgi_temp_path ${folder}/c; uwsgi_temp_path ${folder}/d; scgi_temp_path ${folder}/e;
${server(port)} }
`,
  );
  const child = spawn(findTool('nginx') as string, ['-c', join(folder, 'nginx.conf'), '-e', '/dev/null'], {
    stdio: 'ignore',
  });
  await accepting(port);
  return { child, port };
}
