"""Plans, results and validations as one HTML file without scripts or external resources, for screen and paper.

Jinja2 escapes every value (autoescape). `escape` runs first, so that hidden characters are shown. The page's
Content-Security-Policy allows nothing but its own style.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from reconciler.model.errors import UsageError
from reconciler.model.result import Result
from reconciler.report import Validation, heading, merged, text, wording
from reconciler.report.escaping import show_hidden

if TYPE_CHECKING:
    from jinja2 import Template

    from reconciler.model.diagnostic import Diagnostic
    from reconciler.model.made import Made
    from reconciler.model.plan import Plan

GAINS = {"gain": "create", "lose": "delete", "change": "update"}
OUTCOMES = {"done": "create", "already": "", "unconfirmed": "update", "failed": "delete", "skipped": "update"}


def escape(raw: Any) -> Any:
    """The value of a template expression, before Jinja2 turns `<`, `&` and quotes into references."""
    return show_hidden(raw) if type(raw) is str else raw


def render(subject: Plan | Result | Validation, made: Made | None = None) -> str:
    """The whole page. Raises UsageError when Jinja2 is not installed."""
    template = _template()
    from markupsafe import Markup

    if isinstance(subject, Validation):
        title, lines = "Manifests", [wording.validation_summary(subject)]
        bad = bool(subject.errors)
    elif isinstance(subject, Result):
        title, lines = "Apply", [wording.result_summary(subject)]
        bad = not lines[0].startswith("Applied: ")
    else:
        title, lines = "Plan", list(wording.summary(subject))
        bad = bool(subject.refusals or subject.errors)
    plan = subject.plan if isinstance(subject, Result) else subject if not isinstance(subject, Validation) else None
    return template.render(
        title=title,
        summary=lines,
        tiles=_tiles(subject),
        large=LARGE,
        made=heading.line(made) if made is not None else "",
        bad=bad,
        style=Markup(STYLE),  # noqa: S704  (ours, and a style element takes no references)
        plan=plan,
        sections=wording.by_org(plan.changes) if plan else (),
        impact=wording.impact(plan.impact) if plan else None,
        result=subject if isinstance(subject, Result) else None,
        problems=subject.diagnostics if isinstance(subject, Validation) else plan.errors if plan else (),
        excerpt=_excerpt,
        merged=merged,
        wording=wording,
        gains=GAINS,
        outcomes=OUTCOMES,
    )


LARGE = 50  # changes from which an org is folded, where there are several


def _tiles(subject: Plan | Result | Validation) -> list[tuple[int, str, bool]]:
    """The numbers that matter most: how many, of what, and whether it is bad news."""
    if isinstance(subject, Validation):
        return [(len(subject.errors), "errors", True), (len(subject.warnings), "warnings", False)]
    if isinstance(subject, Result):
        return [(number, status, status in ("failed", "unconfirmed")) for status, number in subject.counts.items()]
    owners = [wording.direction(effect) for effect in subject.impact if wording.is_ownership(effect)]
    found = [(number, f"to {action}", False) for action, number in subject.counts.items()]
    found += [(owners.count("gain"), "owners gained", False), (owners.count("lose"), "owners lost", True)]
    return [*found, (len(subject.refusals), "refusals", True)]


class _Lines(str):
    """Several lines whose hidden characters are already shown; Jinja2 escapes them like any other text."""

    __slots__ = ()


def _excerpt(found: Diagnostic) -> _Lines:
    """The lines of a diagnostic below its first: the manifest line, the caret, and the second position."""
    return _Lines("".join(text.render_diagnostics([found]).splitlines(keepends=True)[1:]))


@cache
def _template() -> Template:
    try:
        from jinja2 import Environment, StrictUndefined
    except ImportError:
        raise UsageError("the html format needs Jinja2, which comes with the extra reconciler[html]") from None
    environment = Environment(
        autoescape=True,
        finalize=escape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.from_string(TEMPLATE)


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

TEMPLATE = """
{%- macro name(text) %}<code><bdi>{{ text }}</bdi></code>{% endmacro %}
{%- macro plain(text) %}<bdi>{{ text }}</bdi>{% endmacro %}
{%- macro place(source) %}{% if source %} <span class="faint">{{ plain(wording.place(source)) }}</span>{% endif %}{% endmacro %}
{%- macro role(text) %}{% if text is none %}<span class="faint">none</span>{% else %}{{ name(text) }}{% endif %}{% endmacro %}
{%- macro effects(title, found) %}
{% if found %}
<h3>{{ title }}</h3>
<table class="effects">
<thead><tr><th>Who</th><th>What</th><th>Before</th><th>After</th><th>Why</th></tr></thead>
<tbody>
{% for effect in found %}
{% set direction = wording.direction(effect) %}
<tr><td data-label="Who"><span><span class="symbol {{ gains[direction] }}">{{ {"gain": "+", "lose": "-", "change": "~"}[direction] }}</span>{{ name(effect.person) }}</span></td><td data-label="What">{{ name(effect.object) }}</td><td data-label="Before"><span>{{ role(effect.before) }}</span></td><td data-label="After"><span>{{ role(effect.after) }}</span></td><td data-label="Why"><span>{{ plain(effect.why) }}{% if effect.expires %}, {{ wording.until(effect.expires, effect.then) }}{% endif %}{% if effect.invited %}; once the invitation is accepted{% endif %}</span></td></tr>
{% endfor %}
</tbody>
</table>
{% endif %}
{% endmacro %}
{%- macro problem(found) %}
<div class="box {{ "alarm" if found.severity == "error" else "care" }}"><strong>{{ "Error" if found.severity == "error" else "Warning" }}:</strong> {{ plain(found.summary) }}{{ place(found.source) }}
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
<title>reconciler: {{ title }}</title>
<style>{{ style }}</style>
</head>
<body>
<header>
<h1>{{ title }}</h1>
{% for line in summary %}
<p class="summary{{ " bad" if bad and not line.startswith("Plan: ") }}">{{ line }}</p>
{% endfor %}
{% if tiles and (plan is none or plan.changes or plan.refusals) %}
<ul class="tiles">{% for number, what, bad in tiles %}<li{% if bad and number %} class="bad"{% endif %}><strong>{{ number }}</strong>{{ what }}</li>{% endfor %}</ul>
{% endif %}
{% if plan %}
<p class="faint">{{ wording.count(plan.orgs|length, "organization") }} compared with the manifests, for {{ plan.day.isoformat() }}</p>
{% endif %}
{% if made %}
<p class="faint">{{ plain(made) }}</p>
{% endif %}
</header>
<main>
{% if result %}
<h2>Steps</h2>
<table>
<thead><tr><th>Step</th><th>Ended</th><th>What</th><th>Detail</th></tr></thead>
<tbody>
{% for outcome in result.outcomes %}
<tr><td data-label="Step">{{ outcome.number }}</td><td data-label="Ended"><strong class="{{ outcomes[outcome.status] }}">{{ outcome.status }}</strong></td><td data-label="What"><span>{{ outcome.action }} {{ name(outcome.address) }}</span></td><td data-label="Detail">{% if wording.outcome(outcome) %}{{ plain(wording.outcome(outcome)) }}{% endif %}</td></tr>
{% endfor %}
</tbody>
</table>
{% for note in result.notes %}
<div class="box">{{ plain(note) }}</div>
{% endfor %}
{% endif %}
{% if plan %}
{% if plan.refusals %}
<h2>Refused</h2>
{% for group in merged.refusals(plan.refusals) %}
<div class="box alarm">
{%- for refusal in group %}
<strong class="delete">{{ name(refusal.code) }}</strong> {{ name(refusal.address) }}{{ place(refusal.source) }}
<p>{{ plain(wording.sentence(refusal.fact)) }}</p>
{% endfor -%}
<p><strong>To fix:</strong> {{ plain(wording.sentence(group[0].fix)) }}</p>
{% set options = merged.allow_options(group) %}
{% if options %}
<p><strong>To allow {{ "it" if group | length == 1 else "them" }} once:</strong> {{ name(options | join(" ")) }}</p>
{% endif %}
</div>
{% endfor %}
{% endif %}
{% endif %}
{% for found in problems %}
{{ problem(found) }}
{% endfor %}
{% if plan %}
{% for handle in plan.confirm_delete if not result %}
<div class="box alarm">{{ plain(wording.confirmation(handle)) }}</div>
{% endfor %}
{% if plan.impact %}
<h2>{{ "Planned access changes" if result else "Who gains or loses access" }}</h2>
{{ effects("Owners", impact.owners) }}
{{ effects("Access", impact.others) }}
{% endif %}
{% if plan.dns %}
<h2>DNS names that change</h2>
<ul>
{% for change in plan.dns %}
<li>{{ name(change.workspace) }}: <del>{{ name(change.before) }}</del>{% if change.after is none %} is removed{% else %} &rarr; <ins>{{ name(change.after) }}</ins>{% endif %}</li>
{% endfor %}
</ul>
{% endif %}
{% if sections %}
<h2>Changes</h2>
{% if sections|length > 1 %}
<nav class="faint">{% for section in sections %}<a href="#part-{{ loop.index }}">{{ name(section.address) }}</a>{{ ", " if not loop.last }}{% endfor %}</nav>
{% endif %}
{% for section in sections %}
<details id="part-{{ loop.index }}"{% if sections|length == 1 or section.size < large %} open{% endif %}>
<summary><strong>{{ name(section.address) }}</strong></summary>
{% for group in section.groups %}
{% if group.title %}
<h4>{{ plain(group.title) }}: {{ wording.tally(group.changes) }}</h4>
{% endif %}
<ul class="changes">
{% for change in group.changes %}
<li class="change"><span class="symbol {{ change.action }}" title="{{ change.action }}">{{ wording.SYMBOLS[change.action] }}</span>{{ plain(wording.title(change)) }}{% if wording.why(change) %} <span class="why">{{ plain(wording.why(change)) }}</span>{% endif %}

{% set attributes = wording.attributes(change) %}
{% if attributes %}
<dl class="attributes">
{% for attribute in attributes %}
<dt>{{ plain(attribute.name) }}</dt><dd>{% if attribute.before is not none %}{% if attribute.before == "(not set)" %}<span class="faint">(not set)</span>{% else %}<del>{{ plain(attribute.before) }}</del>{% endif %}{% endif %}{% if attribute.before is not none and attribute.after is not none %} &rarr; {% endif %}{% if attribute.after is not none %}<ins>{{ plain(attribute.after) }}</ins>{% endif %}</dd>
{% endfor %}
</dl>
{% endif %}
{% for detail in change.details %}
<p class="why detail">{{ plain(detail) }}</p>
{% endfor %}
</li>
{% endfor %}
</ul>
{% endfor %}
</details>
{% endfor %}
{% endif %}
{% if plan.lifted %}
<h2>Allowed once, by --allow</h2>
{% for refusal in plan.lifted %}
<div class="box care">{{ name(refusal.code) }} {{ name(refusal.address) }}: {{ plain(refusal.fact) }}</div>
{% endfor %}
{% endif %}
{% if plan.warnings or plan.notes %}
<h2>Warnings and notes</h2>
{% for found in plan.warnings %}
{{ problem(found) }}
{% endfor %}
{% for note in plan.notes %}
<div class="box">{{ plain(note) }}</div>
{% endfor %}
{% endif %}
{% if plan.unmanaged %}
<h2>Not managed by these manifests</h2>
<ul>
{% for address in plan.unmanaged %}
<li>{{ name(address) }}</li>
{% endfor %}
</ul>
{% endif %}
{% endif %}
</main>
{% if plan and plan.files %}
<footer>
<details><summary>Made from {{ wording.count(plan.files|length, "manifest") }}</summary>
<ul>
{% for path, sha256 in plan.files %}
<li>{{ name(path) }} <span class="faint">SHA-256 {{ plain(sha256) }}</span></li>
{% endfor %}
</ul>
</details>
</footer>
{% endif %}
</body>
</html>
"""
