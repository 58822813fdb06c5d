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
  /** What is there once it has done its work, and not before: in the rows or the schema that it leaves, or in what it says. */
  readonly did: Readonly<Partial<Record<'said' | 'schema' | 'rows', string>>>;
  /** Columns whose values it makes from the time of day, as `schema.table.column`. */
  readonly timed?: readonly string[];
  /** Functions that whoever configures the gateway says to read no tables. */
  readonly trusts?: readonly string[];
  /** More arguments with which it installs itself, on a connection without masks and before the rest. */
  readonly installs?: readonly string[];
  /** Why it cannot be run here. */
  readonly missing: string | undefined;
}

/** A program on Node with packages of the locked folder; the first is the tool whose version counts. */
function npm(
  name: string,
  does: string,
  did: CompatibleTool['did'],
  [first, ...others]: readonly [string, ...string[]],
  program: string,
  ...more: string[]
): CompatibleTool {
  const lacking = [first, ...others].find((one) => !existsSync(join(MODULES, one, 'package.json')));
  return {
    name,
    does,
    did,
    version: lacking === undefined ? versionOf(first) : '',
    command: [process.execPath, '--no-deprecation', program, ...more],
    missing: lacking && `the npm package ${lacking} is not installed in compatibility/`,
  };
}

/** A program with Debian's packages; the first is the tool whose version counts. */
function debian(
  name: string,
  does: string,
  did: CompatibleTool['did'],
  [first, ...others]: readonly [string, ...string[]],
  ...command: string[]
): CompatibleTool {
  const versions = [first, ...others].map((one) => ({ one, version: packaged(one) }));
  const lacking = versions.find(({ version }) => version === undefined);
  return {
    name,
    does,
    did,
    version: versions[0]?.version ?? '',
    command,
    missing: lacking && `not installed: ${lacking.one}`,
  };
}

/** Without the commit that some are built from. */
const versionOf = (name: string): string =>
  (JSON.parse(readFileSync(join(MODULES, name, 'package.json'), 'utf8')) as { version: string }).version.replace(
    /\.[0-9a-f]{40}$/,
    '',
  );

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
  did: { said: 'ada@example.com' },
  version: 'its statements',
  command: [process.execPath, 'statements.mjs', file],
  missing: existsSync(join(MODULES, 'pg')) ? undefined : 'the npm package pg is not installed in compatibility/',
});

const inserted = (into: string): CompatibleTool['did'] => ({ rows: `INSERT INTO ${into} ` });

export const TOOLS: readonly CompatibleTool[] = [
  npm(
    'node-pg-migrate',
    'migrations up, down and up',
    inserted('public.pgmigrations'),
    ['node-pg-migrate'],
    'node-pg-migrate.mjs',
  ),
  npm('knex', 'migrations with a backfill, query builder', inserted('public.knex_migrations'), ['knex'], 'knex.mjs'),
  npm(
    'Drizzle',
    'migrations, relational queries, introspection',
    inserted('drizzle.__drizzle_migrations'),
    ['drizzle-orm', 'drizzle-kit'],
    'drizzle.mjs',
  ),
  npm(
    'Prisma, its schema engine',
    'migrations, push of a schema, introspection, joined reads',
    inserted('public._prisma_migrations'),
    ['@prisma/schema-engine-wasm', '@prisma/adapter-pg', '@prisma/driver-adapter-utils'],
    'prisma.mjs',
  ),
  npm('TypeORM', 'migrations, synchronize, relations', inserted('public.migrations'), ['typeorm'], 'typeorm.mjs'),
  npm(
    'Sequelize',
    'sync with an enum, migrations of umzug, associations',
    inserted('public."SequelizeMeta"'),
    ['sequelize', 'umzug'],
    'sequelize.mjs',
  ),
  npm(
    'MikroORM',
    'migrations, comparison of schemas, relations',
    inserted('public.mikro_orm_migrations'),
    ['@mikro-orm/postgresql', '@mikro-orm/migrations'],
    'mikro-orm.mjs',
  ),
  debian(
    'Alembic',
    'revisions with a backfill, SQLAlchemy',
    inserted('public.alembic_version'),
    ['alembic', 'python3-psycopg2'],
    PYTHON,
    'with-alembic.py',
  ),
  debian(
    'Django',
    'migrations, ORM, inspectdb',
    inserted('public.django_migrations'),
    ['python3-django', 'python3-psycopg2'],
    PYTHON,
    'with-django.py',
  ),
  debian(
    'Active Record',
    'migrations, associations, schema dump',
    inserted('public.schema_migrations'),
    ['ruby-activerecord', 'ruby-pg'],
    '/usr/bin/ruby',
    'active-record.rb',
  ),
  {
    ...debian(
      'Sqitch',
      'deploy, verify, revert',
      inserted('sqitch.changes'),
      ['sqitch', 'libdbd-pg-perl'],
      '/bin/sh',
      'sqitch.sh',
    ),
    timed: ['sqitch.events.change_id'],
  },
  npm(
    'db-migrate',
    'migrations up, down and up',
    inserted('public.migrations'),
    ['db-migrate', 'db-migrate-pg'],
    'db-migrate.mjs',
  ),
  {
    ...npm(
      'Liquibase',
      'update, rollback, snapshot',
      inserted('public.databasechangelog'),
      ['liquibase'],
      'liquibase.mjs',
    ),
    timed: ['public.databasechangelog.deployment_id'],
  },
  {
    ...npm('pg-boss', 'queues, jobs, schedules', inserted('pgboss.queue'), ['pg-boss'], 'pg-boss.mjs'),
    installs: ['install'],
  },
  {
    ...npm(
      'graphile-worker',
      'adds and runs jobs',
      inserted('graphile_worker._private_tasks'),
      ['graphile-worker'],
      'graphile-worker.mjs',
    ),
    installs: ['install'],
    // In PL/pgSQL, which nobody reads. It returns the job that it has made.
    trusts: ['graphile_worker.add_job'],
  },
  statements('PostgREST', 'schema cache, embedded reads, writes', 'postgrest.sql'),
  statements('Hasura', 'reading of the catalog, GraphQL as SQL', 'hasura.sql'),
  statements('Metabase', 'sync, fingerprints, questions', 'metabase.sql'),
  statements('DBeaver', 'tree, properties, data', 'dbeaver.sql'),
  statements('DataGrip', 'introspection, data', 'datagrip.sql'),
  statements('pgAdmin', 'dashboard, tree, properties, data', 'pgadmin.sql'),
  debian(
    'psql',
    'backslash commands, \\copy, a script',
    { schema: 'CREATE TABLE public.notes' },
    ['postgresql-client-15'],
    process.execPath,
    'psql.mjs',
  ),
  debian(
    'pg_dump',
    'schema, rows, custom format',
    { said: 'CREATE TABLE public.people' },
    ['postgresql-client-15'],
    process.execPath,
    'pg-dump.mjs',
  ),
];
