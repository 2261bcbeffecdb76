"""Lists of handles below an object, such as the `workspaces:` of a connection: which entries come, and which go."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from reconciler.kinds import children_of, permission
from reconciler.model import address as addresses
from reconciler.model.desired import Node
from reconciler.model.diagnostic import Diagnostic
from reconciler.plan.diff import drafts
from reconciler.plan.diff.drafts import Target, warn

if TYPE_CHECKING:
    from reconciler.kinds.kind import Kind, Place
    from reconciler.model.address import Address
    from reconciler.plan.identity import Match
    from reconciler.safeguards.worksheet import Draft, OrgWorksheet

EVERYWHERE = permission.EVERYWHERE


def compare(worksheet: OrgWorksheet, place: Place, address: Address, match: Match) -> None:
    """Plan the lists of handles of the object at `address`. What goes, goes in the reverse order of what comes."""
    going: list[Draft] = []
    for kind in children_of(match.want.kind):
        wanted = match.want.children.get(kind.name)
        if kind.lists_handles_of is None or wanted is None:
            continue
        handles = _handles_by_id(worksheet, kind.lists_handles_of)
        if kind.needs_sibling is None:
            going += _for_all(
                worksheet, Target(kind, addresses.join(address, kind.name, EVERYWHERE), address, place), match
            )
            if match.want.everywhere and any(k.needs_sibling == kind.name for k in children_of(match.want.kind)):
                continue  # the sibling kind says where it is used, and permissions for single workspaces add nothing
        listed = _come(worksheet, kind, place, address, match, {handle: one for one, handle in handles.items()})
        going += _go(kind, place, address, match, listed, handles)
    worksheet.drafts.extend(reversed(going))


def _for_all(worksheet: OrgWorksheet, target: Target, match: Match) -> list[Draft]:
    """Plan the permission for the whole organization, as `everywhere` says. Gives back the draft that takes it away."""
    want, kind = match.want, target.kind
    live = match.have.of(kind.name).get(EVERYWHERE) if match.have is not None else None
    if want.everywhere is None:
        if live is not None or (match.have is not None and match.have.inherited_of(kind.name)):
            warn(
                worksheet,
                want,
                f"{want.name} is permitted in all of {worksheet.name} as well, beyond the {kind.lists_handles_of}s listed",
                "write `everywhere: true` to keep that permission, or `everywhere: false` to take it away",
            )
        return []
    node = Node(kind.name, EVERYWHERE, {}, (want.sources or {}).get("everywhere", want.source))
    if want.everywhere and live is None:
        worksheet.drafts.append(drafts.create(target, node, EVERYWHERE))
    elif live is not None and not want.everywhere:
        draft = drafts.delete(target, live, node, "everywhere")
        # whatever rests on it alone gets a permission of its own before, or is detached before
        below = [k for k in children_of(want.kind) if kind.name in (k.name, k.needs_sibling)]
        names = {*want.children[kind.name], *_handles_by_id(worksheet, kind.lists_handles_of or "").values()}
        draft.needs = tuple(addresses.join(target.parent, k.name, name) for k in below for name in sorted(names))
        return [draft]
    return []


def _handles_by_id(worksheet: OrgWorksheet, kind: str) -> dict[str, str]:
    """The handles that the org's live objects of `kind` have in the manifest, by id; unlisted ones under their own."""
    live = worksheet.have.of(kind) if worksheet.have is not None else {}
    handles = {one.id: handle for handle, one in live.items()}
    for handle in worksheet.want.children.get(kind, {}):
        if (known := worksheet.named.get(addresses.join(worksheet.address, kind, handle))) is not None:
            handles[known.id] = handle
    return handles


def _come(
    worksheet: OrgWorksheet, kind: Kind, place: Place, address: Address, match: Match, ids: dict[str, str]
) -> set[str]:
    """Create what the list has and live does not; give back the ids that are listed."""
    of = kind.lists_handles_of
    assert of is not None
    live = {row.id for row in match.have.of(kind.name).values()} if match.have is not None else set()
    for_all = addresses.join(address, kind.needs_sibling, EVERYWHERE) if kind.needs_sibling is not None else ""
    listed = set()
    for handle, node in match.want.children[kind.name].items():
        beside = worksheet.want.children.get(of, {}).get(handle)
        if (handle not in ids and beside is None) or (beside is not None and beside.absent):
            _missing(worksheet, of, handle, node, match.want, stated=beside is not None)
            continue
        identifier = ids.get(handle, "")
        listed.add(identifier)
        if identifier not in live:
            needs = [addresses.join(worksheet.address, of, handle)]
            if kind.needs_sibling is not None and match.want.everywhere:
                needs.append(for_all)
            elif kind.needs_sibling is not None:
                needs.append(addresses.join(address, kind.needs_sibling, handle))
            target = Target(kind, addresses.join(address, kind.name, handle), address, place)
            worksheet.drafts.append(drafts.create(target, node, handle, needs=tuple(needs)))
    return listed


def _missing(worksheet: OrgWorksheet, kind: str, handle: str, node: Node, parent: Node, *, stated: bool) -> None:
    found = Diagnostic(
        "error",
        f"the {kind} {handle}, in which {parent.name} may be used, {'is stated absent' if stated else 'is not there'}",
        node.source,
        f"drop it from the list, or list the {kind}",
    )
    if found not in worksheet.errors:
        worksheet.errors.append(found)


def _go(
    kind: Kind, place: Place, address: Address, match: Match, listed: set[str], handles: dict[str, str]
) -> list[Draft]:
    """The drafts that delete what is live and not listed."""
    if match.have is None:
        return []
    found = []
    after = [k for k in children_of(match.want.kind) if k.needs_sibling == kind.name]
    for row in match.have.of(kind.name).values():
        if row.id in listed or row.handle == EVERYWHERE:
            continue
        handle = handles.get(row.id, row.handle)
        target = Target(kind, addresses.join(address, kind.name, handle), address, place)
        draft = drafts.delete(target, msgspec.structs.replace(row, handle=handle), None, "unlisted")
        draft.needs = tuple(addresses.join(address, k.name, handle) for k in after)
        found.append(draft)
    return found
