"""Merges checked documents into one set of entries. Writing the same thing twice is an error that names both places."""

from __future__ import annotations

import posixpath
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from unicodedata import normalize

import msgspec

from reconciler.kinds import KINDS, SECTIONS, children_of, grant, secret
from reconciler.manifest import free_text, json_schema
from reconciler.manifest.document import MAX_PROBLEMS, Map, Seq, shown
from reconciler.manifest.spelling import Speller
from reconciler.model.desired import NO_CHILDREN, Ignored, Node, Person
from reconciler.model.diagnostic import Source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.manifest.check import Gaps
    from reconciler.manifest.document import Document
    from reconciler.model.diagnostic import Diagnostic
    from reconciler.model.policy import Approval, Policy, Waiver


class TeamEntry(msgspec.Struct, frozen=True):
    """Somebody, or a team as `team/NAME`, on the list of a team."""

    name: str
    source: Source
    expires: date | None = None  # the first day on which they are not in the team


class Section(msgspec.Struct):
    """A `members:` section as written: its entries for people and for teams, expired ones included."""

    source: Source
    direct: dict[str, Node] = msgspec.field(default_factory=dict)
    teams: dict[str, Node] = msgspec.field(default_factory=dict)
    dated: bool = False  # some direct entry expires some day


class Written(msgspec.Struct):
    """Everything that the manifests say, merged and not yet resolved."""

    # For the whole run, each with its place
    rules: dict[str, tuple[int, Source]] = msgspec.field(default_factory=dict)  # `safeguards:`
    host: tuple[str, Source] | None = None  # where the Pipes of these manifests is
    resend_after: tuple[int, Source] | None = None  # in days
    waivers: list[Waiver] = msgspec.field(default_factory=list)  # `waivers:`
    team_logins: dict[str, str] = msgspec.field(default_factory=dict)  # the team on GitHub, such as @acme/sre

    # By name
    people: dict[str, Person] = msgspec.field(default_factory=dict)  # `people:`
    teams: dict[str, tuple[Source, list[TeamEntry]]] = msgspec.field(default_factory=dict)  # with the place of each
    orgs: dict[str, Node] = msgspec.field(default_factory=dict)  # `orgs:`
    policies: dict[str, Policy] = msgspec.field(default_factory=dict)  # `policies:`
    approvals: dict[str, Approval] = msgspec.field(default_factory=dict)  # `approvals:`

    # By place: `acme`, `acme/prod`
    people_of: dict[str, Section] = msgspec.field(default_factory=dict)  # the `members:` sections
    named: dict[tuple[str, str], dict[str, Node]] = msgspec.field(
        default_factory=dict
    )  # (place, kind): what has its own handle


class Reporter:
    """Collects errors and warnings, with the lines that they are about. Beyond MAX_PROBLEMS of each it only counts."""

    __slots__ = ("count", "documents", "found", "more", "speller")

    def __init__(self, documents: dict[str, Document]) -> None:
        self.documents = documents
        self.found: list[Diagnostic] = []
        self.count = 0
        self.more: Counter[str] = Counter()
        self.speller = Speller()

    def error(self, summary: str, source: Source, *, hint: str | None = None, also: Source | None = None) -> None:
        self._add("error", summary, source, hint, also)

    def warning(self, summary: str, source: Source, *, hint: str | None = None, also: Source | None = None) -> None:
        self._add("warning", summary, source, hint, also)

    def full(self, severity: str) -> bool:
        """Whether the next problem would only be counted, so that its details need not be looked up."""
        return self.more[severity] > 0 or sum(one.severity == severity for one in self.found) >= MAX_PROBLEMS

    def _add(self, severity: str, summary: str, source: Source, hint: str | None, also: Source | None) -> None:
        self.count += 1
        if self.full(severity):
            self.more[severity] += 1
            return
        document = self.documents[source.file]
        self.found.append(document.diagnostic(severity, summary, source.line, source.column, hint=hint, also=also))


def merge(documents: dict[str, Document], report: Reporter, gaps: Gaps) -> Written:
    """Put the documents together, in their order."""
    written = Written()
    for document in documents.values():
        root = document.root
        if root is None:
            continue
        free_text.check(document, root, report)
        _host(document, root, written, report)
        _rules(document, root.get("safeguards"), written, report)
        _invitations(document, root.get("invitations"), written, report)
        _people(document, root.get("people"), written, report)
        _teams(document, root.get("teams"), written, report)
        if "policies" in root or "waivers" in root or "approvals" in root:
            from reconciler.manifest import rules

            rules.read(document, root, written, report)
        orgs = root.get("orgs")
        if orgs is not None:
            for handle in orgs:
                _org(document, orgs, handle, written, report, gaps)
    return written


def _source(document: Document, holder: Map, key: str) -> Source:
    line, column, _, _ = holder.at[key]
    return Source(document.file, line, column)


def _twice(what: str, source: Source, first: Source, report: Reporter) -> None:
    report.error(f"{what} is written twice", source, hint="keep one of them", also=first)


def _host(document: Document, root: Map, written: Written, report: Reporter) -> None:
    if root.get("host") is None:
        return
    source = _source(document, root, "host")
    if written.host is not None:
        _twice("`host`", source, written.host[1], report)
        return
    written.host = root["host"], source


def _rules(document: Document, section: Map | None, written: Written, report: Reporter) -> None:
    if section is None:
        return
    for key in section:
        source = _source(document, section, key)
        value = section[key]
        inner = (
            [(f"{key}_{name}", item, _source(document, value, name)) for name, item in value.items()]
            if isinstance(value, Map)
            else [(key, value, source)]
        )
        for name, item, place in inner:
            first = written.rules.setdefault(name, (item, place))[1]
            if first is not place:
                _twice(f"safeguard `{name.replace('_removals_', '_removals.')}`", place, first, report)


def _invitations(document: Document, section: Map | None, written: Written, report: Reporter) -> None:
    if section is None or "resend_after" not in section:
        return
    text, source = section["resend_after"], _source(document, section, "resend_after")
    if written.resend_after is not None:
        _twice("`invitations.resend_after`", source, written.resend_after[1], report)
        return
    written.resend_after = int(text[:-1]) * (7 if text.endswith("w") else 1), source


def _people(document: Document, section: Map | None, written: Written, report: Reporter) -> None:
    if section is None:
        return
    for name, entry in section.items():
        reinvite = _day(document, entry, "reinvite", entry["reinvite"], report) if "reinvite" in entry else None
        email = entry.get("email")
        handle = entry.get("handle", None if email else name)
        source = _source(document, section, name)
        person = Person(
            name,
            handle,
            email,
            source,
            reinvite,
            robot=entry.get("robot", False),
            github=entry.get("github"),
            gitlab=entry.get("gitlab"),
        )
        first = written.people.setdefault(name, person)
        if first is not person:
            assert person.source is not None
            assert first.source is not None
            _twice(f"person {name}", person.source, first.source, report)


_NOBODY = Seq(1, 1)


def _teams(document: Document, section: Map | None, written: Written, report: Reporter) -> None:
    if section is None:
        return
    for name, entry in section.items():
        source = _source(document, section, name)
        entries = entry
        if isinstance(entry, Map):
            entries = entry.get("members", _NOBODY)
            if "github" in entry:
                written.team_logins.setdefault(name, entry["github"])
        assert isinstance(entries, Seq)
        team: tuple[Source, list[TeamEntry]] = (source, [])
        for item, place in zip(entries, entries.at, strict=True):
            here, day = Source(document.file, *place), None
            if isinstance(item, Map):
                if "expires" in item:
                    day = _day(document, item, "expires", item["expires"], report)
                item = item["name"]  # noqa: PLW2901
            team[1].append(TeamEntry(item, here, day))
        first = written.teams.setdefault(name, team)
        if first is not team:
            _twice(f"team {name}", source, first[0], report)


def _org(document: Document, orgs: Map, handle: str, written: Written, report: Reporter, gaps: Gaps) -> None:
    entry = orgs[handle]
    source = _source(document, orgs, handle)
    org = written.orgs.get(handle)
    if org is None:
        org = written.orgs[handle] = Node("org", handle, {}, source, sources={})
    if not _attributes(document, entry, org, f"org {handle}", report):
        gaps.orgs.add(handle)
    _sections(document, entry, org, handle, written, report)


def _sections(document: Document, entry: Map, node: Node, place: str, written: Written, report: Reporter) -> None:
    """Read the sections of an object; `place` is its handles: `acme`, `acme/prod`."""
    for kind in children_of(node.kind):
        listed = entry.get(kind.section)
        if listed is None:
            continue
        where = _source(document, entry, kind.section)
        _note(node, kind.name, where)
        if kind.names_people:
            _entries(document, listed, kind.name, written.people_of.setdefault(place, Section(where)), report)
            continue
        if kind.lists_handles_of is not None:
            _names(document, listed, kind.name, where, node, place, report)
            continue
        known = written.named.setdefault((place, kind.name), {})
        for name, inner in listed.items():
            child = known.get(name)
            if child is None:
                child = known[name] = Node(kind.name, name, {}, _source(document, listed, name), sources={})
            _attributes(document, inner, child, f"{kind.noun} {place}/{name}", report)
            _sections(document, inner, child, f"{place}/{name}", written, report)


def _names(document: Document, listed: Seq, kind: str, where: Source, node: Node, place: str, report: Reporter) -> None:
    """Read a list of handles; each is one object of `kind` below `node`."""
    assert node.sources is not None
    first = node.sources[kind]
    if first is not where:
        _twice(f"`{KINDS[kind].section}` of {node.kind} {place}", where, first, report)
        return
    found = node.children.setdefault(kind, {})
    for name, at in zip(listed, listed.at, strict=True):
        child = Node(kind, name, {}, Source(document.file, *at))
        if found.setdefault(name, child) is not child:
            _twice(f"`{name}` of {node.kind} {place}", child.source, found[name].source, report)


def _note(node: Node, key: str, source: Source) -> None:
    assert node.sources is not None
    node.sources.setdefault(key, source)


def _attributes(document: Document, entry: Map, node: Node, what: str, report: Reporter) -> bool:
    """Read the attributes of an object that has its own handle into `node`; False if one is wrong."""
    assert node.sources is not None
    right = True
    for key, value in entry.items():
        if key in SECTIONS[node.kind]:
            continue
        source = _source(document, entry, key)
        first = node.sources.setdefault(key, source)
        if first is not source:
            _twice(f"`{key}` of {what}", source, first, report)
            right = False
        elif key == "absent":
            node.absent = True
        elif key == "reason":
            node.reason = value
        elif key == "renamed_from":
            node.renamed_from = value
            if value == node.name:
                report.error(
                    f"{what} has itself as `renamed_from`",
                    source,
                    hint="write the handle that it had before, or remove the line",
                )
        elif key == "unlisted":
            node.keeps_unlisted = value == "keep"
        elif key == "ignore":
            node.ignored = tuple(_ignored(document, value, report))
        elif key == "everywhere":
            node.everywhere = value
        elif key == "rotate":
            node.rotate = _day(document, entry, key, value, report)
        elif key == secret.FIELD:
            node.attrs[key] = _config(document, value, what, source, report)
        elif key == "token_min_issued_at":
            moment = _moment(value)
            if moment is None:
                report.error(f"`{shown(value)}` does not exist in the calendar", _value_source(document, entry, key))
                right = False
            else:
                node.attrs[key] = moment
        else:
            node.attrs[key] = _cleared(value)
            if isinstance(value, str):
                _unstable(document, entry, key, value, what, report)
    return right


def _ignored(document: Document, listed: Seq, report: Reporter) -> Iterator[Ignored]:
    first: dict[str, Source] = {}
    for entry, at in zip(listed, listed.at, strict=True):
        source = Source(document.file, *at)
        until = _day(document, entry, "until", entry["until"], report) if "until" in entry else None
        handle = entry["handle"]
        if first.setdefault(handle, source) is not source:
            _twice(f"`ignore` of {handle}", source, first[handle], report)
        elif until is not None or "until" not in entry:
            yield Ignored(handle, entry["reason"], source, until)


def _unstable(document: Document, entry: Map, key: str, text: str, what: str, report: Reporter) -> None:
    """Warn of a text that a server may store in another form: then every plan would show it again."""
    if text.strip() and text != text.strip():
        end = "a newline" if text.endswith("\n") else "a space" if text[-1].isspace() else "a space at its start"
        report.warning(
            f"`{key}` of {what} {'has' if end.endswith('start') else 'ends with'} {end}, which Pipes may remove; "
            "then every plan shows it again",
            _value_source(document, entry, key),
            hint="write `>-` or `|-` in place of `>` or `|`" if text.endswith("\n") else "remove it",
        )
    elif not text.isascii() and normalize("NFC", text) != text:
        report.warning(
            f"`{key}` of {what} has letters with separate accents (Unicode NFD), which Pipes may join; then every plan "
            "shows it again",
            _value_source(document, entry, key),
            hint="write the text in the usual form (NFC), as most keyboards do",
        )


def _cleared(value: Any) -> Any:
    """An attribute's value; None where it clears the attribute."""
    return None if value is None or value in ("", []) else list(value) if isinstance(value, Seq) else value


def _moment(text: str) -> str | None:
    """A time with a zone as the same moment in UTC (RFC 3339); None if there is no such moment."""
    try:
        moment = datetime.fromisoformat(text.upper().replace(" ", "T")).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment.replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def _value_source(document: Document, holder: Map, key: str) -> Source:
    return Source(document.file, *holder.at[key][2:])


def _entries(document: Document, listed: Map, kind: str, section: Section, report: Reporter) -> None:
    """Read a `members:` section: the loop that every row of every manifest goes through."""
    file = document.file
    direct = section.direct
    at = listed.at
    for name, value in listed.items():
        line, column, _, _ = at[name]
        source = Source(file, line, column)
        node = (
            Node(kind, name, grant.with_role(value), source, children=NO_CHILDREN)
            if type(value) is str
            else _entry(document, value, kind, name, source, report)
        )
        if name.startswith("team/"):
            node.via = name
            first = section.teams.setdefault(name, node)
        else:
            first = direct.setdefault(name, node)
            if node.expires is not None:
                section.dated = True
        if first is not node:
            _twice(f"{kind} {name}", source, first.source, report)


def _day(document: Document, entry: Map, key: str, text: str, report: Reporter) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        report.error(
            f"`{shown(text)}` does not exist in the calendar",
            _value_source(document, entry, key),
            hint="write a day as YYYY-MM-DD",
        )
    return None


def _config(document: Document, config: Map | None, what: str, source: Source, report: Reporter) -> Any:
    """A configuration as plain values, with references to files seen from the current folder.

    A literal that may be a secret is an error, and so is a reference that names nothing. No message has a value in it.
    """
    folder = PurePosixPath(document.file).parent

    def read(value: Any, path: secret.Path, place: Source) -> Any:
        if isinstance(value, Map):
            for key in value:
                if secret.is_secret_text(key):
                    report.error(
                        f"a key of `{_readable(path)}` of {what} may be a secret, and everyone who can read this file can read it",
                        _source(document, value, key),
                        hint="write it as a value, as ${env:NAME} or ${file:PATH}; if it is a secret, issue a new one",
                    )
            return {key: read(inner, (*path, key), _value_source(document, value, key)) for key, inner in value.items()}
        if isinstance(value, Seq):
            return [
                read(inner, (*path, index), Source(document.file, *value.at[index]))
                for index, inner in enumerate(value)
            ]
        where = f"`{_readable(path)}` of {what}"
        if secret.is_reference(value):
            kind, _, name = value[2:-1].partition(":")
            if kind == "env" and not secret.VARIABLE.fullmatch(name):
                report.error(
                    f"{where} does not name a variable", place, hint="write ${env:NAME}, with letters, digits and _"
                )
            elif kind == "env" and name in secret.OWN:
                report.error(
                    f"{where} would show ${{env:{name}}} to everyone who can read the connection",
                    place,
                    hint="it is a credential of this tool or of its CI job; use a variable of the connection's own",
                )
            return f"${{file:{posixpath.normpath((folder / name).as_posix())}}}" if kind == "file" else value
        if isinstance(value, str) and "${" in value:
            report.error(
                f"{where} has a `${{` in it", place, hint="a reference is a whole value: ${env:NAME} or ${file:PATH}"
            )
        elif secret.may_be_secret(path, value):
            report.error(
                f"{where} may be a secret, and everyone who can read this file can read it",
                place,
                hint="write ${env:NAME} or ${file:PATH} here; if it is a secret, issue a new one",
            )
        return value

    return None if not config else read(config, (), source)


def _readable(path: secret.Path) -> str:
    """The place of a value in a configuration; a key that itself looks like a secret is hidden."""
    return secret.shown((secret.FIELD, *(shown(part) if isinstance(part, str) else part for part in path)))


def _entry(document: Document, entry: Map, kind: str, name: str, source: Source, report: Reporter) -> Node:
    if "absent" in entry:
        return Node(kind, name, {}, source, absent=True, reason=entry.get("reason"))
    text = entry.get("expires")
    expires = _day(document, entry, "expires", text, report) if text is not None else None
    role = _source(document, entry, "role")
    return Node(
        kind, name, grant.with_role(entry["role"]), source, expires=expires, then=_then(document, entry, kind, report),
        reason=entry.get("reason"), sources={"role": role} if role.line != source.line else None,
    )  # fmt: skip


def _then(document: Document, entry: Map, kind: str, report: Reporter) -> str | None:
    """The role that an entry falls back to. One that is not weaker is an error: an expiry never gives more."""
    if entry.get("then") is None:
        return None
    then, role = grant.current(entry["then"]), grant.current(entry["role"])
    rank = json_schema.ranks("orgRole" if kind == "member" else "grantRole")
    if rank[then] < rank[role]:
        return then
    weaker = [name for name in rank if rank[name] < rank[role]]
    report.error(
        f"`then: {then}` is not weaker than `role: {role}`",
        _value_source(document, entry, "then"),
        hint=f"weaker than {role}: {', '.join(weaker)}" if weaker else f"no role is weaker than {role}: remove `then`",
    )
    return None
