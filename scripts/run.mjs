// npm start | npm run tour | npm test | npm run setup, from a clean clone and under Node 20.
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { join } from 'node:path';
import { compatibilityPackages } from './compatibility.mjs';
import { debianPackages } from './debian.mjs';
import { ENV, NODE, ROOT, SetupError, setup } from './setup.mjs';

const [what = 'start', ...rest] = process.argv.slice(2);
const DEMO = join(ROOT, 'packages', 'demo', 'dist', 'main.js');

const commands = {
  setup: () => 0,
  start: () => hand([DEMO, 'start', ...rest]),
  tour: () => hand([DEMO, 'tour', ...rest]),
  fuzz: () => hand([join(ROOT, 'scripts', 'fuzz.mjs'), ...rest]),
  test: () => {
    debianPackages();
    compatibilityPackages();
    return hand([join(ROOT, 'scripts', 'test.mjs'), ...rest]);
  },
};

/** Runs a program on Node 24 with this one's terminal. It decides when a signal ends it, and with which status. */
function hand(args) {
  const child = spawn(NODE, args, { cwd: ROOT, env: ENV, stdio: 'inherit' });
  // npm passes on what the terminal has sent already, so that every signal may come twice; for the child, a second one is
  // a second wish.
  const last = {};
  const forward = (signal) => {
    const now = Date.now();
    if (now - (last[signal] ?? 0) > 1000) child.kill(signal);
    last[signal] = now;
  };
  // Ctrl+C goes to all programs of a terminal: the child has it already.
  const onTerminal = process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY;
  process.on('SIGINT', onTerminal ? () => undefined : forward);
  process.on('SIGTERM', forward);
  process.on('SIGHUP', forward);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status, signal) => resolve(status ?? 128 + constants.signals[signal]));
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
