"""What may be a secret: one judgement, and the value is in nothing that is printed, whatever command meets it."""

from __future__ import annotations

import json

import pytest

from reconciler.kinds import secret
from reconciler.plan.document import digest

VALUE = "hunter2Xq9"
# in a configuration: YAML, with the value in it
LITERALS = {
    "api_key": f"api_key: {VALUE}",
    "app_key": f"app_key: {VALUE}",
    "apiKey": f"apiKey: {VALUE}",
    "auth": f"auth: {VALUE}",
    "x-api-key": f"headers: {{X-Api-Key: {VALUE}}}",
    "DB_PASS": f"DB_PASS: {VALUE}",
    "client secret": f"clientSecret: {VALUE}",
    "webhook": f"webhook: {VALUE}",
    "creds": f"creds: {{user: {VALUE}}}",
    "bindpw": f"bindpw: {VALUE}",
    "kubeconfig": f"kubeconfig: {VALUE}",
    "a DSN of Go": f"site: 'u:{VALUE}@tcp(db:3306)/x'",
    "a DSN of Oracle": f"site: jdbc:oracle:thin:u/{VALUE}@db:1521",
    "a list of keys": f"keys: [{VALUE}]",
    "on the next line": f"api_key:\n            {VALUE}",
    "a folded text": f"api_key: >-\n            {VALUE}",
    "a URL with a password": f"site: postgres://u:{VALUE}@h/db",
    "a URL with a password and no user": f"site: redis://:{VALUE}@h:6379",
    "a header": f'site: "Authorization: Bearer {VALUE}"',
    "a bearer": f"site: Bearer {VALUE}",
    "a token of GitHub": f"site: ghp_{VALUE}",
    "a token of GitLab": f"site: glpat-{VALUE}",
    "a connection string": f"site: Server=db;Password={VALUE};",
    "an account key": f"site: AccountKey={VALUE}==;EndpointSuffix=core",
    "a signed URL": f"site: https://a.blob.core.windows.net/c?sv=1&sig={VALUE}",
    "a webhook of Slack": f"site: https://hooks.slack.com/services/T0/B0/{VALUE}",
    "a webhook of Discord": f"site: https://discord.com/api/webhooks/1/{VALUE}",
    "a token as a key": f"ghp_{VALUE}: x",
    "JSON in a text": f"""site: '{{"password":"{VALUE}"}}'""",
}
MANIFEST = """\
version: 1
orgs:
  acme:
    connections:
      x:
        plugin: p
        config:
          %s
"""
WORLD = """
orgs:
  acme:
    members: {alice: owner}
    connections: {x: {plugin: p, config: {region: eu, %s}}}
"""
FORMATS = ("text", "json", "markdown", "html", "github", "junit")


@pytest.mark.parametrize("written", LITERALS.values(), ids=LITERALS)
def test_a_literal_is_refused_by_every_command_and_printed_by_none(bench, written):
    bench.hidden.add(VALUE)
    bench.pipes("orgs: {acme: {members: {alice: owner}}}")
    bench.sources.add(bench.manifest(MANIFEST % written))
    for form in FORMATS:
        assert bench.run("validate", "--format", form).status == 1
    for command in (("plan", "-v"), ("apply", "--auto-approve"), ("drift",), ("import", "acme"), ("lock",)):
        assert bench.run(*command, *bench.local).status == 1
    for command in (
        ("fmt", "--diff"),
        ("fmt",),
        ("access",),
        ("offboard", "bob"),
        ("review", ".", "."),
        ("review", ".", ".", "-v"),
    ):
        assert bench.run(*command).status == 1


@pytest.mark.parametrize(
    "mistake",
    ["rolle: x", f"{VALUE}ghp_: [", "plugin: {a: b}", "config: ghp_%s", "folder: ghp_%s"],
    ids=["an unknown key", "no YAML", "a wrong type", "a text for a mapping", "a wrong name"],
)
def test_an_error_beside_a_literal_quotes_nothing_of_it(bench, mistake):
    bench.hidden.add(VALUE)
    text = MANIFEST.replace("plugin: p\n", f"plugin: p\n        {mistake.replace('%s', VALUE)}\n") % f"api_key: {VALUE}"
    bench.sources.add(bench.manifest(text if "[" not in mistake else text.replace(VALUE + "ghp_", "k")))
    for form in FORMATS:
        assert bench.run("validate", "--format", form).status == 1
    inline = f"orgs: {{acme: {{connections: {{x: {{plugin: p, rolle: 1, config: {{api_key: {VALUE}}}}}}}}}}}"
    bench.sources.add(bench.manifest(inline))
    assert "rolle" in bench.run("validate").err


@pytest.mark.parametrize(
    ("written", "live"),
    [
        (f"api_key: {VALUE}", "api_key: (sensitive)"),
        (f"app_key: {VALUE}", None),
        (f"note: 'postgres://u:{VALUE}@h'", None),
        (f"note: https://hooks.slack.com/services/T/B/{VALUE}", None),
        (f"note: ghp_{VALUE}", None),
    ],
)
def test_what_pipes_shows_of_a_secret_is_masked_in_every_format(bench, written, live):
    bench.hidden.add(VALUE)
    bench.pipes(WORLD % written)
    bench.manifest("orgs: {acme: {connections: {x: {plugin: p, config: {region: us}}}}}")
    for form in FORMATS:
        assert bench.plan("-v", "--format", form).status == 0
        assert bench.run("drift", "-v", *bench.local, "--format", form).status in (0, 2)
    assert "region" in bench.plan("-v").out
    assert bench.plan("-o", "plan.json").status == 0
    assert bench.run("show", "plan.json", "-v").status == 0
    assert bench.run("import", *bench.local, "acme", "--out", "other.yaml").status == 0


def test_a_secret_that_pipes_has_in_the_place_of_a_plain_value_is_a_difference(bench):
    bench.hidden.add(VALUE)
    bench.pipes(WORLD % f"endpoint: 'https://u:{VALUE}@elsewhere'")
    bench.manifest("orgs: {acme: {connections: {x: {plugin: p, config: {region: eu, endpoint: 'https://here'}}}}}")
    ran = bench.plan("--detailed-exitcode")
    assert ran.status == 2
    assert "(sensitive)" in ran.out


@pytest.mark.parametrize(
    ("key", "value"),
    [("region", "us-east-1"), ("role_arn", "arn:aws:iam::123456789012:role/read"), ("token_path", "/run/token"),
     ("session_duration", 900), ("client_id", "3f2504e0-4f89-11d3-9a0c-0305e82c3301"), ("monkey", "no key"),
     ("url", "https://me@example.com:8443/x"), ("use_token", True), ("secret", ""), ("api_key", "${env:A}"),
     ("arn", "arn:aws:secretsmanager:eu:1:secret:name"), ("how", "Basic authentication")],
)  # fmt: skip
def test_what_is_harmless_may_be_written_out(key, value):
    assert not secret.may_be_secret((key,), value)


FILES = {
    "an id of the lock file": ("reconciler.lock.json", '"id": "', f'"id": "postgres://u:{VALUE}@h'),
    "a handle of the lock file": ("reconciler.lock.json", '"id": "', f'"handle": "ghp_{VALUE}", "id": "'),
    "a lock file that is not JSON": ("reconciler.lock.json", '"id": "', f'"id": "Bearer {VALUE}" "'),
    "the format of a plan": ("plan.json", '"1.0"', f'"ghp_{VALUE}"'),
    "a field of a plan": ("plan.json", '"mode":', f'"Bearer {VALUE}": 1, "mode":'),
    "a request of a plan": ("plan.json", '"path": "/org', f'"path": "ghp_{VALUE}/org'),
}


@pytest.mark.parametrize(("file", "old", "new"), FILES.values(), ids=FILES)
def test_a_token_in_another_file_is_not_printed(bench, file, old, new):
    bench.hidden.add(VALUE)
    bench.pipes("orgs: {acme: {members: {alice: owner}}}")
    bench.manifest("orgs: {acme: {display_name: New, members: {alice: owner}}}")
    assert bench.run("lock", *bench.local).status == 0
    assert bench.plan("-o", "plan.json").status == 0
    path = bench.folder / file
    spoilt = path.read_text().replace(old, new, 1)
    assert VALUE in spoilt
    if file == "plan.json":
        document = json.loads(spoilt)
        spoilt = json.dumps(document | {"digest": digest(document)})  # as somebody who forges one does
    path.write_text(spoilt)
    bench.sources.add(path)
    commands = [("show", "plan.json", "-v"), ("apply", "plan.json", "--auto-approve", *bench.local)]
    if file != "plan.json":
        commands = [
            ("validate",),
            ("plan", "-v", *bench.local),
            ("drift", *bench.local),
            ("apply", "--auto-approve", *bench.local),
        ]
        commands.append(("import", "acme", "--out", "other.yaml", *bench.local))
    for command in commands:
        assert bench.run(*command).status in (1, 3), command
    if file != "plan.json":
        assert bench.run("lock", *bench.local).status == 0, "it takes what it can read, and the rest from Pipes"
        assert VALUE not in path.read_text()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a ghp_abcDEF123 b", "a (sensitive) b"),
        ("Bearer abc.def-1", "(sensitive)"),
        ("see postgres://u:p@h/db now", "see (sensitive) now"),
        ("the hook https://hooks.slack.com/services/T/B/x", "the hook (sensitive)"),
        ("nothing of it", "nothing of it"),
    ],
)
def test_a_message_is_kept_and_its_tokens_are_not(text, wanted):
    assert secret.without_tokens(text) == wanted


def test_a_text_that_would_let_somebody_in_is_not_formatted(bench):
    bench.hidden.add(VALUE)
    bench.sources.add(bench.folder / "orgs.yaml")
    bench.manifest(
        f"version: 1\norgs: {{acme: {{url: 'https://acme.example Bearer {VALUE}', members: {{a: owner}}}}}}\n"
    )
    for args in (("--diff",), ("--check",), ()):
        ran = bench.run("fmt", *args)
        assert (ran.status, "this text may be a secret" in ran.err) == (1, True)


def test_an_error_on_the_line_where_a_token_ends_quotes_nothing_of_it(bench):
    bench.hidden.add(VALUE)
    bench.sources.add(bench.folder / "orgs.yaml")
    bench.manifest(f"version: 1\norgs:\n  acme: {{reason: my Bearer\n    {VALUE}, rolle: owner}}\n")
    ran = bench.run("validate")
    assert (ran.status, "orgs.yaml:4:17: error: unknown key `rolle`" in ran.err) == (1, True)


def test_a_forged_plan_and_a_strange_handle_show_no_token(bench):
    handle = f"glpat-{VALUE}".lower()
    bench.hidden.add(VALUE.lower())
    bench.pipes({"actor": handle, "users": {handle: {}}, "orgs": {"acme": {"members": {handle: "owner"}}}})
    for command in ("doctor", "init", "import"):
        assert "(sensitive)" in bench.run(command, *bench.local).out, command
    bench.manifest("version: 1\norgs: {acme: {display_name: Acme}}\n")
    assert bench.plan("-o", "plan.json").status == 0
    bench.sources.add(bench.folder / "plan.json")
    document = json.loads((bench.folder / "plan.json").read_text())
    document["notes"] = [f"by {handle}"]
    document["digest"] = digest(document)
    (bench.folder / "plan.json").write_text(json.dumps(document))
    for form in FORMATS:
        assert "(sensitive)" in bench.run("show", "plan.json", "-v", "--format", form).out
