"""A local Turbot Pipes: a WSGI app over SQLite. It imports nothing of the rest, so that the two can contradict each other.

In: requests of the Pipes API, and a store that a world was seeded in. Out: the answers that the API's contract asks for.
Open `app.py` first; `operations/` has a module for each noun of the contract, and `world/` fills a store.
"""

from pathlib import Path

DEFAULT_PATH = Path(".reconciler") / "sandbox.sqlite3"
"""Where the commands keep the store by default, below the current folder."""

BASE_PATH = "/api/v0"
"""Every path of the contract is below it."""
