"""Plans, results and validations as one HTML file without scripts or external resources, for screen and paper.

`html_layout.py` has what it shares with the pages of other reports, and how they are escaped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.result import Result
from reconciler.report import Validation, compact, heading, html_layout, merged, wording

if TYPE_CHECKING:
    from reconciler.model.made import Made
    from reconciler.model.plan import Plan

GAINS = {"gain": "create", "lose": "delete", "change": "update"}
OUTCOMES = {"done": "create", "already": "", "unconfirmed": "update", "failed": "delete", "skipped": "update"}


def render(subject: Plan | Result | Validation, made: Made | None = None) -> str:
    """The whole page. Raises UsageError when Jinja2 is not installed."""
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
    shown = compact.unsaid(plan.impact, plan.changes) if plan else ()
    return html_layout.render(
        TEMPLATE,
        title=title,
        summary=lines,
        tiles=_tiles(subject),
        large=LARGE,
        made=heading.line(made) if made is not None else "",
        bad=bad,
        plan=plan,
        sections=wording.by_org(plan.changes) if plan else (),
        shown=shown,
        beyond=plan is not None and len(shown) < len(plan.impact),
        impact=wording.impact(shown),
        reasons={(effect.object, effect.person): effect.why for effect in plan.impact} if plan else {},
        waiting=compact.invited(plan.impact) if plan else (),
        result=subject if isinstance(subject, Result) else None,
        problems=subject.diagnostics if isinstance(subject, Validation) else plan.errors if plan else (),
        merged=merged,
        wording=wording,
        compact=compact,
        gains=GAINS,
        outcomes=OUTCOMES,
    )


LARGE = 50  # changes from which an org is folded, where there are several


def _tiles(subject: Plan | Result | Validation) -> list[tuple[int, str, bool]]:
    """The numbers that matter most: how many, of what, and whether it is bad news."""
    if isinstance(subject, Validation):
        return [(len(subject.errors), "errors", True), (len(subject.warnings), "warnings", False)]
    if isinstance(subject, Result):
        found = [(number, status, status in ("failed", "unconfirmed")) for status, number in subject.counts.items()]
        return [*found, (_owners_lost(subject), "owners lost", True)]
    return wording.plan_tiles(subject)


def _owners_lost(result: Result) -> int:
    """How many owners the steps that are done took from their organizations."""
    done = {outcome.address for outcome in result.outcomes if outcome.status in ("done", "already")}
    members = (c for c in result.plan.changes if c.kind == "member" and c.address in done)
    return sum(1 for c in members if (c.before or {}).get("role") == "owner" != (c.after or {}).get("role"))


TEMPLATE = """
{%- extends "layout" %}
{%- from "problem" import problem %}
{%- from "tiles" import draw %}
{%- macro name(text) %}<code><bdi>{{ text }}</bdi></code>{% endmacro %}
{%- macro plain(text) %}<bdi>{{ text }}</bdi>{% endmacro %}
{%- macro place(source) %}{% if source %} <span class="faint">{{ plain(wording.place(source)) }}</span>{% endif %}{% endmacro %}
{%- macro role(text) %}{% if text is none %}<span class="faint">none</span>{% else %}{{ name(text) }}{% endif %}{% endmacro %}
{%- macro steps(title, found, open) %}
{% if found %}
<details{% if open %} open{% endif %}>
<summary><strong>{{ title }}</strong> <span class="faint">{{ found|length }}</span></summary>
<table class="steps">
<thead><tr><th>Step</th><th>Ended</th><th>What</th><th>Detail</th></tr></thead>
<tbody>
{% for outcome in found %}
<tr><td data-label="Step">{{ outcome.number }}</td><td data-label="Ended"><strong class="{{ outcomes[outcome.status] }}">{{ outcome.status }}</strong></td><td data-label="What"><span>{{ outcome.action }} {{ name(outcome.address) }}</span></td><td data-label="Detail">{% if wording.outcome(outcome) %}{{ plain(wording.outcome(outcome)) }}{% endif %}</td></tr>
{% endfor %}
</tbody>
</table>
</details>
{% endif %}
{% endmacro %}
{%- macro effects(title, found) %}
{% if found %}
<h3>{{ title }}</h3>
<table class="effects">
<thead><tr><th>Who</th><th>What</th><th>Before</th><th>After</th><th>Why</th></tr></thead>
<tbody>
{% for effect, objects in merged.effects(found) %}
{% set direction = wording.direction(effect) %}
<tr><td data-label="Who"><span><span class="symbol {{ gains[direction] }}">{{ {"gain": "+", "lose": "-", "change": "~"}[direction] }}</span>{{ name(effect.person) }}</span></td><td data-label="What"><span>{% for object in wording.brief(effect, objects)[0] %}{{ name(object) }}{{ ", " if not loop.last }}{% endfor %}</span></td><td data-label="Before"><span>{{ role(effect.before) }}</span></td><td data-label="After"><span>{{ role(effect.after) }}</span></td><td data-label="Why"><span>{{ plain(effect.why) }}{% if effect.expires %}, {{ wording.until(effect.expires, effect.then) }}{% endif %}{% if effect.invited %}; once the invitation is accepted{% endif %}</span></td></tr>
{% endfor %}
</tbody>
</table>
{% endif %}
{% endmacro %}
{% block header %}
{% for line in summary %}
<p class="summary{{ " bad" if bad and not line.startswith("Plan: ") }}">{{ line }}</p>
{% endfor %}
{% if tiles and (plan is none or plan.changes or plan.refusals) %}
{{ draw(tiles) }}
{% endif %}
{% if plan %}
<p class="faint">{{ wording.count(plan.orgs|length, "organization") }} compared with the manifests, for {{ plan.day.isoformat() }}</p>
{% endif %}
{% if made %}
<p class="faint">{{ plain(made) }}</p>
{% endif %}
{% if sections|length > 1 %}
<nav class="faint">Changes by organization: {% for section in sections %}<a href="#part-{{ loop.index }}">{{ name(section.address) }}</a> ({{ section.changes|length }}){{ ", " if not loop.last }}{% endfor %}</nav>
{% endif %}
{% endblock %}
{% block main %}
{% if result %}
{% set ended = result.outcomes|selectattr("status", "in", ("done", "already"))|list %}
<h2>Steps</h2>
{{ steps("Not done", result.outcomes|rejectattr("status", "in", ("done", "already"))|list, true) }}
{{ steps("Done", ended, ended|length < large) }}
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
{% if shown %}
<h2>{{ "Planned access changes" if result else "Who gains or loses access" }}</h2>
{{ effects("Owners", impact.owners) }}
{{ effects("Access, beyond the changes below" if beyond else "Access", impact.others) }}
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
{% for section in sections %}
<details id="part-{{ loop.index }}"{% if not result and (sections|length == 1 or section.changes|length < large) %} open{% endif %}>
<summary><strong>{{ name(section.address) }}</strong> <span class="faint">{{ wording.tally(section.changes) }}</span></summary>
{% for group in section.groups %}
{% if group.title %}
<h4>{{ plain(group.title) }}: {{ wording.tally(group.changes) }}</h4>
{% endif %}
<ul class="changes">
{% for change in group.changes %}
<li class="change"><span class="symbol {{ change.action }}" title="{{ change.action }}">{{ wording.SYMBOLS[change.action] }}</span>{{ plain(wording.title(change)) }}{% if wording.why(change) %} <span class="why">{{ plain(wording.why(change)) }}</span>{% endif %}{% if compact.why_access(change, reasons) %} <span class="why">{{ plain(compact.why_access(change, reasons)) }}</span>{% endif %}{% if compact.waits(change, waiting) %} <span class="why">once the invitation is accepted</span>{% endif %}

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
{% endblock %}
{% block footer %}
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
{% endblock %}
"""
