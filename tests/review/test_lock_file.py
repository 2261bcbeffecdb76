"""`review` reads the lock file that `apply` would read: beside the manifests of each side, wherever that is."""

from __future__ import annotations

import json

import pytest

LOCK = "reconciler.lock.json"
MANIFEST = """version: 1
people: {carol: {email: carol@example.com}, mallory: {handle: mallory}}
orgs: {acme: {members: {alice: owner, carol: member, mallory: member}}}
"""


def text(carol="u_c", mallory="u_m"):
    from reconciler.model.live import address_digest

    entries = {
        "org.acme/member.carol": {"id": carol, "handle": "cjones", "email": address_digest("carol@example.com")},
        "org.acme/member.mallory": {"id": mallory},
    }
    return json.dumps({"version": 1, "entries": entries})


@pytest.mark.parametrize(
    ("place", "paths", "where"),
    [
        pytest.param("orgs", (), "orgs", id="the default folder"),
        pytest.param("live/orgs", ("--path", "."), "live/orgs", id="beside the manifests, below the path"),
        pytest.param("live/orgs", ("--path", "live"), "live", id="in the folder that is named"),
        pytest.param("live", ("--path", "live/acme.yaml"), "live", id="beside the file that is named"),
        pytest.param("live", ("--path", "other", "--path", "live"), "live", id="beside the second path"),
    ],
)
@pytest.mark.parametrize("head", ["working tree", "commit", "folder"])
def test_an_account_that_moves_in_the_lock_file_is_seen_wherever_the_file_is(
    repository, bench, tmp_path, place, paths, where, head
):
    files = {f"{place}/acme.yaml": MANIFEST, f"{where}/{LOCK}": text()}
    if "other" in paths:
        files["other/beta.yaml"] = "version: 1\norgs: {beta: {members: {alice: owner}}}\n"
    base = repository.commit(files)
    if head == "folder":
        copied = tmp_path / "copied"
        for name, content in {**files, f"{where}/{LOCK}": text(carol="u_m", mallory="u_c")}.items():
            (copied / name).parent.mkdir(parents=True, exist_ok=True)
            (copied / name).write_text(content)
        arguments = (base, str(copied))
    else:
        repository.put(f"{where}/{LOCK}", text(carol="u_m", mallory="u_c"))
        arguments = (base, repository.commit()) if head == "commit" else (base,)
    ran = bench.run("review", *arguments, *paths, "--format", "json")
    assert ran.status == 1
    assert [one["name"] for one in ran.json["identities"] if one["error"]] == ["carol", "mallory"]


def test_a_lock_file_that_moves_with_the_manifests_is_the_same(repository, bench):
    base = repository.commit({"orgs.yaml": MANIFEST, LOCK: text()})
    repository.git("rm", "--quiet", "orgs.yaml", LOCK)
    repository.commit({"orgs/acme.yaml": MANIFEST, f"orgs/{LOCK}": text()})
    ran = bench.run("review", base, "HEAD", "--format", "json")
    assert ran.status == 0
    assert ran.json["identities"] == []


@pytest.mark.parametrize("head", ["working tree", "commit"])
@pytest.mark.parametrize(
    ("second", "paths", "named"),
    [
        pytest.param(f"orgs/live/{LOCK}", (), (f"orgs/{LOCK}", f"orgs/live/{LOCK}"), id="below"),
        pytest.param(LOCK, (), (LOCK, f"orgs/{LOCK}"), id="above"),
        pytest.param(f"orgs/live/{LOCK}", ("--path", "."), (f"orgs/live/{LOCK}", f"orgs/{LOCK}"), id="both below"),
    ],
)
def test_a_second_lock_file_in_head_is_an_error_that_names_both(repository, bench, head, second, paths, named):
    base = repository.commit({"orgs/live/acme.yaml": MANIFEST, f"orgs/{LOCK}": text()})
    repository.put(second, text(carol="u_m", mallory="u_c"))
    arguments = (base, repository.commit()) if head == "commit" else (base,)
    ran = bench.run("review", *arguments, *paths, "--format", "json")
    assert ran.status == 1
    (error,) = ran.json["diagnostics"]
    assert [name for name in named if name not in error["summary"]] == []


def test_a_lock_file_of_head_that_was_passed_over_is_an_error(repository, bench):
    base = repository.commit({"orgs/acme.yaml": MANIFEST, f"orgs/{LOCK}": text()})
    repository.git("mv", f"orgs/{LOCK}", LOCK)
    repository.commit()
    ran = bench.run("review", base, "HEAD", "--format", "json")
    assert ran.status == 1
    (error,) = ran.json["diagnostics"]
    assert f"would be orgs/{LOCK}" in error["summary"]
    assert f"{LOCK} knows them" in error["summary"]


def test_two_lock_files_in_base_alone_are_a_note_and_not_the_pull_requests_fault(repository, bench):
    base = repository.commit({"orgs/acme.yaml": MANIFEST, f"orgs/{LOCK}": text(), LOCK: text()})
    (repository.folder / LOCK).unlink()
    ran = bench.run("review", base, "--format", "json")
    assert ran.status == 0
    assert any("two lock files" in note for note in ran.json["notes"])


def test_a_lock_file_of_head_that_cannot_be_read_is_an_error(repository, bench):
    base = repository.commit({"orgs.yaml": MANIFEST, LOCK: text()})
    repository.put(LOCK, "{")
    ran = bench.run("review", base, "--format", "json")
    assert ran.status == 1
    assert "is not JSON" in ran.json["diagnostics"][0]["summary"]
