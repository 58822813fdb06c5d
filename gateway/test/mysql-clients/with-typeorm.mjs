// TypeORM over mysql2: a schema made and changed by its migrator, relations, transactions, locks, streams.
import { WHERE, failed, from, show } from './packages.mjs';

from('reflect-metadata');
const { DataSource, EntitySchema } = from('typeorm');
const entities = (extra) => [
  new EntitySchema({
    name: 'Writer',
    columns: {
      id: { type: Number, primary: true, generated: true },
      name: { type: 'varchar', length: 40, unique: true },
      born: { type: 'date', nullable: true },
      about: { type: 'json', nullable: true },
      active: { type: Boolean, default: true },
      ...extra,
    },
    relations: { works: { type: 'one-to-many', target: 'Work', inverseSide: 'writer', cascade: true } },
  }),
  new EntitySchema({
    name: 'Work',
    columns: {
      id: { type: 'bigint', primary: true, generated: true },
      title: { type: 'text' },
      price: { type: 'decimal', precision: 10, scale: 2, default: 0 },
    },
    relations: { writer: { type: 'many-to-one', target: 'Writer', inverseSide: 'works', onDelete: 'CASCADE' } },
  }),
];
const open = (extra) =>
  new DataSource({
    type: 'mysql',
    driver: from('mysql2'),
    host: WHERE.host,
    port: WHERE.port,
    username: WHERE.user,
    password: WHERE.password,
    database: WHERE.database,
    entities: entities(extra),
    synchronize: true,
  }).initialize();

let source = await open({});
try {
  const writers = source.getRepository('Writer');
  await writers.save({
    name: 'Ana',
    born: '1990-01-02',
    about: { a: "it's" },
    works: [{ title: 'One', price: '1.50' }, { title: 'Two' }],
  });
  await writers.save([{ name: 'Béa' }, { name: 'Cleo' }]);
  show('found', await writers.find({ relations: { works: true }, order: { id: 'ASC', works: { id: 'ASC' } } }));
  show('page', await writers.findAndCount({ relations: { works: true }, order: { name: 'DESC' }, skip: 1, take: 2 }));
  show('twice', await failed(writers.insert({ name: 'Ana' })));
  await source
    .transaction(async (manager) => {
      await manager
        .createQueryBuilder('Writer', 'w')
        .setLock('pessimistic_write')
        .where('w.name = :name', { name: 'Ana' })
        .getOne();
      await manager.getRepository('Work').delete({});
      throw new Error('back');
    })
    .catch(() => undefined);
  show('left', await source.getRepository('Work').count());
  show('people', await source.query('SELECT * FROM people WHERE id = ?', [1]));
  await writers.createQueryBuilder().update().set({ active: false }).where('name LIKE :like', { like: '%a' }).execute();
  show('active', await writers.countBy({ active: true }));
  await source.destroy();
  source = await open({ nick: { type: 'varchar', length: 10, nullable: true } });
  show(
    'columns',
    (await source.query('SHOW COLUMNS FROM writer')).map(({ Field, Type }) => `${Field} ${Type}`),
  );
} finally {
  for (const table of ['work', 'writer', 'typeorm_metadata']) await source.query(`DROP TABLE IF EXISTS ${table}`);
  await source.destroy();
}
