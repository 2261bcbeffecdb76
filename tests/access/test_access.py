"""`access`: who reaches what, and why, through the command."""

import csv
import io
import json
from pathlib import Path

import msgspec
import pytest

from browser import assert_fits, needs_browser
from reconciler.cli import access as command
from reconciler.model.access import Access, Assignment
from reconciler.model.diagnostic import Source
from reconciler.report import access as report
from reconciler.report.escaping import show_hidden
from report import worlds
from review import sheets
from review.sheets import assert_golden
from stopped.sitecustomize import DAY

MANIFEST = """\
version: 1
people:
  carol: {email: carol@example.com}
  dave: {handle: dave-acme}
teams:
  platform: [alice, bob]
  sre: [team/platform, carol]
orgs:
  acme:
    members:
      alice: owner
      dave: {role: owner, expires: 2027-01-31}
      eve: {role: member, expires: 2026-01-31}
      frank: {absent: true}
      team/sre: member
    workspaces:
      prod: {members: {team/sre: operator, carol: reader, eve: admin}}
      dev: {}
      gone: {absent: true}
  beta:
    workspaces:
      data: {members: {dave: reader}}
  oldco: {absent: true}
"""
GOLDEN = Path(__file__).parent / "golden"
FORMATS = {"text": "txt", "json": "json", "csv": "csv", "markdown": "md", "html": "html"}
ON = ("--on", "2026-11-24")
WORLD = """
users: {bob: {}, dave-acme: {}, eve: {}, zoe: {}}
orgs:
  acme:
    members: {alice: owner, dave-acme: owner, bob: member, eve: {role: member, status: invited}}
    workspaces:
      prod: {members: {bob: operator}}
      hidden: {members: {bob: reader, eve: admin}}
  beta:
    members: {alice: owner, zoe: member}
    workspaces: {data: {members: {zoe: reader}}}
  other: {members: {alice: owner}}
"""


def assignments(ran):
    return {(one["handle"], one["object"]): (one["role"], one["why"]) for one in ran.json["access"]}


@pytest.fixture
def manifest(bare):
    bare.manifest(MANIFEST)
    return bare


# --- from the manifests -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format_", FORMATS)
def test_the_map_is_as_it_was_accepted(manifest, format_):
    ran = manifest.run("access", *ON, "--format", format_)
    beside = "2026-11-24 09:00 UTC, reconciler 0.1.0\n" if format_ == "csv" else ""
    assert (ran.status, ran.err) == (0, beside)
    if format_ != "csv":
        sheets.OURS[format_](ran.out)
    assert_golden(f"access.{FORMATS[format_]}", ran.out, GOLDEN)


def test_everyone_is_there_once_with_the_role_that_counts_and_the_reason(manifest):
    assert assignments(manifest.run("access", *ON, "--format", "json")) == {
        ("alice", "acme"): ("owner", "direct"),
        ("alice", "acme/prod"): ("owner", "implicit as owner"),
        ("alice", "acme/dev"): ("owner", "implicit as owner"),
        ("dave-acme", "acme"): ("owner", "direct"),
        ("dave-acme", "acme/prod"): ("owner", "implicit as owner"),
        ("dave-acme", "acme/dev"): ("owner", "implicit as owner"),
        ("dave-acme", "beta/data"): ("reader", "direct"),
        ("bob", "acme"): ("member", "team/sre"),
        ("bob", "acme/prod"): ("operator", "team/sre"),
        ("carol@example.com", "acme"): ("member", "team/sre"),
        ("carol@example.com", "acme/prod"): ("reader", "direct"),
    }


def test_what_the_manifests_leave_open_is_said(manifest):
    found = manifest.run("access", *ON, "--format", "json").json
    assert found["open"] == ["acme/dev", "beta", "beta/data"]
    assert "The manifests do not manage all members here" in manifest.run("access", *ON).out


def test_the_way_through_nested_teams_is_said(manifest):
    found = manifest.run("access", *ON, "--person", "bob", "--workspace", "acme/prod", "--format", "json").json[
        "access"
    ]
    assert [one["path"] for one in found] == [["team/sre", "team/platform"]]
    assert "team/sre, through team/platform" in manifest.run("access", "--person", "bob").out


def test_a_team_with_a_person_by_two_ways_names_the_shorter_one(bare):
    bare.manifest(
        "teams: {a: [team/b, team/c], b: [team/c], c: [bob]}\norgs: {acme: {members: {alice: owner, team/a: member}}}\n"
    )
    assert [one["path"] for one in bare.run("access", "--person", "bob", "--format", "json").json["access"]] == [
        ["team/a", "team/c"]
    ]


def test_one_person_under_two_names_is_one(bare):
    bare.manifest(
        "people: {dave: {handle: dave-acme}}\n"
        "orgs: {acme: {members: {alice: owner, dave: member}}, beta: {members: {zoe: owner, dave-acme: member}}}\n"
    )
    found = bare.run("access", "--person", "dave", "--format", "json").json["access"]
    assert {(one["person"], one["object"]) for one in found} == {("dave", "acme"), ("dave", "beta")}
    assert bare.run("access", "--person", "dave-acme", "--format", "json").json["access"] == found


def test_an_invited_person_whom_the_lock_file_knows_has_a_handle(manifest):
    entries = {"org.acme/member.carol": {"id": "u_1", "handle": "carol-x"}}
    (manifest.folder / "reconciler.lock.json").write_text(json.dumps({"version": 1, "entries": entries}))
    found = manifest.run("access", *ON, "--person", "carol-x", "--format", "json").json["access"]
    assert {(one["handle"], one["pending"]) for one in found} == {("carol-x", None)}


@pytest.mark.parametrize(
    ("options", "objects"),
    [
        (("--org", "acme"), {"acme", "acme/prod", "acme/dev"}),
        (("--workspace", "acme/prod"), {"acme/prod"}),
        (("--workspace", "acme/prod", "--org", "beta"), {"acme/prod", "beta/data"}),
        (("--person", "dave", "--org", "beta"), {"beta/data"}),
        (("--person", "dave", "--person", "bob", "--workspace", "acme/prod"), {"acme/prod"}),
    ],
)
def test_it_is_narrowed(manifest, options, objects):
    assert {place for _, place in assignments(manifest.run("access", *ON, *options, "--format", "json"))} == objects


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--person", "bobb"), "--person bobb: not found; did you mean `bob`?"),
        (("--person", "frank"), "--person frank: not found; "),
        (("--workspace", "acme/prd"), "did you mean `acme/prod`"),
        (("--workspace", "acme"), "--workspace acme: not found"),
        (("--org", "acm"), "did you mean `acme`?"),
        (("--org", "oldco"), "--org oldco: not found"),
        (("--format", "junit"), "'junit' is not one of"),
    ],
)
def test_what_there_is_not_is_an_error_with_what_is_near(manifest, options, words):
    ran = manifest.run("access", *ON, *options)
    assert (ran.status, ran.out) == (1, "")
    assert words in ran.err


def test_a_day_decides_what_has_ended(manifest):
    assert ("dave-acme", "acme") not in assignments(manifest.run("access", "--on", "2027-01-31", "--format", "json"))


def test_manifests_that_are_wrong_are_an_error(bare):
    bare.manifest("orgs: {acme: {members: {alice: ownr}}}\n")
    ran = bare.run("access")
    assert (ran.status, "unknown org role `ownr`" in ran.err) == (1, True)


def test_it_is_printed_to_a_file_on_request(manifest):
    ran = manifest.run("access", "--format", "csv", "--out", "map.csv")
    assert (ran.status, ran.out) == (0, "")
    assert (manifest.folder / "map.csv").read_text().startswith("person,handle,object,role,")


# --- live -------------------------------------------------------------------------------------------------------------


def test_live_shows_every_workspace_and_whom_the_console_let_in(bench):
    bench.pipes(WORLD)
    bench.manifest("people: {dave: {handle: dave-acme}}\norgs: {acme: {members: {alice: owner}}, beta: {}}\n")
    ran = bench.run("access", "--live", *bench.local, "--format", "json")
    assert assignments(ran) == {
        ("alice", "acme"): ("owner", "direct"),
        ("alice", "acme/prod"): ("owner", "implicit as owner"),
        ("alice", "acme/hidden"): ("owner", "implicit as owner"),
        ("dave-acme", "acme"): ("owner", "direct"),
        ("dave-acme", "acme/prod"): ("owner", "implicit as owner"),
        ("dave-acme", "acme/hidden"): ("owner", "implicit as owner"),
        ("bob", "acme"): ("member", "direct"),
        ("bob", "acme/prod"): ("operator", "direct"),
        ("bob", "acme/hidden"): ("reader", "direct"),
        ("eve", "acme"): ("member", "direct"),
        ("eve", "acme/hidden"): ("operator", "direct"),
        ("alice", "beta"): ("owner", "direct"),
        ("alice", "beta/data"): ("owner", "implicit as owner"),
        ("zoe", "beta"): ("member", "direct"),
        ("zoe", "beta/data"): ("reader", "direct"),
    }
    by_handle = {one["handle"]: one for one in ran.json["access"]}
    assert by_handle["dave-acme"]["person"] == "dave"
    assert {one["pending"] for one in ran.json["access"] if one["handle"] == "eve"} >= {"invited"}
    assert ran.json["open"] == []


def test_live_needs_no_manifests_where_the_orgs_are_named(bench):
    bench.pipes(WORLD)
    ran = bench.run("access", "--live", *bench.local, "--org", "beta", "--format", "json")
    assert {place for _, place in assignments(ran)} == {"beta", "beta/data"}
    everywhere = assignments(bench.run("access", "--live", *bench.local, "--format", "json"))
    assert {place.partition("/")[0] for _, place in everywhere} == {"acme", "beta", "other"}


def test_live_writes_nothing(bench):
    bench.pipes(WORLD)
    before = bench.database()
    bench.run("access", "--live", *bench.local, "--org", "acme")
    assert bench.database() == before


def test_an_org_that_pipes_does_not_show_is_an_error_where_it_was_asked_for_and_else_a_note(bench):
    bench.pipes(WORLD)
    ran = bench.run("access", "--live", *bench.local, "--org", "acmee")
    assert (ran.status, "alice cannot see such an org in Pipes; did you mean `acme`" in ran.err) == (1, True)
    bench.manifest("orgs: {acme: {}, new: {}}\n")
    ran = bench.run("access", "--live", *bench.local)
    assert (ran.status, "Note: alice cannot see the org new in Pipes" in ran.out) == (0, True)


def test_whoever_does_not_own_an_org_is_told_that_this_is_not_all(bench):
    bench.pipes(
        {
            "actor": "bob",
            "users": {"alice": {}, "bob": {}},
            "orgs": {"acme": {"members": {"alice": "owner", "bob": "member"}}},
        }
    )
    ran = bench.run("access", "--live", *bench.local, "--org", "acme")
    assert "Note: bob does not own acme: only what its members see is shown" in ran.out


def test_an_org_that_cannot_be_read_whole_is_no_map(bench):
    bench.pipes(WORLD)
    with bench.served({"path": "^/org/acme/workspace/prod/member", "kind": "status", "status": 500}):
        ran = bench.run("access", "--live", *bench.local, "--org", "acme")
    assert (ran.status, ran.out) == (4, "")


def test_live_without_a_token_is_an_error(bare):
    bare.manifest("orgs: {acme: {}}\n")
    assert bare.run("access", "--live").status == 4


# --- formats ----------------------------------------------------------------------------------------------------------


def test_the_formats_of_the_option_are_those_of_the_report():
    assert command.FORMATS == report.FORMATS


def hostile(raw):
    one = Assignment(raw, f"{raw}x", raw, raw, raw, (raw, raw), raw, None, Source(raw, 1))
    other = msgspec.structs.replace(one, person=f"{raw}y", object=f"{raw}/{raw}")
    return Access("manifests", DAY, (one, other), (raw, f"{raw}/{raw}"), (raw,), (raw,))


@pytest.mark.parametrize("raw", worlds.HOSTILE)
def test_hostile_names_are_harmless_in_every_format(raw):
    for matrix in (False, True):
        sheets.assert_ours(report.to_sheet(hostile(raw), matrix=matrix))
    sheets.of_json(report.render(hostile(raw), "json"))
    rows = list(csv.reader(io.StringIO(report.render(hostile(raw), "csv"))))
    assert [len(row) for row in rows] == [len(report.COLUMNS)] * 3
    assert all(show_hidden(cell) == cell for row in rows for cell in row)


@pytest.mark.parametrize("raw", ["=1+1", "+1", "-1", "@SUM(A1)", "  =1", "\t=1", "\r=1"])
def test_no_cell_is_a_formula_to_a_spreadsheet(raw):
    row = list(csv.reader(io.StringIO(report.render(hostile(raw), "csv"))))[1]
    assert row[0] == "'" + show_hidden(raw)


def crowd(people, spaces):
    objects = ("acme", *(f"acme/workspace-{n:02}" for n in range(spaces)))
    made = tuple(
        Assignment(f"somebody-{n:02}", f"somebody-{n:02}", place, "operator", "team/platform-engineering")
        for n in range(people)
        for place in objects
    )
    return Access("manifests", DAY, made, objects)


@needs_browser
@pytest.mark.parametrize("width", [380, 1400])
def test_the_matrix_fits_the_window(width, tmp_path):
    assert_fits(report.render(crowd(5, 40), "html"), width, tmp_path)


def test_the_matrix_has_a_row_a_person_and_a_column_a_workspace():
    (section,) = report.to_sheet(crowd(3, 2), matrix=True).sections
    assert section.matrix.places == ("the org", "workspace-00", "workspace-01")
    assert [who for who, _ in section.matrix.rows] == ["somebody-00", "somebody-01", "somebody-02"]
