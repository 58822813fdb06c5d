# The gem mysql2, over libmariadb.
require 'mysql2'
require 'bigdecimal'

at = { host: '127.0.0.1', port: ENV['CLIENT_PORT'].to_i, username: ENV['CLIENT_USER'], password: ENV['CLIENT_PASSWORD'],
       database: ENV['CLIENT_DATABASE'] }
def show(*values) = puts(values.map(&:inspect).join(' '))
client = Mysql2::Client.new(**at, flags: Mysql2::Client::MULTI_STATEMENTS, encoding: 'utf8mb4')
client.query('DELETE FROM sink')
show client.query('SELECT id, nick, mail FROM people ORDER BY id').to_a
show client.query('SELECT * FROM kinds').to_a
show client.query('SELECT * FROM kinds', stream: true, cache_rows: false).map { |row| row['a'] }
client.query("INSERT INTO sink (body) VALUES ('a'), ('b')")
show client.affected_rows
prepared = client.prepare('SELECT ? AS a, ? AS b, ? AS c, ? AS d')
show prepared.execute(1, "it's", nil, BigDecimal('1.50')).to_a
show prepared.execute(2, 'x', 1.5, Time.utc(2024, 2, 29, 1, 2, 3)).to_a
show client.prepare('SELECT a, b, c, d, e, f, g, h, j, k, l, n, o, p, q, r, s, t FROM kinds WHERE a = ?').execute(-1).to_a
show client.prepare('INSERT INTO sink (body) VALUES (?)').execute('z' * 70_000).to_a
show client.query('SELECT LENGTH(body) AS n FROM sink ORDER BY id').to_a
result = client.query("SELECT 1 AS a; SELECT 'b;c' AS b; UPDATE sink SET body = 'u' WHERE id < 0; SELECT 2 AS d")
show result.to_a
while client.next_result
  part = client.store_result
  show part && part.to_a
end
client.query('BEGIN')
client.query('DELETE FROM sink')
client.query('ROLLBACK')
show client.query('SELECT COUNT(*) AS n FROM sink').to_a
begin
  client.query('SELECT * FROM nowhere')
rescue Mysql2::Error => e
  show e.error_number, e.sql_state
end
client.query("SELECT CAST('x' AS SIGNED) AS n")
show client.warning_count
show client.query('SHOW WARNINGS').to_a
client.select_db(ENV['CLIENT_DATABASE'])
show client.ping, client.escape("it's")
show client.query('CALL many()').to_a
show client.store_result&.to_a while client.next_result
