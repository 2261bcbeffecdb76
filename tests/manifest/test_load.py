"""What manifests ask for: one small manifest, then one thing changed."""

from __future__ import annotations

from datetime import date

import pytest

from reconciler.manifest import load_texts
from reconciler.model.errors import ManifestError

TODAY = date(2026, 11, 24)


def desired(text, *, today=TODAY, **more):
    """Load one text as `a.yaml`, and further files by name."""
    files = {"a.yaml": text, **{f"{name}.yaml": other for name, other in more.items()}}
    return load_texts({name: ("version: 1\n" + body).encode() for name, body in files.items()}, today=today)


def errors(text, **more):
    with pytest.raises(ManifestError) as caught:
        desired(text, **more)
    return [f"{found.source}: {found.summary}" for found in caught.value.diagnostics if found.severity == "error"]


def roles(nodes):
    return {name: "absent" if node.absent else node.attrs["role"] for name, node in nodes.items()}


def members(text, **more):
    return roles(desired(text, **more).orgs["acme"].children["member"])


def test_a_section_that_is_not_written_is_not_there():
    org = desired("orgs: {acme: {display_name: Acme}}").orgs["acme"]
    assert org.children == {}
    assert org.attrs == {"display_name": "Acme"}


def test_an_empty_grant_section_means_nobody():
    org = desired("orgs: {acme: {workspaces: {prod: {members: {}}, dev: {}}}}").orgs["acme"]
    assert {name: node.children for name, node in org.children["workspace"].items()} == {
        "prod": {"grant": {}},
        "dev": {},
    }
