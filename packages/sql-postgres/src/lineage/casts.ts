/** What a cast leaves of a value's lineage. Pure. */
import { type NodeFields, strings } from '../ast.js';
import type { LineageAnalysis } from './analysis.js';
import { isCertain } from './overloads.js';
import { asType, findType, typmodOf } from './types.js';
import { type Value, limitedTo, unknown, withUnknown, withoutParts } from './value.js';

const CHECKED = 'casts to a domain whose check runs code that nobody has read';
const CONVERTED = 'uses a cast that runs code that nobody has read';

/** Whether two of the same type need no conversion depends on the typmod as well. */
export function cast(analysis: LineageAnalysis, value: Value, target: NodeFields): Value {
  const type = findType(analysis, target);
  if (!type) return unknown(`casts to ${strings(target['names']).join('.')}, which is not known`, value.sources);
  const { catalog, session } = analysis;
  const { uncertain } = session.overlay;
  if (uncertain !== undefined && type.schema !== 'pg_catalog')
    return withUnknown(asType(analysis, value, type), uncertain);
  // The server describes it with this type, if the name can mean no other.
  const isSure = isCertain(analysis) || isAlone(analysis, target);
  const sure = isSure ? { stored: true as const } : {};
  if (value.type === type.oid && target['typmods'] === undefined) return { ...value, ...sure };
  const interpreted = catalog.casts.some(
    (one) => one.target === type.oid && (value.type === undefined || value.type === one.source),
  );
  const unseen = analysis.isConverted(type.oid);
  const checked = catalog.checksByCode(type.oid);
  if (checked) analysis.effects.push({ type: 'code', reason: CHECKED, sure: true });
  else if (interpreted) analysis.effects.push({ type: 'code', reason: CONVERTED, sure: true });
  // What is cut off at a length is no document any more, and whether anything was says how long the parts are.
  const limited = limitedTo(type.oid, typmodOf(type, target));
  const whole = target['typmods'] === undefined ? value : withoutParts(value);
  const result = { ...asType(analysis, whole, type), ...sure, ...limited };
  if (checked) return withUnknown(result, CHECKED);
  return withUnknown(result, interpreted || unseen ? CONVERTED : undefined);
}

/** Whether only one schema has a type of the name, where it is not known which of them come first. */
function isAlone({ catalog, path, session }: LineageAnalysis, target: NodeFields): boolean {
  const [name = '', schema] = strings(target['names']).toReversed();
  if (session.overlay.uncertain !== undefined) return false;
  return schema !== undefined || path.filter((one) => catalog.type(one, name) !== undefined).length === 1;
}
