"""Texts outside of configurations that may hold a secret: an address, a description, a reason. Everyone who reads a report
would read it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.kinds import secret
from reconciler.manifest.document import Map, Seq
from reconciler.model.diagnostic import Source

if TYPE_CHECKING:
    from reconciler.manifest.document import Document
    from reconciler.manifest.merge import Reporter


def check(document: Document, root: Map, report: Reporter) -> None:
    """Report what may be a secret: what looks like a token or lets somebody in is an error, `password=…` a warning."""
    for key, value in root.items():
        if isinstance(value, str):
            if len(value) > secret.LONGEST_WORD:
                _check(value, Source(document.file, *root.at[key][2:]), report)
        elif isinstance(value, Map):
            if key != secret.FIELD:  # that has rules of its own
                check(document, value, report)
        elif isinstance(value, Seq):
            for item in value:  # lists have names, and no texts
                if isinstance(item, Map):
                    check(document, item, report)


def _check(text: str, source: Source, report: Reporter) -> None:
    if secret.AWS_KEY.search(text):
        return  # found anywhere, also in comments
    if secret.is_token_text(text):
        report.error(
            "this text holds what may be a secret, and everyone who can read this file or a report can read it",
            source,
            hint="take it out; if it is a secret, issue a new one",
        )
    elif secret.is_secret_text(text):
        report.warning("this text may hold a secret, and reports show it", source, hint="take it out if it does")
