"""Secrets, in memory only: references are followed here and nowhere else, just before a request is sent.

Pipes does not give secrets back. With a key, a keyed fingerprint in the lock file shows whether one changed.
"""

from __future__ import annotations

import hashlib
import hmac
import os.path
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from reconciler.apply.redaction import spellings
from reconciler.kinds import KINDS, named_in, secret
from reconciler.lockfile.seal import KEY, key_of
from reconciler.model import address as addresses
from reconciler.model.errors import UsageError
from reconciler.model.live import ROTATED, SENT, UNTOLD

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from reconciler.model.desired import Desired, Node
    from reconciler.model.live import Lock, LockEntry
    from reconciler.model.plan import Plan

_LARGEST = 65_536  # bytes of a file
_SHORTEST_OWN = 8  # characters of a credential that is looked for in values: a shorter one may be part of anything
_SYSTEM = ("/proc", "/dev", "/sys")  # not files that somebody wrote: environments and memory of processes, devices
# where a checkout keeps the job's token for git's pushes, and a pod its own
_OF_THE_JOB = (".git", "kubernetes.io")


@dataclass(slots=True)
class Secrets:
    """Follows references to `environ` and to files; `own` are values that must never be sent, such as the token."""

    environ: Mapping[str, str] = field(repr=False)
    own: tuple[str, ...] = field(default=(), repr=False)
    _values: dict[str, str] = field(default_factory=dict, repr=False)

    def value(self, reference: str) -> str:
        """The value of a reference. Raises UsageError, without any value, where there is nothing to send."""
        found = self._values.get(reference)
        if found is None:
            kind, _, name = reference[2:-1].partition(":")
            found = self._of_environment(name) if kind == "env" else _of_file(reference, name)
            self._check(reference, found)
            self._values[reference] = found
        return found

    def _check(self, reference: str, value: str) -> None:
        """Raise UsageError for a value that is not to be sent, whatever the name is that it was found under."""
        try:
            content = value.encode()
        except UnicodeEncodeError:
            raise UsageError(f"{reference} holds bytes that are not UTF-8 text") from None
        if "\0" in value:
            raise UsageError(f"{reference} holds a NUL character, which no configuration has")
        held = {name: self.environ.get(name, "") for name in sorted(secret.OWN)}
        for name, own in (("the token that this tool works with", one) for one in self.own):
            if own and spellings(own).within(content):
                raise UsageError(f"{reference} holds {name}, which is not sent to anybody")
        for name, own in held.items():
            if len(own) >= _SHORTEST_OWN and spellings(own).within(content):
                raise UsageError(
                    f"{reference} holds the value of {name}, a credential of this tool or its job, which is not sent to anybody"
                )

    def _of_environment(self, name: str) -> str:
        if name in secret.OWN:
            raise UsageError(f"${{env:{name}}} is a credential of this tool or its job, which is not sent to anybody")
        found = self.environ.get(name)
        if not found:
            raise UsageError(
                f"the variable {name} is {'empty' if found == '' else 'not set'}, which ${{env:{name}}} names"
            )
        return found

    def filled(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """A request's body with the references in its configuration followed; nothing else of it is looked at."""
        if secret.FIELD not in body:
            return body
        return {**body, secret.FIELD: self._fill(body[secret.FIELD])}

    def _fill(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self._fill(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self._fill(inner) for inner in value]
        return self.value(value) if secret.is_reference(value) else value

    def redacted(self, content: bytes) -> bytes:
        """`content` without any value that was followed, in whatever spelling (see `redaction`)."""
        for value in sorted(self._values.values(), key=len, reverse=True):
            content = spellings(value).replaced(content, secret.SENSITIVE.encode())
        return content

    def check_key(self) -> None:
        """Raise UsageError for a key that is too short; having none is fine."""
        key_of(self.environ)

    def fingerprint(self, identifier: str, place: str, reference: str) -> str:
        """HMAC-SHA256 of a value and its place, so that equal values do not look equal; empty without a key."""
        key = key_of(self.environ)
        if not key:
            return ""
        text = "\0".join((identifier, place, self.value(reference)))
        return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()


def _of_file(reference: str, name: str) -> str:
    if "\0" in name:
        raise UsageError("a reference names a file with a NUL character in its name")
    path = Path(os.path.realpath(name))
    if any(path == Path(one) or Path(one) in path.parents for one in _SYSTEM):
        raise UsageError(
            f"{reference} leads to {path.parts[1]}, where the system shows processes and devices, not files"
        )
    for folder in _OF_THE_JOB:
        if folder in path.parts:
            raise UsageError(f"{reference} leads into {folder}, where a job keeps its own credentials")
    try:
        if not path.is_file():
            raise UsageError(f"{reference} names no regular file")
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
    except OSError as error:
        raise UsageError(f"{reference} cannot be read: {error.strerror or error}") from None
    if len(data) > _LARGEST:
        raise UsageError(f"{reference} names a file of more than {_LARGEST} bytes")
    try:
        text = data.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise UsageError(f"{reference} names a file that is not UTF-8 text") from None
    if not text:
        raise UsageError(f"{reference} names an empty file")
    return text


def prepare(secrets: Secrets, plan: Plan) -> None:
    """Follow every reference of a plan before anything is sent. Raises UsageError that names all that cannot be."""
    problems: dict[str, None] = {}
    if any(secret.FIELD in (request.body or {}) for step in plan.steps for request in step.requests):
        secrets.check_key()
    for step in plan.steps:
        for request in step.requests:
            for reference in secret.references((request.body or {}).get(secret.FIELD)).values():
                try:
                    secrets.value(reference)
                except UsageError as error:
                    problems[f"{step.address}: {error}"] = None
    if problems:
        raise UsageError("nothing was applied: " + "; ".join(problems))


# --- what was sent last -----------------------------------------------------------------------------------------------


def judge(desired: Desired, lock: Lock, secrets: Secrets, only: Iterable[str] | None = None) -> None:
    """Note in `desired` which configurations have to be sent although live shows no difference, and which may be.

    `only` are the addresses that may be sent for it, for a saved plan: others were not reviewed.
    """
    chosen = None if only is None else set(only)
    for address, entry, node in _referring(desired, lock):
        node.rewrite = node.unknown = None
        if chosen is not None and address not in chosen:
            continue
        if (
            node.rotate is not None
            and node.rotate <= desired.day
            and (entry is None or entry.more.get(ROTATED) != node.rotate.isoformat())
        ):
            node.rewrite = f"sent again, as `rotate: {node.rotate.isoformat()}` states"
            continue
        wanted = secret.references(node.attrs.get(secret.FIELD))
        known = _known(entry)
        if not known:
            if wanted:
                node.unknown = (
                    "they were imported, and have not been sent from here yet"
                    if entry is not None and entry.more.get(SENT) == UNTOLD
                    else "the lock file does not say what was sent last"
                )
            continue
        moved = sorted(
            place for place in wanted.keys() | known.keys() if wanted.get(place) != known.get(place, ("", ""))[0]
        )
        if moved:
            node.rewrite = f"sent again: {', '.join(moved)} is not the reference that was sent last"
            continue
        assert entry is not None
        _compare(node, entry.id, wanted, {place: mark for place, (_, mark) in known.items()}, secrets)


def _known(entry: LockEntry | None) -> dict[str, tuple[str, str]]:
    """Place -> reference and fingerprint, as the lock file has them; anything malformed is ignored."""
    found = entry.more.get(SENT) if entry is not None else None
    return {
        str(place): (str(one.get("from", "")), str(one.get("fingerprint", "")))
        for place, one in (found.items() if isinstance(found, dict) else ())
        if isinstance(one, dict)
    }


def _compare(
    node: Node, identifier: str, wanted: Mapping[str, str], marks: Mapping[str, str], secrets: Secrets
) -> None:
    differing, unknown = [], []
    for place, reference in wanted.items():
        if not marks[place]:
            unknown.append(f"{place} was sent without a fingerprint")
        elif not secrets.environ.get(KEY):
            unknown.append(f"{KEY} is not set")
        else:
            try:
                if secrets.fingerprint(identifier, place, reference) != marks[place]:
                    differing.append(reference)
            except UsageError as error:
                unknown.append(str(error))
    if differing:
        node.rewrite = f"sent again: {', '.join(dict.fromkeys(differing))} has another value than was sent last"
    elif unknown:
        node.unknown = ", ".join(dict.fromkeys(unknown))


def sent(desired: Desired, lock: Lock, secrets: Secrets, done: Iterable[str]) -> Lock:
    """The lock file's content after the configurations at the addresses `done` were sent."""
    sent_now = set(done)
    fresh = dict(lock)
    for address, entry, node in _referring(desired, lock):
        if entry is not None and address in sent_now:
            wanted = secret.references(node.attrs.get(secret.FIELD))
            more = {name: value for name, value in entry.more.items() if name != SENT}
            if wanted:
                more[SENT] = {
                    place: {"from": ref, "fingerprint": secrets.fingerprint(entry.id, place, ref)}
                    for place, ref in sorted(wanted.items())
                }
            if node.rotate is not None and node.rotate <= desired.day:
                more[ROTATED] = node.rotate.isoformat()
            fresh[address] = replace(entry, more=more)
    return fresh


def _referring(desired: Desired, lock: Lock) -> Iterator[tuple[str, LockEntry | None, Node]]:
    """The wanted objects with a configuration, and what the lock file knows of each, under its former name if need be."""
    from reconciler.plan import identity

    carried = identity.carried(lock, desired)
    for org in desired.orgs.values():
        for address, node in named_in(addresses.join(None, "org", org.name), org):
            if KINDS[node.kind].takes_secrets and not node.absent:
                yield address, carried.get(address), node
