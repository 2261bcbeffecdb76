"""Service accounts: which live account each key means, and who `service/NAME` is among the members."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from reconciler.kinds import member, service_account
from reconciler.model import address as addresses
from reconciler.model.diagnostic import Diagnostic, Refusal
from reconciler.plan.diff import named
from reconciler.safeguards.worksheet import Who

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reconciler.kinds.kind import Place
    from reconciler.model.desired import Node
    from reconciler.model.live import Resource
    from reconciler.plan import identity
    from reconciler.plan.diff.drafts import Inputs
    from reconciler.safeguards.worksheet import OrgWorksheet

KIND = service_account.KIND


def compare(worksheet: OrgWorksheet, place: Place, match: identity.Match, inputs: Inputs) -> None:
    """Plan the accounts themselves, before whatever names them: their roles and grants are members'."""
    wanted = match.want.children.get(KIND.name)
    if wanted is None:
        return
    if place.custom_tenant:
        _of_the_tenant(worksheet, wanted)
        return
    live = match.have.of(KIND.name) if match.have is not None else {}
    clear = {name: want for name, want in wanted.items() if not _in_doubt(worksheet, name, want, live)}
    children = {**match.want.children, KIND.name: clear}
    named.compare(worksheet, KIND, worksheet.address, place, replace(match, want=_with(match.want, children)), inputs)
    worksheet.leaving = {
        draft.have.id for draft in worksheet.drafts if draft.kind is KIND and draft.action == "delete" and draft.have
    }


def _with(node: Node, children: dict[str, dict[str, Node]]) -> Node:
    return msgspec.structs.replace(node, children=children)


def _in_doubt(worksheet: OrgWorksheet, name: str, want: Node, live: Mapping[str, Resource]) -> bool:
    """Whether it is unclear which account a key means. A second account is never made because of that."""
    if name in live:
        return False
    handle = want.attrs.get(service_account.HANDLE)
    if handle:
        if not want.absent:
            _wrong(
                worksheet,
                want,
                f"no service account of {worksheet.name} has the handle {handle}, which {name} names",
                "correct the handle, or drop the line to create an account",
            )
        return True
    title = service_account.title_of(name, want)
    fitting = sorted(str(one.attrs[service_account.HANDLE]) for one in live.values() if one.attrs["title"] == title)
    if not fitting:
        return False
    worksheet.refusals.append(
        Refusal(
            "who-is-this",
            addresses.join(worksheet.address, KIND.name, name),
            f"{name} may be any of the service accounts with the title `{title}`: {', '.join(fitting)}",
            f"write the handle of the one that is meant under {name}, such as `handle: {fitting[0]}`",
            want.source,
            liftable=False,
        )
    )
    return True


def _of_the_tenant(worksheet: OrgWorksheet, wanted: Mapping[str, Node]) -> None:
    """In a custom tenant, the tenant has the accounts: an org names them by handle, and can only let them in."""
    for name, want in wanted.items():
        if want.absent:
            problem, hint = (
                f"{name} is a service account of the tenant of {worksheet.name}, and cannot be deleted here",
                f"state that it leaves the organization: `{addresses.SERVICE}{name}: {{absent: true}}` under `members:`",
            )
        elif not want.attrs.get(service_account.HANDLE):
            problem, hint = (
                f"{worksheet.name} is in a custom tenant, whose service accounts the tenant makes: {name} has no handle",
                "write the handle of one of the tenant's as `handle:`",
            )
        elif "title" in want.attrs or "description" in want.attrs:
            problem, hint = (
                f"title and description of {name} belong to the tenant of {worksheet.name}, and cannot be set here",
                "keep `handle:` and `responsible:` alone",
            )
        else:
            continue
        _wrong(worksheet, want, problem, hint)


def _wrong(worksheet: OrgWorksheet, node: Node, problem: str, hint: str) -> None:
    worksheet.errors.append(Diagnostic("error", problem, node.source, hint))


def identify(worksheet: OrgWorksheet, place: Place, names: Iterable[str], live_members: Mapping[str, Resource]) -> None:
    """Enter who each `service/NAME` is into `worksheet.people`. One whose account is in doubt is left out, with all it has."""
    accounts = worksheet.want.children.get(KIND.name, {})
    inherited = worksheet.have.inherited_of(member.KIND.name) if worksheet.have is not None else {}
    by_id = {row.id: row for row in live_members.values()}
    for name in names:
        key = name.removeprefix(addresses.SERVICE)
        want = accounts.get(key)
        if want is None:
            continue
        address = addresses.join(worksheet.address, KIND.name, key)
        account = worksheet.named.get(address)
        if place.custom_tenant:
            handle = want.attrs.get(service_account.HANDLE)
            if handle:
                worksheet.people[name] = Who(name, handle, live_members.get(handle), inherited.get(handle))
        elif account is not None:
            row = by_id.get(account.id)
            handle = str(account.attrs[service_account.HANDLE])
            worksheet.people[name] = Who(name, row.handle if row is not None else handle, row, account=account.id)
        elif any(draft.address == address for draft in worksheet.drafts):
            worksheet.people[name] = Who(name, name, None, account=address, is_new=True)
        elif want.absent:
            worksheet.people[name] = Who(name, name, None)


def _key_of(worksheet: OrgWorksheet, handle: str) -> str | None:
    """The key of the manifests for a live service account."""
    accounts = ((address, one) for address, one in worksheet.named.items() if one.kind == KIND.name)
    return next(
        (address.rpartition(".")[2] for address, one in accounts if one.attrs[service_account.HANDLE] == handle), None
    )


def refuse_handles(worksheet: OrgWorksheet, section: Mapping[str, Node]) -> set[str]:
    """Report entries that name a service account as if it were a person; gives back their names, which plan nothing."""
    found = set()
    for name, node in section.items():
        who = worksheet.people.get(name)
        if who is None or name.startswith(addresses.SERVICE):
            continue
        row = who.have or who.inherited
        if row is None or not member.is_service_account(row.attrs):
            continue
        found.add(name)
        key = _key_of(worksheet, row.handle)
        _wrong(
            worksheet,
            node,
            f"{row.handle} is a service account, and is listed here as if it were a person",
            f"write `{addresses.SERVICE}{key}`"
            if key
            else f"give it a key, `{KIND.section}: {{NAME: {{handle: {row.handle}}}}}`, and write `{addresses.SERVICE}NAME`",
        )
    return found
