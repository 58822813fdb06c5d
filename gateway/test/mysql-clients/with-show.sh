# mysqlshow of MariaDB. With --count it asks for the columns of each table by COM_FIELD_LIST, and counts its rows.
at="-h 127.0.0.1 -P $CLIENT_PORT -u $CLIENT_USER -p$CLIENT_PASSWORD --skip-ssl"
mariadb-show $at --count "$CLIENT_DATABASE" people
for table in people kinds; do mariadb-show $at -v "$CLIENT_DATABASE" | grep "| $table "; done
mariadb-show $at -k "$CLIENT_DATABASE" people
mariadb-show $at "$CLIENT_DATABASE" kinds '_'
