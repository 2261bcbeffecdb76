"""The children of an org or a workspace that carry handles of their own: workspaces, connections and folders."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from reconciler.kinds import children_of, named_below, secret, workspace
from reconciler.kinds import org as org_kind
from reconciler.model import address as addresses
from reconciler.model.diagnostic import Diagnostic, Refusal
from reconciler.model.live import SENT, UNTOLD
from reconciler.plan import folders, identity
from reconciler.plan.diff import drafts, grants, lists
from reconciler.plan.diff.drafts import Inputs, Target, warn
from reconciler.safeguards import looks_like_rename, secret_loss
from reconciler.safeguards.worksheet import GrantWorksheet

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from reconciler.kinds.kind import Kind, Place
    from reconciler.model.address import Address
    from reconciler.model.desired import Node
    from reconciler.model.live import LockEntry, Resource
    from reconciler.plan.identity import Match
    from reconciler.safeguards.worksheet import Draft, OrgWorksheet


def compare(worksheet: OrgWorksheet, kind: Kind, above: Address, place: Place, parent: Match, inputs: Inputs) -> None:
    """Plan the children of `kind` of the object at `above`, and what is below them. Unlisted ones are left alone."""
    wanted = parent.want.children[kind.name]
    live = parent.have.of(kind.name) if parent.have else {}
    matches, refusals = identity.match_named(kind, above, wanted, live, inputs.lock.entries)
    worksheet.refusals.extend(refusals)
    for name, match in matches.items():
        if match.have is not None:
            worksheet.ids[addresses.join(above, kind.name, name)] = match.have.id
    siblings = identity.Siblings(kind, above, wanted, live)
    for name, match in folders.in_order(kind, matches):
        address = addresses.join(above, kind.name, name)
        have = _without_secrets(kind, match.have, match.want, inputs.lock.entries.get(address))
        if have is not None:
            worksheet.named[address] = have
        target = Target(kind, address, above, _place_of(kind, place, name, address, have))
        _check_whose_handle(worksheet, target, parent, match)
        if match.want.absent:
            if have is not None:
                worksheet.drafts.append(drafts.delete(target, have, match.want, "absent"))
                if kind is workspace.KIND:
                    grants.of_deleted(worksheet, have)
        else:
            _wanted(worksheet, target, have, match, inputs, siblings)
    if siblings.exhausted:
        worksheet.refusals.append(looks_like_rename.too_many(kind, above, worksheet.want.source))
    _leave_alone(worksheet, kind, above, matches, wanted, live, inputs)


def _place_of(kind: Kind, place: Place, name: str, address: Address, have: Resource | None) -> Place:
    """Where requests for the child `name` go: by its handle, or by its id where the kind has no handles."""
    if not kind.has_handles and kind.parent == org_kind.KIND.name:
        return replace(place, org_child=have.id if have is not None else "", late=None if have is not None else address)
    return replace(place, org_child=name) if kind.parent == org_kind.KIND.name else place


def _wanted(
    worksheet: OrgWorksheet,
    target: Target,
    have: Resource | None,
    match: Match,
    inputs: Inputs,
    siblings: identity.Siblings,
) -> None:
    """Plan an object that must be there, and what is below it."""
    kind, want = target.kind, match.want
    if have is None:
        _create(worksheet, target, want, inputs, siblings)
    else:
        _change(worksheet, target, have, match, inputs)
    if kind is workspace.KIND:
        grants.compare(worksheet, target.place, target.address, match, inputs)
    lists.compare(worksheet, target.place, target.address, match)
    for child in named_below(kind.name):
        if child.name in want.children:
            inside = replace(target.place, top_id=have.id if have is not None else "")
            compare(worksheet, child, target.address, inside, match, inputs)


def _create(worksheet: OrgWorksheet, target: Target, want: Node, inputs: Inputs, siblings: identity.Siblings) -> None:
    kind = target.kind
    twin = identity.left_behind(want.name, siblings, inputs.lock.entries)
    if twin is not None:
        worksheet.refusals.append(looks_like_rename.refusal(kind, target.address, want, twin))
    for lacking in (a.name for a in kind.attributes if a.required and not want.attrs.get(a.name)):
        worksheet.errors.append(
            Diagnostic(
                "error",
                f"the {kind.noun} {want.name} is not live, and has no {lacking} to be created with",
                want.source,
                f"write `{lacking}:`, or the handle of a live one",
            )
        )
    if kind is workspace.KIND:
        want = _as_it_can_be(worksheet, None, want)
    needs = folders.referred(kind, target.place, want.attrs)
    worksheet.drafts.append(drafts.create(target, want, want.name, needs=needs))


def _change(worksheet: OrgWorksheet, target: Target, have: Resource, match: Match, inputs: Inputs) -> None:
    want = match.want
    if match.renamed:
        previous = addresses.join(target.parent, target.kind.name, have.handle)
        worksheet.drafts.append(drafts.rename(target, have, want, previous))
        # an update comes after the rename, so its requests name the object as it is called then
        have = msgspec.structs.replace(have, handle=want.name)
    if target.kind is workspace.KIND:
        want = _as_it_can_be(worksheet, have, want)
    draft = drafts.update(worksheet, target, have, want)
    if draft is not None and secret.FIELD in draft.attrs:
        _check_secrets(worksheet, draft, inputs.lock.entries.get(target.address), inputs.desired.day)


def _as_it_can_be(worksheet: OrgWorksheet, have: Resource | None, want: Node) -> Node:
    """A wanted workspace without what Pipes cannot do, which is an error, and without waking one that is asleep."""
    live, attrs = have.attrs if have is not None else {}, dict(want.attrs)
    problem = workspace.volume_problem(live, attrs)
    if problem is not None:
        source = (want.sources or {}).get(workspace.VOLUME, want.source)
        worksheet.errors.append(
            Diagnostic("error", f"workspace {want.name}: {problem}", source, "write what is live, or drop the line")
        )
        del attrs[workspace.VOLUME]
    if attrs.get("desired_state") == "enabled" and live.get("desired_state") != "enabled" and workspace.is_asleep(live):
        worksheet.notes.append(
            f"{worksheet.name}/{want.name} is asleep, because nobody used it: its desired_state is left alone until it wakes"
        )
        del attrs["desired_state"]
    return msgspec.structs.replace(want, attrs=attrs) if attrs != want.attrs else want


def _leave_alone(
    worksheet: OrgWorksheet,
    kind: Kind,
    above: Address,
    matches: Mapping[str, Match],
    wanted: Mapping[str, Node],
    live: Mapping[str, Resource],
    inputs: Inputs,
) -> None:
    """Report live objects that the manifest does not list. They stay as they are."""
    managed = set(wanted) | {match.have.handle for match in matches.values() if match.have is not None}
    # what was renamed outside is managed, though under a name that nobody lists
    entries = inputs.lock.entries
    known = {entries[a].id for n in wanted if (a := addresses.join(above, kind.name, n)) in entries}
    for handle, have in live.items():
        if handle in managed:
            continue
        if have.id not in known:
            worksheet.unmanaged.append(addresses.join(above, kind.name, handle))
        if kind is workspace.KIND:
            worksheet.workspaces.append(GrantWorksheet(handle, handle, host=have.attrs.get("host")))


def _check_secrets(worksheet: OrgWorksheet, draft: Draft, known: LockEntry | None, day: date) -> None:
    """Refuse to replace an imported configuration until the manifest states that it has all secrets."""
    want = draft.want
    assert want is not None
    assert draft.have is not None
    if known is None or known.id != draft.have.id or known.more.get(SENT) != UNTOLD:
        return
    if want.rotate is None or want.rotate > day:
        worksheet.refusals.append(secret_loss.refusal(draft.address, want, day))


def _without_secrets(kind: Kind, have: Resource | None, want: Node, known: LockEntry | None) -> Resource | None:
    """A live object without the values that the manifest, or what was sent last, refers to as secrets."""
    names = [a.name for a in kind.attributes if a.secret and have is not None and have.attrs.get(a.name)]
    if have is None or not names:
        return have
    attrs = dict(have.attrs)
    sent = known.more.get(SENT) if known is not None else None
    for name in names:
        places = {*secret.references(want.attrs.get(name)), *(sent if isinstance(sent, dict) else ())}
        attrs[name] = secret.hidden(attrs[name], places)
    return msgspec.structs.replace(have, attrs=attrs)


def _check_whose_handle(worksheet: OrgWorksheet, target: Target, parent: Match, match: Match) -> None:
    """Refuse a handle by which a request may mean one of the org's objects instead: which one is never guessed."""
    other = target.kind.must_differ_from
    if other is None:
        return
    want, name, org, workspace_name = match.want, match.want.name, worksheet.name, parent.want.name
    attached = name in (parent.have.inherited_of(target.kind.name) if parent.have is not None else {})
    if want.absent and match.have is None:
        if attached:
            warn(
                worksheet,
                want,
                f"{name} in {workspace_name} is the {other} of {org}, which is attached there: `absent: true` is about "
                "the workspace's own, and does nothing",
                f"take {workspace_name} off the `workspaces` of that {other}",
            )
        return
    beside = worksheet.want.children.get(other, {}).get(name)
    live = worksheet.have is not None and name in worksheet.have.of(other)
    wanted = beside is not None and not beside.absent
    new = match.have is None or match.renamed
    joins = beside is not None and any(
        workspace_name in beside.children.get(k.name, {})
        for k in children_of(other)
        if k.lists_handles_of == parent.want.kind
    )
    if not attached and not joins and not (new and (live or wanted)):
        return
    what = f"{org} itself {'has' if live or attached else 'will have'} the {other} {name}"
    where = f", which {'is' if attached else 'will be'} attached to {workspace_name}" if attached or joins else ""
    worksheet.refusals.append(
        Refusal(
            "handle-taken",
            target.address,
            f"{what}{where}: by that handle, Pipes may take a request for the workspace's own as one for the organization's",
            f"choose another handle, or attach the organization's with `workspaces: [{workspace_name}]`"
            + ("; to delete or rename that one, do so in an apply of its own first" if live else ""),
            want.source,
            liftable=False,
        )
    )
