"""Writes files as a whole or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from reconciler.model.errors import UsageError

PRIVATE = 0o600  # for what may hold people's addresses: plans, reports, patches
SHARED = 0o666  # for what is committed anyway; the umask narrows both


def write_file(path: Path, text: str, *, mode: int = PRIVATE, follow: bool = False, keep: bool = False) -> None:
    """Replace `path` by `text` as a whole, or leave it as it is. Devices and pipes are written to directly.

    The umask narrows `mode`; with `keep` an existing file keeps its own. Raises UsageError for a symbolic link, unless
    `follow` says that the file behind it is meant: in a shared folder, a link could have us replace another file. Raises
    OSError, with `path` as its file, where it cannot be written.
    """
    try:
        _write(path, text, mode, follow=follow, keep=keep)
    except OSError as error:
        error.filename = str(path)  # a full disk names no file, and another error names the temporary one
        raise


def _write(path: Path, text: str, mode: int, *, follow: bool, keep: bool) -> None:
    import secrets

    if Path("/dev") in path.absolute().parents or (path.exists() and not path.is_file()):
        with path.open("w", encoding="utf-8") as device:
            device.write(text)
        return
    if path.is_symlink() and not follow:
        raise UsageError(f"{path} is a symbolic link; name the file itself")
    target = path.resolve()
    temporary = target.parent / f".{target.name[:200]}.{secrets.token_hex(8)}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            if keep and target.exists():
                os.fchmod(descriptor, stat.S_IMODE(target.stat().st_mode))
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def from_here(name: str) -> str:
    """The path of a manifest for `git apply` in the current folder. Raises UsageError for a path outside of it."""
    path = Path(os.path.relpath(name)).as_posix()
    if path.startswith("../"):
        raise UsageError(
            f"{name} is outside the current folder, so no patch can change it. Run this in a folder above it"
        )
    return path
