"""Who gains and who loses what: memberships, and access to workspaces with what owners reach implicitly."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.kinds import member
from reconciler.model.diagnostic import Diagnostic
from reconciler.model.plan import DnsChange, Effect

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import date

    from reconciler.model.desired import Node
    from reconciler.safeguards.worksheet import GrantWorksheet, Membership, OrgWorksheet

UNREAD = "; with every grant in workspaces that are not managed"
OWNS = "implicit as owner"
CREATED = "as its creator"


def effects(worksheet: OrgWorksheet) -> Iterator[Effect]:
    """The differences in access that the plan makes in one org: owners first, then people by name, then workspaces."""
    ordered = sorted(worksheet.members.items(), key=lambda item: (not _touches_owner(item[1]), item[1].label))
    for _, person in ordered:
        # who creates an org is an owner of it from the first step on, and was nothing in it before
        before, after = _role(person.before) if worksheet.have is not None else None, _role(person.after)
        if before != after:
            why = (
                person.lost
                if after is None or (_touches_owner(person) and before == member.OWNER)
                else CREATED
                if person.before is not None and before is None
                else person.via or "direct"
            )
            if after is None and _some_unread(worksheet):
                why += UNREAD
            ends = _ends(person.entry) if after is not None else (None, None)
            yield Effect(person.label, worksheet.name, before, after, why, _invited(person), *ends, person.robot)
    for space in sorted(worksheet.workspaces, key=lambda s: s.name_after or s.name_before or ""):
        yield from _in_workspace(worksheet, space, ordered)


def _some_unread(worksheet: OrgWorksheet) -> bool:
    """Whether the org has workspaces, or may have, whose grants the plan had no need to read."""
    if worksheet.have is None or worksheet.deleted:
        return False
    if not worksheet.have.was_read("workspace"):
        return True
    return any(space.before is None and space.name_after is not None for space in worksheet.workspaces)


def _role(attrs: dict[str, object] | None) -> str | None:
    return None if attrs is None else str(attrs.get("role", ""))


def _invited(person: Membership) -> bool:
    return person.after is not None and person.after.get("status") == member.INVITED


def _touches_owner(person: Membership) -> bool:
    return _role(person.before) != _role(person.after) and member.OWNER in (_role(person.before), _role(person.after))


def _in_workspace(
    worksheet: OrgWorksheet, space: GrantWorksheet, ordered: list[tuple[str, Membership]]
) -> Iterator[Effect]:
    place = f"{worksheet.name}/{space.name_after or space.name_before}"
    for key, person in ordered:
        owned = person.before is not None and member.is_owner(person.before) and space.name_before is not None
        owns = person.after is not None and member.is_owner(person.after) and space.name_after is not None
        if space.before is None and owned == owns:
            continue  # the grants there were not read, and nothing that is known changes
        had = "owner" if owned else (space.before or {}).get(key)
        has = "owner" if owns else (space.after or {}).get(key)
        if had == has or (had is None and space.name_after is None and space.before is None):
            continue
        if has is None or (owned and not owns):
            why = "no longer an owner" if owned and space.name_after else space.lost.get(key, person.lost)
            if space.name_after is None:
                why = "the org is deleted" if worksheet.deleted else "the workspace is deleted"
        else:
            why = OWNS if owns else _via(space.entries.get(key)) or "direct"
        ends: tuple[date | None, str | None] = (None, None)
        if has is not None:
            ends = (_ends(person.entry)[0], None) if owns else _ends(space.entries.get(key))
        yield Effect(person.label, place, had, has, why, _invited(person), *ends, person.robot)


def _via(entry: Node | None) -> str | None:
    return None if entry is None else entry.via


def _ends(entry: Node | None) -> tuple[date | None, str | None]:
    """The day from which an entry no longer counts, and the role that it names from then on."""
    return (None, None) if entry is None else (entry.expires, entry.then)


def dns(worksheet: OrgWorksheet) -> Iterator[DnsChange]:
    """DNS names that change or go. A workspace's is made of both handles (API page, "Renaming")."""
    old_org = worksheet.have.handle if worksheet.have is not None else worksheet.name
    for space in worksheet.workspaces:
        host, old = space.host, space.name_before
        if not host or old is None:
            continue
        name = f"{worksheet.name}/{space.name_after or old}"
        if space.name_after is None or worksheet.deleted:
            yield DnsChange(name, host, None)
        elif (old_org, old) != (worksheet.name, space.name_after):
            yield DnsChange(name, host, renamed_host(host, (old_org, old), (worksheet.name, space.name_after)))


def dns_warnings(worksheet: OrgWorksheet, changes: Iterable[DnsChange]) -> Iterator[Diagnostic]:
    """One for each name that people connect to and that becomes another: a disabled workspace answers nobody."""
    hosts = {w.attrs.get("host"): w for w in (worksheet.have.of("workspace").values() if worksheet.have else ())}
    for change in changes:
        space = hosts.get(change.before)
        if change.after is None or (space is not None and space.attrs.get("desired_state") == "disabled"):
            continue
        want = worksheet.want.children.get("workspace", {}).get(change.workspace.partition("/")[2])
        yield Diagnostic(
            "warning",
            f"whoever connects to {change.before} finds nobody there after this rename: {change.workspace} will be "
            f"{change.after}",
            want.source if want is not None and want.renamed_from else worksheet.want.source,
            "tell its users, and change connection strings, right after the apply",
        )


def renamed_host(host: str, old: tuple[str, str], new: tuple[str, str]) -> str:
    """The host with the old org's and workspace's handle replaced by the new ones, in its first label."""
    label, dot, rest = host.partition(".")
    for pattern in ("{0}-{1}", "{1}-{0}"):
        prefix = pattern.format(*old)
        if label == prefix or label.startswith(prefix + "-"):
            return pattern.format(*new) + label[len(prefix) :] + dot + rest
    return host.replace(old[0], new[0]).replace(old[1], new[1])
