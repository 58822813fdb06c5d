/**
 * Functions: what flows through each, and what some of them do besides. Owns: that. Does not: which functions there are and which are
 * harmless (functions.ts); what is not harmless by it is not followed.
 */
import { callFacts } from '../functions.js';
import type { FunctionCall, Expression } from '../tree.js';
import type { LineageAnalysis } from './analysis.js';
import { expression, expressions, storedIn, windowOf } from './expression.js';
import type { Scope } from './scope.js';
import { type Value, NOTHING, computed, isNothing, unknown } from './value.js';

const setOf = (words: string): ReadonlySet<string> => new Set(words.trim().split(/\s+/));

const AGGREGATES = setOf(`any_value avg bit_and bit_or bit_xor group_concat json_arrayagg json_objectagg max median min
  percentile_cont percentile_disc std stddev stddev_pop stddev_samp st_collect sum var_pop var_samp variance`);
/** They say in which place a row is. */
const RANKS = setOf('row_number rank dense_rank percent_rank cume_dist ntile');
/** They say what the server made up, or what a setting says that somebody may have given a value. */
const BY_SETTINGS = setOf(`curdate current_date current_time current_timestamp curtime localtime localtimestamp now rand
  sysdate unix_timestamp utc_date utc_time utc_timestamp last_insert_id lastval nextval get_format uuid_short
  database schema user current_user session_user system_user current_role convert_tz from_unixtime week yearweek weekofyear
  dayname monthname date_format format`);
/** What others see of a call is its argument: the name of a lock, how long it takes. */
const VISIBLE = setOf('get_lock release_lock is_free_lock is_used_lock sleep benchmark rand');

export function call(analysis: LineageAnalysis, scope: Scope, one: FunctionCall): Value {
  if (one.name === 'values' && one.native && scope.inserted) return insertedBy(scope, one);
  const others = otherParts(analysis, scope, one);
  const given = expressions(analysis, scope, one.arguments);
  const all = computed([...given, ...others]);
  const facts = callFacts(one, analysis.reading);
  if (facts.reason !== undefined) return opaque(analysis, one, all, facts.reason);
  if (VISIBLE.has(one.name)) analysis.moves({ type: 'function', name: one.name }, all);
  if (one.name === 'last_insert_id' && given.length > 0) {
    analysis.stores({ type: 'function', name: one.name }, all);
    return all;
  }
  if (one.name === 'count') return counted(one, given, others);
  if (RANKS.has(one.name)) {
    // Places tell the order of what they go by, as ORDER BY does.
    analysis.asks(all, 'other');
    return { ...all, counts: true };
  }
  if (BY_SETTINGS.has(one.name)) return computed([all, storedIn(analysis)]);
  return one.over !== undefined || AGGREGATES.has(one.name) ? computed([all], 'aggregate') : all;
}

/**
 * Window, order and limit. What a window goes by shows in the order in which rows come, and so in which of them a LIMIT leaves, whatever
 * the function gives.
 */
function otherParts(analysis: LineageAnalysis, scope: Scope, { over, orderBy = [], limit }: FunctionCall): Value[] {
  const list: (Expression | undefined)[] = [...orderBy.map(({ value }) => value), limit?.count, limit?.offset];
  const parts = list.flatMap((value) => (value ? [expression(analysis, scope, value)] : []));
  if (over === undefined) return parts;
  const window = windowOf(analysis, scope, over);
  analysis.asks(window, 'other');
  return [...parts, window];
}

/**
 * COUNT(mail) tells how many are not NULL, and COUNT(DISTINCT mail) how many there are. COUNT(mail LIKE 'a%' OR NULL) tells more, also
 * where a derived table has computed it.
 */
function counted(one: FunctionCall, given: readonly Value[], others: readonly Value[]): Value {
  const all = computed([...given, ...others], 'aggregate');
  const isPlain = given.every((value) => isNothing(value) || (value.kind === 'direct' && value.unknown === undefined));
  const isOfColumns = one.arguments.every((argument, at) => argument.kind === 'column' || isNothing(given[at] ?? all));
  return isPlain && isOfColumns && others.length === 0 ? { ...all, counts: true } : all;
}

/** VALUES(column) in ON DUPLICATE KEY UPDATE. */
function insertedBy(scope: Scope, { arguments: [column] }: FunctionCall): Value {
  if (column?.kind !== 'column') return NOTHING;
  return scope.inserted?.(column.name) ?? unknown(`uses VALUES(${column.name}), which is not known`);
}

/** What may read anything, and give what it gets to anybody. */
function opaque(analysis: LineageAnalysis, one: FunctionCall, given: Value, reason: string): Value {
  const name = one.schema === undefined ? one.name : `${one.schema}.${one.name}`;
  analysis.moves({ type: 'function', name }, given);
  // Functions of MariaDB may have OUT parameters, which are these variables.
  if (analysis.reading.flavour === 'mariadb')
    for (const argument of one.arguments)
      if (argument.kind === 'variable') analysis.assigns(argument.name, unknown(reason), true);
  analysis.runsCode(one.schema, reason);
  return unknown(reason, given.sources);
}
