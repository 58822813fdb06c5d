// npm start | npm run tour | npm test | npm run setup, from a clean clone and under Node 20.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { debianPackages } from './debian.mjs';
import { ENV, NODE, ROOT, SetupError, setup } from './setup.mjs';

const [what = 'start', ...rest] = process.argv.slice(2);
const MAIN = join(ROOT, 'gateway', 'dist', 'main.js');

const commands = {
  setup: () => 0,
  start: () => hand(NODE, [MAIN, 'demo', ...rest]),
  tour: () => hand(NODE, [MAIN, 'tour', ...rest]),
  test: async () => {
    await debianPackages();
    return hand(NODE, [join(ROOT, 'scripts', 'test.mjs'), ...rest]);
  },
};

/** Hands the terminal over to a command; Ctrl+C reaches it directly, and it decides when to end. */
function hand(command, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: ROOT, env: ENV, stdio: 'inherit' });
    process.on('SIGINT', () => undefined);
    for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
    child.once('error', reject);
    child.once('close', (status, signal) => resolve(signal ? 1 : status));
  });
}

try {
  if (!Object.hasOwn(commands, what)) throw new SetupError(`"${what}" is none of ${Object.keys(commands).join(', ')}.`);
  await setup();
  process.exitCode = await commands[what]();
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
