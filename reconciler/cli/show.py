"""`reconciler show`: a saved plan again."""

from __future__ import annotations

from pathlib import Path

import click

from reconciler.cli import common
from reconciler.model.errors import UsageError


@click.command(short_help="Show a saved plan again, in any format.")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("-v", "--verbose", is_flag=True, help="All details.")
@common.output_options
def command(file: Path, verbose: bool, output: common.Output) -> int:
    """Show the plan that `plan -o FILE` saved. Needs neither network nor token; exits 3 when the file was changed since."""
    from reconciler.plan.document import loads

    text = file.read_text(encoding="utf-8", errors="replace")
    if not text.startswith("{"):
        raise UsageError(f"{file} is no saved plan; `reconciler plan -o FILE` saves one")
    output.write(loads(text), verbose=verbose)
    return 0
