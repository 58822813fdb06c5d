/** Sequelize: sync() with an enum, umzug's migrations by its query interface, models with associations. */
import { DataTypes, Sequelize, fn, col } from 'sequelize';
import { SequelizeStorage, Umzug } from 'umzug';
import { fail, say, target } from './common.mjs';

const sequelize = new Sequelize({ dialect: 'postgres', ...target, username: target.user, logging: false });
const Person = sequelize.define(
  'person',
  { name: DataTypes.TEXT, email: DataTypes.TEXT },
  { tableName: 'people', timestamps: false },
);
const Order = sequelize.define(
  'order',
  { total: DataTypes.DECIMAL, note: DataTypes.TEXT },
  { tableName: 'orders', timestamps: false },
);
Person.hasMany(Order, { foreignKey: 'person_id' });
Order.belongsTo(Person, { foreignKey: 'person_id' });
const Ticket = sequelize.define('ticket', {
  title: { type: DataTypes.STRING(60), allowNull: false, unique: true },
  state: { type: DataTypes.ENUM('open', 'closed'), defaultValue: 'open' },
  labels: DataTypes.ARRAY(DataTypes.TEXT),
  details: DataTypes.JSONB,
});

const umzug = new Umzug({
  migrations: [
    {
      name: '01-levels',
      up: async ({ context }) => {
        await context.createTable('levels', {
          id: { type: DataTypes.INTEGER, primaryKey: true, autoIncrement: true },
          name: { type: DataTypes.STRING, unique: true },
        });
        await context.bulkInsert('levels', [{ name: 'low' }, { name: 'high' }]);
      },
      down: ({ context }) => context.dropTable('levels'),
    },
    {
      name: '02-people-have-levels',
      up: ({ context }) =>
        context.sequelize.transaction(async (transaction) => {
          await context.addColumn(
            'people',
            'level_id',
            { type: DataTypes.INTEGER, references: { model: 'levels', key: 'id' } },
            { transaction },
          );
          const [rows] = await context.sequelize.query('select id, name, email from people order by id', {
            transaction,
          });
          for (const { id } of rows)
            await context.bulkUpdate('people', { level_id: 1 + (id % 2) }, { id }, { transaction });
          await context.addIndex('people', ['level_id'], { transaction });
        }),
      down: ({ context }) => context.removeColumn('people', 'level_id'),
    },
  ],
  context: sequelize.getQueryInterface(),
  storage: new SequelizeStorage({ sequelize }),
  logger: undefined,
});
const names = (ran) => ran.map(({ name }) => name);
try {
  say('up', names(await umzug.up()));
  say('down', names(await umzug.down()));
  say('up again', names(await umzug.up()));
  await Ticket.sync();
  await Ticket.sync({ alter: true });
  const ticket = await Ticket.create({ title: 'one', labels: ['a', 'b'], details: { n: 1 } });
  say('created', [ticket.id, ticket.state]);
  await Ticket.bulkCreate([{ title: 'two' }, { title: 'three', state: 'closed' }]);
  say(
    'tickets',
    await Ticket.findAll({ attributes: ['id', 'title', 'state', 'labels', 'details'], order: ['id'], raw: true }),
  );
  const [four] = await Ticket.upsert({ title: 'four', state: 'closed' });
  say('upserted', [four.title, four.state]);
  const found = [];
  for (const title of ['four', 'five', 'five']) {
    const [one, made] = await Ticket.findOrCreate({ where: { title }, defaults: { labels: [title] } });
    found.push([one.title, one.labels, made]);
  }
  say('found or made', found);
  say(
    'people',
    (await Person.findAll({ include: Order, order: ['id', [Order, 'id']] })).map((one) => one.toJSON()),
  );
  say(
    'sums',
    await Order.findAll({
      attributes: [[fn('sum', col('total')), 'total']],
      include: { model: Person, attributes: ['name'] },
      group: ['person.id', 'person.name'],
      order: [[col('person.name')]],
      raw: true,
    }),
  );
  say(
    'transaction',
    await sequelize.transaction(async (transaction) => {
      const order = await Order.create({ total: 6, note: 'by sequelize', person_id: 2 }, { transaction });
      await order.increment('total', { transaction });
      return (await order.reload({ transaction })).toJSON();
    }),
  );
  const described = await sequelize.getQueryInterface().describeTable('people');
  say('described', described);
  say('tables', (await sequelize.getQueryInterface().showAllTables()).sort());
  say('indexes', (await sequelize.getQueryInterface().showIndex('people')).map(({ name }) => name).sort());
} catch (error) {
  fail(error);
}
await sequelize.close();
