"""Rules that hold for every manifest, and for everything that is none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.manifest import load_texts, schema
from reconciler.manifest.check import typed, validator
from reconciler.manifest.explain import explainer
from reconciler.manifest.read_yaml import read
from reconciler.model.errors import ManifestError
from stopped.sitecustomize import DAY as TODAY

EXAMPLE = (Path(__file__).parents[2] / "examples" / "orgs.yaml").read_text()


def vocabulary(part):
    """Every key and every listed value of the schema, so that generated documents come close to manifests."""
    if isinstance(part, dict):
        yield from part.get("properties", {})
        yield from (value for value in part.get("enum", ()) if isinstance(value, str))
        for inner in part.values():
            yield from vocabulary(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from vocabulary(inner)


TEXTS = [
    *(
        "alice",
        "bob",
        "team/sre",
        "team/",
        "team/a/b",
        "Acme",
        "a-b",
        "a--b",
        "-a",
        "a-",
        "123",
        "1e3",
        "a\n",
        "\na",
        "é",
        "\x00",
    ),
    *("", " ", "2027-01-31", "2027-1-31", "2027-01-31\n", "2026-11-01T00:00:00Z", "2026-11-01T00:00:00Z\n"),
    *(
        "a@b",
        "a@",
        "@b",
        "a@b\n",
        "a@b@c",
        "a" * 23,
        "a" * 24,
        "a" * 39,
        "a" * 40,
        "team/" + "a" * 39,
        "team/" + "a" * 40,
    ),
]
words = st.sampled_from(sorted(set(vocabulary(schema()))) + TEXTS) | st.text(max_size=5)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 101) | st.sampled_from([2**63 - 1, 2**63, -(2**64), 1.5, 1.0]) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=4),
    max_leaves=8,
)


def close_to(part):
    """A value that nearly matches a part of the schema."""
    if part.get("$ref") == "#/$defs/setting":  # whatever JSON has, and more of it below
        return values
    part = {**schema()["$defs"][part["$ref"].split("/")[-1]], **part} if "$ref" in part else part
    if "anyOf" in part:
        return st.one_of(*[close_to(branch) for branch in part["anyOf"]], values)
    if "const" in part:
        return st.just(part["const"]) | values
    if "enum" in part:
        return st.sampled_from(part["enum"]) | values
    if isinstance(part.get("additionalProperties"), dict):
        more = part.get("patternProperties", {})
        inner = st.one_of(close_to(part["additionalProperties"]), *[close_to(sub) for sub in more.values()])
        return st.dictionaries(words, inner, max_size=3)
    if "properties" in part:
        optional = {key: st.deferred(lambda sub=sub: close_to(sub)) for key, sub in part["properties"].items()}
        return st.fixed_dictionaries({}, optional=optional) | st.dictionaries(words, values, max_size=2)
    if part.get("type") == "array":
        return st.lists(close_to(part["items"]), max_size=3)
    return values


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(close_to(schema()) | values)
def test_the_fast_judge_and_the_explaining_one_agree(data):
    assert validator().is_valid(data) == explainer().is_valid(data)


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("place", ["orgs", "people", "teams", "members", "workspaces", "email", "expires", "token"])
def test_the_judges_agree_on_each_odd_text_in_each_place(text, place):
    data = {"version": 1, "orgs": {"acme": {"members": {"alice": {"role": "owner", "expires": "2027-01-31"}}}}}
    acme = data["orgs"]["acme"]
    match place:
        case "orgs":
            data["orgs"][text] = {}
        case "people":
            data["people"] = {text: {"handle": text}}
        case "teams":
            data["teams"] = {"sre": [text]}
        case "members":
            acme["members"][text] = "owner"
        case "workspaces":
            acme["workspaces"] = {text: {}}
        case "email":
            data["people"] = {"carol": {"email": text}}
        case "expires":
            acme["members"]["alice"]["expires"] = text
        case "token":
            acme["token_min_issued_at"] = text
    assert validator().is_valid(data) == explainer().is_valid(data)


def outcome(data):
    """The problems of what is no manifest; whatever else is raised fails the test."""
    try:
        return load_texts({"a.yaml": data}, today=TODAY).warnings
    except ManifestError as error:
        return error.diagnostics


def assert_placed(found, lines):
    for problem in found:
        assert problem.source is not None
        assert 1 <= problem.source.line <= lines + 1
        assert problem.source.column >= 1
        assert problem.length >= 1
        assert problem.summary.isprintable()
        assert problem.summary != "the manifest does not match its schema"


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=80) | st.text(max_size=80).map(str.encode))
def test_any_bytes_give_placed_problems_or_a_manifest(data):
    assert_placed(outcome(data), data.count(b"\n") + data.count(b"\r") + 4 * len(data))


pieces = st.sampled_from(
    ["", " ", "\n", "  ", "- ", ": ", "{", "}", "[", "]", '"', "'", "&a ", "*a", "!t ", "#", "<<", "no", "123", "~", "null", "team/", "\t", "é", "\\", "|", ">", "?", "%", "@", "---\n", "absent: true", "{}"]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(EXAMPLE)), st.integers(0, 12), pieces), min_size=1, max_size=4))
def test_a_damaged_manifest_gives_placed_problems_or_a_manifest(damages):
    text = EXAMPLE
    for start, length, piece in damages:
        text = text[:start] + piece + text[start + length :]
    assert_placed(outcome(text.encode()), text.count("\n") + 1)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(close_to(schema()))
def test_what_the_schema_refuses_is_an_error_with_a_place(data):
    # JSON is YAML; what stands there without quotes is read as the schema wants it, a number as a text, say
    text = json.dumps({"version": 1, **data} if isinstance(data, dict) else data, ensure_ascii=True)
    found = outcome(text.encode())
    assert_placed(found, 1)
    document = read("a.yaml", text.encode())
    wrong = list(typed(document)) if document.root is not None else []  # None: it could not be read at all
    if wrong or document.problems or not validator().is_valid(document.root):
        assert any(problem.severity == "error" for problem in found)


names = st.sampled_from(["alice", "bob", "carol", "dave"])
days = st.sampled_from(["2026-11-23", "2026-11-24", "2026-11-25", "2027-01-31"])
entries = (
    st.sampled_from(["member", "owner"])
    | st.builds("{{role: {}, expires: {}}}".format, st.sampled_from(["member", "owner"]), days)
    | st.builds("{{role: owner, expires: {}, then: member}}".format, days)
)  # fmt: skip
rows = st.dictionaries(names | st.sampled_from(["team/a", "team/b", "team/c"]), entries, max_size=6)


@settings(max_examples=200, deadline=None)
@given(
    rows=rows,
    teams=st.dictionaries(st.sampled_from("abc"), st.lists(names, max_size=3, unique=True), max_size=3),
    data=st.data(),
)
def test_neither_the_order_of_lines_nor_the_number_of_files_matters(rows, teams, data):
    teams = {"a": [], "b": [], "c": []} | teams
    listed = [*rows.items(), ("zoe", "owner")]
    shuffled = data.draw(st.permutations(listed))
    cut = data.draw(st.integers(0, len(listed)))

    def body(rows):
        return f"version: 1\norgs: {{acme: {{members: {{{', '.join(f'{name}: {entry}' for name, entry in rows)}}}}}}}\n"

    more = "version: 1\nteams: " + json.dumps(teams)
    one = load_texts({"a": body(listed).encode(), "t": more.encode()}, today=TODAY)
    two = load_texts(
        {"t": more.encode(), "a": body(shuffled[:cut]).encode(), "b": body(shuffled[cut:]).encode()}, today=TODAY
    )

    def seen(nodes):
        return {name: (node.attrs["role"], node.via, node.expires) for name, node in (nodes or {}).items()}

    for get in (lambda org: org.children["member"], lambda org: (org.expired or {}).get("member")):
        assert seen(get(one.orgs["acme"])) == seen(get(two.orgs["acme"]))
    everyone = set(rows) | {name for people in teams.values() for name in people}
    assert set(one.orgs["acme"].children["member"]) <= everyone | {"zoe"}
