"""The warning that the token in use will end soon."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from reconciler import clock

if TYPE_CHECKING:
    from reconciler.pipes.client import Client


def warn(client: Client, user: str, days: int) -> None:
    """Say on standard error when the token in use ends, if that is within `days`; 0 asks nothing of Pipes.

    That the end cannot be read is no error: what was asked for is done all the same. Raises PipesError where Pipes does not
    take the token.
    """
    from reconciler.model.errors import PipesError
    from reconciler.pipes.errors import NotAuthorisedError
    from reconciler.pipes.reading.tokens import token_in_use

    if not days:
        return
    try:
        ends, _ = token_in_use(client, user)
    except NotAuthorisedError:
        raise
    except PipesError:
        return
    if ends is None:
        return
    left = (ends.date() - clock.today()).days
    if left <= days:
        when = "today" if left < 1 else "tomorrow" if left == 1 else f"in {left} days"
        click.echo(
            f"Warning: the token in use, {user}'s, ends on {ends:%Y-%m-%d}, {when}; issue a new one before that",
            err=True,
        )
