"""Looking at single objects while an apply runs: what is there at this moment, and may it be changed here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.kinds import member
from reconciler.kinds.kind import Place
from reconciler.pipes.errors import StatusError

if TYPE_CHECKING:
    from reconciler.kinds.kind import Kind
    from reconciler.model.live import Resource
    from reconciler.pipes.client import Client


def at(client: Client, kind: Kind, path: str) -> Resource | None:
    """The object at `path`, None where there is none that belongs to this level (404, or an inherited row).

    Raises PipesError for anything that is no answer to that.
    """
    try:
        row = client.get_json(path, kind.row)
    except StatusError as error:
        if error.status == 404:
            return None
        raise
    if kind.level is not None and getattr(row, "scope", None) not in (None, kind.level):
        return None
    return kind.resource(row)


def members(client: Client, org: str) -> list[Resource]:
    """An org's own member rows (orgMember_list), inherited ones left out."""
    kind = member.KIND
    return [
        kind.resource(row)
        for page in client.pages(kind.collection(Place(org=org)), row_type=member.Row)
        for row in page
        if row.scope in (None, kind.level)
    ]
