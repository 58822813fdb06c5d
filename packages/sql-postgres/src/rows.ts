/**
 * Rows of tables that sessions get and no others (`rows` of a connection), held by row security of the server. Owns: the policies for it,
 * and whether they are in force for a login. Does not: filter anything, which the server does.
 */
import type { Lookup } from '@sluice/contract';
import { type NodeFields, isFields, nodeOf, strings } from './ast.js';
import { literal, quoted } from './estimate.js';
import { type Parse, loadGrammar } from './grammar.js';

interface TableRows {
  /** `schema.table`. */
  readonly table: string;
  /** In SQL. */
  readonly condition: string;
}

/** Lets rows through, and beside whatever else lets rows through, keeps all others back. */
const LETS = 'sluice_rows';
const KEEPS = 'sluice_rows_only';
/** How long what was found good is believed, in milliseconds. */
const BELIEVED_MS = 30_000;

/** What the owner of the tables runs once: definitions, each on lines of its own. */
export function rowsSql(rows: readonly TableRows[], user: string): string {
  return rows
    .map(({ table, condition }) => {
      const name = quoted(table);
      const policy = (policyName: string, kind: string): string =>
        `drop policy if exists ${policyName} on ${name};\n` +
        `create policy ${policyName} on ${name} as ${kind} for all to ${quotedRole(user)}\n` +
        `  using (${condition})\n  with check (${condition});\n`;
      return (
        `alter table ${name} enable row level security;\nalter table ${name} force row level security;\n` +
        policy(LETS, 'permissive') +
        policy(KEEPS, 'restrictive')
      );
    })
    .join('\n');
}

const quotedRole = (user: string): string => `"${user.replaceAll('"', '""')}"`;

/** Whether policies are in force, of many sessions one after the other. */
export class RowsInForce {
  readonly #good = new Map<string, number>();

  /** @throws Error with a phrase where they are not, or where nobody can tell */
  async check(rows: readonly TableRows[], user: string, target: string, open: () => Promise<Lookup>): Promise<void> {
    const key = JSON.stringify([target, user, rows]);
    if (performance.now() - (this.#good.get(key) ?? -Infinity) < BELIEVED_MS) return;
    this.#good.delete(key);
    const lookup = await open();
    try {
      const faults = await rowsFaults(lookup, rows);
      if (faults.length > 0) throw new Error(`rows of its tables are not kept apart: ${faults.join('; ')}`);
      this.#good.set(key, performance.now());
    } finally {
      lookup.close();
    }
  }
}

/** Why row security does not hold for the login of `lookup`: phrases. Empty: it does. */
export async function rowsFaults(lookup: Lookup, rows: readonly TableRows[]): Promise<string[]> {
  const faults: string[] = [];
  for (const [role, why] of await lookup.query(AROUND)) faults.push(`the login can act as ${role}, which ${why}`);
  const parse = await loadGrammar(lookup.major);
  for (const one of rows) faults.push(...(await tableFaults(lookup, one, parse)));
  return faults;
}

/** Roles that the login has or can take on, and that no policy holds. */
const AROUND = `select r.rolname, case when r.rolsuper then 'is a superuser' when r.rolbypassrls then 'has BYPASSRLS'
    else 'has CREATEROLE, and may become any role' end
  from pg_catalog.pg_roles r
 where (r.rolsuper or r.rolbypassrls or (r.rolcreaterole and pg_catalog.current_setting('server_version_num')::int < 160000))
   and pg_catalog.pg_has_role(session_user, r.oid, 'MEMBER') order by 1 limit 5`;

/** A policy is for this role: for one that it has, or for all. */
const isFor = (policy: string, role: string): string =>
  `exists (select from pg_catalog.unnest(${policy}.polroles) x (oid)
    where case when x.oid = 0 then true else pg_catalog.pg_has_role(${role}, x.oid, 'USAGE') end)`;

/** A role may read or change a relation. */
const reaches = (role: string, oid: string): string =>
  `(pg_catalog.has_any_column_privilege(${role}, ${oid}, 'SELECT, INSERT, UPDATE')
    or pg_catalog.has_table_privilege(${role}, ${oid}, 'DELETE'))`;

/** Behind SET ROLE those policies count that are for that role: whom the one that keeps rows back is not for, and another one is. */
const AROUND_POLICY = (oid: string): string => `select r.rolname from pg_catalog.pg_roles r
 where r.rolname <> session_user and pg_catalog.pg_has_role(session_user, r.oid, 'MEMBER') and ${reaches('r.oid', `${oid}::oid`)}
   and not exists (select from pg_catalog.pg_policy p where p.polrelid = ${oid} and p.polname = '${KEEPS}' and ${isFor('p', 'r.oid')})
   and exists (select from pg_catalog.pg_policy p where p.polrelid = ${oid} and p.polpermissive and ${isFor('p', 'r.oid')})
 order by 1 limit 5`;

async function tableFaults(lookup: Lookup, { table, condition }: TableRows, parse: Parse): Promise<string[]> {
  const [found] = await lookup.query(`select c.oid, c.relrowsecurity, c.relforcerowsecurity,
      pg_catalog.pg_has_role(session_user, c.relowner, 'MEMBER'), c.relkind
    from pg_catalog.pg_class c where c.oid = pg_catalog.to_regclass(${literal(quoted(table))})`);
  if (!found) return [`there is no table ${table}`];
  const [oid, enabled, forced, owned, kind] = found;
  if (kind !== 'r' && kind !== 'p') return [`${table} is no table`];
  const faults: string[] = [];
  if (enabled !== 't') faults.push(`row security of ${table} is not enabled`);
  if (forced !== 't') faults.push(`row security of ${table} is not forced`);
  if (owned === 't') faults.push(`the login can act as the owner of ${table}`);
  for (const [way] of await lookup.query(AROUND_TABLE(oid ?? '0')))
    faults.push(`the login can read ${table} by ${way}, which its policies do not hold`);
  for (const [role] of await lookup.query(AROUND_POLICY(oid ?? '0')))
    faults.push(`the login can act as ${role}, whom policy ${KEEPS} of ${table} is not for`);
  const policies = await lookup.query(`select p.polpermissive, pg_catalog.pg_get_expr(p.polqual, p.polrelid),
      pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid), p.polcmd
    from pg_catalog.pg_policy p where p.polrelid = ${oid} and p.polname = '${KEEPS}' and (0 = any(p.polroles) or exists (
      select from pg_catalog.pg_roles r where r.rolname = session_user and r.oid = any(p.polroles)))`);
  const [policy] = policies;
  if (!policy) return [...faults, `${table} has no policy ${KEEPS} for the login`];
  const [permissive, reads, writes, command] = policy;
  if (permissive !== 'f') faults.push(`policy ${KEEPS} of ${table} is not restrictive`);
  if (command !== '*') faults.push(`policy ${KEEPS} of ${table} is not for all commands`);
  for (const said of [reads, writes ?? reads])
    if (said === null || said === undefined || !isSame(said, condition, parse))
      faults.push(`policy ${KEEPS} of ${table} says "${said ?? ''}", which is not the condition of the configuration`);
  return [...new Set(faults)];
}

/**
 * Partitions that are named themselves have policies of their own, and so has what the table is a partition or a child of. A view reads as its owner does, unless it is a security_invoker, and so
 * does what reads that view; a materialized view has rows of whoever filled it.
 */
const AROUND_TABLE = (oid: string): string => `with recursive parts (oid) as (
    select ${oid}::oid union select i.inhrelid from pg_catalog.pg_inherits i join parts on parts.oid = i.inhparent),
  above (oid) as (
    select ${oid}::oid union select i.inhparent from pg_catalog.pg_inherits i join above on above.oid = i.inhrelid),
  family (oid) as (select oid from parts union select oid from above),
  readers (oid, of) as materialized (select distinct w.ev_class, d.refobjid from pg_catalog.pg_rewrite w join pg_catalog.pg_depend d
    on d.classid = 'pg_catalog.pg_rewrite'::regclass and d.objid = w.oid and d.refclassid = 'pg_catalog.pg_class'::regclass
    where w.ev_class <> d.refobjid),
  views (oid) as (select r.oid from readers r join family on family.oid = r.of join pg_catalog.pg_class c on c.oid = r.oid
      where c.relowner <> (select u.oid from pg_catalog.pg_roles u where u.rolname = session_user) and not coalesce(c.reloptions, '{}') &&
        array['security_invoker=true', 'security_invoker=on', 'security_invoker=yes', 'security_invoker=1']
    union select r.oid from readers r join views on views.oid = r.of),
  ways (oid) as (select oid from family where oid <> ${oid} union select oid from views)
  select oid::regclass::text from ways where exists (select from pg_catalog.pg_roles u
    where pg_catalog.pg_has_role(session_user, u.oid, 'MEMBER') and ${reaches('u.oid', 'ways.oid')}) order by 1 limit 5`;

/** The server writes a condition in its own way: with parentheses, and with the types of constants. */
export function isSame(one: string, other: string, parse: Parse): boolean {
  const trees = [one, other].map((text) => treeOf(text, parse));
  return trees[0] !== undefined && trees[0] === trees[1];
}

function treeOf(condition: string, parse: Parse): string | undefined {
  const parsed = parse(`select 1 where (${condition}\n)`);
  if (!parsed.ok || parsed.statements.length !== 1) return undefined;
  const select = nodeOf(parsed.statements[0]?.['stmt']);
  const rest = { ...select?.fields, whereClause: undefined, targetList: undefined };
  // Nothing but a condition: no second clause that closes the parenthesis.
  const clauses = Object.values(rest).filter((value) => Array.isArray(value) || isFields(value));
  return select?.kind === 'SelectStmt' && clauses.length === 0
    ? JSON.stringify(plain(select.fields['whereClause']))
    : undefined;
}

/** Without places in the text, types of constants, and the schema of the server's own functions. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (!isFields(value)) return value;
  const node = nodeOf(value);
  if (node?.kind === 'TypeCast' && nodeOf(node.fields['arg'])?.kind === 'A_Const') return plain(node.fields['arg']);
  const entries = Object.entries(value as NodeFields).filter(([key]) => key !== 'location');
  return Object.fromEntries(
    entries.map(([key, each]) => [key, key === 'funcname' ? withoutSchema(each) : plain(each)]),
  );
}

function withoutSchema(name: unknown): readonly string[] {
  const parts = Array.isArray(name) ? strings(name) : [];
  return parts[0] === 'pg_catalog' ? parts.slice(1) : parts;
}
