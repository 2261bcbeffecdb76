"""A sheet as one HTML file without external resources, for screens of any size and for paper.

Only a page with a matrix has a script: a filter, allowed by its hash in the Content-Security-Policy. All can be read without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.report import html_layout, wording
from reconciler.report.sheet import FOLDED, Name, letter

if TYPE_CHECKING:
    from reconciler.report.sheet import Matrix, Sheet

BY_SYMBOL = {"+": "create", "-": "delete", "~": "update", ">": "rename", "!": "delete"}


def draw(sheet: Sheet) -> str:
    """The whole page. Raises UsageError where Jinja2 is not installed."""
    has_matrix = any(section.matrix for section in sheet.sections)
    return html_layout.render(
        TEMPLATE,
        title=sheet.title,
        style=html_layout.STYLE + MORE,
        script=SCRIPT if has_matrix else "",
        sheet=sheet,
        count=wording.count,
        as_text=str,  # the page's own escape leaves alone what is not exactly a str
        is_name=lambda piece: isinstance(piece, Name),
        folded=FOLDED,
        symbols=BY_SYMBOL,
        letter=letter,
        by_place=_by_place,
        has_matrix=has_matrix,
        large=LARGE,
    )


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

SCRIPT = """
const field = document.getElementById("filter"), found = document.getElementById("found");
const rows = [...document.querySelectorAll("tr[data-find]")];
document.getElementById("filter-form").hidden = false;
function narrow() {
  const words = field.value.toLowerCase().split(/\\s+/).filter(Boolean);
  let shown = 0;
  for (const row of rows) {
    row.hidden = !words.every(word => row.dataset.find.includes(word));
    shown += !row.hidden;
  }
  for (const part of document.querySelectorAll("[data-part]"))
    part.hidden = words.length > 0 && !part.querySelector("tr[data-find]:not([hidden])");
  found.textContent = words.length ? `${shown} of ${rows.length} rows` : "";
}
field.addEventListener("input", narrow);
document.getElementById("filter-form").addEventListener("submit", event => event.preventDefault());
addEventListener("beforeprint", () => document.querySelectorAll("[data-part] > details").forEach(one => one.open = true));
"""

MATRIX = """
#filter { font: inherit; width: min(100%, 26rem); padding: .35rem .6rem; color: inherit; background: var(--page); border: 1px solid var(--faint); border-radius: .4rem; }
#filter-form { margin: 1rem 0; } #found { color: var(--faint); margin-left: .6rem; }
.legend { color: var(--faint); font-size: .9rem; } .legend > span { display: inline-block; white-space: nowrap; margin: 0 .8rem .2rem 0; }
.role { display: inline-block; min-width: 1.5em; text-align: center; border: 1px solid currentColor; border-radius: .3em; font-weight: 700; text-decoration: none; }
.role.owner { color: var(--delete); } .role.operator { color: var(--update); } .role.reader { color: var(--rename); } .role.member { color: var(--create); }
.role.pending { border-style: dashed; font-style: italic; }
.scroll.access { width: fit-content; max-width: 100%; max-height: 85vh; overflow: auto; border: 1px solid var(--line); border-radius: .4rem; }
.access table { width: auto; border-collapse: separate; border-spacing: 0; margin: 0; }
.access tr { display: table-row; padding: 0; } .access tr[hidden] { display: none; }
.access th, .access td { display: table-cell; padding: .2rem .4rem; border-bottom: 1px solid var(--line); text-align: center; background: var(--page); }
.access thead { position: static; clip-path: none; }
.access thead th { position: sticky; top: 0; z-index: 2; vertical-align: bottom; color: var(--ink); }
.access thead th.place span { writing-mode: vertical-rl; transform: rotate(180deg); white-space: nowrap; max-height: 14rem; }
.access th:first-child { position: sticky; left: 0; z-index: 1; text-align: left; color: var(--ink); min-width: 7rem; max-width: 16rem; border-right: 1px solid var(--line); }
.access thead th:first-child { z-index: 3; }
.access td:empty { display: table-cell; } .access td::before { content: none; }
.access tbody tr:hover > * { background: var(--card); }
.access ul { font-weight: 400; margin: .2rem 0; }
@media (max-width: 40rem) { .access th:first-child { max-width: 8.5rem; } }
@page { size: A4 landscape; margin: 9mm; }
@media print {
  .scroll, .scroll.access { overflow: visible; max-height: none; border: 0; } .access th { position: static !important; }
  .access th, .access td { padding: .1rem .15rem; font-size: 8pt; } .access th:first-child { min-width: 0; max-width: 45mm; }
  .access thead { display: table-header-group; } #filter-form { display: none; }
  details::details-content { content-visibility: visible; display: block; } .access details > ul { display: none; }
}
"""

MORE = (
    MATRIX
    + """
.change { font-family: inherit; font-size: 1rem; }
.about { color: var(--faint); }
.scroll { overflow-x: auto; position: relative; }
.matrix td, .matrix th { padding-right: 1.25rem; }
.matrix tbody tr:hover { background: var(--card); }
.part > details > summary { font-weight: 600; margin-top: 1.5rem; }
@media (min-width: 40rem) { .matrix td, .matrix th { min-width: 8rem; } }
"""
)

TEMPLATE = """
{%- extends "layout" %}
{%- from "problem" import problem %}
{%- macro say(pieces) %}{% for piece in pieces %}{% if is_name(piece) %}<code><bdi>{{ as_text(piece) }}</bdi></code>{% else %}<bdi>{{ piece }}</bdi>{% endif %}{% endfor %}{% endmacro %}
{%- macro body(section) %}
{% if section.about %}
<p class="about">{{ say(section.about) }}</p>
{% endif %}
{% if section["items"] %}
<ul class="changes">
{% for item in section["items"] %}
<li class="change">{% if item.symbol %}<span class="symbol {{ symbols.get(item.symbol, "") }}">{{ item.symbol }}</span>{% endif %}{{ say(item.words) }}{% if item.why %} <span class="why">({{ say(item.why) }})</span>{% endif %}{% if item.source %} <span class="faint"><bdi>{{ place_of(item.source) }}</bdi></span>{% endif %}

{% for line in item.below %}
<p class="why detail">{{ say(line) }}</p>
{% endfor %}
</li>
{% endfor %}
</ul>
{% endif %}
{% if section.matrix %}
<div class="scroll access" tabindex="0" role="region" aria-label="{{ section.title }}">
<table>
<thead><tr><th scope="col">Who</th>{% for place in section.matrix.places %}<th scope="col" class="place"><span><bdi>{{ place }}</bdi></span></th>{% endfor %}</tr></thead>
<tbody>
{% for who, cells in section.matrix.rows %}
<tr data-find="{{ who|lower }} {{ section.title|lower }}{% for cell in cells %}{% if cell %} {{ section.matrix.places[loop.index0]|lower }} {{ cell.role|lower }}{% endif %}{% endfor %}"><th scope="row"><details><summary><bdi>{{ who }}</bdi></summary><ul>{% for cell in cells %}{% if cell %}<li><bdi>{{ section.matrix.places[loop.index0] }}</bdi>: <bdi>{{ cell.role }}</bdi> <span class="why">(<bdi>{{ cell.why }}</bdi>)</span></li>{% endif %}{% endfor %}</ul></details></th>{% for cell in cells %}<td>{% if cell %}<abbr class="role {{ cell.role if letter(cell.role) != "?" else "other" }}{{ " pending" if cell.pending }}" title="{{ cell.role }}: {{ cell.why }}">{{ letter(cell.role) }}</abbr>{% endif %}</td>{% endfor %}</tr>
{% endfor %}
</tbody>
</table>
</div>
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
<ul class="tiles">{% for number, what, bad in sheet.tiles %}<li{% if bad and number != "0" %} class="bad"{% endif %}><strong>{{ number }}</strong>{{ what }}</li>{% endfor %}</ul>
{% endif %}
{% if sheet.facts %}
<p class="faint">{{ say(sheet.facts) }}</p>
{% endif %}
{% endblock %}
{% block main %}
{% if has_matrix %}
<form id="filter-form" hidden><label>Filter people, places and roles <input id="filter" type="search" autocomplete="off"></label><span id="found" role="status"></span></form>
<p class="legend">{% for role in ("owner", "member", "operator", "reader") %}<span><span class="role {{ role }}">{{ letter(role) }}</span> {{ role }}</span> {% endfor %}<span><span class="role pending">R</span> invited, not accepted yet</span></p>
{% set parts = sheet.sections|selectattr("matrix")|list %}
{% if parts|length > 1 %}
<nav class="faint">{% for section in parts %}<a href="#part-{{ loop.index }}"><bdi>{{ section.title }}</bdi></a>{{ ", " if not loop.last }}{% endfor %}</nav>
{% endif %}
{% endif %}
{% for found in sheet.errors %}
{{ problem(found) }}
{% endfor %}
{% for section in sheet.sections %}
<div class="part"{% if section.matrix %} data-part{% endif %}>
{% if section.matrix and parts|length > 1 %}
<details id="part-{{ parts.index(section) + 1 }}"{% if section.matrix.rows|length < large %} open{% endif %}>
<summary><bdi>{{ section.title }}</bdi> <span class="faint">{{ count(section.matrix.rows|length, "person", "people") }}</span></summary>
{{ body(section) }}
</details>
{% elif section.weight == folded %}
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
{% endblock %}
"""
