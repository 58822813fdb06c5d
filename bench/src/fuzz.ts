import { parseArgs } from 'node:util';
import { missingMySql } from '@sluice/testkit';
import { differential, summary } from './lineage/differential.js';
import { startLineageServer } from './lineage/server.js';
import { compareBinding, newTally, readSuite } from './mysql/grammar.js';
import { differential as mysqlDifferential, summary as mysqlSummary } from './mysql-lineage/differential.js';
import { resolution, resolutionSummary } from './mysql-lineage/resolution.js';
import { startLineageServer as startMySqlLineage } from './mysql-lineage/server.js';
import {
  findInWords as mysqlFindInWords,
  runTwins as runMySqlTwins,
  twinSummary as mysqlTwinSummary,
} from './mysql-twins/twins.js';
import { runScripts, scriptsIn, writeScripts } from './mysql/scripts.js';
import { Reader } from './mysql/server.js';
import { writeWords } from './mysql/words.js';
import { findInWords, runTwins, twinSummary } from './twins/twins.js';

/**
 * `pnpm fuzz lineage | twins [--seconds 60] [--seed N] [--major 15]`, `pnpm fuzz mysql-grammar | mysql-scripts [--suites FOLDER]` and
 * `pnpm fuzz mysql-lineage | mysql-names | mysql-twins [--flavour mariadb|mysql] [--forget people.mail] [--statements 10000]`: ends with
 * status 1 when anything was wrong.
 */
const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
    major: { type: 'string', default: '15' },
    flavour: { type: 'string', default: 'mariadb' },
    forget: { type: 'string' },
    statements: { type: 'string' },
    suites: { type: 'string' },
    programs: { type: 'string' },
    verbose: { type: 'boolean', default: false },
  },
});
const seed = Number(values.seed);
const seconds = Number(values.seconds);
const most = values.statements === undefined ? undefined : Number(values.statements);
const major = values.major === '18' ? 18 : 15;
const print = (text: string): void => void process.stdout.write(`${text}\n`);

/** Each gives how much was wrong. */
const TARGETS: Readonly<Record<string, () => Promise<number>>> = {
  lineage: fuzzLineage,
  twins: fuzzTwins,
  'mysql-lineage': fuzzMySqlLineage,
  'mysql-names': fuzzMySqlNames,
  'mysql-twins': fuzzMySqlTwins,
  'mysql-grammar': fuzzMySqlGrammar,
  'mysql-scripts': runMySqlScripts,
  'mysql-words': writeMySqlWords,
};

async function fuzzLineage(): Promise<number> {
  const server = await startLineageServer(major);
  try {
    const tally = await differential(server, { seed, seconds });
    if (values.verbose) for (const [what, sql] of tally.examples) print(`${what}\n  ${sql}`);
    if (values.verbose) for (const [why, { count, sql }] of tally.reasons) print(`unknown ${count}: ${why}\n  ${sql}`);
    for (const wrong of tally.wrong) print(wrong);
    print(summary(tally));
    return tally.wrong.length;
  } finally {
    await server.stop();
  }
}

async function fuzzMySqlLineage(): Promise<number> {
  const server = await startMySqlLineage(values.flavour === 'mysql' ? 'mysql' : 'mariadb');
  try {
    const tally = await mysqlDifferential(server, { seed, seconds, statements: most, forget: values.forget });
    if (values.verbose) for (const [what, sql] of tally.examples) print(`${what}\n  ${sql}`);
    for (const wrong of tally.wrong.slice(0, 20)) print(wrong);
    print(mysqlSummary(tally));
    return tally.wrong.length;
  } finally {
    await server.stop();
  }
}

/** Against views and traces of the server. */
async function fuzzMySqlNames(): Promise<number> {
  const flavour = values.flavour === 'mysql' ? 'mysql' : 'mariadb';
  const server = await startMySqlLineage(flavour);
  try {
    const tally = await resolution(server, { seed, seconds, statements: most, forget: values.forget });
    if (values.verbose) for (const one of tally.unread.slice(0, 20)) print(`not read: ${one}`);
    for (const one of tally.missed.slice(0, 20)) print(one);
    print(`${flavour}, seed ${seed}: ${resolutionSummary(tally)}`);
    return tally.missed.length;
  } finally {
    await server.stop();
  }
}

async function fuzzTwins(): Promise<number> {
  const started = performance.now();
  let printed = 0;
  const tally = await runTwins({
    major,
    seed,
    seconds,
    onProgress: ({ scripts, statements, finds }) => {
      const elapsed = (performance.now() - started) / 1000;
      print(
        `${elapsed.toFixed(0)} s: ${scripts} scripts, ${(statements / elapsed).toFixed(0)} statements a second, ${finds.length} finds`,
      );
      for (; printed < finds.length; printed++) print(findInWords(finds[printed] as (typeof finds)[number]));
    },
  });
  if (values.verbose) for (const [what, script] of tally.errors) print(`${what}\n  ${script}`);
  for (const find of tally.finds.slice(printed)) print(findInWords(find));
  print(twinSummary(tally));
  return tally.finds.length;
}

async function fuzzMySqlTwins(): Promise<number> {
  const flavour = values.flavour === 'mysql' ? 'mysql' : 'mariadb';
  const tally = await runMySqlTwins({ flavour, seed, seconds });
  if (values.verbose) for (const [what, text] of tally.errors) print(`${what}\n  ${text}`);
  for (const find of tally.finds) print(mysqlFindInWords(find));
  print(`${flavour}, ${mysqlTwinSummary(tally)}`);
  return tally.finds.length;
}

/** Without suites only the binding of operators is compared. */
async function fuzzMySqlGrammar(): Promise<number> {
  let wrong = 0;
  for (const flavour of ['mariadb', 'mysql'] as const) {
    const missing = missingMySql(flavour);
    if (missing !== undefined) print(`${flavour}: skipped. ${missing}`);
    else wrong += await fuzzOneGrammar(flavour);
  }
  return wrong;
}

/** Needs both servers: each has a table of its own. */
async function writeMySqlWords(): Promise<number> {
  const readers: Reader[] = [];
  try {
    for (const flavour of ['mariadb', 'mysql'] as const) readers.push(await Reader.start(flavour));
    print(await writeWords(readers, values.programs?.split(',') ?? []));
    return 0;
  } finally {
    for (const reader of readers) await reader.stop();
  }
}

/** Counts nothing as wrong: which scripts differ, and why, is for people to read. */
async function runMySqlScripts(): Promise<number> {
  const scripts = scriptsIn(values.suites);
  if (scripts === undefined) {
    print('mysql-scripts: skipped. mariadb-test is not installed (node scripts/mysql-suites.mjs FOLDER fetches it)');
    return 0;
  }
  print(writeScripts(await runScripts(scripts, { suites: values.suites, seconds, onProgress: print })));
  return 0;
}

/** Of a hundred thousand data statements this many may stay unread: made up by the suites of what is not supported. */
const MAX_UNREAD_SHARE = 0.001;

async function fuzzOneGrammar(flavour: 'mariadb' | 'mysql'): Promise<number> {
  const reader = await Reader.start(flavour);
  const tally = newTally();
  try {
    if (values.suites !== undefined) await readSuite(reader, `${values.suites}/${flavour}`, 0, tally);
    await compareBinding(reader, seed, seconds, tally);
  } finally {
    await reader.stop();
  }
  const { accepted, data, unread, digests, explained, misread, chains, misbound } = tally;
  if (values.verbose) for (const one of [...unread.data, ...unread.other]) print(one);
  for (const one of [...misread, ...misbound]) print(one);
  print(
    `${flavour} ${reader.dialect.version}, seed ${seed}: ${accepted} statements of the suite, ${data} of them data; not read ${unread.data.length} and ${unread.other.length}`,
  );
  print(`  ${digests} digests, ${misread.length} differ without a reason; with one: ${JSON.stringify([...explained])}`);
  print(`  ${chains} chains of operators, ${misbound.length} bind otherwise`);
  const unreadTooMuch = unread.data.length > data * MAX_UNREAD_SHARE ? unread.data.length : 0;
  return misread.length + misbound.length + unreadTooMuch;
}

const fuzz = TARGETS[positionals[0] ?? ''];
if (fuzz) process.exitCode = (await fuzz()) > 0 ? 1 : 0;
else {
  process.stderr.write(`What is to be fuzzed? There are: ${Object.keys(TARGETS).join(', ')}\n`);
  process.exitCode = 2;
}
