"""The pictures that manifests name: read, and pinned to their content.

A path must stay below the folder of its manifest, also after links are followed. A URL is not fetched
here: reading manifests needs no network.
"""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.kinds import logo

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reconciler.manifest.merge import Reporter
    from reconciler.model.desired import Node

    Reader = Callable[[str, str], bytes]
    """The bytes of a path beside a manifest, by the manifest's name and the path. Raises PictureError."""

FORMS = "PNG, JPEG, GIF or WebP"
OUTSIDE = "this leads out of the manifest's folder, and nothing out there is uploaded"
TOO_LARGE = f"the file is larger than {logo.MAX_BYTES // 1024**2} MiB"


class PictureError(Exception):
    """Why a picture cannot be used, for the author of the manifest."""


def read(manifest: str, path: str) -> bytes:
    """Read a picture in the working folder, at most one byte more than may be uploaded. Raises PictureError."""
    base = os.path.realpath(Path(manifest).parent)
    real = os.path.realpath(Path(base) / path)
    if not real.startswith(base.rstrip("/") + "/"):
        raise PictureError(OUTSIDE)
    try:
        # Checked before opening: opening a pipe would wait for a writer.
        if not stat.S_ISREG(os.stat(real).st_mode):  # noqa: PTH116 - a Path would be made of the same text again
            raise PictureError("this is not a regular file")
        with open(real, "rb") as file:  # noqa: PTH123
            return file.read(logo.MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise PictureError(_why_unreadable(error)) from None


def _why_unreadable(error: OSError | ValueError) -> str:
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    reason = error.strerror if isinstance(error, OSError) else None
    return f"this cannot be read: {reason or 'it is not a path'}"


def pin(orgs: Mapping[str, Node], read_picture: Reader, report: Reporter) -> None:
    """Put the SHA-256 of each org's picture behind its path, and report what cannot be one."""
    for org in orgs.values():
        written = org.attrs.get(logo.MARK)
        if written is None:
            continue
        assert org.sources is not None
        source = org.sources[logo.MARK]
        problem = logo.wrong(written)
        if problem is None and not logo.is_url(written):
            try:
                data = read_picture(source.file, written)
                problem = TOO_LARGE if len(data) > logo.MAX_BYTES else None
                if problem is None and logo.media_type(data) is None:
                    problem = f"the file is not a picture that can be uploaded: {FORMS}, by its first bytes"
            except PictureError as error:
                problem = str(error)
            else:
                org.attrs[logo.MARK] = f"{written}{logo.PIN}{hashlib.sha256(data).hexdigest()}"
        if problem is not None:
            report.error(
                f"the logo of org {org.name}: {problem}",
                source,
                hint=f"name a {FORMS} below the folder of this file, or an https URL; null for the generated one",
            )
