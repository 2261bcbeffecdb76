"""The plugin by which `mutants.py` notes what each test reaches, as contexts of coverage, and how long it takes if it passes."""

import json
import os
import time
from pathlib import Path

import pytest
from coverage import Coverage

_seconds: dict[str, float] = {}
_failed: set[str] = set()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    Coverage.current().switch_context(item.nodeid)
    before = time.perf_counter()
    result = yield
    _seconds[item.nodeid] = time.perf_counter() - before
    return result


def pytest_runtest_logreport(report):
    if report.failed:
        _failed.add(report.nodeid)


def pytest_sessionfinish():
    passed = {name: seconds for name, seconds in _seconds.items() if name not in _failed}
    Path(os.environ["RECONCILER_SECONDS"]).write_text(json.dumps(passed), encoding="utf-8")
