"""`reconciler schema`: prints the JSON Schemas."""

from __future__ import annotations

import click


@click.command(short_help="Print the JSON Schema of manifests or plans.")
@click.argument("name", type=click.Choice(["manifest", "plan"]), default="manifest")
def command(name: str) -> None:
    """Print the JSON Schema of manifests (for completion in an editor) or of `plan --format json`."""
    from reconciler.manifest import schema_text

    click.echo(schema_text("plan" if name == "plan" else "manifest"), nl=False)
