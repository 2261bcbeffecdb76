"""The layout of every HTML page, its style, and how values are escaped. One file each, for screen and paper.

Jinja2 escapes every value (autoescape). `escape` runs first, so that hidden characters are shown. The
Content-Security-Policy allows nothing but the page's own style, and a script of ours by its hash.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from typing import TYPE_CHECKING, Any

from reconciler.model.errors import UsageError
from reconciler.report import text, wording
from reconciler.report.escaping import show_hidden

if TYPE_CHECKING:
    from jinja2 import Template

    from reconciler.model.diagnostic import Diagnostic


def render(source: str, *, title: str, style: str, script: str = "", **values: Any) -> str:
    """A page from a template that extends `layout`. Raises UsageError when Jinja2 is not installed."""
    template = compiled(source)
    from markupsafe import Markup

    return template.render(
        title=title,
        style=Markup(style),  # noqa: S704  (ours, and a style element takes no references)
        script=Markup(script),  # noqa: S704  (ours)
        script_hash=_hash(script),
        **values,
    )


@cache
def compiled(source: str) -> Template:
    """The template for Jinja2. Raises UsageError when that is not installed."""
    try:
        from jinja2 import DictLoader, Environment, StrictUndefined
    except ImportError:
        raise UsageError("the html format needs Jinja2, which comes with the extra reconciler[html]") from None
    environment = Environment(
        loader=DictLoader({"layout": LAYOUT, "problem": PROBLEM}),
        autoescape=True,
        finalize=escape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals.update(excerpt=_excerpt, place_of=wording.place)
    return environment.from_string(source)


def escape(raw: Any) -> Any:
    """The value of a template expression, before Jinja2 turns `<`, `&` and quotes into references."""
    return show_hidden(raw) if type(raw) is str else raw


@cache
def _hash(script: str) -> str:
    """The hash by which the Content-Security-Policy knows the script (CSP Level 3, "hash-source")."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


class _Lines(str):
    """Several lines whose hidden characters are already shown; Jinja2 escapes them like any other text."""

    __slots__ = ()


def _excerpt(found: Diagnostic) -> _Lines:
    """The lines of a diagnostic below its first: the manifest line, the caret, and the second position."""
    return _Lines("".join(text.render_diagnostics([found]).splitlines(keepends=True)[1:]))


STYLE = """
:root { color-scheme: light dark; --ink: #1c2128; --faint: #59636e; --page: #ffffff; --card: #f6f8fa; --line: #d1d9e0;
  --create: #116329; --update: #7d4e00; --rename: #0a5ba8; --delete: #b01e28; --alarm: #ffebe9; --care: #fff8c5; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --faint: #9aa5b1; --page: #0d1117; --card: #161b22; --line: #3d444d;
    --create: #56d364; --update: #e3b341; --rename: #79c0ff; --delete: #ff8b82; --alarm: #3c1618; --care: #332a0c; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem clamp(.75rem, 3vw, 2.5rem) 3rem; max-width: 76rem; color: var(--ink); background: var(--page);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; margin: 0 0 .25rem; }
h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; padding-bottom: .25rem; border-bottom: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.25rem 0 .25rem; }
h4 { font-size: .9rem; margin: 1rem 0 0; color: var(--faint); font-weight: 600; }
p { margin: .25rem 0; }
ul { margin: .25rem 0; padding-left: 1.25rem; }
code, pre, .change { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace; font-size: .875em; }
pre { margin: .5rem 0 0; white-space: pre-wrap; }
.summary { font-size: 1.1rem; font-weight: 600; }
.bad { color: var(--delete); }
.tiles { display: flex; flex-wrap: wrap; gap: .6rem; margin: .75rem 0; padding: 0; list-style: none; }
.tiles li { background: var(--card); border: 1px solid var(--line); border-radius: .4rem; padding: .4rem .9rem; }
.tiles strong { display: block; font-size: 1.5rem; line-height: 1.2; } .tiles .bad strong { color: var(--delete); }
nav a { color: var(--rename); }
.faint, .why { color: var(--faint); }
.box { background: var(--card); border: 1px solid var(--line); border-left-width: .3rem; border-radius: .4rem; padding: .6rem .9rem; margin: .6rem 0; }
.alarm { background: var(--alarm); border-left-color: var(--delete); }
.care { background: var(--care); border-left-color: var(--update); }
.create { color: var(--create); } .update { color: var(--update); } .rename { color: var(--rename); } .delete { color: var(--delete); }
.symbol { display: inline-block; min-width: 1.2em; font-weight: 700; }
.changes { list-style: none; padding: 0; }
.change { padding: .3rem 0; border-bottom: 1px solid var(--line); }
.change .why { font-family: system-ui, sans-serif; }
.detail { margin: .1rem 0 0 1.3rem; }
.attributes { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 0 .9rem; margin: .1rem 0 0 1.3em; }
.attributes dt { color: var(--faint); } .attributes dd { margin: 0; }
del { color: var(--delete); } ins { color: var(--create); text-decoration: none; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0; }
th, td { text-align: left; vertical-align: top; padding: .35rem .75rem .35rem 0; border-bottom: 1px solid var(--line); }
th { color: var(--faint); font-size: .85rem; font-weight: 600; }
main > details + details { margin-top: 1.5rem; }
details > summary { cursor: pointer; }
.effects { table-layout: fixed; }
.effects th:nth-child(3), .effects th:nth-child(4) { width: 14%; }
.effects th:nth-child(5) { width: 36%; }
footer { margin-top: 3rem; color: var(--faint); font-size: .85rem; }
@media (max-width: 40rem) {
  thead { position: absolute; clip-path: inset(50%); }
  tr { display: block; padding: .4rem 0; border-bottom: 1px solid var(--line); }
  td { display: grid; grid-template-columns: 5.5rem minmax(0, 1fr); padding: 0; border: 0; }
  td:empty { display: none; }
  td::before { content: attr(data-label); color: var(--faint); }
  .attributes { grid-template-columns: minmax(0, 1fr); } .attributes dd { margin-left: 1rem; }
}
@media print {
  :root { color-scheme: light; --ink: #000; --faint: #444; --page: #fff; --card: #fff; --line: #bbb;
    --create: #0b5a20; --update: #6b4300; --rename: #084c8c; --delete: #9a1620; --alarm: #fff; --care: #fff; }
  body { max-width: none; padding: 0; font-size: 10pt; }
  .box, .change, tr { break-inside: avoid; } h2, h3, h4 { break-after: avoid; }
}
"""

PROBLEM = """
{%- macro problem(found) %}
<div class="box {{ "alarm" if found.severity == "error" else "care" }}"><strong>{{ "Error" if found.severity == "error" else "Warning" }}:</strong> <bdi>{{ found.summary }}</bdi>{% if found.source %} <span class="faint"><bdi>{{ place_of(found.source) }}</bdi></span>{% endif %}

{% if excerpt(found) %}
<pre>
{{ excerpt(found) }}</pre>
{% endif %}
</div>
{% endmacro %}
"""

LAYOUT = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'{% if script %}; script-src '{{ script_hash }}'{% endif %}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>reconciler: {{ title }}</title>
<style>{{ style }}</style>
</head>
<body>
<header>
<h1>{{ title }}</h1>
{% block header %}
{% endblock %}
</header>
<main>
{% block main %}
{% endblock %}
</main>
{% if script %}
<script>{{ script }}</script>
{% endif %}
{% block footer %}
{% endblock %}
</body>
</html>
"""
