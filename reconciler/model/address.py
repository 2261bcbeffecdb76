"""Addresses: one readable name for everything that a plan can touch.

`org.acme`, `org.acme/member.bob`, `org.acme/workspace.prod`, `org.acme/workspace.prod/grant.bob`.
They use the handles that the manifest uses; ids are beside them where identity matters. The membership of a service
account is `org.acme/member.service/ci`: the only name with a slash in it.
"""

from __future__ import annotations

Address = str

SERVICE = "service/"  # how the name of a service account begins where people have theirs


def join(parent: Address | None, kind: str, handle: str) -> Address:
    """The address of the object `handle` of `kind` below `parent` (None for an org)."""
    own = f"{kind}.{handle}"
    return own if parent is None else f"{parent}/{own}"


def parts_of(address: Address) -> list[str]:
    """`org.acme/member.service/ci` -> [`org.acme`, `member.service/ci`], whatever is there."""
    if f".{SERVICE}" not in address:  # nearly every address of nearly every plan
        return address.split("/")
    parts: list[str] = []
    for part in address.split("/"):
        if parts and "." not in part and parts[-1].endswith(".service"):
            parts[-1] += f"/{part}"
        else:
            parts.append(part)
    return parts


def above(address: Address) -> Address:
    """The address of what the object lies below; empty for an org."""
    return "/".join(parts_of(address)[:-1])


def depth(address: Address) -> int:
    """How many objects the object lies below."""
    return len(parts_of(address)) - 1


def split(address: Address) -> tuple[tuple[str, str], ...]:
    """`org.acme/member.bob` -> (("org", "acme"), ("member", "bob")). Raises ValueError on anything else."""
    parts = []
    for part in parts_of(address):
        kind, dot, handle = part.partition(".")
        if not (kind and dot and handle):
            raise ValueError(f"`{address}` is not an address such as org.acme or org.acme/member.bob")
        parts.append((kind, handle))
    return tuple(parts)


def kind_of(address: Address) -> str:
    """`org.acme/member.bob` -> `member`. Raises ValueError on anything else."""
    return split(address)[-1][0]


def name_of(address: Address) -> str:
    """`org.acme/member.bob` -> `bob`. Raises ValueError on anything else."""
    return split(address)[-1][1]


def beside(address: Address, handle: str) -> Address:
    """The address of the sibling `handle`, of the same kind."""
    *places, own = parts_of(address)
    return "/".join((*places, f"{own.partition('.')[0]}.{handle}"))


def org_of(address: Address) -> str:
    """The handle of the org that the object belongs to."""
    return split(address)[0][1]


def covers(outer: Address, inner: Address) -> bool:
    """True where `inner` is `outer` or lies below it."""
    return inner == outer or inner.startswith(outer + "/")
