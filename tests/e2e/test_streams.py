"""Standard streams that are closed, that nobody reads, or that cannot write a character: no traceback, and the status
that the work deserves.
"""

import os
import pty
import subprocess
import sys

import pytest

from e2e.bench import PROGRAM

WORLD = "orgs: {acme: {members: {alice: owner, bob: member}}}"
CHANGES = "version: 1\norgs: {acme: {members: {alice: owner, bob: owner}}}\n"
HOST = ("--host", "sandbox:pipes.sqlite3")
# each command that prints something, with the status that it deserves
COMMANDS = {
    "validate": (("validate",), 0),
    "plan": (("plan", "--detailed-exitcode", *HOST), 2),
    "drift": (("drift", *HOST), 2),
    "review": (("review", "base", ".", "--detailed-exitcode"), 2),
    "access": (("access",), 0),
    "access, live": (("access", "--live", *HOST), 0),
    "fmt": (("fmt", "--diff", "--check"), 2),
    "offboard": (("offboard", "bob"), 0),
    "lock": (("lock", "--check", *HOST), 2),
    "schema": (("schema",), 0),
    "import": (("import", "acme", "--out", "imported.yaml", *HOST), 0),
    "apply": (("apply", "--auto-approve", *HOST), 0),
    "a saved plan": (("apply", "plan.json", *HOST), 0),
    "show": (("show", "plan.json"), 0),
    "an error": (("plan", "missing.yaml"), 1),
    "a refusal": (("apply", "refused.yaml", "--auto-approve", *HOST), 3),
    "usage": (("plan", "--frobnicate"), 1),
    "help": (("--help",), 0),
}
CLOSED = {
    "standard output": ">&-",
    "standard error": "2>&-",
    "standard input": "<&-",
    "all": "<&- >&- 2>&-",
    "a reader that has gone": "| true",
}


@pytest.fixture
def folder(bench):
    bench.pipes(WORLD)
    bench.manifest(CHANGES)
    (bench.folder / "base").mkdir()
    (bench.folder / "base" / "orgs.yaml").write_text("version: 1\norgs: {acme: {members: {alice: owner}}}\n")
    (bench.folder / "refused.yaml").write_text("version: 1\norgs: {acme: {members: {bob: owner}}}\n")
    assert bench.run("plan", "-o", "plan.json", *HOST).status == 0
    return bench.folder


def shell(folder, args, redirection, **environ):
    """Run the command with a redirection, and give the status of the command itself."""
    line = f'{{ "$@"; echo $? > status; }} {redirection}'
    done = subprocess.run(
        ["bash", "-c", line, "bash", *PROGRAM, *args],
        cwd=folder, env={**os.environ, **environ}, capture_output=True, text=True, encoding="latin-1", timeout=120, check=False,
    )  # fmt: skip
    return int((folder / "status").read_text()), done.stdout, done.stderr


@pytest.mark.parametrize("redirection", CLOSED.values(), ids=CLOSED)
def test_every_command_ends_as_its_work_deserves_whoever_reads_it(folder, redirection):
    for name, (args, status) in COMMANDS.items():
        if name == "a saved plan":
            continue  # the apply before it has changed what it was made from
        found, _, err = shell(folder, args, redirection)
        assert "Traceback" not in err, name
        assert "Exception ignored" not in err, name
        assert found == status, f"{name}: {err}"


def test_a_saved_plan_is_applied_though_nobody_can_be_told(folder):
    assert shell(folder, COMMANDS["a saved plan"][0], "<&- >&- 2>&-")[0] == 0
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
