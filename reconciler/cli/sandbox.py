"""`reconciler sandbox`: a local Turbot Pipes for rehearsals and tests."""

from __future__ import annotations

import importlib
import shlex
import sys
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

import click

from reconciler.cli.signals import orderly_stop
from reconciler.sandbox import BASE_PATH, DEFAULT_PATH

if TYPE_CHECKING:
    from cheroot.wsgi import Server

    from reconciler.sandbox.serve import Certificate
    from reconciler.sandbox.store import Store

_NEEDED = ("falcon", "cheroot", "trustme")

db_option = click.option(
    "--db",
    type=click.Path(dir_okay=False, path_type=Path),
    default=DEFAULT_PATH,
    show_default=True,
    help="The sandbox's file.",
)


@click.group(
    short_help="A local Turbot Pipes for rehearsals and tests.",
    context_settings={"help_option_names": ["-h", "--help"]},
)
def command() -> None:
    """A local Turbot Pipes: rehearse changes here before they touch a live organization."""


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


@command.command(short_help="Fill the sandbox from a world file, or with a generated world.")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@db_option
@click.option("--example", is_flag=True, help="The small world that the manifest of `reconciler init` describes.")
@click.option("--orgs", type=click.IntRange(0), help="Generate a world with this many organizations.")
@click.option("--members", type=click.IntRange(1), help="Members in each organization.")
@click.option("--workspaces", type=click.IntRange(0), help="Workspaces in each organization.")
@click.option("--grants", type=click.IntRange(0), help="Grants in each workspace.")
@click.option("--seed", type=int, help="Another number gives another world of the same size.")
def seed(file: Path | None, db: Path, example: bool, **size: int | None) -> None:
    """Replace everything in the sandbox with the world in FILE (YAML), with a small example, or with a generated world of
    the given size.
    """
    _need_extra()
    from reconciler.sandbox import world as worlds

    given = {key: value for key, value in size.items() if value is not None}
    if file is not None and given:
        raise click.UsageError(
            f"a world comes from a file or is generated: give {file} or --{next(iter(given))}, not both"
        )
    if example and (file is not None or given):
        raise click.UsageError("--example is a whole world, so it goes with neither a file nor a size")
    try:
        if example:
            world = worlds.EXAMPLE
        else:
            world = worlds.load(file) if file is not None else worlds.generate(**{"orgs": 1, "members": 5, **given})
        with _open(db, new=True) as store:
            worlds.seed(store, world)
    except worlds.WorldError as error:
        raise click.ClickException(str(error)) from error
    orgs = world.get("orgs") or {}
    users = len(worlds.named_users(world))
    click.echo(f"{db}: {_count(len(orgs), 'organization')}, {_count(users, 'user')}")
    if example:
        from reconciler.cli import next_steps

        host = "sandbox" if db == DEFAULT_PATH else f"sandbox:{db}"
        next_steps.show([(next_steps.command("plan", "--host", host), "shows what orgs.yaml would change")])


@command.command(short_help="Empty the sandbox.")
@db_option
def reset(db: Path) -> None:
    """Empty the sandbox: no users, no organizations, no tokens. `seed` fills it again."""
    _need_extra()
    with _open(db) as store:
        store.clear()
    click.echo(f"{db}: empty")


@command.command(short_help="Serve the sandbox over HTTP or HTTPS.")
@click.argument("key", required=False, type=click.Path(path_type=Path), metavar="")
@db_option
@click.option("--bind", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8765,
    show_default=True,
    help="Port to listen on; 0 takes a free one.",
)
@click.option(
    "--allow-host",
    "names",
    multiple=True,
    metavar="NAME",
    help="A host name that clients may use, besides localhost and IP addresses. Can be given several times.",
)
@click.option(
    "--tls",
    metavar="CERT KEY|self-signed",
    help="Serve HTTPS, with two PEM files or with a certificate made for this machine.",
)
@click.option("--faults", type=click.Path(path_type=Path), help="A YAML list of faults: requests that fail, and how.")
@click.option(
    "--fault",
    "more",
    multiple=True,
    metavar="RULE",
    help="One more fault, as in '{kind: status, status: 503, times: 2}'.",
)
@click.option("--no-if-match", is_flag=True, help="Ignore If-Match headers, like a server that does not know them.")
def serve(
    db: Path,
    bind: str,
    port: int,
    names: tuple[str, ...],
    tls: str | None,
    key: Path | None,
    faults: Path | None,
    more: tuple[str, ...],
    no_if_match: bool,
) -> None:
    """Serve the sandbox until interrupted. Open / in a browser to look at it."""
    _need_extra()
    from reconciler.sandbox.app import create_app
    from reconciler.sandbox.faults import FaultError, Faults, parse
    from reconciler.sandbox.hosts import KnownHosts
    from reconciler.sandbox.serve import make_server, url
    from reconciler.sandbox.store import NotSeededError

    with _open(db) as store:
        try:
            token = store.default_token()
            wanted = Faults.load(faults) if faults else Faults()
            wanted.rules += Faults(map(parse, more)).rules
            app = create_app(store, wanted, if_match=not no_if_match)
        except NotSeededError as error:
            raise click.ClickException(f"{error}; fill it with: reconciler sandbox seed") from error
        except FaultError as error:
            raise click.ClickException(str(error)) from error
        certificate = _certificate(tls, key, db.parent, bind)
        try:
            server = make_server(KnownHosts(app, (bind, *names)), bind, port, certificate)
        except OSError as error:
            raise click.ClickException(f"cannot listen on {bind}:{port}: {error}") from error
        _serve(server, _how_to(url(server), token, certificate))


def _serve(server: Server, how_to: str) -> None:
    """Serve until Ctrl-C or SIGTERM; requests in hand are answered."""
    ended = Event()

    def end() -> None:
        try:
            server.stop()
        finally:
            ended.set()

    # SIGINT too: whatever a shell started in the background ignores it.
    with orderly_stop(end) as received:
        try:
            click.echo(how_to)
            sys.stdout.flush()
            server.serve()
        finally:
            server.stop()
            if received:
                ended.wait()
                click.echo("stopped", err=True)


def _certificate(tls: str | None, key: Path | None, folder: Path, bind: str) -> Certificate | None:
    from reconciler.sandbox.serve import Certificate, self_signed

    if tls is None:
        if key is not None:
            raise click.UsageError(f"unexpected argument {key}")
        return None
    if tls == "self-signed":
        if key is not None:
            raise click.UsageError(f"unexpected argument {key} after --tls self-signed")
        return self_signed(folder, bind)
    if key is None:
        raise click.UsageError("--tls takes two files, CERT and KEY, or the word self-signed")
    for path in (Path(tls), key):
        if not path.is_file():
            raise click.UsageError(f"--tls: {path} is not a file")
    return Certificate(Path(tls), key)


def _how_to(url: str, token: str, certificate: Certificate | None) -> str:
    authority = certificate.authority if certificate else None
    lines = [
        f"Sandbox: {url}",
        f"Token:   {token}",
        "",
        f"reconciler  PIPES_HOST={url} PIPES_TOKEN={token} reconciler plan",
        f"curl        curl -H 'Authorization: Bearer {token}' {url}{BASE_PATH}/actor",
    ]
    if certificate is None:
        lines.append("terraform   speaks https only: serve with --tls self-signed")
    else:
        lines.append(f"terraform   PIPES_HOST={url} PIPES_TOKEN={token} terraform plan")
    if authority:
        lines.insert(2, f"Trust:   {authority}")
        file = shlex.quote(str(authority))
        lines[4] = lines[4].replace("PIPES_HOST", f"REQUESTS_CA_BUNDLE={file} PIPES_HOST")
        lines[5] = lines[5].replace("curl -H", f"curl --cacert {file} -H")
        lines[6] = lines[6].replace("PIPES_HOST", f"SSL_CERT_FILE={file} PIPES_HOST")
    lines += ["", "Ctrl-C stops it."]
    return "\n".join(lines)


def _open(db: Path, *, new: bool = False) -> Store:
    from reconciler.sandbox.store import Store, StoreError

    try:
        return Store(db) if new else Store.open_existing(db)
    except FileNotFoundError as error:
        raise click.ClickException(f"{error}; make one with: reconciler sandbox seed") from error
    except (StoreError, OSError) as error:
        raise click.ClickException(str(error)) from error


def _need_extra() -> None:
    """Raise ClickException where the extra that the sandbox needs is not installed."""
    for name in _NEEDED:
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            raise click.ClickException(
                f"the sandbox needs {name}, which comes with the extra reconciler[sandbox]"
            ) from error
