/**
 * What lineage has to know of a session: user variables, temporary tables, prepared statements, handlers. Owns: how each statement
 * changes that. Does not: when the server has confirmed it (masks).
 */
import { comparedName, folded, isAscii, maybeSame } from '../catalog/objects.js';
import type { Statement } from '../tree.js';
import { type Column, NOTHING, type Value, computed, either, same, unknown } from './value.js';

export interface Prepared {
  readonly statement: Statement;
  readonly database: string | undefined;
}

/** Names of columns that stand in unique keys as they are, and of those of which one has only something. */
export interface UniqueColumns {
  readonly whole: readonly string[];
  readonly part: readonly string[];
  /** Those that are AUTO_INCREMENT. */
  readonly numbered: readonly string[];
}

/** `unread`: why its columns are not known. */
export type TemporaryTable =
  | { readonly columns: readonly Column[]; readonly keys?: UniqueColumns; readonly unread?: undefined }
  | { readonly unread: string };

/** An open HANDLER. */
export interface Handler {
  /** As they were when it was opened. */
  readonly columns: readonly Column[];
  /** `Catalog.keyOf` of a temporary table. */
  readonly temporary?: string;
}

export interface SessionNames {
  /** The default database. */
  readonly database: string | undefined;
  /** By name in lower case. */
  readonly variables: ReadonlyMap<string, Value>;
  /** What was written to variables whose names are compared by rules (`@é` is `@e` in MySQL): any variable may have it. */
  readonly anyVariable: Value;
  /** By `Catalog.keyOf`. */
  readonly temporary: ReadonlyMap<string, TemporaryTable>;
  /** By `comparedName`. `unread`: its text is not known. */
  readonly prepared: ReadonlyMap<string, Prepared | { readonly unread: string }>;
  /** By `comparedName` of their alias. */
  readonly handlers: ReadonlyMap<string, Handler>;
  /** A setting, LAST_INSERT_ID or a sequence may hold values of columns: these. */
  readonly stored: Value;
  /** What the last statements were about: warnings and errors, which SHOW WARNINGS shows, may have their values. */
  readonly diagnostics: Value;
  /** Code that nobody read has run, and may have written to variables and settings, and made temporary tables. Why. */
  readonly uncertain?: string;
}

export const newSession = (database?: string): SessionNames => ({
  database,
  variables: new Map(),
  anyVariable: NOTHING,
  temporary: new Map(),
  prepared: new Map(),
  handlers: new Map(),
  stored: NOTHING,
  diagnostics: NOTHING,
});

/** What a statement changes in its session. */
export type SessionEffect =
  /** `kept`: the variable may keep what it had, for example where there are no rows. */
  | { readonly type: 'variable'; readonly name: string; readonly value: Value; readonly kept: boolean }
  | { readonly type: 'store'; readonly value: Value }
  | { readonly type: 'create'; readonly key: string; readonly table: TemporaryTable }
  | { readonly type: 'drop'; readonly key: string }
  /** Values go into columns of a temporary table, by their names in lower case. */
  | { readonly type: 'fill'; readonly key: string; readonly values: ReadonlyMap<string, Value> }
  | { readonly type: 'prepare'; readonly name: string; readonly prepared: Prepared | { readonly unread: string } }
  | { readonly type: 'deallocate'; readonly name: string }
  | { readonly type: 'open'; readonly alias: string; readonly handler: Handler }
  | { readonly type: 'close'; readonly alias: string }
  /** `resets`: those of the statements before it are gone. The server keeps them behind what uses no table (SELECT 1, SET, USE, BEGIN). */
  | { readonly type: 'diagnostics'; readonly value: Value; readonly resets: boolean }
  | { readonly type: 'code'; readonly reason: string };

/** Names that every server compares in the same way. The empty one stands for whichever code writes to. */
const isPlain = (name: string): boolean => name !== '' && isAscii(name) && !/[\0- \x7f]/.test(name);

/** What a user variable holds. */
export function variableOf(session: SessionNames, name: string): Value {
  if (session.uncertain !== undefined) return unknown(session.uncertain);
  if (!isPlain(name)) return anyVariableOf(session);
  const own = session.variables.get(folded(name));
  return own ? either([own, session.anyVariable]) : session.anyVariable;
}

/** What any of the user variables holds. */
export const anyVariableOf = (session: SessionNames): Value =>
  session.uncertain === undefined
    ? computed([session.anyVariable, ...session.variables.values()])
    : unknown(session.uncertain);

/** Which of two names with letters beyond ASCII the server takes for one is for it to say. */
const OTHERWISE_NAMED = { unread: 'executes a statement under a name that the server may take for another one' };

/** What may have been written to a column. @param values by the names of columns as they were written, in lower case */
export function valueFor(values: ReadonlyMap<string, Value>, column: string): Value | undefined {
  const own = values.get(folded(column));
  const others = [...values].flatMap(([name, value]) => (maybeSame(name, column) ? [value] : []));
  if (others.length === 0) return own;
  return either([...(own ? [own] : []), ...others]);
}

/** After the server has done what the statement says. */
export function afterEffects(session: SessionNames, effects: readonly SessionEffect[]): SessionNames {
  return effects.reduce((before, effect) => CHANGES[effect.type](before, effect as never), session);
}

/**
 * While it is not known whether the server does it, or after an error: it may have done some of it, so that what was written
 * counts beside what was there before.
 */
export function maybeAfter(session: SessionNames, effects: readonly SessionEffect[]): SessionNames {
  const certain = effects.flatMap((effect): SessionEffect[] => {
    switch (effect.type) {
      case 'variable':
        return [{ ...effect, kept: true }];
      case 'store':
      case 'fill':
      case 'code':
        return [effect];
      case 'diagnostics':
        return [{ ...effect, resets: false }];
      case 'create':
      case 'drop':
        return [{ type: 'create', key: effect.key, table: { unread: 'reads a table that may be a temporary one' } }];
      case 'prepare':
      case 'deallocate':
        return [
          { type: 'prepare', name: effect.name, prepared: { unread: 'executes a statement that may be another one' } },
        ];
      default:
        return [];
    }
  });
  return afterEffects(session, certain);
}

type EffectAppliers = {
  readonly [T in SessionEffect['type']]: (
    before: SessionNames,
    effect: Extract<SessionEffect, { type: T }>,
  ) => SessionNames;
};

const CHANGES: EffectAppliers = {
  variable: (before, { name, value, kept }) => {
    if (!isPlain(name)) return { ...before, anyVariable: either([before.anyVariable, value]) };
    const key = folded(name);
    const held = before.variables.get(key);
    if (held && same(held, value) && held.constant === value.constant) return before;
    return { ...before, variables: put(before.variables, key, kept && held ? either([held, value]) : value) };
  },
  store: (before, { value }) => {
    const stored = computed([before.stored, value]);
    return same(stored, before.stored) ? before : { ...before, stored };
  },
  create: (before, { key, table }) => ({ ...before, temporary: put(before.temporary, key, table) }),
  drop: (before, { key }) => ({ ...before, temporary: without(before.temporary, key) }),
  fill: (before, { key, values }) => {
    const table = before.temporary.get(key);
    if (!table || table.unread !== undefined) return before;
    const columns = table.columns.map((column) => {
      const value = valueFor(values, column.name);
      return value ? { ...column, value: either([column.value, value]) } : column;
    });
    return { ...before, temporary: put(before.temporary, key, { ...table, columns }) };
  },
  prepare: (before, { name, prepared }) => ({
    ...before,
    prepared: put(before.prepared, comparedName(name), isAscii(name) ? prepared : OTHERWISE_NAMED),
  }),
  deallocate: (before, { name }) => ({ ...before, prepared: without(before.prepared, comparedName(name)) }),
  open: (before, { alias, handler }) => ({ ...before, handlers: put(before.handlers, alias, handler) }),
  close: (before, { alias }) => ({ ...before, handlers: without(before.handlers, alias) }),
  diagnostics: (before, { value, resets }) => ({
    ...before,
    diagnostics: resets ? value : computed([before.diagnostics, value]),
  }),
  code: (before, { reason }) => ({ ...before, uncertain: before.uncertain ?? reason }),
};

const put = <V>(map: ReadonlyMap<string, V>, key: string, value: V): ReadonlyMap<string, V> =>
  new Map([...map, [key, value]]);

function without<V>(map: ReadonlyMap<string, V>, key: string): ReadonlyMap<string, V> {
  if (!map.has(key)) return map;
  const rest = new Map(map);
  rest.delete(key);
  return rest;
}
