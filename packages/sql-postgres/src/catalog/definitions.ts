/**
 * The texts that the server spells out of what it has parsed: views, expressions of generated columns, bodies of
 * functions in the form of the SQL standard. Spelling one takes a lock on all that the object reads, and that lock must
 * neither be waited for (who holds it may be waiting for us) nor keep anybody waiting: each text is got in a transaction
 * of its own, at once or not at all. Does not read anything else of the catalog.
 */
import type { CatalogContents } from './catalog.js';
import type { CatalogQuery, CatalogRow } from './query.js';
import { FUNCTION_BODIES, GENERATED_EXPRESSIONS, VIEW_DEFINITIONS } from './queries.js';

const MAX_LOCK_WAIT_MS = 50;
/** Of all texts of one reading. What is locked is passed over, so only locks that come at that moment are waited for. */
const MAX_LOCK_WAITS = 20;
/** For all texts of one reading: what is not there by then is unread. */
const MAX_READING_MS = 20_000;
/** Texts that are got at once: what they read is locked together, and a server has room for so many locks. */
const MAX_BATCH = 500;

const LIMITS = `set local lock_timeout to ${MAX_LOCK_WAIT_MS}; set local statement_timeout to ${MAX_READING_MS}; set local jit to off; set local search_path to ''`;

/** Gets the texts of everything that is `unread`. What is locked stays so, and can be asked for again later. */
export async function withDefinitions(query: CatalogQuery, contents: CatalogContents): Promise<CatalogContents> {
  const until = performance.now() + MAX_READING_MS;
  const unread = contents.relations.filter((relation) => relation.unread);
  const views = unread.filter(({ kind }) => kind === 'v' || kind === 'm');
  const tables = unread.filter(({ kind }) => kind !== 'v' && kind !== 'm');
  const routines = contents.routines.filter((routine) => routine.unread);
  if (unread.length + routines.length === 0) return contents;
  const definitions = await readTexts(query, VIEW_DEFINITIONS, oids(views), until);
  const expressions = await readTexts(query, GENERATED_EXPRESSIONS, oids(tables), until);
  const bodies = await readTexts(query, FUNCTION_BODIES, oids(routines), until);
  return {
    ...contents,
    relations: contents.relations.map((relation) => {
      const definition = definitions.get(relation.oid)?.[0]?.[1];
      const generated = expressions.get(relation.oid);
      if (typeof definition === 'string') return { ...relation, definition, unread: false };
      if (!generated) return relation;
      const texts = new Map(generated.map(([, text, attnum]) => [Number(attnum), text]));
      const columns = relation.columns.map((column) => {
        const text = texts.get(column.base.attnum);
        return typeof text === 'string' ? { ...column, generated: text } : column;
      });
      return { ...relation, columns, unread: false };
    }),
    routines: contents.routines.map((routine) => {
      const text = bodies.get(routine.oid)?.[0]?.[1];
      return typeof text === 'string' ? { ...routine, body: { text, standard: true }, unread: false } : routine;
    }),
  };
}

const oids = (objects: readonly { readonly oid: number }[]): readonly number[] => objects.map(({ oid }) => oid);

/** Rows by object. Where one object cannot be had, the others are: a refused batch is tried again in halves. */
async function readTexts(
  query: CatalogQuery,
  select: (oids: readonly number[]) => string,
  wanted: readonly number[],
  until: number,
): Promise<Map<number, CatalogRow[]>> {
  const found = new Map<number, CatalogRow[]>();
  const batches = Array.from({ length: Math.ceil(wanted.length / MAX_BATCH) }, (_, at) =>
    wanted.slice(at * MAX_BATCH, (at + 1) * MAX_BATCH),
  );
  let refusals = 0;
  for (let batch = batches.pop(); batch && performance.now() < until; batch = batches.pop()) {
    try {
      for (const row of await query(`${LIMITS}; ${select(batch)}`)) {
        const oid = Number(row[0]);
        const rows = found.get(oid);
        if (rows) rows.push(row);
        else found.set(oid, [row]);
      }
    } catch (error) {
      if (!isRefusal(error)) throw error;
      if (++refusals > MAX_LOCK_WAITS) break;
      const middle = Math.ceil(batch.length / 2);
      if (batch.length > 1) batches.push(batch.slice(0, middle), batch.slice(middle));
    }
  }
  return found;
}

/** The server's own no, after which the connection goes on; anything else is the end of the connection. */
export const isRefusal = (error: unknown): boolean =>
  error instanceof Error && ('sqlstate' in error || 'severity' in error);
