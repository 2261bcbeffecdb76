"""Worlds: the users, organizations and tokens of a sandbox (docs/sandbox.md shows one with every key).

In: a YAML file or a dict, or a size. Out: a filled store (`seed`), or WorldError for a world that cannot be.
Open `checking.py` first: it names every key. `rows.py` turns a world into rows.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import yaml

from reconciler.sandbox.problems import in_a_line
from reconciler.sandbox.world.checking import check
from reconciler.sandbox.world.example import EXAMPLE
from reconciler.sandbox.world.fields import World, WorldError, named_users
from reconciler.sandbox.world.generating import generate
from reconciler.sandbox.world.rows import seed

if TYPE_CHECKING:
    import os

__all__ = ["EXAMPLE", "World", "WorldError", "check", "generate", "load", "named_users", "seed"]


def load(path: str | os.PathLike[str]) -> World:
    """Read and check a world file. Raises WorldError (`file: what`); a missing file raises it too."""
    try:
        world = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        check(world)
    except WorldError as error:
        raise WorldError(f"{path}: {error}") from error
    except RecursionError as error:
        raise WorldError(f"{path}: the values nest too deep") from error
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise WorldError(f"{path}: {in_a_line(error)}") from error
    return cast("World", world)
