"""An embedded Pipes: a WSGI app over SQLite that answers as Turbot Pipes does.

In: HTTP requests, and worlds to seed. Out: what the API's contract says; a choice where it is silent is noted in the code.
Open `app.py` first. Nothing here imports the rest of `reconciler`, so that it can contradict it.
"""

from pathlib import Path

DEFAULT_PATH = Path(".reconciler") / "sandbox.sqlite3"
"""Where the commands keep the store unless told otherwise, below the current folder."""

BASE_PATH = "/api/v0"
"""What every path of the contract stands below."""
