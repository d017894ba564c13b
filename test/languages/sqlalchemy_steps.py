"""SQLAlchemy on psycopg2: what it asks of a database at connect, its inspector, and its object mapper."""
import warnings

import sqlalchemy as sa
from sqlalchemy.orm import declarative_base, relationship, sessionmaker
from steps import refused, say, sqlstate, step, url

warnings.simplefilter("ignore")
engine = sa.create_engine(url.replace("postgres://", "postgresql://", 1), pool_size=2)
Base = declarative_base()


class Person(Base):
    __tablename__ = "people"
    id = sa.Column(sa.Integer, primary_key=True)
    name = sa.Column(sa.Text)
    email = sa.Column(sa.Text)
    notes = relationship("Note", back_populates="of", order_by="Note.id")


class Note(Base):
    __tablename__ = "notes"
    id = sa.Column(sa.Integer, primary_key=True)
    person = sa.Column(sa.ForeignKey("people.id"))
    body = sa.Column(sa.Text)
    of = relationship(Person, back_populates="notes")


Session = sessionmaker(engine)


@step("version and schema")
def _():
    with engine.connect() as db:
        return [list(engine.dialect.server_version_info), engine.dialect.default_schema_name, db.default_isolation_level]


@step("inspect")
def _():
    inspector = sa.inspect(engine)
    out = {"schemas": inspector.get_schema_names(), "tables": inspector.get_table_names(), "views": inspector.get_view_names()}
    for table in ("people", "notes", "kinds", "busy"):
        out[table] = [
            [[one["name"], str(one["type"]), one["nullable"], one["default"], one["comment"]] for one in inspector.get_columns(table)],
            inspector.get_pk_constraint(table),
            inspector.get_foreign_keys(table),
            inspector.get_indexes(table),
            inspector.get_unique_constraints(table),
            inspector.get_check_constraints(table),
        ]
    out["comment"] = inspector.get_table_comment("people")
    out["enums"] = inspector.get_enums()
    out["has"] = [inspector.has_table("people"), inspector.has_table("nothing"), inspector.has_sequence("notes_id_seq")]
    return out


@step("the definition of a view")
def _():
    return sa.inspect(engine).get_view_definition("busy")


@step("reflect")
def _():
    meta = sa.MetaData()
    meta.reflect(engine, views=True)
    return sorted([name, [column.name for column in table.columns]] for name, table in meta.tables.items())


@step("the mapper")
def _():
    with Session() as session:
        found = session.query(Person).filter(Person.id.in_([7, 8])).order_by(Person.id).all()
        joined = session.query(Person.name, Note.body).join(Note).filter(Person.id < 3).order_by(Person.id, Note.id).all()
        counted = session.query(sa.func.count(Person.id)).filter(Person.email.like("%example.com")).scalar()
        return [[[one.id, one.email, [note.body for note in one.notes]] for one in found], joined, counted]


@step("add, change, roll back")
def _():
    with Session() as session:
        note = Note(id=8001, person=1, body="added")
        session.add(note)
        session.flush()
        nested = session.begin_nested()
        note.body = "changed"
        session.flush()
        nested.rollback()
        session.refresh(note)
        seen = note.body
        session.delete(note)
        session.flush()
        session.rollback()
        return [seen, session.query(Note).filter_by(id=8001).count()]


@step("a key of the database's own")
def _():
    with Session() as session:
        note = Note(person=1, body="with a key")
        session.add(note)
        session.flush()
        made = isinstance(note.id, int)
        session.rollback()
        return made


@step("streamed")
def _():
    with engine.connect().execution_options(stream_results=True, max_row_buffer=5) as db:
        return [one.id for one in db.execute(sa.text("SELECT id FROM people ORDER BY id"))]


@step("a key twice")
def _():
    with Session() as session:
        try:
            session.add(Note(id=1, person=1, body="x"))
            session.flush()
        except sa.exc.IntegrityError as error:
            session.rollback()
            return [sqlstate(error), session.query(Note).filter_by(id=1).one().body]


@step("every isolation level")
def _():
    seen = []
    for level in ("SERIALIZABLE", "REPEATABLE READ", "READ COMMITTED", "AUTOCOMMIT"):
        with engine.connect().execution_options(isolation_level=level) as db:
            seen.append([level, db.get_isolation_level(), db.execute(sa.text("SHOW transaction_isolation")).scalar()])
    return seen


for text in refused:
    try:
        with engine.begin() as db:
            say("refused: " + text, ok=db.execute(sa.text(text)).rowcount)
    except sa.exc.DBAPIError as error:
        say("refused: " + text, error=[sqlstate(error), error.orig.diag.message_hint])
engine.dispose()
