import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const ways = JSON.parse(process.env.MATRIX_WAYS);
const table = process.env.MATRIX_TABLE;
const rows = Number(process.env.MATRIX_ROWS);
const depths = JSON.parse(process.env.MATRIX_DEPTHS);
const folder = mkdtempSync(join(tmpdir(), 'libpq-'));
const digest = (value) => createHash('md5').update(value).digest('hex');

for (const { name: way, port, user, password, database } of ways) {
  const env = {
    ...process.env,
    PGHOST: '127.0.0.1',
    PGPORT: `${port}`,
    PGUSER: user,
    PGPASSWORD: password,
    PGDATABASE: database,
    PGSSLMODE: 'disable',
  };
  const run = (program, args, input = '') => {
    const { status, stdout, stderr } = spawnSync(program, args, { env, input, maxBuffer: 1 << 28 });
    if (status !== 0) throw new Error(stderr.toString());
    return stdout.toString();
  };
  const psql = (input) => run(process.env.MATRIX_PSQL, ['-XqAt', '-v', 'ON_ERROR_STOP=1', '-f', '-'], input);
  const count = () => psql(`select count(*), sum(length(body)) from ${table}`);
  const cells = {
    rows: () => digest(psql('select * from source order by id')),
    cursor: () => digest(psql('\\set FETCH_COUNT 400\nselect * from source order by id;')),
    'copy out': () => digest(psql('copy (select * from source order by id) to stdout;')),
    'copy in': () => {
      const lines = Array.from({ length: rows }, (_, id) => `${id}\tline ${id}\n`).join('');
      psql(`\\copy ${table} from stdin\n${lines}\\.\n`);
      return count();
    },
    'large statement': () => {
      psql(`insert into ${table} values (1, '${'x'.repeat(900_000)}')`);
      return count();
    },
    'hidden columns': () =>
      psql(
        'select id, unread(id) from people order by id;\ncopy (select id, unread(id) from people order by id) to stdout;\n\\set FETCH_COUNT 1\nselect unread(id) from people;',
      ),
    people: () => psql('select * from people order by id'),
  };
  for (const depth of depths) {
    cells[`insert ${depth}`] = () => {
      const insert = `insert into ${table} values (:a, repeat('y', :a + 1000));\n`;
      const script = join(folder, `${depth}.sql`);
      writeFileSync(script, `\\set a 7\n\\startpipeline\n${insert.repeat(depth)}\\endpipeline\n`);
      const times = depth === 1 ? 20 : Math.ceil(250 / depth);
      run(process.env.MATRIX_PGBENCH, ['-n', '-M', 'extended', '-t', `${times}`, '-f', script]);
      return count();
    };
  }
  for (const [cell, make] of Object.entries(cells)) {
    psql(`delete from ${table}`);
    let value;
    try {
      value = make();
    } catch (error) {
      value = `error: ${error.message}`;
    }
    console.log(JSON.stringify({ way, cell, value }));
  }
}
rmSync(folder, { recursive: true });
