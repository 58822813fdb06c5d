/** Tables of the store, and how an older file becomes a newer one. Does not: read or write rows. */
import { type Kysely, sql } from 'kysely';
import type { Migration } from 'kysely/migration';

/** Tables of the control state. Types that SQLite and PostgreSQL share: text, and bigint for milliseconds since 1970. */
export interface Database {
  tokens: TokensTable;
  settings: { name: string; value: string };
  agents: AgentsTable;
  agent_tokens: AgentTokensTable;
  approvals: ApprovalsTable;
  counts: CountsTable;
  sketches: SketchesTable;
  touches: TouchesTable;
  freezes: FreezesTable;
  console_logins: ConsoleLoginsTable;
  security_keys: SecurityKeysTable;
  pins: PinsTable;
  grants: GrantsTable;
  judged_files: JudgedFilesTable;
}

export interface GrantsTable {
  connection: string;
  /** Whose it is, as JSON. */
  owner: string;
  /** How they were called when they gave it. */
  principal: string;
  since: number;
  /** Tokens, encrypted, base64. */
  sealed: string;
}

/** A file of calls of models that a provider keeps. */
export interface JudgedFilesTable {
  connection: string;
  person: string;
  principal: string;
  /** As its provider calls it. */
  file: string;
  endpoint: string;
  /** Fingerprint of the rules that it was judged by. */
  rules: string;
  state: 'free' | 'counted' | 'used';
  since: number;
}

export interface PinsTable {
  connection: string;
  /** Of the tool. */
  name: string;
  /** What its server said of it when it was looked at, JSON; empty: nobody has looked. */
  pinned: string;
  /** What the server says now, where that is something else; else empty. */
  offered: string;
  since: number;
}

export interface SecurityKeysTable {
  /** As its maker names it: base64url. */
  id: string;
  /** JSON: whose it is. */
  owner: string;
  name: string;
  /** COSE, base64. */
  public_key: string;
  counter: number;
  /** A JSON list of how a browser reaches it. */
  transports: string;
  created: number;
  last_used: number | null;
}

export interface ConsoleLoginsTable {
  /** SHA-256 of the cookie's secret, base64url. */
  digest: string;
  /** JSON: a name, and what an issuer said of them. */
  who: string;
  proof: string;
  created: number;
  used: number;
  expires: number;
}

export interface CountsTable {
  owner: string;
  what: string;
  hour: number;
  amount: number;
}

export interface SketchesTable {
  owner: string;
  what: string;
  /** The minute since 1970 that it begins with. */
  slot: number;
  /** Base64. */
  sketch: string;
}

export interface TouchesTable {
  owner: string;
  connection: string;
  /** The start of the SHA-256 of the name of a table, base64. */
  digest: string;
  since: number;
}

export interface FreezesTable {
  subject: string;
  since: number;
  frozen_by: string;
  why: string;
}

export interface AgentsTable {
  id: string;
  name: string;
  /** Ed25519, 32 bytes, base64. */
  public_key: string;
  enrolled: number;
  last_seen: number | null;
  revoked: number | null;
}

export interface ApprovalsTable {
  number: number;
  state: string;
  /** When the command that it released was let through. */
  used: number | null;
  /** The request in brief, as JSON. */
  body: string;
  /** Fields that are larger than that, as JSON; null: there are none. */
  whole: string | null;
  /** 'open' or 'closed' of what passed by break-glass; null: it did not. */
  review: string | null;
}

export interface AgentTokensTable {
  /** SHA-256 of the token, base64. */
  hash: string;
  /** The agent that it enrols. */
  name: string;
  expires: number;
  used: number | null;
}

export interface TokensTable {
  id: string;
  principal: string;
  name: string;
  stored_key: string;
  server_key: string;
  sha256: string;
  sha1: string;
  created: number;
  expires: number | null;
  last_used: number | null;
  revoked: number | null;
  /** JSON lists of names, or null. */
  connections: string | null;
  roles: string | null;
  /** JSON, for tokens of people who are not in the configuration. */
  owner: string | null;
  parent: string | null;
  /** A JSON list; null: made before makers were kept. */
  makers: string | null;
}

/** Applied in the order of their names, each once. A migration that has been released is never changed. */
export const MIGRATIONS: Record<string, Migration> = {
  '0001_tokens_and_settings': {
    async up(db: Kysely<unknown>) {
      await db.schema
        .createTable('settings')
        .addColumn('name', 'text', (column) => column.primaryKey())
        .addColumn('value', 'text', (column) => column.notNull())
        .execute();
      await db.schema
        .createTable('tokens')
        .addColumn('id', 'text', (column) => column.primaryKey())
        .addColumn('principal', 'text', (column) => column.notNull())
        .addColumn('name', 'text', (column) => column.notNull())
        .addColumn('stored_key', 'text', (column) => column.notNull())
        .addColumn('server_key', 'text', (column) => column.notNull())
        .addColumn('sha256', 'text', (column) => column.notNull())
        .addColumn('sha1', 'text', (column) => column.notNull())
        .addColumn('created', 'bigint', (column) => column.notNull())
        .addColumn('expires', 'bigint')
        .addColumn('last_used', 'bigint')
        .addColumn('revoked', 'bigint')
        .addColumn('connections', 'text')
        .execute();
      await sql`create index tokens_principal on tokens (principal)`.execute(db);
    },
  },
  '0002_agents': {
    async up(db: Kysely<unknown>) {
      await db.schema
        .createTable('agents')
        .addColumn('id', 'text', (column) => column.primaryKey())
        .addColumn('name', 'text', (column) => column.notNull())
        .addColumn('public_key', 'text', (column) => column.notNull())
        .addColumn('enrolled', 'bigint', (column) => column.notNull())
        .addColumn('last_seen', 'bigint')
        .addColumn('revoked', 'bigint')
        .execute();
      await db.schema
        .createTable('agent_tokens')
        .addColumn('hash', 'text', (column) => column.primaryKey())
        .addColumn('name', 'text', (column) => column.notNull())
        .addColumn('expires', 'bigint', (column) => column.notNull())
        .addColumn('used', 'bigint')
        .execute();
    },
  },
  '0003_approvals': {
    async up(db: Kysely<unknown>) {
      await db.schema
        .createTable('approvals')
        .addColumn('number', 'bigint', (column) => column.primaryKey())
        .addColumn('state', 'text', (column) => column.notNull())
        .addColumn('used', 'bigint')
        .addColumn('body', 'text', (column) => column.notNull())
        .execute();
      await sql`create index approvals_state on approvals (state)`.execute(db);
    },
  },
  '0004_token_owners': {
    async up(db: Kysely<unknown>) {
      await db.schema.alterTable('tokens').addColumn('roles', 'text').execute();
      await db.schema.alterTable('tokens').addColumn('owner', 'text').execute();
      await db.schema.alterTable('tokens').addColumn('parent', 'text').execute();
    },
  },
  '0005_token_makers': {
    async up(db: Kysely<unknown>) {
      await db.schema.alterTable('tokens').addColumn('makers', 'text').execute();
    },
  },
  '0006_approval_texts': {
    async up(db: Kysely<unknown>) {
      await db.schema.alterTable('approvals').addColumn('whole', 'text').execute();
      // One at a time: a text may have many megabytes.
      const large = await sql<{ number: number }>`select number from approvals where length(body) > 8192`.execute(db);
      for (const { number } of large.rows) {
        const { rows } = await sql<{ body: string }>`select body from approvals where number = ${number}`.execute(db);
        const request: { text: string; parameters: string[] } = JSON.parse(rows[0]?.body ?? '');
        const { text, parameters } = request;
        const brief = { ...request, text: text.slice(0, 2048), parameters: [], textBytes: Buffer.byteLength(text) };
        const body = JSON.stringify({ ...brief, values: parameters.length });
        const whole = JSON.stringify({ text, parameters });
        await sql`update approvals set body = ${body}, whole = ${whole} where number = ${number}`.execute(db);
      }
    },
  },
  '0009_guesses': {
    async up(db: Kysely<unknown>) {
      await db.schema
        .createTable('guesses')
        .addColumn('person', 'text', (column) => column.notNull())
        .addColumn('masked_column', 'text', (column) => column.notNull())
        .addColumn('hour', 'bigint', (column) => column.notNull())
        .addColumn('count', 'bigint', (column) => column.notNull())
        .addPrimaryKeyConstraint('guesses_key', ['person', 'masked_column', 'hour'])
        .execute();
    },
  },
  '0010_console_logins': {
    async up(db: Kysely<unknown>) {
      await db.schema
        .createTable('console_logins')
        .addColumn('digest', 'text', (column) => column.primaryKey())
        .addColumn('who', 'text', (column) => column.notNull())
        .addColumn('proof', 'text', (column) => column.notNull())
        .addColumn('created', 'bigint', (column) => column.notNull())
        .addColumn('used', 'bigint', (column) => column.notNull())
        .addColumn('expires', 'bigint', (column) => column.notNull())
        .execute();
    },
  },
  // Guesses are no longer all that is counted.
  '0011_counts': {
    async up(db: Kysely<unknown>) {
      await db.schema
        .createTable('counts')
        .addColumn('owner', 'text', (column) => column.notNull())
        .addColumn('what', 'text', (column) => column.notNull())
        .addColumn('hour', 'bigint', (column) => column.notNull())
        .addColumn('amount', 'bigint', (column) => column.notNull())
        .addPrimaryKeyConstraint('counts_key', ['owner', 'what', 'hour'])
        .execute();
      await sql`insert into counts select person, masked_column, hour, count from guesses`.execute(db);
      await db.schema.dropTable('guesses').execute();
    },
  },
  '0012_security_keys': {
    async up(db: Kysely<unknown>) {
      await db.schema
        .createTable('security_keys')
        .addColumn('id', 'text', (column) => column.primaryKey())
        .addColumn('owner', 'text', (column) => column.notNull())
        .addColumn('name', 'text', (column) => column.notNull())
        .addColumn('public_key', 'text', (column) => column.notNull())
        .addColumn('counter', 'bigint', (column) => column.notNull())
        .addColumn('transports', 'text', (column) => column.notNull())
        .addColumn('created', 'bigint', (column) => column.notNull())
        .addColumn('last_used', 'bigint')
        .execute();
    },
  },
  '0013_pins': {
    async up(db: Kysely<unknown>) {
      await db.schema
        .createTable('pins')
        .addColumn('connection', 'text', (column) => column.notNull())
        .addColumn('name', 'text', (column) => column.notNull())
        .addColumn('pinned', 'text', (column) => column.notNull())
        .addColumn('offered', 'text', (column) => column.notNull())
        .addColumn('since', 'bigint', (column) => column.notNull())
        .addPrimaryKeyConstraint('pins_key', ['connection', 'name'])
        .execute();
    },
  },
  '0014_freezes': {
    async up(db: Kysely<unknown>) {
      await db.schema
        .createTable('freezes')
        .addColumn('subject', 'text', (column) => column.primaryKey())
        .addColumn('since', 'bigint', (column) => column.notNull())
        .addColumn('frozen_by', 'text', (column) => column.notNull())
        .addColumn('why', 'text', (column) => column.notNull())
        .execute();
    },
  },
  '0015_reviews': {
    async up(db: Kysely<unknown>) {
      await db.schema.alterTable('approvals').addColumn('review', 'text').execute();
      await sql`create index approvals_review on approvals (review)`.execute(db);
    },
  },
  '0016_grants': {
    async up(db: Kysely<unknown>) {
      await db.schema
        .createTable('grants')
        .addColumn('connection', 'text', (column) => column.notNull())
        .addColumn('owner', 'text', (column) => column.notNull())
        .addColumn('principal', 'text', (column) => column.notNull())
        .addColumn('since', 'bigint', (column) => column.notNull())
        .addColumn('sealed', 'text', (column) => column.notNull())
        .addPrimaryKeyConstraint('grants_key', ['connection', 'owner'])
        .execute();
    },
  },
  '0017_sketches': {
    async up(db: Kysely<unknown>) {
      await db.schema
        .createTable('sketches')
        .addColumn('owner', 'text', (column) => column.notNull())
        .addColumn('what', 'text', (column) => column.notNull())
        .addColumn('slot', 'bigint', (column) => column.notNull())
        .addColumn('sketch', 'text', (column) => column.notNull())
        .addPrimaryKeyConstraint('sketches_key', ['owner', 'what', 'slot'])
        .execute();
    },
  },
  '0018_touches': {
    async up(db: Kysely<unknown>) {
      await db.schema
        .createTable('touches')
        .addColumn('owner', 'text', (column) => column.notNull())
        .addColumn('connection', 'text', (column) => column.notNull())
        .addColumn('digest', 'text', (column) => column.notNull())
        .addColumn('since', 'bigint', (column) => column.notNull())
        .addPrimaryKeyConstraint('touches_key', ['owner', 'connection', 'digest'])
        .execute();
    },
  },
  '0019_judged_files': {
    async up(db: Kysely<unknown>) {
      await db.schema
        .createTable('judged_files')
        .addColumn('connection', 'text', (column) => column.notNull())
        .addColumn('person', 'text', (column) => column.notNull())
        .addColumn('principal', 'text', (column) => column.notNull())
        .addColumn('file', 'text', (column) => column.notNull())
        .addColumn('endpoint', 'text', (column) => column.notNull())
        .addColumn('rules', 'text', (column) => column.notNull())
        .addColumn('state', 'text', (column) => column.notNull())
        .addColumn('since', 'bigint', (column) => column.notNull())
        .addPrimaryKeyConstraint('judged_files_key', ['connection', 'principal', 'file'])
        .execute();
    },
  },
};
