# sysbench: reads, writes and transactions, prepared at the server and not. Its figures differ from run to run, so it says less.
# Two threads fill two tables, and their lines may end up as one: words are counted, not lines.
set -e
for prepared in auto disable; do
  at="--db-driver=mysql --mysql-host=127.0.0.1 --mysql-port=$CLIENT_PORT --mysql-user=$CLIENT_USER --mysql-password=$CLIENT_PASSWORD
    --mysql-db=$CLIENT_DATABASE --mysql-ssl=off --table-size=500 --tables=2 --threads=4 --db-ps-mode=$prepared --rand-type=uniform"
  sysbench $at oltp_read_write cleanup >/dev/null
  sysbench $at oltp_read_write prepare | grep -o Inserting | wc -l
  sysbench $at oltp_read_write run --events=200 --time=0 | grep -E '^ +(total:|ignored errors: +0|reconnects: +0)|transactions:' | sed 's/(.*//; s/  */ /g; /total/d'
  sysbench $at oltp_point_select run --events=2000 --time=0 | grep -E 'read:|other:' | sed 's/  */ /g'
  sysbench $at oltp_read_write cleanup >/dev/null
  echo "done $prepared"
done
