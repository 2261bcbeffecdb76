"""A live org as a manifest: in the shape that a person would have written, and into files that are there already.

Text is laid out here and edits are made in place, by the nodes of `edit`, so that nothing else in a file moves.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from reconciler.editing.in_place import WIDTH, CannotEditError, File, last_line, scalar
from reconciler.importing import folders, service_accounts
from reconciler.importing.hidden_secrets import Commented
from reconciler.kinds import (
    KINDS,
    children_of,
    grant,
    logo,
    member,
    named_below,
    org,
    permission,
    secret,
    service_account,
    workspace,
)
from reconciler.kinds.kind import same_value
from reconciler.manifest import json_schema
from reconciler.model import address as addresses

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from reconciler.editing.in_place import Section
    from reconciler.importing.hidden_secrets import HiddenSecrets
    from reconciler.kinds.kind import Kind
    from reconciler.model.live import Resource

# an action, not a setting: copied to another org, or to one that is made again, it would end tokens that nobody meant
ONE_TIME = frozenset({"token_min_issued_at"})


class OrgWriter:
    """Describes one live org, which has its members, its workspaces and all that is below them.

    `name_of` gives the name that the manifests use for a person's row. `folder` is where the manifest will be. `notes` gathers
    what is left out of it, and what to do about it. `keys` are the folders of connections that the manifests have, by the id of
    the org or workspace that they are in.
    """

    def __init__(
        self,
        live: Resource,
        name_of: Callable[[Resource], str],
        hidden_secrets: HiddenSecrets,
        folder: str,
        keys: Mapping[str, Collection[str]] | None = None,
    ) -> None:
        self.live = live
        self.notes: list[str] = []
        self._name_of = name_of
        self._hidden_secrets = hidden_secrets
        self._folder = folder
        self._keys = keys or {}
        self._trees: dict[str, tuple[set[str], list[str]]] = {}  # by the id of what they are in
        self._address = addresses.join(None, org.KIND.name, live.handle)

    def org(self) -> dict[str, Any]:
        """What a manifest says below the org's handle, sorted.

        Rows of other levels are not written: they cannot be changed here.
        """
        live = self.live
        rows = live.of(member.KIND.name)
        found = _attributes(org.KIND, live)
        if live.attrs.get(logo.URL):
            self.notes.append(
                f"{self._address}: the logo is left alone: Pipes gives a URL, for one of its own as for a generated one; "
                "`logo:` manages it"
            )
        if any(member.is_owner(row.attrs) for row in rows.values()):
            found[member.KIND.section] = self._people(rows)
        else:
            self.notes.append(
                f"{self._address}: no row of its own is an owner's, so its members are left out, and left alone"
            )
        for kind in named_below(org.KIND.name):
            there = self.writable(kind, live, self._address)
            if there:
                found[kind.section] = {handle: self.named(kind, handle) for handle in there}
        tenants = service_accounts.of_the_tenant(live)
        if tenants:
            found[service_account.KIND.section] = tenants
        return found

    def writable(self, kind: Kind, above: Resource, address: str) -> list[str]:
        """The names of the live objects of a kind below `above` that a manifest can have. A note names the others."""
        there = above.of(kind.name).keys()
        if kind.has_handles or kind is service_account.KIND:
            return sorted(there)
        found, unwritten = self._folders_of(above, address)
        self.notes += unwritten
        return sorted(there & found)

    def _folders_of(self, above: Resource, address: str) -> tuple[set[str], list[str]]:
        """The keys of the folders of an org or a workspace that can be written, and notes on the others."""
        if above.id not in self._trees:
            self._trees[above.id] = folders.writable(above, address, self._keys.get(above.id, ()))
        return self._trees[above.id]

    def named(self, kind: Kind, handle: str) -> dict[str, Any]:
        """The same for one object that carries a handle of its own in the org."""
        return self._object(kind, self.live.of(kind.name)[handle], self._address, (self.live,))

    def inner(self, kind: Kind, handle: str, above: Resource) -> dict[str, Any]:
        """The same for one that is below such an object of the org, `above`."""
        address = addresses.join(self._address, above.kind, above.handle)
        return self._object(kind, above.of(kind.name)[handle], address, (self.live, above))

    def _object(self, kind: Kind, have: Resource, parent: str, above: tuple[Resource, ...]) -> dict[str, Any]:
        address = addresses.join(parent, kind.name, have.handle)
        names = tuple(one.handle for one in (*above, have))
        found = _attributes(kind, have)
        if kind is service_account.KIND:
            found = service_accounts.described(have, self.live)
        if kind is workspace.KIND and workspace.is_asleep(have.attrs):
            found.pop("desired_state", None)  # nobody decided that: it sleeps because nobody used it
        for a in kind.attributes:
            if a.refers_to is not None:  # a row has its id only
                ids = {one.id: handle for handle, one in above[-1].of(a.refers_to).items()}
                found.pop(a.name, None)
                inside = ids.get(str(have.attrs.get(a.api_field)))
                if inside in self._folders_of(above[-1], parent)[0]:
                    found[a.name] = inside
        if kind.defaults is not None:
            found = {name: said for name, said in found.items() if kind.defaults(have.handle).get(name) != said}
        for name in [a.name for a in kind.attributes if a.secret]:
            found.pop(name, None)
            config = self._hidden_secrets.config(address, have, names, have.attrs.get(name), self._folder)
            if isinstance(config, str):
                self.notes.append(config)
            elif config is not None:
                found[name] = config
        lists: dict[tuple[str, str], list[Kind]] = {}
        for child in children_of(kind.name):
            if child.names_people:
                self._grants(found, have, address)
            elif child.lists_handles_of is not None:
                lists.setdefault((child.section, child.lists_handles_of), []).append(child)
            elif there := self.writable(child, have, address):
                rows, here = have.of(child.name), (*above, have)
                found[child.section] = {one: self._object(child, rows[one], address, here) for one in there}
        for (section, named), all_kinds in lists.items():
            kinds = all_kinds
            if not all(have.was_read(one.name) for one in kinds):
                continue
            handles = {one.id: one.handle for one in self.live.of(named).values()}
            if any(permission.EVERYWHERE in have.of(one.name) for one in kinds):
                found["everywhere"] = True
                # then the list says where it is used, and permissions for single workspaces add nothing
                kinds = [one for one in kinds if one.needs_sibling] or kinds
            first, *others = (
                {row.id for row in have.of(one.name).values() if row.handle != permission.EVERYWHERE} for one in kinds
            )
            if all(other == first for other in others) and first <= handles.keys():
                found[section] = sorted(handles[identifier] for identifier in first)
            else:
                found.pop("everywhere", None)  # it is only ever beside the list
                self.notes.append(
                    f"{address}: its {' and its '.join(f'{one.name}s' for one in kinds)} are not for the same {named}s of the "
                    f"org, so its {section} are left out, and left alone"
                )
        return _in_order(address, found)

    def _grants(self, found: dict[str, Any], space: Resource, address: str) -> None:
        people = {row.id: row for row in self.live.of(member.KIND.name).values()}
        rows = space.of(grant.KIND.name)
        strangers = sorted(row.handle for row in rows.values() if row.id not in people)
        if strangers:
            they = "has a grant, but is" if len(strangers) == 1 else "have grants, but are"
            self.notes.append(
                f"{address}: {', '.join(strangers)} {they} not in the org's list of members, so the members of the workspace are "
                "left out, and left alone"
            )
            return
        # owners reach every workspace: their grants are redundant, and plans leave them alone
        granted = {handle: row for handle, row in rows.items() if not member.is_owner(people[row.id].attrs)}
        # an empty section is not the same as none: with it a grant from outside is drift
        found[grant.KIND.section] = self._people(granted)

    def _people(self, rows: Mapping[str, Resource]) -> dict[str, Any]:
        return dict(sorted((self.name_of(row), _role_of(row)) for row in rows.values()))

    def name_of(self, row: Resource) -> str:
        """The name of a row's account in `members`."""
        if member.is_service_account(row.attrs):
            return service_accounts.name_of(row, self.live)
        return self._name_of(row)


class Remarked(str):
    """A value, and what a comment behind it says."""

    __slots__ = ("remark",)

    remark: str


def _role_of(row: Resource) -> str:
    """The role, with the display name as a comment where Pipes has one: a handle often does not show who somebody is."""
    found = Remarked(row.attrs.get("role", ""))
    shown = "".join(c for c in (row.display_name or "") if c.isprintable()).strip()[:60]
    found.remark = "" if secret.AWS_KEY.search(shown) else shown  # a manifest with such a text is refused
    return found


def _in_order(address: str, found: dict[str, Any]) -> dict[str, Any]:
    """What a manifest says of an object, in the order of the schema, as `fmt` has it."""
    path = tuple(part for kind, name in addresses.split(address) for part in (KINDS[kind].section, name))
    order = [key for part in json_schema.at(path) for key in part.get("properties", ())]
    return {key: found[key] for key in order if key in found}


def _attributes(kind: Kind, live: Resource) -> dict[str, Any]:
    return {
        attribute.name: live.attrs[attribute.name]
        for attribute in kind.attributes
        if attribute.settable
        and attribute.name not in ONE_TIME
        and not same_value(live.attrs.get(attribute.name), None)
    }


# --- text -------------------------------------------------------------------------------------------------------------


def document(sections: Mapping[str, Mapping[str, Any]], schema: str) -> bytes:
    """A whole manifest of these sections. `schema` is the path of the JSON Schema for editors; empty for none."""
    lines = [*([f"# yaml-language-server: $schema={schema}"] if schema else []), "version: 1"]
    for section, found in sections.items():
        lines += ["", *_block({section: found})]
    return "".join(f"{line}\n" for line in lines).encode()


def insert(data: bytes, path: tuple[str, ...], entries: Mapping[str, Any]) -> bytes:
    """A manifest with `entries` as the last ones of the mapping at `path`, which is made where it is missing.

    Raises CannotEditError where no edit in place does that.
    """
    file = File(data.decode())
    try:
        section = file.section(path)
    except CannotEditError:
        if not path:
            raise
        return insert(data, path[:-1], {path[-1]: dict(entries)})
    if not section.node.flow_style:
        return _below(file, section, entries)
    quoted = bool(section.node.value) and section.node.value[0][0].style == '"'
    for name, value in entries.items():
        section.insert(name, _json(value) if quoted else _flow(value))
    return file.result()


def _json(value: Any) -> str:
    """A value as JSON that YAML reads as the same."""
    text = json.dumps(value, ensure_ascii=False)
    return "".join(c if c.isprintable() or ord(c) > 0xFFFF else f"\\u{ord(c):04x}" for c in text)


def _below(file: File, section: Section, entries: Mapping[str, Any]) -> bytes:
    for name in entries:
        if name in section.keys:
            raise CannotEditError(f"`{name}` is written there already")
    first, (key, last) = section.node.value[0][0], section.node.value[-1]
    after = file.begin(last_line(last, key) + 1)
    indent = " " * first.start_mark.column
    lines = _block(entries, len(indent), people=section.path == ("people",))
    text = "".join(f"{indent}{line}{file.newline}" for line in lines)
    if not section.path:  # an empty line separates the parts of a file
        text = file.newline + text
    before = file.text[:after]
    if not before.endswith("\n"):
        before, text = before + file.newline, text.removesuffix(file.newline)
    return (file.mark + before + text + file.text[after:]).encode()


def _block(data: Mapping[str, Any], indent: int = 0, *, people: bool = False) -> Iterator[str]:
    """Lines as `canonical` would leave them; `indent` is where they will be. `people`: who somebody is, in one line."""
    for key, value in data.items():
        if isinstance(value, Commented):
            yield from (f"# {line}" for line in value.lines)
        if people:
            yield f"{scalar(key)}: {_flow(value)}"
        else:
            yield from _entry(f"{scalar(key)}:", value, indent, people=indent == 0 and key == "people")


def _entry(begun: str, value: Any, indent: int, *, people: bool = False) -> Iterator[str]:
    if isinstance(value, dict) and value:
        yield from _nested(begun, list(_block(value, indent + 2, people=people)))
        return
    line = f"{begun} {_flow(value)}"
    if isinstance(value, Remarked) and value.remark:
        yield f"{line}  # {value.remark}"
        return
    if isinstance(value, list | tuple) and value and indent + len(line) > WIDTH:
        yield from _nested(begun, [line for item in value for line in _entry("-", item, indent + 2)])
    else:
        yield line


def _nested(begun: str, lines: list[str]) -> Iterator[str]:
    """Lines below the one that begins them; in a list, the first one is in its line."""
    if begun == "-" and not lines[0].startswith("#"):
        begun = f"- {lines.pop(0)}"
    yield begun
    yield from (f"  {line}" for line in lines)


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{scalar(key)}: {_flow(inner)}" for key, inner in value.items()) + "}"
    return "[" + ", ".join(map(_flow, value)) + "]" if isinstance(value, list | tuple) else scalar(value)
