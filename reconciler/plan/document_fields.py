"""The fields of a plan document, for msgspec: `document.py` reads and writes it, schemas/plan.schema.json describes it."""

from __future__ import annotations

from datetime import date  # noqa: TC003  (msgspec resolves the annotations below at run time)
from typing import Annotated, Any, Literal

import msgspec

Action = Literal["create", "update", "rename", "delete"]


class Part(msgspec.Struct, forbid_unknown_fields=True):
    """A part of the document. Unknown fields are refused: apply must not pass over what it does not understand."""


class Source(Part):
    file: str
    line: int
    column: int


class Request(Part):
    method: str
    path: Annotated[str, msgspec.Meta(pattern="^/")]
    body: dict[str, Any] | None
    if_match: int | None
    late: str | None


class Difference(Part):
    actions: list[str]
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    details: list[str]


class Change(Part):
    address: str
    mode: Literal["managed"]
    type: str
    name: str
    action: Action
    action_reason: str | None
    previous_address: str | None
    stated: bool
    via: str | None
    because: str | None
    expires: date | None
    then: str | None
    id: str | None
    version: int | None
    source: Source | None
    change: Difference
    requests: list[Request]


class Step(Part):
    number: int
    address: str
    action: Action
    org: str
    change: int | None
    requests: list[int]
    needs: list[int]
    accepted_owners: int | None


class Effect(Part):
    person: str
    object: str
    before: str | None
    after: str | None
    why: str
    invited: bool
    expires: date | None
    then: str | None
    robot: bool = False


class DnsChange(Part):
    workspace: Annotated[str, msgspec.Meta(pattern=r"^[^/\s]+/[^/\s]+$")]
    before: str
    after: str | None


class Refusal(Part):
    code: str
    address: str
    fact: str
    fix: str
    source: Source | None
    liftable: bool


class Safeguards(Part):
    refusals: list[Refusal]
    lifted: list[Refusal]


class Allowance(Part):
    code: str
    address: str


class Diagnostic(Part):
    severity: Literal["error", "warning"]
    summary: str
    source: Source | None
    hint: str | None
    length: int
    also: Source | None
    text: str | None


class File(Part):
    path: str
    sha256: str


class MessageCounts(Part):
    errors: int
    warnings: int
    notes: int


class Shard(Part):
    number: int
    of: int
    estate: str
    host: str
    actor: str
    messages: dict[str, MessageCounts]


class Made(Part):
    at: str
    host: str
    user: str
    revision: str
    dirty: bool
    tool: str


class Document(Part):
    format_version: str
    day: date
    risk: str
    orgs: list[str]
    applyable: bool
    complete: bool
    errored: bool
    resource_changes: list[Change]
    resource_drift: list[Any]
    steps: list[Step]
    impact: list[Effect]
    dns: list[DnsChange]
    safeguards: Safeguards
    allowed: list[Allowance]
    confirm_delete: list[str]
    errors: list[Diagnostic]
    warnings: list[Diagnostic]
    notes: list[str]
    unmanaged: list[str]
    files: list[File]
    paths: list[str]
    reads: dict[str, str]
    host: str = ""
    made: Made | None = None
    shard: Shard | None = None
    digest: str | None = None
    mark: str | None = None  # of a run with a key, see `lockfile.seal`
