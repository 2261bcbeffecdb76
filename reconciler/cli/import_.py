"""`reconciler import`: manifests and lock file from live organizations, or from Terraform's state."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli import DONE, REFUSED, common, writing
from reconciler.cli.writing import Draft, LeftAloneError, RefusedError, There
from reconciler.model.errors import ManifestError, PipesError, UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from reconciler.importing.write import Scribe
    from reconciler.kinds.kind import Kind
    from reconciler.model.desired import Desired, Node
    from reconciler.model.live import Lock, Resource, Snapshot
    from reconciler.pipes.client import Client


@click.command("import", short_help="Write manifests from live organizations.")
@click.argument("orgs", nargs=-1, metavar="[ORG]...")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE|DIR",
    help="Write to this file, or to a file an organization in this folder; by default to what other commands read: "
    "orgs.yaml where it is there, else orgs/.",
)
@click.option("--split", is_flag=True, help="Take --out for a folder that is to be made, with a file an organization.")
@click.option(
    "--suggest-teams",
    is_flag=True,
    help="In organizations that are new to the manifests, make a team of the people who recur together.",
)
@click.option(
    "--from-terraform",
    "states",
    type=click.Path(path_type=Path, exists=True),
    metavar="FILE|DIR",
    help="Read a state file of Terraform, or all *.tfstate in a folder, and not Pipes; offline. With ORG only these.",
)
@click.option(
    "--owner",
    metavar="HANDLE",
    help="With --from-terraform: who owns an organization of which the state names no owner.",
)
@common.pipes_options
def command(
    orgs: tuple[str, ...],
    out: Path | None,
    split: bool,
    suggest_teams: bool,
    states: Path | None,
    owner: str | None,
    pipes: common.PipesOptions,
) -> int:
    """Write what is live in each ORG as manifests, and the lock file beside them. Changes nothing in Pipes.

    Manifests that are there already are kept: only what differs is changed, in place, with comments and order as they
    are, and workspaces that no manifest covers are added. `reconciler plan` shows nothing afterwards; where that
    cannot be reached, every file is left as it is.

    Exits 3 when a list cannot be believed or it is doubtful what is meant, and 4 when an ORG cannot be read.
    """
    if not orgs and states is None:
        raise click.UsageError("Missing argument 'ORG...'.")
    if owner is not None and states is None:
        raise UsageError("--owner goes with --from-terraform: Pipes says who owns an organization")
    there = writing.there(writing.target(out, split))
    try:
        if states is not None:
            from reconciler.cli.terraform import take_over

            take_over(states, orgs, owner, there, suggest_teams=suggest_teams)
        else:
            _import(list(dict.fromkeys(orgs)), there, pipes, suggest_teams=suggest_teams)
    except RefusedError as refusal:
        from reconciler.report.text import escape

        click.echo(f"Error: nothing is written: {escape(str(refusal))}", err=True)
        return REFUSED
    return DONE


def _import(orgs: Sequence[str], there: There, pipes: common.PipesOptions, *, suggest_teams: bool) -> None:
    settings = pipes.settings()
    with pipes.client(settings, read_only=True) as client:
        live, found = _read(client, orgs, there)
    merge = _Merge(there, live)
    for one in sorted(found, key=lambda one: one.live.handle):
        merge.take(one)
    merge.finish(suggest_teams=suggest_teams)


# --- reading ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Org:
    """A live org, and what the manifests call it; None where they do not have it."""

    live: Resource
    name: str | None


def _read(client: Client, asked: Sequence[str], there: There) -> tuple[Snapshot, list[_Org]]:
    """The orgs with everything in them: first which workspaces there are, then what is below. Raises PipesError."""
    from reconciler.cli.progress import Progress
    from reconciler.drift.reading_scope import both
    from reconciler.pipes.reading import snapshot

    with Progress("Reading") as progress:
        first = snapshot(client, common.everything(asked, {}, there.day), there.lock, progress=progress.reading)
        known = [_live_org(handle, first, there.lock) for handle in asked]
        spaces = {one.handle: list(one.of("workspace")) for one in known}
        links = {one.handle: list(one.of("connection")) for one in known}
        trees = {one.handle: [folder.id for folder in one.of("connection_folder").values()] for one in known}
        to_read = common.everything(list(spaces), spaces, there.day, links, trees)
        names = {handle: _name(first.orgs[handle], there) for handle in spaces}
        if there.desired is not None:
            to_read = both(common.narrow(there.desired, [n for n in names.values() if n]), to_read)
        live = snapshot(client, to_read, there.lock, progress=progress.reading)
    found = [_Org(_live_org(handle, live, there.lock), name) for handle, name in names.items()]
    for one in found:
        _whole(one.live, live)
    return live, found


def _live_org(handle: str, live: Snapshot, lock: Lock) -> Resource:
    """The live org of that handle, or the one that the lock file knows by it."""
    for failed in live.unreadable:
        if failed.org == handle:
            raise RefusedError(f"{failed.code}: {failed.why}")
    entry = lock.get(f"org.{handle}")
    found = live.orgs.get(handle) or next(
        (one for one in live.orgs.values() if entry is not None and one.id == entry.id), None
    )
    if found is not None:
        return found
    if handle in live.forbidden:
        raise PipesError(f"org {handle} is not for {live.actor.handle}, the user of this token, to read (403)")
    holder = live.identities.get(handle)
    if holder is not None and holder.type == "user":
        raise PipesError(f"{handle} is a user, not an organization")
    raise PipesError(f"Pipes shows no org {handle} to {live.actor.handle}{_near(handle, [*live.orgs, *live.others])}")


def _near(name: str, there: Sequence[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, sorted(there), n=3, cutoff=0.5)
    return f"; did you mean {' or '.join(f'`{one}`' for one in near)}?" if near else ""


def _name(live: Resource, there: There) -> str | None:
    """What the manifests call a live org: by the lock file's id before the handle, and the stated former handle last."""
    if there.desired is None:
        return None
    orgs = there.desired.orgs
    by_id = [name for name in orgs if (entry := there.lock.get(f"org.{name}")) is not None and entry.id == live.id]
    by_handle = [live.handle] if live.handle in orgs else []
    before = [name for name, node in orgs.items() if node.renamed_from == live.handle]
    return next(iter([*by_id, *by_handle, *before]), None)


def _whole(found: Resource, live: Snapshot) -> None:
    """Raise PipesError where not everything in an org was seen: a part of it must not be written as if it were all."""
    if not live.owned(found):
        raise PipesError(
            f"{live.actor.handle}, the user of this token, does not own {found.handle}: Pipes shows workspaces and grants "
            "whole to owners only"
        )
    for space in found.of("workspace").values():
        if not space.was_read("grant"):
            raise PipesError(f"the workspace {found.handle}/{space.handle} came up while reading; import again")


# --- writing ------------------------------------------------------------------------------------------------------------


class _Merge:
    """What is live, on its way into the manifests; nothing is written before `finish` has proven it."""

    def __init__(self, there: There, live: Snapshot) -> None:
        from reconciler.importing.hidden_secrets import Unshown

        self.draft = Draft(there)
        self.there = there
        self.live = live
        self.names: list[str] = []
        self.unshown = Unshown(there.lock, there.desired)

    def take(self, one: _Org) -> None:
        if one.name is not None:
            self._fix_up(one.name, one.live)
        desired = self.draft.desired() if self.draft.texts else None
        names = (one.live.handle, one.name)
        name = next((n for n in names if desired is not None and n in desired.orgs), None)
        if desired is None or name is None:
            self.names.append(one.live.handle)
            self._add(one.live)
        else:
            self.names.append(name)
            self._add_named(desired, name, one.live)

    # -- into what is there

    def _fix_up(self, name: str, live: Resource) -> None:
        """Make official what differs, as `drift --fix-up` would; all of it or nothing."""
        from reconciler.drift.compare import find
        from reconciler.editing.fix_up import fix_up, key
        from reconciler.manifest import load_texts

        desired = common.narrow(self.draft.desired(), [name])
        drift = find(desired, self.live, self.there.lock).drift
        if drift.refusals:
            raise RefusedError("; ".join(f"{r.code}: {r.address}: {r.fact}; {r.fix}" for r in drift.refusals))

        def remaining(edited: Mapping[str, bytes]) -> set[tuple[str, str | None]] | None:
            try:
                found = load_texts(edited, today=self.there.day)
            except ManifestError:
                return None
            orgs = {n: node for n, node in found.orgs.items() if n in (name, live.handle)}
            left = find(replace(found, orgs=orgs), self.live, self.there.lock).drift
            return {key(difference) for difference in left.differences}

        made = fix_up(self.draft.texts, desired, drift.outside, remaining)
        if made.left:
            doubtful = any(d.what == "replaced" for d, _ in made.left)
            raise (RefusedError if doubtful else LeftAloneError)(
                "; ".join(
                    f"{d.address}{f' ({d.attribute})' if d.attribute else ''} differs, and cannot be written: {why}"
                    for d, why in made.left
                )
            )
        self.draft.texts.update(made.texts)

    def _add_named(self, desired: Desired, name: str, live: Resource) -> None:
        """Add the workspaces and connections that no manifest covers. A section of people that is left out stays so:
        somebody may have meant it.
        """
        from reconciler.importing.hidden_secrets import notes_in
        from reconciler.kinds import named_below

        node = desired.orgs[name]
        if "member" not in node.children:
            self.draft.notes.append(f"org.{name}: the manifests leave its members alone, and so it stays")
        for kind in named_below("org"):
            wanted = node.children.get(kind.name, {})
            covered = {*wanted, *(one.renamed_from for one in wanted.values())}
            file = (node.sources or {}).get(kind.name, node.source).file
            scribe = self._scribe(live, Path(file).parent, node.children.get("connection_folder", {}))
            for handle in [one for one in scribe.writable(kind) if one not in covered]:
                data = scribe.named(kind, handle)
                self.draft.fitting(name, {kind.section: {handle: data}})
                scribe.notes += notes_in({handle: data})
                self.draft.insert(file, ("orgs", name, kind.section), handle, data)
            self.draft.notes += scribe.notes
            for inner in named_below(kind.name):
                for one in wanted.values():
                    self._add_below(inner, name, one, live)

    def _add_below(self, kind: Kind, name: str, above: Node, live: Resource) -> None:
        """The same for what is below an object of the org that the manifests have."""
        from reconciler.importing.hidden_secrets import notes_in
        from reconciler.kinds import KINDS

        there = live.of(above.kind)
        have = next((there[one] for one in (above.name, above.renamed_from) if one in there), None)
        if above.absent or have is None:
            return
        wanted, section = above.children.get(kind.name, {}), KINDS[above.kind].section
        file = (above.sources or {}).get(kind.name, above.source).file
        scribe = self._scribe(live, Path(file).parent)
        for handle in sorted(have.of(kind.name).keys() - {*wanted, *(one.renamed_from for one in wanted.values())}):
            data = scribe.inner(kind, handle, have)
            self.draft.fitting(name, {section: {above.name: {kind.section: {handle: data}}}})
            scribe.notes += notes_in({handle: data})
            self.draft.insert(file, ("orgs", name, section, above.name, kind.section), handle, data)
        self.draft.notes += scribe.notes

    def _add(self, live: Resource) -> None:
        """Describe an org that no manifest has."""
        from reconciler.importing.hidden_secrets import notes_in

        target = self.there.target
        scribe = self._scribe(live, target.path if target.is_folder else target.path.parent)
        data = scribe.org()
        self.draft.notes += scribe.notes
        self.draft.fitting(live.handle, data)
        self.draft.notes += notes_in(data)
        if live.attrs.get("token_min_issued_at"):
            self.draft.notes.append(
                f"org.{live.handle}: token_min_issued_at is a deed and not written; what is live stays in force"
            )
        self.draft.orgs[live.handle] = data

    def _scribe(self, live: Resource, folder: Path, keys: Collection[str] = ()) -> Scribe:
        from reconciler.importing.write import Scribe

        return Scribe(live, self.draft.names(live.handle), self.unshown, folder.as_posix(), keys)

    # -- the end

    def finish(self, *, suggest_teams: bool) -> None:
        """Prove that a plan would be empty, then write what changed."""
        from reconciler.apply.secrets import Secrets, judge
        from reconciler.lockfile.update import remembered
        from reconciler.plan import make_plan

        self.draft.compose(suggest_teams=suggest_teams)
        desired = common.narrow(self.draft.desired(), self.names)
        lock = self.unshown.marked(remembered(desired, self.live, self.there.lock, only=self.names))
        judge(desired, lock, Secrets({}))
        plan = make_plan(desired, self.live, lock)
        if plan.refusals:
            raise RefusedError("; ".join(f"{r.code}: {r.address}: {r.fact}; {r.fix}" for r in plan.refusals))
        if plan.changes or plan.errors:
            left = [*(c.address for c in plan.changes), *(e.summary for e in plan.errors)]
            raise LeftAloneError(f"what is live cannot be written; a plan would still show {', '.join(left[:5])}")
        self.draft.save(lock)
