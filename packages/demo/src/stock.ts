/**
 * The sample database on MariaDB: what the shop has in stock, and who waits for it. Owns: its data, which is made anew at each start.
 * Does not: start MariaDB where Debian's package is not installed; the demo goes on without it.
 */
import type { Config } from '@sluice/config';
import { type MySqlServer, missingMySql, startMySql } from '@sluice/testkit';
import { createConnection } from 'mysql2/promise';

const NAME = 'stock';
const ACCOUNT = 'sluice_stock';

const DATA = [
  'create database stock',
  `create table stock.customers (id int primary key, name varchar(40) not null, email varchar(60) not null, phone varchar(20),
    ssn char(11))`,
  // Numbers that are never assigned.
  `insert into stock.customers values (1, 'Basil Dale', 'basil.dale@example.com', '+1-202-555-0101', '901-07-0037'),
    (2, 'Fern Hollow', 'fern@example.org', '+1-202-555-0102', '902-14-0074'), (3, 'Olive Marsh', 'olive.marsh@example.net', null, null)`,
  'create table stock.waiting (id int primary key, customer int not null, item varchar(40) not null)',
  "insert into stock.waiting values (1, 1, 'Plain kettle'), (2, 3, 'Whistling kettle')",
];

/** Why the demo has no MariaDB; undefined when it can have one. */
export function missingStock(config: Config): string | undefined {
  const listened = config.listeners.clients.some((one) => one.protocol === 'mysql');
  if (config.connections.get(NAME)?.protocol === 'mysql' && listened) return missingMySql('mariadb');
  return `there is no connection "${NAME}" for MySQL in sluice.yaml`;
}

/** The connection with the port of this start; without one it is left out. */
export function withStock(config: Config, port: number | undefined): Config {
  const connections = new Map(config.connections);
  const stock = connections.get(NAME);
  if (stock?.protocol === 'mysql') {
    if (port === undefined) connections.delete(NAME);
    else connections.set(NAME, { ...stock, target: { ...stock.target, port } });
  }
  return { ...config, connections };
}

/** @returns the server with its data, or why it does not start */
export async function startStock(password: string): Promise<MySqlServer | string> {
  try {
    const server = await startMySql({ flavour: 'mariadb' });
    const { host, port, user, password: own } = server;
    const admin = await createConnection({ host, port, user, password: own });
    for (const text of DATA) await admin.query(text);
    await admin.query(`create user ${ACCOUNT}@'%' identified by '${password}'`);
    await admin.query(`grant select, insert, update, delete, create, drop, show view on stock.* to ${ACCOUNT}@'%'`);
    await admin.end();
    return server;
  } catch (error) {
    return (error as Error).message.split('\n')[0] ?? 'MariaDB does not start';
  }
}
