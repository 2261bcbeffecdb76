"""Finds in the audit log of an org who made its differences. Pure: the entries are passed in."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from reconciler.kinds import KINDS, member, service_account
from reconciler.model.drift import Doer

if TYPE_CHECKING:
    from reconciler.model.drift import Difference, Logged

# Verbs in `action_type`. The set is open: another verb may mean anything.
GONE = frozenset(
    ("delete", "deleted", "remove", "removed", "leave", "left", "decline", "declined", "reject", "rejected", "cancel",
     "cancelled", "canceled", "revoke", "revoked", "uninvite", "destroy", "destroyed", "detach", "detached")
)  # fmt: skip
CAME = frozenset(
    ("create", "created", "add", "added", "invite", "invited", "grant", "granted", "restore", "restored", "attach",
     "attached")
)  # fmt: skip
AGREED = frozenset(("confirm", "confirmed", "accept", "accepted"))
CHANGED = frozenset(("update", "updated", "change", "changed", "rename", "renamed", "set", "modify", "modified"))
PEOPLE = frozenset(("member", "members", "user", "users", "invite", "invitation"))


class Clue(msgspec.Struct):
    """One difference, what identifies it in the log, and who made it as far as the search has found."""

    # What to look for
    index: int  # of the difference among those of the Drift
    difference: Difference
    names: frozenset[str]  # ids and handles of the object; an entry about it has one of them
    places: frozenset[str]  # ids and handles of its workspace; empty if it is not in one

    # What was found
    surely: Doer | None = None  # made this very difference
    perhaps: Doer | None = None  # did something to the object

    def read(self, entry: Logged, said: _Said) -> None:
        """Take the entry into account."""
        fits = self._fits(said)
        if fits and (fits > 1 or self.perhaps is None):
            doer = Doer(entry.actor, entry.at, entry.ip, entry.action, entry.id, certain=fits > 1)
            if fits > 1:
                self.surely = doer
            else:
                self.perhaps = doer

    def _fits(self, said: _Said) -> int:
        """2 if the entry made this difference, 1 if it may have, 0 if not."""
        about = self._about(said)
        return self._made_it(said) if about else 0

    def _about(self, said: _Said) -> bool:
        kind = self.difference.kind
        if KINDS[kind].lists_handles_of is not None:
            return self._in_a_list(said)
        if not KINDS[kind].names_people:
            # other workspaces, and the org, may have an object with the same handle
            there = not self.places or self.difference.id in said.target or bool(self.places & said.values)
            return bool(self.names & said.target) and there and not said.verbs & (PEOPLE | {"token", "tokens"})
        named = said.target | said.values if said.verbs & PEOPLE else said.target
        if not self.names & named:
            return False
        if kind == member.KIND.name:
            return not said.in_workspace
        # removing a member also removes their grants (API page, "Removing a member")
        left = self.difference.what == "removed" and bool(said.verbs & GONE) and not said.in_workspace
        return left or bool(self.places & (said.target | said.values))

    def _in_a_list(self, said: _Said) -> bool:
        """Whether the entry is about this permission or attachment: its target names what is used, its data the workspace."""
        if ("permission" in said.verbs) != self.difference.kind.endswith("permission") or not self.names & said.target:
            return False
        if self.places:
            return bool(self.places & (said.target | said.values))
        return "workspace_handle" not in said.keys and "workspace_id" not in said.keys

    def _made_it(self, said: _Said) -> int:
        what, verbs = self.difference.what, said.verbs
        known = verbs & (GONE | CAME | AGREED | CHANGED)
        if what == "removed":
            return 2 if verbs & GONE else 0 if known else 1
        if verbs & GONE or verbs & AGREED:
            return 0
        if what in ("added", "replaced"):
            return 2 if verbs & CAME else 1
        if what == "renamed":
            return 0 if verbs & CAME else 2 if "handle" in said.keys else 1
        return 2 if self.difference.attribute in said.keys else 1


class _Said(msgspec.Struct):
    """The contents of one log entry, parsed once for all clues."""

    verbs: frozenset[str]
    in_workspace: bool
    target: frozenset[str]
    keys: set[str] = msgspec.field(default_factory=set)
    values: set[str] = msgspec.field(default_factory=set)


class Search:
    """The search for who made the differences of one org, in the log of the live org `handle`.

    Pass the entries to `read`, newest first, until `done`. If a search ends early, set `ended` to the reason.
    """

    def __init__(self, address: str, handle: str, clues: list[Clue]) -> None:
        self.address = address
        self.handle = handle
        self.clues = clues
        self.ended = "not in the audit log"
        self._open = list(clues)

    @property
    def done(self) -> bool:
        return not self._open

    @property
    def accounts(self) -> list[str]:
        """The ids of the service accounts whose differences nobody is known for yet: each has a log of its own."""
        found = (clue.difference for clue in self._open)
        return sorted(
            {one.id for one in found if one.kind == service_account.NAME and one.id and one.what == "changed"}
        )

    def read(self, entry: Logged) -> None:
        """Take one entry of the log into account."""
        words = frozenset(re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", entry.action).lower()))
        said = _Said(
            words,
            "workspace" in entry.action.lower(),
            frozenset(filter(None, (entry.target_id, entry.target_handle))),
        )
        _take_apart(entry.data, said, 0)
        for clue in self._open:
            clue.read(entry, said)
        self._open = [clue for clue in self._open if clue.surely is None]


def _take_apart(data: Any, said: _Said, depth: int) -> None:
    """Collect the keys and strings in an entry's data, at any depth."""
    if depth > 8:
        return
    if isinstance(data, dict):
        for key, value in data.items():
            said.keys.add(str(key))
            _take_apart(value, said, depth + 1)
    elif isinstance(data, list | tuple):
        for value in data:
            _take_apart(value, said, depth + 1)
    elif isinstance(data, str):
        said.values.add(data)
