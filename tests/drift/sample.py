"""A drift that has everything once."""

from datetime import UTC, date, datetime

from reconciler.model.diagnostic import Refusal, Source
from reconciler.model.drift import NOT_APPLIED, Difference, Doer, Drift, Unmanaged
from reconciler.model.expiring import Expiring
from stopped.sitecustomize import DAY


def at(line, file="orgs/acme.yaml"):
    return Source(file, line, 7)


BOB = Doer("bob", datetime(2026, 11, 23, 22, 14, 3, tzinfo=UTC), "192.0.2.10", "org_member.invite", "e_1")
GINA = Doer("gina", datetime(2026, 11, 24, 6, tzinfo=UTC), "198.51.100.7", "org_member.delete", "e_2")
PERHAPS = Doer("r2", None, "", "robot.dance", "e_3", certain=False)
ACME, PROD = "org.acme", "org.acme/workspace.prod"

DIFFERENCES = (
    Difference("changed", "org", ACME, "Acme", "Evil", "display_name", at(5), id="o_1", handle="acme", by=BOB),
    Difference("added", "member", f"{ACME}/member.mallory", live="owner", source=at(6), reason="unlisted", id="u_1",
               handle="mallory", status="invited", by=BOB),
    Difference("added", "member", f"{ACME}/member.zoe", live="member", source=at(6), reason="unlisted", id="u_2",
               handle="zoe", status="accepted", by=PERHAPS),
    Difference("added", "member", f"{ACME}/member.frank", live="owner", source=at(9), reason="absent", id="u_3",
               handle="frank", status="accepted", why_unknown="not in the audit log"),
    Difference("added", "member", f"{ACME}/member.erin", live="member", source=at(10), reason="expired", id="u_4",
               handle="erin", status="accepted", why_unknown="nobody; the entry has ended"),
    Difference("removed", "member", f"{ACME}/member.gina", "member", source=at(11), via="team/sre", id="u_5",
               handle="gina", by=GINA),
    Difference("removed", "member", f"{ACME}/member.hugo", "member", source=at(12), handle="hugo", by=BOB,
               note="no user is called hugo"),
    Difference("changed", "member", f"{ACME}/member.dave", "member", "owner", "role", at(13), id="u_6",
               handle="dave-acme", status="accepted", by=BOB),
    Difference("renamed", "member", f"{ACME}/member.ida", "ida", "ida2", source=at(14), id="u_7", handle="ida2",
               why_unknown="unknown (people change their own handles, and no org's audit log records it)"),
    Difference("replaced", "member", f"{ACME}/member.jo", "u_8", "u_9", source=at(15), id="u_9", handle="jo",
               note="find out who it is"),
    Difference("renamed", "workspace", PROD, "prod", "production", source=at(20), id="w_1", handle="production", by=BOB),
    Difference("changed", "workspace", PROD, ["aws"], ["gcp", "a b"], "search_path_prefix", at(21), id="w_1",
               handle="production", by=BOB),
    Difference("changed", "workspace", PROD, "db1.small", None, "instance_type", at(22), id="w_1", handle="production"),
    Difference("added", "grant", f"{PROD}/grant.mallory", live="owner", source=at(23), reason="unlisted", id="u_1",
               handle="mallory", status="pending", by=BOB),
    Difference("removed", "grant", f"{PROD}/grant.gina", "operator", source=at(24), via="team/sre", handle="gina",
               by=GINA, follows=f"{ACME}/member.gina"),
    Difference("changed", "grant", f"{PROD}/grant.dave", "reader", "operator", "role", at(25), reason="expired",
               handle="dave-acme", why_unknown="nobody; the entry has ended"),
    Difference("removed", "workspace", f"{ACME}/workspace.stage", source=at(30), handle="stage", below=3, by=BOB,
               note="stages looks like its new name"),
    Difference("added", "workspace", f"{ACME}/workspace.scratch", source=at(31), reason="absent", id="w_2",
               handle="scratch", by=BOB),
    Difference("replaced", "workspace", f"{ACME}/workspace.dev", "w_3", "w_4", source=at(32), id="w_4", handle="dev", by=BOB),
    Difference("renamed", "org", "org.labs", "labs", "old-labs", source=at(2, "orgs/labs.yaml"), reason="renamed_from",
               id="o_2", handle="old-labs"),
    Difference("removed", "org", "org.oldco", source=at(3, "orgs/oldco.yaml"), handle="oldco", below=1,
               why_unknown="unknown (the audit log of an org is deleted with it)"),
    Difference("removed", "member", f"{ACME}/member.new", "member", source=at(16), handle="new", standing=NOT_APPLIED),
    Difference("added", "member", f"{ACME}/member.old", live="member", source=at(6), reason="unlisted", handle="old",
               standing=NOT_APPLIED, via="team/sre"),
    Difference("changed", "workspace", PROD, "paused", "enabled", "desired_state", at(26), standing=NOT_APPLIED),
    Difference("renamed", "workspace", f"{ACME}/workspace.b", "b", "a", source=at(33), reason="renamed_from",
               standing=NOT_APPLIED),
)  # fmt: skip

FULL = Drift(
    differences=DIFFERENCES,
    orgs=(ACME, "org.beta", "org.gamma", "org.labs", "org.oldco"),
    day=DAY,
    applied="v1.2",
    refusals=(
        Refusal(
            "empty-read", "org.beta", "the member list of beta came back empty", "find out why", at(1, "orgs/beta.yaml")
        ),
    ),
    forbidden=("org.gamma",),
    notes=("carol, the user of this token, does not own labs",),
    expiring=(
        Expiring(ACME, "team/oncall", "owner", date(2026, 11, 25), "INC-42", at(17), "member", ("alice", "bob")),
        Expiring(PROD, "dave", "operator", date(2026, 12, 1), None, at(27), None),
        Expiring(PROD, "erin", "reader", date(2026, 12, 2), None, at(28)),
    ),
    unmanaged=(
        Unmanaged("org", "org.delta", {}),
        Unmanaged("member", "org.beta/member.bob", {"role": "owner", "status": "accepted"}),
    ),
)
IN_SYNC = Drift((), (ACME,), DAY)
