"""For any world: what is imported plans nothing and reads back the same; what manifests say already is kept or told."""

from __future__ import annotations

import contextlib
import json
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from e2e.bench import LOCK, Bench
from reconciler import manifest
from stopped.sitecustomize import DAY as TODAY
from worlds import ACTOR, scenes

TITLES = ["EMEA accounts", "emea-accounts", "DevOps", "Übersee: #1", "on", "123"]
ODD = ["no", "on", "y", "null", "true", "123", "1e3", "0x1f", "2026-01-01", "a-1"]
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
SETTINGS = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)


@dataclass
class Case:
    """A scene of `worlds`, with odd handles and texts, and what is set in the orgs by PATCH."""

    world: dict[str, Any]
    document: dict[str, Any]
    patches: dict[str, dict[str, Any]] = field(default_factory=dict)


@st.composite
def trees(draw, spaces, names=("one", "two")) -> tuple[dict[str, Any], dict[str, Any]]:
    """Folders in folders under any titles, and connections in them. Without `spaces`: a workspace's own."""
    folders: dict[str, Any] = {}
    for key in draw(st.sampled_from([[], ["f1"], ["f1", "f2", "f3"]])):
        above = draw(st.sampled_from([None, *folders]))
        taken = {one["title"] for one in folders.values() if one.get("folder") == above}
        title = draw(st.sampled_from([title for title in TITLES if title not in taken]))
        folders[key] = {"title": title}
        if spaces:
            folders[key]["permitted"] = sorted(draw(st.sets(st.sampled_from(spaces))))
        if above is not None:
            folders[key]["folder"] = above
    inside = st.sampled_from([None, *folders])
    links = {name: {"plugin": "net"} for name in draw(st.sets(st.sampled_from(names)))}
    for one in links.values():
        above = draw(inside)
        if above is not None:
            one["folder"] = above
    return folders, links


@st.composite
def cases(draw) -> Case:
    scene = draw(scenes(max_people=12))
    world = scene.world
    del world["tokens"]
    world["users"].update({name: {} for name in ODD})
    if "tenant" in world:
        world["tenant"]["members"].update(dict.fromkeys(ODD, "member"))
    found = Case(world, scene.document)
    for handle, org in world["orgs"].items():
        roles = st.sampled_from(["member", "member", "owner"])
        org["members"].update(draw(st.dictionaries(st.sampled_from(ODD), roles, max_size=4)))
        org["display_name"] = draw(TEXTS)
        thresholds = {
            "usage_compute_threshold": st.integers(0, 2**40),
            "usage_user_action": st.sampled_from(["warn", "cap_and_warn"]),
        }
        optional = {"url": st.sampled_from(["https://acme.example/#top: x", "no", ""])}
        # in a custom tenant the thresholds are the tenant's, and so are the service accounts
        patch = draw(st.fixed_dictionaries({}, optional=optional if "tenant" in world else {**optional, **thresholds}))
        if "tenant" not in world:
            accounts = {f"sa-{handle}-{n}": {"title": f"CI {n}"} for n in range(draw(st.integers(0, 2)))}
            org["service_accounts"] = accounts
        org["connection_folders"], org["connections"] = draw(trees(list(org["workspaces"])))
        found.patches.update({handle: patch} if patch else {})
        for space in org["workspaces"].values():
            space["search_path_prefix"] = draw(
                st.lists(st.sampled_from(["aws", "on", "1", "a b", "*", "#"]), max_size=3)
            )
            space["asleep"] = draw(st.booleans())
            space["connection_folders"], space["connections"] = draw(trees([], ("own_one", "own_two")))
            space["instance_type"] = draw(st.sampled_from(["db1.shared", "db1.small"]))
            can = [name for name, what in org["members"].items() if what != "owner"]
            if can:
                grants = st.dictionaries(st.sampled_from(can), st.sampled_from(["reader", "owner"]), max_size=3)
                space["members"].update(draw(grants))
    return found


@contextlib.contextmanager
def benched(case: Case, capture: Any):
    """The world in a sandbox of its own, in an own folder."""
    with tempfile.TemporaryDirectory() as name, contextlib.chdir(name):
        bench = Bench(Path(name), capture)
        bench.pipes(case.world)
        for handle, patch in case.patches.items():
            bench.client(ACTOR).ok("PATCH", f"/org/{handle}", patch)
        yield bench


def contents(bench: Bench) -> dict[str, bytes]:
    found = [path for path in bench.folder.rglob("*") if path.name == LOCK or path.suffix == ".yaml"]
    return {path.relative_to(bench.folder).as_posix(): path.read_bytes() for path in found}


def roles(folder: str) -> dict[str, Any]:
    """Who may do what by the manifests, directly or by a team."""

    def below(node):
        kinds = {kind: {name: below(one) for name, one in there.items()} for kind, there in node.children.items()}
        return node.attrs, node.absent, node.expires, kinds

    return {name: below(node) for name, node in manifest.load([folder], today=TODAY).orgs.items()}


@SETTINGS
@given(case=cases())
def test_what_is_imported_plans_nothing_and_importing_it_again_changes_nothing(bench, capsys, case):
    handles = list(case.world["orgs"])
    assume(handles)
    with benched(case, capsys) as place:
        before = place.database()
        first = place.run("import", *place.local, *handles)
        assert first.status == 0, first.err
        assert place.database() == before
        planned = place.planned("--detailed-exitcode")
        assert planned.status == 0, planned.out + planned.err
        assert planned.addresses == []
        assert place.run("drift", *place.local, "--unmanaged").status == 0
        found = contents(place)
        assert set(found) == {f"orgs/{LOCK}", *(f"orgs/{handle}.yaml" for handle in handles)}
        assert place.run("fmt", "--check").status == 0
        again = place.run("import", *place.local, *handles)
        assert (again.status, contents(place)) == (0, found)
        for name in found:
            (place.folder / name).unlink()
        assert place.run("import", *place.local, *reversed(handles)).status == 0
        assert contents(place) == found
        before = roles("orgs")
        ran = place.run("import", *place.local, *handles, "--suggest-teams", "--split", "--out", "teams")
        assert ran.status == 0, ran.err
        assert roles("teams") == before
        assert place.planned("--detailed-exitcode", "teams").addresses == []
        assert place.run("fmt", "--check", "teams").status == 0


@SETTINGS
@given(case=cases())
def test_an_import_into_manifests_that_say_otherwise_ends_in_sync_or_leaves_every_file_alone(bench, capsys, case):
    handles = list(case.world["orgs"])
    assume(handles)
    with benched(case, capsys) as place:
        place.manifest(json.dumps(case.document, indent=1))
        before = contents(place)
        ran = place.run("import", *place.local, *handles)
        event(f"status {ran.status}")
        if ran.status != 0:
            assert ran.err.startswith(("Error: ", "Note: "))
            assert contents(place) == before
            return
        options = [word for handle in handles for word in ("--org", handle)]
        planned = place.planned("--detailed-exitcode", *options)
        assert planned.status == 0, planned.out + planned.err
        found = contents(place)
        assert place.run("import", *place.local, *handles).out == "Nothing to change: the manifests match Pipes.\n"
        assert contents(place) == found
        formed = place.run("fmt")
        assert formed.status == 0, formed.err
        found = contents(place)
        assert place.run("import", *place.local, *handles).out == "Nothing to change: the manifests match Pipes.\n"
        assert contents(place) == found
        assert place.planned("--detailed-exitcode", *options).status == 0
