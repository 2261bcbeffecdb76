"""`reconciler lock`: the lock file anew, from what it knows and from what is live."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler import clock
from reconciler.cli import CHANGES, DONE, REFUSED, UNREACHABLE, common
from reconciler.model.errors import ManifestError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from reconciler.lockfile.update import Undecided
    from reconciler.model.desired import Desired, Node
    from reconciler.model.diagnostic import Diagnostic
    from reconciler.model.live import Lock, LockEntry, Snapshot
    from reconciler.pipes.client import Client

FORMATS = ("text", "json")  # reconciler.report.lock.FORMATS, without importing it


@click.command(short_help="Rebuild the lock file from Pipes.")
@common.paths_argument
@click.option("--check", is_flag=True, help="Write nothing, and exit 2 when the file is not what would be written.")
@common.pipes_options
@click.option("--format", "fmt", type=click.Choice(FORMATS), default="text", show_default=True, help="How to print it.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Print to FILE instead.")
def command(paths: tuple[Path, ...], check: bool, pipes: common.PipesOptions, fmt: str, out: Path | None) -> int:
    """Write reconciler.lock.json for the manifests at PATH: which id each address means. Changes nothing in Pipes.

    A file that is lost is made from what is live under the manifests' names. One that is broken, or that holds a merge
    conflict, is mended: what either side knows is confirmed by id. An id that is known is never given up for another
    one: what was renamed outside keeps its entry, so that `plan` still tells.

    Exits 2 with --check when the file is not what would be written, 3 when a list cannot be believed or one address has
    several ids and live does not tell which is meant, and 4 when an organization cannot be read.
    """
    from reconciler import manifest

    desired = manifest.load(paths, today=clock.today())
    path = manifest.lock_path(paths)
    settings = pipes.settings()
    with _alone(path.parent), pipes.client(settings, read_only=True) as client:
        there = _there(path)
        known, notes = _with_journal(client, path.parent, there, desired)
        lock, live, open_ones = _decided(client, desired, known)
        if open_ones:
            return _refuse(path, open_ones)
        return _finish(path, there, desired, lock, live, notes, check=check, fmt=fmt, out=out)


@dataclass(frozen=True, slots=True)
class _There:
    """The lock file as it is: the entries of each address. `why` is what is wrong with it, and empty for a good one."""

    data: bytes | None
    candidates: Mapping[str, tuple[LockEntry, ...]]
    why: str = ""
    lost: tuple[Diagnostic, ...] = ()


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep an apply in this folder from writing the lock file at the same time. Raises UsageError where one runs."""
    from reconciler.apply.journal import FOLDER

    place = folder / FOLDER
    if not place.is_dir():
        yield
        return
    from filelock import FileLock, Timeout

    try:
        with FileLock(place / "apply.lock", mode=0o600, timeout=0):
            yield
    except Timeout:
        raise UsageError(f"an apply is at work in {place}; wait for it to end") from None


def _there(path: Path) -> _There:
    """Raises ManifestError where the file cannot be read at all, or is of a newer version."""
    from reconciler.lockfile import file as lockfile

    try:
        lock = lockfile.read(path)
        data = path.read_bytes() if path.exists() else None
    except ManifestError as error:
        try:
            data = path.read_bytes()
        except OSError:
            raise error from None
        found = lockfile.salvage(path, data)
        return _There(data, found.candidates, error.diagnostics[0].summary, found.lost)
    return _There(data, {address: (entry,) for address, entry in lock.items()})


def _with_journal(
    client: Client, folder: Path, there: _There, desired: Desired
) -> tuple[dict[str, tuple[LockEntry, ...]], list[str]]:
    """The entries with what an apply that was killed had learned: whom it invited stands in its journal only."""
    from reconciler.apply import named_by_handle
    from reconciler.apply.journal import FILE, FOLDER, read
    from reconciler.apply.recover import recover

    known = dict(there.candidates)
    earlier = read(folder / FOLDER / FILE)
    if not earlier.in_flight and not earlier.invited:
        return known, []
    first = {address: entries[0] for address, entries in known.items()}
    lock, lines = recover(client, earlier, first, named_by_handle(desired))
    for address, entry in lock.items():
        known.setdefault(address, (entry,))
    return known, lines


def _decided(
    client: Client, desired: Desired, candidates: Mapping[str, tuple[LockEntry, ...]]
) -> tuple[Lock, Snapshot, tuple[Undecided, ...]]:
    """One entry an address, and what is live as it is read with them. Raises PipesError."""
    from reconciler.cli.progress import Progress
    from reconciler.lockfile.update import decided
    from reconciler.pipes.reading import snapshot

    first = {address: entries[0] for address, entries in candidates.items()}
    wanted = whole_lists(desired)
    with Progress("Reading") as progress:
        live = snapshot(client, wanted, first, progress=progress.reading)
        lock, undecided = decided(candidates, live)
        if any("/" not in a and lock[a].id != first[a].id for a in lock):
            # of another org than the one that was read
            live = snapshot(client, wanted, {**first, **lock}, progress=progress.reading)
            lock, undecided = decided(candidates, live)
    return lock, live, undecided


def whole_lists(desired: Desired) -> Desired:
    """The orgs with their members and workspaces, and without grants, which have no entries."""
    return replace(desired, orgs={name: _listed(node) for name, node in desired.orgs.items()})


def _listed(node: Node) -> Node:
    from msgspec import structs

    spaces = {
        name: structs.replace(space, absent=False, children={k: v for k, v in space.children.items() if k != "grant"})
        for name, space in node.children.get("workspace", {}).items()
    }
    return structs.replace(node, absent=False, children={"member": {}, **node.children, "workspace": spaces})


def _refuse(path: Path, open_ones: Sequence[Undecided]) -> int:
    from reconciler.report.lock import undecided
    from reconciler.report.text import escape

    click.echo(f"Error: {escape(str(path))} is left as it is\n{undecided(open_ones)}", err=True)
    return REFUSED


def _finish(
    path: Path,
    there: _There,
    desired: Desired,
    lock: Lock,
    live: Snapshot,
    notes: list[str],
    *,
    check: bool,
    fmt: str,
    out: Path | None,
) -> int:
    from reconciler.lockfile import file as lockfile
    from reconciler.lockfile.update import refreshed
    from reconciler.plan.document import write as as_json
    from reconciler.report import lock as report

    found = refreshed(desired, live, lock)
    found = replace(found, before={a: entry for a, entry in found.before.items() if a in there.candidates})
    same = there.data is not None and there.data == lockfile.text_of(found.lock).encode()
    if there.data is None:
        notes.append(
            "there was no lock file: each id is that of whoever has the name now; look whether it is who you mean"
        )
    elif there.why:
        notes.append(f"the file was broken: {there.why}")
    hidden = sorted(name for name in desired.orgs if name in live.forbidden)
    notes += [
        f"org.{name} is not for {live.actor.handle}, the user of this token, to read; what was known stays"
        for name in hidden
    ]
    notes += [
        f"{address} is known by an email only, and nothing tells who that is in Pipes" for address in found.unknown
    ]
    written = not same and not check
    if written:
        _write(path, there, found.lock)
    what = report.UP_TO_DATE if same else "would change" if check else "written"
    text = (
        as_json(report.document(str(path), found, there.lost, notes, in_sync=same, written=written))
        if fmt == "json"
        else report.text(str(path), found, there.lost, notes, what)
    )
    if out is not None:
        common.write_file(out, text)
    else:
        click.echo(text, nl=False)
    if hidden:
        return UNREACHABLE
    if live.unreadable:
        return REFUSED
    return CHANGES if check and not same else DONE


def _write(path: Path, there: _There, lock: Lock) -> None:
    """Raises UsageError where somebody else has written the file meanwhile."""
    from reconciler.lockfile import file as lockfile

    now = path.read_bytes() if path.exists() else None
    if now != there.data:
        raise UsageError(f"{path} was changed while this ran, and is left as it is; run it again")
    lockfile.write(path, lock)
