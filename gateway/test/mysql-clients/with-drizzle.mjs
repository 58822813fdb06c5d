// Drizzle over mysql2.
import { WHERE, failed, from, show } from './packages.mjs';

const { drizzle } = from('drizzle-orm/mysql2');
const { int, mysqlTable, text, varchar } = from('drizzle-orm/mysql-core');
const { count, eq, gt, sql } = from('drizzle-orm');
const pool = from('mysql2/promise').createPool({ ...WHERE, connectionLimit: 1 });
const people = mysqlTable('people', {
  id: int().primaryKey(),
  nick: varchar({ length: 40 }).notNull(),
  mail: varchar({ length: 60 }),
});
const sink = mysqlTable('sink', { id: int().primaryKey().autoincrement(), body: text() });
const db = drizzle(pool);
await db.delete(sink);
show('people', await db.select().from(people).orderBy(people.id));
show(
  'joined',
  await db
    .select({ nick: people.nick, n: count() })
    .from(people)
    .leftJoin(sink, gt(sink.id, people.id))
    .groupBy(people.nick)
    .orderBy(people.nick),
);
const [{ affectedRows }] = await db.insert(sink).values([{ body: 'a' }, { body: "it's" }, { body: null }]);
show('inserted', affectedRows);
await db
  .insert(sink)
  .values({ id: 1_000_000, body: 'b' })
  .onDuplicateKeyUpdate({ set: { body: sql`values(${sink.body})` } });
await db
  .transaction(async (tx) => {
    await tx.delete(sink);
    await tx.transaction(async (nested) => nested.rollback()).catch(() => undefined);
    tx.rollback();
  })
  .catch(() => undefined);
show('bodies', await db.select({ body: sink.body }).from(sink).orderBy(sink.body));
const prepared = db
  .select()
  .from(people)
  .where(eq(people.id, sql.placeholder('id')))
  .prepare();
show('prepared', [await prepared.execute({ id: 1 }), await prepared.execute({ id: 3 })]);
show('error', await failed(db.execute(sql`select * from nowhere`)));
await pool.end();
