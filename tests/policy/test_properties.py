"""Whatever the world: a limit is never helped by more access, and losing somebody never breaks one."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from reconciler.access.maps import Names
from reconciler.model.access import DIRECT, OWNS, Assignment, ConnectionUse
from reconciler.model.desired import Desired, Rules
from reconciler.model.diagnostic import Source
from reconciler.model.policy import Policy, Side, Waiver
from reconciler.policy.judge import judge
from reconciler.policy.world import World
from stopped.sitecustomize import DAY

HERE = Source("orgs.yaml", 1)
PEOPLE = ("alice", "bob", "carol", "dave", "service/ci")
PLACES = ("acme", "acme/prod", "acme/dev", "globex", "globex/prod")
ROLES = ("member", "reader", "operator", "owner")
TEAMS = {"sre": ("alice", "bob"), "ops": ("bob", "carol"), "none": ()}
NAMES = ("alice", "carol", "team/sre", "team/ops", "team/none", "owners")
PATTERNS = ("*", "acme", "*/*", "*/prod", "acme/*", "a*/p*")


# hypothesis would evaluate the annotations of these classes, which are for type checkers only
def assignment(**fields):
    return Assignment(**fields)


def side(**fields):
    return Side(**fields)


def waiver(**fields):
    return Waiver(**fields)


assignments = st.builds(
    assignment,
    person=st.sampled_from(PEOPLE),
    key=st.just(""),
    object=st.sampled_from(PLACES),
    role=st.sampled_from(ROLES),
    why=st.sampled_from((DIRECT, OWNS, "team/sre")),
    pending=st.sampled_from(("", "invited")),
    expires=st.none() | st.integers(1, 60).map(lambda days: DAY + timedelta(days=days)),
    then=st.sampled_from((None, "reader")),
    because=st.sampled_from((None, " ", "INC-1")),
)
some = st.lists(st.sampled_from(NAMES), min_size=1, max_size=2, unique=True).map(tuple)
roles = st.lists(st.sampled_from(ROLES), max_size=2, unique=True).map(tuple)
places = st.lists(st.sampled_from(PATTERNS), min_size=1, max_size=2, unique=True).map(tuple)
sides = st.sampled_from(("team/sre", "team/ops")).map(Side) | st.builds(side, places=places, roles=roles)
LIMITS = st.fixed_dictionaries(
    {"name": st.just("p"), "source": st.just(HERE), "roles": roles},
    optional={
        "max": st.integers(0, 3),
        "only": some,
        "unless": some,
        "expires_within": st.integers(0, 40),
        "reason": st.just(True),
        "robots": st.just(True),
        "email_domains": st.just(("acme.example",)),
        "apart": st.lists(sides, min_size=2, max_size=3, unique=True).map(tuple),
    },
)
policies = st.one_of(
    st.builds(lambda kept, where: Policy(**kept, places=where), LIMITS, places),
    st.builds(lambda kept: Policy(**{**kept, "apart": ()}, connections=("acme/aws_*",)), LIMITS),
)
waivers = st.lists(
    st.builds(
        waiver,
        policy=st.just("p"),
        until=st.integers(-2, 2).map(lambda days: DAY + timedelta(days=days)),
        reason=st.just("x"),
        source=st.just(HERE),
        who=st.none() | st.sampled_from(PEOPLE),
        place=st.none() | st.sampled_from(PLACES),
    ),
    max_size=2,
)


def world(found):
    """A world with one assignment for each person and place: the last one counts."""
    known = {(assignment.person, assignment.object): assignment for assignment in found}
    desired = Desired({}, {}, Rules(), DAY)
    made = World(DAY, Names(desired), teams=TEAMS, emails={"bob": ("bob@acme.example",), "carol": ("c@other.example",)})
    made.places = {place: [] for place in PLACES}
    for (person, place), assignment in known.items():
        made.places[place].append(
            Assignment(
                person,
                person,
                place,
                assignment.role,
                assignment.why,
                (),
                assignment.pending,
                assignment.expires,
                None,
                assignment.then,
                assignment.because,
            )
        )
    made.connection_uses = {
        "acme/aws_prod": [ConnectionUse("acme/aws_prod", "acme/prod"), ConnectionUse("acme/aws_prod", "acme/dev")]
    }
    return made


def broken(policy, allowed, found):
    return {one.at: one for one in judge({"p": policy}, allowed, world(found)).violations}


@given(st.lists(assignments, max_size=8), assignments, policies, waivers)
def test_one_more_grant_never_removes_a_violation_of_a_rule_that_limits(found, added, policy, allowed):
    if any((one.person, one.object) == (added.person, added.object) for one in found):
        return  # that would change a grant
    before, after = broken(policy, allowed, found), broken(policy, allowed, [*found, added])
    assert set(before) <= set(after)
    assert not [at for at in before if before[at].is_worse_than(after[at])]


@given(st.lists(assignments, max_size=8), st.sampled_from(PEOPLE), policies, waivers)
def test_removing_a_person_never_adds_a_violation_of_a_rule_that_limits(found, person, policy, allowed):
    before = broken(policy, allowed, found)
    after = broken(policy, allowed, [one for one in found if one.person != person])
    assert set(after) <= set(before)
    assert not [at for at in after if after[at].is_worse_than(before[at])]


@given(st.lists(assignments, max_size=8), assignments, st.integers(0, 3), places)
def test_one_more_grant_never_breaks_a_minimum_and_one_less_never_mends_it(found, added, least, where):
    if any((one.person, one.object) == (added.person, added.object) for one in found):
        return
    policy = Policy("p", HERE, places=where, min=least)
    assert set(broken(policy, (), [*found, added])) <= set(broken(policy, (), found))


@given(st.lists(assignments, max_size=8), policies, waivers)
def test_a_waiver_never_adds_a_violation_and_counts_through_its_last_day_only(found, policy, allowed):
    without, under = broken(policy, (), found), broken(policy, allowed, found)
    assert set(under) <= set(without)
    lapsed = [one for one in allowed if one.until < DAY]
    assert broken(policy, lapsed, found).keys() == without.keys()


@given(st.lists(assignments, max_size=8), policies, policies)
def test_policies_are_judged_each_by_itself(found, one, two):
    other = structs.replace(two, name="q")
    both = judge({"p": one, "q": other}, (), world(found)).violations
    alone = (*judge({"p": one}, (), world(found)).violations, *judge({"q": other}, (), world(found)).violations)
    assert sorted(map(repr, both)) == sorted(map(repr, alone))
