"""Fix-up patches: what would make drift official, as an edit of only the lines that it concerns.

The places come from libyaml's own nodes, and everything else keeps its bytes. (A round trip through ruamel.yaml keeps
comments too, and yet lays out anew what nobody asked for: it wraps long lines, indents by its own measure and writes
`null` as nothing.) Whoever asks for a patch says how it is proven; what cannot be proven is left out and said.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from difflib import unified_diff
from typing import TYPE_CHECKING, Any

import yaml

from reconciler.kinds import KINDS, grant, member, workspace
from reconciler.model import address as addresses

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from reconciler.model.desired import Desired, Node
    from reconciler.model.drift import Difference

    Key = tuple[str, str | None]  # an address, and the attribute that differs
    Remaining = Callable[[Mapping[str, bytes]], set[Key] | None]

ABSENT = "{absent: true}"
_PLAIN = re.compile(r"[A-Za-z_](?:[A-Za-z0-9_./@+-]|:(?=[/A-Za-z0-9])| (?=[A-Za-z0-9_(]))*\Z")
_WORDS = frozenset(("yes", "no", "true", "false", "on", "off", "null", "y", "n"))


@dataclass(frozen=True, slots=True)
class FixUp:
    """The manifests that change, whole, by name; and the differences that no edit makes official, with the reason."""

    texts: Mapping[str, bytes]
    left: tuple[tuple[Difference, str], ...]


class _CannotError(Exception):
    """No edit does it; the text is the reason."""


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
    for difference in differences:
        try:
            _edited(texts, desired, [difference])
        except _CannotError as error:
            left.append((difference, str(error)))
        else:
            # a person's grants go with the membership, or the manifests would grant to nobody
            groups.setdefault(difference.follows or difference.address, []).append(difference)
    before = {key(d) for d in differences} | (remaining(texts) or set())
    taken: list[Difference] = []

    def holds(more: Iterable[Difference]) -> bool:
        chosen = [*taken, *more]
        after = remaining({**texts, **_edited(texts, desired, chosen)})
        return after is not None and after <= before - {key(d) for d in chosen}

    def take(found: list[list[Difference]]) -> None:
        if not found:
            return
        flat = [d for group in found for d in group]
        if holds(flat):
            taken.extend(flat)
        elif len(found) == 1:
            left.extend((d, "the edit would change more than this, or leave the manifests wrong") for d in flat)
        else:
            half = len(found) // 2
            take(found[:half])
            take(found[half:])

    take(list(groups.values()))
    return FixUp(_edited(texts, desired, taken), tuple(left))


def unified(old: Mapping[str, bytes], new: Mapping[str, bytes]) -> str:
    """The change from `old` to `new` as a patch for `git apply`; paths as the manifests are named."""
    return "".join(_one(name, old[name].decode(), new[name].decode()) for name in sorted(new) if new[name] != old[name])


def _one(name: str, old: str, new: str) -> str:
    lines = unified_diff(_lines(old), _lines(new), _name("a/" + name), _name("b/" + name))
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def _lines(text: str) -> list[str]:
    return re.findall(r"[^\n]*\n|[^\n]+\Z", text)


def _name(name: str) -> str:
    """A file's name as git reads it: quoted where a character could end it or hide in it; a tab ends one with spaces."""
    if any(c in '"\\' or not c.isprintable() for c in name):
        inner = "".join(
            c if c.isprintable() and c not in '"\\' else "".join(f"\\{byte:03o}" for byte in c.encode()) for c in name
        )
        return f'"{inner}"'
    return name + "\t" if " " in name else name


# --- which edits ------------------------------------------------------------------------------------------------------


def _edited(texts: Mapping[str, bytes], desired: Desired, differences: Iterable[Difference]) -> dict[str, bytes]:
    """The files that the differences change. Raises _CannotError for the first that no edit makes official."""
    editor = _Editor(texts, desired)
    for difference in differences:
        editor.make_official(difference)
    return {name: file.result() for name, file in editor.files.items() if file.touched}


class _Editor:
    def __init__(self, texts: Mapping[str, bytes], desired: Desired) -> None:
        self.texts = texts
        self.desired = desired
        self.files: dict[str, _File] = {}
        self.dropped: set[str] = set()  # addresses of people's entries that are taken out already

    def file(self, name: str) -> _File:
        if name not in self.files:
            self.files[name] = _File(self.texts[name].decode())
        return self.files[name]

    def make_official(self, difference: Difference) -> None:
        what = difference.what
        if difference.reason == "expired":
            raise _CannotError("its day has come: write a later `expires` if it is to stay")
        if what == "replaced":
            raise _CannotError("it is another object under the same handle: take its entry out of the lock file")
        if what == "renamed":
            self._rename(difference)
        elif not KINDS[difference.kind].names_people:
            if what == "changed":
                self._attribute(difference)
            else:  # not there any more, or there although `absent: true` says otherwise: nothing is said of it
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
        name = addresses.split(difference.address)[-1][1]
        if not difference.live:
            raise _CannotError("Pipes tells no role")
        section = self._section(difference.address)
        if difference.reason == "absent":
            section.replace(name, _scalar(difference.live))
        else:
            section.insert(name, _scalar(difference.live))

    def _role(self, difference: Difference) -> None:
        """Write down another role: in the person's own entry, or in a new one, which wins over a team's."""
        node = self._node(difference.address)
        role = _scalar(difference.live)
        if node.via is not None:
            text = role if node.expires is None else f"{{role: {role}, expires: {node.expires}}}"
            self._section(difference.address).insert(node.name, text)
            return
        entry = self._mapping(node.source.file, difference.address)
        value = entry.value(node.name)
        if isinstance(value, yaml.MappingNode):
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
            name in self.desired.teams.get(team.removeprefix("team/"), ())
            for file in self.texts
            for team in self._keys_of_section(file, address)
            if team.startswith("team/")
        )

    def _keys_of_section(self, file: str, address: str) -> list[str]:
        try:
            return self._mapping(file, address).keys
        except _CannotError:
            return []

    def _grants_of(self, membership: str) -> Iterator[str]:
        (_, name), (_, person) = addresses.split(membership)
        for space in self.desired.orgs[name].children.get(workspace.KIND.name, {}).values():
            found = space.children.get(grant.KIND.name, {}).get(person)
            if found is not None and not found.absent:
                yield f"org.{name}/workspace.{space.name}/grant.{person}"

    def _section(self, address: str) -> _Section:
        """The `members:` mapping that an address belongs to, in the file that has it first."""
        above, kind = self._node(address.rpartition("/")[0]), addresses.split(address)[-1][0]
        source = (above.sources or {}).get(kind)
        if source is None:
            raise _CannotError("no manifest has the section")
        return self._mapping(source.file, address)

    # -- orgs and workspaces

    def _attribute(self, difference: Difference) -> None:
        name = difference.attribute or ""
        node = self._node(difference.address)
        source = (node.sources or {}).get(name)
        if source is None:
            raise _CannotError("no line of the manifests sets it")
        section = self._mapping(source.file, f"{difference.address}/attribute.{name}")
        attribute = KINDS[difference.kind].attribute(name)
        if difference.live is not None:
            section.replace(name, _scalar(difference.live))
        elif attribute.clear is not None:
            section.replace(name, _scalar(attribute.clear))
        else:
            section.remove(name)

    def _drop_everywhere(self, address: str) -> None:
        """Take an org or workspace out of each file that has it."""
        for section in self._everywhere(address):
            section.remove(addresses.split(address)[-1][1])

    def _rename(self, difference: Difference) -> None:
        if difference.kind == member.KIND.name:
            self._rename_person(difference)
            return
        name = addresses.split(difference.address)[-1][1]
        for section in self._everywhere(difference.address):
            if difference.reason == "renamed_from" and "renamed_from" in section.inside(name).keys:
                section.inside(name).remove("renamed_from")
            section.rename(name, _scalar(difference.live))

    def _rename_person(self, difference: Difference) -> None:
        """A person keeps the name that the manifests use; `people:` says which handle it is now."""
        name, handle = addresses.split(difference.address)[-1][1], _scalar(difference.live)
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
            file.section(()).insert("people", f"{{{_scalar(name)}: {text}}}")

    def _everywhere(self, address: str) -> list[_Section]:
        found = []
        for file in self.texts:
            try:
                section = self._mapping(file, address)
            except _CannotError:
                continue
            if addresses.split(address)[-1][1] in section.keys:
                found.append(section)
        if not found:
            raise _CannotError("no manifest has its line any more")
        return found

    def _node(self, address: str) -> Node:
        (_, name), *rest = addresses.split(address)
        found = self.desired.orgs.get(name)
        for kind, child in rest:
            if found is not None:
                found = found.children.get(kind, {}).get(child) or (found.expired or {}).get(kind, {}).get(child)
        if found is None:
            raise _CannotError("no manifest has its line")
        return found

    def _mapping(self, file: str, address: str) -> _Section:
        """The mapping in `file` that has, or would have, the key of an address."""
        path: list[str] = []
        for kind, name in addresses.split(address)[:-1]:
            path += [KINDS[kind].section, name]
        last = addresses.split(address)[-1][0]
        return self.file(file).section((*path, KINDS[last].section) if last in KINDS else tuple(path))


# --- how a file is edited ---------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Section:
    """One mapping of a file, and what is to become of its entries. `colon` is the place behind its key's colon."""

    file: _File
    path: tuple[str, ...]
    node: yaml.MappingNode
    colon: int | None
    inserted: dict[str, str] = field(default_factory=dict)
    removed: set[str] = field(default_factory=set)
    replaced: dict[str, str] = field(default_factory=dict)
    renamed: dict[str, str] = field(default_factory=dict)

    @property
    def keys(self) -> list[str]:
        return [k.value for k, _ in self.node.value]

    @property
    def touched(self) -> bool:
        return bool(self.inserted or self.removed or self.replaced or self.renamed)

    def value(self, name: str) -> Any:
        for k, v in self.node.value:
            if k.value == name:
                return v
        raise _CannotError(f"`{name}` does not stand where it was read")

    def inside(self, name: str) -> _Section:
        return self.file.section((*self.path, name))

    def insert(self, name: str, text: str) -> None:
        if name in self.keys and name not in self.removed:
            raise _CannotError(f"`{name}` is written there already")
        self.inserted[name] = text

    def remove(self, name: str) -> None:
        self.value(name)
        self.removed.add(name)

    def replace(self, name: str, text: str) -> None:
        if self.value(name).start_mark.index < self._key(name).end_mark.index:
            raise _CannotError(f"`{name}` is written through an alias")
        self.replaced[name] = text

    def rename(self, name: str, text: str) -> None:
        self.renamed[name] = text

    def _key(self, name: str) -> Any:
        return next(k for k, _ in self.node.value if k.value == name)

    def edits(self) -> Iterator[tuple[int, int, str]]:
        """(start, end, text) in characters of the file."""
        for k, v in self.node.value:
            if k.value in self.removed:
                continue
            if k.value in self.renamed:
                yield k.start_mark.index, k.end_mark.index, self._like(k, self.renamed[k.value])
            if k.value in self.replaced:
                yield from self._replacing(k, v, self.replaced[k.value])
        pairs = [f"{self._like(None, _scalar(name))}: {text}" for name, text in self.inserted.items()]
        yield from self._in_flow(pairs) if self.node.flow_style else self._in_block(pairs)

    def _like(self, old: yaml.Node | None, text: str) -> str:
        """A key in the quotes that its neighbours have: a manifest may be JSON."""
        model = old if old is not None else (self.node.value[0][0] if self.node.value else None)
        quoted = getattr(model, "style", None) == '"' and not text.startswith('"')
        return json.dumps(text) if quoted else text

    def _replacing(self, k: yaml.Node, v: yaml.Node, text: str) -> Iterator[tuple[int, int, str]]:
        if isinstance(v, yaml.ScalarNode) and v.style == '"' and not text.startswith(('"', "{", "[")):
            text = json.dumps(text) if re.match(r"[A-Za-z]", text) else text
        if v.start_mark.line > k.end_mark.line and not self.node.flow_style:
            # what stands below its key makes room for a value beside it
            colon = self.file.colon(k)
            yield colon, colon, f" {text}"
            yield self.file.begin(v.start_mark.line), self.file.begin(_last_line(v) + 1), ""
        else:
            start, end = v.start_mark.index, _end(v)
            yield start, end, f" {text}" if start == end else text

    def _in_flow(self, pairs: list[str]) -> Iterator[tuple[int, int, str]]:
        found = self.node.value
        kept = [n for n, (k, _) in enumerate(found) if k.value not in self.removed]
        last = kept[-1] if kept else -1
        for n, (k, _) in enumerate(found):
            if k.value in self.removed and n < last:
                yield k.start_mark.index, found[n + 1][0].start_mark.index, ""
        text = ", ".join(pairs)
        if kept:
            end = _end(found[last][1])
            gone = last + 1 < len(found)
            if gone or text:
                yield end, _end(found[-1][1]) if gone else end, f", {text}" if text else ""
        elif found:
            yield found[0][0].start_mark.index, _end(found[-1][1]), text
        elif text:
            yield self.node.start_mark.index + 1, self.node.start_mark.index + 1, text

    def _in_block(self, pairs: list[str]) -> Iterator[tuple[int, int, str]]:
        file, found = self.file, self.node.value
        for k, v in found:
            if k.value in self.removed:
                yield file.begin(k.start_mark.line), file.begin(_last_line(v, k) + 1), ""
        if not pairs:
            if all(k.value in self.removed for k, _ in found):
                if self.colon is None:
                    raise _CannotError("nothing would be left in the file")
                yield self.colon, self.colon, " {}"
            return
        after = file.begin(_last_line(found[-1][1], found[-1][0]) + 1)
        indent = " " * found[0][0].start_mark.column
        text = "".join(f"{indent}{pair}{file.newline}" for pair in pairs)
        if not file.text[:after].endswith("\n"):
            text = file.newline + text.removesuffix(file.newline)
        yield after, after, text


class _File:
    """A manifest's text and its nodes; line numbers count from 0."""

    def __init__(self, text: str) -> None:
        self.mark = "\ufeff" if text.startswith("\ufeff") else ""  # libyaml does not count it
        self.text = text.removeprefix(self.mark)
        self.newline = "\r\n" if "\r\n" in self.text else "\n"
        self.root = yaml.compose(self.text, Loader=yaml.CBaseLoader)
        self.sections: dict[tuple[str, ...], _Section] = {}
        self._begins = [0, *(match.end() for match in re.finditer("\r\n|[\n\r\x85\u2028\u2029]", self.text))]

    @property
    def touched(self) -> bool:
        return any(section.touched for section in self.sections.values())

    def begin(self, line: int) -> int:
        """Where a line begins; beyond the last one, where the text ends."""
        return self._begins[line] if line < len(self._begins) else len(self.text)

    def colon(self, k: yaml.Node) -> int:
        """The place behind the colon that follows a key."""
        return self.text.index(":", k.end_mark.index) + 1

    def section(self, path: tuple[str, ...]) -> _Section:
        """The mapping at a path. Raises _CannotError where there is none, or where it stands elsewhere than it seems."""
        if path in self.sections:
            return self.sections[path]
        node, colon = self.root, None
        for name in path:
            pair = (
                next((p for p in node.value if p[0].value == name), None)
                if isinstance(node, yaml.MappingNode)
                else None
            )
            if pair is None:
                raise _CannotError("no manifest has its line")
            k, node = pair
            if node.start_mark.index < k.end_mark.index:
                raise _CannotError("it is written through an alias")
            colon = self.colon(k)
        if not isinstance(node, yaml.MappingNode):
            raise _CannotError("no manifest has its section")
        if not node.flow_style and any(
            self.text[self.begin(k.start_mark.line) : k.start_mark.index].strip(" ") for k, _ in node.value
        ):
            raise _CannotError("its line holds something else as well")
        found = self.sections[path] = _Section(self, path, node, colon)
        return found

    def result(self) -> bytes:
        """The text with all edits made, from its end to its beginning, so that places stay what they were read as."""
        gone = {(*section.path, name) for section in self.sections.values() for name in section.removed}
        edits = [
            (start, end, -len(section.path), new)
            for section in self.sections.values()
            if section.touched and not any(section.path[: len(path)] == path for path in gone)
            for start, end, new in section.edits()
        ]
        text = self.text
        # of two insertions at one place the deeper one belongs first: a section ends before what it stands in
        for start, end, _, new in sorted(edits, reverse=True):
            text = text[:start] + new + text[end:]
        return (self.mark + text).encode()


def _end(node: yaml.Node) -> int:
    """Where a node's own text ends; libyaml lets block collections run on to what comes next."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(last[1] if isinstance(last, tuple) else last)
    index: int = node.end_mark.index
    return index - 1 if isinstance(node, yaml.ScalarNode) and node.style in ("|", ">") else index


def _last_line(node: yaml.Node, k: yaml.Node | None = None) -> int:
    """The number of the last line that a node, or its key where it is empty, stands on."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _last_line(last[1], last[0]) if isinstance(last, tuple) else _last_line(last)
    line: int = node.end_mark.line
    if isinstance(node, yaml.ScalarNode) and node.style in ("|", ">"):
        line -= 1
    if k is not None and node.start_mark.index < k.end_mark.index:
        line = k.end_mark.line  # an alias: the node stands at its anchor
    return max(line, k.end_mark.line) if k is not None else line


def _scalar(value: Any) -> str:
    """A value as a manifest writes it, in one line."""
    if value is None:
        return "null"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_scalar(item) for item in value) + "]"
    if not isinstance(value, str):
        return json.dumps(value)
    if _PLAIN.match(value) and value.lower() not in _WORDS:
        return value
    inner = "".join(c if c.isprintable() and c not in '"\\' else _escaped(c) for c in value)
    return f'"{inner}"'


def _escaped(c: str) -> str:
    if c in '"\\':
        return "\\" + c
    code = ord(c)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


__all__ = ["FixUp", "fix_up", "key", "unified"]
