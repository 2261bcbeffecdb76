"""Runs the command in forks of one process, with the standard streams that each run is given: no run imports anything again.

    python forked.py JOBS

JOBS is a JSON list of `{folder, args, out, err, status, closed, gone, encoding}`: the files that take what is printed and
the exit status, the descriptors that are closed, and whether the reader of standard output has gone. Each fork ends as an
interpreter does: with its own flushing.
"""

import gc
import importlib
import io
import json
import os
import pkgutil
import sys
from pathlib import Path

import reconciler
from reconciler import cli


def redirect(job):
    """Give this process the streams that a shell would have given it."""
    os.chdir(job["folder"])
    for number, name in ((0, os.devnull), (1, job["out"]), (2, job["err"])):
        opened = os.open(name, os.O_RDWR | os.O_CREAT, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    if job["gone"]:
        read, write = os.pipe()
        os.close(read)
        os.dup2(write, 1)
        os.close(write)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if number in job["closed"]:
            os.close(number)
            setattr(sys, name, None)
        else:
            mode, errors = ("rb", "strict") if number == 0 else ("wb", "backslashreplace" if number == 2 else "strict")
            buffer = open(number, mode, closefd=False)  # noqa: SIM115 -- a descriptor, kept until the end
            setattr(sys, name, io.TextIOWrapper(buffer, encoding=job["encoding"], errors=errors))


for module in pkgutil.walk_packages(reconciler.__path__, "reconciler."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
gc.freeze()
for job in json.loads(Path(sys.argv[1]).read_text()):
    child = os.fork()
    if not child:
        redirect(job)
        break
    _, ended = os.waitpid(child, 0)
    Path(job["status"]).write_text(str(os.waitstatus_to_exitcode(ended)))
else:
    job = None
if job is not None:
    cli.main(job["args"])
