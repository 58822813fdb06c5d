# mysqlclient (MySQLdb): texts with values written into them, cursors that keep rows and that do not, and several results.
import os
import MySQLdb
import MySQLdb.cursors

where = dict(
    host='127.0.0.1', port=int(os.environ['CLIENT_PORT']), user=os.environ['CLIENT_USER'],
    password=os.environ['CLIENT_PASSWORD'], database=os.environ['CLIENT_DATABASE'], charset='utf8mb4',
)


def show(*values):
    print(' | '.join(repr(value) for value in values))


for kind in (MySQLdb.cursors.Cursor, MySQLdb.cursors.SSDictCursor):
    db = MySQLdb.connect(cursorclass=kind, **where)
    cursor = db.cursor()
    cursor.execute('DELETE FROM sink')
    db.commit()
    cursor.execute('SELECT id, nick, mail FROM people ORDER BY id')
    for row in cursor.fetchall():
        show(row)
    cursor.execute('SELECT * FROM kinds')
    for row in cursor.fetchall():
        show(row)
    show([column[:2] for column in cursor.description])
    cursor.execute('SELECT a, d, f, g, h FROM kinds WHERE a = %s', (-1,))
    show(cursor.fetchone(), cursor.fetchone())
    show('inserted', cursor.executemany('INSERT INTO sink (body) VALUES (%s)', [('a',), ("it's \\",), (None,), ('x' * 70000,)]))
    cursor.execute('SELECT LENGTH(body) AS size FROM sink ORDER BY id')
    show('lengths', cursor.fetchall())
    db.rollback()
    cursor.execute('SELECT COUNT(*) AS n FROM sink')
    show(cursor.fetchall())
    try:
        cursor.execute('SELECT * FROM nowhere')
    except MySQLdb.Error as error:
        show('error', type(error).__name__, error.args[0])
    cursor.execute('CALL many()')
    show(cursor.fetchall())
    while cursor.nextset():
        if cursor.description:
            show(cursor.fetchall())
    cursor.execute("SELECT 'böse' AS t, _latin1 x'e4' AS l")
    show(cursor.fetchall())
    db.ping()
    show('server', db.get_server_info() != '', db.character_set_name())
    cursor.close()
    db.close()

# A character set of one byte for each character.
db = MySQLdb.connect(**dict(where, charset='latin1'))
cursor = db.cursor()
cursor.execute("SELECT nick, 'größer' AS wort FROM people ORDER BY id")
show(cursor.fetchall())
db.close()
