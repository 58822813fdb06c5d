import { parseArgs } from 'node:util';
import { benchPostgres } from './postgres.js';
import { benchTunnel } from './tunnel.js';

/** `pnpm bench postgres [--rounds 5] [--seconds 1]`, `pnpm bench tunnel [--rounds 5]`. */
const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string', default: '5' }, seconds: { type: 'string', default: '1' } },
});
if (positionals[0] === 'postgres') {
  process.stdout.write(await benchPostgres({ rounds: Number(values.rounds), seconds: Number(values.seconds) }));
} else if (positionals[0] === 'tunnel') {
  process.stdout.write(await benchTunnel({ rounds: Number(values.rounds) }));
} else {
  process.stderr.write('Which benchmark? There are: postgres, tunnel\n');
  process.exitCode = 2;
}
