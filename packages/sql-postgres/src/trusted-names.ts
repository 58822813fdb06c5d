/**
 * Which functions the operator trusts: what the entries of `functions.trusted` stand for in a database. Owns: reading an entry, and
 * which of the names in a statement it covers. Does not own: whether trust is enough (the rules).
 *
 *     f            the function that the name finds where a new session looks
 *     schema.f     also where it is called `f`, if no other schema has one that is not trusted
 *     extension:e  all members of the extension e
 *     schema.*     members of any extension, of that schema; `*` stands for any run of characters
 */
import type { Routine } from './catalog/objects.js';

/** What is asked of a catalog. */
interface Functions {
  readonly contents: { readonly routines: readonly Routine[] };
  routines(schema: string, name: string): readonly Routine[];
  /** Outside pg_catalog, in any schema. */
  routinesNamed(name: string): readonly Routine[];
}

/** Whether an entry has to be looked up in the database for a name that is not written as the entry is. */
type Covers = (routine: Routine) => boolean;

/** @param path where a new session looks names up */
function covering(catalog: Functions, path: readonly string[], entry: string): Covers {
  if (entry.startsWith('extension:')) {
    const wanted = entry.slice('extension:'.length);
    return ({ extension }) => extension === wanted;
  }
  const [name = '', schema] = entry.split('.').toReversed();
  if (entry.includes('*')) {
    const [names, schemas] = [matcher(name), matcher(schema ?? '*')];
    return (routine) => routine.extension !== undefined && names.test(routine.name) && schemas.test(routine.schema);
  }
  const found = schema ?? path.find((one) => catalog.routines(one, name).length > 0);
  return (routine) => routine.name === name && routine.schema === found;
}

const matcher = (part: string): RegExp =>
  new RegExp(`^${part.replaceAll(/[\\^$+?.()[\]{}|]/g, '\\$&').replaceAll('*', '.*')}$`);

/**
 * Those of the names, as statements have them, that can only mean functions that are trusted, whatever the search path is.
 */
export function coveredNames(
  catalog: Functions,
  path: readonly string[],
  entries: readonly string[],
  names: readonly string[],
): Set<string> {
  const covers = entries.map((entry) => covering(catalog, path, entry));
  return new Set(
    names.filter((written) => {
      // Quotes stand where a part has a dot in it, and no entry can say that.
      if (written.includes('"')) return false;
      const [name = '', schema] = written.split('.').toReversed();
      const builtIn = catalog.routines('pg_catalog', name);
      const meant =
        schema === undefined ? [...builtIn, ...catalog.routinesNamed(name)] : catalog.routines(schema, name);
      return meant.length > 0 && meant.every((routine) => covers.some((one) => one(routine)));
    }),
  );
}

/** Entries that no function fits. */
export const namingNothing = (catalog: Functions, path: readonly string[], entries: readonly string[]): string[] =>
  entries.filter((entry) => {
    const covers = covering(catalog, path, entry);
    return !catalog.contents.routines.some(covers);
  });

/** The functions that entries mean, as `schema.name`. Wildcards mean none: what is said of a function is said of one by name. */
export const namedExactly = (catalog: Functions, path: readonly string[], entries: readonly string[]): Set<string> =>
  new Set(
    entries.flatMap((entry) => {
      if (/[*:]/.test(entry)) return [];
      const covers = covering(catalog, path, entry);
      const [name = ''] = entry.split('.').toReversed();
      const all = [...catalog.routines('pg_catalog', name), ...catalog.routinesNamed(name)];
      return all.filter(covers).map((routine) => `${routine.schema}.${routine.name}`);
    }),
  );
