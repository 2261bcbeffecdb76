"""stale-plan: what is applied is what was reviewed."""

from __future__ import annotations

from reconciler.safeguards.safeguard import Safeguard

PAGE = """\
**Refuses** a saved plan that no longer holds: a manifest or a live object that it rests on changed, what is due today differs from
what was planned for its day, the file itself was changed, or it was made against another Pipes (`host` in the plan; `sandbox` for
any embedded one). If the audit log knows who changed an object and when, the refusal says so.

**Why:** what is applied must be what was reviewed.

Save as `stale.yaml`:

```yaml
version: 1
orgs:
  acme:
    display_name: Acme Corp
```

```console
$ reconciler plan stale.yaml --host sandbox -o plan.json > plan.txt
Saved the plan as plan.json. To apply exactly this plan: reconciler apply plan.json stale.yaml
$ echo '    url: https://acme.example' >> stale.yaml
$ reconciler apply plan.json stale.yaml --host sandbox 2>&1 | grep -A 3 '^Refused: '
Refused: stale-plan  org.acme
  the manifest stale.yaml was changed since the plan was made.
  To fix: plan again, and have the new plan reviewed.
```
"""

SAFEGUARD = Safeguard("stale-plan", lifted_by_allow=False, page=PAGE, found_in="reconciler/plan/stale.py")
