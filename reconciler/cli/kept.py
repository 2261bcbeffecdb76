"""What an apply leaves on disk: the lock file, and the end of its journal."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reconciler.apply.journal import Journal
    from reconciler.cli import manifests
    from reconciler.model.live import Lock
    from reconciler.model.result import Result


def keep_lock(result: Result, lock: Lock, found: manifests.Manifests) -> tuple[Result, bool]:
    """Write the lock file if it changed. A failure is reported, and does not fail the apply."""
    from msgspec.structs import replace

    from reconciler.lockfile import file as lockfile
    from reconciler.lockfile import seal

    if lock == found.lock:
        return result, True
    try:
        lockfile.write(found.lock_path, lock, seal.seal(lock, found.key))
    except OSError as error:
        note = (
            f"the lock file {found.lock_path} was not kept ({error.strerror}): until it is, renames outside and people "
            "invited by email are not recognised"
        )
        return replace(result, notes=(*result.notes, note)), False
    if found.sealed and not found.key:
        note = (
            f"{found.lock_path} was sealed, and this run has no key: what was written has no seal, and a run with the key "
            "refuses it until `reconciler lock --seal`"
        )
        return replace(result, notes=(*result.notes, note)), True
    return result, True


def end_journal(journal: Journal, result: Result) -> Result:
    """Close the journal's record of this apply. A failure is reported, and changes nothing of what was done."""
    from msgspec.structs import replace

    try:
        journal.end()
    except OSError as error:
        note = f"the journal {journal.path} cannot be written ({error.strerror}); the next apply looks at the last steps again"
        return replace(result, notes=(*result.notes, note))
    return result
