"""`reconciler drift`: shows what changed outside and who changed it, and prints the patch that adopts it."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import click

from reconciler import clock
from reconciler.cli import CHANGES, DONE, REFUSED, UNREACHABLE, made, manifests, options, output_files, token_end
from reconciler.model.errors import ManifestError, PipesError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime
    from pathlib import Path

    from reconciler.cli.progress import Progress
    from reconciler.drift.audit_search import Search
    from reconciler.model.desired import Desired
    from reconciler.model.drift import Difference, Drift
    from reconciler.model.expiring import Expiring
    from reconciler.model.live import Lock, Snapshot
    from reconciler.model.plan import Plan
    from reconciler.pipes.client import Client

# how many of the newest entries of an org's audit log are searched: twenty pages
FAR = 2_000


@click.command(short_help="Show what changed outside, and who changed it.")
@options.paths_argument
@click.option(
    "--applied",
    metavar="REV",
    help="The git revision (or folder) that was applied last. Newer manifest changes count as not applied yet, "
    "not as drift.",
)
@click.option("--fix-up", is_flag=True, help="Print a patch that changes the manifests to match the drift.")
@click.option("--unmanaged", is_flag=True, help="Also list people, workspaces and orgs that no manifest covers.")
@options.expiring_option
@options.org_option
@options.shard_option
@options.day_option
@options.pipes_options
@options.output_options
def command(
    paths: tuple[Path, ...],
    applied: str | None,
    fix_up: bool,
    unmanaged: bool,
    expiring: int,
    orgs: tuple[str, ...],
    shard: tuple[int, int] | None,
    day: datetime | None,
    pipes: options.PipesOptions,
    output: options.Output,
) -> int:
    """Compare Pipes with the manifests at PATH, and show what changed outside: who changed it, when and from where.

    Exits 0 if there is no drift, 2 if there is, 3 if something could not be compared, and 4 if Pipes could not be read.
    Changes nothing.
    """
    from msgspec.structs import replace

    from reconciler.drift.compare import find
    from reconciler.drift.reading_scope import both, whole
    from reconciler.drift.unmanaged import unmanaged as not_covered
    from reconciler.pipes.reading.tokens import account_tokens

    if fix_up and output.format != "text":
        raise UsageError("--fix-up prints a patch, so it cannot be combined with --format")
    found = manifests.load(paths, day.date() if day else clock.today(), orgs, output, shard=shard)
    before = None
    if applied is not None:
        before = (applied, only(at_revision(applied, paths, found.desired.day), found.desired))
    to_read = found.desired if before is None else both(found.desired, before[1])
    settings = pipes.settings()
    manifests.check_host(found.desired, settings)
    with pipes.client(settings, read_only=True) as client:
        live = read(client, whole(to_read) if unmanaged else to_read, found)
        finding = find(found.desired, live, found.lock, applied=before)
        if not fix_up:
            _search_all(client, finding.searches)
        tokens, closed = account_tokens(client, live) if not fix_up else ([], [])
        token_end.warn(client, live.actor.handle, expiring)
    drift = finding.with_doers()
    if found.desired.policies and not fix_up:
        from reconciler.policy.drifted import broken

        drift = replace(drift, violations=broken(found.desired, live, found.lock, drift.differences))
    drift = replace(
        drift,
        tokens=tuple(tokens) or None,
        notes=(*drift.notes, *(f"{address}: its tokens cannot be read with this token" for address in closed)),
        expiring=_expiring(paths, found, expiring),
        unmanaged=not_covered(finding.desired, live) if unmanaged else None,
    )
    if fix_up:
        _fix_up(paths, found, live, drift, output)
    else:
        head = made.now(paths, host=settings.pipes, user=live.actor.handle)
        output.write(drift, verbose=pipes.verbose or unmanaged, made=head)
    return status(drift)


def _expiring(paths: Sequence[Path], found: manifests.Manifests, days: int) -> tuple[Expiring, ...]:
    from reconciler import manifest
    from reconciler.access.expiring import ending, expiring

    later = manifests.later(
        ending(found.desired, days), lambda day: manifests.narrow(manifest.load(paths, today=day), found.desired.orgs)
    )
    return expiring(found.desired, days, later)


def status(drift: Drift) -> int:
    """The exit status. An org that could not be compared counts neither as drift nor as in sync."""
    if drift.forbidden:
        return UNREACHABLE
    if drift.refusals:
        return REFUSED
    return CHANGES if drift.outside else DONE


def read(client: Client, desired: Desired, found: manifests.Manifests) -> Snapshot:
    from reconciler.cli.progress import Progress
    from reconciler.pipes.reading import add_missing, snapshot

    with Progress() as progress:
        live = snapshot(client, desired, found.lock, progress=progress.reading)
        # a person missing from an incomplete list may still be there
        add_missing(client, desired, found.lock, live)
    return live


def at_revision(revision: str, paths: Sequence[Path], day: date) -> Desired:
    """The desired state of a git revision or a folder on `day`. Raises UsageError, also for invalid manifests."""
    from reconciler.history.revision import texts

    try:
        return loaded(texts(revision, paths), day, revision)
    except ManifestError as error:
        # not as diagnostics, whose lines would be read from the current files
        raise UsageError(first_problem(revision, error)) from None


def loaded(texts: Mapping[str, bytes], day: date, revision: str) -> Desired:
    from reconciler.history.revision import pictures
    from reconciler.manifest import load_texts

    return load_texts(texts, today=day, pictures=pictures(revision))


def first_problem(revision: str, error: ManifestError) -> str:
    """A message that the manifests of `revision` are not valid, with the first error."""
    first = error.diagnostics[0]
    where = f"{first.source}: " if first.source is not None else ""
    more = f", and {len(error.diagnostics) - 1} more" if len(error.diagnostics) > 1 else ""
    return f"the manifests at {revision} are not valid: {where}{first.summary}{more}"


def only(base: Desired, desired: Desired) -> Desired:
    """`base` with only the orgs of `desired`, by their current or former handles."""
    from msgspec.structs import replace

    names = set(desired.orgs) | {node.renamed_from for node in desired.orgs.values()}
    return replace(base, orgs={name: node for name, node in base.orgs.items() if name in names})


def with_who_renamed(plan: Plan, client: Client, desired: Desired, live: Snapshot, lock: Lock) -> Plan:
    """The plan, in which a refusal of an object renamed outside says who renamed it, as far as the audit log knows.

    Reads no log if nothing was renamed.
    """
    from msgspec.structs import replace

    if not any(refusal.code == "rename" for refusal in plan.refusals):
        return plan
    from reconciler.drift.compare import find
    from reconciler.plan.identity.doubts import RENAMED

    finding = find(desired, live, lock).renames()
    _search_all(client, finding.searches)
    said = {d.address: _doer(d) for d in finding.with_doers().differences if d.what == "renamed" and d.reason is None}
    return replace(
        plan,
        refusals=tuple(
            replace(r, fact=f"{r.fact}; {said[r.address]}")
            if r.code == "rename" and r.address in said and RENAMED in r.fact
            else r
            for r in plan.refusals
        ),
    )


def _doer(difference: Difference) -> str:
    by = difference.by
    if by is None:
        return f"changed by: {difference.why_unknown}"
    at = f" at {by.at:%Y-%m-%dT%H:%M:%SZ}" if by.at else ""
    origin = f" from {by.ip}" if by.ip else ""
    return f"{'' if by.certain else 'probably '}changed by {by.actor}{origin}{at}"


def _search_all(client: Client, searches: Sequence[Search]) -> None:
    """Read the org's audit log of each search, then those of service accounts whose changes it does not explain."""
    from reconciler.cli.progress import AUDIT_LOGS, Progress

    with Progress(AUDIT_LOGS) as progress:
        for search in searches:
            _search(client, search, progress)
            for account in () if search.done else search.accounts:
                _search(client, search, progress, account)


def _search(client: Client, search: Search, progress: Progress, account: str = "") -> None:
    """Read an org's audit log, newest first, until it is known who made each difference.

    A log that cannot be read is not an error: `search.ended` says why.
    """
    from reconciler.pipes import audit
    from reconciler.pipes.errors import StatusError

    seen = 0
    try:
        for entry in islice(audit.entries(client, search.handle, account), FAR):
            seen += 1
            progress.counted(search.address)
            search.read(entry)
            if search.done:
                return
    except StatusError as error:
        if account:
            return
        search.ended = (
            "unknown (only owners of the organization can read its audit log; HTTP 403)"
            if error.status == 403
            else f"unknown (the audit log could not be read: {error})"
        )
    except PipesError as error:
        search.ended = f"unknown (the audit log could not be read: {error})"
    else:
        if seen == FAR:
            search.ended = f"not in the newest {FAR:,} entries of the audit log"


# --- the patch --------------------------------------------------------------------------------------------------------


def _fix_up(
    paths: Sequence[Path], found: manifests.Manifests, live: Snapshot, drift: Drift, output: options.Output
) -> None:
    """Print the patch, and on standard error what it leaves out."""
    from msgspec.structs import replace

    from reconciler.drift.compare import find
    from reconciler.editing.fix_up import fix_up, key
    from reconciler.editing.unified_diff import unified
    from reconciler.manifest import load_texts
    from reconciler.manifest.files import read_all
    from reconciler.report.text import escape

    texts, _ = read_all(paths)

    def remaining(edited: Mapping[str, bytes]) -> set[tuple[str, str | None]] | None:

        try:
            desired = load_texts(edited, today=found.desired.day)
        except ManifestError:
            return None
        if found.narrowed:
            names = {*found.desired.orgs, *(d.live for d in drift.outside if d.kind == "org" and d.what == "renamed")}
            desired = replace(desired, orgs={name: node for name, node in desired.orgs.items() if name in names})
        return {key(d) for d in find(desired, live, found.lock).drift.differences}

    made = fix_up(texts, found.desired, drift.outside, remaining)
    names = {name: output_files.from_here(name) for name in made.texts}
    patch = unified({names[n]: texts[n] for n in names}, {names[n]: data for n, data in made.texts.items()})
    if output.out is not None:
        output_files.write_file(output.out, patch)
    else:
        click.echo(patch.encode(), nl=False)  # a patch is UTF-8, whatever the terminal is
    for difference, why in made.left:
        what = f"{difference.address}{f' ({difference.attribute})' if difference.attribute else ''}"
        click.echo(f"Note: not in the patch: {escape(f'{what}: {why}')}", err=True)
    for refusal in drift.refusals:
        click.echo(f"Note: not compared: {escape(f'{refusal.address}: {refusal.fact}')}", err=True)
    for address in drift.forbidden:
        click.echo(f"Note: not compared: {escape(address)}: this token cannot read it", err=True)
