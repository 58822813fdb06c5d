/**
 * Functions in PL/pgSQL that a transaction has made in pg_temp, where their statements can all be read: what one returns is computed from
 * all that any of them shows or asks, whichever of them run and in which order. Others are not read: the server looks for the body at
 * each call, and somebody may have replaced it, before or while a statement runs. Owns: which bodies are read, and that sum. Does not
 * own: the statements (`query.ts`). Pure.
 */
import { isFields, nodeOf } from '../ast.js';
import type { Catalog } from '../catalog/catalog.js';
import type { Routine } from '../catalog/objects.js';
import { LineageAnalysis, Unsure } from './analysis.js';
import type { FunctionCall } from './calls.js';
import { mayFail } from './failing.js';
import { readQuery } from './query.js';
import { intoOf } from './returning.js';
import { EMPTY_SCOPE, type Scope } from './scope.js';
import { type SqlResult, refusal, sessionOf } from './sql-functions.js';
import { typeTag } from './types.js';
import { type Value, computed, isNothing, reasonOf } from './value.js';

/** Longer bodies are not read: they would keep the other sessions waiting, some 10 ms for each 1,000 characters. */
const MAX_BODY_CHARACTERS = 8 * 1024;

/** What a call returns; undefined where the body holds anything that is not read. */
export function callPlpgsql(analysis: LineageAnalysis, routine: Routine, call: FunctionCall): SqlResult | undefined {
  try {
    return readCall(analysis, routine, call);
  } catch (error) {
    if (!(error instanceof Unsure)) throw error;
    return undefined;
  }
}

function readCall(analysis: LineageAnalysis, routine: Routine, call: FunctionCall): SqlResult | undefined {
  const { catalog } = analysis;
  // What is assigned to a variable is converted as an assignment, by whatever cast there is.
  if (refusal(routine, call) !== undefined || catalog.casts.some(({ context }) => context !== 'e')) return undefined;
  const body = bodyOf(catalog, routine);
  if (!body) return undefined;
  const session = sessionOf(analysis, routine);
  analysis.readsDefinition(routine.body?.text ?? '');
  const given = computed([...call.args, ...call.others]);
  const read = (held: Value): ReturnType<typeof readStatements> =>
    readStatements(new LineageAnalysis(catalog, session, analysis), body, held);
  const before = read(given);
  const all = computed([given, before.value, ...(body.handles ? [inErrors(analysis, before.analysis)] : [])]);
  if (all.unknown !== undefined) throw new Unsure(all.unknown);
  // Each variable may hold whatever any statement has put into it.
  const { analysis: inner } = read(all);
  if (inner.effects.length > 0 || inner.conditionsOnUnknown.length > 0) return undefined;
  for (const [at, { target, value }] of inner.flows.entries())
    inner.flows[at] = { target, value: computed([value, all]) };
  inner.asks(all, 'other');
  mayFail(inner, all);
  inner.callsVisibly();
  analysis.include(inner);
  return returned(analysis, routine, all);
}

/** @param held what each name means that is no column */
function readStatements(
  analysis: LineageAnalysis,
  { statements }: Body,
  held: Value,
): { readonly analysis: LineageAnalysis; readonly value: Value } {
  const { constant: _, fixed: __, type: ___, ...argument } = held;
  const scope: Scope = { ...EMPTY_SCOPE, argument: () => argument };
  const shown = statements.flatMap((text) => {
    const parsed = analysis.catalog.parse.definition(text);
    const [node, ...others] = parsed.ok ? parsed.statements.map(({ stmt }) => nodeOf(stmt)) : [];
    if (!node || others.length > 0 || intoOf(node.fields)) throw new Unsure('has a statement that is not understood');
    return readQuery(analysis, scope, { [node.kind]: node.fields }).map(({ value }) => value);
  });
  const { flows, predicates } = analysis;
  const asked = predicates.map(({ column }) => column);
  const moved = flows.map(({ value }) => value);
  return { analysis, value: computed([...shown, ...moved, { sources: new Set(asked), kind: 'derived' }]) };
}

/** What an error may say that the body catches: the values of any row of the tables that it works on, and of those behind them. */
function inErrors({ catalog, session }: LineageAnalysis, { relations }: LineageAnalysis): Value {
  const { guards } = catalog;
  const reached = new Set(relations);
  for (const oid of reached) for (const to of [...guards.read.from(oid), ...guards.written.from(oid)]) reached.add(to);
  const runsCode = [...reached].some((oid) => guards.onRead.has(oid) || guards.onWrite.has(oid));
  if (runsCode || session.overlay.relations.size > 0) throw new Unsure('catches errors of code that nobody has read');
  const columns = [...reached].flatMap((oid) => catalog.relationByOid(oid)?.columns ?? []);
  return { sources: new Set(columns.flatMap(({ base }) => catalog.roots(base))), kind: 'derived' };
}

function returned(analysis: LineageAnalysis, { outputs, returns }: Routine, all: Value): SqlResult {
  const { fixed: _, ...value } = computed([all], 'derived', typeTag(analysis, returns));
  if (outputs.length < 2) return { value: isNothing(value) || reasonOf([value]) === undefined ? value : all };
  const row = outputs.map(({ name, type }, at) => ({
    name: name || `column${at + 1}`,
    value: computed([value], 'derived', typeTag(analysis, type)),
  }));
  return { value: { ...value, row }, columns: row };
}

interface Body {
  /** Its statements, and its expressions as queries. */
  readonly statements: readonly string[];
  /** It has handlers, which are told of errors. */
  readonly handles: boolean;
  /** Names of the types of its variables, as it spells them. */
  readonly types: readonly string[];
}

/** @returns undefined where it has anything in it that is not known to be harmless */
function bodyOf(catalog: Catalog, routine: Routine): Body | undefined {
  const { text = '' } = routine.body ?? {};
  // Behind `#` stand options of the compiler.
  if (text.length > MAX_BODY_CHARACTERS || text.includes(QUOTE) || /^\s*#/.test(text)) return undefined;
  const declared = [...routine.outputs.map(({ type }) => type), routine.returns];
  if (declared.some((oid) => catalog.checksByCode(oid))) return undefined;
  const body = parsedOnce(catalog, `${declarationOf(catalog, routine)} language plpgsql as ${QUOTE}${text}${QUOTE}`);
  const checked = [...catalog.namesCheckedByCode];
  return body?.types.some((name) => checked.some((one) => name.includes(one))) === true ? undefined : body;
}

const QUOTE = '$body_of_a_function$';

/** What was parsed last, by its text: a catalog is read again after each definition, and bodies are the same. */
const parsed = new Map<string, Body | undefined>();
const MAX_PARSED = 200;

function parsedOnce({ parse }: Catalog, definition: string): Body | undefined {
  if (parsed.has(definition)) return parsed.get(definition);
  const found = { statements: [] as string[], kinds: new Set<string>(), types: [] as string[] };
  const tree = parse.plpgsql(definition);
  const isRead = tree !== undefined && gather(tree, found);
  const { statements, kinds, types } = found;
  const body = isRead ? { statements, handles: kinds.has('PLpgSQL_exception_block'), types } : undefined;
  const [oldest] = parsed.keys();
  if (parsed.size >= MAX_PARSED && oldest !== undefined) parsed.delete(oldest);
  parsed.set(definition, body);
  return body;
}

/** By it the names of results are known in the body. */
function declarationOf(catalog: Catalog, { outputs, returns, returnsSet }: Routine): string {
  const named = (oid: number): string => {
    const type = catalog.typeByOid(oid);
    return type ? `${quoted(type.schema)}.${quoted(type.name)}` : 'record';
  };
  const made = outputs.map(({ name, type }, at) => `out ${quoted(name || `_${at}`)} ${named(type)}`);
  const result = made.length > 0 && !returnsSet ? '' : `returns ${returnsSet ? 'setof ' : ''}${named(returns)}`;
  return `create function f(${made.join()}) ${result}`;
}

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** Nodes whose parts are expressions, statements and names, and that do nothing beside. */
const HARMLESS: ReadonlySet<string> = new Set(
  `function stmt_block stmt_assign stmt_if if_elsif stmt_case case_when stmt_loop stmt_while stmt_fori stmt_fors stmt_foreach_a
   stmt_exit stmt_return stmt_return_next stmt_return_query stmt_raise raise_option stmt_assert stmt_execsql stmt_perform
   stmt_getdiag diag_item exception_block exception condition var rec row recfield type`
    .split(/\s+/)
    .map((kind) => `PLpgSQL_${kind}`),
);

interface Found {
  readonly statements: string[];
  readonly kinds: Set<string>;
  readonly types: string[];
}

function gather(value: unknown, found: Found): boolean {
  if (Array.isArray(value)) return value.every((one) => gather(one, found));
  if (!isFields(value)) return true;
  return Object.entries(value).every(([key, part]) => {
    if (key === 'dynquery' || key.startsWith('cursor_')) return false;
    if (!key.startsWith('PLpgSQL_')) return gather(part, found);
    const fields = isFields(part) ? part : {};
    if (key === 'PLpgSQL_expr') {
      const query = queryOf(String(fields['query'] ?? ''), Number(fields['parseMode'] ?? -1));
      if (query !== undefined) found.statements.push(query);
      return query !== undefined;
    }
    found.kinds.add(key);
    if (key === 'PLpgSQL_type') found.types.push(String(fields['typname'] ?? ''));
    return HARMLESS.has(key) && gather(part, found);
  });
}

/** RawParseMode (parser.h): a statement; what may stand behind SELECT; an assignment, of which the target is a variable. */
function queryOf(text: string, mode: number): string | undefined {
  if (mode === 0) return text;
  if (mode === 2) return `select ${text}`;
  const target = mode > 2 ? /^\s*[\w$]+(?:\s*\.\s*[\w$]+){0,2}\s*:?=/.exec(text) : null;
  return target ? `select ${text.slice(target[0].length)}` : undefined;
}
