/** What a held statement would do at the target: rows, cascades, triggers. Owns: these questions. Does not: decide. */
import { type ChangedTable, type Impact, type TableImpact, estimated } from '@sluice/approvals';
import type { Facts, Lookup, Parameter, SqlCommand } from '@sluice/contract';

/** How long one look may take at the target, in milliseconds. */
const STATEMENT_TIMEOUT_MS = 1_000;
const LOCK_TIMEOUT_MS = 200;

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
  await side.query(
    `begin read only; set local statement_timeout = ${STATEMENT_TIMEOUT_MS}; set local lock_timeout = ${LOCK_TIMEOUT_MS}; set local plan_cache_mode = force_custom_plan`,
  );
  const tables: TableImpact[] = [];
  for (const { verb, name } of distinct(changed)) tables.push(await tableOf(side, verb, name));
  if (!changed.some(({ verb }) => PLANNED.has(verb))) return { tables };
  const unplanned = await whyNot(side, command, facts);
  if (unplanned !== undefined) return { tables, unknown: unplanned };
  let rows: Map<string, number>;
  try {
    rows = await planned(side, command);
  } catch (error) {
    const { message } = error as Error;
    // The target's words may quote a bound value, which approvers may not be shown: only plain ones are passed on.
    return { tables, unknown: /^[A-Za-z ]+$/.test(message) ? message : 'the target cannot plan it' };
  }
  return {
    tables: tables.map((table) => {
      const estimate = rows.get(table.table.slice(table.table.lastIndexOf('.') + 1));
      return estimate === undefined ? table : { ...table, rows: estimate };
    }),
  };
}

/** Size, cascades and triggers, from the catalog. */
async function tableOf(side: Lookup, verb: string, name: string): Promise<TableImpact> {
  const oid = `to_regclass(${literal(quoted(name))})`;
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

/** Why the statement is not planned: a phrase. Planning can run functions of constants, of views and of row security. */
async function whyNot(side: Lookup, { parameters }: SqlCommand, facts: Facts): Promise<string | undefined> {
  if (facts.statements.length !== 1) return 'the text has more than one statement';
  if (facts.actions.some(({ effects }) => effects.some((effect) => effect === 'unknown' || effect === 'execute')))
    return 'it uses functions that nobody has vetted';
  if (parameters?.some((parameter) => valueOf(parameter) === undefined)) return 'its values are in binary format';
  const names = facts.actions.flatMap(({ resources }) =>
    resources.flatMap(({ type, name }) => (type === 'table' ? [`to_regclass(${literal(quoted(name))})`] : [])),
  );
  const [odd] = await side.query(
    `select c.oid::regclass::text from pg_class c
     where c.oid in (${names.join(', ')}) and (c.relkind not in ('r', 'p') or c.relrowsecurity or exists (
       select from pg_depend d where d.refclassid = 'pg_proc'::regclass and d.objid in (
         select indexrelid from pg_index where indrelid = c.oid
         union select oid from pg_constraint where conrelid = c.oid
         union select oid from pg_attrdef where adrelid = c.oid
         union select oid from pg_rewrite where ev_class = c.oid)))
     limit 1`,
  );
  return odd ? `${odd[0]} is a view or has functions of its own` : undefined;
}

/** Estimated rows by table, of every part of the plan that changes one. */
async function planned(side: Lookup, { text, parameters = [] }: SqlCommand): Promise<Map<string, number>> {
  const statement = text.replace(/;\s*$/, '');
  const values = parameters.map((parameter) => valueOf(parameter) as string);
  let explain = `explain (format json) ${statement}`;
  if (values.length > 0) {
    await side.query(`prepare sluice_estimate as ${statement}`);
    explain = `explain (format json) execute sluice_estimate (${values.join(', ')})`;
  }
  const [answer] = await side.query(explain);
  const rows = new Map<string, number>();
  gather((JSON.parse(answer?.[0] ?? '[]') as { Plan: Plan }[])[0]?.Plan, rows);
  return rows;
}

interface Plan {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Plan Rows': number;
  readonly 'Parent Relationship'?: string;
  readonly Plans?: readonly Plan[];
}

function gather(plan: Plan | undefined, rows: Map<string, number>): void {
  if (!plan) return;
  if (plan['Node Type'] === 'ModifyTable') {
    const fed = plan.Plans?.filter((one) => one['Parent Relationship'] !== 'InitPlan') ?? [];
    const table = plan['Relation Name'] ?? '';
    rows.set(table, (rows.get(table) ?? 0) + fed.reduce((sum, one) => sum + one['Plan Rows'], 0));
  }
  for (const one of plan.Plans ?? []) gather(one, rows);
}

/** A bound value as a literal, where its text is known. */
function valueOf({ value, format }: Parameter): string | undefined {
  if (value === null) return 'null';
  if (format !== 'text') return undefined;
  return literal(Buffer.from(value).toString());
}

const literal = (text: string): string => `'${text.replaceAll('\0', '').replaceAll("'", "''")}'`;

/** A name of facts as an identifier: its parts are folded already. */
const quoted = (name: string): string =>
  name
    .split('.')
    .map((part) => `"${part.replaceAll('"', '""')}"`)
    .join('.');

function distinct<T extends { readonly verb: string; readonly name: string }>(all: readonly T[]): T[] {
  return [...new Map(all.map((one) => [`${one.verb} ${one.name}`, one])).values()].slice(0, 10);
}

/** Which commands it is for. */
export const IMPACT = { dialect: 'postgres', impactOf } as const;
