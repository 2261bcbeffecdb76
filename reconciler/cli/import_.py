"""`reconciler import`: manifests and lock file from live organizations, or from Terraform's state."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli import DONE, REFUSED, manifests, names, options, writing
from reconciler.cli.writing import Draft, Existing, LeftAloneError, RefusedError
from reconciler.model.errors import ManifestError, PipesError, UsageError
from reconciler.model.near import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from reconciler.importing.write import OrgWriter
    from reconciler.kinds.kind import Kind
    from reconciler.model.desired import Desired, Node
    from reconciler.model.drift import Difference
    from reconciler.model.live import Actor, Lock, Resource, Snapshot
    from reconciler.pipes.client import Client
    from reconciler.pipes.reading.visible_orgs import VisibleOrg


@click.command("import", short_help="Write manifests from live organizations.")
@click.argument("orgs", nargs=-1, metavar="[ORG]...", shell_complete=names.orgs)
@click.option("--all", "everything", is_flag=True, help="Every organization that the token's user owns.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE|DIR",
    help="Write to this file, or to one file per organization in this folder. Default: orgs.yaml if it exists, else orgs/.",
)
@click.option("--split", is_flag=True, help="Create --out as a folder, with one file per organization.")
@click.option(
    "--suggest-teams",
    is_flag=True,
    help="In organizations that are new to the manifests, make teams of people who have the same roles in several places.",
)
@click.option(
    "--from-terraform",
    "states",
    type=click.Path(path_type=Path, exists=True),
    metavar="FILE|DIR",
    help="Read a Terraform state file, or every *.tfstate in a folder, instead of Pipes; offline. ORG narrows it.",
)
@click.option(
    "--owner",
    metavar="HANDLE",
    help="With --from-terraform: an owner of the organizations, besides those in the state.",
)
@options.pipes_options
def command(
    orgs: tuple[str, ...],
    everything: bool,
    out: Path | None,
    split: bool,
    suggest_teams: bool,
    states: Path | None,
    owner: str | None,
    pipes: options.PipesOptions,
) -> int:
    """Write manifests and lock file from each live ORG. Changes nothing in Pipes.

    Without ORG, list the organizations that could be imported, and write nothing.

    Existing manifests are edited in place: only what differs changes, comments and order stay, and workspaces that no
    manifest has are added. Afterwards `reconciler plan` shows no changes; if that cannot be reached, no file is written.

    Exits 3 if a list may be incomplete or a name is ambiguous, and 4 if an ORG cannot be read.
    """
    if everything and (orgs or states is not None):
        what = f"the name {orgs[0]}" if orgs else "--from-terraform, which takes over the whole state anyway"
        raise UsageError(f"--all does not go with {what}")
    if owner is not None and states is None:
        raise UsageError("--owner needs --from-terraform; without it, Pipes says who owns an organization")
    target = writing.target(out, split)
    for org in orgs:
        if not re.fullmatch(r"\w[\w.-]*", org):
            raise UsageError(
                f"`{org}` cannot be the handle of an organization; `reconciler import` lists those that are there"
            )
    if not orgs and states is None:
        from reconciler.cli.init import read_visible, show_visible

        actor, found = read_visible(pipes)
        if not everything:
            show_visible(actor, found, pipes)
            return DONE
        orgs = _owned(actor, found)
    existing = writing.existing(target)
    try:
        if states is not None:
            from reconciler.cli.terraform import take_over

            wrote = take_over(states, orgs, owner, existing, suggest_teams=suggest_teams)
        else:
            wrote = _import(list(dict.fromkeys(orgs)), existing, pipes, suggest_teams=suggest_teams)
    except RefusedError as refusal:
        from reconciler.report.text import escape

        click.echo(f"Error: nothing is written: {escape(str(refusal))}", err=True)
        return REFUSED
    if wrote:
        _show_next(existing, pipes, offline=states is not None)
    return DONE


def _owned(actor: Actor, found: Sequence[VisibleOrg]) -> tuple[str, ...]:
    """The orgs that --all takes; prints which others there are. Raises PipesError if the user owns none."""
    from reconciler.report.text import escape

    owned = tuple(one.handle for one in found if one.can_import)
    others = [one.handle for one in found if not one.can_import]
    if not owned:
        raise PipesError(
            f"{actor.handle}, the user of this token, owns no organization"
            + (f"; it is a member of {', '.join(others)}" if others else "")
        )
    if others:
        they = "it is" if len(others) == 1 else "they are"
        left = f"{escape(actor.handle)} does not own {', '.join(others)}, so {they} not imported"
        click.echo(f"Note: {left}.", err=True)
    return owned


def _show_next(existing: Existing, pipes: options.PipesOptions, *, offline: bool) -> None:
    """Print what to run after an import, and which files to commit."""
    from reconciler.cli import next_steps
    from reconciler.manifest import starting
    from reconciler.manifest.files import default_paths

    target = existing.target.path
    paths = () if default_paths() == (target.as_posix(),) else (target,)
    files = [target] if existing.target.is_folder else [target, existing.lock_path]
    files += [path for path in (starting.SCHEMA, Path(".gitignore"), Path(".vscode")) if path.exists()]
    if offline:
        expected = "shows what the state does not have"
    elif existing.desired is not None and existing.desired.orgs:
        expected = "shows no changes of what was imported"
    else:
        expected = "shows no changes"
    next_steps.show(
        [
            (next_steps.command("plan", *paths, pipes=pipes), expected),
            (shlex.join(["git", "add", *map(str, files)]), "then commit these files"),
        ]
    )


def _import(orgs: Sequence[str], existing: Existing, pipes: options.PipesOptions, *, suggest_teams: bool) -> bool:
    """Write the manifests of these orgs. Returns whether anything changed."""
    settings = pipes.settings()
    if existing.desired is not None:
        manifests.check_host(existing.desired, settings)
    with pipes.client(settings, read_only=True) as client:
        live, found = _read(client, orgs, existing)
    merge = _Merge(existing, live)
    merge.take(sorted(found, key=lambda one: one.live.handle))
    return merge.finish(suggest_teams=suggest_teams)


# --- reading ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Org:
    """A live org, and its name in the manifests; None if they do not have it."""

    live: Resource
    name: str | None


def _read(client: Client, asked: Sequence[str], existing: Existing) -> tuple[Snapshot, list[_Org]]:
    """Read the orgs with everything in them: first their workspaces, then what is below those. Raises PipesError."""
    from reconciler.cli.progress import Progress
    from reconciler.drift.reading_scope import both
    from reconciler.pipes.reading import snapshot

    with Progress() as progress:
        first = snapshot(
            client, manifests.everything(asked, {}, existing.day), existing.lock, progress=progress.reading
        )
        known = [_live_org(handle, first, existing.lock) for handle in asked]
        spaces = {one.handle: list(one.of("workspace")) for one in known}
        links = {one.handle: list(one.of("connection")) for one in known}
        trees = {one.handle: [folder.id for folder in one.of("connection_folder").values()] for one in known}
        to_read = manifests.everything(list(spaces), spaces, existing.day, links, trees)
        names = {handle: _name(first.orgs[handle], existing) for handle in spaces}
        if existing.desired is not None:
            to_read = both(manifests.narrow(existing.desired, [n for n in names.values() if n]), to_read)
        live = snapshot(client, to_read, existing.lock, progress=progress.reading)
    found = [_Org(_live_org(handle, live, existing.lock), name) for handle, name in names.items()]
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
        raise PipesError(f"{live.actor.handle}, the user of this token, may not read org {handle} (403)")
    holder = live.identities.get(handle)
    if holder is not None and holder.type == "user":
        raise PipesError(f"{handle} is a user, not an organization")
    meant = did_you_mean(handle, [*live.orgs, *live.others])
    raise PipesError(
        f"{live.actor.handle}, the user of this token, sees no organization {handle}"
        f"{meant or '; `reconciler import` lists those that are there'}"
    )


def _name(live: Resource, existing: Existing) -> str | None:
    """The name of a live org in the manifests: found by the lock file's id, then by the handle, then by `renamed_from`."""
    if existing.desired is None:
        return None
    orgs = existing.desired.orgs
    by_id = [name for name in orgs if (entry := existing.lock.get(f"org.{name}")) is not None and entry.id == live.id]
    by_handle = [live.handle] if live.handle in orgs else []
    before = [name for name, node in orgs.items() if node.renamed_from == live.handle]
    return next(iter([*by_id, *by_handle, *before]), None)


def _whole(found: Resource, live: Snapshot) -> None:
    """Raise PipesError if not everything in an org was read: a part must not be written as if it were all."""
    if not live.owned(found):
        raise PipesError(
            f"{live.actor.handle}, the user of this token, does not own {found.handle}; Pipes shows all workspaces and grants "
            "to owners only"
        )
    for space in found.of("workspace").values():
        if not space.was_read("grant"):
            raise PipesError(
                f"the workspace {found.handle}/{space.handle} was created while this was reading; run import again"
            )


def _names_unlisted(desired: Desired, difference: Difference) -> bool:
    """Whether live is in a folder that the manifests do not list."""
    from reconciler.kinds import KINDS
    from reconciler.model.address import split

    if difference.attribute is None or difference.live is None:
        return False
    target = KINDS[difference.kind].attribute(difference.attribute).refers_to
    (_, name), *below = split(difference.address)
    node: Node | None = desired.orgs.get(name)
    for kind, inner in below[:-1]:
        node = node.children.get(kind, {}).get(inner) if node is not None else None
    return target is not None and node is not None and difference.live not in node.children.get(target, {})


# --- writing ------------------------------------------------------------------------------------------------------------


class _Merge:
    """Merges live orgs into the manifests. `finish` writes the result after checking it."""

    def __init__(self, existing: Existing, live: Snapshot) -> None:
        from reconciler.importing.hidden_secrets import HiddenSecrets

        self.draft = Draft(existing)
        self.existing = existing
        self.live = live
        self.names: list[str] = []
        self.hidden_secrets = HiddenSecrets(existing.lock, existing.desired)

    def take(self, orgs: Sequence[_Org]) -> None:
        """Take over live orgs: first what differs in those that the manifests have, then what the manifests lack."""
        known = {one.name: one.live for one in orgs if one.name is not None}
        waiting = self._fix_up(known, later=True) if known else False
        desired = self.draft.desired() if self.draft.texts else None
        for one in orgs:
            names = (one.live.handle, one.name)
            name = next((n for n in names if desired is not None and n in desired.orgs), None)
            if desired is None or name is None:
                self.names.append(one.live.handle)
                self._add(one.live)
            else:
                self.names.append(name)
                self._add_named(desired, name, one.live)
        if waiting:
            self._fix_up(known, later=False)

    # -- into existing manifests

    def _fix_up(self, known: Mapping[str, Resource], *, later: bool) -> bool:
        """Write down what differs, as `drift --fix-up` would; all of it or nothing. With `later`, what lies in a folder that
        no manifest has yet waits; whether something does.
        """
        from msgspec.structs import replace

        from reconciler.drift import compare
        from reconciler.editing.fix_up import fix_up, key

        whole = self.draft.desired()
        desired = manifests.narrow(whole, list(known))
        names = {*known, *(live.handle for live in known.values())}
        drift = compare.find(desired, self.live, self.existing.lock).drift
        if drift.refusals:
            raise RefusedError("; ".join(f"{r.code}: {r.address}: {r.fact}; {r.fix}" for r in drift.refusals))

        def remaining(edited: Mapping[str, bytes]) -> set[tuple[str, str | None]] | None:
            try:
                found = self.draft.asked_by(edited)
            except ManifestError:
                return None
            orgs = {n: node for n, node in found.orgs.items() if n in names}
            if found is whole and orgs.keys() == desired.orgs.keys():
                return {key(difference) for difference in drift.differences}
            left = compare.find(replace(found, orgs=orgs), self.live, self.existing.lock).drift
            return {key(difference) for difference in left.differences}

        waiting = [one for one in drift.outside if later and _names_unlisted(desired, one)]
        now = [one for one in drift.outside if one not in waiting]
        made = fix_up(self.draft.texts, desired, now, remaining)
        if made.left:
            doubtful = any(d.what == "replaced" for d, _ in made.left)
            raise (RefusedError if doubtful else LeftAloneError)(
                "; ".join(
                    f"{d.address}{f' ({d.attribute})' if d.attribute else ''} differs, but cannot be written: {why}"
                    for d, why in made.left
                )
            )
        self.draft.texts.update(made.texts)
        return bool(waiting)

    def _add_named(self, desired: Desired, name: str, live: Resource) -> None:
        """Add the workspaces and connections that no manifest has. A missing section of people stays missing: it may be
        missing on purpose.
        """
        from reconciler.importing.hidden_secrets import notes_in
        from reconciler.kinds import named_below

        node = desired.orgs[name]
        if "member" not in node.children:
            self.draft.notes.append(f"org.{name}: the manifests do not manage its members, so they are not written")
        for kind in named_below("org"):
            wanted = node.children.get(kind.name, {})
            covered = {*wanted, *(one.renamed_from for one in wanted.values())}
            file = (node.sources or {}).get(kind.name, node.source).file
            writer = self._scribe(live, Path(file).parent, {live.id: node.children.get("connection_folder", {})})
            here = f"org.{live.handle}"
            fresh = {}
            for handle in [one for one in writer.writable(kind, live, here) if one not in covered]:
                fresh[handle] = data = writer.named(kind, handle)
                self.draft.fitting(name, {kind.section: {handle: data}})
                writer.notes += notes_in({handle: data})
            if fresh:
                self.draft.insert(file, ("orgs", name, kind.section), fresh)
            for handle in fresh:
                if kind.name == "service_account":
                    self._add_roles(node, name, f"service/{handle}", live.of(kind.name)[handle].id, live)
            self.draft.notes += writer.notes
            for inner in named_below(kind.name):
                for one in wanted.values():
                    self._add_below(inner, name, one, live)

    def _add_roles(self, node: Node, name: str, entry: str, account: str, live: Resource) -> None:
        """Write the roles of a service account that was added, where the manifests manage people."""
        from reconciler.kinds import member

        membership = next((row for row in live.of("member").values() if row.id == account), None)
        if membership is None:
            return
        places: list[tuple[Node, Resource, str, tuple[str, ...]]] = [(node, live, "member", ("orgs", name))]
        if not member.is_owner(membership.attrs):
            for space in node.children.get("workspace", {}).values():
                have = live.of("workspace").get(space.name)
                if have is not None:
                    places.append((space, have, "grant", ("orgs", name, "workspaces", space.name)))
        for want, have, kind, path in places:
            row = next((row for row in have.of(kind).values() if row.id == account), None)
            if kind in want.children and row is not None:
                file = (want.sources or {}).get(kind, want.source).file
                self.draft.insert(file, (*path, "members"), {entry: row.attrs["role"]})

    def _add_below(self, kind: Kind, name: str, above: Node, live: Resource) -> None:
        """Add what is below an object of the org that the manifests have."""
        from reconciler.importing.hidden_secrets import notes_in
        from reconciler.kinds import KINDS, workspace_connection_folder

        there = live.of(above.kind)
        have = next((there[one] for one in (above.name, above.renamed_from) if one in there), None)
        if above.absent or have is None:
            return
        wanted, section = above.children.get(kind.name, {}), KINDS[above.kind].section
        file = (above.sources or {}).get(kind.name, above.source).file
        keys = {have.id: above.children.get(workspace_connection_folder.NAME, {})}
        writer = self._scribe(live, Path(file).parent, keys)
        covered = {*wanted, *(one.renamed_from for one in wanted.values())}
        here = f"org.{live.handle}/{above.kind}.{above.name}"
        fresh = {}
        for handle in [one for one in writer.writable(kind, have, here) if one not in covered]:
            fresh[handle] = data = writer.inner(kind, handle, have)
            self.draft.fitting(name, {section: {above.name: {kind.section: {handle: data}}}})
            writer.notes += notes_in({handle: data})
        if fresh:
            self.draft.insert(file, ("orgs", name, section, above.name, kind.section), fresh)
        self.draft.notes += writer.notes

    def _add(self, live: Resource) -> None:
        """Describe an org that no manifest has."""
        from reconciler.importing.hidden_secrets import notes_in

        target = self.existing.target
        writer = self._scribe(live, target.path if target.is_folder else target.path.parent)
        data = writer.org()
        self.draft.notes += writer.notes
        self.draft.fitting(live.handle, data)
        self.draft.notes += notes_in(data)
        if live.attrs.get("token_min_issued_at"):
            self.draft.notes.append(
                f"org.{live.handle}: token_min_issued_at is an action, not a setting, and is not written; the current value stays in force"
            )
        self.draft.orgs[live.handle] = data

    def _scribe(self, live: Resource, folder: Path, keys: Mapping[str, Collection[str]] | None = None) -> OrgWriter:
        from reconciler.importing.write import OrgWriter

        return OrgWriter(live, self.draft.names(live.handle), self.hidden_secrets, folder.as_posix(), keys)

    # -- the end

    def finish(self, *, suggest_teams: bool) -> bool:
        """Check that a plan would be empty, then write what changed. Returns whether anything did."""
        from reconciler.apply.secrets import Secrets, judge
        from reconciler.lockfile.update import remembered
        from reconciler.plan import make_plan

        self.draft.compose(suggest_teams=suggest_teams)
        desired = manifests.narrow(self.draft.desired(), self.names)
        lock = self.hidden_secrets.marked(remembered(desired, self.live, self.existing.lock, only=self.names))
        judge(desired, lock, Secrets({}))
        plan = make_plan(desired, self.live, lock)
        if plan.refusals:
            raise RefusedError("; ".join(f"{r.code}: {r.address}: {r.fact}; {r.fix}" for r in plan.refusals))
        if plan.changes or plan.errors:
            left = [*(c.address for c in plan.changes), *(e.summary for e in plan.errors)]
            raise LeftAloneError(
                f"not everything that is live can be written; a plan would still show {', '.join(left[:5])}"
            )
        return self.draft.save(lock)
