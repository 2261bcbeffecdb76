"""What `import` writes of a configuration: what Pipes shows of it, and in place of each secret a reference to fill in.

Secrets are not returned from the API (the Terraform provider's page on connections), and no page lists them. So
what is written may lack some, and a comment there says so.
"""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from reconciler.kinds import named_in, secret
from reconciler.model import address as addresses
from reconciler.model.live import SENT, UNTOLD

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from reconciler.model.desired import Desired
    from reconciler.model.live import Lock, Resource

_LONGEST = 100  # characters of a variable's name


class Commented(dict[str, Any]):
    """A mapping of a manifest with the lines of the comment above its key, and the note about it."""

    def __init__(self, found: Mapping[str, Any], lines: Iterable[str] = (), note: str | None = None) -> None:
        super().__init__(found)
        self.lines = tuple(lines)
        self.note = note


def notes_in(data: Mapping[str, Any]) -> Iterator[str]:
    """The notes about the mappings below `data`."""
    for value in data.values():
        if isinstance(value, Commented) and value.note is not None:
            yield value.note
        if isinstance(value, dict):
            yield from notes_in(value)


class HiddenSecrets:
    """The references of one run. No two places get one variable: it would send one account's secret to another.

    `lock` says what was sent last, where this tool did it. `untold` gathers the addresses of what was written without
    knowing which secrets there are.
    """

    def __init__(self, lock: Lock, desired: Desired | None, source: str = "Pipes") -> None:
        self.lock = lock
        self.source = source  # what shows the configurations
        self.untold: set[str] = set()
        self.taken = set(secret.OWN)
        for org in desired.orgs.values() if desired is not None else ():
            for _, node in named_in(addresses.join(None, org.kind, org.name), org):
                for reference in secret.references(node.attrs.get(secret.FIELD)).values():
                    self.taken.add(reference[2:-1].partition(":")[2])

    def config(
        self, address: str, have: Resource, names: tuple[str, ...], config: Any, folder: str
    ) -> Commented | str | None:
        """The `config` of the object at this address, below the handles `names`, in a manifest in `folder`.

        None where nothing is shown, and the reason where what is written could not be whole.
        """
        if not config:
            return None
        known = self._known(address, have.id, folder)
        in_lock_file = known is not None
        known = known or {}
        fresh: dict[str, str] = {}  # variable -> place

        def filled(value: Any, path: secret.Path) -> Any:
            place = secret.shown(path)
            if place in known:
                return known.pop(place)
            if hasattr(value, "items"):
                return {key: filled(value[key], (*path, key)) for key in sorted(value)}
            if isinstance(value, list | tuple):
                return [filled(inner, (*path, index)) for index, inner in enumerate(value)]
            # whoever may edit the connection could have planted a reference, for apply to follow and to send there
            planted = isinstance(value, str) and "${" in value
            if not planted and not secret.may_be_secret(path, value):
                return value
            name = self._variable((*names, *map(str, path)))
            fresh[name] = place
            return f"${{env:{name}}}"

        made = filled(config, ())
        if not all(place.isidentifier() for place in known):
            return (
                f"{address}: config is left out, and left alone: the lock file knows of a secret at "
                f"{', '.join(sorted(known))}, and Pipes does not show what is around it; write it by hand"
            )
        made = dict(sorted({**made, **known}.items()))
        if in_lock_file and not fresh:
            return Commented(made)
        self.untold.add(address)
        return Commented(made, (*_ask(fresh), *_DOUBT), _note(address, fresh, self.source) + _WAY_ON)

    def _known(self, address: str, id: str, folder: str) -> dict[str, str] | None:  # noqa: A002
        """Place -> reference, as it was sent last; None if the lock file does not know all."""
        entry = self.lock.get(address)
        sent = entry.more.get(SENT) if entry is not None and entry.id == id else None
        if not isinstance(sent, dict):
            return None
        found = {str(place): one.get("from") for place, one in sent.items() if isinstance(one, dict)}
        if len(found) < len(sent) or not all(map(secret.is_reference, found.values())):
            return None
        return {place: _seen_from(folder, str(reference)) for place, reference in found.items()}

    def _variable(self, parts: tuple[str, ...]) -> str:
        """A name like ACME_AWS_PROD_SECRET_KEY that nothing else has."""
        name = re.sub(r"[^A-Z0-9]+", "_", "_".join(parts).upper()).strip("_")[:_LONGEST]
        if not secret.VARIABLE.fullmatch(name):
            name = f"_{name}"
        found, count = name, 1
        while found in self.taken:
            count += 1
            found = f"{name}_{count}"
        self.taken.add(found)
        return found

    def marked(self, lock: Lock) -> Lock:
        """The lock file's content with a mark at what was written without knowing which secrets there are."""
        return {
            address: replace(entry, more={**entry.more, SENT: UNTOLD}) if address in self.untold else entry
            for address, entry in lock.items()
        }


_DOUBT = (
    "Pipes shows no secrets, and a change of config replaces all of them: write each that is missing as",
    "${env:NAME} or ${file:PATH}, then say `rotate: DAY`. Until then no change of config is applied.",
)
_WAY_ON = (
    "; Pipes shows no secrets: write each that is missing, then say `rotate: DAY`; until then a plan leaves secrets "
    "alone, and refuses a change of config as `secret-loss`"
)


def _ask(fresh: Mapping[str, str]) -> tuple[str, ...]:
    """The lines about variables; their names are ours, so nothing that Pipes sent is in a comment."""
    return tuple(f"{name} has to be set before this is sent." for name in fresh)


def _note(address: str, fresh: Mapping[str, str], source: str) -> str:
    if not fresh:
        return f"{address}: config is written as far as {source} shows it"
    found = ", ".join(f"{name} ({place})" for name, place in fresh.items())
    return f"{address}: config is written as far as {source} shows it; to be set before it is sent: {found}"


def _seen_from(folder: str, reference: str) -> str:
    """A reference of the lock file, whose paths are seen from the current folder, as a manifest in `folder` writes it."""
    kind, _, path = reference[2:-1].partition(":")
    if kind != "file" or posixpath.isabs(path):
        return reference
    return f"${{file:{posixpath.relpath(path, folder or '.')}}}"
