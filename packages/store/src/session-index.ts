/**
 * The index of sessions: one row for each, made of the journal at any time. Owns: its file. Does not: read the journal
 * (packages/reading).
 */
import { chmodSync, closeSync, openSync, rmSync } from 'node:fs';
import SQLite from 'better-sqlite3';

/**
 * The index of sessions: one row a session, so that a list of them needs no look at the journal, and a reader of one
 * knows where in the journal it begins and ends. It can be made of the journal again at any time and proves nothing.
 *
 * Lives here: its tables and queries. Does not: reading the journal. Every call is synchronous, for a thread of its own.
 */
export class SessionIndex {
  readonly #db: SQLite.Database;

  /** Opens, or makes, the file. One that is damaged, or of another version, is made anew and is empty. */
  constructor(file: string) {
    this.#db = openIndex(file);
  }

  /** Everything in the journal before it is in the index; undefined: nothing is. */
  get position(): JournalPosition | undefined {
    return this.#db.prepare<[], JournalPosition>('select segment, offset from position').get();
  }

  /** Makes changes in their order and remembers how far the journal was followed, both or neither. */
  apply(changes: readonly IndexChange[], position: JournalPosition): void {
    this.#db.transaction(() => {
      for (const change of changes) this.#change(change);
      this.#db.prepare('delete from position').run();
      this.#db.prepare('insert into position values (?, ?)').run(position.segment, position.offset);
    })();
  }

  /** Newest first. `person`: only theirs; `connections`: only those on them; `before`: only those behind that session in this order. */
  list({
    person,
    connections,
    claims = [],
    principal,
    connection,
    id,
    before,
    limit,
  }: SessionFilter): IndexedSession[] {
    const after = before === undefined ? undefined : this.find(before);
    if (before !== undefined && !after) return [];
    const conditions = [
      ...(person === undefined ? [] : [THEIRS]),
      ...(connections === undefined ? [] : ['connection in (select value from json_each(@connections))']),
      ...claims.map((_, at) => claimCondition(at)),
      ...(principal === undefined ? [] : ['principal = @principal']),
      ...(connection === undefined ? [] : ['connection = @connection']),
      ...(id === undefined ? [] : ['id = @only']),
      ...(after ? ['(started, id) < (@started, @id)'] : []),
    ];
    const where = conditions.length === 0 ? '' : `where ${conditions.join(' and ')}`;
    return this.#db
      .prepare<[object], Row>(`select * from sessions ${where} order by started desc, id desc limit @limit`)
      .all({
        name: person?.name,
        issuer: person?.issuer ?? null,
        subject: person?.subject ?? null,
        connections: connections && JSON.stringify(connections),
        principal,
        connection,
        started: after?.started,
        id: after?.id,
        only: id,
        limit,
        ...Object.fromEntries(
          claims.flatMap(({ name, value }, at) => [
            [`claim${at}`, name],
            [`value${at}`, value],
          ]),
        ),
      })
      .map(fromRow);
  }

  /** Where in the journal no record of this time or of a later one lies before; undefined: nothing is known of it. */
  placeBefore(time: number): JournalPosition | undefined {
    return this.#db
      .prepare<[number], JournalPosition>(
        'select from_segment as segment, from_offset as offset from sessions where started <= ? order by started desc, id desc limit 1',
      )
      .get(time);
  }

  find(id: string): IndexedSession | undefined {
    const row = this.#db.prepare<[string], Row>('select * from sessions where id = ?').get(id);
    return row && fromRow(row);
  }

  /** Those whose end is not known: open, or cut off by an end of the gateway. */
  unfinished(): IndexedSession[] {
    return this.#db.prepare<[], Row>('select * from sessions where to_segment is null').all().map(fromRow);
  }

  /** The connections whose sessions may have records in a segment. */
  connectionsIn(segment: number): string[] {
    return this.#db
      .prepare<[number, number], { connection: string }>(
        'select distinct connection from sessions where from_segment <= ? and (to_segment is null or to_segment >= ?)',
      )
      .all(segment, segment)
      .map(({ connection }) => connection);
  }

  /** Forgets the sessions that ended before a segment. */
  forgetBefore(segment: number): void {
    this.#db.prepare('delete from sessions where to_segment < ?').run(segment);
  }

  /** Forgets everything: it was the index of another journal. */
  clear(): void {
    this.#db.exec('delete from sessions; delete from position;');
  }

  close(): void {
    this.#db.close();
  }

  #change(change: IndexChange): void {
    switch (change.type) {
      case 'opened': {
        const { id, principal, issuer, subject, connection, protocol, client, started, from, claims } = change;
        this.#db
          .prepare(
            `insert or replace into sessions (id, principal, issuer, subject, connection, protocol, client, started, claims, commands, denied, from_segment, from_offset)
             values (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, ?, ?)`,
          )
          .run(
            id,
            principal,
            issuer ?? null,
            subject ?? null,
            connection,
            protocol,
            client,
            started,
            claims ? JSON.stringify(claims) : null,
            from.segment,
            from.offset,
          );
        break;
      }
      case 'closed': {
        const { id, ended, reason, commands, denied, to } = change;
        this.#db
          .prepare(
            `update sessions set ended = ?, reason = ?, commands = ?, denied = ?, to_segment = ?, to_offset = ? where id = ?`,
          )
          .run(ended, reason, commands, denied, to.segment, to.offset, id);
        break;
      }
      case 'extended': {
        const { id, to } = change;
        this.#db
          .prepare('update sessions set to_segment = ?, to_offset = ? where id = ? and to_segment is not null')
          .run(to.segment, to.offset, id);
        break;
      }
      case 'counted': {
        const { id, commands, denied, to } = change;
        this.#db
          .prepare('update sessions set commands = ?, denied = ?, to_segment = ?, to_offset = ? where id = ?')
          .run(commands, denied, to?.segment ?? null, to?.offset ?? null, id);
        break;
      }
      default:
        change satisfies never;
    }
  }
}

/** A place in the journal: the number of a segment, and bytes from its start. */
export interface JournalPosition {
  readonly segment: number;
  readonly offset: number;
}

export interface IndexedSession {
  readonly id: string;
  readonly principal: string;
  /** As an identity provider knows the principal. */
  readonly issuer?: string;
  readonly subject?: string;
  /** Of their claims those that are kept with each session. */
  readonly claims?: Readonly<Record<string, readonly string[]>>;
  readonly connection: string;
  readonly protocol: string;
  readonly client: string;
  /** Milliseconds since 1970. */
  readonly started: number;
  readonly ended?: number;
  readonly reason?: string;
  readonly commands: number;
  readonly denied: number;
  /** All of its records are between these; without `to` it is not known where they end. */
  readonly from: JournalPosition;
  readonly to?: JournalPosition;
}

export type IndexChange =
  | ({ readonly type: 'opened' } & Pick<
      IndexedSession,
      'id' | 'principal' | 'issuer' | 'subject' | 'connection' | 'protocol' | 'client' | 'started' | 'from' | 'claims'
    >)
  | {
      readonly type: 'closed';
      readonly id: string;
      readonly ended: number;
      readonly reason: string;
      readonly commands: number;
      readonly denied: number;
      readonly to: JournalPosition;
    }
  /** Something about it was recorded after its end. */
  | { readonly type: 'extended'; readonly id: string; readonly to: JournalPosition }
  /** What was counted of one whose end is not on record; `to`: there is no more of it. */
  | {
      readonly type: 'counted';
      readonly id: string;
      readonly commands: number;
      readonly denied: number;
      readonly to?: JournalPosition;
    };

export interface SessionFilter {
  /** Those of this person: by issuer and subject where both have one, else by issuer and name. */
  readonly person?:
    | Readonly<Record<'name', string> & Partial<Record<'issuer' | 'subject', string | undefined>>>
    | undefined;
  readonly connections?: readonly string[] | undefined;
  /** Only those with all of these. */
  readonly claims?: readonly { readonly name: string; readonly value: string }[] | undefined;
  /** Only those of this name, on this connection. */
  readonly principal?: string | undefined;
  readonly connection?: string | undefined;
  /** Only this one. */
  readonly id?: string | undefined;
  readonly before?: string | undefined;
  readonly limit: number;
}

/** The same person, whatever they are called. `is` takes NULL for a value. */
const THEIRS = `((subject = @subject and issuer is @issuer)
  or (principal = @name and issuer is @issuer and (subject is null or @subject is null)))`;

/** One of its values is this one. Names and values are bound: they are a caller's. */
const claimCondition = (at: number): string =>
  `exists (select 1 from json_each(claims) as one, json_each(one.value) as inside where one.key = @claim${at} and inside.value = @value${at})`;

interface Row extends Omit<IndexedSession, 'issuer' | 'subject' | 'claims' | 'ended' | 'reason' | 'from' | 'to'> {
  readonly issuer: string | null;
  readonly subject: string | null;
  /** JSON. */
  readonly claims: string | null;
  readonly ended: number | null;
  readonly reason: string | null;
  readonly from_segment: number;
  readonly from_offset: number;
  readonly to_segment: number | null;
  readonly to_offset: number | null;
}

function fromRow(row: Row): IndexedSession {
  const { from_segment, from_offset, to_segment, to_offset, issuer, subject, claims, ended, reason, ...session } = row;
  return {
    ...session,
    ...(issuer !== null && { issuer }),
    ...(subject !== null && { subject }),
    ...(claims !== null && { claims: JSON.parse(claims) as NonNullable<IndexedSession['claims']> }),
    ...(ended !== null && { ended }),
    ...(reason !== null && { reason }),
    from: { segment: from_segment, offset: from_offset },
    ...(to_segment !== null && to_offset !== null && { to: { segment: to_segment, offset: to_offset } }),
  };
}

/** Kept in the file: one that says another number is made anew. */
const VERSION = 3;

function openIndex(file: string): SQLite.Database {
  try {
    return prepare(file);
  } catch (error) {
    if (!(error instanceof SQLite.SqliteError)) throw error;
    for (const name of [file, `${file}-wal`, `${file}-shm`]) rmSync(name, { force: true });
    return prepare(file);
  }
}

function prepare(file: string): SQLite.Database {
  closeSync(openSync(file, 'a', 0o600));
  chmodSync(file, 0o600);
  const db = new SQLite(file);
  try {
    db.pragma('journal_mode = WAL');
    // What a loss of power takes is read from the journal again.
    db.pragma('synchronous = NORMAL');
    if (db.pragma('user_version', { simple: true }) !== VERSION) {
      db.exec(`
        drop table if exists sessions;
        drop table if exists position;
        create table position (segment integer not null, offset integer not null);
        create table sessions (
          id text primary key, principal text not null, issuer text, subject text, connection text not null, protocol text not null,
          client text not null, started integer not null, claims text, ended integer, reason text,
          commands integer not null, denied integer not null,
          from_segment integer not null, from_offset integer not null, to_segment integer, to_offset integer
        );
        create index sessions_started on sessions (started, id);
        create index sessions_principal on sessions (principal, started, id);
        create index sessions_subject on sessions (subject, started, id) where subject is not null;
        create index sessions_ends on sessions (to_segment, from_segment);
        pragma user_version = ${VERSION};`);
    }
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}
