"""`apply --due`: what the ends of entries ask for, apart from everything else that the manifests say."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from reconciler import clock

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from reconciler.cli.manifests import Manifests
    from reconciler.cli.options import Output
    from reconciler.model.desired import Desired
    from reconciler.model.live import Lock, Snapshot
    from reconciler.model.made import Made
    from reconciler.model.plan import Plan

NOTHING = "Nothing is due."
_KEY = re.compile(rb"expires[\"']?\s*:")
_OTHERWISE = re.compile(rb"\\[xuU\r\n]|\0")  # escapes that could spell the key, and another encoding
_COMMENT = re.compile(rb"^[ \t]*#[^\"'\r\n]*$", re.MULTILINE)  # a quote may end a text that only looks like one
_EXPIRES = re.compile(rb"expires[\"']?[ \t]*:[ \t]*[\"']?([0-9]{4}-[0-9]{2}-[0-9]{2})")


def may_be_due(paths: Sequence[Path]) -> bool:
    """Whether any entry may have ended, by a look at the text. A manifest that hides an end from that look counts as one."""
    from reconciler.manifest.files import read_all

    texts, problems = read_all(paths)
    today = clock.today().isoformat().encode()
    if problems:
        return True  # reading them properly reports what is wrong
    return any(_may_be_due(data, today) for data in texts.values())


def _may_be_due(data: bytes, today: bytes) -> bool:
    if _OTHERWISE.search(data):
        return True
    # Every mention is a day that can be compared, or the file is read whole. Where an anchor or a `?` could make a key of
    # any text, every mention counts; else those in comments and in texts do not.
    if b"&" in data or b"?" in data:
        mentions = data.count(b"expires")
    else:
        data = _COMMENT.sub(b"", data)
        mentions = len(_KEY.findall(data))
    days = _EXPIRES.findall(data)
    return len(days) != mentions or any(day <= today for day in days)


def tell_nothing(desired: Desired, output: Output, head: Made) -> None:
    """Report that nothing is due, in the format that was asked for."""
    from reconciler.cli.manifests import empty_plan
    from reconciler.cli.output_files import write_file
    from reconciler.model.result import Result

    if output.format != "text":
        output.write(Result(empty_plan(desired), (), (NOTHING,)), made=head)
    elif output.out is not None:
        write_file(output.out, f"{NOTHING}\n")
    else:
        click.echo(NOTHING)


def narrowed(found: Manifests, without: frozenset[str] = frozenset()) -> Manifests:
    """The manifests with nothing but what is due; no orgs where nothing is."""
    from reconciler.plan.due import due_only

    return found._replace(desired=due_only(found.desired, without), narrowed=True)


def separated(whole: Manifests, found: Manifests, plan: Plan, live: Snapshot, lock: Lock) -> tuple[Manifests, Plan]:
    """What is due and its plan, without what the place of an ended entry would take beyond that."""
    from reconciler.cli.manifests import judged
    from reconciler.plan import make_plan
    from reconciler.plan.due import not_due

    beyond = not_due(plan.changes)
    if not beyond:
        return found, plan
    found = narrowed(whole, frozenset(beyond))
    return found, judged(make_plan(found.desired, live, lock), found.desired, live, lock)


def tell_others(whole: Manifests, found: Manifests, plan: Plan, live: Snapshot, lock: Lock) -> None:
    """Say how many other changes are left for an ordinary apply."""
    from reconciler.plan import make_plan
    from reconciler.plan.due import sections_only
    from reconciler.report.wording import count

    due = {change.address for change in plan.changes}
    all_of_it = make_plan(sections_only(whole.desired, found.desired), live, lock)
    others = sum(change.address not in due for change in all_of_it.changes)
    if others:
        click.echo(
            f"Note: {count(others, 'other change')} in the lists that were read: left for an ordinary apply", err=True
        )
