"""Plans for the reports: one that shows everything once, and small changes of it."""

from datetime import date

from reconciler.model.diagnostic import Diagnostic, Refusal, Source
from reconciler.model.made import Made
from reconciler.model.plan import Change, DnsChange, Effect, Plan, Step
from reconciler.model.request import Request
from reconciler.model.result import Outcome, Result

FILE = "orgs.yaml"


def at(line, column=7):
    return Source(FILE, line, column)


def change(action, address, before=None, after=None, requests=(), **rest):
    kind = address.rpartition("/")[2].partition(".")[0]
    return Change(action, kind, address, before, after, tuple(requests), **rest)


MADE = Made(
    "2026-10-01T07:30:00Z",
    "reconciler 0.1.0",
    "acme.pipes.example",
    "alice",
    "1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d",
    dirty=True,
)


def empty_plan(**rest):
    fields = {
        "changes": (),
        "steps": (),
        "impact": (),
        "dns": (),
        "refusals": (),
        "lifted": (),
        "allowed": (),
        "errors": (),
        "warnings": (),
        "notes": (),
        "unmanaged": (),
        "orgs": ("org.acme",),
        "day": date(2026, 10, 1),
        "files": ((FILE, "0" * 64),),
        "reads": {"org.acme": "o_acme 7"},
    }
    return Plan(**{**fields, **rest})


def steps_of(changes, **owners):
    """A step a change, in order, each after the one before; `owners` gives accepted owners by step number."""
    return tuple(
        Step(
            number,
            change.address,
            change.action,
            change.address.partition("/")[0].removeprefix("org."),
            change.requests,
            (number - 1,) if number > 1 else (),
            owners.get(f"step_{number}"),
        )
        for number, change in enumerate(changes, 1)
    )


RENAME = change(
    "rename",
    "org.acme",
    {"handle": "acme-inc", "display_name": "Acme", "url": "https://acme.example", "token_min_issued_at": None},
    {"handle": "acme", "display_name": "Acme Corp", "url": "", "token_min_issued_at": "2026-11-01T00:00:00Z"},
    [
        Request("PATCH", "/org/acme-inc", {"handle": "acme"}, 7),
        Request("PATCH", "/org/acme", {"display_name": "Acme Corp", "url": ""}),
        Request("PATCH", "/org/acme", {"token_min_issued_at": "2026-11-01T00:00:00Z"}),
    ],
    previous_address="org.acme-inc",
    source=at(21, 3),
    reason="renamed",
    id="o_acme",
    version=7,
)
INVITE = change(
    "create",
    "org.acme/member.carol",
    None,
    {"role": "member"},
    [Request("POST", "/org/acme/member/invite", {"email": "carol@example.com", "role": "member"})],
    source=at(28),
    via="team/sre",
)
PROMOTE = change(
    "update",
    "org.acme/member.alice",
    {"role": "member"},
    {"role": "owner"},
    [Request("PATCH", "/org/acme/member/alice", {"role": "owner"}, 3)],
    source=at(27),
    id="u_alice",
    version=3,
)
NEW_WORKSPACE = change(
    "create",
    "org.acme/workspace.prod",
    None,
    {"handle": "prod", "instance_type": "db1.small", "search_path_prefix": ["aws", "gcp"], "desired_state": None},
    [
        Request("POST", "/org/acme/workspace", {"handle": "prod", "instance_type": "db1.small"}),
        Request("PATCH", "/org/acme/workspace/prod", {"search_path_prefix": ["aws", "gcp"]}),
    ],
    source=at(36),
)
GRANT = change(
    "create",
    "org.acme/workspace.prod/grant.carol",
    None,
    {"role": "reader"},
    [
        Request(
            "POST",
            "/org/acme/workspace/prod/member",
            {"handle": "{user_handle}", "role": "reader"},
            late="org.acme/member.carol",
        )
    ],
    source=at(41, 9),
)
SEARCH_PATH = change(
    "update",
    "org.acme/workspace.stage",
    {"search_path_prefix": ["aws", "azure"]},
    {"search_path_prefix": ["aws", "gcp"]},
    [Request("PATCH", "/org/acme/workspace/stage", {"search_path_prefix": ["aws", "gcp"]}, 2)],
    source=at(44),
    id="w_stage",
    version=2,
    details=("search_path_prefix: adds gcp, takes azure away",),
)
REVOKE = change(
    "delete",
    "org.acme/workspace.stage/grant.bob",
    {"role": "operator"},
    None,
    [Request("DELETE", "/org/acme/workspace/stage/member/bob", None, 5)],
    source=at(45, 9),
    reason="unlisted",
    id="u_bob",
    version=5,
)
REMOVE_OWNER = change(
    "delete",
    "org.acme/member.frank",
    {"role": "owner", "status": "accepted"},
    None,
    [Request("DELETE", "/org/acme/member/frank", None, 4)],
    source=at(31),
    reason="absent",
    stated=True,
    id="u_frank",
    version=4,
)
DELETE_WORKSPACE = change(
    "delete",
    "org.oldco/workspace.main",
    {"instance_type": "db1.shared"},
    None,
    [],
    reason="parent-deleted",
    id="w_main",
    version=1,
)
DELETE_ORG = change(
    "delete",
    "org.oldco",
    {"display_name": "Old & Co"},
    None,
    [Request("DELETE", "/org/oldco", None, 12)],
    source=at(50, 3),
    reason="absent",
    stated=True,
    id="o_oldco",
    version=12,
)
CHANGES = (
    RENAME,
    INVITE,
    PROMOTE,
    NEW_WORKSPACE,
    GRANT,
    SEARCH_PATH,
    REVOKE,
    REMOVE_OWNER,
    DELETE_WORKSPACE,
    DELETE_ORG,
)
STEPS = (
    Step(1, "org.acme", "rename", "acme-inc", RENAME.requests[:1]),
    Step(2, "org.acme", "update", "acme", RENAME.requests[1:2], (1,)),
    Step(3, "org.acme/member.carol", "create", "acme", INVITE.requests, (1,)),
    Step(4, "org.acme/member.alice", "update", "acme", PROMOTE.requests, (1,)),
    Step(5, "org.acme/workspace.prod", "create", "acme", NEW_WORKSPACE.requests[:1], (1,)),
    Step(6, "org.acme/workspace.prod/grant.carol", "create", "acme", GRANT.requests, (3, 5)),
    Step(7, "org.acme/workspace.stage", "update", "acme", SEARCH_PATH.requests, (1,)),
    Step(8, "org.acme/workspace.stage/grant.bob", "delete", "acme", REVOKE.requests, (1,)),
    Step(9, "org.acme/member.frank", "delete", "acme", REMOVE_OWNER.requests, (4, 8), 1),
    Step(10, "org.acme/workspace.prod", "create", "acme", NEW_WORKSPACE.requests[1:], (5,)),
    Step(11, "org.acme", "update", "acme", RENAME.requests[2:], (2, 9)),
    Step(12, "org.oldco", "delete", "oldco", DELETE_ORG.requests),
)
IMPACT = (
    Effect("alice", "acme", "member", "owner", "direct"),
    Effect("frank", "acme", "owner", None, "absent: true"),
    Effect("carol", "acme", None, "member", "team/sre", invited=True),
    Effect("carol", "acme/prod", None, "reader", "direct", invited=True),
    Effect("alice", "acme/stage", "reader", "owner", "implicit as owner"),
    Effect("bob", "acme/stage", "operator", None, "left team/sre"),
    Effect("frank", "acme/stage", "owner", None, "absent: true"),
)
OWNER_FLOOR = Refusal(
    "owner-floor",
    "org.acme",
    "0 accepted owners after step 9, the floor is 1",
    "promote someone who has accepted first, or lower safeguards.min_owners",
    at(21, 3),
    liftable=False,
)
MASS_REMOVAL = Refusal(
    "mass-removal", "org.acme", "12 people lose something, the limit is 10", "state the removals with `absent: true`"
)
SELF_REMOVAL = Refusal(
    "self-removal", "org.acme/member.frank", "frank is who the token belongs to", "let another owner apply it", at(31)
)
WARNING = Diagnostic(
    "warning",
    "the grant to alice is redundant: owners reach every workspace",
    at(46, 9),
    hint="leave it out",
    length=5,
    text="        alice: reader",
)
ERROR = Diagnostic(
    "error",
    "erin is granted reader on acme/prod, and is no member of acme",
    at(42, 9),
    hint="add erin to the members of acme",
    length=4,
    text="        erin: reader",
)
CHANGED = empty_plan(
    changes=CHANGES,
    steps=STEPS,
    impact=IMPACT,
    dns=(
        DnsChange("acme/stage", "acme-inc-stage.usea1.db.pipes.turbot.com", "acme-stage.usea1.db.pipes.turbot.com"),
        DnsChange("oldco/main", "oldco-main.usea1.db.pipes.turbot.com", None),
    ),
    lifted=(SELF_REMOVAL,),
    allowed=(("self-removal", "org.acme/member.frank"),),
    warnings=(WARNING,),
    notes=(
        "org.acme/workspace.lab was renamed outside, from laboratory: write the new handle, or state the rename back",
    ),
    unmanaged=("org.acme/workspace.lab",),
    orgs=("org.acme", "org.oldco", "org.quiet"),
    reads={"org.acme": "o_acme 7", "org.acme/members": "5f2c", "org.oldco": "o_oldco 12"},
    confirm_delete=("oldco",),
)


def refused():
    """The same plan, refused twice and with an error that only live could show."""
    fields = {name: getattr(CHANGED, name) for name in CHANGED.__slots__}
    return Plan(**{**fields, "refusals": (OWNER_FLOOR, MASS_REMOVAL), "errors": (ERROR,)})


REFUSED = refused()
NOTHING = empty_plan()

APPLIED_IN_PART = Result(
    CHANGED,
    (
        Outcome(1, "org.acme", "rename", "done", wrote=True),
        Outcome(2, "org.acme", "update", "already"),
        Outcome(3, "org.acme/member.carol", "create", "done", wrote=True),
        Outcome(4, "org.acme/member.alice", "update", "done", wrote=True),
        Outcome(
            5,
            "org.acme/workspace.prod",
            "create",
            "failed",
            "Pipes: Workspace limit reached.",
            status_code=402,
            request_id="req-1f",
        ),
        Outcome(6, "org.acme/workspace.prod/grant.carol", "create", "skipped", "step 5 failed"),
        Outcome(7, "org.acme/workspace.stage", "update", "done", wrote=True),
        Outcome(8, "org.acme/workspace.stage/grant.bob", "delete", "done", wrote=True),
        Outcome(9, "org.acme/member.frank", "delete", "failed", "no answer within 30 s", wrote=True),
        Outcome(10, "org.acme/workspace.prod", "create", "skipped", "step 5 failed"),
        Outcome(11, "org.acme", "update", "skipped", "step 9 failed"),
        Outcome(12, "org.oldco", "delete", "done", wrote=True),
    ),
    ("the lock file was not kept: the folder cannot be written",),
)
APPLIED = Result(
    empty_plan(changes=(PROMOTE,), steps=steps_of((PROMOTE,))),
    (Outcome(1, "org.acme/member.alice", "update", "done", wrote=True),),
)
