"""Fix-up patches: what would make drift official, as an edit in place of only the lines that it concerns.

The caller says how an edit is checked; one that fails the check is left out and reported.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import yaml

from reconciler.editing.canonical import as_formatted_as
from reconciler.editing.in_place import CannotEditError, File, Source, scalar
from reconciler.kinds import KINDS, children_of, grant, member, permission, workspace
from reconciler.kinds.kind import weaker
from reconciler.model import address as addresses

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from reconciler.editing.in_place import Section
    from reconciler.model.desired import Desired, Node
    from reconciler.model.drift import Difference

    Key = tuple[str, str | None]  # an address, and the attribute that differs
    Remaining = Callable[[Mapping[str, bytes]], set[Key] | None]

ABSENT = "{absent: true}"


@dataclass(frozen=True, slots=True)
class FixUp:
    """The manifests that change, whole, by name; and the differences that no edit makes official, with the reason."""

    texts: Mapping[str, bytes]
    left: tuple[tuple[Difference, str], ...]


def key(difference: Difference) -> Key:
    """What a difference is about."""
    return difference.address, difference.attribute


def fix_up(
    texts: Mapping[str, bytes], desired: Desired, differences: Sequence[Difference], remaining: Remaining
) -> FixUp:
    """Edit the manifests `texts`, which ask for `desired`, so that the `differences` are what they ask for.

    `remaining(texts)` gives what would still differ with edited manifests, None where they cannot be read: an edit is
    taken only if its differences are gone and no other has come.
    """
    left: list[tuple[Difference, str]] = []
    groups: dict[str, list[Difference]] = {}
    sources = _Sources(texts)
    for difference in differences:
        try:
            _Editor(sources, desired).make_official(difference)
        except CannotEditError as error:
            left.append((difference, str(error)))
        else:
            # a person's grants go with the membership, or the manifests would grant to nobody
            groups.setdefault(difference.follows or _entry_of(difference), []).append(difference)
    for name in list(groups):
        halved = _halved(groups[name])
        if halved is not None:
            left.extend((difference, halved) for difference in groups.pop(name))
    before = {key(d) for d in differences} | (remaining(texts) or set())
    taken: list[Difference] = []
    edited: dict[str, bytes] = {}  # what they make of the files

    def holds(more: Iterable[Difference]) -> dict[str, bytes] | None:
        """What the files would be with more of the differences; None where that cannot be taken."""
        chosen = [*taken, *more]
        try:
            tried = _edited(sources, desired, chosen)
        except CannotEditError:
            return None
        after = remaining({**texts, **tried})
        return tried if after is not None and after <= before - {key(d) for d in chosen} else None

    def take(found: list[list[Difference]]) -> None:
        nonlocal edited
        if not found:
            return
        flat = [d for group in found for d in group]
        tried = holds(flat)
        if tried is not None:
            taken.extend(flat)
            edited = tried
        elif len(found) == 1:
            left.extend((d, "the edit would change more than this, or leave the manifests wrong") for d in flat)
        else:
            half = len(found) // 2
            take(found[:half])
            take(found[half:])

    take(list(groups.values()))
    made = {name: as_formatted_as(texts[name], name, data, sources.source(name).tree) for name, data in edited.items()}
    return FixUp(made, tuple(left))


def _entry_of(difference: Difference) -> str:
    """What one entry of the manifests says: of a list of handles, everything that is made of one of them."""
    kind = KINDS[difference.kind]
    if kind.lists_handles_of is None:
        return difference.address
    above, _, handle = difference.address.rpartition(f"/{kind.name}.")
    return f"{above}/{kind.section}.{handle}"


def _halved(found: Sequence[Difference]) -> str | None:
    """Why one handle of a list cannot say what differs: it means several things, and live has only some of them."""
    kind = KINDS[found[0].kind]
    if kind.lists_handles_of is None or kind.parent is None or found[0].follows is not None:
        return None
    if addresses.name_of(found[0].address) == permission.EVERYWHERE:
        return None
    meant = [one.name for one in children_of(kind.parent) if one.section == kind.section]
    differ = {one.kind for one in found}
    if differ == set(meant):
        return None
    return (
        f"a handle in `{kind.section}:` means {' and '.join(meant)}, and only the {' and '.join(sorted(differ))} differs: "
        "apply puts it back, or make them the same in Pipes"
    )


# --- which edits ------------------------------------------------------------------------------------------------------


class _Sources:
    """The manifests, each read once however many edits are tried."""

    def __init__(self, texts: Mapping[str, bytes]) -> None:
        self.names = tuple(texts)
        self._texts = texts
        self._read: dict[str, Source] = {}
        self._teams: dict[tuple[str, ...], tuple[str, ...]] = {}
        # a quoted key may be written with escapes
        self._with_teams = [name for name, data in texts.items() if b"team/" in data or b"\\" in data]
        self._people: dict[str, frozenset[str]] = {}

    def source(self, name: str) -> Source:
        """The text of a manifest."""
        if name not in self._read:
            self._read[name] = Source(self._texts[name].decode())
        return self._read[name]

    def file(self, name: str) -> File:
        """A manifest without edits."""
        return File(self.source(name))

    def people(self, team: str, desired: Desired) -> frozenset[str]:
        """The people of a team of `desired`, which is the same for all edits."""
        if team not in self._people:
            self._people[team] = frozenset(desired.teams.get(team, ()))
        return self._people[team]

    def teams(self, path: tuple[str, ...]) -> tuple[str, ...]:
        """The teams that the section at a path names, in all files."""
        if path not in self._teams:
            found: list[str] = []
            for name in self._with_teams:
                with suppress(CannotEditError):
                    found += [key for key in self.file(name).section(path).keys if key.startswith("team/")]
            self._teams[path] = tuple(found)
        return self._teams[path]


def _edited(sources: _Sources, desired: Desired, differences: Iterable[Difference]) -> dict[str, bytes]:
    """The files that the differences change. Raises CannotEditError for the first that no edit makes official."""
    editor = _Editor(sources, desired)
    for difference in differences:
        editor.make_official(difference)
    return {name: file.result() for name, file in editor.files.items() if file.touched}


class _Editor:
    def __init__(self, sources: _Sources, desired: Desired) -> None:
        self.sources = sources
        self.desired = desired
        self.files: dict[str, File] = {}
        self.dropped: set[str] = set()  # addresses of people's entries that are taken out already

    def file(self, name: str) -> File:
        if name not in self.files:
            self.files[name] = self.sources.file(name)
        return self.files[name]

    def make_official(self, difference: Difference) -> None:
        what = difference.what
        if difference.reason == "expired":
            raise CannotEditError("its day has come: write a later `expires` if it is to stay")
        if what == "replaced":
            raise CannotEditError("it is another object under the same handle: take its entry out of the lock file")
        if KINDS[difference.kind].lists_handles_of is not None:
            self._in_a_list(difference)
        elif what == "renamed":
            self._rename(difference)
        elif not KINDS[difference.kind].names_people:
            if what == "changed" and KINDS[difference.kind].attribute(difference.attribute or "").own_request:
                raise CannotEditError("Pipes does not give it back; drop the line to leave it as it is")
            if what == "changed":
                self._attribute(difference)
            else:  # not there any more, or there although `absent: true` says otherwise: it is not mentioned
                self._drop_everywhere(difference.address)
        elif what == "added":
            self._list(difference)
        elif what == "removed":
            self._drop_person(difference.address)
            if difference.kind == member.KIND.name:
                for address in self._grants_of(difference.address):
                    self._drop_person(address)
        else:
            self._role(difference)

    # -- people

    def _list(self, difference: Difference) -> None:
        """Write down who was added."""
        name = addresses.name_of(difference.address)
        if not difference.live:
            raise CannotEditError("Pipes does not show the role")
        section = self._section(difference.address)
        if difference.reason == "absent":
            section.replace(name, scalar(difference.live))
        else:
            section.insert(name, scalar(difference.live))

    def _role(self, difference: Difference) -> None:
        """Write down another role: in the person's own entry, or in a new one, which wins over a team's."""
        node = self._node(difference.address)
        role = scalar(difference.live)
        rank = KINDS[difference.kind].attribute("role")
        # somebody at or below the role in `then` has no elevation left that could end
        settles = node.then is not None and not weaker(rank, difference.live, node.then)
        if node.via is not None:
            then = f", then: {scalar(node.then)}" if node.then is not None else ""
            text = role if node.expires is None or settles else f"{{role: {role}, expires: {node.expires}{then}}}"
            self._section(difference.address).insert(node.name, text)
            return
        entry = self._mapping(node.source.file, difference.address)
        value = entry.value(node.name)
        if isinstance(value, yaml.MappingNode) and not settles:
            entry.inside(node.name).replace("role", role)
        else:
            entry.replace(node.name, role)

    def _drop_person(self, address: str) -> None:
        """Take out an entry; a team's stays, and a direct `absent: true` says that this person is an exception."""
        if address in self.dropped:
            return
        self.dropped.add(address)
        node = self._node(address)
        if node.via is not None:
            self._section(address).insert(node.name, ABSENT)
            return
        entry = self._mapping(node.source.file, address)
        if self._in_a_team(address, node.name):
            entry.replace(node.name, ABSENT)
        else:
            entry.remove(node.name)

    def _in_a_team(self, address: str, name: str) -> bool:
        """Whether a team of the same section has the person as well, and would bring them back."""
        return any(
            name in self.people_of(team.removeprefix("team/")) for team in self.sources.teams(_section_path(address))
        )

    def people_of(self, team: str) -> frozenset[str]:
        """The people of a team, for looking up."""
        return self.sources.people(team, self.desired)

    def _grants_of(self, membership: str) -> Iterator[str]:
        (_, name), (_, person) = addresses.split(membership)
        for space in self.desired.orgs[name].children.get(workspace.KIND.name, {}).values():
            found = space.children.get(grant.KIND.name, {}).get(person)
            if found is not None and not found.absent:
                yield f"org.{name}/workspace.{space.name}/grant.{person}"

    def _section(self, address: str) -> Section:
        """The `members:` mapping that an address belongs to, in the file that has it first."""
        above, kind = self._node(addresses.above(address)), addresses.kind_of(address)
        source = (above.sources or {}).get(kind)
        if source is None:
            raise CannotEditError("no manifest has the section")
        return self._mapping(source.file, address)

    # -- lists of handles

    def _in_a_list(self, difference: Difference) -> None:
        """Strike a handle, or write one; whatever else is made of it must have come or gone as well."""
        above, (_, handle) = addresses.above(difference.address), addresses.split(difference.address)[-1]
        source = (self._node(above).sources or {}).get(difference.kind)
        if source is None:
            raise CannotEditError("no manifest has the list")
        path = [part for kind, name in addresses.split(above) for part in (KINDS[kind].section, name)]
        if handle == permission.EVERYWHERE:
            self.file(source.file).section(tuple(path)).replace("everywhere", scalar(difference.what == "added"))
            return
        items = self.file(source.file).items((*path, KINDS[difference.kind].section))
        if difference.what == "removed":
            items.remove(handle)
        else:
            items.insert(handle)

    # -- orgs and workspaces

    def _attribute(self, difference: Difference) -> None:
        name = difference.attribute or ""
        node = self._node(difference.address)
        source = (node.sources or {}).get(name)
        if source is None:
            raise CannotEditError("no line of the manifests sets it")
        section = self._mapping(source.file, f"{difference.address}/attribute.{name}")
        attribute = KINDS[difference.kind].attribute(name)
        if attribute.secret:
            raise CannotEditError("Pipes gives no secrets back, so what it shows is not all: write it by hand")
        if difference.live is not None:
            section.replace(name, scalar(difference.live))
        elif attribute.clear is not None:
            section.replace(name, scalar(attribute.clear))
        else:
            section.remove(name)

    def _drop_everywhere(self, address: str) -> None:
        """Take an org or workspace out of each file that has it."""
        for section in self._everywhere(address):
            section.remove(addresses.name_of(address))

    def _rename(self, difference: Difference) -> None:
        if difference.kind == member.KIND.name:
            self._rename_person(difference)
            return
        name = addresses.name_of(difference.address)
        for section in self._everywhere(difference.address):
            if difference.reason == "renamed_from" and "renamed_from" in section.inside(name).keys:
                section.inside(name).remove("renamed_from")
            section.rename(name, scalar(difference.live))

    def _rename_person(self, difference: Difference) -> None:
        """A person keeps the name that the manifests use; `people:` says which handle it is now."""
        name, handle = addresses.name_of(difference.address), scalar(difference.live)
        person = self.desired.people.get(name)
        if person is not None and person.source is not None:
            entry = self.file(person.source.file).section(("people", name))
            if "handle" in entry.keys:
                entry.replace("handle", handle)
            else:
                entry.insert("handle", handle)
            return
        file = self.file(self._node(difference.address).source.file)
        text = f"{{handle: {handle}}}"
        if "people" in file.section(()).keys:
            file.section(("people",)).insert(name, text)
        else:
            file.section(()).insert("people", f"{{{scalar(name)}: {text}}}")

    def _everywhere(self, address: str) -> list[Section]:
        found = []
        for file in self.sources.names:
            try:
                section = self._mapping(file, address)
            except CannotEditError:
                continue
            if addresses.name_of(address) in section.keys:
                found.append(section)
        if not found:
            raise CannotEditError("no manifest has its line any more")
        return found

    def _node(self, address: str) -> Node:
        (_, name), *rest = addresses.split(address)
        found = self.desired.orgs.get(name)
        for kind, child in rest:
            if found is not None:
                found = found.children.get(kind, {}).get(child) or (found.expired or {}).get(kind, {}).get(child)
        if found is None:
            raise CannotEditError("no manifest has its line")
        return found

    def _mapping(self, file: str, address: str) -> Section:
        """The mapping in `file` that has, or would have, the key of an address."""
        return self.file(file).section(_section_path(address))


def _section_path(address: str) -> tuple[str, ...]:
    """The keys that lead to the section of an address, or to the object that an attribute's address is about."""
    path: list[str] = []
    for kind, name in addresses.split(address)[:-1]:
        path += [KINDS[kind].section, name]
    last = addresses.kind_of(address)
    return (*path, KINDS[last].section) if last in KINDS else tuple(path)
