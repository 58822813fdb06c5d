import os

from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Column, Integer, create_engine
from sqlalchemy.exc import DBAPIError

engine = create_engine("postgresql+psycopg2://")
with engine.connect() as connection:
    try:
        migration = MigrationContext.configure(connection)
        with migration.begin_transaction():
            operations = Operations(migration)
            operations.create_table("migrated", Column("id", Integer, primary_key=True))
            operations.add_column("t", Column("added", Integer))
            operations.drop_column("t", "added")
            operations.drop_table("migrated")
        print("committed")
    except DBAPIError as error:
        print("refused:", error)
