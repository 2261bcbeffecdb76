"""Standard streams that are closed, that nobody reads, or that cannot write a character: no traceback, and the status
that the work deserves.
"""

import json
import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from e2e.bench import PROGRAM, all_commands
from reconciler import cli

GRANTS = "orgs: {acme: {members: {alice: owner}}}"
WORLD = "orgs: {acme: {members: {alice: owner, bob: member}}}"
CHANGES = """\
version: 1
people: {zoe: {handle: bob}}
teams: {sre: [zoe], ops: [alice]}
approvals: {default: {of: team/sre}}
orgs: {acme: {display_name: "Zażółć 🏭", members: {alice: owner, zoe: owner}}}
"""
FORKED = Path(__file__).with_name("forked.py")
HOST = ("--host", "sandbox:pipes.sqlite3")
# each command, with the status that it deserves
COMMANDS = {
    "init": [(("init", *HOST), 0)],
    "doctor": [(("doctor", *HOST), 0)],
    "validate": [(("validate",), 0), (("validate", "missing.yaml"), 1)],
    "plan": [(("plan", "--detailed-exitcode", *HOST), 2), (("plan", "--frobnicate"), 1)],
    "show": [(("show", "plan.json"), 0)],
    "apply": [
        (("apply", "--auto-approve", *HOST), 0),
        (("apply", "plan.json", *HOST), 0),
        (("apply", "refused.yaml", "--auto-approve", *HOST), 3),
        (("apply", *HOST), 1),
    ],
    "drift": [(("drift", *HOST), 2), (("drift", "--fix-up", *HOST), 2)],
    "review": [(("review", "base", ".", "--detailed-exitcode"), 2)],
    "approvals": [(("approvals", "base", ".", "--author", "bob"), 3)],
    "codeowners": [(("codeowners",), 0)],
    "access": [(("access",), 0), (("access", "--live", *HOST), 0)],
    "history": [(("history",), 0)],
    "import": [(("import", "acme", "--out", "imported.yaml", *HOST), 0), (("import", *HOST), 0)],
    "fmt": [(("fmt", "--diff", "--check"), 2)],
    "grant": [(("grant", "zoe", "member", "acme"), 0)],
    "revoke": [(("revoke", "zoe", "acme"), 0)],
    "onboard": [(("onboard", "new@example.com", "--as", "newbie", "--team", "ops"), 0)],
    "move": [(("move", "alice", "--from", "ops", "--to", "sre"), 0)],
    "offboard": [(("offboard", "zoe"), 0)],
    "lock": [(("lock", "--check", *HOST), 2), (("lock", *HOST), 0)],
    "schema": [(("schema",), 0)],
    "explain": [(("explain", "owner-floor"), 0), (("explain", "nothing"), 1)],
    "completion": [(("completion", "bash"), 0)],
    "sandbox seed": [(("sandbox", "seed", "--db", "other.sqlite3"), 0)],
    "sandbox reset": [(("sandbox", "reset", "--db", "pipes.sqlite3"), 0)],
    "sandbox serve": [(("sandbox", "serve", "--db", "missing.sqlite3"), 1)],
    "": [(("--help",), 0), (("--version",), 0), ((), 1), (("nothing",), 1)],
}
# how the streams are: the descriptors that are closed, and whether the reader of standard output has gone
STREAMS = {
    "as they are": {},
    "no standard output": {"closed": [1]},
    "no standard error": {"closed": [2]},
    "no standard input": {"closed": [0]},
    "none": {"closed": [0, 1, 2]},
    "a reader that has gone": {"gone": True},
    "latin-1": {"encoding": "latin-1"},
}


@pytest.fixture
def folder(bench):
    bench.pipes(WORLD)
    bench.manifest(CHANGES)
    bench.manifest(
        f"version: 1\nteams: {{ops: [alice]}}\napprovals: {{default: {{of: team/ops}}}}\n{GRANTS}", "base/orgs.yaml"
    )
    bench.manifest("version: 1\norgs: {acme: {members: {bob: owner}}}\n", "refused.yaml")
    assert bench.run("plan", "-o", "plan.json", *HOST).status == 0
    return bench.folder


def test_every_command_is_tried():
    assert sorted(name for name in COMMANDS if name) == sorted(all_commands(cli.program))


def test_every_command_ends_as_its_work_deserves_whatever_its_streams_are(folder, tmp_path_factory):
    for command in (("init", "-q", "--template="), ("add", "orgs.yaml"), ("commit", "-qm", "Manifests")):
        subprocess.run(["git", "-c", "user.name=T", "-c", "user.email=t@example.com", *command], cwd=folder, check=True)
    where = tmp_path_factory.mktemp("forked")
    jobs = []
    for args, status in (pair for pairs in COMMANDS.values() for pair in pairs):
        for name, streams in STREAMS.items():
            copy = where / str(len(jobs))
            shutil.copytree(folder, copy / "here")
            files = {key: str(copy / key) for key in ("out", "err", "status")}
            jobs.append({"folder": str(copy / "here"), "args": args, "encoding": "utf-8", "gone": False, "closed": [], **streams, **files, "expected": status, "streams": name})  # fmt: skip
    (where / "jobs.json").write_text(json.dumps(jobs))
    subprocess.run([sys.executable, FORKED, where / "jobs.json"], timeout=600, check=True)
    wrong = []
    for job in jobs:
        out, err = (Path(job[key]).read_bytes() for key in ("out", "err"))
        status = int(Path(job["status"]).read_text())
        # with nobody to show a plan to, none is asked about; nobody is asked without standard input either
        if status != job["expected"] or b"Traceback" in out + err or b"Exception ignored" in err:
            wrong.append((job["args"], job["streams"], status, err.decode("latin-1")))
        if job["streams"] == "as they are" and job["expected"] in (0, 2, 3):
            assert out + err, job["args"]
    assert wrong == []


def shell(folder, args, redirection, **environ):
    """Run the command with a redirection, and give the status of the command itself."""
    line = f'{{ "$@"; echo $? > status; }} {redirection}'
    done = subprocess.run(
        ["bash", "-c", line, "bash", *PROGRAM, *args],
        cwd=folder, env={**os.environ, **environ}, capture_output=True, text=True, encoding="latin-1", timeout=120, check=False,
    )  # fmt: skip
    return int((folder / "status").read_text()), done.stdout, done.stderr


def test_a_saved_plan_is_applied_though_nobody_can_be_told(folder):
    assert shell(folder, ("apply", "plan.json", *HOST), "<&- >&- 2>&-")[0] == 0
    assert shell(folder, ("plan", "--detailed-exitcode", *HOST), "")[0] == 0


def test_a_plan_that_nobody_could_see_is_not_asked_about(folder):
    ours, theirs = pty.openpty()
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run(
            [*PROGRAM, "apply", *HOST],
            cwd=folder, stdin=theirs, stdout=write, stderr=subprocess.PIPE, text=True, timeout=120, check=False,
        )  # fmt: skip
    finally:
        for descriptor in (ours, theirs, write):
            os.close(descriptor)
    assert (done.returncode, done.stderr) == (
        1,
        "Error: nothing was applied: nobody reads standard output, so the plan was not shown\n",
    )
    assert shell(folder, ("plan", "--detailed-exitcode", *HOST), "")[0] == 2


def test_a_full_disk_is_an_error_all_the_same(folder):
    found, _, err = shell(folder, ("plan", *HOST), "> /dev/full")
    assert found == 1
    assert "No space left on device" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252"])
def test_a_character_that_the_encoding_lacks_is_an_escape(folder, bench, encoding):
    bench.manifest('version: 1\norgs: {acme: {display_name: "Zażółć 🏭", members: {alice: owner, bob: member}}}\n')
    for args, status in ((("plan", *HOST), 0), (("drift", *HOST), 2), (("review", "base", ".", "-v"), 0)):
        found, out, err = shell(folder, args, "", PYTHONIOENCODING=encoding)
        assert (found, err) == (status, "")
        assert "Za\\u017c" in out, args
    found, out, _ = shell(folder, ("fmt", "-"), "< orgs.yaml", PYTHONIOENCODING=encoding)
    assert (found, "Zażółć 🏭" in out.encode("latin-1").decode()) == (0, True), (
        "a file is UTF-8, whatever the terminal is"
    )


def test_the_module_is_the_command(folder):
    run = [
        subprocess.run([*program, "validate"], cwd=folder, capture_output=True, text=True, timeout=120, check=False)
        for program in ((sys.executable, "-m", "reconciler"), PROGRAM)
    ]
    assert (
        (run[0].returncode, run[0].stdout)
        == (run[1].returncode, run[1].stdout)
        == (0, "2026-11-24 09:00 UTC, reconciler 0.1.0\nValid: 1 manifest, 1 organization.\n")
    )


@pytest.mark.parametrize(
    ("args", "hint"),
    [
        pytest.param(("plan", "-out=plan.json"), "to save a plan, write `-o FILE`", id="Terraform's -out="),
        pytest.param(("plan", "-out", "plan.json"), "to save a plan, write `-o FILE`", id="Terraform's -out"),
        pytest.param(("apply", "-auto-approve"), "did you mean `--auto-approve`?", id="-auto-approve"),
        pytest.param(("plan", "-detailed-exitcode"), "did you mean `--detailed-exitcode`?", id="-detailed-exitcode"),
        pytest.param(("plan", "-paralelism=3"), "did you mean `--parallelism`?", id="misspelt"),
        pytest.param(("sandbox", "seed", "-orgs=3"), "did you mean `--orgs`?", id="of a command below another"),
        pytest.param(("-version",), "did you mean `--version`?", id="of the program"),
    ],
)
def test_a_long_word_after_a_single_dash_is_refused_with_the_right_one(folder, args, hint):
    before = sorted(path.name for path in folder.iterdir())
    found, _, err = shell(folder, args, "")
    assert (found, hint in err) == (1, True), err
    assert sorted(path.name for path in folder.iterdir() if path.name != "status") == before
