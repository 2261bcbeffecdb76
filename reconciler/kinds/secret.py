"""Secrets in configurations: how a manifest refers to one, what may be one, and how each is shown.

A manifest, a plan, a journal and a log hold the reference, never the value. Only `reconciler.apply.secrets` reads values.
`may_be_secret` decides for all: validation refuses such a literal, `import` replaces it with a reference, and reports
print `(sensitive)` in its place. In doubt a value counts as a secret.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.model.late_pattern import late_pattern

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

SENSITIVE = "(sensitive)"
LONGEST_WORD = 8  # the longest role or state; every token is longer
# the field of a request's body in which references are filled in, and no other
FIELD = "config"

REFERENCE = late_pattern(r"\$\{(env|file):([^{}\x00-\x1f]+)\}")
VARIABLE = late_pattern(r"[A-Za-z_][A-Za-z0-9_]*")
# variables with this tool's own credentials, or those of its CI job: whoever can read a connection would get them
OWN = frozenset(
    ("PIPES_TOKEN", "STEAMPIPE_CLOUD_TOKEN", "RECONCILER_FINGERPRINT_KEY", "GITHUB_TOKEN", "GH_TOKEN", "CI_JOB_TOKEN",
     "ACTIONS_RUNTIME_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "CI_JOB_JWT", "CI_JOB_JWT_V1", "CI_JOB_JWT_V2", "SYSTEM_ACCESSTOKEN")
)  # fmt: skip

Path = tuple[str | int, ...]

# names of secrets, anywhere in a key
_NAME = late_pattern(
    r"(?i)secret|token|passw(?:or)?d|private_?key|access_?key|credential|(?:api|app)[_-]?key|webhook|conn(?:ection)?_?str"
)
# the same as whole words of a key: `key` is in `ssh_key` and `apiKey`, not in `monkey`
_WORDS = frozenset(
    ("apikey", "appkey", "auth", "authorization", "bearer", "cert", "certificate", "cookie", "cred", "creds", "dsn", "hmac",
     "jwt", "key", "keys", "kubeconfig", "mnemonic", "netrc", "oauth", "otp", "pass", "passphrase", "passcode", "pat", "pem", "pin",
     "psk", "pw", "pwd", "sas", "session", "sig", "signature")
)  # fmt: skip
_WORD = late_pattern(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_NO_PASS = frozenset(("bypass", "compass", "encompass", "overpass", "surpass", "trespass", "underpass"))
# with such an ending, a key is about something else: `token_path` is where a token is, `session_duration` how long
_ABOUT = frozenset(
    ("algorithm", "at", "count", "duration", "enabled", "expiry", "file", "filename", "format", "length", "method", "mode", "path",
     "policy", "region", "size", "timeout", "ttl", "type", "version")
)  # fmt: skip

# Text from Pipes may have any length, so no pattern here may look at a character more than a few times.
# the id of an AWS access key (IAM User Guide, "Understanding unique ID prefixes")
AWS_KEY = late_pattern(r"(?<![A-Za-z0-9])(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])")
# prefixes that services give their tokens, so that they can be found
_ISSUED = late_pattern(
    r"-----BEGIN|AGE-SECRET-KEY-|(?<![A-Za-z0-9])(?:gh[pousr]_|github_pat_|glpat-|glptt-|xox[a-z]-|xapp-|tpt_|AIza|ya29\.|hv[bs]\."
    r"|npm_|pypi-|SG\.|do[op]_v1_|hf_|shp(?:at|ss)_|dckr_pat_|lin_api_|ATATT|ATCTT|NRAK-|PMAK-|figd_|glsa_|whsec_|sbp_"
    r"|dapi[0-9a-f])[A-Za-z0-9_-]{3}"
    r"|(?<![A-Za-z0-9])(?:[sr]k[-_]|pk_live_|eyJ)[A-Za-z0-9_-]{10}"
)
_AUTHORIZATION = late_pattern(r"(?i)(?<![a-z])(?:authorization\s*+[:=]|bearer\s++[a-z0-9+/=._~-]{3})")
_BASIC = late_pattern(r"(?i)(?<![a-z])basic\s++([a-z0-9+/_-]++={0,2})")
# the mark that `without_tokens` puts where a token begins, and the rest of that token
_REST = late_pattern(r"\x00[ \t]?[^\s\"'`,;]*+")
_BLANK = late_pattern(r"(\s+)")
# connection strings that are no URLs: `user:password@tcp(host)/db` of Go's MySQL driver, `…:thin:user/password@host` of Oracle's
_DSN = late_pattern(
    r"(?<![^\s\"'])[^\s:@/\"']{1,128}+:[^\s@]{1,256}+@(?:tcp|udp|unix)\(|:thin:[^\s/@]{1,128}+/[^\s@]{1,256}+@"
)
_WEBHOOK = late_pattern(
    r"(?i)//hooks\.|/hooks?/|webhook|//api\.telegram\.org/bot|//chat\.googleapis\.com/v1/spaces|\.logic\.azure\.com"
)
# `Password=…;` of a connection string, `sig=…` of a URL's query, `X-Api-Key: …` of a header
_ASSIGNED = late_pattern(r"([\w.-]++)[\"']?(\s*+=\s*+|\s*+:(?:\s++|(?=[\"'])))?+[\"']?(?=([^\s&;,]?))")
_RANDOM = late_pattern(r"(?=[^a-z]*[a-z])(?=[^A-Z]*[A-Z])(?=[^0-9]*[0-9])[A-Za-z0-9+/=_-]{20,}|[0-9a-fA-F]{32,}")


def is_reference(value: Any) -> bool:
    """Whether a value is `${env:NAME}` or `${file:PATH}`, and nothing else."""
    return isinstance(value, str) and REFERENCE.fullmatch(value) is not None


def references(config: Any) -> dict[str, str]:
    """The references in `config` by their place: {"secret_key": "${env:AWS_SECRET}"}."""
    return {shown(path): value for path, value in leaves(config) if is_reference(value)}


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every single value in nested mappings and lists, with the keys that lead to it."""
    if hasattr(value, "items"):
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from leaves(inner, (*path, index))
    else:
        yield path, value


def shown(path: Path) -> str:
    """A path as text: `keys[0].secret`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")


def may_be_secret(path: Path, value: Any) -> bool:
    """Whether one value of a configuration may be a secret: by the names that lead to it, or by its own form.

    A reference, a boolean and an empty value are not.
    """
    if value is None or value == "" or isinstance(value, bool) or is_reference(value):
        return False
    return is_named_secret(path) or (isinstance(value, str) and (is_secret_text(value) or is_random(value)))


def is_named_secret(path: Path) -> bool:
    """Whether one of the keys on the way to a value is a name of secrets."""
    return any(isinstance(part, str) and _is_secret_name(part) for part in path)


def _is_secret_name(name: str) -> bool:
    words = [word.lower() for word in _WORD.findall(name)]
    if len(words) > 1 and words[-1] in _ABOUT:
        return False
    if _NAME.search(name) or not _WORDS.isdisjoint(words):
        return True
    return any(word.endswith(("pass", "pwd", "pw")) and word not in _NO_PASS for word in words)


def is_secret_text(text: str) -> bool:
    """Whether a text is, or contains, what may be a secret, whatever its key."""
    return is_token_text(text) or any(
        sign and value and not text.startswith("${", end) and _is_secret_name(name)
        for name, sign, value, end in ((m[1], m[2], m[3], m.end()) for m in _ASSIGNED.finditer(text))
    )


def is_token_text(text: str) -> bool:
    """The same, but only where the secret itself has a known form, and not by the name before it: `password: …`."""
    if text.startswith(SENSITIVE) or AWS_KEY.search(text) or _ISSUED.search(text) or _AUTHORIZATION.search(text):
        return True
    if any(map(_has_a_password, text.split())) or _DSN.search(text):
        return True
    return any(_is_userinfo(found[1]) for found in _BASIC.finditer(text))


def unless_token(value: Any) -> Any:
    """A value of an attribute that should not hold a secret, as reports may show it."""
    return SENSITIVE if isinstance(value, str) and len(value) > LONGEST_WORD and is_token_text(value) else value


def without_tokens(text: str) -> str:
    """A message without the tokens in it, where it may quote a file or an answer that holds some."""
    if not is_token_text(text):
        return text
    for pattern in (AWS_KEY, _ISSUED, _AUTHORIZATION, _BASIC, _DSN):
        text = pattern.sub(SENSITIVE + "\0", text)
    return "".join(SENSITIVE if _has_a_password(word) else word for word in _BLANK.split(_REST.sub("", text)))


def is_random(text: str) -> bool:
    """Whether a text as a whole looks like a key that a machine made."""
    return _RANDOM.fullmatch("".join(text.split())) is not None


def _has_a_password(word: str) -> bool:
    """Whether a word is a URL that lets somebody in: with `user:password@`, or that of a webhook."""
    start = word.find("://")
    if start < 0:
        return False
    return ":" in word[start + 3 : max(word.rfind("@"), start + 3)] or _WEBHOOK.search(word) is not None


def _is_userinfo(encoded: str) -> bool:
    """Whether this is `user:password` in base64, as HTTP's Basic scheme has it."""
    import base64
    import binascii

    try:
        return b":" in base64.b64decode(encoded.rstrip("=") + "=" * (-len(encoded.rstrip("=")) % 4))
    except (binascii.Error, ValueError):
        return False


def _key(key: Any) -> Any:
    """A key as it may be shown: one that is a token itself is hidden like a value."""
    return SENSITIVE if isinstance(key, str) and is_secret_text(key) else key


def masked(value: Any, path: Path = ()) -> Any:
    """`value` without what may be a secret, for all that comes from outside; references stay."""
    if hasattr(value, "items"):
        return {_key(key): masked(inner, (*path, key)) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [masked(inner, (*path, index)) for index, inner in enumerate(value)]
    return SENSITIVE if may_be_secret(path, value) else value


def described(value: Any, path: Path = ()) -> Any:
    """`value` as a report shows it: for a secret, only where it comes from."""
    if hasattr(value, "items"):
        return {_key(key): described(inner, (*path, key)) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [described(inner, (*path, index)) for index, inner in enumerate(value)]
    if is_reference(value):
        return f"{SENSITIVE} {value}"
    return SENSITIVE if may_be_secret(path, value) else value


def hidden(have: Any, places: Iterable[str]) -> Any:
    """`have` with the values at `places` masked: Pipes may give back what a manifest refers to as a secret."""
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
    """Whether live has what is wanted, as far as Pipes shows it. Empty values are none.

    A configuration is replaced as a whole, so what live has beyond the wanted one is a difference. What a manifest refers to
    as a secret is not compared, and neither is what only live has under a name of secrets. What may be a secret is masked
    already where it was read, and then it is not what a manifest writes out: no literal there may be a secret.
    """
    one, other = (
        {path: _typed(value) for path, value in leaves(side) if value is not None and value != ""}
        for side in (have, want)
    )
    unknown = {path for path, (_, value) in other.items() if is_reference(value)}
    unknown |= {path for path, (_, value) in one.items() if is_reference(value)}
    unknown |= {path for path in one if path not in other and any(isinstance(p, str) and _NAME.search(p) for p in path)}
    return {p: v for p, v in one.items() if p not in unknown} == {p: v for p, v in other.items() if p not in unknown}


def _typed(value: Any) -> tuple[bool, Any]:
    """A value and whether it is a boolean: for Python true is 1, for a plugin it is not."""
    return isinstance(value, bool), value
