"""What a version wrote, later ones read: manifests, lock files and saved plans are kept as 0.1.0 wrote them.

These files are never regenerated. A test that fails here has found a change that needs a new format version: see
docs/compatibility.md.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reconciler import cli
from reconciler.lockfile import file as lockfile
from reconciler.manifest import load_texts
from reconciler.plan.document import loads
from reconciler.safeguards.table import SAFEGUARDS
from stopped.sitecustomize import DAY

VERSIONS = [folder for folder in sorted(Path(__file__).parent.iterdir()) if (folder / "orgs.yaml").exists()]

every_version = pytest.mark.parametrize("folder", VERSIONS, ids=lambda folder: folder.name)

# of 0.1.0: a status never changes its meaning, and a code is never used for something else
STATUSES = {"DONE": 0, "ERROR": 1, "CHANGES": 2, "REFUSED": 3, "UNREACHABLE": 4, "PARTLY": 5, "INTERRUPTED": 130}
CODES = {
    "owner-floor", "owner-removal", "self-removal", "mass-removal", "org-delete", "workspace-delete", "connection-delete",
    "secret-loss", "rename", "handle-taken", "looks-like-rename", "unknown-user", "empty-read", "who-is-this",
    "lock-forged", "stale-plan", "self-lockout", "quota",
}  # fmt: skip
NEVER_LIFTED = {
    "org-delete", "workspace-delete", "connection-delete", "secret-loss", "rename", "handle-taken", "unknown-user",
    "empty-read", "who-is-this", "lock-forged", "stale-plan",
}  # fmt: skip
PLAN_KEYS = {"format_version", "resource_changes", "applyable", "complete", "errored", "digest"}


def test_there_is_a_version():
    assert VERSIONS[0].name == "0.1.0"


@every_version
def test_a_manifest_is_read_without_an_error_or_a_warning(folder):
    desired = load_texts({"orgs.yaml": (folder / "orgs.yaml").read_bytes()}, today=DAY)
    assert desired.warnings == ()
    acme = desired.orgs["acme"]
    assert acme.children["member"].keys() == {"alice", "bob", "carol", "dave", "frank"}


@every_version
def test_a_lock_file_is_read_with_every_entry(folder):
    path = folder / "reconciler.lock.json"
    written = json.loads(path.read_text(encoding="utf-8"))["entries"]
    assert written
    assert lockfile.parse(path, path.read_bytes()).keys() == written.keys()


@every_version
def test_a_saved_plan_is_read_with_every_change(folder):
    text = (folder / "plan.json").read_text(encoding="utf-8")
    document = json.loads(text)
    assert document.keys() >= PLAN_KEYS
    assert document["format_version"].partition(".")[0] == "1"
    assert len(loads(text).changes) == len(document["resource_changes"]) > 0


def test_exit_statuses_keep_their_meaning():
    assert {name: getattr(cli, name) for name in STATUSES} == STATUSES


def test_safeguards_keep_their_codes_and_none_becomes_one_that_allow_lifts():
    assert SAFEGUARDS.keys() >= CODES
    assert {code for code in CODES if not SAFEGUARDS[code].lifted_by_allow} >= NEVER_LIFTED
