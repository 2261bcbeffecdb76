"""`reconciler approvals`: whose consent a pull request needs, and whether it has it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from reconciler import clock
from reconciler.cli import made, manifests, options
from reconciler.model.errors import ManifestError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime
    from pathlib import Path

    from reconciler.cli.review import Compared
    from reconciler.model.review import AccessChange

FAR = 1_000_000  # days: every entry that ends some day


@click.command(short_help="Show whose approval a pull request needs.")
@click.argument("base", metavar="BASE")
@click.argument("head", metavar="[HEAD]", required=False)
@click.option("--author", required=True, metavar="LOGIN", help="Who wrote the pull request.")
@click.option("--approved-by", "approved_by", multiple=True, metavar="LOGIN", help="Who approved it. May be repeated.")
@click.option(
    "--logins",
    "forge",
    type=click.Choice(["github", "gitlab"]),
    help="Whose logins these are. Default: gitlab in a job of GitLab, github in one of GitHub, else either.",
)
@options.compared_options
@options.day_option
@options.output_options
def command(
    base: str,
    head: str | None,
    author: str,
    approved_by: tuple[str, ...],
    forge: str | None,
    paths: tuple[Path, ...],
    merge_base: bool,
    day: datetime | None,
    output: options.Output,
) -> int:
    """Show for each change of HEAD over BASE whose consent it needs by the `approvals:` of BASE, and whose is missing.

    BASE and HEAD are as for `review`. Exits 0 if the approvals are enough or BASE asks for none, 3 if one is missing, and
    1 if the manifests of either are not valid. Needs neither network nor token, and runs nothing of either side.
    """
    from reconciler.cli import DONE, ERROR, REFUSED
    from reconciler.cli.review import compare
    from reconciler.history import revision
    from reconciler.model.approvals import Consents

    when = day.date() if day else clock.today()
    shown = base
    if merge_base:
        shown, base = f"{base} (where {head or 'HEAD'} left it)", revision.merge_base(base, head or "HEAD")
    found = compare(base, shown, head, paths, when, 0)
    review = found.review
    if review.base_errors:
        raise ManifestError(review.base_errors)
    if review.errors or review.inherited or review.identity_errors:
        output.write(review, made=made.now(paths))
        return ERROR
    if not found.base.approvals:
        output.write(
            Consents(review.base, review.head, author, (), (), review.risk, applies=False), made=made.now(paths)
        )
        return DONE
    from reconciler.policy import consents

    result = consents.judge(
        review, found.base, found.head, found.base_lock,
        author=author, approved_by=approved_by, forge=forge if forge is not None else _forge(), later=later_changes(found),
    )  # fmt: skip
    output.write(result, made=made.now(paths))
    return REFUSED if result.missing else DONE


def _forge() -> str:
    if os.environ.get("GITLAB_CI"):
        return "gitlab"
    return "github" if os.environ.get("GITHUB_ACTIONS") else ""


def later_changes(found: Compared) -> Mapping[date, Sequence[AccessChange]]:
    """What changes in access on the days on which entries of either side end: an entry may take over on such a day."""
    from reconciler.access.expiring import ending
    from reconciler.access.review import access_on
    from reconciler.model.desired import Desired

    if found.review.is_empty:
        return {}
    days = sorted({*ending(found.base, FAR), *ending(found.head, FAR)})
    # the last day represents all days after it
    chosen = list(dict.fromkeys([*days[: manifests.ENDINGS - 1], *days[-1:]]))
    later: dict[date, Sequence[AccessChange]] = {}
    before, after = (manifests.later(chosen, load) for load in (found.load_base, found.load_head))
    for day in chosen:
        was, now = before[day], after[day]
        if isinstance(was, Desired) and isinstance(now, Desired):
            later[day] = access_on(was, now, found.base_lock)
    return later
