"""The values of a connection's `config`: each keeps the type that YAML gives it, and what cannot be told is refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.editing.in_place import scalar
from reconciler.kinds import connection, secret
from reconciler.manifest import load_texts, scalars
from reconciler.model.errors import ManifestError

HEAD = "version: 1\norgs:\n  acme:\n    connections:\n      x:\n        plugin: p\n        config:\n"


def config(text):
    desired = load_texts({"a.yaml": f"{HEAD}          {text}\n".encode()}, today=None)
    return desired.orgs["acme"].children["connection"]["x"].attrs["config"]


def typed(value):
    """A value that is equal only to one of the same types: for Python 1, 1.0 and true are equal."""
    if isinstance(value, dict):
        return {key: typed(inner) for key, inner in value.items()}
    return [typed(inner) for inner in value] if isinstance(value, list) else (type(value), value)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1.5", 1.5),
        ("-0.25", -0.25),
        (".5", 0.5),
        ("2.", 2.0),
        ("1.0e+3", 1000.0),
        ("1.5e-7", 1.5e-7),
        ("0", 0),
        ("-7", -7),
        ("+7", 7),
        ("0x1F", 31),
        ("9007199254740992", 2**53),
        ("true", True),
        ("FALSE", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("2026-11-24", "2026-11-24"),
        ("eu-west-1", "eu-west-1"),
        ("1.2.3", "1.2.3"),
        ("y", "y"),
        ('"1.5"', "1.5"),
        ("'true'", "true"),
        ('"012"', "012"),
        ("[1, 1.5, '1', true, null, [2.5]]", [1, 1.5, "1", True, None, [2.5]]),
        ("{a: {b: {c: [{d: 1.5}]}}}", {"a": {"b": {"c": [{"d": 1.5}]}}}),
    ],
)
def test_a_value_has_the_type_that_every_yaml_gives_it(written, value):
    assert typed(config(f"a: {written}")) == typed({"a": value})


@pytest.mark.parametrize(
    "written",
    [".inf", "-.Inf", "+.INF", ".nan", ".NaN", "1.0e+999", "-1.0e+999", "9007199254740993", "-99999999999999999999",
     "yes", "No", "ON", "off", "010", "0o17", "0b11", "1_000", "1e3", "1.5e3", "1:30", "-0x1F", "1_0.5"],
)  # fmt: skip
@pytest.mark.parametrize(("around", "column"), [("%s", 14), ("[a, %s]", 18), ("{b: {c: %s}}", 22)])
def test_what_is_not_the_same_for_everybody_is_refused_where_it_stands(written, around, column):
    with pytest.raises(ManifestError) as raised:
        config("a: " + around % written)
    (found,) = raised.value.diagnostics
    assert (found.source.line, found.source.column) == (8, column)
    assert written in found.summary
    assert config("a: " + around % f'"{written}"')  # the way on that it says


@pytest.mark.parametrize("written", [".inf", "010", "yes", "1.5", "1e3"])
def test_what_stands_under_a_secrets_name_is_refused_as_one_and_not_shown(written):
    with pytest.raises(ManifestError) as raised:
        config(f"password: [{written}]")
    (found,) = raised.value.diagnostics
    assert "may be a secret" in found.summary
    assert written not in repr(found)


def test_a_fraction_is_still_no_integer_where_one_is_wanted():
    text = "version: 1\norgs: {acme: {workspaces: {prod: {db_volume_size_bytes: 1.5}}}}\n"
    with pytest.raises(ManifestError) as raised:
        load_texts({"a.yaml": text.encode()}, today=None)
    assert "1.5" in raised.value.diagnostics[0].summary


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-scalars.LARGEST, scalars.LARGEST)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8).filter(lambda text: "${" not in text),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "1"]), inner, max_size=3),
    max_leaves=8,
)


def flow(value):
    if isinstance(value, dict):
        return "{" + ", ".join(f"{scalar(key)}: {flow(inner)}" for key, inner in value.items()) + "}"
    return "[" + ", ".join(map(flow, value)) + "]" if isinstance(value, list) else scalar(value)


@given(values)
def test_what_is_written_for_a_value_is_read_as_that_value(value):
    assert typed(config(f"a: {flow(value)}")) == typed({"a": value})


@given(values)
def test_what_pipes_keeps_of_a_value_is_no_difference(value):
    want = {"config": {"a": value}}
    assert connection.KIND.differences(json.loads(json.dumps(want)), want) == {}


@pytest.mark.parametrize(("have", "want"), [(1, True), (True, 1), (0, False), (0.0, False), ("1", 1), (1.5, "1.5")])
def test_values_of_different_types_are_a_difference(have, want):
    assert not secret.same_config({"a": [have]}, {"a": [want]})
    assert connection.KIND.differences({"config": {"a": have}}, {"config": {"a": want}}) == {"config": {"a": want}}
