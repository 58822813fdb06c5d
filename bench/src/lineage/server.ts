import { readFileSync } from 'node:fs';
import { type Catalog, type Lineage, loadLineage, readCatalog } from '@sluice/sql-postgres';
import { type PostgresServer, startPostgres } from '@sluice/testkit';
import { Client } from 'pg';
import { type Expected, expectedOutputs } from './oracle.js';

const SCHEMA = new URL('../../../fixtures/lineage/schema.sql', import.meta.url);

/** Beside it: what a name of the server's own may mean as well, by the types of the arguments. */
const OVERLOADS = `
create function app.upper(integer) returns text language sql immutable as 'select $1::text || ''!''';
create function app.length(integer) returns integer language sql immutable as 'select $1 + 1';
create function app.concat_ws(integer, text) returns text language sql immutable as 'select $2 || $1';
create function app.replace(text, integer) returns text language sql immutable as 'select $1 || $2';
create operator app.|| (leftarg = integer, rightarg = text, function = app.concat_ws);
create operator app.+ (leftarg = text, rightarg = integer, function = app.replace);
-- Nobody reads these, and no statement means them.
create function app.lower(boolean) returns text language plpgsql immutable as 'begin return $1; end';
create function app.upper(boolean) returns text language plpgsql immutable as 'begin return $1; end';
create function app.concat(integer, integer) returns text language plpgsql immutable as 'begin return $1; end';
create function app.alike(text, boolean) returns boolean language plpgsql immutable as 'begin return $2; end';
create operator app.= (leftarg = text, rightarg = boolean, function = app.alike);
create operator app.|| (leftarg = text, rightarg = boolean, function = app.alike);
create operator app.~~ (leftarg = text, rightarg = boolean, function = app.alike);
`;
const EXTENSIONS = ['citext', 'hstore', 'pg_trgm', 'intarray'];

/** A server with the schema that lineage is tested on, its catalog, and its own opinion of queries. */
export interface LineageServer {
  readonly catalog: Catalog;
  readonly lineage: Lineage;
  readonly major: number;
  /** Whether it has overloads of built-in names, and extensions. */
  readonly extended: boolean;
  /** What a statement returns, as the server describes it: type oids; none where it returns no rows. */
  types(sql: string): Promise<readonly number[]>;
  /**
   * Has the server analyse one statement, without running it.
   *
   * @returns what it returns, undefined for no rows; or the error with which the server refuses it
   */
  ask(sql: string): Promise<readonly Expected[] | { readonly refused: string } | undefined>;
  stop(): Promise<void>;
}

export async function startLineageServer(major: 15 | 18, extended = true): Promise<LineageServer> {
  const server: PostgresServer = await startPostgres({ major });
  const { host, port, user, password, database } = server;
  const client = new Client({ host, port, user, password, database });
  await client.connect();
  await client.query(readFileSync(SCHEMA, 'utf8'));
  if (extended) await client.query(OVERLOADS);
  const { rows } = await client.query<{ name: string }>(
    'select name from pg_available_extensions where name = any ($1)',
    [extended ? EXTENSIONS : []],
  );
  for (const { name } of rows) await client.query(`create extension ${name} schema public`);
  const lineage = await loadLineage(major);
  const query = async (text: string): Promise<(string | null)[][]> => {
    const types = { getTypeParser: () => (value: string) => value };
    const results = await client.query<(string | null)[]>({ text, rowMode: 'array', types } as never);
    return [results].flat().at(-1)?.rows ?? [];
  };
  const catalog = await readCatalog(query, lineage.parse);
  await client.query('set search_path to app, public');
  await client.query('set debug_pretty_print to off; set debug_print_rewritten to on; set client_min_messages to log');
  let printed: string | undefined;
  client.on('notice', ({ message, detail }) => {
    if (message?.startsWith('rewritten parse tree') === true) printed = detail;
  });
  return {
    extended,
    catalog,
    lineage,
    major,
    ask: async (sql) => {
      printed = undefined;
      const refused = await new Promise<string | undefined>((done) => {
        client.query(new ParseOnly(sql, done) as never);
      });
      if (refused !== undefined) return { refused };
      if (printed === undefined) throw new Error(`The server printed nothing for: ${sql}`);
      return expectedOutputs(printed);
    },
    types: (sql) => new Promise((done) => void client.query(new Described(sql, done) as never)),
    stop: async () => {
      await client.end();
      await server.stop();
    },
  };
}

interface Connection {
  parse(message: { text: string; name: string; types: readonly number[] }): void;
  describe(message: { type: 'S'; name: string }): void;
  sync(): void;
}

/** A query that ends after Parse: what `pg` calls a Submittable. It hears of an error or of the end, never of both. */
class ParseOnly {
  readonly #text: string;
  readonly #done: (refused: string | undefined) => void;

  constructor(text: string, done: (refused: string | undefined) => void) {
    this.#text = text;
    this.#done = done;
  }

  submit(connection: Connection): void {
    connection.parse({ text: this.#text, name: '', types: [] });
    connection.sync();
  }

  handleError({ message }: Error): void {
    this.#done(message);
  }

  handleReadyForQuery(): void {
    this.#done(undefined);
  }
}

/** The types of what a statement that has been accepted returns. */
class Described {
  readonly #text: string;
  readonly #done: (types: readonly number[]) => void;
  #types: readonly number[] = [];

  constructor(text: string, done: (types: readonly number[]) => void) {
    this.#text = text;
    this.#done = done;
  }

  submit(connection: Connection): void {
    connection.parse({ text: this.#text, name: '', types: [] });
    connection.describe({ type: 'S', name: '' });
    connection.sync();
  }

  handleRowDescription({ fields }: { fields: readonly { dataTypeID: number }[] }): void {
    this.#types = fields.map(({ dataTypeID }) => dataTypeID);
  }

  handleError(): void {
    this.#done([]);
  }

  handleReadyForQuery(): void {
    this.#done(this.#types);
  }
}
