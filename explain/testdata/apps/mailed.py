"""A job that renders a template of an environment that a cached property of a module's object makes: so it is with
mailers and registries that are to be imported without it."""

from __future__ import annotations

import functools

import jinja2

ROWS = "\n".join(
    f"<tr>{{% if show_{i} %}}<td>{{{{ item.name_{i} | e | upper }}}}</td>{{% endif %}}</tr>" for i in range(60)
)


class Mailer:
    @functools.cached_property
    def env(self) -> jinja2.Environment:
        return jinja2.Environment(loader=jinja2.DictLoader({"invoice.html": ROWS}), autoescape=True)


mailer = Mailer()


def job(name: str = "invoice.html") -> int:
    return len(mailer.env.get_template(name).render())
