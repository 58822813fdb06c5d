/** node-pg-migrate: migrations in transactions with a backfill in SQL, down and up again. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runner } from 'node-pg-migrate';
import pg from 'pg';
import { fail, say, target } from './common.mjs';

const MIGRATIONS = {
  '1700000000001_tags.js': `
export const up = (pgm) => {
  pgm.createType('colour', ['red', 'green']);
  pgm.createTable('tags', {
    id: 'id',
    person_id: { type: 'integer', notNull: true, references: 'people', onDelete: 'cascade' },
    label: { type: 'text', notNull: true },
    colour: { type: 'colour', notNull: true, default: 'red' },
    made: { type: 'timestamptz', notNull: true, default: pgm.func('current_timestamp') },
  });
  pgm.createIndex('tags', ['person_id', 'label'], { unique: true });
  pgm.sql("insert into tags (person_id, label) select id, lower(name) from people order by id");
  pgm.createView('coloured', {}, 'select t.id, t.colour, p.name from tags t join people p on p.id = t.person_id');
};
export const down = (pgm) => { pgm.dropView('coloured'); pgm.dropTable('tags'); pgm.dropType('colour'); };
`,
  '1700000000002_domains.js': `
export const up = async (pgm) => {
  pgm.addColumns('people', { domain: { type: 'varchar(100)' } });
  pgm.sql("update people set domain = split_part(email, '@', 2)");
  pgm.addConstraint('people', 'has_domain', { check: "domain is null or domain <> ''" });
  pgm.createFunction('touch', [], { returns: 'trigger', language: 'plpgsql', replace: true },
    "begin new.name := btrim(new.name); return new; end");
  pgm.createTrigger('people', 'touched', { when: 'before', operation: ['insert', 'update'], level: 'row', function: 'touch' });
};
export const down = (pgm) => {
  pgm.dropTrigger('people', 'touched'); pgm.dropFunction('touch', []);
  pgm.dropConstraint('people', 'has_domain'); pgm.dropColumns('people', ['domain']);
};
`,
};
const dir = mkdtempSync(join(tmpdir(), 'node-pg-migrate-'));
writeFileSync(join(dir, 'package.json'), '{"type":"module"}');
for (const [name, text] of Object.entries(MIGRATIONS)) writeFileSync(join(dir, name), text);
const options = {
  databaseUrl: target,
  dir,
  ignorePattern: 'package.json',
  migrationsTable: 'pgmigrations',
  log: () => undefined,
};
const names = (ran) => ran.map(({ name }) => name);
try {
  say('up', names(await runner({ ...options, direction: 'up' })));
  say('down', names(await runner({ ...options, direction: 'down', count: 2 })));
  say('up again', names(await runner({ ...options, direction: 'up' })));
  say('nothing left', names(await runner({ ...options, direction: 'up' })));
  const client = new pg.Client(target);
  await client.connect();
  say('tags', (await client.query('select id, person_id, label, colour from tags order by id')).rows);
  say('view', (await client.query('select * from coloured order by id')).rows);
  say('people', (await client.query('select id, name, email from people order by id')).rows);
  await client.end();
} catch (error) {
  fail(error);
} finally {
  rmSync(dir, { recursive: true });
}
