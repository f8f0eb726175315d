"""Models of Django's that find out about each other in the first query: what each is related to is
read from a description that its class holds."""

from typing import Any

import django
from django.conf import settings

settings.configure(
    INSTALLED_APPS=[__name__],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
)
django.setup()

import django.db.models.sql.compiler  # noqa: E402
from django.db import models  # noqa: E402


class Order(models.Model):  # type: ignore[misc]
    number = models.IntegerField()


def line(number: int) -> type[models.Model]:
    fields: dict[str, Any] = {f"field{i}": models.IntegerField() for i in range(8)}
    fields["order"] = models.ForeignKey(Order, models.CASCADE, related_name=f"lines{number}")
    fields["order_query_name"] = models.ForeignKey(Order, models.CASCADE, related_name="+")
    return type(f"Line{number}", (models.Model,), {"__module__": __name__, **fields})


LINES = [line(number) for number in range(150)]


def job(number: int = 3) -> None:
    str(Order.objects.filter(lines3__field2=number).query)
