/**
 * From the name of a relation to the base columns behind its columns. Does not: have the catalog (catalog/catalog.ts). Pure.
 */
import { isDeepStrictEqual } from 'node:util';
import { nodeOf } from '../ast.js';
import type { Relation } from '../catalog/objects.js';
import { asksForPartition } from './comparing.js';
import { LineageAnalysis, BEHIND_DEFINITION, Unread, Unsure } from './analysis.js';
import type { TemporaryRelation } from './effects.js';
import { expression } from './expression.js';
import { readQuery } from './query.js';
import { EMPTY_SCOPE, item } from './scope.js';
import { EMPTY_OVERLAY, type Overlay, hasStored, newSession } from './session.js';
import { type Column, computed, direct, limitedTo, unknown, withUnknown, withoutFields } from './value.js';

export type FoundRelation =
  | { readonly type: 'stored'; readonly relation: Relation }
  | { readonly type: 'temporary'; readonly relation: TemporaryRelation };

/** Looks a relation up as the server would. @throws Unsure where there is none that is known */
export function findRelation(analysis: LineageAnalysis, schema: string, name: string): FoundRelation {
  if (analysis.session.overlay.defined.has(name)) throw new Unsure(BEHIND_DEFINITION);
  const found = schema === '' ? onPath(analysis, name) : inSchema(analysis, schema, name);
  if (!found) {
    throw new Unsure(`uses the relation ${schema === '' ? '' : `${schema}.`}${name}, which is not known`);
  }
  if (found.type === 'stored') analysis.relations.add(found.relation.oid);
  return found;
}

function onPath(analysis: LineageAnalysis, name: string): FoundRelation | undefined {
  if (analysis.session.anyPath !== undefined) throw new Unsure(analysis.session.anyPath);
  for (const schema of analysis.path) {
    const found = inSchema(analysis, schema, name);
    if (found) return found;
  }
  return undefined;
}

function inSchema({ catalog, session }: LineageAnalysis, schema: string, name: string): FoundRelation | undefined {
  const own = session.overlay.relations.get(name);
  if (own && isIn(own, schema)) return { type: 'temporary', relation: own };
  if (schema === 'pg_temp') return undefined;
  const relation = catalog.relation(schema, name);
  return relation && { type: 'stored', relation };
}

/** One that is not committed has the only name of its kind: whatever the path, no other relation is meant. */
function isIn({ permanent, stored }: TemporaryRelation, schema: string): boolean {
  // Of one that is altered there may be others by its name, in other schemas.
  if (stored || permanent === undefined) return schema === (permanent ?? 'pg_temp');
  return permanent === '' || permanent === schema || schema === 'pg_temp';
}

/** The schema that a statement may write before the name. */
export const schemaOf = (found: FoundRelation): string =>
  found.type === 'stored' ? found.relation.schema : found.relation.permanent || 'pg_temp';

/** Its rows are changed: by way of a view of the session's, those of others may be. */
export function changes(analysis: LineageAnalysis, found: FoundRelation): void {
  if (found.type === 'stored') analysis.changed.add(found.relation.oid);
  else if (found.relation.view || found.relation.permanent !== undefined) analysis.changesOthers = true;
}

/** The columns that a query reads from a relation. */
export function columnsOf(analysis: LineageAnalysis, found: FoundRelation): readonly Column[] {
  if (found.type === 'temporary') {
    const { columns, unknown, written, version } = found.relation;
    asksAsMade(analysis, found.relation);
    const isAsMade = version === analysis.catalog.version;
    const known = isAsMade ? columns : wholeOf(columns);
    const reason =
      unknown ?? whyGone(analysis, found.relation) ?? (isAsMade ? undefined : redefined(analysis, found.relation));
    return named(analysis, known).map(({ name, value }) => ({
      name,
      value: withUnknown(value, reason ?? written ?? codeOfType(analysis, value)),
    }));
  }
  asksForPartition(analysis, found.relation);
  const stored = unconverted(analysis, storedColumns(analysis, found.relation));
  const columns = found.relation.definition === undefined ? stored : named(analysis, stored);
  // Code may have given a view another definition, which others do not see before its transaction has ended.
  const { uncertain } = analysis.session.overlay;
  if (uncertain === undefined || found.relation.schema === 'pg_catalog') return columns;
  return columns.map(({ name, value }) => ({ name, value: withUnknown(value, uncertain) }));
}

/** Others have dropped what a view of the session reads, and that with it: its name may mean something else. */
const whyGone = ({ catalog }: LineageAnalysis, { reads }: TemporaryRelation): string | undefined =>
  [...(reads ?? [])].every((oid) => catalog.relationByOid(oid))
    ? undefined
    : 'reads a view over something that is gone';

/** What a view of the session asks: what it reads may hold other values now than when it was made. */
function asksAsMade(caller: LineageAnalysis, { query, view }: TemporaryRelation): void {
  if (!view || !query) return;
  const analysis = new LineageAnalysis(caller.catalog, { ...caller.session, ...query.names }, caller);
  analysis.reads(query.node);
  try {
    readQuery(analysis, EMPTY_SCOPE, query.node);
  } catch (error) {
    if (!(error instanceof Unsure)) throw error;
    caller.asks(unknown(error.message), 'other');
  }
  caller.asksWith(analysis);
}

/** The server reads what a view reads as it is now: where that shows something else than when it was made, nothing is known of it. */
export function redefined(
  caller: LineageAnalysis,
  { query, columns }: Pick<TemporaryRelation, 'query' | 'columns'>,
): string | undefined {
  if (!query) return undefined;
  const analysis = new LineageAnalysis(caller.catalog, { ...caller.session, ...query.names }, caller);
  analysis.reads(query.node);
  try {
    const now = readQuery(analysis, EMPTY_SCOPE, query.node);
    return [query.columns, columns].some((before) => showSame(before, now)) ? undefined : REDEFINED;
  } catch (error) {
    if (!(error instanceof Unsure)) throw error;
    return REDEFINED;
  }
}

const showSame = (before: readonly Column[], now: readonly Column[]): boolean =>
  before.length === now.length && before.every(({ value }, at) => isDeepStrictEqual(value, now[at]?.value));

/** Why nothing is known of a view of the session. */
export const REDEFINED = 'reads a temporary view or a cursor of which others have changed what it reads';

/** The default of a domain may have put anything into a row that said nothing of the column. */
function codeOfType({ catalog, session }: LineageAnalysis, { type = 0 }: Column['value']): string | undefined {
  if (catalog.guards.domains.has(type)) return 'reads a column of a domain that runs code';
  return session.overlay.defined.has(catalog.typeByOid(type)?.name ?? '') ? BEHIND_DEFINITION : undefined;
}

/** Fields have the names that their type has now: what this transaction has defined may be the type, or its table. */
const named = ({ session }: LineageAnalysis, columns: readonly Column[]): readonly Column[] =>
  session.overlay.defined.size > 0 ? wholeOf(columns) : columns;

const wholeOf = (columns: readonly Column[]): readonly Column[] =>
  columns.map(({ name, value }) => ({ name, value: withoutFields(value) }));

/** The columns of a stored relation; worked out once for each catalog. */
function storedColumns(caller: LineageAnalysis, relation: Relation): readonly Column[] {
  const { catalog } = caller;
  // A view shows the settings of whoever reads it.
  const { unread } = caller.session.overlay;
  const written = unread !== undefined || hasStored(caller.session.overlay) ? WRITTEN : undefined;
  const key = `columns ${written ? 'with settings ' : ''}${relation.oid}`;
  // As often as it is named, whether it is known by then or not: what is too large does not depend on who came before.
  caller.readsDefinition(relation.definition ?? '');
  const known = catalog.derived.get(key);
  if (known) return known as readonly Column[];
  if (relation.unread) throw new Unread(`${relation.schema}.${relation.name}`);
  // Its own session: nothing else of the client's changes what a definition means.
  const session = newSession('', []);
  const analysis = new LineageAnalysis(catalog, written ? { ...session, overlay: written } : session);
  const columns =
    relation.definition === undefined ? tableColumns(analysis, relation) : viewColumns(analysis, relation);
  catalog.derived.set(key, columns);
  return columns;
}

const WRITTEN: Overlay = { ...EMPTY_OVERLAY, unread: 'reads a setting that this session may have put a value into' };

/** Catalogs whose rows hold values of other tables. */
const HOLDING: ReadonlySet<string> = new Set([
  'pg_catalog.pg_statistic',
  'pg_catalog.pg_statistic_ext_data',
  'pg_catalog.pg_largeobject',
]);

function tableColumns(analysis: LineageAnalysis, relation: Relation): Column[] {
  const { catalog } = analysis;
  const holding = HOLDING.has(`${relation.schema}.${relation.name}`);
  const plain = relation.columns.map(({ name, type, typmod, base }) => ({
    name,
    value: direct(catalog.roots(base), type, typmod),
  }));
  return relation.columns.map(({ name, type, typmod, generated }, index) => {
    let { value } = plain[index] as Column;
    if (generated !== undefined) {
      const own = { items: [item(relation.name, plain, { stored: true })], parent: undefined, named: undefined };
      const made = expression(analysis, own, definitionOf(analysis, `select ${generated}`)['expression']);
      value = { ...computed([value, made], 'derived', type), stored: true, ...limitedTo(type, typmod) };
    }
    if (holding) value = unknown('reads a catalog that holds values of other tables', value.sources);
    return { name, value };
  });
}

/** The columns as a statement reads them that may have them converted by code. */
const unconverted = (analysis: LineageAnalysis, columns: readonly Column[]): readonly Column[] =>
  analysis.catalog.convertedUnseen.size === 0
    ? columns
    : columns.map(({ name, value }) => ({
        name,
        value: analysis.isConverted(value.type ?? 0)
          ? withUnknown(value, 'reads a type with a cast that runs code')
          : value,
      }));

/** A view shows what its query does, and is something that a rule can name. A materialised one has values of its own. */
function viewColumns(analysis: LineageAnalysis, relation: Relation): Column[] {
  let made: readonly Column[];
  let reason: string | undefined;
  try {
    const { query } = definitionOf(analysis, relation.definition ?? '');
    analysis.reads(query);
    made = readQuery(analysis, EMPTY_SCOPE, query);
  } catch (error) {
    if (!(error instanceof Unsure)) throw error;
    made = [];
    reason = `reads ${relation.schema}.${relation.name}, whose definition ${error.message}`;
  }
  return relation.columns.map(({ name, type, typmod, base }, index) => {
    const value = made[index]?.value ?? unknown(reason ?? 'reads a column that its view does not define');
    const { element: _, limited: __, ...rest } = value;
    const sources = new Set([...value.sources, base]);
    return { name, value: { ...rest, sources, type, stored: true, ...limitedTo(type, typmod) } };
  });
}

/** Parses a definition of the catalog: one query, and its first output. @throws Unsure where it is too long */
function definitionOf({ catalog }: LineageAnalysis, text: string): Record<'query' | 'expression', unknown> {
  const parsed = catalog.parse.definition(text);
  if (!parsed.ok) throw new Unsure('message' in parsed ? parsed.message : 'is nested too deeply to be followed');
  const query = parsed.statements[0]?.['stmt'];
  const targets = nodeOf(query)?.fields['targetList'];
  const first = Array.isArray(targets) ? nodeOf(targets[0]) : undefined;
  return { query, expression: first?.fields['val'] };
}
