"""`approvals:` as a CODEOWNERS file. It goes by file and not by change: a forge cannot check more exactly."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.kinds import workspace
from reconciler.model.policy import OWNERS, pattern_of
from reconciler.policy.consents import DEFAULT, LOSING, OWNER, RULES, WORDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from reconciler.model.desired import Desired
    from reconciler.model.policy import Approval

BEGIN = "# reconciler: begin (written by `reconciler codeowners --write`; changes here are lost)"
END = "# reconciler: end"


def lines(desired: Desired, files: Mapping[str, str]) -> Iterator[str]:
    """A line for each manifest, with everyone who may have to agree to a change in it.

    `files` leads from each file of the manifests to its path from the root of the repository.
    """
    approvals = desired.approvals
    places = _places(desired)
    rules = approvals.get(RULES) or approvals.get(DEFAULT)
    for file, path in sorted(files.items(), key=lambda item: item[1]):
        needed: dict[str, Approval] = {}
        here = places.get(file, ())
        for place in here:
            found = [one for key, one in approvals.items() if key not in WORDS and pattern_of(key).fullmatch(place)]
            needed.update({one.key: one for one in found})
            if not found and DEFAULT in approvals:
                needed[DEFAULT] = approvals[DEFAULT]
        if here:
            needed.update({key: approvals[key] for key in (OWNER, LOSING) if key in approvals})
        if rules is not None and (file in _rule_files(desired) or not here):
            needed[rules.key] = rules
        owners = list(
            dict.fromkeys(login for one in needed.values() for name in one.of for login in _logins(name, desired))
        )
        if owners:
            yield f"/{_escaped(path)} {' '.join(owners)}"


def _places(desired: Desired) -> dict[str, list[str]]:
    """The orgs and workspaces that each file is about."""
    found: dict[str, list[str]] = {}
    for name, org in desired.orgs.items():
        found.setdefault(org.source.file, []).append(name)
        for node in org.children.get(workspace.KIND.name, {}).values():
            found.setdefault(node.source.file, []).append(f"{name}/{node.name}")
        for source in (org.sources or {}).values():
            found.setdefault(source.file, [])
            if name not in found[source.file]:
                found[source.file].append(name)
    return found


def _rule_files(desired: Desired) -> set[str]:
    found = {one.source.file for one in desired.policies.values()}
    found |= {one.source.file for one in desired.waivers}
    found |= {one.source.file for one in desired.approvals.values()}
    return found | {one.source.file for one in desired.people.values() if one.source is not None}


def _logins(name: str, desired: Desired) -> Iterable[str]:
    """A team's own name on GitHub, else the logins of its people; of `owners` nothing, since a file has no owners."""
    if name == OWNERS:
        return ()
    if name.startswith("team/"):
        team = name.removeprefix("team/")
        known = desired.team_logins.get(team)
        return (known,) if known is not None else [_login(one, desired) for one in desired.teams.get(team, ())]
    return (_login(name, desired),)


def _login(name: str, desired: Desired) -> str:
    person = desired.people.get(name)
    return f"@{(person.github if person is not None else None) or name}"


def _escaped(path: str) -> str:
    """A path for CODEOWNERS, where a space ends it and `#` begins a comment."""
    return "".join(f"\\{character}" if character in " #\\*?[]!" else character for character in path)


def written(text: str, block: Iterable[str]) -> str:
    """A CODEOWNERS file with the block between its marks instead of the former one, or at its end.

    Raises ValueError where the marks do not fit together.
    """
    body = "\n".join((BEGIN, *block, END))
    found = text.split("\n")
    starts = [at for at, line in enumerate(found) if line.startswith("# reconciler: begin")]
    ends = [at for at, line in enumerate(found) if line.startswith(END)]
    if not starts and not ends:
        return (text.rstrip("\n") + "\n\n" if text.strip() else "") + body + "\n"
    if len(starts) != 1 or len(ends) != 1 or ends[0] < starts[0]:
        raise ValueError(
            "the lines `# reconciler: begin` and `# reconciler: end` must be there once each, in this order"
        )
    return "\n".join((*found[: starts[0]], body, *found[ends[0] + 1 :]))
