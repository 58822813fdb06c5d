/** Drizzle: migrations of its migrator, relational queries (lateral joins and JSON), and drizzle-kit's introspection. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { asc, count, eq, relations, sql, sum } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/node-postgres';
import { migrate } from 'drizzle-orm/node-postgres/migrator';
import { integer, jsonb, numeric, pgTable, serial, text } from 'drizzle-orm/pg-core';
import pg from 'pg';
import { fail, say, target, url } from './common.mjs';

const MIGRATIONS = [
  `create table "notes" ("id" serial primary key not null, "person_id" integer not null, "body" text not null, "extra" jsonb);
--> statement-breakpoint
alter table "notes" add constraint "notes_person" foreign key ("person_id") references "public"."people"("id") on delete cascade;
--> statement-breakpoint
create index "notes_by_person" on "notes" using btree ("person_id");`,
  `alter table "people" add column "initial" text;
--> statement-breakpoint
update "people" set "initial" = left("name", 1);
--> statement-breakpoint
alter table "people" alter column "initial" set not null;`,
];
const people = pgTable('people', { id: serial().primaryKey(), name: text().notNull(), email: text(), initial: text() });
const orders = pgTable('orders', {
  id: serial().primaryKey(),
  personId: integer('person_id'),
  total: numeric(),
  note: text(),
});
const notes = pgTable('notes', {
  id: serial().primaryKey(),
  personId: integer('person_id').notNull(),
  body: text().notNull(),
  extra: jsonb(),
});
const schema = {
  people,
  orders,
  notes,
  peopleRelations: relations(people, ({ many }) => ({ orders: many(orders), notes: many(notes) })),
  ordersRelations: relations(orders, ({ one }) => ({
    person: one(people, { fields: [orders.personId], references: [people.id] }),
  })),
  notesRelations: relations(notes, ({ one }) => ({
    person: one(people, { fields: [notes.personId], references: [people.id] }),
  })),
};

const folder = mkdtempSync(join(tmpdir(), 'drizzle-'));
mkdirSync(join(folder, 'meta'));
const entries = MIGRATIONS.map((text, idx) => {
  writeFileSync(join(folder, `000${idx}.sql`), text);
  return { idx, version: '7', when: 1_700_000_000_000 + idx, tag: `000${idx}`, breakpoints: true };
});
writeFileSync(join(folder, 'meta', '_journal.json'), JSON.stringify({ version: '7', dialect: 'postgresql', entries }));

const pool = new pg.Pool({ ...target, max: 2 });
const db = drizzle(pool, { schema });
try {
  await migrate(db, { migrationsFolder: folder });
  await migrate(db, { migrationsFolder: folder });
  say(
    'inserted',
    await db
      .insert(notes)
      .values([
        { personId: 1, body: 'a', extra: { n: 1 } },
        { personId: 2, body: 'b' },
      ])
      .returning(),
  );
  say(
    'related',
    await db.query.people.findMany({
      orderBy: asc(people.id),
      with: { orders: { orderBy: asc(orders.id) }, notes: { columns: { body: true, extra: true } } },
    }),
  );
  say(
    'nested',
    await db.query.notes.findMany({
      orderBy: asc(notes.id),
      with: { person: { with: { orders: { columns: { id: true, total: true } } } } },
    }),
  );
  say(
    'computed',
    await db.query.people.findFirst({
      columns: { id: true },
      extras: { short: sql`left(${people.name}, 2)`.as('short') },
      where: eq(people.name, 'Bob'),
    }),
  );
  say(
    'grouped',
    await db
      .select({ name: people.name, n: count(), total: sum(orders.total) })
      .from(orders)
      .innerJoin(people, eq(people.id, orders.personId))
      .groupBy(people.name)
      .orderBy(people.name),
  );
  say('selected', await db.select({ id: people.id, email: people.email }).from(people).orderBy(people.id));
  say(
    'transaction',
    await db.transaction(async (tx) => {
      const [{ id }] = await tx
        .insert(orders)
        .values({ personId: 2, total: '3', note: 'by drizzle' })
        .returning({ id: orders.id });
      await tx
        .update(orders)
        .set({ total: sql`${orders.total} + 1` })
        .where(eq(orders.id, id));
      return tx.select().from(orders).where(eq(orders.id, id));
    }),
  );
  say('counted', await db.$count(people));
  await pool.end();
  const config = join(folder, 'drizzle.config.json');
  writeFileSync(
    config,
    JSON.stringify({
      dialect: 'postgresql',
      dbCredentials: { url },
      out: join(folder, 'pulled'),
      schemaFilter: ['public'],
    }),
  );
  const kit = join(import.meta.dirname, '..', 'node_modules', 'drizzle-kit', 'bin.cjs');
  const { status, stderr, stdout } = spawnSync(process.execPath, [kit, 'pull', '--config', config], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`drizzle-kit pull: ${stderr}${stdout}`);
  say('pulled', readFileSync(join(folder, 'pulled', 'schema.ts'), 'utf8'));
} catch (error) {
  fail(error);
} finally {
  rmSync(folder, { recursive: true });
}
