"""`reconciler doctor`: what could keep the other commands from working, and how to fix it."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler import clock
from reconciler.cli import DONE, ERROR, UNREACHABLE, options
from reconciler.model.errors import ManifestError, PipesError, ReconcilerError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from reconciler.cli.manifests import Manifests
    from reconciler.pipes.client import Client
    from reconciler.report.checks import Check

FORMATS = ("text", "json")
TOO_MANY = 429
FIX_OF_A_HOST = "name a host such as pipes.turbot.com, or a URL that begins with https://"
FIX_OF_A_FILE = "put the token, and nothing else, into PIPES_TOKEN or into the file that --token-file names"
SOON = 14  # warn of a token's end this many days before


@click.command(short_help="Check the way to Pipes, the manifests and the lock file.")
@options.paths_argument
@options.pipes_options
@click.option("--format", "fmt", type=click.Choice(FORMATS), default="text", show_default=True, help="How to print it.")
@click.option("--no-color", is_flag=True, help="Use no colours, like NO_COLOR.")
def command(paths: tuple[Path, ...], pipes: options.PipesOptions, fmt: str, no_color: bool) -> int:
    """Check everything that the other commands need, and say how to fix what is missing. Changes nothing.

    Prints a line for each check: the version, the manifests at PATH, the lock file, an apply that was cut short, git, the
    host, the token and its user, and the user's rights in each managed organization.

    Exits 4 if Pipes cannot be reached or does not accept the token, 1 if something else fails, and 0 otherwise.
    """
    from reconciler.report.checks import render

    local, found = _local(paths)
    remote, usage = _remote(pipes, found)
    color = not no_color and not os.environ.get("NO_COLOR") and sys.stdout.isatty()
    click.echo(render([*local, *remote], fmt, color=color), nl=False, color=color)
    if not usage and any(check.status == "fail" for check in remote):
        return UNREACHABLE
    return ERROR if any(check.status == "fail" for check in [*local, *remote]) else DONE


# --- on this machine --------------------------------------------------------------------------------------------------


def _local(paths: Sequence[Path]) -> tuple[list[Check], Manifests | None]:
    """The checks that need no network, and the manifests where they can be read."""
    checks = [_version()]
    found: Manifests | None = None
    try:
        found = _manifests(paths, checks)
    except ManifestError as error:
        checks += _problems(error, paths)
    if found is not None:
        checks += [_lock_file(found), _journal(found)]
    checks.append(_git())
    return checks, found


def _version() -> Check:
    import platform

    from reconciler.cli.made import version
    from reconciler.report.checks import Check

    return Check("version", "ok", f"reconciler {version()}, Python {platform.python_version()}")


def _manifests(paths: Sequence[Path], checks: list[Check]) -> Manifests | None:
    from reconciler.cli import manifests
    from reconciler.manifest.files import DEFAULT_FILE, DEFAULT_FOLDER, default_paths
    from reconciler.report.checks import Check

    if not paths and not default_paths():
        nothing = f"none: the current folder has neither {DEFAULT_FILE} nor {DEFAULT_FOLDER}/"
        checks.append(Check("manifests", "warn", nothing, "run `reconciler init`"))
        return None
    found = manifests.load(paths, clock.today())
    files, orgs = len(found.desired.files), len(found.desired.orgs)
    what = f"{files} file{'' if files == 1 else 's'}, {orgs} organization{'' if orgs == 1 else 's'}"
    warnings = len(found.desired.warnings)
    if warnings:
        many = f"{warnings} warning{'' if warnings == 1 else 's'}"
        checks.append(Check("manifests", "warn", f"{what}, {many}", "run `reconciler validate`"))
    else:
        checks.append(Check("manifests", "ok", what))
    return found


def _problems(error: ManifestError, paths: Sequence[Path]) -> list[Check]:
    """A failed check for what is wrong with the manifests, or with their lock file."""
    from reconciler.cli import next_steps
    from reconciler.manifest.files import LOCK_FILE
    from reconciler.report.checks import Check

    first = next((one for one in error.diagnostics if one.severity == "error"), error.diagnostics[0])
    errors = sum(one.severity == "error" for one in error.diagnostics)
    where = f"{first.source}: " if first.source is not None else ""
    more = f", and {errors - 1} more" if errors > 1 else ""
    if LOCK_FILE in f"{where}{first.summary}":
        lock = next_steps.command("lock", *paths)
        hint = first.hint or f"restore it from git, or run `{lock}`, which repairs it"
        return [Check("lock file", "fail", f"{where}{first.summary}{more}", hint)]
    if missing := [path for path in paths if not path.exists()]:
        many = "there is no file or folder " + " or ".join(f"`{path}`" for path in missing)
        return [Check("manifests", "fail", many, "check the path, and from which folder you run this")]
    hint = f"{first.hint}{' ' if first.hint.endswith('?') else '; '}" if first.hint else ""
    validate = next_steps.command("validate", *paths)
    return [Check("manifests", "fail", f"{where}{first.summary}{more}", f"{hint}`{validate}` shows all of it")]


def _lock_file(found: Manifests) -> Check:
    from reconciler.report.checks import Check

    path = found.lock_path
    if found.forged:
        fix = "compare it with git; if it is right, `reconciler lock --seal` seals it"
        return Check("lock file", "fail", f"{path}: {found.forged}", fix)
    if not path.exists():
        if not os.access(path.parent, os.W_OK):
            return Check(
                "lock file", "fail", f"{path} cannot be written: {_why_not(path.parent)}", "make room, or allow writing"
            )
        return Check(
            "lock file",
            "warn",
            f"{path} is not there, so renames outside and people invited by email are not recognised",
            "restore it from git if it is lost; otherwise `apply`, `import` or `reconciler lock` writes it",
        )
    seal = ", sealed" if found.sealed else ""
    if not os.access(path, os.W_OK) or not os.access(path.parent, os.W_OK):
        return Check(
            "lock file", "fail", f"{path} cannot be written: {_why_not(path.parent)}", "make room, or allow writing"
        )
    return Check("lock file", "ok", f"{path}, {len(found.lock)} entr{'y' if len(found.lock) == 1 else 'ies'}{seal}")


def _why_not(folder: Path) -> str:
    try:
        read_only = bool(os.statvfs(folder).f_flag & os.ST_RDONLY)
    except OSError:
        read_only = False
    return "the disk is read-only" if read_only else "this user may not write in its folder"


def _journal(found: Manifests) -> Check:
    """Whether an apply is running or was cut short, and whether the next one can write its journal."""
    from filelock import FileLock, Timeout

    from reconciler.apply.journal import FILE, FOLDER, JournalError, read
    from reconciler.report.checks import Check

    folder = found.lock_path.parent / FOLDER
    if not (folder / FILE).exists() and not (folder / "apply.lock").exists():
        if not folder.exists() and not os.access(folder.parent, os.W_OK):
            fix = "make room, allow writing, or name another folder with `apply --journal FOLDER`"
            return Check("journal", "fail", f"{folder} cannot be created: {_why_not(folder.parent)}", fix)
        return Check("journal", "ok", "no apply has run here")
    if not os.access(folder, os.W_OK) or ((folder / FILE).exists() and not os.access(folder / FILE, os.W_OK)):
        fix = "make room, allow writing, or name another folder with `apply --journal FOLDER`"
        return Check("journal", "fail", f"{folder / FILE} cannot be written: {_why_not(folder)}", fix)
    if _is_full(folder):
        return Check("journal", "fail", f"the disk of {folder} is full", "make room before the next apply")
    held = folder / "apply.lock"
    if held.exists():
        try:
            with FileLock(held, timeout=0):
                pass
        except Timeout:
            return Check("journal", "warn", f"an apply is at work in {folder}", "wait for it to end")
    try:
        earlier = read(folder / FILE, found.key)
    except JournalError as error:
        return Check("journal", "fail", str(error), "look at the file, then move it away and apply again")
    if earlier.in_flight:
        first = earlier.in_flight[0]
        return Check(
            "journal",
            "warn",
            f"the last apply was cut short: {first.action} {first.address} was in flight"
            + (f", and {len(earlier.in_flight) - 1} more" if len(earlier.in_flight) > 1 else ""),
            "run `reconciler apply` again: it finds out what became of it, and finishes",
        )
    if earlier.invited:
        return Check(
            "journal",
            "warn",
            "the last apply did not finish, and had invited people by email",
            "run `reconciler apply` again in this folder, so that they are remembered",
        )
    return Check("journal", "ok", "the last apply came to its end")


def _is_full(folder: Path) -> bool:
    try:
        disk = os.statvfs(folder)
    except OSError:
        return False
    return disk.f_bavail == 0 and disk.f_blocks > 0


def _git() -> Check:
    from reconciler.cli.made import revision
    from reconciler.report.checks import Check

    found, dirty = revision()
    if shutil.which("git") is None:
        return Check(
            "git", "warn", "git is not installed, so `review` and `drift --applied` do not work", "install git"
        )
    if not found:
        return Check(
            "git",
            "warn",
            "the current folder is in no git repository with a commit, so `review` and `drift --applied` do not work",
            "keep the manifests in git",
        )
    return Check("git", "ok", f"at {found[:12]}{', with uncommitted changes' if dirty else ''}")


# --- Pipes ------------------------------------------------------------------------------------------------------------


def _remote(pipes: options.PipesOptions, found: Manifests | None) -> tuple[list[Check], bool]:
    """The checks that talk to Pipes, which end at the first that fails, and whether it is the command line that is wrong."""
    from reconciler.cli.manifests import pinned_elsewhere
    from reconciler.cli.progress import Progress
    from reconciler.pipes.settings import resolve
    from reconciler.report.checks import Check

    checks: list[Check] = []
    problem: ReconcilerError | None = None
    try:
        settings = resolve(pipes.host, pipes.token_file, os.environ, cwd=Path.cwd())
    except (PipesError, UsageError) as error:
        problem = error
    if problem is not None:
        is_host = str(problem).startswith(("--host", "PIPES_HOST", "no sandbox", "the sandbox", "the embedded Pipes"))
        name = "host" if is_host else "token"
        halves = _halves(str(problem), FIX_OF_A_HOST if is_host else FIX_OF_A_FILE)
        return [Check(name, "fail", *halves)], isinstance(problem, UsageError)
    checks += [Check("environment", "warn", *_halves(hint)) for hint in settings.hints]
    proxy = _proxy(settings.base_url)
    if isinstance(proxy, Check):
        return [*checks, proxy], False
    checks.append(Check("host", "ok", f"{settings.where}{f', through the proxy that {proxy} names' if proxy else ''}"))
    refusal = None if found is None else pinned_elsewhere(found.desired, settings)
    if refusal is not None:
        checks[-1] = Check("host", "fail", refusal.fact, refusal.fix)
        return checks, True
    with pipes.client(settings, read_only=True) as client, Progress():
        try:
            _ask(client, found, checks)
        except PipesError as error:
            checks.append(_failed(error))
    return checks, False


def _proxy(base_url: str) -> str | Check | None:
    """The variable that names a proxy, None without one; a failed check where it, or the certificates, cannot be used."""
    from reconciler.pipes import environment
    from reconciler.report.checks import Check

    if not base_url.startswith("https://"):
        return None
    try:
        return environment.check(base_url)
    except PipesError as error:
        name = "certificates" if str(error).startswith(environment.CERTIFICATES) else "proxy"
        fact, _, fix = str(error).partition(": write ")
        return Check(name, "fail", fact, f"write {fix}" if fix else f"correct {fact.partition(' ')[0]}, or unset it")


def _halves(message: str, otherwise: str = "check the network, and run this again") -> tuple[str, str]:
    """Divide a message into what is wrong and what to do, which follows a semicolon, or a colon as an order."""
    for sign in ("; ", ": set ", ": write ", ": rename "):
        fact, found, fix = message.partition(sign)
        if found:
            return fact, sign[2:] + fix
    return message, otherwise


def _failed(error: PipesError) -> Check:
    """The failed check for what Pipes answered, or did not."""
    from reconciler.pipes.errors import NotAuthorisedError, StatusError
    from reconciler.report.checks import Check

    text = str(error)
    fact, fix = _halves(text)
    if isinstance(error, NotAuthorisedError):
        return Check("token", "fail", fact, fix)
    if isinstance(error, StatusError):
        if error.status == TOO_MANY:
            return Check("pipes", "fail", text, "wait a while; a lower --parallelism sends fewer requests at once")
        if error.status >= 500:
            return Check("pipes", "fail", text, "wait, and run this again: Pipes has a problem of its own")
        return Check("pipes", "fail", text, "check that the host is a Turbot Pipes")
    name = (
        "certificates"
        if text.startswith("the certificate of")
        else "proxy"
        if text.startswith("the proxy")
        else "pipes"
    )
    return Check(name, "fail", fact, fix)


def _ask(client: Client, found: Manifests | None, checks: list[Check]) -> None:
    """Check the user, the token, and the rights in each org. Raises PipesError."""
    from reconciler.pipes.reading.tokens import token_in_use
    from reconciler.pipes.reading.visible_orgs import read_actor
    from reconciler.report.checks import Check

    actor, kind = read_actor(client)
    robot = "a service account" if kind == "service_account" else "a person's account"
    checks.append(Check("user", "ok", f"{actor.handle}, {robot}"))
    checks.append(_token(*token_in_use(client, actor.handle)))
    if found is not None:
        checks += _orgs(client, found)


def _token(ends: datetime | None, known: bool) -> Check:
    from reconciler.report.checks import Check

    if not known:
        return Check("token", "ok", "accepted; Pipes does not show when it ends")
    if ends is None:
        return Check("token", "ok", "accepted, without an end")
    left = (ends - clock.now()).days
    day = ends.date().isoformat()
    if left < SOON:
        days = "less than a day" if left < 1 else f"{left} day{'' if left == 1 else 's'}"
        return Check(
            "token", "warn", f"accepted, but it ends on {day}, in {days}", "issue a new token in Pipes, and use it"
        )
    return Check("token", "ok", f"accepted, ends on {day}")


def _orgs(client: Client, found: Manifests) -> list[Check]:
    """The rights of the token's user in each managed org."""
    from reconciler.pipes.reading import snapshot
    from reconciler.report.checks import Check

    live = snapshot(client, found.desired, found.lock)
    failed = {one.org: one for one in live.unreadable}
    checks = []
    for name, node in sorted(found.desired.orgs.items()):
        there = next((live.orgs[h] for h in (name, node.renamed_from) if h is not None and h in live.orgs), None)
        entry = found.lock.get(f"org.{name}")
        if there is None and entry is not None:
            there = next((one for one in live.orgs.values() if one.id == entry.id), None)
        label = f"org.{name}"
        if name in failed:
            fix = "run this again; if it stays so, ask Pipes' support what the list should show"
            checks.append(Check(label, "fail", f"{failed[name].code}: {failed[name].why}", fix))
        elif there is not None and live.owned(there):
            renamed = f", as {there.handle}" if there.handle != name else ""
            checks.append(Check(label, "ok", f"{live.actor.handle} owns it{renamed}"))
        elif there is not None:
            fact = f"{live.actor.handle} does not own it, so Pipes shows a part of it only and lets it change nothing"
            checks.append(Check(label, "fail", fact, "use the token of an owner, or let an owner promote this user"))
        elif name in live.forbidden:
            fact = f"it exists, and {live.actor.handle} may not read it"
            checks.append(Check(label, "fail", fact, "use the token of one of its owners, or correct the handle"))
        elif node.absent:
            checks.append(Check(label, "ok", "it is gone, as the manifests state"))
        else:
            fact = f"Pipes shows {live.actor.handle} no such organization, so `apply` would create it"
            checks.append(Check(label, "warn", fact, "correct the handle or --host if it exists already"))
    return checks
