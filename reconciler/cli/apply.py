"""`reconciler apply`: changes Pipes to match the manifests, after asking."""

from __future__ import annotations

import re
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from reconciler import clock
from reconciler.cli import (
    DONE,
    ERROR,
    PARTLY,
    REFUSED,
    UNREACHABLE,
    made,
    manifests,
    names,
    options,
    plan_status,
    prompt,
    token_end,
)
from reconciler.cli import due as ended_entries
from reconciler.cli.kept import end_journal, keep_lock
from reconciler.cli.signals import orderly_stop, terminable
from reconciler.cli.streams import output_lost
from reconciler.model.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from reconciler.apply.journal import Journal
    from reconciler.model.live import Lock, Snapshot
    from reconciler.model.made import Made
    from reconciler.model.plan import Plan
    from reconciler.model.result import Result
    from reconciler.pipes.client import Client

_STOPPING = b"\nStopping: requests in flight are finished, no more are started. Once more to stop at once.\n"


@click.command(short_help="Change Pipes to match the manifests.")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[PLAN] [PATH]...")
@click.option("--auto-approve", is_flag=True, help="Do not ask.")
@click.option(
    "--confirm-delete",
    "confirmed",
    multiple=True,
    metavar="HANDLE",
    shell_complete=names.orgs,
    help="Delete the org HANDLE that the manifests state as absent; may be repeated.",
)
@click.option(
    "--keep-going",
    is_flag=True,
    help="Apply the other orgs where one is refused or could not be read; not with a saved plan.",
)
@click.option("--fail-fast", is_flag=True, help="Start nothing more once one step has failed.")
@click.option(
    "--settle",
    type=click.FloatRange(min=0),
    default=600.0,
    show_default=True,
    metavar="SECONDS",
    help="How long workspaces may take to reach their state.",
)
@click.option(
    "--journal",
    "journal_folder",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Where to keep the journal; .reconciler beside the manifests by default.",
)
@click.option(
    "--due",
    is_flag=True,
    help="Only what entries that have ended ask for, without asking; no request if none has.",
)
@options.org_option
@options.allow_option
@options.token_expiring_option
@options.pipes_options
@options.output_options
def command(
    paths: tuple[Path, ...],
    auto_approve: bool,
    confirmed: tuple[str, ...],
    keep_going: bool,
    fail_fast: bool,
    settle: float,
    journal_folder: Path | None,
    due: bool,
    orgs: tuple[str, ...],
    allow: tuple[str, ...],
    expiring: int,
    pipes: options.PipesOptions,
    output: options.Output,
) -> int:
    """Plan, ask, and do it. With PLAN, which `plan -o FILE` saved: do that plan and no other, without asking.

    The manifests are those at PATH, or the default ones, also with PLAN: a plan that was made from others is refused.
    Nothing is written while a safeguard refuses any org of the plan (but see --keep-going). After an interruption,
    running apply again finishes what was left.
    """
    paths_given = paths
    saved, paths = saved_plan(paths)
    at_once = due and saved is None and not (allow or orgs) and output.format == "text" and output.out is None
    if at_once and not ended_entries.may_be_due(paths):
        click.echo(ended_entries.NOTHING)  # before anything that takes time to import
        return DONE

    from msgspec.structs import replace

    from reconciler.apply.journal import FOLDER
    from reconciler.apply.run import Options, run_plan
    from reconciler.apply.secrets import judge, prepare
    from reconciler.cli.drift import with_who_renamed
    from reconciler.cli.progress import APPLYING, Progress
    from reconciler.cli.stale_plan import unless_stale
    from reconciler.plan import make_plan

    if saved is not None and (allow or orgs):
        raise UsageError(
            f"{'--allow' if allow else '--org'} does not go with a saved plan: what it may do is in the plan"
        )
    if saved is not None and due:
        raise UsageError("--due makes a plan of its own, so it does not go with a saved plan")
    allowances = options.allowances(allow)
    found = whole = manifests.load(paths, clock.today(), orgs, output)
    if due:
        found = ended_entries.narrowed(found)
        if not found.desired.orgs:
            ended_entries.tell_nothing(found.desired, output, made.now(paths))
            return DONE
    if saved is not None:
        found = _as_saved(saved, found)
    settings = pipes.settings()
    pinned = manifests.pinned_elsewhere(found.desired, settings)
    if pinned is not None:
        refused = replace(manifests.empty_plan(found.desired, pinned), made=made.now(paths, host=settings.pipes))
        if output.format == "text":
            output._replace(out=None).write(refused, made=refused.made)
        _refused(refused, output)
        return REFUSED
    stop = Event()
    with (
        terminable() as unless_ended,
        _journal(journal_folder or found.lock_path.parent / FOLDER, found.key) as journal,
        pipes.client(settings, read_only=True) as reader,
    ):
        lock = _after_earlier(journal, found, reader)
        following = options.secrets(settings)
        judge(found.desired, lock, following, None if saved is None else [c.address for c in saved.changes])
        live = _read(found, lock, reader)
        if not due or click.get_current_context().get_parameter_source("expiring") == ParameterSource.COMMANDLINE:
            token_end.warn(reader, live.actor.handle, expiring)
        if saved is None:
            drafted = manifests.judged(make_plan(found.desired, live, lock, allowances), found.desired, live, lock)
            plan = with_who_renamed(drafted, reader, found.desired, live, lock)
        else:
            plan = replace(unless_stale(saved, found, live, lock, reader, settings.pipes), host=settings.pipes)
        if due:
            found, plan = ended_entries.separated(whole, found, plan, live, lock)
            ended_entries.tell_others(whole, found, plan, live, lock)
        head = made.now(paths, host=settings.pipes, user=live.actor.handle)
        plan = replace(manifests.unless_forged(plan, found, live), made=head)
        if saved is not None and found.key and saved.allowed:
            plan = _unless_marked(plan, paths_given[0], found.key)
        if not sys.stdin.isatty():
            plan = _confirm(plan, confirmed)
        if output.format == "text" and (saved is None or plan.refusals or plan.errors):
            output._replace(out=None).write(plan, verbose=pipes.verbose, made=head)
        elif saved is None and sys.stdin.isatty() and (plan.confirm_delete or not (auto_approve or due)):
            from reconciler.report import render

            # nobody is asked about a plan that they did not see, and standard output is for the report
            click.echo(render(plan, "text", verbose=pipes.verbose, made=head), err=True, nl=False)
        if sys.stdin.isatty():
            plan = _confirm(plan, confirmed)
        held_back = plan_status(plan, detailed=False)
        if plan.errors or (plan.refusals and (not keep_going or saved is not None)):
            _refused(plan, output)
            return held_back
        prepare(following, plan)
        if plan.steps and saved is None and not (auto_approve or due):
            _ask(plan, head)
        progress = Progress(APPLYING, len(plan.steps))
        run_options = Options(
            parallelism=pipes.parallelism,
            settle_seconds=settle,
            fail_fast=fail_fast,
            keep_going=keep_going,
            stop=stop,
            ended=progress.ended,
            waiting=progress.waiting,
            checking=progress.checking,
            complete=not found.narrowed,
            ends_only=due,
            secrets=following,
        )
        with (
            pipes.client(settings, read_only=False, secrets=following) as client,
            orderly_stop(partial(_stop, stop, client), _STOPPING) as received,
            progress,
        ):
            unless_ended()
            applied = run_plan(plan, found.desired, live, lock, client, journal, run_options)
        result, kept = keep_lock(applied.result, applied.lock, found)
        if kept:
            result = end_journal(journal, result)
        status = apply_status(result, held_back, received)
        if not plan.steps and output.format == "text":
            return status
        is_headed = output.format == "text" and output.out is None and saved is None  # by the plan above it
        return _report(result, output, status, None if is_headed else head)


def _stop(stop: Event, client: Client) -> None:
    """Start no more steps, and wake the requests that wait for the host to take them."""
    stop.set()
    client.stop()


def _refused(plan: Plan, output: options.Output) -> None:
    """Repeat after the plan that nothing was done; formats other than text get the plan itself."""
    if output.format != "text":
        output.write(plan, made=plan.made)
    else:
        click.echo("Nothing was applied.", err=True)


def _unless_marked(plan: Plan, path: Path, key: str) -> Plan:
    """The plan, refused where its allowances come from a saved plan that no run with the key has written."""
    import json

    from msgspec.structs import replace

    from reconciler.lockfile.seal import is_plan_mark
    from reconciler.plan.stale import refusal

    document = json.loads(path.read_text(encoding="utf-8"))
    if is_plan_mark(str(document.get("mark")), str(document["digest"]), key):
        return plan
    why = "the saved plan lifts safeguards, and no run with the key of this one has written it"
    return replace(plan, refusals=(*plan.refusals, refusal(plan.orgs[0] if plan.orgs else "org", why)))


def _as_saved(saved: Plan, found: manifests.Manifests) -> manifests.Manifests:
    """The manifests, narrowed to the orgs of the saved plan as far as they are still there."""
    planned = {org.partition(".")[2] for org in saved.orgs}
    if planned >= found.desired.orgs.keys():
        return found
    return found._replace(desired=manifests.narrow(found.desired, planned & found.desired.orgs.keys()), narrowed=True)


# a plan as text, with and without a head; Terraform's `-out` saves one
_PRINTED = re.compile(rb"(?:[^\n]* UTC, [^\n]*reconciler [^\n]*\n)?(?:Compared |No changes\. )")


def saved_plan(paths: Sequence[Path]) -> tuple[Plan | None, tuple[Path, ...]]:
    """The plan in the first file that was named, None where manifests were; and the paths of the manifests.

    Raises TamperedPlanError for a changed plan, and UsageError for what `plan --out` printed or a plan at another place.
    """
    plan = _plan_in(paths[0]) if paths else None
    for path in paths[1:]:
        if _plan_in(path) is not None:
            raise UsageError(f"{path} is a saved plan: name one plan, before the paths of the manifests")
    return plan, tuple(paths if plan is None else paths[1:])


def _plan_in(path: Path) -> Plan | None:
    if not path.is_file():
        return None
    with path.open("rb") as file:
        begins = file.read(1000)
    if _PRINTED.match(begins):
        raise UsageError(f"{path} is what `plan --out` printed, to be read; `plan -o FILE` saves a plan to be applied")
    if not begins.startswith(b"{"):
        return None
    from reconciler.plan.document import is_plan, loads

    text = path.read_text(encoding="utf-8", errors="replace")
    return loads(text) if is_plan(text) else None


def _journal(folder: Path, key: str) -> Journal:
    """The journal in `folder`. Raises UsageError where it cannot be kept, since nothing is sent without one."""
    from reconciler.apply.journal import Journal

    try:
        return Journal(folder, key)
    except OSError as error:
        raise UsageError(
            f"the journal cannot be kept in {folder} ({error.strerror}); name another place with --journal FOLDER"
        ) from None


def _read(found: manifests.Manifests, lock: Lock, reader: Client) -> Snapshot:
    from reconciler.cli.progress import Progress
    from reconciler.pipes.reading import snapshot

    with Progress() as progress:
        return snapshot(reader, found.desired, lock, progress=progress.reading)


def _after_earlier(journal: Journal, found: manifests.Manifests, reader: Client) -> Lock:
    """Take account of an apply that was killed: say what was in flight, and keep the ids of people whom it had invited."""
    from reconciler.apply.recover import recover
    from reconciler.apply.run import named_by_handle
    from reconciler.report.text import escape

    if not journal.earlier.in_flight and not journal.earlier.invited:
        return found.lock
    lock, lines = recover(reader, journal.earlier, found.lock, named_by_handle(found.desired))
    for line in lines:
        click.echo(f"Note: {escape(line)}", err=True)
    return lock


def _confirm(plan: Plan, confirmed: Collection[str]) -> Plan:
    """The plan, refused as `org-delete` for each org whose handle neither the option nor the terminal gave."""
    from msgspec.structs import replace

    from reconciler.model.diagnostic import Refusal

    refusals = list(plan.refusals)
    for handle in plan.confirm_delete:
        if handle in confirmed:
            continue
        typed = None
        if sys.stdin.isatty() and not plan.refusals and not plan.errors:
            typed = prompt.ask(f"Deleting {handle} cannot be undone. Type its handle to confirm")
        if typed != handle:
            refusals.append(
                Refusal(
                    "org-delete",
                    f"org.{handle}",
                    f"the organization {handle}, its workspaces and their databases would be deleted, and "
                    + ("another handle was typed" if typed else "nobody has confirmed that"),
                    f"confirm with --confirm-delete {handle}",
                    liftable=False,
                )
            )
    return replace(plan, refusals=tuple(refusals))


def _ask(plan: Plan, head: Made) -> None:
    """Ask on the terminal. Raises UsageError where there is none: an answer that is piped in comes from nobody."""
    if not sys.stdin.isatty():
        raise UsageError(
            "there is no terminal to ask on: --auto-approve applies without asking, and so does a saved plan"
        )
    if output_lost():
        raise UsageError("nothing was applied: nobody reads standard output, so the plan was not shown")
    if prompt.ask(f"{question(plan, head)} Only `yes` applies them") != "yes":
        raise UsageError("not applied: the answer was not `yes`")


def question(plan: Plan, head: Made) -> str:
    """`Apply these 7 changes to acme on pipes.turbot.com as alice?`"""
    from reconciler.report.text import escape
    from reconciler.report.wording import count

    number = len(plan.changes)
    what = "this change" if number == 1 else f"these {number} changes"
    orgs = list(dict.fromkeys(change.address.partition("/")[0].removeprefix("org.") for change in plan.changes))
    last = orgs[-1] if len(orgs) <= 3 else count(len(orgs) - 2, "other organization")
    named = [*(orgs[:-1] if len(orgs) <= 3 else orgs[:2])]
    where = f"{', '.join(named)} and {last}" if named else last
    return f"Apply {what} to {escape(where)} on {escape(head.host)} as {escape(head.user)}?"


def apply_status(result: Result, held_back: int, received: list[int]) -> int:
    """The exit status of an apply; `held_back` is the status of what --keep-going left out, `received` the signals."""
    bad = [o for o in result.outcomes if o.status in ("unconfirmed", "failed", "skipped") or o.test_failed]
    failed = [o for o in bad if o.status == "failed"]
    if not bad and not result.remaining and not result.interrupted:
        return held_back
    if any(o.wrote for o in result.outcomes):
        return PARTLY
    if received and not failed:
        return 128 + received[0]
    if any(o.unreachable or o.status_code in (401, 403) for o in failed):
        return UNREACHABLE
    if any(o.code is not None for o in failed) or held_back == REFUSED:
        return REFUSED
    return ERROR


def _report(result: Result, output: options.Output, status: int, head: Made | None) -> int:
    """Print the result. If that fails, the exit status still says what was done."""
    try:
        output.write(result, made=head)
        sys.stdout.flush()
    except OSError as error:
        if status == DONE:
            status = ERROR
        from reconciler.report.wording import result_summary

        with suppress(OSError):
            if output.out is not None:
                output._replace(format="text", out=None).write(result, made=head)
            click.echo(
                f"Error: the report could not be written ({error.strerror}); the apply itself has ended. "
                f"{result_summary(result)}",
                err=True,
            )
    return status
