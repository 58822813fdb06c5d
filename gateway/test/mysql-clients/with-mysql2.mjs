// mysql2: a pool, statements prepared and forgotten, COM_CHANGE_USER, values of all types both ways.
import { WHERE, failed, from, show } from './packages.mjs';

const mysql = from('mysql2/promise');
const pool = mysql.createPool({
  ...WHERE,
  connectionLimit: 2,
  dateStrings: true,
  supportBigNumbers: true,
  maxPreparedStatements: 4,
});
const connection = await pool.getConnection();
const rows = async (what, how, ...asked) => show(what, (await connection[how](...asked))[0]);
await connection.query('DELETE FROM sink');
await rows('people', 'query', 'SELECT id, nick, mail FROM people ORDER BY id');
await rows('kinds', 'query', 'SELECT * FROM kinds');
await rows('kinds', 'execute', 'SELECT * FROM kinds WHERE a = ?', [-1]);
for (let at = 0; at < 12; at++) await rows('prepared', 'execute', `SELECT ${at} AS n, ? AS v`, [`v${at}`]);
await rows('bound', 'execute', 'SELECT ? AS a, ? AS b, ? AS c, ? AS d', [1.5, "it's", null, Buffer.from([0, 39, 255])]);
show(
  'results',
  (await connection.query('CALL many()'))[0].map((one) => (Array.isArray(one) ? one : one.affectedRows)),
);
show('error', await failed(connection.query('SELECT * FROM nowhere')));
await connection.query('SET @mine = 1');
await connection.changeUser({ user: WHERE.user, password: WHERE.password, database: WHERE.database });
await rows('changed', 'query', 'SELECT @mine AS mine, DATABASE() IS NOT NULL AS used');
await rows('prepared again', 'execute', 'SELECT ? AS v', ['after']);
await connection.query('SET @mine = 1');
await connection.reset?.();
await rows('reset', 'query', 'SELECT @mine AS mine');
show('wrong password', await failed(connection.changeUser({ user: WHERE.user, password: 'wrong' })));
connection.release();
await pool.end();
