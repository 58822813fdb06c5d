/**
 * Every `sluice` command that documents for users show, run as it stands against a running gateway, the demo's. Where something has to be
 * put in for it (an id, a number), or another exit status is right, `PLANS` says so; what cannot be run here is in `NOT_HERE` with the
 * reason. docs/start.md and docs/troubleshooting.md are transcripts of runs of their own.
 */
import { spawn } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findTool, freePort, missingPostgres, missingTool, temporaryFolder } from '@sluice/testkit';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startDemo } from '../src/demo.js';
import type { Demo } from '../src/running-demo.js';
import { type Person, person } from '../src/tour/person.js';
import { ROOT, blockOf, documentedCommands } from './documented/commands.js';

const missing = missingPostgres(18) ?? missingTool('psql');
const COMMANDS = [...documentedCommands().keys()];

/** What a command is run in. */
interface Scene {
  readonly demo: Demo;
  readonly ben: Person;
  /** A session of the record, with one command in it, and one that is open. */
  session(): Promise<string>;
  open(): Promise<string>;
  /** The number of a request that waits, of somebody other than Ben. */
  request(): Promise<string>;
  /** The id of a token that is of use to nobody else. */
  token(): Promise<string>;
}

interface Plan {
  /** As it is run; default: as it stands. */
  readonly run?: (command: string, scene: Scene) => Promise<string> | string;
  readonly status?: number;
  /** Ben's, who approves; default: whoever runs the gateway. */
  readonly by?: 'ben';
  /** Typed into it. */
  readonly input?: string;
  /** It goes on until Ctrl+C, and is ended by it once it has said something. */
  readonly endless?: true;
}

const withNumber = async (command: string, scene: Scene): Promise<string> =>
  command.replace(/\b7\b/, await scene.request());
const withSession = async (command: string, scene: Scene): Promise<string> =>
  command.replace(/<id>|\bID\b|(?<=(?:replay|show|export|watch|kill))$/, ` ${await scene.session()}`);
const withOpen = async (command: string, scene: Scene): Promise<string> =>
  command.replace(/\bID\b|(?<=kill|watch)$/, ` ${await scene.open()}`);
const asDeveloper = (command: string): string => `${command} --user developer`;
const asDeveloperWith = (text: string) => (command: string) => `${command} --user developer -c "${text}"`;

/** The first that fits. */
const PLANS: readonly (readonly [pattern: RegExp, plan: Plan])[] = [
  [/^sluice approvals approve/, { run: withNumber, by: 'ben', input: 'y\n' }],
  [/^sluice approvals (deny|show)/, { run: withNumber, by: 'ben' }],
  [/^sluice approvals watch/, { by: 'ben', endless: true }],
  [/^sluice approvals$/, { run: (command) => `${command} ls` }],
  [/^sluice sessions (kill|watch)/, { run: withOpen }],
  [/^sluice sessions (replay|show|export)/, { run: withSession }],
  [/^sluice token revoke/, { run: async (command, scene) => command.replace('<id>', await scene.token()) }],
  [/^sluice token create( --name laptop.*)?$/, { by: 'ben' }],
  [/^sluice token create robot/, { run: (command) => command.replace('robot', 'assistant') }],
  [
    /^sluice client-config --token-file$/,
    { run: (_, { demo }) => `sluice client-config env shop --token-file ${join(demo.folder, 'developer.token')}` },
  ],
  [/^sluice client-config (pg_service|env)$/, { run: (command) => `${command} shop --user developer` }],
  [/^sluice connect tickets -c/, { run: (command) => asDeveloper(command).replace('/users/7', '/tickets') }],
  [
    /^sluice connect shop( --user developer)?$/,
    { run: (command) => asDeveloperWith('select 1')(command.replace(' --user developer', '')) },
  ],
  [/^sluice connect$/, { run: (command) => asDeveloperWith('select 1')(`${command} shop`) }],
  [/^sluice policy explain$/, { run: (command) => `${command} --connection shop "select 1"` }],
  [
    /^sluice policy (test|lint)$/,
    { run: (command) => (command.endsWith('test') ? `${command} cases.yaml` : `${command} migrations/1.sql`) },
  ],
  [
    /^sluice audit verify --journal copy/,
    {
      run: (command, { demo }) => `cp -r ${demo.folder}/journal copy && cp ${demo.folder}/journal.pub . && ${command}`,
    },
  ],
  [/^sluice (check|doctor)$/, { run: (command) => `${command} --config sluice.yaml` }],
  [/^sluice logs -f$/, { endless: true }],
  [/^sluice (logout|whoami|login confirm)/, { by: 'ben' }],
];

/** What is not run here, and why. */
const NOT_HERE: Readonly<Record<string, string>> = {
  'sluice login': 'a browser answers it: gateway/test/chromium.test.ts',
  'sluice up --config sluice.yaml': 'below, with the rest of the steps that it is one of',
};

describe.skipIf(missing)(`commands of the documents${missing ? ` (${missing})` : ''}`, () => {
  const place = temporaryFolder('documented');
  const cwd = join(place.path, 'here');
  let scene: Scene;
  const clients: pg.Client[] = [];

  beforeAll(async () => {
    chmodSync(place.path, 0o711);
    mkdirSync(join(cwd, 'migrations'), { recursive: true });
    copyFileSync(join(ROOT, 'examples', 'sluice.yaml'), join(cwd, 'sluice.yaml'));
    writeFileSync(
      join(cwd, 'cases.yaml'),
      blockOf('docs/rules.md', '# Write rules', 'yaml').includes('cases') ? '' : casesOf(),
    );
    writeFileSync(join(cwd, 'migrations', '1.sql'), 'create table parcels (id bigint primary key);\n');
    writeFileSync(join(cwd, 'user.json'), '{"name":"x"}\n');
    scene = await open(join(place.path, 'demo'), clients);
  }, 180_000);
  afterAll(async () => {
    for (const client of clients) await client.end().catch(() => undefined);
    await scene?.demo.stop();
    place.remove();
  });

  test('there are many, and what is not run is shown somewhere', () => {
    expect(COMMANDS.length).toBeGreaterThan(50);
    expect(Object.keys(NOT_HERE).filter((command) => !COMMANDS.includes(command))).toEqual([]);
  });

  test.each(COMMANDS.filter((command) => NOT_HERE[command] === undefined))(
    '%s',
    async (command) => {
      const [, plan] = PLANS.find(([pattern]) => pattern.test(command)) ?? [undefined, {} as Plan];
      const line = (await plan.run?.(command, scene)) ?? command;
      const { status, said } = await run(line, plan, scene, cwd);
      expect({ line, said, status }).toEqual({ line, said, status: plan.status ?? 0 });
      expect(said, line).not.toMatch(/\n\s+at |node:internal/);
    },
    60_000,
  );
});

const casesOf = (): string => {
  const block = blockOf(
    'docs/rules.md',
    '4. **Keep cases beside it**, and have your pipeline run them: `sluice policy test cases.yaml --config sluice.yaml` needs no gateway.',
    'yaml',
  );
  expect(block).toContain('cases:');
  return block;
};

/** The demo with somebody logged in, who waits for nobody. */
async function open(folder: string, clients: pg.Client[]): Promise<Scene> {
  const ports: number[] = [];
  while (ports.length < 5) ports.push(await freePort());
  const [port = 0, controlPort = 0, issuerPort = 0, sshPort = 0, httpPort = 0] = ports;
  const demo = await startDemo({ port, controlPort, issuerPort, sshPort, httpPort, folder }, () => undefined);
  const ben = person(demo, 'ben');
  await ben.login();
  const connect = async (): Promise<pg.Client> => {
    const client = new pg.Client({
      host: '127.0.0.1',
      port,
      user: 'developer',
      password: demo.tokens.developer,
      database: 'shop',
    });
    client.on('error', () => undefined);
    await client.connect();
    clients.push(client);
    return client;
  };
  const latest = async (): Promise<string> => [...demo.gateway.sessions.keys()].at(-1) ?? '';
  return {
    demo,
    ben,
    open: async () => {
      await connect();
      return latest();
    },
    session: async () => {
      const client = await connect();
      await client.query('select 1');
      return latest();
    },
    request: async () => {
      const client = await connect();
      client.query('update payments set amount = amount where id = 1').catch(() => undefined);
      for (;;) {
        const [row] = JSON.parse(await ben.sluice('approvals', 'ls', '--pending', '-o', 'json')) as {
          number: number;
        }[];
        if (row) return String(row.number);
        await sleep(50);
      }
    },
    token: async () => (await demo.gateway.identity.createToken({ principal: 'developer', name: 'test' })).id,
  };
}

/** A line as a shell runs it, with the data folder of the demo as the one of this machine. */
async function run(
  line: string,
  plan: Plan,
  { demo, ben }: Scene,
  cwd: string,
): Promise<{ status: number; said: string }> {
  const path = `${ROOT}:${join(findTool('psql') ?? '', '..')}:${process.env['PATH'] ?? ''}`;
  const env = plan.by === 'ben' ? ben.env : { ...process.env, SLUICE_DATA: demo.folder };
  const child = spawn('/bin/sh', ['-c', plan.endless ? `exec ${line}` : line], {
    cwd,
    env: { ...env, PATH: path, NO_COLOR: '1', PAGER: 'cat' },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  child.stdin.end(plan.input ?? '');
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const ended = new Promise<number>((resolve) => child.once('close', (code) => resolve(code ?? 0)));
  if (plan.endless) {
    await sleep(2_000);
    child.kill('SIGINT');
  }
  return { status: await ended, said };
}
