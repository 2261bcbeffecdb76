"""Stops the clock of the suite and of every Python process that it starts.

Python runs the `sitecustomize` that it finds on its path; `tests/conftest.py` puts this folder there. The product has no
switch for its clock, so that nothing in a repository or an environment can move the day by which access ends. What is
replaced is what the two clocks read, as they are imported: the one of the package and the one of the embedded Pipes.
"""

import sys
from datetime import UTC, datetime
from importlib.machinery import PathFinder

MOMENT = datetime(2026, 11, 24, 9, tzinfo=UTC)
DAY = MOMENT.date()
# put before the code of an interpreter that looks at no path: `python -I -c`
STOP = f"import runpy; runpy.run_path({__file__!r}); "
CLOCKS = ("reconciler.clock", "reconciler.sandbox.clock")


class Stopper:
    """Finds the two clocks as Python does, and has them stopped once they are loaded."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name not in CLOCKS:
            return None
        spec = PathFinder.find_spec(name, path, target)
        load = spec.loader.exec_module

        def stopped(module):
            load(module)
            module.now = lambda: MOMENT

        spec.loader.exec_module = stopped
        return spec


sys.meta_path.insert(0, Stopper)
