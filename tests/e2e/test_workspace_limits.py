"""What Pipes itself decides about a workspace: a volume only grows, a shared instance has none, and unused ones sleep."""

from __future__ import annotations

import pytest

GIB = 2**30


@pytest.mark.parametrize(
    ("live", "wanted", "words"),
    [
        pytest.param(
            "{instance_type: db1.small, db_volume_size_bytes: 21474836480}",
            "{db_volume_size_bytes: 10737418240}",
            "db_volume_size_bytes is 21474836480 and can only grow, so it cannot become 10737418240",
            id="smaller",
        ),
        pytest.param(
            "{instance_type: db1.shared}",
            "{db_volume_size_bytes: 21474836480}",
            "db1.shared has no volume of its own",
            id="live is shared",
        ),
        pytest.param(
            None,
            "{instance_type: db1.shared, db_volume_size_bytes: 10737418240}",
            "db1.shared has no volume of its own",
            id="a new shared one",
        ),
    ],
)
def test_a_volume_that_cannot_be_is_an_error_before_anything_is_sent(bench, live, wanted, words):
    spaces = "{}" if live is None else f"{{prod: {live}}}"
    bench.pipes(f"orgs: {{acme: {{members: {{alice: owner}}, workspaces: {spaces}}}}}")
    bench.manifest(f"orgs: {{acme: {{workspaces: {{prod: {wanted}}}}}}}")
    before = bench.database()
    assert bench.apply().status == 1
    assert words in bench.plan().out
    assert bench.database() == before


def test_a_volume_that_grows_is_planned(bench):
    bench.pipes(
        "orgs: {acme: {members: {alice: owner}, workspaces: "
        "{prod: {instance_type: db1.small, db_volume_size_bytes: 10737418240}}}}"
    )
    bench.manifest(f"orgs: {{acme: {{workspaces: {{prod: {{db_volume_size_bytes: {20 * GIB}}}}}}}}}")
    assert bench.planned().addresses == ["org.acme/workspace.prod"]


@pytest.mark.parametrize("live", ["{asleep: true}", "{asleep: true, desired_state: disabled}"])
def test_a_workspace_that_is_asleep_is_not_woken_and_is_no_drift(bench, live):
    bench.pipes(f"orgs: {{acme: {{members: {{alice: owner}}, workspaces: {{prod: {live}}}}}}}")
    bench.manifest("orgs: {acme: {workspaces: {prod: {desired_state: enabled}}}}")
    ran = bench.plan("--detailed-exitcode")
    assert ran.status == 0
    assert ("acme/prod is asleep" in ran.out) is ("desired_state" in live)
    assert bench.run("drift", *bench.local).status == 0


@pytest.mark.parametrize("live", ["{asleep: true}", "{asleep: true, desired_state: disabled}"])
def test_an_import_does_not_write_that_somebody_put_a_workspace_to_sleep(bench, live):
    bench.pipes(f"orgs: {{acme: {{members: {{alice: owner}}, workspaces: {{prod: {live}}}}}}}")
    assert bench.run("import", "acme", "--host", bench.host).status == 0
    assert "desired_state" not in (bench.folder / "orgs" / "acme.yaml").read_text()
    assert bench.run("plan", "--host", bench.host, "--detailed-exitcode").status == 0


def test_a_workspace_that_somebody_disabled_is_drift(bench):
    bench.pipes("orgs: {acme: {members: {alice: owner}, workspaces: {prod: {desired_state: disabled}}}}")
    bench.manifest("orgs: {acme: {workspaces: {prod: {desired_state: enabled}}}}")
    assert bench.planned().addresses == ["org.acme/workspace.prod"]
    assert bench.run("drift", *bench.local).status == 2
