"""How Pipes differs from the manifests: a plan, read in reverse."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from reconciler.drift.audit_search import Clue, Search
from reconciler.drift.renames import canonical, followed, node_at, renames
from reconciler.kinds import KINDS, grant, member, org, permission, service_account, workspace
from reconciler.model import address as addresses
from reconciler.model.drift import NOT_APPLIED, OUTSIDE, Difference, Drift
from reconciler.model.live import LockEntry
from reconciler.plan import identity, make_plan

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from reconciler.model.desired import Desired, Node
    from reconciler.model.diagnostic import Refusal, Source
    from reconciler.model.live import Lock, Resource, Snapshot
    from reconciler.model.plan import Change

# The safeguards that prevent comparing an object or a whole org. The others are only about applying.
NOT_COMPARED = frozenset(("empty-read", "who-is-this", "rename"))

LEFT_LOG = "unknown (the audit log of an org is deleted with it)"
TIME_IS_UP = "nobody; the entry has ended"
OWN_HANDLE = "unknown (people change their own handles, and no org's audit log records it)"


class Finding(msgspec.Struct):
    """A Drift, and one search for each org whose audit log may say who changed something."""

    drift: Drift
    searches: tuple[Search, ...]
    desired: Desired  # follows the objects that were renamed outside

    def renames(self) -> Finding:
        """The same finding, whose searches look only for renames."""
        found = [(s, [c for c in s.clues if c.difference.what == "renamed"]) for s in self.searches]
        return replace(self, searches=tuple(Search(s.address, s.handle, clues) for s, clues in found if clues))

    def with_doers(self) -> Drift:
        """The Drift, with the people whom the searches have found."""
        found = list(self.drift.differences)
        by_address = {}
        for search in self.searches:
            for clue in search.clues:
                doer = clue.surely or clue.perhaps
                found[clue.index] = replace(
                    found[clue.index], by=doer, why_unknown="" if doer is not None else search.ended
                )
                by_address[found[clue.index].address] = doer
        for index, difference in enumerate(found):
            if difference.follows is not None and difference.by is None:
                found[index] = replace(difference, by=by_address.get(difference.follows))
        return replace(self.drift, differences=tuple(found))


def find(desired: Desired, live: Snapshot, lock: Lock, *, applied: tuple[str, Desired] | None = None) -> Finding:
    """How `live` differs from `desired`, for `desired.day`.

    `applied` is the name of a revision and what its manifests ask for on the same day. A difference that these manifests
    do not have counts as not applied yet.
    """
    view = _View(desired, live, lock)
    differences = view.differences
    if applied is not None:
        before = _View(applied[1], live, lock)
        known = {before.key(d) for d in before.differences}
        differences = [
            d if view.key(d) in known or view.org_of(d) in before.blocked else replace(d, standing=NOT_APPLIED)
            for d in differences
        ]
    differences = [d if d.reason != "expired" else replace(d, why_unknown=TIME_IS_UP) for d in differences]
    drift = Drift(
        differences=tuple(differences),
        orgs=view.plan.orgs,
        day=desired.day,
        applied=applied[0] if applied else None,
        refusals=tuple(view.doubts),
        forbidden=tuple(view.forbidden),
        notes=view.plan.notes,
    )
    return Finding(drift, tuple(view.searches(differences)), view.desired)


class _View:
    """A plan, read in reverse. Objects that were renamed outside are followed, so that what is below them is compared."""

    def __init__(self, desired: Desired, live: Snapshot, lock: Lock) -> None:
        self.live = live
        self.asked = desired
        self.renamed: dict[str, Resource] = {}  # by address: the live object, which has another handle
        self.replaced: dict[str, Resource] = {}  # by address: a different live object with the same handle
        for _ in range(len(KINDS)):  # a workspace of a renamed org may also be renamed
            self.lock = identity.carried(lock, desired, live)
            self.desired = desired
            self.plan = make_plan(desired, live, lock, consequences=False)
            fresh = dict(self._renamed_outside())
            if not fresh:
                break
            self.renamed.update(fresh)
            desired = followed(desired, fresh)
        self._handles: dict[str, dict[str, str]] = {}
        self._made: frozenset[str] = frozenset()  # addresses that a plan would create, which are missing live
        self._renames = renames(self.plan)
        self.forbidden = [
            addresses.join(None, "org", name)
            for name, node in self.desired.orgs.items()
            if name in live.forbidden and not node.absent
        ]
        by_address: dict[str, list[Refusal]] = {}
        for refusal in self.plan.refusals:
            by_address.setdefault(refusal.address, []).append(refusal)
        self.refused = by_address
        self.doubts = [
            refusal
            for refusal in self.plan.refusals
            if refusal.code in NOT_COMPARED and refusal.address not in self.replaced
        ]
        self.blocked = {addresses.split(r.address)[0][1] for r in self.doubts}
        self.differences = sorted(self._differences(), key=_reading_order)

    # -- identity

    def _renamed_outside(self) -> Iterator[tuple[str, Resource]]:
        """The live objects of `rename` refusals that the lock file knows by id."""
        for refusal in self.plan.refusals:
            entry = self.lock.get(refusal.address)
            if refusal.code != "rename" or entry is None or refusal.address in self.renamed:
                continue
            handle = self._handle(refusal.address)
            siblings = self._siblings(refusal.address)
            known = next((row for row in siblings.values() if row.id == entry.id), None)
            if known is not None and known.handle != handle:
                yield refusal.address, known
            elif known is None and handle in siblings:
                self.replaced[refusal.address] = siblings[handle]

    def _handle(self, address: str) -> str:
        """The handle in Pipes. A person's comes from `people:` or from the lock file."""
        kind, name = addresses.split(address)[-1]
        if not KINDS[kind].names_people:
            return name
        entry = self.lock.get(address)
        return self.desired.handle(name) or (entry.handle if entry is not None else None) or name

    def _siblings(self, address: str) -> Mapping[str, Resource]:
        parts = addresses.split(address)
        if len(parts) == 1:
            return {**self.live.others, **self.live.orgs}
        above = self.org(parts[0][1])
        if len(parts) > 2 and parts[1][0] == workspace.KIND.name:
            above = self.workspace(above, parts[0][1], parts[1][1])
        return above.of(parts[-1][0]) if above is not None else {}

    def org(self, name: str) -> Resource | None:
        """The live org for a name in the manifests, matched as the plan does: by id first, then by handle."""
        everything = {**self.live.others, **self.live.orgs}
        entry = self.lock.get(addresses.join(None, "org", name))
        node = self.desired.orgs.get(name)
        known = next((o for o in everything.values() if entry is not None and o.id == entry.id), None)
        if known is not None:
            return known
        old = node.renamed_from if node is not None else None
        return everything.get(name) or (everything.get(old) if old else None)

    def workspace(self, above: Resource | None, org_name: str, name: str) -> Resource | None:
        if above is None:
            return None
        spaces = above.of(workspace.KIND.name)
        entry = self.lock.get(f"org.{org_name}/workspace.{name}")
        known = next((w for w in spaces.values() if entry is not None and w.id == entry.id), None)
        node = self._node_of_workspace(org_name, name)
        old = node.renamed_from if node is not None else None
        return known or spaces.get(name) or (spaces.get(old) if old else None)

    def _node_of_workspace(self, org_name: str, name: str) -> Node | None:
        above = self.desired.orgs.get(org_name)
        return above.children.get(workspace.KIND.name, {}).get(name) if above is not None else None

    # -- differences

    def _differences(self) -> Iterator[Difference]:
        whole = [c.address for c in self.plan.changes if c.action == "create" and not KINDS[c.kind].names_people]
        gone = {c.address for c in self.plan.changes if c.action == "create" and c.kind == member.KIND.name}
        self._made = frozenset(whole)
        for change in self.plan.changes:
            if addresses.join(None, "org", addresses.org_of(change.address)) in self.forbidden:
                continue
            if any(address != change.address and addresses.covers(address, change.address) for address in whole):
                continue  # its parent is missing, which is reported instead
            if change.action == "create":
                yield self._removed(change, gone)
            elif change.action == "delete":
                yield self._added(change)
            else:
                if change.action == "rename":
                    yield self._renamed(change)
                yield from self._changed(change)
        for address, found in self.renamed.items():
            if address.partition("/member.")[2]:
                node = self._node(address)
                person = self.asked.person(addresses.name_of(address))
                yield Difference(
                    "renamed",
                    member.KIND.name,
                    address,
                    person.handle,
                    found.handle,
                    source=person.source or (node.source if node is not None else None),
                    id=found.id,
                    handle=found.handle,
                    why_unknown=OWN_HANDLE,
                )
        for address, found in self.replaced.items():
            entry = self.lock[address]
            node = self._node(address)
            yield Difference(
                "replaced",
                addresses.kind_of(address),
                address,
                entry.id,
                found.id,
                source=node.source if node is not None else None,
                id=found.id,
                handle=found.handle,
                note=next((r.fix for r in self.refused.get(address, ()) if r.code == "rename"), ""),
            )
        yield from self._without_their_member()

    def _account(self, address: str) -> str | None:
        """The address of the service account whose membership or grant is at `address`; None for a person's."""
        parts = addresses.split(address)
        org_name, name = parts[0][1], parts[-1][1]
        if not name.startswith(addresses.SERVICE):
            return None
        return addresses.join(
            addresses.join(None, "org", org_name), service_account.NAME, name.removeprefix(addresses.SERVICE)
        )

    def _id_of_account(self, address: str) -> str | None:
        account = self._account(address)
        if account is None:
            return None
        above = self.org(addresses.org_of(address))
        live = above.of(service_account.NAME).get(addresses.name_of(account)) if above is not None else None
        entry = self.lock.get(account)
        return live.id if live is not None else entry.id if entry is not None else None

    def _removed(self, change: Change, gone: set[str]) -> Difference:
        entry, node = self.lock.get(change.address), self._node(change.address)
        follows = None
        if change.kind == grant.KIND.name:
            parts = addresses.split(change.address)
            membership = f"org.{parts[0][1]}/member.{parts[-1][1]}"
            follows = membership if membership in gone else None
        account = self._account(change.address)
        if account is not None and account in self._made:
            follows = account
        note = next(
            (
                r.fact
                for r in self.refused.get(change.address, ())
                if r.code in ("looks-like-rename", "unknown-user", "handle-taken")
            ),
            "",
        )
        return Difference(
            "removed",
            change.kind,
            change.address,
            wanted=(change.after or {}).get("role"),
            source=node.source if node is not None else change.source,
            via=change.via,
            id=entry.id if entry is not None else self._id_of_account(change.address),
            handle=self._handle(change.address),
            follows=follows,
            below=_below(node) if node is not None else 0,
            note=note,
            why_unknown=LEFT_LOG if change.kind == org.KIND.name else "",
        )

    def _added(self, change: Change) -> Difference:
        before = change.before or {}
        note = ""
        if change.kind == grant.KIND.name and change.reason in ("absent", "expired"):
            parts = addresses.split(change.address)
            if change.source is not None and change.source == self._line_of_member(parts[0][1], parts[-1][1]):
                note = f"the grant goes with the membership in {parts[0][1]}"
        return Difference(
            "added",
            change.kind,
            change.address,
            live=before.get("role"),
            source=change.source or self._section(change),
            reason=change.reason,
            via=change.via,
            id=change.id,
            handle=self._live_handle(change),
            status=before.get("status"),
            note=note,
        )

    def _line_of_member(self, org_name: str, person: str) -> Source | None:
        above = self.desired.orgs.get(org_name)
        if above is None:
            return None
        entries = above.children.get(member.KIND.name, {}), (above.expired or {}).get(member.KIND.name, {})
        return next((entry[person].source for entry in entries if person in entry), None)

    def _renamed(self, change: Change) -> Difference:
        node = self._node(change.address)
        old = addresses.name_of(change.previous_address or change.address)
        outside = change.address in self.renamed
        return Difference(
            "renamed",
            change.kind,
            change.address,
            addresses.name_of(change.address),
            old,
            source=node.source if outside and node is not None else change.source,
            reason=None if outside else "renamed_from",
            id=change.id,
            handle=old,
        )

    def _changed(self, change: Change) -> Iterator[Difference]:
        before, after = change.before or {}, change.after or {}
        node = self._node(change.address)
        for attribute in KINDS[change.kind].attributes:
            name = attribute.name
            if name not in after or before.get(name) == after[name]:
                continue
            if attribute.own_request and not self.lock.get(change.address, LockEntry("")).more.get(name):
                continue  # the lock file has no earlier value, so no change is known; the plan has a note
            source = change.source
            if node is not None:
                source = (node.sources or {}).get(name, node.source)
            yield Difference(
                "changed",
                change.kind,
                change.address,
                after[name],
                before.get(name),
                name,
                source=source,
                reason="expired" if change.reason == "expired" else None,
                via=change.via,
                id=change.id,
                handle=self._live_handle(change),
                status=before.get("status"),
            )

    def _without_their_member(self) -> Iterator[Difference]:
        """Grants that are errors in the plan because their people are not in the org."""
        if not self.plan.errors:
            return
        in_error = {(error.source, error.summary.partition(" ")[0]) for error in self.plan.errors}
        for name, above in self.desired.orgs.items():
            for person, node in above.children.get(member.KIND.name, {}).items():
                if person.startswith(addresses.SERVICE) and (node.source, person) in in_error:
                    yield Difference(
                        "removed",
                        member.KIND.name,
                        f"org.{name}/member.{person}",
                        node.attrs.get("role"),
                        source=node.source,
                        id=self._id_of_account(f"org.{name}/member.{person}"),
                    )
            for space in above.children.get(workspace.KIND.name, {}).values():
                for person, node in space.children.get(grant.KIND.name, {}).items():
                    if (node.source, person) in in_error:
                        address = f"org.{name}/workspace.{space.name}/grant.{person}"
                        entry = self.lock.get(f"org.{name}/member.{person}")
                        yield Difference(
                            "removed",
                            grant.KIND.name,
                            address,
                            node.attrs.get("role"),
                            source=node.source,
                            via=node.via,
                            id=entry.id if entry is not None else None,
                            handle=self._handle(f"org.{name}/member.{person}"),
                            note=f"{person} is not in {name}",
                        )

    def _node(self, address: str) -> Node | None:
        return node_at(self.desired, address)

    def _section(self, change: Change) -> Source | None:
        """The manifest line of the section that does not list the object."""
        above = self._node(addresses.above(change.address))
        return None if above is None else (above.sources or {}).get(change.kind, above.source)

    def _live_handle(self, change: Change) -> str:
        """The handle of a live object; for a person, the handle of the account."""
        if not KINDS[change.kind].names_people or change.id is None:
            return self._handle(change.address)
        name = addresses.org_of(change.address)
        if name not in self._handles:
            above = self.org(name)
            rows = above.of(member.KIND.name).values() if above is not None else ()
            self._handles[name] = {row.id: row.handle for row in rows}
        return self._handles[name].get(change.id) or self._handle(change.address)

    # -- comparing two views, and searching audit logs

    def key(self, difference: Difference) -> tuple[str, str | None]:
        """The subject of a difference, by live handles, so that two views can be compared."""
        single = difference.what == "changed" and not KINDS[difference.kind].names_people
        return canonical(self._renames, difference.address), difference.attribute if single else None

    def org_of(self, difference: Difference) -> str:
        return addresses.org_of(difference.address)

    def searches(self, differences: Sequence[Difference]) -> Iterator[Search]:
        """One search for each org that exists and has differences without a known cause."""
        by_org: dict[str, list[Clue]] = {}
        for index, difference in enumerate(differences):
            if difference.standing == OUTSIDE and not difference.why_unknown and difference.follows is None:
                by_org.setdefault(addresses.org_of(difference.address), []).append(self._clue(index, difference))
        for name, clues in by_org.items():
            above = self.org(name)
            if above is not None:
                yield Search(addresses.join(None, "org", name), above.handle, clues)

    def _clue(self, index: int, difference: Difference) -> Clue:
        parts = addresses.split(difference.address)
        names: set[str | None] = {difference.id, difference.handle}
        if KINDS[difference.kind].lists_handles_of is not None:
            return Clue(index, difference, *self._in_a_list(difference))
        if not KINDS[difference.kind].names_people:
            names |= {parts[-1][1]}
        if difference.kind == grant.KIND.name:
            entry = self.lock.get(f"org.{parts[0][1]}/member.{parts[-1][1]}")
            names |= {entry.id, entry.handle} if entry is not None else set()
        places: set[str] = set()
        if KINDS[difference.kind].parent == workspace.KIND.name:
            space = self.workspace(self.org(parts[0][1]), parts[0][1], parts[1][1])
            places = {parts[1][1], *((space.id, space.handle) if space is not None else ())}
        return Clue(index, difference, frozenset(filter(None, names)), frozenset(places))

    def _in_a_list(self, difference: Difference) -> tuple[frozenset[str], frozenset[str]]:
        """The names and places of a clue for a permission or an attachment: what is used, and the workspace that uses it."""
        (_, org_name), (above_kind, above_name), (_, handle) = addresses.split(difference.address)
        above = self.org(org_name)
        used = above.of(above_kind).get(above_name) if above is not None else None
        names = {above_name, *((used.id, used.handle) if used is not None else ())}
        row = used.of(difference.kind).get(handle) if used is not None else None
        own = row.attrs.get(permission.ATTRIBUTES[0].name) if row is not None else None
        if handle == permission.EVERYWHERE:
            return frozenset({*names, *((own,) if own else ())}), frozenset()
        space = self.workspace(above, org_name, handle)
        places = {handle, *((space.id, space.handle) if space is not None else ())}
        return frozenset({*names, *((own,) if own else ())}), frozenset(places)


def _below(node: Node) -> int:
    """How many objects the manifests list below `node`."""
    wanted = [child for section in node.children.values() for child in section.values() if not child.absent]
    return len(wanted) + sum(map(_below, wanted))


def _reading_order(difference: Difference) -> tuple[str, int, str, str]:
    org_name, _, below = difference.address.partition("/")
    return org_name, 0 if not below else 1 + (not below.startswith("member.")), below, difference.attribute or ""
