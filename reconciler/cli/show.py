"""`reconciler show`: a saved plan again, or those of several shards as one."""

from __future__ import annotations

from pathlib import Path

import click

from reconciler.cli import options, plan_status
from reconciler.model.errors import UsageError


@click.command(short_help="Show a saved plan in any format.")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, dir_okay=False), metavar="FILE...")
@click.option(
    "--merge", is_flag=True, help="Join what `plan --shard K/N -o FILE` saved, or what the applies of it reported."
)
@click.option("--detailed-exitcode", is_flag=True, help="With --merge: exit 2 when there are changes.")
@click.option("-v", "--verbose", is_flag=True, help="All details.")
@options.output_options
def command(
    files: tuple[Path, ...], merge: bool, detailed_exitcode: bool, verbose: bool, output: options.Output
) -> int:
    """Show the plan that `plan -o FILE` saved. Needs neither network nor token; exits 3 when the file was changed since.

    With --merge, show the plans of all shards as the one plan that they are the parts of, and exit as that plan would:
    3 when a safeguard refuses, and with --detailed-exitcode 2 when there are changes. A shard that is missing, given
    twice, or made of something else is an error. Where shards were applied, give what `apply PLAN --format json` wrote:
    they are shown as one result, and the exit status is that of one apply, 5 where some were refused or failed.
    """
    if not merge:
        if len(files) > 1:
            raise UsageError("several plans are shown together with --merge only, where they are those of all shards")
        if detailed_exitcode:
            raise UsageError(
                "--detailed-exitcode goes with --merge: a plan that is shown again was judged when it was made"
            )
        from reconciler.plan.document import loads

        plan = loads(_text(files[0]), hide_tokens=True)
        output.write(plan, verbose=verbose, made=plan.made)
        return 0
    from reconciler.model.result import Result
    from reconciler.plan import shard_results
    from reconciler.plan.document import TamperedPlanError

    shards = []
    for file in files:
        try:
            shards.append((str(file), shard_results.loads(_text(file))))
        except TamperedPlanError as error:
            raise TamperedPlanError(f"{file}: {error}") from None
    found = shard_results.merge(shards)
    if not isinstance(found, Result):
        output.write(found, verbose=verbose, made=found.made)
        return plan_status(found, detailed=detailed_exitcode)
    if detailed_exitcode:
        raise UsageError("--detailed-exitcode is for plans, and these shards were applied")
    from reconciler.cli.apply import apply_status

    output.write(found, verbose=verbose, made=found.plan.made)
    return apply_status(found, plan_status(found.plan, detailed=False), [])


def _text(file: Path) -> str:
    """The text of a saved plan. Raises UsageError for another file."""
    text = file.read_text(encoding="utf-8", errors="replace")
    if not text.startswith("{"):
        raise UsageError(f"{file} is not a saved plan; `reconciler plan -o FILE` saves one")
    return text
