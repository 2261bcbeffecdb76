"""Folders in a plan: what waits for which of them, what is doubtful about one, and what a move takes or gives. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.kinds import children_of, connection_folder, folder_permission, org, permission, workspace
from reconciler.model import address as addresses
from reconciler.model.diagnostic import Diagnostic

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconciler.kinds.kind import Kind, Place
    from reconciler.model.live import Resource
    from reconciler.plan.identity import Match
    from reconciler.safeguards.worksheet import Draft, OrgSheet

KIND = connection_folder.KIND
PERMISSION = folder_permission.KIND.name


def referred(kind: Kind, place: Place, attrs: Mapping[str, Any]) -> tuple[str, ...]:
    """The addresses of the siblings that attributes refer to: their own steps come first."""
    return tuple(
        place.sibling(a.refers_to, attrs[a.name]) for a in kind.attributes if a.refers_to and attrs.get(a.name)
    )


def in_order(kind: Kind, matches: Mapping[str, Match]) -> Iterator[tuple[str, Match]]:
    """Matches with each folder after the one that it is in, and what will be deleted in the reverse order."""
    if kind is not KIND:
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


def judge(sheet: OrgSheet) -> None:
    """Note what speaks against the drafts of one org that have to do with folders, what they wait for, and what is won or
    lost by a move.
    """
    live = sheet.have.of(KIND.name) if sheet.have is not None else {}
    _give_up_titles_first(sheet, live)
    drafts = {draft.address: draft for draft in sheet.drafts if draft.kind is KIND}
    _not_known(sheet, live)
    for draft in drafts.values():
        if draft.action == "delete":
            _emptied(sheet, draft)
        elif not _ambiguous(sheet, draft, live):
            _title_is_free(sheet, draft, live, drafts)
    for draft in sheet.drafts:
        if draft.action == "update" and "folder" in draft.attrs:
            _moved(sheet, draft, live)


def _give_up_titles_first(sheet: OrgSheet, live: Mapping[str, Resource]) -> None:
    """Put the changes of a title before what takes the old one; those in a circle stay where they are."""
    places = [n for n, d in enumerate(sheet.drafts) if d.kind is KIND and _is_early(d)]
    waiting = [sheet.drafts[n] for n in places]
    ordered: list[Draft] = []
    while waiting:
        left = {d.address for d in waiting}
        ready = [
            d
            for d in waiting
            if not left.intersection(d.needs)
            and not left.intersection(_join(sheet, one) for one in _in_the_way(d, live))
        ] or waiting[:1]
        ordered.append(ready[0])
        waiting.remove(ready[0])
    for n, draft in zip(places, ordered, strict=True):
        sheet.drafts[n] = draft


def _not_known(sheet: OrgSheet, live: Mapping[str, Resource]) -> None:
    """Say that nothing is deleted for a key alone if its folder is unknown, where one is called so."""
    managed = set(sheet.ids.values())
    for key, want in sheet.want.children.get(KIND.name, {}).items():
        alike = [one for one in live.values() if one.attrs.get("title") == key and one.id not in managed]
        if want.absent and not want.attrs and addresses.join(sheet.address, KIND.name, key) not in sheet.ids and alike:
            sheet.warnings.append(
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


def _in_the_way(draft: Draft, live: Mapping[str, Resource]) -> list[Resource]:
    """The live folders that have the title which a draft wants, in the place where it wants it."""
    final = {**(draft.have.attrs if draft.have is not None else {}), **draft.attrs}
    return [one for one in _same_place(final, live) if draft.have is None or one.id != draft.have.id]


def _join(sheet: OrgSheet, folder: Resource) -> str:
    return addresses.join(sheet.address, KIND.name, folder.handle)


def _error(sheet: OrgSheet, draft: Draft, summary: str, hint: str) -> None:
    source = draft.want.source if draft.want is not None else sheet.want.source
    sheet.errors.append(Diagnostic("error", summary, source, hint))


def _emptied(sheet: OrgSheet, draft: Draft) -> None:
    """Refuse to delete a folder with something in it that neither goes nor leaves; the rest goes before it."""
    assert sheet.have is not None
    leaving, staying = [], []
    for kind in children_of(org.KIND.name):
        if not any(a.refers_to == KIND.name for a in kind.attributes):
            continue
        if not sheet.have.was_read(kind.name):
            staying.append(f"whatever {kind.noun}s there are")
        for name, one in sheet.have.of(kind.name).items():
            if one.attrs.get("folder") != draft.handle:
                continue
            own = [d for d in sheet.drafts if d.have is not None and d.have.id == one.id]
            own = [d for d in own if d.action == "delete" or "folder" in d.attrs]
            leaving += [d.address for d in own]
            if not own:
                staying.append(f"the {kind.noun} {name}")
    draft.needs = (*draft.needs, *leaving)
    if staying:
        _error(
            sheet,
            draft,
            f"the folder {draft.handle} is not empty: it holds {_some(staying)}",
            "give that another `folder`, or state it `absent: true` as well; nothing is deleted along with a folder",
        )


def _ambiguous(sheet: OrgSheet, draft: Draft, live: Mapping[str, Resource]) -> bool:
    """Whether several live folders may be the wanted one: it is unclear which of them is meant, or whether none is."""
    if draft.action != "create":
        return False
    managed = set(sheet.ids.values())
    fitting = sorted(one.id for one in _same_place(draft.attrs, live) if one.id not in managed)
    if not fitting:
        return False
    where = f"in {draft.attrs['folder']}" if draft.attrs.get("folder") else "at the top level"
    _error(
        sheet,
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


def _title_is_free(sheet: OrgSheet, draft: Draft, live: Mapping[str, Resource], drafts: Mapping[str, Draft]) -> None:
    """Refuse a title that another folder in the same place has, unless that gives it up in a step before."""
    order = list(drafts)
    for other in _in_the_way(draft, live):
        address = _join(sheet, other)
        own = drafts.get(address)
        if (
            own is not None
            and "title" in own.attrs
            and _is_early(own)
            and order.index(address) < order.index(draft.address)
        ):
            draft.needs = (*draft.needs, address)
            continue
        _error(
            sheet,
            draft,
            f"{other.attrs.get('title')} is the title of another folder in the same place, {other.handle}"
            + (", when this would be sent" if own is not None else ", which no manifest lists"),
            "choose another title, or give that one up in an apply of its own first",
        )


def _moved(sheet: OrgSheet, draft: Draft, live: Mapping[str, Resource]) -> None:
    """Say which workspaces may no longer use what is moved, and let everything be there first that lets others use it."""
    assert draft.have is not None
    target = draft.attrs["folder"]
    gained = [
        d.address
        for d in sheet.drafts
        if d.action == "create"
        and (
            (d.kind.name == permission.KIND.name and d.parent == draft.address)
            or (d.kind is folder_permission.KIND and d.parent in _above(sheet, target))
        )
    ]
    # what it comes into may still be inside of it, by a folder further up that is yet to move
    draft.needs = (*draft.needs, *sorted(_above(sheet, target)), *gained)
    assert draft.want is not None
    old, name = draft.have.attrs.get("folder"), draft.want.name
    own = PERMISSION if draft.kind is KIND else permission.KIND.name
    after = _permitted(sheet, live, target) | {addresses.split(address)[-1][1] for address in gained}
    after |= {_workspace(sheet, row) for row in _rows(sheet, draft.have, own)}
    if permission.EVERYWHERE in after:  # what comes into the folder may be used in all of them
        after |= (
            {_workspace(sheet, row) for row in sheet.have.of(workspace.KIND.name).values()} if sheet.have else set()
        )
    what = f"the folder {name}, with all that is in it," if draft.kind is KIND else name
    sheet.detached[draft.address] = {
        row.id for one in path_of(live, old) for row in _rows(sheet, live[one]) if _workspace(sheet, row) not in after
    }
    for lost in sorted(_permitted(sheet, live, old) - after):
        sheet.warnings.append(
            Diagnostic(
                "warning",
                f"{lost} may use {what} through the folder {old} only: once that is moved it may not, and loses it where it is attached",
                (draft.want.sources or {}).get("folder", draft.want.source),
                f"list {lost} in `workspaces:`, of {name} or of its new folder, if it is to keep it",
            )
        )


def _above(sheet: OrgSheet, name: str | None) -> set[str]:
    """The addresses of a folder that the manifest has and of those that it will be in."""
    wanted = sheet.want.children.get(KIND.name, {})
    found: set[str] = set()
    while name is not None and name in wanted:
        address = addresses.join(sheet.address, KIND.name, name)
        if address in found:
            break
        found.add(address)
        name = wanted[name].attrs.get("folder")
    return found


def _permitted(sheet: OrgSheet, live: Mapping[str, Resource], name: str | None) -> set[str]:
    """The workspaces that may use whatever is in a folder now, by it and by those above it."""
    return {_workspace(sheet, row) for one in path_of(live, name) for row in _rows(sheet, live[one])}


def _rows(sheet: OrgSheet, one: Resource, kind: str = PERMISSION) -> Iterator[Resource]:
    """The permissions of something live, or in place of one for the whole organization all workspaces there are."""
    there = one.of(kind)
    if permission.EVERYWHERE in there and sheet.have is not None:
        yield from sheet.have.of(workspace.KIND.name).values()
    else:
        yield from there.values()


def _workspace(sheet: OrgSheet, row: Resource) -> str:
    """The handle that the workspace of a permission is to have."""
    found = {identifier: addresses.split(address)[-1][1] for address, identifier in sheet.ids.items()}
    return found.get(row.id, row.handle)


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
