"""Who has which access, as a sheet (a list, or for HTML a matrix of people and workspaces), as JSON and as CSV."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any

from reconciler.model.access import SEEN, activity
from reconciler.report import headed, wording
from reconciler.report.escaping import show_hidden
from reconciler.report.json_document import _source
from reconciler.report.sheet import FOLDED, KEPT, SHOWN, Cell, Item, Matrix, Name, Section, Sheet, Table, Words

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from reconciler.model.access import Access, AccountToken, Assignment, ConnectionUse
    from reconciler.model.made import Made
    from reconciler.model.policy import Verdict

FORMATS = ("text", "json", "csv", "markdown", "html")
FORMAT_VERSION = "1.0"
UNROUTED = {
    "manifests": "The manifests do not say which workspaces use them. To see that, use --live.",
    "live": "Which workspaces use them was not read.",
}
PARTLY_ROUTED = {
    "manifests": "The manifests do not say in which folder they are, or who may use that folder. To see that, use --live.",
    "live": "Which workspaces may use the folders that they are in was not read.",
}
COLUMNS = (
    "person",
    "handle",
    "object",
    "role",
    "why",
    "path",
    "pending",
    "expires",
    "then",
    "robot",
    "last_activity_at",
    # as the tables `pipes_organization_member` and `pipes_organization_workspace_member` of Steampipe's plugin for Pipes
    # have them, so that both can be joined
    "user_handle",
    "org_handle",
    "workspace_handle",
    "status",
    "since",
    "kind",
    "activity",
)
OPEN = "The manifests do not manage all members here, so others may have access. To see everyone, use --live."


def render(
    access: Access,
    format: str,  # noqa: A002
    *,
    color: bool = False,
    verbose: bool = False,
    made: Made | None = None,
    verdict: Verdict | None = None,
) -> str:
    """`access` in one of FORMATS, headed by where it comes from, except in CSV.

    Raises UsageError when html needs Jinja2 and it is not installed.
    """
    if format == "json":
        from reconciler.plan.document import made_document, write

        judged = {}
        if verdict is not None:
            from reconciler.report import policies

            found = policies.document(verdict)
            judged = {"policies": found["policies"], "violations": found["violations"], "waived": found["waived"]}
        return write({**document(access), **judged, **({} if made is None else {"made": made_document(made)})})
    if format == "csv":
        return table(access)
    from reconciler.report.sheet_formats import draw

    sheet = to_sheet(access, matrix=format == "html", short=format == "text")
    if verdict is not None:
        from msgspec.structs import replace

        from reconciler.report import policies

        sheet = replace(sheet, sections=(*policies.verdict_sections(verdict), *sheet.sections))
    return draw(headed(sheet, made), format, color=color, verbose=verbose)


def to_sheet(access: Access, *, matrix: bool = False, short: bool = False) -> Sheet:
    """The report for people; with `matrix`, a table of people and workspaces for each org.

    With `short`, a list too long to be read comes after such a table, folded.
    """
    return Sheet(
        "access",
        "Access",
        (summary(access),),
        tuple(
            _matrices(access) if matrix else [*(_overview(access) if short else ()), *_list(access, whole=not short)]
        ),
        (
            "From the manifests" if access.source == "manifests" else "From Pipes",
            f", as of {access.day.isoformat()}",
        ),
        notes=tuple((note,) for note in access.notes),
        tiles=_tiles(access),
    )


def _tiles(access: Access) -> tuple[tuple[str, str, bool], ...]:
    people = {assignment.key for assignment in access.assignments if not assignment.robot}
    owners = {
        assignment.key
        for assignment in access.assignments
        if "/" not in assignment.object and assignment.role == "owner"
    }
    robots = {assignment.key for assignment in access.assignments if assignment.robot}
    orgs = sum(1 for place in access.objects if "/" not in place)
    found = [
        (str(len(people)), "person" if len(people) == 1 else "people", False),
        (str(len(owners)), "owner" if len(owners) == 1 else "owners", False),
        *([(str(len(robots)), "robot" if len(robots) == 1 else "robots", False)] if robots else []),
        (str(orgs), "organization" if orgs == 1 else "organizations", False),
        (str(len(access.objects) - orgs), "workspace" if len(access.objects) - orgs == 1 else "workspaces", False),
    ]
    return tuple(found)


def summary(access: Access) -> str:
    people = len({assignment.key for assignment in access.assignments if not assignment.robot})
    robots = len({assignment.key for assignment in access.assignments if assignment.robot})
    orgs = sum(1 for place in access.objects if "/" not in place)
    spaces = len(access.objects) - orgs
    beside = f" and {wording.count(robots, 'robot')}" if robots else ""
    return (
        f"{wording.count(people, 'person', 'people')}{beside} in {wording.count(orgs, 'organization')}"
        f" and {wording.count(spaces, 'workspace')}."
    )


LONG = 40  # entries from which a list is hard to read


def _overview(access: Access) -> Iterator[Section]:
    """The matrices of orgs with workspaces; a handful of entries is read more easily as a list."""
    for section in _matrices(access):
        if section.matrix is not None and len(section.matrix.places) > 1:
            yield section


def _list(access: Access, *, whole: bool = True) -> Iterator[Section]:
    live, known = access.source == "live", access.with_activity
    for title, robot in (("Who has access to what", False), ("What robots have access to", True)):
        rows = tuple(
            (
                (Name(assignment.who),), (Name(assignment.object),), (Name(assignment.role),), (_why(assignment),),
                *(_live_cells(assignment, known) if live else ()),
            )
            for assignment in access.assignments
            if assignment.robot is robot
        )  # fmt: skip
        head = ("Who", "What", "Role", "Why", *(("Kind", "Status", "Since", "Last active") if live else ()))
        if rows:
            folded = not whole and len(rows) > LONG
            yield Section("Reasons" if folded else title, table=Table(head, rows), weight=FOLDED if folded else KEPT)
    yield from tokens(access.tokens)
    yield from _connections(access)
    yield from _open(access)


def _live_cells(assignment: Assignment, with_activity: Collection[str]) -> tuple[Words, ...]:
    """What only Pipes knows of a row: kind, status, since when, and the day of the last activity."""
    found = activity(assignment, with_activity)
    last = (assignment.last_activity_at or "")[:10] if found == SEEN else found or ""
    since = (assignment.since or "")[:10]
    return ((assignment.kind,), (Name(assignment.status or ""),), (Name(since),), (Name(last),))


def tokens(found: tuple[AccountToken, ...] | None) -> Iterator[Section]:
    """The tokens of service accounts. Nothing but Pipes' answer to their creation ever has their values."""
    rows = tuple(
        (
            (Name(one.account),), (Name(one.title),), (Name(f"…{one.last4}"),), (Name(one.created[:10]),),
            (Name(one.ends[:10] or "never"),), (Name(one.status),),
        )
        for one in found or ()
    )  # fmt: skip
    if rows:
        head = ("Account", "Title", "Last four", "Created", "Ends", "Status")
        yield Section("Tokens of service accounts", table=Table(head, rows), weight=SHOWN)


def tokens_document(found: tuple[AccountToken, ...] | None) -> list[dict[str, str]] | None:
    """The same for JSON; None where nobody asked for them."""
    if found is None:
        return None
    return [
        {
            "account": one.account,
            "title": one.title,
            "last4": one.last4,
            "created_at": one.created,
            "expires_at": one.ends,
            "status": one.status,
        }
        for one in found
    ]


def connection_access(access: Access) -> Iterator[tuple[ConnectionUse, Assignment]]:
    """Who can use which connection, and through which workspace."""
    by_object: dict[str, list[Assignment]] = {}
    for assignment in access.assignments:
        by_object.setdefault(assignment.object, []).append(assignment)
    for use in access.connection_uses:
        yield from ((use, assignment) for assignment in by_object.get(use.workspace, ()))


def _connections(access: Access) -> Iterator[Section]:
    rows = tuple(
        (
            (Name(use.connection),),
            _place_of(use),
            (Name(assignment.who),),
            (Name(assignment.role),),
            (_why(assignment),),
        )
        for use, assignment in connection_access(access)
    )
    if rows:
        head = ("Connection", "Through", "Who", "Role", "Why")
        yield Section("Who can use which connection", table=Table(head, rows), weight=KEPT)
    known = {use.connection for use in access.connection_uses}
    for title, about, names in (
        (
            "Connections whose location is unknown",
            UNROUTED,
            [name for name in access.open_connections if name not in known],
        ),
        (
            "Connections that more workspaces may use",
            PARTLY_ROUTED,
            [name for name in access.open_connections if name in known],
        ),
    ):
        if names:
            items = tuple(Item((Name(name),)) for name in names)
            yield Section(title, items, weight=SHOWN, about=(about[access.source],))


def _place_of(use: ConnectionUse) -> Words:
    if use.folder is None:
        return (Name(use.workspace),)
    return (Name(use.workspace), ", which may use the folder ", Name(use.folder))


def _open(access: Access) -> Iterator[Section]:
    if access.open:
        yield Section(
            "Possibly incomplete", tuple(Item((Name(place),)) for place in access.open), weight=SHOWN, about=(OPEN,)
        )


def _why(assignment: Assignment) -> str:
    parts = [assignment.reason]
    if assignment.pending:
        parts.append("invited" if assignment.pending == "invited" else "invited by email")
    if assignment.until:
        parts.append(assignment.until)
    return "; ".join(parts)


def _matrices(access: Access) -> Iterator[Section]:
    """One table for each org: a row for each person, a column for the membership and for each workspace."""
    cells: dict[str, dict[tuple[str, str], dict[str, Assignment]]] = {}
    for assignment in access.assignments:
        org = assignment.object.partition("/")[0]
        cells.setdefault(org, {}).setdefault((assignment.who, assignment.key), {})[assignment.object] = assignment
    orgs = dict.fromkeys(place.partition("/")[0] for place in access.objects)
    for org in orgs:
        places = [place for place in access.objects if place == org or place.startswith(f"{org}/")]
        rows = tuple(
            (f"{who} (robot)" if _is_robot(found) else who, tuple(_cell(found.get(place)) for place in places))
            for (who, _), found in sorted(cells.get(org, {}).items(), key=lambda one: _is_robot(one[1]))
        )
        names = tuple(place.partition("/")[2] or "the org" for place in places)
        open_ = any(place in access.open for place in places)
        about: Words = (OPEN,) if open_ else ()
        yield Section(org, matrix=Matrix(names, rows) if rows else None, weight=KEPT, about=about)
    yield from tokens(access.tokens)
    yield from _connections(access)


def _is_robot(found: dict[str, Assignment]) -> bool:
    return any(assignment.robot for assignment in found.values())


def _cell(assignment: Assignment | None) -> Cell | None:
    return None if assignment is None else Cell(assignment.role, _why(assignment), bool(assignment.pending))


def document(access: Access) -> dict[str, Any]:
    """The JSON: one entry in `access` for each person and object. Keys are only ever added to it."""
    known = access.with_activity
    return {
        "format_version": FORMAT_VERSION,
        "kind": "access",
        "source": access.source,
        "day": access.day.isoformat(),
        "objects": list(access.objects),
        "open": list(access.open),
        "teams": {team: list(people) for team, people in sorted(access.teams.items())},
        "access": [
            {
                "person": assignment.person,
                "handle": assignment.key,
                "object": assignment.object,
                "role": assignment.role,
                "why": assignment.why,
                "path": list(assignment.path),
                "pending": assignment.pending or None,
                "expires": assignment.expires.isoformat() if assignment.expires else None,
                "then": assignment.then,
                "source": _source(assignment.source),
                "robot": assignment.robot,
                "last_activity_at": assignment.last_activity_at,
                "since": assignment.since,
                "user_handle": assignment.user_handle,
                "org_handle": assignment.object.partition("/")[0],
                "workspace_handle": assignment.object.partition("/")[2] or None,
                "status": assignment.status,
                "kind": assignment.kind,
                "activity": _activity(access, assignment, known),
            }
            for assignment in access.assignments
        ],
        "tokens": tokens_document(access.tokens),
        "connections": [
            {
                "connection": use.connection,
                "workspace": use.workspace,
                "folder": use.folder,
                "person": assignment.person,
                "handle": assignment.key,
                "role": assignment.role,
                "why": assignment.why,
            }
            for use, assignment in connection_access(access)
        ],
        "connections_open": list(access.open_connections),
        "notes": list(access.notes),
    }


def _activity(access: Access, assignment: Assignment, with_activity: Collection[str]) -> str | None:
    """Whether Pipes has seen somebody active: `seen`, `never`, `unknown`; None for invitations and for manifests."""
    return activity(assignment, with_activity) if access.source == "live" else None


class Lines(list[str]):
    """A list that `csv` can write to."""

    write = list.append


def escape(raw: str) -> str:
    """`raw` on one line, and never a formula in a spreadsheet (OWASP, "CSV Injection")."""
    shown = show_hidden(raw)
    return f"'{shown}" if shown.lstrip().startswith(("=", "+", "-", "@", "\\t", "\\r")) else shown


def table(access: Access) -> str:
    """CSV as in RFC 4180, with a header and Unix newlines."""
    lines = Lines()
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow(COLUMNS)
    known = access.with_activity
    for assignment in access.assignments:
        expires = assignment.expires.isoformat() if assignment.expires else ""
        row = (
            assignment.person,
            assignment.key,
            assignment.object,
            assignment.role,
            assignment.why,
            " ".join(assignment.path),
            assignment.pending,
            expires,
            assignment.then or "",
            "robot" if assignment.robot else "",
            assignment.last_activity_at or "",
            assignment.user_handle or "",
            assignment.object.partition("/")[0],
            assignment.object.partition("/")[2],
            assignment.status or "",
            assignment.since or "",
            assignment.kind,
            _activity(access, assignment, known) or "",
        )
        writer.writerow([escape(cell) for cell in row])
    return "".join(lines)
