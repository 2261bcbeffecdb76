"""`reconciler schema`: prints the JSON Schemas, or writes the one that the headers of manifests name."""

from __future__ import annotations

import click

from reconciler.model.errors import UsageError


@click.command(short_help="Print the JSON Schema of manifests, plans or access.")
@click.argument("name", type=click.Choice(["manifest", "plan", "access"]), default="manifest")
@click.option(
    "--write",
    is_flag=True,
    help="Write the schema of manifests to schemas/manifest.schema.json, where the headers of manifests look for it.",
)
def command(name: str, write: bool) -> None:
    """Print the JSON Schema of manifests (for completion in an editor), or of the JSON of `plan` or `access`.

    With --write, put it where `init` and `import` expect it. Run it again after an upgrade.
    """
    if write:
        if name != "manifest":
            raise UsageError("--write is for the schema of manifests: no manifest names another")
        from reconciler.cli.writing import write_schema

        write_schema(replace=True)
        return
    from reconciler.manifest import schema_text

    click.echo(schema_text(name), nl=False)
