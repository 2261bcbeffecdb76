"""The difference in access that a review shows is the difference of two maps that are computed without our code."""

import datetime as dt

import hypothesis
import yaml
from hypothesis import strategies as st

from reconciler.access.review import Side, make_review
from reconciler.manifest import load_texts
from reconciler.model.errors import ManifestError
from reconciler.report.review import document
from stopped.sitecustomize import DAY

PEOPLE = {
    "ann": {"handle": "ann-x"},
    "ben": {"email": "Ben@Example.com"},
    "cyd": {"handle": "cyd", "email": "c@example.com"},
}
NAMES = ("ann", "ben", "cyd", "dan", "eve")
RANK = ("member", "reader", "operator", "owner")
OTHER_NAMES = {"admin": "operator"}  # of roles


# --- the naive computation: straight from the written data, one question at a time ------------------------------------


def handle(name):
    entry = PEOPLE.get(name, {"handle": name})
    return entry.get("handle") or entry["email"].lower()


def people_of(team, teams):
    found = set()
    for item in teams[team]:
        found |= people_of(item[5:], teams) if item.startswith("team/") else {item}
    return found


def role_of(name, section, teams):
    """What a `members:` section gives one person today: (role, whether a day took something away)."""

    def current(entry):
        return not isinstance(entry, dict) or "expires" not in entry or entry["expires"] > DAY

    def role(entry):
        found = entry if isinstance(entry, str) else entry["role"]
        return OTHER_NAMES.get(found, found)

    def today(entry):
        over = isinstance(entry, dict) and "then" in entry and not current(entry)
        return entry["then"] if over else entry

    section = {key: today(entry) for key, entry in section.items()}
    if name in section and current(section[name]):
        entry = section[name]
        return None if isinstance(entry, dict) and "absent" in entry else role(entry)
    roles = [
        role(entry)
        for key, entry in section.items()
        if key.startswith("team/") and current(entry) and name in people_of(key[5:], teams)
    ]
    return max(roles, key=RANK.index, default=None)


def access_map(doc):
    """(handle, object) -> role."""
    found = {}
    for org, body in doc["orgs"].items():
        if body.get("absent"):
            continue
        for name in (*NAMES, "boss"):
            membership = role_of(name, body.get("members", {}), doc["teams"])
            if membership is not None:
                found[handle(name), org] = membership
            for space, inner in body.get("workspaces", {}).items():
                if inner.get("absent"):
                    continue
                grant = role_of(name, inner.get("members", {}), doc["teams"])
                if "members" in body and membership is None:
                    grant = None  # a grant falls with its member
                if membership == "owner":
                    grant = "owner"
                if grant is not None:
                    found[handle(name), f"{org}/{space}"] = grant
    return found


def under_new_names(found, doc, before):
    """A map of BASE with what HEAD says to be renamed."""
    orgs = {
        body["renamed_from"]: org
        for org, body in doc["orgs"].items()
        if body.get("renamed_from") in before["orgs"] and org not in before["orgs"]
    }
    spaces = {}
    for org, body in doc["orgs"].items():
        old = next((was for was, now in orgs.items() if now == org), org)
        for space, inner in body.get("workspaces", {}).items():
            listed = before["orgs"].get(old, {}).get("workspaces", {})
            if inner.get("renamed_from") in listed and space not in listed:
                spaces[f"{old}/{inner['renamed_from']}"] = space
    renamed = {}
    for (who, place), role in found.items():
        org, slash, space = place.partition("/")
        renamed[who, f"{orgs.get(org, org)}{slash}{spaces.get(place, space)}"] = role
    return renamed


# --- worlds -----------------------------------------------------------------------------------------------------------

days = st.sampled_from((DAY - dt.timedelta(1), DAY, DAY + dt.timedelta(1)))


def entries(keys, roles, elevation):
    strong, weak = elevation
    ends = st.builds(lambda role, day: {"role": role, "expires": day}, roles, days)
    falls_back = st.builds(lambda day: {"role": strong, "expires": day, "then": weak}, days)
    entry = roles | roles | ends | falls_back
    return st.dictionaries(keys, entry, max_size=5)


@st.composite
def worlds(draw):
    """A manifest as plain data; nearly always a valid one."""
    names = st.sampled_from(NAMES)
    teams = {
        "low": draw(st.lists(names, unique=True, max_size=3)),
        "mid": ["team/low", *draw(st.lists(names, unique=True, max_size=2))],
        "top": ["team/mid", "team/low"] if draw(st.booleans()) else ["team/mid"],
    }
    keys = names | st.sampled_from(("team/low", "team/mid", "team/top"))
    orgs = {}
    for org in draw(st.lists(st.sampled_from(("aa", "bb", "cc")), unique=True, min_size=1)):
        body = orgs[org] = {}
        if draw(st.integers(0, 9)) == 0:
            body["absent"] = True
            continue
        if draw(st.integers(0, 4)):
            body["members"] = {
                "boss": "owner",
                **draw(entries(keys, st.sampled_from(("member", "member", "owner")), ("owner", "member"))),
            }
            if draw(st.booleans()):
                body["members"].setdefault("team/top", "member")
        granted = sorted(set(body.get("members", NAMES)) - {"boss"})
        grants = st.sampled_from(granted or NAMES)
        spaces = {}
        for space in draw(st.lists(st.sampled_from(("pp", "qq")), unique=True)):
            roles = st.sampled_from(("reader", "operator", "admin"))
            kind = draw(st.integers(0, 5))
            spaces[space] = {"absent": True} if kind == 0 else {} if kind == 1 else {
                "members": draw(entries(grants, roles, ("operator", "reader"))) if granted else {}
            }  # fmt: skip
        if spaces:
            body["workspaces"] = spaces
    return {"version": 1, "people": PEOPLE, "teams": teams, "orgs": orgs}


@st.composite
def pull_requests(draw):
    """BASE and HEAD: another world, or the same with one thing changed; some orgs and workspaces renamed."""
    base = draw(worlds())
    head = draw(worlds())
    if draw(st.booleans()):
        head = {**base, "teams": head["teams"]}
    orgs = {}
    for org, old in head["orgs"].items():
        body, name = dict(old), org
        if "absent" not in body and org in base["orgs"] and draw(st.integers(0, 3)) == 0:
            body["renamed_from"], name = org, f"{org}-new"
        if "absent" not in body and "workspaces" in body:
            spaces = {}
            for space, inner in body["workspaces"].items():
                renames = "absent" not in inner and draw(st.integers(0, 3)) == 0
                spaces[f"{space}-new" if renames else space] = {**inner, "renamed_from": space} if renames else inner
            body["workspaces"] = spaces
        orgs[name] = body
    return base, {**head, "orgs": orgs}


def loaded(doc):
    try:
        return load_texts({"orgs.yaml": yaml.safe_dump(doc, sort_keys=False).encode()}, today=DAY)
    except ManifestError:
        hypothesis.reject()


@hypothesis.settings(
    deadline=None,
    max_examples=300,
    suppress_health_check=[hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.filter_too_much],
)
@hypothesis.given(pull_requests())
def test_the_access_that_a_review_shows_is_the_difference_of_two_maps(pull):
    base, head = pull
    review = make_review(Side(loaded(base)), Side(loaded(head)))
    shown = {
        (one["handle"], one["object"]): ((one["before"] or {}).get("role"), (one["after"] or {}).get("role"))
        for one in document(review)["access"]
    }
    before, after = under_new_names(access_map(base), head, base), access_map(head)
    wanted = {at: (before.get(at), after.get(at)) for at in {*before, *after} if before.get(at) != after.get(at)}
    assert shown == wanted
    assert len(document(review)["access"]) == len(shown)


@hypothesis.settings(deadline=None, max_examples=50, suppress_health_check=[hypothesis.HealthCheck.too_slow])
@hypothesis.given(worlds())
def test_the_same_manifests_change_nothing_whatever_they_say(doc):
    review = make_review(Side(loaded(doc)), Side(loaded(doc)))
    assert review.is_empty
