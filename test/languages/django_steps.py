"""Django on psycopg2: its object mapper, its transactions, how it tells constraints apart, and its look at the catalog."""
import io
from urllib.parse import unquote, urlparse

import django
from django.conf import settings
from steps import refused, say, sqlstate, step, url

at = urlparse(url)
settings.configure(
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": at.path[1:],
            "USER": unquote(at.username or ""),
            "PASSWORD": unquote(at.password or ""),
            "HOST": at.hostname,
            "PORT": at.port,
            "CONN_MAX_AGE": None,
        }
    },
    USE_TZ=True,
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
)
django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import DatabaseError, IntegrityError, connection, models, transaction  # noqa: E402
from django.db.models import Case, Count, Exists, F, Max, OuterRef, Subquery, Value, When, Window  # noqa: E402
from django.db.models.functions import RowNumber, TruncMonth, Upper  # noqa: E402


class Person(models.Model):
    id = models.IntegerField(primary_key=True)
    name = models.TextField()
    email = models.TextField(unique=True)
    joined = models.DateField(null=True)

    class Meta:
        app_label, managed, db_table = "steps", False, "people"


class Note(models.Model):
    person = models.ForeignKey(Person, models.CASCADE, db_column="person", related_name="notes")
    body = models.TextField()

    class Meta:
        app_label, managed, db_table = "steps", False, "notes"


def rows(query):
    return [list(row) for row in query]


people = Person.objects.order_by("id")
notes = Note.objects.order_by("id")


@step("get, filter, related")
def _():
    note = notes.select_related("person").get(body="note 3")
    fetched = [[one.name, [each.body for each in one.notes.all()]] for one in people.prefetch_related("notes")[:3]]
    return [note.person.email, note.person.joined, people.filter(email__icontains="3@").count(), fetched]


@step("aggregates")
def _():
    counted = people.annotate(n=Count("notes"), last=Max("notes__body")).values_list("id", "email", "n", "last")
    kinds = Case(When(id__lt=5, then=Value("low")), default=Value("high"))
    return [
        rows(counted[:4]),
        rows(people.annotate(kind=kinds).values_list("kind").annotate(n=Count("*")).order_by("kind")),
    ]


@step("windows")
def _():
    ranked = notes.annotate(place=Window(RowNumber(), order_by=F("body").desc())).values_list("body", "place")
    return rows(ranked[:4])


@step("subqueries")
def _():
    newest = Subquery(Note.objects.filter(person=OuterRef("pk")).order_by("-id").values("body")[:1])
    has = Exists(Note.objects.filter(person=OuterRef("pk")))
    return [rows(people.annotate(newest=newest).values_list("name", "newest")[:4]), people.filter(has).count()]


@step("functions, dates, a union")
def _():
    return [
        rows(people.annotate(month=TruncMonth("joined"), loud=Upper("name")).values_list("month", "loud")[:2]),
        list(people.dates("joined", "year")),
        people.values_list("name").union(notes.values_list("body")).count(),
    ]


@step("rows one by one, from a cursor of the server")
def _():
    return [note.body for note in notes.iterator(chunk_size=7)]


@step("writes")
def _():
    with transaction.atomic():
        made = Note.objects.create(id=2001, person_id=1, body="new")
        Note.objects.bulk_create([Note(id=2002, person_id=2, body="b"), Note(id=2003, person_id=3, body="c")])
        Note.objects.bulk_create([Note(id=2003, person_id=3, body="c")], ignore_conflicts=True)
        seen = [Note.objects.filter(id__gt=2001).update(body=Upper("body")), made.body]
        many = list(notes.filter(id__gt=2001))
        many[0].body = "changed"
        Note.objects.bulk_update(many, ["body"])
        seen += [Note.objects.get_or_create(person_id=1, body="new")[1], notes.select_for_update(of=("self",)).last().body]
        seen += [rows(notes.filter(id__gt=2000).values_list("body")), notes.filter(id__gt=2000).delete()[0]]
        transaction.set_rollback(True)
    return seen


def broken(change):
    """What an application sees of a constraint."""
    try:
        with transaction.atomic():
            change()
    except IntegrityError as error:
        diag = error.__cause__.diag
        return [type(error).__name__, sqlstate(error), diag.constraint_name, diag.table_name, diag.column_name]
    return None


@step("a key that is there, by its constraint")
def _():
    return [broken(lambda: Note.objects.create(person_id=1, body="note 1")), notes.count()]


@step("other constraints")
def _():
    return [
        broken(lambda: Note.objects.create(person_id=999, body="x")),
        broken(lambda: Note.objects.create(person_id=1, body="")),
        broken(lambda: notes.filter(id=1).update(body=None)),
        notes.count(),
    ]


@step("the catalog")
def _():
    look = connection.introspection
    out = io.StringIO()
    call_command("inspectdb", "notes", stdout=out)
    with connection.cursor() as cursor:
        return [
            [one for one in look.table_names(cursor) if one in ("people", "notes", "kinds")],
            [field.name for field in look.get_table_description(cursor, "notes")],
            sorted(look.get_constraints(cursor, "notes")),
            sorted(look.get_relations(cursor, "notes")),
            "body = models.TextField()" in out.getvalue(),
        ]


for text in refused:
    try:
        with connection.cursor() as cursor:
            cursor.execute(text)
        say("refused: " + text, ok=None)
    except DatabaseError as error:
        say("refused: " + text, error=[sqlstate(error), str(error.__cause__.diag.message_hint)])
