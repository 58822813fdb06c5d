/** The tools of the compatibility matrix. Owns: how each is run, and what is missing for it. Does not: what is compared. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';

const FOLDER = join(import.meta.dirname, '..', '..', '..', 'compatibility');
export const PROGRAMS = join(FOLDER, 'tools');
const MODULES = join(FOLDER, 'node_modules');

export interface CompatibleTool {
  readonly name: string;
  /** What it does here, for the table. */
  readonly does: string;
  readonly version: string;
  readonly command: readonly string[];
  /** Why a statement of it is refused wherever anything is masked. */
  readonly refused?: RegExp;
  /** More arguments with which it installs itself, on a connection without masks and before the rest. */
  readonly installs?: readonly string[];
  /** Why it cannot be run here. */
  readonly missing: string | undefined;
}

/** A program on Node with packages of the locked folder; the first is the tool whose version counts. */
function npm(
  name: string,
  does: string,
  [first, ...others]: readonly [string, ...string[]],
  program: string,
  ...more: string[]
): CompatibleTool {
  const lacking = [first, ...others].find((one) => !existsSync(join(MODULES, one, 'package.json')));
  return {
    name,
    does,
    version: lacking === undefined ? versionOf(first) : '',
    command: [process.execPath, '--no-deprecation', program, ...more],
    missing: lacking && `the npm package ${lacking} is not installed in compatibility/`,
  };
}

/** A program with Debian's packages; the first is the tool whose version counts. */
function debian(
  name: string,
  does: string,
  [first, ...others]: readonly [string, ...string[]],
  ...command: string[]
): CompatibleTool {
  const versions = [first, ...others].map((one) => ({ one, version: packaged(one) }));
  const lacking = versions.find(({ version }) => version === undefined);
  return {
    name,
    does,
    version: versions[0]?.version ?? '',
    command,
    missing: lacking && `not installed: ${lacking.one}`,
  };
}

const versionOf = (name: string): string =>
  (JSON.parse(readFileSync(join(MODULES, name, 'package.json'), 'utf8')) as { version: string }).version;

/** The version of upstream, without Debian's epoch and revision; undefined when the package is not installed. */
function packaged(name: string): string | undefined {
  const { stdout, status } = spawnSync('dpkg-query', ['-W', '-f', '${db:Status-Status} ${Version}', name], {
    encoding: 'utf8',
  });
  const [state, version] = status === 0 ? stdout.split(' ') : [];
  return state === 'installed' ? version?.replace(/^\d+:/, '').replace(/[+-].*$/, '') : undefined;
}

const PYTHON = '/usr/bin/python3';

/** Statements as a program sends them, from a file. */
const statements = (name: string, does: string, file: string): CompatibleTool => ({
  name,
  does,
  version: 'its statements',
  command: [process.execPath, 'statements.mjs', file],
  missing: existsSync(join(MODULES, 'pg')) ? undefined : 'the npm package pg is not installed in compatibility/',
});

export const TOOLS: readonly CompatibleTool[] = [
  npm('node-pg-migrate', 'migrations up, down and up', ['node-pg-migrate'], 'node-pg-migrate.mjs'),
  npm('knex', 'migrations with a backfill, query builder', ['knex'], 'knex.mjs'),
  npm('Drizzle', 'migrations, relational queries, introspection', ['drizzle-orm', 'drizzle-kit'], 'drizzle.mjs'),
  npm('TypeORM', 'migrations, synchronize, relations', ['typeorm'], 'typeorm.mjs'),
  npm('Sequelize', 'sync with an enum, migrations of umzug, associations', ['sequelize', 'umzug'], 'sequelize.mjs'),
  npm(
    'MikroORM',
    'migrations, comparison of schemas, relations',
    ['@mikro-orm/postgresql', '@mikro-orm/migrations'],
    'mikro-orm.mjs',
  ),
  debian(
    'Alembic',
    'revisions with a backfill, SQLAlchemy',
    ['alembic', 'python3-psycopg2'],
    PYTHON,
    'with-alembic.py',
  ),
  debian('Django', 'migrations, ORM, inspectdb', ['python3-django', 'python3-psycopg2'], PYTHON, 'with-django.py'),
  debian(
    'Active Record',
    'migrations, associations, schema dump',
    ['ruby-activerecord', 'ruby-pg'],
    '/usr/bin/ruby',
    'active-record.rb',
  ),
  debian('Sqitch', 'deploy, verify, revert', ['sqitch', 'libdbd-pg-perl'], '/bin/sh', 'sqitch.sh'),
  npm('db-migrate', 'migrations up, down and up', ['db-migrate', 'db-migrate-pg'], 'db-migrate.mjs'),
  npm('Liquibase', 'update, rollback, snapshot', ['liquibase'], 'liquibase.mjs'),
  {
    ...npm('pg-boss', 'queues, jobs, schedules', ['pg-boss'], 'pg-boss.mjs'),
    installs: ['install'],
    // The type of a sum of two columns is not known, so that max() may be the one of citext.
    refused: /calls max, which runs code that nobody has read/,
  },
  {
    ...npm('graphile-worker', 'adds and runs jobs', ['graphile-worker'], 'graphile-worker.mjs'),
    installs: ['install'],
    // It adds jobs by a function in plpgsql, which returns rows.
    refused: /calls graphile_worker.add_job, which runs code that nobody has read/,
  },
  statements('PostgREST', 'schema cache, embedded reads, writes', 'postgrest.sql'),
  statements('Hasura', 'reading of the catalog, GraphQL as SQL', 'hasura.sql'),
  statements('Metabase', 'sync, fingerprints, questions', 'metabase.sql'),
  statements('DBeaver', 'tree, properties, data', 'dbeaver.sql'),
  statements('DataGrip', 'introspection, data', 'datagrip.sql'),
  statements('pgAdmin', 'dashboard, tree, properties, data', 'pgadmin.sql'),
  debian('psql', 'backslash commands, \\copy, a script', ['postgresql-client-15'], process.execPath, 'psql.mjs'),
  debian('pg_dump', 'schema, rows, custom format', ['postgresql-client-15'], process.execPath, 'pg-dump.mjs'),
];
