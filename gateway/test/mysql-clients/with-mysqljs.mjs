// mysqljs: the old login, text protocol only, COM_CHANGE_USER.
import { promisify } from 'node:util';
import { WHERE, failed, from, show } from './packages.mjs';

const mysql = from('mysql');
const connection = mysql.createConnection({
  ...WHERE,
  multipleStatements: true,
  dateStrings: true,
  supportBigNumbers: true,
});
const query = promisify(connection.query).bind(connection);
const rows = async (what, ...asked) => show(what, await query(...asked));
await promisify(connection.connect).call(connection);
await query('DELETE FROM sink');
await rows('people', 'SELECT id, nick, mail FROM people ORDER BY id');
await rows('kinds', 'SELECT * FROM kinds');
await rows('several', "SELECT 1 AS a; SELECT 'b;c' AS b; UPDATE sink SET body = 'u' WHERE id < 0; SELECT 2 AS d");
const { affectedRows } = await query('INSERT INTO sink (body) VALUES ?', [[['a'], ["it's \\"], ['x'.repeat(70_000)]]]);
show('inserted', affectedRows);
await rows('lengths', 'SELECT LENGTH(body) AS n FROM sink ORDER BY id');
show(
  'results',
  (await query('CALL many()')).map((one) => (Array.isArray(one) ? one : one.affectedRows)),
);
show('error', await failed(query('SELECT * FROM nowhere')));
await query('SET @mine = 1');
await promisify(connection.changeUser).call(connection, {});
await rows('variable', 'SELECT @mine AS mine, DATABASE() IS NOT NULL AS used');
await promisify(connection.beginTransaction).call(connection);
await query('DELETE FROM sink');
await promisify(connection.rollback).call(connection);
await rows('left', 'SELECT COUNT(*) AS n FROM sink');
await promisify(connection.end).call(connection);
