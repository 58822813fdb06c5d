/**
 * One target, as a session of the gateway would use it: reached, logged in, its catalog read, and what masks and trusted functions
 * name there. Nothing is changed at a target: catalogs are read, and by HTTP the base path is fetched. Does
 * not: dial, which it is handed.
 */
import { adviceOn, faultOf } from '@sluice/audit';
import type { ConnectionConfig } from '@sluice/config';
import { type Lookup, matcherOf, partsOfColumn } from '@sluice/contract';
import { type Finding, failed, ok, warning } from './finding.js';

/** The ways to a target that a gateway has; absent: its protocol has no such thing. */
export interface TargetReach {
  /** A connection that is logged in, for looking things up. */
  lookup?(): Promise<Lookup>;
  /** Why the target does not do what the configuration says that it does; empty: it does. Absent: it says nothing of the kind. */
  faults?(lookup: Lookup): Promise<readonly string[]>;
  /** Logs in, and out again. Resolves with a sentence about it. */
  login?(): Promise<string>;
  /** Reaches it, and no more. */
  dial(): Promise<void>;
}

const COLUMNS = `select n.nspname, c.relname, a.attname from pg_catalog.pg_attribute a
  join pg_catalog.pg_class c on c.oid = a.attrelid join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where a.attnum > 0 and not a.attisdropped and c.relkind in ('r','p','f','v','m')`;
const FUNCTIONS =
  'select n.nspname, p.proname from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace';
const MYSQL_COLUMNS = 'select table_schema, table_name, column_name from information_schema.columns';
const MYSQL_FUNCTIONS = 'select routine_schema, routine_name from information_schema.routines';

/** @param packets the target is of MySQL's kind, where names do not count with their case */
export async function examineTarget(
  connection: ConnectionConfig,
  reach: TargetReach,
  packets: boolean,
): Promise<Finding[]> {
  const { name, target, via } = connection;
  const about = `${name}, ${target.host}:${target.port}${via === undefined ? '' : ` by agent ${via}`}`;
  try {
    if (reach.lookup) {
      const lookup = await reach.lookup();
      try {
        return [
          ...(await examineRows(connection, lookup, about, packets)),
          ...(await examineFaults(reach, lookup, about)),
        ];
      } finally {
        lookup.close();
      }
    }
    if (reach.login) return [ok('target', about, await reach.login())];
    await reach.dial();
    return [ok('target', about, 'reached; its protocol has no login that could be tried')];
  } catch (error) {
    const reason = (error as Error).message;
    return [failed('target', about, reason, adviceOn(faultOf(reason)))];
  }
}

async function examineRows(
  connection: ConnectionConfig,
  lookup: Lookup,
  about: string,
  packets: boolean,
): Promise<Finding[]> {
  const reached = ok('target', about, `reached and logged in, version ${lookup.major}`);
  const columns = await lookup.query(packets ? MYSQL_COLUMNS : COLUMNS);
  const functions =
    connection.trustedFunctions.length > 0 ? await lookup.query(packets ? MYSQL_FUNCTIONS : FUNCTIONS) : [];
  return [
    reached,
    ok('catalog', about, `readable, ${columns.length.toLocaleString('en')} columns`),
    ...masksOf(connection, columns, packets),
    ...functionsOf(connection, functions, packets),
  ];
}

/** Row policies of the target, which sessions are refused without. */
async function examineFaults(reach: TargetReach, lookup: Lookup, about: string): Promise<Finding[]> {
  if (!reach.faults) return [];
  const faults = await reach.faults(lookup);
  if (faults.length === 0) return [ok('rows', about, 'their policies are in force for this login')];
  return faults.map((why) => failed('rows', about, why, 'The owner of the tables runs what "sluice rows sql" prints.'));
}

type Rows = readonly (readonly (string | null)[])[];

const folding = (packets: boolean) => (name: string) => (packets ? name.toLowerCase() : name);

function masksOf({ name, rules }: ConnectionConfig, columns: Rows, packets: boolean): Finding[] {
  const fold = folding(packets);
  return rules.flatMap(({ rule, then }) =>
    then.type !== 'mask'
      ? []
      : then.columns.flatMap((pattern) => {
          const parts = partsOfColumn(pattern).map((part) => matcherOf(part, fold));
          const fits = columns.some((row) =>
            parts.every((part, at) => part.test(fold(row[row.length - parts.length + at] ?? ''))),
          );
          if (fits) return [];
          return [
            warning(
              'mask',
              `${name}, rule ${rule}`,
              `no column is called ${pattern}`,
              'What it was meant for is not masked: correct the name, or take it out.',
            ),
          ];
        }),
  );
}

function functionsOf({ name, trustedFunctions }: ConnectionConfig, functions: Rows, packets: boolean): Finding[] {
  const fold = folding(packets);
  return trustedFunctions.flatMap((written) => {
    // What is behind the name, if anything, are types of arguments.
    const parts = partsOfColumn(written.replace(/\(.*$/s, '')).map((part) => matcherOf(part, fold));
    const fits = functions.some((row) =>
      parts.every((part, at) => part.test(fold(row[row.length - parts.length + at] ?? ''))),
    );
    if (fits) return [];
    return [
      warning(
        'function',
        `${name}, functions.trusted`,
        `no function is called ${written}`,
        'Correct the name, or take it out.',
      ),
    ];
  });
}
