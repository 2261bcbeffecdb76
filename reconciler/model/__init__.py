"""The nouns that every other room uses.

In: nothing of ours. Out: values without I/O: what is wanted, what is live, a plan, its steps, and what went wrong.
Open `desired.py`, `live.py` and `plan.py` first.
"""
