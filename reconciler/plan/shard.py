"""A large estate in shares: which orgs a shard has, and several shards' plans as the one plan that they are parts of.

Pure, and the same on every machine: an org's shard follows from its name, the number of shards, and what it is linked
with.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from reconciler.model import address as addresses
from reconciler.model.errors import UsageError
from reconciler.model.plan import WHOLE, MessageCounts, Plan, Shard, Step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from reconciler.model.desired import Desired
    from reconciler.model.live import Lock
    from reconciler.safeguards.allow import Allowance

MOST = 1000

# what must be the same in all shards, and how to say that it is not
_SAME: tuple[tuple[str, Callable[[Plan, Shard], Any]], ...] = (
    ("are of different numbers of shards", lambda _, shard: shard.of),
    ("were made for different days", lambda plan, _: plan.day),
    ("are of different hosts", lambda _, shard: shard.host),
    ("were made with tokens of different users", lambda _, shard: shard.actor),
    ("are of different manifests", lambda plan, _: (plan.files, plan.paths)),
    (
        "divide the organizations differently (made with other lock files, or by other versions of reconciler)",
        lambda _, shard: shard.estate,
    ),
)


def parse(text: str) -> tuple[int, int]:
    """`3/10` -> (3, 10). Raises ValueError with what is wrong."""
    found = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text, re.ASCII)
    if found is None:
        raise ValueError(f"{text!r} is not a shard; write K/N, such as 3/10 for the third of ten")
    number, of = int(found[1]), int(found[2])
    if not 1 <= of <= MOST:
        raise ValueError(f"{text!r}: there can be 1 to {MOST} shards")
    if not 1 <= number <= of:
        raise ValueError(f"{text!r}: of {of} shards the first is 1 and the last {of}")
    return number, of


def divide(desired: Desired, lock: Lock, of: int) -> dict[str, int]:
    """The shard, from 1 to `of`, of each org of the manifests, by the name that it has there.

    Orgs that `renamed_from` or an id in the lock file links are planned together: the smallest of their names decides.
    """
    first = _linked(desired, lock)
    return {name: _hash(first(name)) % of + 1 for name in sorted(desired.orgs)}


def _hash(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")


def _linked(desired: Desired, lock: Lock) -> Callable[[str], str]:
    """For a name the smallest of all names that it is linked with."""
    above: dict[str, str] = {}

    def first(name: str) -> str:
        while name in above:
            name = above[name]
        return name

    def link(one: str, other: str) -> None:
        smaller, larger = sorted((first(one), first(other)))
        if smaller != larger:
            above[larger] = smaller

    for name, node in desired.orgs.items():
        if node.renamed_from is not None:
            link(name, node.renamed_from)
    by_id: dict[str, str] = {}
    for address, entry in lock.items():
        if "/" not in address:
            name = _name(address)
            link(by_id.setdefault(entry.id, name), name)
    return first


def of_desired(desired: Desired, lock: Lock, number: int, of: int) -> tuple[set[str], Shard]:
    """The names of a shard's orgs, and the Shard, whose host and actor are not known yet."""
    division = divide(desired, lock, of)
    known = [[address, entry.id, entry.handle] for address, entry in sorted(lock.items())]
    estate = hashlib.sha256(json.dumps([sorted(division.items()), known]).encode()).hexdigest()
    return {name for name, where in division.items() if where == number}, Shard(number, of, estate)


def here(allow: Sequence[Allowance], desired: Desired) -> list[Allowance]:
    """The allowances without those for orgs of other shards, which judge them. Raises UsageError for one without an address."""
    for code, address in allow:
        if address is None:
            raise UsageError(
                f"--allow {code} must say where with --shard, since no shard knows what the others touch: "
                f"--allow {code}=org.HANDLE"
            )
    return [(code, address) for code, address in allow if _name(address or "") not in desired.elsewhere]


def merge(shards: Sequence[tuple[str, Plan]]) -> Plan:
    """The plan that the shards' plans are the parts of: the same that one run would have made. Each comes with its name.

    Raises UsageError where they do not fit together, or are not all there.
    """
    plans = _fitting(shards)
    of_org: dict[str, dict[str, list[Any]]] = {}
    for plan in plans:
        for org, part in _parts(plan).items():
            if org in of_org:
                raise UsageError(f"{org} is in two shards; plan all shards again, from one commit")
            of_org[org] = part
    orgs = sorted(of_org, key=_name)
    steps: list[Step] = []
    for org in orgs:
        own = of_org[org]["steps"]
        moved = len(steps) + 1 - own[0].number if own else 0
        steps += (
            replace(step, number=step.number + moved, needs=tuple(need + moved for need in step.needs)) for step in own
        )

    def all_of(field: str) -> tuple[Any, ...]:
        return tuple(found for org in orgs for found in of_org[org][field])

    any_one = plans[0]
    return Plan(
        changes=all_of("changes"),
        steps=tuple(steps),
        impact=all_of("impact"),
        dns=all_of("dns"),
        refusals=(*(one for plan in plans for one in plan.refusals if one.address == WHOLE), *all_of("refusals")),
        lifted=all_of("lifted"),
        allowed=tuple(sorted({allowance for plan in plans for allowance in plan.allowed})),
        errors=all_of("errors"),
        # warnings about the manifests alone come before it, and in each shard
        warnings=(*_of_all(any_one), *all_of("warnings")),
        notes=all_of("notes"),
        unmanaged=all_of("unmanaged"),
        orgs=tuple(orgs),
        day=any_one.day,
        files=any_one.files,
        reads={address: found for plan in plans for address, found in plan.reads.items()},
        paths=any_one.paths,
        confirm_delete=tuple(sorted(handle for plan in plans for handle in plan.confirm_delete)),
        host=any_one.host,
        made=any_one.made,
    )


def _fitting(shards: Sequence[tuple[str, Plan]]) -> list[Plan]:
    """The plans in the order of their numbers, all of them there and of one estate. Raises UsageError."""
    names: dict[int, str] = {}
    found: dict[int, Plan] = {}
    (first_name, first), *_ = shards
    for name, plan in shards:
        if plan.shard is None or first.shard is None:
            whole = name if plan.shard is None else first_name
            raise UsageError(f"{whole} is not the plan of a shard; `reconciler plan --shard K/N -o FILE` makes one")
        for what, key in _SAME:
            if key(plan, plan.shard) != key(first, first.shard):
                raise UsageError(f"{first_name} and {name} {what}; plan all shards again, from one commit")
        number = plan.shard.number
        if number in found:
            raise UsageError(f"shard {number} is given twice: {names[number]} and {name}")
        found[number], names[number] = plan, name
    assert first.shard is not None
    missing = [str(number) for number in range(1, first.shard.of + 1) if number not in found]
    if missing:
        shown = ", ".join(missing[:20]) + (f" and {len(missing) - 20} more" if len(missing) > 20 else "")
        raise UsageError(
            f"shard{'s' if len(missing) > 1 else ''} {shown} of {first.shard.of} "
            f"{'are' if len(missing) > 1 else 'is'} missing: what is there is not the whole plan"
        )
    return [plan for _, plan in sorted(found.items())]


def _parts(plan: Plan) -> dict[str, dict[str, list[Any]]]:
    """What a plan has about each of its orgs, by the org's address and the plan's field, in the plan's order."""
    assert plan.shard is not None
    parts: dict[str, dict[str, list[Any]]] = {org: {field: [] for field in _FIELDS} for org in plan.orgs}

    def put(field: str, items: Iterable[Any], org_of: Callable[[Any], str]) -> None:
        for item in items:
            org = org_of(item)
            if org not in parts:
                raise UsageError(f"the plan of shard {plan.shard.number} contradicts itself: {org} is none of its orgs")  # type: ignore[union-attr]
            parts[org][field].append(item)

    for field in ("changes", "steps", "refusals", "lifted"):
        put(field, _of_one_org(getattr(plan, field)), lambda item: str(item.address).partition("/")[0])
    put("unmanaged", plan.unmanaged, lambda address: str(address).partition("/")[0])
    put("impact", plan.impact, lambda effect: _org(effect.object))
    put("dns", plan.dns, lambda change: _org(change.workspace))
    for field, own in _own(plan).items():
        place = len(getattr(plan, field)) - sum(own.values())
        if place < 0 or own.keys() - parts.keys() or (place and field != "warnings"):
            raise UsageError(
                f"the plan of shard {plan.shard.number} contradicts itself: `messages` does not fit its {field}"
            )
        for org in plan.orgs:
            parts[org][field] += getattr(plan, field)[place : place + own.get(org, 0)]
            place += own.get(org, 0)
    return parts


def _of_one_org(items: Iterable[Any]) -> Iterator[Any]:
    return (item for item in items if item.address != WHOLE)


_MESSAGES = ("errors", "warnings", "notes")
_FIELDS = ("changes", "steps", "refusals", "lifted", "unmanaged", "impact", "dns", *_MESSAGES)


def _own(plan: Plan) -> dict[str, Mapping[str, int]]:
    """For errors, warnings and notes how many of them each org has."""
    counts: Mapping[str, MessageCounts] = plan.shard.messages if plan.shard is not None else {}
    return {field: {org: max(0, getattr(found, field)) for org, found in counts.items()} for field in _MESSAGES}


def _of_all(plan: Plan) -> tuple[Any, ...]:
    """The warnings that are about no one org."""
    return plan.warnings[: len(plan.warnings) - sum(_own(plan)["warnings"].values())]


def _name(address: str) -> str:
    return address.partition("/")[0].partition(".")[2]


def _org(place: str) -> str:
    return addresses.join(None, "org", place.partition("/")[0])
