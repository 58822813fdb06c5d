/**
 * Lineage of clients' texts, remembered while nothing that it depends on changes. Owns: that memory, and which texts are not followed
 * at all. Does not: follow statements (lineage), nor keep a value: equal texts have equal constants, and where texts of one shape
 * share their lineage nothing looked at them.
 */
import type { MySqlDialect, StatementTrace, TextDigest } from '@sluice/contract';
import type { Catalog } from '../catalog/catalog.js';
import { MAX_FOLLOWED_CHARACTERS } from '../digest.js';
import {
  type SessionEffect,
  type SessionNames,
  type StatementLineage,
  type Value,
  lineageOf,
  NOTHING,
  lostLineage,
  traceOf,
} from '../lineage/index.js';
import { type SqlReading, keyOf, readingOf } from '../reading.js';
import { filterShapeOf } from '../template.js';
import { statementsWithRows } from '../texts.js';
import { Unread } from '../tokens.js';

/** Lineage is remembered for texts up to this length, in characters; */
const MAX_REMEMBERED_CHARACTERS = 16 * 1024;
/** of one catalog for so many of them, */
const MAX_REMEMBERED_TEXTS = 2_000;
/** and for as many as come to this together, in bytes as `sizeOf` has them. */
const MAX_REMEMBERED_BYTES = 16 * 1024 * 1024;

/** Whatever else reads what the last statement left, which is another thing each time. */
const REMEMBERED_KINDS: ReadonlySet<string> = new Set(['query', 'insert', 'update', 'delete']);

export const TOO_LONG = 'is too large to be followed';

/** Undefined: nothing is known of the text. A long one is followed by its digest. */
export function follow(
  catalog: Catalog,
  session: SessionNames,
  text: string,
  digest: TextDigest | undefined,
  dialect: MySqlDialect,
): StatementLineage | undefined {
  if (digest?.type === 'trace') return lostLineage(catalog, session, digest, 'long', TOO_LONG);
  const reading = readingOf(dialect);
  if (digest !== undefined || text.length > MAX_REMEMBERED_CHARACTERS)
    return read(catalog, session, digest?.text ?? text, reading, digest?.fewerRows);
  const memory = memoryOf(catalog);
  const key = `${keyOf(reading)}${sessionKey(session)}`;
  const exact = `${key}=${text}`;
  const shape = filterShapeOf(text);
  const known = memory.get(exact) ?? (shape === undefined ? undefined : memory.get(`${key}~${shape}`));
  if (known) return known;
  const lineage = read(catalog, session, text, reading);
  if (!lineage || !REMEMBERED_KINDS.has(lineage.statement)) return lineage;
  const isQuery = shape !== undefined && lineage.statement === 'query';
  memory.add(isQuery ? `${key}~${shape}` : exact, lineage);
  return lineage;
}

/** What a statement may have done to its session, whatever its names meant. @param reason why that is not known: a phrase */
export function effectsUnfollowed(
  catalog: Catalog,
  session: SessionNames,
  text: string,
  digest: TextDigest | undefined,
  dialect: MySqlDialect,
  reason: string,
): readonly SessionEffect[] {
  const trace = digest?.type === 'trace' ? digest : traceOfText(digest?.text ?? text, readingOf(dialect));
  // There may have been triggers that are gone.
  if (!trace || trace.mayTrigger) return [{ type: 'code', reason: `runs after a statement that ${reason}` }];
  return lostLineage(catalog, session, trace, '', reason).effects;
}

function traceOfText(text: string, reading: SqlReading): StatementTrace | undefined {
  try {
    const [statement] = text.length > MAX_FOLLOWED_CHARACTERS ? [] : statementsWithRows(text, reading);
    return statement && traceOf(statement, reading);
  } catch (error) {
    if (error instanceof Unread || error instanceof RangeError) return undefined;
    throw error;
  }
}

function read(
  catalog: Catalog,
  session: SessionNames,
  text: string,
  reading: SqlReading,
  fewerRows = false,
): StatementLineage | undefined {
  if (text.length > MAX_FOLLOWED_CHARACTERS) return undefined;
  try {
    const [statement, ...more] = statementsWithRows(text, reading);
    // Each statement is sent alone. A text of comments shows nothing.
    if (more.length > 0) return undefined;
    return statement ? lineageOf(catalog, session, statement, reading, fewerRows) : NOTHING_SAID;
  } catch (error) {
    if (error instanceof Unread || error instanceof RangeError) return undefined;
    throw error;
  }
}

const NOTHING_SAID: StatementLineage = {
  statement: '',
  outputs: [],
  predicates: [],
  conditionsOnUnknown: [],
  flows: [],
  rows: [],
  effects: [],
  reads: new Set(),
  looked: NOTHING,
};

/** Of one snapshot: columns of another are other columns. */
class Memory {
  readonly #known = new Map<string, { readonly lineage: StatementLineage; readonly size: number }>();
  #size = 0;

  get(key: string): StatementLineage | undefined {
    return this.#known.get(key)?.lineage;
  }

  add(key: string, lineage: StatementLineage): void {
    const size = sizeOf(key, lineage);
    if (size > MAX_REMEMBERED_BYTES) return;
    this.#known.set(key, { lineage, size });
    this.#size += size;
    for (const [oldest, one] of this.#known) {
      if (this.#known.size <= MAX_REMEMBERED_TEXTS && this.#size <= MAX_REMEMBERED_BYTES) break;
      this.#known.delete(oldest);
      this.#size -= one.size;
    }
  }
}

const memories = new WeakMap<Catalog, Memory>();

function memoryOf(catalog: Catalog): Memory {
  let memory = memories.get(catalog);
  if (!memory) memories.set(catalog, (memory = new Memory()));
  return memory;
}

const BYTES_PER_VALUE = 200;
const BYTES_PER_SOURCE = 40;

/** About how much memory it takes. Sets of sources are shared, and counted wherever they are. */
function sizeOf(key: string, { outputs, predicates, flows, rows, effects, reads, looked }: StatementLineage): number {
  let size = 2 * key.length + BYTES_PER_VALUE * (predicates.length + effects.length + reads.size + 1);
  const add = ({ sources }: Value): void => void (size += BYTES_PER_VALUE + BYTES_PER_SOURCE * sources.size);
  outputs.forEach(add);
  rows.forEach(add);
  add(looked);
  for (const { value } of flows) add(value);
  return size;
}

const numbers = new WeakMap<object, number>();
let last = 0;

/** The parts of a session are values: the same one has one number. */
function numberOf(part: object): number {
  let number = numbers.get(part);
  if (number === undefined) numbers.set(part, (number = ++last));
  return number;
}

const ofMap = (map: ReadonlyMap<string, unknown>): number => (map.size === 0 ? 0 : numberOf(map));

/**
 * All that lineage may depend on in a session; but for its diagnostics, which no remembered kind reads. Where a part ends does not depend
 * on what is written in it: reasons have names from texts of clients in them.
 */
function sessionKey(session: SessionNames): string {
  const { database, variables, temporary, prepared, handlers, anyVariable, stored, uncertain } = session;
  const maps = `${ofMap(variables)} ${ofMap(temporary)} ${ofMap(prepared)} ${ofMap(handlers)}`;
  return `${maps} ${numberOf(anyVariable)} ${numberOf(stored)} ${counted(database)}${counted(uncertain)}`;
}

const counted = (text: string | undefined): string => (text === undefined ? '-' : `${text.length}:${text}`);
