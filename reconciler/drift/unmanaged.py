"""Live objects that no manifest covers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.kinds import KINDS, children_of, member, named_below, org
from reconciler.model import address as addresses
from reconciler.model.drift import Unmanaged
from reconciler.plan import identity

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from reconciler.model.desired import Desired, Node
    from reconciler.model.live import Resource, Snapshot


def unmanaged(desired: Desired, live: Snapshot) -> tuple[Unmanaged, ...]:
    """Live orgs, people and other objects that no manifest covers, of those that were read (see `reading_scope.whole`)."""
    return tuple(_unmanaged(desired, live))


def _unmanaged(desired: Desired, live: Snapshot) -> Iterator[Unmanaged]:
    everywhere = {**desired.elsewhere, **desired.orgs}
    spoken_for = everywhere.keys() | {node.renamed_from for node in everywhere.values()}
    for handle in live.others:
        if handle not in spoken_for:
            yield Unmanaged("org", addresses.join(None, "org", handle), {})
    by_name = {
        name: live.orgs.get(name) or live.orgs.get(node.renamed_from or "") for name, node in desired.orgs.items()
    }
    for name, node in sorted(desired.orgs.items()):
        have = by_name[name]
        if have is None or node.absent:
            continue
        here = addresses.join(None, "org", name)
        if member.KIND.name not in node.children:
            yield from _people(member.KIND.name, here, have)
        else:
            yield from _left_alone(member.KIND.name, here, have, node, node, listed_in(desired, node))
        for kind in named_below(org.KIND.name):
            wanted = node.children.get(kind.name, {})
            old = {w.renamed_from for w in wanted.values()}
            for one in have.of(kind.name).values():
                want = wanted.get(one.handle)
                address = addresses.join(here, kind.name, one.handle)
                if want is None and one.handle not in old:
                    yield Unmanaged(kind.name, address, {})
                elif want is not None and not want.absent:
                    for below in children_of(kind.name):
                        if below.names_people and below.name not in want.children:
                            yield from _people(below.name, address, one)
                        elif below.names_people:
                            yield from _left_alone(below.name, address, one, node, want, listed_in(desired, node))
                    for inner in named_below(kind.name):
                        listed = want.children.get(inner.name, {})
                        known = {*listed, *(w.renamed_from for w in listed.values())}
                        for found in one.of(inner.name).values():
                            if found.handle not in known:
                                yield Unmanaged(inner.name, addresses.join(address, inner.name, found.handle), {})


def _people(kind: str, parent: str, have: Resource) -> Iterator[Unmanaged]:
    for row in sorted(have.of(kind).values(), key=lambda r: r.handle):
        yield Unmanaged(kind, addresses.join(parent, kind, row.handle), KINDS[kind].shown(row.attrs))


def listed_in(desired: Desired, node: Node) -> frozenset[str]:
    """The handles of everybody whom the manifests name in an org or in its workspaces."""
    return frozenset(filter(None, (desired.handle(name) for name in identity.names_of(node))))


def _left_alone(
    kind: str, parent: str, have: Resource, org_node: Node, section: Node, listed: Container[str]
) -> Iterator[Unmanaged]:
    """Rows that stay as they are although the section is managed: ignored and kept ones, and service accounts that no line names."""
    for row in sorted(have.of(kind).values(), key=lambda r: r.handle):
        why = next((f"ignored: {one.reason}" for one in org_node.ignored if one.covers(row.handle)), "")
        if not why and row.handle in listed:
            continue
        if why or section.keeps_unlisted or member.is_service_account(row.attrs):
            attrs = KINDS[kind].shown(row.attrs)
            yield Unmanaged(kind, addresses.join(parent, kind, row.handle), {**attrs, "why": why} if why else attrs)
