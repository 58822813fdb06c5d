"""Django over mysqlclient: migrations of its own applications, models, transactions, and reading a schema."""

import io
import os
import sys

import django
from django.conf import settings

where = {
    "ENGINE": "django.db.backends.mysql",
    "NAME": os.environ["CLIENT_DATABASE"],
    "USER": os.environ["CLIENT_USER"],
    "PASSWORD": os.environ["CLIENT_PASSWORD"],
    "HOST": "127.0.0.1",
    "PORT": os.environ["CLIENT_PORT"],
}
settings.configure(
    DATABASES={"default": where},
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions"],
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    USE_TZ=True,
)
django.setup()

from django.contrib.auth.models import Group, User  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection, transaction  # noqa: E402
from django.db.models import Count, F, Q  # noqa: E402
from django.db.utils import IntegrityError, ProgrammingError  # noqa: E402

said = io.StringIO()
call_command("migrate", verbosity=1, stdout=said, no_color=True)
print(said.getvalue().replace(".", "").count("OK"))
try:
    print(sorted(table.name for table in connection.introspection.get_table_list(connection.cursor()) if "auth" in table.name))
    group = Group.objects.create(name="readers")
    users = User.objects.bulk_create(User(username=f"user{n}", email=f"u{n}@example.test") for n in range(50))
    group.user_set.add(*User.objects.filter(username__startswith="user1"))
    print(User.objects.filter(Q(email__endswith="9@example.test") | Q(groups=group)).distinct().count())
    print(list(User.objects.annotate(n=Count("groups")).filter(n=1).order_by("username").values_list("username", flat=True)))
    print(User.objects.filter(username="user3").update(first_name=F("username")))
    print(User.objects.get(username="user3").first_name)
    try:
        with transaction.atomic():
            User.objects.create(username="once")
            User.objects.create(username="once")
    except IntegrityError as error:
        print("error", error.args[0])
    print(User.objects.filter(username="once").exists())
    with transaction.atomic():
        print(len(User.objects.select_for_update().filter(username__in=["user1", "user2"])))
    try:
        connection.cursor().execute("SELECT * FROM nowhere")
    except ProgrammingError as error:
        print("error", error.args[0])
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, nick, mail FROM people WHERE id < %s ORDER BY id", [100])
        print(cursor.fetchall())
        cursor.callproc("many")
        print(cursor.fetchall())
    models = io.StringIO()
    call_command("inspectdb", "people", "kinds", stdout=models)
    print(models.getvalue())
    print(User.objects.all().delete()[0] > 0)
finally:
    connection.close()
    call_command("migrate", "sessions", "zero", verbosity=0)
    call_command("migrate", "auth", "zero", verbosity=0)
    call_command("migrate", "contenttypes", "zero", verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS django_migrations")
sys.stdout.flush()
