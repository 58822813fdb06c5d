import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import postgres from 'postgres';

const ways = JSON.parse(process.env.MATRIX_WAYS);
const table = process.env.MATRIX_TABLE;
const rows = Number(process.env.MATRIX_ROWS);
const depths = JSON.parse(process.env.MATRIX_DEPTHS);
const digest = (value) => createHash('md5').update(JSON.stringify(value)).digest('hex');

const count = async (sql) => [...(await sql`select count(*)::int n, sum(length(body))::int s from ${sql(table)}`)];

const cells = {
  rows: async (sql) => digest([...(await sql`select * from source where id > ${0} order by id`)]),
  cursor: async (sql) => {
    let read = [];
    await sql`select * from source order by id`.cursor(400, (part) => void (read = read.concat([...part])));
    return digest(read);
  },
  'copy out': async (sql) => {
    const chunks = await (await sql`copy (select * from source order by id) to stdout`.readable()).toArray();
    return digest(Buffer.concat(chunks).toString());
  },
  'copy in': async (sql) => {
    const lines = Array.from({ length: rows }, (_, id) => Buffer.from(`${id}\tline ${id}\n`));
    await pipeline(Readable.from(lines), await sql`copy ${sql(table)} from stdin`.writable());
    return count(sql);
  },
  'large parameter': async (sql) => [
    ...(await sql`select md5(${'ä'.repeat(1_500_000)}) as m, length(${Buffer.alloc(3_000_000, 7)}::bytea) as n`),
  ],
  transaction: async (sql) => {
    await sql.begin((own) => [own`create temp table em (a int)`, own`insert into em values (1)`, own`drop table em`]);
    return count(sql);
  },
  'hidden columns': async (sql) =>
    (
      await Promise.all([
        sql`select id, unread(id) as n from people order by id`,
        sql`select unread(${1}) as n`,
        sql`select id, unread(id) as n from people order by id`.simple(),
      ])
    ).map((rows) => [...rows]),
  people: async (sql) => [...(await sql`select * from people order by id`)],
};
for (const depth of depths) {
  cells[`insert ${depth}`] = async (sql) => {
    for (let at = 0; at < (depth === 1 ? 20 : 250); at += depth) {
      await Promise.all(
        Array.from(
          { length: depth },
          (_, n) => sql`insert into ${sql(table)} values (${at + n}, ${'y'.repeat(1000 + n)})`,
        ),
      );
    }
    return count(sql);
  };
}

for (const { name: way, port, user, password, database } of ways) {
  const sql = postgres({
    host: '127.0.0.1',
    port,
    user,
    password,
    database,
    ssl: false,
    max: 1,
    max_pipeline: 1000,
    onnotice: () => undefined,
  });
  for (const [cell, run] of Object.entries(cells)) {
    await sql`delete from ${sql(table)}`;
    const value = await run(sql).catch((error) => `error: ${error.message}`);
    console.log(JSON.stringify({ way, cell, value }));
  }
  await sql.end();
}
