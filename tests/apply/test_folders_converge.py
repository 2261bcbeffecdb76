"""Any live tree of folders, of an org or of a workspace, any wanted one: everything comes to be where the manifest says, whatever answer is lost, nothing
is made twice or deleted with something in it, and then nothing is left to do.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, event, given, note, settings
from hypothesis import strategies as st

from apply.test_connections_converge import FAULTS
from reconciler.model.errors import ManifestError
from reconciler.model.live import LockEntry
from reconciler.sandbox.faults import Faults
from worlds import ACTOR, Pipes, load, token_of

KEYS = ["a", "b", "c", "d"]
TITLES = ["a", "b", "EMEA accounts", "Übersee / 1"]
LINKS = ["aws", "gcp"]
SPACES = ["prod", "dev"]


@st.composite
def cases(draw, own: bool) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
    """A world, the manifest for it, and the live folders that the lock file knows; of an org, or of its workspace prod (`own`)."""
    live: dict[str, Any] = {}
    for key in draw(st.lists(st.sampled_from(KEYS), unique=True)):
        inside = draw(st.sampled_from([None, *live]))
        taken = {one["title"] for one in live.values() if one.get("folder") == inside}
        title = draw(st.sampled_from([title for title in TITLES if title not in taken]))
        live[key] = {"title": title}
        if not own:
            everywhere = draw(st.integers(0, 4)) == 0
            live[key]["permitted"] = "all" if everywhere else sorted(draw(st.sets(st.sampled_from(SPACES))))
        if inside is not None:
            live[key]["folder"] = inside
    links = {}
    for name in draw(st.sets(st.sampled_from(LINKS))):
        inside = draw(st.sampled_from([None, *live]))
        links[name] = {"plugin": "p"} | ({"folder": inside} if inside is not None else {})
    world = {
        "actor": ACTOR, "seed": "folders", "now": "2026-11-24T09:00:00Z", "users": {ACTOR: {}},
        "tokens": [{"user": ACTOR, "token": token_of(ACTOR)}],
        "orgs": {"acme": {"members": {ACTOR: "owner"}, "workspaces": {space: {} for space in SPACES}}},
    }  # fmt: skip
    above(world, own).update(connection_folders=live, connections=links)
    wanted: dict[str, Any] = {}
    kept = draw(st.lists(st.sampled_from(KEYS), unique=True))
    for key in kept:
        node: dict[str, Any] = {"title": draw(st.sampled_from([live.get(key, {}).get("title", key), *TITLES]))}
        inside = draw(st.sampled_from([live.get(key, {}).get("folder"), None, *kept]))
        if inside is not None:
            node["folder"] = inside
        if not own and draw(st.booleans()):
            node["workspaces"] = sorted(draw(st.sets(st.sampled_from(SPACES))))
            if draw(st.booleans()):
                node["everywhere"] = draw(st.booleans())
        wanted[key] = node
    wanted |= {key: {"absent": True} for key in live if key not in kept and draw(st.booleans())}
    placed = {
        name: {"plugin": "p", "folder": draw(st.sampled_from([None, *kept]))}
        for name in draw(st.sets(st.sampled_from(LINKS)))
    }
    document = {"version": 1, "orgs": {"acme": {"workspaces": {"prod": {}}}}}
    above(document, own).update(connection_folders=wanted, connections=placed)
    return world, document, sorted(draw(st.sets(st.sampled_from(sorted(live))))) if live else []


def above(document: dict[str, Any], own: bool) -> dict[str, Any]:
    """What has the folders in a world or a manifest."""
    org = document["orgs"]["acme"]
    return org["workspaces"]["prod"] if own else org


def tree(
    pipes, own: bool
) -> tuple[dict[str, str], dict[str, tuple[str, str | None]], dict[str, str | None], dict[str, set[str]]]:
    """The title of each folder and what it is in, by id; the same of the connections by handle; and who may use a folder."""
    path = "/org/acme/workspace/prod" if own else "/org/acme"
    with pipes.client(read_only=True) as client:
        rows = [row for page in client.pages(f"{path}/connection_folder") for row in page]
        links = [row for page in client.pages(f"{path}/connection") for row in page]
        links = [row["connection"] for row in links] if own else links
        known = {row["id"] for row in rows}
        permitted = {
            row["id"]: {
                one["workspace"]["handle"] if "workspace" in one else "*"
                for page in client.pages(f"/org/acme/connection_folder/{row['id']}/permission")
                for one in page
            }
            for row in ([] if own else rows)
        }

    def inside(row):
        return row["parent_id"] if row["parent_id"] in known else None

    return (
        {row["id"]: row["title"] for row in rows},
        {row["id"]: inside(row) for row in rows},
        {row["handle"]: inside(row) for row in links},
        permitted,
    )


@settings(max_examples=70, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@pytest.mark.parametrize("own", [False, True], ids=["org", "workspace"])
@given(st.data(), FAULTS)
def test_folders_come_to_be_where_they_are_wanted_whatever_answer_is_lost(own, data, faults):
    world, document, known = data.draw(cases(own))
    kind = "workspace_connection_folder" if own else "connection_folder"
    place = "org.acme/workspace.prod" if own else "org.acme"
    note(json.dumps({"manifest": document, "live": world["orgs"], "lock": known, "faults": faults}))
    try:
        desired = load(document)
    except ManifestError:
        assume(False)
    pipes = Pipes(world)
    try:
        folders = above(world, own)["connection_folders"]
        titles, were, links, permitted = tree(pipes, own)
        ids: dict[str, str] = {}
        for key, one in folders.items():  # each after the one that it is in
            inside = ids.get(one.get("folder"))
            ids[key] = next(i for i, title in titles.items() if title == one["title"] and were[i] == inside)
        lock = {f"{place}/{kind}.{key}": LockEntry(ids[key]) for key in known}
        first, _ = pipes.plan(desired, lock)
        allow = [(refusal.code, refusal.address) for refusal in first.refusals if refusal.liftable]
        plan, live = pipes.plan(desired, lock, allow)
        event("errors" if plan.errors else f"{min(len(plan.steps), 6)} steps")
        if plan.errors or plan.refusals:
            return
        with tempfile.TemporaryDirectory() as folder:
            result, after = pipes.apply(plan, desired, live, lock, Path(folder), faults=Faults(faults))
        assert {outcome.status for outcome in result.outcomes} <= {"done", "already"}, result.outcomes
        again, _ = pipes.plan(desired, after)
        assert (again.changes, again.refusals, again.errors) == ((), (), ())
        now, inside, placed, may = tree(pipes, own)
        wanted = above(document, own)["connection_folders"]
        is_now = {key: after[f"{place}/{kind}.{key}"].id for key in wanted if not wanted[key].get("absent")}
        assert len(set(is_now.values())) == len(is_now)
        for key, node in wanted.items():
            if node.get("absent"):
                assert key not in known or ids[key] not in now
                continue
            assert key not in known or is_now[key] == ids[key]
            assert now[is_now[key]] == node["title"]
            assert inside[is_now[key]] == is_now.get(node.get("folder"))
            before = permitted.get(is_now[key], set())
            everywhere = {"*"} if node.get("everywhere", "*" in before) else set()
            assert own or may[is_now[key]] == set(node.get("workspaces", before - {"*"})) | everywhere
        for name, node in above(document, own)["connections"].items():
            assert placed[name] == is_now.get(node["folder"])
        # nobody who is not listed is touched
        for name in links.keys() - above(document, own)["connections"].keys():
            assert placed[name] == links[name]
        for identifier in titles.keys() & now.keys() - set(is_now.values()):
            assert (now[identifier], inside[identifier]) == (titles[identifier], were[identifier])
        assert len(now) == len(titles) - sum(c.action == "delete" and c.kind == kind for c in plan.changes) + sum(
            c.action == "create" and c.kind == kind for c in plan.changes
        )
    finally:
        pipes.close()
