/**
 * Which function has which number at the target. Owns: that question, and for how long its answers count. Does not own: the
 * connection that it is asked on (lookup.ts), nor what a call comes to (function-call.ts).
 */
import type { Lookup } from '@sluice/contract';
import type { CalledFunction, FoundFunction } from './function-call.js';

/** FirstNormalObjectId (src/include/access/transam.h): below it are the server's own, whose numbers do not change. */
const FIRST_USER_OID = 16_384;

/** Functions of large objects are called one after the other: they are looked up together. */
const LARGE_OBJECTS = `p.pronamespace = 'pg_catalog'::regnamespace and p.proname ~ '^(lo_|loread$|lowrite$)'`;

const question = (oid: number): string => `select p.oid, n.nspname, p.proname, p.prorettype,
    (select json_agg(json_build_array(t.oid, s.nspname, t.typname) order by a.at)
     from unnest(p.proargtypes) with ordinality a (type, at) join pg_type t on t.oid = a.type
     join pg_namespace s on s.oid = t.typnamespace)
  from pg_proc p join pg_namespace n on n.oid = p.pronamespace
  where p.oid = ${oid} or (${LARGE_OBJECTS})`;

export class FunctionLookup {
  readonly #open: () => Promise<Lookup>;
  readonly #builtIn = new Map<number, FoundFunction>();

  /** @param open a connection of the gateway's own to the target, each time */
  constructor(open: () => Promise<Lookup>) {
    this.#open = open;
  }

  /** As the target has it now: one that a user has made may be renamed, or made anew. Never rejects. */
  async find(oid: number): Promise<FoundFunction> {
    const known = this.#builtIn.get(oid);
    if (known !== undefined) return known;
    let lookup: Lookup | undefined;
    try {
      lookup = await this.#open();
      return await this.#ask(lookup, oid);
    } catch {
      return 'unreadable';
    } finally {
      lookup?.close();
    }
  }

  async #ask(lookup: Lookup, oid: number): Promise<FoundFunction> {
    // What others have made under the names of the catalog's own does not come before them.
    await lookup.query('set search_path to pg_catalog');
    let found: FoundFunction = 'missing';
    for (const row of await lookup.query(question(oid))) {
      const number = Number(row[0]);
      const routine = readRow(row);
      if (number === oid) found = routine;
      if (number < FIRST_USER_OID) this.#builtIn.set(number, routine);
    }
    if (found === 'missing' && oid < FIRST_USER_OID) this.#builtIn.set(oid, found);
    return found;
  }
}

function readRow([, schema, name, returns, inputs]: readonly (string | null)[]): CalledFunction {
  const types = JSON.parse(inputs ?? '[]') as [number | string, string, string][];
  return {
    schema: schema ?? '',
    name: name ?? '',
    returns: Number(returns),
    inputs: types.map(([oid, typeSchema, type]) => ({ oid: Number(oid), schema: typeSchema, name: type })),
  };
}
