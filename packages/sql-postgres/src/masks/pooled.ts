/**
 * Targets behind a pooler that gives each transaction another process of the server. Lives here: what a session there
 * starts from each time, and which statements cannot be judged or would not last. Does not: finding poolers (`backend.ts`).
 */
import {
  EMPTY_OVERLAY,
  type SessionEffect,
  type SessionNames as NameSpace,
  type StatementLineage,
  newSession,
} from '../lineage/index.js';
import type { Facts } from '@sluice/contract';

/** Sentences for the client. */
export interface PooledRefusal {
  readonly message: string;
  readonly hint: string;
}

/** A session that relies on nothing: the process that runs its next statement may have served anybody. */
export const pooledSession = (user: string): NameSpace => ({
  ...newSession(user, []),
  anyPath: 'uses a name without its schema, and the search_path of the server process is not known',
  overlay: { ...EMPTY_OVERLAY, unread: 'reads a setting that others may have left in the server process' },
});

/** Settings that a pooler hands on, or that only change how values are written. Drivers set them when they connect. */
const HARMLESS: ReadonlySet<string> = new Set(
  'application_name client_encoding datestyle extra_float_digits intervalstyle standard_conforming_strings timezone'.split(
    ' ',
  ),
);
const SAYS: Readonly<Record<string, readonly [what: string, instead: string]>> = {
  ListenStmt: ['LISTEN', 'Listen on a connection that leads to the database without a pooler.'],
  UnlistenStmt: ['UNLISTEN', 'Listen on a connection that leads to the database without a pooler.'],
  LoadStmt: ['LOAD', 'Have the library loaded by the server.'],
  ExecuteStmt: ['EXECUTE', 'Send the statement itself.'],
};

/**
 * Why a text does not pass to a target that pools by transaction; undefined where it may.
 *
 * @param names what is known of the session: outside a transaction that was looked at, nothing
 */
export function refusedForPooler(
  lineage: readonly StatementLineage[] | undefined,
  facts: Facts,
  names: NameSpace,
): PooledRefusal | undefined {
  if (!lineage)
    return { ...unqualified('names'), hint: 'It is too long for its names to be looked up: send less at a time.' };
  for (const one of lineage) {
    const [what, instead] = SAYS[one.statement] ?? one.effects.flatMap((effect) => [lasting(effect) ?? []])[0] ?? [];
    if (what !== undefined) return notKept(what, instead);
  }
  if (names.anyPath === undefined) return undefined;
  const table = facts.actions
    .flatMap(({ resources }) => resources)
    .find(({ type, name }) => type === 'table' && !name.includes('.'));
  if (table) return unqualified(`${table.name} without its schema`);
  return lineage.some(({ unknown }) => unknown === names.anyPath)
    ? unqualified('a name without its schema')
    : undefined;
}

/** What a statement would leave in the session: its name, and what to do instead. */
function lasting(effect: SessionEffect): readonly [what: string, instead: string] | undefined {
  switch (effect.type) {
    case 'prepare':
    case 'deallocate':
      return [
        effect.type === 'prepare' ? 'PREPARE' : 'DEALLOCATE',
        'Send statements with their values, without a name.',
      ];
    case 'cursor':
      return effect.cursor.held ? ['A cursor WITH HOLD', 'Declare it without WITH HOLD, in a transaction.'] : undefined;
    case 'relation':
      return effect.relation.dropOnCommit
        ? undefined
        : ['A temporary table', 'Create it in a transaction with ON COMMIT DROP, or use a WITH query.'];
    case 'setting':
      return effect.local || HARMLESS.has(effect.name) ? undefined : [`SET ${effect.name}`, LOCALLY];
    case 'store':
      return effect.local ? undefined : [effect.name === '' ? 'A setting' : `SET ${effect.name}`, LOCALLY];
    case 'reset all':
      return ['RESET ALL', LOCALLY];
    case 'discard':
      return ['DISCARD', 'Nothing is kept that would have to be discarded.'];
    default:
      return undefined;
  }
}

/** How long a session that has a process of the server to itself waits for the gateway's own look-ups, in milliseconds. */
const MAX_WAIT_MS = 2_000;

/**
 * What is looked up on another connection, in time. The pooler may have no process left for that one, and those that wait for
 * it may be who has them all.
 */
export async function inTime<T>(lookup: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => reject(new Error('the pooler gave the gateway no server process in time')),
    MAX_WAIT_MS,
  );
  try {
    return await Promise.race([lookup, promise]);
  } finally {
    clearTimeout(timer);
  }
}

const LOCALLY = 'Use SET LOCAL in a transaction.';

const notKept = (what: string, hint = ''): PooledRefusal => ({
  message: `${what} is for a session, and the pooler before this database gives each transaction another server process.`,
  hint,
});

const unqualified = (what: string): PooledRefusal => ({
  message: `This statement uses ${what}, columns are masked here, and the pooler before this database may run it with anybody's search_path.`,
  hint: 'Write schema.table, or begin a transaction first: in it names mean what its search_path says.',
});
