"""Invitations by email that are open for long, or gone: whether to send them again."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from reconciler.model.live import INVITED_ON
from reconciler.plan.identity import doubts

if TYPE_CHECKING:
    from reconciler.model.desired import Desired, Person
    from reconciler.model.live import LockEntry, Resource
    from reconciler.plan.identity.people import People, Scene


def send_again(people: People, scene: Scene, person: Person, entry: LockEntry, desired: Desired) -> bool:
    """Whether somebody whose invitation is gone is invited again: it is stated, or the manifests say after how long."""
    sent = sent_on(entry)
    if person.reinvite is not None and person.reinvite <= desired.day and (sent is None or sent < person.reinvite):
        why = f"`reinvite: {person.reinvite.isoformat()}` states it"
    elif desired.resend_after is not None and sent is not None and (desired.day - sent).days >= desired.resend_after:
        why = f"it was sent on {sent.isoformat()}, and invitations.resend_after is {desired.resend_after}d"
    else:
        return False
    place = scene.org.partition(".")[2]
    people.consequences.append(f"{person.name} is invited to {place} again, since the last invitation is gone: {why}")
    return True


def open_for_long(people: People, org: str, name: str, row: Resource, desired: Desired) -> None:
    """Say that an invitation is open for longer than the manifests think right. Nothing is done: the contract has no
    operation that sends one again, and one that is cancelled takes its grants along.
    """
    sent = row.attrs.get("sent")
    if not sent or desired.resend_after is None:
        return
    try:
        days = (desired.day - date.fromisoformat(sent)).days
    except ValueError:
        return
    if days >= desired.resend_after:
        people.notes.append(
            f"the invitation of {name} to {org.partition('.')[2]} is pending since {sent}; Pipes cannot send one again, and "
            f"cancelling it would take its grants along, so it is left alone"
        )


def sent_on(entry: LockEntry) -> date | None:
    """The day on which an invitation by email was sent, as far as the lock file has it."""
    try:
        return date.fromisoformat(str(entry.more.get(INVITED_ON)))
    except ValueError:
        return None


def gone(people: People, scene: Scene, person: Person, entry: LockEntry, desired: Desired) -> None:
    """Say that an invitation is gone; where the manifests say after how long it is sent again, nothing waits for that."""
    sent, place = sent_on(entry), scene.org.partition(".")[2]
    if sent is not None and desired.resend_after is not None:
        again = sent + timedelta(days=desired.resend_after)
        people.waiting.add(person.name)
        people.notes.append(
            f"the invitation of {person.name} to {place} of {sent.isoformat()} is gone: it has expired, or was declined or "
            f"cancelled; it is sent again from {again.isoformat()} on, as invitations.resend_after says"
        )
        return
    what = (
        f"the invitation of {sent.isoformat()} is gone, so it has expired or was declined or cancelled; or it was accepted, "
        f"and {person.name} has left"
        if sent is not None
        else f"{person.name} is not in the org any more"
    )
    later = ", or with `invitations: {resend_after: 14d}`" if sent is not None else ""
    doubts.who_is_this(
        people,
        scene.org,
        person,
        f"the lock file knows {person.name} as {entry.id}, and {what}",
        f", state a new invitation with `reinvite: {desired.day.isoformat()}` beside the email{later}, or drop the line",
    )


def invited_again(scene: Scene, name: str) -> str:
    """A note for somebody known by handle who was in the org, or invited to it, and is not there any more."""
    return (
        f"{name} was in {scene.place} or invited to it at an earlier apply, and is not there now: the invitation was declined "
        f"or cancelled, has expired, or {name} left; every plan invites {name} again as long as the manifests list {name}"
    )


def instead_of(name: str, handle: str) -> str:
    """How to remove an account with which somebody other than `name` accepted the invitation, and invite `name`."""
    return f"write `{handle}: {{absent: true}}` in place of {name}, apply, and list {name} again"


def other_address(scene: Scene, person: Person, row: Resource) -> str:
    """A note for an account that was invited at another address than the manifests give now."""
    return (
        f"{person.name} is {row.handle}'s account in {scene.place}, which was invited at another address than {person.email}; "
        f"the account keeps what it has, and nothing of it is changed. If {row.handle} is not {person.name}, "
        f"{instead_of(person.name, row.handle)}; otherwise `people: {{{person.name}: {{email: {person.email}, handle: "
        f"{row.handle}}}}}` says so"
    )
