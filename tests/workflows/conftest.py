import subprocess

import pytest

from e2e.bench import Bench
from e2e.conftest import FOREIGN
from workflows.runner import GitHub

READ, WRITE = "tpt_read0never0shown0anywhere", "tpt_write0never0shown0anywhere"
GIT = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_CONFIG_COUNT", "GIT_CEILING_DIRECTORIES")

WORLD = """
users: {carol: {}, mallory: {}, reader: {}}
orgs:
  acme:
    members: {alice: owner, bob: owner, dave: member, reader: owner}
    workspaces:
      prod: {instance_type: db1.small, members: {dave: reader}}
"""
MANIFEST = """\
version: 1
orgs:
  acme:
    members:
      alice: owner
      bob: owner
      dave: member
      reader: owner
    workspaces:
      prod:
        members:
          dave: reader
"""


class Work:
    """A repository on GitHub whose manifests are those of a Pipes that is served, and somebody who pushes to it."""

    def __init__(self, folder, bench, seen):
        self.bench, self.seen = bench, seen
        self.github = GitHub(folder, bench.host)
        self.github.secrets = {"PIPES_READ_TOKEN": READ, "PIPES_WRITE_TOKEN": WRITE}
        self.clone = folder / "somebody"
        self.github.origin.mkdir()
        self.github.git("init", "--quiet", "--bare", "--initial-branch=main")
        # GitHub takes whatever commit there is at a pull request
        self.github.git("config", "uploadpack.allowAnySHA1InWant", "true")
        self.clone.mkdir()
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("remote", "add", "origin", str(self.github.origin))
        self.commit({"orgs.yaml": MANIFEST})
        self.push()

    def git(self, *args):
        who = ["-c", "user.name=A", "-c", "user.email=a@example.com"]
        done = subprocess.run(["git", *who, *args], cwd=self.clone, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def commit(self, files):
        for name, content in files.items():
            path = self.clone / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message=x")
        return self.git("rev-parse", "HEAD")

    def push(self, to="refs/heads/main"):
        self.git("push", "--quiet", "--force", "origin", f"HEAD:{to}")

    def pull_request(self, files=None, *, fork=False, number=7):
        """A commit on main's, at a pull request's ref; the event that GitHub makes of it."""
        self.git("checkout", "--quiet", "--detach", "main")
        head = self.commit(files) if files is not None else self.git("rev-parse", "HEAD")
        self.push(f"refs/pull/{number}/head")
        self.git("checkout", "--quiet", "main")
        repository = "stranger/access" if fork else "acme/access"
        return {
            "name": "pull_request_target",
            "event": {"pull_request": {"number": number, "head": {"sha": head, "repo": {"full_name": repository}}}},
        }

    def reviewed(self, event):
        return self.github.run("reconciler-pull-request.yml", event)

    def merged(self, files, between=None):
        self.git("fetch", "--quiet", "origin")
        self.git("reset", "--quiet", "--hard", "origin/main")
        self.commit(files)
        self.push()
        return self.github.run("reconciler-apply.yml", {"name": "push"}, between)

    def by_hand(self, **inputs):
        event = {
            "name": "workflow_dispatch",
            "inputs": {name.replace("_", "-"): value for name, value in inputs.items()},
        }
        return self.github.run("reconciler-apply.yml", event)

    def looked(self):
        return self.github.run("reconciler-drift.yml", {"name": "schedule"})

    @property
    def comments(self):
        return [comment["body"] for comment in self.github.known["comments"]]

    @property
    def writes(self):
        """The requests to Pipes that may have changed something."""
        return [(method, path) for method, path, _ in self.seen if method != "GET"]

    def main(self, name):
        return self.github.git("show", f"main:{name}")


@pytest.fixture
def work(tmp_path, capsys, monkeypatch, request):
    for name in (*FOREIGN, *GIT):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.chdir(tmp_path)
    bench = Bench(tmp_path, capsys)
    issued = "issued_at: 2026-06-01T00:00:00Z"  # two users, as docs/ci.md says: whoever plans is not who applies
    tokens = f"tokens: [{{user: alice, token: {WRITE}, {issued}}}, {{user: reader, token: {READ}, {issued}}}]"
    bench.pipes(f"{getattr(request.module, 'WORLD', WORLD)}{tokens}\n")
    with bench.served() as seen:
        yield Work(tmp_path, bench, seen)
