/** db-migrate: migrations with promises, up, down, and up again. */
import { createRequire } from 'node:module';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { fail, say, target } from './common.mjs';

const DBMigrate = createRequire(import.meta.url)('db-migrate');
const MIGRATIONS = {
  '20240101000000-marks.js': `
exports.up = (db) => db.createTable('marks', {
  id: { type: 'int', primaryKey: true, autoIncrement: true },
  person_id: { type: 'int', notNull: true, foreignKey: { name: 'marks_person', table: 'people', mapping: 'id', rules: { onDelete: 'CASCADE' } } },
  value: { type: 'decimal', notNull: true, defaultValue: 0 },
}).then(() => db.addIndex('marks', 'marks_by_person', ['person_id']));
exports.down = (db) => db.dropTable('marks');
`,
  '20240102000000-fill.js': `
exports.up = async (db) => {
  const { rows } = await db.runSql('select id, name, email from people order by id');
  for (const { id, name } of rows)
    await db.insert('marks', ['person_id', 'value'], [id, name.length]);
  await db.addColumn('people', 'mark', { type: 'int' });
  await db.runSql('update people set mark = (select value from marks where person_id = people.id)');
};
exports.down = (db) => db.removeColumn('people', 'mark').then(() => db.runSql('delete from marks'));
`,
};
const folder = mkdtempSync(join(tmpdir(), 'db-migrate-'));
for (const [name, text] of Object.entries(MIGRATIONS)) writeFileSync(join(folder, name), text);
const migrate = DBMigrate.getInstance(true, {
  cmdOptions: { 'migrations-dir': folder, 'log-level': 'error|warn' },
  throwUncatched: true,
  config: { dev: { driver: 'pg', ...target } },
});
migrate.silence(true);
try {
  await migrate.up();
  await migrate.down(2);
  await migrate.up();
  const client = new pg.Client(target);
  await client.connect();
  say('migrations', (await client.query('select id, name from migrations order by id')).rows);
  say('people', (await client.query('select id, name, email, mark from people order by id')).rows);
  await client.end();
} catch (error) {
  fail(error);
} finally {
  rmSync(folder, { recursive: true });
}
process.exit(0);
