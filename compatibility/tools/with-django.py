"""Django: its own migrations and a data migration, the ORM, inspectdb, the check that nothing is left to migrate."""
import io
import json
import os
import sys
import tempfile

import django
from django.conf import settings

MODELS = """
from django.db import models
class Person(models.Model):
    name = models.TextField()
    email = models.TextField()
    class Meta:
        managed = False
        db_table = "people"
class Shelf(models.Model):
    title = models.CharField(max_length=50, unique=True)
    made = models.DateTimeField(auto_now_add=True)
class Book(models.Model):
    shelf = models.ForeignKey(Shelf, on_delete=models.CASCADE, related_name="books")
    owner = models.IntegerField(null=True)
    title = models.TextField()
    details = models.JSONField(default=dict)
"""
DATA = """
from django.db import migrations
def fill(apps, editor):
    Shelf, Book, Person = (apps.get_model("library", name) for name in ("Shelf", "Book", "Person"))
    shelf = Shelf.objects.create(title="new")
    for person in Person.objects.order_by("id"):
        Book.objects.create(shelf=shelf, owner=person.id, title=person.name, details={"id": person.id})
class Migration(migrations.Migration):
    dependencies = [("library", "0001_initial")]
    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
"""


def say(what, value):
    print(json.dumps({"what": what, "value": value}, default=str), flush=True)


def called(*args, **options):
    out = io.StringIO()
    call_command(*args, stdout=out, **options)
    return out.getvalue().splitlines()


with tempfile.TemporaryDirectory() as folder:
    app = os.path.join(folder, "library")
    os.makedirs(os.path.join(app, "migrations"))
    for name, text in (("__init__.py", ""), ("models.py", MODELS), ("migrations/__init__.py", "")):
        with open(os.path.join(app, name), "w", encoding="utf-8") as file:
            file.write(text)
    sys.path.insert(0, folder)
    sys.dont_write_bytecode = True
    env = os.environ
    settings.configure(
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "library"],
        DATABASES={"default": {"ENGINE": "django.db.backends.postgresql", "NAME": env["PGDATABASE"], "USER": env["PGUSER"],
                               "PASSWORD": env["PGPASSWORD"], "HOST": env["PGHOST"], "PORT": env["PGPORT"]}},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        USE_TZ=True,
        SECRET_KEY="none",
    )
    django.setup()
    from django.core.management import call_command
    from django.db import connection, transaction
    from django.db.models import Count, F, Max

    called("makemigrations", "library")
    with open(os.path.join(app, "migrations", "0002_data.py"), "w", encoding="utf-8") as file:
        file.write(DATA)
    say("migrate", called("migrate", no_color=True, verbosity=1))
    say("shown", called("showmigrations", no_color=True))
    say("back", called("migrate", "library", "zero", no_color=True))
    say("again", called("migrate", no_color=True))
    from library.models import Book, Person, Shelf

    say("people", list(Person.objects.order_by("id").values_list("id", "name", "email")))
    say("books", list(Book.objects.order_by("id").values_list("owner", "title", "details")))
    with transaction.atomic():
        shelf, made = Shelf.objects.get_or_create(title="old")
        say("made", [made, shelf.pk is not None])
        Book.objects.bulk_create([Book(shelf=shelf, title=f"book {n}", details={"n": n}) for n in range(3)])
    say("counted", list(Shelf.objects.annotate(n=Count("books"), last=Max("books__title")).order_by("title").values_list("title", "n", "last")))
    say("json", list(Book.objects.filter(details__n__gte=1).order_by("title").values_list("title", "details__n")))
    say("updated", Book.objects.filter(title="book 1").update(owner=F("shelf_id")))
    say("prefetched", [[one.title, sorted(book.title for book in one.books.all())] for one in Shelf.objects.prefetch_related("books").order_by("title")])
    say("people by filter", list(Person.objects.filter(name__startswith="A").values("name", "email")))
    say("inspected", called("inspectdb", "people", "orders"))
    say("permissions", sorted(connection.introspection.table_names()))
