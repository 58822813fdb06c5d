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

/** Whoever asks for help, or for what there is not, is told what there is. */
function argumentsGiven() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        rounds: { type: 'string' },
        seconds: { type: 'string' },
        checkout: { type: 'string' },
        work: { type: 'string', default: '' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
  } catch (error) {
    process.stderr.write(`${(error as Error).message.split('. ')[0]}. "pnpm bench --help" says what there is.\n`);
    return process.exit(2);
  }
}

const { positionals, values } = argumentsGiven();
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

const USAGE = `Usage: pnpm bench NAME [--rounds N] [--seconds N]
       pnpm bench against --checkout DIR [--rounds N] [--work TEXT]

NAME is one of ${Object.keys(benchmarks).join(', ')}.
--rounds     how often everything is measured; the page has medians
--seconds    how long one measurement takes
--checkout   another version, set up, whose CPU time this one's is compared with
--work       only what has this text in its name
`;

const chosen = benchmarks[positionals[0] ?? ''];
if (values.help) process.stdout.write(USAGE);
else if (chosen) process.stdout.write(await chosen());
else {
  process.stderr.write(`Which benchmark? There are: ${Object.keys(benchmarks).join(', ')}\n`);
  process.exitCode = 2;
}
