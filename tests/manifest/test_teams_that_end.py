"""Entries of teams that end: who is in a team, and with which role, on which day."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.manifest import load_texts
from stopped.sitecustomize import DAY

FIRST = DAY


def people(teams, day, role="{role: owner, expires: 2026-12-05, then: member}"):
    text = f"version: 1\nteams:\n{teams}\norgs:\n  acme:\n    members:\n      alice: owner\n      team/top: {role}\n"
    desired = load_texts({"orgs.yaml": text.encode()}, today=day)
    members = desired.orgs["acme"].children["member"]
    return {
        name: (node.attrs["role"], node.expires, node.then) for name, node in members.items() if name != "alice"
    }, desired


def test_who_leaves_a_team_falls_back_to_nothing_and_who_stays_to_then():
    teams = "  top: [bob, {name: carol, expires: 2026-12-01}, {name: dave, expires: 2026-12-09}, team/in]\n  in: [{name: erin, expires: 2026-12-05}]"
    found, _ = people(teams, FIRST)
    assert found == {
        "bob": ("owner", date(2026, 12, 5), "member"),
        "carol": ("owner", date(2026, 12, 1), None),
        "dave": ("owner", date(2026, 12, 5), "member"),
        "erin": ("owner", date(2026, 12, 5), None),
    }
    found, desired = people(teams, date(2026, 12, 5))
    assert found == {"bob": ("member", None, None), "dave": ("member", date(2026, 12, 9), None)}
    assert desired.orgs["acme"].expired["member"].keys() >= {
        "carol",
        "erin",
    }  # their end is stated: nobody is lost by a gap
    assert any("carol in team top ended on 2026-12-01" in one.summary for one in desired.ended)
    assert desired.teams == {"top": ("bob", "dave"), "in": ()}


day = st.one_of(st.none(), st.integers(0, 4).map(lambda n: FIRST + timedelta(days=n)))


@settings(max_examples=60, deadline=None)
@given(
    lists=st.lists(
        st.dictionaries(st.sampled_from(["bob", "carol", "t0", "t1", "t2"]), day, max_size=4), min_size=3, max_size=3
    ),
    today=st.integers(0, 4).map(lambda n: FIRST + timedelta(days=n)),
)
def test_somebody_is_in_a_team_on_a_day_when_one_way_to_them_counts_on_it(lists, today):
    # a team holds later teams only, so there is no circle
    lists = [
        {name: end for name, end in one.items() if not name.startswith("t") or int(name[1]) > n}
        for n, one in enumerate(lists)
    ]

    def inside(n, on):
        for name, end in lists[n].items():
            if end is None or end > on:
                yield from inside(int(name[1]), on) if name.startswith("t") else [name]

    def item(name, end):
        name = f"team/{name}" if name.startswith("t") else name
        return name if end is None else f"{{name: {name}, expires: {end}}}"

    text = "version: 1\nteams:\n" + "".join(
        f"  t{n}: [{', '.join(item(*pair) for pair in one.items())}]\n" for n, one in enumerate(lists)
    )
    text += "orgs:\n  acme:\n    members: {alice: owner, team/t0: member}\n"
    desired = load_texts({"orgs.yaml": text.encode()}, today=today)
    assert {n: set(desired.teams[f"t{n}"]) for n in range(3)} == {n: set(inside(n, today)) for n in range(3)}
    for name, node in desired.orgs["acme"].children["member"].items():
        if name != "alice":
            last = next((on for on in (today + timedelta(days=k) for k in range(6)) if name not in inside(0, on)), None)
            assert node.expires == last


@pytest.mark.parametrize(
    ("item", "said"),
    [
        ("{name: bob, expires: 2026-02-30}", "`2026-02-30` does not exist in the calendar"),
        ("{name: bob, expires: soon}", "is not a"),
        ("{name: bob, role: owner}", "unknown key `role` for an entry of team top"),
        ("{expires: 2026-12-01}", "an entry of team top has no `name`"),
        ("{name: bob}, bob", "`bob` is in team top twice"),
        ("{name: team/nobody, expires: 2026-12-01}", "there is no team `team/nobody`"),
    ],
)
def test_what_is_wrong_with_an_entry_is_said(item, said):
    from reconciler.model.errors import ManifestError

    with pytest.raises(ManifestError) as raised:
        people(f"  top: [{item}]", FIRST)
    assert any(said in one.summary for one in raised.value.diagnostics), raised.value.diagnostics
