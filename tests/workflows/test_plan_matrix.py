"""The template that plans a large estate in shards, run as it stands."""

import json
import shutil
from pathlib import Path

from workflows.conftest import MANIFEST, READ

ORGS = ("beta", "gamma", "delta", "kappa", "sigma")
MORE = MANIFEST + "".join(f"  {org}:\n    members: {{alice: owner, reader: owner}}\n" for org in ORGS)


def planned(work, manifest=MORE, between=None):
    work.commit({"orgs.yaml": manifest})
    work.push()
    return work.github.run("reconciler-plan-matrix.yml", {"name": "schedule"}, between)


def artifact(work, name):
    (folder,) = (work.github.folder / "artifacts").glob(f"*/{name}")
    return Path(next(folder.iterdir())).read_text()


def test_the_shards_of_a_matrix_become_one_report(work):
    ran = planned(work)
    assert [job.result for job in ran.values()] == ["success", "success"], [job.log for job in ran.values()]
    shards = [json.loads(artifact(work, f"reconciler-shard-{number}")) for number in (1, 2, 3, 4)]
    assert [plan["shard"]["number"] for plan in shards] == [1, 2, 3, 4]
    assert {plan["shard"]["of"] for plan in shards} == {4}
    report = artifact(work, "reconciler-plan")
    assert "to create" in report
    assert "Shard" not in report
    for org in ORGS:
        assert report.count(f"org.{org}") >= 1


def test_what_a_safeguard_refuses_in_one_shard_fails_the_report_and_not_the_shards(work):
    ran = planned(work, MORE.replace("      bob: owner\n", "", 1))
    assert [job.result for job in ran.values()] == ["success", "failure"]
    assert "owner-removal" in artifact(work, "reconciler-plan")


def test_a_shard_that_is_missing_fails_the_report_by_its_number(work):
    def lose_one(job):
        if job == "report":
            (lost,) = (work.github.folder / "artifacts").glob("*/reconciler-shard-3")
            shutil.rmtree(lost)

    ran = planned(work, between=lose_one)
    assert ran["report"].result == "failure"
    assert "shard 3 of 4 is missing" in ran["report"].log
    assert "has no report" in artifact(work, "reconciler-plan")


def test_without_any_shard_the_run_fails(work):
    work.github.secrets["PIPES_READ_TOKEN"] = "tpt_not_the_right_one"
    assert [job.result for job in planned(work).values()] == ["failure", "failure"]


def test_planning_in_shards_writes_nothing_and_shows_no_token(work):
    before = len(work.writes)
    ran = planned(work)
    assert len(work.writes) == before
    assert READ not in str([job.log for job in ran.values()]) + artifact(work, "reconciler-plan")
