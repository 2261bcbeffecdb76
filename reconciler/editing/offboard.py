"""Removes one person from all manifests; only the lines that this concerns change.

An owner's removal must be stated where a reviewer sees it, so an owner's line becomes `absent: true`; other lines go. The
result is read again: the person appears nowhere else, and nobody else's entries have changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import yaml

from reconciler.editing.canonical import as_formatted_as
from reconciler.editing.edit import ABSENT, Edit, absent, edited, list_of_team
from reconciler.editing.in_place import CannotEditError, File, scalar, text_of
from reconciler.editing.nodes import is_absent, keys_at, node_at, pairs_of, role_in
from reconciler.editing.people import Somebody, entries_of_people
from reconciler.kinds import KINDS, children_of, member, org, service_account
from reconciler.model.diagnostic import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconciler.model.desired import Desired, Node

_ELSEWHERE = frozenset(("source", "sources", "children", "expired"))  # of a node: places, and what lies below


# --- leaving ----------------------------------------------------------------------------------------------------------


def take_out(texts: Mapping[str, bytes], desired: Desired, somebody: Somebody, reason: str | None = None) -> Edit:
    """Take somebody out of the manifests `texts`, which ask for `desired`; the reason is written where that is stated.

    Raises CannotEditError where no edit in place does it, or where it would do anything else.
    """
    made = Edit()
    for name, node in desired.orgs.items():
        made.refusals += _last_owner(name, node, desired, somebody)
    if made.refusals:
        return made
    made.notes += _answers_for(desired, somebody)
    editor = _Editor(texts, desired, somebody, made, reason)
    editor.edit()
    made.texts = {
        name: as_formatted_as(texts[name], name, file.result()) for name, file in editor.files.items() if file.touched
    }
    _prove({**texts, **made.texts}, desired, somebody, editor.kept)
    if not made.texts:
        made.already = "the manifests only state that they are absent"
    return made


def _answers_for(desired: Desired, somebody: Somebody) -> Iterator[str]:
    """What the leaver is responsible for: the lines stay as they are, since only a person can say who takes over."""
    for name, node in desired.orgs.items():
        for key, account in node.children.get(service_account.NAME, {}).items():
            who = str(account.attrs.get(service_account.RESPONSIBLE) or "")
            place = f"{account.source.file}:{account.source.line}"
            if who in somebody:
                yield f"{who} is responsible for the service account {name}/{key} ({place}): name somebody else"
            elif who.startswith("team/"):
                people = desired.teams.get(who.removeprefix("team/"), ())
                left = [one for one in people if one not in somebody]
                if len(left) < len(people):
                    remain = (
                        f"{', '.join(left)} remain"
                        if len(left) > 1
                        else f"{left[0]} remains"
                        if left
                        else "nobody is left"
                    )
                    yield f"{who} is responsible for the service account {name}/{key} ({place}): {remain} in the team"


def _last_owner(name: str, node: Node, desired: Desired, somebody: Somebody) -> Iterator[Refusal]:
    """Refuse to leave an org with fewer people as owners than its floor, by what the manifests say. Robots do not count."""
    members = node.children.get(member.KIND.name, {})
    owners = [
        one
        for one in members.values()
        if not one.absent and member.is_owner(one.attrs) and not desired.is_robot(one.name)
    ]
    others = [one for one in owners if one.name not in somebody]
    floor = desired.rules.min_owners
    if len(others) == len(owners) or len(others) >= floor:
        return
    them = next(one for one in owners if one.name in somebody)
    left = f"only {', '.join(one.name for one in others)} would own" if others else "no other person owns"
    yield Refusal(
        "owner-floor",
        f"org.{name}",
        f"{left} {name} by the manifests, and the floor is {floor}; who has accepted cannot be known offline",
        "name another owner there first, and let them accept" + (", or lower safeguards.min_owners" if others else ""),
        them.source,
        liftable=False,
    )


class _Editor:
    def __init__(
        self, texts: Mapping[str, bytes], desired: Desired, somebody: Somebody, made: Edit, reason: str | None
    ) -> None:
        self.statement = absent(reason)
        self.files = {name: File(data.decode(), name) for name, data in texts.items()}
        self.desired = desired
        self.somebody = somebody
        self.made = made
        self.teams = {team for team, people in desired.teams.items() if not somebody.names.isdisjoint(people)}
        self.kept: set[str] = set()  # names that a statement needs, and that stay in `people:`

    def edit(self) -> None:
        for file in self.files.values():
            for team in keys_at(file.root, "teams"):
                self._team(file, team)
            self._waivers(file)
        for name, node in self.desired.orgs.items():
            if not node.absent:
                self._org(name, node)
        for file in self.files.values():
            for name in keys_at(file.root, "people"):
                if name in self.somebody and name not in self.kept:
                    file.section(("people",)).remove(name)
        for name in sorted(self.kept):
            self.made.notes.append(
                f"{name} stays in `people:`, since `{name}: {ABSENT}` needs it; take both out once that is applied"
            )

    def _waivers(self, file: File) -> None:
        """Take out the exceptions that were made for them."""
        node = node_at(file.root, ("waivers",))
        for item in node.value if isinstance(node, yaml.SequenceNode) else ():
            who = node_at(item, ("who",))
            if who is not None and who.value in self.somebody:
                file.items(("waivers",)).remove(text_of(item))

    def _team(self, file: File, team: str) -> None:
        path = list_of_team(file, team)
        items = None if path is None else file.items(path)
        values = items.values if items is not None else []
        theirs = [value for value in values if value in self.somebody]
        for value in theirs:
            if items is not None:
                items.remove(value)
        if theirs and len(theirs) == len(values):
            self.made.notes.append(f"team/{team} has nobody any more, and stays as an empty list")

    def _org(self, name: str, node: Node) -> None:
        path = (org.KIND.section, name)
        if member.KIND.name not in node.children:
            self.made.notes.append(
                f"org.{name}: the manifests leave its members alone, so a membership there would not be removed"
            )
        for file in self.files.values():
            self._below(file, org.KIND.name, path, node_at(file.root, path))
        self._state(name, node)

    def _below(self, file: File, kind: str, path: tuple[str, ...], node: Any) -> None:
        """Take out their entries in everything below an object; of members only where no statement is needed or there."""
        for child in children_of(kind):
            section = (*path, child.section)
            for name, entry in pairs_of(node_at(node, (child.section,))):
                if not child.names_people:
                    self._below(file, child.name, (*section, name), entry)
                elif name in self.somebody and not (
                    child is member.KIND and (is_absent(entry) or self._must_be_stated(path[1]))
                ):
                    file.section(section).remove(name)

    def _must_be_stated(self, name: str) -> bool:
        """Whether an org would keep them without a statement: an owner, by a line, spent or not, their own or a team's; or
        anybody, where `unlisted: keep` leaves whoever has no line.
        """
        keeps = self.desired.orgs[name].keeps_unlisted
        for file in self.files.values():
            for entry, node in pairs_of(node_at(file.root, (org.KIND.section, name, member.KIND.section))):
                team = entry.removeprefix("team/")
                theirs = entry in self.somebody if team == entry else team in self.teams
                if theirs and (keeps or role_in(node) == "owner"):
                    return True
        return False

    def _state(self, name: str, node: Node) -> None:
        """Say that they are no member where that has to be stated or is so already, in place of their own line."""
        path = (org.KIND.section, name, member.KIND.section)
        theirs = [
            (file, one) for file in self.files.values() for one in keys_at(file.root, *path) if one in self.somebody
        ]
        stated = any(is_absent(node_at(file.root, (*path, one))) for file, one in theirs)
        if not stated and not self._must_be_stated(name):
            return
        called = self._called([one for _, one in theirs])
        for n, (file, one) in enumerate(theirs):
            section = file.section(path)
            if n > 0:
                section.remove(one)
                continue
            if not stated:
                section.replace(one, self.statement)
            if one != called:
                section.rename(one, scalar(called))
        if theirs:
            return
        source = (node.sources or {}).get(member.KIND.name, node.source)
        self.files[source.file].section(path).insert(called, self.statement)

    def _called(self, written: list[str]) -> str:
        """The name of a statement: the handle, so that `people:` need not keep them, else the name that is used."""
        if len(self.somebody.handles) == 1:
            (handle,) = self.somebody.handles
            if handle not in self.desired.people or handle in self.somebody:
                return handle
        name = next(iter(written or sorted(self.somebody.names)))
        if name in self.desired.people:
            self.kept.add(name)
        return name


# --- the proof --------------------------------------------------------------------------------------------------------


def _prove(texts: Mapping[str, bytes], before: Desired, somebody: Somebody, kept: set[str]) -> None:
    """Raise CannotEditError unless they appear in statements only, and all that is left is as it was."""
    after = edited(texts, before)
    left = {name for name in after.people if name in somebody} - kept
    left |= {name for people in after.teams.values() for name in people if name in somebody}
    theirs = somebody.names | (somebody.handles - set(after.people))
    left |= {address for address, node in entries_of_people(after) if node.name in theirs and not node.absent}
    if left:
        raise CannotEditError(f"{', '.join(sorted(left))} would still be there")
    if _others(after, theirs) != _others(before, theirs):
        raise CannotEditError("the edit would change what somebody else may do")


def _said(value: Any) -> Any:
    """What a field of a node says, without the places of its parts: an edit above them moves those."""
    if isinstance(value, tuple):
        return [_said(one) for one in value]
    if isinstance(value, msgspec.Struct):
        return [getattr(value, name) for name in value.__struct_fields__ if name not in _ELSEWHERE]
    return value


def _others(desired: Desired, theirs: frozenset[str]) -> Any:
    """All that the manifests say of everybody and everything else."""

    def said(node: Node) -> Any:
        own = [_said(getattr(node, name)) for name in node.__struct_fields__ if name not in _ELSEWHERE]
        groups = [
            {
                kind: {
                    name: said(one) for name, one in there.items() if not KINDS[kind].names_people or name not in theirs
                }
                for kind, there in group.items()
            }
            for group in (node.children, node.expired or {})
        ]
        return own, groups[0], {kind: there for kind, there in groups[1].items() if there}

    teams = {team: [name for name in people if name not in theirs] for team, people in desired.teams.items()}
    people = {n: (p.handle, p.email) for n, p in desired.people.items() if n not in theirs}
    return {name: said(node) for name, node in desired.orgs.items()}, teams, people, desired.rules
