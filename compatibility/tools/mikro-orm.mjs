/** MikroORM: migrations, its schema generator's comparison with the database, entities with relations. */
import { EntitySchema, MikroORM } from '@mikro-orm/postgresql';
import { Migration, Migrator } from '@mikro-orm/migrations';
import { fail, say, target } from './common.mjs';

const Person = new EntitySchema({
  name: 'Person',
  tableName: 'people',
  properties: {
    id: { type: 'integer', primary: true },
    name: { type: 'text' },
    email: { type: 'text' },
    orders: { kind: '1:m', entity: () => Order, mappedBy: 'person' },
  },
});
const Order = new EntitySchema({
  name: 'Order',
  tableName: 'orders',
  properties: {
    id: { type: 'integer', primary: true },
    person: { kind: 'm:1', entity: () => Person, fieldName: 'person_id' },
    total: { type: 'numeric' },
    note: { type: 'text', nullable: true },
  },
});
const Room = new EntitySchema({
  name: 'Room',
  tableName: 'rooms',
  properties: {
    id: { type: 'integer', primary: true },
    title: { type: 'string', length: 40, unique: true },
    kind: { enum: true, items: ['small', 'large'], default: 'small' },
    details: { type: 'json', nullable: true },
  },
});
class Migration1 extends Migration {
  up() {
    this.addSql('create table floors (id serial primary key, name text not null unique)');
    this.addSql("insert into floors (name) values ('ground'), ('first')");
  }
  down() {
    this.addSql('drop table floors');
  }
}
class Migration2 extends Migration {
  async up() {
    await this.execute('alter table people add floor_id int references floors');
    for (const { id } of await this.execute('select id, name, email from people order by id'))
      await this.execute('update people set floor_id = ? where id = ?', [1 + (id % 2), id]);
    this.addSql('create index people_by_floor on people (floor_id)');
  }
  down() {
    this.addSql('alter table people drop column floor_id');
  }
}
const names = (ran) => ran.map(({ name }) => name);
try {
  const orm = await MikroORM.init({
    entities: [Person, Order, Room],
    dbName: target.database,
    ...target,
    extensions: [Migrator],
    migrations: {
      migrationsList: [
        { name: 'Migration1', class: Migration1 },
        { name: 'Migration2', class: Migration2 },
      ],
      snapshot: false,
    },
    allowGlobalContext: true,
    logger: () => undefined,
  });
  const migrator = orm.migrator ?? orm.getMigrator();
  say('up', names(await migrator.up()));
  say('down', names(await migrator.down()));
  say('up again', names(await migrator.up()));
  const generator = orm.schema;
  say('update', await generator.getUpdateSchemaSQL({ safe: true }));
  await generator.update({ safe: true, dropTables: false });
  say('left', await generator.getUpdateSchemaSQL({ safe: true, dropTables: false }));
  const em = orm.em.fork();
  const room = em.create(Room, { title: 'one', details: { n: 1 } });
  await em.flush();
  say('made', [room.id, room.kind]);
  const people = await em.find(Person, {}, { populate: ['orders'], orderBy: { id: 'asc', orders: { id: 'asc' } } });
  say(
    'people',
    people.map(({ id, name, email, orders }) => ({
      id,
      name,
      email,
      orders: orders.getItems().map((one) => [one.id, one.total]),
    })),
  );
  say(
    'joined',
    (await orm.em.fork().find(Order, {}, { populate: ['person'], strategy: 'joined', orderBy: { id: 'asc' } })).map(
      ({ id, person }) => [id, person.email],
    ),
  );
  await orm.em.fork().transactional(async (inner) => {
    const order = inner.create(Order, { person: 1, total: '8', note: 'by mikro-orm' });
    await inner.flush();
    order.total = '9';
    await inner.flush();
    say('transaction', [order.id, order.total]);
  });
  say('counted', await orm.em.fork().count(Order, { person: { name: 'Ada' } }));
  await orm.close(true);
} catch (error) {
  fail(error);
}
