"""A patch: what it leads to, and how few lines it touches."""

from __future__ import annotations

import re
import subprocess

from hypothesis import given
from hypothesis import strategies as st

from reconciler.editing.unified_diff import hunks, unified

# few different lines, so that nearly all are repeated, and some that stand once
lines = st.lists(
    st.sampled_from(["alice: member\n", "bob: owner\n", "members:\n", *(f"org-{n}:\n" for n in range(12))]), max_size=30
)


def patched(old, found):
    """What a reader of unified diffs makes of it; fails where a hunk is not of the lines that it says."""
    new, at = [], 0
    for line in found:
        head = re.fullmatch(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@\n", line)
        if head:
            start, size, start_new, size_new = (int(number) if number else 1 for number in head.groups())
            begin = start - 1 if size else start
            new += old[at:begin]
            at = begin
            assert len(new) == (start_new - 1 if size_new else start_new)
            continue
        if line[0] in " -":
            assert old[at] == line[1:]
            at += 1
        if line[0] in " +":
            new.append(line[1:])
    return new + old[at:]


@given(old=lines, new=lines)
def test_a_patch_leads_from_the_old_lines_to_the_new(old, new):
    found = list(hunks(old, new))
    assert patched(old, found) == new
    assert bool(found) == (old != new)


@given(old=st.lists(st.sampled_from([f"org-{n}:\n" for n in range(40)]), unique=True), data=st.data())
def test_a_patch_touches_only_the_lines_that_go(old, data):
    gone = data.draw(st.sets(st.sampled_from(old))) if old else set()
    found = list(hunks(old, [line for line in old if line not in gone]))
    assert [line for line in found if line[0] in "+-"] == [f"-{line}" for line in old if line in gone]


def test_git_applies_the_patch_of_somebody_who_leaves_every_org_of_a_large_file(tmp_path):
    orgs = [[f"  org-{n}:\n", "    members:\n", *(f"      user-{m}: member\n" for m in range(30))] for n in range(300)]
    old = "version: 1\norgs:\n" + "".join(line for org in orgs for line in org)
    new = old.replace("      user-7: member\n", "")
    (tmp_path / "orgs.yaml").write_text(old)
    patch = unified({"orgs.yaml": old.encode()}, {"orgs.yaml": new.encode()})
    assert patch.count("\n-") == 300
    assert patch.count("\n+") == 1  # the file's name
    subprocess.run(["git", "apply", "-"], cwd=tmp_path, input=patch, text=True, check=True)
    assert (tmp_path / "orgs.yaml").read_text() == new
