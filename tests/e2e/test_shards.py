"""An estate that several runs share: `plan --shard`, `drift --shard`, `apply` of a shard's plan, and `show --merge`."""

from __future__ import annotations

import json

import pytest

from reconciler.cli import CHANGES, DONE, ERROR, PARTLY, REFUSED

FORMATS = ("text", "json", "markdown", "html", "github", "junit")
NAMES = ("acme", "beta", "gamma", "delta", "kappa")
WORLD = {
    "users": {name: {} for name in ("bob", "carol")},
    "orgs": {
        **{name: {"members": {"alice": "owner", "bob": "member"}} for name in NAMES},
        "old-name": {"members": {"alice": "owner"}},
        "unlisted": {"members": {"alice": "owner"}},
    },
}
MANIFEST = "orgs:\n" + "".join(f"  {name}: {{members: {{alice: owner, carol: member}}}}\n" for name in NAMES)
MANIFEST += "  new-name: {renamed_from: old-name, members: {alice: owner, carol: member}}\n"
MANIFEST += "  created: {members: {alice: owner}}\n"


@pytest.fixture
def estate(bench):
    bench.pipes(WORLD)
    bench.manifest(MANIFEST)
    return bench


def save(bench, of=3, *args):
    """The plans of all shards; returns the files' names."""
    for number in range(1, of + 1):
        assert bench.plan("--shard", f"{number}/{of}", "-o", f"{number}.json", *args).status == DONE
    return [f"{number}.json" for number in range(1, of + 1)]


@pytest.mark.parametrize("form", FORMATS)
def test_the_merged_report_is_that_of_one_plan(estate, form):
    files = save(estate)
    estate.plan("-o", "whole.json")
    whole = estate.run("show", "whole.json", "--format", form)
    assert whole.status == DONE
    merged = estate.run("show", "--merge", *files, "--format", form)
    assert (merged.status, merged.out) == (DONE, whole.out)


def test_every_format_of_a_shards_plan_says_that_it_is_one(estate):
    save(estate)
    for form in FORMATS:
        ran = estate.run("show", "2.json", "--format", form)
        assert ("Shard 2 of 3" in ran.out) or (form == "json" and ran.json["shard"]["number"] == 2), form


def test_a_merged_plan_can_be_saved_and_applied(estate):
    files = save(estate)
    assert estate.run("show", "--merge", *files, "--format", "json", "--out", "whole.json").status == DONE
    assert estate.apply("whole.json").status == DONE
    assert estate.planned().json["resource_changes"] == []


def test_each_shards_plan_applies_that_shard_and_all_of_them_everything(estate):
    files = save(estate)
    left = set(estate.planned().addresses)
    for file in files:
        own = {change["address"] for change in json.loads((estate.folder / file).read_text())["resource_changes"]}
        assert own <= left
        ran = estate.apply(file, "--format", "json")
        assert ran.status == DONE, ran
        left -= own
        assert set(estate.planned().addresses) == left
    assert left == set()
    assert len(set(estate.lock_text().splitlines())) == len(estate.lock_text().splitlines())


def test_an_apply_of_one_shard_judges_no_other_shards_orgs(estate):
    save(estate)
    of = {
        org: file
        for file in ("1.json", "2.json", "3.json")
        for org in json.loads((estate.folder / file).read_text())["orgs"]
    }
    here = of["org.acme"]
    elsewhere = next(org for org, file in of.items() if file != here and org.removeprefix("org.") in NAMES)
    client = estate.client()
    client.ok("POST", f"/org/{elsewhere.removeprefix('org.')}/member/invite", {"handle": "carol", "role": "member"})
    assert estate.apply(here).status == DONE
    stale = estate.apply(of[elsewhere])
    assert stale.status == REFUSED
    assert "stale-plan" in stale.out


def test_a_rename_and_its_former_name_are_no_loss_whatever_the_shard(estate):
    for of in (1, 2, 5, 17):
        found = [estate.planned("--shard", f"{number}/{of}").json for number in range(1, of + 1)]
        assert [refusal["code"] for plan in found for refusal in plan["safeguards"]["refusals"]] == []
        changes = [change for plan in found for change in plan["resource_changes"]]
        assert sorted(c["address"] for c in changes if c["previous_address"]) == ["org.new-name"]


def test_an_org_in_another_shard_is_not_taken_for_one_that_was_left_behind(bench):
    # alone, the one that is to be made would look like a new name of the other
    bench.pipes({"orgs": {"acme-twoy": {"members": {"alice": "owner"}}}})
    bench.manifest("orgs: {acme-twoy: {members: {alice: owner}}, acme-twox: {members: {alice: owner}}}")
    for of in range(1, 9):
        for number in range(1, of + 1):
            assert bench.planned("--shard", f"{number}/{of}").codes == []


def test_a_refused_shard_refuses_the_merged_plan(estate):
    estate.manifest(MANIFEST.replace("acme: {members: {alice: owner,", "acme: {members: {bob: owner,"))
    statuses = [estate.plan("--shard", f"{n}/3", "-o", f"{n}.json").status for n in (1, 2, 3)]
    assert sorted(statuses) == [DONE, DONE, REFUSED]
    ran = estate.run("show", "--merge", "1.json", "2.json", "3.json", "--format", "json")
    assert (ran.status, ran.codes) == (REFUSED, estate.planned().codes)


def test_the_merged_plan_ends_as_the_plan_would(estate):
    files = save(estate)
    assert estate.run("show", "--merge", *files, "--detailed-exitcode").status == CHANGES
    for file in files:
        estate.apply(file)
    assert estate.run("show", "--merge", *save(estate), "--detailed-exitcode").status == DONE


def test_what_is_not_all_shards_is_no_merged_plan(estate):
    files = save(estate)
    for names, says in (
        (files[:2], "shard 3 of 3 is missing"),
        ([*files, files[0]], "shard 1 is given twice: 1.json and 1.json"),
        ([*files[:2], "whole.json"], "whole.json is not the plan of a shard"),
        ([*files[:2], "orgs.yaml"], "orgs.yaml is not a saved plan"),
    ):
        estate.plan("-o", "whole.json")
        ran = estate.run("show", "--merge", *names)
        assert (ran.status, ran.out) == (ERROR, "")
        assert says in ran.err
    (estate.folder / "2.json").write_text((estate.folder / "2.json").read_text().replace("carol", "mallory"))
    ran = estate.run("show", "--merge", *files)
    assert (ran.status, ran.out) == (REFUSED, "")
    assert "2.json: the saved plan was changed" in ran.err


@pytest.mark.parametrize(
    ("args", "says"),
    [
        pytest.param(("plan", "--shard", "4/3"), "of 3 shards the first is 1 and the last 3", id="beyond the last"),
        pytest.param(("plan", "--shard", "3"), "'3' is not a shard", id="no number of shards"),
        pytest.param(("drift", "--shard", "0/3"), "of 3 shards the first is 1", id="before the first"),
        pytest.param(("plan", "--shard", "1/3", "--org", "acme"), "cannot be combined with --org", id="with --org"),
        pytest.param(("plan", "--shard", "1/3", "--allow", "mass-removal"), "--allow mass-removal=org.HANDLE", id="a bare --allow"),
        pytest.param(("plan", "--shard", "1/3", "--allow", "mass-removal=org.nobody"), "does not touch org.nobody",
                     id="an allowance for no org of the manifests"),
        pytest.param(("show", "a.json", "b.json"), "with --merge only", id="several without --merge"),
        pytest.param(("show", "a.json", "--detailed-exitcode"), "goes with --merge", id="--detailed-exitcode alone"),
    ],
)  # fmt: skip
def test_a_wrong_use_is_said_to_be_one(estate, args, says):
    ran = estate.run(*args, *([] if args[0] == "show" else estate.local))
    assert (ran.status, ran.out) == (ERROR, "")
    assert says in ran.err


def test_one_allowance_serves_all_shards_of_a_matrix(estate):
    estate.manifest(MANIFEST.replace("acme: {members: {alice: owner,", "acme: {members: {bob: owner,"))
    refused = estate.planned()
    allow = [arg for r in refused.json["safeguards"]["refusals"] for arg in ("--allow", f"{r['code']}={r['address']}")]
    assert allow
    whole = estate.planned(*allow)
    files = save(estate, 3, *allow)
    assert estate.run("show", "--merge", *files, "--format", "json").out == whole.out


def test_drift_is_shared_out_too(estate):
    estate.apply()
    estate.client().ok("PATCH", "/org/beta/member/carol", {"role": "owner"})
    found = [
        estate.run("drift", *estate.local, "--shard", f"{n}/3", "--unmanaged", "--format", "json") for n in (1, 2, 3)
    ]
    assert sorted(ran.status for ran in found) == [DONE, DONE, CHANGES]
    assert sorted(org for ran in found for org in ran.json["orgs"]) == sorted(
        f"org.{name}" for name in (*NAMES, "new-name", "created")
    )
    # what another shard manages is managed
    for ran in found:
        assert [u["address"] for u in ran.json["unmanaged"] if "/" not in u["address"]] == ["org.unlisted"]


def apply_all(bench, files):
    """Each shard applied as in a job of its own; returns the files of the reports, and the exit statuses."""
    reports = [f"done-{file}" for file in files]
    return reports, [
        bench.apply(file, "--format", "json", "--out", report).status
        for file, report in zip(files, reports, strict=True)
    ]


def test_the_applies_of_all_shards_are_joined_into_the_result_of_one(estate):
    reports, statuses = apply_all(estate, save(estate))
    assert statuses == [DONE] * 3
    joined = estate.run("show", "--merge", *reversed(reports), "--format", "json")
    assert joined.status == DONE
    assert [one["number"] for one in joined.json["outcomes"]] == [one["number"] for one in joined.json["steps"]]
    assert {one["status"] for one in joined.json["outcomes"]} == {"done"}
    assert {one["address"] for one in joined.json["outcomes"]} >= {f"org.{name}/member.carol" for name in NAMES}
    for form in FORMATS:
        assert estate.run("show", "--merge", *reports, "--format", form).status == DONE
    assert estate.planned().json["resource_changes"] == []


def test_a_shard_that_is_refused_leaves_the_others_done_and_the_joined_status_says_so(estate):
    estate.manifest(MANIFEST.replace("acme: {members: {alice: owner,", "acme: {members: {bob: owner,"))
    files = ["1.json", "2.json", "3.json"]
    for number, file in enumerate(files, 1):
        estate.plan("--shard", f"{number}/3", "-o", file)
    reports, statuses = apply_all(estate, files)
    assert sorted(statuses) == [DONE, DONE, REFUSED]
    joined = estate.run("show", "--merge", *reports, "--format", "json")
    assert joined.status == PARTLY
    refused = {one["address"] for one in joined.json["outcomes"] if one["status"] == "skipped"}
    assert "org.acme/member.carol" in refused
    assert any("was refused" in note and "acme" in note for note in joined.json["outcome_notes"])
    text = estate.run("show", "--merge", *reports)
    assert "Applied in part" in text.out
    left = set(estate.planned().addresses)
    assert left == refused
    # nobody applied any of them: the status is that of the refusal
    which = statuses.index(REFUSED)
    alone = [
        report if number == which else file for number, (report, file) in enumerate(zip(reports, files, strict=True))
    ]
    assert estate.run("show", "--merge", *alone).status == REFUSED


def test_a_shard_without_a_report_is_not_confirmed_and_a_missing_one_is_an_error(estate):
    files = save(estate)
    reports, _ = apply_all(estate, files)
    joined = estate.run("show", "--merge", files[0], *reports[1:], "--format", "json")
    assert joined.status == PARTLY
    assert {one["status"] for one in joined.json["outcomes"]} == {"done", "unconfirmed"}
    assert "has no report" in str(joined.json["outcome_notes"])
    assert "shard 1 of 3 is missing" in estate.run("show", "--merge", *reports[1:]).err
    assert estate.run("show", "--merge", *reports, "--detailed-exitcode").status == ERROR


def test_a_report_whose_outcomes_are_not_those_of_its_steps_is_an_error(estate):
    reports, _ = apply_all(estate, save(estate))
    path = estate.folder / next(name for name in reports if json.loads((estate.folder / name).read_text())["outcomes"])
    document = json.loads(path.read_text())
    document["outcomes"].pop()
    path.write_text(json.dumps(document))
    ran = estate.run("show", "--merge", *reports)
    assert ran.status == ERROR
    assert "contradicts itself" in ran.err
