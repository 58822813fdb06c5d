import { parseArgs } from 'node:util';
import { benchAgainst } from './against.js';
import { benchBodies } from './bodies.js';
import { benchBudgets } from './budgets.js';
import { benchConsole } from './console.js';
import { benchRecord } from './console-record.js';
import { benchDefinitions } from './definitions.js';
import { benchDetectors } from './detectors.js';
import { benchHttp } from './http.js';
import { benchMasked } from './http-masked.js';
import { benchLineage } from './lineage/bench.js';
import { benchMcp } from './mcp.js';
import { benchMySql } from './mysql/bench.js';
import { type BenchOptions, benchPostgres } from './postgres.js';
import { benchSsh } from './ssh.js';
import { benchStrangers } from './strangers.js';
import { benchTunnel } from './tunnel.js';

/** `pnpm bench postgres | mysql | definitions | http | http-masked | bodies | budgets | lineage | detectors | ssh | tunnel | strangers | console | console-record | mcp | against [--rounds 5] [--seconds 3] [--checkout DIR] [--work TEXT]`. */
const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    checkout: { type: 'string' },
    work: { type: 'string', default: '' },
  },
});
const optionsOr = (rounds: number, seconds: number): BenchOptions => ({
  rounds: Number(values.rounds ?? rounds),
  seconds: Number(values.seconds ?? seconds),
});
const options = optionsOr(5, 3);
const benchmarks: Readonly<Record<string, () => string | Promise<string>>> = {
  postgres: () => benchPostgres(options),
  // It compares six ways in four manners.
  mysql: () => benchMySql(optionsOr(3, 2)),
  definitions: () => benchDefinitions(options),
  http: async () => (await benchHttp(options)) + (await benchMasked(options)),
  'http-masked': () => benchMasked(options),
  bodies: () => benchBodies(options),
  budgets: () => benchBudgets(options),
  lineage: () => benchLineage(options),
  detectors: () => benchDetectors(options),
  ssh: () => benchSsh(options),
  tunnel: () => benchTunnel(options),
  against: () => benchAgainst({ rounds: options.rounds, checkout: values.checkout ?? '', work: values.work }),
  strangers: () => benchStrangers(options),
  console: async () => `${await benchConsole()}\n${await benchRecord()}`,
  'console-record': () => benchRecord(),
  mcp: () => benchMcp(options),
};

const chosen = benchmarks[positionals[0] ?? ''];
if (chosen) process.stdout.write(await chosen());
else {
  process.stderr.write(`Which benchmark? There are: ${Object.keys(benchmarks).join(', ')}\n`);
  process.exitCode = 2;
}
