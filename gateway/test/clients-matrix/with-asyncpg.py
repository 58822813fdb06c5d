import asyncio
import hashlib
import io
import json
import os

import asyncpg

WAYS = json.loads(os.environ["MATRIX_WAYS"])
TABLE = os.environ["MATRIX_TABLE"]
ROWS = int(os.environ["MATRIX_ROWS"])
DEPTHS = json.loads(os.environ["MATRIX_DEPTHS"])


def digest(value):
    return hashlib.md5(repr(value).encode()).hexdigest()


async def count(db):
    return [tuple(row) for row in await db.fetch(f"select count(*), sum(length(body)) from {TABLE}")]


async def rows(db):
    return digest([tuple(row) for row in await db.fetch("select * from source where id > $1 order by id", 0)])


async def cursor(db):
    async with db.transaction():
        return digest([tuple(row) async for row in db.cursor("select * from source order by id", prefetch=400)])


async def copy_out(db):
    out = io.BytesIO()
    await db.copy_from_query("select * from source order by id", output=out)
    return digest(out.getvalue())


async def copy_out_binary(db):
    out = io.BytesIO()
    await db.copy_from_query("select id, body from source order by id", output=out, format="binary")
    return digest(out.getvalue())


async def copy_in(db):
    await db.copy_records_to_table(TABLE, records=[(id, f"line {id}") for id in range(ROWS)])
    return await count(db)


async def large_parameter(db):
    found = await db.fetch("select md5($1::text), length($2::bytea)", "ä" * 1_500_000, bytes(3_000_000))
    return [tuple(row) for row in found]


async def temporary(db):
    async with db.transaction():
        await db.execute("create temp table em (a int, b text) on commit drop")
        await db.executemany("insert into em values ($1, $2)", [(n, f"b{n}") for n in range(500)])
        return [tuple(row) for row in await db.fetch("select count(*), sum(a) from em")]


async def people(db):
    return [tuple(row) for row in await db.fetch("select * from people order by id")]


async def hidden(db):
    found = [await db.fetch(f"select id, unread(id) as n{n} from people order by id") for n in range(2)]
    async with db.transaction():
        found.append([row async for row in db.cursor("select unread(id) as n from people", prefetch=1)])
    out = io.BytesIO()
    await db.copy_from_query("select id, unread(id) from people order by id", output=out)
    return [[[list(row) for row in rows] for rows in found], out.getvalue().decode()]


def insert(depth):
    async def run(db):
        total = 20 if depth == 1 else 250
        for done in range(0, total, depth):
            values = [(done + n, "y" * (1000 + n)) for n in range(depth)]
            await db.executemany(f"insert into {TABLE} values ($1, $2)", values)
        return await count(db)

    return run


CELLS = {
    "rows": rows,
    "cursor": cursor,
    "copy out": copy_out,
    "copy out in binary": copy_out_binary,
    "copy in": copy_in,
    "large parameter": large_parameter,
    "executemany": temporary,
    "people": people,
    "hidden columns": hidden,
    **{f"insert {depth}": insert(depth) for depth in DEPTHS},
}


async def main():
    for way in WAYS:
        db = await asyncpg.connect(
            host="127.0.0.1",
            port=way["port"],
            user=way["user"],
            password=way["password"],
            database=way["database"],
            ssl=False,
        )
        for cell, run in CELLS.items():
            await db.execute(f"delete from {TABLE}")
            try:
                value = await run(db)
            except asyncpg.PostgresError as error:
                value = f"error: {error}"
            print(json.dumps({"way": way["name"], "cell": cell, "value": value}, default=str), flush=True)
        await db.close()


asyncio.run(main())
