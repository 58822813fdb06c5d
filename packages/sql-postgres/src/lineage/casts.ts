/** What a cast leaves of a value's lineage. Pure. */
import { type NodeFields, strings } from '../ast.js';
import type { LineageAnalysis } from './analysis.js';
import { asType, findType } from './types.js';
import { type Value, unknown, withUnknown, withoutParts } from './value.js';

/** Whether two of the same type need no conversion depends on the typmod as well. */
export function cast(analysis: LineageAnalysis, value: Value, target: NodeFields): Value {
  const type = findType(analysis, target);
  if (!type) return unknown(`casts to ${strings(target['names']).join('.')}, which is not known`, value.sources);
  const { catalog, session } = analysis;
  const { uncertain } = session.overlay;
  if (uncertain !== undefined && type.schema !== 'pg_catalog')
    return withUnknown(asType(analysis, value, type), uncertain);
  if (value.type === type.oid && target['typmods'] === undefined) return value;
  const interpreted = catalog.casts.some(
    (one) => one.target === type.oid && (value.type === undefined || value.type === one.source),
  );
  const unseen = catalog.convertedUnseen.has(type.oid);
  // What is cut off at a length is no document any more, and whether anything was says how long the parts are.
  const result = asType(analysis, target['typmods'] === undefined ? value : withoutParts(value), type);
  return withUnknown(result, interpreted || unseen ? 'uses a cast that runs code that nobody has read' : undefined);
}
