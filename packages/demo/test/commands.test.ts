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
import { ROOT, blocksOf, documentedCommands } from './documented/commands.js';

const missing = missingPostgres(18) ?? missingTool('psql');
/** That of docs/rules.md. */
const CASES = blocksOf('docs/rules.md', 'yaml').find((block) => block.startsWith('cases:')) ?? '';
const COMMANDS = [...documentedCommands().keys()];

/** What a command is run in. */
interface Scene {
  readonly demo: Demo;
  readonly ana: Person;
  readonly ben: Person;
  /** A session of the record, with one command in it, and one that is open. */
  session(): Promise<string>;
  open(): Promise<string>;
  /** The number of a request that waits, of somebody other than Ben, and of one that Ben has approved. */
  request(): Promise<string>;
  approved(): Promise<string>;
  /** The id of a token that is of use to nobody else. */
  token(): Promise<string>;
}

interface Plan {
  /** As it is run; default: as it stands. */
  readonly run?: (command: string, scene: Scene) => Promise<string> | string;
  readonly status?: number;
  /** People of the demo, of whom Ben approves; default: whoever runs the gateway. */
  readonly by?: 'ana' | 'ben';
  /** It goes on until Ctrl+C, and is ended by it once it has said something. */
  readonly endless?: true;
}

const withNumber = async (command: string, scene: Scene): Promise<string> =>
  command.replace(/\b7\b/, await scene.request());
/** Behind the name of the command, or where a document has `<id>` or ID. */
const withId = (command: string, id: string): string =>
  /<id>|\bID\b/.test(command)
    ? command.replace(/<id>|\bID\b/, id)
    : command.replace(/^sluice sessions \w+/, (name) => `${name} ${id}`);
const withSession = async (command: string, scene: Scene): Promise<string> => withId(command, await scene.session());
const withOpen = async (command: string, scene: Scene): Promise<string> => withId(command, await scene.open());
const select = (command: string): string => `${command} --user developer -c "select 1"`;
const curl = (command: string, { demo }: Scene): string =>
  `CURL_CA_BUNDLE=${join(demo.folder, 'gateway.crt')} ${command.replace(/^CURL_CA_BUNDLE=\S+ /, '').replace('/users/7', '/tickets')}`;

/** The first that fits. */
const PLANS: readonly (readonly [pattern: RegExp, plan: Plan])[] = [
  // Nobody is there to answer the question.
  [
    /^sluice approvals approve/,
    { run: async (command, scene) => `${await withNumber(command, scene)} --yes`, by: 'ben' },
  ],
  [
    /^sluice approvals revoke/,
    { run: async (_, scene) => `sluice approvals revoke ${await scene.approved()}`, by: 'ben' },
  ],
  [/^sluice approvals (deny|show)/, { run: withNumber, by: 'ben' }],
  [/^sluice approvals watch/, { by: 'ben', endless: true }],
  [/^sluice approvals$/, { run: (command) => `${command} ls` }],
  [/^sluice sessions watch/, { run: withOpen, endless: true }],
  [/^sluice sessions kill/, { run: withOpen }],
  [/^sluice sessions (replay|show|export)/, { run: withSession }],
  [/^sluice token revoke/, { run: async (command, scene) => command.replace('<id>', await scene.token()) }],
  [/^sluice token create$/, { run: (command) => `${command} developer` }],
  [/^sluice token create --name laptop/, { by: 'ben' }],
  [/^sluice token create robot/, { run: (command) => command.replace('robot', 'assistant') }],
  [/^sluice logout/, { by: 'ana' }],
  [
    /^sluice client-config --token-file$/,
    { run: (_, { demo }) => `sluice client-config env shop --token-file ${join(demo.folder, 'developer.token')}` },
  ],
  [/^sluice client-config (pg_service|env)$/, { run: (command) => `${command} shop --user developer` }],
  [/^sluice connect tickets/, { run: (command, scene) => `${curl(command, scene)} --user developer` }],
  [/sluice connect tickets/, { run: curl }],
  [/^sluice connect shop( --user developer)?$/, { run: (command) => select(command.replace(' --user developer', '')) }],
  [/^sluice connect$/, { run: (command) => select(`${command} shop`) }],
  [/^sluice policy explain$/, { run: (command) => `${command} --connection shop "select 1"` }],
  // Refused, or held: what each of these is shown for.
  [/^sluice policy explain .*(delete|DELETE|like|update)/, { status: 3 }],
  [/^sluice policy test$/, { run: (command) => `${command} cases.yaml` }],
  [/^sluice policy lint$/, { run: (command) => `${command} migrations/1.sql` }],
  [
    /^sluice audit verify --journal copy/,
    {
      run: (command, { demo }) =>
        `cp -r ${demo.folder}/journal copy && cp copy/journal.pub . && sluice -o json audit verify > heads.jsonl; ${command}`,
    },
  ],
  [/^sluice check$/, { run: (command) => `${command} --config sluice.yaml` }],
  [/^sluice logs -f$/, { endless: true }],
];

/** Where `up` and what belongs to it are run. */
const OWN_DATABASE = 'steps of README: packages/demo/test/own-database.test.ts';
/** What is not run here, and why. */
const NOT_HERE: Readonly<Record<string, string>> = {
  'sluice login': 'a browser answers it: gateway/test/chromium.test.ts',
  'sluice login confirm CODE': 'a login by SSH waits for it: gateway/test/ssh-login.test.ts',
  'sluice login --setup': 'a first start on a terminal prints its token: gateway/test/console-logins.test.ts',
  'sluice policy explain TEXT --connection NAME --target-version 10.11.6-MariaDB':
    'the demo has MySQL only where MariaDB is installed: gateway/test/mysql.test.ts',
  'sluice client-config my_cnf': 'the same: gateway/test/mysql-clients.test.ts',
  'sluice policy explain --connection openai --method POST --path /v1/chat/completions --body @call.json':
    'its connection is another one in the demo: gateway/test/language-models.test.ts',
  'SLUICE_AGENT_TOKEN=agent_... sluice agent --gateway wss://gateway.example:7443 --allow allow.txt':
    'its address is made up: the agent of the demo is started by packages/demo/src/agent.ts',
  'sluice agent login 1': 'what a signature begins with, and no command',
  ...Object.fromEntries(
    [
      'sluice approvals break-glass 7 --reason "payments are down, nobody answers"',
      'sluice approvals break-glass 7 --reason "..."',
      'sluice approvals review 7 --reason "..."',
    ].map((command) => [command, 'no rule of the demo lets anybody do that: gateway/test/break-glass.test.ts']),
  ),
  ...Object.fromEntries(
    ['sluice budgets show an-hour -o json', 'sluice budgets reset an-hour --of dana'].map((command) => [
      command,
      'the demo has no such budget: gateway/test/budgets.test.ts',
    ]),
  ),
  'sluice freeze': 'the name of several commands, and none by itself: gateway/test/freezes.test.ts',
  'sluice grants revoke CONNECTION': 'no target of the demo wants a grant: gateway/test/grants.test.ts',
  'sluice rows sql': 'no connection of the demo has rows: packages/sql-postgres/test/rows.test.ts',
  'sluice check --targets': 'the targets of the demo are up as long as it is: packages/sql-postgres/test/rows.test.ts',
  'sluice mcp files': 'its server is another one: gateway/test/mcp-cli.test.ts',
  'sluice mcp': 'the same',
  [`sluice policy explain --path / --body '{"jsonrpc":"2.0",...}'`]: 'the same',
  'sluice up --config sluice.yaml': OWN_DATABASE,
  'sluice doctor': OWN_DATABASE,
  'sluice doctor -c sluice.yaml': OWN_DATABASE,
  'sluice doctor --config sluice.yaml': OWN_DATABASE,
  'sluice --data .sluice token create developer': OWN_DATABASE,
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
    writeFileSync(join(cwd, 'cases.yaml'), CASES);
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
    expect(CASES).toContain('expect: deny');
    expect(COMMANDS.length).toBeGreaterThan(50);
    expect(Object.keys(NOT_HERE).filter((command) => !COMMANDS.includes(command))).toEqual([]);
  });

  test('a connection of another protocol is not called absent', async () => {
    const [host, port] = (scene.demo.gateway.addresses.get('postgres') ?? '').split(':');
    const login = { host: host ?? '', port: Number(port), user: 'developer', password: scene.demo.tokens.developer };
    const client = new pg.Client({ ...login, database: 'vm' });
    client.on('error', () => undefined);
    await expect(client.connect()).rejects.toThrow('connection "vm" is of another protocol than this port: ssh');
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

const UPDATE = 'update payments set amount = amount where id = 1';

/** The demo with somebody logged in, who waits for nobody. */
async function open(folder: string, clients: pg.Client[]): Promise<Scene> {
  const ports = await Promise.all(Array.from({ length: 6 }, () => freePort()));
  const [port = 0, controlPort = 0, issuerPort = 0, sshPort = 0, httpPort = 0, mysqlPort = 0] = ports;
  const demo = await startDemo(
    { port, controlPort, issuerPort, sshPort, httpPort, mysqlPort, folder },
    () => undefined,
  );
  const [ana, ben] = [person(demo, 'ana'), person(demo, 'ben')];
  await ana.login();
  await ben.login();
  const connect = async (options = ''): Promise<pg.Client> => {
    const client = new pg.Client({
      host: '127.0.0.1',
      port,
      user: 'developer',
      password: demo.tokens.developer,
      database: 'shop',
      options,
    });
    client.on('error', () => undefined);
    await client.connect();
    clients.push(client);
    return client;
  };
  const latest = async (): Promise<string> => [...demo.gateway.sessions.keys()].at(-1) ?? '';
  const pending = async (): Promise<string> => {
    for (;;) {
      const said = await ben.sluice('approvals', 'ls', '--pending', '-o', 'json');
      const [row] = JSON.parse(said) as { number: number }[];
      if (row) return String(row.number);
      await sleep(50);
    }
  };
  return {
    demo,
    ana,
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
      (await connect()).query(UPDATE).catch(() => undefined);
      return pending();
    },
    approved: async () => {
      await (await connect('-c sluice.hold=fail')).query(UPDATE).catch(() => undefined);
      const number = await pending();
      await ben.sluice('approvals', 'approve', number, '--yes');
      return number;
    },
    token: async () =>
      (await demo.gateway.identity.createToken({ principal: 'developer', name: 'test' })).token.split('_')[1] ?? '',
  };
}

/** A line as a shell runs it, with the data folder of the demo as the one of this machine. */
async function run(line: string, plan: Plan, scene: Scene, cwd: string): Promise<{ status: number; said: string }> {
  const path = `${ROOT}:${join(findTool('psql') ?? '', '..')}:${process.env['PATH'] ?? ''}`;
  const env = plan.by === undefined ? { ...process.env, SLUICE_DATA: scene.demo.folder } : scene[plan.by].env;
  const child = spawn('/bin/sh', ['-c', plan.endless ? `exec ${line}` : line], {
    cwd,
    env: { ...env, PATH: path, NO_COLOR: '1', PAGER: 'cat' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
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
