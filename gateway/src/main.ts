/**
 * The `sluice` command as it is installed: packages/cli and the commands of this package. Owns: which data folder is looked in.
 */
import './allocation.js';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { main, sluice } from '@sluice/cli';
import { addLocalCommands } from './commands/local.js';
import { ROOT } from './root.js';
import { VERSION } from '@sluice/api';

/** `SLUICE_DATA`, else the data folder of this directory, else that of the demo. */
function dataFolder(): string {
  const here = join(process.cwd(), '.sluice');
  return process.env['SLUICE_DATA'] ?? (existsSync(here) ? here : demoFolder());
}

const demoFolder = (): string =>
  existsSync('/var/lib/sluice/gateway.json') ? '/var/lib/sluice' : join(ROOT, '.sluice');

await main(sluice({ add: addLocalCommands }, { data: dataFolder(), version: VERSION }), process.argv);
