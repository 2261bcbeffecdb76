"""`reconciler validate`: the manifests alone, offline."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from reconciler import clock
from reconciler.cli import common

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path


@click.command(short_help="Check the manifests, offline.")
@common.paths_argument
@common.day_option
@common.output_options
def command(paths: tuple[Path, ...], day: datetime | None, output: common.Output) -> int:
    """Read the manifests at PATH (files or folders; by default orgs.yaml, else orgs/) and say all that is wrong with them.

    Needs neither network nor token.
    """
    from reconciler.plan.identity import spent
    from reconciler.report import Validation

    found = common.load(paths, day.date() if day else clock.today(), output=output)
    warnings = (*found.desired.warnings, *found.desired.ended, *spent(found.desired, found.lock))
    output.write(Validation(warnings, len(found.desired.files), len(found.desired.orgs)))
    return 0
