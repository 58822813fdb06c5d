/** What a held statement would do at the target: rows, cascades, triggers. Owns: these questions. Does not: decide. */
import { type ChangedTable, type Impact, type TableImpact, estimated } from '@sluice/approvals';
import type { Facts, Lookup, SqlCommand } from '@sluice/contract';
import { LIMITED, planned, regclassOf, whyNot } from './estimate.js';
import { lastParts } from './written-names.js';

/** Of pg_trigger.tgtype (src/include/catalog/pg_trigger.h) and of a foreign key's actions. */
const EVENTS: Readonly<Record<string, { readonly trigger: number; readonly action?: string }>> = {
  insert: { trigger: 4 },
  delete: { trigger: 8, action: 'confdeltype' },
  update: { trigger: 16, action: 'confupdtype' },
  merge: { trigger: 4 | 8 | 16, action: 'confdeltype' },
  truncate: { trigger: 32 },
};
const PLANNED: ReadonlySet<string> = new Set(['update', 'delete', 'merge', 'insert']);
/**
 * What a statement would do, for those who decide about it: rows by the planner's estimate, the size of the table, what
 * cascades and which triggers fire. Asked on a connection of the gateway's own, read-only and with short time limits. It is
 * planned (EXPLAIN, which runs nothing) only where no function can run that nobody has vetted.
 *
 * @param sameNames names mean to the gateway's connection what they mean to the session
 * @returns undefined for a statement that changes nothing; never rejects
 */
export const impactOf = (
  command: SqlCommand,
  facts: Facts,
  sameNames: boolean,
  open: () => Promise<Lookup>,
): Promise<Impact | undefined> =>
  estimated(facts, sameNames, open, (lookup, changed) => lookAt(lookup, command, facts, changed));

async function lookAt(
  side: Lookup,
  command: SqlCommand,
  facts: Facts,
  changed: readonly ChangedTable[],
): Promise<Impact> {
  await side.query(LIMITED);
  const tables: TableImpact[] = [];
  for (const { verb, name } of distinct(changed)) tables.push(await tableOf(side, verb, name));
  if (!changed.some(({ verb }) => PLANNED.has(verb))) return { tables };
  const unplanned = await whyNot(side, facts);
  if (unplanned !== undefined) return { tables, unknown: unplanned };
  let rows: ReadonlyMap<string, number>;
  try {
    rows = (await planned(side, command)).changed;
  } catch (error) {
    const { message } = error as Error;
    // The target's words may quote a bound value, which approvers may not be shown: only plain ones are passed on.
    return { tables, unknown: /^[A-Za-z ]+$/.test(message) ? message : 'the target cannot plan it' };
  }
  return {
    tables: tables.map((table) => {
      const estimate = lastParts(table.table)
        .map((name) => rows.get(name))
        .find((one) => one !== undefined);
      return estimate === undefined ? table : { ...table, rows: estimate };
    }),
  };
}

/** Size, cascades and triggers, from the catalog. */
async function tableOf(side: Lookup, verb: string, name: string): Promise<TableImpact> {
  const oid = regclassOf(name);
  const [found] = await side.query(
    `select c.oid, pg_total_relation_size(c.oid),
       (select greatest(0, sum(greatest(0, p.reltuples)))::bigint from pg_class p
         where p.oid = c.oid or p.oid in (select relid from pg_partition_tree(c.oid)))
     from pg_class c where c.oid = ${oid}`,
  );
  if (!found) return { verb, table: name, cascades: [], triggers: [] };
  const event = EVENTS[verb] ?? (verb.startsWith('drop') || verb.startsWith('alter') ? undefined : EVENTS['update']);
  const triggers = event
    ? await side.query(
        `select tgname from pg_trigger where tgrelid = ${found[0]} and not tgisinternal and tgenabled <> 'D'
           and tgtype & ${event.trigger} <> 0 order by 1 limit 20`,
      )
    : [];
  const cascades = event?.action
    ? await side.query(
        `with recursive reached (oid) as (
           select conrelid from pg_constraint where contype = 'f' and confrelid = ${found[0]} and ${event.action} in ('c', 'n', 'd')
           union select c.conrelid from pg_constraint c join reached r on c.confrelid = r.oid
             where c.contype = 'f' and c.${event.action} in ('c', 'n', 'd'))
         select oid::regclass::text from reached order by 1 limit 20`,
      )
    : await dependents(side, verb, found[0] ?? '0');
  return {
    verb,
    table: name,
    bytes: Number(found[1]),
    totalRows: Number(found[2]),
    cascades: cascades.map(([text]) => text ?? ''),
    triggers: triggers.map(([text]) => text ?? ''),
  };
}

/** What stands on a table that is dropped or changed: views, and tables that refer to it. */
function dependents(side: Lookup, verb: string, oid: string): Promise<readonly (readonly (string | null)[])[]> {
  if (EVENTS[verb] && verb !== 'truncate') return Promise.resolve([]);
  return side.query(
    `select distinct on (1) v::text from (
       select r.ev_class::regclass from pg_depend d join pg_rewrite r on r.oid = d.objid
         where d.classid = 'pg_rewrite'::regclass and d.refobjid = ${oid} and r.ev_class <> ${oid}
       union select conrelid::regclass from pg_constraint where contype = 'f' and confrelid = ${oid} and conrelid <> ${oid}
     ) as standing (v) order by 1 limit 20`,
  );
}

function distinct<T extends { readonly verb: string; readonly name: string }>(all: readonly T[]): T[] {
  return [...new Map(all.map((one) => [`${one.verb} ${one.name}`, one])).values()].slice(0, 10);
}

/** Which commands it is for. */
export const IMPACT = { dialect: 'postgres', impactOf } as const;
