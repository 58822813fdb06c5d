import os

from sqlalchemy import Column, Integer, Text, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, declarative_base

Base = declarative_base()


class Row(Base):
    __tablename__ = "t"
    id = Column(Integer, primary_key=True)
    name = Column(Text)


id = int(os.environ["ROW"])
with Session(create_engine("postgresql+psycopg2://")) as session:
    try:
        session.get(Row, id).name = "by a unit of work" if session.get(Row, id).name == f"name {id}" else "and again"
        session.commit()
        print("committed", session.get(Row, id).name)
    except DBAPIError as error:
        print("refused:", error)
