"""An embedded Pipes: a WSGI app over SQLite that answers as Turbot Pipes does.

It stands alone: nothing here imports the rest of `reconciler`, so that it can contradict it. What it answers is taken
from the API's contract (operation ids are named where they are implemented); where the contract is silent the choice
is written beside the code that makes it.
"""

from pathlib import Path

DEFAULT_PATH = Path(".reconciler") / "sandbox.sqlite3"
"""Where the commands keep the store unless told otherwise, below the current folder."""

BASE_PATH = "/api/v0"
"""What every path of the contract stands below."""
