"""The manifest's JSON Schema, the one place for keys, types, roles and patterns; and how to walk down it.

`parts` are the subschemas that may describe one place, with `$ref` followed and `anyOf` taken apart.
"""

from __future__ import annotations

import json
import re
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from reconciler.kinds import grant
from reconciler.model.errors import UsageError

NAMES = ("manifest", "plan", "access")
Parts = tuple[dict[str, Any], ...]
KeyPath = tuple[str | int, ...]

_flat: dict[int, Parts] = {}


def schema_text(name: str) -> str:
    """The JSON text of one of the schemas in NAMES. Raises UsageError for another name."""
    if name not in NAMES:
        raise UsageError(f"there is no schema `{name}`; the schemas are {', '.join(NAMES)}")
    package = Path(__file__).resolve().parents[1]
    # A wheel carries the schemas inside the package; a checkout keeps them beside it.
    for folder in (package / "schemas", package.parent / "schemas"):
        path = folder / f"{name}.schema.json"
        if path.is_file():
            return path.read_text(encoding="utf-8")
    raise UsageError(f"the schema `{name}` did not come with this installation")


@cache
def schema() -> dict[str, Any]:
    """The parsed manifest schema; one shared object, not to be changed."""
    parsed: dict[str, Any] = json.loads(schema_text("manifest"))
    return parsed


def resolved(part: dict[str, Any]) -> dict[str, Any]:
    """`part` with its `$ref` followed; what is beside a `$ref` goes before what it refers to."""
    while "$ref" in part:
        name = part["$ref"].removeprefix("#/$defs/")
        part = {**schema()["$defs"][name], **{key: value for key, value in part.items() if key != "$ref"}}
    return part


def leaves(part: dict[str, Any]) -> Parts:
    """The alternatives of `part`."""
    found = _flat.get(id(part))
    if found is None:
        whole = resolved(part)
        branches = whole.get("anyOf")
        found = (whole,) if branches is None else tuple(leaf for branch in branches for leaf in leaves(branch))
        # Only parts of the shared schema live as long as their id.
        _flat[id(part)] = found
    return found


def root() -> Parts:
    """The parts for a whole manifest."""
    return leaves(schema())


def child(part: dict[str, Any], key: str | int) -> dict[str, Any] | None:
    """The subschema for `key` (or an index) of `part`; None where it has none."""
    found: Any
    if isinstance(key, int):
        found = part.get("items")
    else:
        found = part.get("properties", {}).get(key)
        if found is None:
            matching = (sub for pattern, sub in part.get("patternProperties", {}).items() if re.search(pattern, key))
            found = next(matching, part.get("additionalProperties"))
    return found if isinstance(found, dict) else None


def below(parts: Parts, key: str | int) -> Parts:
    """The parts one step down."""
    return tuple(leaf for part in parts if (sub := child(part, key)) is not None for leaf in leaves(sub))


@lru_cache(maxsize=1024)
def at(path: KeyPath) -> Parts:
    """The parts at `path` from the root of a manifest. Neighbours share the way down, so it is kept for a while."""
    return below(at(path[:-1]), path[-1]) if path else root()


def key_names(parts: Parts) -> Parts:
    """The parts that the keys of a map of names (people, teams, orgs, members, workspaces) must match."""
    return tuple(leaf for part in parts if is_map(part) for leaf in leaves(part["propertyNames"]))


def types(part: dict[str, Any]) -> tuple[str, ...]:
    """The JSON types that `part` takes."""
    if "const" in part:
        return ("boolean",) if isinstance(part["const"], bool) else ("integer",)
    found = part.get("type", ())
    return (found,) if isinstance(found, str) else tuple(found)


def is_map(part: dict[str, Any]) -> bool:
    """True for a mapping whose keys are names, and not fixed by the schema."""
    return "propertyNames" in part and isinstance(part.get("additionalProperties"), dict)


def matches(part: dict[str, Any], text: str) -> bool:
    """Whether `text` has the form of a name that `part` asks for."""
    longest = part.get("maxLength") or part.get("then" if "/" in text else "else", {}).get("maxLength")
    return re.search(part["pattern"].removesuffix("$") + r"\Z", text) is not None and len(text) <= (longest or 39)


def validates(part: dict[str, Any], text: str) -> bool:
    """Whether `part`, which asks for a text, takes `text`."""
    return re.search(part.get("pattern", "").removesuffix("$") + r"\Z", text) is not None


def ranks(name: str) -> dict[str, int]:
    """The roles of `orgRole` or `grantRole` by their current names, from the weakest (0): the schema's own order."""
    roles = dict.fromkeys(grant.current(role) for role in schema()["$defs"][name]["enum"])
    return {role: rank for rank, role in enumerate(roles)}
