import { parseArgs } from 'node:util';
import { benchPostgres } from './postgres.js';

/** `pnpm bench postgres [--rounds 5] [--seconds 1]`. */
const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string', default: '5' }, seconds: { type: 'string', default: '1' } },
});
if (positionals[0] === 'postgres') {
  process.stdout.write(await benchPostgres({ rounds: Number(values.rounds), seconds: Number(values.seconds) }));
} else {
  process.stderr.write('Which benchmark? There is: postgres\n');
  process.exitCode = 2;
}
