"""Connections, folders, permissions and schemas of a Terraform state, as if they had been read from Pipes.

Sources: the provider's documentation of `pipes_organization_connection` (once `pipes_connection`), its folders and
permissions, `pipes_workspace_connection`, its folders, and `pipes_workspace_schema`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from reconciler.kinds import (
    attachment,
    connection,
    connection_folder,
    folder_permission,
    permission,
    workspace,
    workspace_connection,
    workspace_connection_folder,
)
from reconciler.model.live import Resource

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Mapping

    from reconciler.importing.terraform_state import Instance, Org

# a resource's type without its prefix -> what it is here
CONNECTIONS = {
    "connection": connection.KIND,
    "organization_connection": connection.KIND,
    "workspace_connection": workspace_connection.KIND,
}
FOLDERS = {
    "organization_connection_folder": connection_folder.KIND,
    "workspace_connection_folder": workspace_connection_folder.KIND,
}
PERMISSIONS = {
    "organization_connection_permission": permission.KIND,
    "organization_connection_folder_permission": folder_permission.KIND,
}
SCHEMA = "workspace_schema"
LINKED = (*FOLDERS, *CONNECTIONS, *PERMISSIONS, SCHEMA)  # each after what it is about


@dataclass(frozen=True, slots=True)
class Linked:
    """One such resource of the state."""

    type: str  # without the prefix
    workspace: str  # the handle of its workspace; empty for one of the organization
    name: str  # its handle, a folder's id, or the handle or id of what it is about
    instance: Instance


def live_of(org: Org, left: Counter[str]) -> Resource:
    """An org as its list of connections would have been read when the state was written; `left` takes what is left out.

    What the state has no id of has its handle in place of one.
    """
    builder = _Builder(org, left)
    for one in sorted(org.linked.values(), key=lambda one: LINKED.index(one.type)):
        builder.add(one)
    builder.name_folders()
    return builder.live


class _Builder:
    def __init__(self, org: Org, left: Counter[str]) -> None:
        self.left = left
        self.live = Resource("org", org.handle, org.id or org.handle, None, {}, {}, {})
        self.spaces = {
            one.handle: Resource(workspace.KIND.name, one.handle, one.id or one.handle, None, {}, {}, {})
            for one in org.spaces.values()
        }
        self.live.children = {workspace.KIND.name: self.spaces}
        self.by_id: dict[str, Resource] = {}  # the organization's connections

    def add(self, one: Linked) -> None:
        """Put one resource where it belongs."""
        above = self.spaces[one.workspace] if one.workspace and one.type != SCHEMA else self.live
        if one.type in FOLDERS:
            self._folder(one, above)
        elif one.type in CONNECTIONS:
            self._connection(one, above)
        elif one.type in PERMISSIONS:
            self._permission(one)
        else:
            self._schema(one)

    def _leave(self, one: Linked, why: str) -> None:
        self.left[f"{one.instance.type}: {why}"] += 1

    def _folder(self, one: Linked, above: Resource) -> None:
        kind, said = FOLDERS[one.type], one.instance
        row = connection_folder.Row(one.name, said.text("title"), parent_id=said.text("parent_id") or None)
        found = connection_folder.in_tree(kind.name, row, above.id)
        _below(above, kind.name)[found.id] = found

    def _connection(self, one: Linked, above: Resource) -> None:
        kind, said = CONNECTIONS[one.type], one.instance
        config = _config(said.text("config"))
        if config is None and said.text("config"):
            self._leave(one, "a config that is not a JSON object, which is left alone")
        attrs = {**connection.attributes(said.text("plugin") or None, config), "parent_id": said.text("parent_id")}
        identifier = said.text("connection_id") or one.name
        found = _below(above, kind.name)[one.name] = Resource(kind.name, one.name, identifier, None, attrs)
        if kind is connection.KIND:
            self.by_id[identifier] = found

    def _permission(self, one: Linked) -> None:
        kind, said = PERMISSIONS[one.type], one.instance
        parent = self.live.of(kind.parent or "").get(one.name)
        if parent is None:
            self._leave(one, "a permission of something that is not in the state")
            return
        if said.text("tenant_handle") or said.text("identity_handle") not in ("", self.live.handle, self.live.id):
            self._leave(one, "a permission for a tenant or for another organization")
            return
        space = self._space(said.text("workspace_handle"), said.text("workspace_id"))
        if space is None and (said.text("workspace_handle") or said.text("workspace_id")):
            self._leave(one, "a permission for a workspace that is not in the state")
            return
        row = permission.Row(said.text("permission_id") or said.parts[-1], self.live.id)
        if space is not None:
            row.workspace_id, row.workspace = space.id, permission.Space(space.handle)
        found = msgspec.structs.replace(permission.resource(row), kind=kind.name)
        _below(parent, kind.name)[found.handle] = found
        if kind is permission.KIND:
            _below(parent, attachment.KIND.name)

    def _schema(self, one: Linked) -> None:
        said = one.instance
        for attribute, what in (("connection_folder_id", "a folder"), ("aggregator_handle", "an aggregator")):
            if said.text(attribute):
                self._leave(one, f"{what} that is attached to a workspace")
                return
        space = self.spaces[one.workspace]
        found = self.by_id.get(said.text("connection_id")) or self.live.of(connection.KIND.name).get(one.name)
        if found is None:
            self._leave(one, "the schema of a connection that is not in the state")
            return
        _below(found, permission.KIND.name)
        row = attachment.Row(said.text("workspace_schema_id"), space.id, state=attachment.ATTACHED)
        _below(found, attachment.KIND.name)[space.id] = attachment.resource(row)

    def _space(self, handle: str, identifier: str) -> Resource | None:
        by_id = next((one for one in self.spaces.values() if identifier and one.id == identifier), None)
        return by_id or self.spaces.get(handle)

    def name_folders(self) -> None:
        """Give each folder the key that an import from Pipes gives it, and each folder in another the key of that."""
        for above in (self.live, *self.spaces.values()):
            for kind in FOLDERS.values():
                there = above.of(kind.name)
                while lost := [one for one in there.values() if one.attrs["parent_id"] not in {above.id, *there}]:
                    for one in lost:
                        del there[one.id]
                        self.left[f"{kind.noun}: in a folder that is not in the state"] += 1
                names = connection_folder.name_live(there, {}, {}, above.id)
                for one in there.values():
                    one.handle, one.attrs["folder"] = names[one.id], names.get(one.attrs["parent_id"])
                if above.children is not None and kind.name in above.children:
                    above.children[kind.name] = {one.handle: one for one in there.values()}


def _below(above: Resource, kind: str) -> dict[str, Resource]:
    """The children of a kind, as if their list had been read."""
    above.children = above.children or {}
    above.inherited = above.inherited or {}
    return above.children.setdefault(kind, {})


def _config(text: str) -> Mapping[str, Any] | None:
    """A configuration as the provider writes it: a JSON object. None for anything else."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
