"""`reconciler plan`: shows what an apply would change."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler import clock
from reconciler.cli import REFUSED, made, manifests, names, next_steps, options, output_files, plan_status, token_end
from reconciler.model.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from reconciler.model.desired import Desired
    from reconciler.model.drift import Since
    from reconciler.model.live import Snapshot
    from reconciler.model.plan import Plan


@click.command(short_help="Show what would change. Changes nothing.")
@options.paths_argument
@click.option(
    "-o",
    "--save",
    "save",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Save the plan, so that `apply FILE` does exactly this. The report goes to --out FILE.",
)
@click.option("--detailed-exitcode", is_flag=True, help="Exit 2 when there are changes.")
@click.option(
    "--since",
    metavar="BASE",
    help="Separate what the manifests changed since the git revision (or folder) BASE from earlier drift.",
)
@click.option("--summary", is_flag=True, help="Show only a line for each organization.")
@click.option(
    "--by", type=click.Choice(["person"]), help="Show a line for each person, with all that changes for them."
)
@click.option(
    "--person",
    "people",
    multiple=True,
    metavar="NAME",
    shell_complete=names.people,
    help="Show only what changes for NAME.",
)
@click.option(
    "--workspace",
    "workspaces",
    multiple=True,
    metavar="ORG/WORKSPACE",
    shell_complete=names.workspaces,
    help="Show only what changes in this workspace.",
)
@options.org_option
@options.shard_option
@options.allow_option
@options.day_option
@options.token_expiring_option
@options.dotenv_option
@options.pipes_options
@options.output_options
def command(
    paths: tuple[Path, ...],
    save: Path | None,
    detailed_exitcode: bool,
    since: str | None,
    summary: bool,
    by: str | None,
    people: tuple[str, ...],
    workspaces: tuple[str, ...],
    orgs: tuple[str, ...],
    shard: tuple[int, int] | None,
    allow: tuple[str, ...],
    day: datetime | None,
    expiring: int,
    dotenv: Path | None,
    pipes: options.PipesOptions,
    output: options.Output,
) -> int:
    """Read the organizations from Pipes and show what the manifests at PATH would change. Changes nothing.

    Exits 3 if a safeguard refuses the plan, and 2 if there are changes and you pass --detailed-exitcode. --summary, --by,
    --person and --workspace narrow what is shown, not what is planned: the exit status is that of the whole plan.
    """
    _check_view(save, since, output, summary=summary, by=by, narrowed=bool(people or workspaces))
    from msgspec.structs import replace

    from reconciler.cli.drift import with_who_renamed
    from reconciler.cli.progress import Progress
    from reconciler.plan import make_plan

    allowances = options.allowances(allow)
    found = manifests.load(paths, day.date() if day else clock.today(), orgs, output, shard=shard)
    settings = pipes.settings()
    pinned = manifests.pinned_elsewhere(found.desired, settings)
    if pinned is not None:
        output.write(manifests.empty_plan(found.desired, pinned), made=made.now(paths, host=settings.pipes))
        return REFUSED
    part = None
    if found.shard is not None:
        from reconciler.plan.shard import here

        part, allowances = replace(found.shard, host=settings.where), here(allowances, found.desired)
    from reconciler.kinds import have_configuration
    from reconciler.pipes.reading import snapshot

    if have_configuration(found.desired.orgs):
        from reconciler.apply.secrets import judge

        judge(found.desired, found.lock, options.secrets(settings))
    base, problem = _base(since, paths, found)
    to_read = found.desired
    if base is not None:
        from reconciler.drift.reading_scope import both

        to_read = both(found.desired, base)
    with pipes.client(settings, read_only=True) as client:
        with Progress() as progress:
            live = snapshot(client, to_read, found.lock, progress=progress.reading)
        drafted = manifests.judged(
            make_plan(found.desired, live, found.lock, allowances, part), found.desired, live, found.lock
        )
        planned = manifests.unless_forged(drafted, found, live)
        result = with_who_renamed(planned, client, found.desired, live, found.lock)
        token_end.warn(client, live.actor.handle, expiring)
    head = made.now(paths, host=settings.pipes, user=live.actor.handle)
    result = replace(result, host=settings.pipes, made=head)
    if save is not None:
        from reconciler.plan.document import dumps

        text = dumps(result)
        if found.key and result.allowed:
            import json

            from reconciler.lockfile.seal import plan_mark
            from reconciler.plan.document import write

            document = json.loads(text)
            text = write({**document, "mark": plan_mark(document["digest"], found.key)})
        output_files.write_file(save, text)
    if summary or by or people or workspaces:
        _show(
            result,
            output,
            summary=summary,
            by=by,
            people=people,
            workspaces=workspaces,
            known=names.shown(found.desired),
            verbose=pipes.verbose,
        )
    elif since is None:
        output.write(result, verbose=pipes.verbose, made=head)
    else:
        output.write(_separated(result, since, base, problem, live, found), verbose=pipes.verbose, made=head)
    options.write_dotenv(dotenv, result)
    if save is not None and output.format == "text":
        what = (
            "It is refused, so you can show it but not apply it."
            if result.refusals or result.errors
            else f"To apply exactly this plan: {next_steps.command('apply', save, *paths, pipes=pipes)}"
        )
        click.echo(f"Saved the plan as {save}. {what}", err=True)
    return plan_status(result, detailed=detailed_exitcode)


def _check_view(
    save: Path | None, since: str | None, output: options.Output, *, summary: bool, by: str | None, narrowed: bool
) -> None:
    """Raise UsageError for views that do not go together: what is saved or read by machines is always the whole plan."""
    if not (summary or by or narrowed):
        return
    option = "--summary" if summary else "--by" if by else "--person or --workspace"
    if save is not None:
        raise UsageError(
            f"{option} narrows what is shown, and a saved plan is always whole: leave out -o, and use `show`"
        )
    if since is not None:
        raise UsageError(f"{option} does not go with --since")
    if summary and by:
        raise UsageError("--summary and --by are two views: choose one")
    allowed = ("text",) if summary or by else ("text", "markdown", "html")
    if output.format not in allowed:
        raise UsageError(f"{option} goes with --format {' or '.join(allowed)}: other formats hold the whole plan")


def _show(
    plan: Plan,
    output: options.Output,
    *,
    summary: bool,
    by: str | None,
    people: tuple[str, ...],
    workspaces: tuple[str, ...],
    known: Collection[str],
    verbose: bool,
) -> None:
    """Show the plan as the options ask for it; `known` are the names of the manifests."""
    from reconciler.report import plan_views

    if people or workspaces:
        plan = plan_views.narrowed(plan, people, workspaces, known)
    if not summary and not by:
        output.write(plan, verbose=verbose, made=plan.made)
        return
    view = plan_views.summary if summary else plan_views.by_person
    color = output.out is None and output.color and sys.stdout.isatty()
    text = view(plan, color=color, made=plan.made)
    if output.out is not None:
        output_files.write_file(output.out, text, keep=True)
    else:
        click.echo(text, nl=False, color=color)


def _base(since: str | None, paths: Sequence[Path], found: manifests.Manifests) -> tuple[Desired | None, str]:
    """The desired state at BASE, or None and why its manifests cannot be used, which does not fail the plan."""
    if since is None:
        return None, ""
    from reconciler.cli import drift
    from reconciler.history.revision import texts
    from reconciler.model.errors import ManifestError

    try:
        return drift.only(
            drift.loaded(texts(since, paths, missing_ok=True), found.desired.day, since), found.desired
        ), ""
    except ManifestError as error:
        return None, drift.first_problem(since, error)


def _separated(
    plan: Plan, since: str, base: Desired | None, problem: str, live: Snapshot, found: manifests.Manifests
) -> Since:
    from reconciler.drift.plan_since import since as compared_since
    from reconciler.model.drift import Since
    from reconciler.plan import make_plan

    if base is None:
        return Since(plan, since, {}, notes=(f"{problem}, so earlier drift is not shown separately",))
    return compared_since(plan, since, make_plan(base, live, found.lock))
