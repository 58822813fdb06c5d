/**
 * How many rows a statement would change or return, by the planner. Owns: what is planned, which is only where planning can run no code
 * that nobody has vetted, and the reading of plans. Does not own: who asks, and how many at a time.
 */
import type { Facts, Lookup, Parameter, SqlCommand } from '@sluice/contract';
import { lastParts, readingsOf } from './written-names.js';

/** How long one look may take at the target, in milliseconds. */
const STATEMENT_TIMEOUT_MS = 1_000;
const LOCK_TIMEOUT_MS = 200;
/** What a look begins with: nothing can be changed by it, and nobody waits for long. */
export const LIMITED = `begin read only; set local statement_timeout = ${STATEMENT_TIMEOUT_MS}; set local lock_timeout = ${LOCK_TIMEOUT_MS}; set local plan_cache_mode = force_custom_plan`;

/** A statement with parameters is prepared by this name. Whoever ends the transaction while the connection goes on takes it back. */
export const ESTIMATED = 'sluice_estimate';

/** Rows, by the planner; or why there is no estimate: a phrase. */
export type RowEstimate = { readonly changed: number; readonly returned: number } | { readonly unknown: string };

/**
 * @param lookup a connection of the gateway's own, on which names mean what they mean to the session
 * @returns the rows of all changes of the statement together, and those that it returns
 */
export async function estimateRows(lookup: Lookup, command: SqlCommand, facts: Facts): Promise<RowEstimate> {
  await lookup.query(LIMITED);
  const why = await whyNot(lookup, facts);
  if (why !== undefined) return { unknown: why };
  try {
    const { changed, returned } = await planned(lookup, command);
    return { changed: [...changed.values()].reduce((sum, rows) => sum + rows, 0), returned };
  } catch (error) {
    if (error instanceof Unplanned) return { unknown: error.message };
    throw error;
  }
}

/** Why a statement cannot be planned that may be: a phrase. */
class Unplanned extends Error {}

/** Why the statement is not planned: a phrase. Planning can run functions of constants, of views and of row security. */
export async function whyNot(side: Lookup, facts: Facts): Promise<string | undefined> {
  if (facts.statements.length !== 1) return 'the text has more than one statement';
  if (facts.executes) return 'it executes what was prepared before';
  if (facts.actions.some(({ effects }) => effects.some((effect) => effect === 'unknown' || effect === 'execute')))
    return 'it uses functions that nobody has vetted';
  const named = (type: string): string[] => [
    ...new Set(
      facts.actions.flatMap(({ resources }) => resources.flatMap((one) => (one.type === type ? [one.name] : []))),
    ),
  ];
  const tables = named('table').flatMap((name) => identifiersOf(name).map((one) => `to_regclass(${literal(one)})`));
  const [odd] = await side.query(
    `select c.oid::regclass::text from pg_class c
     where c.oid in (${['null', ...tables].join(', ')}) and (c.relkind not in ('r', 'p') or c.relrowsecurity or exists (
       select from pg_depend d where d.refclassid = 'pg_proc'::regclass and d.objid in (
         select indexrelid from pg_index where indrelid = c.oid
         union select oid from pg_constraint where conrelid = c.oid
         union select oid from pg_attrdef where adrelid = c.oid
         union select oid from pg_rewrite where ev_class = c.oid)))
     limit 1`,
  );
  if (odd) return `${odd[0]} is a view or has functions of its own`;
  const functions = named('function').flatMap((name) => lastParts(name).map(literal));
  const [code] = await side.query(INTERPRETED(functions));
  return code ? `${code[0]} may run with it, and nobody has vetted that` : undefined;
}

/**
 * What can stand in a statement without its facts telling, and runs code that is not compiled: functions that are called like one that
 * the statement calls, those that aggregates of such names are made of, and operators and casts, which may be meant by any.
 */
const INTERPRETED = (functions: readonly string[]): string => `select what from (
    select p.oid, p.oid::regprocedure::text from pg_proc p where p.proname in (${['null', ...functions].join(', ')})
    union all select s.oid, s.oid::regprocedure::text from pg_aggregate a join pg_proc p on p.oid = a.aggfnoid
      cross join lateral (values (a.aggtransfn::oid), (a.aggfinalfn::oid), (a.aggcombinefn::oid), (a.aggmtransfn::oid), (a.aggminvtransfn::oid), (a.aggmfinalfn::oid)) s (oid)
      where s.oid <> 0 and p.proname in (${['null', ...functions].join(', ')})
    union all select oprcode, oid::regoperator::text from pg_operator where oprcode <> 0
    union all select castfunc, castfunc::regprocedure::text from pg_cast where castfunc <> 0
  ) as used (oid, what) join pg_proc p using (oid) join pg_language l on l.oid = p.prolang
  where p.oid >= 16384 and l.lanname not in ('c', 'internal') limit 1`;

/** Estimated rows by table, of every part of the plan that changes one, and those that the statement returns. */
export async function planned(
  side: Lookup,
  { text, parameters = [] }: SqlCommand,
): Promise<{ readonly changed: ReadonlyMap<string, number>; readonly returned: number }> {
  const statement = text.replace(/;\s*$/, '');
  let explain = `explain (format json) ${statement}`;
  if (parameters.length > 0) {
    await side.query(`prepare ${ESTIMATED} as ${statement}`);
    const values = await valuesOf(side, ESTIMATED, parameters);
    if (!values) throw new Unplanned('its values are in binary format');
    explain = `explain (format json) execute ${ESTIMATED} (${values.join(', ')})`;
  }
  const [answer] = await side.query(explain);
  const plan = (JSON.parse(answer?.[0] ?? '[]') as { Plan: Plan }[])[0]?.Plan;
  if (!plan) throw new Error('the target gives no plan');
  const changed = new Map<string, number>();
  gather(plan, changed);
  return { changed, returned: plan['Plan Rows'] };
}

/** What is bound to a statement that has been prepared, as literals; undefined: of one its text is not known. */
export async function valuesOf(
  side: Lookup,
  prepared: string,
  parameters: readonly Parameter[],
): Promise<readonly string[] | undefined> {
  const types = await inferredTypes(side, prepared);
  const values = parameters.map((one, at) => valueOf({ ...one, type: one.type === 0 ? (types[at] ?? 0) : one.type }));
  return values.every((value) => value !== undefined) ? values : undefined;
}

/** What the target takes parameters for that a client has not declared: pg_type.oid. */
async function inferredTypes(side: Lookup, prepared: string): Promise<readonly number[]> {
  const rows = await side.query(
    `select array_to_json(parameter_types::oid[]) from pg_prepared_statements where name = ${literal(prepared)}`,
  );
  return (JSON.parse(rows[0]?.[0] ?? '[]') as (string | number)[]).map(Number);
}

interface Plan {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Plan Rows': number;
  readonly 'Parent Relationship'?: string;
  readonly Plans?: readonly Plan[];
}

function gather(plan: Plan, rows: Map<string, number>): void {
  if (plan['Node Type'] === 'ModifyTable') {
    const fed = plan.Plans?.filter((one) => one['Parent Relationship'] !== 'InitPlan') ?? [];
    const table = plan['Relation Name'] ?? '';
    rows.set(table, (rows.get(table) ?? 0) + fed.reduce((sum, one) => sum + one['Plan Rows'], 0));
  }
  for (const one of plan.Plans ?? []) gather(one, rows);
}

/** pg_type.oid of numbers that are sent in so many bytes. */
const INTEGERS: ReadonlyMap<number, (value: Buffer) => string | undefined> = new Map([
  [20, (value: Buffer) => (value.length === 8 ? String(value.readBigInt64BE()) : undefined)],
  [21, (value: Buffer) => (value.length === 2 ? String(value.readInt16BE()) : undefined)],
  [23, (value: Buffer) => (value.length === 4 ? String(value.readInt32BE()) : undefined)],
  [26, (value: Buffer) => (value.length === 4 ? String(value.readUInt32BE()) : undefined)],
]);
const TEXTS: ReadonlySet<number> = new Set([19, 25, 1042, 1043]);

/** A bound value as a literal, where its text is known. */
function valueOf({ type, value, format }: Parameter): string | undefined {
  if (value === null) return 'null';
  const bytes = Buffer.from(value);
  if (format === 'text' || TEXTS.has(type)) return literal(bytes.toString());
  const number = INTEGERS.get(type)?.(bytes);
  return number === undefined ? undefined : literal(number);
}

export const literal = (text: string): string => `'${text.replaceAll('\0', '').replaceAll("'", "''")}'`;

const identifier = (...parts: readonly string[]): string =>
  parts.map((part) => `"${part.replaceAll('"', '""')}"`).join('.');

/** A name of facts as an identifier, if no dot in it is one of a part. */
export const quoted = (name: string): string => identifier(...name.split('.'));

/** A name of facts as identifiers that it may be: its parts are folded already. */
export const identifiersOf = (name: string): string[] => [
  ...new Set([
    quoted(name),
    ...readingsOf(name).map(({ before, name: last }) =>
      before === undefined ? identifier(last) : identifier(before, last),
    ),
  ]),
];

/** The relation that a name of facts means, in SQL, as an oid: null where there is none, or it may be one or another. */
export function regclassOf(name: string): string {
  const [only = '', ...others] = identifiersOf(name).map((one) => `to_regclass(${literal(one)})::oid`);
  if (others.length === 0) return only;
  const all = [only, ...others].map((one) => `(${one})`).join(', ');
  return `(select case when count(distinct found) = 1 then min(found) end from (values ${all}) as readings (found))`;
}
