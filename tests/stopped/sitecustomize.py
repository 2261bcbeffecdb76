"""Stops the clock of the suite and of every command that it starts, and notes what else these could meet.

Python runs the `sitecustomize` that it finds on its path; `tests/conftest.py` puts this folder there. The product has no
switch for its clock, so that nothing in a repository or an environment can move the day by which access ends. What is
replaced is what the two clocks read, as they are imported: the one of the package and the one of the embedded Pipes.
A commit of git gets the same moment.

Other programs and certificates go by the real day. Where `FELT` names a file, a process writes into it which it meets. Two
of them are left out, since no day changes what they do: git where it writes no commit or is given the moment, and a
certificate that is valid from 2000 to 2100.
"""

import os
import re
import sys
from datetime import UTC, datetime
from importlib.machinery import PathFinder

MOMENT = datetime(2026, 11, 24, 9, tzinfo=UTC)
DAY = MOMENT.date()
# put before the code of an interpreter that looks at no path: `python -I -c`
STOP = f"import runpy; runpy.run_path({__file__!r}); "
CLOCKS = ("reconciler.clock", "reconciler.sandbox.clock")
FELT = "RECONCILER_FELT"
GIT_DATES = dict.fromkeys(("GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE"), MOMENT.isoformat())
# what writes no commit and no tag
GIT_READS = {
    "add", "apply", "branch", "cat-file", "check-ignore", "checkout", "clone", "config", "diff", "fetch", "hash-object",
    "init", "log", "ls-files", "ls-tree", "mktree", "push", "read-tree", "remote", "reset", "rev-list", "rev-parse", "rm",
    "show", "sparse-checkout", "status", "symbolic-ref", "update-ref", "write-tree",
}  # fmt: skip
# a time that git counts back from now
GIT_AGO = re.compile(r"@\{|^--(since|until|after|before|expire|date)|relative|%[ac]r")
FIRST, LAST = 946_684_800 + 86_400, 4_102_444_800  # 2000-01-02 and 2100-01-01
PROGRAMS = {"subprocess.Popen", "os.posix_spawn", "os.spawn", "os.exec"}


def stop(module):
    module.now = lambda: MOMENT


def note(what):
    """Write down what this process meets that goes by the real day."""
    if FELT in os.environ:
        with open(os.environ[FELT], "a", encoding="utf-8") as file:  # noqa: PTH123 -- it is loaded by every process
            file.write(what.rpartition("/")[2] + "\n")


def listen(event, args):
    if PROGRAMS is None:  # the interpreter is going down
        return
    if event in PROGRAMS and os.fsdecode(args[0]) != sys.executable:
        program = os.fsdecode(args[0]).rpartition("/")[2]
        if program != "git" or not is_timeless([os.fsdecode(word) for word in args[1]], args[-1]):
            note(program)
    elif event == "os.system":
        note("sh")


def is_timeless(command, environ):
    """Whether no day changes what git does for a command; `environ` is None for that of this process."""
    words = iter(command[1:])
    verb = ""
    for word in words:
        if word in {"-c", "-C"}:
            next(words, None)
        elif not word.startswith("-"):
            verb = word
            break
    if any(map(GIT_AGO.search, command)):
        return False
    return verb in GIT_READS or all(name in (os.environ if environ is None else environ) for name in GIT_DATES)


def watch(module):
    encrypt = module.SSLContext.wrap_socket

    def encrypting(context, sock, server_side=False, *args, **options):
        wrapped = None
        try:
            wrapped = encrypt(context, sock, server_side, *args, **options)
        finally:
            # who serves looks at no date
            if not server_side and not is_lasting(module, wrapped):
                note("a certificate")
        return wrapped

    module.SSLContext.wrap_socket = encrypting


def is_lasting(module, wrapped):
    """Whether an encrypted connection goes by no date, or by one of a certificate that outlasts every shift."""
    try:
        found = wrapped.getpeercert()
    except (AttributeError, ValueError):  # refused, or not asked yet
        return False
    if not found:  # nobody looks at it
        return True
    begins, ends = (module.cert_time_to_seconds(found[name]) for name in ("notBefore", "notAfter"))
    return begins <= FIRST and ends >= LAST


CHANGES = dict.fromkeys(CLOCKS, stop)
if FELT in os.environ:
    sys.addaudithook(listen)
    if "ssl" in sys.modules:
        watch(sys.modules["ssl"])
    else:
        CHANGES["ssl"] = watch


class Changer:
    """Finds these modules as Python does, and has them changed once they are loaded."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name not in CHANGES:
            return None
        spec = PathFinder.find_spec(name, path, target)
        load = spec.loader.exec_module

        def changed(module):
            load(module)
            CHANGES[name](module)

        spec.loader.exec_module = changed
        return spec


sys.meta_path.insert(0, Changer)
