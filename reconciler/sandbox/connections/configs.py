"""A connection's configuration: which part is shown, and which is secret and kept only as a digest."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from reconciler.sandbox.store import secret_digest

_SECRET = re.compile(r"secret|token|passw(?:or)?d|private_key|access_key", re.IGNORECASE)


def split(config: dict[str, Any], connection_id: str) -> tuple[dict[str, Any], str]:
    """A configuration without its secrets, and their digests as JSON text, by their dotted paths.

    A value whose key looks secret is one, at any depth, with all that is in it.
    """
    digests: dict[str, str] = {}
    return _without_secrets(config, "", connection_id, digests), msgspec.json.encode(digests).decode()


def _without_secrets(value: Any, place: str, salt: str, digests: dict[str, str]) -> Any:
    if isinstance(value, list):
        return [_without_secrets(item, f"{place}{index}.", salt, digests) for index, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    kept = {}
    for name, item in value.items():
        # YAML's keys need not be texts.
        key = str(name)
        if _SECRET.search(key):
            digests[place + key] = secret_digest(salt, item)
        else:
            kept[key] = _without_secrets(item, f"{place}{key}.", salt, digests)
    return kept
