"""A sheet as one HTML file without scripts or external resources, for screens of any size and for paper."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from reconciler.report import wording
from reconciler.report.html_page import STYLE, _excerpt, escape
from reconciler.report.sheet import FOLDED, Name, Sheet

if TYPE_CHECKING:
    from jinja2 import Template

BY_SYMBOL = {"+": "create", "-": "delete", "~": "update", ">": "rename", "!": "delete"}


def draw(sheet: Sheet) -> str:
    """The whole page. Raises UsageError where Jinja2 is not installed."""
    template = _template()
    from markupsafe import Markup

    return template.render(
        sheet=sheet,
        style=Markup(STYLE + MORE),  # noqa: S704  (ours, and a style element takes no references)
        place=wording.place,
        count=wording.count,
        excerpt=_excerpt,
        plain=str,  # the page's own escape leaves alone what is not exactly a str
        is_name=lambda piece: isinstance(piece, Name),
        folded=FOLDED,
        symbols=BY_SYMBOL,
    )


@cache
def _template() -> Template:
    from reconciler.report import html_page

    # The environment of the other page has the same escapes, and the same error when Jinja2 is missing.
    found: Template = html_page._template().environment.from_string(TEMPLATE)  # noqa: SLF001
    return found


__all__ = ["draw", "escape"]

MORE = """
.change { font-family: inherit; font-size: 1rem; }
.about { color: var(--faint); }
.scroll { overflow-x: auto; position: relative; }
.matrix td, .matrix th { padding-right: 1.25rem; }
.matrix tbody tr:hover { background: var(--card); }
.part > details > summary { font-weight: 600; margin-top: 1.5rem; }
@media (min-width: 40rem) { .matrix td, .matrix th { min-width: 8rem; } }
"""

TEMPLATE = """
{%- macro say(pieces) %}{% for piece in pieces %}{% if is_name(piece) %}<code><bdi>{{ plain(piece) }}</bdi></code>{% else %}<bdi>{{ piece }}</bdi>{% endif %}{% endfor %}{% endmacro %}
{%- macro body(section) %}
{% if section.about %}
<p class="about">{{ say(section.about) }}</p>
{% endif %}
{% if section["items"] %}
<ul class="changes">
{% for item in section["items"] %}
<li class="change">{% if item.symbol %}<span class="symbol {{ symbols.get(item.symbol, "") }}">{{ item.symbol }}</span>{% endif %}{{ say(item.words) }}{% if item.why %} <span class="why">({{ say(item.why) }})</span>{% endif %}{% if item.source %} <span class="faint"><bdi>{{ place(item.source) }}</bdi></span>{% endif %}

{% for line in item.below %}
<p class="why detail">{{ say(line) }}</p>
{% endfor %}
</li>
{% endfor %}
</ul>
{% endif %}
{% if section.table %}
<div class="scroll">
<table class="matrix">
<thead><tr>{% for title in section.table.head %}<th><bdi>{{ title }}</bdi></th>{% endfor %}</tr></thead>
<tbody>
{% for row in section.table.rows %}
<tr>{% for cell in row %}<td data-label="{{ section.table.head[loop.index0] }}">{% if cell %}<span>{{ say(cell) }}</span>{% endif %}</td>{% endfor %}</tr>
{% endfor %}
</tbody>
</table>
</div>
{% endif %}
{% endmacro %}
{%- macro problem(found) %}
<div class="box {{ "alarm" if found.severity == "error" else "care" }}"><strong>{{ "Error" if found.severity == "error" else "Warning" }}:</strong> <bdi>{{ found.summary }}</bdi>{% if found.source %} <span class="faint"><bdi>{{ place(found.source) }}</bdi></span>{% endif %}

{% if excerpt(found) %}
<pre>
{{ excerpt(found) }}</pre>
{% endif %}
</div>
{% endmacro %}
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>reconciler: {{ sheet.title }}</title>
<style>{{ style }}</style>
</head>
<body>
<header>
<h1>{{ sheet.title }}</h1>
{% for line in sheet.summary %}
<p class="summary{{ " bad" if sheet.bad }}"><bdi>{{ line }}</bdi></p>
{% endfor %}
{% if sheet.facts %}
<p class="faint">{{ say(sheet.facts) }}</p>
{% endif %}
</header>
<main>
{% for found in sheet.errors %}
{{ problem(found) }}
{% endfor %}
{% for section in sheet.sections %}
<div class="part">
{% if section.weight == folded %}
<details>
<summary><bdi>{{ section.title }}</bdi></summary>
{{ body(section) }}
</details>
{% else %}
<h2{% if section.tone %} class="{{ "delete" if section.tone == "alarm" else "update" }}"{% endif %}><bdi>{{ section.title }}</bdi></h2>
{{ body(section) }}
{% endif %}
</div>
{% endfor %}
{% for found in sheet.warnings %}
{{ problem(found) }}
{% endfor %}
{% for note in sheet.notes %}
<div class="box">{{ say(note) }}</div>
{% endfor %}
</main>
</body>
</html>
"""
