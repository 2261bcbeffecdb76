"""Stops the clock of the suite and of every Python process that it starts, and notes what else these could meet.

Python runs the `sitecustomize` that it finds on its path; `tests/conftest.py` puts this folder there. The product has no
switch for its clock, so that nothing in a repository or an environment can move the day by which access ends. What is
replaced is what the two clocks read, as they are imported: the one of the package and the one of the embedded Pipes.

Other programs and certificates go by the real day. Where `FELT` names a file, a process writes into it which it meets.
"""

import os
import sys
from datetime import UTC, datetime
from importlib.machinery import PathFinder

MOMENT = datetime(2026, 11, 24, 9, tzinfo=UTC)
DAY = MOMENT.date()
# put before the code of an interpreter that looks at no path: `python -I -c`
STOP = f"import runpy; runpy.run_path({__file__!r}); "
CLOCKS = ("reconciler.clock", "reconciler.sandbox.clock")
FELT = "RECONCILER_FELT"
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
        note(os.fsdecode(args[0]))
    elif event == "os.system":
        note("sh")


def watch(module):
    encrypt = module.SSLContext.wrap_socket

    def encrypting(*args, **options):
        note("a certificate")
        return encrypt(*args, **options)

    module.SSLContext.wrap_socket = encrypting


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
