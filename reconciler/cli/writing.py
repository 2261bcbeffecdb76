"""Writes the manifests of an `import`: where they go, what exists already, and all of it or nothing."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reconciler import clock
from reconciler.cli import output_files
from reconciler.model.address import org_of
from reconciler.model.errors import ManifestError, ReconcilerError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import date

    from reconciler.model.desired import Desired, Person
    from reconciler.model.live import Lock, Resource


MOST = 5  # addresses that a note names


class RefusedError(ReconcilerError):
    """What is meant is ambiguous, or what was read may be incomplete (exit status 3)."""


class LeftAloneError(ReconcilerError):
    """A difference cannot be written (exit status 1)."""


# --- where ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Target:
    path: Path
    is_folder: bool


@dataclass(frozen=True, slots=True)
class Existing:
    """The manifests at the target, and their lock file, as they are now."""

    target: Target  # where the import writes
    texts: Mapping[str, bytes]  # the bytes of each manifest there
    desired: Desired | None  # None if there are no manifests
    lock: Lock  # its entries
    lock_path: Path  # where the file is or will be
    day: date  # the day of the run
    seal: str = ""  # the lock file's, whoever wrote it

    @property
    def people(self) -> Mapping[str, Person]:
        """The people whom the manifests name."""
        return self.desired.people if self.desired is not None else {}


def target(out: Path | None, split: bool) -> Target:
    from reconciler.manifest.files import DEFAULT_FILE, DEFAULT_FOLDER

    if out is None:
        if not Path(DEFAULT_FILE).exists():
            return Target(Path(DEFAULT_FOLDER), is_folder=True)
        if split:
            raise UsageError(
                f"--split: {DEFAULT_FILE} exists, and commands without a PATH read only that; name a folder with --out"
            )
        return Target(Path(DEFAULT_FILE), is_folder=False)
    if split and out.exists() and not out.is_dir():
        raise UsageError(f"--split: {out} is a file; name a folder with --out")
    is_folder = split or out.is_dir()
    if not is_folder and out.suffix not in (".yaml", ".yml"):
        raise UsageError(f"--out {out}: a manifest must be named *.yaml or *.yml; to create a folder, use --split")
    return Target(out, is_folder)


def existing(target: Target) -> Existing:
    """Read them. Raises ManifestError if they have errors, since nothing can be merged into them, and if it is unclear which
    lock file is theirs.
    """
    from reconciler import manifest
    from reconciler.lockfile import file as lockfile
    from reconciler.lockfile import find
    from reconciler.manifest.files import has_manifests

    day = clock.today()
    desired: Desired | None = None
    texts: Mapping[str, bytes] = {}
    if target.path.is_file() or (target.is_folder and target.path.is_dir() and has_manifests(target.path)):
        desired, texts = manifest.load_with_texts([target.path], today=day)
    lock_path = _lock_path(target, texts, find.handles(desired) if desired is not None else ())
    lock, seal = lockfile.read_sealed(lock_path)
    return Existing(target, texts, desired, lock, lock_path, day, seal)


def _lock_path(target: Target, files: Iterable[str], orgs: Iterable[str]) -> Path:
    """The lock file of the manifests at the target. Raises ManifestError for a second one and for one passed over."""
    from reconciler.lockfile import find
    from reconciler.manifest.files import LOCK_FILE

    default = (target.path if target.is_folder else target.path.parent) / LOCK_FILE
    return find.on_disk(find.Sought(default, (target.path,), files, list(orgs)), fix="")


# --- what to write -----------------------------------------------------------------------------------------------------


class Draft:
    """The manifests as they will be; nothing is written before `save`.

    `orgs`, `teams` and `people` are new: what a manifest says of each, by name. `compose` puts them into the texts.
    """

    def __init__(self, existing: Existing) -> None:
        self.existing = existing
        self.texts = dict(existing.texts)
        self._loaded = [(existing.texts, existing.desired)] if existing.desired is not None else []
        self.notes: list[str] = []
        self.needs_schema = False  # whether a header names it
        self.orgs: dict[str, dict[str, Any]] = {}
        self.teams: dict[str, Any] = {}
        self.people: dict[str, Any] = {}

    def desired(self) -> Desired:
        """What the texts ask for. Raises LeftAloneError if they have errors."""
        try:
            return self.asked_by(self.texts)
        except ManifestError as error:
            raise LeftAloneError(f"the result would have an error: {error.first}") from None

    def asked_by(self, texts: Mapping[str, bytes]) -> Desired:
        """What these texts ask for; those that were there and those that were tried last are not read again."""
        from reconciler.manifest import load_texts

        known = next((desired for before, desired in self._loaded if before == texts), None)
        if known is None:
            known = load_texts(texts, today=self.existing.day)
            self._loaded[1:] = [(dict(texts), known)]
        return known

    def compose(self, *, suggest_teams: bool) -> None:
        """Put what is new into the texts: each org into the target file, or into a file of its own."""
        if suggest_teams:
            from reconciler.importing.suggested_teams import suggested

            known = self.desired().teams if self.texts else {}
            self.teams, self.orgs = suggested(self.orgs, known)
            self.notes += [f"team/{name}: a suggested team; rename it as you like" for name in self.teams]
        target = self.existing.target
        for section, found in (("people", self.people), ("teams", self.teams)):
            if found:
                file = (target.path / f"{section}.yaml" if target.is_folder else target.path).as_posix()
                self._put(self._having(section) or file, section, found)
        orgs = dict(sorted(self.orgs.items()))
        if target.is_folder:
            for handle, org in orgs.items():
                self._put((target.path / f"{handle}.yaml").as_posix(), "orgs", {handle: org})
        elif orgs:
            self._put(target.path.as_posix(), "orgs", orgs)

    def _having(self, section: str) -> str | None:
        """A manifest that has a section already."""
        from reconciler.editing.in_place import has_section

        return next((file for file in sorted(self.texts) if has_section(self.texts[file], section)), None)

    def _put(self, file: str, section: str, found: Mapping[str, Any]) -> None:
        from reconciler.importing import write

        if file in self.texts:
            self.insert(file, (section,), found)
        elif Path(file).exists():
            raise LeftAloneError(f"{file} exists, but is not read as a manifest")
        else:
            self.texts[file] = write.document({section: found}, self._schema(Path(file)))

    def _schema(self, file: Path) -> str:
        """The path of the JSON Schema for the header of a new manifest; empty for no header.

        Where nothing has been written yet, `save` writes the schema too; elsewhere it is used if it is there.
        """
        from reconciler.manifest.starting import SCHEMA

        here = Path.cwd().resolve()
        if not SCHEMA.is_file() and (self.existing.desired is not None or here not in file.resolve().parents):
            return ""
        self.needs_schema = True
        return Path(os.path.relpath(SCHEMA, file.parent)).as_posix()

    def insert(self, file: str, path: tuple[str, ...], entries: Mapping[str, Any]) -> None:
        """Add entries to a text, in one pass however many. Raises LeftAloneError if that cannot be done in place."""
        from reconciler.editing.in_place import CannotEditError
        from reconciler.importing import write

        try:
            self.texts[file] = write.insert(self.texts[file], path, entries)
        except CannotEditError as error:
            first = next(iter(entries))
            raise LeftAloneError(f"{file}: {'.'.join((*path, first))} cannot be added: {error}") from None

    @cached_property
    def _names(self) -> tuple[dict[str, str], dict[str, str]]:
        """The names of people by handle, and by the id that an invitation was answered with."""
        people = self.existing.people
        by_handle = {person.handle: person.name for person in reversed([*people.values()]) if person.handle}
        by_id = {
            entry.id: name
            for address, entry in self.existing.lock.items()
            if (name := address.partition("/member.")[2]) in people and people[name].handle is None
        }
        return by_handle, by_id

    def names(self, org: str) -> Callable[[Resource], str]:
        """What the manifests call a person: found by handle, or by the id that the invitation was answered with."""
        people = self.existing.people
        by_handle, by_id = self._names

        def name_of(row: Resource) -> str:
            name = by_handle.get(row.handle) or by_id.get(row.id) or row.handle
            if name == row.handle and name in people and people[name].handle != name:
                raise LeftAloneError(
                    f"org.{org}: {name} is a live handle, but `people:` uses that name for somebody else; "
                    f"rename {name} there first"
                )
            return name

        return name_of

    def fitting(self, name: str, data: dict[str, Any]) -> None:
        """Leave out attributes whose live value a manifest cannot hold."""
        if _problem({name: data}) is not None:
            self._fit(name, data, "org", lambda inner: {name: inner})

    def _fit(self, where: str, part: dict[str, Any], kind: str, around: Callable[[dict[str, Any]], Any]) -> None:
        """The same for one object of a kind, and for what is below it; `around` gives the orgs that say only this."""
        from reconciler.kinds import KINDS, children_of

        below = {child.section: child for child in children_of(kind)}
        refers = {a.name for a in KINDS[kind].attributes if a.refers_to is not None}
        for key in [one for one in part if one not in refers]:  # what refers to something beside it fits, and not alone
            child = below.get(key)
            if child is None:
                why = _problem(around({key: part[key]}))
                if why is not None:
                    self.notes.append(f"{key} of {where} is not written and not managed: {why}")
                    del part[key]
            elif not child.names_people and child.lists_handles_of is None:
                for handle, inner in part[key].items():

                    def inside(one: dict[str, Any], section: str = key, handle: str = handle) -> Any:
                        return around({section: {handle: one}})

                    self._fit(f"{where}/{handle}", inner, child.name, inside)

    def save(self, lock: Lock) -> bool:
        """Write what changed, and say what; whether anything did.

        Raises ManifestError, and writes nothing, where another lock file has one of the orgs.
        """
        from reconciler.lockfile import file as lockfile
        from reconciler.lockfile import seal as seals
        from reconciler.report.text import escape

        _lock_path(self.existing.target, self.texts, [*self.orgs, *(org_of(address) for address in lock)])
        for note in _together(self.notes):
            click.echo(f"Note: {escape(note)}", err=True)
        for file in sorted(self.texts):
            before, data = self.existing.texts.get(file), self.texts[file]
            if data != before:
                path = Path(file)
                path.parent.mkdir(parents=True, exist_ok=True)
                # a link to a manifest that was read is followed; a new file goes exactly where the path says
                output_files.write_file(
                    path, data.decode(), mode=output_files.SHARED, follow=before is not None, keep=True
                )
                click.echo(f"{escape(file)}: {'written' if before is None else 'changed'}.")
        if self.needs_schema:
            write_schema()
        is_new = not self.existing.lock_path.exists()
        if is_new or lock != self.existing.lock:
            key, former = seals.key_of(os.environ), self.existing.seal
            # where nothing was yet, no file that somebody changed can say who is who
            fresh = is_new and self.existing.desired is None
            kept = fresh or (former and not seals.why_not_believed(self.existing.lock, former, key))
            seal = seals.seal(lock, key) if kept else ""
            lockfile.write(self.existing.lock_path, lock, seal)
            if (key or former) and not seal:
                click.echo("Note: the lock file has no seal; `reconciler lock --seal` gives it one", err=True)
            click.echo(f"{escape(str(self.existing.lock_path))}: {'written' if is_new else 'changed'}.")
        elif self.texts == self.existing.texts:
            click.echo("Nothing to change: the manifests match Pipes.")
            return False
        return True


def _together(notes: Iterable[str]) -> list[str]:
    """The notes, those that say the same of several organizations as one."""
    about: dict[tuple[str, str], list[str]] = {}
    for note in notes:
        address, _, text = note.partition(": ")
        about.setdefault((text, "" if address.startswith("org.") else address), []).append(address)
    return [
        f"{', '.join(found[:MOST])}{f' and {len(found) - MOST} more' if len(found) > MOST else ''}: {text}"
        for (text, _), found in about.items()
    ]


def write_schema(*, replace: bool = False) -> None:
    """Write the JSON Schema of manifests where their headers look for it; with `replace` also over another one."""
    from reconciler.manifest import schema_text
    from reconciler.manifest.starting import SCHEMA

    text = schema_text("manifest")
    before = SCHEMA.read_text(encoding="utf-8", errors="replace") if SCHEMA.is_file() else None
    if before is None or (replace and before != text):
        SCHEMA.parent.mkdir(parents=True, exist_ok=True)
        output_files.write_file(SCHEMA, text, mode=output_files.SHARED, keep=True)
        click.echo(f"{SCHEMA.as_posix()}: {'written' if before is None else 'changed'}.")
    elif replace:
        click.echo(f"{SCHEMA.as_posix()} is up to date.")


def _problem(orgs: Mapping[str, Mapping[str, Any]]) -> str | None:
    """What is wrong with a manifest of these orgs; None if nothing is."""
    from reconciler.importing import write
    from reconciler.manifest import load_texts

    try:
        load_texts({"": write.document({"orgs": orgs}, "")}, today=clock.today())
    except ManifestError as error:
        return error.diagnostics[0].summary
    return None
