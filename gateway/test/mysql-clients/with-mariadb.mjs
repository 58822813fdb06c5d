// mariadb of npm: pipelined statements, batches, a pool that resets connections, COM_CHANGE_USER.
import { WHERE, failed, from, show } from './packages.mjs';

const mariadb = from('mariadb');
const pool = mariadb.createPool({
  ...WHERE,
  connectionLimit: 2,
  resetAfterUse: true,
  dateStrings: true,
  multipleStatements: true,
});
const connection = await pool.getConnection();
await connection.query('DELETE FROM sink');
show('people', await connection.query('SELECT id, nick, mail FROM people ORDER BY id'));
show('kinds', await connection.query('SELECT * FROM kinds'));
show('kinds by value', await connection.execute('SELECT * FROM kinds WHERE a = ?', [-1]));
show('bound', await connection.execute('SELECT ? AS a, ? AS b, ? AS c', [1, "it's", null]));
const many = Array.from({ length: 300 }, (_, at) => [`row ${at}`]);
const batch = await connection.batch('INSERT INTO sink (body) VALUES (?)', many);
// One answer where the server takes a batch as one command, and one for each where it does not.
show('batch', batch.affectedRows ?? batch.length);
const pipelined = Array.from({ length: 50 }, (_, at) => connection.query('SELECT ? AS n', [at]));
show(
  'pipelined',
  (await Promise.all(pipelined)).map(([row]) => row.n),
);
show('several', await connection.query("SELECT 1 AS a; SELECT 'b;c' AS b; SELECT 2 AS d"));
show(
  'results',
  (await connection.query('CALL many()')).map((one) => (Array.isArray(one) ? one : one.affectedRows)),
);
show('error', await failed(connection.query('SELECT * FROM nowhere')));
await connection.query('SET @mine = 1');
// The library itself refuses it at MySQL.
await connection
  .changeUser({ user: WHERE.user, password: WHERE.password, database: WHERE.database })
  .catch(() => connection.reset());
show('changed', await connection.query('SELECT @mine AS mine, DATABASE() IS NOT NULL AS used'));
await connection.query('SET @mine = 1');
await connection.reset();
show('reset', await connection.query('SELECT @mine AS mine'));
await connection.beginTransaction();
await connection.query('DELETE FROM sink');
await connection.rollback();
show('left', await connection.query('SELECT COUNT(*) AS n FROM sink'));
let streamed = 0;
for await (const _ of connection.queryStream('SELECT * FROM sink')) streamed++;
show('streamed', streamed);
await connection.release();
await pool.end();
