"""For any manifests and anybody in them: after the patch they are nowhere, and nobody else gains or loses anything."""

from __future__ import annotations

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from layouts import rendered
from reconciler.access.maps import of_desired
from reconciler.editing.offboard import take_out
from reconciler.editing.people import everyone, people_called
from reconciler.manifest import load_texts
from stopped.sitecustomize import DAY as TODAY
from worlds import scenes


@st.composite
def cases(draw):
    """Manifests in any layout, some of whose people have other names there, and somebody in them."""
    document = draw(scenes(max_people=8)).document
    aliases = draw(st.dictionaries(st.sampled_from([f"p{n}" for n in range(8)]), st.just(None), max_size=3))
    renamed = {handle: f"name-{handle}" for handle in aliases}

    def with_names(data):
        if isinstance(data, dict):
            return {renamed.get(key, key): with_names(value) for key, value in data.items()}
        return [renamed.get(item, item) for item in data] if isinstance(data, list) else data

    document = with_names(document)
    document["people"].update({name: {"handle": handle} for handle, name in renamed.items()})
    text = draw(rendered(document, told=[])) + "\n"
    desired = load_texts({"orgs.yaml": text.encode()}, today=TODAY)
    return text, desired, draw(st.sampled_from(sorted(everyone(desired)))), document


def assignments(desired):
    return {
        (assignment.key, assignment.object, assignment.role, assignment.why, assignment.expires)
        for assignment in of_desired(desired, {}).assignments
    }


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(cases())
def test_whoever_leaves_is_nowhere_and_nobody_else_gains_or_loses_anything(case):
    text, before, name, document = case
    person = before.person(name)
    key = person.handle or person.email
    (somebody,) = people_called(name, before, {})
    assert people_called(key, before, {}) == [somebody]
    made = take_out({"orgs.yaml": text.encode()}, before, somebody)
    held = assignments(before)
    alone = {
        place for who_, place, role, *_ in held
        if who_ == key and role == "owner" and "/" not in place
        and sum(r == "owner" and p == place for _, p, r, *_ in held) <= before.rules.min_owners
    }  # fmt: skip
    event(f"refused: {bool(made.refusals)}")
    assert {refusal.address for refusal in made.refusals} == {f"org.{place}" for place in alone}
    if made.refusals:
        assert made.texts == {}
        return
    after = load_texts({"orgs.yaml": text.encode(), **made.texts}, today=TODAY)
    assert assignments(after) == {assignment for assignment in held if assignment[0] != key}
    assert not {one for people in after.teams.values() for one in people} & somebody.names
    for org, node in after.orgs.items():
        theirs = [one for one in entries(node) if one.name in somebody.names | somebody.handles]
        lines = document["orgs"][org].get("members", {}).items()
        needed = any(
            "owner" in str(line) or "absent" in str(line)
            for key, line in lines
            if {key, *before.teams.get(key.removeprefix("team/"), ())} & somebody.names
        )
        assert [one.absent for one in theirs] == ([True] if needed else [])
    again = take_out({"orgs.yaml": made.texts.get("orgs.yaml", text.encode())}, after, somebody)
    assert again.texts == {}


def entries(org):
    """Everybody in the members of an org, those whose time is up too."""
    return [node for group in (org.children, org.expired or {}) for node in group.get("member", {}).values()]
