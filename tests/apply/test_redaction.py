"""A secret is found in whatever spelling a server quotes it, and a credential of the job is never sent."""

from __future__ import annotations

import base64
import html
import json
import os
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.apply.secrets import Secrets
from reconciler.model.errors import UsageError


def as_go_does(value: str) -> str:
    found = json.dumps(value, ensure_ascii=False)
    for character in "&<>\u2028\u2029":
        found = found.replace(character, f"\\u{ord(character):04x}")
    return found[1:-1]


def in_json(value: str) -> str:
    return json.dumps(value)[1:-1]


SPELLED = {
    "raw": lambda v: v,
    "JSON": in_json,
    "JSON that keeps letters": lambda v: json.dumps(v, ensure_ascii=False)[1:-1],
    "JSON with slashes escaped": lambda v: in_json(v).replace("/", "\\/"),
    "JSON with large digits": lambda v: "".join(
        f"\\u{ord(c):04X}" if not c.isalnum() and ord(c) < 0x10000 else in_json(c) for c in v
    ),
    "JSON in JSON": lambda v: in_json(in_json(v)),
    "JSON in JSON in JSON": lambda v: in_json(in_json(in_json(v))),
    "Go's JSON": as_go_does,
    "Go's JSON in JSON": lambda v: in_json(as_go_does(v)),
    "Go's JSON in Go's": lambda v: as_go_does(as_go_does(v)),
    "a URL": lambda v: quote(v, safe=""),
    "a path": quote,
    "a form": quote_plus,
    "a URL in a URL": lambda v: quote(quote(v, safe=""), safe=""),
    "small percent signs": lambda v: "".join(quote(c, safe="").lower() if not c.isalnum() else quote(c) for c in v),
    "HTML": html.escape,
    "base64": lambda v: base64.b64encode(v.encode()).decode(),
    "base64 for URLs": lambda v: base64.urlsafe_b64encode(v.encode()).decode().rstrip("="),
    "base64 in a URL": lambda v: quote(base64.b64encode(v.encode()).decode(), safe=""),
}
PEM = "-----BEGIN PRIVATE KEY-----\nMIIE/vQ+IBADAN==\n-----END PRIVATE KEY-----\n"
VALUES = [PEM, "p&q<r>s'\"t", "C:\\keys\\new\\t", "sp ace+plus/slash=", "naïve-Ω-🔑-key", "plainvalue", "\\\\\\\\"]


def read(value):
    secrets = Secrets({"KEY": value})
    assert secrets.value("${env:KEY}") == value
    return secrets


@pytest.mark.parametrize("spelled", SPELLED.values(), ids=SPELLED)
@pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
def test_every_spelling_is_taken_out(value, spelled):
    text = f'{{"detail": "wrong config: {spelled(value)} is no key"}}'.encode()
    assert read(value).redacted(text) == b'{"detail": "wrong config: (sensitive) is no key"}'


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=4, max_size=40)


@given(value=texts, name=st.sampled_from(sorted(SPELLED)))
def test_any_value_in_any_spelling_is_taken_out(value, name):
    spelled = SPELLED[name](value)
    found = read(value).redacted(b"[" + spelled.encode() + b"]")
    assert spelled.encode() not in found
    assert found.startswith(b"[")


@given(value=st.text("abcdef&/\\\n", min_size=8, max_size=20), other=st.binary(max_size=200))
def test_what_does_not_hold_it_stays_as_it_is(value, other):
    kept = other.replace(value[:1].encode(), b"").replace(b"\\", b"").replace(b"%", b"").replace(b"&", b"")
    assert read(value).redacted(kept) == kept


JOB = "ghs_0123456789abcdef"
OTHERS = {
    "another name": JOB,
    "in more text": f"https://x-access-token:{JOB}@github.com",
    "in JSON": json.dumps({"token": JOB}),
    "in base64": base64.b64encode(JOB.encode()).decode(),
}


@pytest.mark.parametrize("name", ["GITHUB_TOKEN", "CI_JOB_TOKEN", "RECONCILER_FINGERPRINT_KEY"])
@pytest.mark.parametrize("text", OTHERS.values(), ids=OTHERS)
def test_a_credential_of_the_job_is_not_sent_under_another_name(name, text):
    with pytest.raises(UsageError, match="not sent to anybody") as error:
        Secrets({name: JOB, "INPUT_TOKEN": text}).value("${env:INPUT_TOKEN}")
    assert JOB not in str(error.value)


def test_the_token_in_use_is_not_sent_from_a_file(tmp_path):
    (tmp_path / "token").write_text("tpt_0123456789\n")
    with pytest.raises(UsageError, match="the token that this tool works with"):
        Secrets({}, own=("tpt_0123456789",)).value(f"${{file:{tmp_path}/token}}")


@pytest.mark.parametrize(
    "name",
    ["/proc/self/environ", "/proc/self/cmdline", "/dev/stdin", "/dev/null", "/sys/kernel/mm/ksm/run", "/dev/fd/0"],
)
@pytest.mark.parametrize("way", ["straight", "around", "link", "folder"])
def test_no_file_of_the_system_is_read(tmp_path, name, way):
    if way == "around":
        name = f"/usr/../{name}"
    elif way == "link":
        (tmp_path / "link").symlink_to(name)
        name = str(tmp_path / "link")
    elif way == "folder":
        (tmp_path / "folder").symlink_to(os.path.dirname(name))  # noqa: PTH120
        name = f"{tmp_path}/folder/{os.path.basename(name)}"  # noqa: PTH119
    with pytest.raises(UsageError, match="shows processes and devices"):
        Secrets({}).value(f"${{file:{name}}}")


@pytest.mark.parametrize("place", [".git/config", "secrets/kubernetes.io/serviceaccount/token"])
def test_no_file_is_read_where_a_job_keeps_its_own_credentials(tmp_path, place):
    (tmp_path / place).parent.mkdir(parents=True)
    (tmp_path / place).write_text("extraheader = AUTHORIZATION: basic eC1hY2Nlc3MtdG9rZW46Z2hzX3g=\n")
    (tmp_path / "link").symlink_to(tmp_path / place)
    for name in (place, "link", f"nowhere/../{place}"):
        with pytest.raises(UsageError, match="where a job keeps its own credentials"):
            Secrets({}).value(f"${{file:{tmp_path}/{name}}}")


def test_a_nul_is_nowhere(tmp_path):
    (tmp_path / "nul").write_bytes(b"pass\0word")
    with pytest.raises(UsageError, match="NUL character"):
        Secrets({}).value(f"${{file:{tmp_path}/nul}}")
    with pytest.raises(UsageError, match="NUL character in its name"):
        Secrets({}).value("${file:a\0b}")
    with pytest.raises(UsageError, match="not UTF-8"):
        Secrets({"ODD": "pass\udcffword"}).value("${env:ODD}")
