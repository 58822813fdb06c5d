/**
 * What two builds are compared by (against.ts): questions as pgbench -S asks them, rows with and without masks, keystrokes and output
 * by SSH. Owns: connections that stay open, and what one turn of each is. Does not: count.
 */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { startSshd, temporaryFolder } from '@sluice/testkit';
import ssh2 from 'ssh2';
import { openStream, prepareBulk, preparePgbench } from './postgres.js';
import { MASKED, type Route, end, openSetting } from './setting.js';
import { startSshGateway } from './ssh.js';

/** Connections of one build that are open, and what they do in one turn. */
export interface Opened {
  readonly pid: number;
  turn(): Promise<void>;
  close(): void;
}

/** The same work for both builds. */
export interface Work {
  readonly name: string;
  open(build: 'this' | 'other'): Promise<Opened>;
}

export interface Works {
  readonly works: readonly Work[];
  stop(): Promise<void>;
}

/** Of one turn: about a tenth of a second each. */
const QUESTIONS = 1500;
const ROWS = 50_000;
const KEYS = 300;
const OUTPUT_BYTES = 20_000_000;

/** Rows of the table that pgbench reads at scale 1. */
const ACCOUNTS = 100_000;

export async function postgresWorks(root: string): Promise<Works> {
  const setting = await openSetting({ against: root });
  const [direct] = setting.routes as readonly [Route, ...Route[]];
  await preparePgbench(direct);
  await prepareBulk(direct);
  const routeOf = (build: 'this' | 'other'): Route =>
    setting.routes.find(({ name }) => name === (build === 'this' ? 'sluice' : 'before')) as Route;
  const questions = [1, 8].flatMap((clients) =>
    (['simple', 'prepared'] as const).map(
      (mode): Work => ({
        name: `point SELECT, ${mode}, ${clients} ${clients === 1 ? 'client' : 'clients'}`,
        open: (build) => openQuestions(routeOf(build), mode, clients),
      }),
    ),
  );
  const rows = ['target', ...Object.keys(MASKED)].map(
    (database): Work => ({
      name: database === 'target' ? `SELECT of ${ROWS} rows` : `the same, masked: ${database.replace('_', ' ')}`,
      open: (build) => openRows({ ...routeOf(build), database }),
    }),
  );
  return { works: [...questions, ...rows], stop: () => setting.stop() };
}

export type QuestionMode = 'simple' | 'extended' | 'prepared';

/** Connections that stay open, which ask what `pgbench -S` asks, so many times in one turn together. */
export async function openQuestions(
  route: Route,
  mode: QuestionMode,
  clients: number,
  questions = QUESTIONS,
): Promise<Opened> {
  const streams = await Promise.all(Array.from({ length: clients }, () => openStream(route)));
  const text = 'SELECT abalance FROM pgbench_accounts WHERE aid = ';
  const parse = (name: string): Buffer => message('P', `${name}\0${text}$1;\0`, Buffer.alloc(2));
  const statement = mode === 'prepared' ? 'p' : '';
  if (mode === 'prepared')
    await Promise.all(streams.map(({ ask }) => ask(Buffer.concat([parse(statement), message('S', '')]))));
  const question = (): Buffer => {
    const id = String(1 + Math.floor(Math.random() * ACCOUNTS));
    if (mode === 'simple') return message('Q', `${text}${id};\0`);
    const length = Buffer.alloc(4);
    length.writeInt32BE(id.length);
    // One parameter as text, results as text: as pgbench binds.
    const values = Buffer.concat([Buffer.from([0, 0, 0, 1]), length, Buffer.from(id), Buffer.from([0, 0])]);
    return Buffer.concat([
      ...(mode === 'extended' ? [parse(statement)] : []),
      message('B', `\0${statement}\0`, values),
      message('D', 'P\0'),
      message('E', '\0', Buffer.alloc(4)),
      message('S', ''),
    ]);
  };
  return {
    pid: route.pid as number,
    turn: async () => {
      let left = questions;
      await Promise.all(
        streams.map(async ({ ask }) => {
          while (left-- > 0) await ask(question());
        }),
      );
    },
    close: () => {
      for (const { close } of streams) close();
    },
  };
}

async function openRows(route: Route): Promise<Opened> {
  const { ask, close } = await openStream(route);
  const query = message('Q', `select * from bulk limit ${ROWS}\0`);
  return { pid: route.pid as number, turn: async () => void (await ask(query)), close };
}

function message(type: string, text: string, rest = Buffer.alloc(0)): Buffer {
  const body = Buffer.concat([Buffer.from(text), rest]);
  const head = Buffer.alloc(5);
  head.write(type, 0, 'latin1');
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

export async function sshWorks(root: string): Promise<Works> {
  const { path, remove } = temporaryFolder('bench-ssh');
  const sshd = await startSshd();
  const gateways = {
    this: await startSshGateway(join(path, 'this'), sshd),
    other: await startSshGateway(join(path, 'other'), sshd, root),
  };
  return {
    works: [
      { name: `${KEYS} keystrokes by SSH`, open: (build) => openKeystrokes(gateways[build]) },
      { name: `${OUTPUT_BYTES / 1e6} MB of output by SSH`, open: (build) => openOutput(gateways[build]) },
    ],
    stop: async () => {
      await Promise.all(Object.values(gateways).map(({ child }) => end(child)));
      await sshd.stop();
      remove();
    },
  };
}

type SshGateway = Awaited<ReturnType<typeof startSshGateway>>;

async function openKeystrokes(gateway: SshGateway): Promise<Opened> {
  const client = await login(gateway);
  const channel = await run(client, 'cat');
  return {
    pid: gateway.child.pid as number,
    turn: async () => {
      for (let i = 0; i < KEYS; i++) {
        channel.write('x');
        await once(channel, 'data');
      }
    },
    close: () => client.end(),
  };
}

async function openOutput(gateway: SshGateway): Promise<Opened> {
  const client = await login(gateway);
  return {
    pid: gateway.child.pid as number,
    turn: async () => {
      const channel = await run(client, `head -c ${OUTPUT_BYTES} /dev/zero`);
      let bytes = 0;
      channel.on('data', (chunk: Buffer) => void (bytes += chunk.length));
      await once(channel, 'close');
      if (bytes !== OUTPUT_BYTES) throw new Error(`${bytes} bytes came of ${OUTPUT_BYTES}`);
    },
    close: () => client.end(),
  };
}

async function login({ port, key }: SshGateway): Promise<ssh2.Client> {
  const client = new ssh2.Client();
  const ready = once(client, 'ready');
  client.connect({ host: '127.0.0.1', port, username: 'vm', privateKey: readFileSync(key) });
  await ready;
  client.setNoDelay(true);
  return client;
}

const run = (client: ssh2.Client, command: string): Promise<ssh2.ClientChannel> =>
  new Promise((resolve, reject) => client.exec(command, (error, opened) => (error ? reject(error) : resolve(opened))));
