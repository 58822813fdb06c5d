// Brings a clean clone to the point where Sluice can run: pnpm, Node 24, dependencies, build. Starts under Node 20.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const OLDEST_NODE = 20;
const TOOLS = join(ROOT, '.tools');
const STAMP = join(TOOLS, 'installed');

const { packageManager } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
const pnpmVersion = packageManager.split('@')[1];

/** The Node that Sluice runs on: it comes as a package, whatever Node the machine has. */
export const NODE = join(ROOT, 'node_modules', `node-${process.platform}-${process.arch}`, 'bin', 'node');
const BIN = join(TOOLS, 'node_modules', '.bin');
export const ENV = { ...process.env, PATH: `${dirname(NODE)}:${BIN}:${process.env.PATH}` };

export class SetupError extends Error {}

/** Does what is missing, and says so while it does. A second run finds everything in place. */
export async function setup() {
  const major = Number(process.versions.node.split('.')[0]);
  if (major < OLDEST_NODE)
    throw new SetupError(`Node ${process.versions.node} is too old: ${OLDEST_NODE} or later is needed to start with.`);
  if (!existsSync(join(BIN, 'pnpm'))) {
    await step(`Installing pnpm ${pnpmVersion}`, 'npm', [
      'install',
      '--prefix',
      TOOLS,
      '--no-audit',
      '--no-fund',
      '--no-save',
      `pnpm@${pnpmVersion}`,
    ]);
  }
  const wanted = stamp();
  if (!existsSync(NODE) || !existsSync(STAMP) || readFileSync(STAMP, 'utf8') !== wanted) {
    await step('Installing Node 24 and dependencies', join(BIN, 'pnpm'), ['install', '--frozen-lockfile']);
    mkdirSync(TOOLS, { recursive: true });
    writeFileSync(STAMP, wanted);
  }
  if (!existsSync(NODE)) {
    throw new SetupError(
      `There is no Node 24 package for ${process.platform}-${process.arch} among the dependencies yet. Linux on x64 is what works today.`,
    );
  }
  await step('Building', join(BIN, 'pnpm'), ['exec', 'tsc', '-b']);
}

function stamp() {
  const hash = createHash('sha256');
  for (const name of ['pnpm-lock.yaml', 'pnpm-workspace.yaml', 'package.json'])
    hash.update(readFileSync(join(ROOT, name)));
  return hash.digest('hex');
}

/** Runs a command quietly; shows what it said only when it fails. */
async function step(title, command, args) {
  const started = Date.now();
  const spinner = spin(title);
  const { status, output } = await run(command, args);
  spinner.stop(status === 0, ((Date.now() - started) / 1000).toFixed(1));
  if (status === 0) return;
  process.stderr.write(output);
  const offline = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENETUNREACH|network/i.test(output);
  throw new SetupError(
    offline
      ? `${title} failed: the package registry cannot be reached. The first start needs a network; later ones do not.`
      : `${title} failed; what it said is above.`,
  );
}

function run(command, args) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: ROOT, env: ENV, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text) => (output += text));
    child.once('error', (error) => resolve({ status: 1, output: `${error.message}\n` }));
    child.once('close', (status) => resolve({ status, output }));
  });
}

function spin(title) {
  const { isTTY } = process.stderr;
  let frame = 0;
  const draw = () => process.stderr.write(`\r${'⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏'[frame++ % 10]} ${title} `);
  const timer = isTTY ? setInterval(draw, 100) : undefined;
  if (!isTTY) process.stderr.write(`${title} ...\n`);
  return {
    stop(ok, seconds) {
      clearInterval(timer);
      if (isTTY) process.stderr.write(`\r\u001b[K${ok ? '✓' : '✗'} ${title} (${seconds} s)\n`);
      else if (!ok || Number(seconds) >= 1)
        process.stderr.write(`${title}: ${ok ? 'done' : 'failed'} after ${seconds} s\n`);
    },
  };
}
