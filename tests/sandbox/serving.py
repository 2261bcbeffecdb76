"""`reconciler sandbox serve` as a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from sandbox.client import Client

if TYPE_CHECKING:
    from pathlib import Path

COMMAND = [sys.executable, "-c", "from reconciler.cli.sandbox import command; command(prog_name='sandbox')"]


class Served:
    """A running server. `lines` are what it printed before it took requests."""

    def __init__(self, db: Path, *options: str, tls: bool = True) -> None:
        environ = {**os.environ, "PYTHONUNBUFFERED": "1"}
        args = [*COMMAND, "serve", "--db", str(db), "--port", "0", *(["--tls", "self-signed"] if tls else []), *options]
        self.errors = open(db.with_suffix(".log"), "wb")  # noqa: SIM115, PTH123 -- closed in stop
        self.process = subprocess.Popen(args, stdout=subprocess.PIPE, stderr=self.errors, text=True, env=environ)
        assert self.process.stdout is not None
        self.lines: list[str] = []
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            if line.startswith("Ctrl-C"):
                break
        found = dict(line.split(":", 1) for line in self.lines[:3] if ":" in line)
        assert "Sandbox" in found, db.with_suffix(".log").read_text()
        self.url = found["Sandbox"].strip()
        self.token = found["Token"].strip()
        self.authority = found.get("Trust", "").strip()

    def client(self, token: str | None) -> Client:
        verify: Any = self.authority or True
        return Client(self.url, token, verify=verify, judged=True)

    def stop(self, number: int = signal.SIGTERM) -> int:
        assert self.process.stdout is not None
        self.process.send_signal(number)
        try:
            return self.process.wait(timeout=30)
        finally:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()
            self.errors.close()
