"""`reconciler review`: what a pull request changes, from two revisions or folders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from reconciler import clock
from reconciler.cli import made, manifests, options
from reconciler.model.errors import ManifestError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date, datetime
    from pathlib import Path

    from reconciler.model.desired import Desired
    from reconciler.model.diagnostic import Diagnostic
    from reconciler.model.live import Lock
    from reconciler.model.review import Review

WORKING = "the working tree"


@click.command(short_help="Show what a pull request changes, offline.")
@click.argument("base", metavar="BASE")
@click.argument("head", metavar="[HEAD]", required=False)
@options.compared_options
@click.option("--detailed-exitcode", is_flag=True, help="Exit 2 when there are changes.")
@click.option("-v", "--verbose", is_flag=True, help="All details.")
@options.expiring_option
@options.day_option
@options.dotenv_option
@options.output_options
def command(
    base: str,
    head: str | None,
    paths: tuple[Path, ...],
    merge_base: bool,
    detailed_exitcode: bool,
    verbose: bool,
    expiring: int,
    day: datetime | None,
    dotenv: Path | None,
    output: options.Output,
) -> int:
    """Show what HEAD changes over BASE: who gains and who loses which access, and what it states.

    BASE and HEAD are git revisions of the repository that the current folder is in, or folders; without HEAD the files
    as they are now are compared. Needs neither network nor token, and runs nothing of either side.
    """
    from reconciler.cli import CHANGES, DONE, ERROR
    from reconciler.history import revision

    when = day.date() if day else clock.today()
    if merge_base:
        shown, base = f"{base} (where {head or 'HEAD'} left it)", revision.merge_base(base, head or "HEAD")
    else:
        shown = base
    result = compare(base, shown, head, paths, when, expiring).review
    output.write(result, verbose=verbose, made=made.now(paths))
    options.write_dotenv(dotenv, result)
    if result.errors or result.inherited or result.identity_errors:
        return ERROR
    return CHANGES if detailed_exitcode and not result.is_empty else DONE


@dataclass(frozen=True, slots=True)
class Compared:
    """A review with the manifests of both sides, and how to read these as of another day."""

    review: Review  # what changes
    base: Desired  # on the day of the review
    head: Desired  # the same
    base_lock: Lock  # who is who by BASE
    load_base: Callable[[date], Desired]  # on another day; raises ManifestError
    load_head: Callable[[date], Desired]  # the same


def compare(base: str, shown: str, head: str | None, paths: Sequence[Path], day: date, soon: int) -> Compared:
    """Compare two revisions or folders. With errors in HEAD, only the review's errors are there."""
    from msgspec.structs import replace

    from reconciler import manifest
    from reconciler.access.expiring import ending, expiring
    from reconciler.access.review import Side, endings, make_review, nothing
    from reconciler.history import revision
    from reconciler.model.review import Review

    before, base_errors = _base(base, paths, day)
    label = head if head is not None else WORKING
    try:
        texts = revision.texts(head, paths) if head is not None else revision.working(paths)
        pictures = revision.pictures(head if head is not None else ".")
        after = manifest.load_texts(texts, today=day, pictures=pictures)
        head_lock = revision.lock(head, paths, after)
    except ManifestError as error:
        known = {_fact(found) for found in base_errors}
        errors = [found for found in error.diagnostics if found.severity == "error"]
        review = Review(
            shown,
            label,
            day,
            errors=tuple(found for found in errors if _fact(found) not in known),
            inherited=tuple(found for found in errors if _fact(found) in known),
            warnings=tuple(found for found in error.diagnostics if found.severity != "error"),
            base_errors=tuple(base_errors),
        )
        return Compared(review, before or nothing(day), nothing(day), {}, nothing, nothing)
    earlier = before if before is not None else nothing(day)
    ends = endings(earlier, after)

    def load(on: date) -> Desired:
        return manifest.load_texts(texts, today=on, pictures=pictures)

    later = manifests.later(ends, load)
    near = ending(after, soon)
    near_later = {on: later[on] for on in near if on in later} | manifests.later(
        [on for on in near if on not in later], load
    )
    base_lock, notes = _base_lock(base, paths, before)
    if len(ends) > manifests.ENDINGS:
        notes.append(
            f"entries end on {len(ends)} days; what remains after the first {manifests.ENDINGS} of them was looked at"
        )
    review = make_review(Side(earlier, base_lock, shown), Side(after, head_lock, label), later)
    review = replace(
        review,
        base_errors=tuple(base_errors),
        notes=(*notes, *review.notes),
        expiring=expiring(after, soon, near_later),
        one_person=tuple(_one_person(after, base_lock, head_lock)),
    )
    judged = _judged(review, earlier, after, base_lock, soon)

    def load_base(on: date) -> Desired:
        return manifest.load_texts(
            revision.texts(base, paths, missing_ok=True), today=on, pictures=revision.pictures(base)
        )

    return Compared(judged, earlier, after, base_lock, load_base, load)


def _judged(review: Review, base: Desired, head: Desired, base_lock: Lock, soon: int) -> Review:
    """The review with what it means for policies, approvals and other rules, and with its risk."""
    from msgspec.structs import replace

    from reconciler.policy import risk
    from reconciler.policy.compare import of_review, people_changed, rule_changes

    rules, violations = rule_changes(base, head), None
    if base.policies or head.policies:
        violations = of_review(base, head, base_lock, soon=soon)
    found = replace(review, rules=rules, violations=violations)
    return replace(found, risk=risk.of_review(found, rules=people_changed(base, head)))


def _base(base: str, paths: Sequence[Path], day: date) -> tuple[Desired | None, Sequence[Diagnostic]]:
    """BASE's manifests, or None and why they cannot be used, which is not the pull request's fault."""
    from reconciler import manifest
    from reconciler.history import revision

    try:
        return manifest.load_texts(
            revision.texts(base, paths, missing_ok=True), today=day, pictures=revision.pictures(base)
        ), ()
    except ManifestError as error:
        return None, [found for found in error.diagnostics if found.severity == "error"]


def _fact(found: Diagnostic) -> tuple[str, str]:
    return found.summary, found.source.file if found.source else ""


def _one_person(head: Desired, base_lock: Lock, head_lock: Lock) -> list[Diagnostic]:
    """Two names of one account in HEAD, by either lock file."""
    from reconciler.plan.identity import two_names

    return list(dict.fromkeys([*two_names(head, base_lock), *two_names(head, head_lock)]))


def _base_lock(base: str, paths: Sequence[Path], before: Desired | None) -> tuple[Lock, list[str]]:
    """BASE's lock file. One that cannot be used is reported and counts as empty: that is not the pull request's fault."""
    from reconciler.history import revision

    try:
        return revision.lock(base, paths, before), []
    except ManifestError as error:
        return {}, [f"{base} has no lock file that can be used: {error.diagnostics[0].summary}"]
