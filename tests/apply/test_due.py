"""`apply --due`: what ended entries ask for, and nothing else, with as few requests as that takes."""

from __future__ import annotations

import pytest

from e2e.conftest import bare, bench
from e2e.test_killed import deadly
from reconciler.cli.due import may_be_due

__all__ = ["bare", "bench"]

WORLD = """
users: {bob: {}, carol: {}, dave: {}, erin: {}, mallory: {}, new: {}}
orgs:
  acme:
    display_name: Old
    members: {alice: owner, bob: owner, carol: member, dave: member, erin: member, mallory: owner}
    workspaces: {prod: {members: {carol: operator, dave: owner, mallory: reader}}, lab: {members: {erin: reader}}}
"""
MANIFEST = """
people: {gone: {email: gone@example.com}}
teams: {sre: [dave]}
orgs:
  acme:
    display_name: New
    members:
      alice: owner
      bob: {role: owner, expires: 2026-11-01, then: member}
      carol: {role: member, expires: 2026-11-24}
      dave: member
      erin: {role: member, expires: 2026-11-25}
      new: member
    workspaces:
      prod:
        members:
          carol: operator
          dave: {role: owner, expires: 2026-11-20}
          team/sre: reader
      lab: {members: {erin: operator}}
      coming: {}
"""


@pytest.fixture
def here(bench):
    bench.pipes(WORLD)
    bench.manifest(MANIFEST)
    return bench


def people(bench, path="/org/acme/member", scope="org"):
    return {row["user_handle"]: row["role"] for row in bench.client().all(path) if row["scope"] == scope}


def due(bench, *args):
    return bench.run("apply", "--due", *bench.local, *args)


def test_only_what_has_ended_is_taken_and_the_rest_is_counted(here):
    ran = due(here)
    assert ran.status == 0, ran.out + ran.err
    assert people(here) == {"alice": "owner", "bob": "member", "dave": "member", "erin": "member", "mallory": "owner"}
    assert people(here, "/org/acme/workspace/prod/member", "workspace") == {"dave": "reader", "mallory": "reader"}
    assert people(here, "/org/acme/workspace/lab/member", "workspace") == {"erin": "reader"}
    assert here.client().ok("GET", "/org/acme")["display_name"] == "Old"
    assert "other changes in the lists that were read: left for an ordinary apply" in ran.err
    before = here.database()
    assert due(here).status == 0
    assert here.database() == before


def test_nothing_is_sent_and_no_token_is_needed_where_nothing_has_ended(here, monkeypatch):
    text = (
        MANIFEST.replace("2026-11-01", "2027-11-01")
        .replace("2026-11-24", "2026-11-25")
        .replace("2026-11-20", "2026-12-20")
    )
    here.manifest(text)
    monkeypatch.delenv("PIPES_TOKEN")
    with here.served() as seen:
        ran = here.run("apply", "--due", "--host", here.host)
    assert (ran.status, ran.out, list(seen)) == (0, "Nothing is due.\n", [])


@pytest.mark.parametrize("fmt", ["json", "markdown", "junit", "html", "github", "text"])
def test_that_nothing_is_due_is_a_report_in_each_format_and_asks_nobody(here, monkeypatch, fmt):
    here.manifest("orgs: {acme: {members: {alice: owner, carol: {role: member, expires: 2027-01-01}}}}\n")
    monkeypatch.delenv("PIPES_TOKEN")
    out = here.folder / "report"
    ran = here.run("apply", "--due", "--format", fmt, "--out", str(out))
    assert (ran.status, ran.out) == (0, ""), ran.err
    assert out.read_text()
    if fmt == "json":
        assert here.run("apply", "--due", "--format", fmt).json["outcomes"] == []
    assert here.run("apply", "--due", "--org", "acmee").status == 1


def test_nothing_is_due_where_a_team_gives_more_than_what_has_ended(here):
    here.manifest(
        "teams: {sre: [dave]}\norgs: {acme: {members: {alice: owner, dave: member}, workspaces: {prod: {members:"
        " {dave: {role: reader, expires: 2026-11-20}, team/sre: operator}}}}}\n"
    )
    with here.served() as seen:
        ran = here.run("apply", "--due", "--host", here.host)
    assert (ran.status, ran.out, list(seen)) == (0, "Nothing is due.\n", [])


@pytest.mark.parametrize("key", ["expires", '"expires"', "'expires'", '"expire\\x73"'])
@pytest.mark.parametrize("day", ["2026-11-24", '"2026-11-24"', "'2026-11-24'"])
def test_an_end_is_seen_however_it_is_written(here, key, day):
    here.manifest(
        f"orgs: {{acme: {{members: {{alice: owner, carol: {{role: member,\n  {key}  :  {day}}}}}, unlisted: keep}}}}\n"
    )
    assert due(here).status == 0
    assert "carol" not in people(here)


@pytest.mark.parametrize(
    ("text", "is_read"),
    [
        ("alice: owner # expires: never", True),
        ("alice: owner\n    # expires: never", False),
        ("alice: {role: owner, reason: a visa that expires in May}", False),
        ("alice: {role: owner, expires: 2027-01-31, reason: it expires then}", False),
        ("alice: {role: owner, reason: &a expires}, carol: {role: member, *a : 2026-11-01}", True),
        ("alice: owner, carol: {role: member, ? expires\n     : 2026-11-01}", True),
        ("alice: {role: owner, reason: 'a\n     # b'}, carol: {role: member, expires:\n     2026-11-01}", True),
    ],
)
def test_a_manifest_is_read_whole_only_where_its_text_does_not_show_that_nothing_is_due(tmp_path, text, is_read):
    path = tmp_path / "orgs.yaml"
    path.write_text(f"version: 1\norgs: {{acme: {{unlisted: keep, members: {{{text}\n    }}}}}}\n")
    assert may_be_due([path]) == is_read


def test_what_a_team_gives_beyond_an_ended_entry_is_left_for_an_ordinary_apply(here):
    here.manifest(
        MANIFEST.replace("dave: {role: owner,", "dave: {role: reader,").replace("team/sre: reader", "team/sre: owner")
    )
    here.client().ok("PATCH", "/org/acme/workspace/prod/member/dave", {"role": "reader"})
    assert due(here).status == 0
    assert people(here, "/org/acme/workspace/prod/member", "workspace")["dave"] == "reader"


def test_an_end_raises_nobody_who_has_less_by_now(here):
    here.manifest(
        MANIFEST.replace("{erin: operator}", "{erin: {role: owner, expires: 2026-11-20, then: operator}}").replace(
            "erin: {role: member, expires: 2026-11-25}", "erin: member"
        )
    )
    assert due(here).status == 0
    assert people(here, "/org/acme/workspace/lab/member", "workspace") == {"erin": "reader"}
    assert people(here, "/org/acme/workspace/prod/member", "workspace")["dave"] == "reader"


def test_somebody_who_is_not_there_is_not_let_in_by_an_end(here):
    here.manifest(MANIFEST.replace("new: member", "new: {role: owner, expires: 2026-11-01, then: member}"))
    assert due(here).status == 0
    assert "new" not in people(here)


def test_the_safeguards_hold(here):
    text = MANIFEST.replace(
        "alice: owner", "alice: {role: owner, expires: 2026-11-01, then: member}\n      mallory: owner"
    )
    here.manifest(text)
    before = here.database()
    ran = due(here)
    assert (ran.status, "self-removal" in ran.out + ran.err) == (3, True), ran.out + ran.err
    assert here.database() == before


@pytest.mark.parametrize(
    ("args", "said"), [(("saved.json",), "--due makes a plan of its own"), (("nowhere.yaml",), "there is no such file")]
)
def test_what_does_not_go_with_it_is_an_error(here, args, said):
    assert here.plan(
        "-o", "saved.json", "--allow", "mass-removal", "--allow", "owner-removal=org.acme/member.mallory"
    ).status in (0, 3)
    ran = due(here, *args)
    assert (ran.status, said in ran.err) == (1, True), ran.err


@pytest.mark.parametrize("at", [1, 2, 3])
@pytest.mark.parametrize("after", [False, True])
def test_wherever_it_is_killed_the_next_one_ends_the_same(here, at, after):
    with deadly(here, at, after=after) as (killer, host):
        process = here.start("apply", "--due", "--host", host)
        killer.pid = process.pid
        process.communicate(timeout=120)
    assert due(here).status == 0
    assert people(here) == {"alice": "owner", "bob": "member", "dave": "member", "erin": "member", "mallory": "owner"}
    assert people(here, "/org/acme/workspace/prod/member", "workspace") == {"dave": "reader", "mallory": "reader"}


@pytest.mark.parametrize(
    ("member", "grants"),
    [
        ("{role: member, expires: END}", {}),
        ("{role: member, expires: END}", {"prod": "reader", "lab": "reader"}),
        ("member", {"prod": "{role: reader, expires: END}"}),
        ("member", {"prod": "{role: operator, expires: END, then: reader}"}),
        ("{role: owner, expires: END}", {}),  # with the check that somebody stays to own it
        ("{role: owner, expires: END, then: member}", {}),
    ],
)
def test_one_entry_in_a_hundred_organizations_takes_at_most_nine_requests_and_one_for_each_workspace_it_is_about(
    bench, member, grants
):
    role = "owner" if "owner" in member else "member"
    roles = {space: "operator" if "operator" in text else "reader" for space, text in grants.items()}
    org = {
        "members": {"alice": "owner", "bob": role},
        "workspaces": {space: {"members": {"bob": roles[space]}} for space in grants},
    }
    names = [f"org-{n:03}" for n in range(100)]
    bench.pipes({"users": {"bob": {}}, "orgs": dict.fromkeys(names, org)})
    lines = ["version: 1", "orgs:"]
    for n, name in enumerate(names):
        end = "2026-11-01" if n == 50 else "2027-01-01"
        below = ", ".join(
            f"{space}: {{members: {{bob: {text.replace('END', end)}}}}}" for space, text in grants.items()
        )
        bob = member.replace("END", end)
        lines += [f"  {name}: {{members: {{alice: owner, bob: {bob}}}, workspaces: {{{below}}}}}"]
    bench.manifest("\n".join(lines) + "\n")
    with bench.served() as seen:
        ran = bench.run("apply", "--due", "--host", bench.host)
    assert ran.status == 0, ran.out + ran.err
    path = "/org/org-050/member/bob" if "expires" in member else "/org/org-050/workspace/prod/member/bob"
    method = "PATCH" if "then" in "".join([member, *grants.values()]) else "DELETE"
    sent = [(method, path) for method, path, _ in seen if method != "GET" and not path.endswith("/alice")]
    assert sent == [(method, path)]
    assert len(seen) <= 9 + len(grants)
    assert due(bench).status == 0


def test_the_end_of_the_token_is_asked_for_only_where_somebody_asks(here):
    for args, asked in (((), 0), (("--expiring", "14d"), 1)):
        with here.served() as seen:
            assert here.run("apply", "--due", "--host", here.host, *args).status == 0
        assert len([path for _, path, _ in seen if path.endswith("/token")]) == asked


def test_a_grant_goes_by_itself_where_its_membership_could_not_be_removed(here):
    here.manifest(
        "orgs: {acme: {members: {alice: owner, bob: owner, carol: {role: member, expires: 2026-11-24}, dave: member,"
        " erin: member, mallory: owner}, workspaces: {prod: {members: {carol: operator, dave: owner, mallory: reader}}}}}\n"
    )
    fault = {"kind": "status", "status": 500, "method": "DELETE", "path": "^/org/acme/member/carol$"}
    with here.served(fault) as seen:
        ran = here.run("apply", "--due", "--host", here.host)
    assert ran.status == 5, ran.out + ran.err
    assert [path for method, path, _ in seen if method == "DELETE"][-1] == "/org/acme/workspace/prod/member/carol"
    assert "carol" in people(here)
    assert "carol" not in people(here, "/org/acme/workspace/prod/member", "workspace")
    assert due(here).status == 0
    assert "carol" not in people(here)
