"""The seal of a lock file: an HMAC by which an apply that has the key knows its own file again.

Without the key, nobody can change, remove or add an entry. A seal cannot distinguish an older sealed
file from the newest one.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

from reconciler.lockfile.file import text_of
from reconciler.model.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.model.live import LockEntry

KEY = "RECONCILER_FINGERPRINT_KEY"  # the variable that holds the key
SHORTEST_KEY = 16  # characters
_PURPOSE = b"reconciler lock file\n"  # so that no other use of the key gives a seal
_JOURNAL = b"reconciler journal\n"
_PLAN = b"reconciler plan\n"


def key_of(environ: Mapping[str, str]) -> str:
    """The key of this run; empty where there is none. Raises UsageError for one that is too short."""
    key = environ.get(KEY, "")
    if 0 < len(key) < SHORTEST_KEY:
        raise UsageError(f"{KEY} has less than {SHORTEST_KEY} characters: anybody could try them all")
    return key


def seal(lock: Mapping[str, LockEntry], key: str) -> str:
    """The seal of these entries; empty without a key."""
    return hmac.new(key.encode(), _PURPOSE + text_of(lock).encode(), hashlib.sha256).hexdigest() if key else ""


def why_not_believed(lock: Mapping[str, LockEntry], written: str, key: str) -> str:
    """Why a run with `key` does not believe a lock file with the seal `written`; empty where it does, or has no key."""
    if not key:
        return ""
    if not written:
        return "the lock file has no seal" if lock else "there is no lock file, or it is empty,"
    if not hmac.compare_digest(written.encode(), seal(lock, key).encode()):
        return "the seal of the lock file does not fit its entries"
    return ""


def plan_mark(digest: str, key: str) -> str:
    """The mark of a saved plan, by its digest; empty without a key."""
    return hmac.new(key.encode(), _PLAN + digest.encode(), hashlib.sha256).hexdigest() if key else ""


def is_plan_mark(mark: str, digest: str, key: str) -> bool:
    """Whether a run with `key` marked the saved plan of this digest."""
    return hmac.compare_digest(mark.encode(), plan_mark(digest, key).encode())


def line_mark(line: bytes, key: str) -> str:
    """The mark of one line of the journal; empty without a key."""
    return hmac.new(key.encode(), _JOURNAL + line, hashlib.sha256).hexdigest() if key else ""
