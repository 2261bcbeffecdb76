"""`reconciler plan`: read live, show what would change."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli import common

if TYPE_CHECKING:
    from datetime import datetime


@click.command(short_help="Show what would change. Changes nothing.")
@common.paths_argument
@click.option(
    "-o",
    "save",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Save the plan, for `apply FILE` to do exactly this.",
)
@click.option("--detailed-exitcode", is_flag=True, help="Exit 2 when there are changes.")
@common.org_option
@common.allow_option
@common.day_option
@common.pipes_options
@common.output_options
def command(
    paths: tuple[Path, ...],
    save: Path | None,
    detailed_exitcode: bool,
    orgs: tuple[str, ...],
    allow: tuple[str, ...],
    day: datetime | None,
    pipes: common.PipesOptions,
    output: common.Output,
) -> int:
    """Read the live organizations and show what the manifests at PATH would change. Changes nothing.

    Exits 3 when a safeguard refuses, and with --detailed-exitcode 2 when there are changes.
    """
    from reconciler.cli.progress import Progress
    from reconciler.plan import make_plan

    allowances = common.allowances(allow)
    found = common.load(paths, day.date() if day else common.today(), orgs, output)
    settings = pipes.settings()
    from reconciler.pipes.reading import snapshot

    with pipes.client(settings, read_only=True) as client, Progress("Reading") as progress:
        live = snapshot(client, found.desired, found.lock, progress=progress.reading)
    result = make_plan(found.desired, live, found.lock, allowances)
    if save is not None:
        from reconciler.plan.document import dumps

        common.write_file(save, dumps(result))
    output.write(result, verbose=pipes.verbose)
    if save is not None and output.format == "text":
        what = (
            "it is refused, so it can be shown and not applied"
            if result.refusals or result.errors
            else (f"`reconciler apply {save}` does this and nothing else")
        )
        click.echo(f"Saved as {save}; {what}.", err=True)
    return common.plan_status(result, detailed=detailed_exitcode)
