"""Reads `policies:`, `waivers:` and `approvals:`, and checks the names in them. What breaks a policy is `policy`'s business."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from reconciler.kinds import connection, grant, member, workspace, workspace_connection
from reconciler.manifest.document import Map, Seq, shown
from reconciler.model.diagnostic import Source
from reconciler.model.policy import NONE, OWNERS, Approval, Policy, Side, Waiver, pattern_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from reconciler.manifest.check import Gaps
    from reconciler.manifest.document import Document
    from reconciler.manifest.merge import Reporter, Written
    from reconciler.model.desired import Node

KEYS = ("policies", "waivers", "approvals")
RULES = ("people", "only", "expires_within", "reason", "apart", "robots", "email_domains")
DEFAULT = "default"


def read(document: Document, root: Map, written: Written, report: Reporter) -> None:
    """Add the rules of one document to `written`."""
    for name, entry in root.get("policies", {}).items():
        source = _key(document, root["policies"], name)
        policy = _policy(name, entry, source)
        first = written.policies.setdefault(name, policy)
        if first is not policy:
            report.error(f"policy {name} is written twice", source, hint="keep one of them", also=first.source)
        elif not any(key in entry for key in RULES):
            report.error(f"policy {name} asks for nothing", source, hint=f"write one of {_listed(RULES)}")
        elif "in" not in entry and "connection" not in entry and not policy.apart:
            report.error(
                f"policy {name} does not say where",
                source,
                hint='write `in:` with orgs ("*"), workspaces ("*/prod"), or `connection:`',
            )
        elif "in" in entry and "connection" in entry:
            report.error(f"policy {name} has both `in` and `connection`", source, hint="write two policies")
        elif policy.min is not None and policy.max is not None and policy.min > policy.max:
            report.error(f"policy {name} wants at least {policy.min} and at most {policy.max} people", source)
    _waivers(document, root.get("waivers"), written, report)
    for key, entry in root.get("approvals", {}).items():
        source = _key(document, root["approvals"], key)
        of = _many(entry["of"])
        approval = Approval(key, () if of == (NONE,) else of, source, entry.get("count", 1))
        if written.approvals.setdefault(key, approval) is not approval:
            first_source = written.approvals[key].source
            report.error(f"approval {key} is written twice", source, hint="keep one of them", also=first_source)
        elif NONE in of and len(of) > 1:
            report.error(f"approval {key} has `none` beside names", source, hint="keep one of the two")
        elif NONE in of and key == "rules":
            report.error(
                "`rules` can never be `none`", source, hint="name the people who agree to changes of the rules"
            )
        elif key.startswith("role/") and key.removeprefix("role/") != member.OWNER:
            report.error(f"there is no approval key `{shown(key)}`", source, hint="did you mean `role/owner`?")


def _key(document: Document, holder: Map, key: str) -> Source:
    line, column, _, _ = holder.at[key]
    return Source(document.file, line, column)


def _many(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    return tuple(dict.fromkeys(value)) if isinstance(value, Seq) else (value,)


def _roles(value: Any) -> tuple[str, ...]:
    return tuple(dict.fromkeys(grant.current(role) for role in _many(value)))


def _days(text: str | None) -> int | None:
    return None if text is None else int(text[:-1]) * (7 if text.endswith("w") else 1)


def _policy(name: str, entry: Map, source: Source) -> Policy:
    people = entry.get("people", {})
    domains = entry.get("email_domains")
    return Policy(
        name,
        source,
        places=_many(entry.get("in")),
        connections=_many(entry.get("connection")),
        roles=_roles(entry.get("role")),
        unless=_many(entry.get("unless")),
        min=people.get("min"),
        max=people.get("max"),
        only=_many(entry["only"]) if "only" in entry else None,
        expires_within=_days(entry.get("expires_within")),
        reason="reason" in entry,
        apart=tuple(
            Side(places=_many(side.get("in")), roles=_roles(side.get("role"))) if isinstance(side, Map) else Side(side)
            for side in entry.get("apart", ())
        ),
        robots="robots" in entry,
        email_domains=None if domains is None else tuple(domain.lower() for domain in _many(domains)),
        level=entry.get("level", "error"),
        message=entry.get("message", ""),
        help=entry.get("help", ""),
    )


def _waivers(document: Document, section: Seq | None, written: Written, report: Reporter) -> None:
    first: dict[tuple[Any, ...], Source] = {
        (waiver.policy, waiver.who, waiver.place): waiver.source for waiver in written.waivers
    }
    for entry, at in zip(section or (), section.at if section is not None else (), strict=True):
        source = Source(document.file, *at)
        try:
            until = date.fromisoformat(entry["until"])
        except ValueError:
            place = Source(document.file, *entry.at["until"][2:])
            report.error(
                f"`{shown(entry['until'])}` does not exist in the calendar", place, hint="write a day as YYYY-MM-DD"
            )
            continue
        waiver = Waiver(entry["policy"], until, entry["reason"], source, entry.get("who"), entry.get("in"))
        also = first.setdefault((waiver.policy, waiver.who, waiver.place), source)
        if also is not source:
            who = f" for {waiver.who}" if waiver.who is not None else ""
            where = f" in {waiver.place}" if waiver.place is not None else ""
            report.error(
                f"policy {waiver.policy} is waived twice{who}{where}", source, hint="keep one of them", also=also
            )
        written.waivers.append(waiver)


# --- names ------------------------------------------------------------------------------------------------------------


def check(written: Written, report: Reporter, gaps: Gaps) -> None:
    """Refuse unknown names in rules, and warn of patterns that match nothing."""
    known = _Known(written)
    whole = not (gaps.everything or gaps.orgs or gaps.rules)
    for policy in written.policies.values():
        for name in (*policy.unless, *(policy.only or ()), *(side.team for side in policy.apart if side.team)):
            _whom(name, f"policy {policy.name}", policy.source, known, report, gaps)
        if not whole:
            continue
        patterns = [(pattern, known.places) for pattern in policy.places]
        patterns += [(pattern, known.places) for side in policy.apart for pattern in side.places]
        patterns += [(pattern, known.connections) for pattern in policy.connections]
        for pattern, places in patterns:
            if not any(map(pattern_of(pattern).fullmatch, places)):
                near = _near(pattern, places, report)
                report.warning(
                    f"`{pattern}` of policy {policy.name} matches nothing", policy.source, hint=near or "drop it"
                )
    if whole:
        for waiver in written.waivers:
            _waiver(waiver, written.policies, known, report)
    for approval in written.approvals.values():
        for name in approval.of:
            _whom(name, f"approval {approval.key}", approval.source, known, report, gaps)
    approvals = written.approvals
    if approvals and whole and "rules" not in approvals and not approvals.get(DEFAULT, _NOBODY).of:
        report.error(
            "`approvals` does not say who agrees to changes of the rules",
            next(iter(approvals.values())).source,
            hint="write `rules: {of: team/NAME}`, or a `default` with people",
        )


_NOBODY = Approval(DEFAULT, (), Source("", 1))


def _waiver(waiver: Waiver, policies: Mapping[str, Policy], known: _Known, report: Reporter) -> None:
    policy = policies.get(waiver.policy)
    if policy is None:
        near = report.speller.nearest(waiver.policy, policies)
        hint = f"did you mean `{near}`?" if near else "remove the waiver"
        report.error(f"there is no policy `{waiver.policy}`", waiver.source, hint=hint)
        return
    counts = policy.min is not None or policy.max is not None
    if policy.about_people and not (counts and waiver.who is None) and (waiver.who is None or waiver.place is None):
        missing = " and ".join(key for key, value in (("`who`", waiver.who), ("`in`", waiver.place)) if value is None)
        report.error(
            f"policy {policy.name} is about people, and its waiver has no {missing}",
            waiver.source,
            hint="name one person and one place",
        )
        return
    if waiver.who is not None and waiver.who not in known.people and not known.leaves_alone(waiver.place):
        near = report.speller.nearest(waiver.who, known.people)
        hint = f"did you mean `{near}`?" if near else "a waiver names somebody whom the manifests list"
        report.error(f"no manifest lists `{waiver.who}`", waiver.source, hint=hint)
    places = {*known.places, *known.connections}
    if waiver.place is not None and waiver.place not in places:
        hint = _near(waiver.place, places, report) or "a waiver names one org, workspace or connection of the manifests"
        report.error(f"there is no place `{waiver.place}`", waiver.source, hint=hint)


def _near(text: str, known: Collection[str], report: Reporter) -> str | None:
    near = report.speller.nearest(text, known)
    return f"did you mean `{near}`?" if near else None


def _whom(name: str, what: str, source: Source, known: _Known, report: Reporter, gaps: Gaps) -> None:
    kind, _, inner = name.rpartition("/")
    if kind == "team" and inner not in known.teams and not (gaps.everything or gaps.teams):
        hint = _near(inner, known.teams, report)
        hint = hint.replace("`", "`team/", 1) if hint else "write it under `teams:`"
        report.error(f"{what} names `{name}`, but there is no such team", source, hint=hint)
    elif kind == "" and name not in (OWNERS, NONE) and name in known.teams and name not in known.people:
        report.error(f"{what} names `{name}`, which is a team", source, hint=f"write `team/{name}`")


class _Known:
    """The names that the manifests define. Built only if there are rules."""

    def __init__(self, written: Written) -> None:
        self.teams = written.teams.keys()
        self.places = tuple(_places(written.orgs))
        self.connections = tuple(_connections(written.orgs))
        self._written = written
        self._people: set[str] | None = None

    def leaves_alone(self, place: str | None) -> bool:
        """Whether the manifests do not list everyone in a place, so that its people may have no line."""
        org = self._written.orgs.get((place or "").partition("/")[0])
        return org is not None and (member.KIND.name not in org.children or org.keeps_unlisted)

    @property
    def people(self) -> set[str]:
        """Every name that means somebody."""
        if self._people is None:
            sections = self._written.people_of.values()
            listed: Iterable[str] = (name for section in sections for name in section.direct)
            teams = (entry.name for _, entries in self._written.teams.values() for entry in entries)
            self._people = {*self._written.people, *listed, *(one for one in teams if not one.startswith("team/"))}
        return self._people


def _places(orgs: Mapping[str, Node]) -> Iterator[str]:
    for name, org in orgs.items():
        if not org.absent:
            yield name
            spaces = org.children.get(workspace.KIND.name, {})
            yield from (f"{name}/{space}" for space, node in spaces.items() if not node.absent)


def _connections(orgs: Mapping[str, Node]) -> Iterator[str]:
    own = workspace_connection.KIND.name
    for name, org in orgs.items():
        yield from (f"{name}/{one}" for one in org.children.get(connection.KIND.name, {}))
        for space, node in org.children.get(workspace.KIND.name, {}).items():
            yield from (f"{name}/{space}/{one}" for one in node.children.get(own, {}))


def _listed(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)
