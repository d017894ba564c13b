"""psqlodbc by pyodbc: the driver of ODBC, with cursors of its own and by DECLARE, and its catalog functions."""
import datetime
import glob
import sys
from urllib.parse import unquote, urlsplit

import pyodbc
from steps import refused, say, step, url

pyodbc.pooling = False
at = urlsplit(url)
driver = (glob.glob("/usr/lib/*/odbc/psqlodbcw.so") or ["PostgreSQL Unicode"])[0]
parts = {
    "DRIVER": driver,
    "SERVER": at.hostname,
    "PORT": at.port,
    "UID": unquote(at.username),
    "PWD": unquote(at.password or ""),
    "DATABASE": at.path.lstrip("/"),
}


def connect(more=""):
    return pyodbc.connect(";".join(f"{key}={value}" for key, value in parts.items() if value != "") + ";" + more, autocommit=True)


db = connect()
cursor = db.cursor()


def rows(text, *values, on=cursor):
    on.execute(text, *values)
    return [[column[0], column[1].__name__, column[3], column[6]] for column in on.description], [tuple(one) for one in on.fetchall()]


@step("status")
def _():
    return [db.getinfo(pyodbc.SQL_DBMS_NAME), db.getinfo(pyodbc.SQL_IDENTIFIER_QUOTE_CHAR), db.getinfo(pyodbc.SQL_MAX_IDENTIFIER_LEN)]


@step("every type")
def _():
    return rows("SELECT * FROM kinds WHERE id < 3 ORDER BY id")


@step("parameters")
def _():
    return rows("SELECT ?::int, ?::text, ?::text, ?::date, ?::float8, ?::bytea", 7, "it's \\ ☃", None, datetime.date(2026, 11, 24), 1.5, b"\x00\xff'")


@step("people")
def _():
    return [rows("SELECT id, name, email, ssn FROM people WHERE id = ?", i)[1] for i in (7, 8, 9)]


@step("with cursors of the server")
def _():
    other = connect("UseDeclareFetch=1;Fetch=7")
    found = rows("SELECT id, email FROM people WHERE id > ? ORDER BY id", 3, on=other.cursor())
    other.close()
    return found


@step("prepared by the driver, and by the server")
def _():
    seen = []
    for more in ("UseServerSidePrepare=0", "UseServerSidePrepare=1", "ByteaAsLongVarBinary=1;BoolsAsChar=0"):
        other = connect(more)
        seen.append(rows("SELECT yes, raw, name FROM kinds, people WHERE people.id = ? AND kinds.id = 1", 4, on=other.cursor()))
        other.close()
    return seen


@step("tables")
def _():
    return [[one.table_schem, one.table_name, one.table_type] for one in cursor.tables(schema="public")]


@step("columns")
def _():
    return [[one.column_name, one.type_name, one.column_size, one.nullable, one.column_def] for one in cursor.columns(table="notes")]


@step("keys")
def _():
    out = [[one.column_name, one.key_seq, one.pk_name] for one in cursor.primaryKeys("notes")]
    out += [[one.pktable_name, one.fktable_name, one.fkcolumn_name, one.fk_name] for one in cursor.foreignKeys(foreignTable="notes")]
    return out + [[one.pktable_name, one.fktable_name, one.fk_name] for one in cursor.foreignKeys(table="people")]


@step("indexes")
def _():
    return [[one[5], one[8], one[3]] for one in cursor.statistics("notes")]


@step("what tells rows apart")
def _():
    return [[one.column_name] for one in cursor.rowIdColumns("people")] + [[one.column_name] for one in cursor.rowVerColumns("people")]


@step("types")
def _():
    return [one.type_name for one in cursor.getTypeInfo()]


@step("functions")
def _():
    return [one.procedure_name for one in cursor.procedures(schema="public")]


@step("a transaction")
def _():
    db.autocommit = False
    seen = []
    cursor.execute("INSERT INTO notes (id, person, body) VALUES (?, ?, ?)", 1001, 1, "odbc")
    seen.append(cursor.rowcount)
    try:
        cursor.execute("SELECT 1 / ?", 0)
        cursor.fetchall()
    except pyodbc.Error as error:
        seen.append(error.args[0])
    db.rollback()
    seen.append(rows("SELECT count(*) FROM notes WHERE id = 1001")[1])
    db.commit()
    db.autocommit = True
    return seen


@step("many at once")
def _():
    cursor.fast_executemany = True
    cursor.executemany("INSERT INTO notes (id, person, body) VALUES (?, ?, ?)", [(5000 + i, i, f"o {i}") for i in range(1, 20)])
    cursor.execute("DELETE FROM notes WHERE id > 5000")
    return cursor.rowcount


@step("several results")
def _():
    cursor.execute("SELECT 1; SELECT 2, 3")
    seen = [[tuple(one) for one in cursor.fetchall()]]
    while cursor.nextset():
        seen.append([tuple(one) for one in cursor.fetchall()])
    return seen


for name, text in (("a syntax error", "SELEC 1"), ("no such column", "SELECT nope FROM people"), ("a wrong number", "SELECT 'x'::int")):

    @step(name)
    def _(text=text):
        try:
            cursor.execute(text)
        except pyodbc.Error as error:
            return error.args[0]


for text in refused:
    try:
        say("refused: " + text, ok=cursor.execute(text).rowcount)
    except pyodbc.Error as error:
        say("refused: " + text, error=[error.args[0], str(error.args[1])])
db.close()
sys.exit(0)
