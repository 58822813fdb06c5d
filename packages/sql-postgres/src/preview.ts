/**
 * What a held statement would change, tried at the target in a transaction that is rolled back. Owns: when that may be done, which is only where
 * nothing of it would last, and what is shown. Does not: decide who wants it, or look up estimates (impact.ts).
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Turns } from '@sluice/analysis';
import { type Preview, looked } from '@sluice/approvals';
import {
  type Facts,
  type Lookup,
  type MaskRule,
  QueryError,
  type SqlCommand,
  matcherOf,
  partsOfColumn,
} from '@sluice/contract';
import { cellMaskOf, builtIn, entityOf } from '@sluice/masking';
import { type Node, type NodeFields, isFields, nodeOf, nodesOf, strings, text } from './ast.js';
import { tooLong } from './costly.js';
import { ESTIMATED, literal, planned, valuesOf, whyNot } from './estimate.js';
import { loadGrammar } from './grammar.js';
import { type PreviewTable, columnsOf, generatedIn, locked, whyItLasts } from './preview-tables.js';

/** How long it is tried again while others hold locks, how long it may run, and all of it together with its turn, in milliseconds. */
const TIMEOUT_MS = 2_000;
const MAX_PREVIEW_MS = 6_000;
/**
 * How long it waits for a lock while it holds others. The server looks for a deadlock when somebody has waited for a second (`deadlock_timeout`), and
 * ends whoever finds it: the preview has long given up by then, and holds nothing while it waits to be tried again.
 */
const LOCK_TIMEOUT_MS = 10;
/** Between the first two attempts; each time twice as long. */
const PAUSE_MS = 100;
/** Where the planner expects more, nobody wants them written and taken back. */
const MAX_ROWS = 10_000;
const SHOWN_ROWS = 5;
/** So many are tried at a time, and of one person; others wait for their turn, and leave some time to be tried in. */
const MAX_AT_ONCE = 2;
const MAX_OF_ONE = 1;
const MAX_TURN_MS = 4_000;
const SHOWN_CHARACTERS = 100;
const TEXT = 25;
const MASKED = '[masked]';

/** Of what is prepared for it. */
const TRIED = 'sluice_preview';

const turns = new Turns(MAX_AT_ONCE, MAX_OF_ONE);

/** The text is read as the gateway has read it. */
const BEGIN = `begin; set local standard_conforming_strings = on; set local statement_timeout = ${TIMEOUT_MS}; set local lock_timeout = ${LOCK_TIMEOUT_MS}; set local idle_in_transaction_session_timeout = ${MAX_PREVIEW_MS}; set local plan_cache_mode = force_custom_plan`;

interface Tried {
  readonly command: SqlCommand;
  readonly facts: Facts;
  /** Every mask that a rule of the connection has, whomever it is for: so no approver sees more than they would by asking. */
  readonly masks: readonly MaskRule[];
  /** The person who answers for whoever asks: others wait for nothing of theirs. */
  readonly asker: string;
}

/**
 * Never rejects.
 *
 * @param unfit why it cannot be tried from another session: a phrase; undefined: names, role and data are those of the gateway's own connection
 * @param open a connection of the gateway's own, as the role that the session has
 */
export async function previewOf(
  tried: Tried,
  unfit: string | undefined,
  open: () => Promise<Lookup>,
): Promise<Preview> {
  if (unfit !== undefined) return { unknown: unfit };
  const asked = performance.now();
  const over = await turns.take(tried.asker, MAX_TURN_MS);
  if (!over) return { unknown: 'too many statements are being tried' };
  let preview: Preview | undefined;
  const { unknown } = await looked(
    open,
    async (side) => {
      preview = await triedOn(side, tried);
      return { tables: [] };
    },
    MAX_PREVIEW_MS - (performance.now() - asked),
  ).finally(over);
  return preview ?? { unknown: unknown ?? 'it could not be tried' };
}

/** What keeps a statement from being tried, in a phrase that says nothing of values. */
class Untried extends Error {}

async function triedOn(side: Lookup, tried: Tried): Promise<Preview> {
  try {
    const change = await changeOf(tried);
    const until = performance.now() + TIMEOUT_MS;
    for (let pause = PAUSE_MS; ; pause *= 2) {
      const preview = await attempt(side, tried, change);
      if (preview !== 'locked') return preview;
      if (performance.now() + pause > until) return { unknown: LOCKED };
      await sleep(pause);
    }
  } catch (error) {
    if (error instanceof Untried) return { unknown: error.message };
    if (error instanceof QueryError) return { unknown: inWords(error.sqlstate) };
    throw error;
  }
}

/** 'locked': others hold locks on what it changes now. */
async function attempt(side: Lookup, tried: Tried, change: Change): Promise<Preview | 'locked'> {
  try {
    await side.query(BEGIN);
    return await run(side, tried, change);
  } catch (error) {
    if (error instanceof QueryError && GIVES_UP.has(error.sqlstate)) return 'locked';
    throw error;
  } finally {
    // Nothing of it lasts where this is not heard either: a connection that ends takes its transaction back. Statements that were prepared outlive it
    // at a pooler, whose process of the server is somebody else's next: hence in one message.
    const prepared = tried.command.parameters?.length ? `; deallocate ${ESTIMATED}; deallocate ${TRIED}` : '';
    await side.query(`rollback${prepared}`).catch(() => undefined);
  }
}

/** One INSERT, UPDATE or DELETE. */
interface Change {
  readonly verb: 'insert' | 'update' | 'delete';
  readonly table: string;
  /** What the statement calls its table. */
  readonly alias: string;
  readonly returns: boolean;
  /** Values of columns that rules mask may be in what it writes. */
  readonly moves: boolean;
  /** Columns that may be in what it writes, where rules mask any. */
  readonly reads: readonly string[];
  /** It may put defaults of columns into rows. */
  readonly usesDefaults: boolean;
  /** Of types that it names, without their schemas. */
  readonly types: readonly string[];
  /** Columns that rows which are there are given a value of. */
  readonly sets: readonly string[];
  /** The statement without what stands behind it. */
  readonly statement: string;
}

const VERBS: Readonly<Record<string, Change['verb']>> = {
  InsertStmt: 'insert',
  UpdateStmt: 'update',
  DeleteStmt: 'delete',
};

async function changeOf({
  command: { text: written, dialect },
  facts: { actions, executes },
  masks,
}: Tried): Promise<Change> {
  if (dialect.name !== 'postgres') throw new Untried('only statements of PostgreSQL are tried');
  if (executes) throw new Untried('it executes what was prepared before');
  if (tooLong(written)) throw new Untried('it is too long to be tried');
  const parsed = (await loadGrammar(dialect.major))(written);
  const [only, ...others] = parsed.ok ? parsed.statements : [];
  const node: Node | undefined = nodeOf(only?.['stmt']);
  const verb = node && VERBS[node.kind];
  if (!only || !node || !verb || others.length > 0)
    throw new Untried('only a single INSERT, UPDATE or DELETE is tried');
  if (actions.some(({ effects }) => effects.some((effect) => !TRIED_EFFECTS.has(effect))))
    throw new Untried('it does something of which nobody knows what it is');
  const writes = actions.flatMap(({ resources }) => resources.filter(({ access }) => access !== 'read'));
  if (writes.some(({ type, access }) => type !== 'table' && access !== 'execute') || changedTables(actions).size !== 1)
    throw new Untried('it changes more than one table by itself');
  const relation = node.fields['relation'] as Readonly<Record<string, unknown>>;
  const alias = relation['alias'] as Readonly<Record<string, unknown>> | undefined;
  const start = Number(only['stmt_location'] ?? 0);
  const length = Number(only['stmt_len'] ?? 0);
  // The grammar counts bytes.
  const bytes = Buffer.from(written);
  const [table] = changedTables(actions);
  return {
    verb,
    table: table ?? '',
    alias: alias ? text(alias, 'aliasname') : text(relation, 'relname'),
    returns: hasAny(node.fields, 'returningList') || hasAny(node.fields, 'returningClause'),
    ...movesMasked(node.fields, verb, masks),
    types: typesIn(node),
    sets: setsIn(node),
    usesDefaults: verb === 'insert' || JSON.stringify(node).includes('SetToDefault'),
    statement: bytes.toString('utf8', start, length > 0 ? start + length : bytes.length),
  };
}

/**
 * It names a column that some rule masks, in whichever table, or all columns of one, or gives them other names, or reads a catalog of the server's,
 * which may hold values of any table. Conditions of one table alone choose rows, and write nothing.
 */
function movesMasked(
  fields: Node['fields'],
  verb: Change['verb'],
  masks: readonly MaskRule[],
): Pick<Change, 'moves' | 'reads'> {
  const patterns = masks.flatMap(({ columns }) => columns.flatMap((one) => partsOfColumn(one).at(-1) ?? []));
  if (verb === 'delete' || patterns.length === 0) return { moves: false, reads: [] };
  const matchers = patterns.map((part) => matcherOf(part));
  const names: string[] = [];
  const relations = new Set<string>();
  let isWhole = false;
  const look = (value: unknown): void => {
    if (Array.isArray(value)) return value.forEach(look);
    if (typeof value !== 'object' || value === null) return;
    if (renamesColumns(value as NodeFields) || isOfServer(value as NodeFields)) isWhole = true;
    for (const [name, inside] of Object.entries(value)) {
      if (name === 'A_Star') isWhole = true;
      else if (name === 'ColumnRef') names.push(lastName(inside));
      else if (name === 'relname' || name === 'aliasname') relations.add(String(inside));
      look(inside);
    }
  };
  const readsOthers = hasAny(fields, 'fromClause');
  for (const [name, inside] of Object.entries(fields)) if (name !== 'whereClause' || readsOthers) look(inside);
  const isMasked = (name: string): boolean => relations.has(name) || matchers.some((one) => one.test(name));
  return { moves: isWhole || names.some(isMasked), reads: names };
}

function setsIn({ fields }: Node): string[] {
  const { onConflictClause } = fields;
  const list = isFields(onConflictClause) ? onConflictClause['targetList'] : fields['targetList'];
  return nodesOf(list).map((target) => text(target.fields, 'name'));
}

/** Names of types are the only lists of names that are called so in a tree. */
function typesIn(node: Node): string[] {
  const found = new Set<string>();
  const look = (value: unknown): void => {
    if (Array.isArray(value)) return value.forEach(look);
    if (!isFields(value)) return;
    const name = strings(value['names']).at(-1);
    if (name !== undefined) found.add(name);
    Object.values(value).forEach(look);
  };
  look(node.fields);
  return [...found];
}

/** A table or a join has names of the statement's own for its columns: `people AS p (a, b)`. What a sub-query has them for is looked at itself. */
const renamesColumns = (fields: NodeFields): boolean =>
  ('relname' in fields || 'jointype' in fields) && isFields(fields['alias']) && hasAny(fields['alias'], 'colnames');

const isOfServer = (fields: NodeFields): boolean =>
  'relname' in fields &&
  (text(fields, 'relname').startsWith('pg_') ||
    ['pg_catalog', 'information_schema'].includes(text(fields, 'schemaname')));

const lastName = (column: unknown): string => strings((column as { readonly fields?: unknown }).fields).at(-1) ?? '';

const TRIED_EFFECTS: ReadonlySet<string> = new Set(['read', 'write', 'destroy', 'secret']);
const hasAny = (fields: Node['fields'], name: string): boolean =>
  Array.isArray(fields[name]) ? fields[name].length > 0 : fields[name] !== undefined;

const changedTables = (actions: Facts['actions']): Set<string> =>
  new Set(
    actions.flatMap(({ resources }) =>
      resources.flatMap(({ type, access, name }) => (type === 'table' && access !== 'read' ? [name] : [])),
    ),
  );

async function run(side: Lookup, { command, facts, masks }: Tried, found: Change): Promise<Preview> {
  const named = new Set(
    facts.actions.flatMap(({ resources }) => resources.flatMap(({ type, name }) => (type === 'table' ? [name] : []))),
  );
  // From here on nobody else can give these tables a trigger or the like.
  const reached = await locked(side, found.table, found.verb, [...named]);
  if (typeof reached === 'string') throw new Untried(reached);
  const why = (await whyNot(side, facts)) ?? (await whyItLasts(side, facts, reached, found));
  if (why !== undefined) throw new Untried(why);
  const { changed } = await planned(side, command);
  const expected = [...changed.values()].reduce((sum, rows) => sum + rows, 0);
  if (expected > MAX_ROWS) throw new Untried(`it would change about ${expected} rows, which are too many to try`);
  await side.query('set constraints all immediate');
  const generated = await generatedIn(side, reached.all);
  // What they are made of may be masked.
  const change = { ...found, moves: found.moves || found.reads.some((name) => generated.has(name)) };
  const table = await columnsOf(side, reached.changed, masks);
  const sql = `with sluice_changed as (\n${change.statement}\n${change.returns ? '' : `returning ${quotedName(change.alias)}.*, true`}) ${selectOf(change, table)}`;
  const rows = await side.query(await withValues(side, sql, command));
  return { rows: Number(rows[0]?.[0] ?? 0), ...sampleOf(change, table, rows, masks) };
}

const quotedName = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** How many rows there are, and the first of them: as they are then, and by their key as they were. */
function selectOf(change: Change, table: PreviewTable): string {
  const { verb, returns, moves } = change;
  const { columns, key, name } = table;
  const count = '(select count(*) from sluice_changed)::text';
  if (returns || moves || columns.length === 0) return `select ${count}`;
  const own = columns.map((_, at) => `c${at}`);
  const shown = (of: string, all: readonly string[]): string =>
    all.map((column) => `left(${of}.${column}::text, ${SHOWN_CHARACTERS + 1})`).join(', ');
  const then = `(select * from sluice_changed limit ${SHOWN_ROWS}) s (${[...own, 'is_row'].join(', ')}) on true`;
  const head = `select ${count}, s.is_row::text, ${shown('s', own)}`;
  const from = `from (select 1) one left join ${then}`;
  if (verb === 'delete' || !keepsKey(change, table)) return `${head} ${from}`;
  // Behind a WITH that changes it, the table itself is still as it was.
  const same = key.map((at) => `b.${quotedName(columns[at]?.name ?? '')} = s.c${at}`).join(' and ');
  const before = shown(
    'b',
    columns.map((column) => quotedName(column.name)),
  );
  return `${head}, (b.ctid is not null)::text, ${before} ${from} left join ${name} b on ${same}`;
}

/** What was there by the key of a row is what became of it. */
const keepsKey = ({ sets }: Change, { columns, key }: PreviewTable): boolean =>
  key.length > 0 && key.every((at) => !sets.includes(columns[at]?.name ?? ''));

/** With what was bound, as literals. */
async function withValues(side: Lookup, sql: string, { parameters = [] }: SqlCommand): Promise<string> {
  if (parameters.length === 0) return sql;
  await side.query(`prepare ${TRIED} as ${sql}`);
  const values = await valuesOf(side, TRIED, parameters);
  if (!values) throw new Untried('its values are in binary format');
  return `execute ${TRIED} (${values.join(', ')})`;
}

type Cells = readonly (string | null)[];
type SampleRow = Extract<Preview, { rows: number }>['sample'][number];

function sampleOf(
  change: Change,
  table: PreviewTable,
  rows: readonly Cells[],
  masks: readonly MaskRule[],
): Pick<Extract<Preview, { rows: number }>, 'columns' | 'sample'> {
  const { verb, returns, moves } = change;
  const { columns } = table;
  if (returns || moves || columns.length === 0) return { columns: [], sample: [] };
  const found = columns.map(({ type }) => detecting(masks, type));
  const cells = (all: Cells): Cells =>
    all.map((value, at) => shownOf(value, columns[at]?.isMasked === true, found[at]));
  const width = columns.length;
  const sample = rows.flatMap((row): SampleRow[] => {
    if (row[1] !== 'true') return [];
    const then = cells(row.slice(2, 2 + width));
    if (verb === 'delete') return [{ before: then }];
    const isThere = keepsKey(change, table) && row[2 + width] === 'true';
    return [{ ...(isThere && { before: cells(row.slice(3 + width)) }), after: then }];
  });
  return { columns: columns.map(({ name }) => name), sample };
}

/** json, jsonb and bytea write texts in other words, as arrays of them do: what is found is in the text that is meant. By pg_type.oid. */
const WRITTEN_OTHERWISE: ReadonlySet<number> = new Set([17, 114, 199, 1001, 3802, 3807]);

/** What detectors of masks look for, as a mask of the text of a value. */
function detecting(masks: readonly MaskRule[], type: number): ReturnType<typeof cellMaskOf> {
  const entities = masks.flatMap(({ detect }) => detect.flatMap((name) => entityOf(name) ?? []));
  if (entities.length === 0) return undefined;
  const modes = new Map(entities.map((entity) => [entity, { type: 'redact' as const }]));
  return cellMaskOf({
    type: 'detect',
    of: builtIn(WRITTEN_OTHERWISE.has(type) ? type : TEXT),
    format: 'text',
    options: { modes, key: Buffer.alloc(32) },
  });
}

function shownOf(value: string | null, isMasked: boolean, found: ReturnType<typeof cellMaskOf>): string | null {
  if (value === null) return null;
  if (isMasked) return MASKED;
  // What is cut may hold the start of something that is only found as a whole.
  const isCut = value.length > SHOWN_CHARACTERS;
  if (isCut && found) return MASKED;
  const bytes = Buffer.from(value);
  const made = found?.(bytes, 0, bytes.length);
  if (made === undefined) return isCut ? `${value.slice(0, SHOWN_CHARACTERS)}...` : value;
  return made === null ? MASKED : made.toString();
}

const LOCKED = `others hold locks on what it changes, for longer than ${TIMEOUT_MS / 1_000} s`;
/** It did not get a lock, or waited for somebody who waits for it, where the server looks for that sooner. */
const GIVES_UP: ReadonlySet<string> = new Set(['55P03', '40P01']);

/** Words of the server may hold values. */
function inWords(sqlstate: string): string {
  if (sqlstate === '57014') return `it takes longer than ${TIMEOUT_MS / 1_000} s`;
  if (sqlstate.startsWith('23')) return `it would fail: a constraint is not kept (${sqlstate})`;
  if (sqlstate === '42501') return 'the role at the target may not do it (42501)';
  return `the target does not run it (${literal(sqlstate).slice(1, -1)})`;
}
