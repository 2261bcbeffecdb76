"""Talks to the API of Turbot Pipes.

In: settings (`settings.py`) and requests. Out: a Snapshot of what is live (`reading`), answers to writes (`client.py`), and the
audit log (`audit.py`). Open `client.py` first.
"""
