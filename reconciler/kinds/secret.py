"""Secrets in what is sent: how a manifest refers to one, what looks like one, and how each is shown.

A manifest, a plan, a journal and a log hold the reference, never the value. Only `reconciler.apply.secrets` reads values.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

SENSITIVE = "(sensitive)"
# the field of a request's body in which references are filled in, and no other
FIELD = "config"

REFERENCE = re.compile(r"\$\{(env|file):([^{}\x00-\x1f]+)\}")
NAME = re.compile(r"(?i)secret|token|passw(?:or)?d|private_?key|access_?key|credential")
# the id of an AWS access key (IAM User Guide, "Understanding unique ID prefixes")
AWS_KEY = re.compile(r"(?<![A-Za-z0-9])(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])")
# what would hand this tool's own credentials, or those of the job that it runs in, to whoever can read a connection
OWN = frozenset(
    ("PIPES_TOKEN", "STEAMPIPE_CLOUD_TOKEN", "RECONCILER_FINGERPRINT_KEY", "GITHUB_TOKEN", "GH_TOKEN", "CI_JOB_TOKEN",
     "ACTIONS_RUNTIME_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_TOKEN")
)  # fmt: skip

VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

Path = tuple[str | int, ...]

# what `may_be_secret` goes by beyond that: words of names, and forms of values
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_WORDS = frozenset(
    ("apikey", "appkey", "auth", "authorization", "bearer", "cert", "certificate", "cookie", "dsn", "jwt", "key", "keys",
     "otp", "pass", "passphrase", "pat", "pem", "pin", "pwd", "session", "signature")
)  # fmt: skip
_FORMS = re.compile(
    r"-----BEGIN|://[^/\s@]*:[^/\s]*@|(?i:\b(?:password|pwd|secret|token|accountkey|sharedaccesskey|key)=)"
    r"|\b(?:gh[pousr]_|github_pat_|glpat-|xox[abprs]-|sk[-_]|tpt_|AIza|ya29\.|eyJ|hvs\.|npm_|pypi-|SG\.|dop_v1_)"
)
_RANDOM = re.compile(r"(?=.*[a-z])(?=.*[A-Z])(?=.*[0-9])[A-Za-z0-9+/=_-]{20,}|[0-9a-fA-F]{32,}")


def is_reference(value: Any) -> bool:
    return isinstance(value, str) and REFERENCE.fullmatch(value) is not None


def references(config: Any) -> dict[str, str]:
    """Where in `config` which reference stands: {"secret_key": "${env:AWS_SECRET}"}."""
    return {shown(path): value for path, value in leaves(config) if is_reference(value)}


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every single value in nested mappings and lists, with where it stands."""
    if hasattr(value, "items"):
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from leaves(inner, (*path, index))
    else:
        yield path, value


def shown(path: Path) -> str:
    """`keys[0].secret`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")


def is_secret(path: Path, value: Any) -> bool:
    """Whether a single value looks like a secret: by the names that lead to it, or as an AWS access key does."""
    if value is None or value == "" or isinstance(value, bool):
        return False
    if isinstance(value, str) and AWS_KEY.search(value):
        return True
    return any(isinstance(part, str) and NAME.search(part) for part in path)


def may_be_secret(path: Path, value: Any) -> bool:
    """Whether a value that somebody else set is better not written down: one too many is asked for rather than shown."""
    if value is None or value == "" or isinstance(value, bool):
        return False
    if is_secret(path, value) or any(_WORDS & _words(part) for part in path if isinstance(part, str)):
        return True
    if not isinstance(value, str) or is_reference(value):
        return False
    text = "".join(value.split())
    return value.startswith(SENSITIVE) or _FORMS.search(value) is not None or _RANDOM.fullmatch(text) is not None


def _words(name: str) -> set[str]:
    return {word.lower() for word in _WORD.findall(name)}


def masked(value: Any, path: Path = ()) -> Any:
    """`value` without what looks like a secret, for all that comes from outside; references are no secrets."""
    if hasattr(value, "items"):
        return {key: masked(inner, (*path, key)) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [masked(inner, (*path, index)) for index, inner in enumerate(value)]
    return SENSITIVE if not is_reference(value) and is_secret(path, value) else value


def described(value: Any) -> Any:
    """`value` as a report shows it: of a secret only where it comes from."""
    if hasattr(value, "items"):
        return {key: described(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [described(inner) for inner in value]
    return f"{SENSITIVE} {value}" if is_reference(value) else value


def hidden(have: Any, places: Iterable[str]) -> Any:
    """`have` with what stands at `places` masked: Pipes may give back what a manifest refers to as a secret."""
    chosen = set(places)

    def hide(value: Any, path: Path) -> Any:
        if shown(path) in chosen:
            return SENSITIVE
        if hasattr(value, "items"):
            return {key: hide(inner, (*path, key)) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [hide(inner, (*path, index)) for index, inner in enumerate(value)]
        return value

    return hide(have, ()) if chosen and have else have


def same_config(have: Mapping[str, Any] | None, want: Mapping[str, Any] | None) -> bool:
    """Whether live has what is wanted, as far as Pipes tells: what is secret on either side is not compared.

    A configuration is replaced as a whole, so what live has beyond the wanted one is a difference. Empty values are none.
    """
    one, other = (
        {path: _told(value) for path, value in leaves(side) if value is not None and value != ""}
        for side in (have, want)
    )
    untold = {path for side in (one, other) for path, (_, value) in side.items() if _is_untold(path, value)}
    return {p: v for p, v in one.items() if p not in untold} == {p: v for p, v in other.items() if p not in untold}


def _told(value: Any) -> tuple[bool, Any]:
    """A value and whether it is a boolean: for Python true is 1, for a plugin it is not."""
    return isinstance(value, bool), value


def _is_untold(path: Path, value: Any) -> bool:
    masked_already = isinstance(value, str) and value.startswith(SENSITIVE)
    return masked_already or is_reference(value) or is_secret(path, value)
