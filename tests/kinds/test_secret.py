"""What counts as a secret, and that nothing of one is left in what is shown."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.kinds import connection, secret
from reconciler.manifest import load_texts
from reconciler.model.errors import ManifestError

NAMES = [
    "secret_key",
    "clientSecret",
    "api_token",
    "password",
    "db_passwd",
    "private_key",
    "privateKey",
    "aws_access_key",
]
HEAD = "version: 1\norgs: {acme: {connections: {x: {plugin: p, config: %s}}}}\n"
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["host", "a", "b"]), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("around", [lambda c: c, lambda c: {"nested": c}, lambda c: {"list": [c]}])
def test_what_a_server_gives_back_under_the_name_of_a_secret_goes_no_further(name, around):
    row = connection.Row("c_1", "x", 1, "p", around({name: "given-back", "host": "db"}))
    found = connection.resource(row)
    assert "given-back" not in repr(found)
    assert "db" in repr(found)


@given(plain, st.sampled_from(NAMES), st.text(min_size=9, max_size=12))
def test_a_secret_is_masked_wherever_it_stands_and_the_rest_is_kept(config, name, value):
    whole = {"rest": config, "deep": [{name: value}], name: {"inner": value}}
    masked = secret.masked(whole)
    assert [v for p, v in secret.leaves(masked) if p[0] != "rest"] == [secret.SENSITIVE] * 2


@given(plain)
def test_a_configuration_is_the_same_as_itself_whatever_pipes_keeps_to_itself(config):
    want = {"rest": config, "secret_key": "${env:A}", "dsn": "${file:b}"}
    assert secret.same_config({"rest": config}, want)
    assert secret.same_config(secret.masked({"rest": config, "secret_key": "x"}), want)
    assert secret.same_config({"rest": config, "dsn": "given back"}, want)
    assert not secret.same_config({"rest": config, "more": 1}, want)


@pytest.mark.parametrize(
    ("have", "want", "same"),
    [
        (None, {}, True),
        ({"a": ""}, {"a": None}, True),
        ({"a": []}, {}, True),
        ({"a": [1, 2]}, {"a": [2, 1]}, False),
        ({"a": 1}, {"a": "1"}, False),
        ({"a": {"b": 1}}, {"a": {"b": 2}}, False),
    ],
)
def test_what_is_no_secret_is_compared(have, want, same):
    assert secret.same_config(have, want) is same


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "form",
    ["{%s: hunter2hunter2}", "{a: {%s: hunter2hunter2}}", "{a: [{%s: hunter2hunter2}]}", "{%s: [hunter2hunter2]}"],
)
def test_a_secret_in_a_manifest_is_an_error_however_deep(name, form):
    with pytest.raises(ManifestError) as raised:
        load_texts({"a.yaml": (HEAD % (form % name)).encode()}, today=None)
    assert "hunter2" not in repr(raised.value.diagnostics)


@pytest.mark.parametrize(
    "config",
    [
        "{secret_key: ''}",
        "{secret_key: null}",
        "{use_token: true}",
        "{secret_key: '${env:A_1}'}",
        "{host: db, port: 5432}",
    ],
)
def test_what_is_no_secret_may_stand_in_a_manifest(config):
    assert load_texts({"a.yaml": (HEAD % config).encode()}, today=None).orgs


def test_a_request_that_was_planned_holds_the_reference():
    made = connection.create(
        connection.Place(org="acme", org_child="x"), "x", {"plugin": "p", "config": {"k": "${env:A}"}}
    )
    assert json.loads(json.dumps(made[0].body)) == {"handle": "x", "plugin": "p", "config": {"k": "${env:A}"}}
