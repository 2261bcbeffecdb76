"""`reconciler show`: a saved plan again, or those of several shards as one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli import options, plan_status
from reconciler.model.errors import UsageError

if TYPE_CHECKING:
    from reconciler.model.plan import Plan


@click.command(short_help="Show a saved plan in any format.")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, dir_okay=False), metavar="FILE...")
@click.option("--merge", is_flag=True, help="Join the plans that `plan --shard K/N -o FILE` saved, one of each shard.")
@click.option("--detailed-exitcode", is_flag=True, help="With --merge: exit 2 when there are changes.")
@click.option("-v", "--verbose", is_flag=True, help="All details.")
@options.output_options
def command(
    files: tuple[Path, ...], merge: bool, detailed_exitcode: bool, verbose: bool, output: options.Output
) -> int:
    """Show the plan that `plan -o FILE` saved. Needs neither network nor token; exits 3 when the file was changed since.

    With --merge, show the plans of all shards as the one plan that they are the parts of, and exit as that plan would:
    3 when a safeguard refuses, and with --detailed-exitcode 2 when there are changes. A shard that is missing, given
    twice, or made of something else is an error.
    """
    if not merge:
        if len(files) > 1:
            raise UsageError("several plans are shown together with --merge only, where they are those of all shards")
        if detailed_exitcode:
            raise UsageError(
                "--detailed-exitcode goes with --merge: a plan that is shown again was judged when it was made"
            )
        plan = _read(files[0])
        output.write(plan, verbose=verbose, made=plan.made)
        return 0
    from reconciler.plan.document import TamperedPlanError
    from reconciler.plan.shard import merge as merged

    plans = []
    for file in files:
        try:
            plans.append((str(file), _read(file)))
        except TamperedPlanError as error:
            raise TamperedPlanError(f"{file}: {error}") from None
    plan = merged(plans)
    output.write(plan, verbose=verbose, made=plan.made)
    return plan_status(plan, detailed=detailed_exitcode)


def _read(file: Path) -> Plan:
    """The saved plan. Raises UsageError for another file, TamperedPlanError for one that was changed."""
    from reconciler.plan.document import loads

    text = file.read_text(encoding="utf-8", errors="replace")
    if not text.startswith("{"):
        raise UsageError(f"{file} is not a saved plan; `reconciler plan -o FILE` saves one")
    return loads(text)
