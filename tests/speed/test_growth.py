"""Twice the organizations cost about twice the calls, whatever the command: counts, which a busy machine cannot change."""

import sys
import threading
from pathlib import Path

import pytest

import reconciler
from reconciler import cli
from reconciler.sandbox.store import Store
from reconciler.sandbox.world import generate, seed
from speed.test_requests import manifest

HERE = ("--host", "sandbox:pipes.db")
OURS = str(Path(reconciler.__file__).parent)
SIZES = (5, 5, 10, 20)  # the first one warms up
WORKSPACES = (5, 5, 30, 55)
COMMANDS = {
    "validate": ("validate",),
    "access": ("access", "--out", "access.txt"),
    "fmt": ("fmt", "--check"),
    "plan": ("plan", *HERE),
    "drift": ("drift", *HERE),
    "lock": ("lock", *HERE),
    "import into a file": ("import", "--all", *HERE),
    "import into a new file": ("import", "--all", *HERE, "--out", "fresh.yaml"),
    "offboard": ("offboard", "user-00001"),
}


def calls(args):
    """How many calls our own code makes in a run, in all of its threads."""
    count = 0

    def note(frame, event, _arg):
        nonlocal count
        count += event in ("call", "c_call") and frame.f_code.co_filename.startswith(OURS)

    threading.setprofile(note)
    sys.setprofile(note)
    try:
        status = cli.run(args)
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    assert status in (0, 2)
    return count


def made(tmp_path_factory, worlds):
    """A folder for each world, with its manifest."""
    found = []
    for world in worlds:
        folder = tmp_path_factory.mktemp(f"estate-{len(found)}")
        with Store(folder / "pipes.db") as store:
            seed(store, world)
        (folder / "orgs.yaml").write_bytes(manifest(world))
        found.append(folder)
    return found


@pytest.fixture(scope="module")
def estates(tmp_path_factory):
    return made(tmp_path_factory, [generate(orgs=orgs, members=5, workspaces=1, grants=2) for orgs in SIZES])


@pytest.mark.parametrize("name", COMMANDS)
def test_what_another_organization_costs_does_not_grow_with_their_number(estates, monkeypatch, capsys, name):
    counts = []
    for folder in estates:
        monkeypatch.chdir(folder)
        (folder / "fresh.yaml").unlink(missing_ok=True)
        counts.append(calls(COMMANDS[name]))
    _, small, middle, large = counts
    assert large - middle <= 2.1 * (middle - small), counts


def test_what_another_workspace_of_an_organization_costs_does_not_grow_with_their_number(
    tmp_path_factory, monkeypatch, capsys
):
    worlds = [generate(orgs=1, members=5, workspaces=number, grants=2) for number in WORKSPACES]
    for name in ("plan", "import into a file"):
        counts = []
        for folder in made(tmp_path_factory, worlds):
            monkeypatch.chdir(folder)
            counts.append(calls(COMMANDS[name]))
        _, small, middle, large = counts
        assert large - middle <= 1.05 * (middle - small), (name, counts)
