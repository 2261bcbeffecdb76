"""Connections through the command: created, changed, attached, rotated and deleted, and no secret anywhere on the way."""

from __future__ import annotations

import json

import pytest

from reconciler.sandbox import app

ID = "AKIA" + "QWERTYUIOPASDFGH"
SECRET = 'wJalr/"XUtn\\FEMI+bPxRfi'
OTHER = "anewone-8Zq/tK2mB7dLxYv0c"
PEM = "-----BEGIN KEY-----\nMIIEvQIBADANBgkq\nkiG9w0BAQEFAASC\n-----END KEY-----"
KEY = "a key of the user that nobody else has"

WORLD = """
users: {bob: {}, carol: {}}
orgs:
  acme:
    members: {alice: owner, bob: member, carol: member}
    workspaces: {prod: {members: {bob: reader}}, dev: {members: {carol: operator}}}
"""
HEAD = """
orgs:
  acme:
    members: {alice: owner, bob: member, carol: member}
    workspaces: {prod: {members: {bob: reader}}, dev: {members: {carol: operator}}}
    connections:
"""
AWS = """      aws_prod:
        plugin: aws
        config: {regions: [eu-west-1], access_key: '${env:AWS_ID}', secret_key: '${env:AWS_SECRET}'}
        workspaces: [prod]
"""
NAME = "org.acme/connection.aws_prod"


@pytest.fixture
def aws(bench, monkeypatch):
    """A bench whose environment has the secrets, and a key for fingerprints."""
    bench.hidden |= {ID, SECRET, OTHER, KEY, json.dumps(SECRET)[1:-1]}
    monkeypatch.setenv("AWS_ID", ID)
    monkeypatch.setenv("AWS_SECRET", SECRET)
    monkeypatch.setenv("RECONCILER_FINGERPRINT_KEY", KEY)
    bench.pipes(WORLD)
    bench.manifest(HEAD + AWS)
    bench.seal(KEY)
    return bench


def connection(bench, handle="aws_prod"):
    return next((one for one in bench.client().all("/org/acme/connection") if one["handle"] == handle), None)


def digests(bench):
    """What the sandbox keeps of the secrets: changes exactly where another value was sent."""
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(bench.db)) as db:
        return db.execute("SELECT secrets FROM connection WHERE name = 'aws_prod'").fetchone()[0]


def attached(bench, handle="aws_prod"):
    ids = {one["id"]: one["handle"] for one in bench.client().all("/org/acme/workspace")}
    return sorted(ids[one["workspace_id"]] for one in bench.client().all(f"/org/acme/connection/{handle}/workspace"))


# --- from nothing to in sync ------------------------------------------------------------------------------------------


def test_a_connection_is_made_permitted_attached_and_tested_and_then_in_sync(aws):
    planned = aws.planned()
    assert planned.addresses == [NAME, f"{NAME}/permission.prod", f"{NAME}/attachment.prod"]
    assert "${env:AWS_SECRET}" in planned.out
    ran = aws.apply("-v")
    assert ran.status == 0
    assert "its test: ok" in ran.out
    assert "(sensitive) ${env:AWS_SECRET}" in ran.out
    assert attached(aws) == ["prod"]
    assert connection(aws)["config"] == {"regions": ["eu-west-1"]}
    assert json.loads(digests(aws)).keys() == {"access_key", "secret_key"}
    before = aws.database()
    assert aws.plan("--detailed-exitcode").status == 0
    assert aws.apply().status == 0
    assert aws.database() == before


def test_a_saved_plan_holds_references_and_is_applied_with_their_values(aws):
    assert aws.plan("-o", "plan.json").status == 0
    assert aws.run("show", "plan.json").status == 0
    assert aws.run("apply", *aws.local, "plan.json").status == 0
    assert aws.plan("--detailed-exitcode").status == 0


def test_attaching_waits_for_the_connection_and_for_a_workspace_that_is_new(aws):
    aws.manifest((HEAD + AWS).replace("dev: {", "staging: {members: {}}, dev: {").replace("[prod]", "[prod, staging]"))
    assert aws.apply().status == 0
    assert attached(aws) == ["prod", "staging"]
    assert aws.plan("--detailed-exitcode").status == 0


def test_a_workspace_that_is_taken_off_the_list_is_detached_and_no_longer_permitted(aws):
    aws.apply()
    aws.manifest(HEAD + AWS.replace("[prod]", "[dev]"))
    planned = aws.planned()
    assert set(planned.addresses) == {
        f"{NAME}/{kind}.{at}" for kind in ("permission", "attachment") for at in ("prod", "dev")
    }
    steps = {step["address"]: step for step in planned.json["steps"]}
    assert steps[f"{NAME}/attachment.prod"]["number"] in steps[f"{NAME}/permission.prod"]["needs"]
    assert steps[f"{NAME}/permission.dev"]["number"] in steps[f"{NAME}/attachment.dev"]["needs"]
    assert aws.apply().status == 0
    assert attached(aws) == ["dev"]
    assert aws.plan("--detailed-exitcode").status == 0


def test_without_a_list_of_workspaces_they_are_left_alone(aws):
    aws.apply()
    aws.manifest(HEAD + AWS.replace("        workspaces: [prod]\n", ""))
    assert aws.plan("--detailed-exitcode").status == 0
    assert attached(aws) == ["prod"]


def test_a_workspace_that_is_renamed_keeps_its_connections(aws):
    aws.apply()
    aws.manifest(
        (HEAD + AWS).replace("prod: {members", "live: {renamed_from: prod, members").replace("[prod]", "[live]")
    )
    assert aws.planned().addresses == ["org.acme/workspace.live"]
    assert aws.apply().status == 0
    assert attached(aws) == ["live"]
    assert aws.plan("--detailed-exitcode").status == 0


def test_a_connection_is_renamed_only_where_that_is_stated_and_its_secrets_are_still_known(aws):
    aws.apply()
    aws.manifest((HEAD + AWS).replace("aws_prod:", "aws_live:"))
    assert aws.planned().codes == ["looks-like-rename"]
    aws.manifest((HEAD + AWS).replace("aws_prod:", "aws_live:\n        renamed_from: aws_prod"))
    ran = aws.planned()
    assert ran.addresses == ["org.acme/connection.aws_live"]
    assert aws.apply().status == 0
    assert attached(aws, "aws_live") == ["prod"]
    assert aws.plan("--detailed-exitcode").status == 0


def test_only_a_statement_deletes_a_connection(aws):
    aws.apply()
    aws.manifest(HEAD + "      other: {plugin: net}\n")
    planned = aws.planned("--allow", "looks-like-rename=org.acme/connection.other")
    assert planned.addresses == ["org.acme/connection.other"]
    assert planned.json["unmanaged"] == [NAME]
    aws.manifest(HEAD + "      aws_prod: {absent: true, reason: the account is closed}\n")
    assert aws.apply().status == 0
    assert connection(aws) is None
    assert aws.plan("--detailed-exitcode").status == 0


def test_the_plugin_of_a_connection_cannot_be_changed(aws):
    aws.apply()
    aws.manifest(HEAD + AWS.replace("plugin: aws", "plugin: gcp"))
    ran = aws.plan()
    assert ran.status == 1
    assert "plugin of the connection aws_prod is aws, and cannot be changed to gcp" in ran.out


def test_a_connection_cannot_be_used_in_a_workspace_that_is_not_there(aws):
    aws.manifest(HEAD + AWS.replace("[prod]", "[prod, nowhere]"))
    ran = aws.plan()
    assert ran.status == 1
    assert "the workspace nowhere, in which aws_prod may be used, is not there" in ran.out


# --- secrets ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "field", ["access_key", "secret_key", "db_password", "api_token", "private_key", "clientSecret"]
)
def test_a_secret_in_a_manifest_is_an_error_that_does_not_show_it(bench, field):
    bench.hidden.add("plain-to-see")
    path = bench.manifest(HEAD + f"      x: {{plugin: p, config: {{{field}: plain-to-see}}}}\n")
    bench.sources.add(path)
    for form in ("text", "json", "github", "junit", "markdown"):
        ran = bench.run("validate", "--format", form)
        assert ran.status == 1
        assert "may be a secret" in ran.out + ran.err
    path.write_text(path.read_text().replace(f"{field}:", f"rolle: 1, {field}:").replace("plugin: p", "plugine: p"))
    assert bench.run("validate").status == 1


@pytest.mark.parametrize("line", [f"      x: {{plugin: p, config: {{note: {ID}}}}}", f"      x: {{plugin: p}} # {ID}"])
def test_the_id_of_an_aws_key_is_an_error_wherever_it_stands(bench, line):
    bench.hidden.add(ID)
    bench.sources.add(bench.manifest(HEAD + line + "\n"))
    ran = bench.run("validate")
    assert ran.status == 1
    assert "orgs.yaml:" in ran.err


def test_a_reference_is_a_whole_value_and_names_no_credential_of_ours(bench):
    for value in (
        "a${env:X}",
        "${env:X}b",
        "${vault:X}",
        "${env:}",
        "${env:A-B}",
        "${env:PIPES_TOKEN}",
        "${env:GITHUB_TOKEN}",
    ):
        bench.manifest(HEAD + f"      x: {{plugin: p, config: {{some: '{value}'}}}}\n")
        assert bench.run("validate").status == 1, value


def test_a_missing_variable_is_told_before_anything_is_written(aws, monkeypatch):
    monkeypatch.delenv("AWS_SECRET")
    aws.manifest((HEAD + AWS).replace("carol: member", "carol: owner"))
    before = aws.database()
    assert aws.plan().status == 0
    ran = aws.apply()
    assert ran.status == 1
    assert "the variable AWS_SECRET is not set" in ran.err
    assert aws.database() == before


def test_a_file_is_found_beside_its_manifest_and_a_missing_one_is_told(aws):
    aws.hidden |= {PEM, json.dumps(PEM)[1:-1], "kiG9w0BAQEFAASC"}
    body = HEAD + "      x: {plugin: p, config: {private_key: '${file:../keys/k.pem}'}}\n"
    aws.manifest(body, "orgs/acme.yaml")
    (aws.folder / "reconciler.lock.json").rename(aws.folder / "orgs" / "reconciler.lock.json")
    ran = aws.apply("orgs")
    assert ran.status == 1
    assert "${file:keys/k.pem} names no regular file" in ran.err
    key = aws.folder / "keys" / "k.pem"
    key.parent.mkdir()
    key.write_text(PEM + "\n")
    aws.sources.add(key)
    assert aws.apply("orgs").status == 0
    assert connection(aws, "x") is not None


def test_the_token_does_not_leave_through_another_variable_or_a_file(aws, monkeypatch):
    import os

    monkeypatch.setenv("AWS_SECRET", os.environ["PIPES_TOKEN"])
    assert "which is not sent to anybody" in aws.apply().err
    assert connection(aws) is None


def test_a_reference_elsewhere_than_in_a_config_is_a_text_like_any_other(aws):
    aws.manifest("orgs: {acme: {display_name: '${env:AWS_SECRET}'}}")
    assert aws.apply().status == 0
    assert aws.client().ok("GET", "/org/acme")["display_name"] == "${env:AWS_SECRET}"


@pytest.mark.parametrize("status", [400, 404, 409])
def test_a_server_that_echoes_a_secret_does_not_get_it_into_a_report(aws, monkeypatch, status):
    made = app.create_app

    def echoing(*args, **options):
        inner = made(*args, **options)

        def answer(environ, start_response):
            if environ["REQUEST_METHOD"] == "GET":
                return inner(environ, start_response)
            sent = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
            config = json.loads(sent)["config"]
            problem = {"title": config["access_key"], "detail": f"bad {config['secret_key']}", "all": sent.decode()}
            head = [("Content-Type", "application/problem+json"), ("X-Request-Id", config["access_key"])]
            start_response(f"{status} No", head)
            return [json.dumps(problem).encode()]

        return answer

    monkeypatch.setattr(app, "create_app", echoing)
    with aws.served():
        ran = aws.apply("-v", "--format", "json")
    assert ran.status == 1
    assert "(sensitive)" in ran.out


# --- what Pipes does not give back ------------------------------------------------------------------------------------


def test_another_value_is_sent_where_the_fingerprint_tells(aws, monkeypatch):
    aws.apply()
    first = digests(aws)
    monkeypatch.setenv("AWS_SECRET", OTHER)
    ran = aws.plan("--detailed-exitcode")
    assert ran.status == 2
    assert "${env:AWS_SECRET} has another value than was sent last" in ran.out
    assert aws.apply().status == 0
    assert digests(aws) != first
    assert aws.plan("--detailed-exitcode").status == 0


@pytest.mark.parametrize("gone", ["RECONCILER_FINGERPRINT_KEY", "AWS_SECRET"])
def test_without_the_key_or_the_values_it_says_that_it_cannot_tell_and_leaves_them_alone(aws, monkeypatch, gone):
    aws.apply()
    monkeypatch.setenv("AWS_SECRET", OTHER)
    monkeypatch.delenv(gone)
    ran = aws.plan("--detailed-exitcode")
    assert ran.status == 0
    assert "whether Pipes has these secrets is unknown" in ran.out
    assert gone in ran.out


def test_a_lost_lock_file_leaves_the_secrets_alone(aws):
    aws.apply()
    (aws.folder / "reconciler.lock.json").unlink()
    aws.seal(KEY)
    ran = aws.plan("--detailed-exitcode")
    assert ran.status == 0
    assert "the lock file does not say what was sent last" in ran.out


def test_another_reference_is_sent_without_any_key(aws, monkeypatch):
    monkeypatch.delenv("RECONCILER_FINGERPRINT_KEY")
    aws.apply()
    first = digests(aws)
    monkeypatch.setenv("NEW_SECRET", OTHER)
    aws.manifest(HEAD + AWS.replace("env:AWS_SECRET", "env:NEW_SECRET"))
    assert aws.planned().addresses == [NAME]
    assert aws.apply().status == 0
    assert digests(aws) != first
    assert aws.plan("--detailed-exitcode").status == 0


def test_a_rotation_is_done_once_from_its_day_on(aws, monkeypatch):
    aws.apply()
    monkeypatch.delenv("RECONCILER_FINGERPRINT_KEY")
    monkeypatch.setenv("AWS_SECRET", OTHER)
    first = digests(aws)
    aws.manifest(HEAD + AWS + "        rotate: 2999-01-01\n")
    assert aws.plan("--detailed-exitcode").status == 0
    aws.manifest(HEAD + AWS + "        rotate: 2026-11-01\n")
    ran = aws.plan("--detailed-exitcode")
    assert ran.status == 2
    assert "as `rotate: 2026-11-01` states" in ran.out
    assert aws.apply().status == 0
    assert digests(aws) != first
    assert aws.plan("--detailed-exitcode").status == 0


def test_a_configuration_that_drops_its_references_warns_that_secrets_are_lost(aws):
    aws.apply()
    aws.manifest(HEAD + AWS.replace(", access_key: '${env:AWS_ID}', secret_key: '${env:AWS_SECRET}'", ""))
    ran = aws.plan("--detailed-exitcode")
    assert ran.status == 2
    assert "secrets that Pipes has and this config does not refer to are lost" in ran.out


# --- tests of a connection --------------------------------------------------------------------------------------------


def test_a_test_that_fails_is_told_and_ends_with_5_though_the_change_is_done(aws):
    aws.pipes(WORLD + "    connections: {aws_prod: {plugin: aws, test: {status: error, reason: no route}}}\n")
    ran = aws.apply()
    assert ran.status == 5
    assert "its test failed: error, no route" in ran.out
    assert attached(aws) == ["prod"]
    assert aws.plan("--detailed-exitcode").status == 0


# --- what Pipes gives back of a secret, and what is lost on the way ---------------------------------------------------

PLAIN = "      aws_prod: {plugin: pg, config: {host: db, dsn: '${env:AWS_SECRET}'}, workspaces: [prod]}\n"


def test_a_secret_under_an_ordinary_name_that_pipes_gives_back_is_shown_nowhere(aws, monkeypatch):
    aws.manifest(HEAD + PLAIN)
    assert aws.apply().status == 0
    assert connection(aws)["config"]["dsn"] == SECRET  # the world that this test is about
    assert aws.plan("--detailed-exitcode").status == 0
    assert aws.run("drift", *aws.local).status == 0
    monkeypatch.setenv("AWS_SECRET", OTHER)
    aws.manifest(HEAD + PLAIN.replace("host: db", "host: db2"))
    for form in ("text", "json", "markdown", "html", "github", "junit"):
        assert aws.plan("--format", form).status == 0
    assert aws.run("drift", *aws.local, "--format", "json").status == 2
    assert aws.apply("-v").status == 0
    assert connection(aws)["config"] == {"host": "db2", "dsn": OTHER}
    aws.manifest(HEAD + PLAIN.replace(", dsn: '${env:AWS_SECRET}'", ""))
    assert aws.apply("-v").status == 0
    assert connection(aws)["config"] == {"host": "db"}


@pytest.mark.parametrize("kind", ["drop-after", "drop-before"])
@pytest.mark.parametrize(
    "path", ["/org/acme/connection", "/org/acme/connection/aws_prod/permission", "/org/acme/workspace/prod/schema"]
)
def test_an_answer_that_is_lost_makes_nothing_twice(aws, path, kind):
    with aws.served({"kind": kind, "method": "POST", "path": f"^{path}$", "times": 1}) as seen:
        ran = aws.apply()
    assert ran.status == 0
    posts = [one for one in seen if one[0] == "POST" and one[1].endswith(path)]
    assert len(posts) == (1 if kind == "drop-after" else 2)
    assert attached(aws) == ["prod"]
    assert aws.plan("--detailed-exitcode").status == 0


@pytest.mark.parametrize("kind", ["drop-after", "drop-before"])
def test_a_lost_answer_to_new_secrets_has_them_sent_again(aws, monkeypatch, kind):
    aws.apply()
    first = digests(aws)
    monkeypatch.setenv("AWS_SECRET", OTHER)
    fault = {
        "kind": kind,
        "method": "PATCH",
        "path": "^/org/acme/connection/aws_prod$",
        "times": 1,
    }
    with aws.served(fault):
        assert aws.apply().status == 0
    assert digests(aws) != first
    assert aws.plan("--detailed-exitcode").status == 0


def test_a_connection_that_somebody_changes_meanwhile_is_left_as_they_made_it(aws, monkeypatch):
    aws.apply()
    aws.plan("-o", "plan.json")
    aws.manifest(HEAD + AWS.replace("eu-west-1", "eu-west-2"))
    aws.plan("-o", "plan.json")
    aws.client().ok(
        "PATCH", "/org/acme/connection/aws_prod", {"config": {"regions": ["us-east-1"], "secret_key": OTHER}}
    )
    ran = aws.run("apply", *aws.local, "plan.json")
    assert ran.status == 3
    assert connection(aws)["config"] == {"regions": ["us-east-1"]}


def test_a_key_that_could_be_guessed_is_refused_before_anything_is_written(aws, monkeypatch):
    monkeypatch.setenv("RECONCILER_FINGERPRINT_KEY", "short")
    ran = aws.apply()
    assert ran.status == 1
    assert "RECONCILER_FINGERPRINT_KEY has less than 16 characters" in ran.err
    assert connection(aws) is None


def test_lock_keeps_what_was_sent(aws):
    aws.apply()
    before = aws.lock_text()
    assert '"from": "${env:AWS_SECRET}"' in before
    assert aws.run("lock", *aws.local).status == 0
    assert aws.lock_text() == before


def test_a_saved_plan_sends_no_secret_that_was_not_reviewed(aws, monkeypatch):
    aws.apply()
    first = digests(aws)
    monkeypatch.delenv("AWS_SECRET")  # as in the check of a pull request
    aws.manifest((HEAD + AWS).replace("carol: member", "carol: owner"))
    assert aws.plan("-o", "plan.json").status == 0
    monkeypatch.setenv("AWS_SECRET", OTHER)
    assert aws.run("apply", *aws.local, "plan.json").status == 0
    assert digests(aws) == first
    assert aws.planned().addresses == [NAME]


def test_a_connection_of_an_org_and_of_a_workspace_that_are_new(aws):
    aws.manifest(
        (HEAD + AWS).replace("acme:", "fresh:").replace("{bob: reader}", "{}").replace("{carol: operator}", "{}")
    )
    assert aws.apply().status == 0
    assert [one["handle"] for one in aws.client().all("/org/fresh/connection")] == ["aws_prod"]
    assert aws.plan("--detailed-exitcode").status == 0


# --- what a configuration is made of ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("true", True),
        ("false", False),
        ("0", 0),
        ("7", 7),
        ("1.5", 1.5),
        ("2.0", 2.0),
        ("1.0e-7", 1e-7),
        ("null", None),
        ("''", ""),
        ("'1.5'", "1.5"),
        ("eu-west-1", "eu-west-1"),
        ("[1, 1.5, true, null, a, []]", [1, 1.5, True, None, "a", []]),
        ("{b: {c: [{d: 0.5}]}, e: {}}", {"b": {"c": [{"d": 0.5}]}, "e": {}}),
    ],
)
def test_each_value_arrives_as_it_is_written_and_is_no_difference_then(bench, written, value):
    bench.pipes(WORLD)
    bench.manifest(HEAD + f"      x: {{plugin: p, config: {{a: {written}, other: b}}, workspaces: []}}\n")
    before = (bench.folder / "orgs.yaml").read_text()
    assert bench.apply().status == 0
    kept = connection(bench, "x")["config"]["a"]
    assert json.dumps(kept) == json.dumps(value)
    assert bench.plan("--detailed-exitcode").status == 0
    assert bench.run("fmt").status == 0
    assert (bench.folder / "orgs.yaml").read_text() != before
    assert bench.plan("--detailed-exitcode").status == 0


def test_a_value_of_another_type_is_a_change(bench):
    bench.pipes(WORLD)
    bench.manifest(HEAD + "      x: {plugin: p, config: {a: 1}, workspaces: []}\n")
    bench.apply()
    bench.manifest(HEAD + "      x: {plugin: p, config: {a: true}, workspaces: []}\n")
    assert bench.planned().addresses == ["org.acme/connection.x"]
    assert bench.apply().status == 0
    assert connection(bench, "x")["config"] == {"a": True}
    assert bench.plan("--detailed-exitcode").status == 0
