"""One world in three forms: for reconciler and its embedded Pipes, for Terraform's core, and for octoDNS.

`size` member rows are orgs of 100 members each, with three workspaces of 30 grants: 1.9 rows a member.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import UUID

from reconciler.sandbox import world as worlds
from reconciler.sandbox.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

World = dict[str, Any]

MAIN_TF = """
locals { rows = yamldecode(file("rows.yaml")) }
resource "terraform_data" "row" {
  for_each = local.rows
  input    = each.value
}
"""
OCTODNS = """
providers:
  desired: {class: octodns.provider.yaml.YamlProvider, directory: ./desired, enforce_order: false}
  live: {class: octodns.provider.yaml.YamlProvider, directory: ./live, enforce_order: false}
zones:
  example.com.: {sources: [desired], targets: [live]}
"""


def ours(folder: Path, size: int) -> World:
    """A world in `pipes.db`, and the manifest that asks for exactly it; returns the world."""
    world = worlds.generate(orgs=-(-size // 100), members=min(size, 100))
    with Store(folder / "pipes.db") as store:
        worlds.seed(store, world)
    lines = ["version: 1", "orgs:"]
    for handle, org in world["orgs"].items():
        lines += [f"  {handle}:", "    members:", *(f"      {who}: {role}" for who, role in org["members"].items())]
        lines.append("    workspaces:")
        for name, space in org["workspaces"].items():
            lines += [f"      {name}:", "        members:"]
            lines += [f"          {who}: {role}" for who, role in space["members"].items()]
    (folder / "orgs.yaml").write_text("\n".join(lines) + "\n")
    return world


def rows(world: World) -> Iterator[tuple[str, str]]:
    """Every membership and grant: a name, and the role."""
    for handle, org in world["orgs"].items():
        yield from ((f"{who}.{handle}", role) for who, role in org["members"].items())
        for name, space in org["workspaces"].items():
            yield from ((f"{who}.{name}.{handle}", role) for who, role in space["members"].items())


def terraform(folder: Path, world: World, version: str) -> None:
    """The rows as strings, each a `terraform_data`, and the state that an apply of them leaves.

    The state is written here: applying tens of thousands of rows takes Terraform hours, and is not what is measured.
    """
    found = list(rows(world))
    (folder / "rows.yaml").write_text("".join(f"{name}: {role}\n" for name, role in found))
    (folder / "main.tf").write_text(MAIN_TF)
    instances = [
        {
            "index_key": name,
            "schema_version": 0,
            "attributes": {
                "id": str(UUID(int=number)),
                "input": {"value": role, "type": "string"},
                "output": {"value": role, "type": "string"},
                "triggers_replace": None,
            },
            "sensitive_attributes": [],
        }
        for number, (name, role) in enumerate(sorted(found))
    ]
    resource = {
        "mode": "managed",
        "type": "terraform_data",
        "name": "row",
        "provider": 'provider["terraform.io/builtin/terraform"]',
        "instances": instances,
    }
    state = {
        "version": 4,
        "terraform_version": version,
        "serial": 1,
        "lineage": str(UUID(int=0)),
        "outputs": {},
        "resources": [resource],
        "check_results": None,
    }
    (folder / "terraform.tfstate").write_text(json.dumps(state))


def octodns(folder: Path, world: World) -> None:
    """The rows as TXT records of one zone, wanted and live."""
    text = "".join(f"{name}: {{type: TXT, value: {role}}}\n" for name, role in rows(world))
    for side in ("desired", "live"):
        (folder / side).mkdir()
        (folder / side / "example.com.yaml").write_text(text)
    (folder / "octodns.yaml").write_text(OCTODNS)
