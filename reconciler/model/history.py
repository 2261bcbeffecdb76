"""Who had what when, by which commit, as data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from datetime import date

    from reconciler.model.review import AccessChange


class Commit(msgspec.Struct, frozen=True):
    """A commit that changed manifests or the lock file."""

    id: str
    day: date  # of the committer, in UTC
    author: str
    subject: str
    tree: str = ""  # the id of its tree


class Event(msgspec.Struct, frozen=True):
    """One change of one person's access, made by a commit, or by the end of an entry that the commit had."""

    day: date
    commit: Commit
    change: AccessChange
    ended: bool = False  # the entry's own end, without a commit


class Rename(msgspec.Struct, frozen=True):
    """Another name for an org, or for a workspace (`acme/prod`), whoever has access to it."""

    day: date
    commit: Commit
    before: str
    after: str


class History(msgspec.Struct, frozen=True):
    """Every change of access in the manifests of a branch, the oldest first."""

    day: date  # until when
    events: tuple[Event, ...]
    commits: int  # how many were read
    renames: tuple[Rename, ...] = ()
    notes: tuple[str, ...] = ()  # what could not be read
