"""Edits of existing manifests: comments go with their entries, and a file is read once however much differs."""

from __future__ import annotations

import pytest
import yaml

from reconciler.editing import in_place

WORLD = """
users: {bob: {}, carol: {}, dora: {}}
orgs:
  acme:
    members: {alice: owner, bob: member, carol: member, dora: member}
    workspaces: {prod: {members: {bob: reader, carol: reader}}}
"""
MANIFEST = """\
version: 1
# who does what
teams:
  sre:
    # the first
    - bob
    # left in May,
    # came back in June
    - carol  # on call
    # the last
    - dora

orgs:
  acme:
    members:
      alice: owner
      # bob is here
      # for the audit
      bob: member

      # carol, see INC-77
      carol: member  # really
      dora: member
      # end of the members
    workspaces:
      prod:
        members:
          # reads only
          carol: reader
          bob: reader
"""


@pytest.fixture
def here(bench):
    bench.pipes(WORLD)
    bench.manifest(MANIFEST)
    return bench


def without(*lines):
    return "".join(line for line in MANIFEST.splitlines(keepends=True) if line.strip() not in lines)


CAROL = ("# carol, see INC-77", "carol: member  # really", "# reads only", "carol: reader")


def test_who_leaves_takes_the_comments_along(here):
    import subprocess

    patch = here.run("offboard", "carol").out
    subprocess.run(["git", "apply", "-"], input=patch, cwd=here.folder, check=True, text=True)
    assert (here.folder / "orgs.yaml").read_text() == without(
        *CAROL, "# left in May,", "# came back in June", "- carol  # on call"
    )


def test_an_import_takes_the_comments_out_with_the_entry(here):
    here.client().ok("DELETE", "/org/acme/member/carol")
    assert here.run("import", *here.local, "acme").status == 0
    assert (here.folder / "orgs.yaml").read_text() == without(*CAROL)


def test_what_fmt_moves_is_what_an_edit_takes_out(here):
    assert here.run("fmt").status == 0
    formatted = (here.folder / "orgs.yaml").read_text()
    here.client().ok("DELETE", "/org/acme/member/carol")
    assert here.run("import", *here.local, "acme").status == 0
    after = (here.folder / "orgs.yaml").read_text()
    assert [line for line in formatted.splitlines() if line.strip() not in CAROL] == after.splitlines()
    assert here.run("fmt", "--check").status == 0


@pytest.mark.parametrize("differences", [2, 8])
def test_a_file_is_read_once_however_much_differs(bench, monkeypatch, differences):
    people = [f"p{n}" for n in range(12)]
    bench.pipes(
        {
            "users": {one: {} for one in people},
            "orgs": {"acme": {"members": {"alice": "owner", **dict.fromkeys(people, "member")}}},
        }
    )
    rows = "".join(f"      {one}: member\n" for one in people)
    bench.manifest(f"orgs:\n  acme:\n    members:\n      alice: owner\n{rows}")
    for one in people[:differences]:
        bench.client().ok("DELETE", f"/org/acme/member/{one}")
    composed = []
    compose = yaml.compose
    monkeypatch.setattr(in_place.yaml, "compose", lambda *args, **more: composed.append(1) or compose(*args, **more))
    assert bench.run("import", *bench.local, "acme").status == 0
    assert len(composed) == 1
    assert bench.plan("--detailed-exitcode").status == 0


def test_what_is_written_through_an_alias_is_named_with_its_place(bench):
    bench.manifest("orgs:\n  acme: {members: &m {zoe: owner, carol: member}}\n  emca:\n    members: *m\n", "some.yaml")
    ran = bench.run("offboard", "carol", "some.yaml")
    assert ran.status == 1
    assert "no patch can be made: some.yaml:5:5: it is written through an alias of line 3" in ran.err


# --- small mistakes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("orgs: {acme: {members: [a, b]}}", ("`alice: owner`",)),
        ("people: {c: {email: 'mailto:c@example.com'}}", ("not an email address", "carol@example.com")),
        ("people: {c: {email: a..b@example.com}}", ("not an email address",)),
        ("people: {c: {email: c@example.com.}}", ("not an email address",)),
        ("people: {c: {email: .c@example.com}}", ("not an email address",)),
        ("people: {c: {email: c@-example.com}}", ("not an email address",)),
        (f"teams: {{{'a-' * 50}b: []}}", ("not a team name", "1 to 100")),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_what_helps(bench, text, words):
    bench.manifest(text)
    ran = bench.run("validate")
    assert ran.status == 1
    assert all(word in ran.err for word in words)


def test_a_teams_name_may_be_longer_than_a_handle(bench):
    name = "-".join(["platform-and-security-engineering"] * 2)
    bench.manifest(f"teams: {{{name}: [zoe]}}\norgs: {{acme: {{members: {{team/{name}: owner}}}}}}")
    assert bench.run("validate").status == 0


@pytest.mark.parametrize(
    ("written", "words"),
    [("display_name: >\n      Acme\n", "ends with a newline"), ("display_name: 'Acme '\n", "ends with a space"),
     ('display_name: "Cafe\\u0301"\n', "(Unicode NFD)"), ("url: |\n      https://a.example\n", "ends with a newline")],
)  # fmt: skip
def test_a_text_that_pipes_may_keep_in_another_form_is_warned_of(bench, written, words):
    bench.manifest(f"orgs:\n  acme:\n    {written}")
    ran = bench.run("validate")
    assert ran.status == 0
    assert words in ran.out + ran.err


@pytest.mark.parametrize(("live", "wanted"), [("Café", '"Cafe\\u0301"'), ("Acme", '"Acme\\n"')])
def test_a_difference_between_texts_that_look_the_same_is_shown(bench, live, wanted):
    bench.pipes({"orgs": {"acme": {"display_name": live, "members": {"alice": "owner"}}}})
    bench.manifest(f"orgs: {{acme: {{display_name: {wanted}}}}}")
    assert wanted in bench.plan().out


@pytest.mark.parametrize("form", ["json", "github"])
def test_manifests_are_counted_where_no_path_is_given(bench, form):
    bench.manifest("nonsense: 1", "orgs/a.yaml")
    bench.manifest("orgs: {}", "orgs/b.yaml")
    from reconciler.manifest import load
    from reconciler.model.errors import ManifestError

    with pytest.raises(ManifestError) as raised:
        load([], today=None)
    assert raised.value.files == 2
    ran = bench.run("validate", "--format", form)
    assert ran.status == 1
    assert "0 manifests" not in ran.out
