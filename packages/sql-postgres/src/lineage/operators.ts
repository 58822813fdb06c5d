/** Whether the result of an operator depends on its operands alone. Pure. */
import type { LineageAnalysis } from './analysis.js';

/** What stands behind operators that are written as words. */
const WORDS: Readonly<Record<string, readonly string[]>> = {
  BETWEEN: ['>=', '<='],
  'NOT BETWEEN': ['<', '>'],
  'BETWEEN SYMMETRIC': ['>=', '<='],
  'NOT BETWEEN SYMMETRIC': ['<', '>'],
};

/**
 * Why nothing is known about the result of an operator; undefined where it depends on its operands alone. Operators are
 * functions: one that somebody made in SQL or another language may read anything. Compiled ones belong to extensions.
 */
export function operatorReason(
  { catalog, path, session }: LineageAnalysis,
  name: readonly string[],
): string | undefined {
  const [plain = '', schema] = name.toReversed();
  if (schema === 'pg_catalog') return undefined;
  if (session.overlay.uncertain !== undefined) return session.overlay.uncertain;
  for (const one of WORDS[plain] ?? [plain]) {
    const made = catalog.operators(one);
    if (made.length === 0 && schema === undefined) continue;
    const meant = made.filter((operator) =>
      schema === undefined ? path.includes(operator.schema) : operator.schema === schema,
    );
    if (schema !== undefined && meant.length === 0) return `uses the operator ${name.join('.')}, which is not known`;
    if (meant.some(({ compiled }) => !compiled))
      return `uses the operator ${one}, which runs code that nobody has read`;
  }
  return undefined;
}
