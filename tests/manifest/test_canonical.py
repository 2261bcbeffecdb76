"""`fmt`: one form for every way to write a manifest, with the same meaning, and every comment with what it belongs to."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from layouts import rendered
from reconciler import cli
from reconciler.editing.canonical import canonical
from reconciler.manifest import load_texts
from reconciler.model.errors import ManifestError
from stopped.sitecustomize import DAY
from worlds import scenes


def formed(text: str) -> str:
    return canonical("orgs.yaml", text.encode()).decode()


# --- the form ---------------------------------------------------------------------------------------------------------

CASES = sorted((Path(__file__).parent / "canonical").glob("*.txt"))
ODD = {
    "marks of a document and of an encoding go": [
        "\ufeff%YAML 1.1\n--- # d\nversion: 1 # v\n... # e\n# f\n",
        "# d\nversion: 1  # v\n# e\n# f\n",
    ],
    "letters of all scripts stay, and marks that hide are shown": [
        "version: 1\norgs: {acme: {display_name: Müller & Söhne, url: x\u202ey}}  # ünï\n",
        'version: 1\n\norgs:  # ünï\n  acme:\n    display_name: "Müller & Söhne"\n    url: "x\\u202ey"\n',
    ],
    "a line separator ends a comment": [
        "version: 1 # a\u2028# b\norgs: {}\n",
        "version: 1  # a\n\n# b\norgs: {}\n",
    ],
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [*(case.read_text().split("--- canonical\n") for case in CASES), *ODD.values()],
    ids=[*(case.stem for case in CASES), *ODD],
)
def test_the_canonical_form(text, expected):
    assert formed(text) == expected
    assert formed(expected) == expected
    assert formed(text.replace("\n", "\r\n")) == expected.replace("\n", "\r\n")
    assert formed(text.removesuffix("\n")) == expected


def test_a_text_that_ends_with_the_file_gets_no_line_that_it_did_not_have():
    assert formed("version: 1\norgs:\n  acme:\n    display_name: |\n      x\n      y").endswith(
        'display_name: "x\\ny"\n'
    )


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        pytest.param("version: 1\norgs: {acme: {membres: {}}}\n", "unknown key `membres`", id="an unknown key"),
        pytest.param("version: 1\norgs: {acme: {}, acme: {}}\n", "written twice", id="a key twice"),
        pytest.param("version: 1\nteams: {a: [no]}\n", "reads as a boolean", id="a name that needs quotes"),
        pytest.param("version: 1\norgs: [\n", "this is not YAML", id="no YAML"),
        pytest.param("", "the file is empty", id="nothing"),
    ],
)
def test_a_manifest_that_is_wrong_is_not_touched(text, fact):
    with pytest.raises(ManifestError) as caught:
        formed(text)
    assert fact in caught.value.diagnostics[0].summary


# --- for any manifest -------------------------------------------------------------------------------------------------


@st.composite
def manifests(draw):
    """(the text of a manifest in any layout, its comments)."""
    told: list[str] = []
    document = draw(scenes(max_people=6)).document
    return draw(rendered(document, told=told)) + "\n", told


def desired(text: str):
    """What a manifest asks for, without places."""

    def node(found):
        children = {k: {n: node(c) for n, c in there.items()} for k, there in found.children.items()}
        expired = {k: {n: node(c) for n, c in there.items()} for k, there in (found.expired or {}).items()}
        return (found.kind, found.name, found.attrs, found.absent, found.renamed_from, found.via, found.expires,
                found.reason, children, expired)  # fmt: skip

    found = load_texts({"orgs.yaml": text.encode()}, today=DAY)
    people = {name: (person.handle, person.email) for name, person in found.people.items()}
    return {name: node(org) for name, org in found.orgs.items()}, people, found.rules, found.teams


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(manifests())
def test_any_layout_keeps_its_meaning_and_its_comments_and_is_laid_out_once(case):
    text, told = case
    made = formed(text)
    assert formed(made) == made
    assert desired(made) == desired(text)
    found = [line[line.index("# c") :] for line in made.splitlines() if "# c" in line]
    assert sorted(found) == sorted(told)


# --- the command ------------------------------------------------------------------------------------------------------

MESSY = "orgs: {acme: {members: {bob: member, alice: owner}}}  # ours\nversion: 1\n"
NEAT = "version: 1\n\norgs:  # ours\n  acme:\n    members:\n      alice: owner\n      bob: member\n"


@pytest.fixture
def run(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)

    def ran(*args):
        capfd.readouterr()
        status = cli.run(["fmt", *args])
        printed = capfd.readouterr()
        return status, printed.out, printed.err

    return ran


def test_files_are_laid_out_in_place_with_their_permissions(run, tmp_path):
    folder = tmp_path / "orgs"
    folder.mkdir()
    (folder / "a.yaml").write_text(MESSY)
    (folder / "a.yaml").chmod(0o600)
    (folder / "b.yaml").write_text("version: 1\n")
    assert run() == (0, "orgs/a.yaml: formatted.\n", "")
    assert (folder / "a.yaml").read_text() == NEAT
    assert stat.S_IMODE((folder / "a.yaml").stat().st_mode) == 0o600
    assert run() == (0, "Nothing to change: 2 manifests formatted already.\n", "")
    assert sorted(path.name for path in folder.iterdir()) == ["a.yaml", "b.yaml"]


def test_a_link_stays_one(run, tmp_path):
    (tmp_path / "real.txt").write_text(MESSY)
    (tmp_path / "orgs.yaml").symlink_to("real.txt")
    assert run()[0] == 0
    assert (tmp_path / "orgs.yaml").is_symlink()
    assert (tmp_path / "real.txt").read_text() == NEAT


@pytest.mark.parametrize("options", [("--check",), ("--diff",), ("--check", "--diff")], ids=" ".join)
def test_a_check_writes_nothing_and_says_by_its_status_what_is_so(run, tmp_path, options):
    file = tmp_path / "orgs.yaml"
    file.write_text(MESSY)
    status, out, err = run(*options)
    assert (status, err) == (2 if "--check" in options else 0, "")
    assert file.read_text() == MESSY
    if "--diff" in options:
        assert out.startswith("--- a/orgs.yaml\n+++ b/orgs.yaml\n")
        assert "\n+    members:\n" in out
    else:
        assert out == "orgs.yaml: not formatted.\n"
    file.write_text(NEAT)
    status, out, err = run(*options)
    assert (status, err) == (0, "")
    assert out == ("" if "--diff" in options else "Nothing to change: 1 manifest formatted already.\n")


def test_the_printed_patch_is_one_that_git_applies(run, tmp_path):
    import subprocess

    (tmp_path / "orgs.yaml").write_text(MESSY.rstrip("\n"))
    _, patch, _ = run("--diff")
    subprocess.run(["git", "apply", "-"], input=patch, text=True, check=True, cwd=tmp_path)
    assert (tmp_path / "orgs.yaml").read_text() == NEAT


def test_nothing_is_written_while_a_file_is_wrong(run, tmp_path):
    (tmp_path / "a.yaml").write_text(MESSY)
    (tmp_path / "b.yaml").write_text("version: 1\norgs: {acme: {membres: {}}}\n")
    (tmp_path / "c.yaml").write_text("version: 1\nteams: {a: [A]}\n")
    status, out, err = run("a.yaml", "b.yaml", "c.yaml", "d.yaml")
    assert (status, out) == (1, "")
    assert (tmp_path / "a.yaml").read_text() == MESSY
    assert [name for name in ("b.yaml:2", "c.yaml:2", "d.yaml") if name not in err] == []


def test_what_is_wrong_is_told_in_the_order_in_which_it_stands(run, tmp_path):
    (tmp_path / "orgs.yaml").write_text("version: 1\norgs: {acme: {rolle: x, members: {dave: memebr}}}\n")
    _, _, err = run("orgs.yaml")
    assert re.findall(r":2:(\d+): error", err) == ["15", "41"]


def test_a_file_is_laid_out_without_those_that_it_refers_to(run, tmp_path):
    (tmp_path / "a.yaml").write_text("orgs: {acme: {members: {team/sre: owner}}}\nversion: 1\n")
    assert run("a.yaml")[0] == 0


@pytest.mark.parametrize(
    ("args", "text", "expected"),
    [
        pytest.param(("-",), MESSY, (0, NEAT), id="laid out"),
        pytest.param(("-", "--check"), MESSY, (2, ""), id="checked"),
        pytest.param(("-", "--check"), NEAT, (0, ""), id="checked and right"),
        pytest.param(("-",), "version: 2\n", (1, ""), id="wrong"),
    ],
)
def test_standard_input_goes_to_standard_output(run, tmp_path, args, text, expected):
    (tmp_path / "in").write_text(text)
    before = os.dup(0)
    with (tmp_path / "in").open() as file:
        os.dup2(file.fileno(), 0)
        try:
            import sys

            stdin, sys.stdin = sys.stdin, open(0, closefd=False)  # noqa: SIM115
            status, out, _ = run(*args)
        finally:
            sys.stdin = stdin
            os.dup2(before, 0)
            os.close(before)
    assert (status, out) == expected
