// Sequelize over mysql2 and over mariadb: models, associations, transactions, and reading a schema.
import { WHERE, failed, from, show } from './packages.mjs';

const { DataTypes, Op, QueryTypes, Sequelize } = from('sequelize');
for (const dialect of ['mysql', 'mariadb']) {
  const { database, user, password, host, port } = WHERE;
  const sequelize = new Sequelize(database, user, password, {
    dialect,
    dialectModule: from(dialect === 'mysql' ? 'mysql2' : 'mariadb'),
    host,
    port,
    logging: false,
  });
  await sequelize.authenticate();
  const Author = sequelize.define(
    'author',
    {
      name: { type: DataTypes.STRING, unique: true },
      born: DataTypes.DATEONLY,
      wage: DataTypes.DECIMAL(10, 2),
      about: DataTypes.JSON,
    },
    { timestamps: false },
  );
  const Book = sequelize.define('book', { title: DataTypes.STRING, price: DataTypes.FLOAT }, { timestamps: false });
  Author.hasMany(Book, { onDelete: 'CASCADE' });
  Book.belongsTo(Author);
  try {
    await sequelize.sync({ force: true });
    const ana = await Author.create({ name: 'Ana', born: '1990-02-03', wage: '12.50', about: { a: [1, "it's"] } });
    await Author.bulkCreate([{ name: 'Béa' }, { name: 'Cleo' }]);
    await ana.createBook({ title: 'One', price: 1.5 });
    await Book.bulkCreate(Array.from({ length: 20 }, (_, at) => ({ title: `T${at}`, authorId: (at % 3) + 1 })));
    const found = await Author.findAll({
      include: Book,
      where: { name: { [Op.in]: ['Ana', 'Cleo'] } },
      order: [
        ['id', 'ASC'],
        [Book, 'id', 'ASC'],
      ],
    });
    show('found', found);
    show('counted', await Book.count({ where: { title: { [Op.like]: 'T1%' } } }));
    show('upsert', (await Author.upsert({ name: 'Ana', wage: '13' }))[1] !== undefined);
    await sequelize
      .transaction(async (transaction) => {
        await Book.destroy({ where: {}, transaction });
        throw new Error('back');
      })
      .catch(() => undefined);
    show('left', await Book.count());
    show('twice', await failed(Author.create({ name: 'Cleo' })));
    show('bound', await sequelize.query('SELECT $1 AS a, $2 AS b', { bind: [1, "it's"], type: QueryTypes.SELECT }));
    show(
      'people',
      await sequelize.query('SELECT * FROM people WHERE id = :id', {
        replacements: { id: 1 },
        type: QueryTypes.SELECT,
      }),
    );
    show('described', Object.keys(await sequelize.getQueryInterface().describeTable('books')));
    show(
      'indexes',
      (await sequelize.getQueryInterface().showIndex('authors')).map(({ name }) => name),
    );
    show(
      'grouped',
      await Book.findAll({
        attributes: ['authorId', [sequelize.fn('COUNT', '*'), 'n']],
        group: 'authorId',
        order: ['authorId'],
        raw: true,
      }),
    );
  } finally {
    await sequelize.drop();
    await sequelize.close();
  }
}
