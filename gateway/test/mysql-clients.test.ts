/**
 * Clients of MySQL, each at a real server and through the gateway: what they make of the answers has to be the same, and nowhere
 * the value of a masked column. The programs are in `mysql-clients/`.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type MySqlServer, findTool, missingMySql, startMySql } from '@sluice/testkit';
import { createConnection } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type MySqlStand, openMySqlStand } from './mysql-stand.js';

const SETUP = `
CREATE TABLE people (id INT PRIMARY KEY, nick VARCHAR(40) NOT NULL, mail VARCHAR(60));
INSERT INTO people VALUES (1, 'ana', 'ana@example.com'), (2, 'béa', NULL);
CREATE TABLE kinds (a TINYINT, b SMALLINT UNSIGNED, c MEDIUMINT, d BIGINT UNSIGNED, e FLOAT, f DOUBLE, g DECIMAL(20,4),
  h DATETIME(6), i TIME(3), j YEAR, k BLOB, l ENUM('x','y'), m BIT(9), n TIMESTAMP NULL, o JSON, p DATE, q BOOL, r CHAR(3),
  s SET('u','v'), t VARBINARY(4));
INSERT INTO kinds VALUES (-1, 65535, -8388608, 18446744073709551615, 1.5, 1e300, '12345678901234.5678',
  '2026-11-29 15:04:05.123456', '-25:00:01.5', 2026, x'00ff80', 'y', b'101010101', '2026-01-01 00:00:00', '{"a": 1}',
  '2024-02-29', 1, 'ab', 'u,v', x'0102');
INSERT INTO kinds (a) VALUES (NULL);
CREATE TABLE sink (id INT PRIMARY KEY AUTO_INCREMENT, body MEDIUMTEXT);
CREATE PROCEDURE many() BEGIN SELECT 1 AS one; SELECT 2 AS two, 'b' AS b; UPDATE sink SET body = 'm' WHERE id < 0; SELECT 3 AS three; END;
CREATE PROCEDURE doubled(IN n INT, OUT m INT) BEGIN SET m = n * 2; END`;

const OPEN = `
    - { rule: everything, allow: true }`;
const MASKED = `${OPEN}
    - { rule: mail, mask: { columns: ["people.mail"], with: redact } }`;

const PROGRAMS = join(import.meta.dirname, 'mysql-clients');
const JDBC = '/usr/share/java/mariadb-java-client.jar';
const PYTHON = '/usr/lib/python3/dist-packages';
/** A folder with packages of npm that nothing else here needs. */
const PACKAGES = process.env['SLUICE_MYSQL_PACKAGES'] ?? '';

interface Client {
  readonly name: string;
  readonly command: readonly string[];
  readonly missing: string | undefined;
  /** What it cannot do without, besides tables of its own. */
  readonly only?: 'mariadb';
}

const unless = (file: string, name: string): string | undefined =>
  existsSync(file) ? undefined : `not installed: ${name}`;
const unlessPackage = (name: string): string | undefined =>
  existsSync(join(PACKAGES, 'node_modules', name)) ? undefined : `SLUICE_MYSQL_PACKAGES has no ${name}`;
const node = (file: string): readonly string[] => [process.execPath, '--no-deprecation', file];

const CLIENTS: readonly Client[] = [
  { name: 'mysql2', command: node('with-mysql2.mjs'), missing: unlessPackage('mysql2') },
  { name: 'mysqljs', command: node('with-mysqljs.mjs'), missing: unlessPackage('mysql'), only: 'mariadb' },
  { name: 'mariadb of npm', command: node('with-mariadb.mjs'), missing: unlessPackage('mariadb') },
  { name: 'Sequelize', command: node('with-sequelize.mjs'), missing: unlessPackage('sequelize') },
  { name: 'TypeORM', command: node('with-typeorm.mjs'), missing: unlessPackage('typeorm') },
  { name: 'Drizzle', command: node('with-drizzle.mjs'), missing: unlessPackage('drizzle-orm') },
  { name: 'Prisma', command: node('with-prisma.mjs'), missing: unlessPackage('.prisma/client/default.js') },
  {
    name: 'Connector/J of MariaDB',
    command: ['/usr/bin/java', '-XX:TieredStopAtLevel=1', '-cp', JDBC, 'Jdbc.java'],
    missing: unless(JDBC, 'libmariadb-java') ?? unless('/usr/bin/javac', 'openjdk-17-jdk-headless'),
  },
  { name: 'mysqlnd', command: ['/usr/bin/php', 'with-mysqlnd.php'], missing: unless('/usr/bin/php', 'php-mysql') },
  {
    name: 'DBD::MariaDB',
    command: ['/usr/bin/perl', 'with-dbd.pl'],
    missing: unless('/usr/lib/x86_64-linux-gnu/perl5/5.36/DBD/MariaDB.pm', 'libdbd-mariadb-perl'),
  },
  {
    name: 'mysql2 of Ruby',
    command: ['/usr/bin/ruby', 'with-mysql2.rb'],
    missing: unless('/usr/bin/ruby', 'ruby-mysql2'),
  },
  {
    name: 'mysqlclient',
    command: ['/usr/bin/python3', 'with-mysqlclient.py'],
    missing: unless(join(PYTHON, 'MySQLdb'), 'python3-mysqldb'),
  },
  {
    name: 'Django',
    command: ['/usr/bin/python3', 'with-django.py'],
    missing: unless(join(PYTHON, 'django'), 'python3-django') ?? unless(join(PYTHON, 'MySQLdb'), 'python3-mysqldb'),
  },
  {
    name: 'mysqlshow',
    command: ['/bin/sh', 'with-show.sh'],
    missing: unless('/usr/bin/mariadb-show', 'mariadb-client'),
  },
  {
    name: 'sysbench',
    command: ['/bin/sh', 'with-sysbench.sh'],
    missing: findTool('sysbench') === undefined ? 'not installed: sysbench' : undefined,
  },
];

interface Way {
  readonly port: number;
  readonly user: string;
  readonly password: string;
}

/** What a program said. Rejects when it failed, and when it hangs. */
async function said({ command }: Client, { port, user, password }: Way): Promise<string[]> {
  const [program = '', ...words] = command;
  const { stdout } = await promisify(execFile)(program, words, {
    cwd: PROGRAMS,
    timeout: 100_000,
    killSignal: 'SIGKILL',
    maxBuffer: 16 * 1024 * 1024,
    env: {
      ...process.env,
      CLIENT_PORT: String(port),
      CLIENT_USER: user,
      CLIENT_PASSWORD: password,
      CLIENT_DATABASE: 'test',
      CLIENT_MODULES: PACKAGES,
    },
  });
  return stdout.trimEnd().split('\n');
}

describe.each(['mariadb', 'mysql'] as const)('clients, at %s', (flavour) => {
  const missing = missingMySql(flavour);
  if (missing !== undefined) {
    test.skip(missing);
    return;
  }
  let server: MySqlServer;
  const stands: MySqlStand[] = [];
  const ways: Way[] = [];

  beforeAll(async () => {
    server = await startMySql({ flavour, settings: ['local-infile=1'] });
    const { host, port, user, password, database } = server;
    const admin = await createConnection({ host, port, user, password, database });
    for (const statement of SETUP.split(/;\n/)) await admin.query(statement);
    const [[{ v }]] = (await admin.query('SELECT VERSION() AS v')) as unknown as [[{ v: string }]];
    await admin.end();
    ways.push({ port, user, password });
    for (const rules of [OPEN, MASKED]) {
      const listener = `tls: self-signed, connection: shop, version: "${v}"`;
      const stand = await openMySqlStand({ server, listener, rules });
      stands.push(stand);
      ways.push({ port: stand.port, user: 'dev', password: stand.token });
    }
  }, 90_000);
  afterAll(async () => {
    for (const stand of stands) await stand.stop();
    await server?.stop();
  });

  for (const client of CLIENTS) {
    const why = client.only && client.only !== flavour ? `not for ${flavour}` : client.missing;
    test.skipIf(why)(
      why === undefined ? client.name : `${client.name} (${why})`,
      async () => {
        const seen: string[][] = [];
        // One after the other: each has the tables for itself.
        for (const way of ways) seen.push(await said(client, way).catch(failure));
        const [direct = [], through, masked] = seen;
        expect(direct.length).toBeGreaterThan(4);
        expect(through).toEqual(direct);
        // Behind CALL and other code that nobody reads there is NULL where nothing is followed: the value itself is nowhere.
        expect(masked?.length).toBeGreaterThan(4);
        if (direct.join('\n').includes('ana@example.com')) expect(masked?.join('\n')).toContain('[masked]');
        expect(masked?.join('\n')).not.toContain('ana@example.com');
      },
      120_000,
    );
  }
});

const failure = (error: { stdout?: string; stderr?: string; message: string }): string[] => [
  ...(error.stdout ?? '').split('\n'),
  error.stderr ?? '',
  error.message,
];
