/**
 * Prisma: its schema engine, as WebAssembly over the adapter for node-postgres, as Prisma 7 runs it in programs: a schema that is
 * pushed, migrations, introspection. What Prisma Client sends to read relations goes through the adapter too.
 */
import { PrismaPg } from '@prisma/adapter-pg';
import { bindMigrationAwareSqlAdapterFactory } from '@prisma/driver-adapter-utils';
import { SchemaEngine } from '@prisma/schema-engine-wasm';
import pg from 'pg';
import { fail, say, target } from './common.mjs';

/** The engine reads columns of type "char" in pg_catalog, which the adapter takes for no type that it knows: as text it does. */
class Pool extends pg.Pool {
  async query(...args) {
    const result = await super.query(...args);
    for (const field of result?.fields ?? []) if (field.dataTypeID === 18) field.dataTypeID = 25;
    return result;
  }
}

const MODELS = `
datasource db {
  provider = "postgresql"
}
model people {
  id       Int      @id @default(autoincrement())
  name     String
  email    String
  floor_id Int?
  floor    floors?  @relation(fields: [floor_id], references: [id])
  orders   orders[]
}
model orders {
  id        Int     @id @default(autoincrement())
  person_id Int
  total     Decimal @default(0) @db.Decimal
  note      String?
  person    people  @relation(fields: [person_id], references: [id], onDelete: Cascade, onUpdate: NoAction)
  @@index([person_id], map: "orders_by_person")
}
model floors {
  id     Int      @id @default(autoincrement())
  name   String   @unique
  people people[]
}
`;
const ROOMS = `${MODELS}
enum kinds {
  small
  large
}
model rooms {
  id      Int      @id @default(autoincrement())
  title   String   @unique @db.VarChar(40)
  kind    kinds    @default(small)
  details Json?
  made    DateTime @default(now())
}
`;
const schemaOf = (content) => ({ files: [{ path: 'schema.prisma', content }] });
const filters = { externalTables: [], externalEnums: [] };
const migration = (path, content) => ({
  path,
  migrationFile: { path: 'migration.sql', content: { tag: 'ok', value: content } },
});
const migrationsList = {
  baseDir: 'migrations',
  lockfile: { path: 'migration_lock.toml', content: 'provider = "postgresql"' },
  shadowDbInitScript: '',
  migrationDirectories: [
    migration('20230101000000_before', '-- What was there before.'),
    migration(
      '20240101000000_floors',
      `create table "floors" ("id" serial not null, "name" text not null, constraint "floors_pkey" primary key ("id"));
       create unique index "floors_name_key" on "floors"("name");
       insert into "floors" ("name") values ('ground'), ('first');`,
    ),
    migration(
      '20240102000000_people_on_floors',
      `alter table "people" add column "floor_id" integer;
       update "people" set "floor_id" = 1 + "id" % 2;
       alter table "people" add constraint "people_floor_id_fkey" foreign key ("floor_id") references "floors"("id")
         on delete set null on update cascade;`,
    ),
  ],
};
/** What Prisma Client asks for relations that it joins, with their fields as JSON. */
const JOINED = `select "t0"."id", "t0"."name", "t0"."email", "people_orders"."__prisma_data__" as "orders"
  from "public"."people" as "t0" left join lateral (
    select coalesce(jsonb_agg("__prisma_data__"), '[]') as "__prisma_data__" from (
      select "t3"."__prisma_data__" from (
        select jsonb_build_object('id', "t2"."id", 'total', "t2"."total", 'note', "t2"."note") as "__prisma_data__", "t2"."id" from (
          select "t1".* from "public"."orders" as "t1" where "t0"."id" = "t1"."person_id") as "t2") as "t3" order by "t3"."id") as "t4"
  ) as "people_orders" on true order by "t0"."id" asc`;

try {
  const pool = new Pool(target);
  const adapter = new PrismaPg(pool);
  const engine = await SchemaEngine.new(
    { datamodels: [['schema.prisma', MODELS]] },
    () => undefined,
    bindMigrationAwareSqlAdapterFactory(adapter),
  );
  say('version', (await engine.version()).startsWith('PostgreSQL'));
  await engine.markMigrationApplied({ migrationName: '20230101000000_before', migrationsList });
  say('applied', await engine.applyMigrations({ migrationsList, filters }));
  say('again', await engine.applyMigrations({ migrationsList, filters }));
  const history = await engine.diagnoseMigrationHistory({ migrationsList, optInToShadowDatabase: false, filters });
  say('history', [history.hasMigrationsTable, history.failedMigrationNames, history.editedMigrationNames]);
  say('pushed', await engine.schemaPush({ force: false, schema: schemaOf(ROOMS), filters }));
  say('left', (await engine.schemaPush({ force: false, schema: schemaOf(ROOMS), filters })).executedSteps);
  const introspected = await engine.introspect({
    schema: schemaOf('datasource db {\n  provider = "postgresql"\n}'),
    baseDirectoryPath: '.',
    force: true,
    compositeTypeDepth: 0,
    namespaces: null,
  });
  say('introspected', introspected.schema.files.map(({ content }) => content).join('\n'));
  say('views', introspected.views);
  const client = await adapter.connect();
  const query = (sql, args = []) =>
    client.queryRaw({ sql, args, argTypes: args.map(() => ({ scalarType: 'unknown', arity: 'scalar' })) });
  say('joined', (await query(JOINED)).rows);
  const people = await query(
    'select "public"."people"."id", "public"."people"."email" from "public"."people" where 1=1 order by "public"."people"."id" asc offset $1',
    [0],
  );
  const ids = people.rows.map(([id]) => id);
  say('people', people.rows);
  const places = ids.map((_, at) => `$${at + 1}`).join(',');
  say(
    'orders',
    (
      await query(
        `select "public"."orders"."id", "public"."orders"."person_id", "public"."orders"."total" from "public"."orders" where "public"."orders"."person_id" in (${places}) order by "public"."orders"."id" asc offset $${ids.length + 1}`,
        [...ids, 0],
      )
    ).rows,
  );
  const transaction = await client.startTransaction();
  const made = await transaction.queryRaw({
    sql: 'insert into "public"."rooms" ("title","kind","details") values ($1,cast($2::text as "public"."kinds"),$3) returning "public"."rooms"."id", "public"."rooms"."kind"::text',
    args: ['one', 'large', '{"n":1}'],
    argTypes: ['string', 'enum', 'json'].map((scalarType) => ({ scalarType, arity: 'scalar' })),
  });
  say('made', made.rows);
  await transaction.executeRaw({ sql: 'commit', args: [], argTypes: [] });
  await transaction.commit();
  await client.dispose();
  engine.free();
  await pool.end();
} catch (error) {
  fail(error);
}
