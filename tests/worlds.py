"""Generated worlds: what is live, what the manifests want, and what must be true once that is applied.

`Pipes` is an embedded Pipes in memory with the real client before it; time passes there only when somebody waits.
"""

from __future__ import annotations

import json
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from adapter import SandboxAdapter
from reconciler import manifest
from reconciler.apply import run as apply
from reconciler.apply.journal import Journal
from reconciler.apply.recover import recover
from reconciler.pipes.client import Client, Clock
from reconciler.pipes.reading import snapshot
from reconciler.pipes.settings import Settings
from reconciler.pipes.transport import ReadOnlyAdapter
from reconciler.plan import make_plan
from reconciler.sandbox import app as sandbox_app
from reconciler.sandbox.store import Store
from reconciler.sandbox.world import seed
from stopped.sitecustomize import DAY as TODAY

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

PAST, FUTURE = "2026-11-01", "2027-06-30"
ACTOR = "p0"
ROBOT = "sa-"  # how the handles of service accounts begin


class Pipes:
    """An embedded Pipes in memory, and what reconciler does with it, without files but for the journal."""

    def __init__(
        self, world: dict[str, Any], *, if_match: bool = True, observer: Any = None, faults: Any = None
    ) -> None:
        self.store = Store(":memory:")
        seed(self.store, world)
        self.if_match = if_match
        self.observer = observer
        self.faults = faults
        self.token = self.store.default_token()
        self.now = 0.0
        self.usual_app = self.app(faults)  # made once: making its routes takes longer than a plan

    @classmethod
    def sharing(cls, other: Pipes) -> Pipes:
        """The same Pipes, for somebody who is not watched and meets no faults."""
        twin = cls.__new__(cls)
        twin.__dict__.update(other.__dict__, observer=None, faults=None)
        twin.usual_app = twin.app(None)
        return twin

    def close(self) -> None:
        self.store.close()

    def role(self, org: str, person: str) -> str | None:
        """Somebody's role in an org, by the store itself."""
        with self.store.read() as db:
            row = db.execute(
                "SELECT m.role FROM member m JOIN org o ON o.id = m.org_id JOIN user u ON u.id = m.user_id"
                " WHERE o.handle = ? AND u.handle = ?", (org, person),
            ).fetchone()  # fmt: skip
        return row[0] if row else None

    def display_name(self, org: str) -> str | None:
        """An org's display name, by the store itself."""
        with self.store.read() as db:
            row = db.execute("SELECT display_name FROM identity WHERE type = 'org' AND handle = ?", (org,)).fetchone()
        return row[0] if row else None

    def audit(self) -> list[dict[str, Any]]:
        """Every audit record, oldest first, with the workspace's id beside it."""
        with self.store.read() as db:
            rows = db.execute("SELECT workspace_id, org_id, row FROM audit ORDER BY seq").fetchall()
        return [{"in": f"{org}/{workspace}", **json.loads(row)} for workspace, org, row in rows]

    def wait(self, seconds: float) -> None:
        self.now += seconds

    def app(self, faults: Any) -> Any:
        return sandbox_app.create_app(
            self.store, faults, if_match=self.if_match, observer=self.observer, settle_reads=1
        )

    @contextmanager
    def client(self, *, read_only: bool, faults: Any = None, parallelism: int = 4, wrap: Any = None):
        app = self.app(faults) if faults else self.usual_app
        if wrap is not None:
            app = wrap(app)
        settings = Settings("http://sandbox.invalid/api/v0", self.token)
        with Client(
            settings,
            read_only=read_only,
            parallelism=parallelism,
            clock=Clock(lambda: self.now, lambda: 1_800_000_000 + self.now, self.wait),
        ) as client:
            adapter = SandboxAdapter(app)
            client.carrier.session.mount("http://", ReadOnlyAdapter(adapter) if read_only else adapter)
            yield client

    def plan(self, desired, lock, allow=(), *, faults: Any = None):
        """A plan, and the snapshot that it was made from."""
        with self.client(read_only=True, faults=faults) as client:
            live = snapshot(client, desired, lock)
        return make_plan(desired, live, lock, allow), live

    def rerun(self, desired, lock, folder: Path):
        """What a next `apply` does: take account of the journal, plan afresh with all that can be allowed, apply."""
        with Journal(folder) as journal:
            with self.client(read_only=True) as client:
                lock, _ = recover(client, journal.earlier, lock, apply.named_by_handle(desired))
            first, _ = self.plan(desired, lock)
            allow = [(refusal.code, refusal.address) for refusal in first.refusals if refusal.liftable]
            plan, live = self.plan(desired, lock, allow)
            if plan.refusals:
                return plan, None, lock
            with self.client(read_only=False) as client:
                options = apply.Options(parallelism=4, clock=lambda: self.now)
                applied = apply.run_plan(plan, desired, live, lock, client, journal, options)
            journal.end()
        return plan, applied.result, applied.lock

    def apply(
        self, plan, desired, live, lock, folder: Path, *, faults: Any = None, parallelism: int = 4, wrap: Any = None
    ):
        """Apply a plan; returns the result and the lock file's new content."""
        with (
            Journal(folder) as journal,
            self.client(read_only=False, faults=faults, parallelism=parallelism, wrap=wrap) as client,
        ):
            options = apply.Options(parallelism=parallelism, clock=lambda: self.now)
            applied = apply.run_plan(plan, desired, live, lock, client, journal, options)
            journal.end()
        return applied.result, applied.lock


def load(document: dict[str, Any], today: date = TODAY):
    """A manifest given as data, through the real reader: JSON is YAML."""
    return manifest.load_texts({"orgs.yaml": json.dumps(document).encode()}, today=today)


@dataclass
class Expected:
    """What must be live after an apply, by org: told by the generator, not worked out by the planner."""

    members: dict[str, dict[str, str]] = field(default_factory=dict)  # org -> person -> role, where authoritative
    grants: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)  # org, workspace -> person -> role
    workspaces: dict[str, set[str]] = field(default_factory=dict)  # org -> workspaces that must be there
    robots: dict[str, list[str]] = field(default_factory=dict)  # org -> the service accounts that stay
    gone: set[str] = field(default_factory=set)  # orgs and org/workspace that must not be there


@dataclass
class Scene:
    """A world, the manifests for it, and what follows."""

    world: dict[str, Any]
    document: dict[str, Any]
    expected: Expected
    floor: int = 1
    heir: str | None = None  # who can look afterwards, where the token's own user hands over


PEOPLE = [f"p{i}" for i in range(30)]
EMAILS = ["mail-a", "mail-b"]
SPACES = ["prod", "dev", "test1", "lab"]
ORG_ROLES = ["member", "owner"]
GRANT_ROLES = ["reader", "operator", "owner"]
STRENGTH = {role: place for place, role in enumerate(ORG_ROLES)} | {"reader": 0, "operator": 1}


@st.composite
def scenes(draw, max_people: int = 30) -> Scene:
    """Worlds of one to three orgs, and manifests that change them in every way that can be written down."""
    count = draw(st.integers(2, max_people))
    people = PEOPLE[:count]
    teams = {
        "red": draw(st.lists(st.sampled_from(people), min_size=1, max_size=6, unique=True)),
        "blue": draw(st.lists(st.sampled_from(people), min_size=1, max_size=4, unique=True)),
    }
    flat = {"red": set(teams["red"]), "blue": set(teams["blue"]) | set(teams["red"])}
    document: dict[str, Any] = {
        "version": 1,
        "people": {name: {"email": f"{name}@example.com"} for name in EMAILS},
        "teams": {"red": teams["red"], "blue": ["team/red", *teams["blue"]]},
        "orgs": {},
    }
    world: dict[str, Any] = {
        "actor": ACTOR, "seed": "worlds", "now": "2026-11-24T09:00:00Z",
        "users": {name: {"email": f"{name}@example.com"} for name in PEOPLE}, "orgs": {},
        "tokens": [{"user": name, "token": token_of(name)} for name in PEOPLE],
    }  # fmt: skip
    custom = draw(st.integers(0, 3)) == 0  # people are added to it by handle, and cannot be invited
    if custom:
        boss = draw(st.sampled_from(PEOPLE))
        world["tenant"] = {"handle": "acme-tenant", "members": {**dict.fromkeys(PEOPLE, "member"), boss: "owner"}}
    # only a custom tenant's owners create organizations in it
    fates = ["managed"] * 4 + ["renamed", "absent"] + ([] if custom and boss != ACTOR else ["created"])
    expected = Expected()
    for name in draw(st.sampled_from([["acme"], ["acme", "beta"], ["acme", "beta", "zulu"]])):
        fate = draw(st.sampled_from(fates))
        if fate != "created":
            live_name = f"{name}-before" if fate == "renamed" else name
            world["orgs"][live_name] = draw(live_orgs(people, custom))
            if not custom:  # no line lists them, so they stay as they are, and keep no org
                roles = draw(st.lists(st.sampled_from(ORG_ROLES), max_size=2))
                world["orgs"][live_name]["service_accounts"] = {
                    f"{ROBOT}{name}-{number}": {"title": f"Robot {number}", "role": role}
                    for number, role in enumerate(roles)
                }
        if fate == "absent":
            document["orgs"][name] = {"absent": True}
            expected.gone.add(name)
            continue
        live = None if fate == "created" else world["orgs"][live_name]
        if live is not None:
            expected.robots[name] = list(live.get("service_accounts", ()))
        document["orgs"][name] = draw(wanted_orgs(name, people, flat, live, expected, custom))
        if fate == "renamed":
            document["orgs"][name]["renamed_from"] = live_name
    if custom:
        for granted in expected.grants.values():
            granted.pop(boss, None)  # owns every org through the tenant: a grant would be redundant
    floor = draw(st.sampled_from([1, 1, 1, 2]))
    document["safeguards"] = {"min_owners": floor}
    heir = draw(hand_overs(world, document, expected)) if draw(st.integers(0, 2)) == 0 else None
    return Scene(world, document, expected, floor, heir)


@st.composite
def hand_overs(draw, world, document, expected) -> str | None:
    """Let the token's own user hand the one org over to somebody who is in it, and perhaps leave it."""
    (name, *more), live = list(document["orgs"]), list(world["orgs"].values())
    section = document["orgs"][name].get("members")
    if more or not live or section is None:
        return None
    heirs = [p for p, what in live[0]["members"].items() if isinstance(what, str) and p != ACTOR]
    if not heirs:
        return None
    heir = draw(st.sampled_from(heirs))
    section[heir] = expected.members[name][heir] = "owner"
    for (org, _), granted in expected.grants.items():
        if org == name:
            granted.pop(heir, None)
    if draw(st.booleans()):
        section[ACTOR] = expected.members[name][ACTOR] = "member"
    else:
        section[ACTOR] = {"absent": True}
        del expected.members[name][ACTOR]
    for space in document["orgs"][name].get("workspaces", {}).values():
        space.get("members", {}).pop(ACTOR, None)
    return heir


def token_of(person: str) -> str:
    """The sandbox token of somebody in a generated world."""
    return f"tpt_{person}_of_a_generated_world"


@st.composite
def live_orgs(draw, people, custom) -> dict[str, Any]:
    kinds = ["none", "none", "member", "member", "owner", "invited member", "invited owner"]
    drawn = draw(st.lists(st.sampled_from(kinds), min_size=len(people), max_size=len(people)))
    members: dict[str, Any] = {ACTOR: "owner"}
    for person, kind in zip(people[1:], drawn[1:], strict=True):
        if kind != "none":
            role = kind.split()[-1]
            members[person] = {"role": role, "status": "invited"} if "invited" in kind and not custom else role
    spaces = {}
    for space in draw(st.sets(st.sampled_from(SPACES))):
        granted = draw(st.dictionaries(st.sampled_from(sorted(members)), st.sampled_from(GRANT_ROLES), max_size=6))
        spaces[space] = {
            "desired_state": draw(st.sampled_from(["enabled", "disabled"])),
            "members": {p: r for p, r in granted.items() if members[p] != "owner"},
        }
    return {"display_name": draw(st.sampled_from(["", "Old"])), "members": members, "workspaces": spaces}


@st.composite
def wanted_orgs(draw, name, people, flat, live, expected, custom) -> dict[str, Any]:
    org: dict[str, Any] = {}
    if draw(st.booleans()):
        org["display_name"] = draw(st.sampled_from(["New name", None]))
    if draw(st.booleans()) and not custom:  # there the tenant pays, and has the thresholds
        org["usage_user_threshold"] = draw(st.integers(0, 5))
    managed = live is None or draw(st.integers(0, 5)) > 0
    if managed:
        org["members"], will_be = draw(member_sections(people, flat, [] if custom else EMAILS))
        expected.members[name] = will_be
    else:
        will_be = {p: r if isinstance(r, str) else r["role"] for p, r in live["members"].items()}
    org["workspaces"] = {}
    live_spaces = set(live["workspaces"]) if live else set()
    for space in draw(st.sets(st.sampled_from(SPACES))):
        if space in live_spaces and draw(st.integers(0, 4)) == 0:
            org["workspaces"][space] = {"absent": True}
            expected.gone.add(f"{name}/{space}")
            continue
        node: dict[str, Any] = {}
        if draw(st.booleans()):
            node["desired_state"] = draw(st.sampled_from(["enabled", "disabled"]))
        if draw(st.booleans()):
            node["search_path_prefix"] = draw(st.sampled_from([["aws"], ["aws", "gcp"], []]))
        if draw(st.integers(0, 4)) > 0:
            chosen = draw(st.dictionaries(st.sampled_from(sorted(will_be)), st.sampled_from(GRANT_ROLES), max_size=6))
            node["members"] = dict(chosen)
            expected.grants[name, space] = {p: r for p, r in chosen.items() if will_be[p] != "owner"}
        org["workspaces"][space] = node
        expected.workspaces.setdefault(name, set()).add(space)
    return org


@st.composite
def member_sections(draw, people, flat, emails) -> tuple[dict[str, Any], dict[str, str]]:
    """A members section, and who is in the org by it: direct entries win, the stronger of two teams' roles wins."""
    kinds = [
        "none",
        "none",
        "member",
        "member",
        "owner",
        "absent",
        "expired owner",
        "expiring member",
        "elevated",
        "once elevated",
    ]
    drawn = draw(st.lists(st.sampled_from(kinds), min_size=len(people), max_size=len(people)))
    section: dict[str, Any] = {ACTOR: "owner"}
    direct: dict[str, str | None] = {ACTOR: "owner"}
    for person, kind in zip(people[1:], drawn[1:], strict=True):
        if kind in ORG_ROLES:
            section[person] = direct[person] = kind
        elif kind == "absent":
            section[person], direct[person] = {"absent": True}, None
        elif kind == "expired owner":
            section[person] = {"role": "owner", "expires": PAST}
        elif kind == "expiring member":
            section[person], direct[person] = {"role": "member", "expires": FUTURE}, "member"
        elif kind == "elevated":
            section[person], direct[person] = {"role": "owner", "expires": FUTURE, "then": "member"}, "owner"
        elif kind == "once elevated":
            section[person], direct[person] = {"role": "owner", "expires": PAST, "then": "member"}, "member"
    by_team: dict[str, str] = {}
    for team in draw(st.sets(st.sampled_from(["red", "blue"]))):
        role = draw(st.sampled_from(ORG_ROLES))
        section[f"team/{team}"] = role
        for person in flat[team]:
            by_team[person] = max(role, by_team.get(person, role), key=STRENGTH.__getitem__)
    for person in draw(st.sets(st.sampled_from(emails))) if emails else ():
        section[person] = direct[person] = draw(st.sampled_from(ORG_ROLES))
    will_be = {p: r for p, r in {**by_team, **direct}.items() if r is not None}
    return section, will_be


def check(pipes: Pipes, expected: Expected, lock) -> None:
    """Compare the store itself with what must be true now. People by email are known by the handle in the lock file."""
    with ExitStack() as stack:
        client = stack.enter_context(pipes.client(read_only=True))
        orgs = {row["org"]["handle"] for page in client.pages("/actor/org") for row in page}
        for org, wanted in expected.members.items():
            rows = [row for page in client.pages(f"/org/{org}/member") for row in page if row["scope"] == "org"]
            robots = [row["user_handle"] for row in rows if row["user_handle"].startswith(ROBOT)]
            assert robots == expected.robots.get(org, [])
            rows = [row for row in rows if row["user_handle"] not in robots]
            assert {row["user_handle"]: row["role"] for row in rows} == named(org, wanted, lock)
        for org, spaces in expected.workspaces.items():
            live = {row["handle"] for page in client.pages(f"/org/{org}/workspace") for row in page}
            assert spaces <= live
            assert not {s for s in live if f"{org}/{s}" in expected.gone}
        for (org, space), wanted in expected.grants.items():
            path = f"/org/{org}/workspace/{space}/member"
            owners = {
                row["user_handle"]
                for page in client.pages(f"/org/{org}/member") for row in page if row["role"] == "owner"
            }  # fmt: skip
            rows = [row for page in client.pages(path) for row in page if row["scope"] == "workspace"]
            found = {row["user_handle"]: row["role"] for row in rows if row["user_handle"] not in owners}
            assert found == named(org, wanted, lock)
        assert not orgs & expected.gone


def named(org: str, people: dict[str, str], lock) -> dict[str, str]:
    """The same with handles for the people that are invited by email."""
    return {
        (lock[f"org.{org}/member.{p}"].handle if p in EMAILS else p): role for p, role in people.items()
    }  # fmt: skip
