"""The owner floor over random worlds with robots in them: people keep owning an org after every single step.

`RECONCILER_OWNER_CASES` sets the number of cases.
"""

from __future__ import annotations

import os

from hypothesis import event, given, settings
from hypothesis import strategies as st

from reconciler.manifest import load_texts
from reconciler.model.errors import ManifestError
from reconciler.model.live import Actor, Resource, Snapshot
from reconciler.plan import make_plan
from stopped.sitecustomize import DAY

CASES = int(os.environ.get("RECONCILER_OWNER_CASES", "300"))
PEOPLE = ("p0", "p1", "p2", "p3")
MARKED = ("b0", "b1")  # ordinary accounts that `people:` marks as robots
SERVICES = ("s0", "s1", "s2")
ACCEPTED, INVITED = "accepted", "invited"

PRESENT = st.tuples(st.sampled_from(("owner", "member")), st.sampled_from((ACCEPTED, ACCEPTED, INVITED)))
WANTED = st.sampled_from(("owner", "owner", "member", "absent", None))


@st.composite
def scenes(draw):
    live = {"p0": draw(PRESENT)}
    for name in (*PEOPLE[1:], *MARKED):
        if (found := draw(st.none() | PRESENT)) is not None:
            live[name] = found
    for name in SERVICES:
        if (role := draw(st.sampled_from((None, "owner", "member")))) is not None:
            live[name] = (role, ACCEPTED)
    wanted = {name: draw(WANTED) for name in (*PEOPLE, *MARKED, *SERVICES)}
    accounts = {name: draw(st.sampled_from(("kept", "kept", "kept", "absent"))) for name in SERVICES if name in live}
    owners = [name for name, row in live.items() if row == ("owner", ACCEPTED)] or ["p0"]
    return {
        "live": live,
        "wanted": wanted,
        "accounts": accounts,
        "actor": draw(st.sampled_from(owners)),
        "floor": draw(st.sampled_from((1, 1, 2))),
        "unlisted": draw(st.sampled_from(("remove", "remove", "keep"))),
        "ignore": draw(st.sampled_from(("", "", "p3", "b*"))),
    }


def manifest(scene):
    accounts = scene["accounts"]
    lines = ["version: 1", f"safeguards: {{min_owners: {scene['floor']}}}", "people:"]
    lines += [f"  {name}: {{handle: {name}, robot: true}}" for name in MARKED]
    lines += ["orgs:", "  acme:", f"    unlisted: {scene['unlisted']}"]
    if scene["ignore"]:
        lines.append(f'    ignore: [{{handle: "{scene["ignore"]}", reason: somebody else\'s}}]')
    if accounts:
        lines.append("    service_accounts:")
        lines += [
            f"      {key}: {{{'absent: true' if how == 'absent' else f'title: {key}'}}}"
            for key, how in accounts.items()
        ]
    entries = []
    for name, want in scene["wanted"].items():
        if want is None or (scene["ignore"] and name.startswith(scene["ignore"].rstrip("*"))):
            continue
        if name in SERVICES and (name not in accounts or (accounts[name] == "absent" and want != "absent")):
            continue
        label = f"service/{name}" if name in SERVICES else name
        entries.append(f"      {label}: {'{absent: true}' if want == 'absent' else want}")
    return "\n".join([*lines, "    members:" if entries else "    members: {}", *entries]).encode()


def snapshot(scene):
    rows = {}
    for name, (role, status) in scene["live"].items():
        attrs = {"role": role, "status": status, **({"robot": True} if name in SERVICES else {})}
        rows[name] = Resource("member", name, f"u_{name}", 1, attrs)
    accounts = {
        name: Resource("service_account", name, f"u_{name}", 1, {"title": name, "description": "", "handle": name})
        for name in scene["accounts"]
    }
    org = Resource("org", "acme", "o_acme", 1, {"tenant_id": None}, {"member": rows, "service_account": accounts}, {})
    actor = scene["actor"]
    identities = dict.fromkeys((*PEOPLE, *MARKED))
    return Snapshot(Actor(f"u_{actor}", actor, "t", robot=actor in SERVICES), {"acme": org}, identities=identities)


def after(request, rows):
    """The rows that a request leaves."""
    left = {name: dict(row) for name, row in rows.items()}
    who = request.path.rpartition("/")[2].removeprefix("u_")
    if request.method == "DELETE":
        left.pop(who, None)
    elif request.method == "PATCH" and "/member/" in request.path:
        left[who]["role"] = request.body["role"]
    elif request.method == "POST" and request.path.endswith("/invite"):
        left[request.body["handle"]] = {"role": request.body["role"], "status": INVITED}
    return left


def people_who_own(rows):
    return {n for n, row in rows.items() if n in PEOPLE and row == {"role": "owner", "status": ACCEPTED}}


def all_who_own(rows):
    return {n for n, row in rows.items() if row == {"role": "owner", "status": ACCEPTED}}


def loaded(scene):
    """What the manifest asks for, or None and the errors."""
    try:
        return load_texts({"orgs.yaml": manifest(scene)}, today=DAY), []
    except ManifestError as error:
        return None, [one.summary for one in error.diagnostics if one.severity == "error"]


@settings(max_examples=CASES, deadline=None, derandomize=True, database=None)
@given(scenes())
def test_an_owner_goes_only_while_enough_people_stay(scene):
    desired, problems = loaded(scene)
    if desired is None:
        event("not valid")
        assert all("no person would own acme" in problem for problem in problems)
        kept_by_others = scene["ignore"] or "nobody"
        assert not any(scene["wanted"][n] == "owner" for n in PEOPLE if not n.startswith(kept_by_others))
        return
    plan = make_plan(desired, snapshot(scene))
    rows = {name: {"role": role, "status": status} for name, (role, status) in scene["live"].items()}
    least = None  # the fewest people who own the org once an owner, a person or a robot, has gone
    for step in plan.steps:
        had = all_who_own(rows)
        for request in step.requests:
            rows = after(request, rows)
        if had - all_who_own(rows):
            left = len(people_who_own(rows))
            assert step.accepted_owners == left
            least = left if least is None else min(least, left)
    refused = any(refusal.code == "owner-floor" for refusal in plan.refusals)
    assert refused == (least is not None and least < scene["floor"])
    event("refused" if refused else "an owner goes" if least is not None else "no owner goes")
    if refused and least == 0:
        assert any("no person would own acme" in refusal.fact and not refusal.liftable for refusal in plan.refusals)
    touched = {change.address.rpartition(".")[2].rpartition("/")[2] for change in plan.changes}
    if scene["ignore"]:
        assert not any(name.startswith(scene["ignore"].rstrip("*")) for name in touched)
    unlisted = {n for n in SERVICES if scene["wanted"][n] is None and scene["accounts"].get(n) != "absent"}
    assert not unlisted & touched
