"""policy: a plan breaks no rule of `policies:` that holds in Pipes, and makes no violation worse."""

from __future__ import annotations

from reconciler.safeguards.safeguard import Safeguard

PAGE = """\
**Refuses** a plan after which somebody breaks a policy of level `error` who does not break it in Pipes now, or breaks it worse: more
people beyond `max`, fewer below `min`. A violation that is in Pipes already is a note and refuses nothing, so that you can
adopt a policy before everything follows it. A policy of level `warn` never refuses.

**Why:** `validate` judges the manifests alone. What they leave alone, and what was changed by hand, only Pipes knows.

**To fix:** change what the manifests ask for, or agree on an exception that ends: the refusal prints its line for `waivers:`
([policies.md](policies.md)).
"""

SAFEGUARD = Safeguard("policy", lifted_by_allow=False, page=PAGE, found_in="reconciler/policy/worse.py")
