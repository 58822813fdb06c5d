/**
 * Functions outside pg_catalog that read nothing but what they are given. Owns: which they are. IMMUTABLE is no sign of it: that is
 * what their author says. Does not own: which functions a call may mean (`calls.ts`).
 */
import type { Catalog } from '../catalog/catalog.js';
import type { BaseColumn, Routine } from '../catalog/objects.js';
import { EXTENSION_FUNCTIONS, EXTENSION_TABLES } from '../extension-functions.js';
import { NOTHING, type Value, direct } from './value.js';

/** Compiled, a member of its extension, and on the list for that; or the operator says so. */
export function readsNothing({ readsNothing: named }: Catalog, routine: Routine): boolean {
  const { schema, name, language, extension } = routine;
  if (named.has(`${schema}.${name}`)) return true;
  if (extension === undefined || (language !== 'c' && language !== 'internal')) return false;
  return EXTENSION_FUNCTIONS.get(extension)?.has(name) === true;
}

/** What such functions read of the tables of their extensions, beside their arguments. */
export function ownTablesOf(catalog: Catalog, routines: readonly Routine[]): Value {
  const bases: BaseColumn[] = [];
  for (const { extension = '', schema } of routines) {
    const table = EXTENSION_TABLES.get(extension);
    const columns = (table === undefined ? undefined : catalog.relation(schema, table))?.columns ?? [];
    bases.push(...columns.flatMap(({ base }) => catalog.roots(base)));
  }
  return bases.length === 0 ? NOTHING : { ...direct(bases, 0), fixed: true };
}
