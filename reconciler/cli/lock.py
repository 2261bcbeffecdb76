"""`reconciler lock`: rebuilds the lock file from its entries and from what is live."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler import clock
from reconciler.cli import CHANGES, DONE, REFUSED, UNREACHABLE, manifests, options, output_files, prompt
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
@options.paths_argument
@click.option(
    "--seal",
    is_flag=True,
    help="Print every person with the account, ask, and seal the file with the key in RECONCILER_FINGERPRINT_KEY.",
)
@click.option(
    "--confirm", metavar="CODE", help="With --seal: the code that it printed for this list, instead of asking."
)
@click.option("--check", is_flag=True, help="Write nothing, and exit 2 when the file is not what would be written.")
@options.pipes_options
@click.option("--format", "fmt", type=click.Choice(FORMATS), default="text", show_default=True, help="How to print it.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Print to FILE instead.")
def command(
    paths: tuple[Path, ...],
    seal: bool,
    confirm: str | None,
    check: bool,
    pipes: options.PipesOptions,
    fmt: str,
    out: Path | None,
) -> int:
    """Write reconciler.lock.json for the manifests at PATH: which id each address means. Changes nothing in Pipes.

    A lost file is built from what is live under the manifests' names. One that is broken, or has a merge conflict, is
    repaired: the entries of both sides are checked by id. A known id is never replaced: what was renamed outside keeps
    its entry, so that `plan` still reports it.

    Exits 2 with --check if the file would change, 3 if a list may be incomplete or one address has several possible
    ids, and 4 if an organization cannot be read.
    """
    from reconciler import manifest
    from reconciler.lockfile import find
    from reconciler.lockfile import seal as seals

    if confirm is not None and not seal:
        raise UsageError("--confirm goes with --seal only")
    if seal and (check or fmt != "text" or out is not None):
        raise UsageError("--seal prints for a person who is asked: it goes with no --check, --format or --out")
    desired = manifest.load(paths, today=clock.today())
    path = find.of_run(paths, manifest.lock_path(paths), desired)
    key = seals.key_of(os.environ)
    settings = pipes.settings()
    manifests.check_host(desired, settings)
    with _alone(path.parent), pipes.client(settings, read_only=True) as client:
        there = _there(path)
        known, notes = _with_journal(client, path.parent, there, desired)
        lock, live, open_ones = _decided(client, desired, known)
        if open_ones:
            return _refuse(path, open_ones)
        if seal:
            return _seal(path, there, desired, lock, live, key, confirm)
        return _finish(path, there, desired, lock, live, notes, check=check, fmt=fmt, out=out, key=key)


@dataclass(frozen=True, slots=True)
class _There:
    """The lock file as it is: the entries of each address. `why` is what is wrong with it, and empty for a good one."""

    data: bytes | None
    candidates: Mapping[str, tuple[LockEntry, ...]]
    seal: str = ""
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
    """Read the lock file as it is. Raises ManifestError where it cannot be read at all, or is of a newer version."""
    from reconciler.lockfile import file as lockfile

    try:
        lock, seal = lockfile.read_sealed(path)
        data = path.read_bytes() if path.exists() else None
    except ManifestError as error:
        try:
            data = path.read_bytes()
        except OSError:
            raise error from None
        found = lockfile.salvage(path, data)
        return _There(data, found.candidates, "", error.diagnostics[0].summary, found.lost)
    return _There(data, {address: (entry,) for address, entry in lock.items()}, seal)


def _with_journal(
    client: Client, folder: Path, there: _There, desired: Desired
) -> tuple[dict[str, tuple[LockEntry, ...]], list[str]]:
    """The entries, with the invitations that only the journal of a killed apply has."""
    from reconciler.apply.journal import FILE, FOLDER, read
    from reconciler.apply.recover import recover
    from reconciler.apply.run import named_by_handle
    from reconciler.lockfile import seal as seals

    known = dict(there.candidates)
    earlier = read(folder / FOLDER / FILE, seals.key_of(os.environ))
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
    with Progress() as progress:
        live = snapshot(client, wanted, first, progress=progress.reading)
        lock, undecided = decided(candidates, live)
        if any("/" not in a and lock[a].id != first[a].id for a in lock):
            # of another org than the one that was read
            live = snapshot(client, wanted, {**first, **lock}, progress=progress.reading)
            lock, undecided = decided(candidates, live)
    return lock, live, undecided


def whole_lists(desired: Desired) -> Desired:
    """The orgs with their members and workspaces, and without grants, which have no entries."""
    from msgspec.structs import replace

    return replace(desired, orgs={name: _listed(node) for name, node in desired.orgs.items()})


def _listed(node: Node) -> Node:

    from msgspec.structs import replace

    spaces = {
        name: replace(space, absent=False, children={k: v for k, v in space.children.items() if k != "grant"})
        for name, space in node.children.get("workspace", {}).items()
    }
    return replace(node, absent=False, children={"member": {}, **node.children, "workspace": spaces})


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
    key: str,
) -> int:
    from msgspec.structs import replace

    from reconciler.lockfile import file as lockfile
    from reconciler.lockfile import seal as seals
    from reconciler.lockfile.update import refreshed
    from reconciler.plan.document import write as as_json
    from reconciler.report import lock as report

    found = refreshed(desired, live, lock)
    found = replace(found, before={a: entry for a, entry in found.before.items() if a in there.candidates})
    before = {address: entries[0] for address, entries in there.candidates.items()}
    believed = bool(there.seal) and not seals.why_not_believed(before, there.seal, key)
    seal = seals.seal(found.lock, key) if believed and key else there.seal if found.lock == before else ""
    if (there.seal and not seal) or (key and not believed):
        notes.append("the lock file is not sealed with the key of this run: `reconciler lock --seal` does that")
    same = there.data is not None and there.data == lockfile.text_of(found.lock, seal).encode()
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
        f"{address} is known by an email only, and nothing shows who that is in Pipes" for address in found.unknown
    ]
    written = not same and not check
    if written:
        _write(path, there, found.lock, seal)
    what = report.UP_TO_DATE if same else "would change" if check else "written"
    text = (
        as_json(report.document(str(path), found, there.lost, notes, in_sync=same, written=written))
        if fmt == "json"
        else report.text(str(path), found, there.lost, notes, what)
    )
    if out is not None:
        output_files.write_file(out, text)
    else:
        click.echo(text, nl=False)
    if hidden:
        return UNREACHABLE
    if live.unreadable:
        return REFUSED
    return CHANGES if check and not same else DONE


def _seal(
    path: Path, there: _There, desired: Desired, lock: Lock, live: Snapshot, key: str, confirm: str | None
) -> int:
    """Print who each name will be by the file, ask, and write it with the addresses and the seal."""
    import hashlib

    from reconciler.lockfile.seal import KEY, seal
    from reconciler.lockfile.update import confirmed, refreshed
    from reconciler.report.lock import people

    found = confirmed(desired, live, refreshed(desired, live, lock).lock)
    listed = people(found, desired, live)
    click.echo(listed, nl=False)
    if not key:
        click.echo(f"{KEY} is not set: the addresses are written, and nothing is sealed.")
    code = hashlib.sha256(listed.encode()).hexdigest()[:12]
    if confirm is not None and confirm != code:
        raise UsageError(f"--confirm {confirm} is the code of another list; this one has {code}; nothing was written")
    if confirm is None and not sys.stdin.isatty():
        raise UsageError(
            f"there is no terminal to ask on; nothing was written. To fix: if each account above is the right person, run it "
            f"again with --confirm {code}"
        )
    if confirm is None and prompt.ask("Is each account the right person? Only `yes` writes the file") != "yes":
        raise UsageError("nothing was written: the answer was not `yes`")
    _write(path, there, found, seal(found, key))
    click.echo(f"{path}: {'sealed' if key else 'written'}.")
    return DONE


def _write(path: Path, there: _There, lock: Lock, seal: str = "") -> None:
    """Write the file. Raises UsageError where somebody else has written it meanwhile."""
    from reconciler.lockfile import file as lockfile

    now = path.read_bytes() if path.exists() else None
    if now != there.data:
        raise UsageError(f"{path} was changed while this ran, and is left as it is; run it again")
    lockfile.write(path, lock, seal)
