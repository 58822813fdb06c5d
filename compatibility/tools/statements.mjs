/**
 * Sends the statements of a file one by one, as the program that they are taken from does, and says what came back. A line
 * `-- parameters: [...]` before a statement sends it by the extended protocol with these values.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { fail, say, target } from './common.mjs';

const text = readFileSync(join(import.meta.dirname, '..', 'statements', process.argv[2] ?? ''), 'utf8');
const statements = text.split(/;;\n/).flatMap((part) => {
  const lines = part.split('\n');
  const given = lines.find((line) => line.startsWith('-- parameters: '));
  const sql = lines
    .filter((line) => !line.startsWith('-- '))
    .join('\n')
    .trim();
  return sql === '' ? [] : [{ text: sql, ...(given && { values: JSON.parse(given.slice('-- parameters: '.length)) }) }];
});
const client = new pg.Client(target);
/** Sizes, process numbers and the like: whether they are there is all that can be compared. */
const VOLATILE =
  /^(pid|oid|datid|backend_start|.*_size|.*_start|.*age|xact_.*|blks_.*|tup_.*|.*_time|oid_of_now|port|client_port|size)$/;
try {
  await client.connect();
  for (const [at, statement] of statements.entries()) {
    const result = await client.query({ ...statement, rowMode: 'array' });
    const last = [result].flat().at(-1);
    const fields = last.fields.map(({ name }) => name);
    const rows = last.rows.map((row) =>
      row.map((value, index) => (VOLATILE.test(fields[index]) && value !== null ? 'VOLATILE' : value)),
    );
    say(`${at + 1}: ${statement.text.replaceAll(/\s+/g, ' ').slice(0, 60)}`, { fields, rows });
  }
  await client.end();
} catch (error) {
  fail(error);
}
