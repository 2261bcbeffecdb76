"""What every test has: an embedded Pipes whose requests and answers are held against the contract, where it is there."""

from __future__ import annotations

import functools
import os
import signal
from pathlib import Path

import hypothesis
import pytest

import days  # before what notes what a test meets
import shifted
import stopped.sitecustomize  # before the clocks are imported
from reconciler.sandbox import app
from sandbox.contract import contract_checking

# the commands that a test starts find the stopped clock by these
os.environ["PYTHONPATH"] = os.pathsep.join(
    filter(None, [str(Path(stopped.sitecustomize.__file__).parent), os.environ.get("PYTHONPATH")])
)
os.environ.update(stopped.sitecustomize.GIT_DATES)

# a busy machine is no failure: neither a slow example nor slow generation
hypothesis.settings.register_profile("suite", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("suite")

# whoever moved the clock: a command that a test kills may hold what libfaketime in all others waits for
if days.is_moved():
    os.environ["FAKETIME_SHARED"] = shifted.shared()

# a shell that runs the suite in the background has Ctrl-C ignored, also in the commands that a test starts
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def _contract():
    """Wrap whatever `reconciler.sandbox.app.create_app` makes in the contract's judge; `tests/sandbox` does so itself."""
    made = app.create_app

    @functools.wraps(made)
    def judged(*args, **options):
        return contract_checking(made(*args, **options))

    app.create_app = judged
    yield
    app.create_app = made


def pytest_configure(config):
    config.addinivalue_line("markers", "unshifted(reason): it cannot run with a moved clock: `make days` skips it")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    with days.noted(item.nodeid):
        return (yield)


def pytest_collection_modifyitems(config, items):
    only = days.chosen()
    if only is not None:
        left_out = [item for item in items if item.nodeid not in only]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item.nodeid in only]
    if days.is_moved():
        for item in items:
            if mark := item.get_closest_marker("unshifted"):
                item.add_marker(pytest.mark.skip(reason=f"cannot be shifted: {mark.args[0]}"))
