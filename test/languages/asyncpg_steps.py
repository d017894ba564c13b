"""asyncpg: its own codec of the protocol, everything prepared and in binary, types looked up in the catalog."""
import asyncio
import datetime
import decimal
import io
import json

import asyncpg
from steps import failed, plain, refused, say, url

steps = []


def step(name):
    return lambda work: steps.append((name, work))


def row(record):
    return {key: value for key, value in record.items()}


def rows(records):
    return [row(one) for one in records]


@step("status")
async def _(db):
    settings = db.get_settings()
    return [str(db.get_server_version()[:1]), settings.client_encoding, settings.integer_datetimes, db.is_in_transaction()]


@step("every type")
async def _(db):
    return rows(await db.fetch("SELECT * FROM kinds WHERE id < 3 ORDER BY id"))


@step("every type of a column")
async def _(db):
    made = await db.prepare("SELECT * FROM kinds")
    return [[one.name, one.type.name, one.type.kind, one.type.schema] for one in made.get_attributes()]


@step("parameters")
async def _(db):
    text = "SELECT $1::int, $2::text, $3::int[], $4::bytea, $5::numeric, $6::timestamptz, $7::mood, $8::point3, $9::jsonb, $10::int4range"
    return rows(
        await db.fetch(
            *(text, 7, "it's \\ ☃", [1, None, 3], b"\x00\xff'", decimal.Decimal("1.50")),
            *(datetime.datetime(2026, 11, 24, tzinfo=datetime.timezone.utc), "busy", (1, 2, "x"), json.dumps({"a": "ü"})),
            asyncpg.Range(1, 5),
        )
    )


@step("a parameter of a type that the database works out")
async def _(db):
    made = await db.prepare("SELECT id, email, ssn FROM people WHERE id = $1 AND joined > $2")
    return [[one.name for one in made.get_parameters()], rows(await made.fetch(7, datetime.date(2019, 1, 1))), made.get_statusmsg()]


@step("the same again and again, from its cache")
async def _(db):
    return [await db.fetchval("SELECT name FROM people WHERE id = $1", i) for i in (1, 2, 3)]


@step("a cursor")
async def _(db):
    async with db.transaction():
        cursor = await db.cursor("SELECT id, email FROM people WHERE id > $1 ORDER BY id", 4)
        out = [rows(await cursor.fetch(3)), await cursor.forward(2), row(await cursor.fetchrow())]
        return out + [[one["id"] async for one in db.cursor("SELECT id FROM people ORDER BY id", prefetch=7)]]


@step("an error in a nested transaction")
async def _(db):
    seen = []
    async with db.transaction():
        await db.execute("INSERT INTO notes (id, person, body) VALUES ($1, 1, 'asyncpg')", 1001)
        try:
            async with db.transaction():
                await db.execute("INSERT INTO notes (id, person, body) VALUES (1002, 1, 'inner')")
                await db.fetch("SELECT 1 / $1::int", 0)
        except asyncpg.PostgresError as error:
            seen.append([error.sqlstate, error.message, type(error).__name__])
        seen.append(rows(await db.fetch("SELECT id FROM notes WHERE id > 1000")))
        seen.append(await db.execute("DELETE FROM notes WHERE id > 1000"))
    return seen


@step("isolation")
async def _(db):
    async with db.transaction(isolation="serializable", readonly=True, deferrable=True):
        return [await db.fetchval("SHOW transaction_isolation"), await db.fetchval("SELECT current_setting('transaction_read_only')")]


@step("many at once")
async def _(db):
    await db.executemany("INSERT INTO notes (id, person, body) VALUES ($1, $2, $3)", [(5000 + i, i, f"m {i}") for i in range(1, 40)])
    return await db.execute("DELETE FROM notes WHERE id > 5000")


@step("many at once, one of them wrong")
async def _(db):
    await db.executemany("INSERT INTO notes (id, person, body) VALUES ($1, $2, $3)", [(5001, 1, "a"), (5001, 1, "b"), (5002, 1, "c")])


@step("none of them is there")
async def _(db):
    return await db.fetchval("SELECT count(*) FROM notes WHERE id > 5000")


@step("COPY to")
async def _(db):
    out = []
    for query, more in (("SELECT id, email FROM people WHERE id < $1 ORDER BY id", {}), ("SELECT * FROM kinds WHERE id = $1", {"format": "binary"})):
        into = io.BytesIO()
        out += [await db.copy_from_query(query, 4 if not more else 1, output=into, **more), into.getvalue()]
    into = io.BytesIO()
    out += [await db.copy_from_table("notes", columns=["id", "body"], output=into, format="csv", header=True), into.getvalue()]
    return out


@step("COPY from")
async def _(db):
    out = [await db.copy_records_to_table("notes", records=[(6000 + i, i, f"r {i}") for i in range(1, 30)], columns=["id", "person", "body"])]
    out.append(await db.copy_to_table("notes", source=io.BytesIO(b"6100,1,text\n"), columns=["id", "person", "body"], format="csv"))
    return out + [await db.execute("DELETE FROM notes WHERE id >= 6000")]


@step("several statements in one")
async def _(db):
    return await db.execute("SELECT 1; SET DateStyle TO 'ISO, MDY'; SELECT 2")


for name, text in (
    ("a key twice", "INSERT INTO notes (id, person, body) VALUES (1, 1, 'x')"),
    ("a syntax error", "SELEC 1"),
    ("no such column", "SELECT nope FROM people"),
):

    @step(name)
    async def _(db, text=text):
        return rows(await db.fetch(text))


@step("codecs of one's own")
async def _(db):
    await db.set_type_codec("json", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")
    await db.set_type_codec("mood", encoder=str, decoder=lambda text: "feels " + text, schema="public")
    return rows(await db.fetch("SELECT doc, feeling FROM kinds ORDER BY id"))


@step("notices")
async def _(db):
    seen = []
    db.add_log_listener(lambda _, message: seen.append([message.sqlstate, message.message]))
    await db.execute("BEGIN; BEGIN; COMMIT; COMMIT")
    await asyncio.sleep(0)
    return seen


@step("its time is up: cancelled")
async def _(db):
    try:
        await db.fetch("SELECT count(*) FROM generate_series(1, 100000000000)", timeout=0.5)
    except asyncio.TimeoutError:
        return ["timeout", await db.fetchval("SELECT 1")]


@step("a pool, which puts connections back")
async def _(db):
    async with asyncpg.create_pool(url, min_size=2, max_size=3) as pool:
        out = await asyncio.gather(*(pool.fetchval("SELECT name FROM people WHERE id = $1", i) for i in range(1, 9)))
        async with pool.acquire() as one:
            await one.execute("SET DateStyle TO 'ISO, DMY'")
        return out + [await pool.fetchval("SHOW DateStyle")]


@step("reset")
async def _(db):
    await db.execute("SET extra_float_digits TO 0")
    await db.reset()
    return await db.fetchval("SHOW extra_float_digits")


@step("changed schema state is read again")
async def _(db):
    await db.reload_schema_state()
    return rows(await db.fetch("SELECT corner, feeling FROM kinds WHERE id = 1"))


async def main():
    db = await asyncpg.connect(url)
    for name, work in steps:
        try:
            say(name, ok=plain(await work(db)))
        except Exception as error:
            failed(name, error)
    for text in refused:
        try:
            say("refused: " + text, ok=await db.execute(text))
        except asyncpg.PostgresError as error:
            say("refused: " + text, error=[error.sqlstate, error.hint])
    await db.close()


asyncio.run(main())
