"""`reconciler import`: manifests and lock file from live organizations."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reconciler.cli import DONE, REFUSED, common
from reconciler.model.errors import ManifestError, PipesError, ReconcilerError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from reconciler.model.desired import Desired
    from reconciler.model.live import Lock, Resource, Snapshot
    from reconciler.pipes.client import Client

SCHEMA = Path("schemas/manifest.schema.json")  # where `reconciler schema` is kept by custom, below the current folder


@click.command("import", short_help="Write manifests from live organizations.")
@click.argument("orgs", nargs=-1, required=True, metavar="ORG...")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE|DIR",
    help="Write to this file, or to a file an organization in this folder; by default to what other commands read: "
    "orgs.yaml where it is there, else orgs/.",
)
@click.option("--split", is_flag=True, help="Take --out for a folder that is to be made, with a file an organization.")
@common.pipes_options
def command(orgs: tuple[str, ...], out: Path | None, split: bool, pipes: common.PipesOptions) -> int:
    """Write what is live in each ORG as manifests, and the lock file beside them. Changes nothing in Pipes.

    Manifests that are there already are kept: only what differs is changed, in place, with comments and order as they
    are, and workspaces that no manifest covers are added. `reconciler plan` shows nothing afterwards; where that
    cannot be reached, every file is left as it is.

    Exits 3 when a list cannot be believed or it is doubtful what is meant, and 4 when an ORG cannot be read.
    """
    there = _there(_target(out, split))
    settings = pipes.settings()
    try:
        with pipes.client(settings, read_only=True) as client:
            live, found = _read(client, list(dict.fromkeys(orgs)), there)
        draft = _Draft(there, live)
        for one in sorted(found, key=lambda one: one.live.handle):
            draft.take(one)
        draft.finish()
    except _RefusedError as refusal:
        from reconciler.report.text import escape

        click.echo(f"Error: nothing is written: {escape(str(refusal))}", err=True)
        return REFUSED
    return DONE


# --- where ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Target:
    path: Path
    is_folder: bool


@dataclass(frozen=True, slots=True)
class _There:
    """The manifests at the target and their lock file, as they are. `desired` is None where there are none."""

    target: _Target
    texts: Mapping[str, bytes]
    desired: Desired | None
    lock: Lock
    lock_path: Path
    day: date


def _target(out: Path | None, split: bool) -> _Target:
    from reconciler.manifest.files import DEFAULT_FILE, DEFAULT_FOLDER

    if out is None:
        if not Path(DEFAULT_FILE).exists():
            return _Target(Path(DEFAULT_FOLDER), is_folder=True)
        if split:
            raise UsageError(
                f"--split: {DEFAULT_FILE} is here, and commands without a PATH read nothing else; name a folder with --out"
            )
        return _Target(Path(DEFAULT_FILE), is_folder=False)
    if split and out.exists() and not out.is_dir():
        raise UsageError(f"--split: {out} is a file; name a folder with --out")
    is_folder = split or out.is_dir()
    if not is_folder and out.suffix not in (".yaml", ".yml"):
        raise UsageError(f"--out {out}: a manifest is named *.yaml or *.yml; with --split it is a folder to be made")
    return _Target(out, is_folder)


def _there(target: _Target) -> _There:
    """Raises ManifestError for manifests or a lock file that are wrong: nothing can be merged into them."""
    from reconciler import manifest
    from reconciler.manifest import lockfile
    from reconciler.manifest.files import LOCK_FILE, read_all

    day = common.today()
    desired: Desired | None = None
    texts: Mapping[str, bytes] = {}
    if target.path.is_file() or (target.is_folder and any(target.path.rglob("*.y*ml"))):
        desired = manifest.load([target.path], today=day)
        texts, _ = read_all([target.path])
    lock_path = (target.path if target.is_folder else target.path.parent) / LOCK_FILE
    return _There(target, texts, desired, lockfile.read(lock_path), lock_path, day)


# --- reading ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Org:
    """A live org, and what the manifests call it; None where they do not have it."""

    live: Resource
    name: str | None


def _read(client: Client, asked: Sequence[str], there: _There) -> tuple[Snapshot, list[_Org]]:
    """The orgs with everything in them: first which workspaces there are, then what is below. Raises PipesError."""
    from reconciler.cli.progress import Progress
    from reconciler.pipes.reading import snapshot
    from reconciler.plan.drift import both

    with Progress("Reading") as progress:
        first = snapshot(client, common.everything(asked, {}, there.day), there.lock, progress=progress.reading)
        known = [_live_org(handle, first, there.lock) for handle in asked]
        spaces = {one.handle: list(one.of("workspace")) for one in known}
        to_read = common.everything(list(spaces), spaces, there.day)
        names = {handle: _name(first.orgs[handle], there) for handle in spaces}
        if there.desired is not None:
            to_read = both(common.narrow(there.desired, [n for n in names.values() if n]), to_read)
        live = snapshot(client, to_read, there.lock, progress=progress.reading)
    found = [_Org(_live_org(handle, live, there.lock), name) for handle, name in names.items()]
    for one in found:
        _whole(one.live, live)
    return live, found


def _live_org(handle: str, live: Snapshot, lock: Lock) -> Resource:
    """The live org of that handle, or the one that the lock file knows by it."""
    for failed in live.unreadable:
        if failed.org == handle:
            raise _RefusedError(f"{failed.code}: {failed.why}")
    entry = lock.get(f"org.{handle}")
    found = live.orgs.get(handle) or next(
        (one for one in live.orgs.values() if entry is not None and one.id == entry.id), None
    )
    if found is not None:
        return found
    if handle in live.forbidden:
        raise PipesError(f"org {handle} is not for {live.actor.handle}, the user of this token, to read (403)")
    holder = live.identities.get(handle)
    if holder is not None and holder.type == "user":
        raise PipesError(f"{handle} is a user, not an organization")
    raise PipesError(f"Pipes shows no org {handle} to {live.actor.handle}{_near(handle, [*live.orgs, *live.others])}")


def _near(name: str, there: Sequence[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, sorted(there), n=3, cutoff=0.5)
    return f"; did you mean {' or '.join(f'`{one}`' for one in near)}?" if near else ""


def _name(live: Resource, there: _There) -> str | None:
    """What the manifests call a live org: by the lock file's id before the handle, and the stated former handle last."""
    if there.desired is None:
        return None
    orgs = there.desired.orgs
    by_id = [name for name in orgs if (entry := there.lock.get(f"org.{name}")) is not None and entry.id == live.id]
    by_handle = [live.handle] if live.handle in orgs else []
    before = [name for name, node in orgs.items() if node.renamed_from == live.handle]
    return next(iter([*by_id, *by_handle, *before]), None)


def _whole(found: Resource, live: Snapshot) -> None:
    """Raise PipesError where not everything in an org was seen: a part of it must not be written as if it were all."""
    if not live.owned(found):
        raise PipesError(
            f"{live.actor.handle}, the user of this token, does not own {found.handle}: Pipes shows workspaces and grants "
            "whole to owners only"
        )
    for space in found.of("workspace").values():
        if not space.was_read("grant"):
            raise PipesError(f"the workspace {found.handle}/{space.handle} came up while reading; import again")


# --- writing ----------------------------------------------------------------------------------------------------------


class _RefusedError(ReconcilerError):
    """It is doubtful what is meant, or whether what was read is true (exit status 3)."""


class _LeftAloneError(ReconcilerError):
    """What differs cannot be written (exit status 1)."""


class _Draft:
    """The manifests as they are to be; nothing is written before `finish` has proven them."""

    def __init__(self, there: _There, live: Snapshot) -> None:
        self.there = there
        self.live = live
        self.texts = dict(there.texts)
        self.notes: list[str] = []
        self.names: list[str] = []

    def take(self, one: _Org) -> None:
        if one.name is not None:
            self._fix_up(one.name, one.live)
        desired = self._desired() if self.texts else None
        names = (one.live.handle, one.name)
        name = next((n for n in names if desired is not None and n in desired.orgs), None)
        if desired is None or name is None:
            self.names.append(one.live.handle)
            self._add(one.live, desired)
        else:
            self.names.append(name)
            self._add_workspaces(desired, name, one.live)

    def _desired(self) -> Desired:
        from reconciler.manifest import load_texts

        try:
            return load_texts(self.texts, today=self.there.day)
        except ManifestError as error:
            first = error.diagnostics[0]
            where = f"{first.source}: " if first.source is not None else ""
            raise _LeftAloneError(f"what is live cannot be written: {where}{first.summary}") from None

    # -- into what is there

    def _fix_up(self, name: str, live: Resource) -> None:
        """Make official what differs, as `drift --fix-up` would; all of it or nothing."""
        from reconciler.manifest import load_texts
        from reconciler.manifest.patch import fix_up, key
        from reconciler.plan import drift as looking

        desired = common.narrow(self._desired(), [name])
        drift = looking.find(desired, self.live, self.there.lock).drift
        if drift.refusals:
            raise _RefusedError("; ".join(f"{r.code}: {r.address}: {r.fact}; {r.way_on}" for r in drift.refusals))

        def remaining(edited: Mapping[str, bytes]) -> set[tuple[str, str | None]] | None:
            try:
                found = load_texts(edited, today=self.there.day)
            except ManifestError:
                return None
            orgs = {n: node for n, node in found.orgs.items() if n in (name, live.handle)}
            left = looking.find(replace(found, orgs=orgs), self.live, self.there.lock).drift
            return {key(difference) for difference in left.differences}

        made = fix_up(self.texts, desired, drift.outside, remaining)
        if made.left:
            doubtful = any(d.what == "replaced" for d, _ in made.left)
            raise (_RefusedError if doubtful else _LeftAloneError)(
                "; ".join(
                    f"{d.address}{f' ({d.attribute})' if d.attribute else ''} differs, and cannot be written: {why}"
                    for d, why in made.left
                )
            )
        self.texts.update(made.texts)

    def _add_workspaces(self, desired: Desired, name: str, live: Resource) -> None:
        """Add the workspaces that no manifest covers. A section that is left out stays so: somebody may have meant it."""
        from reconciler.manifest import write

        node = desired.orgs[name]
        wanted = node.children.get("workspace", {})
        covered = {*wanted, *(space.renamed_from for space in wanted.values())}
        if "member" not in node.children:
            self.notes.append(f"org.{name}: the manifests leave its members alone, and so it stays")
        for handle in sorted(live.of("workspace")):
            if handle in covered:
                continue
            data, notes = write.described_workspace(live, handle, self._names(desired, live))
            self._fitting(name, {"workspaces": {handle: data}})
            self.notes += notes
            file = (node.sources or {}).get("workspace", node.source).file
            self._insert(file, ("orgs", name, "workspaces"), handle, data)

    def _add(self, live: Resource, desired: Desired | None) -> None:
        """Write an org that no manifest has: into the target's file, else into one of its own."""
        from reconciler.manifest import write

        data, notes = write.described(live, self._names(desired, live))
        self.notes += notes
        self._fitting(live.handle, data)
        target = self.there.target
        path = target.path / f"{live.handle}.yaml" if target.is_folder else target.path
        file = path.as_posix()
        if live.attrs.get("token_min_issued_at"):
            self.notes.append(
                f"org.{live.handle}: token_min_issued_at is a deed and not written; what is live stays in force"
            )
        if file in self.texts:
            self._insert(file, ("orgs",), live.handle, data)
        elif path.exists():
            raise _LeftAloneError(f"{path} is there and is not read as a manifest")
        else:
            schema = Path(os.path.relpath(SCHEMA, path.parent)).as_posix()
            self.texts[file] = write.document({live.handle: data}, schema)

    def _insert(self, file: str, path: tuple[str, ...], name: str, data: Mapping[str, Any]) -> None:
        from reconciler.manifest import write
        from reconciler.manifest.edit import CannotEditError

        try:
            self.texts[file] = write.insert(self.texts[file], path, name, data)
        except CannotEditError as error:
            raise _LeftAloneError(f"{file}: {'.'.join((*path, name))} cannot be added: {error}") from None

    def _names(self, desired: Desired | None, live: Resource) -> Any:
        """What the manifests call a person: by the name of their handle, or of the id that an invitation answered with."""
        people = desired.people if desired is not None else {}
        by_handle = {person.handle: person.name for person in reversed(people.values()) if person.handle}
        by_id = {
            entry.id: name
            for address, entry in self.there.lock.items()
            if (name := address.partition("/member.")[2]) in people and people[name].handle is None
        }

        def name_of(row: Resource) -> str:
            name = by_handle.get(row.handle) or by_id.get(row.id) or row.handle
            if name == row.handle and name in people and people[name].handle != name:
                raise _LeftAloneError(
                    f"org.{live.handle}: the handle {name} is live, and `people:` uses that name for somebody else; "
                    f"give {name} another name there first"
                )
            return name

        return name_of

    def _fitting(self, name: str, data: dict[str, Any]) -> None:
        """Take out the attributes whose live value no manifest can hold: what is left out is left alone."""
        if _problem({name: data}) is None:
            return
        for where, part in [(name, data), *((f"{name}/{s}", d) for s, d in data.get("workspaces", {}).items())]:
            for key in [key for key in part if key not in ("members", "workspaces")]:
                inner = {key: part[key]}
                one = inner if part is data else {"workspaces": {where.rpartition("/")[2]: inner}}
                why = _problem({name: one})
                if why is not None:
                    self.notes.append(f"{key} of {where} is left out, and left alone: {why}")
                    del part[key]

    # -- the end

    def finish(self) -> None:
        """Prove that a plan would be empty, then write what changed."""
        from reconciler.manifest import lockfile
        from reconciler.plan import make_plan, remembered
        from reconciler.report.text import escape

        desired = common.narrow(self._desired(), self.names)
        lock = remembered(desired, self.live, self.there.lock, only=self.names)
        plan = make_plan(desired, self.live, lock)
        if plan.refusals:
            raise _RefusedError("; ".join(f"{r.code}: {r.address}: {r.fact}; {r.way_on}" for r in plan.refusals))
        if plan.changes or plan.errors:
            left = [*(c.address for c in plan.changes), *(e.summary for e in plan.errors)]
            raise _LeftAloneError(f"what is live cannot be written; a plan would still show {', '.join(left[:5])}")
        for note in self.notes:
            click.echo(f"Note: {escape(note)}", err=True)
        for file in sorted(self.texts):
            before, data = self.there.texts.get(file), self.texts[file]
            if data != before:
                path = Path(file)
                path.parent.mkdir(parents=True, exist_ok=True)
                mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o644
                common.write_file(path, data.decode(), mode=mode)
                click.echo(f"{escape(file)}: {'written' if before is None else 'changed'}.")
        is_new = not self.there.lock_path.exists()
        if is_new or lock != self.there.lock:
            lockfile.write(self.there.lock_path, lock)
            click.echo(f"{escape(str(self.there.lock_path))}: {'written' if is_new else 'changed'}.")
        elif self.texts == self.there.texts:
            click.echo("Nothing to change: the manifests say what is live.")


def _problem(orgs: Mapping[str, Mapping[str, Any]]) -> str | None:
    """What is wrong with a manifest of these orgs; None where nothing is."""
    from reconciler.manifest import load_texts, write

    try:
        load_texts({"": write.document(orgs, "")}, today=common.today())
    except ManifestError as error:
        return error.diagnostics[0].summary
    return None
