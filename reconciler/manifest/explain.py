"""Explains why a document does not match the schema, in words and with places, and suggests what was meant.

jsonschema finds the errors. It is slow, so it gets only the entries that fail, and no more of them than are reported.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any

from reconciler.kinds import KINDS, member, secret
from reconciler.manifest import json_schema, scalars
from reconciler.manifest.document import MAX_PROBLEMS, shown
from reconciler.manifest.places import kind_at, noun, place
from reconciler.manifest.spelling import nearest_key
from reconciler.model.address import SERVICE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import jsonschema

    from reconciler.manifest.document import Document
    from reconciler.manifest.json_schema import KeyPath

_KINDS = {
    "object": "a mapping", "array": "a list", "string": "a text", "integer": "an integer", "boolean": "true or false", "null": "null",
}  # fmt: skip


def explain(document: Document) -> Iterator[KeyPath]:
    """Report what does not match the schema; yields the paths of what is wrong, at most `MAX_PROBLEMS`."""
    errors = explainer().iter_errors(_only_failing(document.root, json_schema.schema()))
    paths = (path for error in errors for path in _explain(document, error))
    first = next(paths, None)
    if first is None:
        document.problem("the manifest does not match its schema", 1, 1)
        yield ()
        return
    yield first
    yield from islice(paths, MAX_PROBLEMS - 1)


def _explain(document: Document, error: Any) -> Iterator[KeyPath]:
    path: KeyPath = tuple(error.absolute_path)
    rule = str(error.validator)
    if rule == "anyOf":
        yield from _explain_alternatives(document, path, error)
    elif rule == "additionalProperties":
        yield from _unknown_keys(document, path, error)
    elif "propertyNames" in error.absolute_schema_path:
        yield from _bad_key(document, path, error)
    elif not _follows(error):
        summary, hint, key = _explain_value(path, error)
        document.problem(summary, *place(document, path, key=key), hint=hint)
        yield path


def _explain_alternatives(document: Document, path: KeyPath, error: Any) -> Iterator[KeyPath]:
    """Explain the one alternative that has the right type. If none has, the type is what is wrong."""
    branches: dict[Any, list[Any]] = {}
    for inner in error.context or ():
        branches.setdefault(inner.schema_path[0], []).append(inner)
    for errors in branches.values():
        if not any(inner.validator == "type" and not inner.path for inner in errors):
            for inner in errors:
                yield from _explain(document, inner)
            return
    parts = json_schema.at(path)
    roles = next((part["enum"] for part in parts if "enum" in part), ())
    keys = next((tuple(part["properties"]) for part in parts if "properties" in part), ())
    hint = f"write a role ({_listed(roles)}), or {{{', '.join(keys)}}}" if keys and roles else "write one, or a list"
    if any(part.get("title") == "team" for part in parts) and len(path) == len(("teams", "NAME")):
        hint = "a team is a list: [alice, team/platform]"
    if any(part.get("title") == "name" for part in parts) and keys:
        hint = f"write a name, or {{{', '.join(keys)}}}"
    if error.instance is None:
        document.problem(f"{noun(path)} has no value", *place(document, path, key=True), hint=hint)
    else:
        document.problem(
            f"{noun(path)} is {kind_of(error.instance, private=secret.FIELD in path)}",
            *place(document, path, key=False),
            hint=hint,
        )
    yield path


def _unknown_keys(document: Document, path: KeyPath, error: Any) -> Iterator[KeyPath]:
    known = tuple(error.schema["properties"])
    kind = kind_at(path)
    for key in error.instance:
        if key in known:
            continue
        if kind is not None and key in kind.not_written:
            what = f"`{shown(key)}` of {noun(path)} is {kind.not_written[key]}"
            document.problem(what, *place(document, (*path, key), key=True), hint="drop the line")
            yield (*path, key)
            continue
        if key == "absent" and path and str(path[-1]).startswith("team/"):
            hint: str | None = "`absent: true` removes one person: name the people of the team who must go"
        else:
            near = nearest_key(key, known)
            hint = f"did you mean `{near}`?" if near else f"the keys here are {_listed(known)}"
        document.problem(
            f"unknown key `{shown(key)}` for {noun(path)}", *place(document, (*path, key), key=True), hint=hint
        )
        yield (*path, key)


def _bad_key(document: Document, path: KeyPath, error: Any) -> Iterator[KeyPath]:
    key = error.instance
    where = (*path, key)
    line, column = place(document, where, key=True)
    if error.validator == "enum":
        if any(key in part.get("properties", {}) for part in json_schema.at(path)):
            document.problem(
                f"{noun(path)} has `{key}` beside `absent: true`",
                line,
                column,
                hint=f"only {_listed([one for one in error.schema['enum'] if one != 'absent'])} may be beside `absent: true`",
            )
            yield where
        return
    names = json_schema.key_names(json_schema.at(path))
    document.problem(f"`{shown(key)}` is not a {names[0]['title']}", line, column, hint=_name_hint(key, names[0]))
    yield where


def _follows(error: Any) -> bool:
    """Whether another error explains this one: a null also breaks a list of values, and a misspelt key leaves one missing."""
    if error.validator == "enum":
        return error.instance is None
    if error.validator == "required":
        unknown = [key for key in error.instance if key not in error.schema.get("properties", {})]
        return any(key == "absent" or nearest_key(key, error.validator_value) for key in unknown)
    return False


def _explain_value(path: KeyPath, error: Any) -> tuple[str, str | None, bool]:
    """Summary, hint, and whether the error is at the key and not at the value."""
    rule, value, part = str(error.validator), error.instance, error.schema
    label = f"`{shown(path[-1])}`" if path and isinstance(path[-1], str) else f"an entry of {noun(path[:-1])}"
    if rule == "type":
        return _wrong_type(path, label, value, part)
    if rule == "const":
        return (*_wrong_const(path, value, part), False)
    if rule == "enum":
        near = nearest_key(str(value), part["enum"])
        hint = f"did you mean `{near}`?" if near else f"it is one of {_listed(part['enum'])}"
        return f"unknown {part['title']} `{shown(str(value))}`", hint, False
    if rule in ("pattern", "maxLength", "minLength"):
        if value == "":
            return f"{label} is empty", part.get("description"), False
        return f"`{shown(value)}` is not {_article(part)}", _name_hint(value, part), False
    if rule == "required":
        if not path:
            return "`version: 1` is missing", "every file of a manifest begins with it", False
        missing = [key for key in error.validator_value if key not in value]
        example = _first_role(path)
        return (
            f"{noun(path)} has no {_listed(missing)}",
            f"add it, such as `role: {example}`" if example else part["properties"][missing[0]].get("description"),
            False,
        )
    if rule == "dependentRequired":
        first, needed = next((key, needs) for key, needs in error.validator_value.items() if key in value)
        return (
            f"{noun(path)} has `{first}` without {_listed(needed)}",
            f"`then` is the role from a day on: name the day as `{needed[0]}: YYYY-MM-DD`, or drop `then`"
            if first == "then"
            else f"write {_listed(needed)} beside it, or drop `{first}`",
            True,
        )
    if rule == "minProperties":
        beside = part.get("dependentRequired", ())
        aside = {*beside, "github", "gitlab"}  # logins do not say who somebody is in Pipes
        telling = [k for k, sub in part["properties"].items() if k not in aside and sub.get("type") != "boolean"]
        return (
            f"{noun(path)} has neither {' nor '.join(telling)}",
            "write at least one of them, or drop the line",
            True,
        )
    if rule == "minItems":
        return f"{label} needs at least {part['minItems']}", "write more of them, or drop the line", False
    if rule in ("minimum", "maximum"):
        limit = "least" if rule == "minimum" else "most"
        return f"{label} is {value}, the {limit} is {error.validator_value}", part.get("description"), False
    return f"{noun(path)}: {shown(error.message, 120)}", None, False


def _wrong_type(path: KeyPath, label: str, value: Any, part: dict[str, Any]) -> tuple[str, str | None, bool]:
    wanted = json_schema.types(part)
    expected = _article(part) if "pattern" in part else _KINDS[wanted[0]]
    if value is not None:
        hint = None
        if wanted[0] == "integer" and isinstance(value, str):
            hint = "drop the quotes" if scalars.INTEGER.fullmatch(value) else "write it as plain digits"
        elif part.get("title") == "team":
            hint = "a team is a list: [alice, team/platform]"
        elif isinstance(value, list) and path and path[-1] == member.KIND.section:
            hint = "write each person with a role, one a line: `alice: owner`"
        private = secret.FIELD in path
        return f"{label} is {kind_of(value, private=private)}, but must be {expected}", hint, False
    if not path or isinstance(path[-1], int):
        return f"{label} is empty", f"it must be {expected}", False
    key = path[-1]
    if wanted[0] == "object":
        if any(kind.authoritative and kind.section == key for kind in KINDS.values()):
            hint = "write `members: {}` to remove everyone, or drop the line to change nobody"
        else:
            hint = f"write `{key}: {{}}`, or drop the line"
        return f"{label} is empty", hint, True
    if wanted[0] == "array":
        return f"{label} is empty", f"write `{key}: []`, or drop the line", True
    # An attribute of what carries its own handle, where a null could be meant to clear it.
    above = kind_at(path[:-1])
    if above is not None and not above.names_people and key != "renamed_from":
        return f"{label} cannot be cleared", "drop the line to leave it as it is", True
    hint = f"it is one of {_listed(part['enum'])}" if "enum" in part else "write a value, or drop the line"
    return f"{label} is empty", hint, True


def _wrong_const(path: KeyPath, value: Any, part: dict[str, Any]) -> tuple[str, str]:
    key = path[-1]
    if key == "version":
        return f"the version is {kind_of(value)}; only 1 is known", "write `version: 1`"
    if value is False:
        return f"`{key}: false` has no effect", "drop the line, or write `absent: true`"
    quotes = " without quotes" if value == "true" else ""
    return f"`{key}` is {kind_of(value)}", f"write `{key}: {str(part['const']).lower()}`{quotes}"


_EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(?:\.[^@\s.]+)+")


def _name_hint(text: str, part: dict[str, Any]) -> str | None:
    if part.get("title") == "token_min_issued_at":
        return "write date, time and zone: 2026-11-01T00:00:00Z"
    if part.get("title") == "expires":
        return "write a day as YYYY-MM-DD"
    if part.get("title") == "host":
        return "write a host such as pipes.turbot.com, or its URL"
    if part.get("title") == "email":
        return "write the address alone, such as carol@example.com"
    if text.startswith(SERVICE) and SERVICE not in part.get("pattern", ""):
        return (
            f"a service account belongs to one organization, and a team may be used in several: write `{shown(text, 60)}` in "
            "`members`"
        )
    bare = unicodedata.normalize("NFKD", text[:100].lower())  # a letter, then its accents
    meant = re.sub(
        r"[^a-z0-9/]+" if "team/" in part.get("pattern", "") else r"[^a-z0-9]+",
        "-",
        "".join(c for c in bare if not unicodedata.combining(c)),
    ).strip("-")
    if "pattern" not in part or len(text) > 100:
        return part.get("description")
    if text.strip() != text and json_schema.matches(part, text.strip()):
        return f"did you mean `{shown(text.strip())}`?"
    has_hyphens = json_schema.matches(part, "a-b")
    for form in (meant,) if has_hyphens else (meant, meant.replace("-", "")):
        if form not in (text, "") and json_schema.matches(part, form):
            if _EMAIL.fullmatch(text):
                label = re.sub(r"[^a-z0-9]+", "-", text.partition("@")[0].lower()).strip("-") or "carol"
                return f"an email address goes into `people:`, as `{label}: {{email: {shown(text, 120)}}}`; write `{label}` here"
            return f"did you mean `{form}`?"
    return part.get("description")


def _article(part: dict[str, Any]) -> str:
    title = part.get("title", "value")
    named = {
        "expires": "a day",
        "token_min_issued_at": "a time with a zone",
        "email": "an email address",
        "renamed_from": "a handle",
        "expires_within": "a number of days, such as 30d",
        "until": "a day",
        "in": "a place",
        "who": "a name",
        "help": "a link",
    }
    return named.get(title, f"a {title}")


def _first_role(path: KeyPath) -> str | None:
    """The weakest role for an entry; None if something other than `role` is missing."""
    for part in json_schema.at(path):
        if "role" in part.get("properties", {}) and "enum" in json_schema.resolved(part["properties"]["role"]):
            return str(json_schema.resolved(part["properties"]["role"])["enum"][0])
    return None


def _listed(words: Sequence[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def kind_of(value: Any, *, private: bool = False) -> str:
    """A value in words: `the number 3`, `a list`. With `private` a text is not quoted: it may be a secret."""
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, int | float):
        return "a number" if private else f"the number {value}"
    if isinstance(value, str):
        return "a text" if private else f"the text `{shown(value)}`"
    return "a list" if isinstance(value, list) else "a mapping"


# --- jsonschema ---


@cache
def explainer() -> jsonschema.protocols.Validator:
    """The slow validator, which says what is wrong. Patterns are ECMA's: `$` is the end of the text, not of its last line."""
    import jsonschema

    def pattern(_: Any, wanted: str, instance: Any, __: Any) -> Iterator[jsonschema.ValidationError]:
        if isinstance(instance, str) and not re.search(re.sub(r"\$$", r"\\Z", wanted), instance):
            yield jsonschema.ValidationError(f"{instance!r} does not match {wanted!r}")

    made = jsonschema.validators.extend(jsonschema.Draft202012Validator, {"pattern": pattern})  # type: ignore[no-untyped-call]
    validator: jsonschema.protocols.Validator = made(json_schema.schema())
    return validator


def _only_failing(value: Any, part: dict[str, Any]) -> Any:
    """The part of `value` that jsonschema has to check: only the first failing entries of each of its maps of names."""
    part = json_schema.resolved(part)
    if not isinstance(value, dict):
        return value
    if json_schema.is_map(part):
        valid = _validator_of(part)
        failing = ((key, item) for key, item in value.items() if not valid({key: item}))
        value = dict(islice(failing, MAX_PROBLEMS))
    return {
        key: item if (sub := json_schema.child(part, key)) is None else _only_failing(item, sub)
        for key, item in value.items()
    }


_validators: dict[tuple[int, int], Callable[[Any], bool]] = {}


def _validator_of(part: dict[str, Any]) -> Callable[[Any], bool]:
    """The fast validator of a map of names; made once for each, since the parts of the schema are shared."""
    import jsonschema_rs

    key = (id(part["propertyNames"]), id(part["additionalProperties"]))
    if key not in _validators:
        made = jsonschema_rs.Draft202012Validator({**part, "$defs": json_schema.schema()["$defs"]})
        _validators[key] = made.is_valid
    return _validators[key]
