"""`reconciler init`: the first command in an empty folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli import next_steps, options, output_files

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.model.live import Actor
    from reconciler.pipes.reading.visible_orgs import VisibleOrg


@click.command(short_help="Start here: list what to import, or write a first manifest.")
@options.pipes_options
def command(pipes: options.PipesOptions) -> int:
    """Start in an empty folder. Overwrites nothing, and changes nothing in Pipes.

    With a token: list the organizations that it can see, and the command that imports them. Without one: write a
    commented manifest (orgs.yaml) that you can try on the local Pipes of `reconciler sandbox`. Either way, write a
    .gitignore, the JSON Schema, and a setting that makes editors use it, where they are missing.
    """
    from reconciler.pipes.settings import has_token

    with_token = has_token(pipes.host, pipes.token_file, os.environ, cwd=Path.cwd())
    if with_token:
        actor, orgs = read_visible(pipes)
        _write_settings()
        show_visible(actor, orgs, pipes)
        return 0
    _write_settings()
    _start(pipes)
    return 0


def read_visible(pipes: options.PipesOptions) -> tuple[Actor, list[VisibleOrg]]:
    """The token's user and its organizations. Raises PipesError, UsageError."""
    from reconciler.cli.progress import Progress
    from reconciler.pipes.reading.visible_orgs import read_actor, read_visible_orgs

    with pipes.client(pipes.settings(), read_only=True) as client, Progress() as progress:
        actor, _ = read_actor(client)
        return actor, read_visible_orgs(client, progress.reading)


def show_visible(actor: Actor, orgs: Sequence[VisibleOrg], pipes: options.PipesOptions) -> None:
    """Print what could be imported, and the command that imports it."""
    from reconciler.kinds.secret import without_tokens
    from reconciler.report.text import escape

    where, user = escape(pipes.settings().where), escape(without_tokens(actor.handle))
    if not orgs:
        click.echo(f"{user} is in no organization on {where}.")
        next_steps.show([(next_steps.command("doctor", pipes=pipes), "check the host and the token")])
        return
    many = f"{len(orgs)} organization{'' if len(orgs) == 1 else 's'}"
    click.echo(f"{user} is in {many} on {where}:\n")
    rows = [("Organization", "Role", "Members", "Workspaces"), *map(_row, orgs)]
    wide = [max(len(row[column]) for row in rows) for column in range(4)]
    for row in rows:
        click.echo("  " + "  ".join(f"{cell:{width}}" for cell, width in zip(row, wide, strict=True)).rstrip())
    owned = [one.handle for one in orgs if one.can_import]
    if not owned:
        click.echo(
            f"\n{user} owns none of them. Pipes shows all workspaces and grants to owners only, so importing "
            "needs the token of an owner."
        )
        return
    steps = [(next_steps.command("import", *owned[:1], pipes=pipes), f"write the manifest of {owned[0]}")]
    if len(owned) > 1:
        all_of_them = f"write the manifests of all {len(owned)} that {user} owns"
        steps.insert(0, (next_steps.command("import", "--all", pipes=pipes), all_of_them))
        steps[1] = (steps[1][0], f"or only that of {owned[0]}")
    next_steps.show(steps)


def _row(one: VisibleOrg) -> tuple[str, str, str, str]:
    from reconciler.report.text import escape

    role = escape(one.role) if one.accepted else f"{escape(one.role)} (invited, not accepted)"
    sizes = ("?" if size is None else f"{size}" for size in (one.members, one.workspaces))
    return (one.handle, role, *sizes)  # type: ignore[return-value]


# --- without a token --------------------------------------------------------------------------------------------------


def _write_settings() -> None:
    """Write the .gitignore, the schema and the editor's setting that are missing, and say so."""
    from reconciler.cli.writing import write_schema
    from reconciler.manifest import starting

    write_schema()
    settings = Path(".vscode") / "settings.json"
    if not _unless_there(settings, starting.editor_settings()) and not _mentions(settings, starting.SCHEMA.name):
        missing = "\n".join(starting.editor_settings().strip().splitlines()[1:-1])
        click.echo(f"{settings.as_posix()} exists and is left alone. To have editors check manifests, add:\n{missing}")
    ignored = Path(".gitignore")
    if not _unless_there(ignored, starting.IGNORED) and ignored.is_file():
        lines = ignored.read_text(encoding="utf-8", errors="replace").splitlines()
        if not {starting.IGNORED.strip(), starting.IGNORED.strip("/\n")} & {line.strip().lstrip("/") for line in lines}:
            click.echo(f"Add a line `{starting.IGNORED.strip()}` to .gitignore: what is in it must not be committed.")


def _mentions(path: Path, name: str) -> bool:
    return path.is_file() and name in path.read_text(encoding="utf-8", errors="replace")


def _unless_there(path: Path, text: str) -> bool:
    """Write a file unless it exists. Returns whether it was written."""
    if path.exists() or path.is_symlink():
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    output_files.write_file(path, text, mode=output_files.SHARED)
    click.echo(f"{path.as_posix()}: written.")
    return True


def _start(pipes: options.PipesOptions) -> None:
    """Write a first manifest, unless there are manifests, and print the three commands that try it."""
    from reconciler.manifest import starting
    from reconciler.manifest.files import DEFAULT_FILE, DEFAULT_FOLDER, default_paths, has_manifests
    from reconciler.model.errors import UsageError

    there = default_paths()
    if not there and os.path.lexists(DEFAULT_FILE):
        raise UsageError(f"{DEFAULT_FILE} is not a file; rename it, and run `reconciler init` again")
    if there and (there[0] == DEFAULT_FILE or has_manifests(Path(DEFAULT_FOLDER))):
        click.echo(f"{there[0]} exists and is left alone.")
        next_steps.show(
            [
                (next_steps.command("validate"), "check it, offline"),
                (next_steps.command("doctor", pipes=pipes), "check the way to Pipes"),
                (next_steps.command("plan", pipes=pipes), "show what would change"),
            ]
        )
        return
    _unless_there(Path(DEFAULT_FILE), starting.manifest())
    click.echo(
        "\nThere is no token, so this is an example that you can try on a local Pipes. For an organization of yours, remove "
        f"{DEFAULT_FILE}, set PIPES_TOKEN to a token of its owner, and run `reconciler init` again."
    )
    host = pipes.host if pipes.host is not None and pipes.host.startswith("sandbox") else "sandbox"
    database = host.partition(":")[2]
    seed = next_steps.command("sandbox", "seed", "--example", *(("--db", database) if database else ()))
    next_steps.show(
        [
            (seed, "fill a local Pipes with the organization of orgs.yaml"),
            (
                next_steps.command("plan", "--host", host),
                "shows no changes; edit orgs.yaml, and it shows what you changed",
            ),
            (next_steps.command("apply", "--host", host), "asks, and makes the changes"),
        ]
    )
