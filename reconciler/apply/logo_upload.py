"""The bytes of a logo: read or fetched just before they are sent, and only what was reviewed."""

from __future__ import annotations

import hashlib
import stat
from pathlib import Path

from reconciler.apply.errors import StepFailed
from reconciler.kinds import logo
from reconciler.pipes import fetch
from reconciler.pipes.client import Upload


def upload(reference: str, folder: str) -> Upload:
    """What to send for a logo. Raises StepFailed where it cannot be had, is no picture, or is not the one of the plan."""
    source, pin = logo.split(reference)
    try:
        data = fetch.fetch(source, logo.MAX_BYTES) if logo.is_url(source) else _read(Path(folder) / source)
    except fetch.FetchError as error:
        raise StepFailed(f"the logo cannot be fetched: {error}") from None
    except OSError as error:
        raise StepFailed(f"the logo {source} cannot be read: {error.strerror or error}") from None
    if len(data) > logo.MAX_BYTES:
        raise StepFailed(f"the logo {source} is larger than {logo.MAX_BYTES // 1024**2} MiB")
    found = hashlib.sha256(data).hexdigest()
    if pin is not None and found != pin:
        raise StepFailed(f"the logo {source} is not the picture that was planned: its SHA-256 is {found}, not {pin}")
    media_type = logo.media_type(data)
    if media_type is None:
        raise StepFailed(f"what {source} holds is no PNG, JPEG, GIF or WebP, by its first bytes")
    return Upload("avatar", f"logo.{media_type.partition('/')[2]}", media_type, data)


def _read(path: Path) -> bytes:
    if not stat.S_ISREG(path.stat().st_mode):
        raise StepFailed(f"the logo {path.name} is not a regular file")
    with path.open("rb") as file:
        return file.read(logo.MAX_BYTES + 1)
