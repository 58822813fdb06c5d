/**
 * What of the session decides how a text is read, as the target has confirmed it: sql_mode, character sets, the default database.
 * Owns: that state, the question that asks for it, and the setting that keeps the target reporting it. Does not: send either.
 */
import type { Effect, Facts, MySqlDialect } from '@sluice/contract';
import { type Change, type Ok, STATUS, TRACK, schema, variables } from './replies.js';
import { isFollowed } from './text.js';

/** What the target has to report. `session_track_*` themselves: so that whoever switches reports off is seen to. */
const FOLLOWED = [
  'sql_mode',
  'character_set_client',
  'character_set_results',
  'session_track_system_variables',
  'session_track_schema',
] as const;

/**
 * Asked where reports cannot have told everything: at the start, after a reset, after code that nobody has read. Poolers answer
 * `SELECT CONNECTION_ID()` themselves, and leave it to the server where it is one column of several.
 */
export const QUESTION =
  'SELECT @@session_track_system_variables, @@session_track_schema, @@sql_mode, @@character_set_client, DATABASE(), CONNECTION_ID()';

/** A name in the list of what is reported. */
const TRACKED_NAME = /^[a-z0-9_*]{1,64}$/;

/** Modes that give the server another grammar (MariaDB). */
const OTHER_GRAMMARS: ReadonlySet<string> = new Set(['ORACLE', 'MSSQL', 'DB2', 'MAXDB', 'POSTGRESQL']);

export interface Server {
  readonly flavour: MySqlDialect['flavour'];
  readonly version: number;
}

/** `10.11.19-MariaDB-0+deb12u1`, `5.5.5-10.11.19-MariaDB`, `9.7.4`. Undefined: no such version. */
export function serverOf(greeted: string): Server | undefined {
  const [, major, minor, patch] = /^(?:5\.5\.5-(?=\d))?(\d+)\.(\d+)\.(\d+)/.exec(greeted) ?? [];
  if (major === undefined) return undefined;
  const version = Number(major) * 10_000 + Number(minor) * 100 + Number(patch);
  return { flavour: /mariadb/i.test(greeted) ? 'mariadb' : 'mysql', version };
}

export class SessionState {
  readonly #server: Server;
  readonly #ignoreSpace: boolean;
  /** The client has asked for session tracking by its capabilities. */
  readonly #tracks: boolean;
  #sqlMode: readonly string[] = [];
  #charset = 'utf8mb4';
  #database: string | undefined;
  #dialect: MySqlDialect | undefined;
  /** What the client has asked to be told of: names of variables, and whether of the schema. */
  #wished: ReadonlySet<string> = new Set();
  #wishesSchema = true;
  /** Flags of the last status that the target has sent. */
  status: number = STATUS.autocommit;
  /** Masks do not hold, because of what is between the gateway and the server: why, in sentences. */
  pooled: string | undefined;
  /** The target may not report everything any more: it has to be asked before the next statement is read. */
  stale = true;

  constructor(server: Server, ignoreSpace: boolean, tracks: boolean) {
    this.#server = server;
    this.#ignoreSpace = ignoreSpace;
    this.#tracks = tracks;
  }

  get dialect(): MySqlDialect {
    return (this.#dialect ??= {
      name: 'mysql',
      ...this.#server,
      sqlMode: this.#sqlMode,
      ignoreSpace: this.#ignoreSpace || this.#sqlMode.includes('IGNORE_SPACE'),
      database: this.#database,
      charset: this.#charset,
    });
  }

  /** Why the session cannot go on as it is; undefined: it can. */
  get unfit(): string | undefined {
    if (this.pooled !== undefined) return this.pooled;
    const mode = this.#sqlMode.find((one) => OTHER_GRAMMARS.has(one));
    if (mode !== undefined) return `sql_mode ${mode} changes the grammar, and the gateway does not read that one.`;
    if (isFollowed(this.#charset)) return undefined;
    return `The gateway does not follow statements in the character set ${this.#charset}: use utf8mb4.`;
  }

  /**
   * The answer to `QUESTION`.
   *
   * @returns a statement that has the target report what the gateway follows, besides what the client asked for; undefined: it
   *   does already
   */
  answered(row: readonly (string | null)[]): string | undefined {
    const [list, schemas, sqlMode, charset, database] = row;
    const written = (list ?? '').split(',').map((one) => one.trim().toLowerCase());
    const names = new Set(written.filter((one) => TRACKED_NAME.test(one)));
    const reports = FOLLOWED.every((one) => names.has(one) || names.has('*'));
    // A list that has all of the gateway's own is no wish of the client's.
    if (!reports || schemas !== '1') {
      this.#wished = names;
      this.#wishesSchema = schemas === '1';
    }
    this.#sqlMode = words(sqlMode ?? '');
    this.#charset = (charset ?? '').toLowerCase();
    this.#database = database ?? undefined;
    this.#dialect = undefined;
    if (reports && schemas === '1') return undefined;
    const all = [...new Set([...names, ...FOLLOWED])].join(',');
    return `SET session_track_system_variables = '${all}', session_track_schema = ON`;
  }

  /**
   * A statement has run. Reports tell what a plain one changed; code that nobody has read can have changed what is reported, and so
   * can a setting of which no report came.
   */
  ran({ actions }: Facts, text: string, reported: boolean): void {
    const has = (effect: Effect): boolean => actions.some(({ effects }) => effects.includes(effect));
    if (has('execute') || has('unknown')) this.stale = true;
    else if (has('session') && !actions.every(({ verb }) => TRANSACTION.has(verb)))
      this.stale ||= !reported || TRACKING_NAMED.test(text);
  }

  /** An OK of the target: takes up what it reports. @returns what of it the client may have, and undefined where that is all */
  reported(one: Ok): Ok | undefined {
    this.status = one.status;
    if (one.changes.length === 0 && (this.#tracks || one.bare)) return undefined;
    const changes = one.changes.flatMap((change) => this.#take(change));
    return { ...one, changes };
  }

  #take(change: Change): Change[] {
    if (change.type === TRACK.schema) {
      this.#database = schema(change.data) || undefined;
      this.#dialect = undefined;
      return this.#wishesSchema ? [change] : [];
    }
    if (change.type !== TRACK.variables) return [change];
    const all = this.#wished.has('*');
    const passing = variables(change.data).filter(({ name, value }) => {
      this.#set(name, value);
      return all || this.#wished.has(name);
    });
    return passing.length === 0 ? [] : [{ type: change.type, data: Buffer.concat(passing.map(({ data }) => data)) }];
  }

  #set(name: string, value: string): void {
    if (name === 'sql_mode') this.#sqlMode = words(value);
    else if (name === 'character_set_client') this.#charset = value.toLowerCase();
    else if (name.startsWith('session_track_')) this.stale = true;
    else return;
    this.#dialect = undefined;
  }
}

/** They leave settings as they are. */
const TRANSACTION: ReadonlySet<string> = new Set([
  'begin',
  'start',
  'start transaction',
  'commit',
  'rollback',
  'savepoint',
  'release',
  'release savepoint',
]);
const TRACKING_NAMED = /session_track/i;

const words = (list: string): string[] =>
  list
    .toUpperCase()
    .split(',')
    .filter((word) => word !== '');
