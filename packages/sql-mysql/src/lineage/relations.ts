/** What a table or view shows. Owns: system tables, views by their definition, generated columns. Does not: joins (from.ts). */
import { type Attribute, type BaseColumn, type Relation, folded } from '../catalog/objects.js';
import { Unread } from '../tokens.js';
import { statementsOf } from '../texts.js';
import type { ObjectName, Query } from '../tree.js';
import { LineageAnalysis, Unsure } from './analysis.js';
import { expression } from './expression.js';
import { readQuery } from './query.js';
import { type FromItem, type Scope, EMPTY_SCOPE, SYSTEM_TIME, column, nothingFor } from './scope.js';
import { type SessionEffect, newSession } from './session.js';
import { type Column, type Value, computed, direct, unknown, withUnknown } from './value.js';

/** A stored or temporary relation by its name. @throws Unsure where it is not known */
export function relationOf(analysis: LineageAnalysis, { schema, name }: ObjectName, alias = name): FromItem {
  const { catalog, session } = analysis;
  const database = schema ?? session.database;
  if (database === undefined) throw new Unsure('uses a name without its schema, and no default database is known');
  const key = catalog.keyOf(database, name);
  analysis.reads.add(key);
  const temporary = session.temporary.get(key);
  if (temporary?.unread !== undefined) throw new Unsure(temporary.unread);
  if (temporary) return { name: alias, schema: database, columns: temporary.columns, temporary: key };
  const relation = catalog.relation(database, name);
  if (!relation) throw new Unsure(`reads ${database}.${name}, which is not known`);
  const columns = columnsOf(analysis, relation);
  const { uncertain } = session;
  return {
    name: alias,
    schema: database,
    // Behind the name may be a temporary table that code has made, and it has what columns it likes.
    columns:
      uncertain === undefined ? columns : columns.map((one) => ({ ...one, value: withUnknown(one.value, uncertain) })),
    extra: (wanted) => extraOf(relation, wanted),
  };
}

/** Whole rows of a relation that is written to, with what views over its tables do not show. */
export function rowsOf(analysis: LineageAnalysis, { columns }: FromItem): readonly Value[] {
  const { catalog } = analysis;
  const shown = columns.map(({ value }) => value);
  const relations = new Set<Relation>();
  for (const { sources } of shown)
    for (const { schema, table } of sources) {
      const relation = catalog.relation(schema, table);
      if (relation && relation.definition === undefined) relations.add(relation);
    }
  return [...shown, ...[...relations].flatMap((one) => columnsOf(analysis, one).map(({ value }) => value))];
}

/** @returns for each part of the unique keys of a table what it is compared by; `base`: a column as it is stored */
export function uniqueParts(
  analysis: LineageAnalysis,
  relation: Relation,
): readonly { readonly value: Value; readonly base?: BaseColumn }[] {
  if (relation.unique.length === 0) return [];
  const columns = columnsOf(analysis, relation);
  return relation.unique.map((part) => {
    if (part.expression !== undefined) {
      const scope = { ...EMPTY_SCOPE, items: [{ name: relation.name, schema: relation.schema, columns }], columns };
      return { value: generated(analysis, scope, part.expression) };
    }
    const at = relation.columns.findIndex(({ name }) => folded(name) === folded(part.column));
    const [attribute, own] = [relation.columns[at], columns[at]];
    if (!attribute || !own) return { value: unknown('writes to a table with a unique key that is not understood') };
    const isStored = !part.isBeginning && attribute.generated === undefined;
    return { value: own.value, ...(isStored && { base: attribute.base }) };
  });
}

function extraOf(relation: Relation, wanted: string): Value | undefined {
  if (folded(wanted) === '_rowid' && relation.key.length > 0) return direct(relation.key);
  return relation.versioned ? nothingFor(SYSTEM_TIME, wanted) : undefined;
}

function columnsOf(caller: LineageAnalysis, relation: Relation): readonly Column[] {
  const { catalog } = caller;
  const key = `columns ${relation.schema}\0${relation.name}`;
  const known = catalog.derived.get(key) as RelationRead | undefined;
  if (known) return shown(caller, known);
  // Its own session: nothing of the client's changes what a definition means, nor do its temporary tables stand in for others.
  const analysis = new LineageAnalysis(catalog, newSession(relation.schema), caller);
  const columns =
    relation.definition === undefined ? tableColumns(analysis, relation) : viewColumns(analysis, relation);
  const made: RelationRead = {
    columns,
    code: analysis.effects.filter(({ type }) => type === 'code' || type === 'store'),
    reads: analysis.reads,
    ...(relation.definition !== undefined && lookedInView(analysis, columns)),
  };
  catalog.derived.set(key, made);
  return shown(caller, made);
}

/** What a relation shows, and whether it runs code for that. */
interface RelationRead {
  readonly columns: readonly Column[];
  readonly code: readonly SessionEffect[];
  readonly reads: ReadonlySet<string>;
  /** Of a view: what it computes with, whatever is read of it; */
  readonly computes?: Value;
  /** and what else it has. */
  readonly has?: ReadonlySet<BaseColumn>;
}

/** What a view only hands on is looked at where it is read. What it computes may be computed for all of its columns, as a table first. */
function lookedInView(analysis: LineageAnalysis, columns: readonly Column[]): Pick<RelationRead, 'computes' | 'has'> {
  const { looked, predicates, lookedInViews } = analysis;
  const isComputed = columns.some(({ value }) => value.kind !== 'direct' || value.unknown !== undefined);
  const asked: Value = { sources: new Set(predicates.map(({ column }) => column)), kind: 'derived' };
  return { computes: isComputed ? looked : asked, has: new Set([...looked.sources, ...lookedInViews]) };
}

function shown(caller: LineageAnalysis, { columns, code, reads, computes, has }: RelationRead): readonly Column[] {
  caller.effects.push(...code);
  for (const one of reads) caller.reads.add(one);
  if (computes) caller.looksAt(computes);
  if (has) caller.looksIntoView(has);
  return columns;
}

function tableColumns(analysis: LineageAnalysis, relation: Relation): Column[] {
  const holding = holdsOthers(relation) ? 'reads a table of the server that holds values of other tables' : undefined;
  const plain = relation.columns.map((one) => ({ ...column(one.name, direct([one.base])), ...hiddenOf(one) }));
  return relation.columns.map((attribute, index) => {
    const own = plain[index] as Column;
    if (holding !== undefined) return { ...own, value: unknown(holding, own.value.sources) };
    if (attribute.generated === undefined) return own;
    const scope = {
      ...EMPTY_SCOPE,
      items: [{ name: relation.name, schema: relation.schema, columns: plain }],
      columns: plain,
    };
    return { ...own, value: computed([own.value, generated(analysis, scope, attribute.generated)]) };
  });
}

const hiddenOf = ({ hidden }: Attribute): { hidden: true } | undefined => (hidden ? { hidden: true } : undefined);

function generated(analysis: LineageAnalysis, scope: Scope, text: string): Value {
  const query = queryOf(analysis, `select ${text}`) ?? queryOf(analysis, `select ${text.replaceAll("\\'", "'")}`);
  const [first] = query?.kind === 'select' && query.items.length === 1 ? query.items : [];
  if (first?.kind !== 'item') return unknown('reads a generated column whose expression is not understood');
  return expression(analysis, scope, first.value);
}

/** A view shows what its query does, and is something that a rule can name. */
function viewColumns(analysis: LineageAnalysis, relation: Relation): Column[] {
  const { made, reason } = definedBy(analysis, relation);
  return relation.columns.map((attribute, index) => {
    const value = made[index]?.value ?? unknown(reason);
    return {
      ...column(attribute.name, { ...value, sources: new Set([...value.sources, attribute.base]) }),
      ...hiddenOf(attribute),
    };
  });
}

function definedBy(analysis: LineageAnalysis, relation: Relation): { made: readonly Column[]; reason: string } {
  const name = `${relation.schema}.${relation.name}`;
  const query = queryOf(analysis, relation.definition ?? '');
  if (!query) return { made: [], reason: `reads ${name}, whose definition cannot be read` };
  try {
    const made = readQuery(analysis, EMPTY_SCOPE, query);
    if (made.length === relation.columns.length) return { made, reason: '' };
    return { made: [], reason: `reads ${name}, whose definition has other columns than it` };
  } catch (error) {
    if (!(error instanceof Unsure)) throw error;
    return { made: [], reason: `reads ${name}, whose definition ${error.message}` };
  }
}

function queryOf(analysis: LineageAnalysis, text: string): Query | undefined {
  try {
    const [statement, ...more] = statementsOf(text, analysis.reading);
    return statement?.kind === 'query' && more.length === 0 ? statement.query : undefined;
  } catch (error) {
    if (error instanceof Unread || error instanceof RangeError) return undefined;
    throw error;
  }
}

/** Whether a table of the server itself may show values of other tables. What is not listed as harmless does. */
function holdsOthers({ schema, name }: Relation): boolean {
  switch (folded(schema)) {
    case 'information_schema':
      return !METADATA.has(folded(name));
    case 'performance_schema':
      return !SERVER_STATE.has(folded(name));
    case 'mysql':
      return !MYSQL_SCHEMA.has(folded(name));
    case 'sys':
      return folded(name) !== 'version' && folded(name) !== 'sys_config';
    default:
      return false;
  }
}

const setOf = (words: string): ReadonlySet<string> => new Set(words.trim().split(/\s+/));

const METADATA = setOf(`administrable_role_authorizations applicable_roles character_sets check_constraints
  collation_character_set_applicability collations column_privileges columns columns_extensions enabled_roles engines events
  files key_column_usage keywords libraries parameters partitions plugins referential_constraints resource_groups
  role_column_grants role_routine_grants role_table_grants routines schema_privileges schemata schemata_extensions
  st_geometry_columns st_spatial_reference_systems st_units_of_measure statistics system_variables table_constraints
  table_constraints_extensions table_privileges tables tables_extensions tablespaces tablespaces_extensions triggers
  user_attributes user_privileges view_routine_usage view_table_usage views all_plugins index_statistics table_statistics
  sql_functions spatial_ref_sys geometry_columns innodb_tables innodb_columns innodb_indexes innodb_fields innodb_foreign
  innodb_foreign_cols innodb_tablespaces innodb_datafiles innodb_sys_tables innodb_sys_columns innodb_sys_indexes
  innodb_sys_fields innodb_sys_foreign innodb_sys_foreign_cols innodb_sys_tablespaces innodb_metrics innodb_ft_default_stopword`);
const SERVER_STATE = setOf(`global_status session_status column_masking_policy replication_connection_configuration
  replication_connection_status replication_group_members keyring_component_status processlist_counts users accounts hosts`);
const MYSQL_SCHEMA =
  setOf(`db user global_priv tables_priv columns_priv procs_priv proxies_priv roles_mapping role_edges
  default_roles func plugin component time_zone time_zone_leap_second time_zone_name time_zone_transition
  time_zone_transition_type help_category help_keyword help_relation help_topic engine_cost server_cost servers`);
