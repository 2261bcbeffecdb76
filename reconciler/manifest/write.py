"""A live org as a manifest: in the shape that a person would have written, and into files that are there already.

Text is laid out here and edits are made in place, by the nodes of `edit`, so that nothing else in a file moves.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from reconciler.kinds import KINDS, attachment, connection, grant, member, org, permission, secret, workspace
from reconciler.kinds.kind import same_value
from reconciler.manifest.edit import WIDTH, CannotEditError, File, last_line, scalar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from reconciler.manifest.edit import Section
    from reconciler.model.live import Resource

# a deed, not a state: copied to another org, or to one that is made anew, it would end tokens that nobody meant
DEEDS = frozenset({"token_min_issued_at"})


def described(live: Resource, name_of: Callable[[Resource], str]) -> tuple[dict[str, Any], list[str]]:
    """What a manifest says below an org's handle, sorted, and notes on what is left out of it.

    `live` has its members, its workspaces and their grants. `name_of` gives the name that the manifests use for a
    person's row. Rows of other levels are not written: they cannot be changed here.
    """
    notes: list[str] = []
    rows = live.of(member.KIND.name)
    found = _attributes(org.KIND.name, live)
    if any(member.is_owner(row.attrs) for row in rows.values()):
        found[member.KIND.section] = _people(rows, name_of)
    else:
        notes.append(f"org.{live.handle}: no row of its own is an owner's, so its members are left out, and left alone")
    spaces = live.of(workspace.KIND.name)
    if spaces:
        found[workspace.KIND.section] = {
            handle: _space(live, spaces[handle], name_of, notes) for handle in sorted(spaces)
        }
    links = live.of(connection.KIND.name)
    if links:
        found[connection.KIND.section] = {handle: _connection(live, links[handle], notes) for handle in sorted(links)}
    return found, notes


def described_connection(live: Resource, handle: str) -> tuple[dict[str, Any], list[str]]:
    """The same for one connection of `live`, with its permissions and attachments."""
    notes: list[str] = []
    return _connection(live, live.of(connection.KIND.name)[handle], notes), notes


def _connection(live: Resource, link: Resource, notes: list[str]) -> dict[str, Any]:
    """Its configuration is left alone: Pipes gives no secrets back, and without them it would be replaced by a part."""
    address = f"org.{live.handle}/connection.{link.handle}"
    found = {name: value for name, value in _attributes(connection.KIND.name, link).items() if name != secret.FIELD}
    if link.attrs.get(secret.FIELD):
        notes.append(
            f"{address}: config is left out, and left alone: Pipes gives no secrets back, and replaces it as a whole; write "
            "it with ${env:NAME} or ${file:PATH} for each secret"
        )
    handles = {space.id: space.handle for space in live.of(workspace.KIND.name).values()}
    permitted, attached = link.of(permission.KIND.name).values(), link.of(attachment.KIND.name).values()
    if {row.id for row in permitted} == {row.id for row in attached} <= handles.keys():
        found[permission.KIND.section] = sorted(handles[row.id] for row in attached)
    else:
        notes.append(
            f"{address}: it is not attached just where it is permitted, so its workspaces are left out, and left alone"
        )
    return found


def described_workspace(
    live: Resource, handle: str, name_of: Callable[[Resource], str]
) -> tuple[dict[str, Any], list[str]]:
    """The same for one workspace of `live`."""
    notes: list[str] = []
    return _space(live, live.of(workspace.KIND.name)[handle], name_of, notes), notes


def _space(live: Resource, space: Resource, name_of: Callable[[Resource], str], notes: list[str]) -> dict[str, Any]:
    found = _attributes(workspace.KIND.name, space)
    people = {row.id: row for row in live.of(member.KIND.name).values()}
    rows = space.of(grant.KIND.name)
    strangers = sorted(row.handle for row in rows.values() if row.id not in people)
    if strangers:
        notes.append(
            f"org.{live.handle}/workspace.{space.handle}: {', '.join(strangers)} has a grant and is no member of the org "
            "by a row of its own, so the members are left out, and left alone"
        )
    else:
        # owners reach every workspace: their grants are redundant, and plans leave them alone
        granted = {handle: row for handle, row in rows.items() if not member.is_owner(people[row.id].attrs)}
        # an empty section is not the same as none: with it a grant from outside is drift
        found[grant.KIND.section] = _people(granted, name_of)
    return found


def _attributes(kind: str, live: Resource) -> dict[str, Any]:
    return {
        attribute.name: live.attrs[attribute.name]
        for attribute in KINDS[kind].attributes
        if attribute.settable and attribute.name not in DEEDS and not same_value(live.attrs.get(attribute.name), None)
    }


def _people(rows: Mapping[str, Resource], name_of: Callable[[Resource], str]) -> dict[str, Any]:
    return dict(sorted((name_of(row), row.attrs.get("role", "")) for row in rows.values()))


# --- text -------------------------------------------------------------------------------------------------------------


def document(sections: Mapping[str, Mapping[str, Any]], schema: str) -> bytes:
    """A whole manifest of these sections. `schema` is where an editor finds the JSON Schema, seen from the file."""
    lines = [f"# yaml-language-server: $schema={schema}", "version: 1"]
    for section, found in sections.items():
        lines += ["", *_block({section: found})]
    return "".join(f"{line}\n" for line in lines).encode()


def insert(data: bytes, path: tuple[str, ...], name: str, value: Any) -> bytes:
    """A manifest with `name: value` as the last entry of the mapping at `path`, which is made where it is missing.

    Raises CannotEditError where that is no edit in place.
    """
    file = File(data.decode())
    try:
        section = file.section(path)
    except CannotEditError:
        if not path:
            raise
        return insert(data, path[:-1], path[-1], {name: value})
    if not section.node.flow_style:
        return _below(file, section, name, value)
    quoted = bool(section.node.value) and section.node.value[0][0].style == '"'
    section.insert(name, _json(value) if quoted else _flow(value))
    return file.result()


def _json(value: Any) -> str:
    """A value as JSON that YAML reads as the same."""
    text = json.dumps(value, ensure_ascii=False)
    return "".join(c if c.isprintable() or ord(c) > 0xFFFF else f"\\u{ord(c):04x}" for c in text)


def _below(file: File, section: Section, name: str, value: Any) -> bytes:
    if name in section.keys:
        raise CannotEditError(f"`{name}` is written there already")
    first, (key, last) = section.node.value[0][0], section.node.value[-1]
    after = file.begin(last_line(last, key) + 1)
    indent = " " * first.start_mark.column
    text = "".join(f"{indent}{line}{file.newline}" for line in _block({name: value}))
    if not section.path:  # a part of the file stands apart
        text = file.newline + text
    before = file.text[:after]
    if not before.endswith("\n"):
        before, text = before + file.newline, text.removesuffix(file.newline)
    return (file.mark + before + text + file.text[after:]).encode()


def _block(data: Mapping[str, Any], indent: int = 0) -> Iterator[str]:
    """Lines as `canonical` would leave them; `indent` is where they will stand."""
    for key, value in data.items():
        if isinstance(value, dict) and value and value.keys() != {"email"}:
            yield f"{scalar(key)}:"
            yield from (f"  {line}" for line in _block(value, indent + 2))
            continue
        line = f"{scalar(key)}: {_flow(value)}"
        if isinstance(value, list | tuple) and value and indent + len(line) > WIDTH:
            yield f"{scalar(key)}:"
            yield from (f"  - {scalar(item)}" for item in value)
        else:
            yield line


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{scalar(key)}: {_flow(inner)}" for key, inner in value.items()) + "}"
    return scalar(value)
