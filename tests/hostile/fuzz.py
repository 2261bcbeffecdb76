"""Structure-aware fuzz of what the command reads: manifests, answers, lock files, journals and saved plans.

    python tests/hostile/fuzz.py [SECONDS [SEED]]

Each case takes valid files that belong together, mutates one of them, and runs every command that reads it. No run may end in
a traceback, print or write a secret, or take more than twice the median time of its command, where that is measurable.
The first lines of a finding are the command, the seed and the mutated file, which is enough to run it again.
"""

from __future__ import annotations

import contextlib
import copy
import io
import json
import os
import random
import re
import statistics
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import yaml

sys.path[:0] = [str(Path(__file__).parents[1])]

from reconciler import cli  # noqa: E402 - the package's tests are no package
from reconciler.pipes.carrier import Received  # noqa: E402
from reconciler.pipes.embedded import Embedded  # noqa: E402
from reconciler.plan.document import digest  # noqa: E402
from reconciler.sandbox.store import Store  # noqa: E402
from reconciler.sandbox.world import seed as seed_world  # noqa: E402

TOKEN = "tpt_fuzz0never0shown0anywhere"
SECRET = "hunter2Zq8never"
SLOW = 2.0  # seconds under which no run is called slow: the machine does other things, too
WORLD = {
    "seed": "fuzz",
    "now": "2026-11-24T09:00:00Z",
    "actor": "alice",
    "users": {name: {} for name in ("alice", "bob", "carol", "dora")},
    "tokens": [{"user": "alice", "token": TOKEN, "issued_at": "2026-06-01T00:00:00Z"}],
    "orgs": {
        "acme": {
            "members": {"alice": "owner", "bob": "owner", "carol": "member", "dora": "member"},
            "workspaces": {"prod": {"members": {"carol": "reader"}}, "dev": {}},
            "connections": {"aws_prod": {"plugin": "aws", "config": {"regions": ["eu"], "api_key": SECRET}}},
        },
        "beta": {"members": {"alice": "owner"}},
    },
}
MANIFEST = """\
version: 1
safeguards: {min_owners: 1, max_removals: {count: 5, percent: 50}}
people:
  carol: {handle: carol}  # the reports
  ed: {email: ed@example.com}
teams:
  sre: [bob, team/ops]
  # on call
  ops:
    - dora
    - {name: bob, expires: 2027-03-31}
policies:
  few-owners: {in: "*", role: owner, people: {min: 1, max: 4}}
  prod-is-sre: {in: acme/prod, role: operator, only: [team/sre, owners], level: warn}
waivers:
  - {policy: prod-is-sre, who: carol, in: acme/prod, until: 2027-01-15, reason: INC-77}
approvals: {default: {of: team/sre}, acme/prod: {of: team/ops}, rules: {of: team/sre, count: 1}}
orgs:
  acme:
    display_name: Acme Corp
    url: https://acme.example
    members:
      alice: owner
      team/sre: member
      # until the audit is over
      carol: {role: owner, expires: 2027-01-31, then: member, reason: audit}
      ed: member
      service/ci: member
    service_accounts: {ci: {title: CI, description: plans, responsible: team/ops}}
    ignore:
      - {handle: contractor-*, reason: procurement, until: 2027-06-30}
    workspaces:
      prod:
        instance_type: db1.small
        members: {team/ops: operator, carol: reader}
      dev: {absent: true, reason: unused}
    connection_folders: {cloud: {workspaces: [prod]}}
    connections:
      aws_prod:
        plugin: aws
        folder: cloud
        everywhere: false
        config: {regions: [eu-west-1], rate: 1.5, secret_key: "${env:FUZZ_SECRET}"}
        workspaces: [prod]
  beta: {members: {alice: owner}}
"""
ODD = [None, True, False, 0, -1, 1e400, 2**70, "", " ", "\x00", "\x1b[2J", "\u202e", "é", "e\u0301", "a" * 5_000, [], {}, [[]], {"a": {}},
       "${env:X}", "${file:/proc/self/environ}", "team/", "team/sre", "../..", "1e3", "no", "2026-13-45", "9999-12-31", "<<", "*a",
       "org.acme", "org.acme/member.", "\ud800"]  # fmt: skip
OFFLINE = (
    ("validate",), ("validate", "--format", "json"), ("validate", "--format", "html"), ("fmt", "--check"), ("fmt", "--diff"), ("access",),
    ("offboard", "carol"), ("review", ".", "old", "-v"), ("approvals", ".", "old", "--author", "bob", "--approved-by", "dora"),
    ("codeowners",), ("access", "--policies", "--format", "csv"), ("grant", "carol", "operator", "acme/prod", "--for", "14d"),
    ("revoke", "carol", "acme/prod"), ("onboard", "new@example.com", "--as", "newbie", "--like", "dora"),
    ("move", "dora", "--from", "ops", "--to", "sre", "--overlap", "7d"), ("completion", "bash"),
)  # fmt: skip
ONLINE = (
    ("plan", "-v"), ("plan", "--format", "json"), ("drift", "-v"), ("lock",), ("import", "acme", "--out", "other.yaml"),
    ("apply", "--auto-approve", "--keep-going"), ("apply", "--due"), ("plan", "--by", "person"), ("drift", "--fix-up"),
    ("access", "--live", "--policies"), ("doctor",), ("init",), ("import",),
)  # fmt: skip
LITERALS = [
    f"postgres://u:{SECRET}@h",
    f"ghp_{SECRET}",
    f"Bearer {SECRET}",
    f"Password={SECRET};",
    {"api_key": SECRET},
    {f"glpat-{SECRET}": 1},
]
# what is a secret wherever it stands: in a lock file, a journal, a saved plan, an answer
TOKENS = [
    f"postgres://u:{SECRET}@h",
    f"ghp_{SECRET}",
    f"Bearer {SECRET}",
    f"glpat-{SECRET}",
    f"AGE-SECRET-KEY-{SECRET}",
]


# --- mutations --------------------------------------------------------------------------------------------------------


def paths(value, path=()):
    yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from paths(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from paths(inner, (*path, index))


def at(value, path):
    for step in path:
        value = value[step]
    return value


def mutated(data, chance):
    """Data with a few of its parts replaced, moved, repeated or taken out."""
    for _ in range(chance.randint(1, 3)):
        places = [path for path in paths(data) if path]
        if not places:
            return data
        *above, last = chance.choice(places)
        holder = at(data, above)
        what = chance.randrange(6)
        if what == 0:
            del holder[last]
        elif what == 1:
            holder[last] = copy.deepcopy(chance.choice(ODD))
        elif what == 2:
            holder[last] = copy.deepcopy(at(data, chance.choice(places)))
        elif what == 3 and isinstance(holder, dict):
            key = chance.choice([str(chance.choice(ODD)), "rolle", "absent", "config", "members", "id", "handle"])
            holder[key] = holder.pop(last)
        elif what == 4 and isinstance(holder, list):
            holder.extend([holder[last]] * chance.randint(1, 50))
        else:
            holder[last] = {str(last): holder[last]} if chance.random() < 0.5 else [holder[last]]
    return data


def has_moved(data):
    """Whether the secret stands where nothing shows that it is one: by itself, and not under its key."""
    return any(at(data, path) == SECRET and "key" not in str(path[-1]) for path in paths(data) if path)


def with_a_token(data, chance):
    """Data with a token as one of its texts, or at the end of one, or as a key."""
    places = [path for path in paths(data) if path and isinstance(at(data, path), str)]
    if not places:
        return data
    *above, last = chance.choice(places)
    holder, token = at(data, above), chance.choice(TOKENS)
    way = chance.randrange(4)
    if way == 0 and isinstance(holder, dict):
        holder[token] = holder.pop(last)
    elif way == 1:
        holder[last] = f"{holder[last]} {token}"
    elif way == 2 and isinstance(holder, dict):
        holder["note"] = token
    else:
        holder[last] = token
    return data


def spoiled(text, chance):
    """A text with some of it repeated, left out, or in another place."""
    for _ in range(chance.randint(1, 3)):
        start = chance.randrange(len(text) + 1)
        end = min(len(text), start + chance.randint(0, 40))
        piece = chance.choice(
            [
                "",
                text[start:end] * chance.randint(2, 200),
                str(chance.choice(ODD)),
                "\t",
                ": ",
                "- ",
                "&a ",
                "*a ",
                "{",
                "]",
                '"',
                "#",
                "\r\n",
                "---\n",
                "<<<<<<< x\n",
            ]
        )
        text = text[:start] + piece + text[end:]
    return text


def serialised(data, chance, kind):
    if kind == "yaml" and chance.random() < 0.7:
        return yaml.safe_dump(
            data,
            sort_keys=False,
            allow_unicode=chance.random() < 0.5,
            default_flow_style=chance.choice([None, True, False]),
        )
    return json.dumps(data, ensure_ascii=chance.random() < 0.5, default=str)


def variant(text, chance, kind, lines=False):
    """One mutation of a valid file, by its structure or by its text; bytes."""
    hides = chance.random() < 0.4
    if chance.random() < 0.3:
        made = spoiled(text, chance)
        if hides and kind == "json":  # also inside of what no longer is JSON
            places = [found.end() for found in re.finditer('": "', made)] or [0]
            place = chance.choice(places)
            made = made[:place] + chance.choice(TOKENS) + made[place:]
    elif lines:
        rows = [json.loads(line) for line in text.splitlines()]
        rows = with_a_token(rows, chance) if hides else rows
        made = "".join(json.dumps(row) + "\n" for row in mutated(rows, chance) if row is not None)
    else:
        data = yaml.safe_load(text) if kind == "yaml" else json.loads(text)
        if kind == "yaml" and chance.random() < 0.3:
            config = data["orgs"]["acme"]["connections"]["aws_prod"]["config"]
            config[chance.choice(["note", "regions", "rate", "more"])] = copy.deepcopy(chance.choice(LITERALS))
        elif hides:
            data = with_a_token(data, chance)
        data = mutated(data, chance)
        if isinstance(data, dict) and "digest" in data and chance.random() < 0.7:
            with contextlib.suppress(UnicodeEncodeError, ValueError):
                data["digest"] = digest(data)  # somebody who forges a plan can compute it as well
        made = serialised(data, chance, kind)
        if has_moved(data):
            made = made.replace(SECRET, "moved")
    return made.encode("utf-8", "surrogatepass")


# --- a case -----------------------------------------------------------------------------------------------------------


class Fuzz:
    """A folder with valid files, and the commands over mutations of one of them at a time."""

    def __init__(self, folder):
        self.folder = folder
        self.db = folder / "pipes.sqlite3"
        self.times = {}
        self.statuses = {}
        self.runs = 0
        self.findings = []
        self.chance = None
        self.spoil = self.answers = 0
        send = Embedded.send
        Embedded.send = lambda pipes, *args: self.changed(send(pipes, *args))
        with Store(self.db) as store:
            seed_world(store, WORLD)
        self.clean = self.db.read_bytes()
        (folder / "orgs.yaml").write_text(MANIFEST)
        (folder / "old").mkdir()
        (folder / "old" / "orgs.yaml").write_text(MANIFEST.replace("carol: reader", "carol: operator"))
        os.environ |= {"PIPES_TOKEN": TOKEN, "FUZZ_SECRET": SECRET}
        self.valid = {"orgs.yaml": MANIFEST}
        self.run(("lock",))
        self.run(("plan", "-o", "plan.json"))
        for name in ("reconciler.lock.json", "plan.json"):
            self.valid[name] = (folder / name).read_text()
        self.run(("apply", "--auto-approve"))
        journal = (folder / ".reconciler" / "journal.jsonl").read_text().splitlines()
        self.valid[".reconciler/journal.jsonl"] = "".join(f"{line}\n" for line in journal if '"end"' not in line)
        self.reset()

    def reset(self):
        for name, text in self.valid.items():
            path = self.folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        self.db.write_bytes(self.clean)
        for extra in (*self.folder.glob("*.sqlite3-*"), *self.folder.glob("other*")):
            extra.unlink()

    def run(self, command):
        """Run a command in this process; what it printed."""
        online = command[0] in {one[0] for one in ONLINE if one[0] != "access"} or "--live" in command
        out, err = (
            io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="backslashreplace", write_through=True)
            for _ in range(2)
        )
        self.answers = 0
        begun = time.process_time()
        status = None
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                status = cli.run([*command, *(["--host", f"sandbox:{self.db}"] if online else [])])
            except BaseException as error:  # noqa: BLE001 - it is what is looked for
                err.write(f"Traceback: {type(error).__name__}: {error}")
        took = time.process_time() - begun
        self.runs += 1
        return status, b"".join(one.buffer.getvalue() for one in (out, err)).decode(), took

    def case(self, seed):
        chance = random.Random(seed)
        name = chance.choice([*self.valid, "orgs.yaml", "answer"])
        self.reset()
        self.chance = chance if name == "answer" else None
        self.spoil = chance.randrange(15)
        if name == "answer":
            data = f"answer {self.spoil}".encode()
            commands = [chance.choice(ONLINE)]
        else:
            kind = "yaml" if name.endswith("yaml") else "json"
            data = variant(self.valid[name], chance, kind, lines=name.endswith("jsonl"))
            (self.folder / name).write_bytes(data)
            commands = {
                "orgs.yaml": [chance.choice(OFFLINE), chance.choice(ONLINE)],
                "plan.json": [
                    ("show", "plan.json", "-v"),
                    ("show", "plan.json", "--format", "html"),
                    ("apply", "plan.json", "--auto-approve"),
                ],
                ".reconciler/journal.jsonl": [("apply", "--auto-approve", "--keep-going")],
            }.get(name, [("validate",), chance.choice(ONLINE)])
        for command in commands:
            status, printed, took = self.run(command)
            times = self.times.setdefault(command[0], [])
            wrong = None
            if "Traceback" in printed or status not in range(6):
                wrong = "a traceback"
            elif SECRET in re.sub(r"\s", "", printed) or TOKEN in printed:
                wrong = "a secret"
            elif (
                took > SLOW
                and len(times) > 10
                and took > 2 * statistics.median(times) * max(1, len(data) / len(MANIFEST))
            ):
                wrong = f"{took:.1f} s"
            times.append(took)
            self.statuses.setdefault(command[0], Counter())[status] += 1
            if wrong is not None:
                self.findings.append(
                    f"{wrong}: seed {seed}: {' '.join(command)}: {name}\n{printed[-1500:]}\n{data[:1500]!r}"
                )

    def refusal(self):
        """The body of an error that quotes what it was asked, with the token of the run and somebody's secret."""
        quoted = json.dumps(
            {"config": {"api_key": SECRET, "note": self.chance.choice(TOKENS)}, "authorization": f"Bearer {TOKEN}"}
        )
        words = self.chance.choice(
            [
                quoted,
                json.dumps(quoted),
                f"Authorization: Bearer {TOKEN}",
                self.chance.choice(TOKENS),
                f"password={SECRET}",
            ]
        )
        body = {
            "type": "about:blank",
            "title": words,
            "detail": f"refused: {words}",
            "validation_errors": [{"location": words, "message": words}],
        }
        return self.chance.choice([json.dumps(body), json.dumps({"error": body}), words]).encode()

    def changed(self, answer):
        """The answer of Pipes whose turn it is, mutated."""
        self.answers += 1
        if self.chance is None or self.answers - 1 != self.spoil:
            return answer
        status, headers, body = answer.status, answer.headers, answer.content
        if self.chance.random() < 0.3:
            body, status = self.refusal(), self.chance.choice([400, 401, 403, 404, 409, 412, 422, 429, 500, 503])
            headers = {**headers, "retry-after": "0", "x-request-id": self.chance.choice(["No", TOKEN, "\x1b[2J"])}
        with contextlib.suppress(ValueError):
            body = variant(body.decode(), self.chance, "json") if body else body
        return Received(status, headers, body)


def main(seconds=60.0, first=0):
    with tempfile.TemporaryDirectory() as name:
        os.chdir(name)
        fuzz = Fuzz(Path(name))
        until, seed = time.monotonic() + seconds, first
        while time.monotonic() < until:
            fuzz.case(seed)
            seed += 1
        os.chdir("/")
    print(*fuzz.findings, sep="\n\n")
    print(f"{seed - first:,} cases, {fuzz.runs:,} runs, {len(fuzz.findings)} findings")
    for command, times in sorted(fuzz.times.items()):
        ended = ", ".join(f"{n:,} with {status}" for status, n in sorted(fuzz.statuses[command].items(), key=str))
        print(
            f"  {command:10} {len(times):6,} runs, median {statistics.median(times) * 1000:.0f} ms, longest {max(times) * 1000:.0f} ms; exits: {ended}"
        )
    return 1 if fuzz.findings else 0


if __name__ == "__main__":
    sys.exit(main(*(float(arg) if n == 0 else int(arg) for n, arg in enumerate(sys.argv[1:]))))
