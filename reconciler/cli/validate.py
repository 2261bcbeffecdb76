"""`reconciler validate`: checks the manifests, offline."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from reconciler import clock
from reconciler.cli import made, manifests, options

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path


@click.command(short_help="Check the manifests, offline.")
@options.paths_argument
@options.expiring_option
@options.day_option
@options.output_options
def command(paths: tuple[Path, ...], expiring: int, day: datetime | None, output: options.Output) -> int:
    """Check the manifests at PATH (files or folders; by default orgs.yaml, else orgs/) and report every problem.

    Needs neither network nor token. Where the lock file knows that two names are one person, it says so. Exits 1 if
    something breaks a policy of level `error`; with --expiring, it mentions the waivers that end soon.
    """
    from reconciler.model.errors import ManifestError
    from reconciler.plan.identity import spent, two_names
    from reconciler.report import Validation

    found = manifests.load(paths, day.date() if day else clock.today(), output=output)
    head = made.now(paths)
    twice = tuple(two_names(found.desired, found.lock))
    if any(one.severity == "error" for one in twice):
        if output.format != "text":
            output.write(Validation(twice, len(found.desired.files), len(found.desired.orgs)), made=head)
        raise ManifestError(sorted(twice, key=lambda one: one.severity != "error"))
    problems = (*found.desired.warnings, *found.desired.ended, *spent(found.desired, found.lock), *twice)
    verdict = None
    if found.desired.policies:
        from reconciler.policy.judge import of_desired
        from reconciler.report.policies import diagnostics

        verdict = of_desired(found.desired, found.lock, soon=expiring)
        problems = (*diagnostics(verdict), *problems)
    result = Validation(problems, len(found.desired.files), len(found.desired.orgs), verdict)
    output.write(result, made=head)
    return 1 if result.errors else 0
