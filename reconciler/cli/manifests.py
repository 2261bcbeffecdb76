"""The manifests and the lock file of one run, limited to what the options ask for."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from reconciler.model.errors import ManifestError, RefusedRunError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from datetime import date
    from pathlib import Path

    from reconciler.access.expiring import Later
    from reconciler.cli.options import Output
    from reconciler.model.desired import Desired
    from reconciler.model.diagnostic import Refusal
    from reconciler.model.live import Lock, Snapshot
    from reconciler.model.plan import Plan, Shard
    from reconciler.pipes.settings import Settings

MOST = 10  # organizations that a message names
ENDINGS = 12  # look ahead at most to this many days on which entries end


class Manifests(NamedTuple):
    """The manifests of one run, limited to the requested orgs, and their lock file."""

    desired: Desired  # of the orgs that this run is about
    lock: Lock  # its entries
    lock_path: Path  # where the file is or will be
    narrowed: bool  # whether orgs were left out
    shard: Shard | None = None  # the part of all orgs, for `--shard`
    key: str = ""  # what seals the lock file
    sealed: bool = False  # whether the lock file has a seal, whoever wrote it
    forged: str = ""  # why the lock file is not trusted, where this run has a key


def load(
    paths: Sequence[Path],
    day: date,
    orgs: Collection[str] = (),
    output: Output | None = None,
    *,
    shard: tuple[int, int] | None = None,
) -> Manifests:
    """Read the manifests and the lock file.

    Raises ManifestError for invalid manifests, and UsageError for an org that they do not have. With an `output` whose
    format is not text, the problems of the manifests are also written to it.
    """
    from reconciler import manifest
    from reconciler.lockfile import file as lockfile
    from reconciler.lockfile import find, seal

    key = seal.key_of(os.environ)
    try:
        desired = manifest.load(paths, today=day)
        lock_path = find.of_run(paths, manifest.lock_path(paths), desired)
        lock, written = lockfile.read_sealed(lock_path)
    except ManifestError as error:
        if output is not None and output.format != "text":
            from reconciler.cli import made
            from reconciler.report import Validation

            output.write(Validation(error.diagnostics, error.files or len(paths), 0), made=made.now(paths))
        raise
    found = Manifests(
        desired,
        lock,
        lock_path,
        narrowed=False,
        key=key,
        sealed=bool(written),
        forged=seal.why_not_believed(lock, written, key),
    )
    if shard is not None:
        if orgs:
            raise UsageError("--shard divides all orgs in the manifests, so it cannot be combined with --org")
        from reconciler.plan.shard import of_desired

        names, part = of_desired(desired, lock, *shard)
        return found._replace(desired=narrow(desired, names), narrowed=True, shard=part)
    return found._replace(desired=narrow(desired, orgs), narrowed=True) if orgs else found


def pinned_elsewhere(desired: Desired, settings: Settings) -> Refusal | None:
    """The refusal of a run against a Pipes that the manifests are not for. Checked before any request."""
    if desired.host is None or settings.is_at(desired.host[0]):
        return None
    from reconciler.safeguards.host_pinned import refusal

    pinned = desired.host[0]
    used = settings.pipes
    if "://" in pinned:
        used = f"{settings.base_url.partition('://')[0]}://{used}"
    return refusal(*desired.host, used)


def check_host(desired: Desired, settings: Settings) -> None:
    """Raise RefusedRunError where the manifests are for another Pipes."""
    refusal = pinned_elsewhere(desired, settings)
    if refusal is not None:
        raise RefusedRunError(refusal)


def empty_plan(desired: Desired, *refusals: Refusal) -> Plan:
    """A plan of nothing, before anything was read; refused where there are refusals."""
    from reconciler.model.plan import Plan

    return Plan(
        changes=(),
        steps=(),
        impact=(),
        dns=(),
        refusals=refusals,
        lifted=(),
        allowed=(),
        errors=(),
        warnings=desired.warnings,
        notes=(),
        unmanaged=(),
        orgs=(),
        day=desired.day,
        files=desired.files,
        reads={},
        paths=desired.paths,
    )


def unless_forged(plan: Plan, found: Manifests, live: Snapshot) -> Plan:
    """The plan, refused as `lock-forged` where this run has a key and the lock file is not sealed with it."""
    from msgspec.structs import replace

    if not found.forged:
        return plan
    from reconciler.safeguards.lock_forged import refusals

    return replace(plan, refusals=(*refusals(found.forged, found.desired, live, found.lock), *plan.refusals))


def judged(plan: Plan, desired: Desired, live: Snapshot, lock: Lock) -> Plan:
    """The plan, refused as `policy` where it breaks a policy of the manifests."""
    if not desired.policies:
        return plan
    from reconciler.policy import worse

    return worse.judged(plan, desired, live, lock)


def later(days: Sequence[date], load: Callable[[date], Desired]) -> dict[date, Later]:
    """The manifests on later days, as `load` reads them, or why they are not valid then. Only for the first ENDINGS days."""
    found: dict[date, Later] = {}
    for day in days[:ENDINGS]:
        try:
            found[day] = load(day)
        except ManifestError as error:
            found[day] = error.diagnostics
    return found


def narrow(desired: Desired, orgs: Collection[str]) -> Desired:
    """Desired with only these orgs. Raises UsageError for an org that the manifests do not have."""
    from msgspec.structs import replace

    unknown = [org for org in orgs if org not in desired.orgs]
    if unknown:
        from reconciler.model.near import did_you_mean

        known = sorted(desired.orgs)
        more = f" and {len(known) - MOST} others" if len(known) > MOST else ""
        meant = did_you_mean(unknown[0], known) or f"; they have {', '.join(known[:MOST])}{more}"
        raise UsageError(f"--org {unknown[0]}: the manifests have no such org{meant}")
    chosen = {name: node for name, node in desired.orgs.items() if name in orgs}
    return replace(desired, orgs=chosen, elsewhere={n: node for n, node in desired.orgs.items() if n not in chosen})


def everything(
    orgs: Sequence[str],
    spaces: Mapping[str, Iterable[str]],
    day: date,
    connections: Mapping[str, Iterable[str]] | None = None,
    folders: Mapping[str, Iterable[str]] | None = None,
) -> Desired:
    """A Desired that makes a reader fetch whole orgs; for reading only.

    It asks for the workspaces, connections and folders of `orgs`. For those named in `spaces`, `connections` and (by id)
    `folders`, it also asks for members, grants, own connections, permissions and attachments.
    """
    from reconciler.model.desired import Desired, Node, Rules
    from reconciler.model.diagnostic import Source

    nowhere = Source("", 1)

    def org(name: str) -> Node:
        inside: dict[str, dict[str, Node]] = {
            "grant": {},
            "workspace_connection_folder": {},
            "workspace_connection": {},
        }
        below = {space: Node("workspace", space, {}, nowhere, children=inside) for space in spaces.get(name, ())}
        people: dict[str, dict[str, Node]] = {"member": {}} if name in spaces else {}
        used: dict[str, dict[str, Node]] = {"permission": {}, "attachment": {}}
        there = (connections or {}).get(name, ())
        links = {one: Node("connection", one, {}, nowhere, children=used) for one in there}
        opened: dict[str, dict[str, Node]] = {"folder_permission": {}}
        ids = (folders or {}).get(name, ())
        tree = {one: Node("connection_folder", one, {}, nowhere, children=opened) for one in ids}
        listed = {"service_account": {}, "workspace": below, "connection_folder": tree, "connection": links}
        return Node("org", name, {}, nowhere, children={**people, **listed})

    return Desired({name: org(name) for name in orgs}, {}, Rules(), day)
