"""psycopg2: libpq, the simple protocol, parameters put into the text."""
import io
import threading

import psycopg2
import psycopg2.extras
from psycopg2 import extensions
from steps import refused, say, step, url

db = psycopg2.connect(url)
db.autocommit = True
cursor = db.cursor()


def rows(text, values=None):
    cursor.execute(text, values)
    return [[column.name, column.type_code] for column in cursor.description], cursor.fetchall()


@step("status")
def _():
    return [db.encoding, db.get_parameter_status("standard_conforming_strings"), db.get_transaction_status()]


@step("every type")
def _():
    return rows("SELECT * FROM kinds ORDER BY id")


@step("parameters")
def _():
    return rows(
        "SELECT %s, %s, %s, %s::numeric, %s::int[], %s::text",
        (7, "it's \\ \"so\" ☃", None, 1.5, [1, None, 3], psycopg2.Binary(b"\x00\xff'\\")),
    )


@step("people")
def _():
    return rows("SELECT id, name, email, ssn FROM people WHERE id = ANY(%s) ORDER BY id", ([7, 8],))


@step("search for a hidden value")
def _():
    return rows("SELECT count(*) FROM people WHERE email = %s", ("nobody@example.com",))


@step("a cursor of the server")
def _():
    db.autocommit = False
    with db.cursor("named", scrollable=True) as named:
        named.itersize = 7
        named.execute("SELECT id, name FROM people ORDER BY id")
        first = [named.fetchone(), named.fetchmany(3)]
        named.scroll(-2)
        out = first + [named.fetchmany(2), [row[0] for row in named]]
    db.commit()
    return out


@step("a cursor that is held")
def _():
    with db.cursor("held", withhold=True) as held:
        held.execute("SELECT id FROM people ORDER BY id")
        db.commit()
        out = held.fetchmany(3)
    db.commit()
    return out


@step("an error in a transaction, and back to a savepoint")
def _():
    seen = []
    cursor.execute("INSERT INTO notes (id, person, body) VALUES (1001, 1, 'from psycopg2') RETURNING id, feeling")
    seen.append(cursor.fetchall())
    cursor.execute("SAVEPOINT here")
    for text in ("SELECT 1 / 0", "SELECT 1", "INSERT INTO notes (id, person, body) VALUES (1001, 1, 'x')"):
        try:
            cursor.execute(text)
        except psycopg2.Error as error:
            seen.append([error.pgcode, error.diag.message_primary, error.diag.severity, db.get_transaction_status()])
    cursor.execute("ROLLBACK TO SAVEPOINT here; RELEASE SAVEPOINT here")
    cursor.execute("SELECT body FROM notes WHERE id = 1001")
    seen.append(cursor.fetchall())
    db.rollback()
    cursor.execute("SELECT count(*) FROM notes WHERE id = 1001")
    seen.append(cursor.fetchall())
    db.commit()
    return seen


for name, text in (
    ("a key twice", "INSERT INTO notes (id, person, body) VALUES (1, 1, 'x')"),
    ("a check", "INSERT INTO notes (person, body) VALUES (1, '')"),
    ("no such person", "INSERT INTO notes (person, body) VALUES (999, 'x')"),
    ("a syntax error", "SELEC 1"),
    ("no such column", "SELECT nope FROM people"),
    ("a wrong number", "SELECT 'x'::int"),
):

    @step(name)
    def _(text=text):
        try:
            cursor.execute(text)
            return cursor.fetchall()
        finally:
            db.rollback()


db.autocommit = True


@step("COPY to")
def _():
    out = []
    for text in (
        "COPY (SELECT id, name, email FROM people WHERE id < 4 ORDER BY id) TO STDOUT",
        "COPY (SELECT * FROM kinds WHERE id < 4 ORDER BY id) TO STDOUT WITH (FORMAT csv, HEADER)",
        "COPY kinds (id, words, raw) TO STDOUT WITH BINARY",
    ):
        into = io.BytesIO()
        cursor.copy_expert(text, into)
        out.append(into.getvalue())
    into = io.StringIO()
    cursor.copy_to(into, "notes", columns=("id", "body"))
    return out + [into.getvalue()]


@step("COPY from")
def _():
    cursor.copy_from(io.StringIO("2001\t1\tone\n2002\t2\ttwo \\\\ \\N\n"), "notes", columns=("id", "person", "body"))
    cursor.copy_expert("COPY notes (id, person, body) FROM STDIN WITH CSV", io.StringIO('2003,3,"a,b"\n'))
    counted = cursor.rowcount
    cursor.execute("SELECT id, person, body FROM notes WHERE id > 2000 ORDER BY id")
    found = cursor.fetchall()
    cursor.execute("DELETE FROM notes WHERE id > 2000")
    return [counted, found, cursor.rowcount]


@step("a COPY from that fails")
def _():
    cursor.copy_from(io.StringIO("2001\tnot a number\tone\n"), "notes", columns=("id", "person", "body"))


@step("many at once")
def _():
    psycopg2.extras.execute_values(
        cursor, "INSERT INTO notes (id, person, body) VALUES %s", [(3000 + i, i, f"b {i}") for i in range(1, 40)], page_size=10
    )
    psycopg2.extras.execute_batch(
        cursor, "UPDATE notes SET feeling = %s WHERE id = %s", [("busy", 3000 + i) for i in range(1, 40)], page_size=7
    )
    cursor.execute("DELETE FROM notes WHERE id > 3000 AND feeling = 'busy'")
    return cursor.rowcount


@step("notices")
def _():
    db.notices.clear()
    cursor.execute("BEGIN; BEGIN; COMMIT; COMMIT")
    return db.notices


@step("json, uuid, ranges, hstore's look-up")
def _():
    psycopg2.extras.register_uuid(conn_or_curs=db)
    kind = psycopg2.extras.register_composite("point3", db)
    psycopg2.extras.register_range("int4range", "MyRange", db)
    psycopg2.extras.register_ipaddress(db)
    cursor.execute("SELECT key, doc, docb, spans, during, corner, net FROM kinds ORDER BY id")
    return [kind.name, cursor.fetchall()]


@step("hstore's types, which are not there")
def _():
    psycopg2.extras.register_hstore(db)


@step("cancel")
def _():
    threading.Timer(0.5, db.cancel).start()
    cursor.execute("SELECT count(*) FROM generate_series(1, 100000000000)")


@step("reset")
def _():
    cursor.execute("SET DateStyle TO 'ISO, DMY'")
    db.reset()
    other = db.cursor()
    other.execute("SHOW DateStyle")
    db.rollback()
    return other.fetchall()


@step("isolation")
def _():
    db.set_session(isolation_level="SERIALIZABLE", readonly=True, deferrable=True)
    other = db.cursor()
    other.execute("SHOW transaction_isolation")
    out = other.fetchall()
    other.execute("SHOW transaction_read_only")
    out += other.fetchall()
    db.rollback()
    db.set_session(isolation_level="DEFAULT", readonly="DEFAULT", deferrable="DEFAULT", autocommit=True)
    return out


@step("asynchronous")
def _():
    other = psycopg2.connect(url, async_=True)
    psycopg2.extras.wait_select(other)
    one = other.cursor()
    one.execute("SELECT %s || 'b'", ("a",))
    psycopg2.extras.wait_select(other)
    return one.fetchall()


for text in refused:
    try:
        cursor.execute(text)
        say("refused: " + text, ok=cursor.rowcount)
    except psycopg2.Error as error:
        say("refused: " + text, error=[error.pgcode, error.diag.message_hint])
db.close()
