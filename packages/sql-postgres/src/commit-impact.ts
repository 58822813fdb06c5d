/**
 * What a transaction has changed and what it is in the way of, for those who decide about its COMMIT. Owns: these questions, asked on a
 * connection of the gateway's own. Does not: know what was changed (packages/commit-review), or decide.
 */
import { type Impact, type TableImpact, OTHER_NAMES, lookedAt } from '@sluice/approvals';
import type { Lookup } from '@sluice/contract';
import { LIMITED, literal, regclassOf } from './estimate.js';

/** Tables, locks and waiting sessions that are shown at the most. */
const MAX_SHOWN = 20;
/** How often it is asked whether others wait, in milliseconds. */
const ASK_MS = 2_000;

interface Changed {
  readonly verb: string;
  readonly name: string;
  readonly rows: number | undefined;
}

/** The session at the target that has the transaction. */
export interface Holder {
  /** The process that serves it, as the target said at the login. */
  readonly process: number;
  /** The role that logged in. */
  readonly user: string;
}

/**
 * Never rejects.
 *
 * @param sameNames names mean to the gateway's connection what they mean to the session
 */
export const commitImpactOf = (
  changed: readonly Changed[],
  holder: Holder,
  sameNames: boolean,
  open: () => Promise<Lookup>,
): Promise<Impact> =>
  lookedAt(open, async (side) => {
    await side.query(LIMITED);
    const tables: TableImpact[] = [];
    for (const one of changed.slice(0, MAX_SHOWN)) tables.push(await tableOf(side, one, sameNames));
    const [served] = await side.query(SERVED(holder));
    const unknown = sameNames ? [] : [OTHER_NAMES];
    // Behind a pooler the number is not that of a process.
    if (!served) unknown.push('its locks are not known: a pooler stands before the server');
    const locks = served ? await side.query(LOCKS(holder)) : [];
    const waiting = served ? await waitingFor(side, holder) : [];
    return {
      tables,
      ...(unknown.length > 0 && { unknown: unknown.join('; ') }),
      ...(locks.length > 0 && { locks: locks.map(([mode, table]) => `${mode} on ${table}`) }),
      ...(waiting.length > 0 && { waiting: waiting.map(({ words }) => words) }),
    };
  });

/**
 * Looks again and again whether others wait for locks of a transaction.
 *
 * @param onLate called once, when one of them has waited for longer than `mostMs`
 * @returns ends it
 */
export function watchLocks(
  holder: Holder,
  mostMs: number,
  open: () => Promise<Lookup>,
  onLate: (seconds: number) => void,
): () => void {
  let isOver = false;
  let side: Lookup | undefined;
  let timer: NodeJS.Timeout | undefined;
  const end = (): void => {
    isOver = true;
    clearTimeout(timer);
    side?.close();
    side = undefined;
  };
  const look = async (): Promise<void> => {
    try {
      side ??= await open();
      if (isOver) return end();
      const longest = Math.max(0, ...(await waitingFor(side, holder)).map(({ seconds }) => seconds));
      if (isOver) return;
      if (longest * 1_000 > mostMs) {
        end();
        return onLate(Math.round(longest));
      }
    } catch {
      // The next look is by a connection of its own.
      side?.close();
      side = undefined;
    }
    if (!isOver) timer = setTimeout(() => void look(), ASK_MS).unref();
  };
  timer = setTimeout(() => void look(), Math.min(ASK_MS, mostMs)).unref();
  return end;
}

async function waitingFor(side: Lookup, holder: Holder): Promise<{ words: string; seconds: number }[]> {
  const rows = await side.query(WAITING(holder));
  return rows.map(([process, user, seconds, mode, table]) => ({
    seconds: Number(seconds),
    words: `process ${process} of ${user} for ${Math.round(Number(seconds))} s, ${mode}${table === null ? '' : ` on ${table}`}`,
  }));
}

/** Of the catalog alone: whatever asks the table itself would wait for its lock. */
async function tableOf(side: Lookup, { verb, name, rows }: Changed, sameNames: boolean): Promise<TableImpact> {
  const known = { verb, table: name, ...(rows !== undefined && { rows }), cascades: [], triggers: [] };
  if (!sameNames) return known;
  const [found] = await side.query(`with recursive parts (oid) as (
      select (${regclassOf(name)})::oid union select inhrelid from pg_inherits join parts on inhparent = parts.oid)
    select sum(greatest(reltuples, 0))::bigint, sum(relpages::bigint) * current_setting('block_size')::int, count(*) from pg_class
     where oid in (select oid from parts)`);
  if (!found || Number(found[2]) === 0) return known;
  return { ...known, totalRows: Number(found[0]), bytes: Number(found[1]) };
}

const SERVED = ({ process, user }: Holder): string =>
  `select 1 from pg_stat_activity where pid = ${process} and usename = ${literal(user)} and state like 'idle in transaction%'`;

/** `AccessExclusiveLock` as the documentation writes it. */
const MODE = `lower(regexp_replace(regexp_replace(l.mode, 'Lock$', ''), '([a-z])([A-Z])', '\\1 \\2', 'g'))`;

const LOCKS = ({ process }: Holder): string => `select ${MODE}, l.relation::regclass::text from pg_locks l
   join pg_class c on c.oid = l.relation and c.relkind <> 'i'
  where l.pid = ${process} and l.granted and l.locktype = 'relation' and l.relation >= 16384
    and l.mode not in ('AccessShareLock', 'RowShareLock')
    and l.database = (select oid from pg_database where datname = current_database())
  order by array_position(array['AccessExclusiveLock', 'ExclusiveLock', 'ShareRowExclusiveLock', 'ShareLock',
    'ShareUpdateExclusiveLock', 'RowExclusiveLock'], l.mode), 2 limit ${MAX_SHOWN}`;

const WAITING = ({ process }: Holder): string => `select a.pid, coalesce(a.usename, 'somebody'),
    coalesce(extract(epoch from clock_timestamp() - l.waitstart), 0), ${MODE}, l.relation::regclass::text
   from pg_locks l join pg_stat_activity a on a.pid = l.pid
  where not l.granted and ${process} = any(pg_blocking_pids(l.pid)) order by l.waitstart limit ${MAX_SHOWN}`;
