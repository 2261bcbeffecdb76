"""What `grant`, `revoke`, `onboard` and `move` share: their options, whom they mean, and what they print."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reconciler import clock
from reconciler.cli import DONE, ERROR, REFUSED, manifests, options, output_files
from reconciler.model.errors import RefusedRunError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import date, datetime

    from reconciler.cli.manifests import Manifests
    from reconciler.editing.edit import Edit
    from reconciler.editing.people import Somebody
    from reconciler.model.desired import Desired
    from reconciler.model.review import Review


@dataclass(frozen=True, slots=True)
class Files:
    """The manifests that an edit starts from, and where its result goes."""

    found: Manifests
    texts: Mapping[str, bytes]
    write: bool
    out: Path | None
    reason: str | None = None  # why, to be written beside what the edit writes

    def make(self, edit: Callable[[], Edit], who: str | None = None) -> int:
        """Run an edit, print or write its patch, and say who gains and loses what, and what `who` reaches afterwards."""
        from reconciler.editing.in_place import CannotEditError
        from reconciler.report.text import escape, render_refusals

        try:
            made = edit()
        except CannotEditError as error:
            click.echo(f"Error: no patch can be made: {escape(str(error))}", err=True)
            return ERROR
        if made.refusals:
            click.echo(render_refusals(made.refusals), nl=False, err=True)
            return REFUSED
        if made.already:
            click.echo(f"Nothing to do: {escape(made.already)}.", err=True)
        else:
            self._give(made)
            if self.reason is not None and not self._has_reason(made):
                made.notes.append("the patch has no place for the reason: write it in the commit message")
        for note in made.notes:
            click.echo(f"Note: {escape(note)}", err=True)
        self._tell(made, who)
        return DONE

    def _has_reason(self, made: Edit) -> bool:
        from reconciler.editing.in_place import scalar

        text = scalar(self.reason).encode()
        return any(data.count(text) > self.texts[name].count(text) for name, data in made.texts.items())

    def _give(self, made: Edit) -> None:
        from reconciler.editing.unified_diff import unified
        from reconciler.report.text import escape

        if self.write:
            for name, data in sorted(made.texts.items()):
                output_files.write_file(Path(name), data.decode(), mode=output_files.SHARED, follow=True, keep=True)
                click.echo(f"{escape(name)}: written.", err=True)
            return
        names = {name: output_files.from_here(name) for name in made.texts}
        patch = unified({names[n]: self.texts[n] for n in names}, {names[n]: data for n, data in made.texts.items()})
        if self.out is not None:
            output_files.write_file(self.out, patch)
        else:
            click.echo(patch.encode(), nl=False)

    def _tell(self, made: Edit, who: str | None) -> None:
        from reconciler import manifest
        from reconciler.access.maps import narrowed, of_desired
        from reconciler.access.review import Side, make_review
        from reconciler.report.access import render
        from reconciler.report.review import lines_of_access
        from reconciler.report.text import escape

        before, lock = self.found.desired, self.found.lock
        after = manifest.load_texts({**self.texts, **made.texts}, today=before.day) if made.texts else before
        review = make_review(Side(before, lock), Side(after, lock))
        for line in lines_of_access(review):
            click.echo(line, err=True)
        if made.texts:
            for line in self._rules(review, after, {**self.texts, **made.texts}):
                click.echo(escape(line), err=True)
        if who is None:
            return
        people = {person.name: person.email for person in after.people.values()}
        shown = narrowed(of_desired(after, lock), people=[who])
        if not shown.assignments:
            said = f"{who} ({people[who]})" if people.get(who) else who
            click.echo(f"{said} reaches nothing by the manifests.", err=True)
        else:
            click.echo(render(shown, "text"), nl=False, err=True)

    def _rules(self, review: Review, after: Desired, texts: Mapping[str, bytes]) -> Iterator[str]:
        """The policies that the edit breaks, and whose consent it needs, where the manifests have either."""
        from msgspec.structs import replace

        from reconciler import manifest
        from reconciler.cli.approvals import later_changes
        from reconciler.cli.review import Compared
        from reconciler.policy import compare, consents
        from reconciler.report import approvals, policies

        before, lock = self.found.desired, self.found.lock
        if before.policies:
            broken = compare.of_review(before, after, lock).new
            yield "Policies:" if broken else "Policies: this breaks none."
            for one in broken:
                first, *more = policies.lines(one)
                yield f"  ! {first}"
                yield from (f"    {line}" for line in more)
        if before.approvals:
            review = replace(review, rules=compare.rule_changes(before, after))
            both = Compared(
                review,
                before,
                after,
                lock,
                lambda day: manifest.load_texts(self.texts, today=day),
                lambda day: manifest.load_texts(texts, today=day),
            )
            needs = consents.judge(
                review, before, after, lock, author="", approved_by=(), later=later_changes(both)
            ).needs
            yield "Approvals:" if needs else "Approvals: this needs none."
            yield from (f"  ! {approvals.wanted(need)}: {need.fact}" for need in needs)


def edit_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """PATH, `--reason`, `--write` and `--out`, passed on as one `files: Files`."""

    @options.paths_argument
    @click.option("--reason", metavar="TEXT", help="Why, written beside what the patch writes.")
    @click.option("--write", is_flag=True, help="Edit the manifests instead of printing a patch.")
    @click.option(
        "--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write the patch to FILE."
    )
    @functools.wraps(command)
    def wrapped(paths: tuple[Path, ...], reason: str | None, write: bool, out: Path | None, **rest: Any) -> Any:
        from reconciler.manifest.files import read_all

        if write and out is not None:
            raise UsageError("--write edits the manifests, so there is no patch for --out")
        found = manifests.load(paths, clock.today())
        texts, _ = read_all(paths)
        return command(files=Files(found, texts, write, out, reason), **rest)

    return wrapped


def until_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--until DAY` and `--for TIME`, passed on as one `expires`: the first day that does not count."""

    @click.option(
        "--until",
        type=click.DateTime(["%Y-%m-%d"]),
        metavar="DAY",
        help="The last day (UTC) on which it counts.",
    )
    @click.option("--for", "days", metavar="DAYS", help="How long it counts, such as 14d or 2w, today included.")
    @functools.wraps(command)
    def wrapped(until: datetime | None, days: str | None, **rest: Any) -> Any:
        return command(expires=_expires(until, days), **rest)

    return wrapped


def _overlap(_ctx: click.Context, _param: click.Parameter, value: str | None) -> date | None:
    return None if value is None else clock.today() + timedelta(days=days_of(value))


overlap_option = click.option(
    "--overlap",
    callback=_overlap,
    metavar="DAYS",
    help="Let them stay in the team that they leave for this time, such as 14d, today included.",
)


def _expires(until: datetime | None, days: str | None) -> date | None:
    if until is not None and days is not None:
        raise UsageError("--until and --for both say when it ends; write one of them")
    if until is None and days is None:
        return None
    today = clock.today()
    expires = until.date() + timedelta(days=1) if until is not None else today + timedelta(days=days_of(days or ""))
    if expires <= today:
        raise UsageError(f"--until {expires - timedelta(days=1)}: that day is over")
    return expires


def days_of(text: str) -> int:
    """`14d`, `2w`, or a number of days. Raises UsageError."""
    import re

    found = re.fullmatch(r"([0-9]{1,4})([dw]?)", text)
    if found is None or int(found[1]) == 0:
        raise UsageError(f"{text} is not a number of days; write it like 14d or 2w")
    return int(found[1]) * (7 if found[2] == "w" else 1)


def who_is(person: str, files: Files, *, new: bool = False) -> Somebody:
    """The person whom the manifests mean. With `new`, a name that resembles none of theirs counts as a Pipes handle.

    Raises UsageError, with near names, for nobody, and RefusedRunError for a word that means two people.
    """
    from reconciler.editing.people import Somebody, everyone, people_called
    from reconciler.manifest import json_schema
    from reconciler.model.diagnostic import Refusal
    from reconciler.model.near import did_you_mean, near

    desired, lock = files.found.desired, files.found.lock
    found = people_called(person, desired, lock)
    if len(found) == 1:
        return found[0]
    if found:
        names = [min(one.names) for one in found]
        raise RefusedRunError(
            Refusal(
                "who-is-this",
                person,
                f"{person} is the name of one person here and the handle of another: {' and '.join(names)}",
                f"say which one by another word: the handle or address of {names[0]}, or the name {names[1]}",
                liftable=False,
            )
        )
    meant = did_you_mean(person, everyone(desired))
    close = near(person, everyone(desired), most=1, cutoff=0.65)
    if new and not close and json_schema.matches(json_schema.schema()["$defs"]["handle"], person):
        click.echo(f"Note: {person} is new to the manifests, and is taken for a Pipes handle", err=True)
        return Somebody(frozenset([person]), frozenset([person]))
    if person.startswith("team/"):
        raise UsageError(f"{person} is a team, and this is about one person; edit what a team has by hand")
    somebody = f"{'' if meant else '.'} For somebody new: `reconciler onboard EMAIL --as NAME`." if new else ""
    raise UsageError(f"{person} is nowhere in the manifests, by name, handle or address{meant}{somebody}")


def called(somebody: Somebody, files: Files) -> str:
    """What the manifests call a person."""
    named = sorted(somebody.names & files.found.desired.people.keys())
    return named[0] if named else min(somebody.names)
