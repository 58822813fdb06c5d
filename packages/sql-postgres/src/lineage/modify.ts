/** INSERT, UPDATE, DELETE and MERGE: what flows where, and what RETURNING shows. Pure. */
import { type NodeFields, isFields, nodeOf, nodesOf, text } from '../ast.js';
import type { BaseColumn, Relation } from '../catalog/objects.js';
import { type LineageAnalysis, listOf } from './analysis.js';
import { isPlacedBy } from './comparing.js';
import { condition } from './conditions.js';
import { expression } from './expression.js';
import { readFrom } from './from.js';
import { type Target, isMissingAsBefore } from './missing.js';
import { TEXT_TYPE } from './parts.js';
import { enclosed, readQuery, readTargets, withNamed } from './query.js';
import { type FoundRelation, changes, columnsOf, findRelation, schemaOf } from './relations.js';
import { returningOf } from './returning.js';
import { type FromItem, type Scope, item } from './scope.js';
import { storedValue } from './settings.js';
import { type Column, NOTHING, type Value, computed, either, typeIn, withUnknown } from './value.js';

type Read = (analysis: LineageAnalysis, outer: Scope, fields: NodeFields) => readonly Column[];

/** Statements that change rows. Each returns the columns of its RETURNING. */
export const MODIFICATIONS: Readonly<Record<string, Read>> = {
  InsertStmt: insert,
  UpdateStmt: update,
  DeleteStmt: remove,
  MergeStmt: merge,
};

/** The relation that a statement changes, and what it has put into it so far. */
class ChangedRelation {
  readonly item: FromItem;
  readonly #analysis: LineageAnalysis;
  readonly #found: FoundRelation;
  readonly #assigned: Column[] = [];
  #below: readonly Relation[] | undefined;

  constructor(analysis: LineageAnalysis, relation: NodeFields) {
    this.#analysis = analysis;
    const name = text(relation, 'relname');
    const schema = text(relation, 'schemaname');
    this.#found = findRelation(analysis, schema, name);
    changes(analysis, this.#found);
    const alias = isFields(relation['alias']) ? text(relation['alias'], 'aliasname') : '';
    const found = this.#found;
    this.item = item(alias || name, columnsOf(analysis, found), {
      stored: true,
      schema: alias === '' ? schemaOf(found) : '',
      ...(found.type === 'stored' && { type: found.relation.type }),
    });
  }

  /** A value goes into a column. @param expression what it is computed by, where an assignment says so */
  assign(column: string, value: Value, expression?: unknown): void {
    const found = this.#found;
    const own = found.type === 'temporary';
    // Behind a view of the session there may be a table of everybody's.
    const temporary = own && !found.relation.view && found.relation.permanent === undefined;
    const name = `${schemaOf(found)}.${found.relation.name}`;
    const target = { type: 'table', name, column, temporary, bases: temporary ? [] : this.#basesOf(column) } as const;
    const asBefore = expression !== undefined && isMissingAsBefore(expression, this.#targetOf(column));
    this.#analysis.moves({ ...target, ...(asBefore && { missingAsBefore: true as const }) }, value);
    if (this.#isComparedIn(column)) this.#analysis.asks(value, 'other');
    this.#assigned.push({ name: column, value });
  }

  /** The rows as they were, for RETURNING. */
  get before(): readonly Column[] {
    const reason = this.#rewritten;
    return this.item.columns.map(({ name, value }) => ({ name, value: withUnknown(value, reason) }));
  }

  /** The rows as they are afterwards: what was there, and what was put there. */
  get after(): readonly Column[] {
    const reason = this.#rewritten;
    return this.item.columns.map(({ name, value }) => {
      const put = this.#assigned.filter((one) => one.name === name).map((one) => one.value);
      // Whatever is put into a column becomes of its type.
      const all = put.length === 0 ? value : { ...either([value, ...put]), ...typeIn(value) };
      return { name, value: withUnknown(all, reason) };
    });
  }

  /** An UPDATE of pg_settings is a SET of any of them (its rule pg_settings_u), also through views of it. */
  get mayBeSettings(): boolean {
    return (this.#found.type === 'temporary' && this.#found.relation.view) || this.#stored.some(isSettings);
  }

  /** Why nothing is known of the rows that rules answer a change with: its own, or those of what it may reach. */
  answers(event: string): string | undefined {
    const isOwn = (one: Relation): boolean => one === this.#found.relation;
    const isAnswering = this.#reached.some(
      (one) => !isSettings(one) && (isOwn(one) ? one.answering.includes(event) : one.answering !== ''),
    );
    return isAnswering ? `changes ${this.#found.relation.name}, for which a rule answers with rows` : undefined;
  }

  /** Why rows of rules may come beside those of RETURNING: the server sends all where a rule does something else (PORTAL_MULTI_QUERY). */
  get answersBeside(): string | undefined {
    return this.#reached.some(({ answering }) => answering !== '') ? this.#rewritten : undefined;
  }

  get #rewritten(): string | undefined {
    return this.#reached.some(({ rewritten }) => rewritten)
      ? `changes ${this.#found.relation.name}, for which a rule or trigger does something else`
      : undefined;
  }

  /** What the rule of pg_settings answers an UPDATE with: the setting that it has changed. */
  get changedSetting(): readonly Column[] {
    if (!this.#stored.some(isSettings)) return [];
    const put = this.#assigned.map(({ value }) => value);
    const isWhole = this.#found.type === 'stored' && isSettings(this.#found.relation);
    const isSet = isWhole && this.#assigned.some(({ name }) => name === 'setting');
    const before = isSet ? [] : [storedValue(this.#analysis, undefined)];
    return [{ name: 'set_config', value: computed([...put, ...before], 'derived', TEXT_TYPE) }];
  }

  /** The relations of everybody's that a change may reach: this one, and what is below it. */
  get #stored(): readonly Relation[] {
    return (this.#below ??= this.#findBelow());
  }

  #findBelow(): readonly Relation[] {
    const { catalog } = this.#analysis;
    const found = this.#found;
    if (found.type === 'temporary' && !found.relation.view) return [];
    const oids = new Set(
      found.type === 'stored'
        ? [found.relation.oid]
        : found.relation.columns.flatMap(({ value }) => [...value.sources].map(({ relation }) => relation)),
    );
    for (const oid of oids) for (const to of catalog.guards.read.from(oid)) oids.add(to);
    return [...oids].flatMap((oid) => catalog.relationByOid(oid) ?? []);
  }

  /** The same, and what a view of the session may read by way of other views: that could be any. */
  get #reached(): readonly Relation[] {
    const { type, relation } = this.#found;
    if (type === 'stored' || !relation.view) return this.#stored;
    return this.#analysis.catalog.relations.filter(({ schema }) => schema !== 'pg_catalog');
  }

  /** A temporary table now holds these values too. */
  finish(): void {
    if (this.#found.type === 'temporary' && this.#assigned.length > 0) {
      this.#analysis.effects.push({ type: 'taint', name: this.#found.relation.name, columns: this.#assigned });
    }
  }

  /** What is put there decides where its row goes, or what becomes of other rows: see `comparing.ts`. */
  #isComparedIn(column: string): boolean {
    const { type, relation } = this.#found;
    if (type === 'stored') return this.#stored.some((one) => isPlacedBy(one, column));
    if (!relation.view) return relation.compares === true;
    return [...this.#analysis.session.overlay.relations.values()].some(({ compares }) => compares);
  }

  /** What has been put into columns of these names; undefined: into any. */
  assigned(names: ReadonlySet<string> | undefined): readonly Value[] {
    return this.#assigned.filter(({ name }) => names?.has(name) ?? true).map(({ value }) => value);
  }

  #targetOf(column: string): Target {
    const type = this.item.columns.find(({ name }) => name === column)?.value.type;
    return { column, table: this.item.name, type };
  }

  #basesOf(column: string): BaseColumn[] {
    return [...(this.item.columns.find(({ name }) => name === column)?.value.sources ?? [])];
  }
}

const isSettings = ({ schema, name }: Relation): boolean => schema === 'pg_catalog' && name === 'pg_settings';

/** pg_rewrite.ev_type */
const UPDATE_EVENT = '2';
const INSERT_EVENT = '3';
const DELETE_EVENT = '4';

function insert(analysis: LineageAnalysis, outer: Scope, fields: NodeFields): readonly Column[] {
  const scope = withNamed(analysis, enclosed(outer), fields['withClause']);
  const changed = new ChangedRelation(analysis, relationOf(fields));
  const names = nodesOf(fields['cols']).map((node) => text(node.fields, 'name'));
  for (const { fields: column } of nodesOf(fields['cols'])) asksForPlaces(analysis, scope, column);
  const into = names.length > 0 ? names : changed.item.columns.map(({ name }) => name);
  const values = fields['selectStmt'] === undefined ? [] : readQuery(analysis, scope, fields['selectStmt']);
  for (const [index, { value }] of values.entries()) changed.assign(into[index] ?? '', value);
  const conflict = fields['onConflictClause'];
  if (isFields(conflict)) {
    asksForConflicts(analysis, { ...scope, items: [changed.item] }, fields, into, changed);
    const excluded = item('excluded', changed.after, { open: false, stored: true });
    const inner = { ...scope, items: [changed.item, excluded] };
    assignments(analysis, inner, changed, listOf(conflict, 'targetList'));
    condition(analysis, inner, conflict['whereClause']);
  }
  answered(analysis, fields, changed.answers(INSERT_EVENT));
  return returning(analysis, scope, fields, changed, []);
}

/**
 * ON CONFLICT tells which of the new rows have a value of its unique columns that is there already: of any, where it names none. So it does
 * of the new values, where these are masked ones.
 */
function asksForConflicts(
  analysis: LineageAnalysis,
  scope: Scope,
  { selectStmt, onConflictClause }: NodeFields,
  into: readonly string[],
  changed: ChangedRelation,
): void {
  const infer = isFields(onConflictClause) && isFields(onConflictClause['infer']) ? onConflictClause['infer'] : {};
  const elements = nodesOf(infer['indexElems']).map((element) => element.fields);
  const named = elements.map((element) => text(element, 'name'));
  const select = nodeOf(selectStmt)?.fields;
  const rows = nodesOf(select?.['valuesLists']).map((row) => listOf(row.fields, 'items'));
  for (const { name, value } of changed.item.columns) {
    const at = into.indexOf(name);
    if (elements.length > 0 && !named.includes(name)) continue;
    // Of columns that no value is given for, those that are computed are compared.
    if (at < 0 && value.kind === 'direct' && value.unknown === undefined) continue;
    const written =
      rows.length > 0 &&
      (at < 0 ? elements.length === 0 : rows.every((row) => expression(analysis, scope, row[at]).constant));
    analysis.asks(value, written ? 'equality' : 'other', { values: rows.length, arrays: [] });
  }
  for (const { expr } of elements) analysis.asks(expression(analysis, scope, expr), 'other');
  condition(analysis, scope, infer['whereClause']);
  const isPlain =
    elements.length > 0 && infer['whereClause'] === undefined && named.every((name) => into.includes(name));
  for (const value of changed.assigned(isPlain ? new Set(named) : undefined)) analysis.asks(value, 'other');
}

function update(analysis: LineageAnalysis, outer: Scope, fields: NodeFields): readonly Column[] {
  const { scope, changed, others } = target(analysis, outer, fields, 'fromClause');
  if (changed.mayBeSettings)
    analysis.effects.push({ type: 'code', reason: 'runs after an UPDATE that may have changed a setting', sure: true });
  assignments(analysis, scope, changed, listOf(fields, 'targetList'));
  condition(analysis, scope, fields['whereClause']);
  answered(analysis, fields, changed.answers(UPDATE_EVENT));
  const columns = returning(analysis, scope, fields, changed, others);
  return columns.length > 0 ? columns : changed.changedSetting;
}

/** Of a statement that runs as it is written RETURNING shows all that comes: rows of rules are dropped (PORTAL_ONE_RETURNING in pquery.c). */
function answered(analysis: LineageAnalysis, fields: NodeFields, reason: string | undefined): void {
  if (reason !== undefined && returningOf(fields).length === 0) analysis.answered = reason;
}

function remove(analysis: LineageAnalysis, outer: Scope, fields: NodeFields): readonly Column[] {
  const { scope, changed, others } = target(analysis, outer, fields, 'usingClause');
  condition(analysis, scope, fields['whereClause']);
  answered(analysis, fields, changed.answers(DELETE_EVENT));
  return returning(analysis, scope, fields, changed, others);
}

function merge(analysis: LineageAnalysis, outer: Scope, fields: NodeFields): readonly Column[] {
  const inner = withNamed(analysis, enclosed(outer), fields['withClause']);
  const changed = new ChangedRelation(analysis, relationOf(fields));
  const others = readFrom(analysis, inner, [fields['sourceRelation']]).items;
  const scope = { ...inner, items: [changed.item, ...others] };
  condition(analysis, scope, fields['joinCondition']);
  for (const { fields: clause } of nodesOf(fields['mergeWhenClauses'])) {
    condition(analysis, scope, clause['condition']);
    const targets = listOf(clause, 'targetList');
    if (clause['commandType'] !== 'CMD_INSERT') {
      assignments(analysis, scope, changed, targets);
      continue;
    }
    for (const { fields: column } of nodesOf(targets)) asksForPlaces(analysis, scope, column);
    const names = nodesOf(targets).map((node) => text(node.fields, 'name'));
    const into = names.length > 0 ? names : changed.item.columns.map(({ name }) => name);
    for (const [index, value] of listOf(clause, 'values').entries()) {
      changed.assign(into[index] ?? '', expression(analysis, scope, value));
    }
  }
  return returning(analysis, inner, fields, changed, others, true);
}

function target(
  analysis: LineageAnalysis,
  outer: Scope,
  fields: NodeFields,
  from: string,
): { readonly scope: Scope; readonly changed: ChangedRelation; readonly others: readonly FromItem[] } {
  const inner = withNamed(analysis, enclosed(outer), fields['withClause']);
  const changed = new ChangedRelation(analysis, relationOf(fields));
  const others = readFrom(analysis, inner, listOf(fields, from)).items;
  return { scope: { ...inner, items: [changed.item, ...others] }, changed, others };
}

function assignments(
  analysis: LineageAnalysis,
  scope: Scope,
  changed: ChangedRelation,
  targets: readonly unknown[],
): void {
  for (const { fields } of nodesOf(targets)) {
    const value = fields['val'] === undefined ? NOTHING : expression(analysis, scope, fields['val']);
    // A part of the column: what it becomes is not put together as the value is.
    const isPart = fields['indirection'] !== undefined;
    asksForPlaces(analysis, scope, fields);
    changed.assign(text(fields, 'name'), isPart ? computed([value]) : value, isPart ? undefined : fields['val']);
  }
}

/** Subscripts of a column that is changed decide how many elements it has, and from which number on. */
function asksForPlaces(analysis: LineageAnalysis, scope: Scope, target: NodeFields): void {
  for (const { fields } of nodesOf(target['indirection']))
    for (const one of [fields['lidx'], fields['uidx']])
      if (one !== undefined) analysis.asks(expression(analysis, scope, one), 'other');
}

/** @param last MERGE shows the columns of its source before those of the target */
function returning(
  analysis: LineageAnalysis,
  scope: Scope,
  fields: NodeFields,
  changed: ChangedRelation,
  others: readonly FromItem[],
  last = false,
): readonly Column[] {
  const clause = isFields(fields['returningClause']) ? fields['returningClause'] : undefined;
  changed.finish();
  const targets = returningOf(fields);
  if (targets.length === 0) return [];
  const now = { ...changed.item, columns: changed.after };
  const items = last ? [...others, now] : [now, ...others];
  const all = { ...scope, items: [...items, ...versions(clause, changed, now, items)] };
  const reason = changed.answersBeside;
  return readTargets(analysis, all, targets).map(({ name, value }) => ({ name, value: withUnknown(value, reason) }));
}

/** `old` and `new` since PostgreSQL 18, where no relation of the statement has that name. */
function versions(
  clause: NodeFields | undefined,
  changed: ChangedRelation,
  now: FromItem,
  items: readonly FromItem[],
): FromItem[] {
  if (!clause) return [];
  const options = nodesOf(clause['options']).map((node) => node.fields);
  const named = (option: string, usual: string): string =>
    options.filter((one) => one['option'] === option).map((one) => text(one, 'value'))[0] ?? usual;
  const both = [
    { ...changed.item, columns: changed.before, name: named('RETURNING_OPTION_OLD', 'old'), schema: '', open: false },
    { ...now, name: named('RETURNING_OPTION_NEW', 'new'), schema: '', open: false },
  ];
  return both.filter(({ name }) => !items.some((one) => one.named && one.name === name));
}

const relationOf = (fields: NodeFields): NodeFields => (isFields(fields['relation']) ? fields['relation'] : {});
