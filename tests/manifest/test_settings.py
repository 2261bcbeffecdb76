"""Every setting that the contract lets a client change can be written, and of every other field it is told why not."""

from __future__ import annotations

import pytest

from reconciler.kinds import org, workspace
from reconciler.manifest import json_schema
from sandbox import contract

# the contract's name of a kind's row, of the requests that create and change it, and of its part of the manifest
ROWS = [pytest.param(org.KIND, "Org", "org", id="org"), pytest.param(workspace.KIND, "Workspace", "workspace", id="ws")]


def fields(name):
    return set(contract.load()["components"]["schemas"][name]["properties"])


@contract.needs_contract
@pytest.mark.parametrize(("kind", "row", "written"), ROWS)
def test_a_manifest_knows_what_can_be_set_and_refuses_with_reason_what_cannot(kind, row, written):
    keys = set(json_schema.schema()["$defs"][written]["properties"])
    changeable = fields(f"Update{row}Request") - {"handle"}
    assert changeable <= keys
    assert changeable == {a.name for a in kind.attributes if a.on_update}
    read_only = (fields(row) | fields(f"Create{row}Request")) - changeable
    assert read_only == set(kind.not_written)
    assert not keys & set(kind.not_written)
