/**
 * Which client in this process speaks which protocol, and which tools there are for it. Owns: that list. Does not: speak any of them; the files beside it
 * do.
 */
import type { OpenCall } from '../call-gate.js';
import type { ToolConnection } from '../host.js';
import { openMySql } from './mysql.js';
import { openPostgres } from './postgres.js';
import type { StatementClient } from './statement.js';

interface SqlClient {
  readonly protocol: string;
  open(call: OpenCall, user: string, connection: string): Promise<StatementClient>;
  /** Around a name in a statement. */
  readonly quote: string;
}

const SQL_CLIENTS: readonly SqlClient[] = [
  {
    protocol: 'postgres',
    open: (call, user, connection) => openPostgres(call, { user, database: connection }),
    quote: '"',
  },
  { protocol: 'mysql', open: (call, user, connection) => openMySql(call, { user, connection }), quote: '`' },
];

export const DATABASES: readonly string[] = SQL_CLIENTS.map(({ protocol }) => protocol);
/** What servers have for themselves, as a list of SQL. */
export const SYSTEM_SCHEMAS = "'pg_catalog', 'information_schema', 'mysql', 'performance_schema', 'sys'";
export const MACHINES: readonly string[] = ['ssh'];
export const SERVICES: readonly string[] = ['http'];

const TOOLS: readonly (readonly [protocols: readonly string[], tools: readonly string[]])[] = [
  [DATABASES, ['query', 'describe']],
  [MACHINES, ['exec']],
  [SERVICES, ['request']],
];

/** Of every protocol that there are tools for. */
export const KNOWN: readonly string[] = TOOLS.flatMap(([protocols]) => protocols);

export const toolsFor = (protocol: string): readonly string[] =>
  TOOLS.find(([protocols]) => protocols.includes(protocol))?.[1] ?? [];

function clientOf({ protocol }: ToolConnection): SqlClient {
  const found = SQL_CLIENTS.find((one) => one.protocol === protocol);
  if (!found) throw new Error(`there is no client of SQL for ${protocol}`);
  return found;
}

/** Logs in to the session as `user`. */
export const openStatements = (call: OpenCall, connection: ToolConnection, user: string): Promise<StatementClient> =>
  clientOf(connection).open(call, user, connection.name);

/** A name in a statement, whatever is in it. */
export function quoted(name: string, connection: ToolConnection): string {
  const { quote } = clientOf(connection);
  return `${quote}${name.replaceAll(quote, quote + quote)}${quote}`;
}
