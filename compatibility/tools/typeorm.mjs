/** TypeORM: migrations, synchronize(), entities with relations, its own reading of the catalog. */
import { DataSource, EntitySchema } from 'typeorm';
import { fail, say, target } from './common.mjs';

const Person = new EntitySchema({
  name: 'Person',
  tableName: 'people',
  columns: {
    id: { type: 'int', primary: true, generated: 'increment' },
    name: { type: 'text' },
    email: { type: 'text' },
  },
  relations: { orders: { type: 'one-to-many', target: 'Order', inverseSide: 'person' } },
  synchronize: false,
});
const Order = new EntitySchema({
  name: 'Order',
  tableName: 'orders',
  columns: {
    id: { type: 'int', primary: true, generated: 'increment' },
    total: { type: 'numeric' },
    note: { type: 'text', nullable: true },
  },
  relations: {
    person: { type: 'many-to-one', target: 'Person', joinColumn: { name: 'person_id' }, inverseSide: 'orders' },
  },
  synchronize: false,
});
const Shelf = new EntitySchema({
  name: 'Shelf',
  tableName: 'shelves',
  columns: {
    id: { type: 'uuid', primary: true, generated: 'uuid' },
    title: { type: 'varchar', length: 40, unique: true },
    kind: { type: 'enum', enum: ['wood', 'steel'], default: 'wood' },
    tags: { type: 'text', array: true, default: '{}' },
    made: { type: 'timestamptz', createDate: true },
    details: { type: 'jsonb', nullable: true },
  },
});

class Visits1700000000001 {
  async up(runner) {
    await runner.query(
      'create table visits (id serial primary key, person_id int not null references people, at date not null)',
    );
    await runner.query("insert into visits (person_id, at) select id, '2024-05-06' from people order by id");
  }
  async down(runner) {
    await runner.query('drop table visits');
  }
}
class Initials1700000000002 {
  async up(runner) {
    await runner.query('alter table people add initial text');
    for (const { id, name } of await runner.query('select id, name, email from people order by id'))
      await runner.query('update people set initial = $1 where id = $2', [name[0], id]);
    await runner.query('alter table people alter initial set not null');
  }
  async down(runner) {
    await runner.query('alter table people drop column initial');
  }
}

const source = new DataSource({
  type: 'postgres',
  ...target,
  username: target.user,
  entities: [Person, Order, Shelf],
  migrations: [Visits1700000000001, Initials1700000000002],
  migrationsTransactionMode: 'each',
});
const named = (ran) => ran.map(({ name }) => name);
try {
  await source.initialize();
  say('migrations', named(await source.runMigrations()));
  await source.undoLastMigration();
  say('again', named(await source.runMigrations()));
  await source.synchronize();
  const log = await source.driver.createSchemaBuilder().log();
  say(
    'in step',
    log.upQueries.map(({ query }) => query),
  );
  const shelves = source.getRepository(Shelf);
  const { id, made, ...saved } = await shelves.save({ title: 'first', tags: ['a', 'b'], details: { n: 1 } });
  say('saved', [typeof id, typeof made, saved]);
  say(
    'shelves',
    await shelves.find({ where: { title: 'first' }, select: { title: true, kind: true, tags: true, details: true } }),
  );
  say(
    'people',
    await source
      .getRepository(Person)
      .find({ relations: { orders: true }, order: { id: 'ASC', orders: { id: 'ASC' } } }),
  );
  say(
    'page',
    await source.getRepository(Person).findAndCount({ relations: { orders: true }, order: { id: 'DESC' }, take: 2 }),
  );
  say(
    'transaction',
    await source.transaction(async (manager) => {
      const order = await manager.save(Order, { total: 4, note: 'by typeorm', person: { id: 3 } });
      await manager.increment(Order, { id: order.id }, 'total', 1);
      return manager.findOne(Order, { where: { id: order.id }, relations: { person: true } });
    }),
  );
  say(
    'built',
    await source
      .getRepository(Order)
      .createQueryBuilder('o')
      .innerJoin('o.person', 'p')
      .select('p.name', 'name')
      .addSelect('sum(o.total)', 'total')
      .groupBy('p.name')
      .orderBy('p.name')
      .getRawMany(),
  );
  const runner = source.createQueryRunner();
  const table = await runner.getTable('shelves');
  say(
    'read back',
    table.columns.map(({ name, type, isNullable, isUnique }) => ({ name, type, isNullable, isUnique })),
  );
  await runner.release();
  await source.destroy();
} catch (error) {
  fail(error);
}
