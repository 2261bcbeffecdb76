"""Making drafts: what the comparisons of all sections share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from reconciler.kinds import member, secret
from reconciler.model import address as addresses
from reconciler.model.diagnostic import Diagnostic
from reconciler.plan import folders
from reconciler.safeguards.worksheet import Draft

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.kinds.kind import Kind, Place
    from reconciler.model.address import Address
    from reconciler.model.desired import Desired, Node
    from reconciler.model.live import Resource, Snapshot
    from reconciler.plan.identity import Known, Siblings
    from reconciler.safeguards.worksheet import OrgWorksheet

# why an impact says that somebody loses something, by the reason of the change
# the beginning of a note that depends on which secrets a run was given, and on nothing that was reviewed
SECRETS_UNKNOWN = "whether Pipes has these secrets is unknown, and they are left alone"
LOST = {"unlisted": "no longer listed", "absent": "stated absent", "expired": "expired"}
WEAKER_ROLE = "the role written down"
LOST_ACCOUNT = "the service account is deleted"


class Inputs(msgspec.Struct, frozen=True):
    """What one plan compares."""

    desired: Desired
    live: Snapshot
    lock: Known
    siblings: Siblings  # all orgs, wanted and live
    names: Mapping[str, str]  # the manifest's name of each handle that `people:` has

    def is_robot(self, row: Resource, name: str | None) -> bool:
        """Whether a live row, which the manifests or the lock file know as `name`, is no person's."""
        return member.is_service_account(row.attrs) or any(
            known is not None and self.desired.is_robot(known) for known in (name, self.names.get(row.handle))
        )


class Target(msgspec.Struct, frozen=True):
    """The object that a draft is about, and where its requests go."""

    kind: Kind
    address: Address
    parent: Address | None
    place: Place


def create(target: Target, want: Node, handle: str, *, person: str | None = None, needs: tuple[str, ...] = ()) -> Draft:
    """The draft that creates `want` under `handle`. `person` is a key of the worksheet's members."""
    return Draft(
        "create", target.kind, target.address, target.parent, target.place, handle, dict(want.attrs),
        want=want, person=person, needs=needs,
    )  # fmt: skip


def rename(target: Target, have: Resource, want: Node, previous_address: Address) -> Draft:
    """The draft that gives a live object the handle that the manifest states."""
    return Draft(
        "rename", target.kind, target.address, target.parent, target.place, have.handle, {},
        have, want, "renamed", previous_address=previous_address,
    )  # fmt: skip


def delete(target: Target, have: Resource, want: Node | None, reason: str, *, person: str | None = None) -> Draft:
    """The draft that deletes a live object. Every reason but `unlisted` is stated by a line of the manifest."""
    return Draft(
        "delete", target.kind, target.address, target.parent, target.place, have.handle, {},
        have, want, reason, stated=reason != "unlisted", person=person,
    )  # fmt: skip


def update(
    worksheet: OrgWorksheet, target: Target, have: Resource, want: Node, person: str | None = None
) -> Draft | None:
    """Add the draft that brings live to what is wanted, if there is a difference that can be sent; give it back."""
    kind = target.kind
    attrs = kind.differences(have.attrs, want.attrs)
    if want.unknown is not None:
        worksheet.notes.append(f"{target.address}: {SECRETS_UNKNOWN}: {want.unknown}")
    if want.rewrite is not None and secret.FIELD in want.attrs:
        attrs[secret.FIELD] = want.attrs[secret.FIELD]
    for name in [name for name in attrs if not (kind.attribute(name).on_update or kind.attribute(name).own_request)]:
        worksheet.errors.append(
            Diagnostic(
                "error",
                f"{name} of the {kind.noun} {want.name} is {have.attrs.get(name)}, and cannot be changed to {attrs.pop(name)}",
                (want.sources or {}).get(name, want.source),
                f"write what is live, or create a {kind.noun} with another handle and state this one `absent: true`",
            )
        )
    if attrs.get(secret.FIELD) and not secret.references(attrs[secret.FIELD]):
        warn(
            worksheet,
            want,
            f"config of {want.name} is replaced as a whole: secrets that Pipes has and this config does not refer to are lost",
            "write them as ${env:NAME} or ${file:PATH} under `config:`",
        )
    if not attrs:
        return None
    draft = Draft(
        "update", kind, target.address, target.parent, target.place, have.handle, attrs,
        have, want, person=person, needs=folders.referred(kind, target.place, attrs),
    )  # fmt: skip
    worksheet.drafts.append(draft)
    return draft


def warn(worksheet: OrgWorksheet, node: Node, summary: str, hint: str | None = None) -> None:
    """Add a warning about the manifest's line of `node`."""
    worksheet.warnings.append(Diagnostic("warning", summary, node.source, hint))


def labelled(name: str, handle: str, *, robot: bool = False) -> str:
    """A person's name as impacts show it: with the Pipes handle where that is another one, and `robot` for one."""
    if name.startswith(addresses.SERVICE):
        return name
    behind = [handle] * (name != handle) + ["robot"] * robot
    return f"{name} ({', '.join(behind)})" if behind else name
