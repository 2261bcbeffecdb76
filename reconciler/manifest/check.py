"""Checks a document against the schema: reads scalars as the schema expects, and reports what does not match.

jsonschema-rs says yes or no, in a fraction of a second for any size. `explain` says what is wrong, only after a no.
Both read the same schema, so there is no second set of rules.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, cast

import msgspec

from reconciler.kinds import member, secret
from reconciler.manifest import json_schema, scalars
from reconciler.manifest.document import MAX_PROBLEMS, Map, Seq
from reconciler.manifest.places import below_config, place, start_of
from reconciler.manifest.unquoted import NULLS, reads_as

if TYPE_CHECKING:
    from collections.abc import Iterator

    import jsonschema_rs

    from reconciler.manifest.document import Document
    from reconciler.manifest.json_schema import KeyPath, Parts

# values that are never a secret, whatever they are called (`secret.may_be_secret`)
_NEVER_SECRET = NULLS | scalars.TRUE | scalars.FALSE


class Gaps(msgspec.Struct):
    """What was left out because it is wrong: nothing may be concluded from what is missing there."""

    everything: bool = False
    people: bool = False
    teams: bool = False
    rules: bool = False  # policies, waivers or approvals
    orgs: set[str] = msgspec.field(default_factory=set)

    def note(self, path: KeyPath) -> None:
        """Record that what is at `path` was left out."""
        if not path or (path[0] == "orgs" and len(path) == 1):
            self.everything = True
        elif path[0] == "orgs":
            self.orgs.add(str(path[1]))
        elif path[0] == "teams":
            self.teams = True
        elif path[0] == "people":
            self.people = True
        elif path[0] in ("policies", "waivers", "approvals"):
            self.rules = True

    def names(self) -> bool:
        """Whether people or teams may be missing, so that a name may mean more than it seems to."""
        return self.everything or self.people or self.teams

    def org(self, handle: str) -> bool:
        """Whether people of an org may be missing."""
        return self.names() or handle in self.orgs


def check(document: Document, gaps: Gaps) -> None:
    """Make `document.root` a mapping that matches the schema: report every problem, and drop the part that has it.

    A document with more problems than can be reported is dropped as a whole.
    """
    if document.problems:
        gaps.everything = True
    if document.root is None:
        return
    if not isinstance(document.root, Map):
        from reconciler.manifest.explain import kind_of

        document.problem(
            f"the file holds {kind_of(document.root)}, but a manifest is a mapping",
            *start_of(document.root),
            hint="a manifest begins with `version: 1`",
        )
        _drop_all(document, gaps)
        return
    _drop(document, list(typed(document)), gaps)
    if document.root is not None and not validator().is_valid(document.root):
        from reconciler.manifest.explain import explain

        _drop(document, list(explain(document)), gaps)
        if document.root is not None and not validator().is_valid(document.root):
            _drop_all(document, gaps)


# --- reading scalars as the schema expects ---


def typed(document: Document) -> Iterator[KeyPath]:
    """Give unquoted scalars the type that the schema has there; yields the paths of names that need quotes."""
    for path, is_key in document.specials:
        holder = document.root
        for step in path[:-1]:
            holder = holder[step]
        last = path[-1]
        text = str(last) if is_key else holder[last]
        parts = json_schema.key_names(json_schema.at(path[:-1])) if is_key else json_schema.at(path)
        name = next((part for part in parts if "pattern" in part and "format" not in part), None)
        if not is_key and text in NULLS and any("null" in json_schema.types(part) for part in parts):
            name = None  # a null clears it
        if name is not None and json_schema.matches(name, text):
            document.problem(
                f"`{text}` without quotes reads as {reads_as(text)}, not as a {name['title']}",
                *place(document, path, key=is_key),
                hint=f'write it in quotes: "{text}"',
            )
            yield path
        elif is_key:
            continue
        elif any("number" in json_schema.types(part) for part in parts):
            # what may be a secret stays text, so that `merge` can refuse it without printing it
            if not secret.may_be_secret(below_config(path) or (), text) or text in _NEVER_SECRET:
                try:
                    holder[last] = scalars.value(text)
                except scalars.DoubtfulError as doubt:
                    document.problem(str(doubt), *place(document, path, key=False), hint=doubt.hint)
                    yield path
        else:
            holder[last] = _value(text, parts)


def _value(text: str, parts: Parts) -> Any:
    types = {name for part in parts for name in json_schema.types(part)}
    if "integer" in types and scalars.INTEGER.fullmatch(text):
        return int(text)
    if "boolean" in types and text in scalars.TRUE:
        return True
    if "boolean" in types and text in scalars.FALSE:
        return False
    # A null that the schema refuses stays a null, so that the error is about a null and not about a text.
    return None if text in NULLS else text


# --- yes or no ---


@cache
def validator() -> jsonschema_rs.Draft202012Validator:
    """The fast validator for whole manifests."""
    import jsonschema_rs

    return jsonschema_rs.Draft202012Validator(json_schema.schema())


# --- leaving out what is wrong ---


def _drop_all(document: Document, gaps: Gaps) -> None:
    document.root = None
    gaps.everything = True


def _drop(document: Document, wrong: list[KeyPath], gaps: Gaps) -> None:
    """Take what is wrong out of the document, so that the rest can still be checked."""
    if len(wrong) >= MAX_PROBLEMS:
        document.cut = True
        _drop_all(document, gaps)
        return
    dropped: set[KeyPath] = set()
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


def _whole(path: KeyPath) -> KeyPath:
    """A person's entry, or a rule, goes as a whole: half of one would mean something else."""
    if path and path[0] in ("people", "policies", "waivers", "approvals"):
        return path[:2]
    if path[:1] == ("teams",):  # an item, without its end, would be in the team for good
        at = next((n for n, step in enumerate(path) if isinstance(step, int)), len(path))
        return path[: at + 1]
    for depth in (2, 4):
        if path[:1] == ("orgs",) and len(path) > depth and path[depth] == member.KIND.section:
            return path[: depth + 2]
    return path
