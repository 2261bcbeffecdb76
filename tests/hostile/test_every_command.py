"""Hostile input of each kind through every command in every format: no traceback, nothing raw, no secret, a known status."""

from __future__ import annotations

import importlib
import json
import re
from itertools import product

import click
import pytest

from e2e.bench import TOKEN, all_commands
from reconciler import cli
from reconciler.pipes.carrier import Received
from reconciler.pipes.embedded import Embedded

SECRET = "hunter2Xq9zT"
# what no output may hold: control characters, and marks that change the direction or hide what follows
RAW = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
# in names and words from outside: an escape sequence, a bidi mark, a workflow command, markup, a mention
HOSTILE = "\x1b[2J\u202eX\r\n::error::pwned\n<script>alert(1)</script> @octocat \x9b\u2066"
VALID = """\
version: 1
people:
  carol: {handle: carol}
teams: {sre: [bob]}
approvals: {default: {of: team/sre}}
orgs:
  acme:
    display_name: Acme
    members: {alice: owner, team/sre: member, carol: member}
    workspaces: {prod: {members: {team/sre: operator, carol: reader}}}
    connections: {aws: {plugin: aws, config: {regions: [us]}}}
"""
WORLD = """
users: {carol: {}}
orgs:
  acme:
    members: {alice: owner, bob: member, dora: member}
    workspaces: {prod: {members: {bob: reader}}, other: {}}
    connections: {aws: {plugin: aws, config: {regions: [eu], api_key: %s}}}
    service_accounts: {ci: {title: CI, description: robot}}
"""
MANIFESTS = {
    "one huge text": VALID.replace("Acme", "x" * 300_000),
    "many rows": VALID.replace("[bob]", f"[{', '.join(f'p{n}' for n in range(800))}, BOB]"),
    "deep": VALID.replace("[bob]", "[" * 3_000),
    "aliases": VALID.replace("[bob]", "[*a9]").replace(
        "teams: {",
        "teams:\n  {a0: &a0 [bob], " + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}], " for n in range(1, 10)),
    ),
    "NUL": VALID.replace("Acme", "Ac\x00me"),
    "a control character": VALID.replace("Acme", "Ac\x1b[2Jme"),
    "bidi": VALID.replace("Acme", "Ac\u202eme").replace("sre", "s\u2066re"),
    "escapes for control characters": VALID.replace("Acme", '"\\e[2J\\u202e\\x9b\\u2028"').replace("carol", '"ca\\e\\u202erol"'),
    "escaped names": VALID.replace("sre", '"\\e[2J\\u202e\\r\\n::error::pwned"').replace("prod", '"\\u2066<script>alert(1)</script>"'),
    "a key twice": VALID.replace("carol: member", 'carol: member, carol: owner, "\\e\\u202e": owner, "\\e\\u202e": owner'),
    "conflict markers": VALID.replace("orgs:\n", "<<<<<<< HEAD \x1b]0;x\x07\u202e\norgs:\n=======\norgs:\n>>>>>>> x\n"),
    "a secret": VALID.replace("regions: [us]", f"api_key: {SECRET}"),
    "a secret in a wrong place": VALID.replace("Acme", f"ghp_{SECRET}", 1).replace("[us]", f"{{password: {SECRET}, password: {SECRET}}}"),
    "a secret as a name": VALID.replace("carol", f"ghp_{SECRET}"),
}  # fmt: skip
BYTES = {
    "not UTF-8": VALID.encode().replace(b"Acme", b"Acm\xe9\xff"),
    "UTF-16": VALID.encode("utf-16"),
    "surrogates": VALID.replace("Acme", "Ac\udc80me").encode("utf-8", "surrogatepass"),
}
LARGE = ("one huge text", "many rows", "aliases")  # tried in one format: what takes time is reading them


def formats():
    """Each command with each of its formats, from its own options."""
    found = {}
    for name in cli.COMMANDS:
        command = importlib.import_module(cli.module_of(name)).command
        option = next((one for one in command.params if "--format" in one.opts), None)
        found[name] = (
            list(option.type.choices) if option is not None and isinstance(option.type, click.Choice) else [None]
        )
    return found


FORMATS = formats()
# each command, with what it needs; of `sandbox serve` what comes before it listens
ARGUMENTS = {
    "init": [()],
    "doctor": [()],
    "validate": [()],
    "plan": [("-v", "-o", "new.json"), ("--by", "person")],
    "show": [("plan.json", "-v")],
    "apply": [("--auto-approve", "--keep-going"), ("plan.json", "--auto-approve")],
    "drift": [("-v",), ("--fix-up", ".")],
    "review": [("old", ".", "-v"), (".", "old")],
    "approvals": [("old", ".", "--author", HOSTILE, "--approved-by", "bob")],
    "codeowners": [()],
    "access": [(), ("--live",), ("--policies",)],
    "history": [("--in", "acme/prod")],
    "import": [("acme", "--out", "other.yaml"), ("--all",), ()],
    "fmt": [("--check",), ("--diff",)],
    "grant": [("carol", "operator", "acme/prod"), (HOSTILE.replace("\n", ""), "reader", "acme/prod")],
    "revoke": [("carol", "acme/prod")],
    "onboard": [("new@example.com", "--as", "newbie", "--team", "sre")],
    "move": [("bob", "--from", "sre", "--to", HOSTILE)],
    "offboard": [("carol",)],
    "lock": [("--check",), ()],
    "schema": [()],
    "explain": [("owner-floor",), (HOSTILE,)],
    "completion": [("bash",)],
    "sandbox": [
        ("seed", "orgs.yaml", "--db", "other.sqlite3"),
        ("reset", "--db", "orgs.yaml"),
        ("serve", "--db", "orgs.yaml"),
        ("serve", "--db", "pipes.sqlite3", "--faults", "orgs.yaml", "--tls", "orgs.yaml", "missing.pem"),
    ],
}
ONLINE = ("init", "doctor", "plan", "apply", "drift", "import", "lock")


def runs(light=True):
    """Every command with every format as arguments."""
    for name, all_arguments in ARGUMENTS.items():
        for arguments, form in product(all_arguments, FORMATS[name]):
            if light or form in (None, "text"):
                yield name, (name, *arguments, *(("--format", form) if form else ()))


def test_every_command_is_tried():
    assert list(ARGUMENTS) == list(cli.COMMANDS)
    tried = {(name, *arguments) for name, all_arguments in ARGUMENTS.items() for arguments in all_arguments}
    for name in all_commands(cli.program):
        words = tuple(name.split())
        assert any(one[: len(words)] == words for one in tried), name


@pytest.fixture
def here(bench, monkeypatch):
    """A folder with valid manifests, a lock file and a saved plan."""
    bench.hidden.add(SECRET)
    bench.pipes(WORLD % SECRET)
    bench.manifest(VALID)
    bench.manifest(VALID.replace("operator", "reader"), "old/orgs.yaml")
    assert bench.run("plan", *bench.local, "orgs.yaml", "-o", "plan.json").status == 0
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(bench.folder / "summary.md"))
    return bench


def tried(bench, name, args):
    """Run a command, and judge what it prints; its status."""
    local = bench.local if name in ONLINE or "--live" in args else []
    paths = (
        ["orgs.yaml"] if name in ("validate", "plan", "drift", "lock", "codeowners", "access", "doctor", "fmt") else []
    )
    if "--fix-up" in args:
        paths = []
    ran = bench.run(*args, *paths, *local)
    printed = ran.out + ran.err
    assert ran.status in range(6), (args, ran)
    assert RAW.findall(printed.replace("\r\n", "")) == [], (args, printed)
    assert not re.search(r"^::error::pwned", printed, re.MULTILINE), (args, printed)
    if "html" in args:
        assert "<script>alert" not in ran.out, args
    if "json" in args and ran.out:
        json.loads(ran.out)
    if "markdown" in args:
        outside = re.sub(
            r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", "", ran.out, flags=re.DOTALL
        )  # nothing acts inside a code span
        assert "<script>" not in outside, (args, outside)
        assert "@octocat" not in outside, (args, outside)
    return ran.status


@pytest.mark.parametrize("made", [*MANIFESTS, *BYTES])
def test_a_hostile_manifest_harms_no_command(here, made):
    data = MANIFESTS[made].encode() if made in MANIFESTS else BYTES[made]
    path = here.folder / "orgs.yaml"
    statuses = set()
    for name, args in runs(light=made not in LARGE):
        path.write_bytes(data)
        here.sources |= {path, here.folder / "other.yaml"} if SECRET.encode() in data else set()
        statuses.add(tried(here, name, args))
    assert 1 in statuses


class Answers:
    """The answers of the embedded Pipes, each changed by `change(text)` or replaced by an error with hostile words."""

    def __init__(self, monkeypatch, change=None, status=None, words="", writes=False, only=""):
        self.change, self.status, self.words, self.writes, self.only = change, status, words, writes, only
        send = Embedded.send
        monkeypatch.setattr(Embedded, "send", lambda pipes, sent, url: self.of(sent, send(pipes, sent, url)))

    def of(self, sent, answer):
        status, body = answer.status, answer.content
        if (self.writes and sent.method == "GET") or self.only not in sent.path:
            pass
        elif self.status is not None:
            status = self.status
            body = json.dumps(
                {"error": {"code": self.status, "type": HOSTILE, "title": self.words, "detail": self.words}}
            ).encode()
        elif body:
            body = json.dumps(self.changed(json.loads(body))).encode()
        return Received(status, answer.headers, body)

    def changed(self, value, key=None):
        if isinstance(value, dict):
            return {inner: self.changed(one, inner) for inner, one in value.items()}
        if isinstance(value, list):
            return [self.changed(one, key) for one in value]
        return self.change(key, value)


NAMES = {
    "what people see": lambda key, value: HOSTILE + f"ghp_{SECRET}" if key in ("display_name", "title", "description", "url") else value,
    "handles": lambda key, value: value + HOSTILE if isinstance(value, str) and key and key.endswith("handle") and value in ("dora", "other") else value,
    "roles and states": lambda key, value: HOSTILE if key in ("role", "status", "state", "desired_state", "state_reason") else value,
    "ids and versions": lambda key, value: HOSTILE + f"ghp_{SECRET}" if key in ("id", "version_id", "plugin", "created_at", "action_type", "actor_ip") else value,
    "everything": lambda _, value: HOSTILE if isinstance(value, str) else value,
}  # fmt: skip
TYPES = {
    "lists for ids": lambda key, value: [value] if key and key.endswith("id") else value,
    "mappings for names": lambda key, value: (
        {"x": value} if key and key.endswith(("handle", "title", "role")) else value
    ),
}


@pytest.mark.parametrize("made", [*NAMES, *TYPES])
def test_hostile_names_from_pipes_harm_no_command(here, monkeypatch, made):
    # of a wrong type only what is below an organization: every command would end with the first answer else
    Answers(monkeypatch, change=(NAMES | TYPES)[made], only="/org/" if made in TYPES else "")
    for name, args in runs():
        if name in ONLINE or "--live" in args:
            tried(here, name, args)


@pytest.mark.parametrize("status", [400, 401, 403, 409, 200, 302])
@pytest.mark.parametrize("to", ["everything", "writes"])
def test_hostile_words_of_the_server_harm_no_command(here, monkeypatch, status, to):
    quoted = json.dumps({"api_key": SECRET, "note": f"ghp_{SECRET}", "text": f"password: {SECRET}"})
    Answers(monkeypatch, status=status, words=f"{HOSTILE} Bearer {TOKEN} {quoted} {HOSTILE}", writes=to == "writes")
    for name, args in runs(light=to == "writes"):
        if name == "apply" or (to == "everything" and (name in ONLINE or "--live" in args)):
            tried(here, name, args)
