"""The layout of every HTML page, and how values are escaped. One file each, for screen and paper.

Jinja2 escapes every value (autoescape). `escape` runs first, so that hidden characters are shown. The
Content-Security-Policy allows nothing but the page's own style, and a script of ours by its hash.
"""

from __future__ import annotations

import base64
import hashlib
import pkgutil
from functools import cache
from typing import TYPE_CHECKING, Any

from reconciler.model.errors import UsageError
from reconciler.report import text, wording
from reconciler.report.escaping import show_hidden

if TYPE_CHECKING:
    from jinja2 import Template

    from reconciler.model.diagnostic import Diagnostic


def render(source: str, *, title: str, style: str = "", script: str = "", **values: Any) -> str:
    """A page from a template that extends `layout`; `style` is what it needs beside `style.css`.

    Raises UsageError when Jinja2 is not installed.
    """
    template = compiled(source)
    from markupsafe import Markup

    return template.render(
        title=title,
        style=Markup(page_file("style.css") + style),  # noqa: S704  (ours, and a style element takes no references)
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
        loader=DictLoader({"layout": LAYOUT, "problem": PROBLEM, "tiles": TILES, "matrix": page_file("matrix.html")}),
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
def page_file(name: str) -> str:
    """One of the files in `reconciler/pages`, which the embedded Pipes uses for its page, too."""
    return (pkgutil.get_data("reconciler", f"pages/{name}") or b"").decode()


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


TILES = """
{%- macro draw(tiles) %}
<ul class="tiles">{% for number, what, bad in tiles %}<li{% if number|string == "0" %} class="zero"{% elif bad %} class="bad"{% endif %}><strong>{{ number }}</strong>{{ what }}</li>{% endfor %}</ul>
{% endmacro %}
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
