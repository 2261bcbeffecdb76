"""Where Pipes is and which token opens it: `--host`, `--token-file`, `PIPES_HOST`, `PIPES_TOKEN`.

Nothing here ever falls back to the sandbox, and no text that is made here contains the token.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from reconciler.model.errors import PipesError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

DEFAULT_HOST = "pipes.turbot.com"
BASE_PATH = "/api/v0"
TOKEN = "PIPES_TOKEN"  # noqa: S105 - the variable's name
HOST = "PIPES_HOST"
SANDBOX = "sandbox"
# names of the older product that still circulate (API page, "settings users already have")
OLDER = {"STEAMPIPE_CLOUD_TOKEN": TOKEN, "STEAMPIPE_CLOUD_HOST": HOST}

_MAX_TOKEN = 4096
# answered in-process; a reserved name (RFC 2606), so that a mistake here can reach nobody
_SANDBOX_URL = f"http://sandbox.invalid{BASE_PATH}"


@dataclass(frozen=True, slots=True)
class Settings:
    """Where to send requests, and with which token.

    `base_url` ends in the API's base path, without a slash. `sandbox_path` is the embedded Pipes' database, None for a
    real one. `hints` are remarks for standard error about settings that were found and not used.
    """

    base_url: str
    token: str = field(repr=False)
    sandbox_path: Path | None = None
    hints: tuple[str, ...] = ()

    @property
    def pipes(self) -> str:
        """Which Pipes it is, as a saved plan says it: an embedded one wherever its file lies, else the host (port, path)."""
        if self.sandbox_path is not None:
            return SANDBOX
        parts = urlsplit(self.base_url)
        return parts.netloc.lower() + parts.path.removesuffix(BASE_PATH)

    def is_at(self, host: str) -> bool:
        """Whether `host`, as a manifest pins it, is this Pipes; an embedded one is wherever it is wanted.

        A host without `https://` is met by plain http, too, which is possible on this machine alone.
        """
        if self.sandbox_path is not None:
            return True
        url = host if "://" in host else f"{urlsplit(self.base_url).scheme}://{host}"
        try:
            return base_url_of(url, "host").lower() == self.base_url.lower()
        except UsageError:
            return False

    @property
    def where(self) -> str:
        """What messages call it: the host (and port), or the sandbox's file."""
        if self.sandbox_path is not None:
            return f"sandbox:{self.sandbox_path}"
        return urlsplit(self.base_url).netloc


def resolve(host: str | None, token_file: Path | None, environ: Mapping[str, str], *, cwd: Path) -> Settings:
    """The settings of one run, from `--host`, `--token-file` and the environment; `cwd` is what relative paths are below.

    Raises UsageError for a host or file that cannot be meant, PipesError where the token or the sandbox is missing.
    """
    option = host is not None
    text = (host if host is not None else environ.get(HOST, "")).strip()
    source = "--host" if option else HOST
    hints = _older_names(environ, host_given=bool(text), token_given=bool(token_file or environ.get(TOKEN, "").strip()))
    if text == SANDBOX or text.startswith(f"{SANDBOX}:"):
        return _sandbox(text.removeprefix(SANDBOX).removeprefix(":"), token_file, cwd)
    if option and not text:
        raise UsageError("--host is empty: name a host such as pipes.turbot.com, or leave the option out")
    base_url = base_url_of(text or DEFAULT_HOST, source)
    return Settings(base_url, _token(token_file, environ, cwd, hints), None, hints)


def has_token(host: str | None, token_file: Path | None, environ: Mapping[str, str], *, cwd: Path) -> bool:
    """Whether `resolve` would find a token: one that is named, or that of an embedded Pipes which is there."""
    text = (host if host is not None else environ.get(HOST, "")).strip()
    if text == SANDBOX or text.startswith(f"{SANDBOX}:"):
        from reconciler.sandbox import DEFAULT_PATH

        return (cwd / (text.removeprefix(SANDBOX).removeprefix(":") or DEFAULT_PATH)).exists()
    return token_file is not None or bool(environ.get(TOKEN, "").strip())


def base_url_of(text: str, source: str = "--host") -> str:
    """`acme.pipes.turbot.com` or a URL -> `https://acme.pipes.turbot.com/api/v0`. Raises UsageError.

    What was given is repeated in a message only where it cannot hold a secret.
    """
    if "tpt_" in text:
        raise UsageError(f"{source} holds a token where a host belongs; the token goes into {TOKEN} or --token-file")
    if not text.isascii() or any(c.isspace() or not c.isprintable() for c in text):
        raise UsageError(f"{source} is not a host: it has spaces, control characters or letters beyond ASCII")
    parts = _split(text, source)
    if parts.username is not None or parts.password is not None:
        raise UsageError(f"{source} has user information before an `@`; the token goes into {TOKEN} or --token-file")
    if "?" in text or "#" in text:
        raise UsageError(f"{source} has a query or a fragment; give the host alone, such as {DEFAULT_HOST}")
    name = parts.hostname or ""
    if parts.scheme not in ("http", "https"):
        raise UsageError(f"{source} asks for `{parts.scheme}`; Pipes is reached by https")
    if not name or "\\" in text or any(part in (".", "..") for part in parts.path.split("/")):
        raise UsageError(f"{source} is not a host or URL such as {DEFAULT_HOST} or https://{DEFAULT_HOST}")
    if parts.scheme == "http" and not is_loopback(name):
        raise UsageError(
            f"{source} asks for plain http to {name}, which would show the token on the way; use "
            f"https://{parts.netloc}{parts.path.rstrip('/')}"
        )
    path = parts.path.rstrip("/")
    if not path.endswith(BASE_PATH):
        path += BASE_PATH
    default = {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{parts.netloc.removesuffix(f':{default}').removesuffix(':')}{path}"


def _split(text: str, source: str) -> SplitResult:
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
        parts.port  # noqa: B018 - it is checked only when it is read
    except ValueError:
        parts = None
    if parts is None:
        raise UsageError(f"{source} is not a host or URL such as {DEFAULT_HOST} or https://{DEFAULT_HOST}")
    return parts


def is_loopback(name: str) -> bool:
    """Whether a host name stays on this machine."""
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _sandbox(text: str, token_file: Path | None, cwd: Path) -> Settings:
    if find_spec("falcon") is None:
        raise UsageError("the embedded Pipes needs Falcon, which comes with the extra reconciler[sandbox]")
    import sqlite3

    from reconciler.sandbox import DEFAULT_PATH
    from reconciler.sandbox.store import NotSeededError, Store, StoreError

    path = cwd / (text or DEFAULT_PATH)
    # PIPES_TOKEN belongs to the real Pipes: it is not shown to anything else
    token = "" if token_file is None else read_token(cwd / token_file)
    problem = None
    try:
        with Store.open_existing(path) as store:
            token = token or store.default_token()
    except (FileNotFoundError, NotSeededError):
        problem = _no_sandbox(text, path)
    except (StoreError, sqlite3.Error, OSError, ValueError) as error:
        problem = f"the sandbox cannot be opened: {error}"
    if problem is not None:
        raise PipesError(problem)
    return Settings(_SANDBOX_URL, token, path)


def _no_sandbox(given: str, path: Path) -> str:
    import shlex

    database = f" --db {shlex.quote(given)}" if given else ""
    return f"no sandbox at {path}; `reconciler sandbox seed --example{database}` makes one, or the same with a FILE of your own"


def _token(token_file: Path | None, environ: Mapping[str, str], cwd: Path, hints: tuple[str, ...]) -> str:
    if token_file is not None:
        return read_token(cwd / token_file)
    text = environ.get(TOKEN, "").strip()
    if text:
        return checked_token(text, TOKEN)
    raise PipesError("; ".join((f"no token: set {TOKEN}, or name a file that holds one with --token-file", *hints)))


def _older_names(environ: Mapping[str, str], *, host_given: bool, token_given: bool) -> tuple[str, ...]:
    given = {HOST: host_given, TOKEN: token_given}
    return tuple(
        f"{old} is set but not read: rename it to {new}"
        for old, new in OLDER.items()
        if environ.get(old) and not given[new]
    )


def read_token(file: Path) -> str:
    """The token that a file holds. Raises UsageError where it cannot be read, PipesError where it holds no token."""
    problem = None
    try:
        with file.open("rb") as stream:
            content = stream.read(_MAX_TOKEN + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        problem = f"--token-file {file} cannot be read: {getattr(error, 'strerror', None) or 'not a file'}"
    if problem is not None:
        raise UsageError(problem)
    # latin-1 takes every byte; other than ASCII is then refused like any wrong character
    return checked_token(content.decode("latin-1").strip(), f"--token-file {file}")


def checked_token(text: str, source: str) -> str:
    """`text` if it can be put in an Authorization header. Raises PipesError that says what is wrong, never the text."""
    if not text:
        raise PipesError(f"no token: {source} is empty")
    if len(text) > _MAX_TOKEN:
        raise PipesError(f"{source} holds more than {_MAX_TOKEN} characters, which is no token")
    if len(text.splitlines()) > 1:
        raise PipesError(f"{source} holds more than one line; it must hold the token and nothing else")
    if not text.isascii():
        raise PipesError(f"{source} holds characters beyond ASCII; it must hold the token and nothing else")
    if any(c == " " or not c.isprintable() for c in text):
        raise PipesError(f"{source} holds spaces or control characters; it must hold the token and nothing else")
    return text
