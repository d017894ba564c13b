"""psycopg 3: libpq, the extended protocol, binary values, pipelines."""
import threading

import psycopg
from psycopg.types.composite import CompositeInfo, register_composite
from psycopg.types.enum import EnumInfo, register_enum
from psycopg.types.range import RangeInfo, register_range
from psycopg.types.json import Jsonb
from steps import refused, say, step, url

db = psycopg.connect(url, autocommit=True)


def rows(text, values=None, **how):
    cursor = db.execute(text, values, **how)
    return [[column.name, column.type_code, column.precision, column.scale] for column in cursor.description], cursor.fetchall()


@step("status")
def _():
    info = db.info
    return [info.encoding, info.transaction_status.name, info.server_version, info.parameter_status("integer_datetimes"), info.timezone]


KINDS = "SELECT * FROM kinds WHERE id <> 3 ORDER BY id"


@step("every type as text")
def _():
    return rows(KINDS)


@step("every type in binary")
def _():
    return rows(KINDS, binary=True)


@step("parameters")
def _():
    return rows(
        "SELECT %s, %s::text, %s::int, %s, %s, %b, %t, %s::jsonb",
        (7, "it's \\ ☃", None, [1, None, 3], b"\x00\xff'\\", 40000000000, 1.5, Jsonb({"a": [1, "ü"]})),
    )


@step("people, prepared after some runs")
def _():
    return [rows("SELECT id, name, email, ssn FROM people WHERE id = %s", (i % 50 + 1,))[1] for i in range(12)]


@step("prepared at once, and thrown away")
def _():
    seen = [rows("SELECT name FROM people WHERE id = %s AND name <> %s", (3, "x"), prepare=True)[1] for _ in range(3)]
    db.prepared_max = 2
    for i in range(6):
        rows(f"SELECT {i}, id FROM people WHERE id = %s", (i,), prepare=True)
        rows("SELECT name FROM people WHERE id = %s", (4,), prepare=True)
    seen.append(rows("SELECT 5, id FROM people WHERE id = %s", (5,), prepare=True))
    db.prepared_max = 100
    return seen


@step("several statements in one")
def _():
    cursor = db.execute("SELECT 1 AS a; SELECT 2 AS b, 3 AS c; SET DateStyle TO 'ISO, MDY'")
    seen = [cursor.fetchall()]
    while cursor.nextset():
        seen.append(cursor.fetchall() if cursor.description else cursor.statusmessage)
    return seen


@step("a cursor of the server")
def _():
    with db.transaction():
        with db.cursor("named", scrollable=True) as named:
            named.execute("SELECT id, email FROM people WHERE id > %s ORDER BY id", (4,), binary=True)
            out = [named.fetchone(), named.fetchmany(3), [column.name for column in named.description]]
            named.scroll(-2)
            return out + [named.fetchmany(2), len(named.fetchall())]


@step("rows one by one")
def _():
    return [row for row in db.cursor().stream("SELECT id, name FROM people WHERE id < %s ORDER BY id", (6,))]


@step("nested transactions")
def _():
    seen = []
    try:
        with db.transaction():
            db.execute("INSERT INTO notes (id, person, body) VALUES (1001, 1, 'outer')")
            try:
                with db.transaction("inner"):
                    db.execute("INSERT INTO notes (id, person, body) VALUES (1002, 1, 'inner')")
                    db.execute("SELECT 1 / %s", (0,))
            except psycopg.Error as error:
                seen.append([error.sqlstate, error.diag.message_primary, db.info.transaction_status.name])
            seen.append(db.execute("SELECT id FROM notes WHERE id > 1000").fetchall())
            raise psycopg.Rollback
    finally:
        seen.append(db.execute("SELECT id FROM notes WHERE id > 1000").fetchall())
    return seen


@step("a key twice")
def _():
    db.execute("INSERT INTO notes (id, person, body) VALUES (%s, 1, 'x')", (1,))


@step("COPY to, row by row")
def _():
    with db.cursor().copy("COPY (SELECT id, name, joined FROM people WHERE id < 5 ORDER BY id) TO STDOUT (FORMAT binary)") as copy:
        copy.set_types(["int4", "text", "date"])
        out = list(copy.rows())
    with db.cursor().copy("COPY (SELECT email FROM people WHERE id = %s) TO STDOUT", (7,)) as copy:
        return out + [bytes(one) for one in copy]


@step("COPY from, row by row")
def _():
    with db.cursor() as cursor:
        with cursor.copy("COPY notes (id, person, body) FROM STDIN") as copy:
            for i in range(300):
                copy.write_row((4000 + i, i % 50 + 1, f"line\t{i}\n\\ ☃"))
        with cursor.copy("COPY notes (id, person, body) FROM STDIN (FORMAT binary)") as copy:
            copy.set_types(["int4", "int4", "text"])
            copy.write_row((4400, 2, "binary"))
    found = db.execute("SELECT count(*), max(body) FROM notes WHERE id >= 4000").fetchall()
    return [found, db.execute("DELETE FROM notes WHERE id >= 4000").rowcount]


@step("COPY from that the program gives up")
def _():
    with db.cursor().copy("COPY notes (id, person, body) FROM STDIN") as copy:
        copy.write_row((4000, 1, "x"))
        raise psycopg.OperationalError("given up")


@step("many at once")
def _():
    with db.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO notes (id, person, body) VALUES (%s, %s, %s) RETURNING id", [(5000 + i, i, "m") for i in range(1, 20)], returning=True
        )
        seen = [cursor.fetchone()[0]]
        while cursor.nextset():
            seen.append(cursor.fetchone()[0])
        cursor.executemany("DELETE FROM notes WHERE id = %s", [(5000 + i,) for i in range(1, 20)])
        return [seen, cursor.rowcount]


@step("a pipeline")
def _():
    seen = []
    with db.pipeline() as pipeline:
        first = db.execute("SELECT id, email FROM people WHERE id = %s", (7,))
        second = db.execute("SELECT 1 / %s", (2,))
        pipeline.sync()
        seen += [first.fetchall(), second.fetchall()]
    return seen


@step("a pipeline with an error in the middle")
def _():
    seen = []
    try:
        with db.pipeline():
            db.execute("INSERT INTO notes (id, person, body) VALUES (1003, 1, 'in a pipeline')")
            db.execute("SELECT nope FROM people")
            db.execute("SELECT 2")
    except psycopg.Error as error:
        seen.append([type(error).__name__, error.sqlstate])
    return seen + db.execute("SELECT count(*) FROM notes WHERE id = 1003").fetchall()


@step("types of the database")
def _():
    mood = EnumInfo.fetch(db, "mood")
    point3 = CompositeInfo.fetch(db, "point3")
    span = RangeInfo.fetch(db, "int4range")
    missing = psycopg.types.TypeInfo.fetch(db, "nothere")
    register_enum(mood, db)
    register_composite(point3, db)
    register_range(span, db)
    found = db.execute("SELECT feeling, corner, spans FROM kinds ORDER BY id").fetchall()
    return [list(mood.labels), point3.field_names, span.name, missing, found]


@step("notices")
def _():
    seen = []
    db.add_notice_handler(lambda notice: seen.append([notice.severity, notice.sqlstate, notice.message_primary]))
    db.execute("BEGIN; BEGIN; COMMIT; COMMIT")
    return seen


@step("cancel")
def _():
    threading.Timer(0.5, db.cancel).start()
    db.execute("SELECT count(*) FROM generate_series(1, 100000000000)")


@step("a client's cursor, parameters put into the text")
def _():
    with psycopg.ClientCursor(db) as cursor:
        cursor.execute("SELECT %s, %s, %s::bytea, %s::date", (None, "o'n \\e", b"\x00'", "2026-11-24"))
        return cursor.fetchall()


@step("isolation")
def _():
    db.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    db.read_only = True
    db.autocommit = False
    out = db.execute("SHOW transaction_isolation").fetchall() + db.execute("SHOW transaction_read_only").fetchall()
    db.rollback()
    db.autocommit = True
    db.isolation_level = db.read_only = None
    return out


@step("a cursor that outlives its transaction, described")
def _():
    with db.cursor("kept", withhold=True) as kept:
        kept.execute("SELECT id, name FROM people ORDER BY id")
        out = [kept.fetchmany(2), [column.name for column in kept.description]]
    found = db.execute("SELECT 1").fetchall()
    return out + found


@step("a cursor that is not there, described")
def _():
    result = db.pgconn.describe_portal(b"nothing")
    return [result.status, result.error_field(psycopg.pq.DiagnosticField.SQLSTATE)]


for text in refused:
    try:
        say("refused: " + text, ok=db.execute(text).rowcount)
    except psycopg.Error as error:
        say("refused: " + text, error=[error.sqlstate, error.diag.message_hint])
db.close()
