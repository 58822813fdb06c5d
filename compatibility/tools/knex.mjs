/** knex: migrations in transactions with a backfill in the program, the query builder, a raw statement. */
import createKnex from 'knex';
import { fail, say, target } from './common.mjs';

const migrations = {
  '01_cities': {
    up: async (knex) => {
      await knex.schema.createTable('cities', (table) => {
        table.increments('id');
        table.string('name').notNullable().unique();
        table.timestamp('made').defaultTo(knex.fn.now());
      });
      await knex('cities').insert([{ name: 'London' }, { name: 'Paris' }]);
    },
    down: (knex) => knex.schema.dropTable('cities'),
  },
  '02_people_have_cities': {
    up: async (knex) => {
      await knex.schema.alterTable('people', (table) => {
        table.integer('city_id').references('cities.id');
        table.string('label');
      });
      for (const { id, name } of await knex('people').select('id', 'name', 'email').orderBy('id')) {
        await knex('people')
          .where({ id })
          .update({ city_id: 1 + (id % 2), label: `${id} ${name}` });
      }
      await knex.schema.alterTable('people', (table) => void table.string('label').notNullable().alter());
    },
    down: (knex) => knex.schema.alterTable('people', (table) => void table.dropColumns('city_id', 'label')),
  },
};
const migrationSource = {
  getMigrations: async () => Object.keys(migrations),
  getMigrationName: (name) => name,
  getMigration: async (name) => migrations[name],
};

const knex = createKnex({
  client: 'pg',
  connection: target,
  migrations: { migrationSource },
  pool: { min: 0, max: 3 },
});
try {
  const [, ran] = await knex.migrate.latest();
  say('migrations', ran);
  say('version', await knex.migrate.currentVersion());
  say('rollback', (await knex.migrate.down())[1]);
  say('again', (await knex.migrate.latest())[1]);
  say('tables', [await knex.schema.hasTable('cities'), await knex.schema.hasColumn('people', 'label')]);
  say('columns', await knex('people').columnInfo());
  say('inserted', await knex('cities').insert({ name: 'Rome' }).returning(['id', 'name']));
  say('upserted', await knex('cities').insert({ name: 'Rome' }).onConflict('name').merge().returning('name'));
  say(
    'joined',
    await knex('people')
      .join('cities', 'cities.id', 'people.city_id')
      .select('people.id', 'email', 'cities.name')
      .orderBy('people.id'),
  );
  say('counted', await knex('orders').count('id').sum('total').first());
  say('first', await knex('people').where({ name: 'Ada' }).first('id', 'name', 'email'));
  say(
    'transaction',
    await knex.transaction(async (trx) => {
      const [{ id }] = await trx('orders').insert({ person_id: 1, total: 5, note: 'by knex' }).returning('id');
      await trx('orders').where({ id }).increment('total', 2);
      return trx('orders').where({ id }).first('person_id', 'total', 'note');
    }),
  );
  say(
    'raw',
    (await knex.raw('select o.id, p.email from orders o join people p on p.id = o.person_id order by 1')).rows,
  );
} catch (error) {
  fail(error);
}
await knex.destroy();
