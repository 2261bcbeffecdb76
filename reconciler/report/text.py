"""Plans, results and validations as text for a terminal.

Symbols are ASCII, and colour is used only on request. Every escape sequence in the output is ours: `escape` removes
those in text from outside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.expiring import until
from reconciler.model.late_pattern import late_pattern
from reconciler.model.result import Result
from reconciler.report import Validation, compact, heading, merged, wording
from reconciler.report.escaping import show_hidden
from reconciler.report.repeated_mistakes import grouped, others

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from reconciler.model.diagnostic import Diagnostic, Refusal
    from reconciler.model.made import Made
    from reconciler.model.plan import Change, Effect, Plan

    Paint = Callable[[str, str], str]

CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36", "alarm": "1;31"}
BY_ACTION = {"create": "green", "update": "yellow", "rename": "cyan", "delete": "red"}
BY_DIRECTION = {"gain": ("+", "green"), "lose": ("-", "red"), "change": ("~", "yellow")}
BY_STATUS = {"done": "green", "already": "dim", "unconfirmed": "yellow", "failed": "alarm", "skipped": "yellow"}
WIDEST = 60  # the maximum width of a column, so that one long name does not push the others off the screen
SHORT = 40  # attributes up to this length in total are shown on the line of their change
TALL = frozenset({"org", "workspace"})  # kinds whose attributes are always shown below, one on each line
SCREEN = 40  # lines that are seen at once
EXCERPT = 160  # characters of a manifest line to show; a scalar may be megabytes long

# GitHub's runner reads a line that starts with this, after any spaces, as a command (ActionCommand.cs, TryParseV2).
COMMAND = late_pattern(r"^(\s*)::")


def escape(text: str) -> str:
    r"""`text` on one line, safe for a terminal and a CI log. Hidden characters are shown as `\x1b` or `\u202e`."""
    return COMMAND.sub(r"\1\\::", show_hidden(text))


def render(
    subject: Plan | Result | Validation, *, color: bool = False, verbose: bool = False, made: Made | None = None
) -> str:
    """The whole report. A result shows only its outcomes, because the plan was shown before."""
    paint = _colored if color else _unpainted
    summary = 1
    if isinstance(subject, Validation):
        lines = list(_validation(subject, paint))
    elif isinstance(subject, Result):
        lines = list(_result(subject, paint))
    else:
        lines = list(_plan(subject, paint, verbose=verbose))
        summary = len(wording.summary(subject))
    lines = with_summary_first(lines, summary)
    if made is not None:
        lines = [paint("dim", escape(heading.line(made))), *lines]
    return "\n".join(lines) + "\n"


def with_summary_first(lines: list[str], summary: int) -> list[str]:
    """`lines`, of which the last `summary` sum the others up. A terminal stops there; a file or a log is read from its
    top. So what is longer than a screen says it in both places.
    """
    return [*lines[-summary:], "", *lines] if summary and len(lines) > SCREEN else lines


def render_diagnostics(diagnostics: Sequence[Diagnostic], *, color: bool = False) -> str:
    """Each diagnostic with its position, its manifest line and a caret; many of one kind as one. Empty when there are none."""
    paint = _colored if color else _unpainted
    return "".join(line + "\n" for line in _diagnostics(diagnostics, paint, verbose=False))


def render_refusals(refusals: Sequence[Refusal]) -> str:
    """Each refusal with its address, the fact and how to fix it, as in a plan."""
    return "".join(line + "\n" for refusal in refusals for line in _refusal((refusal,), _unpainted))


def section(found: wording.OrgChanges) -> Iterator[str]:
    """The lines of one org, escaped and without colour, for formats that embed text."""
    yield from (line for line in _section(found, _unpainted, verbose=False) if line)


def _unpainted(_style: str, text: str) -> str:
    return text


def _colored(style: str, text: str) -> str:
    return f"\x1b[{CODES[style]}m{text}\x1b[0m"


def _plan(plan: Plan, paint: Paint, *, verbose: bool) -> Iterator[str]:
    if plan.changes:
        key = "   ".join(
            f"{paint(BY_ACTION[action], symbol)} {action}"
            for action, symbol in wording.SYMBOLS.items()
            if plan.counts[action]
        )
        yield f"Compared {wording.count(len(plan.orgs), 'organization')} with the manifests, for {plan.day.isoformat()}:  {key}"
        yield ""
    waiting = () if verbose else compact.invited(plan.impact)
    for section in wording.by_org(plan.changes):
        if verbose or len(plan.changes) < compact.LARGE:
            yield from _section(section, paint, verbose=verbose, waiting=waiting)
        else:
            yield from _compact(section, paint, waiting)
    if verbose and plan.steps:
        yield from _steps(plan, paint)
    yield from _impact(plan, paint, verbose=verbose)
    if plan.dns:
        yield paint("bold", "DNS names that change:")
        for name in plan.dns:
            yield "  " + escape(wording.dns(name))
        yield ""
    yield from _diagnostics(plan.warnings, paint, verbose=verbose)
    if plan.warnings:
        yield ""
    for note in plan.notes:
        yield f"Note: {escape(note)}"
    if plan.notes:
        yield ""
    if plan.unmanaged:
        yield paint("bold", "Not managed by these manifests:")
        for address in plan.unmanaged:
            yield f"  {escape(address)}"
        yield ""
    yield from _refusals(plan, paint)
    if plan.lifted:
        yield paint("yellow", "Allowed once, by --allow:")
        for refusal in plan.lifted:
            yield f"  {escape(refusal.code)}  {escape(refusal.address)}: {escape(refusal.fact)}"
        yield ""
    yield from _diagnostics(plan.errors, paint, verbose=verbose)
    if plan.errors:
        yield ""
    for handle in plan.confirm_delete:
        yield paint("alarm", escape(wording.confirmation(handle)))
    if plan.confirm_delete:
        yield ""
    for line in wording.summary(plan):
        yield paint("alarm" if line.startswith(("Refused", "Failed")) else "bold", escape(line))


def _compact(section: wording.OrgChanges, paint: Paint, waiting: Collection[tuple[str, str]]) -> Iterator[str]:
    """One org of a large plan: changes that differ in nothing but the name are together."""
    yield paint("bold", escape(section.address))
    for group in section.groups:
        if group.title is not None:
            yield f"  {escape(group.title)}: {wording.tally(group.changes)}"
        single: list[Change] = []
        for found in compact.alike(group.changes):
            if len(found) == 1:
                single += found
                continue
            yield from _changes(single, paint, verbose=False, waiting=waiting)
            single = []
            yield from _alike(found, paint, waiting)
        yield from _changes(single, paint, verbose=False, waiting=waiting)
    yield ""


def _alike(found: Sequence[Change], paint: Paint, waiting: Collection[tuple[str, str]]) -> Iterator[str]:
    first = found[0]
    what = escape(", ".join(map(str, wording.attributes(first))))
    if len(what) > WIDEST:
        what = "alike"
    symbol = paint(BY_ACTION[first.action], wording.SYMBOLS[first.action])
    many = f"{len(found)} {first.kind.replace('_', ' ')}s"
    reasons = [wording.REASONS.get(first.reason, first.reason) if first.reason else "", compact.places(found)]
    reasons += [f"via {first.via}"] if first.via else []
    reasons += [until(first.expires, first.then)] if first.expires else []
    pending = [name for name, change in zip(compact.names(found), found, strict=True) if compact.waits(change, waiting)]
    why = escape(", ".join(filter(None, reasons)))
    yield f"    {symbol} {many}  {what}" + (f"  {paint('dim', '# ' + why)}" if why else "")
    yield from compact.wrapped(map(escape, compact.names(found)), " " * 8)
    if pending:
        yield from compact.wrapped(
            ["once the invitation is accepted: " + escape(pending[0]), *map(escape, pending[1:])], " " * 8
        )


def _section(
    section: wording.OrgChanges, paint: Paint, *, verbose: bool, waiting: Collection[tuple[str, str]] = ()
) -> Iterator[str]:
    yield paint("bold", escape(section.address))
    for group in section.groups:
        if group.title is not None:
            yield f"  {escape(group.title)}: {wording.tally(group.changes)}"
        yield from _changes(group.changes, paint, verbose=verbose, waiting=waiting)
    yield ""


def _changes(
    changes: Sequence[Change], paint: Paint, *, verbose: bool, waiting: Collection[tuple[str, str]] = ()
) -> Iterator[str]:
    """One line for each change, in columns. Attributes that do not fit are on the lines below it."""
    if not changes:
        return
    titles = [escape(wording.title(change)) for change in changes]
    shown = [[escape(str(attribute)) for attribute in wording.attributes(change)] for change in changes]
    joined = [", ".join(attributes) for attributes in shown]
    inline = [
        text if len(text) <= SHORT and change.kind not in TALL else ""
        for text, change in zip(joined, changes, strict=True)
    ]
    wide = min(WIDEST, max(map(len, titles)))
    narrow = max(map(len, inline))
    for change, title, attributes, one in zip(changes, titles, shown, inline, strict=True):
        reason = escape(wording.why(change))
        if compact.waits(change, waiting):
            reason += f"{', ' if reason else ''}once the invitation is accepted"
        cells = f"{title:{wide}}  {one:{narrow}}" if narrow else f"{title:{wide}}"
        line = f"    {paint(BY_ACTION[change.action], wording.SYMBOLS[change.action])} {cells}"
        yield f"{line}  {paint('dim', '# ' + reason)}" if reason else line.rstrip()
        if not one:
            yield from (f"        {attribute}" for attribute in attributes)
        yield from (f"        {escape(detail)}" for detail in change.details)
        if verbose:
            if change.id is not None:
                version = "" if change.version is None else f", version {change.version}"
                yield paint("dim", f"        id {escape(change.id)}{version}")
            yield from (paint("dim", f"        {escape(wording.request(request))}") for request in change.requests)


def _steps(plan: Plan, paint: Paint) -> Iterator[str]:
    yield paint("bold", "Steps:")
    for step in plan.steps:
        after = f", after {', '.join(map(str, step.needs))}" if step.needs else ""
        owners = (
            "" if step.accepted_owners is None else f"; leaves {wording.count(step.accepted_owners, 'accepted owner')}"
        )
        yield f"  {step.number:>4}. {step.action} {escape(step.address)} ({wording.count(len(step.requests), 'request')}{after}{owners})"
    yield ""


def _impact(plan: Plan, paint: Paint, *, verbose: bool) -> Iterator[str]:
    shown = plan.impact if verbose else compact.unsaid(plan.impact, plan.changes)
    if not shown:
        return
    found = wording.impact(shown)
    beyond = "" if len(shown) == len(plan.impact) else ", beyond the lines above"
    if found.owners:  # always all of them
        yield paint("bold", "Who gains or loses access:")
        yield paint("bold", "  Owners")
        yield from _effects(found.owners, paint)
        if found.others:
            yield paint("bold", f"  Access{beyond}")
    else:
        yield paint("bold", f"Who gains or loses access{beyond}:")
    yield from _effects(found.others, paint)
    yield ""


def _effects(found: Sequence[Effect], paint: Paint) -> Iterator[str]:
    for effect, objects in merged.effects(found):
        symbol, style = BY_DIRECTION[wording.direction(effect)]
        yield f"    {paint(style, symbol)} {escape(wording.effect(effect, objects))}"


def _refusals(plan: Plan, paint: Paint) -> Iterator[str]:
    for group in merged.refusals(plan.refusals):
        yield from _refusal(group, paint)
        yield ""


def _refusal(group: Sequence[Refusal], paint: Paint) -> Iterator[str]:
    """Refusals that are fixed in the same way; most are alone."""
    for number, refusal in enumerate(group):
        where = f"  ({escape(wording.place(refusal.source))})" if refusal.source else ""
        code = paint("alarm", "Refused: " + escape(refusal.code))
        yield f"{code}  {paint('bold', escape(refusal.address))}{where}"
        if number + 1 == len(group) or group[number + 1].fact != refusal.fact:  # print a shared fact once
            yield f"  {escape(wording.sentence(refusal.fact))}"
    yield f"  To fix: {escape(wording.sentence(group[0].fix))}"
    options = merged.allow_options(group)
    if options:
        yield f"  To allow {'it' if len(group) == 1 else 'them'} once: {escape(' '.join(options))}"


def _diagnostic(found: Diagnostic, paint: Paint) -> Iterator[str]:
    where = f"{escape(str(found.source))}: " if found.source else ""
    style = "alarm" if found.severity == "error" else "yellow"
    yield f"{paint('bold', where)}{paint(style, escape(found.severity) + ':')} {escape(found.summary)}"
    hint = escape(found.hint) if found.hint else ""
    if found.source and found.text is not None:
        yield from _excerpt(found, hint, paint)
    elif hint:
        yield f"    {hint}"
    for line in found.below:
        yield f"      {escape(line)}"
    if found.also:
        yield f"    {escape(found.also_is)}: {escape(str(found.also))}"


def _diagnostics(found: Sequence[Diagnostic], paint: Paint, *, verbose: bool) -> Iterator[str]:
    """Each with its line; without `verbose`, many of one kind as one."""
    groups = [(one, ()) for one in found] if verbose else grouped(found)
    for first, more in groups:
        yield from _diagnostic(first, paint)
        yield from _more(first, more)


def _more(first: Diagnostic, more: tuple[Diagnostic, ...]) -> Iterator[str]:
    if more:
        yield f"    {escape(others(first, more))}"


def _excerpt(found: Diagnostic, hint: str, paint: Paint) -> Iterator[str]:
    """The manifest line with a caret below it, placed correctly even where escapes are wider than their character."""
    assert found.source is not None
    text = found.text or ""
    at = min(max(found.source.column - 1, 0), len(text))
    start = max(at - EXCERPT // 2, 0) if len(text) > EXCERPT else 0
    end = min(start + EXCERPT, len(text))
    before, after = "..." if start else "", "..." if end < len(text) else ""
    indent = len(before + show_hidden(text[start:at]))
    marked = max(len(show_hidden(text[at : min(at + max(found.length, 1), end)])), 1)
    yield f"{paint('dim', f'{found.source.line:>5} |')} {before}{show_hidden(text[start:end])}{after}".rstrip()
    yield f"{paint('dim', '      |')} {' ' * indent}{paint('alarm', '^' * marked)}{' ' + hint if hint else ''}"


def _result(result: Result, paint: Paint) -> Iterator[str]:
    names = wording.outcome_names(result)
    wide = min(WIDEST, max((len(escape(name)) for name in names), default=0))
    # failed steps come last, next to the summary, where hundreds of skipped ones cannot hide them
    last = {"skipped": 1, "failed": 2}
    later = {change.address: until(change.expires, change.then) for change in result.plan.changes if change.expires}
    ordered = sorted(zip(result.outcomes, names, strict=True), key=lambda pair: last.get(pair[0].status, 0))
    for outcome, name in ordered:
        symbol = wording.SYMBOLS.get(outcome.action, " ")
        detail = escape(wording.outcome(outcome) or later.get(outcome.address, ""))
        status = paint(BY_STATUS[outcome.status], f"{outcome.status:7}")
        line = f"{status} {outcome.number:>4}  {symbol} {escape(name):{wide}}"
        yield f"{line}  {detail}" if detail else line.rstrip()
    if result.outcomes:
        yield ""
    for note in result.notes:
        yield f"Note: {escape(note)}"
    if result.notes:
        yield ""
    summary = wording.result_summary(result)
    yield paint("bold" if summary.startswith("Applied: ") else "alarm", summary)


def _validation(validation: Validation, paint: Paint) -> Iterator[str]:
    yield from _diagnostics(validation.diagnostics, paint, verbose=False)
    if validation.diagnostics:
        yield ""
    for note in validation.notes:
        yield f"Note: {escape(note)}"
    if validation.notes:
        yield ""
    yield paint("alarm" if validation.errors else "bold", wording.validation_summary(validation))
