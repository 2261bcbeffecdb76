"""Input that is too much, or far too wrong: every command ends with an error, and the work grows with the input alone."""

from __future__ import annotations

import hashlib
import os
import zlib

import pytest

from reconciler.history import git_tree, revision
from reconciler.manifest import files, load_texts, read_yaml, spelling
from reconciler.manifest.document import MAX_PROBLEMS
from reconciler.model.errors import ManifestError
from stopped.sitecustomize import DAY as TODAY

OFFLINE = (("validate",), ("access",), ("offboard", "bob"), ("fmt", "--check"), ("review", ".", "."))


def found_in(text):
    with pytest.raises(ManifestError) as raised:
        load_texts({"a.yaml": text.encode()}, today=TODAY)
    return raised.value.diagnostics


# --- mistakes ---------------------------------------------------------------------------------------------------------


def listed(form, number):
    return ", ".join(form.format(n) for n in range(number))


MANY = {
    "teams that do not exist": f"teams: {{{listed('t{}: [zoe]', 500)}}}\norgs: {{acme: {{members: {{zoe: owner, {listed('team/t{}x: member', 500)}}}}}}}",
    "somebody in a team many times": f"teams: {{t: [{listed('a', 20_000)}]}}",
    "keys that do not exist": f"orgs: {{acme: {{{listed('t{}: 1', 5_000)}}}}}",
    "names that need quotes": f"teams: {{t: [{listed('{}', 5_000)}]}}",
    "keys written twice": f"orgs: {{{listed('acme: {{}}', 5_000)}}}",
    "orgs that are lists": f"orgs: {{{listed('t{}: []', 5_000)}}}",
    "folders that do not exist": f"orgs: {{acme: {{connections: {{{listed('t{0}: {{plugin: p, folder: x{0}}}', 500)}}}}}}}",
}


@pytest.mark.parametrize("text", MANY.values(), ids=MANY)
def test_mistakes_are_capped_and_counted(text, monkeypatch):
    compared = []
    nearest = spelling._nearest
    monkeypatch.setattr(spelling, "_nearest", lambda text, known: compared.append(len(known)) or nearest(text, known))
    found = found_in(f"version: 1\n{text}\n")
    assert MAX_PROBLEMS - 1 <= len(found) <= MAX_PROBLEMS + 2
    assert sum(number for number in compared if number > 50) <= spelling.COMPARISONS


def test_what_is_not_shown_is_counted():
    found = found_in(f"version: 1\n{MANY['somebody in a team many times']}\n")
    assert found[-1].summary == f"{19_999 - MAX_PROBLEMS:,} more errors are not shown"


def test_people_who_have_grants_and_are_no_members_are_one_error():
    grants = listed("p{}: reader", 21)
    (found,) = found_in(
        f"version: 1\norgs: {{acme: {{members: {{zoe: owner}}, workspaces: {{prod: {{members: {{{grants}}}}}}}}}}}"
    )
    assert found.summary == "21 people have roles in acme/prod, but will not be in acme: p0, p1, p2, p3, p4 and 16 more"


def rows(form, number=12):
    return "".join(f"      {form.format(n)}\n" for n in range(number))


REPEATED = {
    "keys written twice": "members:\n      alice: owner\n" + rows("p{0}: member\n      p{0}: member"),
    "roles that do not exist": "members:\n      alice: owner\n" + rows("p{0}: meber"),
    "names that are none": "members:\n      alice: owner\n" + rows("P.{0}: member"),
    "keys that do not exist": "members:\n      alice: owner\n" + rows("p{0}: {{rolle: member}}"),
    "teams that do not exist": "workspaces:\n" + rows("w{0}: {{members: {{team/sree: reader}}}}"),
    "days that are none": "members:\n      alice: owner\n" + rows("p{0}: {{role: member, expires: 2026-02-30}}"),
    "folders that do not exist": "connections:\n" + rows("c{0}: {{plugin: p, folder: clod}}"),
    "members that are lists": "workspaces:\n" + rows("w{0}: {{members: [a, b]}}"),
}


@pytest.mark.parametrize("text", REPEATED.values(), ids=REPEATED)
def test_many_mistakes_of_one_kind_are_shown_as_one_with_their_places(bench, text):
    bench.manifest(f"version: 1\nteams: {{sre: [bob]}}\norgs:\n  acme:\n    {text}")
    ran = bench.run("validate")
    assert ran.status == 1
    assert ran.err.count("error:") == 1
    assert ran.err.count("\n") <= 6
    assert "and 11 more like it: " in ran.err
    assert ran.err.count("orgs.yaml:") - ran.err.count("also here") == 12
    assert "12 errors" in bench.run("validate", "--format", "junit").out
    assert bench.run("validate", "--format", "github").out.count("::error ") == 1
    found = bench.run("validate", "--format", "json").json
    assert (found["error_count"], len(found["diagnostics"])) == (12, 12)


def test_a_check_that_ends_early_says_so_in_every_format(bench):
    bench.manifest(f"version: 1\norgs:\n  acme:\n    members:\n      alice: owner\n{rows('p{0}: meber', 150)}")
    for form in ("text", "json", "github", "junit"):
        ran = bench.run("validate", "--format", form)
        assert "there may be more errors: a file is not checked beyond its first 100" in ran.out + ran.err
    bench.manifest(f"version: 1\norgs:\n  acme:\n    members:\n      alice: owner\n{rows('p{0}: meber', 99)}")
    assert "there may be more" not in bench.run("validate").err


def test_a_few_mistakes_of_one_kind_are_shown_each_for_itself(bench):
    bench.manifest(f"version: 1\norgs:\n  acme:\n    members:\n      alice: owner\n{rows('p{0}: meber', 3)}")
    ran = bench.run("validate")
    assert ran.err.count("error:") == 3
    assert "more like it" not in ran.err


@pytest.mark.parametrize("text", list(MANY.values())[:2], ids=list(MANY)[:2])
def test_every_command_ends_with_the_errors(bench, text):
    bench.pipes("orgs: {acme: {members: {alice: owner}}}")
    bench.manifest(f"version: 1\n{text}\n")
    for command in OFFLINE[:3]:
        assert bench.run(*command).status == 1
    for command in ("plan", "drift", "apply", "lock"):
        assert bench.run(command, *bench.local).status == 1


def test_a_merge_conflict_is_called_one(bench):
    for kept in (
        "<<<<<<< HEAD\n  acme: {}\n=======\n  beta: {}\n>>>>>>> x\n",
        "=======\n  beta: {}\n>>>>>>> x\n",
        ">>>>>>> x\n",
    ):
        bench.manifest(f"version: 1\norgs:\n{kept}")
        for command in OFFLINE:
            ran = bench.run(*command)
            assert ran.status == 1
            assert "orgs.yaml:3:1: error: the file holds an unresolved merge conflict" in ran.out + ran.err


# --- folders ----------------------------------------------------------------------------------------------------------


def test_folders_that_nest_too_deep_are_an_error(bench):
    bench.pipes("orgs: {acme: {members: {alice: owner}}}")
    for depth in range(1_200):
        bottom = bench.folder / ("orgs" + "/d" * depth)
        bottom.mkdir()
    for command in OFFLINE[:4]:
        ran = bench.run(*command)
        assert ran.status == 1
        assert files.TOO_DEEP in ran.out + ran.err
    for command in (("plan",), ("apply",), ("drift",), ("import", "acme")):
        assert bench.run(*command, *bench.local).status == 1
    os.removedirs(bottom)


@pytest.mark.parametrize(
    ("bound", "fact"),
    [("MAX_FILES", "more than 2 manifests"), ("MAX_BYTES", "bytes together"), ("MAX_ENTRIES", "names")],
)
def test_what_is_read_in_all_is_bounded(bench, monkeypatch, bound, fact):
    for n in range(4):
        bench.manifest(f"orgs: {{a{n}: {{}}}}", f"orgs/{n}.yaml")
    assert bench.run("validate").status == 0
    monkeypatch.setattr(files, bound, {"MAX_BYTES": 70}.get(bound, 2))
    ran = bench.run("validate")
    assert ran.status == 1
    assert fact in ran.err


def test_values_of_all_files_are_bounded_so_that_they_fit_in_memory(bench, monkeypatch):
    for n in range(3):
        bench.manifest(f"version: 1\norgs: {{a{n}: {{members: {{alice: owner}}}}}}", f"orgs/{n}.yaml")
    each = read_yaml.read("x", (bench.folder / "orgs" / "0.yaml").read_bytes()).values
    monkeypatch.setattr(read_yaml, "MAX_VALUES", 3 * each)
    assert bench.run("validate").status == 0
    for bound, place in ((2 * each, "orgs/2.yaml:1:1"), (each + 8, "orgs/1.yaml:2:")):
        monkeypatch.setattr(read_yaml, "MAX_VALUES", bound)
        for command in OFFLINE[:3]:
            ran = bench.run(*command)
            assert ran.status == 1
            assert place in ran.err
            assert ran.err.count("error:") == 1, "nothing is concluded from what was not read"
            assert f"more than {bound:,} keys and values" in ran.err


def test_what_aliases_repeat_counts_in_every_file(monkeypatch):
    monkeypatch.setattr(read_yaml, "MAX_VALUES", 2_000)
    names = ", ".join(f"p{n}" for n in range(100))
    text = f"version: 1\nteams: {{%s: &a [{names}], %s: *a, %s: *a}}\n"
    files = {f"{n}.yaml": (text % (f"a{n}", f"b{n}", f"c{n}")).encode() for n in range(8)}
    with pytest.raises(ManifestError) as raised:
        load_texts(files, today=TODAY)
    assert [found.source.file for found in raised.value.diagnostics] == ["6.yaml"]


# --- revisions --------------------------------------------------------------------------------------------------------


def put(repository, kind, data):
    """Write an object into a repository; its id."""
    whole = f"{kind} {len(data)}\0".encode() + data
    name = hashlib.sha1(whole).hexdigest()
    path = repository.folder / ".git" / "objects" / name[:2] / name[2:]
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(zlib.compress(whole))
    return name


def tree(repository, entries):
    data = b"".join(
        f"{mode} {name}\0".encode() + bytes.fromhex(found) for mode, name, found in sorted(entries, key=lambda e: e[1])
    )
    return put(repository, "tree", data)


def commit(repository, root):
    return repository.git("commit-tree", "-m", "x", tree(repository, [("40000", "orgs", root)]))


def nested(repository, leaf, levels, names=("a", "b")):
    root = leaf
    for _ in range(levels):
        root = tree(repository, [("40000", name, root) for name in names])
    return root


def reviewed(commit):
    with pytest.raises(ManifestError) as raised:
        revision.texts(commit)
    return raised.value.diagnostics[-1].summary


def test_a_tree_that_names_itself_many_times_over_ends(repository, monkeypatch):
    blob = put(repository, "blob", b"version: 1\n")
    asked = []
    entries = git_tree.Tree._entries
    monkeypatch.setattr(git_tree.Tree, "_entries", lambda self, tree: asked.append(tree) or entries(self, tree))
    found = commit(repository, nested(repository, tree(repository, [("100644", "x.yaml", blob)]), 34))
    assert reviewed(found) == "the same folder is at more than 100 places"
    assert len(asked) < 20_000
    monkeypatch.setattr(files, "MAX_ENTRIES", 5_000)
    names = commit(repository, tree(repository, [("100644", f"{n:04}", blob) for n in range(5_001)]))
    assert "more than 5,000 names" in reviewed(names)
    asked.clear()
    empty = commit(repository, nested(repository, tree(repository, [("100644", "README", blob)]), 34))
    assert "the folder holds no manifest" in reviewed(empty)
    assert len(asked) < 10_000


def test_folders_of_a_revision_that_nest_too_deep_are_an_error(repository):
    blob = put(repository, "blob", b"version: 1\n")
    found = commit(repository, nested(repository, tree(repository, [("100644", "x.yaml", blob)]), 1_500, ("a",)))
    assert reviewed(found) == files.TOO_DEEP


def test_one_blob_under_many_names_counts_under_each(repository, monkeypatch):
    blob = put(repository, "blob", b"version: 1\n" + b"#" * 1_000_000)
    monkeypatch.setattr(files, "MAX_BYTES", 3_000_000)
    found = commit(repository, tree(repository, [("100644", f"{n:02}.yaml", blob) for n in range(48)]))
    assert "the manifests have more than 3,000,000 bytes together" in reviewed(found)


def test_names_that_are_too_many_are_an_error(repository, monkeypatch):
    blob = put(repository, "blob", b"version: 1\n")
    monkeypatch.setattr(files, "MAX_ENTRIES", 1_000)
    found = commit(repository, tree(repository, [("100644", f"{n}.yaml", blob) for n in range(1_500)]))
    assert "more than 1,000 names" in reviewed(found)


def test_reading_a_revision_takes_a_bounded_time(repository, monkeypatch):
    from reconciler.model.errors import UsageError

    repository.commit({"orgs.yaml": "version: 1\n"})
    monkeypatch.setattr(git_tree, "MAX_SECONDS", -1)
    with pytest.raises(UsageError, match="takes more than"):
        revision.texts("HEAD")
