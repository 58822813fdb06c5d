/**
 * What a session knows that the catalog does not: search path, role, its own objects. Values: each change makes a new one,
 * so that a transaction that is rolled back finds the old one as it was. Lives here: how statements that the server has
 * confirmed change it. Does not: which effects a statement has.
 */
import type { Routine } from '../catalog/objects.js';
import type { Cursor, PreparedQuery, SessionEffect, TemporaryRelation } from './effects.js';
import { NOTHING, either, isNothing, typeIn, unknown, withUnknown, type Column, type Value } from './value.js';
import { afterCode } from './reasons.js';

export interface SessionNames {
  /** As SHOW search_path has it, taken apart: `"$user"` is `$user`. */
  readonly searchPath: readonly string[];
  /** Why `searchPath` and `role` are not those of the server process: a name may be found in any schema. */
  readonly anyPath?: string;
  /** SESSION_USER: who acts while no role is set. */
  readonly user: string;
  /** What SET ROLE says; undefined: NONE. */
  readonly role: string | undefined;
  readonly overlay: Overlay;
  /** Of the statement that is read: numbers of parameters declared as void, without which the server resolves a call. */
  readonly voidParameters?: readonly number[];
  /** Of what kinds all names are in the overlay, because nothing else can have made any: the target refuses what uses others. */
  readonly complete?: CompleteNames;
  /** What RESET and DISCARD ALL go back to. */
  readonly initial: NameSettings;
}

export interface CompleteNames {
  readonly prepared: boolean;
  readonly cursors: boolean;
}

/** The settings that decide what names mean. */
type NameSettings = Pick<SessionNames, 'searchPath' | 'user' | 'role'>;

/** CURRENT_USER. */
export const currentRole = ({ role, user }: Pick<SessionNames, 'role' | 'user'>): string => role ?? user;

export interface Overlay {
  readonly relations: ReadonlyMap<string, TemporaryRelation>;
  /** Functions without arguments that this transaction has made in pg_temp: once it is over, others could replace them. */
  readonly functions: ReadonlyMap<string, Routine>;
  readonly prepared: ReadonlyMap<string, PreparedQuery>;
  readonly cursors: ReadonlyMap<string, Cursor>;
  /** What settings hold that was put there. */
  readonly stored: ReadonlyMap<string, Value>;
  /** Why the settings that are not in `stored` may hold anything: code that nobody read has run. */
  readonly unread?: string;
  /** Why it is not known what names mean: code that nobody read has run, and the target has not been looked at since. */
  readonly uncertain?: string;
  /** Names of relations and types that this transaction has defined anew, or in another way. */
  readonly defined: ReadonlySet<string>;
  /** Open transaction and its savepoints, oldest first; the first has no name. */
  readonly saved: readonly { readonly savepoint: string; readonly session: SessionNames }[];
  /** Without a block: what a ROLLBACK, an error or the ROLLBACK of a BEGIN to come goes back to; undefined: to what there is. */
  readonly since?: SessionNames;
  /** The block has failed: whatever ends it rolls it back. */
  readonly failed?: true;
  /** What SET LOCAL will go back to. */
  readonly lasting?: NameSettings;
}

export const EMPTY_OVERLAY: Overlay = {
  relations: new Map(),
  functions: new Map(),
  prepared: new Map(),
  cursors: new Map(),
  stored: new Map(),
  defined: new Set(),
  saved: [],
};

/** A session as it is after the start-up. */
export const newSession = (user: string, searchPath: readonly string[] = ['$user', 'public']): SessionNames =>
  withInitial({ searchPath, user, role: undefined, overlay: EMPTY_OVERLAY });

/** What is set now is what RESET goes back to: the start-up of the session is over. */
export const withInitial = (session: Omit<SessionNames, 'initial'>): SessionNames => {
  const { searchPath, user, role } = session;
  return { ...session, initial: { searchPath, user, role } };
};

/** The session after a statement with these effects has been confirmed. */
export function afterEffects(session: SessionNames, effects: readonly SessionEffect[]): SessionNames {
  return effects.reduce(followed, session);
}

/** The session when the server says that no transaction is open (ReadyForQuery `I`). After an error: of one `rolledBack`. */
export const atIdle = (session: SessionNames): SessionNames => ended(session);

/** When the server says that the block has failed (ReadyForQuery `E`). */
export const inFailedBlock = (session: SessionNames): SessionNames =>
  session.overlay.failed ? session : over(session, { failed: true });

/**
 * What is sent without a block is a transaction up to the next Sync (to the end of its text, in a simple query): an error or a ROLLBACK takes all of
 * it back, and a BEGIN makes it part of its block (TBLOCK_IMPLICIT_INPROGRESS in xact.c).
 */
function followed(session: SessionNames, effect: SessionEffect): SessionNames {
  const next = after(session, effect);
  // DISCARD ALL commits at once (PreventInTransactionBlock).
  const isKept = effect.type === 'transaction' || (effect.type === 'discard' && effect.what === 'all');
  if (next === session || isKept || session.overlay.saved.length > 0) return next;
  return over(next, { since: session.overlay.since ?? session });
}

function after(session: SessionNames, effect: SessionEffect): SessionNames {
  const { overlay } = session;
  switch (effect.type) {
    case 'relation':
      return over(session, {
        relations: added(overlay.relations, effect.relation.name, made(session, effect.relation)),
      });
    case 'drop relation':
      return over(session, { relations: removed(overlay.relations, effect.name) });
    case 'function':
      return over(session, {
        functions: effect.routine
          ? added(overlay.functions, effect.name, effect.routine)
          : removed(overlay.functions, effect.name),
      });
    case 'drop function':
      return over(session, { functions: removed(overlay.functions, effect.name) });
    case 'truncate':
      return truncated(session, effect.name);
    case 'taint':
      return tainted(session, effect.name, effect.columns);
    case 'prepare':
      return over(session, { prepared: added(overlay.prepared, effect.name, effect.prepared) });
    case 'deallocate':
      return over(session, { prepared: removed(overlay.prepared, effect.name) });
    case 'cursor':
      return over(session, { cursors: added(overlay.cursors, effect.cursor.name, effect.cursor) });
    case 'close':
      return over(session, { cursors: removed(overlay.cursors, effect.name) });
    case 'setting':
      return set(session, effect);
    case 'reset all':
      return allReset(session);
    case 'store': {
      const before = storedIn(overlay, effect.name);
      const value = before ? either([before, effect.value]) : effect.value;
      return over(session, { stored: added(overlay.stored, effect.name, value) });
    }
    case 'transaction':
      return transaction(session, effect);
    case 'discard':
      if (effect.what === 'all') {
        return { ...session, ...session.initial, overlay: EMPTY_OVERLAY };
      }
      return effect.what === 'temporary'
        ? over(session, { relations: permanentOnes(overlay), functions: new Map() })
        : session;
    case 'defined':
      // After 'any' nothing is followed: whoever confirms statements sees to that.
      if (effect.names === 'any' || effect.names.length === 0) return session;
      return over(session, {
        defined: new Set([...overlay.defined, ...effect.names]),
        functions: withoutDefined(overlay.functions, effect.names),
      });
    case 'kept':
      return withUnreadSettings(session, afterCode(effect.reason));
    case 'uncertain':
      return over(session, { uncertain: overlay.uncertain ?? afterCode(effect.reason) });
    default:
      return codeHasRun(session, afterCode(effect.reason));
  }
}

/**
 * Settings that clients ask for and that hold one of a few values, or what the server says of itself. Code can keep a text or
 * number of its choice in any other, the server's own (application_name, work_mem) as well.
 */
const WITHOUT_CHOICE: ReadonlySet<string> = new Set(
  `block_size bytea_output client_encoding client_min_messages data_checksums datestyle default_transaction_deferrable
   default_transaction_isolation default_transaction_read_only in_hot_standby integer_datetimes intervalstyle is_superuser
   jit lc_collate lc_ctype max_identifier_length max_index_keys row_security server_encoding server_version
   server_version_num session_replication_role standard_conforming_strings synchronous_commit transaction_deferrable
   transaction_isolation transaction_read_only wal_level`.split(/\s+/),
);

/** What is kept in a setting; undefined where that is nothing of anybody's. */
export const storedIn = ({ stored, unread }: Overlay, name: string): Value | undefined =>
  stored.get(name) ?? (unread !== undefined && !WITHOUT_CHOICE.has(name) ? unknown(unread) : undefined);

/** Whether any setting holds what a value was put into. */
export const hasStored = ({ stored }: Overlay): boolean => [...stored.values()].some((value) => !isNothing(value));

function set(before: SessionNames, { name, value, local }: Extract<SessionEffect, { type: 'setting' }>): SessionNames {
  const { stored, unread } = before.overlay;
  // At the end of its transaction SET LOCAL gives way to what was there before.
  const session =
    !local && (unread !== undefined || stored.has(name))
      ? over(before, { stored: added(stored, name, NOTHING) })
      : before;
  if (name !== 'search_path' && name !== 'role' && name !== 'session_authorization') return session;
  const { overlay, searchPath, user, role } = session;
  // Outside a transaction block SET LOCAL changes nothing that would last; `atIdle` puts it back.
  const lasting = overlay.lasting ?? (local ? { searchPath, user, role } : undefined);
  const changed = changedBy(session, name, value);
  return {
    ...session,
    ...changed,
    overlay: {
      ...overlay,
      ...(lasting && { lasting: local ? lasting : { ...lasting, ...changed } }),
    },
  };
}

function changedBy(
  { initial }: SessionNames,
  name: string,
  value: readonly string[] | undefined,
): Partial<NameSettings> {
  if (name === 'search_path') return { searchPath: value ?? initial.searchPath };
  const [who] = value ?? [];
  // SET SESSION AUTHORIZATION sets the role to NONE, RESET SESSION AUTHORIZATION resets it as well (guc.c).
  if (name === 'session_authorization')
    return who === undefined ? { user: initial.user, role: initial.role } : { user: who, role: undefined };
  if (who === undefined) return { role: initial.role };
  return { role: who === 'none' ? undefined : who };
}

function allReset(session: SessionNames): SessionNames {
  const { unread: _, ...overlay } = session.overlay;
  const { searchPath } = session.initial;
  const lasting = overlay.lasting && { lasting: { ...overlay.lasting, searchPath } };
  return { ...session, searchPath, overlay: { ...overlay, stored: new Map(), ...lasting } };
}

/** Code may have put anything into any setting. */
export const withUnreadSettings = (session: SessionNames, reason: string): SessionNames =>
  over(session, { stored: new Map(), unread: session.overlay.unread ?? reason });

/** Whatever the session keeps, the code may have put anything into it, or made something else under its name. */
function codeHasRun(session: SessionNames, reason: string): SessionNames {
  const { overlay } = session;
  const relations = new Map<string, TemporaryRelation>();
  for (const [name, relation] of overlay.relations)
    relations.set(name, { ...relation, written: relation.written ?? reason, plain: false });
  return over(session, {
    relations,
    functions: new Map(),
    prepared: new Map(),
    cursors: new Map(),
    stored: new Map(),
    unread: overlay.unread ?? reason,
    uncertain: overlay.uncertain ?? reason,
  });
}

/** What a definition makes of a name, wherever its path has led it, may be one of these. */
const withoutDefined = (functions: Overlay['functions'], names: readonly string[]): Overlay['functions'] =>
  new Map([...functions].filter(([name]) => !names.includes(`function ${name}`)));

/** Where no function of the session is meant, or it is not known which. */
export const withoutFunctions = (session: SessionNames): SessionNames =>
  session.overlay.functions.size === 0 ? session : over(session, { functions: new Map() });

/** DISCARD TEMPORARY leaves what only is not committed yet. */
const permanentOnes = ({ relations }: Overlay): Map<string, TemporaryRelation> =>
  new Map([...relations].filter(([, { permanent }]) => permanent !== undefined));

/** Where it is not known what names mean, it is not known either what a new relation was filled from. */
function made({ overlay }: SessionNames, relation: TemporaryRelation): TemporaryRelation {
  const written = relation.written ?? overlay.uncertain;
  return written === undefined ? relation : { ...relation, written };
}

function truncated(session: SessionNames, name: string): SessionNames {
  const { relations } = session.overlay;
  const relation = relations.get(name);
  if (relation?.plain !== true) return session;
  const { written: _, ...empty } = relation;
  return over(session, { relations: added(relations, name, empty) });
}

/** A rollback does not take back what was done to a sequence. */
function withSequences(before: Overlay, now: Overlay): Overlay['relations'] {
  const relations = new Map(before.relations);
  for (const [name, relation] of before.relations) {
    const written =
      relation.written ?? now.relations.get(name)?.written ?? 'reads a sequence that a rollback brought back';
    if (relation.sequence && now.relations.get(name) !== relation) relations.set(name, { ...relation, written });
  }
  return relations;
}

function transaction(session: SessionNames, effect: Extract<SessionEffect, { type: 'transaction' }>): SessionNames {
  const { overlay } = session;
  const { saved } = overlay;
  const at = saved.findLastIndex(({ savepoint }) => savepoint === effect.savepoint && savepoint !== '');
  switch (effect.kind) {
    case 'begin':
      return saved.length > 0 ? session : begun(session);
    case 'savepoint':
      return over(session, { saved: [...saved, { savepoint: effect.savepoint, session }] });
    case 'release':
      return at < 0 ? session : over(session, { saved: saved.slice(0, at) });
    case 'rollback to': {
      const target = saved[at];
      if (!target) return session;
      // Prepared statements are not part of the transaction. What was fetched of cursors does not matter here.
      return over(target.session, {
        prepared: overlay.prepared,
        relations: withSequences(target.session.overlay, overlay),
        saved: saved.slice(0, at + 1),
      });
    }
    case 'detach':
    case 'commit':
      // The server says ROLLBACK.
      return again(overlay.failed ? rolledBack(session) : ended(session), effect.chain);
    default:
      return again(rolledBack(session), effect.chain);
  }
}

/** All that the transaction has changed is undone, but what no rollback takes back. */
export function rolledBack(session: SessionNames): SessionNames {
  const { saved, since, prepared } = session.overlay;
  const before = saved[0]?.session ?? since ?? session;
  const relations = withSequences(before.overlay, session.overlay);
  return ended(over(before, { prepared, relations, saved: [] }));
}

function begun(session: SessionNames): SessionNames {
  const { since, ...overlay } = session.overlay;
  return { ...session, overlay: { ...overlay, saved: [{ savepoint: '', session: since ?? session }] } };
}
const again = (session: SessionNames, chain: boolean): SessionNames => (chain ? begun(session) : session);

/** The transaction is over: what lives no longer than that is gone. */
function ended(session: SessionNames): SessionNames {
  const { overlay } = session;
  const ends =
    overlay.saved.length > 0 ||
    overlay.since !== undefined ||
    overlay.lasting !== undefined ||
    overlay.defined.size > 0 ||
    overlay.functions.size > 0 ||
    [...overlay.relations.values()].some(({ dropOnCommit }) => dropOnCommit) ||
    [...overlay.cursors.values()].some(({ held }) => !held);
  if (!ends) return session;
  const { lasting, since: _, failed: __, ...rest } = overlay;
  return {
    ...session,
    ...lasting,
    overlay: {
      ...rest,
      saved: [],
      defined: new Set(),
      functions: new Map(),
      relations: new Map([...overlay.relations].filter(([, { dropOnCommit }]) => !dropOnCommit)),
      cursors: new Map([...overlay.cursors].filter(([, { held }]) => held)),
    },
  };
}

function tainted(session: SessionNames, name: string, columns: readonly Column[]): SessionNames {
  const { relations } = session.overlay;
  const target = relations.get(name);
  if (!target) return session;
  const all = columns.map(({ value }) => value);
  const after = new Map(relations);
  for (const [key, relation] of relations) {
    // Views are not followed: what is put into one, or into what may be below one, may be anywhere in the other.
    const blurred = key !== name && (relation.view || target.view);
    if (key !== name && !blurred) continue;
    const merged = relation.columns.map((column) => {
      const values = blurred || relation.view ? all : valuesOf(columns, column.name);
      return { name: column.name, value: withType(either([column.value, ...values]), column.value) };
    });
    after.set(key, { ...relation, columns: merged });
  }
  return over(session, { relations: after });
}

const valuesOf = (columns: readonly Column[], name: string): Value[] =>
  columns.filter((one) => one.name === name).map(({ value }) => value);

/** A column keeps its type, whatever is put into it. */
function withType(value: Value, column: Value): Value {
  const { type: _, stored: __, limited: ___, ...rest } = withUnknown(value, column.unknown);
  return column.type === undefined ? rest : { ...rest, ...typeIn(column) };
}

const over = (session: SessionNames, change: Partial<Overlay>): SessionNames => ({
  ...session,
  overlay: { ...session.overlay, ...change },
});

const added = <T>(map: ReadonlyMap<string, T>, name: string, item: T): Map<string, T> => new Map(map).set(name, item);

/** @param name undefined for all */
function removed<T>(map: ReadonlyMap<string, T>, name: string | undefined): Map<string, T> {
  if (name === undefined) return new Map();
  const left = new Map(map);
  left.delete(name);
  return left;
}
