"""The state of one reading, shared by the modules that each read one kind of list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from reconciler.model.address import join
from reconciler.pipes.errors import NotAuthorisedError, NotSentError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from reconciler.model.desired import Desired, Node
    from reconciler.model.errors import PipesError
    from reconciler.model.live import Actor, Identity, Lock, Resource, TenantMember, Unreadable
    from reconciler.pipes.client import Client
    from reconciler.pipes.workers import Workers

    Progress = Callable[[str, int, int, str], object]

EMPTY_READ = "empty-read"


class LiveOrg(msgspec.Struct):
    """A managed org while it is read, the manifest nodes that may mean it, and why it could not be read."""

    resource: Resource
    nodes: list[Node]
    failed: str | None = None


class Run(msgspec.Struct):
    """The state of one reading. Only the thread that runs the workers touches it."""

    # What is asked for
    client: Client  # sends the requests
    lock: Lock  # a copy that gains entries while orgs are recognised by their id
    desired: Desired  # what the manifests want
    wanted: dict[str, Node]  # the orgs to read, by the name that the manifest gives them
    by_old_handle: dict[str, list[Node]]  # by `renamed_from`
    by_id: dict[str, list[Node]]  # by the id that the lock file has for them

    # How it is read
    workers: Workers  # run the requests side by side
    progress: Progress | None  # is called for each list
    begun: int = 0  # lists and look-ups
    ended: int = 0  # those that are done
    siblings: dict[str, dict[str, str]] | None = None  # `locked`'s index; None where it has to be made (again)
    meant: dict[tuple[int, str], dict[str, list[Node]]] = msgspec.field(default_factory=dict)  # `may_mean`'s, likewise
    shared: dict[tuple[tuple[str, Any], ...], dict[str, Any]] = msgspec.field(
        default_factory=dict
    )  # the attributes of people's rows, once each
    asked: set[str] = msgspec.field(default_factory=set)  # handles and ids of orgs that were looked up one by one

    # What was found
    actor: Actor | None = None  # the token's own user
    managed: dict[str, LiveOrg] = msgspec.field(default_factory=dict)  # by the org's id
    candidates: dict[str, dict[str, LiveOrg]] = msgspec.field(
        default_factory=dict
    )  # by the node's name, then the live handle
    others: dict[str, Resource] = msgspec.field(
        default_factory=dict
    )  # orgs of the actor that are not managed, by handle
    forbidden: set[str] = msgspec.field(default_factory=set)  # handles of orgs that answered 403
    hidden: set[str] = msgspec.field(default_factory=set)  # ids of orgs that exist and may not be read
    unreadable: dict[str, Unreadable] = msgspec.field(default_factory=dict)  # by the node's name
    identities: dict[str, Identity | None] = msgspec.field(default_factory=dict)  # by handle; None where nobody has it
    near: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict)  # unknown handle -> those that resemble it
    limits: dict[str, int] = msgspec.field(default_factory=dict)  # org handle -> how many workspaces it may have
    tenants: dict[str, dict[str, tuple[TenantMember, ...]] | None] = msgspec.field(
        default_factory=dict
    )  # by id, then email
    issued_at: datetime | None = None  # when the token in use was issued


def org_addresses(node: Node) -> list[str]:
    """The addresses under which the lock file may know an org: by its present name, and by its `renamed_from`."""
    return [join(None, "org", name) for name in (node.name, node.renamed_from) if name is not None]


def locked(run: Run, above: str | None, kind: str) -> dict[str, str]:
    """The ids that the lock file has for the objects of a kind directly below an address, by name."""
    if run.siblings is None:
        run.siblings = {}
        for address, entry in run.lock.items():
            name = address.rpartition("/")[2].partition(".")[2]
            run.siblings.setdefault(address[: len(address) - len(name)], {})[name] = entry.id
    return run.siblings.get(join(above, kind, ""), {})


def live_org_of(run: Run, node: Node) -> LiveOrg | None:
    """The live org that a manifest's org means: by its handle, else by `renamed_from`, else by its id."""
    found = run.candidates.get(node.name, {})
    for handle in (node.name, node.renamed_from):
        if handle in found:
            return found[handle]
    return next(iter(found.values()), None)


def fail(entry: LiveOrg, error: PipesError) -> None:
    """Note that an org cannot be read. Raises the error if it means that nothing can be read."""
    if isinstance(error, NotAuthorisedError | NotSentError):
        raise error
    if entry.failed is None:
        entry.failed = str(error)


def submit(run: Run, work: Callable[[], Any], then: Callable[[Any], None]) -> None:
    """Have a single look-up done; `then` gets what it found, or the PipesError."""
    run.begun += 1
    run.workers.submit(work, then)


def report_progress(run: Run, kind: str, address: str) -> None:
    """Count a list or look-up as read."""
    run.ended += 1
    if run.progress is not None:
        run.progress(kind, run.ended, run.begun, address)
