"""A pull request x BASE's `approvals:` -> whose consent it needs, and whether those who approved are enough.

Everything is judged by BASE: who has to agree, who is in a team, and whose login is whose. HEAD only counts against somebody:
if HEAD makes a name another name of an approver, what that name gains is the approver's own gain.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from reconciler.kinds import member
from reconciler.model import address as addresses
from reconciler.model.access import OWNS
from reconciler.model.approvals import Consents, Need, Voice
from reconciler.model.policy import OWNERS, Approval, pattern_of
from reconciler.plan.risk import LINKS, PEOPLE, of_roles
from reconciler.plan.risk import LOSSES as LOSS
from reconciler.policy.persons import Persons

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from datetime import date

    from reconciler.model.desired import Desired
    from reconciler.model.diagnostic import Source
    from reconciler.model.live import Lock
    from reconciler.model.plan import Change
    from reconciler.model.review import AccessChange, Review, Statement

RULES, DEFAULT, LOSING, OWNER = "rules", "default", "losing", f"role/{member.OWNER}"
WORDS = (RULES, DEFAULT, LOSING, OWNER)
# statements of a review that neither a change of an object nor one of access repeats
OF_PLACES = frozenset({"managed", "unmanaged", "left-alone", "usable", "unusable"})
OF_RULES = frozenset({"safeguard", "resend", "host", "ignore", "ignore-ends", "kept", "not-kept", "robot", "no-robot"})
CHANGED = {
    "added": "is new",
    "removed": "is removed",
    "loosened": "is loosened",
    "tightened": "is tightened",
    "changed": "changes",
}


def judge(
    review: Review, base: Desired, head: Desired, lock: Lock, *, author: str, approved_by: Collection[str],
    forge: str = "", later: Mapping[date, Sequence[AccessChange]] | None = None,
) -> Consents:  # fmt: skip
    """Whose consent a pull request needs, and what is missing.

    `author` and `approved_by` are logins; `forge` says whose (`github`, `gitlab`), empty for either. `later` has the
    changes of access on days on which entries end.
    """
    persons = Persons(base, head, lock, forge)
    voices = [_voice(login, author, persons, base) for login in dict.fromkeys(approved_by)]
    writer = persons.of_login(author)
    judged = _Judge(base, persons, _renames(review))
    needs: list[Need] = []
    for found in _needs(review, base, head, judged, later or {}):
        who = [one for one in voices if one.counts and judged.agrees(one, found, writer)]
        distinct = {persons.group(one.name): one.login for one in who if one.name is not None}
        needs.append(replace(found, given=tuple(distinct.values())))
    return Consents(review.base, review.head, author, tuple(needs), tuple(voices), review.risk)


def _voice(login: str, author: str, persons: Persons, base: Desired) -> Voice:
    """Whether an approval can count at all, and if not, why."""
    if persons.normal(login) == persons.normal(author):
        return Voice(login, None, "an author's own approval never counts")
    names = persons.of_login(login)
    if not names:
        return Voice(login, None, "nobody in BASE has this login")
    if len({persons.group(name) for name in names}) > 1:
        return Voice(login, None, f"BASE has this login for {' and '.join(sorted(names))}")
    name = min(names)
    if persons.group(name) in {persons.group(one) for one in persons.of_login(author)}:
        return Voice(login, name, "this is the author")
    if _has_ended(persons, persons.group(name), base):
        return Voice(login, name, "every entry of this person has ended")
    return Voice(login, name)


def _has_ended(persons: Persons, group: str, base: Desired) -> bool:
    """Whether somebody has entries in BASE, and none that counts today."""
    over = False
    for org in base.orgs.values():
        for holder in (org, *org.children.get("workspace", {}).values()):
            for kind in PEOPLE:
                for name, node in holder.children.get(kind, {}).items():
                    if persons.group(name) == group:
                        if not node.absent:
                            return False
                        over = True
                over = over or any(persons.group(name) == group for name in (holder.expired or {}).get(kind, {}))
    return over


class _Judge:
    """BASE's approvals, with whom they name."""

    def __init__(self, base: Desired, persons: Persons, renames: Mapping[str, str]) -> None:
        self.approvals = base.approvals
        self.base = base
        self.persons = persons
        self.renames = renames  # the name of an org or workspace in HEAD -> in BASE
        self._groups: dict[tuple[str, str], frozenset[str]] = {}

    def keys(self, place: str, *, owner: bool = False, losing: bool = False) -> list[Approval]:
        """The approvals that a change in a place needs; they add up."""
        if losing and not owner and LOSING in self.approvals:
            found = [self.approvals[LOSING]]
        else:
            org, slash, space = place.partition("/")
            names = {place, self.renames.get(place, place), f"{self.renames.get(org, org)}{slash}{space}"}
            found = [
                one
                for key, one in self.approvals.items()
                if key not in WORDS and any(pattern_of(key).fullmatch(name) for name in names)
            ]
            if not found and DEFAULT in self.approvals:
                found = [self.approvals[DEFAULT]]
            if owner and OWNER in self.approvals:
                found.append(self.approvals[OWNER])
        return [one for one in found if one.of]

    def rules(self) -> list[Approval]:
        """The approval that changes of the rules need."""
        found = self.approvals.get(RULES) or self.approvals.get(DEFAULT)
        return [found] if found is not None else []

    def agrees(self, voice: Voice, need: Need, author: Iterable[str]) -> bool:
        """Whether an approval meets a need: it is by one of the right people, and not for their own gain."""
        if voice.name is None:
            return False
        group = self.persons.group(voice.name)
        own = {self.persons.group(name) for name in (*need.gains, *author)}
        return group not in own and any(group in self._people(name, need.place) for name in need.approval.of)

    def _people(self, name: str, place: str) -> frozenset[str]:
        org = self.renames.get(place.partition("/")[0], place.partition("/")[0]) if name == OWNERS else ""
        found = self._groups.get((name, org))
        if found is None:
            if name == OWNERS:
                node = self.base.orgs.get(org)
                listed: Iterable[str] = (
                    one.name
                    for one in (node.children.get(member.KIND.name, {}).values() if node is not None else ())
                    if not one.absent and one.attrs.get("role") == member.OWNER
                )
            else:
                listed = self.base.teams.get(name.removeprefix("team/"), ()) if name.startswith("team/") else (name,)
            found = self._groups[name, org] = frozenset(map(self.persons.group, listed))
        return found


# --- what needs consent -----------------------------------------------------------------------------------------------


def _needs(
    review: Review, base: Desired, head: Desired, judged: _Judge, later: Mapping[date, Sequence[AccessChange]]
) -> Iterator[Need]:
    for found in review.access:
        yield from _of_access(found, judged)
    for found in review.rerouted:
        yield from _of_end(found, judged)
    today = {(found.key, found.object) for found in review.access}
    for day, changes in sorted(later.items()):
        for found in changes:
            if (found.key, found.object) not in today:
                yield from _of_access(found, judged, f" from {day.isoformat()} on")
    for change in review.changes:
        if change.kind not in PEOPLE:
            yield from _of_object(change, judged)
    changed = {change.address for change in review.changes}
    for statement in review.statements:
        yield from _of_statement(statement, judged)
        kind = addresses.kind_of(statement.address) if statement.kind == "absent" else member.KIND.name
        if kind not in PEOPLE and statement.address not in changed:
            place = _place(statement.address, "")
            for one in judged.keys(place):
                yield Need(one, place, f"delete {statement.address}", (), statement.source)
    for rule in review.rules:
        gains = (*rule.names, *((rule.who,) if rule.who is not None else ()))
        fact = f"{rule.name if rule.kind == 'team' else f'{rule.kind} {rule.name}'} {CHANGED[rule.change]}"
        yield from (Need(one, RULES, fact, gains, rule.source) for one in judged.rules())
    for name, source in _people_changed(base, head):
        yield from (Need(one, RULES, f"people: {name} changes", (name,), source) for one in judged.rules())
    for identity in review.identities:
        fact = f"{'what' if identity.what == 'id' else 'who'} {identity.name} is changes"
        gains = (identity.name, *identity.former)
        yield from (Need(one, RULES, fact, gains, identity.source) for one in judged.rules())


def _of_access(found: AccessChange, judged: _Judge, when: str = "") -> Iterator[Need]:
    if found.unknown == "after":
        return  # whoever is there stays; a statement of its own says that the place is left alone
    # an owner counts in the org, and not again in each of its workspaces
    implicit = any(one is not None and one.why == OWNS for one in (found.before, found.after))
    owner = (found.had == member.OWNER) != (found.has == member.OWNER) and not implicit
    losing = of_roles(found.had, found.has) == LOSS
    gains = () if losing or found.has is None else (found.key, found.after.person if found.after else found.key)
    where = f"{'on' if '/' in found.object else 'of'} {found.object}"
    if found.had is None:
        fact = f"{found.person} gains {found.has} {where}"
    elif found.has is None:
        fact = f"{found.person} loses {found.had} {where}"
    else:
        fact = f"{found.person} changes from {found.had} to {found.has} {where}"
    for one in judged.keys(found.object, owner=owner, losing=losing and not _was_owner(found)):
        yield Need(one, found.object, fact + when, gains, found.source)


def _was_owner(found: AccessChange) -> bool:
    """Whether an owner loses something, an org's or a workspace's: `losing` never covers that."""
    return found.had == member.OWNER


def _of_end(found: AccessChange, judged: _Judge) -> Iterator[Need]:
    """Access that stays, and ends later or sooner than before."""
    had, has = found.before, found.after
    if had is None or has is None or (had.expires, had.then) == (has.expires, has.then):
        return
    sooner = has.expires is not None and (had.expires is None or has.expires <= had.expires) and has.then is None
    owner = has.role == member.OWNER
    fact = f"{found.person} keeps {has.role} on {found.object} {has.until or 'without an end'}"
    for one in judged.keys(found.object, owner=owner, losing=sooner):
        yield Need(one, found.object, fact, () if sooner else (found.key, has.person), found.source)


def _of_object(change: Change, judged: _Judge) -> Iterator[Need]:
    place = _place(change.address, change.kind)
    fact = f"{change.action} {change.address}"
    losing = change.kind in LINKS and change.action == "delete"
    for one in judged.keys(place, losing=losing):
        yield Need(one, place, fact, (), change.source)
    org = place.partition("/")[0]
    if change.kind in LINKS and org != place and not losing:
        for one in judged.keys(org):
            yield Need(one, org, fact, (), change.source)


def _place(address: str, kind: str) -> str:
    """The org or workspace that a change is about; for a permission or attachment, the workspace that gets the connection."""
    parts = addresses.split(address)
    org = parts[0][1]
    if kind in LINKS:
        return f"{org}/{parts[-1][1]}"
    space = next((name for at, name in parts[1:] if at == "workspace"), None)
    return org if space is None else f"{org}/{space}"


def _of_statement(found: Statement, judged: _Judge) -> Iterator[Need]:
    if found.kind in OF_RULES:
        yield from (Need(one, RULES, f"{found.address} changes", (), found.source) for one in judged.rules())
    elif found.kind in OF_PLACES:
        place = found.after if found.kind == "usable" and found.after else _place(found.address, "")
        for one in judged.keys(place):
            yield Need(one, place, f"{found.address} is {found.kind.replace('-', ' ')}", (), found.source)


def _people_changed(base: Desired, head: Desired) -> Iterator[tuple[str, Source | None]]:
    from msgspec import structs

    for name in sorted({*base.people, *head.people}):
        was, now = base.people.get(name), head.people.get(name)
        one, two = (None if p is None else structs.replace(p, source=None) for p in (was, now))
        if one != two:
            shown = now or was
            yield name, shown.source if shown is not None else None


def _renames(review: Review) -> dict[str, str]:
    """The name of an org or workspace in HEAD -> its name in BASE, where it is renamed."""
    found = {}
    for change in review.changes:
        if change.action == "rename" and change.previous_address is not None and change.kind in ("org", "workspace"):
            found[_place(change.address, "")] = _place(change.previous_address, "")
    return found
