"""stale-plan: what is applied is what was reviewed."""

from __future__ import annotations

from reconciler.safeguards.safeguard import Safeguard

PAGE = """\
**Refuses** a saved plan that no longer holds: a manifest or a live object that it rests on changed, what is due today differs from
what was planned for its day, the file itself was changed, or it was made against another Pipes (`host` in the plan; `sandbox` for
any embedded one). If the audit log knows who changed an object and when, the refusal says so.

**Why:** what is applied must be what was reviewed.

**To fix:** plan again, and have the new plan reviewed.
"""

SAFEGUARD = Safeguard("stale-plan", lifted_by_allow=False, page=PAGE, found_in="reconciler/plan/stale.py")
