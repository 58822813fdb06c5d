import { parseArgs } from 'node:util';
import { differential, summary } from './lineage/differential.js';
import { startLineageServer } from './lineage/server.js';

/** `pnpm fuzz lineage [--seconds 60] [--seed N] [--major 15]`: ends with status 1 when anything was wrong. */
const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
    major: { type: 'string', default: '15' },
    verbose: { type: 'boolean', default: false },
  },
});
if (positionals[0] === 'lineage') {
  const server = await startLineageServer(values.major === '18' ? 18 : 15);
  try {
    const tally = await differential(server, { seed: Number(values.seed), seconds: Number(values.seconds) });
    if (values.verbose) for (const [what, sql] of tally.examples) process.stdout.write(`${what}\n  ${sql}\n`);
    for (const wrong of tally.wrong) process.stdout.write(`${wrong}\n`);
    process.stdout.write(`${summary(tally)}\n`);
    if (tally.wrong.length > 0) process.exitCode = 1;
  } finally {
    await server.stop();
  }
} else {
  process.stderr.write('What is to be fuzzed? There is: lineage\n');
  process.exitCode = 2;
}
