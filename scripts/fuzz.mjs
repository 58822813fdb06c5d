// pnpm fuzz <name> [--seconds N] [--seed S]: runs one of the fuzz-<name>.test.ts, or a comparison with real servers in
// bench, for as long as one likes.
import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { ENV, NODE, ROOT } from './setup.mjs';

const files = globSync('{agent,gateway,packages/*,protocols/*}/test/**/fuzz-*.test.ts', { cwd: ROOT });
/** Comparisons with a real server, which take `--major` as well. */
const IN_BENCH = [
  'lineage',
  'twins',
  'mysql-grammar',
  'mysql-lineage',
  'mysql-names',
  'mysql-scripts',
  'mysql-twins',
  'mysql-words',
];
const targets = files.map((file) => /fuzz-(.*)\.test\.ts$/.exec(file)?.[1]);

if (IN_BENCH.includes(process.argv[2])) {
  const { status } = spawnSync(NODE, ['bench/dist/fuzz.js', ...process.argv.slice(2)], {
    cwd: ROOT,
    stdio: 'inherit',
    env: ENV,
  });
  process.exit(status ?? 1);
}

try {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { seconds: { type: 'string', default: '60' }, seed: { type: 'string' } },
  });
  const file = files[targets.indexOf(positionals[0])];
  if (!file || !(Number(values.seconds) > 0)) throw new Error(`Targets: ${[...targets, ...IN_BENCH].join(', ')}`);
  const { status } = spawnSync(NODE, ['node_modules/vitest/vitest.mjs', 'run', file], {
    cwd: ROOT,
    stdio: 'inherit',
    env: {
      ...ENV,
      SLUICE_FUZZ_SECONDS: values.seconds,
      ...(values.seed !== undefined && { SLUICE_FUZZ_SEED: values.seed }),
    },
  });
  process.exitCode = status ?? 1;
} catch (error) {
  process.stderr.write(`Usage: pnpm fuzz <target> [--seconds N] [--seed S]\n${error.message}\n`);
  process.exitCode = 2;
}
