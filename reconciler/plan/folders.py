"""Folders in a plan: what waits for which of them, what is doubtful about one, and what a move takes or gives. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from reconciler.kinds import (
    children_of,
    connection_folder,
    folder_permission,
    permission,
    workspace,
    workspace_connection_folder,
)
from reconciler.model import address as addresses
from reconciler.model.diagnostic import Diagnostic

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconciler.kinds.kind import Kind, Place
    from reconciler.model.address import Address
    from reconciler.model.desired import Node
    from reconciler.model.live import Resource
    from reconciler.plan.identity import Match
    from reconciler.safeguards.worksheet import Draft, OrgWorksheet

KIND = connection_folder.KIND
PERMISSION = folder_permission.KIND.name


def referred(kind: Kind, place: Place, attrs: Mapping[str, Any]) -> tuple[str, ...]:
    """The addresses of the siblings that attributes refer to: their own steps come first."""
    return tuple(
        kind.sibling(place, a.refers_to, attrs[a.name]) for a in kind.attributes if a.refers_to and attrs.get(a.name)
    )


def in_order(kind: Kind, matches: Mapping[str, Match]) -> Iterator[tuple[str, Match]]:
    """Matches with each folder after the one that it is in, and what will be deleted in the reverse order."""
    if not kind.nests:
        yield from matches.items()
        return
    wanted = {name: match.want for name, match in matches.items()}
    order = [name for name, _ in connection_folder.from_the_top(wanted)]
    order += [name for name in wanted if name not in order]  # in something that was refused
    for name in [name for name in order if not wanted[name].absent]:
        yield name, matches[name]
    gone = {m.have.handle: m for name, m in matches.items() if wanted[name].absent and m.have is not None}
    deepest = sorted(gone, key=lambda handle: -len(path_of({h: m.have for h, m in gone.items() if m.have}, handle)))
    found = {id(match): name for name, match in matches.items()}
    for handle in deepest:
        yield found[id(gone[handle])], gone[handle]


def path_of(there: Mapping[str, Resource], name: str | None) -> list[str]:
    """The folders that something in `name` is in, the nearest first. Pipes could show a circle."""
    path: list[str] = []
    while name is not None and name in there and name not in path:
        path.append(name)
        name = there[name].attrs.get("folder")
    return path


class _Tree(msgspec.Struct, frozen=True):
    """The folders of an org, or of one of its workspaces, on the org's worksheet."""

    worksheet: OrgWorksheet
    kind: Kind
    address: Address  # of the org or workspace
    want: Node  # the same in the manifest
    have: Resource | None  # and live

    @property
    def live(self) -> Mapping[str, Resource]:
        """The live folders, by name."""
        return self.have.of(self.kind.name) if self.have is not None else {}

    def join(self, name: str) -> Address:
        """The address of a folder."""
        return addresses.join(self.address, self.kind.name, name)

    def drafts(self) -> list[int]:
        """Where the worksheet has drafts of these folders."""
        return [n for n, d in enumerate(self.worksheet.drafts) if d.kind is self.kind and d.parent == self.address]

    def error(self, draft: Draft, summary: str, hint: str) -> None:
        """Note an error about the line of a draft."""
        source = draft.want.source if draft.want is not None else self.want.source
        self.worksheet.errors.append(Diagnostic("error", summary, source, hint))


def _trees(worksheet: OrgWorksheet) -> Iterator[_Tree]:
    yield _Tree(worksheet, KIND, worksheet.address, worksheet.want, worksheet.have)
    for name, want in worksheet.want.children.get(workspace.KIND.name, {}).items():
        address = addresses.join(worksheet.address, workspace.KIND.name, name)
        yield _Tree(worksheet, workspace_connection_folder.KIND, address, want, worksheet.named.get(address))


def judge(worksheet: OrgWorksheet) -> None:
    """Note what speaks against the drafts of one org that have to do with folders, what they wait for, and what is won or
    lost by a move.
    """
    for tree in _trees(worksheet):
        _give_up_titles_first(tree)
        drafts = {draft.address: draft for draft in (worksheet.drafts[n] for n in tree.drafts())}
        _not_known(tree)
        for draft in drafts.values():
            if draft.action == "delete":
                _emptied(tree, draft)
            elif not _ambiguous(tree, draft):
                _title_is_free(tree, draft, drafts)
        for draft in worksheet.drafts:
            if draft.parent == tree.address and draft.action == "update" and "folder" in draft.attrs:
                # what it comes into may still be inside of it, by a folder further up that is yet to move
                draft.needs = (*draft.needs, *sorted(_above(tree, draft.attrs["folder"])))
                if tree.kind is KIND:
                    _moved(tree, draft)


def _give_up_titles_first(tree: _Tree) -> None:
    """Put the changes of a title before what takes the old one; those in a circle stay where they are."""
    drafts = tree.worksheet.drafts
    places = [n for n in tree.drafts() if _is_early(drafts[n])]
    waiting = [drafts[n] for n in places]
    ordered: list[Draft] = []
    while waiting:
        left = {d.address for d in waiting}
        ready = [
            d
            for d in waiting
            if not left.intersection(d.needs)
            and not left.intersection(tree.join(one.handle) for one in _in_the_way(tree, d))
        ] or waiting[:1]
        ordered.append(ready[0])
        waiting.remove(ready[0])
    for n, draft in zip(places, ordered, strict=True):
        drafts[n] = draft


def _not_known(tree: _Tree) -> None:
    """Say that nothing is deleted for a key alone if its folder is unknown, where one is called so."""
    known = tree.worksheet.ids
    managed = set(known.values())
    for key, want in tree.want.children.get(tree.kind.name, {}).items():
        alike = [one for one in tree.live.values() if one.attrs.get("title") == key and one.id not in managed]
        if want.absent and not want.attrs and tree.join(key) not in known and alike:
            tree.worksheet.warnings.append(
                Diagnostic(
                    "warning",
                    f"nothing is deleted for {key}: the lock file does not know which folder that key meant",
                    want.source,
                    f"if the live folder of that title is meant, write `title: {key}` beside `absent: true`, and the `folder` "
                    "that it is in",
                )
            )


def _is_early(draft: Draft) -> bool:
    """Whether a step comes before every move: what is made, and changes of a title alone."""
    return draft.action == "create" or (draft.action == "update" and "folder" not in draft.attrs)


def _in_the_way(tree: _Tree, draft: Draft) -> list[Resource]:
    """The live folders that have the title which a draft wants, in the place where it wants it."""
    final = {**(draft.have.attrs if draft.have is not None else {}), **draft.attrs}
    return [one for one in _same_place(final, tree.live) if draft.have is None or one.id != draft.have.id]


def _emptied(tree: _Tree, draft: Draft) -> None:
    """Refuse to delete a folder with something in it that neither goes nor leaves; the rest goes before it."""
    worksheet, have = tree.worksheet, tree.have
    assert have is not None
    leaving, staying = [], []
    for kind in children_of(have.kind):
        if not any(a.refers_to == tree.kind.name for a in kind.attributes):
            continue
        if not have.was_read(kind.name):
            staying.append(f"whatever {kind.noun}s there are")
        for name, one in have.of(kind.name).items():
            if one.attrs.get("folder") != draft.handle:
                continue
            own = [d for d in worksheet.drafts if d.have is not None and d.have.id == one.id]
            own = [d for d in own if d.action == "delete" or "folder" in d.attrs]
            leaving += [d.address for d in own]
            if not own:
                staying.append(f"the {kind.noun} {name}")
    draft.needs = (*draft.needs, *leaving)
    if staying:
        tree.error(
            draft,
            f"the folder {draft.handle} is not empty: it holds {_some(staying)}",
            "give that another `folder`, or state it `absent: true` as well; nothing is deleted along with a folder",
        )


def _ambiguous(tree: _Tree, draft: Draft) -> bool:
    """Whether several live folders may be the wanted one: it is unclear which of them is meant, or whether none is."""
    if draft.action != "create":
        return False
    managed = set(tree.worksheet.ids.values())
    fitting = sorted(one.id for one in _same_place(draft.attrs, tree.live) if one.id not in managed)
    if not fitting:
        return False
    where = f"in {draft.attrs['folder']}" if draft.attrs.get("folder") else "at the top level"
    tree.error(
        draft,
        f"it is unclear which live folder {draft.handle} is: {' and '.join(fitting)} {where} are both called "
        f"{draft.attrs.get('title')}",
        "give one of them another title, or have the id of the one that is meant in the lock file",
    )
    return True


def _same_place(attrs: Mapping[str, Any], live: Mapping[str, Resource]) -> list[Resource]:
    return [
        one
        for one in live.values()
        if one.attrs.get("title") == attrs.get("title") and one.attrs.get("folder") == attrs.get("folder")
    ]


def _title_is_free(tree: _Tree, draft: Draft, drafts: Mapping[str, Draft]) -> None:
    """Refuse a title that another folder in the same place has, unless that gives it up in a step before."""
    order = list(drafts)
    for other in _in_the_way(tree, draft):
        address = tree.join(other.handle)
        own = drafts.get(address)
        if (
            own is not None
            and "title" in own.attrs
            and _is_early(own)
            and order.index(address) < order.index(draft.address)
        ):
            draft.needs = (*draft.needs, address)
            continue
        tree.error(
            draft,
            f"{other.attrs.get('title')} is the title of another folder in the same place, {other.handle}"
            + (", when this would be sent" if own is not None else ", which no manifest lists"),
            "choose another title, or give that one up in an apply of its own first",
        )


def _moved(tree: _Tree, draft: Draft) -> None:
    """Say which workspaces may no longer use what is moved, and let everything be there first that lets others use it."""
    assert draft.have is not None
    worksheet, live, target = tree.worksheet, tree.live, draft.attrs["folder"]
    gained = [
        d.address
        for d in worksheet.drafts
        if d.action == "create"
        and (
            (d.kind.name == permission.KIND.name and d.parent == draft.address)
            or (d.kind is folder_permission.KIND and d.parent in _above(tree, target))
        )
    ]
    draft.needs = (*draft.needs, *gained)
    assert draft.want is not None
    old, name = draft.have.attrs.get("folder"), draft.want.name
    own = PERMISSION if draft.kind is KIND else permission.KIND.name
    after = _permitted(worksheet, live, target) | {addresses.name_of(address) for address in gained}
    after |= {_workspace(worksheet, row) for row in _rows(worksheet, draft.have, own)}
    if permission.EVERYWHERE in after:  # what comes into the folder may be used in all of them
        after |= (
            {_workspace(worksheet, row) for row in worksheet.have.of(workspace.KIND.name).values()}
            if worksheet.have
            else set()
        )
    what = f"the folder {name}, with all that is in it," if draft.kind is KIND else name
    worksheet.detached[draft.address] = {
        row.id
        for one in path_of(live, old)
        for row in _rows(worksheet, live[one])
        if _workspace(worksheet, row) not in after
    }
    for lost in sorted(_permitted(worksheet, live, old) - after):
        worksheet.warnings.append(
            Diagnostic(
                "warning",
                f"{lost} may use {what} through the folder {old} only: once that is moved it may not, and loses it where it is attached",
                (draft.want.sources or {}).get("folder", draft.want.source),
                f"list {lost} in `workspaces:`, of {name} or of its new folder, if it is to keep it",
            )
        )


def _above(tree: _Tree, name: str | None) -> set[str]:
    """The addresses of a folder that the manifest has and of those that it will be in."""
    wanted = tree.want.children.get(tree.kind.name, {})
    found: set[str] = set()
    while name is not None and name in wanted:
        address = tree.join(name)
        if address in found:
            break
        found.add(address)
        name = wanted[name].attrs.get("folder")
    return found


def _permitted(worksheet: OrgWorksheet, live: Mapping[str, Resource], name: str | None) -> set[str]:
    """The workspaces that may use whatever is in a folder now, by it and by those above it."""
    return {_workspace(worksheet, row) for one in path_of(live, name) for row in _rows(worksheet, live[one])}


def _rows(worksheet: OrgWorksheet, one: Resource, kind: str = PERMISSION) -> Iterator[Resource]:
    """The permissions of something live, or in place of one for the whole organization all workspaces there are."""
    there = one.of(kind)
    if permission.EVERYWHERE in there and worksheet.have is not None:
        yield from worksheet.have.of(workspace.KIND.name).values()
    else:
        yield from there.values()


def _workspace(worksheet: OrgWorksheet, row: Resource) -> str:
    """The handle that the workspace of a permission is to have."""
    found = {identifier: addresses.name_of(address) for address, identifier in worksheet.ids.items()}
    return found.get(row.id, row.handle)


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
