"""A job that renders a template, which Jinja compiles when it is asked for first, and keeps."""

from __future__ import annotations

import jinja2

ROWS = "\n".join(
    f"<tr>{{% if show_{i} %}}<td>{{{{ item.name_{i} | e | upper }}}}</td>{{% endif %}}</tr>" for i in range(120)
)

environment = jinja2.Environment(
    loader=jinja2.DictLoader({"report.html": ROWS, "other.html": "other"}), autoescape=True
)


def job(name: str = "report.html") -> int:
    return len(environment.get_template(name).render())
