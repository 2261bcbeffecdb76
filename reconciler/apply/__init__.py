"""Performs a plan.

In: a plan with the desired state, the live state and the lock file that it was made from. Out: an outcome for each step, and
the lock file's new content (`run_plan`). Open `run.py` first, then `perform.py` for what one step does.
"""
