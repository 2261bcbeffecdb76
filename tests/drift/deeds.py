"""What people do past the command, one kind a row: what happens, who does it, and what `drift` must say of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

PROD = "/org/acme/workspace/prod"
ANSWER = "the invitation"  # stands for its path; the body is what follows there


@dataclass(frozen=True)
class Deed:
    """`do(scene)` changes Pipes, each step with the person's own token. `line` is what the named manifest line holds."""

    do: Callable[[Any], Any]
    address: str
    what: str
    actor: str
    action: str
    line: str
    attribute: str | None = None
    wanted: Any = None
    live: Any = None


def in_turn(*steps):
    """Several requests of one or of several people."""

    def do(scene):
        for user, method, path, body in steps:
            place = path if path != ANSWER else f"/org/acme/member/invite{body}?t={scene.invitation(user)}"
            scene.client(user).ok(method, place, body if path != ANSWER else None)

    return do


ONE_TIME = {
    "a person is invited in the console": Deed(
        in_turn(("bob", "POST", "/org/acme/member/invite", {"handle": "mallory", "role": "member"})),
        "org.acme/member.mallory", "added", "bob", "org_member.invite", "members:", live="member",
    ),
    "an invited person has accepted": Deed(
        in_turn(
            ("bob", "POST", "/org/acme/member/invite", {"handle": "zoe", "role": "owner"}),
            ("zoe", "GET", ANSWER, "/confirm"),
        ),
        "org.acme/member.zoe", "added", "bob", "org_member.invite", "members:", live="owner",
    ),
    "a member becomes an owner": Deed(
        in_turn(("bob", "PATCH", "/org/acme/member/hugo", {"role": "owner"})),
        "org.acme/member.hugo", "changed", "bob", "org_member.update", "role: member", "role", "member", "owner",
    ),
    "somebody with another name here becomes an owner": Deed(
        in_turn(("bob", "PATCH", "/org/acme/member/dave-acme", {"role": "owner"})),
        "org.acme/member.dave", "changed", "bob", "org_member.update", "dave: member", "role", "member", "owner",
    ),
    "an owner is demoted": Deed(
        in_turn(("alice", "PATCH", "/org/acme/member/bob", {"role": "member"})),
        "org.acme/member.bob", "changed", "alice", "org_member.update", "bob: {role: owner", "role", "owner", "member",
    ),
    "somebody of a team gets another role": Deed(
        in_turn(("bob", "PATCH", "/org/acme/member/carol", {"role": "owner"})),
        "org.acme/member.carol", "changed", "bob", "org_member.update", "team/sre: member", "role", "member", "owner",
    ),
    "a member is removed": Deed(
        in_turn(("bob", "DELETE", "/org/acme/member/dave-acme", None)),
        "org.acme/member.dave", "removed", "bob", "org_member.delete", "dave: member", wanted="member",
    ),
    "somebody of a team is removed": Deed(
        in_turn(("bob", "DELETE", "/org/acme/member/gina", None)),
        "org.acme/member.gina", "removed", "bob", "org_member.delete", "team/sre: member", wanted="member",
    ),
    "an invitation is cancelled": Deed(
        in_turn(("bob", "DELETE", "/org/acme/member/erin", None)),
        "org.acme/member.erin", "removed", "bob", "org_member.delete", "erin: member", wanted="member",
    ),
    "an invitation is declined": Deed(
        in_turn(("erin", "DELETE", ANSWER, "")),
        "org.acme/member.erin", "removed", "erin", "org_member.decline", "erin: member", wanted="member",
    ),
    "a member leaves": Deed(
        in_turn(("hugo", "DELETE", "/org/acme/member/hugo", None)),
        "org.acme/member.hugo", "removed", "hugo", "org_member.delete", "hugo:", wanted="member",
    ),
    "a grant is added": Deed(
        in_turn(("bob", "POST", f"{PROD}/member", {"handle": "erin", "role": "operator"})),
        "org.acme/workspace.prod/grant.erin", "added", "bob", "workspace_member.create", "members:", live="operator",
    ),
    "a grant is removed": Deed(
        in_turn(("bob", "DELETE", f"{PROD}/member/hugo", None)),
        "org.acme/workspace.prod/grant.hugo", "removed", "bob", "workspace_member.delete", "hugo: reader",
        wanted="reader",
    ),
    "a team's grant is removed": Deed(
        in_turn(("bob", "DELETE", f"{PROD}/member/gina", None)),
        "org.acme/workspace.prod/grant.gina", "removed", "bob", "workspace_member.delete", "team/sre: reader",
        wanted="reader",
    ),
    "a grant gets another role": Deed(
        in_turn(("bob", "PATCH", f"{PROD}/member/dave-acme", {"role": "owner"})),
        "org.acme/workspace.prod/grant.dave", "changed", "bob", "workspace_member.update", "dave: operator",
        "role", "operator", "owner",
    ),
    "a workspace gets another size": Deed(
        in_turn(("bob", "PATCH", PROD, {"instance_type": "db1.medium"})),
        "org.acme/workspace.prod", "changed", "bob", "workspace.update", "instance_type: db1.small", "instance_type",
        "db1.small", "db1.medium",
    ),
    "a workspace is disabled": Deed(
        in_turn(("bob", "PATCH", "/org/acme/workspace/stage", {"desired_state": "disabled"})),
        "org.acme/workspace.stage", "changed", "bob", "workspace.update", "desired_state: enabled", "desired_state",
        "enabled", "disabled",
    ),
    "a workspace searches elsewhere": Deed(
        in_turn(("bob", "PATCH", PROD, {"search_path_prefix": ["gcp", "on"]})),
        "org.acme/workspace.prod", "changed", "bob", "workspace.update", "search_path_prefix:", "search_path_prefix",
        ["aws", "github"], ["gcp", "on"],
    ),
    "a workspace is renamed": Deed(
        in_turn(("bob", "PATCH", PROD, {"handle": "production"})),
        "org.acme/workspace.prod", "renamed", "bob", "workspace.update", "prod:", wanted="prod", live="production",
    ),
    "a workspace is deleted": Deed(
        in_turn(("bob", "DELETE", PROD, None)),
        "org.acme/workspace.prod", "removed", "bob", "workspace.delete", "prod:",
    ),
    "an org gets another name to show": Deed(
        in_turn(("bob", "PATCH", "/org/acme", {"display_name": 'Acme: "the" #1\u202e'})),
        "org.acme", "changed", "bob", "org.update", "display_name: Acme", "display_name", "Acme",
        'Acme: "the" #1\u202e',
    ),
    "an org loses its web page": Deed(
        in_turn(("bob", "PATCH", "/org/acme", {"url": ""})),
        "org.acme", "changed", "bob", "org.update", "url: https", "url", "https://acme.example", None,
    ),
    "an org is renamed": Deed(
        in_turn(("bob", "PATCH", "/org/acme", {"handle": "acme-corp"})),
        "org.acme", "renamed", "bob", "org.update", "acme:", wanted="acme", live="acme-corp",
    ),
    "a change is hidden behind others": Deed(
        in_turn(
            ("bob", "PATCH", "/org/acme", {"url": "https://evil.example"}),
            ("alice", "PATCH", "/org/acme", {"usage_user_threshold": 5}),
            ("alice", "PATCH", PROD, {"desired_state": "disabled"}),
            ("alice", "PATCH", PROD, {"desired_state": "enabled"}),
        ),
        "org.acme", "changed", "bob", "org.update", "url: https", "url", "https://acme.example",
        "https://evil.example",
    ),
}  # fmt: skip
