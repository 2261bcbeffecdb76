"""What manifests ask for: one small manifest, then one thing changed."""

from __future__ import annotations

import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from reconciler.manifest import load, load_texts, schema, schema_text
from reconciler.manifest.json_schema import ranks
from reconciler.model.desired import Person, Rules
from reconciler.model.errors import ManifestError, UsageError
from stopped.sitecustomize import DAY as TODAY

EXAMPLES = Path(__file__).parents[2] / "examples"


def desired(text, *, today=TODAY, **more):
    """Load one text as `a.yaml`, and further files by name."""
    files = {"a.yaml": text, **{f"{name}.yaml": other for name, other in more.items()}}
    return load_texts({name: ("version: 1\n" + body).encode() for name, body in files.items()}, today=today)


def errors(text, **more):
    with pytest.raises(ManifestError) as caught:
        desired(text, **more)
    return [
        (str(found.source), found.summary, str(found.also) if found.also else None)
        for found in caught.value.diagnostics
    ]


def roles(nodes):
    return {name: "absent" if node.absent else node.attrs["role"] for name, node in nodes.items()}


def acme(members, *, teams="{}", people="{}", today=TODAY):
    text = f"people: {people}\nteams: {teams}\norgs: {{acme: {{members: {{zoe: owner, {members}}}}}}}"
    return desired(text, today=today).orgs["acme"]


# --- sections and attributes ---


def test_a_section_that_is_not_written_is_not_there():
    org = desired("orgs: {acme: {display_name: Acme}}").orgs["acme"]
    assert org.children == {}
    assert org.attrs == {"display_name": "Acme"}


def test_an_empty_section_means_nobody():
    org = desired("orgs: {acme: {workspaces: {prod: {members: {}}, dev: {}}}}").orgs["acme"]
    assert {name: node.children for name, node in org.children["workspace"].items()} == {
        "prod": {"grant": {}},
        "dev": {},
    }


@pytest.mark.parametrize(
    ("written", "attrs"),
    [
        pytest.param("display_name: null", {"display_name": None}, id="null clears a text"),
        pytest.param('display_name: ""', {"display_name": None}, id="an empty text clears a text"),
        pytest.param("display_name:", {"display_name": None}, id="nothing clears a text"),
        pytest.param(
            "display_name: 2026-01-01", {"display_name": "2026-01-01"}, id="a date is a text where a text is meant"
        ),
        pytest.param("display_name: 007", {"display_name": "007"}, id="a number is a text where a text is meant"),
        pytest.param("display_name: no", {"display_name": "no"}, id="a boolean is a text where a text is meant"),
        pytest.param('display_name: "null"', {"display_name": "null"}, id="a quoted null is a text"),
        pytest.param("usage_user_threshold: 25", {"usage_user_threshold": 25}, id="an integer"),
        pytest.param("usage_user_threshold: 5_000", {"usage_user_threshold": 5000}, id="an integer with underscores"),
        pytest.param("usage_user_action: cap_and_warn", {"usage_user_action": "cap_and_warn"}, id="an action"),
        pytest.param(
            "token_min_issued_at: 2026-11-01T02:00:00+02:00",
            {"token_min_issued_at": "2026-11-01T00:00:00Z"},
            id="a time in another zone",
        ),
        pytest.param(
            "token_min_issued_at: 2026-11-01 00:00:00.000z",
            {"token_min_issued_at": "2026-11-01T00:00:00Z"},
            id="a time in YAML's own form",
        ),
        pytest.param(
            'token_min_issued_at: "2026-11-01T00:00:00Z"',
            {"token_min_issued_at": "2026-11-01T00:00:00Z"},
            id="a quoted time",
        ),
    ],
)
def test_an_org_attribute_is_read_as_the_schema_expects(written, attrs):
    assert desired(f"orgs:\n  acme:\n    {written}").orgs["acme"].attrs == attrs


@pytest.mark.parametrize(
    ("written", "attrs"),
    [
        pytest.param("search_path_prefix: [aws, on]", {"search_path_prefix": ["aws", "on"]}, id="a list of texts"),
        pytest.param("search_path_prefix: []", {"search_path_prefix": None}, id="an empty list clears"),
        pytest.param("search_path_prefix: null", {"search_path_prefix": None}, id="null clears a list"),
        pytest.param("db_volume_size_bytes: 10737418240", {"db_volume_size_bytes": 10737418240}, id="a size"),
        pytest.param("instance_type: db1.medium", {"instance_type": "db1.medium"}, id="a type"),
        pytest.param("desired_state: paused", {"desired_state": "paused"}, id="a state"),
    ],
)
def test_a_workspace_attribute_is_read_as_the_schema_expects(written, attrs):
    org = desired(f"orgs:\n  acme:\n    workspaces:\n      prod:\n        {written}").orgs["acme"]
    assert org.children["workspace"]["prod"].attrs == attrs


def test_a_list_attribute_is_a_plain_list():
    org = desired("orgs: {acme: {workspaces: {prod: {search_path_prefix: [aws]}}}}").orgs["acme"]
    assert type(org.children["workspace"]["prod"].attrs["search_path_prefix"]) is list


def test_absent_renamed_from_and_reason_are_kept_apart_from_attributes():
    found = desired("orgs: {acme: {renamed_from: old}, gone: {absent: true, reason: sold}}").orgs
    assert (found["acme"].renamed_from, found["acme"].attrs) == ("old", {})
    assert (found["gone"].absent, found["gone"].reason, found["gone"].attrs, found["gone"].children) == (
        True,
        "sold",
        {},
        {},
    )


def test_quoted_handles_may_look_like_anything():
    org = desired('orgs: {"123": {members: {"no": owner, "1e3": member, "2026-01-01": member}}}').orgs["123"]
    assert roles(org.children["member"]) == {"no": "owner", "1e3": "member", "2026-01-01": "member"}


def test_places_are_those_of_the_keys():
    text = "orgs:\n  acme:\n    url: x\n    members:\n      zoe: owner\n      erin:\n        role: owner\n        expires: 2027-01-31\n"
    org = desired(text).orgs["acme"]
    assert str(org.source) == "a.yaml:3:3"
    assert {key: str(source) for key, source in org.sources.items()} == {"url": "a.yaml:4:5", "member": "a.yaml:5:5"}
    erin = org.children["member"]["erin"]
    assert (str(erin.source), str(erin.sources["role"])) == ("a.yaml:7:7", "a.yaml:8:9")


def test_safeguards_have_defaults():
    assert desired("").rules == Rules(1, 10, 25)
    assert desired("safeguards: {max_removals: {percent: 50}}").rules == Rules(1, 10, 50)
    assert desired("safeguards: {min_owners: 2, max_removals: {count: 0}}").rules == Rules(2, 0, 25)


def test_people_are_who_people_says_and_else_their_own_handle():
    found = desired(
        "people: {carol: {email: c@example.com}, dave: {handle: dave-x}, eve: {email: e@example.com, handle: eve-x}}"
    )
    assert [(p.handle, p.email) for p in map(found.person, ("carol", "dave", "eve"))] == [
        (None, "c@example.com"),
        ("dave-x", None),
        ("eve-x", "e@example.com"),
    ]
    assert found.person("frank") == Person("frank", "frank")


# --- teams ---


def test_teams_nest_and_are_flattened_and_sorted():
    found = desired("teams: {sre: [team/platform, carol], platform: [bob, alice], none: []}")
    assert found.teams == {"sre": ("alice", "bob", "carol"), "platform": ("alice", "bob"), "none": ()}


def test_a_long_chain_of_teams_is_no_recursion():
    chain = ", ".join(f"t{n}: [team/t{n + 1}]" for n in range(3000))
    assert desired(f"teams: {{{chain}, t3000: [alice]}}").teams["t0"] == ("alice",)


def test_a_team_may_stand_in_another_file():
    found = desired("orgs: {acme: {members: {zoe: owner, team/sre: member}}}", b="teams: {sre: [bob]}")
    assert roles(found.orgs["acme"].children["member"]) == {"zoe": "owner", "bob": "member"}


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        pytest.param("team/a: member", {"bob": ("member", "team/a")}, id="a team gives its role"),
        pytest.param(
            "bob: member, team/a: owner", {"bob": ("member", None)}, id="a direct entry wins, weaker as it is"
        ),
        pytest.param("team/a: owner, bob: member", {"bob": ("member", None)}, id="whatever the order"),
        pytest.param("bob: {absent: true}, team/a: owner", {"bob": ("absent", None)}, id="a direct absence wins"),
        pytest.param("team/a: member, team/b: owner", {"bob": ("owner", "team/b")}, id="the stronger team wins"),
        pytest.param("team/b: member, team/a: owner", {"bob": ("owner", "team/a")}, id="written first or last"),
        pytest.param(
            "team/a: {role: member, expires: 2027-01-01}, team/b: member",
            {"bob": ("member", "team/b")},
            id="of equal roles the one that lasts",
        ),
        pytest.param(
            "team/a: {role: owner, expires: 2026-11-24}, team/b: member",
            {"bob": ("member", "team/b")},
            id="a team whose time is up gives nothing",
        ),
        pytest.param(
            "bob: {role: owner, expires: 2026-11-24}, team/b: member",
            {"bob": ("member", "team/b")},
            id="a team takes over from an expired direct entry",
        ),
        pytest.param(
            "bob: {role: owner, expires: 2026-11-25}", {"bob": ("owner", None)}, id="the day before is not over"
        ),
        pytest.param("bob: {role: owner, expires: 2026-11-24}", {}, id="the day itself is"),
        pytest.param(
            "bob: {role: owner, expires: 2026-11-25, then: member}", {"bob": ("owner", None)}, id="then is not yet"
        ),
        pytest.param(
            "bob: {role: owner, expires: 2026-11-24, then: member}, team/b: owner",
            {"bob": ("member", None)},
            id="then is as direct as the entry it belongs to",
        ),
        pytest.param(
            "team/a: {role: owner, expires: 2026-11-24, then: member}",
            {"bob": ("member", "team/a")},
            id="a team's then",
        ),
        pytest.param(
            "team/a: {role: owner, expires: 2026-11-24, then: member}, team/b: owner",
            {"bob": ("owner", "team/b")},
            id="the stronger team wins over another one's then",
        ),
        pytest.param(
            "bob: {role: owner, expires: 2026-11-24}, team/a: {role: owner, expires: 2026-11-24, then: member}",
            {"bob": ("member", "team/a")},
            id="a team's then takes over from an expired direct entry",
        ),
        pytest.param(
            "bob: {absent: true}, team/a: {role: owner, expires: 2026-11-24, then: member}",
            {"bob": ("absent", None)},
            id="a direct absence wins over then",
        ),
    ],
)
def test_precedence(members, expected):
    found = acme(members, teams="{a: [bob], b: [bob]}").children["member"]
    assert {name: (role, found[name].via) for name, role in roles(found).items() if name != "zoe"} == expected


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        pytest.param("bob: {role: owner, expires: 2026-11-24}", {"bob": ("owner", None)}, id="a direct entry"),
        pytest.param(
            "team/a: {role: owner, expires: 2026-11-24}", {"bob": ("owner", "team/a")}, id="everyone of a team"
        ),
        pytest.param(
            "bob: {role: owner, expires: 2026-11-24}, team/b: member",
            {"bob": ("owner", None)},
            id="also where a weaker role takes over, since the date states the loss",
        ),
        pytest.param(
            "bob: {role: member, expires: 2026-11-24}, team/a: {role: owner, expires: 2026-11-24}",
            {"bob": ("member", None)},
            id="the direct entry of two",
        ),
        pytest.param(
            "bob: {role: owner, expires: 2026-11-24, then: member}",
            {"bob": ("owner", None)},
            id="also where then takes over",
        ),
        pytest.param(
            "bob: member, team/a: {role: owner, expires: 2026-11-24}", None, id="not a team's beside a direct entry"
        ),
        pytest.param(
            "bob: {absent: true}, team/a: {role: owner, expires: 2026-11-24}", None, id="nor beside a direct absence"
        ),
    ],
)
def test_what_has_expired_is_kept_apart(members, expected):
    org = acme(members, teams="{a: [bob], b: [bob]}")
    found = org.expired and org.expired["member"]
    assert (found and {name: (node.attrs["role"], node.via) for name, node in found.items()}) == expected


def test_expiry_and_reason_of_a_team_are_those_of_its_people():
    bob = acme("team/a: {role: member, expires: 2027-01-31, reason: audit}", teams="{a: [bob]}").children["member"][
        "bob"
    ]
    assert (bob.expires, bob.reason, bob.via, str(bob.source)) == (date(2027, 1, 31), "audit", "team/a", "a.yaml:4:37")


def test_roles_of_a_workspace_rank_from_reader_to_owner():
    text = "teams: {a: [bob], b: [bob], c: [bob]}\norgs: {acme: {workspaces: {prod: {members: {team/a: operator, team/b: admin, team/c: reader}}}}}"
    grants = desired(text).orgs["acme"].children["workspace"]["prod"].children["grant"]
    assert roles(grants) == {"bob": "operator"}
    assert sorted(ranks("grantRole"), key=ranks("grantRole").get) == ["reader", "operator", "owner"]


# --- grants and members ---


GRANT = "orgs: {{acme: {{members: {{zoe: owner, {}}}, workspaces: {{prod: {{members: {{{}}}}}}}}}}}"


def test_a_grant_falls_with_the_expiry_of_its_member():
    org = desired(
        GRANT.format("bob: {role: member, expires: 2026-11-24}, carol: member", "bob: reader, carol: reader")
    ).orgs["acme"]
    prod = org.children["workspace"]["prod"]
    assert roles(prod.children["grant"]) == {"carol": "reader"}
    assert roles(prod.expired["grant"]) == {"bob": "reader"}


def test_a_grant_is_left_to_the_plan_where_the_manifest_has_no_members():
    org = desired("orgs: {acme: {workspaces: {prod: {members: {bob: reader}}}}}").orgs["acme"]
    assert roles(org.children["workspace"]["prod"].children["grant"]) == {"bob": "reader"}


def test_a_member_and_a_grant_may_use_two_names_of_one_person():
    found = desired("people: {dave: {handle: dave-x}}\n" + GRANT.format("dave: member", "dave-x: reader"))
    assert [warning.summary for warning in found.warnings] == ["dave-x is the Pipes handle of dave"]


def test_a_redundant_grant_is_kept_and_warned_about():
    found = desired(GRANT.format("bob: member", "zoe: reader"))
    assert [warning.summary for warning in found.warnings] == ["zoe owns acme and so has access to acme/prod already"]
    assert roles(found.orgs["acme"].children["workspace"]["prod"].children["grant"]) == {"zoe": "reader"}


def test_a_handle_that_is_another_alias_means_the_alias():
    found = desired(
        "people: {bob: {handle: rob}, rob: {handle: bob}}\norgs: {acme: {members: {bob: owner, rob: member}}}"
    )
    assert found.warnings == ()


# --- several files ---


def test_an_org_may_be_split_over_files():
    found = desired(
        "orgs: {acme: {url: x, members: {zoe: owner}}}",
        b="orgs: {acme: {members: {bob: member}, workspaces: {prod: {instance_type: db1.small}}}}",
        c="orgs: {acme: {workspaces: {prod: {members: {bob: reader}}, dev: {}}}}",
    ).orgs["acme"]
    assert found.attrs == {"url": "x"}
    assert roles(found.children["member"]) == {"zoe": "owner", "bob": "member"}
    prod = found.children["workspace"]["prod"]
    assert (prod.attrs, roles(prod.children["grant"])) == ({"instance_type": "db1.small"}, {"bob": "reader"})
    assert str(found.children["member"]["bob"].source) == "b.yaml:2:25"


@pytest.mark.parametrize(
    ("one", "two", "what"),
    [
        pytest.param(
            "safeguards: {min_owners: 1}", "safeguards: {min_owners: 1}", "safeguard `min_owners`", id="a safeguard"
        ),
        pytest.param(
            "safeguards: {max_removals: {count: 1}}",
            "safeguards: {max_removals: {count: 2}}",
            "safeguard `max_removals.count`",
            id="an inner safeguard",
        ),
        pytest.param("people: {a: {handle: b}}", "people: {a: {handle: b}}", "person a", id="a person"),
        pytest.param("teams: {sre: [a]}", "teams: {sre: [b]}", "team sre", id="a team"),
        pytest.param("orgs: {acme: {url: x}}", "orgs: {acme: {url: x}}", "`url` of org acme", id="an attribute"),
        pytest.param(
            "orgs: {acme: {members: {a: owner}}}", "orgs: {acme: {members: {a: owner}}}", "member a", id="a member"
        ),
        pytest.param(
            "orgs: {acme: {workspaces: {p: {members: {a: reader}}}}}",
            "orgs: {acme: {workspaces: {p: {members: {a: reader}}}}}",
            "grant a",
            id="a grant",
        ),
        pytest.param(
            "orgs: {acme: {workspaces: {p: {absent: true}}}}",
            "orgs: {acme: {workspaces: {p: {absent: true}}}}",
            "`absent` of workspace acme/p",
            id="an absence",
        ),
    ],
)
def test_the_same_said_in_two_files_names_both_places(one, two, what):
    ((place, summary, also),) = errors(one, b=two)
    assert summary == f"{what} is written twice"
    assert (place.split(":")[0], also.split(":")[0]) == ("b.yaml", "a.yaml")
    assert place.split(":")[1:] == also.split(":")[1:]


def test_a_second_line_about_an_owner_does_not_leave_the_org_without():
    found = errors("orgs: {acme: {members: {alice: member}}}", b="orgs: {acme: {members: {alice: owner}}}")
    assert [summary for _, summary, _ in found] == ["member alice is written twice"]


def test_an_org_that_another_file_describes_cannot_be_absent():
    ((place, summary, also),) = errors("orgs: {acme: {absent: true}}", b="orgs: {acme: {members: {a: owner}}}")
    assert (place, also) == ("b.yaml:2:15", "a.yaml:2:15")
    assert summary == "org acme is `absent: true`, but also described here"


def test_every_file_needs_its_version():
    with pytest.raises(ManifestError) as caught:
        load_texts({"a.yaml": b"version: 1\n", "b.yaml": b"orgs: {}\n"}, today=TODAY)
    assert [str(found.source) for found in caught.value.diagnostics] == ["b.yaml:1:1"]


def test_problems_come_by_file_and_line_and_errors_before_warnings():
    found = errors(
        "people: {x: {handle: z}, y: {handle: z}}\nrolle: 1\norgs: {A: {}}",
        b="rolle: 1",
    )
    assert [place for place, _, _ in found] == ["a.yaml:3:1", "a.yaml:4:8", "b.yaml:2:1", "a.yaml:2:26"]


def test_no_manifests_ask_for_nothing():
    assert load_texts({}, today=TODAY).orgs == {}


def test_aliases_repeat_a_whole_value():
    found = desired(
        "orgs:\n  acme: {members: &m {zoe: owner, bob: {role: member, expires: 2027-01-31}}}\n  emca: {members: *m}\n"
    )
    one, two = (found.orgs[name].children["member"] for name in ("acme", "emca"))
    assert roles(one) == roles(two) == {"zoe": "owner", "bob": "member"}
    assert two["bob"].expires == date(2027, 1, 31)


def test_an_alias_reads_numbers_as_each_place_expects():
    org = desired("orgs: {acme: {usage_user_threshold: &n 25, display_name: *n}}").orgs["acme"]
    assert org.attrs == {"usage_user_threshold": 25, "display_name": "25"}


# --- the example, the schema ---


def test_the_example_loads_without_a_word(monkeypatch):
    monkeypatch.chdir(EXAMPLES)
    found = load(["orgs.yaml"], today=TODAY)
    assert found.warnings == ()
    assert {name: org.absent for name, org in found.orgs.items()} == {"acme": False, "acme-labs": False, "oldco": True}


def test_the_example_shows_every_key_of_the_schema_but_the_alternatives_of_one():
    text = (EXAMPLES / "orgs.yaml").read_text()
    keys = set(schema()["properties"])
    for part in schema()["$defs"].values():
        keys |= set(part.get("properties", ()))
    alternatives = {"usage_storage_threshold", "usage_storage_action"}
    assert {key for key in keys if f"{key}:" not in text} == alternatives


def test_the_schema_is_found_by_name_only():
    assert schema_text("manifest").startswith("{")
    with pytest.raises(UsageError, match=r"there is no schema `\.\./plan`"):
        schema_text("../plan")


def test_loading_imports_no_jsonschema_unless_something_is_wrong():
    code = (
        "import sys, datetime; from reconciler.manifest import load_texts\n"
        "load_texts({'a': b'version: 1\\norgs: {acme: {members: {zoe: owner}}}'}, today=datetime.date(2026, 1, 1))\n"
        "print('jsonschema' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "False\n"
