import { readFileSync } from 'node:fs';
import { startPostgres } from '@sluice/testkit';
import { Client } from 'pg';
import { withNamed } from '../../src/catalog/named.js';
import { type Catalog, type Lineage, type CatalogQuery, loadLineage, readCatalog } from '../../src/index.js';

export const fixture = (name: string): string =>
  readFileSync(new URL(`../../../../fixtures/lineage/${name}`, import.meta.url), 'utf8');

/** A server with the schema of fixtures/lineage, and its catalog. */
export interface Database {
  readonly catalog: Catalog;
  readonly lineage: Lineage;
  readonly query: CatalogQuery;
  /** Another connection to it, which ends with the server. */
  connect(): Promise<CatalogQuery>;
  stop(): Promise<void>;
}

export async function startDatabase(major: 15 | 18): Promise<Database> {
  const server = await startPostgres({ major });
  const { host, port, user, password, database } = server;
  const clients: Client[] = [];
  const connect = async (): Promise<CatalogQuery> => {
    const client = new Client({ host, port, user, password, database });
    clients.push(client);
    await client.connect();
    return async (text) => {
      const types = { getTypeParser: () => (value: string) => value };
      const results = await client.query<(string | null)[]>({ text, rowMode: 'array', types });
      return [results].flat().at(-1)?.rows ?? [];
    };
  };
  const query = await connect();
  await query(fixture('schema.sql'));
  const lineage = await loadLineage(major);
  return {
    catalog: await readCatalog(query, lineage.parse),
    lineage,
    query,
    connect,
    stop: async () => {
      await Promise.all(clients.map((client) => client.end()));
      await server.stop();
    },
  };
}

/** The catalog with tables of these names as they are now; undefined where all has to be read. */
export const withTables = (
  query: CatalogQuery,
  catalog: Catalog,
  tables: readonly string[],
  schemas = false,
): Promise<Catalog | undefined> =>
  withNamed(query, catalog, { tables, functions: [], types: [], schemas, respelled: false });
