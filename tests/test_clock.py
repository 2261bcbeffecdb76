"""One clock: who reads the time of day, and that the suite stops it everywhere."""

from __future__ import annotations

import ast
import ctypes
import importlib.util
import json
import os
import re
import ssl
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

import days
import shifted
from days import clock_variables
from reconciler import clock
from reconciler.sandbox import clock as pipes_clock
from stopped.sitecustomize import CLOCKS, DAY, FIRST, LAST, MOMENT, STOP

ROOT = Path(__file__).parents[1]
CLOCK_FILES = {ROOT / "reconciler" / "clock.py", ROOT / "reconciler" / "sandbox" / "clock.py"}
FILES = sorted(
    path for folder in ("reconciler", "tests", "benchmarks", "examples") for path in (ROOT / folder).rglob("*")
)
# what moves the clock needs the real one, and this file shows what is found
REAL = {ROOT / "tests" / "shifted.py", Path(__file__)}
PYTHON = [path for path in FILES if path.suffix == ".py" and path not in CLOCK_FILES]
OTHERS = [path for path in FILES if path.suffix in {".sql", ".sh", ".js", ".j2", ".html", ".yml", ".yaml"}]

# dotted names that read the time of day, or that write it down as they do
READERS = {
    "datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today", "datetime.date.today",
    "time.time", "time.time_ns", "time.clock_gettime", "time.clock_gettime_ns", "time.localtime", "time.gmtime",
    "time.ctime", "time.asctime", "time.strftime", "uuid.uuid1", "email.utils.localtime",
}  # fmt: skip
# the same in SQL, a shell, JavaScript, and Python in a string
TEXTS = re.compile(
    r"\bCURRENT_(?:TIMESTAMP|DATE|TIME)\b|\b(?:date|time|datetime|julianday|unixepoch|strftime)\([^)]*'now'"
    r"|\$\(date\b|`date\b|\bdate \+|\bnew Date\(\)|\bDate\.now\b"
    r"|\b(?:datetime\.(?:now|utcnow|today)|date\.today|time\.time)\(",
    re.IGNORECASE,
)
# these are given the moment as an argument
GIVEN = {"time.localtime": 1, "time.gmtime": 1, "time.ctime": 1, "time.asctime": 1, "time.strftime": 2}


def readers(text: str) -> list[str]:
    """Where Python code reads the time of day: the line and what reads it."""
    tree = ast.parse(text)
    names: dict[str, str] = {}  # what a name of the file stands for
    found: list[tuple[int, str]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update({alias.asname or alias.name.partition(".")[0]: alias.name if alias.asname else
                          alias.name.partition(".")[0] for alias in node.names})  # fmt: skip
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.update({alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names})
            # a name taken out of the clock's module goes on when the clock is stopped
            if node.module in CLOCKS:
                found.append((node.lineno, f"from {node.module} import"))
    given = {
        id(node.func): len(node.args) + len(node.keywords) for node in ast.walk(tree) if isinstance(node, ast.Call)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute | ast.Name):
            name = dotted(node, names)
            if name in READERS and given.get(id(node), 0) < GIVEN.get(name, sys.maxsize):
                found.append((node.lineno, name))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and TEXTS.search(node.value):
            found.append((node.lineno, TEXTS.search(node.value)[0]))
    return [f"{line}: {name}" for line, name in sorted(set(found))]


def dotted(node: ast.expr, names: dict[str, str]) -> str:
    if isinstance(node, ast.Name):
        return names.get(node.id, "")
    if isinstance(node, ast.Attribute) and (before := dotted(node.value, names)):
        return f"{before}.{node.attr}"
    return ""


@pytest.mark.parametrize("path", [p for p in PYTHON if p not in REAL], ids=lambda p: p.relative_to(ROOT).as_posix())
def test_nothing_but_the_clocks_reads_the_time_of_day(path):
    assert readers(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", OTHERS, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_no_script_template_or_query_reads_the_time_of_day(path):
    assert TEXTS.findall(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("from datetime import datetime, UTC\ndatetime.now(UTC)", ["2: datetime.datetime.now"]),
        ("import datetime as dt\nx = dt.date.today", ["2: datetime.date.today"]),
        ("import time\nx = dict(clock=time.time)", ["2: time.time"]),
        ("from time import time as t\nt()", ["2: time.time"]),
        ("import time\ntime.strftime('%Y')", ["2: time.strftime"]),
        ("import time\ntime.strftime('%Y', moment)\ntime.gmtime(0)\ntime.monotonic()", []),
        ("import email.utils\nemail.utils.localtime()", ["2: email.utils.localtime"]),
        ("from reconciler.clock import now\nnow()", ["1: from reconciler.clock import"]),
        ("from reconciler import clock\nclock.now()\nclock.today()", []),
        ("db.execute(\"SELECT datetime('now')\")", ["1: datetime('now'"]),
        ("run('echo $(date +%F)')", ["1: $(date"]),
        ("run([python, '-c', 'import time; print(time.time())'])", ["1: time.time("]),
    ],
)
def test_what_reads_the_time_of_day_is_found(code, found):
    assert readers(code) == found


# --- stopped, and running ---------------------------------------------------------------------------------------------

BOTH = "from reconciler import clock; from reconciler.sandbox import clock as c; print(clock.now(), clock.today(), c.now())"


def test_the_day_of_the_suite_is_written_in_one_place():
    day = re.compile(rf"\bdate\({DAY.year}, *{DAY.month}, *{DAY.day}\)")
    assert [path.name for path in PYTHON if day.search(path.read_text(encoding="utf-8"))] == []


def test_the_clocks_stand_still_here():
    assert (clock.now(), clock.today(), pipes_clock.now()) == (MOMENT, DAY, MOMENT)


@pytest.mark.parametrize("start", [["-c", BOTH], ["-I", "-c", STOP + BOTH]], ids=["found on the path", "isolated"])
def test_the_clocks_stand_still_in_commands(start):
    done = subprocess.run([sys.executable, *start], capture_output=True, text=True, check=True)
    assert done.stdout == f"{MOMENT} {DAY} {MOMENT}\n"


@pytest.mark.parametrize("path", sorted(CLOCK_FILES), ids=lambda p: p.relative_to(ROOT).as_posix())
def test_a_clock_that_nobody_stopped_goes(path):
    spec = importlib.util.spec_from_file_location("going", path)
    going = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(going)
    before = datetime.now(UTC)
    assert before <= going.now() <= datetime.now(UTC)


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Etc/GMT+12"])
def test_the_day_is_the_one_in_utc_wherever_the_machine_is(zone):
    code = "from reconciler import clock; print(clock.today())"
    before = datetime.now(UTC).date()
    done = subprocess.run(
        [sys.executable, "-I", "-c", code],
        env={**clock_variables(), "TZ": zone},
        capture_output=True,
        text=True,
        check=True,
    )
    assert before.isoformat() <= done.stdout.strip() <= datetime.now(UTC).date().isoformat()


# --- on other days ----------------------------------------------------------------------------------------------------

SHIFTS = shifted.shifts(MOMENT)
needs_shifts = pytest.mark.skipif(
    not shifted.takes(), reason="the clock cannot be moved: libfaketime is for Linux on x86-64"
)
# ways in which a test can depend on the day, past the stopped clocks: each expects the suite's
ON_ITS_DAY = f"""
import subprocess, sys, time
from datetime import date, datetime
from email.utils import localtime

DAY, CODE = "{DAY}", "import datetime; print(datetime.date.today())"
AT_IMPORT = date.today()

def said(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

def written(folder):
    (folder / "golden.json").write_text('{{"sent": "%s"}}' % datetime.now().date())
    return (folder / "golden.json").read_text()

def committed(folder):
    who = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
    said("git", "init", "--quiet", str(folder))
    said("env", "-u", "GIT_COMMITTER_DATE", "git", *who, "-C", str(folder), "commit", "--quiet", "--allow-empty", "-m", "x")
    return said("git", "-C", str(folder), "log", "-1", "--format=%cs")

def test_at_import(): assert AT_IMPORT.isoformat() == DAY
def test_in_a_helper(): assert time.strftime("%Y-%m-%d", time.gmtime(time.time())) == DAY
def test_in_a_library(): assert localtime().date().isoformat() == DAY
def test_in_a_file(tmp_path): assert written(tmp_path) == '{{"sent": "{DAY}"}}'
def test_in_a_program(): assert said("date", "-u", "+%F") == DAY
def test_in_a_script(): assert said("bash", "-c", "printf '%(%F)T'") == DAY
def test_in_a_command(): assert said(sys.executable, "-c", CODE) == DAY
def test_in_a_commit(tmp_path): assert committed(tmp_path) == DAY
"""
WAYS = ON_ITS_DAY.count("def test_")


@needs_shifts
@pytest.mark.unshifted("it moves the clock itself")
@pytest.mark.parametrize(("name", "moment"), [("the same day", MOMENT), *SHIFTS.items()], ids=["the same day", *SHIFTS])
def test_a_test_that_depends_on_the_day_is_caught(tmp_path, name, moment):
    (tmp_path / "test_it.py").write_text(ON_ITS_DAY)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", str(tmp_path)],
        cwd=tmp_path, capture_output=True, text=True, env={**os.environ, "TZ": "UTC", **shifted.moved(moment)},
    )  # fmt: skip
    expected = f"{WAYS} passed" if moment == MOMENT else f"{WAYS} failed"
    assert done.stdout.splitlines()[-1].startswith(expected), done.stdout


@needs_shifts
@pytest.mark.unshifted("it moves the clock itself")
def test_a_moved_clock_leaves_timeouts_alone():
    code = (
        "import threading, time; t = time.monotonic(); threading.Event().wait(0.01); print(time.monotonic() - t < 3600)"
    )
    environ = {**os.environ, **shifted.moved(SHIFTS["500 days later"])}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environ, timeout=60)
    assert done.stdout == "True\n"


@needs_shifts
@pytest.mark.unshifted("it moves the clock itself")
def test_a_process_that_is_killed_as_it_starts_stops_no_other():
    # libfaketime holds its semaphore then; that of a killed process stays held
    environ = {**os.environ, **shifted.moved(SHIFTS["29 February"])}
    libc = ctypes.CDLL(None)
    libc.sem_open.restype = ctypes.c_void_p
    semaphore = ctypes.c_void_p(libc.sem_open(environ["FAKETIME_SHARED"].split()[0].encode(), 0))
    assert semaphore.value
    assert libc.sem_wait(semaphore) == 0
    done = subprocess.run(["date", "-u", "+%F"], env=environ, capture_output=True, text=True, timeout=60)
    assert done.stdout == f"{SHIFTS['29 February'].date()}\n"


@pytest.mark.parametrize(
    ("now", "leap_day"),
    [
        ("2026-11-26T00:00:00+00:00", "2028-02-29"),
        ("2028-02-28T23:59:59+00:00", "2028-02-29"),
        ("2028-02-29T12:00:00+00:00", "2032-02-29"),
        ("2097-01-01T00:00:00+00:00", "2104-02-29"),
    ],
)
def test_the_leap_day_of_the_shifts_is_the_next_one(now, leap_day):
    assert shifted.shifts(datetime.fromisoformat(now))["29 February"].date().isoformat() == leap_day


@given(
    st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 30)), max_size=60, unique=True),
    st.integers(0, 2**32),
)
def test_a_share_runs_each_test_function_on_one_day_and_in_time_each_case_on_each_day(cases, turn):
    noted = [f"t.py::{function}[{case}]" for function, case in cases]
    had = Counter(name.partition("[")[0] for name in noted)
    shares = [shifted.share(noted, day, turn) for day in range(shifted.DAYS)]
    assert all(set(chosen) <= set(noted) for chosen in shares)
    run = Counter(name.partition("[")[0] for chosen in shares for name in chosen)
    assert run == dict.fromkeys(had, 1)
    for day in range(shifted.DAYS):
        turns = [shifted.share(noted, day, turn + more) for more in range(shifted.DAYS * max(had.values(), default=0))]
        assert {name for chosen in turns for name in chosen} == set(noted)


MEETS = """
from datetime import datetime
import days, stopped.sitecustomize, ssl, subprocess, sys, trustme, socket, threading
CHILD = [sys.executable, "-c", "import subprocess; subprocess.run(['true'])"]
BARE = {"PYTHONPATH": sys.argv[1], "PATH": "/usr/local/bin:/usr/bin:/bin"}
def git(*words, **more): subprocess.run(["git", "-c", "a.b=c", "-C", "/nonexistent", *words], stderr=subprocess.DEVNULL, **more)
def greet(name, **dates):
    authority, server, client = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.configure_trust(client)
    authority.issue_cert("localhost", **dates).configure_cert(server)
    one, other = socket.socketpair()
    serving = threading.Thread(target=lambda: server.wrap_socket(one, server_side=True).close())
    serving.start()
    with client.wrap_socket(other, server_hostname=name): pass
    serving.join()
with days.noted("nothing"): pass
with days.noted("a program [\\n]"): subprocess.run(["true"])
with days.noted("python"): subprocess.run([sys.executable, "--version"])
with days.noted("a program of a command"): subprocess.run(CHILD)
with days.noted("of a bare environment"): subprocess.run(CHILD, env={**BARE, **days.clock_variables()})
with days.noted("git that reads"): git("rev-parse", "HEAD", env=BARE)
with days.noted("git that commits at the suite's moment"): git("commit")
with days.noted("git that commits in a bare environment"): git("commit", env=BARE)
with days.noted("git that counts back from now"): git("log", "--since=yesterday")
with days.noted("git that names a revision by the time"): git("rev-parse", "HEAD@{1.day.ago}")
with days.noted("a lasting certificate"): greet("localhost")
with days.noted("a certificate that ends"): greet("localhost", not_after=datetime(2030, 1, 1))
with days.noted("a certificate that was not looked at"):
    context = ssl.create_default_context()
    try: context.wrap_socket(None)
    except AttributeError: pass
"""


def test_a_test_that_meets_another_program_or_a_certificate_is_noted_and_chosen(tmp_path, monkeypatch):
    noted, stopped = tmp_path / "noted", ROOT / "tests" / "stopped"
    path = os.pathsep.join([str(ROOT / "tests"), str(stopped)])
    environ = {**os.environ, days.NOTE: str(noted), "PYTHONPATH": path}
    subprocess.run([sys.executable, "-c", MEETS, str(stopped)], env=environ, check=True)
    expected = {
        "a program [\n]": "true",
        "a program of a command": "true",
        "of a bare environment": "true",
        "git that commits in a bare environment": "git",
        "git that counts back from now": "git",
        "git that names a revision by the time": "git",
        "a certificate that ends": "a certificate",
        "a certificate that was not looked at": "a certificate",
    }
    assert [json.loads(line) for line in noted.read_text().splitlines()] == [[n, [met]] for n, met in expected.items()]
    monkeypatch.setenv(days.ONLY, str(noted))
    assert days.chosen() == expected.keys()


def test_the_certificates_of_the_suite_outlast_every_shift(tmp_path):
    # those of whom it is relied upon: the served one is looked at as a test meets it
    trustme.CA().cert_pem.write_to_path(tmp_path / "authority.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(tmp_path / "authority.pem")
    (authority,) = context.get_ca_certs()
    assert ssl.cert_time_to_seconds(authority["notBefore"]) <= FIRST
    assert ssl.cert_time_to_seconds(authority["notAfter"]) >= LAST
    assert max(SHIFTS.values()).timestamp() < LAST
