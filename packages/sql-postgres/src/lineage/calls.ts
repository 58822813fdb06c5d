/**
 * Function calls: whose function it is decides whether its result depends on its arguments alone. Does not: read the bodies
 * (sql-functions.ts). Pure.
 */
import { type NodeFields, isFields, nodeOf, strings, text } from '../ast.js';
import type { Routine } from '../catalog/objects.js';
import { callFacts } from '../functions.js';
import { LARGE_OBJECT_CONTENTS, LARGE_OBJECT_READERS } from '../large-objects.js';
import { type LineageAnalysis, BEHIND_DEFINITION, listOf } from './analysis.js';
import { asCast, asField } from './call-notation.js';
import { functionName } from './other-definitions.js';
import { expression, expressions, windowOf } from './expression.js';
import { ownTablesOf, readsNothing } from './known-functions.js';
import { functionMayFail, mayFail, mayLeaveOut } from './failing.js';
import { certain, meantRoutines, typesOf } from './overloads.js';
import { changedByCall } from './part-access.js';
import { castReason, partsOfCall } from './parts.js';
import { callPlpgsql } from './plpgsql.js';
import { callSql } from './sql-functions.js';
import { readSetting, sendNotification, storedValue, writeSetting } from './settings.js';
import { typeOfResult } from './results.js';
import type { Scope } from './scope.js';
import { anyOf, blurred } from './types.js';
import { type Column, NOTHING, type Value, computed, isFixed, isNothing, unknown, withUnknown } from './value.js';

/** A call with its arguments worked out. */
export interface FunctionCall {
  readonly name: readonly string[];
  readonly args: readonly Value[];
  /** Names of arguments that are given by name, at the places of `args`. */
  readonly argNames: readonly (string | undefined)[];
  /** FILTER, ORDER BY, WITHIN GROUP and OVER. */
  readonly others: readonly Value[];
  readonly variadic: boolean;
  readonly distinct: boolean;
  /** Neither FILTER nor WITHIN GROUP, which make a count depend on values. */
  readonly unfiltered: boolean;
  /** Some of the arguments stand in an ORDER BY. */
  readonly withinGroup: boolean;
  readonly nodes: readonly unknown[];
}

/** The value of a FuncCall. */
export function call(analysis: LineageAnalysis, scope: Scope, fields: NodeFields): Value {
  return resultOf(analysis, readCall(analysis, scope, fields)).value;
}

export function readCall(analysis: LineageAnalysis, scope: Scope, fields: NodeFields): FunctionCall {
  const before = analysis.failures;
  const nodes = listOf(fields, 'args').filter((node) => !isVoid(analysis, scope, node));
  const order = expressions(analysis, scope, listOf(fields, 'agg_order'));
  // The server sorts the rows once, and other aggregates of the query get them in that order (since PostgreSQL 16).
  if (fields['agg_within_group'] !== true) analysis.asks(computed(order), 'other');
  const others = [expression(analysis, scope, fields['agg_filter']), ...order];
  const args = expressions(analysis, scope, nodes);
  const whole = computed([...args, ...others]);
  if (fields['agg_filter'] !== undefined) mayLeaveOut(analysis, whole, whole, before);
  // How many different ones there are.
  if (fields['agg_distinct'] === true) analysis.asks(computed(args), 'other');
  if (isFields(fields['over'])) others.push(windowOf(analysis, scope, fields['over']));
  return {
    name: strings(fields['funcname']),
    args,
    argNames: nodes.map(nameOfArgument),
    others,
    variadic: fields['func_variadic'] === true,
    distinct: fields['agg_distinct'] === true,
    unfiltered: fields['agg_filter'] === undefined && fields['agg_within_group'] !== true,
    withinGroup: fields['agg_within_group'] === true,
    nodes,
  };
}

/** A driver's placeholder for a result (`{? = call f(?)}`): the server leaves it out (ParseFuncOrColumn). */
function isVoid({ session: { voidParameters } }: LineageAnalysis, scope: Scope, node: unknown): boolean {
  // In the body of a function, numbers are those of its arguments.
  if (!voidParameters || scope.argument) return false;
  const parameter = nodeOf(node);
  return parameter?.kind === 'ParamRef' && voidParameters.includes(Number(parameter.fields['number'] ?? 0));
}

/** What a call returns: its value, and its columns where it stands in FROM and returns a composite. */
export interface CallResult {
  readonly value: Value;
  readonly columns?: readonly Column[];
  /** The functions of this name that it may call. */
  readonly routines: readonly Routine[];
}

export function resultOf(analysis: LineageAnalysis, one: FunctionCall): CallResult {
  const { uncertain } = analysis.session.overlay;
  const result = resultByName(analysis, one);
  if (uncertain === undefined || (one.name.length > 1 && one.name[0] === 'pg_catalog')) return result;
  const columns = result.columns?.map(({ name, value }) => ({ name, value: withUnknown(value, uncertain) }));
  return { ...result, value: withUnknown(result.value, uncertain), ...(columns && { columns }) };
}

function resultByName(analysis: LineageAnalysis, one: FunctionCall): CallResult {
  const isOwn = one.name.length === 2 && one.name[0] === 'pg_temp';
  if (!isOwn && analysis.session.overlay.defined.has(functionName(one.name.at(-1) ?? '')))
    return { value: opaque(analysis, one, BEHIND_DEFINITION), routines: [] };
  const found = meantRoutines(analysis, one, findRoutines(analysis, one.name));
  if (found.length === 0) {
    const value = asField(analysis, one) ?? opaque(analysis, one, `calls ${one.name.join('.')}, which is not known`);
    return { value, routines: [] };
  }
  // How many rows a set has, its arguments decide.
  if (found.some(({ returnsSet }) => returnsSet)) analysis.asks(computed([...one.args, ...one.others]), 'other');
  const casts = asCast(analysis, one, found);
  const results = resultsOf(analysis, one, found);
  const [first, ...others] = results;
  const value = anyOf(
    analysis,
    [...results, ...casts].map((result) => result.value),
  );
  const columns = casts.length === 0 && others.length === 0 ? first?.columns : undefined;
  return {
    value: casts.length > 0 ? value : typed(analysis, found, one, value),
    ...(columns && { columns }),
    routines: found,
  };
}

/** What the functions return that the server may call, those that are judged alike together. */
function resultsOf(
  analysis: LineageAnalysis,
  one: FunctionCall,
  found: readonly Routine[],
): Omit<CallResult, 'routines'>[] {
  const results: Omit<CallResult, 'routines'>[] = [];
  const builtIns = found.filter(({ schema }) => schema === 'pg_catalog');
  if (builtIns.length > 0) results.push({ value: builtIn(analysis, one, builtIns) });
  const own = found.filter(({ schema }) => schema !== 'pg_catalog');
  if (own.some(({ volatility }) => volatility === 'v')) analysis.callsVisibly();
  const known = own.filter((routine) => readsNothing(analysis.catalog, routine));
  if (known.length > 0) results.push({ value: valueOfKnown(analysis, one, known) });
  for (const routine of own) if (!known.includes(routine)) results.push(resultOfOwn(analysis, one, routine));
  return results;
}

function resultOfOwn(analysis: LineageAnalysis, one: FunctionCall, routine: Routine): Omit<CallResult, 'routines'> {
  const all = [...one.args, ...one.others];
  const read = routine.body && bodyResult(analysis, routine, one);
  if (read) {
    if (routine.schema === 'pg_temp' && read.value.unknown === undefined) analysis.callsOwnFunction();
    return read;
  }
  if (callFacts([routine.schema, routine.name]).reason === undefined) {
    const value = computed(all);
    mayFail(analysis, value);
    return { value };
  }
  const value = opaque(analysis, one, `calls ${one.name.join('.')}, which runs code that nobody has read`);
  // What returns void returns nothing, whatever it does; but NULL where it is STRICT and an argument is.
  return { value: routine.returns === VOID ? noValue(all) : value };
}

/** What a call returns by the body of the function; undefined where that is not read. */
function bodyResult(
  analysis: LineageAnalysis,
  routine: Routine,
  one: FunctionCall,
): Omit<CallResult, 'routines'> | undefined {
  if (routine.language === 'sql') return callSql(analysis, routine, one);
  return routine.schema === 'pg_temp' ? callPlpgsql(analysis, routine, one) : undefined;
}

/** A type that is certain because all functions that may be called return it. */
function typed(analysis: LineageAnalysis, found: readonly Routine[], one: FunctionCall, value: Value): Value {
  const [routine, ...others] = found;
  if (!routine || !others.every(({ returns }) => returns === routine.returns)) return value;
  if (found.some(({ outputs }) => outputs.length > 0)) return value;
  const type = others.length === 0 && isOfArgument(analysis, routine, one) ? value.type : routine.returns;
  return { ...value, ...certain(analysis, type) };
}

/** Whether the type of the one polymorphic argument, which is certain, decides that of the result. */
function isOfArgument(
  { catalog }: LineageAnalysis,
  { returns, inputs }: Routine,
  { args, nodes }: FunctionCall,
): boolean {
  const isPolymorphic = (oid: number): boolean => catalog.typeByOid(oid)?.kind === 'p';
  const types = typesOf(args, nodes);
  const given = inputs.flatMap((oid, at) => (isPolymorphic(oid) ? [types[at]] : []));
  const [only] = given;
  return (
    isPolymorphic(returns) && given.length === 1 && typeof only === 'number' && catalog.typeByOid(only)?.kind === 'b'
  );
}

/** pg_type.oid of void. */
const VOID = 2278;
function noValue(args: readonly Value[]): Value {
  const { type: _, stored: __, fixed: ___, ...value } = computed(args);
  return value;
}

/** `(value).name` where there is no such field: functional notation. */
export function callByField(analysis: LineageAnalysis, name: string, value: Value): Value {
  // A field of a composite whose structure is not known: it is some part of the whole.
  const isNew = analysis.session.overlay.defined.has(functionName(name));
  if (!isNew && findRoutines(analysis, [name]).length === 0) return computed([value]);
  return resultOf(analysis, plainCall([name], [value])).value;
}

/** A call with nothing but arguments, each of them in its place. */
export const plainCall = (name: readonly string[], args: readonly Value[]): FunctionCall => ({
  name,
  args,
  argNames: args.map(() => undefined),
  others: [],
  variadic: false,
  distinct: false,
  unfiltered: true,
  withinGroup: false,
  nodes: [],
});

/** Every overload that the server may choose from. */
export function findRoutines({ catalog, path, session }: LineageAnalysis, name: readonly string[]): readonly Routine[] {
  const [plain = '', schema] = name.toReversed();
  const own = schema === 'pg_temp' ? session.overlay.functions.get(plain) : undefined;
  if (own) return [own];
  if (schema !== undefined) return catalog.routines(schema, plain);
  // pg_temp is never searched for functions (FuncnameGetCandidates).
  return path.flatMap((one) => catalog.routines(one, plain));
}

/** Functions that tell how many or in which place, and nothing of the values. */
const COUNTS: ReadonlySet<string> = new Set(
  'count row_number rank dense_rank ntile percent_rank cume_dist regr_count'.split(' '),
);
/** A computation may be NULL or not by what the value is, and how many of them are NULL would tell. */
const isStored = ({ kind, row, unknown: reason }: Value): boolean =>
  reason === undefined && (kind === 'direct' || row !== undefined);
/** Whether the result says nothing of the values: other functions than these take a number that decides what they count. */
const isCounted = (plain: string, args: readonly Value[]): boolean =>
  COUNTS.has(plain) && args.every(plain === 'count' || plain === 'regr_count' ? isStored : isNothing);
/** Why a value is unknown that shows what other sessions run: a phrase. */
export const OTHERS_STATEMENTS = 'shows the statements of other sessions';
/** Functions that show what other sessions run, with the values in it. */
const OTHERS_TEXTS = /^pg_stat_(get_activity|get_backend_activity|statements)$/;
/** Functions that show where a sequence is, which code may have set to anything. */
const SEQUENCES: ReadonlySet<string> = new Set(['currval', 'lastval', 'nextval']);

function unreadSequence({ session }: LineageAnalysis): string | undefined {
  const { relations, uncertain } = session.overlay;
  return uncertain ?? [...relations.values()].find(({ sequence, written }) => sequence && written)?.written;
}

/** Functions that are harmless but leave something behind that others can see. */
const VISIBLE =
  /^(pg_(try_)?advisory_|setseed$|pg_sleep|pg_notify$|set_config$|nextval$|setval$|lo_|loread$|lowrite$|(txid_current|pg_current_xact_id|pg_export_snapshot)$)/;

function builtIn(analysis: LineageAnalysis, one: FunctionCall, found: readonly Routine[]): Value {
  const plain = one.name.at(-1) ?? '';
  if (VISIBLE.test(plain)) analysis.callsVisibly();
  if (plain === 'pg_notify') return sendNotification(analysis, one);
  if (plain === 'set_config') return writeSetting(analysis, one);
  if (plain === 'current_setting') {
    mayFail(analysis, computed(one.args));
    return readSetting(analysis, one);
  }
  if (SEQUENCES.has(plain)) return withUnknown(valueOfBuiltIn(analysis, one, found), unreadSequence(analysis));
  if (plain === 'setval') return setSequence(analysis, one);
  if (plain === 'pg_show_all_settings') return storedValue(analysis, undefined);
  if (OTHERS_TEXTS.test(plain)) return unknown(OTHERS_STATEMENTS);
  if (LARGE_OBJECT_READERS.has(plain)) return withUnknown(valueOfBuiltIn(analysis, one, found), LARGE_OBJECT_CONTENTS);
  return valueOfBuiltIn(analysis, one, found);
}

/** What the sequence shows from now on is where it was set to. It returns that. */
function setSequence(analysis: LineageAnalysis, { args }: FunctionCall): Value {
  const value = computed(args, 'derived', INT8_TYPE);
  analysis.moves({ type: 'function', name: 'setval' }, value);
  mayFail(analysis, value);
  return value;
}
const INT8_TYPE = 20;

/** Functions that tell the type or the collation of what they are given, which the server knows before it has a value. */
const OF_TYPES: ReadonlySet<string> = new Set(['pg_typeof', 'pg_collation_for']);

function valueOfBuiltIn(analysis: LineageAnalysis, one: FunctionCall, found: readonly Routine[]): Value {
  const plain = one.name.at(-1) ?? '';
  if (OF_TYPES.has(plain)) return { ...NOTHING, ...typeOfResult(analysis, one, found), fixed: true };
  const { reason } = callFacts(['pg_catalog', plain]);
  if (reason !== undefined) return opaque(analysis, one, reason);
  if (VISIBLE.test(plain)) analysis.moves({ type: 'function', name: plain }, computed(one.args));
  const changed = changedByCall(analysis, one);
  if (changed) return changed;
  const aggregate = found.some(({ kind }) => kind === 'a');
  const all = [...one.args, ...one.others];
  const typed = typeOfResult(analysis, one, found);
  const result = computed(all, aggregate ? 'aggregate' : 'derived');
  const { sources, kind, unknown: reasonOfArgs, mixed } = result;
  if (one.variadic || functionMayFail(plain, one.nodes)) mayFail(analysis, failing(one, result));
  const fixed =
    all.every(isFixed) &&
    found.every(({ kind: of, volatility, returnsSet }) => of === 'f' && volatility !== 'v' && !returnsSet);
  const parts = partsOfCall(analysis, one);
  const castBy = MAKES_JSON.test(plain) ? castReason(analysis, one.args) : undefined;
  const value = blurred({
    ...typed,
    sources,
    kind,
    ...(mixed && { mixed }),
    ...(fixed && { fixed }),
    ...(reasonOfArgs !== undefined && { unknown: reasonOfArgs }),
    ...(one.unfiltered && isCounted(plain, one.args) && { counts: true as const }),
  });
  return withUnknown(parts ? { ...value, parts } : value, castBy);
}

/** Of functions that read nothing but their arguments, and what their extension keeps in tables of its own. */
function valueOfKnown(analysis: LineageAnalysis, one: FunctionCall, found: readonly Routine[]): Value {
  const kind = found.some((routine) => routine.kind === 'a') ? 'aggregate' : 'derived';
  const result = computed([...one.args, ...one.others, ownTablesOf(analysis.catalog, found)], kind);
  mayFail(analysis, result);
  return blurred({ ...typeOfResult(analysis, one, found), ...result });
}

const MAKES_JSON = /^(?:jsonb?_build_|jsonb?_(?:object_)?agg|to_jsonb?$|(?:row|array)_to_json$)/;

/** Of json_object_agg only the keys decide whether it fails. */
const failing = ({ name, args: [key] }: FunctionCall, whole: Value): Value =>
  key && /^jsonb?_object_agg$/.test(name.at(-1) ?? '') ? key : whole;

/** What may read anything, and give what it gets to anybody. */
function opaque(analysis: LineageAnalysis, one: FunctionCall, reason: string): Value {
  const args = computed([...one.args, ...one.others]);
  analysis.callsVisibly();
  analysis.moves({ type: 'function', name: one.name.join('.') }, args);
  // Where the facts of the statement take it for a function of the server, they do not say that code runs.
  const isHidden = callFacts(one.name).reason === undefined;
  analysis.effects.push({ type: 'code', reason, ...(isHidden && { sure: true }) });
  return unknown(reason, args.sources);
}

function nameOfArgument(node: unknown): string | undefined {
  const named = isFields(node) && isFields(node['NamedArgExpr']) ? node['NamedArgExpr'] : undefined;
  return named && text(named, 'name');
}
