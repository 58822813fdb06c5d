"""Alembic: revisions in one transaction with a backfill by SQLAlchemy, downgrade, autogenerate, and the ORM."""
import json
import os
import sys
import tempfile

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
import sqlalchemy as sa
from sqlalchemy.orm import Session, declarative_base, relationship, selectinload

URL = "postgresql+psycopg2://{PGUSER}:{PGPASSWORD}@{PGHOST}:{PGPORT}/{PGDATABASE}".format(**os.environ)
ENV = """
from alembic import context
import sqlalchemy as sa
engine = sa.create_engine(context.config.get_main_option("sqlalchemy.url").replace("%%", "%"))
with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=None, transaction_per_migration=False)
    with context.begin_transaction():
        context.run_migrations()
"""
FIRST = """
from alembic import op
import sqlalchemy as sa
revision, down_revision = "a1", None
def upgrade():
    op.create_table("teams", sa.Column("id", sa.Integer, primary_key=True), sa.Column("name", sa.String(40), nullable=False, unique=True))
    op.bulk_insert(sa.table("teams", sa.column("name", sa.String)), [{"name": "north"}, {"name": "south"}])
def downgrade():
    op.drop_table("teams")
"""
SECOND = """
from alembic import op
import sqlalchemy as sa
revision, down_revision = "a2", "a1"
def upgrade():
    op.add_column("people", sa.Column("team_id", sa.Integer, sa.ForeignKey("teams.id")))
    op.add_column("people", sa.Column("label", sa.Text))
    people = sa.table("people", *(sa.column(name) for name in ("id", "name", "email", "team_id", "label")))
    connection = op.get_bind()
    for row in connection.execute(sa.select(people.c.id, people.c.name).order_by(people.c.id)).fetchall():
        connection.execute(people.update().where(people.c.id == row.id).values(team_id=1 + row.id % 2, label=f"{row.id} {row.name}"))
    op.alter_column("people", "label", nullable=False)
    op.create_index("people_by_label", "people", ["label"])
def downgrade():
    op.drop_index("people_by_label")
    op.drop_column("people", "label")
    op.drop_column("people", "team_id")
"""


def say(what, value):
    print(json.dumps({"what": what, "value": value}, default=str), flush=True)


Base = declarative_base()


class Person(Base):
    __tablename__ = "people"
    id = sa.Column(sa.Integer, primary_key=True)
    name = sa.Column(sa.Text)
    email = sa.Column(sa.Text)
    label = sa.Column(sa.Text)
    orders = relationship("Order", back_populates="person", order_by="Order.id")


class Order(Base):
    __tablename__ = "orders"
    id = sa.Column(sa.Integer, primary_key=True)
    person_id = sa.Column(sa.ForeignKey("people.id"))
    total = sa.Column(sa.Numeric)
    note = sa.Column(sa.Text)
    person = relationship("Person", back_populates="orders")


with tempfile.TemporaryDirectory() as folder:
    os.makedirs(os.path.join(folder, "versions"))
    for name, text in (("env.py", ENV), ("versions/a1_teams.py", FIRST), ("versions/a2_people.py", SECOND)):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(text)
    config = Config()
    config.set_main_option("script_location", folder)
    config.set_main_option("sqlalchemy.url", URL.replace("%", "%%"))
    command.upgrade(config, "head")
    command.downgrade(config, "base")
    command.upgrade(config, "head")

engine = sa.create_engine(URL)
with engine.connect() as connection:
    context = MigrationContext.configure(connection)
    say("revision", context.get_current_revision())
    # Its own tables only: what else is there is not in the metadata, and would be listed for removal.
    say("differences", sorted(str(one[0]) for one in compare_metadata(context, Base.metadata)))
inspector = sa.inspect(engine)
say("tables", sorted(inspector.get_table_names()))
say("columns", [(one["name"], str(one["type"]), one["nullable"]) for one in inspector.get_columns("people")])
say("keys", inspector.get_foreign_keys("people"))
say("indexes", [one["name"] for one in inspector.get_indexes("people")])
with Session(engine) as session:
    ada = session.execute(sa.select(Person).options(selectinload(Person.orders)).where(Person.name == "Ada")).scalar_one()
    say("loaded", [ada.id, ada.email, [(one.id, one.total) for one in ada.orders]])
    order = Order(person=ada, total=7, note="by sqlalchemy")
    session.add(order)
    session.flush()
    say("flushed", [order.id, order.person_id])
    session.commit()
    say("sums", [list(row) for row in session.execute(sa.select(Person.name, sa.func.sum(Order.total)).join(Order).group_by(Person.name).order_by(Person.name))])
sys.exit(0)
