/**
 * Statements that cannot be followed: what they may have done to their session all the same. Owns: that, by walking the tree without
 * knowing what its names mean. Does not: why one cannot be followed.
 */
import type { StatementTrace } from '@sluice/contract';
import type { Catalog } from '../catalog/catalog.js';
import { callFacts } from '../functions.js';
import type { SqlReading } from '../reading.js';
import type { FunctionCall, ObjectName, Statement } from '../tree.js';
import type { SessionEffect, SessionNames } from './session.js';
import { unknown } from './value.js';

/** More variables than this in one statement are all of them. */
const MAX_VARIABLES = 1_000;

/** What a statement may do to its session, whatever its names mean. Takes time in proportion to it. */
export function traceOf(statement: Statement, reading: SqlReading): StatementTrace {
  const layers = layersOf(statement);
  const innermost = layers.at(-1) ?? statement;
  const { variables, calls, stores } = walk(statement, reading);
  const isKnown = layers.every(({ kind }) => FOLLOWED.has(kind)) && variables.size <= MAX_VARIABLES;
  return {
    variables: isKnown ? [...variables] : [],
    runsCode: calls || !isKnown || (innermost.kind === 'prepare' && innermost.name === undefined),
    mayTrigger: WRITING.has(innermost.kind),
    fills: FILLING.has(innermost.kind),
    stores: stores || layers.some(({ kind }) => kind === 'set variables'),
    ...(innermost.kind === 'create table' && innermost.temporary && { creates: tableOf(innermost.table) }),
    ...(innermost.kind === 'prepare' && innermost.name !== undefined && { prepares: innermost.name }),
  };
}

/** A statement and the one that is written in it: EXPLAIN, SET STATEMENT ... FOR. */
function layersOf(statement: Statement): Statement[] {
  const layers = [statement];
  for (let inner = statement; inner.kind === 'explain' || inner.kind === 'set for'; ) {
    inner = inner.statement;
    layers.push(inner);
  }
  return layers;
}

const tableOf = ({ schema, name }: ObjectName): NonNullable<StatementTrace['creates']> => ({
  ...(schema !== undefined && { schema }),
  name,
});

/** @param reason why it cannot be followed: a phrase */
export function lostEffects(
  catalog: Catalog,
  session: SessionNames,
  trace: StatementTrace,
  reason: string,
): SessionEffect[] {
  const after = `runs after a statement that ${reason}`;
  const effects = trace.variables.map(
    (name): SessionEffect => ({ type: 'variable', name, value: unknown(reason), kept: true }),
  );
  const table = { unread: reason };
  if (trace.fills) for (const key of session.temporary.keys()) effects.push({ type: 'create', key, table });
  if (trace.creates) {
    const { schema, name } = trace.creates;
    effects.push({ type: 'create', key: catalog.keyOf(schema ?? session.database ?? '', name), table });
  }
  if (trace.prepares !== undefined)
    effects.push({ type: 'prepare', name: trace.prepares, prepared: { unread: reason } });
  if (trace.stores) effects.push({ type: 'store', value: unknown(reason) });
  const { triggered, codeReachesSession } = catalog.contents;
  const mayTrigger = trace.mayTrigger && triggered.size > 0 && codeReachesSession;
  if (trace.runsCode || mayTrigger) effects.push({ type: 'code', reason: after });
  return effects;
}

const WRITING: ReadonlySet<Statement['kind']> = new Set(['insert', 'update', 'delete', 'load']);
/** They may put values into temporary tables. */
const FILLING: ReadonlySet<Statement['kind']> = new Set(['insert', 'update', 'load']);
/** Whatever is not here runs code for all that is known. */
const FOLLOWED: ReadonlySet<string> = new Set(
  'query|insert|update|delete|load|show|create table|create view|prepare|set variables|do|explain|handler|set for'.split(
    '|',
  ),
);

interface LostThings {
  readonly variables: Set<string>;
  calls: boolean;
  stores: boolean;
}

function walk(statement: Statement, reading: SqlReading): LostThings {
  const found: LostThings = { variables: new Set(), calls: false, stores: false };
  const open: unknown[] = [statement];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (typeof node !== 'object' || node === null) continue;
    for (const value of Object.values(node)) open.push(value);
    const { kind, name } = node as { kind?: unknown; name?: unknown };
    // Whatever names a variable may write to it: SET, :=, INTO, LOAD DATA.
    if (kind === 'variable' && typeof name === 'string') found.variables.add(name);
    if (kind === 'call' && callFacts(node as FunctionCall, reading).reason !== undefined) found.calls = true;
    if (kind === 'sequence' || name === 'last_insert_id') found.stores = true;
  }
  return found;
}
