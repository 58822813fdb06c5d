<?php
// mysqlnd: PDO with emulated and with real preparing, mysqli with several results, unbuffered rows and persistent connections.
$port = (int) getenv('CLIENT_PORT');
$user = getenv('CLIENT_USER');
$password = getenv('CLIENT_PASSWORD');
$database = getenv('CLIENT_DATABASE');

function show(string $what, $value): void {
  echo $what, ' ', json_encode($value, JSON_INVALID_UTF8_SUBSTITUTE | JSON_PARTIAL_OUTPUT_ON_ERROR), "\n";
}

foreach ([true, false] as $emulated) {
  $pdo = new PDO("mysql:host=127.0.0.1;port=$port;dbname=$database;charset=utf8mb4", $user, $password, [
    PDO::ATTR_EMULATE_PREPARES => $emulated,
    PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION,
    PDO::ATTR_DEFAULT_FETCH_MODE => PDO::FETCH_ASSOC,
  ]);
  $pdo->exec('DELETE FROM sink');
  show('people', $pdo->query('SELECT id, nick, mail FROM people ORDER BY id')->fetchAll());
  show('kinds', $pdo->query('SELECT * FROM kinds')->fetchAll());
  $select = $pdo->prepare('SELECT * FROM kinds WHERE a = ?');
  $select->execute([-1]);
  show('kinds by value', $select->fetchAll());
  $insert = $pdo->prepare('INSERT INTO sink (body) VALUES (:body)');
  foreach (['a', "it's \\ \"", null, str_repeat('x', 70000)] as $body) $insert->execute(['body' => $body]);
  show('rows', $insert->rowCount());
  show('lengths', $pdo->query('SELECT LENGTH(body) AS n FROM sink ORDER BY id')->fetchAll(PDO::FETCH_COLUMN));
  $pdo->beginTransaction();
  show('deleted', $pdo->exec('DELETE FROM sink'));
  $pdo->rollBack();
  show('left', $pdo->query('SELECT COUNT(*) FROM sink')->fetchColumn());
  try {
    $pdo->query('SELECT * FROM nowhere');
  } catch (PDOException $error) {
    show('error', array_slice($error->errorInfo, 0, 2));
  }
  $call = $pdo->query('CALL many()');
  do show('result', $call->columnCount() > 0 ? $call->fetchAll() : $call->rowCount()); while ($call->nextRowset());
  $call->closeCursor();
  $pdo->setAttribute(PDO::MYSQL_ATTR_USE_BUFFERED_QUERY, false);
  $rows = $pdo->query('SELECT id FROM people ORDER BY id');
  show('first', $rows->fetch());
  $rows->closeCursor();
  show('version', preg_match('/^\d/', $pdo->getAttribute(PDO::ATTR_SERVER_VERSION)));
  $pdo = null;
}

mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);
// Taken from the pool again it is logged in again in the same connection (COM_CHANGE_USER).
for ($round = 0; $round < 3; $round++) {
  $one = new mysqli('p:127.0.0.1', $user, $password, $database, $port);
  show('variable', $one->query('SELECT @mine AS mine, DATABASE() IS NOT NULL AS used')->fetch_assoc());
  $one->query("SET @mine = $round");
  $one->query("SET SESSION sql_mode = 'ANSI_QUOTES'");
  show('charset', $one->query('SELECT @@character_set_client AS c, @@character_set_results AS r')->fetch_assoc());
  $one->close();
}
$one = new mysqli('127.0.0.1', $user, $password, $database, $port);
show('change', $one->change_user($user, $password, $database));
show('multi', $one->multi_query("SELECT 1 AS a; SELECT 'b;c' AS b; UPDATE sink SET body = 'u' WHERE id < 0; SELECT 2 AS d"));
do {
  $result = $one->store_result();
  show('part', $result ? $result->fetch_all() : $one->affected_rows);
} while ($one->more_results() && $one->next_result());
$prepared = $one->prepare('SELECT ? AS a, ? AS b, ? AS c');
$prepared->bind_param('ids', $a, $b, $c);
[$a, $b, $c] = [5, 2.5, 'text'];
$prepared->execute();
show('bound', $prepared->get_result()->fetch_all(MYSQLI_ASSOC));
$long = $one->prepare('SELECT LENGTH(?) AS n');
$null = null;
$long->bind_param('b', $null);
foreach ([1, 2, 3] as $_) $long->send_long_data(0, str_repeat('y', 100000));
$long->execute();
show('long', $long->get_result()->fetch_all());
show('ping', @$one->query('DO 1'));
show('stat', strlen($one->stat()) > 20);
show('warnings', $one->query("SELECT CAST('x' AS SIGNED) AS n")->fetch_all());
show('count', $one->warning_count);
show('info', $one->query("UPDATE people SET nick = nick") && preg_match('/Rows matched/', (string) $one->info));
try {
  $one->change_user($user, 'wrong', $database);
} catch (mysqli_sql_exception $error) {
  show('refused', $error->getCode());
}
