"""Markdown for one pull-request comment: the important parts visible, the details folded, never longer than the limit.

GitHub accepts 65,536 characters in a comment. A longer report loses detail first, and says so; owners, removals,
refusals and errors stay. Details are in fenced blocks, where nothing is markup. Names are code spans, which GitHub's
filters for @mentions, #references, emoji and bare links skip (GitHub Flavored Markdown Spec; html-pipeline).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from reconciler.model.result import Result
from reconciler.report import Validation, heading, merged, text, wording
from reconciler.report.escaping import show_hidden

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from reconciler.model.diagnostic import Diagnostic
    from reconciler.model.made import Made
    from reconciler.model.plan import Change, Effect, Plan

LIMIT = 65_535
LONGEST = 2_000  # characters of one string from outside, such as a server's error page
SHORTEST = 80

MARKUP = re.compile(r"([\\`*_\[\]<>&|~$!])")
# At the start of an item, these would begin a list, a heading or a rule; spaces would begin a block of code.
START = re.compile(r"^(\d*)([-+=.)])")
# GitHub and GitLab look for these in the rendered text, where backslashes no longer help: mentions, references to issues,
# commits, labels and milestones, emoji, bare links. They skip code spans. They would also skip a zero-width space, but
# that is one of the hidden characters that we make visible.
FILTERED = re.compile(
    r"(https?://|ftp://|mailto:|xmpp:|www\.|[@#]|\bGH-(?=\d)|:(?=[\w+-]+:)|\b[0-9a-f]{7,64}\b|(?<!\w)[!~%&$^](?=\w))",
    re.IGNORECASE,
)
SYMBOL = re.compile(r"^    ([-+~>])(?= )")
ELSEWHERE = "Use --format text to see everything."
BACKTICKS = re.compile(r"`+")


def escape(raw: str, longest: int = LONGEST) -> str:
    """`raw` as literal text in a paragraph or a list item: on one line, without markup, mentions or links."""
    return START.sub(r"\1\\\2", inline(raw, longest).lstrip())


def inline(raw: str, longest: int = LONGEST) -> str:
    """The same for text that is not at the beginning; the spaces around it stay."""
    parts = FILTERED.split(_clip(show_hidden(raw), longest))
    # split() with one group gives text and matches in turn.
    return "".join(_span(part) if index % 2 else MARKUP.sub(r"\\\1", part) for index, part in enumerate(parts))


def code(raw: str, longest: int = LONGEST) -> str:
    """`raw` as a code span: for names, addresses and values. Not for table cells, which `|` would still divide."""
    return _span(_clip(show_hidden(raw), longest))


def fenced(lines: Iterable[str]) -> list[str]:
    """Lines that are already escaped as text, in a block that GitHub colours like a diff."""
    body = list(lines)
    fence = "`" * max(3, 1 + max((len(run) for line in body for run in BACKTICKS.findall(line)), default=0))
    return [f"{fence}diff", *body, fence]


def _span(shown: str) -> str:
    if not shown.strip():
        return "` `" if shown else "(empty)"
    fence = "`" * (1 + max((len(run) for run in BACKTICKS.findall(shown)), default=0))
    # Renderers remove one space on each side; without it, a backtick at an end would join the fence.
    pad = " " if shown[0] in "` " or shown[-1] in "` " else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def _clip(shown: str, longest: int) -> str:
    return shown if len(shown) <= longest else f"{shown[:longest]}… ({len(shown) - longest} more characters)"


def render(subject: Plan | Result | Validation, *, limit: int = LIMIT, made: Made | None = None) -> str:
    """The whole report in at most `limit` characters; its head says where it comes from (`made`).

    A report that would be longer loses, in this order: the folded details, from the longest; all but ten each of the
    notes, warnings and unmanaged objects; the reasons behind gains, then behind owners, removals and refusals, of which
    place, role and names remain. It says at the top what it left out. Only where the bare names alone are too many does
    it stop among them, those who gain access last, and says how many more lines there are.
    """

    def build(level: int) -> _Parts:
        parts = _build(subject, level)
        if made is not None:
            parts.head += ["", inline(heading.line(made))]
        return parts

    return fitted(build, limit)


def fitted(build: Callable[[int], _Parts], limit: int) -> str:
    """The most complete report, from level 0 (everything) to 3 (names only), that has at most `limit` characters."""
    for level in range(4):
        parts = build(level)
        parts.limit = limit
        if level == 0:
            _drop_details(parts)
        found = parts.text()
        if len(found) <= limit:
            return found
    return _stop(parts)


class _Parts(msgspec.Struct):
    """A report before it is put together; `must` comes before `rest`, and loses lines only once that has none left."""

    head: list[str]
    must: list[str] = msgspec.field(default_factory=list)
    rest: list[str] = msgspec.field(default_factory=list)
    details: list[tuple[str, list[str]]] = msgspec.field(default_factory=list)  # what one is called, and its lines
    left_out: list[str] = msgspec.field(default_factory=list)
    limit: int = LIMIT

    def notice(self, missing: str = "") -> list[str]:
        """What a reader has to know before reading: that this is not everything. `missing` says how much was cut off."""
        if not (self.left_out or missing):
            return []
        where = "one comment" if self.limit <= LIMIT else "a job summary"
        parts = [f"Too long for {where}."]
        if self.left_out:
            parts.append(f"Left out: {'; '.join(self.left_out)}.")
        parts.append(missing or ELSEWHERE)
        return ["", f"_{' '.join(parts)}_"]

    def text(self) -> str:
        lines = [*self.head, *self.notice(), *self.must, *self.rest]
        for _, block in self.details:
            lines += ["", *block]
        return "\n".join(lines).strip("\n") + "\n"


def _drop_details(parts: _Parts) -> None:
    while parts.details and len(parts.text()) > parts.limit:
        longest = max(parts.details, key=lambda detail: sum(map(len, detail[1])))
        parts.details.remove(longest)
        parts.left_out.append(f"the details of {longest[0]}")


def _stop(parts: _Parts) -> str:
    """As many whole lines as fit; the top and the end say how many do not."""

    def how_many_more(number: int) -> str:
        return f"**{wording.count(number, 'more line')} did not fit. {ELSEWHERE}**"

    def whole(kept: list[str]) -> str:
        missing = how_many_more(sum(1 for line in lines[len(kept) :] if line))
        return "\n".join([*parts.head, *parts.notice(missing), *kept, "", missing]) + "\n"

    lines = [*parts.must, *parts.rest]
    room = parts.limit - len(whole([]))
    kept: list[str] = []
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            break
        kept.append(line)
    while kept and not kept[-1].startswith(("-", "|", ">")):
        kept.pop()  # a title without its lines
    return whole(kept)


def _build(subject: Plan | Result | Validation, level: int) -> _Parts:
    if isinstance(subject, Validation):
        return _validation(subject, level)
    if isinstance(subject, Result):
        return _result(subject, level)
    return _plan(subject, level)


def _plan(plan: Plan, level: int) -> _Parts:
    first, *more = wording.summary(plan)
    parts = _Parts([f"### {escape(first)}", *(line for text_ in more for line in ("", escape(text_)))])
    parts.must += _against(plan, level)
    _impact(parts, plan, level)
    if plan.dns:
        parts.must += [
            "",
            "**DNS names that change**",
            "",
            *_few([f"- {escape(wording.dns(name))}" for name in plan.dns], level),
        ]
    if plan.lifted:
        lifted = [
            f"- {code(r.code)} {code(r.address)}: {escape(r.fact, SHORTEST if level > 2 else LONGEST)}"
            for r in plan.lifted
        ]
        parts.must += ["", "**Allowed once, by --allow**", "", *lifted]
    _remarks(parts, "Warnings", [_diagnostic(warning) for warning in plan.warnings], level)
    _remarks(parts, "Notes", [f"- {escape(note)}" for note in plan.notes], level)
    _remarks(parts, "Not managed by these manifests", [f"- {code(address)}" for address in plan.unmanaged], level)
    if level == 0:
        parts.details += [_folded_section(section) for section in wording.by_org(plan.changes)]
    elif plan.changes:
        parts.left_out.insert(0, "the details of every organization")
    return parts


def _result(result: Result, level: int) -> _Parts:
    parts = _Parts([f"### {escape(wording.result_summary(result))}"])
    for status, title in (("failed", "Failed"), ("unconfirmed", "Not confirmed"), ("skipped", "Skipped")):
        found = [outcome for outcome in result.outcomes if outcome.status == status]
        if not found:
            continue
        if level > 2:
            lines = _names(outcome.address for outcome in found)
        else:
            lines = [
                f"- Step {o.number}: {escape(o.action)} {code(o.address)}: {escape(wording.outcome(o), LONGEST if level < 2 else SHORTEST)}"
                for o in found
            ]
        parts.must += ["", f"**{title}**", "", *lines]
    _remarks(parts, "Notes", [f"- {escape(note)}" for note in result.notes], level)
    if result.plan.impact:
        parts.must += ["", "#### Planned access changes"]
        _impact(parts, result.plan, level)
    if level == 0:
        lines = [line for line in text.render(result).split("\n")[: len(result.outcomes)] if line]
        if lines:
            parts.details.append(_folded("every step", f"{wording.count(len(lines), 'step')}", lines))
    elif result.outcomes:
        parts.left_out.insert(0, "every step")
    return parts


def _validation(validation: Validation, level: int) -> _Parts:
    parts = _Parts([f"### {escape(wording.validation_summary(validation))}"])
    errors = [_diagnostic(error, LONGEST if level < 2 else SHORTEST) for error in validation.errors]
    if errors:
        parts.must += ["", "**Errors**", "", *errors]
    _remarks(parts, "Warnings", [_diagnostic(warning) for warning in validation.warnings], level)
    _remarks(parts, "Notes", [f"- {escape(note)}" for note in validation.notes], level)
    if level == 0 and validation.diagnostics:
        lines = text.render_diagnostics(validation.diagnostics).rstrip("\n").split("\n")
        parts.details.append(_folded("the lines", "The lines", lines))
    elif validation.diagnostics:
        parts.left_out.insert(0, "the manifests' lines")
    return parts


def _against(plan: Plan, level: int) -> list[str]:
    """Refusals, errors and deletions to confirm, in a box that stands out."""
    lines: list[str] = []
    if level > 2:
        for kind in dict.fromkeys(refusal.code for refusal in plan.refusals):
            found = [refusal for refusal in plan.refusals if refusal.code == kind]
            lines += [f"- **Refused:** {code(kind)}", *("  " + line for line in _names(r.address for r in found))]
    else:
        for group in merged.refusals(plan.refusals):
            for refusal in group:
                where = f" ({code(wording.place(refusal.source))})" if refusal.source else ""
                fact = escape(wording.sentence(refusal.fact))
                lines.append(f"- **Refused:** {code(refusal.code)} {code(refusal.address)}{where}: {fact}")
            options = merged.allow_options(group)
            it = "it" if len(group) == 1 else "them"
            lines[-1] += f" **To fix:** {escape(wording.sentence(group[0].fix))}"
            lines[-1] += f" **To allow {it} once:** {' '.join(map(code, options))}" if options else ""
    lines += [_diagnostic(error, LONGEST if level < 2 else SHORTEST) for error in plan.errors]
    lines += [f"- {escape(wording.confirmation(handle))}" for handle in plan.confirm_delete]
    return ["", "> [!CAUTION]", *(f"> {line}" for line in lines)] if lines else []


def _impact(parts: _Parts, plan: Plan, level: int) -> None:
    found = wording.impact(plan.impact)
    losing = [effect for effect in found.others if wording.direction(effect) == "lose"]
    changing = [effect for effect in found.others if wording.direction(effect) == "change"]
    gaining = [effect for effect in found.others if wording.direction(effect) == "gain"]
    deleted = wording.losses_not_in_impact(plan)
    if level > 2:
        gained = [effect for effect in found.owners if wording.direction(effect) == "gain"]
        lost = [effect for effect in found.owners if wording.direction(effect) == "lose"]
        parts.must += _bare("Owners lost", lost) + _bare("Owners gained", gained)
        parts.must += _bare("Access gained: owners", [effect for effect in gaining if effect.after == "owner"])
        parts.must += _listed("Deleted", _names(change.address for change in deleted))
        parts.must += _bare("Access lost", losing)
    else:
        parts.must += _listed("Owners", _effects(found.owners))
        parts.must += _listed("Deleted", [_deleted(change) for change in deleted])
        parts.must += _listed("Access lost", _effects(losing))
    if level < 2:
        # A role that is changed may be a loss as well; it stays as long as the reasons do.
        parts.must += _listed("Access changed", _effects(changing))
        parts.rest += _listed("Access gained", _effects(gaining))
    else:
        parts.must += _bare("Access changed", changing)
        others = [effect for effect in gaining if level < 3 or effect.after != "owner"]
        parts.rest += _bare("Access gained", others)


def _listed(title: str, lines: Sequence[str]) -> list[str]:
    return ["", f"**{title}**", "", *lines] if lines else []


def _bare(title: str, effects: Sequence[Effect]) -> list[str]:
    return _listed(title, by_place("", [(wording.brief(effect), effect.person) for effect in effects]))


def by_place(symbol: str, entries: Iterable[tuple[tuple[tuple[str, ...], tuple[str, ...]], str]]) -> list[str]:
    """`- acme/prod, reader: bob, carol`: names by where and as what, owners first, several on each line, so that a long
    list can be cut between lines. An entry is ((places, roles), name); two roles are the one before and the one after.
    """
    names: dict[tuple[tuple[str, ...], tuple[str, ...]], list[str]] = {}
    for at, name in entries:
        names.setdefault(at, []).append(name)
    lines = []
    for (places, roles), people in sorted(names.items(), key=lambda found: "owner" not in found[0][1]):
        where = ", ".join(code(place, SHORTEST) for place in places)
        role = " → ".join(code(role, SHORTEST) for role in roles)
        start = f"- {symbol}{f'{where}, {role}' if role else where}: "
        lines += [start + line.removeprefix("- ") for line in _names(people)]
    return lines


def _names(names: Iterable[str], a_line: int = 50) -> list[str]:
    shown = [code(name, SHORTEST) for name in names]
    return ["- " + ", ".join(shown[at : at + a_line]) for at in range(0, len(shown), a_line)]


def _few(lines: Sequence[str], level: int) -> list[str]:
    if level == 0 or len(lines) <= 10:
        return list(lines)
    return [*lines[:10], f"- and {len(lines) - 10} more"]


def _remarks(parts: _Parts, title: str, lines: Sequence[str], level: int) -> None:
    shown = _few(lines, level)
    if level > 1 and shown:
        parts.left_out.append(f"{title.lower()} ({len(lines)})")
        return
    parts.rest += _listed(title, shown)


def _effects(found: Sequence[Effect]) -> list[str]:
    return [f"- {wording.effect(effect, objects, name=code, text=escape)}" for effect, objects in merged.effects(found)]


def _deleted(change: Change) -> str:
    why = wording.why(change)
    return f"- {code(change.address)}" + (f" ({escape(why)})" if why else "")


def _diagnostic(found: Diagnostic, longest: int = LONGEST) -> str:
    where = f"{code(str(found.source))}: " if found.source else ""
    hint = f" {escape(wording.sentence(found.hint[:1].upper() + found.hint[1:]), longest)}" if found.hint else ""
    below = "".join(f" {code(line)}" for line in found.below)
    also = f"{below} {found.also_is.capitalize()}: {code(str(found.also))}." if found.also else below
    return f"- **{found.severity.capitalize()}:** {where}{escape(wording.sentence(found.summary), longest)}{hint}{also}"


def _folded_section(section: wording.OrgChanges) -> tuple[str, list[str]]:
    lines = list(text.section(section))[1:]
    # GitHub colours a line of a diff by its first character; it knows `!` for a change, not `~`.
    lines = [SYMBOL.sub(lambda match: "!" if match[1] == "~" else match[1], line) for line in lines]
    return _folded(
        code(section.address, SHORTEST),
        f"<code>{_html(section.address)}</code>: {wording.tally(section.changes)}",
        lines,
    )


def _folded(name: str, summary: str, lines: Iterable[str]) -> tuple[str, list[str]]:
    return name, [f"<details><summary>{summary}</summary>", "", *fenced(lines), "", "</details>"]


def _html(raw: str) -> str:
    import html

    return html.escape(_clip(show_hidden(raw), SHORTEST))
