"""Looks at the YAML nodes of a manifest: the node at a path, and the role of an entry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date


def node_at(node: Any, path: Iterable[str]) -> Any:
    """The node at a path of mappings; None where there is none."""
    for name in path:
        if not isinstance(node, yaml.MappingNode):
            return None
        node = next((v for k, v in node.value if k.value == name), None)
    return node


def pairs_of(node: Any) -> list[tuple[str, Any]]:
    return [(k.value, v) for k, v in node.value] if isinstance(node, yaml.MappingNode) else []


def keys_at(root: Any, *path: str) -> list[str]:
    return [name for name, _ in pairs_of(node_at(root, path))]


def role_in(node: Any) -> str | None:
    if isinstance(node, yaml.MappingNode):
        node = node_at(node, ("role",))
    return node.value if isinstance(node, yaml.ScalarNode) else None


def is_absent(node: Any) -> bool:
    return node_at(node, ("absent",)) is not None if isinstance(node, yaml.MappingNode) else False


def is_over(node: Any, today: date) -> bool:
    """Whether an entry has ended, and counts as not written."""
    end = node_at(node, ("expires",))
    return end is not None and str(end.value) <= today.isoformat() and node_at(node, ("then",)) is None
