/**
 * `pnpm fuzz mysql-scripts`: MariaDB's own scripts of `mysqltest` (package mariadb-test), at the server and through a gateway that lets
 * everything pass. Owns: running both, and what differs. The scripts are under the GPL: they are read where the package has put them, and
 * nothing of them is kept. Where they log in as root without a password they do so as the account of the gateway, both times.
 */
import { spawn } from 'node:child_process';
import {
  createReadStream,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { text as textOf } from 'node:stream/consumers';
import { startMySql, temporaryFolder } from '@sluice/testkit';
import { type RowDataPacket, createConnection } from 'mysql2/promise';
import { machine } from '../measure.js';
import { end, spawnGateway } from '../setting.js';

/** Where the package has them. */
const INSTALLED = '/usr/share/mysql/mysql-test';
/** One script may take so long, in milliseconds: at the server, and then through the gateway, where other things run beside both. */
const MAX_SCRIPT_MS = { direct: 5_000, through: 20_000 } as const;
/** They end or kill the server that the others need: by name, or by what they do. */
const ENDING = /shutdown|crash|kill|restart/;
const ENDS_SERVER = /restart_mysqld|shutdown_server|shutdown_mysqld|kill_mysqld|^\s*shutdown\b/im;
const DATABASE = 'test';
/** At the server, and at the gateway: what is printed of it is the same. */
const ACCOUNT = 'bench%target';

/** Scripts that cannot print the same, and why; all else that differs is for people to look at. */
const WHY: readonly (readonly [scripts: RegExp, why: string])[] = [
  [/^(?:change_user|check)$/, 'it logs in as accounts that it makes itself, and the gateway has none of that name'],
  [/^analyze_/, 'estimates of rows, which the server makes of another sample each time'],
  [
    /^cset_narrowing$/,
    'it switches the trace of the optimizer on, which keeps values of rows: the gateway refuses that',
  ],
];

export interface ScriptOptions {
  /** A folder as `scripts/mysql-suites.mjs` fills it; undefined: the installed package. */
  readonly suites: string | undefined;
  readonly seconds: number;
  readonly onProgress: (text: string) => void;
}

interface Way {
  readonly port: number;
  readonly user: string;
  readonly password: string;
}

/** A way that scripts go, and their copies for it. */
interface ScriptWay extends Way {
  readonly folder: string;
}

interface Outcome {
  readonly status: number | null;
  readonly output: string;
}

/** Scripts that ran to their end at the server, and which of those gave something else through the gateway, and what. */
export interface ScriptTally {
  readonly tried: number;
  readonly alone: number;
  readonly same: readonly string[];
  readonly others: ReadonlyMap<string, string>;
}

/** Where the scripts are, and the program that runs them. */
export interface Scripts {
  readonly folder: string;
  readonly program: string;
  /** Where the program finds its libraries. */
  readonly libraries: string;
}

export function scriptsIn(suites: string | undefined): Scripts | undefined {
  const root = suites === undefined ? '/' : join(suites, 'mariadb');
  const folder = join(root, INSTALLED);
  const program = join(root, 'usr/bin/mariadb-test');
  const libraries = join(root, 'usr/lib/x86_64-linux-gnu');
  return existsSync(join(folder, 'main')) && existsSync(program) ? { folder, program, libraries } : undefined;
}

/** Scripts and what they include, changed for a way; all else is linked to. */
function copyFor({ user, password }: Way, from: string, to: string): void {
  mkdirSync(to, { recursive: true });
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory() && ['main', 'include'].includes(entry.name))
      copyFor({ user, password, port: 0 }, source, target);
    else if (!/\.(test|inc)$/.test(entry.name)) symlinkSync(source, target);
    else {
      const text = readFileSync(source, 'latin1');
      const changed = text
        // Without its password, and what is left out behind it.
        .replaceAll(
          /^(\s*(?:--)?\s*connect\s*\(?[^,\n]+,[^,\n]*,\s*)root\s*(?:,\s*(?=[,);\n])|(?=[);\n]))/gim,
          `$1${user},${password}`,
        )
        .replaceAll(/^(\s*(?:--)?\s*change_user\s+)root\s*(?:,\s*(?=[,;\n])|(?=[;\n]))/gim, `$1${user},${password}`);
      writeFileSync(target, changed, 'latin1');
    }
  }
}

export async function runScripts(scripts: Scripts, { seconds, onProgress }: ScriptOptions): Promise<ScriptTally> {
  const { folder } = scripts;
  const { path, remove } = temporaryFolder('mysql-scripts');
  const names = readdirSync(join(folder, 'main'))
    .flatMap((file) => (file.endsWith('.test') && !ENDING.test(file) ? [file.slice(0, -5)] : []))
    .filter((name) => !ENDS_SERVER.test(readFileSync(join(folder, 'main', `${name}.test`), 'latin1')))
    .toSorted();
  const same: string[] = [];
  const others = new Map<string, string>();
  const until = performance.now() + seconds * 1000;
  let tried = 0;
  let ways = await openWays(join(path, 'first'), folder);
  try {
    for (const name of names) {
      if (performance.now() > until) break;
      tried++;
      const run = async (kind: keyof typeof MAX_SCRIPT_MS): Promise<Outcome> => {
        await emptied(ways.admin);
        return runScript(scripts, join(path, 'var'), name, ways[kind], MAX_SCRIPT_MS[kind]);
      };
      try {
        const plain = await run('direct');
        if (plain.status !== 0) continue;
        const ours = await run('through');
        if (ours.status === 0 && ours.output === plain.output) same.push(name);
        else others.set(name, differenceOf(plain, ours));
      } catch (error) {
        // The script before it has ended the server, or given its account away.
        onProgress(`${name}: ${String(error)}`);
        await ways.stop();
        ways = await openWays(join(path, name), folder);
      }
      if (tried % 50 === 0) onProgress(`${tried} of ${names.length}: ${same.length} the same, ${others.size} others`);
    }
  } finally {
    await ways.stop();
    remove();
  }
  return { tried, alone: same.length + others.size, same, others };
}

interface Ways {
  readonly admin: Way;
  readonly direct: ScriptWay;
  readonly through: ScriptWay;
  stop(): Promise<void>;
}

async function openWays(scratch: string, folder: string): Promise<Ways> {
  const server = await startMySql({
    flavour: 'mariadb',
    settings: ['local-infile=1', 'max-allowed-packet=64M', 'innodb-flush-log-at-trx-commit=0'],
  });
  const { port, user, password } = server;
  const admin = await createConnection({ host: '127.0.0.1', port, user, password });
  await admin.query(`grant all on *.* to '${ACCOUNT}'@'%' identified by '${password}' with grant option`);
  admin.destroy();
  const account = { port, user: ACCOUNT, password };
  const gateway = await spawnGateway(scratch, yamlOf(account), { protocol: 'mysql' });
  const copied = (way: Way, name: string): ScriptWay => {
    copyFor(way, folder, join(scratch, name));
    return { ...way, folder: join(scratch, name) };
  };
  return {
    admin: { port, user, password },
    direct: copied(account, 'direct'),
    through: copied({ port: gateway.port, user: ACCOUNT, password: gateway.token }, 'through'),
    stop: async () => {
      await end(gateway.child);
      await server.stop();
    },
  };
}

async function emptied({ port, user, password }: Way): Promise<void> {
  const admin = await createConnection({ host: '127.0.0.1', port, user, password, multipleStatements: true });
  try {
    await admin.query(
      `drop database if exists ${DATABASE}; create database ${DATABASE}; create database if not exists mtr`,
    );
    // Accounts that a script has left are there for the next, or for the same at the other way.
    const [accounts] = await admin.query<RowDataPacket[]>(
      'select user as name, host as place from mysql.user where user not in (?)',
      [[user, ACCOUNT, 'root', 'mariadb.sys', 'mysql']],
    );
    for (const { name, place } of accounts) await admin.query('drop user ?@?', [name, place]);
  } finally {
    admin.destroy();
  }
}

async function runScript(
  { program, libraries }: Scripts,
  scratch: string,
  name: string,
  way: ScriptWay,
  ms: number,
): Promise<Outcome> {
  const { folder } = way;
  for (const one of ['tmp', 'log']) mkdirSync(join(scratch, one), { recursive: true });
  const child = spawn(
    program,
    [
      '--no-defaults',
      '--skip-ssl',
      '--protocol=tcp',
      '--host=127.0.0.1',
      `--port=${way.port}`,
      `--user=${way.user}`,
      `--password=${way.password}`,
      `--database=${DATABASE}`,
      `--basedir=${folder}`,
      `--tmpdir=${join(scratch, 'tmp')}`,
      '--silent',
      '--max-connections=50',
    ],
    {
      cwd: folder,
      env: {
        ...process.env,
        LD_LIBRARY_PATH: libraries,
        MYSQL_TEST_DIR: folder,
        MYSQLTEST_VARDIR: scratch,
        MYSQL_TMP_DIR: join(scratch, 'tmp'),
        DEFAULT_MASTER_PORT: String(way.port),
        MASTER_MYPORT: String(way.port),
        MASTER_MYSOCK: '/nowhere',
      },
      stdio: ['pipe', 'pipe', 'pipe'],
    },
  );
  const timer = setTimeout(() => child.kill('SIGKILL'), ms);
  child.stdin.on('error', () => undefined);
  createReadStream(join(folder, 'main', `${name}.test`)).pipe(child.stdin);
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  const [out, err] = await Promise.all([textOf(child.stdout), textOf(child.stderr)]);
  clearTimeout(timer);
  // What is another at each way: some scripts print it.
  const own = [way.password, way.folder, `${way.port}`];
  return { status: await ended, output: own.reduce((text, one) => text.replaceAll(one, ''), out + err) };
}

/** The gateway's own words where there are some; else that the answers differ. Nothing of the script. */
function differenceOf(plain: Outcome, ours: Outcome): string {
  const [, number, words = ''] = /failed: (\d+): ([^\n]{0,160})/.exec(ours.output) ?? [];
  if (number !== undefined) return `error ${number}: ${words.replaceAll(/'[^']*'|"[^"]*"|`[^`]*`/g, '...')}`;
  if (/Could not open connection|Access denied for user/.test(ours.output)) return 'logs in as somebody else';
  if (ours.status === null) return 'takes too long';
  if (ours.status !== 0) return `ends with status ${ours.status}`;
  const [mine, theirs] = [ours, plain].map(({ output }) => output.split('\n')) as [string[], string[]];
  const at = theirs.findIndex((line, index) => line !== mine[index]);
  const isSyntax = /error in your SQL syntax/.test(theirs[at] ?? '');
  return isSyntax ? 'the words of a syntax error' : `line ${at + 1} of the answers`;
}

export function writeScripts({ tried, alone, same, others }: ScriptTally): string {
  const rows = [...others].map(([name, what]) => {
    const why = WHY.find(([scripts]) => scripts.test(name))?.[1] ?? 'to be looked at';
    return `| ${name} | ${what.replaceAll('|', '\\|')} | ${why} |`;
  });
  const text = [
    "# MariaDB's own scripts through Sluice",
    '',
    `\`pnpm fuzz mysql-scripts\` on ${new Date().toISOString().slice(0, 10)}; ${machine()}; package mariadb-test, the scripts of its suite \`main\`, run by \`mysqltest\` at the server and through a gateway that lets everything pass.`,
    '',
    `Of ${tried} scripts ${alone} run to their end at the server without the program that prepares servers for them. **${same.length}** of these print the same through the gateway to the byte, ${others.size} print something else:`,
    '',
    '| script | what differs first | why |',
    '| --- | --- | --- |',
    ...rows,
    '',
  ].join('\n');
  const folder = join(import.meta.dirname, '..', '..', 'results');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'mysql-scripts.md'), text);
  return text;
}

const yamlOf = ({ port, user, password }: Way): string => `connections:
  target:
    protocol: mysql
    target: { host: 127.0.0.1, port: ${port}, tls: disable }
    credential: { user: ${user}, password: ${password} }
    access: ["group:engineers"]
    policies: [production]
policies:
  production: [{ rule: all, when: 'true', allow: true }]
`;
