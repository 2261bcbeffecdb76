"""A document against the schema: scalars read as the schema expects, and what does not match, explained.

jsonschema-rs says yes or no, in a fraction of a second for any size. Only on a no does jsonschema explain, and it is
shown only the entries that fail: both read the same schema, so there is no second set of rules.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from reconciler.kinds import KINDS, member, secret
from reconciler.manifest import json_schema as shape
from reconciler.manifest import scalars as plain
from reconciler.manifest.document import NULLS, Map, Seq, reads_as, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import jsonschema
    import jsonschema_rs

    from reconciler.kinds.kind import Kind
    from reconciler.manifest.document import Document
    from reconciler.manifest.json_schema import Parts, Path_

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9_]{0,18})")
# of the values that are no secret whatever they are called (`secret.is_secret`)
_ANYTHING = NULLS | plain.TRUE | plain.FALSE
_KINDS = {
    "object": "a mapping", "array": "a list", "string": "a text", "integer": "an integer", "boolean": "true or false", "null": "null",
}  # fmt: skip


@dataclass(slots=True)
class Gaps:
    """What had to be left out since it is wrong: there, nothing may be concluded from something not being written."""

    everything: bool = False
    people: bool = False
    teams: bool = False
    orgs: set[str] = field(default_factory=set)

    def note(self, path: Path_) -> None:
        if not path or (path[0] == "orgs" and len(path) == 1):
            self.everything = True
        elif path[0] == "orgs":
            self.orgs.add(str(path[1]))
        elif path[0] == "teams":
            self.teams = True
        elif path[0] == "people":
            self.people = True

    def names(self) -> bool:
        """Whether a name or a team may mean more people than it seems to."""
        return self.everything or self.people or self.teams

    def org(self, handle: str) -> bool:
        """Whether an org's people may be more than they seem to be."""
        return self.names() or handle in self.orgs


def check(document: Document, gaps: Gaps) -> None:
    """Make `document.root` a mapping that matches the schema: note every problem, and drop what it is about."""
    if document.problems:
        gaps.everything = True
    if document.root is None:
        return
    if not isinstance(document.root, Map):
        document.problem(
            f"the file holds {_kind_of(document.root)}, a manifest is a mapping",
            *_start(document.root),
            hint="a manifest begins with `version: 1`",
        )
        document.root = None
        gaps.everything = True
        return
    wrong = list(typed(document))
    _drop(document, wrong, gaps)
    if not validator().is_valid(document.root):
        wrong = list(explain(document))
        _drop(document, wrong, gaps)


# --- reading scalars as the schema expects ---


def typed(document: Document) -> Iterator[Path_]:
    """Give unquoted scalars the type that the schema has there; yields the paths of names that need quotes."""
    for path, is_key in document.specials:
        holder = document.root
        for step in path[:-1]:
            holder = holder[step]
        last = path[-1]
        text = str(last) if is_key else holder[last]
        parts = shape.key_names(shape.at(path[:-1])) if is_key else shape.at(path)
        name = next((part for part in parts if "pattern" in part and "format" not in part), None)
        if not is_key and text in NULLS and any("null" in _types(part) for part in parts):
            name = None  # what clears it
        if name is not None and shape.matches(name, text):
            line, column = place(document, path, key=is_key)
            document.problem(
                f"`{text}` without quotes reads as {reads_as(text)}, not as a {name['title']}",
                line,
                column,
                hint=f'write it in quotes: "{text}"',
            )
            yield path
        elif is_key:
            continue
        elif any("number" in _types(part) for part in parts):
            # a secret stays the text that it is, for `merge` to refuse without showing it
            if not secret.is_secret(_below_config(path), text) or text in _ANYTHING:
                try:
                    holder[last] = plain.value(text)
                except plain.DoubtfulError as doubt:
                    document.problem(str(doubt), *place(document, path, key=False), hint=doubt.hint)
                    yield path
        else:
            holder[last] = _value(text, parts)


def _below_config(path: Path_) -> Path_:
    """The part of a path that leads through an object's configuration."""
    start = next((n for n, step in enumerate(path) if step == secret.FIELD and kind_at(path[:n]) is not None), 0)
    return path[start + 1 :]


def _value(text: str, parts: Parts) -> Any:
    types = {name for part in parts for name in _types(part)}
    if "integer" in types and _INTEGER.fullmatch(text):
        return int(text)
    if "boolean" in types and text in plain.TRUE:
        return True
    if "boolean" in types and text in plain.FALSE:
        return False
    # A null that the schema does not take stays a null, so that it is explained as one and not as an odd text.
    return None if text in NULLS else text


def _types(part: dict[str, Any]) -> tuple[str, ...]:
    if "const" in part:
        return ("boolean",) if isinstance(part["const"], bool) else ("integer",)
    found = part.get("type", ())
    return (found,) if isinstance(found, str) else tuple(found)


# --- yes or no ---


@cache
def validator() -> jsonschema_rs.Draft202012Validator:
    """The fast judge of whole manifests."""
    import jsonschema_rs

    return jsonschema_rs.Draft202012Validator(shape.schema())


@cache
def explainer() -> jsonschema.protocols.Validator:
    """The slow judge, which says what is wrong. Patterns are ECMA's, where `$` is the end and not a last line's end."""
    import jsonschema

    def pattern(_: Any, wanted: str, instance: Any, __: Any) -> Iterator[jsonschema.ValidationError]:
        if isinstance(instance, str) and not re.search(re.sub(r"\$$", r"\\Z", wanted), instance):
            yield jsonschema.ValidationError(f"{instance!r} does not match {wanted!r}")

    made = jsonschema.validators.extend(jsonschema.Draft202012Validator, {"pattern": pattern})  # type: ignore[no-untyped-call]
    judge: jsonschema.protocols.Validator = made(shape.schema())
    return judge


def _only_failing(value: Any, part: dict[str, Any]) -> Any:
    """`value` without the entries of its maps of names that match the schema: what jsonschema has to look at."""
    import jsonschema_rs

    part = shape.resolved(part)
    if not isinstance(value, dict):
        return value
    if shape.is_map(part):
        judge = jsonschema_rs.Draft202012Validator({**part, "$defs": shape.schema()["$defs"]})
        value = {key: item for key, item in value.items() if not judge.is_valid({key: item})}
    return {
        key: item if (sub := shape.child(part, key)) is None else _only_failing(item, sub)
        for key, item in value.items()
    }


# --- explaining a no ---


def explain(document: Document) -> Iterator[Path_]:
    """Note what does not match the schema; yields the paths of what is wrong."""
    found = False
    for error in explainer().iter_errors(_only_failing(document.root, shape.schema())):
        for path in _explain(document, error):
            found = True
            yield path
    if not found:
        document.problem("the manifest does not match its schema", 1, 1)
        yield ()


def _explain(document: Document, error: Any) -> Iterator[Path_]:
    path: Path_ = tuple(error.absolute_path)
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


def _explain_alternatives(document: Document, path: Path_, error: Any) -> Iterator[Path_]:
    """Explain the one alternative that has the right type; where none has, the type is what is wrong."""
    branches: dict[Any, list[Any]] = {}
    for inner in error.context or ():
        branches.setdefault(inner.schema_path[0], []).append(inner)
    for errors in branches.values():
        if not any(inner.validator == "type" and not inner.path for inner in errors):
            for inner in errors:
                yield from _explain(document, inner)
            return
    parts = shape.at(path)
    roles = next((part["enum"] for part in parts if "enum" in part), ())
    keys = next((tuple(part["properties"]) for part in parts if "properties" in part), ())
    hint = f"write a role ({_listed(roles)}), or {{{', '.join(keys)}}}"
    if error.instance is None:
        document.problem(f"nothing is written for {noun(path)}", *place(document, path, key=True), hint=hint)
    else:
        document.problem(f"{noun(path)} is {_kind_of(error.instance)}", *place(document, path, key=False), hint=hint)
    yield path


def _unknown_keys(document: Document, path: Path_, error: Any) -> Iterator[Path_]:
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
            hint: str | None = (
                "`absent: true` states the removal of one person: name the people of the team that must go"
            )
        else:
            near = near_to(key, known)
            hint = f"did you mean `{near}`?" if near else f"the keys here are {_listed(known)}"
        document.problem(
            f"unknown key `{shown(key)}` for {noun(path)}", *place(document, (*path, key), key=True), hint=hint
        )
        yield (*path, key)


def _bad_key(document: Document, path: Path_, error: Any) -> Iterator[Path_]:
    key = error.instance
    where = (*path, key)
    line, column = place(document, where, key=True)
    if error.validator == "enum":
        if any(key in part.get("properties", {}) for part in shape.at(path)):
            document.problem(
                f"`{key}` stands beside `absent: true` for {noun(path)}",
                line,
                column,
                hint=f"`absent: true` stands beside {_listed([one for one in error.schema['enum'] if one != 'absent'])} only",
            )
            yield where
        return
    names = shape.key_names(shape.at(path))
    document.problem(f"`{shown(key)}` is not a {names[0]['title']}", line, column, hint=_name_hint(key, names[0]))
    yield where


def _follows(error: Any) -> bool:
    """Whether an error only follows from another one: a list of values for a null, a missing key for a mistyped one."""
    if error.validator == "enum":
        return error.instance is None
    if error.validator == "required":
        unknown = [key for key in error.instance if key not in error.schema.get("properties", {})]
        return any(key == "absent" or near_to(key, error.validator_value) for key in unknown)
    return False


def _explain_value(path: Path_, error: Any) -> tuple[str, str | None, bool]:
    """Summary, hint, and whether the key is the place rather than the value."""
    rule, value, part = str(error.validator), error.instance, error.schema
    label = f"`{shown(path[-1])}`" if path and isinstance(path[-1], str) else f"an entry of {noun(path[:-1])}"
    if rule == "type":
        return _wrong_type(path, label, value, part)
    if rule == "const":
        return (*_wrong_const(path, value, part), False)
    if rule == "enum":
        near = near_to(str(value), part["enum"])
        hint = f"did you mean `{near}`?" if near else f"it is one of {_listed(part['enum'])}"
        return f"unknown {part['title']} `{shown(str(value))}`", hint, False
    if rule in ("pattern", "maxLength", "minLength"):
        if value == "":
            return f"{label} is empty", part.get("description"), False
        return f"`{shown(value)}` is not {_article(part)}", _name_hint(value, part), False
    if rule == "required":
        if not path:
            return "`version: 1` is missing", "every file of a manifest begins with it", False
        return (
            f"{noun(path)} has no {_listed(error.validator_value)}",
            f"add it, such as `role: {_first_role(path)}`",
            False,
        )
    if rule == "dependentRequired":
        first, needed = next((key, needs) for key, needs in error.validator_value.items() if key in value)
        return (
            f"{noun(path)} has `{first}` without {_listed(needed)}",
            f"`then` says what comes after a day: name the day as `{needed[0]}: YYYY-MM-DD`, or drop `then`"
            if first == "then"
            else f"write {_listed(needed)} beside it, or drop `{first}`",
            True,
        )
    if rule == "minProperties":
        return (
            f"{noun(path)} has neither {' nor '.join(key for key in part['properties'] if key not in part.get('dependentRequired', ()))}",
            "write at least one of them, or drop the line",
            True,
        )
    if rule in ("minimum", "maximum"):
        limit = "least" if rule == "minimum" else "most"
        return f"{label} is {value}, the {limit} is {error.validator_value}", part.get("description"), False
    return f"{noun(path)}: {shown(error.message, 120)}", None, False


def _wrong_type(path: Path_, label: str, value: Any, part: dict[str, Any]) -> tuple[str, str | None, bool]:
    wanted = _types(part)
    expected = _article(part) if "pattern" in part else _KINDS[wanted[0]]
    if value is not None:
        hint = None
        if wanted[0] == "integer" and isinstance(value, str):
            hint = "drop the quotes" if _INTEGER.fullmatch(value) else "write it as plain digits"
        elif part.get("title") == "team":
            hint = "a team is a list: [alice, team/platform]"
        return f"{label} is {_kind_of(value)}, {expected} is expected", hint, False
    if not path or isinstance(path[-1], int):
        return f"{label} is empty", f"{expected} is expected", False
    key = path[-1]
    if wanted[0] == "object":
        if any(kind.authoritative and kind.section == key for kind in KINDS.values()):
            hint = "write `members: {}` to remove everyone, or drop the line to leave them alone"
        else:
            hint = f"write `{key}: {{}}`, or drop the line"
        return f"{label} holds nothing", hint, True
    if wanted[0] == "array":
        return f"{label} holds nothing", f"write `{key}: []`, or drop the line", True
    # An attribute of what carries its own handle, where a null could be meant to clear it.
    above = kind_at(path[:-1])
    if above is not None and not above.names_people and key != "renamed_from":
        return f"{label} cannot be cleared", "drop the line to leave it as it is", True
    hint = f"it is one of {_listed(part['enum'])}" if "enum" in part else "write a value, or drop the line"
    return f"{label} is empty", hint, True


def _wrong_const(path: Path_, value: Any, part: dict[str, Any]) -> tuple[str, str]:
    key = path[-1]
    if key == "version":
        return f"the version is {_kind_of(value)}, only 1 is known", "write `version: 1`"
    if value is False:
        return f"`{key}: false` says nothing", "drop the line; only `absent: true` is a statement"
    quotes = " without quotes" if value == "true" else ""
    return f"`{key}` is {_kind_of(value)}", f"write `{key}: {str(part['const']).lower()}`{quotes}"


def _name_hint(text: str, part: dict[str, Any]) -> str | None:
    if part.get("title") == "token_min_issued_at":
        return "write date, time and zone: 2026-11-01T00:00:00Z"
    if part.get("title") == "expires":
        return "write a day as YYYY-MM-DD"
    meant = re.sub(
        r"[^a-z0-9/]+" if "team/" in part.get("pattern", "") else r"[^a-z0-9]+", "-", text[:100].lower()
    ).strip("-")
    for form in (meant, meant.replace("-", "")):
        if form not in (text, "") and "pattern" in part and "@" not in part["pattern"] and shape.matches(part, form):
            return f"did you mean `{form}`?"
    return part.get("description")


def _article(part: dict[str, Any]) -> str:
    title = part.get("title", "value")
    named = {
        "expires": "a day",
        "token_min_issued_at": "a time with a zone",
        "email": "an email address",
        "renamed_from": "a handle",
    }
    return named.get(title, f"a {title}")


def _first_role(path: Path_) -> str:
    for part in shape.at(path):
        if "properties" in part:
            return str(shape.resolved(part["properties"]["role"])["enum"][0])
    return "member"


def near_to(text: str, known: Iterable[str]) -> str | None:
    """The one of `known` that was probably meant."""
    found = get_close_matches(text[:100].lower().replace("-", "_"), tuple(known), n=1, cutoff=0.6)
    return found[0] if found else None


def _listed(words: Sequence[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _kind_of(value: Any) -> str:
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, int | float):
        return f"the number {value}"
    if isinstance(value, str):
        return f"the text `{shown(value)}`"
    return "a list" if isinstance(value, list) else "a mapping"


# --- places and names ---


def noun(path: Path_) -> str:
    """What stands at `path`, in words: `member alice`, `team sre`, `safeguards`."""
    parts = shape.root()
    name = "the manifest"
    for step in path:
        named = any(shape.is_map(part) for part in parts)
        sub = next((found for part in parts if (found := shape.child(part, step)) is not None), None)
        if sub is None:
            break
        title = shape.resolved(sub).get("title")
        if named:
            name = str(step) if str(step).startswith("team/") else f"{title} {shown(str(step))}"
        elif title is not None and isinstance(step, str):
            name = f"`{title}`"
        parts = shape.below(parts, step)
    return name


def kind_at(path: Path_) -> Kind | None:
    """The kind of the object that is written at `path`; None for anything else."""
    found = None
    for section in path[::2]:
        above = found.name if found is not None else None
        found = next((kind for kind in KINDS.values() if kind.parent == above and kind.section == section), None)
        if found is None:
            return None
    return found if len(path) % 2 == 0 else None


def place(document: Document, path: Path_, *, key: bool) -> tuple[int, int]:
    """Line and column of the value at `path`, or with `key` of its key."""
    if not path:
        return _start(document.root)
    holder = document.root
    for step in path[:-1]:
        holder = holder[step]
    last = path[-1]
    found: tuple[int, int]
    if isinstance(holder, Map) and isinstance(last, str):
        line, column, value_line, value_column = holder.at[last]
        found = (line, column) if key else (value_line, value_column)
    else:
        assert isinstance(holder, Seq)
        assert isinstance(last, int)
        found = holder.at[last]
    return found


def _start(root: Any) -> tuple[int, int]:
    return (root.line, root.column) if isinstance(root, (Map, Seq)) else (1, 1)


def _drop(document: Document, wrong: list[Path_], gaps: Gaps) -> None:
    """Take what is wrong out of the document, so that the rest can still be looked at."""
    dropped: set[Path_] = set()
    for path in wrong:
        gaps.note(path)
        dropped.add(_whole(path))
    # From the back, so that the indices of a list stay right.
    for path in sorted(
        dropped,
        key=lambda path: [(isinstance(step, int), step if isinstance(step, int) else 0, str(step)) for step in path],
        reverse=True,
    ):
        if not path:
            continue
        holder: Any = document.root
        for step in path[:-1]:
            holder = holder[step]
        del holder[path[-1]]
        if isinstance(holder, Seq):
            del holder.at[cast("int", path[-1])]


def _whole(path: Path_) -> Path_:
    """An entry for a person goes as a whole: half of one would mean something else."""
    if path[:1] == ("people",):
        return path[:2]
    for depth in (2, 4):
        if path[:1] == ("orgs",) and len(path) > depth and path[depth] == member.KIND.section:
            return path[: depth + 2]
    return path
