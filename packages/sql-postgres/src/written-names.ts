/**
 * Names as facts have them: the parts of a name with dots between them, and no quotes. Owns: what such a name may mean, for in quotes a part has
 * dots of its own. Does not own: how facts make them (`ast.ts`). Pure.
 */

/** Three parts of 63 bytes are 191: what is longer the server does not know. */
const MAX_NAME = 255;

/** What may be the name without what stands before it (schema, database), the longest first: all of them, and the part behind the last dot. */
export function lastParts(name: string): string[] {
  if (name.length > MAX_NAME) return [name, name.slice(name.lastIndexOf('.') + 1)];
  const found = [name];
  for (let at = name.indexOf('.'); at >= 0; at = name.indexOf('.', at + 1)) found.push(name.slice(at + 1));
  return found;
}

/** A name, and what stands before it, if anything does. */
export interface Reading {
  readonly before: string | undefined;
  readonly name: string;
}

/** The same with what stands before each. */
export const readingsOf = (written: string): Reading[] =>
  lastParts(written).map((name) => ({
    before: name.length === written.length ? undefined : written.slice(0, -name.length - 1),
    name,
  }));
