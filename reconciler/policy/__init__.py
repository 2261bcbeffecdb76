"""Rules over access: what breaks a policy, how dangerous a change is, and who has to agree to it. Pure.

In: manifests with their `policies:`, `waivers:` and `approvals:`, what Pipes holds, a Review or a Plan. Out: a Verdict, a risk.
Open `judge.py` first; `world.py` has what it judges, and `facts.py` says it in words.
"""
