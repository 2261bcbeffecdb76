"""Connections that are imported: what Pipes shows, a reference for each secret, and nothing lost by the next change."""

from __future__ import annotations

import json
import re

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from reconciler.editing.canonical import canonical
from reconciler.importing import write
from reconciler.importing.hidden_secrets import Commented, HiddenSecrets
from reconciler.kinds import secret
from reconciler.manifest import load_texts, scalars
from reconciler.model.live import Resource

ECHOED = "echoed-by-a-server-2Zq8"
HIDDEN = "kept-by-pipes-aJ4rT"
KEY = "a key of the user that nobody else has"
WORLD = """
users: {bob: {}, carol: {}}
orgs:
  acme:
    members: {alice: owner, bob: member, carol: member}
    workspaces: {prod: {members: {bob: reader}, attached: [aws_prod]}, dev: {members: {carol: operator}}}
    connections:
      aws_prod:
        plugin: aws
        config: {regions: [eu-west-1], rate: 1.5, secret_key: %s}
        permitted: [prod]
      dd: {plugin: datadog, config: {api_key: %s, site: eu, more: [{dsn: '%s', tries: 3}]}}
      net: {plugin: net}
""" % (HIDDEN, ECHOED, ECHOED)  # noqa: UP031 - braces of YAML
WRITTEN = """\
    connections:
      aws_prod:
        plugin: aws
        # Pipes shows no secrets, and a change of config replaces all of them: write each that is missing as
        # ${env:NAME} or ${file:PATH}, then say `rotate: DAY`. Until then no change of config is applied.
        config:
          rate: 1.5
          regions: [eu-west-1]
        workspaces: [prod]
      dd:
        plugin: datadog
        # ACME_DD_API_KEY has to be set before this is sent.
        # ACME_DD_MORE_0_DSN has to be set before this is sent.
        # Pipes shows no secrets, and a change of config replaces all of them: write each that is missing as
        # ${env:NAME} or ${file:PATH}, then say `rotate: DAY`. Until then no change of config is applied.
        config:
          api_key: "${env:ACME_DD_API_KEY}"
          more: [{dsn: "${env:ACME_DD_MORE_0_DSN}", tries: 3}]
          site: eu
        workspaces: []
      net:
        plugin: net
        workspaces: []
"""
AWS = "org.acme/connection.aws_prod"
DD = "org.acme/connection.dd"


@pytest.fixture
def imported(bench, monkeypatch):
    bench.hidden |= {ECHOED, HIDDEN, KEY}
    monkeypatch.setenv("RECONCILER_FINGERPRINT_KEY", KEY)
    bench.pipes(WORLD)
    bench.notes = bench.run("import", *bench.local, "acme").err
    bench.file = bench.folder / "orgs" / "acme.yaml"
    return bench


def edit(bench, old, new):
    text = bench.file.read_text()
    assert old in text
    bench.file.write_text(text.replace(old, new, 1))


def kept(bench, handle):
    found = {one["handle"]: one for one in bench.client().all("/org/acme/connection")}
    return found[handle]["config"]


def entries(bench):
    return json.loads((bench.folder / "orgs" / "reconciler.lock.json").read_text())["entries"]


# --- import, plan, apply ----------------------------------------------------------------------------------------------


def test_what_pipes_shows_is_written_with_a_reference_for_each_secret_and_plan_and_apply_are_empty(imported):
    assert imported.file.read_text().endswith(WRITTEN)
    before = imported.database()
    ran = imported.planned("--detailed-exitcode")
    assert (ran.status, ran.addresses) == (0, [])
    told = imported.plan().out
    assert f"{DD}: whether Pipes has these secrets is unknown, and they are left alone: they were imported" in told
    assert imported.apply().status == 0
    assert imported.database() == before
    assert imported.run("fmt", "--check").status == 0


def test_the_import_says_what_is_to_be_set_and_what_comes_then(imported):
    assert (
        f"{DD}: config is written as far as Pipes shows it; to be set before it is sent: ACME_DD_API_KEY (api_key), "
        in (imported.notes)
    )
    assert (
        f"{AWS}: config is written as far as Pipes shows it; Pipes shows no secrets: write each that" in imported.notes
    )
    assert "org.acme: the logo is left alone" in imported.notes


@pytest.mark.parametrize("handle", ["aws_prod", "dd"])
def test_a_change_of_what_was_imported_is_refused_until_it_is_said_to_be_whole(imported, monkeypatch, handle):
    old, new = {"aws_prod": ("eu-west-1", "eu-west-2"), "dd": ("site: eu", "site: us")}[handle]
    edit(imported, old, new)
    before = imported.database()
    ran = imported.planned()
    assert (ran.status, ran.codes) == (3, ["secret-loss"])
    assert imported.apply().status == 3
    edit(imported, f"{handle}:\n", f"{handle}:\n        rotate: 2026-11-25\n")  # not yet
    assert imported.planned().codes == ["secret-loss"]
    assert imported.database() == before


def test_what_is_said_to_be_whole_is_sent_and_known_from_then_on(imported, monkeypatch):
    edit(imported, "aws_prod:\n", "aws_prod:\n        rotate: 2026-11-24\n")
    edit(imported, "rate: 1.5\n", "rate: 2.5\n          secret_key: ${env:ACME_AWS_PROD_SECRET_KEY}\n")
    assert "the variable ACME_AWS_PROD_SECRET_KEY is not set" in imported.apply().err
    monkeypatch.setenv("ACME_AWS_PROD_SECRET_KEY", HIDDEN)
    assert imported.apply().status == 0
    assert kept(imported, "aws_prod") == {"rate": 2.5, "regions": ["eu-west-1"]}
    assert entries(imported)[AWS]["secrets"].keys() == {"secret_key"}
    assert imported.plan("--detailed-exitcode").status == 0
    edit(imported, "eu-west-1", "eu-west-2")
    assert imported.planned().codes == []
    assert imported.apply().status == 0
    assert imported.plan("--detailed-exitcode").status == 0


def test_without_any_secret_it_can_be_said_to_be_whole_too(imported):
    edit(imported, "aws_prod:\n", "aws_prod:\n        rotate: 2026-11-24\n")
    edit(imported, "eu-west-1", "eu-west-2")
    assert imported.apply().status == 0
    assert "secrets" not in entries(imported)[AWS]
    edit(imported, "eu-west-2", "eu-west-3")
    assert imported.planned().codes == []


def test_writing_a_missing_secret_down_is_no_change_by_itself(imported):
    edit(imported, "rate: 1.5\n", "rate: 1.5\n          secret_key: ${env:ACME_AWS_PROD_SECRET_KEY}\n")
    assert imported.planned("--detailed-exitcode").status == 0


def test_another_connection_under_the_handle_is_not_held_for_the_one_that_was_imported(imported):
    client = imported.client()
    client.ok("DELETE", "/org/acme/connection/dd")
    client.ok("POST", "/org/acme/connection", {"handle": "dd", "plugin": "datadog", "config": {"site": "us"}})
    assert "secret-loss" not in imported.planned().codes


# --- importing again --------------------------------------------------------------------------------------------------


def test_a_second_import_changes_nothing(imported):
    before = imported.file.read_text(), imported.lock_text()
    ran = imported.run("import", *imported.local, "acme")
    assert ran.out == "Nothing to change: the manifests match Pipes.\n"
    assert (imported.file.read_text(), imported.lock_text()) == before


def test_what_was_sent_from_here_gets_its_own_references_back(imported, monkeypatch):
    (imported.folder / "key").write_text(HIDDEN)
    imported.sources.add(imported.folder / "key")
    monkeypatch.setenv("OURS", ECHOED)
    edit(imported, "aws_prod:\n", "aws_prod:\n        rotate: 2026-11-24\n")
    edit(imported, "rate: 1.5\n", "rate: 1.5\n          secret_key: ${file:../key}\n")
    edit(imported, "dd:\n", "dd:\n        rotate: 2026-11-24\n")
    edit(imported, "${env:ACME_DD_API_KEY}", "${env:OURS}")
    edit(imported, "${env:ACME_DD_MORE_0_DSN}", "${env:OURS}")
    assert imported.apply().status == 0
    imported.file.unlink()
    ran = imported.run("import", *imported.local, "acme")
    assert "to be set" not in ran.err
    written = yaml.safe_load(imported.file.read_text())["orgs"]["acme"]["connections"]
    assert written["aws_prod"]["config"]["secret_key"] == "${file:../key}"
    assert written["dd"]["config"] == {
        "api_key": "${env:OURS}",
        "site": "eu",
        "more": [{"dsn": "${env:OURS}", "tries": 3}],
    }
    ran = imported.plan("--detailed-exitcode")
    assert ran.status == 0, ran.out


def test_a_secret_that_the_lock_file_does_not_know_makes_all_of_it_doubtful(imported, monkeypatch):
    monkeypatch.setenv("ACME_DD_API_KEY", ECHOED)
    monkeypatch.setenv("ACME_DD_MORE_0_DSN", ECHOED)
    edit(imported, "dd:\n", "dd:\n        rotate: 2026-11-24\n")
    assert imported.apply().status == 0
    more = [{"dsn": ECHOED, "tries": 3}]
    changed = {"api_key": ECHOED, "app_key": ECHOED, "site": "eu", "more": more}
    imported.client().ok("PATCH", "/org/acme/connection/dd", {"config": changed})
    imported.file.unlink()
    assert imported.run("import", *imported.local, "acme").status == 0
    assert entries(imported)[DD]["secrets"] == "untold"
    assert imported.plan("--detailed-exitcode").status == 0


def test_a_secret_that_was_sent_to_a_place_which_is_gone_leaves_the_configuration_alone(imported, monkeypatch):
    monkeypatch.setenv("ACME_DD_API_KEY", ECHOED)
    monkeypatch.setenv("ACME_DD_MORE_0_DSN", ECHOED)
    edit(imported, "dd:\n", "dd:\n        rotate: 2026-11-24\n")
    assert imported.apply().status == 0
    imported.client().ok("PATCH", "/org/acme/connection/dd", {"config": {"api_key": ECHOED, "site": "eu"}})
    imported.file.unlink()
    ran = imported.run("import", *imported.local, "acme")
    assert f"{DD}: config is left out, and left alone: the lock file knows of a secret at more[0].dsn" in ran.err
    assert "config" not in yaml.safe_load(imported.file.read_text())["orgs"]["acme"]["connections"]["dd"]
    assert imported.plan("--detailed-exitcode").status == 0


# --- hostile ----------------------------------------------------------------------------------------------------------


def test_a_reference_that_somebody_planted_in_pipes_is_not_written_for_apply_to_follow(bench):
    planted = {"site": "${env:AWS_SECRET_ACCESS_KEY}", "host": "a ${file:/etc/passwd}", "secret": "${env:GITHUB_TOKEN}"}
    bench.pipes(
        {"orgs": {"acme": {"members": {"alice": "owner"}, "connections": {"x": {"plugin": "p", "config": {}}}}}}
    )
    bench.client().ok("PATCH", "/org/acme/connection/x", {"config": planted})
    assert bench.run("import", *bench.local, "acme").status == 0
    text = (bench.folder / "orgs" / "acme.yaml").read_text()
    assert set(re.findall(r'"[^"]*\$[^"]*"', text)) == {'"${env:ACME_X_SITE}"', '"${env:ACME_X_HOST}"'}
    assert bench.plan("--detailed-exitcode").status == 0


def test_no_two_places_get_one_variable_and_none_is_this_tools_own(bench):
    link = {"plugin": "p", "config": {"credentials": "x", "a.b": {"auth": "x"}, "a": {"b": {"auth": "x"}}}}
    member = {"members": {"alice": "owner"}}
    bench.pipes(
        {
            "orgs": {
                "a-b": {**member, "connections": {"c": link}},
                "a": {**member, "connections": {"b_c": link}},
                "github": {**member, "connections": {"x": link}},
            }
        }
    )
    assert bench.run("import", *bench.local, "a-b", "a", "github").status == 0
    found = [
        name
        for file in (bench.folder / "orgs").glob("*.yaml")
        for name in re.findall(r'"\$\{env:(\w+)\}"', file.read_text())
    ]
    assert len(found) == len(set(found)) == 9
    unshown = HiddenSecrets({}, None)
    made = unshown.config(
        "org.ci/connection.job", Resource("connection", "job", "c_1", 1, {}), ("ci", "job"), {"token": "x"}, "."
    )
    assert made == {"token": "${env:CI_JOB_TOKEN_2}"}


def test_a_variable_that_a_manifest_refers_to_already_is_not_given_to_another_place(bench):
    bench.hidden |= {ECHOED, HIDDEN}
    bench.pipes(WORLD)
    bench.manifest(
        "orgs: {acme: {members: {alice: owner, bob: member, carol: member},"
        " connections: {net: {config: {password: '${env:ACME_DD_API_KEY}'}}}}}"
    )
    assert bench.run("import", *bench.local, "acme").status == 0
    assert "api_key: '${env:ACME_DD_API_KEY_2}'" in (bench.folder / "orgs.yaml").read_text().replace('"', "'")


def test_what_no_manifest_can_hold_leaves_the_configuration_alone_and_says_so(bench):
    bench.pipes(
        {"orgs": {"acme": {"members": {"alice": "owner"}, "connections": {"x": {"plugin": "p", "config": {}}}}}}
    )
    bench.client().ok("PATCH", "/org/acme/connection/x", {"config": {"big": 2**60, "a": "b"}})
    ran = bench.run("import", *bench.local, "acme")
    assert ran.status == 0
    assert "config of acme/x is not written and not managed" in ran.err
    assert "config is written" not in ran.err
    assert yaml.safe_load((bench.folder / "orgs" / "acme.yaml").read_text())["orgs"]["acme"]["connections"] == {
        "x": {"plugin": "p", "workspaces": []}
    }
    assert bench.plan("--detailed-exitcode").status == 0


@pytest.mark.parametrize(
    "manifest",
    [
        '{"version": 1, "orgs": {"acme": {"members": {"alice": "owner", "bob": "member", "carol": "member"}}}}',
        "orgs: {acme: {members: {alice: owner, bob: member, carol: member}, connections: {net: {plugin: net}}}}",
        "orgs:\n  acme:\n    members: {alice: owner, bob: member, carol: member}\n    connections:\n      # ours\n      net: {plugin: net}\n",
    ],
)
def test_connections_are_added_to_a_manifest_of_any_layout(bench, manifest):
    bench.hidden |= {ECHOED, HIDDEN}
    bench.pipes(WORLD)
    bench.manifest(manifest)
    assert bench.run("import", *bench.local, "acme").status == 0
    text = (bench.folder / "orgs.yaml").read_text()
    assert "${env:ACME_DD_API_KEY}" in text
    assert ("ours" in text) == ("ours" in manifest)
    assert bench.plan("--detailed-exitcode").status == 0


@pytest.mark.parametrize(
    "value",
    [
        "-----BEGIN CERTIFICATE-----\nMIIB",
        "postgres://user:hunter2@db/x",
        "Server=x;Password=hunter2",
        "DefaultEndpointsProtocol=https;AccountKey=abc",
        "ghp_0123456789",
        "xoxb-1-2-abc",
        "wJalrXUtnFEMI0K7MDENGbPxRfiCY",
        "0123456789abcdef0123456789abcdef",
    ],
)
def test_a_value_that_looks_like_a_secret_is_not_written_under_any_name(value):
    assert secret.may_be_secret(("site",), value)


@pytest.mark.parametrize(
    "name", ["apiKey", "api_key", "app_key", "PAT", "pwd", "basicAuth", "session", "dsn", "clientSecret"]
)
def test_a_name_that_may_be_a_secrets_is_asked_for(name):
    assert secret.may_be_secret((name,), "a")
    assert secret.may_be_secret(("a", 0, name, "b"), 1)


@pytest.mark.parametrize(
    "value",
    [
        "eu-west-1",
        "arn:aws:iam::123456789012:role/reconciler",
        "123456789012",
        "https://acme.example/a?b=c",
        "7f3c1a52-0b1e-4c5e-9a55-2f0b7c1d9e10",
        "my-project-12345",
        "*",
        3,
        1.5,
        True,
        None,
    ],
)
def test_what_is_plainly_none_is_written(value):
    assert not secret.may_be_secret(("regions", 0), value)


names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6) | st.sampled_from(
    ["secret_key", "email", "a"]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-scalars.LARGEST, scalars.LARGEST) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(["${env:A}", "x" * 60]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@example({"absent": None, "a": {"absent": True}})
@given(st.dictionaries(names, values, min_size=1, max_size=4))
def test_any_configuration_is_written_as_fmt_would_and_read_as_what_is_live(config):
    live = secret.masked(config)
    made = HiddenSecrets({}, None).config(
        "org.acme/connection.x", Resource("connection", "x", "c_1", 1, {}), ("acme", "x"), live, "."
    )
    assert isinstance(made, Commented)
    text = write.document({"orgs": {"acme": {"connections": {"x": {"plugin": "p", "config": made}}}}}, "x")
    read = load_texts({"a.yaml": text}, today=None).orgs["acme"].children["connection"]["x"].attrs["config"]
    assert secret.same_config(live, read)
    assert canonical("a.yaml", text) == text


def test_drift_tells_of_what_was_imported_and_changed_since_and_refuses_nothing(imported):
    imported.client().ok("PATCH", "/org/acme/connection/aws_prod", {"config": {"regions": ["us-east-1"]}})
    ran = imported.run("drift", *imported.local)
    assert ran.status == 2
    assert "config of acme/aws_prod is" in ran.out
    assert "not compared" not in ran.err
