"""Names for completion in a shell, from the manifests at hand. A Tab sends no request, and says nothing when it fails."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import click

    from reconciler.model.desired import Desired

    Complete = Callable[[click.Context, click.Parameter, str], list[str]]


def _of(names: Callable[[Desired], Iterable[str]]) -> Complete:
    """Completes to names from the manifests; to nothing where they cannot be read."""

    def complete(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
        from reconciler import clock, manifest
        from reconciler.model.errors import ReconcilerError

        try:
            paths = [Path(path) for path in ctx.params.get("paths") or ()]
            desired = manifest.load(paths, today=clock.today())
        except (ReconcilerError, OSError, TypeError):
            return []
        return sorted({name for name in names(desired) if name.startswith(incomplete)})

    return complete


def _people(desired: Desired) -> Iterable[str]:
    yield from desired.people
    for members in desired.teams.values():
        yield from members
    for org in desired.orgs.values():
        yield from org.children.get("member", {})


def _below(kind: str) -> Callable[[Desired], Iterable[str]]:
    def names(desired: Desired) -> Iterable[str]:
        for org in desired.orgs.values():
            yield from (f"{org.name}/{name}" for name in org.children.get(kind, {}))

    return names


def shown(desired: Desired) -> set[str]:
    """What `plan --person` and `--workspace` can name, as far as the manifests know it."""
    return {*_people(desired), *_below("workspace")(desired)}


orgs = _of(lambda desired: desired.orgs)
people = _of(_people)
teams = _of(lambda desired: desired.teams)
workspaces = _of(_below("workspace"))
connections = _of(_below("connection"))
places = _of(lambda desired: [*desired.orgs, *_below("workspace")(desired)])
_orgs_and_workspaces = _of(
    lambda desired: [
        *(f"org.{name}" for name in desired.orgs),
        *(
            f"org.{org.name}/workspace.{name}"
            for org in desired.orgs.values()
            for name in org.children.get("workspace", {})
        ),
    ]
)


def allowances(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """`CODE` of what `--allow` lifts, and after a `=` the addresses of orgs and workspaces."""
    from reconciler.safeguards.table import SAFEGUARDS

    code, sign, start = incomplete.partition("=")
    if sign:
        return [f"{code}={address}" for address in _orgs_and_workspaces(ctx, param, start)]
    return [name for name, one in SAFEGUARDS.items() if one.lifted_by_allow and name.startswith(incomplete)]


def roles(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """The roles in organizations and workspaces."""
    from reconciler.kinds import grant, member

    found = dict.fromkeys((*member.KIND.attribute("role").rank, *grant.ROLES))
    return [role for role in found if role.startswith(incomplete)]


def subjects(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """What `explain` explains."""
    from reconciler.cli.explain import subjects as explained

    return [name for name in dict.fromkeys(explained()) if name.startswith(incomplete)]
