"""Reading a single object again, as an apply does before it changes one and after an answer was lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.kinds import org
from reconciler.kinds.kind import Place
from reconciler.pipes.errors import NotAuthorisedError, StatusError
from reconciler.pipes.reading.pages import belongs, checked

if TYPE_CHECKING:
    from reconciler.kinds.kind import Kind
    from reconciler.model.live import Resource
    from reconciler.model.request import Request
    from reconciler.pipes.client import Client


def read_again(client: Client, kind: Kind, path: str) -> Resource | None:
    """Read one object again. None where it is gone, or where the row belongs to another level. Raises PipesError.

    A member or grant of a deleted org answers 403 (API page, "After deletion"), and so does one that this token may not
    see. Asking for the org itself shows which it is.
    """
    refused: StatusError | None = None
    try:
        row = client.get_json(path, kind.row)
    except NotAuthorisedError:
        raise
    except StatusError as error:
        refused = error
    if refused is None:
        return checked(kind.resource(row), path) if belongs(kind, row) else None
    if refused.status == 404:
        return None
    if (
        refused.status == 403
        and kind.parent is not None
        and not _exists(client, org.object_path(Place(), path.split("/")[2]))
    ):
        return None
    raise refused


def find_created(client: Client, kind: Kind, place: Place, handle: str, request: Request) -> list[Resource]:
    """The live objects that the create `request` may have made. Raises PipesError.

    There is at most one under the handle that the request names. Objects of a kind without handles are recognised by
    `kind.matches_create`, and there may be several.
    """
    if not kind.found_in_list:
        found = read_again(client, kind, kind.object_path(place, handle))
        return [] if found is None else [found]
    path = request.path
    rows = (row for page in client.pages(path, row_type=kind.row) for row in page)
    there = (checked(kind.resource(row), path) for row in rows if belongs(kind, row))
    if kind.matches_create is not None:
        return [one for one in there if kind.matches_create(one, request.body or {})]
    return [one for one in there if one.handle == handle][:1]


def _exists(client: Client, path: str) -> bool:
    try:
        client.get(path)
    except StatusError as error:
        if error.status != 404:
            raise
        return False
    return True
