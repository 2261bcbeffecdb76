"""For any manifests in any layout: an edit does what it says for one person, and nothing for anybody else."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from layouts import rendered
from reconciler.access.maps import Names, of_desired
from reconciler.editing.canonical import canonical
from reconciler.editing.edit import place_called
from reconciler.editing.grant import give, take
from reconciler.editing.in_place import CannotEditError
from reconciler.editing.people import Somebody, everyone, people_called
from reconciler.editing.teams import let_in, move
from reconciler.editing.unified_diff import unified
from reconciler.manifest import load_texts
from reconciler.model.errors import UsageError
from stopped.sitecustomize import DAY as TODAY
from worlds import FUTURE, PEOPLE, scenes

FILE = "orgs.yaml"
SETTINGS = settings(
    max_examples=int(os.environ.get("RECONCILER_EDITS", "20")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@st.composite
def manifests(draw):
    """The bytes of a manifest: in any layout, or formatted; with either end of line, with or without the last one."""
    document = draw(scenes(max_people=8)).document
    text = draw(rendered(document, told=[])) + "\n"
    if draw(st.booleans()):
        text = canonical(FILE, text.encode()).decode()
    if draw(st.booleans()):
        text = text.replace("#", "#\t")
    if draw(st.booleans()):
        text = text.rstrip("\n")
    if draw(st.booleans()):
        text = text.replace("\n", "\r\n")
    return text.encode()


def read(data):
    return load_texts({FILE: data}, today=TODAY)


def assignments(desired, key, *, theirs):
    """What somebody reaches, or everybody else."""
    return {
        (assignment.key, assignment.object, assignment.role, assignment.expires, assignment.then)
        for assignment in of_desired(desired, {}).assignments
        if (assignment.key == key) == theirs
    }


def is_formatted(data):
    return canonical(FILE, data) == data


def checked(before, data, made, name):
    """What the manifests ask for after an edit; git takes its patch, and nobody else is concerned."""
    after = {FILE: data, **made.texts}[FILE]
    desired = read(after)
    keys = {Names(before).key(name), Names(desired).key(name)}
    for key in keys:
        assert assignments(before, key, theirs=False) - assignments(desired, key, theirs=False) == set()
    assert not is_formatted(data) or is_formatted(after)
    assert (b"\r\n" in after) == (b"\r\n" in data)
    if made.texts:
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, FILE).write_bytes(data)
            patch = unified({FILE: data}, {FILE: after}).encode()
            subprocess.run(["git", "apply", "-"], cwd=folder, input=patch, check=True)
            assert Path(folder, FILE).read_bytes() == after
    return desired


def places(desired):
    found = []
    for org in desired.orgs.values():
        if not org.absent:
            found.append(org.name)
            found += [f"{org.name}/{s.name}" for s in org.children.get("workspace", {}).values() if not s.absent]
    return found


@SETTINGS
@given(st.data())
def test_a_grant_gives_what_it_says_and_a_revoke_of_it_gives_back_the_same_bytes(data):
    before = data.draw(manifests())
    desired = read(before)
    assume(places(desired))
    name = data.draw(st.sampled_from(sorted({*everyone(desired), *PEOPLE[:8], "newcomer"})))
    found = people_called(name, desired, {})
    somebody = found[0] if found else Somebody(frozenset([name]), frozenset([name]))
    place = place_called(data.draw(st.sampled_from(places(desired))), desired)
    role = data.draw(st.sampled_from(place.ranks))
    expires = data.draw(st.sampled_from([None, None, read(b"version: 1\n").day.fromisoformat(FUTURE)]))
    key = Names(desired).key(name)
    try:
        made = give({FILE: before}, desired, {}, somebody, place, role, expires=expires)
    except (CannotEditError, UsageError) as error:
        event(f"{type(error).__name__}")
        return
    event("refused" if made.refusals else "already" if made.already else "given")
    if made.refusals:
        return
    after = checked(desired, before, made, name)
    has = {(where, what, until) for _, where, what, until, _ in assignments(after, key, theirs=True)}
    longer = {what for where, what, until in has if where == place.name and until}
    if not made.already and all(place.ranks.index(what) < place.ranks.index(role) for what in longer - {role}):
        assert (place.name, role, expires) in has  # a stronger role that ends comes first
    if not made.already:
        assert made.texts
    given_ = place.has(somebody)
    gained = assignments(after, key, theirs=True) - assignments(desired, key, theirs=True)
    fresh = given_ is None and not made.already and {where for _, where, *_ in gained} == {place.name}
    if (
        (role == "owner" and place.node is place.org)
        or not fresh
        or any("joins" in note or "stated absent" in note for note in made.notes)
    ):
        return
    if any(line is not None for line in lines_of(before, place, somebody)):
        return  # an expired line of theirs was replaced
    if set(before.splitlines()) - set(made.texts[FILE].splitlines()):
        event("other lines moved")  # a comment that ended the entry above is no part of it any more
        return
    again = take({FILE: made.texts[FILE]}, after, {}, somebody, place_called(place.name, after))
    if not again.refusals:
        event("there and back")
        assert again.texts[FILE] == before


def lines_of(data, place, somebody):
    from reconciler.editing.edit import Editor

    return Editor({FILE: data}, read(data), {}, somebody).lines(place)


@SETTINGS
@given(st.data())
def test_a_revoke_takes_all_of_it_or_is_refused(data):
    before = data.draw(manifests())
    desired = read(before)
    assume(places(desired) and everyone(desired))
    name = data.draw(st.sampled_from(sorted(everyone(desired))))
    (somebody,) = people_called(name, desired, {})
    where = data.draw(st.sampled_from(places(desired)))
    key = Names(desired).key(name)
    try:
        made = take({FILE: before}, desired, {}, somebody, place_called(where, desired))
    except CannotEditError:
        event("cannot")
        return
    event("refused" if made.refusals else "already" if made.already else "taken")
    if made.refusals:
        assert made.refusals[0].code in ("given-by-team", "given-by-ownership", "owner-floor")
        return
    after = checked(desired, before, made, name)
    left = {one for _, one, *_ in assignments(after, key, theirs=True)}
    assert not {one for one in left if one == where or one.startswith(f"{where}/")}
    kept = {
        one for one in assignments(desired, key, theirs=True) if one[1] != where and not one[1].startswith(f"{where}/")
    }
    assert kept <= assignments(after, key, theirs=True)


@SETTINGS
@given(st.data())
def test_whoever_moves_is_on_one_list_and_off_the_other(data):
    before = data.draw(manifests())
    desired = read(before)
    assume(len(desired.teams) > 1 and everyone(desired))
    name = data.draw(st.sampled_from(sorted(everyone(desired))))
    (somebody,) = people_called(name, desired, {})
    leave, join = data.draw(st.permutations(sorted(desired.teams)))[:2]
    try:
        made = move({FILE: before}, desired, {}, somebody, leave, join)
    except (CannotEditError, UsageError) as error:
        event(f"{type(error).__name__}")
        return
    event("refused" if made.refusals else "already" if made.already else "moved")
    if made.refusals:
        return
    after = checked(desired, before, made, name)
    assert somebody.names & set(after.nested[join])
    assert not somebody.names & set(after.nested[leave])
    owned = {
        org
        for _, org, role, *_ in assignments(desired, Names(desired).key(name), theirs=True)
        if role == "owner" and "/" not in org
    }
    for org in owned:
        assert any(one in somebody for one in after.orgs[org].children["member"])  # stated where it ends


@SETTINGS
@given(st.data())
def test_somebody_new_gets_what_another_has_but_ownership_and_what_ends(data):
    before = data.draw(manifests())
    desired = read(before)
    assume(everyone(desired))
    name = data.draw(st.sampled_from(sorted(everyone(desired))))
    (like,) = people_called(name, desired, {})
    teams = data.draw(st.lists(st.sampled_from(sorted(desired.teams)), max_size=1)) if desired.teams else []
    try:
        made = let_in({FILE: before}, desired, {}, "zoe", "zoe@example.com", like=like, teams=teams)
    except CannotEditError as error:
        event(str(error).partition(":")[0])
        return
    after = checked(desired, before, made, "zoe")
    assert after.people["zoe"].email == "zoe@example.com"
    has = assignments(after, "zoe@example.com", theirs=True)
    if not teams:
        assert all(role != "owner" and expires is None for _, _, role, expires, _ in has)
        theirs = {where for _, where, *_ in assignments(desired, Names(desired).key(name), theirs=True)}
        assert {where for _, where, *_ in has} <= theirs
    again = let_in({FILE: made.texts[FILE]}, after, {}, "zoe", "ZOE@example.com", teams=teams)
    assert again.already
