"""An organization's logo: how it is written, sent, and known again (contract: org_createAvatar, org_deleteAvatar).

Pipes gives back an `avatar_url` and no picture. So the lock file keeps what was uploaded last (its mark) beside the URL
that Pipes gave for it; with another URL, or without an entry, what is live is not known.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from reconciler.model.late_pattern import late_pattern
from reconciler.model.request import Request

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_BYTES = 2 * 1024**2
GENERATED = "generated"
PIN = "#sha256="
# fields of a lock entry
MARK, URL = "logo", "avatar_url"
# in the body of a planned request: the `avatar_url` when it was read. It is not sent, and no report for people has it
REPLACES = "instead_of"

_PINNED = late_pattern(r"(?s)(.*)#sha256=([0-9a-f]{64})\Z")
_UNSAFE = late_pattern(r"[\x00-\x20\x7f\\]")


def media_type(data: bytes) -> str | None:
    """The media type by a picture's first bytes; None for anything else, and for SVG, which can hold scripts."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return None


def is_url(written: str) -> bool:
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", written) is not None


def wrong(written: str) -> str | None:
    """What is wrong with the form of a logo in a manifest; None if nothing is."""
    if is_url(written):
        source, pin = split(written)
        if not source.startswith("https://"):
            return "a logo is fetched by https only"
        host = source[len("https://") :].partition("/")[0]
        if not host or "@" in host or _UNSAFE.search(source) or not source.isascii():
            return "this is not a URL that a logo can be fetched from: https://HOST/PATH, without a user and in ASCII"
        if pin is None and "#" in source:
            return f"the part behind `#` is not a pin: {PIN}, and 64 of 0-9 and a-f"
        return None
    if written.startswith("/") or ".." in written.split("/") or re.search(r"[\x00-\x1f\x7f\\]", written):
        return "the path leads out of the manifest's folder"
    return "a path takes no `#`: what the file holds is looked at anyway" if "#" in written else None


def split(reference: str) -> tuple[str, str | None]:
    """Where a logo comes from, and the SHA-256 that it must have."""
    found = _PINNED.match(reference)
    return (reference, None) if found is None else (found[1], found[2])


def mark(reference: str | None) -> str:
    """What two equal logos share: the hash of the bytes if they are known, else the URL."""
    if reference is None:
        return GENERATED
    source, pin = split(reference)
    return source if pin is None else f"sha256:{pin}"


def same(have: Any, want: Any) -> bool:
    return bool(mark(have) == mark(want)) if have else False


def known(more: Mapping[str, Any], avatar_url: str | None) -> str | None:
    """The mark of the live logo by its lock entry; None if that does not say."""
    found = more.get(MARK)
    return found if isinstance(found, str) and avatar_url and more.get(URL) == avatar_url else None


def path(org: str) -> str:
    return f"/org/{org}/avatar"


def is_about(request_path: str) -> bool:
    """Whether a request is one of these: `/org/HANDLE/avatar`, and not a member of that name."""
    parts = request_path.split("/")
    return len(parts) == 4 and parts[1] == "org" and parts[3] == "avatar"


def requests(org: str, attrs: Mapping[str, Any], replaces: str | None) -> tuple[Request, ...]:
    """The requests that set the logo of `attrs`, if there is one. `replaces` is the `avatar_url` when it was read.

    The body names the picture; apply sends its bytes, as a form. They are in no plan and no journal.
    """
    if MARK not in attrs:
        return ()
    reference = attrs[MARK]
    if reference is None:
        return (Request("DELETE", path(org), {REPLACES: replaces}),)
    return (Request("POST", path(org), {MARK: reference, REPLACES: replaces}),)
