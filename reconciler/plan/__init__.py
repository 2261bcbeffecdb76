"""What would change live into what the manifests want: a pure function.

In: Desired, a Snapshot, the lock file and the allowances. Out: a Plan (`make_plan`); the same inputs give the same bytes.
Open `diff/` first: it compares. `identity/` decides who a name means, `order.py` puts the steps in order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reconciler.plan.make import make_plan

__all__ = ["make_plan"]


def __getattr__(name: str) -> Any:
    # loaded when it is asked for: `validate` needs only a part of `identity/`, and of saved plans only `document.py`
    if name == "make_plan":
        from reconciler.plan.make import make_plan

        return make_plan
    raise AttributeError(name)
