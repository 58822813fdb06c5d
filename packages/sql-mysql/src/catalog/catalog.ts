/**
 * A snapshot of what the names of a server mean. Owns: finding relations by name. Does not: reading them (read.ts), nor what a view
 * shows (lineage).
 */
import type { MySqlDialect } from '@sluice/contract';
import { type BaseColumn, type Relation, folded } from './objects.js';

export interface CatalogContents {
  /** Differs whenever anything below does. */
  readonly version: string;
  readonly flavour: MySqlDialect['flavour'];
  /** Of the server, as versioned comments have it. */
  readonly server: number;
  /** lower_case_table_names: 0 where names of tables and databases count with their case. */
  readonly lowerCase: number;
  readonly relations: readonly Relation[];
  /** Routines and triggers may make temporary tables, prepare statements, or write to variables of the session. */
  readonly codeReachesSession: boolean;
  /** Tables with triggers: `schema\0table`. */
  readonly triggered: ReadonlySet<string>;
}

export class Catalog {
  readonly contents: CatalogContents;
  /** What lineage has made of it, and is true as long as the catalog is. */
  readonly derived = new Map<string, unknown>();
  readonly #relations = new Map<string, Relation | undefined>();
  /** Columns by their folded names, of relations that were asked for. */
  readonly #columns = new Map<Relation, ReadonlyMap<string, BaseColumn>>();

  constructor(contents: CatalogContents) {
    this.contents = contents;
    for (const relation of contents.relations) {
      const key = this.keyOf(relation.schema, relation.name);
      // Two that differ in their case alone: which is meant is for the server to say.
      this.#relations.set(key, this.#relations.has(key) ? undefined : relation);
    }
  }

  get version(): string {
    return this.contents.version;
  }

  /** As the grammar of views and generated columns is to be read: the gateway's own connection has no modes. */
  get dialect(): MySqlDialect {
    const { flavour, server } = this.contents;
    return (this.#dialect ??= {
      name: 'mysql',
      flavour,
      version: server,
      sqlMode: [],
      ignoreSpace: false,
      database: undefined,
      charset: 'utf8mb4',
    });
  }
  #dialect: MySqlDialect | undefined;

  relation(schema: string, name: string): Relation | undefined {
    return this.#relations.get(this.keyOf(schema, name));
  }

  /** The column that the server means by `org_table` and `org_name` of a definition; undefined where there is none. */
  column(schema: string, table: string, column: string): BaseColumn | undefined {
    const relation = this.relation(schema, table);
    if (!relation) return undefined;
    let columns = this.#columns.get(relation);
    if (!columns) this.#columns.set(relation, (columns = columnsOf(relation)));
    return columns.get(folded(column));
  }

  /** Equal for two names of the same table. */
  keyOf(schema: string, table: string): string {
    return `${this.nameKey(schema)}\0${isInformation(schema) ? folded(table) : this.nameKey(table)}`;
  }

  /** Equal for two names of tables, databases or aliases that the server takes for the same. */
  nameKey(name: string): string {
    return this.contents.lowerCase === 0 && !isInformation(name) ? name : name.toLowerCase();
  }

  /** Equal for two names of queries of WITH: in MariaDB their case never counts (With_element, sql_cte.cc). */
  queryKey(name: string): string {
    return this.contents.flavour === 'mariadb' ? name.toLowerCase() : this.nameKey(name);
  }
}

/** Of two with one name the first counts. */
const columnsOf = ({ columns }: Relation): ReadonlyMap<string, BaseColumn> =>
  new Map(columns.toReversed().map(({ name, base }) => [folded(name), base]));

const isInformation = (schema: string): boolean => folded(schema) === 'information_schema';
