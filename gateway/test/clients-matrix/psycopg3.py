import hashlib
import json
import os

import psycopg

WAYS = json.loads(os.environ["MATRIX_WAYS"])
TABLE = os.environ["MATRIX_TABLE"]
ROWS = int(os.environ["MATRIX_ROWS"])
DEPTHS = json.loads(os.environ["MATRIX_DEPTHS"])


def digest(value):
    return hashlib.md5(repr(value).encode()).hexdigest()


def count(db):
    return db.execute(f"select count(*), sum(length(body)) from {TABLE}").fetchall()


def rows(db):
    return digest(db.execute("select * from source where id > %s order by id", [0]).fetchall())


def rows_binary(db):
    return digest(db.cursor(binary=True).execute("select * from source order by id").fetchall())


def server_cursor(db):
    with db.transaction(), db.cursor(name="over source") as cursor:
        cursor.execute("select * from source where id > %s order by id", [0])
        return [digest(cursor.fetchmany(400)), digest(cursor.fetchall()), [c.name for c in cursor.description]]


def scrolling_cursor(db):
    with db.transaction(), db.cursor(name="people over", scrollable=True) as cursor:
        cursor.execute("select * from people order by id")
        first = cursor.fetchone()
        cursor.scroll(0, mode="absolute")
        return [first, cursor.fetchall()]


def copy_out(db):
    with db.cursor().copy("copy (select * from source order by id) to stdout") as copy:
        return digest(b"".join(bytes(part) for part in copy))


def copy_rows_out(db):
    with db.cursor().copy("copy (select id, body from source order by id) to stdout (format binary)") as copy:
        copy.set_types(["int4", "text"])
        return digest(list(copy.rows()))


def copy_in(db):
    with db.cursor().copy(f"copy {TABLE} from stdin") as copy:
        for id in range(ROWS):
            copy.write_row((id, f"line {id}"))
    return count(db)


def copy_in_binary(db):
    with db.cursor().copy(f"copy {TABLE} from stdin (format binary)") as copy:
        copy.set_types(["int4", "text"])
        for id in range(ROWS):
            copy.write_row((id, f"line {id}"))
    return count(db)


def large_parameter(db):
    text, data = "ä" * 1_500_000, bytes(3_000_000)
    return db.execute("select md5(%s::text), length(%b::bytea)", [text, data]).fetchall()


def executemany_temporary(db):
    with db.transaction():
        db.execute("create temp table em (a int, b text) on commit drop")
        db.cursor().executemany("insert into em values (%s, %s)", [(n, f"b{n}") for n in range(500)])
        return db.execute("select count(*), sum(a) from em").fetchall()


def pipeline_of_names(db):
    with db.pipeline():
        db.execute("prepare a as select 1")
        one = db.execute("execute a")
        db.execute("prepare b as select 2")
        two = db.execute("execute b")
        db.execute("deallocate a")
        db.execute("deallocate b")
        return [one.fetchall(), two.fetchall()]


def people(db):
    return db.execute("select * from people order by id").fetchall()


def hidden(db):
    with db.pipeline():
        piped = [db.execute(f"select unread(id) as n{n} from people order by id") for n in range(3)]
        piped += [db.execute("select unread(%s) as n", [n]) for n in range(3)]
    with db.cursor().copy("copy (select id, unread(id) from people order by id) to stdout") as copy:
        copied = b"".join(bytes(part) for part in copy).decode()
    return [[one.fetchall() for one in piped], copied]


def insert(depth):
    def run(db):
        done = 0
        while done < (20 if depth == 1 else 250):
            with db.pipeline():
                for n in range(depth):
                    db.execute(f"insert into {TABLE} values (%s, %s)", [done + n, "y" * (1000 + n)])
            done += depth
        return count(db)

    return run


CELLS = {
    "rows": rows,
    "rows in binary": rows_binary,
    "server cursor": server_cursor,
    "copy out": copy_out,
    "copy out in binary": copy_rows_out,
    "copy in": copy_in,
    "copy in in binary": copy_in_binary,
    "large parameter": large_parameter,
    "executemany": executemany_temporary,
    "pipeline of names": pipeline_of_names,
    "people": people,
    "hidden columns": hidden,
    "people by cursor": scrolling_cursor,
    **{f"insert {depth}": insert(depth) for depth in DEPTHS},
}

for way in WAYS:
    with psycopg.connect(
        host="127.0.0.1",
        port=way["port"],
        user=way["user"],
        password=way["password"],
        dbname=way["database"],
        sslmode="disable",
        autocommit=True,
    ) as db:
        for cell, run in CELLS.items():
            db.execute(f"delete from {TABLE}")
            try:
                value = run(db)
            except psycopg.Error as error:
                value = f"error: {error}"
            print(json.dumps({"way": way["name"], "cell": cell, "value": value}, default=str), flush=True)
