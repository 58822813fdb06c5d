import os

import psycopg

row = int(os.environ["ROW"])
with psycopg.connect() as db:
    try:
        with db.transaction():
            db.execute("update t set name = %s where id = %s", ("psycopg", row))
            with db.transaction():
                db.execute("update t set name = %s where id = %s", ("psycopg again", row))
        print("committed")
    except psycopg.Error as error:
        print("refused:", error)
