/**
 * Which process of the target serves a session, and whether it still is the one that did. Lives here: what tells a pooler,
 * and what a client is told then. Does not: what follows from pooling by transaction (`pooled.ts`), and when looks are sent.
 */
import type { Looked } from '@sluice/contract';
import { TIMEOUTS_OF_SESSION } from './timeouts.js';

/** What the configuration says stands between the gateway and the server. */
export type Pooled = 'session' | 'transaction' | undefined;

/** A process of the server, as it says itself. */
export interface Process {
  readonly process: number;
  /** When it started, in seconds since 1970; unknown to roles that may not see it. */
  readonly started: number | null;
}

/** Why a session cannot go on, in sentences for the client. */
export type Unfit = NonNullable<Looked['unfit']>;

/** What names mean to a session as it begins: settings of the role, the database and the server count, besides its own. */
export interface Beginning {
  /** As SHOW search_path has it. */
  readonly path: string;
  readonly role: string;
  /** SESSION_USER. */
  readonly user: string;
  /** See `TIMEOUTS_OF_SESSION`. */
  readonly timeouts: unknown;
}

/** How long a pooler that keeps a process for each session is believed, in milliseconds. */
const BELIEVED_MS = 2_000;

/** A name may have characters that the client's encoding has not. */
const inHex = (text: string): string => `pg_catalog.encode(pg_catalog.convert_to(${text}, 'UTF8'), 'hex')`;

/** One statement with one value, which `readProcess` and `readBeginning` read. Every name is qualified: the search path is anybody's. */
export const WHO = `select pg_catalog.json_build_object('process', pg_catalog.pg_backend_pid(), 'started',
  (select pg_catalog."extract"('epoch', a.backend_start) from pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid()) a),
  'path', ${inHex("pg_catalog.current_setting('search_path')")}, 'role', ${inHex('current_user::pg_catalog.text')},
  'user', ${inHex('session_user::pg_catalog.text')}, 'timeouts', ${TIMEOUTS_OF_SESSION})::pg_catalog.text`.replaceAll(
  /\s+/g,
  ' ',
);

export function readProcess(value: string | undefined): Process | undefined {
  if (value === undefined) return undefined;
  try {
    const { process, started = null } = JSON.parse(value) as Partial<Process>;
    return typeof process === 'number' ? { process, started } : undefined;
  } catch {
    return undefined;
  }
}

/** @returns undefined where it does not say that */
export function readBeginning(value: string | undefined): Beginning | undefined {
  if (readProcess(value) === undefined) return undefined;
  const { path, role, user, timeouts } = JSON.parse(value ?? '') as Partial<Beginning>;
  if (path === undefined || role === undefined || user === undefined) return undefined;
  const text = (hex: string): string => Buffer.from(hex, 'hex').toString();
  return { path: text(path), role: text(role), user: text(user), timeouts };
}

export class Backend {
  readonly #pooled: Pooled;
  readonly #onUnfit: (unfit: Unfit) => void;
  #first: Process | undefined;
  #seen = -Infinity;

  /** `onUnfit` hears why a session cannot go on, for whoever runs the gateway. */
  constructor(pooled: Pooled, onUnfit: (unfit: Unfit) => void) {
    this.#pooled = pooled;
    this.#onUnfit = onUnfit;
  }

  /** It is time to ask which process serves the session. */
  get due(): boolean {
    return this.#pooled === 'session' && performance.now() - this.#seen >= BELIEVED_MS;
  }

  /**
   * The session has begun.
   *
   * @param reported what the target said in BackendKeyData
   */
  opened(reported: number, found: Process | undefined): Looked {
    this.#first = found;
    this.#seen = performance.now();
    if (!found) return this.#unfit(UNKNOWN);
    return found.process === reported || this.#pooled !== undefined ? {} : this.#unfit(POOLER);
  }

  /** What serves the session now, where it could be asked. With a pooler by transaction it may be another one each time. */
  met(found: Process | undefined): Looked {
    this.#seen = performance.now();
    if (this.#pooled === 'transaction' || !this.#first || !found) return {};
    const { process, started } = this.#first;
    const same = found.process === process && (started === null || found.started === null || started === found.started);
    return same ? {} : this.#unfit(CHANGED);
  }

  #unfit(unfit: Unfit): Looked {
    this.#onUnfit(unfit);
    return { unfit };
  }
}

const HINT =
  'An administrator sets target.pooled of the connection: "session" where the pooler keeps a server process for each session, "transaction" where it keeps one for a transaction only.';
const POOLER = {
  message:
    'There is a pooler between the gateway and the database, and columns are masked here. Masks follow what a session does, and a pooler may hand that on to others.',
  hint: HINT,
};
const CHANGED = {
  message:
    'Another process of the server answers this session than before, so there is a pooler by transaction in between. What masks know of the session does not hold any more.',
  hint: HINT,
};
const UNKNOWN = {
  message: 'The target does not say which process serves this session, and columns are masked here.',
  hint: HINT,
};
