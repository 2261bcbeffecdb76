"""Reads YAML manifests.

In: paths or texts. Out: Desired (`load`), or a ManifestError with every problem that was found.
Open `document.py` first; the stages are `files`, `read_yaml`, `check`, `merge` and `resolve`.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING

from reconciler.manifest import logos
from reconciler.manifest.document import MAX_PROBLEMS
from reconciler.manifest.files import lock_path, read_all
from reconciler.manifest.json_schema import schema, schema_text
from reconciler.model.diagnostic import Diagnostic, Source
from reconciler.model.errors import ManifestError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date
    from pathlib import Path

    from reconciler.manifest.document import Document
    from reconciler.manifest.merge import Reporter
    from reconciler.model.desired import Desired

__all__ = ["load", "load_texts", "load_with_texts", "lock_path", "schema", "schema_text"]


def load(paths: Sequence[str | Path], *, today: date) -> Desired:
    """Read files, and folders of `*.yaml` and `*.yml`, into what they ask for on `today`.

    Without paths: `orgs.yaml`, else `orgs/`, in the current folder. Raises ManifestError with the problems of all files,
    errors before warnings.
    """
    return load_with_texts(paths, today=today)[0]


def load_with_texts(paths: Sequence[str | Path], *, today: date) -> tuple[Desired, dict[str, bytes]]:
    """The same, and the bytes that were read, by name."""
    texts, problems = read_all(paths)
    desired = _load(texts, today, problems)
    desired.paths = tuple(str(path) for path in paths)
    return desired, texts


def load_texts(texts: Mapping[str, bytes], *, today: date, pictures: logos.Reader = logos.read) -> Desired:
    """Read manifests from memory, by name. Without any, the result asks for nothing. `pictures` reads the logos beside them."""
    return _load(texts, today, [], pictures)


def _load(
    texts: Mapping[str, bytes], today: date, problems: Sequence[Diagnostic], pictures: logos.Reader = logos.read
) -> Desired:
    from reconciler.manifest import read_yaml
    from reconciler.manifest.check import Gaps, check
    from reconciler.manifest.members import ended
    from reconciler.manifest.merge import Reporter, merge
    from reconciler.manifest.resolve import resolve

    gaps = Gaps(everything=bool(problems))
    documents: dict[str, Document] = {}
    room = read_yaml.MAX_VALUES
    for name, data in texts.items():
        documents[name] = document = read_yaml.read(name, data, room)
        if document.root is None and document.values >= room:
            gaps.everything = True  # the files after this one are not read
            break
        room = max(0, room - document.values)
    for document in documents.values():
        check(document, gaps)
    report = Reporter(documents)
    written = merge(documents, report, gaps)
    logos.pin(written.orgs, pictures, report)
    for name, document in documents.items():
        _aws_keys(document, texts[name], report)
    if report.count:
        gaps.people = True  # of two lines about the same person only the first was taken
    desired = resolve(written, today, report, gaps)
    order = {name: place for place, name in enumerate(documents)}
    found = in_order(
        [*problems, *(problem for document in documents.values() for problem in document.problems), *report.found],
        order,
    )
    more = Counter(report.more)
    more["error"] += sum(document.more for document in documents.values())
    errors = [diagnostic for diagnostic in found if diagnostic.severity == "error"]
    warnings = [*(diagnostic for diagnostic in found if diagnostic.severity != "error"), *_more(more, "warning")]
    if errors:
        more["error"] += len(errors[MAX_PROBLEMS:])
        last = _more(more, "error") or [_CUT] * any(document.cut for document in documents.values())
        raise ManifestError([*errors[:MAX_PROBLEMS], *last, *warnings], files=len(texts))
    desired.warnings = tuple(warnings)
    desired.ended = in_order(ended(written, today, documents), order)
    desired.files = tuple(sorted((name, hashlib.sha256(data).hexdigest()) for name, data in texts.items()))
    return desired


_CUT = Diagnostic(
    "error",
    f"there may be more errors: a file is not checked beyond its first {MAX_PROBLEMS}",
    hint="fix those above first, then run this again",
)


def _more(more: Mapping[str, int], severity: str) -> list[Diagnostic]:
    """One last problem that counts those that were not reported."""
    number = more[severity]
    if not number:
        return []
    fact = f"{number:,} more {severity}{'s are' if number > 1 else ' is'} not shown"
    return [Diagnostic(severity, fact, hint="fix those above first, then run this again")]


def _aws_keys(document: Document, data: bytes, report: Reporter) -> None:
    """Refuse the id of an AWS access key anywhere in a file, comments included."""
    from reconciler.kinds import secret

    if b"AKIA" not in data and b"ASIA" not in data:
        return
    reported = {(found.source.file, found.source.line) for found in report.found if found.source is not None}
    for number, line in enumerate(data.decode("utf-8", "replace").split("\n"), 1):
        found = secret.AWS_KEY.search(line)
        if found is not None and (document.file, number) not in reported:
            report.error(
                "this looks like the id of an AWS access key",
                Source(document.file, number, found.start() + 1),
                hint="remove it and issue a new key: everyone who can read this file has seen this one",
            )


def in_order(found: Sequence[Diagnostic], order: Mapping[str, int]) -> tuple[Diagnostic, ...]:
    """Errors first, then by place. Files that could not be read come first, in the order given."""

    def key(diagnostic: Diagnostic) -> tuple[bool, int, int, int]:
        source = diagnostic.source
        place = (-1, 0, 0) if source is None else (order.get(source.file, -1), source.line, source.column)
        return (diagnostic.severity != "error", *place)

    return tuple(dict.fromkeys(sorted(found, key=key)))
