"""The order of an apply: who must come before whom, so that an org keeps its owners after every single step.

Renames; creates and promotions from parents to children; moves from one folder to another, once everything is there
that is used through the new one; demotions; removals from children to parents; what ends
tokens; the actor's own loss last of all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.kinds import REFERRED, member, named_below, secret, service_account
from reconciler.model import address as addresses
from reconciler.model.plan import READDRESSED, Change, Step
from reconciler.safeguards.worksheet import loses

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.model.desired import Node
    from reconciler.model.live import Actor
    from reconciler.model.request import Request
    from reconciler.safeguards.worksheet import Draft, OrgWorksheet

SHORT = 3  # a longer list is explained in words

RENAME, RAISE, MOVE, LOWER, REMOVE, LATE, OWN = range(7)


class _Piece:
    """A step before it is numbered: one draft's requests in one phase."""

    __slots__ = ("draft", "needs", "number", "owners", "phase", "requests")

    def __init__(self, draft: Draft, phase: int, requests: tuple[Request, ...]) -> None:
        self.draft = draft
        self.phase = phase
        self.requests = requests
        self.number = 0
        self.needs: set[int] = set()
        self.owners: int | None = None


def _requests(draft: Draft, attrs: dict[str, Any]) -> tuple[Request, ...]:
    kind, have = draft.kind, draft.have
    if draft.action == "create":
        return kind.create(draft.place, draft.handle, attrs)
    assert have is not None
    if draft.reason == READDRESSED:
        return (*kind.delete(draft.place, have), *kind.create(draft.place, draft.handle, attrs))
    if draft.action == "delete":
        return kind.delete(draft.place, have)
    if draft.action == "rename":
        assert kind.rename is not None
        assert draft.want is not None
        return kind.rename(draft.place, have, draft.want.name)
    return kind.update(draft.place, have, attrs)


def _pieces(draft: Draft, actor: Actor) -> Iterable[_Piece]:
    if draft.action == "rename":
        return [_Piece(draft, RENAME, _requests(draft, {}))]
    own = draft.have is not None and draft.have.id == actor.id
    if draft.action == "delete":
        own = own and draft.kind in (member.KIND, service_account.KIND)
        return [_Piece(draft, OWN if own else REMOVE, _requests(draft, {}))]
    if draft.reason == READDRESSED:
        return [_Piece(draft, RAISE, _requests(draft, draft.attrs))]
    if loses(draft):
        own = own and draft.kind is member.KIND
        return [_Piece(draft, OWN if own else LOWER, _requests(draft, draft.attrs))]
    if draft.action == "update" and any(draft.kind.attribute(n).refers_to for n in draft.attrs):
        return [_Piece(draft, MOVE, _requests(draft, draft.attrs))]
    now = {n: v for n, v in draft.attrs.items() if not draft.kind.attribute(n).sent_last}
    late = {n: v for n, v in draft.attrs.items() if draft.kind.attribute(n).sent_last and v is not None}
    pieces = []
    if draft.action == "create" or now:
        pieces.append(_Piece(draft, RAISE, _requests(draft, now)))
    if late and draft.action == "create":
        body = draft.kind.body(late, create=False)
        from reconciler.model.request import Request

        pieces.append(_Piece(draft, LATE, (Request("PATCH", draft.kind.object_path(draft.place, draft.handle), body),)))
    elif late:
        pieces.append(_Piece(draft, LATE, _requests(draft, late)))
    return pieces


def _turn(piece: _Piece) -> tuple[int, int, bool]:
    """The order of removals: content before its container, whether it is below it or refers to it."""
    depth, removed = addresses.depth(piece.draft.address), piece.phase == REMOVE
    return piece.phase, -depth if removed else depth, removed and piece.draft.kind.name in REFERRED


def arrange(worksheet: OrgWorksheet, actor: Actor, first: int) -> tuple[list[Change], list[Step]]:
    """Turn an org's drafts into changes and numbered steps, counting from `first`. `actor` is the token's user."""
    pieces = [piece for draft in worksheet.drafts for piece in _pieces(draft, actor)]
    pieces.sort(key=_turn)
    for number, piece in enumerate(pieces, first):
        piece.number = number
    _needs(pieces)
    _count_owners(worksheet, pieces)
    steps = [
        Step(
            p.number,
            p.draft.address,
            p.draft.action,
            p.draft.place.org if p.phase != RENAME or p.draft.parent else p.draft.handle,
            p.requests,
            tuple(sorted(p.needs)),
            p.owners,
        )
        for p in pieces
    ]
    return _changes(pieces), steps


def _needs(pieces: list[_Piece]) -> None:
    """What each step waits for. A step whose need failed is skipped, so a need must be what makes it safe or possible."""
    makers: dict[str, int] = {}  # address -> the step that creates or renames it
    joins: dict[str, int] = {}  # person -> the step that lets them into the org
    raises: list[int] = []  # steps that give the org an owner
    removals: dict[str, list[int]] = {}  # parent address -> the steps that remove its children
    leaving: dict[str, list[int]] = {}  # person -> the steps that remove their grants
    unlisted = {p.draft.person for p in pieces if _removes_unlisted(p.draft)}
    by_email = [p.number for p in pieces if unlisted and p.phase == RAISE and _invites_by_email(p)]
    last_loss: int | None = None
    last_of: dict[str, int] = {}
    for piece in pieces:
        draft, needs = piece.draft, piece.needs
        if draft.address in last_of:
            needs.add(last_of[draft.address])
        last_of[draft.address] = piece.number
        needs.update(last_of[address] for address in draft.needs if address in last_of)
        parent = draft.parent
        while parent is not None:
            if parent in makers:
                needs.add(makers[parent])
            parent = addresses.above(parent) or None
        if (
            draft.person is not None
            and draft.kind is not member.KIND
            and draft.person in joins
            and piece.phase == RAISE
        ):
            needs.add(joins[draft.person])
        if piece.phase >= REMOVE and draft.person in unlisted:
            # Pipes may refuse one because its address is somebody's who is there: whoever would go here
            needs.update(by_email)
        if draft.action == "delete":
            needs.update(removals.get(draft.address, ()))
            if draft.parent is not None:
                removals.setdefault(draft.parent, []).append(piece.number)
            if draft.kind is member.KIND:
                needs.update(leaving.get(draft.handle, ()))
            elif draft.person is not None:
                leaving.setdefault(draft.person, []).append(piece.number)
        if draft.kind is member.KIND:
            if (draft.action == "create" or draft.reason == READDRESSED) and draft.person is not None:
                joins[draft.person] = piece.number
            if piece.phase == RAISE and member.is_owner(draft.attrs):
                raises.append(piece.number)
            if _loses_owner(draft):
                needs.update(raises)
                if last_loss is not None:
                    needs.add(last_loss)
                last_loss = piece.number
        if piece.phase in (LATE, OWN):
            needs.update(other.number for other in pieces if other.number < piece.number)
        if draft.action in ("create", "rename") and piece.phase in (RENAME, RAISE):
            makers[draft.address] = piece.number


def _removes_unlisted(draft: Draft) -> bool:
    return draft.action == "delete" and draft.kind is member.KIND and not draft.stated


def _invites_by_email(piece: _Piece) -> bool:
    return piece.draft.kind is member.KIND and any(member.is_by_email(request.body) for request in piece.requests)


def _loses_owner(draft: Draft) -> bool:
    return draft.have is not None and member.is_owner(draft.have.attrs) and loses(draft)


def _count_owners(worksheet: OrgWorksheet, pieces: list[_Piece]) -> None:
    """Note how many accepted owners are left after each step that takes one. Only people count, whoever goes."""
    owners = {key for key, one in worksheet.members.items() if one.keeps_the_org_before}
    rows = list(worksheet.have.of(member.KIND.name).values()) if worksheet.have is not None else []
    for piece in pieces:
        draft = piece.draft
        if draft.kind is service_account.KIND and draft.action == "delete" and draft.have is not None:
            going = [m for m in rows if m.id == draft.have.id]
            if any(member.is_accepted_owner(row.attrs) for row in going):
                piece.owners = len(owners)
        if draft.kind is not member.KIND or draft.person is None:
            continue
        if worksheet.members[draft.person].keeps_the_org_after:
            owners.add(draft.person)
        elif (before := worksheet.members[draft.person].before) is not None and member.is_accepted_owner(before):
            owners.discard(draft.person)
            piece.owners = len(owners)


def _changes(pieces: list[_Piece]) -> list[Change]:
    """One change an address, in the order in which its first step comes; a rename and an update of one object are one."""
    together: dict[str, list[_Piece]] = {}
    for piece in pieces:
        together.setdefault(piece.draft.address, []).append(piece)
    return [_change(address, found) for address, found in together.items()]


def _change(address: str, pieces: list[_Piece]) -> Change:
    drafts = list({id(p.draft): p.draft for p in pieces}.values())
    main = drafts[0]
    kind, have, want = main.kind, main.have, main.want
    before = kind.shown(have.attrs) if have is not None else None
    attrs = {name: value for draft in drafts for name, value in draft.attrs.items()}
    after = None
    if main.action != "delete":
        after = kind.shown({**(have.attrs if have is not None else {}), **attrs})
        after.update({name: None for name, value in attrs.items() if value is None and have is not None})
    source = want.source if want is not None else None
    if want is not None and want.sources and len(attrs) == 1:
        source = want.sources.get(next(iter(attrs)), source)
    lasting = want if main.action != "delete" else None
    return Change(
        action=main.action,
        kind=kind.name,
        address=address,
        before=before,
        after=after,
        requests=tuple(request for piece in pieces for request in piece.requests),
        source=source,
        reason=main.reason,
        stated=main.stated,
        previous_address=main.previous_address,
        id=have.id if have is not None else None,
        version=have.version if have is not None else None,
        via=want.via if want is not None else None,
        because=want.reason if want is not None else None,
        expires=lasting.expires if lasting is not None else None,
        then=lasting.then if lasting is not None else None,
        details=(*explain(before or {}, after or {}), *_why_sent(main.want, attrs), *_taken_along(main)),
    )


def _why_sent(want: Node | None, attrs: dict[str, Any]) -> tuple[str, ...]:
    """Why a configuration is sent although live shows no difference."""
    return (f"{secret.FIELD}: {want.rewrite}",) if want is not None and want.rewrite and secret.FIELD in attrs else ()


def _taken_along(draft: Draft) -> Iterable[str]:
    """What goes with an object that is deleted, as far as it was read."""
    if draft.action != "delete" or draft.have is None:
        return
    if draft.kind is service_account.KIND:
        yield "its membership and grants go with it, and its tokens stop working at once"
    for kind in named_below(draft.kind.name):
        if kind.takes_secrets and (gone := sorted(draft.have.of(kind.name))):
            yield f"with it go its own {kind.section}, and their secrets: {', '.join(gone)}"


def explain(before: dict[str, Any], after: dict[str, Any]) -> tuple[str, ...]:
    """How changed lists differ, in words; single values and short lists show it without."""
    lists = [
        n
        for n in after
        if isinstance(after[n], list) and isinstance(before.get(n), list) and after[n] != before[n]
        if max(len(after[n]), len(before[n])) > SHORT
    ]
    if not lists:
        return ()
    from deepdiff import DeepDiff

    lines: list[str] = []
    for name in lists:
        difference = DeepDiff(before[name], after[name], ignore_order=True)
        lines.extend(f"{name}: {added!r} is added" for added in difference.get("iterable_item_added", {}).values())
        lines.extend(f"{name}: {gone!r} is removed" for gone in difference.get("iterable_item_removed", {}).values())
        lines.extend(
            f"{name}: {pair['old_value']!r} becomes {pair['new_value']!r}"
            for pair in difference.get("values_changed", {}).values()
        )
        if not difference:
            lines.append(f"{name}: the order changes")
    return tuple(lines)
