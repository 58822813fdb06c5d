/** What a server does for a definition: run in a transaction that is rolled back. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { PostgresServer } from '@sluice/testkit';
import { Client } from 'pg';

export interface Observed {
  /** The strongest lock on a relation that was there before, and all such relations that it is on. */
  readonly lock: string;
  readonly on: readonly string[];
  /** Tables that got a new file. */
  readonly rewritten: readonly string[];
  /** Tables that were read whole. */
  readonly scanned: readonly string[];
}

/** Weakest first. PostgreSQL 13.3.1. */
const MODES = [
  'AccessShareLock',
  'RowShareLock',
  'RowExclusiveLock',
  'ShareUpdateExclusiveLock',
  'ShareLock',
  'ShareRowExclusiveLock',
  'ExclusiveLock',
  'AccessExclusiveLock',
];

const words = (mode: string): string =>
  mode
    .replace(/Lock$/, '')
    .replaceAll(/(?<=[a-z])(?=[A-Z])/g, ' ')
    .toLowerCase();

const RELATIONS = `select oid, oid::regclass::text as name, pg_relation_filenode(oid) as file, relkind
  from pg_class where oid >= 16384 and relkind in ('r', 'p', 'm', 'i', 'I', 'v')
    and relnamespace <> 'pg_toast'::regnamespace`;

interface Scans {
  readonly oid: number;
  readonly scans: string;
}

interface Row {
  readonly oid: number;
  readonly name: string;
  readonly file: number | null;
  readonly relkind: string;
}

export async function observe(client: Client, text: string): Promise<Observed> {
  await client.query('begin');
  try {
    const { rows: before } = await client.query<Row>(RELATIONS);
    const scans = `select relid as oid, seq_scan as scans from pg_stat_xact_user_tables`;
    const { rows: earlier } = await client.query<Scans>(scans);
    await client.query(text);
    const { rows: read } = await client.query<Scans>(scans);
    const { rows: locks } = await client.query<{ oid: number; mode: string }>(
      `select relation as oid, mode from pg_locks where pid = pg_backend_pid() and locktype = 'relation' and granted`,
    );
    const { rows: after } = await client.query<Row>(RELATIONS);
    const known = new Map(before.map((row) => [row.oid, row]));
    return { ...strongest(locks, known), rewritten: rewritten(known, after), scanned: scanned(known, earlier, read) };
  } finally {
    await client.query('rollback');
  }
}

function strongest(
  locks: readonly { readonly oid: number; readonly mode: string }[],
  known: ReadonlyMap<number, Row>,
): { lock: string; on: string[] } {
  const tables = locks.filter(({ oid }) => isTable(known.get(oid)));
  const most = Math.max(-1, ...tables.map(({ mode }) => MODES.indexOf(mode)));
  if (most < 0) return { lock: '', on: [] };
  const on = tables.filter(({ mode }) => mode === MODES[most]).map(({ oid }) => known.get(oid)?.name ?? '');
  return { lock: words(MODES[most] ?? ''), on: on.sort() };
}

const isTable = (row: Row | undefined): boolean => row !== undefined && ['r', 'p', 'm', 'v'].includes(row.relkind);

const rewritten = (known: ReadonlyMap<number, Row>, after: readonly Row[]): string[] =>
  after
    .filter(({ oid, file, relkind }) => relkind !== 'i' && known.has(oid) && known.get(oid)?.file !== file)
    .map(({ oid }) => known.get(oid)?.name ?? '')
    .sort();

function scanned(known: ReadonlyMap<number, Row>, earlier: readonly Scans[], later: readonly Scans[]): string[] {
  const before = new Map(earlier.map(({ oid, scans }) => [oid, Number(scans)]));
  return later
    .filter(({ oid, scans }) => known.has(oid) && Number(scans) > (before.get(oid) ?? 0))
    .map(({ oid }) => known.get(oid)?.name ?? '')
    .sort();
}

/** The lock that a statement waits for, while another session defines something itself. It is given up then. */
export async function waitedFor(server: PostgresServer, text: string): Promise<string> {
  const [holder, runner] = [new Client(server), new Client(server)];
  await Promise.all([holder.connect(), runner.connect()]);
  try {
    await holder.query('begin; lock table t, lone in share update exclusive mode');
    const { rows } = await runner.query<{ pid: number }>('select pg_backend_pid() as pid');
    const running = runner.query(text).catch(() => undefined);
    const mode = await waiting(holder, rows[0]?.pid ?? 0);
    await holder.query('select pg_cancel_backend($1)', [rows[0]?.pid]);
    await running;
    return mode;
  } finally {
    await Promise.all([holder.end(), runner.end()]);
  }
}

async function waiting(client: Client, pid: number): Promise<string> {
  for (;;) {
    const { rows } = await client.query<{ mode: string }>(
      `select mode from pg_locks where pid = $1 and not granted and locktype = 'relation'`,
      [pid],
    );
    if (rows[0]) return words(rows[0].mode);
    await sleep(10);
  }
}
