"""The lock file is the one beside the manifests that were read; two, or one passed over, are an error that names both."""

from __future__ import annotations

import subprocess

import pytest

from e2e.bench import LOCK

WORLD = "users: {bob: {}, carol: {}}\norgs: {acme: {members: {alice: owner, bob: owner, carol: member}}}"
MANIFEST = "orgs: {acme: {members: {alice: owner, bob: owner, carol: member}}}"


@pytest.fixture
def imported(bench):
    """`import` has written `orgs/acme.yaml` and `orgs/reconciler.lock.json`."""
    bench.pipes(WORLD)
    assert bench.run("import", *bench.local, "acme").status == 0
    assert (bench.folder / "orgs" / LOCK).exists()
    return bench


@pytest.mark.parametrize("path", [".", "orgs", "orgs/acme.yaml", "./orgs/../orgs"])
def test_the_lock_file_that_import_wrote_is_found_whatever_path_is_named(imported, path):
    """A stranger who took carol's old handle is not let in in her place."""
    imported.client().ok("DELETE", "/org/acme/member/carol")
    imported.client("carol").ok("PATCH", "/user/carol", {"handle": "caroline"})
    imported.client("bob").ok("PATCH", "/user/bob", {"handle": "carol"})
    before = imported.database()
    assert "rename" in imported.planned(path).codes
    assert imported.apply(path).status == 3
    assert imported.database() == before
    assert not (imported.folder / LOCK).exists()


def test_two_lock_files_are_an_error_that_names_both(imported):
    imported.manifest("teams: {sre: [bob]}", "teams.yaml")
    (imported.folder / LOCK).write_bytes((imported.folder / "orgs" / LOCK).read_bytes())
    for ran in (
        imported.plan("."),
        imported.apply("."),
        imported.run("validate", "."),
        imported.run("lock", *imported.local, "."),
    ):
        assert ran.status == 1
        assert f"orgs/{LOCK}" in ran.err
        assert f" {LOCK}" in ran.err


@pytest.mark.parametrize("where", ["above", "in the repository's top"])
def test_a_lock_file_above_the_manifests_that_knows_them_is_not_passed_over(bench, where, monkeypatch):
    bench.pipes(WORLD)
    bench.manifest(MANIFEST, "live/orgs/acme.yaml")
    host = ["--host", f"sandbox:{bench.db}"]
    assert bench.run("apply", *host, "--auto-approve", ".").status == 0
    assert (bench.folder / LOCK).exists()
    if where != "above":
        subprocess.run(["git", "init", "-q", "."], check=True, cwd=bench.folder)
        monkeypatch.chdir(bench.folder / "live")
    path = "orgs" if where != "above" else "live/orgs"
    ran = bench.run("plan", *host, path)
    assert ran.status == 1
    assert f"{path}/{LOCK}" in ran.err
    assert LOCK in ran.err.replace(f"{path}/{LOCK}", "")


@pytest.mark.parametrize("git", [False, True], ids=["no repository", "a repository"])
@pytest.mark.parametrize(
    ("first", "here", "later"),
    [
        ("live", "live/orgs", "."),
        ("live", "live/orgs", "acme.yaml"),
        ("live", "other", "../live/orgs"),
        ("live", "other", "{top}/live/orgs/acme.yaml"),
        ("live/orgs", ".", "linked.yaml"),
        ("live/orgs/acme.yaml", "other", "../links"),
        ("live", ".", "links"),
        ("linked.yaml", "live/orgs", "acme.yaml"),
    ],
)
def test_no_lock_file_that_knows_them_is_passed_over_from_another_folder_or_through_a_link(
    bench, monkeypatch, git, first, here, later
):
    bench.pipes(WORLD)
    bench.manifest(MANIFEST, "live/orgs/acme.yaml")
    for folder in ("links", "other"):
        (bench.folder / folder).mkdir()
    (bench.folder / "linked.yaml").symlink_to("live/orgs/acme.yaml")
    (bench.folder / "links" / "acme.yaml").symlink_to("../live/orgs/acme.yaml")
    if git:
        subprocess.run(["git", "init", "-q", "."], check=True, cwd=bench.folder)
    host = ["--host", f"sandbox:{bench.db}"]
    assert bench.run("apply", "--auto-approve", *host, first).status == 0
    (lock,) = bench.folder.rglob(LOCK)
    monkeypatch.chdir(bench.folder / here)
    for command in (("plan",), ("apply", "--auto-approve"), ("drift",), ("lock",), ("validate",)):
        ran = bench.run(*command, *(host if command != ("validate",) else ()), later.format(top=bench.folder))
        assert ran.status == 1, command
        assert "knows them" in ran.err
    assert list(bench.folder.rglob(LOCK)) == [lock]


def test_a_lock_file_that_knows_an_org_by_the_handle_that_it_had_is_not_passed_over(bench):
    bench.pipes(WORLD)
    bench.manifest(MANIFEST, "live/orgs/acme.yaml")
    assert bench.apply("live").status == 0
    bench.manifest(MANIFEST.replace("{acme: {", "{newco: {renamed_from: acme, "), "live/orgs/acme.yaml")
    ran = bench.plan("live/orgs")
    assert (ran.status, f"live/{LOCK} knows them" in ran.err) == (1, True)


def kept(bench):
    return {p.relative_to(bench.folder).as_posix(): p.read_bytes() for p in bench.folder.rglob("*.*") if p.is_file()}


@pytest.mark.parametrize("out", [[], ["--out", "orgs"], ["--out", "orgs/acme.yaml"], ["--out", "elsewhere", "--split"]])
def test_an_import_does_not_pass_over_a_lock_file_above_that_knows_the_org(bench, out):
    """`apply .` has kept the lock file in `.`; a second one, beside what `import` writes, would make people strangers."""
    bench.pipes(WORLD)
    bench.manifest(MANIFEST, "orgs/acme.yaml")
    assert bench.apply(".").status == 0
    assert (bench.folder / LOCK).exists()
    before = kept(bench)
    ran = bench.run("import", *bench.local, "acme", *out)
    assert ran.status == 1
    assert f"{LOCK} knows them" in ran.err
    assert f"{'elsewhere' if 'elsewhere' in out else 'orgs'}/{LOCK}" in ran.err
    assert "as PATH" not in ran.err
    assert kept(bench) == before


def test_an_import_uses_the_lock_file_that_is_beside_the_manifests_below_its_target(bench):
    """What was renamed outside is recognised by its id."""
    bench.pipes(WORLD)
    bench.manifest(MANIFEST, "orgs/live/acme.yaml")
    assert bench.apply("orgs/live").status == 0
    bench.client().ok("PATCH", "/org/acme", {"handle": "acme-new"})
    ran = bench.run("import", *bench.local, "acme-new")
    assert ran.status == 0
    assert not (bench.folder / "orgs" / LOCK).exists()
    assert sorted(p.name for p in bench.folder.rglob("*.yaml") if "orgs" in p.parts) == ["acme.yaml"]


def test_an_import_with_two_lock_files_is_an_error_that_names_both(bench):
    bench.pipes(WORLD)
    bench.manifest(MANIFEST, "orgs/live/acme.yaml")
    assert bench.apply("orgs/live").status == 0
    (bench.folder / "orgs" / LOCK).write_bytes((bench.folder / "orgs/live" / LOCK).read_bytes())
    before = kept(bench)
    ran = bench.run("import", *bench.local, "acme")
    assert ran.status == 1
    assert f"orgs/{LOCK} and orgs/live/{LOCK}" in ran.err
    assert kept(bench) == before


def test_a_lock_file_above_of_other_organizations_is_not_these_manifests(bench):
    bench.pipes(WORLD)
    bench.manifest(MANIFEST, "live/orgs/acme.yaml")
    (bench.folder / LOCK).write_text('{"version": 1, "entries": {"org.acme2": {"id": "o_1"}}}')
    assert bench.plan("live/orgs").status == 0
