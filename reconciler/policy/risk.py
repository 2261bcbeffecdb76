"""How dangerous a pull request is: the highest risk of its changes, those of rules included."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.kinds import member
from reconciler.model import address as addresses
from reconciler.plan.risk import (
    ATTRIBUTES,
    DESTROYS,
    GRANTS,
    LOSSES,
    NONE,
    OWNERS,
    PEOPLE,
    RULES,
    highest,
    of_change,
    of_roles,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.model.review import AccessChange, Review

# what a review states beyond its changes
STATEMENTS = {
    "absent": ATTRIBUTES,  # of a person; that of an object is a change of its own
    "rename": DESTROYS, "tokens": DESTROYS, "managed": LOSSES, "unmanaged": GRANTS, "left-alone": ATTRIBUTES,
    "expires": ATTRIBUTES, "expired": ATTRIBUTES, "safeguard": RULES, "host": RULES, "ignore": RULES,
    "ignore-ends": RULES, "kept": RULES, "not-kept": RULES, "robot": RULES, "no-robot": RULES, "resend": GRANTS, "reinvite": GRANTS, "lock": ATTRIBUTES,
    "reads": OWNERS, "rotate": OWNERS, "attached": OWNERS, "detached": LOSSES, "opened": OWNERS, "closed": LOSSES, "everywhere": OWNERS, "not-everywhere": LOSSES,
    "usable": OWNERS, "unusable": LOSSES,
}  # fmt: skip


def of_review(review: Review, *, rules: bool) -> str:
    """The risk of a pull request. `rules`: whether it changes rules, or people, that the review does not list."""
    return highest(_of_review(review, rules=rules))


def _of_review(review: Review, *, rules: bool) -> Iterator[str]:
    if rules or review.rules:
        yield RULES
    if review.identities or review.one_person:
        yield OWNERS
    for change in review.changes:
        yield of_change(change)
    for found in review.access:
        if found.unknown != "after":  # whoever is there stays
            yield of_roles(found.had, found.has)
    for found in review.rerouted:
        yield _of_end(found)
    for one in review.statements:
        if one.kind == "absent" and addresses.kind_of(one.address) not in PEOPLE:
            yield DESTROYS
        else:
            # a kind that nobody has judged yet counts as dangerous
            yield STATEMENTS.get(one.kind, DESTROYS)


def _of_end(found: AccessChange) -> str:
    """Access that stays, and lasts longer, or less long, than before."""
    had, has = found.before, found.after
    if had is None or has is None or (had.expires, had.then) == (has.expires, has.then):
        return NONE
    if has.role == member.OWNER:
        return OWNERS
    if had.expires is not None and (has.expires is None or has.expires > had.expires):
        return GRANTS
    return GRANTS if has.then is not None and had.then is None and has.expires == had.expires else LOSSES
