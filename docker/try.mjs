// Does the steps of Dockerfile, compose.yaml and the commands at its head, without a container engine:
//   sudo node docker/try.mjs [--base debian.tar] [--verbose]
// Needs root, Linux on x64, mmdebstrap, iproute2 and the package registries. Takes some minutes. The steps are read from the
// files, and one that is not known stops it. README.md says what is stood in.
import { spawnSync } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { parse } from 'yaml';
import { shownCommands } from './dockerfile.mjs';
import { Composition, buildImage, copyContext, mountSystem, run } from './engine.mjs';
import { databaseImage, missingTools, standIns } from './standins.mjs';

const CHECKOUT = dirname(import.meta.dirname);
const MAX_START_SECONDS = 180;
const COMPOSE = 'docker compose -f docker/compose.yaml ';

const { values: options } = parseArgs({
  options: { base: { type: 'string' }, verbose: { type: 'boolean' }, inside: { type: 'string' } },
});

/** What this program does in namespaces of its own: everything it mounts and starts ends with it. */
async function tryAll(folder) {
  const logFile = join(folder, 'log');
  const log = (text) => (options.verbose ? process.stderr.write(text) : appendFileSync(logFile, text));
  const base = standIns(log, options.base ?? join(folder, 'debian.tar'));
  step('Copying the checkout without what .dockerignore names');
  const checkout = join(folder, 'checkout');
  copyContext(log, CHECKOUT, checkout);
  const docker = join(checkout, 'docker');
  const text = readFileSync(join(docker, 'compose.yaml'), 'utf8');
  const { services, secrets } = parse(text);
  const [makeSecrets, up, createToken, psql, ...more] = shownCommands(text);
  expect(more.length === 0 && psql !== undefined, 'compose.yaml shows four commands');

  step(makeSecrets);
  run(log, 'sh', '-c', `cd ${checkout} && ${makeSecrets}`);
  const password = (name) => readFileSync(join(docker, 'secrets', name), 'utf8');
  const made = password('app_password');
  run(log, 'sh', '-c', `cd ${checkout} && ${makeSecrets}`);
  expect(
    made.length >= 32 && made === password('app_password'),
    'a password is random, and stays when it is made again',
  );
  expect(
    (statSync(join(docker, 'secrets')).mode & 0o777) === 0o700,
    'nobody else can enter the folder of the passwords',
  );

  step(`${up} (the build)`);
  expect(up === `${COMPOSE}up --build --detach --wait`, 'the second command starts the services');
  const { build } = services.gateway;
  const context = join(docker, build.context);
  const images = {
    gateway: buildImage({ log, file: join(context, build.dockerfile), context, folder, base }),
    database: databaseImage(log, base, mountSystem, join(folder, 'database')),
  };
  expect(services.database.image.startsWith('postgres:18'), 'what stands in for the database is PostgreSQL 18');
  expect(!existsSync(join(images.gateway.root, 'opt/sluice/docker/secrets')), 'no password is in the image');
  expect(images.gateway.user !== 'root', 'the image does not run as root');

  step('The start');
  const composition = new Composition(log, Object.keys(services));
  try {
    await composition.ready();
    const storage = join(folder, 'volumes');
    mkdirSync(storage);
    for (const name of ['database', 'gateway']) {
      composition.mount(images[name], services[name], { folder: docker, definitions: secrets, storage });
      composition.start(images[name], services[name]);
      const [how, ...check] = services[name].healthcheck?.test ?? ['CMD', ...images[name].healthcheck.command];
      expect(how === 'CMD', 'health checks are in exec form');
      await healthy(composition, images[name], check, name);
    }

    step(createToken);
    const exec = `${COMPOSE}exec gateway `;
    expect(createToken.startsWith(exec), 'the third command runs in the gateway');
    const { status, stdout: token } = await composition.exec(images.gateway, createToken.slice(exec.length).split(' '));
    expect(status === 0 && token.startsWith('sluice_'), 'a token is made');

    step(psql);
    const [, settings] = /^PGPASSWORD=sluice_\.\.\. psql "([^"]+)"$/.exec(psql) ?? [];
    expect(settings !== undefined, 'the fourth command is psql with the token in the environment');
    const ask = (sql) =>
      composition.exec(images.database, ['psql', '-XAt', settings, '-c', sql], { PGPASSWORD: token.trim() });
    const who = await ask('select rolname, rolsuper from pg_roles where rolname = current_user');
    expect(who.stdout === 'app|f\n', 'the gateway logs in at the database as a role that is no superuser');
    expect((await ask('create table things as select 1 as id')).status === 0, 'it may make tables');
    expect((await ask('select * from things')).stdout === '1\n', 'a query is answered');
    expect((await ask('drop table things')).stderr.includes('no-destruction'), 'a rule refuses a DROP');
    const without = await composition.exec(images.database, ['psql', '-XAt', settings, '-c', 'select 1'], {
      PGPASSWORD: 'x',
    });
    expect(without.status !== 0, 'nobody comes in without the token');

    step('The health check, once the gateway is gone');
    const { command } = images.gateway.healthcheck;
    await composition.exec(images.gateway, [
      'sh',
      '-c',
      'kill -9 $(cat /var/lib/sluice/gateway.json | tr , "\\n" | sed -n "s/.pid.:\\([0-9]*\\).*/\\1/p")',
    ]);
    await sleep(1000);
    const sick = await composition.exec(images.gateway, command);
    expect(
      sick.status === 1 && sick.stderr.includes('No gateway answers'),
      `it ends with 1: ${sick.stderr.split('\n')[0]}`,
    );

    step('An agent of the same image makes its key');
    const agent = shownCommands(readFileSync(join(docker, 'Dockerfile'), 'utf8'))
      .join(' ')
      .replaceAll('\\ ', '');
    const [, words = ''] = / sluice (agent --gateway .*)$/.exec(agent) ?? [];
    const argv = ['timeout', '20', ...images.gateway.entrypoint, ...words.split(' ')];
    run(log, 'sh', '-c', `echo db.internal:5432 > ${images.gateway.root}/etc/sluice/allow.txt`);
    await composition.exec(images.gateway, argv, { SLUICE_AGENT_TOKEN: 'agent_none' });
    const key = join(images.gateway.root, 'var/lib/sluice/agent.key');
    expect(existsSync(key) && (statSync(key).mode & 0o777) === 0o600, 'the key is there, for its owner only');
  } finally {
    composition.stop();
  }
}

/** Asks a health check until it is content, as `up --wait` does. */
async function healthy(composition, image, check, name) {
  const until = Date.now() + MAX_START_SECONDS * 1000;
  for (;;) {
    const { status, stdout, stderr } = await composition.exec(image, check);
    if (status === 0) return expect(true, `${name} is healthy: ${`${stdout}${stderr}`.trim()}`);
    if (Date.now() > until) throw new Error(`${name} is not healthy after ${MAX_START_SECONDS} s: ${stderr}`);
    await sleep(1000);
  }
}

const step = (text) => process.stdout.write(`\n${text}\n`);

function expect(held, text) {
  process.stdout.write(`  ${held ? 'ok  ' : 'FAIL'}  ${text}\n`);
  if (!held) throw new Error(`This does not hold: ${text}.`);
}

/** Starts this program again in namespaces of its own, and removes what it made when all of it has ended. */
function main() {
  const missing = missingTools();
  if (process.getuid?.() !== 0) throw new Error('This needs root, for chroot and mounts.');
  if (missing.length > 0)
    throw new Error(`Not on this machine: ${missing.join(', ')}. On Debian: apt-get install mmdebstrap iproute2.`);
  const folder = mkdtempSync(join(tmpdir(), 'sluice-docker-'));
  const namespaces = ['--mount', '--pid', '--fork', '--kill-child', '--mount-proc', '--'];
  const again = [process.execPath, fileURLToPath(import.meta.url), ...process.argv.slice(2), '--inside', folder];
  const { status } = spawnSync('unshare', [...namespaces, ...again], { stdio: 'inherit' });
  const log = join(folder, 'log');
  if (status !== 0 && existsSync(log))
    process.stderr.write(readFileSync(log, 'utf8').split('\n').slice(-40).join('\n'));
  // Its mounts ended with its namespaces: what is left here are plain files.
  rmSync(folder, { recursive: true, force: true });
  process.stdout.write(status === 0 ? '\nAll steps held.\n' : '\nA step did not hold.\n');
  process.exitCode = status ?? 1;
}

if (options.inside === undefined) main();
else {
  await tryAll(options.inside);
  process.exit(0);
}
