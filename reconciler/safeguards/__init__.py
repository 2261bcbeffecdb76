"""The safeguards: which plans are refused, and what lifts a refusal.

In: the worksheet of one org with its ordered steps. Out: refusals, each with a code. None changes the plan.
Open `checks.py` first; `worksheet.py` is what a safeguard is given, `allow.py` reads `--allow CODE=ADDRESS`. Pure.
"""
