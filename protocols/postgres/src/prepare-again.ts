/**
 * A prepared statement behind whose name code may have put something else, in the middle of a pipeline, or in whose text a name means
 * something else by now, which the target does not notice: the target is made to have what we believe the name to mean. Owns: the
 * messages for it. Does not own: which statements those are (`names.ts`). A look could
 * tell as well, but none goes before a Sync.
 */
import type { Shared } from './shared.js';
import { F, message } from './messages.js';
import type { PreparedStatement } from './pipeline.js';
import { declaredTypes } from './syntax.js';

/** Close, which is no error where there is nothing, and Parse. The client does not see their replies. */
export function prepareAgain(
  { encoding, masks, names, pipeline }: Shared,
  name: string,
  statement: PreparedStatement,
): Buffer {
  names.preparingAgain(name, statement);
  if (masks) statement.meant = masks.namesNow();
  pipeline.push({ type: 'close', kind: 'statement', name, own: true });
  pipeline.push({ type: 'parse', name, statement, own: true });
  const named = encoding.encode(`${name}\0`);
  return Buffer.concat([
    message(F.close, STATEMENT, named),
    message(F.parse, named, declaredTypes(statement, encoding)),
  ]);
}

const STATEMENT = Buffer.from('S');
