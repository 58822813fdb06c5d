/**
 * Operators: whether the result of one depends on its operands alone. Operators are functions: one that somebody made in SQL or
 * another language may read anything. Compiled ones belong to extensions and to the server. Owns: that. Does not own: which of those
 * with a name are meant (`overloads.ts`), nor where they stand (`operations.ts` and others). Pure.
 */
import type { Operator } from '../catalog/objects.js';
import type { LineageAnalysis } from './analysis.js';
import { plainCall } from './calls.js';
import type { ArgumentType } from './coercion.js';
import { readsNothing } from './known-functions.js';
import { meantOperators } from './overloads.js';
import { callSql } from './sql-functions.js';
import { anyOf, isScalar } from './types.js';
import { NOTHING, type Value, computed, withUnknown } from './value.js';

export interface Operand {
  readonly value: Value;
  /** Where it is certain. */
  readonly type: ArgumentType | undefined;
}

/** What runs where an operator stands. */
export interface Operation {
  /** Those that may be meant. */
  readonly meant: readonly Operator[];
  /** One of them may be none of the server's own. */
  readonly isMade: boolean;
  /** One of them may be one whose result depends on its operands alone. */
  readonly isPlain: boolean;
  /** What those return that are written in SQL. */
  readonly results: readonly Value[];
  /** Why nothing is known of the result. */
  readonly reason?: string;
}

/** @param operands two, or the one of a prefix operator */
export function operation(analysis: LineageAnalysis, name: readonly string[], operands: readonly Operand[]): Operation {
  const meant = meantOperators(
    analysis,
    name,
    operands.map(({ type }) => type),
  );
  const made = meant.filter(({ schema }) => schema !== 'pg_catalog');
  const judged = made.map((one) => judge(analysis, one, operands));
  const reason = uncertain(analysis, name) ?? judged.find((one) => one.reason !== undefined)?.reason;
  const results = judged.flatMap(({ result }) => (result ? [result] : []));
  const isMade = made.length > 0;
  const isPlain = meant.length > made.length || judged.some((one) => !one.result && one.reason === undefined);
  return { meant, isMade, isPlain, results, ...(reason !== undefined && { reason }) };
}

function uncertain({ catalog, session }: LineageAnalysis, name: readonly string[]): string | undefined {
  const [plain = '', schema] = name.toReversed();
  if (schema === 'pg_catalog') return undefined;
  if (session.overlay.uncertain !== undefined) return session.overlay.uncertain;
  const isKnown = schema === undefined || catalog.operators(plain).some((one) => one.schema === schema);
  return isKnown ? undefined : `uses the operator ${name.join('.')}, which is not known`;
}

/** The result of one that is written in SQL, or why nothing is known of it; neither where it depends on the operands alone. */
interface Judged {
  readonly result?: Value;
  readonly reason?: string;
}

function judge(analysis: LineageAnalysis, { name, routine, compiled }: Operator, operands: readonly Operand[]): Judged {
  const { catalog } = analysis;
  const found = catalog.routineByOid(routine);
  if (found?.volatility === 'v') analysis.callsVisibly();
  if (compiled || (found && readsNothing(catalog, found))) return {};
  const values = operands.map(({ value }) => value);
  if (found?.language === 'sql' && found.body)
    return { result: callSql(analysis, found, plainCall([found.schema, found.name], values)).value };
  const reason = `uses the operator ${name}, which runs code that nobody has read`;
  analysis.callsVisibly();
  analysis.moves({ type: 'function', name: found?.name ?? name }, computed(values));
  // The facts of the statement take it for the server's own.
  analysis.effects.push({ type: 'code', reason, sure: true });
  return { reason };
}

/**
 * The value of an operation.
 *
 * @param plain what it is where it depends on the operands alone
 */
export function operationResult(
  analysis: LineageAnalysis,
  { isPlain, results, reason }: Operation,
  plain: Value,
): Value {
  if (reason !== undefined) return withUnknown(plain, reason);
  return results.length === 0 ? plain : anyOf(analysis, isPlain ? [plain, ...results] : results);
}

/** Whether the result depends on the operands alone, whichever is meant. */
export const isKnown = ({ results, reason }: Operation): boolean => results.length === 0 && reason === undefined;

/** What else decides than the operands: of a comparison whose outcome is asked for. */
export const deciding = ({ results, reason }: Operation): Value[] => [
  ...results,
  ...(reason === undefined ? [] : [withUnknown(NOTHING, reason)]),
];

/** Whether all that may be meant return plain values: none of a composite type, and no array of such. */
export function returnsPlain(analysis: LineageAnalysis, { meant }: Operation): boolean {
  const { catalog } = analysis;
  return meant.every(({ schema, returns }) => {
    const type = catalog.typeByOid(returns);
    const isSimple =
      type?.kind === 'b' && (type.element === 0 || isScalar(analysis, { ...NOTHING, type: type.element }));
    return schema === 'pg_catalog' || isSimple;
  });
}
