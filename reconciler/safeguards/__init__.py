"""The safeguards: which plans are refused, and what `--allow` lifts.

In: one organization's worksheet and ordered steps (`Case`). Out: refusals with a code; the plan stays as it is. Pure.
Open `owner_removal.py` first: each safeguard is one file. `table.py` lists them, `worksheet.py` is what they judge.
"""
