"""The type of a scalar without quotes where the schema leaves it open: in a connection's `config`.

YAML 1.2's core schema (chapter 10.3.2) decides, as far as YAML 1.1 reads the same: people check what they write with tools of
either. What the two read differently is refused, and so is what JSON cannot carry.
"""

from __future__ import annotations

import math
from typing import Any

from reconciler.manifest.unquoted import NULLS, reads_as
from reconciler.model.late_pattern import late_pattern

TRUE = frozenset(("true", "True", "TRUE"))
FALSE = frozenset(("false", "False", "FALSE"))
LARGEST = 2**53  # beyond it, JSON readers that only have floats cannot tell neighbouring integers apart (RFC 8259, 6)

INTEGER = late_pattern(r"-?(?:0|[1-9][0-9_]{0,18})")  # where the schema asks for an integer
_INTEGER = late_pattern(r"[-+]?(?:0|[1-9][0-9]*)|0x[0-9a-fA-F]+")
_FLOAT = late_pattern(r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+][0-9]+)?")
_NONE = late_pattern(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")


class DoubtfulError(Exception):
    """What is written is unclear or cannot be sent; `hint` says how to fix it."""

    def __init__(self, fact: str, hint: str) -> None:
        super().__init__(fact)
        self.hint = hint


def value(text: str) -> Any:
    """The null, boolean, number or text that the unquoted `text` is. Raises DoubtfulError."""
    if text in NULLS:
        return None
    if text in TRUE or text in FALSE:
        return text in TRUE
    what = reads_as(text)
    if what == "a date":
        return text  # JSON has none
    if what == "a boolean":
        raise DoubtfulError(
            f"`{text}` without quotes is a boolean for YAML 1.1 and a text for YAML 1.2",
            f'write {"true" if text.lower() in ("yes", "on") else "false"}, or the text in quotes: "{text}"',
        )
    if _NONE.fullmatch(text):
        raise DoubtfulError(f"`{text}` is not a number in JSON", f'for the text, write it in quotes: "{text}"')
    if _INTEGER.fullmatch(text):
        return _bounded(int(text, 16) if text.startswith("0x") else int(text), text)
    if _FLOAT.fullmatch(text):
        return _bounded(float(text), text)
    raise DoubtfulError(
        f"`{text}` without quotes is not the same for YAML 1.1 and YAML 1.2",
        f'write the number in plain digits, such as 1000 or 1.5, or the text in quotes: "{text}"',
    )


def _bounded(number: float, text: str) -> float:
    if isinstance(number, int) and abs(number) > LARGEST:
        raise DoubtfulError(
            f"`{text}` has more digits than a number keeps on its way to Pipes",
            f'write it as a text, in quotes: "{text}"',
        )
    if not math.isfinite(number):
        raise DoubtfulError(
            f"`{text}` is larger than any number that JSON's readers know", "write a smaller one, or a text in quotes"
        )
    return number


def written(number: float) -> str:
    """A float as every YAML reads it: with a dot, and a sign in the exponent."""
    digits, e, exponent = repr(number).partition("e")
    return (digits if "." in digits else f"{digits}.0") + e + exponent
