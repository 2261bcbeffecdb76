"""How many workspaces an organization may have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from reconciler.kinds import org, workspace
from reconciler.kinds.kind import Place
from reconciler.pipes.errors import NotAuthorisedError, StatusError
from reconciler.pipes.reading.children import may_mean
from reconciler.pipes.reading.pages import ListOf, read_list
from reconciler.pipes.reading.state import fail

if TYPE_CHECKING:
    from reconciler.model.desired import Node
    from reconciler.model.errors import PipesError
    from reconciler.pipes.reading.state import LiveOrg, Run


class _Constraint(msgspec.Struct):
    """The contract's Constraint, as far as it is used (org_listConstraints)."""

    name: str
    type: str = ""
    value: Any = None


def creates_workspaces(run: Run, node: Node, entry: LiveOrg) -> bool:
    """Whether the manifest lists a workspace that the live org does not have."""
    live = entry.resource.of(workspace.KIND.name).values()
    there = {want.name for one in live for want in may_mean(run, workspace.KIND, node, one)}
    listed = node.children.get(workspace.KIND.name, {}).values()
    return any(not want.absent and want.name not in there for want in listed)


def read_limit(run: Run, node: Node, entry: LiveOrg) -> None:
    """Read how many workspaces the org may have (org_listConstraints). Unknown where this token may not see it."""
    found: list[_Constraint] = []

    def end(error: PipesError | None) -> None:
        if isinstance(error, StatusError) and error.status in (403, 404) and not isinstance(error, NotAuthorisedError):
            return
        if error is not None:
            fail(entry, error)
            return
        limit = _workspace_limit(found)
        if limit is not None:
            run.limits[entry.resource.handle] = limit
            run.limits[node.name] = limit

    path = f"{org.object_path(Place(), entry.resource.handle)}/constraint"
    what = ListOf(path, _Constraint, "constraint", f"org.{entry.resource.handle}")
    read_list(run, what, found.extend, end, found.clear)


def _workspace_limit(found: list[_Constraint]) -> int | None:
    """The number of the constraint that limits workspaces: by its name, a quota first, the shortest name first."""
    numbers = [(c.type != "quota", len(c.name), c.name, n) for c in found if (n := _number(c.value)) is not None]
    fitting = sorted(candidate for candidate in numbers if "workspace" in candidate[2].lower())
    return fitting[0][3] if fitting else None


def _number(value: Any) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value[:18])
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value or value < 0:  # noqa: PLR0124 - NaN
        return None
    return int(min(value, 10**18))
