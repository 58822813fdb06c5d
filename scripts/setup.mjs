// Brings a clean clone to the point where Sluice can run: pnpm, Node 24, dependencies, build. Starts under Node 20.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const OLDEST_NODE = 20;
/** Platforms with a package of Node among the optional dependencies of package.json. */
const PACKAGES_OF_NODE = ['linux-x64', 'linux-arm64'];
const TOOLS = join(ROOT, '.tools');
/** Written last: what is installed is whole and belongs to this lockfile. */
const STAMP = join(ROOT, 'node_modules', '.installed');

/** The oldest Node that Sluice itself runs on. */
const NODE_OF_SLUICE = 24;
const PACKAGED_NODE = join(ROOT, 'node_modules', `node-${process.platform}-${process.arch}`, 'bin', 'node');
const MAJOR = Number(process.versions.node.split('.')[0]);

/**
 * The Node that Sluice runs on. Where there is a package of it (linux-x64, linux-arm64), that one, which is locked; elsewhere, as on
 * macOS, the one that runs this, from 24 on.
 */
export const NODE =
  PACKAGES_OF_NODE.includes(`${process.platform}-${process.arch}`) || MAJOR < NODE_OF_SLUICE
    ? PACKAGED_NODE
    : process.execPath;
const BIN = join(TOOLS, 'node_modules', '.bin');
export const ENV = { ...process.env, PATH: [dirname(NODE), BIN, process.env.PATH].join(delimiter) };

/** What the person at the keyboard has to mend; its message is all that is shown. */
export class SetupError extends Error {}

/** Does what is missing, and says so while it does. A second run finds everything in place and needs no network. */
export async function setup() {
  if (MAJOR < OLDEST_NODE) {
    throw new SetupError(
      `Node ${process.versions.node} is too old to start with: install Node ${OLDEST_NODE} or later.`,
    );
  }
  const wanted = stamp();
  if (!existsSync(NODE) || read(STAMP) !== wanted) {
    await installPnpm();
    rmSync(STAMP, { force: true });
    await step('Installing Node 24 and dependencies', join(BIN, 'pnpm'), ['install', '--frozen-lockfile']);
    if (!existsSync(NODE)) {
      const here = `${process.platform}-${process.arch}`;
      throw new SetupError(
        `Sluice needs Node ${NODE_OF_SLUICE} or later, which comes as a package for ${PACKAGES_OF_NODE.join(' and ')} only: on ${here}, install it and run this again.`,
      );
    }
    writeFileSync(STAMP, wanted);
  }
  await step('Building', join(ROOT, 'node_modules', '.bin', 'tsc'), ['-b']);
  await buildPages('Building the console', 'console.mjs');
  await buildPages('Building the documentation', 'site.mjs');
}

/** A gateway runs without its pages, so that what is in the way of them is said and stops nothing. */
async function buildPages(title, script) {
  try {
    await step(title, NODE, [join(ROOT, 'scripts', script)]);
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    process.stderr.write(`${error.message} Sluice runs without these pages.\n`);
  }
}

async function installPnpm() {
  const { packageManager } = JSON.parse(read(join(ROOT, 'package.json')));
  const version = packageManager.split('@')[1];
  const installed = read(join(TOOLS, 'node_modules', 'pnpm', 'package.json'));
  if (existsSync(join(BIN, 'pnpm')) && installed && JSON.parse(installed).version === version) return;
  const options = ['--prefix', TOOLS, '--no-audit', '--no-fund', '--no-save', '--loglevel', 'error'];
  await step(`Installing pnpm ${version}`, 'npm', ['install', ...options, `pnpm@${version}`]);
}

/** Changes when an install is due. */
function stamp() {
  const hash = createHash('sha256');
  for (const name of ['pnpm-lock.yaml', 'pnpm-workspace.yaml', 'package.json']) hash.update(read(join(ROOT, name)));
  return hash.digest('hex');
}

function read(file) {
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
}

const NO_NETWORK =
  /ENOTFOUND|EAI_AGAIN|ECONN(REFUSED|RESET)|ETIMEDOUT|E(NET|HOST)UNREACH|ERR_SOCKET|network|dns error|error sending request/i;

/** Runs a command quietly; shows what it said only when it fails. */
async function step(title, command, args) {
  const started = Date.now();
  const progress = show(title);
  const { status, output } = await run(command, args);
  progress.end(status === 0, ((Date.now() - started) / 1000).toFixed(1));
  if (status === 0) return;
  if (title.startsWith('Installing') && NO_NETWORK.test(output)) {
    process.stderr.write(`${output.trim().split('\n').slice(-5).join('\n')}\n`);
    throw new SetupError(
      `${title} failed: the package registry cannot be reached. Connect to it and run this again; once installed, Sluice starts without it.`,
    );
  }
  process.stderr.write(output);
  throw new SetupError(`${title} failed; what it said is above.`);
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

/** A spinner on a terminal, plain lines elsewhere. */
function show(title) {
  const { isTTY } = process.stderr;
  let frame = 0;
  const draw = () => process.stderr.write(`\r${'⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏'[frame++ % 10]} ${title} `);
  const timer = isTTY ? setInterval(draw, 100) : undefined;
  if (!isTTY) process.stderr.write(`${title} ...\n`);
  return {
    end(ok, seconds) {
      clearInterval(timer);
      if (isTTY) process.stderr.write(`\r\u001b[K${ok ? '✓' : '✗'} ${title} (${seconds} s)\n`);
      else if (!ok || Number(seconds) >= 1) process.stderr.write(`${title}: ${ok ? 'done' : 'failed'}, ${seconds} s\n`);
    },
  };
}
