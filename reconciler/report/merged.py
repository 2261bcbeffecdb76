"""Lines of a report that would say nearly the same many times, merged into one: effects on many objects, similar refusals.

Nothing here is escaped: each format passes names and prose through its own functions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.report import wording

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from reconciler.model.diagnostic import Refusal
    from reconciler.model.plan import Effect

FEW = 3  # at most this many are shown one by one
A_LINE = 20  # objects on one line, so that lines stay readable


def effects(found: Iterable[Effect]) -> Iterator[tuple[Effect, tuple[str, ...]]]:
    """An effect and the objects that it is about, for each line of a report; in the order of the first of each.

    What one person gains or loses for the same reason on more than three orgs, workspaces or connections is on one line.
    """
    groups: dict[tuple[Any, ...], list[Effect]] = {}
    for one in found:
        kind = (wording.CONNECTION in one.object, "/" in one.object)
        key = (one.person, kind, one.before, one.after, one.why, one.invited, one.expires, one.then)
        groups.setdefault(key, []).append(one)
    for group in groups.values():
        if len(group) <= FEW:
            yield from ((one, (one.object,)) for one in group)
        else:
            objects = [one.object for one in group]
            yield from ((group[0], tuple(objects[at : at + A_LINE])) for at in range(0, len(objects), A_LINE))


def refusals(found: Sequence[Refusal]) -> Iterator[tuple[Refusal, ...]]:
    """Refusals that are shown together: more than three of one safeguard that are fixed in the same way, or a single one."""
    groups: dict[tuple[str, str], list[Refusal]] = {}
    for one in found:
        groups.setdefault((one.code, one.fix), []).append(one)
    for group in groups.values():
        if len(group) <= FEW:
            yield from ((one,) for one in group)
        else:
            yield tuple(group)


def allow_options(group: Sequence[Refusal]) -> tuple[str, ...]:
    """The options that allow what was refused, one for each refusal that can be lifted."""
    return tuple(filter(None, map(wording.allow_option, group)))
