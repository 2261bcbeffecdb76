"""Reading Pipes: what a plan needs of it, in whole pages, side by side, and nothing else.

An org that cannot be read whole is never an empty one: it is left out of the Snapshot and named in `unreadable`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import datetime
from difflib import SequenceMatcher
from sys import intern
from typing import TYPE_CHECKING, Any

import msgspec

from reconciler.kinds import KINDS, children_of, grant, member, named_below, org, workspace
from reconciler.kinds.kind import Place
from reconciler.model.address import join
from reconciler.model.errors import PipesError
from reconciler.model.live import Actor, Identity, Resource, Snapshot, TenantMember, Unreadable, carry
from reconciler.pipes.client import Listing
from reconciler.pipes.errors import (
    ContentError,
    NotAuthorisedError,
    NotSentError,
    PartialReadError,
    StatusError,
)
from reconciler.pipes.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from reconciler.kinds.kind import Attribute, Kind
    from reconciler.model.desired import Desired, Node
    from reconciler.model.live import Lock
    from reconciler.model.request import Request
    from reconciler.pipes.client import Client

    Progress = Callable[[str, int, int, str], object]

EMPTY_READ = "empty-read"

_READINGS = 3  # of a list that shifts while it is read
_SEARCHES = 20  # unknown handles that near matches are looked for
_NEAR = 3  # near matches that are named


class _ActorRow(msgspec.Struct):
    """The contract's User, as far as it is used (actor_get)."""

    id: str
    handle: str
    tenant_id: str


class _ActorOrg(msgspec.Struct):
    """The contract's UserOrg, as far as it is used (actor_listOrgs)."""

    org_id: str
    org: org.Row | None = None


class _IdentityRow(msgspec.Struct):
    """The contract's Identity, as far as it is used (identity_get, identity_list)."""

    id: str
    handle: str
    type: str


class _Tenant(msgspec.Struct):
    """The contract's Tenant, as far as it is used (tenant_list)."""

    id: str
    handle: str


class _TenantUser(msgspec.Struct):
    """The contract's User inside of a TenantUser."""

    handle: str = ""


class _TenantRow(msgspec.Struct):
    """The contract's TenantUser, as far as it is used (tenantMember_list)."""

    id: str
    user_id: str
    email: str
    status: str = ""
    user: _TenantUser | None = None


class _Constraint(msgspec.Struct):
    """The contract's Constraint, as far as it is used (org_listConstraints)."""

    name: str
    type: str = ""
    value: Any = None


class _Token(msgspec.Struct):
    """The contract's Token, as far as it is used (userToken_list)."""

    created_at: str
    last4: str | None = None


@dataclass(slots=True)
class _Live:
    """A managed org while it is read: for which wanted nodes, and why it could not be."""

    resource: Resource
    nodes: list[Node]
    failed: str | None = None


@dataclass(slots=True)
class _Run:
    """The state of one reading. Only the thread that runs the workers touches it."""

    client: Client
    lock: Lock
    desired: Desired
    wanted: dict[str, Node]
    workers: Workers
    progress: Progress | None
    by_old_handle: dict[str, list[Node]]
    by_id: dict[str, list[Node]]
    actor: Actor | None = None
    managed: dict[str, _Live] = field(default_factory=dict)  # by the org's id
    candidates: dict[str, dict[str, _Live]] = field(default_factory=dict)  # by the node's name, then the live handle
    others: dict[str, Resource] = field(default_factory=dict)
    identities: dict[str, Identity | None] = field(default_factory=dict)
    near: dict[str, tuple[str, ...]] = field(default_factory=dict)
    limits: dict[str, int] = field(default_factory=dict)
    tenants: dict[str, dict[str, tuple[TenantMember, ...]] | None] = field(default_factory=dict)
    forbidden: set[str] = field(default_factory=set)
    hidden: set[str] = field(default_factory=set)
    unreadable: dict[str, Unreadable] = field(default_factory=dict)
    asked: set[str] = field(default_factory=set)
    issued_at: datetime | None = None
    begun: int = 0
    ended: int = 0


def snapshot(
    client: Client,
    desired: Desired,
    lock: Lock,
    *,
    only_orgs: Collection[str] = (),
    progress: Progress | None = None,
) -> Snapshot:
    """Read what a plan for `desired` needs, with as many requests at once as the client allows.

    `only_orgs` narrows to those wanted orgs. `progress(kind, done, total, address)` is called whenever something is
    read; `total` grows while more turns out to be needed. Raises PipesError where Pipes as a whole cannot be read;
    a single org that cannot be is in the Snapshot's `unreadable`, under the handle that the manifest uses.
    """
    wanted = {name: node for name, node in desired.orgs.items() if not only_orgs or name in only_orgs}
    by_old_handle: dict[str, list[Node]] = {}
    by_id: dict[str, list[Node]] = {}
    for node in wanted.values():
        if node.renamed_from is not None:
            by_old_handle.setdefault(node.renamed_from, []).append(node)
        for address in _org_addresses(node):
            if address in lock:
                by_id.setdefault(lock[address].id, []).append(node)
    with Workers(client.parallelism) as workers:
        run = _Run(client, dict(lock), desired, wanted, workers, progress, by_old_handle, by_id)
        _read_lists(run)
        _read_what_is_new(run)
        _look_for_near(run)
    return _result(run)


def at(client: Client, kind: Kind, path: str) -> Resource | None:
    """Read one object again. None where it is gone, or where the row that answers belongs to another level.

    A member or grant of a deleted org answers 403 (API page, "After deletion"), as does one that we may not see; the
    org itself then tells which it is. Raises PipesError.
    """
    refused: StatusError | None = None
    try:
        row = client.get_json(path, kind.row)
    except NotAuthorisedError:
        raise
    except StatusError as error:
        refused = error
    if refused is None:
        return _checked(kind.resource(row), path) if _belongs(kind, row) else None
    if refused.status == 404:
        return None
    if refused.status == 403 and kind.parent is not None and not _exists(client, org.find(Place(), path.split("/")[2])):
        return None
    raise refused


def made(client: Client, kind: Kind, place: Place, handle: str, request: Request) -> list[Resource]:
    """What is there that the create `request` may have made: under the handle that it was given or, of a kind without
    handles, by what `kind.made` compares; only then it may be more than one. Raises PipesError.
    """
    if not kind.listed:
        found = at(client, kind, kind.find(place, handle))
        return [] if found is None else [found]
    path = request.path
    rows = (row for page in client.pages(path, row_type=kind.row) for row in page)
    there = (_checked(kind.resource(row), path) for row in rows if _belongs(kind, row))
    if kind.made is not None:
        return [one for one in there if kind.made(one, request.body or {})]
    return [one for one in there if one.handle == handle][:1]


def _exists(client: Client, path: str) -> bool:
    try:
        client.get(path)
    except StatusError as error:
        if error.status != 404:
            raise
        return False
    return True


# -- the lists


def _read_lists(run: _Run) -> None:
    """The actor, its orgs, and below each managed org the lists that the plan needs."""
    listed: dict[str, Resource] = {}

    def orgs_page(rows: list[_ActorOrg]) -> None:
        for row in rows:
            if row.org is None:
                raise ContentError(f"{run.client.settings.where} lists org {row.org_id} without saying what it is")
            live = _checked(org.KIND.resource(row.org), "/actor/org")
            listed[live.handle] = live
            _take_org(run, live)

    def orgs_end(error: PipesError | None) -> None:
        if error is not None:
            raise error
        _ask_for_the_rest(run, listed)

    def take_actor(row: _ActorRow | PipesError) -> None:
        if isinstance(row, PipesError):
            raise row
        run.actor = Actor(row.id, row.handle, row.tenant_id)
        _tell(run, "actor", row.handle)

    _submit(run, lambda: run.client.get_json("/actor", _ActorRow), take_actor)
    _list(run, "/actor/org", _ActorOrg, orgs_page, orgs_end, "org", "orgs")
    run.workers.run()


def _take_org(run: _Run, live: Resource) -> None:
    """Sort a live org: managed (then its lists are begun), or one of the others."""
    nodes: list[Node] = []
    named = run.wanted.get(live.handle)
    for node in (
        ([named] if named is not None else []) + run.by_old_handle.get(live.handle, []) + run.by_id.get(live.id, [])
    ):
        if all(node is not other for other in nodes):
            nodes.append(node)
    if live.id in run.managed:
        return
    if not nodes:
        run.others[live.handle] = live
        return
    if named is not None and join(None, "org", named.name) not in run.lock:
        # known by the name that it had when the manifests had that as well
        for old in [a for a, entry in run.lock.items() if "/" not in a and entry.id == live.id]:
            carry(run.lock, old, join(None, "org", named.name))
    entry = run.managed[live.id] = _Live(live, nodes)
    for node in nodes:
        run.candidates.setdefault(node.name, {})[live.handle] = entry
    place = Place(org=live.handle)
    live.children = {}
    live.inherited = {}
    for kind in children_of(org.KIND.name):
        if any(_needs(kind, node, live) for node in nodes):
            _read_children(run, entry, kind, place, live, f"org.{live.handle}")


def _needs(kind: Kind, node: Node, live: Resource) -> bool:
    """Whether a plan for an org needs its list of a kind: where it is wanted, or where what becomes of it is told."""
    if kind.name in node.children or (kind.told and (node.absent or node.name != live.handle)):
        return True
    if _refers(kind, node):
        return True
    below = [child.children for inner in named_below(node.kind) for child in node.children.get(inner.name, {}).values()]
    if kind is member.KIND:  # grants are given to members
        return any(grant.KIND.name in children for children in below)
    return any(_looks_at(kind, KINDS[name], listed) for children in below for name, listed in children.items())


def _looks_at(kind: Kind, other: Kind, listed: dict[str, Node]) -> bool:
    """Whether what is wanted of `other` is told apart by the list of `kind`."""
    return other.names == kind.name or (other.apart_from == kind.name and not all(w.absent for w in listed.values()))


def _refers(kind: Kind, node: Node) -> bool:
    """Whether something below an org refers to one of `kind`, or one of `kind` may refer to something that is to go."""
    if any(
        a.refers == kind.name and any(a.name in want.attrs for want in node.children.get(other.name, {}).values())
        for other in children_of(node.kind)
        for a in other.attributes
    ):
        return True
    return any(
        want.absent
        for a in kind.attributes
        if a.refers is not None
        for want in node.children.get(a.refers, {}).values()
    )


def _read_children(run: _Run, entry: _Live, kind: Kind, place: Place, parent: Resource, address: str) -> None:
    """Read one list below `parent` into its `children` and `inherited`; what lies below its objects follows."""
    path = kind.collection(place)
    own: dict[str, Resource] = {}
    inherited: dict[str, Resource] = {}
    below = children_of(kind.name)

    def begin() -> None:
        own.clear()
        inherited.clear()

    def take(rows: list[Any]) -> None:
        if kind.names_people:
            _share_texts(rows)
        resources = [kind.resource(row) for row in rows]
        _check_all(resources, path)
        for row, found in zip(rows, resources, strict=True):
            if _belongs(kind, row):
                if found.handle in own:
                    raise PartialReadError(f"{path} shifted while it was read: `{found.handle}` came twice")
                own[found.handle] = found
            elif kind.level is not None or kind.belongs is not None:
                found.attrs["scope"] = getattr(row, "scope", None)
                inherited.setdefault(found.handle, found)

    def end(error: PipesError | None) -> None:
        if error is not None:
            _fail(entry, error)
            return
        assert parent.children is not None
        assert parent.inherited is not None
        parent.children[kind.name] = own
        if inherited:
            parent.inherited[kind.name] = inherited
        if kind.called is not None:
            _call(run, entry, kind, own)
        if below and entry.failed is None:
            for found in own.values():
                _read_below(run, entry, kind, found, address)

    _list(run, path, kind.row, take, end, kind.name, address, begin)


def _call(run: _Run, entry: _Live, kind: Kind, own: dict[str, Resource]) -> None:
    """Put live objects without handles under the names that the manifests have for them."""
    assert kind.called is not None
    by_id = {found.id: found for found in own.values()}
    wanted: dict[str, Node] = {}
    known: dict[str, str] = {}
    for node in entry.nodes:
        for name, want in node.children.get(kind.name, {}).items():
            wanted.setdefault(name, want)
        for above in _org_addresses(node):
            start = join(above, kind.name, "")
            for address, locked in run.lock.items():
                if address.startswith(start) and "/" not in (name := address[len(start) :]):
                    known.setdefault(name, locked.id)
    names = kind.called(by_id, wanted, known, entry.resource.id)
    own.clear()
    for identifier, found in by_id.items():
        found.handle = names[identifier]
        own[found.handle] = found


def _place(org_handle: str, kind: Kind, live: Resource) -> Place:
    """Where what lies below an object is found."""
    return Place(org=org_handle, inner=live.id if kind.called is not None else live.handle)


def _read_below(run: _Run, entry: _Live, kind: Kind, live: Resource, org_address: str) -> None:
    wanted = [w for n in entry.nodes for w in n.children.get(kind.name, {}).values() if _is(run.lock, kind, n, w, live)]
    for child in children_of(kind.name):
        if any(child.name in want.children or (child.told and want.absent) for want in wanted):
            live.children = live.children or {}
            live.inherited = live.inherited or {}
            place = _place(entry.resource.handle, kind, live)
            _read_children(run, entry, child, place, live, join(org_address, kind.name, live.handle))


def _refer(live: Resource) -> None:
    """Say what the children of an org refer to by the names that their siblings have; what was not read is not said.

    An id that is none of theirs stays one: it is something else than whatever a manifest wants.
    """
    for kind in children_of(org.KIND.name):
        for attribute in kind.attributes:
            if attribute.refers is None or not live.was_read(attribute.refers):
                continue
            names: dict[str | None, str | None] = {one.id: one.handle for one in live.of(attribute.refers).values()}
            names |= {live.id: None, None: None}
            for one in live.of(kind.name).values():
                identifier = one.attrs.get(attribute.field)
                one.attrs[attribute.name] = names.get(identifier, identifier)


def _read_what_is_left(run: _Run) -> None:
    """Who may use whatever is in what something is moved out of, or into: it is lost or won with that."""
    for entry in run.managed.values():
        if entry.failed is not None:
            continue
        live = entry.resource
        for kind in children_of(org.KIND.name):
            for attribute in kind.attributes:
                if attribute.refers is None or not live.was_read(attribute.refers):
                    continue
                for whose, one in _moved(run, entry, kind, attribute):
                    for child in children_of(whose.name):
                        if not one.was_read(child.name):
                            one.children, one.inherited = one.children or {}, one.inherited or {}
                            address = join(join(None, "org", live.handle), whose.name, one.handle)
                            _read_children(run, entry, child, _place(live.handle, whose, one), one, address)


def _moved(run: _Run, entry: _Live, kind: Kind, attribute: Attribute) -> Iterable[tuple[Kind, Resource]]:
    """What of `kind` the manifests want in something else, what it is in, and what it is to be in; those with everything
    above them.
    """
    target = KINDS[attribute.refers or ""]
    there = entry.resource.of(attribute.refers or "")
    by_id = {one.id: one for one in there.values()}
    found: dict[str, tuple[Kind, Resource]] = {}
    moved: dict[str, tuple[Kind, Resource]] = {}
    for node in entry.nodes:
        for want in node.children.get(kind.name, {}).values():
            if want.absent or attribute.name not in want.attrs:
                continue
            named = there.get(want.attrs[attribute.name] or "")
            new = named.id if named is not None else None
            for live in _live_of(run, entry, kind, node, want):
                old = live.attrs.get(attribute.field)
                if new == (old if old in by_id else None):
                    continue
                moved[live.id] = kind, live
                for start in (old, new):
                    at = by_id.get(start or "")
                    while at is not None and at.id not in found:  # Pipes could show a circle
                        found[at.id] = target, at
                        at = by_id.get(at.attrs.get(attribute.field) or "")
    return [*found.values(), *(one for identifier, one in moved.items() if identifier not in found)]


def _live_of(run: _Run, entry: _Live, kind: Kind, node: Node, want: Node) -> Iterable[Resource]:
    """The live objects that may be the wanted one."""
    there = entry.resource.of(kind.name)
    names = {name for name in (want.name, want.renamed_from) if name in there}
    ids = {
        run.lock[address].id
        for parent in _org_addresses(node)
        if (address := join(parent, kind.name, want.name)) in run.lock
    }
    return [one for one in there.values() if one.id in ids] if ids else [there[name] for name in names if name]


def _is(lock: Lock, kind: Kind, node: Node, want: Node, live: Resource) -> bool:
    """Whether a live object below an org is, was, or by its id must be the wanted one."""
    if live.handle in (want.name, want.renamed_from) or (kind.called is not None and live.id == want.name):
        return True
    return any(
        lock[address].id == live.id
        for parent in _org_addresses(node)
        for name in (want.name, want.renamed_from)
        if name is not None and (address := join(parent, kind.name, name)) in lock
    )


def _org_addresses(node: Node) -> list[str]:
    """Under which addresses the lock file may know an org: as it is named now, and as before its stated rename."""
    return [join(None, "org", name) for name in (node.name, node.renamed_from) if name is not None]


def _fail(entry: _Live, error: PipesError) -> None:
    """Note that an org cannot be read. What shows that nothing can be read at all is raised instead."""
    if isinstance(error, NotAuthorisedError | NotSentError):
        raise error
    if entry.failed is None:
        entry.failed = str(error)


# -- orgs that the actor's list does not show


def _ask_for_the_rest(run: _Run, listed: dict[str, Resource]) -> None:
    """Wanted orgs that are not in the actor's list may be visible to a tenant owner, be free, or be somebody else's."""
    for node in run.wanted.values():
        if node.name in listed:
            continue
        for handle in (node.name, node.renamed_from):
            if handle is not None and handle not in listed and handle not in run.asked:
                run.asked.add(handle)
                _ask_for(run, handle)


def _ask_for(run: _Run, handle: str) -> None:
    named = run.wanted.get(handle)

    def take(found: org.Row | PipesError) -> None:
        _tell(run, "org", f"org.{handle}")
        if isinstance(found, StatusError) and found.status in (403, 404) and not isinstance(found, NotAuthorisedError):
            if found.status == 403:
                run.forbidden.add(handle)
            else:
                _ask_by_id(run, [named] if named is not None else run.by_old_handle.get(handle, []))
            if named is not None and not named.absent:
                _ask_who(run, handle)
        elif isinstance(found, NotAuthorisedError | NotSentError):
            raise found
        elif isinstance(found, PipesError):
            for node in [named] if named is not None else run.by_old_handle.get(handle, []):
                run.unreadable[node.name] = Unreadable(node.name, EMPTY_READ, str(found))
        else:
            _take_org(run, _checked(org.KIND.resource(found), "/org"))

    _submit(run, lambda: run.client.get_json(org.find(Place(), handle), org.Row), take)


def _ask_by_id(run: _Run, nodes: Iterable[Node]) -> None:
    """Whether an org that nobody has by its handle is there under another one, which this token may not be shown.

    That a path takes an id is not in the contract: a 404 tells nothing.
    """
    ids = {run.lock[address].id for node in nodes for address in _org_addresses(node) if address in run.lock}
    for identifier in sorted(ids - run.asked - set(run.managed)):
        if not _plain(identifier):
            continue  # it is to become a part of a path, and whoever wrote the lock file wrote it
        run.asked.add(identifier)
        path = org.find(Place(), identifier)

        def take(found: org.Row | PipesError, identifier: str = identifier) -> None:
            if isinstance(found, NotAuthorisedError | NotSentError):
                raise found
            if isinstance(found, StatusError) and found.status == 404:
                return
            if isinstance(found, PipesError):
                run.hidden.add(identifier)
            elif found.id == identifier:
                _take_org(run, _checked(org.KIND.resource(found), "/org"))

        _submit(run, lambda path=path: run.client.get_json(path, org.Row), take)  # type: ignore[misc]


def _ask_who(run: _Run, handle: str) -> None:
    """Who holds a handle (identity_get); each is asked for once."""
    if handle in run.identities:
        return
    run.identities[handle] = None

    def look() -> Identity | None:
        try:
            row = run.client.get_json(f"/identity/{handle}", _IdentityRow)
        except StatusError as error:
            if error.status != 404:
                raise
            return None
        return Identity(row.handle, row.id, row.type)

    def take(found: Identity | PipesError | None) -> None:
        if isinstance(found, PipesError):
            raise found
        run.identities[handle] = found
        _tell(run, "identity", handle)

    _submit(run, look, take)


# -- what only new things need


def _read_what_is_new(run: _Run) -> None:
    """Identities of people who are new somewhere, limits where a workspace will be made, the token's age."""
    assert run.actor is not None
    new_people: dict[str, None] = {}
    for node in run.wanted.values():
        if node.absent or node.name in run.unreadable:
            continue
        entry = _entry_of(run, node)
        if entry is not None and entry.failed is not None:
            continue
        if entry is None and (run.identities.get(node.name) is not None or node.renamed_from is not None):
            continue  # somebody else's, or a rename of nothing: neither is ever created
        new_people.update(dict.fromkeys(_new_people(run, node, entry)))
        if entry is not None and _makes_workspaces(run.lock, node, entry):
            _read_limit(run, node, entry)
        tenant = entry.resource.attrs.get("tenant_id") if entry is not None else run.actor.tenant_id
        if tenant not in (None, org.PRIMARY_TENANT) and _has_unknown_addresses(run, node, entry):
            run.tenants.setdefault(str(tenant), None)
    _read_identities(run, new_people)
    _read_tenants(run)
    if any(_resets_tokens(node, _entry_of(run, node)) for node in run.wanted.values() if not node.absent):
        _read_token(run)
    _read_what_is_left(run)
    run.workers.run()


def _entry_of(run: _Run, node: Node) -> _Live | None:
    """The live org of a wanted one: by its handle, else by the one it had, else by its id."""
    found = run.candidates.get(node.name, {})
    for handle in (node.name, node.renamed_from):
        if handle in found:
            return found[handle]
    return next(iter(found.values()), None)


def _new_people(run: _Run, node: Node, entry: _Live | None) -> Iterable[str]:
    """The handles of wanted members whom the live org does not have, neither by handle nor by the lock file's id."""
    rows: dict[str, Resource] = {}
    if entry is not None:
        rows = {**entry.resource.inherited_of(member.KIND.name), **entry.resource.of(member.KIND.name)}
    ids = {row.id for row in rows.values()}
    for want in node.children.get(member.KIND.name, {}).values():
        handle = run.desired.handle(want.name)
        if want.absent or handle is None or handle in rows:
            continue
        addresses = (join(parent, member.KIND.name, want.name) for parent in _org_addresses(node))
        if not any(address in run.lock and run.lock[address].id in ids for address in addresses):
            yield handle


def _has_unknown_addresses(run: _Run, node: Node, entry: _Live | None) -> bool:
    """Whether an org wants somebody by email whom the lock file does not show among its rows."""
    ids = {row.id for row in entry.resource.of(member.KIND.name).values()} if entry is not None else set()
    spaces = node.children.get(workspace.KIND.name, {}).values()
    sections = [node.children.get(member.KIND.name, {}), *(s.children.get(grant.KIND.name, {}) for s in spaces)]
    for name in {want.name for section in sections for want in section.values()}:
        if run.desired.handle(name) is None:
            known = (run.lock.get(join(above, member.KIND.name, name)) for above in _org_addresses(node))
            if not any(found is not None and found.id in ids for found in known):
                return True
    return False


def _read_tenants(run: _Run) -> None:
    """The members of each tenant in `run.tenants`, which carry emails; None stays where only its owners may see them."""
    if not run.tenants:
        return
    handles: dict[str, str] = {}
    rows: dict[str, list[_TenantRow]] = {tenant: [] for tenant in run.tenants}

    def take(found: list[_Tenant]) -> None:
        handles.update((tenant.id, tenant.handle) for tenant in found)

    def end(error: PipesError | None) -> None:
        _tell(run, "tenant", "tenants")
        if error is not None:
            raise error
        for tenant in run.tenants:
            path = f"/tenant/{handles.get(tenant, tenant)}/member"
            _list(
                run,
                path,
                _TenantRow,
                rows[tenant].extend,
                _ended(run, tenant, rows),
                "tenant",
                tenant,
                rows[tenant].clear,
            )

    _list(run, "/tenant", _Tenant, take, end, "tenant", "tenants", handles.clear)
    run.workers.run()


def _ended(run: _Run, tenant: str, rows: dict[str, list[_TenantRow]]) -> Callable[[PipesError | None], None]:
    def end(error: PipesError | None) -> None:
        if isinstance(error, StatusError) and error.status in (403, 404) and not isinstance(error, NotAuthorisedError):
            return
        if error is not None:
            raise error
        found: dict[str, tuple[TenantMember, ...]] = {}
        for row in rows[tenant]:
            handle = row.user.handle if row.user is not None and _plain(row.user.handle) else row.user_id
            one = TenantMember(row.user_id, handle, row.status)
            found[row.email.lower()] = (*found.get(row.email.lower(), ()), one)
        run.tenants[tenant] = found

    return end


def _read_identities(run: _Run, handles: dict[str, None]) -> None:
    assert run.actor is not None
    if not handles:
        return
    # who is an accepted member of an org that was read exists, and needs no request
    known = {run.actor.handle: run.actor.id}
    for entry in run.managed.values():
        for row in entry.resource.of(member.KIND.name).values():
            if row.attrs.get("status") == member.ACCEPTED:
                known[row.handle] = row.id
    for handle in handles:
        if handle in known:
            run.identities[handle] = Identity(handle, known[handle], "user")
        else:
            _ask_who(run, handle)


def _makes_workspaces(lock: Lock, node: Node, entry: _Live) -> bool:
    live = entry.resource.of(workspace.KIND.name).values()
    return any(
        not want.absent and not any(_is(lock, workspace.KIND, node, want, found) for found in live)
        for want in node.children.get(workspace.KIND.name, {}).values()
    )


def _read_limit(run: _Run, node: Node, entry: _Live) -> None:
    """How many workspaces the org may have (org_listConstraints). Unknown where we may not see the constraints."""
    found: list[_Constraint] = []

    def end(error: PipesError | None) -> None:
        if isinstance(error, StatusError) and error.status in (403, 404) and not isinstance(error, NotAuthorisedError):
            return
        if error is not None:
            _fail(entry, error)
            return
        limit = _workspace_limit(found)
        if limit is not None:
            run.limits[entry.resource.handle] = limit
            run.limits[node.name] = limit

    path = f"{org.find(Place(), entry.resource.handle)}/constraint"
    _list(run, path, _Constraint, found.extend, end, "constraint", f"org.{entry.resource.handle}", found.clear)


def _workspace_limit(found: list[_Constraint]) -> int | None:
    """The number of the constraint that bounds workspaces: by its name, a quota before others, the plainest name first."""
    numbers = [(c.type != "quota", len(c.name), c.name, n) for c in found if (n := _number(c.value)) is not None]
    fitting = sorted(candidate for candidate in numbers if "workspace" in candidate[2].lower())
    return fitting[0][3] if fitting else None


def _number(value: Any) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value[:18])
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value or value < 0:  # noqa: PLR0124 - NaN
        return None
    return int(min(value, 10**18))


def _resets_tokens(node: Node, entry: _Live | None) -> bool:
    """Whether the plan will move `token_min_issued_at`."""
    attribute = org.KIND.attribute("token_min_issued_at")
    want = node.attrs.get(attribute.name)
    if want is None:
        return False
    have = entry.resource.attrs.get(attribute.name) if entry is not None else None
    try:
        return not attribute.same(have, want)
    except (ValueError, TypeError):
        return True  # a moment that cannot be compared is not known to be passed


def _read_token(run: _Run) -> None:
    """When the token in use was issued (userToken_list). Of several with its last four characters the earliest counts."""
    assert run.actor is not None
    found: list[_Token] = []

    def end(error: PipesError | None) -> None:
        if isinstance(error, NotSentError):
            raise error
        if error is None:
            last4 = run.client.settings.token[-4:]
            moments = [moment(token.created_at) for token in found if token.last4 == last4]
            # one that cannot be read may be the earliest
            run.issued_at = None if not all(moments) else min((m for m in moments if m is not None), default=None)

    path = f"/user/{run.actor.handle}/token"
    _list(run, path, _Token, found.extend, end, "token", run.actor.handle, found.clear, unique=False)


def moment(text: str) -> datetime | None:
    """A moment of the API (ISO 8601; UTC where no zone is given), None where the text is none."""
    from datetime import UTC

    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _look_for_near(run: _Run) -> None:
    """Look-alikes of handles that nobody has: a typing error is more likely than a person who is not there yet."""
    unknown = [h for h, found in run.identities.items() if found is None and h not in run.wanted]
    if not unknown:
        return
    members = {h for e in run.managed.values() for h in e.resource.of(member.KIND.name)}

    def search(handle: str) -> list[str]:
        for text in (handle, handle[:3]):
            rows, _ = run.client.page("/identity", _IdentityRow, {"q": text, "limit": 20})
            users = [row.handle for row in rows if row.type == "user"]
            if users:
                return users
        return []

    def take(handle: str, found: list[str] | PipesError) -> None:
        # only a help: where it cannot be had, the refusal stands without it
        users = [] if isinstance(found, PipesError) else found
        run.near[handle] = _closest(handle, members.union(users))
        _tell(run, "identity", handle)

    for handle in unknown[_SEARCHES:]:
        run.near[handle] = _closest(handle, members)
    for handle in unknown[:_SEARCHES]:
        _submit(run, lambda h=handle: search(h), lambda found, h=handle: take(h, found))  # type: ignore[misc]
    run.workers.run()


def _closest(handle: str, candidates: Iterable[str]) -> tuple[str, ...]:
    likeness = ((SequenceMatcher(None, handle, other).ratio(), other) for other in candidates if other != handle)
    good = sorted((-ratio, other) for ratio, other in likeness if ratio >= 0.6 or handle in other)
    return tuple(other for _, other in good[:_NEAR])


# -- the end


def _result(run: _Run) -> Snapshot:
    assert run.actor is not None
    actor = replace(run.actor, token_issued_at=run.issued_at)
    orgs = {}
    for entry in sorted(run.managed.values(), key=lambda e: e.resource.handle):
        failed = entry.failed or _unbelievable(entry.resource, actor)
        if failed is None:
            _refer(entry.resource)
            # in the kinds' order, not in that of the answers
            children = entry.resource.children or {}
            entry.resource.children = {kind: children[kind] for kind in KINDS if kind in children}
            orgs[entry.resource.handle] = entry.resource
            continue
        for node in entry.nodes:
            run.unreadable.setdefault(node.name, Unreadable(node.name, EMPTY_READ, failed))
    return Snapshot(
        actor=actor,
        orgs=orgs,
        others=dict(sorted(run.others.items())),
        identities=dict(sorted(run.identities.items())),
        near=dict(sorted(run.near.items())),
        workspace_limits=dict(sorted(run.limits.items())),
        tenants=dict(sorted(run.tenants.items())),
        forbidden=frozenset(run.forbidden),
        unreadable=tuple(found for _, found in sorted(run.unreadable.items())),
        hidden=frozenset(run.hidden),
    )


def _unbelievable(live: Resource, actor: Actor) -> str | None:
    """Why a member list cannot be what Pipes holds: whoever may read it is in it."""
    if not live.was_read(member.KIND.name):
        return None
    rows = [*live.of(member.KIND.name).values(), *live.inherited_of(member.KIND.name).values()]
    if not rows:
        return f"the member list of {live.handle} came back empty"
    if all(row.id != actor.id for row in rows):
        return f"the member list of {live.handle} ({len(rows)} rows) lacks the token's own user {actor.handle}"
    return None


# -- rows, pages, progress


def _belongs(kind: Kind, row: Any) -> bool:
    """Whether a row can be changed at its kind's level (contract: `scope`)."""
    if kind.belongs is not None:
        return kind.belongs(row)
    return kind.level is None or not row.scope or row.scope == kind.level


# nothing else is in most handles; what has more in it is looked at with care
_plain = re.compile(r"[A-Za-z0-9_-]+").fullmatch


def _check_all(found: list[Resource], path: str) -> None:
    """Look at the handles of a whole page at once, and one by one only where that says no."""
    handles = [one.handle for one in found]
    if not (all(handles) and _plain("".join(handles))):
        for one in found:
            _checked(one, path)


def _checked(found: Resource, path: str) -> Resource:
    """`found`, unless its handle would lead a request elsewhere: it becomes part of paths."""
    handle = found.handle
    if _plain(handle):
        return found
    if handle in ("", ".", "..") or not handle.isprintable() or any(c in "/\\?#% " for c in handle):
        raise ContentError(f"{path} holds {handle[:50]!r}, which cannot be a handle")
    return found


def _share_texts(rows: list[Any]) -> None:
    """Keep each text once, in however many lists a person stands: a fifth of the memory of a large plan."""
    for row in rows:
        row.user_id, row.user_handle = intern(row.user_id), intern(row.user_handle)
        row.role, row.status = intern(row.role or ""), intern(row.status or "")
        row.created_by_id = intern(row.created_by_id or "")


def _list(
    run: _Run,
    path: str,
    row_type: Any,
    take: Callable[[list[Any]], None],
    end: Callable[[PipesError | None], None],
    kind: str,
    address: str,
    begin: Callable[[], None] = lambda: None,
    *,
    unique: bool = True,
) -> None:
    """Read a list page after page; the next is under way as soon as its cursor is known.

    `take` gets each page's rows, `end` None after the last or the error. A list that shifted is read again from its
    beginning (`begin` drops what was taken), three times at most.
    """
    readings = 0
    watch = Listing(path, unique=unique)

    def start() -> None:
        nonlocal readings, watch
        readings += 1
        watch = Listing(path, unique=unique)
        begin()
        ask({})

    def ask(params: dict[str, Any]) -> None:
        run.workers.submit(lambda: run.client.page(path, row_type, params), page)

    def page(found: tuple[list[Any], str | None] | PipesError) -> None:
        error = found if isinstance(found, PipesError) else None
        if not isinstance(found, PipesError):
            rows, cursor = found
            try:
                watch.check(rows, cursor)
                take(rows)
            except PartialReadError as partial:
                if readings < _READINGS:
                    start()
                    return
                error = partial
            except ContentError as content:
                error = content
            if error is None and cursor is not None:
                ask({"next_token": cursor})
                return
        end(error)
        _tell(run, kind, address)

    run.begun += 1
    start()


def _submit(run: _Run, work: Callable[[], Any], then: Callable[[Any], None]) -> None:
    run.begun += 1
    run.workers.submit(work, then)


def _tell(run: _Run, kind: str, address: str) -> None:
    run.ended += 1
    if run.progress is not None:
        run.progress(kind, run.ended, run.begun, address)
