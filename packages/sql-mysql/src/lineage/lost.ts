/**
 * Statements that cannot be followed: what they may have done to their session all the same. Owns: that, by walking the tree without
 * knowing what its names mean. Does not: why one cannot be followed.
 */
import type { Catalog } from '../catalog/catalog.js';
import { callFacts } from '../functions.js';
import { readingOf } from '../reading.js';
import type { FunctionCall, Statement } from '../tree.js';
import type { SessionEffect, SessionNames } from './session.js';
import { unknown } from './value.js';

/** @param reason why it cannot be followed: a phrase */
export function lostEffects(
  catalog: Catalog,
  session: SessionNames,
  statement: Statement,
  reason: string,
): SessionEffect[] {
  const found = walk(catalog, statement);
  const after = `runs after a statement that ${reason}`;
  const variables = [...found.variables].map(
    (name): SessionEffect => ({ type: 'variable', name, value: unknown(reason), kept: true }),
  );
  const effects: SessionEffect[] = [...variables, ...named(catalog, session, statement, reason)];
  if (found.stores || statement.kind === 'set variables') effects.push({ type: 'store', value: unknown(reason) });
  const { triggered, codeReachesSession } = catalog.contents;
  const mayTrigger = WRITING.has(statement.kind) && triggered.size > 0 && codeReachesSession;
  if (found.calls || mayTrigger || !FOLLOWED.has(statement.kind)) effects.push({ type: 'code', reason: after });
  return effects;
}

const WRITING: ReadonlySet<Statement['kind']> = new Set(['insert', 'update', 'delete', 'load']);
/** Whatever is not here runs code for all that is known. */
const FOLLOWED: ReadonlySet<string> = new Set(
  'query|insert|update|delete|load|show|create table|create view|prepare|set variables|do|explain|handler|set for'.split(
    '|',
  ),
);

/** Temporary tables and prepared statements. */
function named(catalog: Catalog, session: SessionNames, statement: Statement, reason: string): SessionEffect[] {
  const unread = reason;
  switch (statement.kind) {
    case 'insert':
    case 'update':
    case 'load':
      return [...session.temporary.keys()].map((key) => ({ type: 'create', key, table: { unread } }));
    case 'create table': {
      const { table, temporary } = statement;
      const key = catalog.keyOf(table.schema ?? session.database ?? '', table.name);
      return temporary ? [{ type: 'create', key, table: { unread } }] : [];
    }
    case 'prepare':
      return statement.name === undefined
        ? [{ type: 'code', reason: `runs after a statement that ${reason}` }]
        : [{ type: 'prepare', name: statement.name, prepared: { unread } }];
    case 'explain':
    case 'set for':
      return named(catalog, session, statement.statement, reason);
    default:
      return [];
  }
}

interface LostThings {
  readonly variables: Set<string>;
  calls: boolean;
  stores: boolean;
}

function walk(catalog: Catalog, statement: Statement): LostThings {
  const found: LostThings = { variables: new Set(), calls: false, stores: false };
  const reading = readingOf(catalog.dialect);
  const open: unknown[] = [statement];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (typeof node !== 'object' || node === null) continue;
    open.push(...Object.values(node));
    const { kind, name } = node as { kind?: unknown; name?: unknown };
    // Whatever names a variable may write to it: SET, :=, INTO, LOAD DATA.
    if (kind === 'variable' && typeof name === 'string') found.variables.add(name);
    if (kind === 'call' && callFacts(node as FunctionCall, reading).reason !== undefined) found.calls = true;
    if (kind === 'sequence' || name === 'last_insert_id') found.stores = true;
  }
  return found;
}
