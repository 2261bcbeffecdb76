"""An org that was in sync, people who change it past the command, and what `drift` then says."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from contextlib import closing
from typing import TYPE_CHECKING, Any

from e2e.bench import Bench

if TYPE_CHECKING:
    from pathlib import Path

    from e2e.bench import Ran

WORLD = """
users: {mallory: {}, zoe: {}}
orgs:
  acme:
    display_name: Acme
    url: https://acme.example
    members:
      alice: owner
      bob: owner
      carol: member
      dave-acme: member
      erin: {role: member, status: invited}
      gina: member
      hugo: member
    workspaces:
      prod:
        instance_type: db1.small
        desired_state: enabled
        search_path_prefix: [aws, github]
        members: {carol: reader, dave-acme: operator, gina: reader, hugo: reader}
      stage: {desired_state: enabled, members: {}}
      spare: {desired_state: enabled}
"""

# the same manifest in block style, in flow style, over several files, and as JSON
BLOCK = {
    "orgs.yaml": """\
version: 1

people:
  dave: {handle: dave-acme}   # dave here, dave-acme there

teams:
  sre: [carol, gina]

orgs:
  acme:
    display_name: Acme       # as the lawyers have it
    url: https://acme.example
    members:                 # whoever is not here goes
      alice: owner
      bob: {role: owner, reason: the other one}
      team/sre: member
      # people of their own
      dave: member
      erin: member           # still to confirm
      hugo:
        role: member
        reason: an intern
    workspaces:
      prod:
        instance_type: db1.small
        desired_state: enabled
        search_path_prefix:  # in this order
          - aws
          - github
        members:
          team/sre: reader
          dave: operator     # the migration
          hugo: reader
      stage:
        desired_state: enabled
        members: {}
"""
}
FLOW = {
    "orgs.yaml": """\
version: 1
people: {dave: {handle: dave-acme}}
teams: {sre: [carol, gina]}
orgs: {acme: {display_name: Acme, url: "https://acme.example", members: {alice: owner, bob: owner, team/sre: member,
  dave: member, erin: member, hugo: {role: member}}, workspaces: {prod: {instance_type: db1.small, desired_state: enabled,
  search_path_prefix: [aws, github], members: {team/sre: reader, dave: operator, hugo: reader}},
  stage: {desired_state: enabled, members: {}}}}}
"""
}
FILES = {
    "orgs/people.yaml": "version: 1\npeople: {dave: {handle: dave-acme}}\nteams:\n  sre:\n  - carol\n  - gina\n",
    "orgs/acme/org.yaml": (
        "version: 1\norgs:\n    acme:\n        display_name: 'Acme'\n        url: https://acme.example\n        members:\n"
        "            alice: owner\n            bob: owner\n            team/sre: member\n"
    ),
    "orgs/acme/interns.yaml": (
        "version: 1\norgs:\n  acme:\n    members:\n      dave: member\n      erin: member\n      hugo: member\n"
    ),
    "orgs/acme/prod.yaml": (
        "version: 1\r\norgs:\r\n  acme:\r\n    workspaces:\r\n      prod:\r\n        instance_type: db1.small\r\n"
        "        desired_state: enabled\r\n        search_path_prefix: [aws, github]\r\n        members:\r\n"
        "          team/sre: reader\r\n          dave: operator\r\n          hugo: reader"
    ),
    "orgs/acme/stage.yaml": (
        "version: 1\norgs: {acme: {workspaces: {stage: {desired_state: enabled, members: {}}}}}\n"
    ),
}
JSON = {
    "orgs.yaml": """\
{"version": 1,
 "people": {"dave": {"handle": "dave-acme"}},
 "teams": {"sre": ["carol", "gina"]},
 "orgs": {"acme": {
   "display_name": "Acme", "url": "https://acme.example",
   "members": {"alice": "owner", "bob": "owner", "team/sre": "member", "dave": "member", "erin": "member",
               "hugo": "member"},
   "workspaces": {
     "prod": {"instance_type": "db1.small", "desired_state": "enabled", "search_path_prefix": ["aws", "github"],
              "members": {"team/sre": "reader", "dave": "operator", "hugo": "reader"}},
     "stage": {"desired_state": "enabled", "members": {}}
   }
 }}
}
"""
}
LAYOUTS = {"block": BLOCK, "flow": FLOW, "files": FILES, "json": JSON}


class Scene(Bench):
    """A bench on which somebody else works, too."""

    def __init__(self, folder: Path, capture: Any, root: Path | None = None) -> None:
        super().__init__(folder, capture)
        self.root = root or folder

    def in_sync(self, layout: dict[str, str] = BLOCK, world: str | dict[str, Any] = WORLD) -> None:
        """Seed the world, write the manifests, and let an apply write the lock file."""
        self.pipes(world)
        for name, text in layout.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
        assert self.plan("--detailed-exitcode").status == 0
        assert self.apply().status == 0

    def elsewhere(self, name: str) -> Scene:
        """The same in a folder of its own, which becomes the current one."""
        place = self.root / name
        place.mkdir()
        os.chdir(place)
        return Scene(place, self._capture, self.root)

    def drift(self, *args: str) -> Ran:
        return self.run("drift", *self.local, *args)

    def found(self, *args: str) -> list[dict[str, Any]]:
        """The differences."""
        return self.drift("--format", "json", *args).json["differences"]

    def log(self, org: str = "acme") -> list[dict[str, Any]]:
        """The audit log as Pipes gives it, newest first."""
        return self.client().all(f"/org/{org}/audit_log")

    def invitation(self, user: str) -> str:
        """The secret of somebody's invitation, which Pipes sends by email."""
        with closing(sqlite3.connect(self.db)) as db:
            (found,) = db.execute(
                "SELECT m.invite FROM member m JOIN identity i ON i.id = m.user_id WHERE i.handle = ?", (user,)
            ).fetchone()
        return found

    def manifests(self) -> dict[str, str]:
        files = [path for path in self.folder.rglob("*.y*ml") if ".reconciler" not in path.parts]
        return {path.relative_to(self.folder).as_posix(): path.read_bytes().decode() for path in files}

    def git(self, *args: str, said: str | None = None) -> str:
        done = subprocess.run(["git", *args], cwd=self.folder, input=said, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def commit(self) -> str:
        """Commit the folder's manifests; the revision."""
        if not (self.folder / ".git").exists():
            self.git("init", "--quiet")
            self.git("config", "user.name", "t")
            self.git("config", "user.email", "t@example.com")
        self.git("add", *self.manifests())
        self.git("commit", "--quiet", "--allow-empty", "--message", "x")
        return self.git("rev-parse", "HEAD").strip()
