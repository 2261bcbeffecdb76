"""Terraform's state -> what manifests say: organizations, members, workspaces and grants of the provider turbot/pipes; and
the resources that `terraform_connections` reads.

Sources: the state's own format, version 4 (`terraform state pull`), and the provider's documentation of its resources
`pipes_organization`, `pipes_organization_member`, `pipes_workspace` and `pipes_organization_workspace_member`, which
were called `steampipecloud_…` before. Their ids are made of handles, `acme/prod/bob`, and once `acme:prod:bob`.

Of a state file only what a manifest holds is looked at: it may carry secrets, and none is kept or shown.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconciler.importing.terraform_connections import CONNECTIONS, FOLDERS, LINKED, SCHEMA, Linked
from reconciler.importing.write import ONE_TIME
from reconciler.kinds import KINDS, grant, member
from reconciler.kinds.kind import same_value
from reconciler.manifest import json_schema
from reconciler.manifest.document import shown
from reconciler.manifest.files import MAX_BYTES
from reconciler.model.diagnostic import Diagnostic, Source
from reconciler.model.errors import ManifestError

if TYPE_CHECKING:
    from collections.abc import Iterator

SUFFIX = ".tfstate"
PREFIXES = ("pipes_", "steampipecloud_")

_PULL = "write the state with `terraform state pull`, which gives version 4"


@dataclass(slots=True)
class Person:
    """Somebody's role as a state has it, and where. `email` is there where no handle is."""

    role: str
    id: str
    place: str
    handle: str
    email: str = ""
    accepted: bool = True  # False while an invitation is pending


@dataclass(slots=True)
class Space:
    """A workspace of the state; `place` is None where only grants in it are."""

    handle: str
    attrs: dict[str, Any] = field(default_factory=dict)
    id: str = ""
    place: str | None = None
    grants: dict[str, Person] = field(default_factory=dict)


@dataclass(slots=True)
class Org:
    """An organization of the state."""

    handle: str  # in Pipes
    attrs: dict[str, Any] = field(default_factory=dict)  # as the manifest has them
    id: str = ""  # in Pipes; empty where the state has none
    place: str | None = None  # where it is in the state; None if only other resources name it
    creator: str = ""  # handle of whoever created it, and so owns it: Terraform keeps no resource for that membership

    # What is in it; people by handle or address
    members: dict[str, Person] = field(default_factory=dict)  # of the organization
    spaces: dict[str, Space] = field(default_factory=dict)  # its workspaces by handle
    linked: dict[tuple[str, str, str], Linked] = field(default_factory=dict)  # connections and what belongs to them

    @property
    def owned(self) -> bool:
        """Whether the state has an owner who accepted."""
        return any(person.role == "owner" and person.accepted for person in self.members.values())


@dataclass(slots=True)
class State:
    """What states hold, by handle; `left` says, with how often, what is left out and why."""

    orgs: dict[str, Org] = field(default_factory=dict)
    left: Counter[str] = field(default_factory=Counter)


def read(path: Path) -> State:
    """A state file, or every `*.tfstate` in a folder. Raises ManifestError with every problem and its place."""
    files = [path]
    if path.is_dir():
        found = (Path(folder) / name for folder, _, names in os.walk(path) for name in names if name.endswith(SUFFIX))
        files = sorted(file for file in found if not any(part.startswith(".") for part in file.relative_to(path).parts))
        if not files:
            raise ManifestError([_problem(path, f"the folder holds no *{SUFFIX}", None)])
    reader = _Reader()
    for file in files:
        try:
            reader.file(file)
        except ManifestError as error:
            reader.problems += error.diagnostics
    reader.put_together()
    if reader.problems:
        raise ManifestError(reader.problems)
    return reader.state


def _problem(path: Path, fact: str, hint: str | None, line: int = 1, column: int = 1) -> Diagnostic:
    return Diagnostic("error", fact, Source(shown(path.as_posix(), 4096), line, column), hint)


@dataclass(frozen=True, slots=True)
class Instance:
    """One object of a state: `address` as Terraform writes it."""

    file: Path
    type: str
    address: str
    attrs: dict[str, Any]

    @property
    def place(self) -> str:
        return f"{self.address} in {self.file.as_posix()}"

    @property
    def parts(self) -> list[str]:
        """The handles that its id is made of."""
        return re.split("[/:]", self.text("id"))

    def text(self, name: str) -> str:
        """An attribute's text; empty where there is none."""
        value = self.attrs.get(name)
        return value if isinstance(value, str) else ""


class _Reader:
    def __init__(self) -> None:
        self.state = State()
        self.problems: list[Diagnostic] = []
        self.found: dict[str, list[Instance]] = {}
        self.handles: dict[str, str] = {}  # of orgs, by id

    # -- files

    def file(self, path: Path) -> None:
        for n, resource in enumerate(_resources(path, _json(path))):
            where = f"resources[{n}]"
            if not isinstance(resource, dict) or not isinstance(resource.get("type"), str):
                raise ManifestError([_problem(path, f"{where} is not a resource with a type", _PULL)])
            kind = next((resource["type"].removeprefix(p) for p in PREFIXES if resource["type"].startswith(p)), None)
            if kind is None or resource.get("mode", "managed") != "managed":
                continue
            for instance in self._instances(path, where, resource):
                self.found.setdefault(kind, []).append(instance)

    def _instances(self, path: Path, where: str, resource: dict[str, Any]) -> Iterator[Instance]:
        module, name = resource.get("module") or "", resource.get("name")
        instances = resource.get("instances")
        if not isinstance(name, str) or not isinstance(module, str) or not isinstance(instances, list):
            raise ManifestError([_problem(path, f"{where} has no name and instances", _PULL)])
        address = ".".join(part for part in (module, resource["type"], name) if part)
        for instance in instances:
            if not isinstance(instance, dict) or not isinstance(instance.get("attributes"), dict):
                raise ManifestError(
                    [_problem(path, f"{where} ({shown(address)}) has an instance without attributes", _PULL)]
                )
            index = instance.get("index_key")
            found = Instance(
                path,
                resource["type"],
                shown(f"{address}[{json.dumps(index)}]" if isinstance(index, str | int) else address, 200),
                instance["attributes"],
            )
            if instance.get("deposed"):
                self.state.left[f"{resource['type']}: a deposed object, which Terraform has yet to destroy"] += 1
            else:
                yield found

    # -- objects

    def put_together(self) -> None:
        """Orgs before what is in them, so that their ids are known."""
        for kind, take in (
            ("organization", self._org),
            ("workspace", self._workspace),
            ("organization_member", self._member),
            ("organization_workspace_member", self._grant),
        ):
            for instance in self.found.pop(kind, ()):
                take(instance)
        for kind in LINKED:
            for instance in self.found.pop(kind, ()):
                self._linked(kind, instance)
        for kind, instances in self.found.items():
            for instance in instances:
                self.state.left[f"{instance.type}: {kind.replace('_', ' ')}s are not taken over from a state"] += 1

    def _linked(self, kind: str, one: Instance) -> None:
        inside = kind.startswith("workspace_")
        if not one.text("organization") and len(one.parts) < (3 if inside else 2):
            self.state.left[f"{one.type}: it belongs to a user, and to no organization"] += 1
            return
        parent = self._parent(one, one.text("organization_id") or one.text("identity_id"))
        workspace: str | None = self._name(one, "workspace", "workspaceHandle", at=1) if inside else ""
        if kind in CONNECTIONS:
            name = self._name(one, "handle", "connectionHandle", at=len(one.parts) - 1)
        elif kind in FOLDERS:
            name = one.text("connection_folder_id") or one.parts[-1]
        elif kind == SCHEMA:
            name = one.text("connection_handle") or one.text("name") or one.parts[-1]
        else:
            name = one.text("connection_handle") or one.text("connection_folder_id") or one.parts[1]
        if parent is None or workspace is None or not name:
            return
        if inside:
            parent.spaces.setdefault(workspace, Space(workspace, id=one.text("workspace_id")))
        named = kind in CONNECTIONS or kind in FOLDERS
        key = ("" if named else one.place, workspace, name)
        twin = parent.linked.setdefault(key, Linked(kind, workspace, name, one)).instance
        said = ("plugin", "config", "title", "parent_id")
        if [twin.text(word) for word in said] != [one.text(word) for word in said]:
            self._wrong(one, f"{twin.place} says otherwise about {name}", "keep one of them")

    def _org(self, one: Instance) -> None:
        handle = self._name(one, "handle", "handle")
        if handle is None:
            return
        found = self.state.orgs.setdefault(handle, Org(handle))
        if self._same(one, found, found.place, {"attrs": _attributes("org", one), "id": one.text("organization_id")}):
            found.creator = self._creator(one)
        if found.id:
            self.handles[found.id] = handle

    def _creator(self, one: Instance) -> str:
        found = one.text("created_by")
        return found if json_schema.matches(json_schema.schema()["$defs"]["handle"], found) else ""

    def _workspace(self, one: Instance) -> None:
        owner = one.text("identity_id")
        if not one.text("organization") and len(one.parts) < 2 and not owner.startswith("o_"):
            self.state.left[f"{one.type}: a workspace of a user, and of no organization"] += 1
            return
        parent = self._parent(one, owner)
        handle = self._name(one, "handle", "workspaceHandle", at=len(one.parts) - 1)
        if parent is not None and handle is not None:
            found = parent.spaces.setdefault(handle, Space(handle))
            self._same(
                one, found, found.place, {"attrs": _attributes("workspace", one), "id": one.text("workspace_id")}
            )

    def _member(self, one: Instance) -> None:
        parent = self._parent(one, one.text("organization_id"))
        person = self._person(one, "orgRole")
        if one.text("scope") not in ("", member.KIND.own_scope):
            self.state.left[f"{one.type}: a membership of another level, which cannot be changed here"] += 1
        elif parent is not None and person is not None:
            self._add(one, parent.members, person)

    def _grant(self, one: Instance) -> None:
        if one.text("scope") not in ("", grant.KIND.own_scope):
            self.state.left[f"{one.type}: no grant of its own, but what an owner has anyway"] += 1
            return
        parent, person = self._parent(one, one.text("organization_id")), self._person(one, "grantRole")
        handle = self._name(one, "workspace_handle", "workspaceHandle", at=1)
        if parent is None or person is None or handle is None:
            return
        identifier = one.text("workspace_id")
        space = next((s for s in parent.spaces.values() if identifier and s.id == identifier), None)
        space = space or parent.spaces.setdefault(handle, Space(handle, id=identifier))
        if identifier and space.id and space.id != identifier:
            self._wrong(one, f"others in the state know {parent.handle}/{handle} by another id", "refresh the state")
        self._add(one, space.grants, person)

    # -- what they are made of

    def _wrong(self, one: Instance, fact: str, hint: str | None = None) -> None:
        self.problems.append(_problem(one.file, f"{one.address}: {fact}", hint))

    def _name(self, one: Instance, attribute: str, definition: str, *, at: int = 0) -> str | None:
        """The handle in an attribute, or in the id where that is not set (`terraform import` sets not all)."""
        value = one.attrs.get(attribute)
        if value in (None, "") and len(one.parts) > at:
            value = one.parts[at]
        if isinstance(value, str) and json_schema.matches(json_schema.schema()["$defs"][definition], value):
            return value
        self._wrong(
            one,
            f"`{attribute}` is {shown(json.dumps(value))}, and no {json_schema.schema()['$defs'][definition]['title']}",
        )
        return None

    def _parent(self, one: Instance, identifier: str) -> Org | None:
        """The org of an object: by the id first, since a handle in a state may be the one before a rename."""
        named = one.text("organization")
        handle = self.handles.get(identifier) or self.handles.get(named)
        if handle is None:
            candidates = [named, *(one.parts[:1] if len(one.parts) > 1 else [])]
            pattern = json_schema.schema()["$defs"]["handle"]
            handle = next((name for name in candidates if name and json_schema.matches(pattern, name)), None)
        if handle is None:
            self._wrong(one, "it does not say in which organization it is", "add its pipes_organization to the state")
            return None
        found = self.state.orgs.setdefault(handle, Org(handle))
        if identifier.startswith("o_") and not found.id:
            found.id = identifier
            self.handles[identifier] = handle
        return found

    def _person(self, one: Instance, roles: str) -> Person | None:
        role = one.attrs.get("role")
        if isinstance(role, str) and roles == "grantRole":
            role = grant.current(role)
        if not isinstance(role, str) or role not in json_schema.ranks(roles):
            known = ", ".join(json_schema.ranks(roles))
            self._wrong(one, f"the role is {shown(json.dumps(role))}", f"the roles are {known}")
            return None
        handle, email = one.text("user_handle"), one.text("email")
        accepted = one.text("status") in ("", "accepted")
        if not handle and email:
            pattern = json_schema.schema()["$defs"]["person"]["properties"]["email"]
            if not json_schema.matches({"maxLength": 254, **pattern}, email):
                self._wrong(one, "`email` is not an address that an invitation can go to")
                return None
            return Person(role, one.text("user_id"), one.place, "", email, accepted)
        name = self._name(one, "user_handle", "handle", at=len(one.parts) - 1)
        return None if name is None else Person(role, one.text("user_id"), one.place, name, accepted=accepted)

    def _add(self, one: Instance, people: dict[str, Person], person: Person) -> None:
        first = people.setdefault(person.handle or person.email.lower(), person)
        if first.role != person.role or (first.id and person.id and first.id != person.id):
            self._wrong(one, f"{first.place} says otherwise about {person.handle or person.email}", "keep one of them")

    def _same(self, one: Instance, found: Org | Space, place: str | None, said: dict[str, Any]) -> bool:
        """Note what the state says of an org or a workspace; False where it was said before."""
        if place is not None and any(getattr(found, name) != value for name, value in said.items()):
            self._wrong(one, f"{place} says otherwise about {found.handle}", "keep one of them")
        elif place is None:
            if found.id and said["id"] and found.id != said["id"]:
                self._wrong(one, f"others in the state know {found.handle} by another id", "refresh the state")
            found.attrs, found.id, found.place = said["attrs"], said["id"] or found.id, one.place
            return True
        return False


def _attributes(kind: str, one: Instance) -> dict[str, Any]:
    """What a manifest can set and the state has. Zero is Terraform's word for a number that is not there."""
    return {
        a.name: one.attrs[a.name]
        for a in KINDS[kind].attributes
        if a.settable
        and a.name not in ONE_TIME
        and not same_value(one.attrs.get(a.name), None)
        and one.attrs[a.name] != 0
    }


def _resources(path: Path, data: Any) -> list[Any]:
    if not isinstance(data, dict):
        raise ManifestError([_problem(path, "this is not a Terraform state", _PULL)])
    if "encrypted_data" in data:
        raise ManifestError(
            [_problem(path, "this state is encrypted", "write it with `tofu state pull`, which decrypts it")]
        )
    version = data.get("version")
    if version != 4 or isinstance(version, bool):
        content = (
            "the output of `terraform show -json`"
            if "format_version" in data
            else f"version {shown(json.dumps(version))}"
        )
        raise ManifestError([_problem(path, f"this is {content}, and no state of version 4", _PULL)])
    found = data.get("resources", [])
    if not isinstance(found, list):
        raise ManifestError([_problem(path, "`resources` is not a list", _PULL)])
    return found


def _json(path: Path) -> Any:
    try:
        if not path.is_file():
            raise ManifestError([_problem(path, "this is not a regular file", None)])
        if path.stat().st_size > MAX_BYTES:
            raise ManifestError([_problem(path, f"the file is larger than {MAX_BYTES:,} bytes", None)])
        return json.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise ManifestError([_problem(path, f"this cannot be read: {error.strerror or error}", None)]) from None
    except UnicodeDecodeError:
        raise ManifestError([_problem(path, "the file is not UTF-8 text", _PULL)]) from None
    except json.JSONDecodeError as error:
        fact = f"this is not JSON: {error.msg}"
        raise ManifestError([_problem(path, fact, _PULL, error.lineno, error.colno)]) from None
    except (RecursionError, ValueError):
        raise ManifestError([_problem(path, "this is not a Terraform state: it is not JSON", _PULL)]) from None
