/** What holds of the files in docker/ without an engine: no superuser, no password in words, a health check, pinned by digest. */
import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { parse } from 'yaml';
import { readHealthcheck, readStages, shownCommands } from '../docker/dockerfile.mjs';

const ROOT = join(import.meta.dirname, '..');
const DOCKER = join(ROOT, 'docker');
const MAIN = join(ROOT, 'gateway', 'dist', 'main.js');
const readDocker = (name: string): string => readFileSync(join(DOCKER, name), 'utf8');
const compose = parse(readDocker('compose.yaml'));
const gateway = parse(readDocker('sluice.yaml'));

const lastStage = readStages(readDocker('Dockerfile')).at(-1)?.instructions ?? [];
const valueOf = (name: string): string => lastStage.findLast((one) => one.name === name)?.rest ?? '';

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'sluice-docker-test-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

test('commands inside the image start in the checkout and find the gateway; nothing runs as root', () => {
  expect(valueOf('WORKDIR')).toBe('/opt/sluice');
  expect(valueOf('ENV')).toBe('SLUICE_DATA=/var/lib/sluice');
  expect(valueOf('USER')).toBe('sluice');
  expect(readHealthcheck(valueOf('HEALTHCHECK')).command).toEqual(['./sluice', 'ready']);
});

test('no sample has a superuser or a password in words', () => {
  const { user, password } = gateway.connections.app.credential;
  expect(user).not.toBe('postgres');
  expect(password).toMatch(/^\$\{file:\/run\/secrets\//);
  for (const name of readdirSync(DOCKER).filter((file) => /Dockerfile|\.(yaml|service)$/.test(file))) {
    const words =
      readDocker(name)
        .replaceAll(/(sluice|agent)_\.\.\./g, '-')
        .match(/(password|PASSWORD|token|TOKEN)["']?\s*[:=]\s*["']?[\w-]{3,}/g) ?? [];
    expect(words, name).toEqual([]);
  }
  expect(readDocker('database.sql')).toMatch(
    /create role app login nosuperuser nocreatedb nocreaterole .* password :'password';/,
  );
});

test('what compose.yaml mounts is in the checkout, or is made by secrets.sh', () => {
  const path = folder();
  copyFileSync(join(DOCKER, 'secrets.sh'), join(path, 'secrets.sh'));
  const run = (): number | null => spawnSync('sh', [join(path, 'secrets.sh')]).status;
  expect(run()).toBe(0);
  const files = Object.values<{ file: string }>(compose.secrets).map(({ file }) => join(path, file));
  const made = files.map((file) => readFileSync(file, 'utf8'));
  expect(new Set(made).size).toBe(files.length);
  for (const text of made) expect(text).toMatch(/^[0-9a-f]{48}$/);
  for (const file of files) expect(statSync(file).mode & 0o777).toBe(0o644);
  expect(statSync(join(path, 'secrets')).mode & 0o777).toBe(0o700);
  expect(run()).toBe(0);
  expect(files.map((file) => readFileSync(file, 'utf8'))).toEqual(made);
  for (const { volumes, secrets } of Object.values<{ volumes: string[]; secrets: string[] }>(compose.services)) {
    for (const one of volumes.filter((entry) => entry.startsWith('.')))
      expect(readDocker(one.split(':')[0] ?? '')).toBeTruthy();
    expect(Object.keys(compose.secrets)).toEqual(expect.arrayContaining(secrets));
  }
});

test('no password gets into an image or a commit', () => {
  const ignored = readFileSync(join(ROOT, '.dockerignore'), 'utf8').split('\n');
  expect(ignored).toEqual(expect.arrayContaining(['docker/secrets', 'sluice.yaml', '.env']));
  // With what tsc remembers and without what it built, it builds nothing.
  expect(ignored).toEqual(expect.arrayContaining(['**/dist', '**/*.tsbuildinfo']));
  expect(spawnSync('git', ['check-ignore', 'docker/secrets/app_password'], { cwd: ROOT }).status).toBe(0);
});

test('the configuration of the sample is good once its password is there', () => {
  const path = folder();
  chmodSync(path, 0o700);
  writeFileSync(join(path, 'app_password'), 'x'.repeat(48), { mode: 0o600 });
  const file = join(path, 'sluice.yaml');
  writeFileSync(
    file,
    readDocker('sluice.yaml').replace('/run/secrets', path).replace('/var/lib/sluice', join(path, 'data')),
  );
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, 'check', '--config', file], {
    encoding: 'utf8',
  });
  expect([status, stderr]).toEqual([0, '']);
  expect(stdout).toContain('is good: 1 connections');
});

test('the commands at the head of compose.yaml are those that README.md tells', () => {
  const commands: string[] = shownCommands(readDocker('compose.yaml'));
  expect(commands).toHaveLength(4);
  for (const command of commands) expect(readDocker('README.md')).toContain(command);
});

const DIGESTS = ['a', 'b', 'c'].map((letter) => `sha256:${letter.repeat(64)}`);

/** A registry that wants an anonymous token, and knows three tags. */
async function startRegistry(answers: { readonly digests: readonly (string | undefined)[] }): Promise<string> {
  let address = '';
  const serve = (request: IncomingMessage, reply: ServerResponse): void => {
    const url = new URL(request.url ?? '', address);
    if (url.pathname === '/token') {
      reply.end(JSON.stringify({ token: `for ${url.searchParams.get('scope')}`.replaceAll(' ', '-') }));
      return;
    }
    const [, path = '', tag = ''] = /^\/v2\/(.+)\/manifests\/(.+)$/.exec(url.pathname) ?? [];
    if (request.headers.authorization !== `Bearer for-repository:${path}:pull`) {
      const challenge = `Bearer realm="${address}/token",service="registry",scope="repository:${path}:pull"`;
      reply.writeHead(401, { 'www-authenticate': challenge }).end();
      return;
    }
    const digest = answers.digests[['node/24', 'debian/slim', 'postgres/18'].indexOf(`${path}/${tag}`)];
    const indexes = (request.headers.accept ?? '').includes('application/vnd.oci.image.index.v1+json');
    if (digest === undefined || !indexes || request.method !== 'HEAD') reply.writeHead(404).end();
    else reply.writeHead(200, { 'docker-content-digest': digest }).end();
  };
  const server = createServer(serve).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  onTestFinished(() => void server.close());
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  address = `http://${host}`;
  return host;
}

interface Pinned {
  readonly status: number | null;
  readonly said: string;
  readonly dockerfile: string;
  readonly compose: string;
}

async function pin(path: string): Promise<Pinned> {
  const files = ['Dockerfile', 'compose.yaml'].map((name) => join(path, name));
  const child = spawn(process.execPath, [join(DOCKER, 'pin.mjs'), ...files], { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => (said += text.toString()));
  const status = await new Promise<number | null>((resolve) => child.once('close', resolve));
  const [dockerfile = '', composed = ''] = files.map((file) => readFileSync(file, 'utf8'));
  return { status, said, dockerfile, compose: composed };
}

function writeImages(path: string, host: string): void {
  writeFileSync(
    join(path, 'Dockerfile'),
    `FROM ${host}/node:24 AS build\nCOPY . .\n\nFROM ${host}/debian:slim\nCOPY --from=build /a /a\n`,
  );
  writeFileSync(
    join(path, 'compose.yaml'),
    `services:\n  database:\n    image: ${host}/postgres:18\n    networks: [back]\n`,
  );
}

test('base images are pinned to the digests that the registry tells, and follow their tags when asked again', async () => {
  const answers = { digests: [...DIGESTS] };
  const host = await startRegistry(answers);
  const path = folder();
  writeImages(path, host);
  const first = await pin(path);
  expect(first.status).toBe(0);
  expect(first.dockerfile).toContain(`FROM ${host}/node:24@${DIGESTS[0]} AS build\n`);
  expect(first.dockerfile).toContain(`FROM ${host}/debian:slim@${DIGESTS[1]}\nCOPY --from=build`);
  expect(first.compose).toContain(`    image: ${host}/postgres:18@${DIGESTS[2]}\n    networks`);
  answers.digests = DIGESTS.toReversed();
  const second = await pin(path);
  expect(second.dockerfile).toContain(`FROM ${host}/node:24@${DIGESTS[2]} AS build\n`);
  expect(second.compose).toContain(`image: ${host}/postgres:18@${DIGESTS[0]}\n`);
});

test('where one digest cannot be had nothing is changed, and the script says why', async () => {
  const path = folder();
  const host = await startRegistry({ digests: [DIGESTS[0], undefined, DIGESTS[2]] });
  writeImages(path, host);
  const unknown = await pin(path);
  expect([unknown.status, unknown.said]).toEqual([
    1,
    `${host} answered 404 for ${host}/debian:slim. Nothing was changed.\n`,
  ]);
  expect(`${unknown.dockerfile}${unknown.compose}`).not.toContain('sha256');
  writeImages(path, '127.0.0.1:1');
  const unreachable = await pin(path);
  expect(unreachable.status).toBe(1);
  expect(unreachable.said).toMatch(/^127\.0\.0\.1:1 cannot be reached: .* Nothing was changed\.\n$/);
  expect(`${unreachable.dockerfile}${unreachable.compose}`).not.toContain('sha256');
});

test('the images of this folder are named with their tags, so that they can be pinned', () => {
  const named = `${readDocker('Dockerfile')}${readDocker('compose.yaml')}`.match(/^(FROM|\s+image:)\s+\S+/gm) ?? [];
  expect(named.length).toBe(3);
  for (const one of named) expect(one).toMatch(/:[\w.-]+(@sha256:[0-9a-f]{64})?$/);
});
