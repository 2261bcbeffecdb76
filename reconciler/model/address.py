"""Addresses: one readable name for everything that a plan can touch.

`org.acme`, `org.acme/member.bob`, `org.acme/workspace.prod`, `org.acme/workspace.prod/grant.bob`.
They use the handles that the manifest uses; ids stand beside them where identity matters.
"""

from __future__ import annotations

Address = str


def join(parent: Address | None, kind: str, handle: str) -> Address:
    """The address of the object `handle` of `kind` below `parent` (None for an org)."""
    own = f"{kind}.{handle}"
    return own if parent is None else f"{parent}/{own}"


def split(address: Address) -> tuple[tuple[str, str], ...]:
    """`org.acme/member.bob` -> (("org", "acme"), ("member", "bob")). Raises ValueError on anything else."""
    parts = []
    for part in address.split("/"):
        kind, dot, handle = part.partition(".")
        if not (kind and dot and handle):
            raise ValueError(f"`{address}` is not an address such as org.acme or org.acme/member.bob")
        parts.append((kind, handle))
    return tuple(parts)


def beside(address: Address, handle: str) -> Address:
    """The address of the sibling `handle`, of the same kind."""
    above, slash, own = address.rpartition("/")
    return f"{above}{slash}{own.partition('.')[0]}.{handle}"


def org_of(address: Address) -> str:
    """The handle of the org that the object belongs to."""
    return split(address)[0][1]


def covers(outer: Address, inner: Address) -> bool:
    """True where `inner` is `outer` or lies below it."""
    return inner == outer or inner.startswith(outer + "/")
