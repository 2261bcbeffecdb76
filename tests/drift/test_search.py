"""Which entry of an audit log made a difference: pure, over logs of any shape."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from built import built
from reconciler.drift.compare import find
from reconciler.manifest import load_texts
from reconciler.model.live import Actor, LockEntry, Resource, Snapshot
from stopped.sitecustomize import DAY

MANIFEST = b"""\
version: 1
orgs:
  acme:
    display_name: Acme
    members: {alice: owner, bob: member, carol: member}
    workspaces:
      prod: {instance_type: db1.small, members: {bob: reader}}
"""
LOCK = {"org.acme": LockEntry("o_acme"), "org.acme/member.carol": LockEntry("u_carol")}


@dataclass(frozen=True)
class Entry:
    """A line of a log, as the test writes it."""

    id: str
    action: str
    target_id: str = ""
    target_handle: str = ""
    data: Any = field(default_factory=dict)
    actor: str = "eve"
    ip: str = "192.0.2.7"
    at: datetime | None = datetime(2026, 11, 23, 12, tzinfo=UTC)


def person(kind, handle, role):
    return Resource(kind, handle, f"u_{handle}", 1, {"role": role, "status": "accepted"})


def live(*, bob="owner", mallory=None, carol=True, size="db1.small", name="Acme", grant="reader"):
    members = {"alice": "owner", **({"bob": bob} if bob else {}), **({"carol": "member"} if carol else {})}
    members.update({"mallory": mallory} if mallory else {})
    grants = {"bob": person("grant", "bob", grant)} if grant else {}
    space = Resource("workspace", "prod", "w_prod", 1, {"instance_type": size}, {"grant": grants})
    children = {"member": {h: person("member", h, r) for h, r in members.items()}, "workspace": {"prod": space}}
    org = Resource("org", "acme", "o_acme", 1, {"display_name": name}, children)
    return Snapshot(Actor("u_alice", "alice", "t_1"), {"acme": org})


def searched(snapshot, entries):
    """What the log tells of the one difference that there is: (the entry's id, certain), and how many were looked at."""
    finding = find(load_texts({"orgs.yaml": MANIFEST}, today=DAY), snapshot, LOCK)
    (search,) = finding.searches
    looked = 0
    for entry in entries:
        if search.done:
            break
        looked += 1
        search.read(entry)
    (found,) = finding.with_doers().differences
    return (found.by.entry, found.by.certain) if found.by else None, looked


ROLE = {"old": {"role": "member"}, "new": {"role": "owner"}}
OTHERS = [
    Entry("x1", "org_member.update", "u_alice", "alice", ROLE),
    Entry("x2", "workspace_member.update", "u_bob", "bob", {"workspace_id": "w_other", **ROLE}),
    Entry("x3", "org.update", "o_acme", "acme", {"new": {"url": "bob"}}),
    Entry("x4", "workspace.update", "w_other", "other", {"new": {"instance_type": "db1.medium"}}),
    Entry("x5", "org_member.confirm", "u_bob", "bob", {"status": "accepted"}),
    Entry("x6", "workspace_member.create", "u_mallory", "mallory", {"workspace_id": "w_prod", "role": "reader"}),
    Entry("x7", "org_member.confirm", "u_mallory", "mallory", {"status": "accepted"}),
]


@pytest.mark.parametrize(
    ("snapshot", "entries", "told"),
    [
        pytest.param(live(), [Entry("a", "org_member.update", "u_bob", "bob", ROLE)], ("a", True), id="by its id"),
        pytest.param(live(), [Entry("a", "org_member.update", "", "bob", ROLE)], ("a", True), id="by its handle"),
        pytest.param(
            live(),
            [Entry("a", "org_member.update", "m_77", "", {"user_handle": "bob", **ROLE})],
            ("a", True),
            id="by its handle in the data",
        ),
        pytest.param(live(), [Entry("a", "OrgMemberUpdated", "u_bob", "bob", ROLE)], ("a", True), id="in camel case"),
        pytest.param(live(), [Entry("a", "robot.dance", "u_bob", "bob", ROLE)], ("a", True), id="an unknown action"),
        pytest.param(
            live(), [Entry("a", "robot.dance", "u_bob", "bob", None)], ("a", False), id="an unknown action without data"
        ),
        pytest.param(
            live(),
            [Entry("b", "org_member.update", "u_bob", "bob", {"note": 1}), Entry("a", "org_member.update", "u_bob", "bob", ROLE)],
            ("a", True),
            id="an older entry that names the attribute",
        ),
        pytest.param(
            live(),
            [Entry("a", "org_member.invite", "u_bob", "bob", {"role": "owner"}), Entry("b", "org_member.delete", "u_bob", "bob")],
            ("a", True),
            id="invited anew with another role",
        ),
        pytest.param(live(), [Entry("b", "org_member.delete", "u_bob", "bob", ROLE)], None, id="a removal made no role"),
        pytest.param(
            live(mallory="member", bob="member"),
            [
                Entry("c", "org_member.update", "u_mallory", "mallory", ROLE),
                Entry("b", "org_member.confirm", "u_mallory", "mallory"),
                Entry("a", "org_member.invite", "u_mallory", "mallory", {"role": "member"}),
            ],
            ("a", True),
            id="who invited, not who accepted",
        ),
        pytest.param(
            live(carol=False, bob="member"),
            [Entry("a", "org_member.remove", "u_carol", "carol-of-old", {})],
            ("a", True),
            id="who is gone is known by the lock file's id",
        ),
        pytest.param(
            live(size="db1.medium", bob="member"),
            [
                Entry("b", "workspace.update", "w_prod", "prod", {"new": {"desired_state": "enabled"}}),
                Entry("a", "workspace.update", "w_prod", "prod", {"new": {"instance_type": "db1.medium"}}),
            ],
            ("a", True),
            id="the attribute that differs",
        ),
        pytest.param(
            live(name="Evil", bob="member"),
            [Entry("a", "org.update", "o_acme", "acme", {"diff": [{"display_name": ["Acme", "Evil"]}]})],
            ("a", True),
            id="data of another shape",
        ),
        pytest.param(
            live(grant="operator", bob="member"),
            [
                Entry("b", "workspace_member.update", "u_bob", "bob", {"workspace_handle": "stage", **ROLE}),
                Entry("a", "workspace_member.update", "u_bob", "bob", {"workspace_handle": "prod", **ROLE}),
            ],
            ("a", True),
            id="a grant in this workspace, not in another",
        ),
        pytest.param(
            live(grant=None, bob="member"),
            [Entry("a", "org_member.delete", "u_bob", "bob", {"role": "member"})],
            ("a", True),
            id="who is removed from the org loses grants too",
        ),
        pytest.param(
            live(grant=None, bob="member"),
            [Entry("b", "workspace_member.delete", "u_bob", "bob", {"workspace_id": "w_stage"})],
            None,
            id="a grant removed elsewhere",
        ),
        pytest.param(live(), [], None, id="an empty log"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("noise", [[], OTHERS], ids=["alone", "among others"])
def test_the_entry_that_made_a_difference_is_found(snapshot, entries, told, noise):
    assert searched(snapshot, [*noise, *entries, *noise])[0] == told


def test_no_more_is_read_than_is_needed():
    sure = Entry("a", "org_member.update", "u_bob", "bob", ROLE)
    assert searched(live(), [*OTHERS, sure, *OTHERS]) == (("a", True), len(OTHERS) + 1)


def test_who_may_have_done_it_does_not_end_the_search():
    perhaps = Entry("b", "robot.dance", "u_bob", "bob")
    assert searched(live(), [perhaps, *OTHERS])[1] == len(OTHERS) + 1


def test_an_unknown_action_is_shown_as_it_is():
    finding = find(load_texts({"orgs.yaml": MANIFEST}, today=DAY), live(), LOCK)
    (search,) = finding.searches
    search.read(Entry("a", "\x1b[2J::error::<b>", "u_bob", "bob", ROLE, at=None))
    (found,) = finding.with_doers().differences
    assert (found.by.action, found.by.at, found.by.actor, found.by.ip) == (
        "\x1b[2J::error::<b>",
        None,
        "eve",
        "192.0.2.7",
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["bob", "u_bob", "prod", "role"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["role", "new", "x"]), inner, max_size=3)
    ),
    max_leaves=10,
)
ANY = built(
    Entry,
    id=st.text(min_size=1, max_size=3),
    action=st.text(max_size=12) | st.sampled_from(["org_member.update", "org_member.delete", "org.update"]),
    target_id=st.sampled_from(["", "u_bob", "o_acme", "w_prod"]),
    target_handle=st.sampled_from(["", "bob", "acme", "prod"]),
    data=JSON,
)


@given(st.lists(ANY, max_size=6))
def test_no_log_whatever_its_shape_brings_a_search_down(entries):
    told, looked = searched(live(), entries)
    assert looked <= len(entries)
    assert told is None or told[0] in {entry.id for entry in entries}
    # of several that fit, none newer fits as well: what is told is what the first alone tells
    if told is not None and told[1]:
        first = next(n for n, entry in enumerate(entries) if searched(live(), [entry])[0] == (entry.id, True))
        assert (looked, told[0]) == (first + 1, entries[first].id)


def test_data_nested_a_thousand_deep_is_no_traceback():
    data = "bob"
    for _ in range(10_000):
        data = {"x": data}
    assert searched(live(), [Entry("a", "org_member.update", "u_bob", "bob", data)])[0] == ("a", False)
