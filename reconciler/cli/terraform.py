"""`reconciler import --from-terraform`: writes manifests and lock file from a state, offline."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from reconciler.cli.writing import Draft, RefusedError
from reconciler.model.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from pathlib import Path

    from reconciler.cli.writing import Existing
    from reconciler.importing.hidden_secrets import HiddenSecrets
    from reconciler.importing.terraform_state import Org, Person, State
    from reconciler.model.live import Lock, Resource


def take_over(path: Path, asked: Sequence[str], owner: str | None, existing: Existing, *, suggest_teams: bool) -> bool:
    """Write the organizations of a state (or of those, the `asked`) that no manifest has yet; whether anything changed.

    Raises ManifestError for a state that is wrong, UsageError, RefusedError where the lock file knows otherwise, and
    LeftAloneError where it cannot be written.
    """
    from reconciler.importing import terraform_state as terraform
    from reconciler.importing.hidden_secrets import HiddenSecrets, notes_in
    from reconciler.importing.terraform_connections import live_of

    state = terraform.read(path)
    chosen = _chosen(state, asked)
    if owner is not None:
        _check_owner(owner)
    draft = Draft(existing)
    lock = dict(existing.lock)
    secrets = HiddenSecrets(lock, existing.desired, "the state")
    for org in chosen:
        if existing.desired is not None and org.handle in existing.desired.orgs:
            place = existing.desired.orgs[org.handle].source
            raise UsageError(
                f"org {org.handle} is in the manifests already ({place}); `reconciler import {org.handle}` updates it from Pipes"
            )
        name_of = _names(draft, org, chosen)
        found = _described(org, owner, draft, name_of)
        connected = _connected(live_of(org, state.left), found, draft, secrets)
        draft.orgs[org.handle] = found
        draft.fitting(org.handle, found)
        draft.notes += notes_in(found)
        _add_to_lock(org, lock, name_of, connected)
    draft.notes += [
        f"left out: {what}" + (f" ({times})" if times > 1 else "") for what, times in sorted(state.left.items())
    ]
    draft.compose(suggest_teams=suggest_teams)
    draft.desired()
    return draft.save(secrets.marked(lock))


def _chosen(state: State, asked: Sequence[str]) -> list[Org]:
    unknown = [name for name in asked if name not in state.orgs]
    if unknown or not state.orgs:
        known = f"it has {', '.join(sorted(state.orgs))}" if state.orgs else "it has none"
        raise UsageError(
            f"the state has no org {unknown[0]}; {known}" if unknown else f"no organization is in the state: {known}"
        )
    return [state.orgs[name] for name in sorted(set(asked) or state.orgs)]


def _check_owner(owner: str) -> None:
    from reconciler.manifest import json_schema

    if not json_schema.matches(json_schema.schema()["$defs"]["handle"], owner):
        raise UsageError(f"--owner {owner}: this is not a handle")


def _described(org: Org, owner: str | None, draft: Draft, name_of: Callable[[Person], str]) -> dict[str, Any]:
    """What a manifest says below an org's handle. What the state does not have is left out, and so left alone."""
    found: dict[str, Any] = dict(org.attrs)
    roles = {name_of(person): person.role for person in org.members.values()}
    if roles:
        _add_owners(org, owner, roles, draft, name_of)
        found["members"] = dict(sorted(roles.items()))
    else:
        draft.notes.append(f"org.{org.handle}: the state has no members of it, so the manifest does not manage them")
    if org.spaces:
        found["workspaces"] = {handle: _space(org, handle, roles, draft, name_of) for handle in sorted(org.spaces)}
    return found


def _add_owners(
    org: Org, owner: str | None, roles: dict[str, str], draft: Draft, name_of: Callable[[Person], str]
) -> None:
    """The owners that the state has no resource for: whoever created the organization, and `--owner`.

    Raises UsageError where nobody is known to own it.
    """
    from reconciler.importing.terraform_state import Person

    reasons = {}
    if org.creator and org.creator not in {person.handle for person in org.members.values()}:
        reasons[name_of(Person("owner", "", org.place or "", org.creator))] = (
            "created it, which the state has no resource for"
        )
    if owner is not None:
        reasons[name_of(Person("owner", "", "", owner))] = "is named by --owner"
    if not reasons and not org.owned:
        raise UsageError(f"the state has no owner of {org.handle} who accepted; name one with --owner HANDLE")
    for name, reason in reasons.items():
        if roles.get(name) != "owner":
            roles[name] = "owner"
            draft.notes.append(f"org.{org.handle}/member.{name}: written as an owner, because {name} {reason}")


def _space(
    org: Org, handle: str, roles: Mapping[str, str], draft: Draft, name_of: Callable[[Person], str]
) -> dict[str, Any]:
    space = org.spaces[handle]
    found: dict[str, Any] = dict(space.attrs)
    granted = {}
    for person in space.grants.values():
        name = name_of(person)
        if roles and name not in roles:
            draft.notes.append(
                f"org.{org.handle}/workspace.{handle}/grant.{name}: left out, since the state has a grant of {name} and no "
                f"membership; write {name} into the members of {org.handle}, and {name}: {person.role} here"
            )
        elif roles.get(name) != "owner":  # owners reach every workspace anyway
            granted[name] = person.role
    if space.grants:
        found["members"] = dict(sorted(granted.items()))
    else:
        draft.notes.append(
            f"org.{org.handle}/workspace.{handle}: the state has no grants in it, so the manifest does not manage them"
        )
    return found


def _connected(live: Resource, found: dict[str, Any], draft: Draft, secrets: HiddenSecrets) -> dict[str, str]:
    """Add the connections and folders of `live`, an org as the state has it, to what a manifest says of it; their ids by
    address.
    """
    from reconciler.importing.write import OrgWriter
    from reconciler.kinds import connection, named_below

    folder = draft.existing.target.path if draft.existing.target.is_folder else draft.existing.target.path.parent
    writer = OrgWriter(live, lambda row: row.handle, secrets, folder.as_posix())
    ids: dict[str, str] = {}
    for kind in named_below("org"):
        there = {} if kind.name == "workspace" else live.of(kind.name)
        names = writer.writable(kind, live, f"org.{live.handle}") if there else []
        if names:
            found[kind.section] = {name: writer.named(kind, name) for name in names}
            ids |= {f"org.{live.handle}/{kind.name}.{name}": there[name].id for name in names}
    for space in live.of("workspace").values():
        address = f"org.{live.handle}/workspace.{space.handle}"
        for kind in named_below("workspace"):
            names = writer.writable(kind, space, address) if space.of(kind.name) else []
            if names:
                below = found["workspaces"][space.handle]
                below[kind.section] = {name: writer.inner(kind, name, space) for name in names}
                ids |= {f"{address}/{kind.name}.{name}": space.of(kind.name)[name].id for name in names}
    silent = sorted(one.handle for one in live.of(connection.KIND.name).values() if not one.children)
    if silent:
        draft.notes.append(
            f"org.{live.handle}: the state does not say which workspaces may use {', '.join(silent)}, so the manifest does not "
            "manage that"
        )
    draft.notes += writer.notes
    return {address: identifier for address, identifier in ids.items() if not address.endswith(f".{identifier}")}


def _names(draft: Draft, org: Org, orgs: Collection[Org]) -> Callable[[Person], str]:
    """What the manifests call a person; somebody who is known by an address alone gets a name in `people:`."""
    from reconciler.model.live import Resource

    by_handle = draft.names(org.handle)
    desired = draft.existing.desired
    there = desired.people if desired is not None else {}
    handles = {person.handle for one in orgs for person in one.members.values()}
    handles |= {person.handle for one in orgs for space in one.spaces.values() for person in space.grants.values()}

    def name_of(person: Person) -> str:
        if person.handle:
            return by_handle(Resource("member", person.handle, person.id, None, {}))
        known = {**{n: p.email for n, p in there.items()}, **{n: p["email"] for n, p in draft.people.items()}}
        for name, email in known.items():
            if email is not None and email.lower() == person.email.lower():
                return name
        word = (
            re.sub(r"[^a-z0-9]+", "-", person.email.partition("@")[0].lower()).strip("-")[:30].strip("-") or "somebody"
        )
        number, name = 1, word
        while name in known or name in handles:
            number += 1
            name = f"{word}-{number}"
        draft.people[name] = {"email": person.email}
        return name

    return name_of


def _add_to_lock(org: Org, lock: Lock, name_of: Callable[[Person], str], connected: Mapping[str, str]) -> None:
    """Put the ids of a state into the lock file. Raises RefusedError where it knows another object of that address."""
    from reconciler.model.live import LockEntry

    address = f"org.{org.handle}"
    ids = {address: org.id, **connected}
    ids |= {f"{address}/member.{name_of(person)}": person.id for person in org.members.values()}
    ids |= {f"{address}/workspace.{space.handle}": space.id for space in org.spaces.values()}
    for one, identifier in ids.items():
        if identifier and one in lock and lock[one].id != identifier:
            raise RefusedError(
                f"rename: {one}: the lock file knows another object by this address; the state has {identifier}"
            )
        if identifier and one not in lock:
            lock[one] = LockEntry(identifier)
