"""A sheet as one HTML file without external resources, for screens of any size and for paper.

Only a page with a matrix has a script: a filter, allowed by its hash in the Content-Security-Policy. All can be read without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from reconciler.report import html_layout, wording
from reconciler.report.sheet import FOLDED, Name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reconciler.report.sheet import Item, Matrix, Sheet

BY_SYMBOL = {"+": "create", "-": "delete", "~": "update", ">": "rename", "!": "delete"}


def draw(sheet: Sheet) -> str:
    """The whole page. Raises UsageError where Jinja2 is not installed."""
    has_matrix = any(section.matrix for section in sheet.sections)
    divided = _divided(sheet)
    return html_layout.render(
        TEMPLATE,
        title=sheet.title,
        style=(html_layout.page_file("matrix.css") if has_matrix else "") + MORE,
        script=html_layout.page_file("filter.js") if has_matrix else "",
        sheet=sheet,
        count=wording.count,
        as_text=str,  # the page's own escape leaves alone what is not exactly a str
        is_name=lambda piece: isinstance(piece, Name),
        folded=FOLDED,
        symbols=BY_SYMBOL,
        by_place=_by_place,
        has_matrix=has_matrix,
        large=LARGE,
        folded_from=FOLDED_FROM,
        divided=divided,
        index=_index(sheet, divided),
    )


class Part(NamedTuple):
    """A part of a page that the index leads to: what one section says of one organization."""

    org: str
    items: tuple[Item, ...]
    number: int  # of its anchor


def _divided(sheet: Sheet) -> dict[int, list[Part]]:
    """By the section's place in the sheet: its items by organization, where they are many and of several."""
    number = sum(1 for section in sheet.sections if section.matrix)
    found: dict[int, list[Part]] = {}
    for at, section in enumerate(sheet.sections):
        by_org: dict[str, list[Item]] = {}
        for item in section.items if section.by_org and len(section.items) >= LONG else ():
            by_org.setdefault(_org_of(item), []).append(item)
        if len(by_org) > 1:
            found[at] = []
            for org, items in by_org.items():
                number += 1
                found[at].append(Part(org, tuple(items), number))
    return found


def _org_of(item: Item) -> str:
    places = item.brief.place if item.brief is not None else ()
    orgs = {
        place.partition("/")[0].removeprefix("org.") for place in ((places,) if isinstance(places, str) else places)
    }
    return orgs.pop() if len(orgs) == 1 else SEVERAL


def _index(sheet: Sheet, divided: Mapping[int, Iterable[Part]]) -> list[tuple[str, int, int]]:
    """Each organization, how much the page says of it, and the anchor where that begins."""
    matrices = [section for section in sheet.sections if section.matrix is not None]
    if len(matrices) > 1:
        return [(one.title, len(one.matrix.rows), at) for at, one in enumerate(matrices, 1) if one.matrix is not None]
    found: dict[str, list[Part]] = {}
    for parts in divided.values():
        for part in parts:
            found.setdefault(part.org, []).append(part)
    return [(org, sum(len(one.items) for one in parts), parts[0].number) for org, parts in found.items()]


def _by_place(matrix: Matrix) -> list[tuple[str, list[tuple[str, list[str]]]]]:
    """For each place the roles, and who has each."""
    found = []
    for at, place in enumerate(matrix.places):
        roles: dict[str, list[str]] = {}
        for who, cells in matrix.rows:
            cell = cells[at]
            if cell is not None:
                roles.setdefault(cell.role, []).append(who)
        found.append((place, sorted(roles.items())))
    return found


LARGE = 200  # rows from which an organization is folded, where there are several
LONG = 20  # items from which a list is divided by organization
FOLDED_FROM = 50  # items from which such a part is folded
SEVERAL = "several organizations"

MORE = """
.change { font-family: inherit; font-size: 1rem; }
.about { color: var(--faint); }
.scroll { overflow-x: auto; position: relative; }
.matrix td, .matrix th { padding-right: 1.25rem; }
.matrix tbody tr:hover { background: var(--card); }
.part > details > summary { font-weight: 600; margin-top: 1rem; }
@media (min-width: 40rem) { .matrix td, .matrix th { min-width: 8rem; } }
"""

TEMPLATE = """
{%- extends "layout" %}
{%- from "problem" import problem %}
{%- from "tiles" import draw %}
{%- from "matrix" import filter, matrix %}
{%- macro say(pieces) %}{% for piece in pieces %}{% if is_name(piece) %}<code><bdi>{{ as_text(piece) }}</bdi></code>{% else %}<bdi>{{ piece }}</bdi>{% endif %}{% endfor %}{% endmacro %}
{%- macro list(items) %}
<ul class="changes">
{% for item in items %}
<li class="change">{% if item.symbol %}<span class="symbol {{ symbols.get(item.symbol, "") }}">{{ item.symbol }}</span>{% endif %}{{ say(item.words) }}{% if item.why %} <span class="why">({{ say(item.why) }})</span>{% endif %}{% if item.source %} <span class="faint"><bdi>{{ place_of(item.source) }}</bdi></span>{% endif %}

{% for line in item.below %}
<p class="why detail">{{ say(line) }}</p>
{% endfor %}
</li>
{% endfor %}
</ul>
{% endmacro %}
{%- macro body(section, parts) %}
{% if section.about %}
<p class="about">{{ say(section.about) }}</p>
{% endif %}
{% for part in parts %}
<details id="part-{{ part.number }}"{% if part.items|length < folded_from %} open{% endif %}>
<summary><bdi>{{ part.org }}</bdi> <span class="faint">{{ part.items|length }}</span></summary>
{{ list(part.items) }}
</details>
{% endfor %}
{% if section["items"] and not parts %}
{{ list(section["items"]) }}
{% endif %}
{% if section.matrix %}
{{ matrix(section.title, section.matrix.places, section.matrix.rows) }}
<details class="places"><summary>By workspace</summary>
<dl>{% for place, roles in by_place(section.matrix) %}<dt><code><bdi>{{ place }}</bdi></code></dt>{% for role, names in roles %}<dd><strong><bdi>{{ role }}</bdi></strong>: {% for one in names %}<bdi>{{ one }}</bdi>{{ ", " if not loop.last }}{% endfor %}</dd>{% endfor %}{% endfor %}</dl>
</details>
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
{% block header %}
{% for line in sheet.summary %}
<p class="summary{{ " bad" if sheet.bad }}"><bdi>{{ line }}</bdi></p>
{% endfor %}
{% if sheet.tiles %}
{{ draw(sheet.tiles) }}
{% endif %}
{% if sheet.facts %}
<p class="faint">{{ say(sheet.facts) }}</p>
{% endif %}
{% if index %}
<nav class="faint">By organization: {% for org, number, at in index %}<a href="#part-{{ at }}"><bdi>{{ org }}</bdi></a> ({{ number }}){{ ", " if not loop.last }}{% endfor %}</nav>
{% endif %}
{% endblock %}
{% block main %}
{% if has_matrix %}
{{ filter() }}
{% endif %}
{% for found in sheet.errors %}
{{ problem(found) }}
{% endfor %}
{% set parts = sheet.sections|selectattr("matrix")|list %}
{% for section in sheet.sections %}
{% set of_orgs = divided.get(loop.index0, ()) %}
<div class="part"{% if section.matrix %} data-part{% endif %}>
{% if section.matrix and parts|length > 1 %}
<details id="part-{{ parts.index(section) + 1 }}"{% if section.matrix.rows|length < large %} open{% endif %}>
<summary><bdi>{{ section.title }}</bdi> <span class="faint">{{ count(section.matrix.rows|length, "person", "people") }}</span></summary>
{{ body(section, of_orgs) }}
</details>
{% elif section.weight == folded %}
<details>
<summary><bdi>{{ section.title }}</bdi></summary>
{{ body(section, of_orgs) }}
</details>
{% else %}
<h2{% if section.tone %} class="{{ "delete" if section.tone == "alarm" else "update" }}"{% endif %}><bdi>{{ section.title }}</bdi></h2>
{{ body(section, of_orgs) }}
{% endif %}
</div>
{% endfor %}
{% for found in sheet.warnings %}
{{ problem(found) }}
{% endfor %}
{% for note in sheet.notes %}
<div class="box">{{ say(note) }}</div>
{% endfor %}
{% endblock %}
"""
