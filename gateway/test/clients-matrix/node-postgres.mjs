import { createHash } from 'node:crypto';
import pg from 'pg';

const ways = JSON.parse(process.env.MATRIX_WAYS);
const table = process.env.MATRIX_TABLE;
const rows = Number(process.env.MATRIX_ROWS);
const depths = JSON.parse(process.env.MATRIX_DEPTHS);
const digest = (value) => createHash('md5').update(JSON.stringify(value)).digest('hex');

/** COPY without a library: one message for each row, and everything at once. */
class Copy {
  constructor(text, lines, done) {
    Object.assign(this, { text, lines, done, out: [] });
  }
  submit(connection) {
    connection.query(this.text);
  }
  handleCopyInResponse(connection) {
    for (const line of this.lines) connection.sendCopyFromChunk(Buffer.from(line));
    connection.endCopyFrom();
  }
  handleCopyData(message) {
    this.out.push(Buffer.from(message.chunk));
  }
  handleCommandComplete() {}
  handleError(error) {
    this.error = error;
  }
  handleReadyForQuery() {
    if (this.error) this.done.reject(this.error);
    else this.done.resolve(Buffer.concat(this.out).toString());
  }
}
const copy = (client, text, lines = []) => {
  const done = Promise.withResolvers();
  client.query(new Copy(text, lines, done));
  return done.promise;
};

const count = async (client) =>
  (await client.query(`select count(*)::int n, sum(length(body))::int s from ${table}`)).rows;

const cells = {
  rows: async (client) => digest((await client.query('select * from source where id > $1 order by id', [0])).rows),
  'copy out': async (client) => digest(await copy(client, 'copy (select * from source order by id) to stdout')),
  'copy in': async (client) => {
    await copy(
      client,
      `copy ${table} from stdin`,
      Array.from({ length: rows }, (_, id) => `${id}\tline ${id}\n`),
    );
    return count(client);
  },
  'large parameter': async (client) =>
    (
      await client.query('select md5($1::text) as m, length($2::bytea) as n', [
        'ä'.repeat(1_500_000),
        Buffer.alloc(3_000_000, 7),
      ])
    ).rows,
  'large insert': async (client) => {
    await client.query(`insert into ${table} values (1, $1)`, ['x'.repeat(2_000_000)]);
    return count(client);
  },
  'hidden columns': async (client) => [
    (await client.query('select id, unread(id) as n from people order by id')).rows,
    (await client.query('select id, unread($1) as n from people order by id', [1])).rows,
    (await client.query({ name: 'hidden', text: 'select unread($1) as n', values: [1] })).rows,
  ],
  people: async (client) => (await client.query('select * from people order by id')).rows,
};
for (const depth of depths) {
  cells[`insert ${depth}`] = async (client) => {
    for (let at = 0; at < (depth === 1 ? 20 : 250); at += depth)
      await Promise.all(
        Array.from({ length: depth }, (_, n) =>
          client.query(`insert into ${table} values ($1, $2)`, [at + n, 'y'.repeat(1000 + n)]),
        ),
      );
    return count(client);
  };
}

for (const { name: way, ...config } of ways) {
  const client = new pg.Client({ host: '127.0.0.1', ssl: false, ...config });
  await client.connect();
  for (const [cell, run] of Object.entries(cells)) {
    await client.query(`delete from ${table}`);
    const value = await run(client).catch((error) => `error: ${error.message}`);
    console.log(JSON.stringify({ way, cell, value }));
  }
  await client.end();
}
