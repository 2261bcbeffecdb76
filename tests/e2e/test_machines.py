"""The command on machines that are set up otherwise: each run is a process of its own."""

import os
import stat
import subprocess

import pytest

from e2e.bench import PROGRAM, TOKEN, Bench

MANIFEST = "orgs: {acme: {display_name: Zoë’s, members: {alice: owner, bob: owner, zoe: member}}}\n"
WITHOUT = {"HOME", "LANG", "LC_ALL", "TZ", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL"}
MACHINES = {
    "no HOME": ({}, 0o022),
    "LANG=C": ({"HOME": "/nonexistent", "LANG": "C", "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}, 0o022),
    "the first zone to see a day": ({"HOME": "/nonexistent", "TZ": "Pacific/Kiritimati"}, 0o022),
    "umask 077": ({"HOME": "/nonexistent"}, 0o077),
    "git not configured": ({"HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null"}, 0o022),
}  # fmt: skip


@pytest.mark.parametrize(("more", "mask"), MACHINES.values(), ids=MACHINES)
def test_it_reviews_plans_and_applies_in_a_path_with_blanks_on_any_machine(tmp_path, capsys, more, mask):
    folder = tmp_path / "two words — und mehr"
    folder.mkdir()
    bench = Bench(folder, capsys)
    bench.pipes({"orgs": {"acme": {"members": {"alice": "owner", "bob": "member"}}}, "users": {"zoe": {}}})
    bench.manifest(MANIFEST)
    (folder / "base").mkdir()
    bench.manifest("orgs: {acme: {members: {alice: owner, bob: member}}}\n", "base/orgs.yaml")
    environ = {name: value for name, value in os.environ.items() if name not in WITHOUT} | {
        "PIPES_TOKEN": TOKEN,
        **more,
    }

    def run(*args):
        return subprocess.run(
            [*PROGRAM, *args], cwd=folder, env=environ, umask=mask, capture_output=True, timeout=120, check=False
        )

    def ran(status, *args):
        done = run(*args)
        assert (done.returncode, b"Traceback" in done.stderr) == (status, False), done.stderr.decode()
        return done.stdout.decode(errors="strict" if "LC_ALL" not in more else "replace")

    host = ["--host", f"sandbox:{bench.db.name}"]
    assert "bob" in ran(2, "review", "base", ".", "--detailed-exitcode")
    assert "1 to create, 2 to update" in ran(2, "plan", *host, "--detailed-exitcode", "-o", "a plan.json").replace(
        "\n", " "
    )
    ran(0, "apply", *host, "a plan.json")
    assert "No changes" in ran(0, "plan", *host, "--detailed-exitcode")
    assert stat.S_IMODE((folder / "a plan.json").stat().st_mode) & 0o077 == 0
