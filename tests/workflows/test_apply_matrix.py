"""The template that applies a large estate in shards, run as it stands."""

import json
from pathlib import Path

from workflows import conftest
from workflows.conftest import MANIFEST, READ, WRITE
from workflows.runner import TEMPLATES, document

ORGS = ("beta", "gamma", "delta", "kappa")
WORLD = conftest.WORLD + "".join(f"  {org}: {{members: {{alice: owner, reader: owner}}}}\n" for org in ORGS)
CAROL = "".join(f"  {org}: {{members: {{alice: owner, reader: owner, carol: member}}}}\n" for org in ORGS)


def merged(work, manifest):
    work.commit({"orgs.yaml": manifest})
    work.push()
    return work.github.run("reconciler-apply-matrix.yml", {"name": "push"})


def report(work):
    (folder,) = (work.github.folder / "artifacts").glob("*/reconciler-applied")
    return Path(next(folder.iterdir())).read_text()


def let_in(work):
    """The orgs that carol is invited to by now."""
    return {
        org for org in ORGS if "carol" in [row["user_handle"] for row in work.bench.client().all(f"/org/{org}/member")]
    }


def test_each_shard_is_applied_in_a_job_of_its_own_and_what_they_did_is_one_report_and_one_lock_file(work):
    ran = merged(work, MANIFEST + CAROL)
    assert [job.result for job in ran.values()] == ["success"] * 4, [job.log for job in ran.values()]
    assert let_in(work) == set(ORGS)
    assert "4 steps done, 0 failed, 0 skipped" in report(work)
    entries = json.loads(work.main("reconciler.lock.json"))["entries"]
    assert {f"org.{org}/member.carol" for org in ORGS} < set(entries)
    held = [(e["INPUT_COMMAND"], token) for e in work.github.seen for token in (READ, WRITE) if token in e.values()]
    assert sorted(held) == [("apply", WRITE)] * 4 + [("lock", READ)] + [("plan", READ)] * 4
    assert not any(token in str([job.log for job in ran.values()]) for token in (READ, WRITE))


def test_several_manifests_may_stand_in_a_block_as_in_the_other_workflows(work, monkeypatch):
    monkeypatch.setitem(
        document(TEMPLATES / "reconciler-apply-matrix.yml")["env"], "MANIFESTS", "\n  orgs.yaml\n  more.yaml\n\n"
    )
    work.commit({"more.yaml": f"version: 1\norgs:\n{CAROL}"})
    ran = merged(work, MANIFEST)
    assert [job.result for job in ran.values()] == ["success"] * 4, [job.log for job in ran.values()]
    assert let_in(work) == set(ORGS)


def test_a_shard_that_is_refused_leaves_the_others_done_and_the_report_says_so(work):
    ran = merged(work, MANIFEST.replace("      bob: owner\n", "") + CAROL)
    assert [job.result for job in ran.values()] == ["success", "failure", "failure", "success"]
    assert let_in(work) == {"beta", "delta"}, "the others share the shard of acme"
    assert "bob" in [row["user_handle"] for row in work.bench.client().all("/org/acme/member")]
    assert "owner-removal" in report(work)
    assert "org.beta/member.carol" in json.loads(work.main("reconciler.lock.json"))["entries"]
