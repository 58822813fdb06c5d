// What a container engine does for the files of this folder, with chroot, mounts and namespaces. Owns: building an image from
// the Dockerfile, mounting what compose.yaml mounts, running programs inside. Does not: isolate as an engine does; what is
// stood in is listed in README.md. Needs root, and runs in mount and process namespaces of its own (see try.mjs).
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { execForm, readHealthcheck, readStages } from './dockerfile.mjs';

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Runs a program of this machine. Its output goes to `log`. Throws when it fails. */
export function run(log, program, ...args) {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  log(`${stdout ?? ''}${stderr ?? ''}`);
  if (status !== 0) {
    const said = `${stdout ?? ''}${stderr ?? ''}${error?.message ?? ''}`.trim().split('\n').slice(-15).join('\n');
    throw new Error(`${program} ${args.join(' ').slice(0, 200)} ended with ${status}:\n${said}`);
  }
  return stdout;
}

/** Copies what a build may see: the folder without what .dockerignore names. */
export function copyContext(log, from, to) {
  const patterns = readFileSync(join(from, '.dockerignore'), 'utf8').split('\n').filter(Boolean);
  const excludes = patterns.flatMap((pattern) =>
    pattern.startsWith('**/')
      ? ['--no-anchored', `--exclude=${pattern.slice(3)}`]
      : ['--anchored', `--exclude=./${pattern}`],
  );
  mkdirSync(to, { recursive: true });
  run(
    log,
    'sh',
    '-c',
    'from=$1 to=$2; shift 2; tar -C "$from" "$@" -cf - . | tar -C "$to" -xf -',
    'sh',
    from,
    to,
    ...excludes,
  );
}

/**
 * Builds the image of a Dockerfile.
 *
 * @param base makes a root folder for the image that a FROM names
 * @returns the root folder of the last stage and how it is run
 */
export function buildImage({ log, file, context, folder, base }) {
  const stages = new Map();
  let image;
  for (const [at, stage] of readStages(readFileSync(file, 'utf8')).entries()) {
    const root = join(folder, `stage-${at}`);
    base(stage.base, root);
    mountSystem(log, root);
    image = { root, env: { PATH }, workdir: '/', user: 'root', volumes: [], entrypoint: [], cmd: [] };
    stages.set(stage.name, image);
    for (const { name, rest } of stage.instructions) {
      log(`== ${name} ${rest}\n`);
      instructions[name]({ log, image, stages, context, rest });
    }
  }
  return image;
}

const instructions = {
  WORKDIR({ image, rest }) {
    image.workdir = resolve(image.workdir, rest);
    mkdirSync(join(image.root, image.workdir), { recursive: true });
  },
  COPY({ log, image, stages, context, rest }) {
    const words = rest.split(/\s+/);
    const from = words[0].startsWith('--from=') ? stages.get(words.shift().slice('--from='.length)).root : undefined;
    const [source, target] = words;
    const to = join(image.root, resolve(image.workdir, target));
    if (from === undefined) copyContext(log, join(context, source), to);
    else {
      mkdirSync(to, { recursive: true });
      run(log, 'cp', '-a', `${join(from, source)}/.`, to);
    }
    run(log, 'chown', '-R', '-h', 'root:root', to);
  },
  RUN({ log, image, rest }) {
    run(
      log,
      'chroot',
      ...inside({ ...image, env: { ...authorities(image.root), ...image.env } }, ['/bin/sh', '-c', rest]),
    );
  },
  ENV({ image, rest }) {
    const [, name, value] = /^(\w+)=(\S+)$/.exec(rest);
    image.env[name] = value;
  },
  USER: ({ image, rest }) => void (image.user = rest),
  VOLUME: ({ image, rest }) => void image.volumes.push(rest),
  EXPOSE: () => undefined,
  HEALTHCHECK: ({ image, rest }) => void (image.healthcheck = readHealthcheck(rest)),
  ENTRYPOINT: ({ image, rest }) => void (image.entrypoint = execForm(rest)),
  CMD: ({ image, rest }) => void (image.cmd = execForm(rest)),
};

/** Where the network of this machine has authorities of its own (NODE_EXTRA_CA_CERTS), a build needs them as well. */
function authorities(root) {
  const file = process.env.NODE_EXTRA_CA_CERTS;
  if (!file) return {};
  // On a mount: it is not a part of the image.
  const place = '/dev/authorities.pem';
  cpSync(file, join(root, place), { dereference: true });
  return { NODE_EXTRA_CA_CERTS: place, SSL_CERT_FILE: place, NPM_CONFIG_CAFILE: place };
}

/** The arguments of chroot(8) that run a program as an image says, with nothing of this machine's environment. */
function inside({ root, user, workdir, env }, argv) {
  const settings = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  return [`--userspec=${user}`, '--', root, '/usr/bin/env', '-i', `--chdir=${workdir}`, ...settings, ...argv];
}

/** Gives a root /proc, a few devices and the resolver of this machine. */
export function mountSystem(log, root) {
  run(log, 'mount', '-t', 'proc', 'proc', join(root, 'proc'));
  run(log, 'mount', '-t', 'tmpfs', '-o', 'mode=0755', 'tmpfs', join(root, 'dev'));
  for (const name of ['null', 'zero', 'full', 'random', 'urandom', 'tty']) {
    writeFileSync(join(root, 'dev', name), '');
    run(log, 'mount', '--bind', `/dev/${name}`, join(root, 'dev', name));
  }
  mkdirSync(join(root, 'dev/shm'));
  run(log, 'mount', '-t', 'tmpfs', '-o', 'mode=1777', 'tmpfs', join(root, 'dev/shm'));
  cpSync('/etc/resolv.conf', join(root, 'etc/resolv.conf'), { dereference: true });
}

/** The services of compose.yaml in a network of their own, in which `hosts` are names of loopback addresses. */
export class Composition {
  #log;
  #network;
  #hosts;
  #running = [];

  constructor(log, services) {
    this.#log = log;
    this.#network = spawn('unshare', ['--net', 'sh', '-c', 'ip link set lo up && echo up && exec sleep infinity'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#hosts = ['127.0.0.1 localhost', ...services.map((name, at) => `127.0.0.${at + 2} ${name}`)].join('\n');
  }

  /** Resolves when the network is there. */
  async ready() {
    await new Promise((done) => this.#network.stdout.once('data', done));
  }

  /** Mounts what a service of compose.yaml mounts: volumes, files and secrets, as an engine does. */
  mount(image, { volumes = [], secrets = [] }, { folder, definitions, storage }) {
    writeFileSync(join(image.root, 'etc/hosts'), `${this.#hosts}\n`);
    for (const entry of volumes) {
      const [source, target, mode] = entry.split(':');
      const named = !/^[./]/.test(source);
      const from = named ? join(storage, source) : resolve(folder, source);
      const to = join(image.root, target);
      if (named) {
        // A new volume begins with what the image has there, owner and mode included.
        mkdirSync(to, { recursive: true });
        run(this.#log, 'cp', '-a', '--no-target-directory', to, from);
      }
      this.#bind(from, to, mode === 'ro');
    }
    for (const name of secrets) {
      this.#bind(resolve(folder, definitions[name].file), join(image.root, 'run/secrets', name), true);
    }
  }

  #bind(from, to, readOnly) {
    if (!existsSync(from)) throw new Error(`${from} is not there to be mounted.`);
    mkdirSync(dirname(to), { recursive: true });
    if (!existsSync(to)) writeFileSync(to, '');
    run(this.#log, 'mount', '--bind', from, to);
    if (readOnly) run(this.#log, 'mount', '-o', 'remount,bind,ro', to);
  }

  /** Starts a service. What it prints goes to the log. */
  start(image, { environment = {}, command = image.cmd }) {
    const service = { ...image, env: { ...image.env, ...environment } };
    const child = this.#spawn(service, [...image.entrypoint, ...command]);
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => this.#log(String(text)));
    this.#running.push(child);
    return child;
  }

  /** Runs a program in a service, as `docker compose exec` and health checks do: `{ status, stdout, stderr }`. */
  async exec(image, argv, env = {}) {
    const child = this.#spawn({ ...image, env: { ...image.env, ...env } }, argv);
    const said = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr']) child[name].on('data', (text) => (said[name] += text));
    const status = await new Promise((done) => child.once('close', done));
    this.#log(`$ ${argv.join(' ')}\n${said.stdout}${said.stderr}`);
    return { status, ...said };
  }

  #spawn(image, argv) {
    return spawn('nsenter', [`--net=/proc/${this.#network.pid}/ns/net`, 'chroot', ...inside(image, argv)], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }

  stop() {
    for (const child of [...this.#running, this.#network]) child.kill('SIGKILL');
  }
}

/** Writes a program into a root. */
export function writeProgram(root, path, text) {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
  chmodSync(join(root, path), 0o755);
}
