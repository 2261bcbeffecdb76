"""What YAML 1.1 or 1.2 reads as something other than text when it is not in quotes."""

from __future__ import annotations

from reconciler.model.late_pattern import late_pattern

_BOOLEANS = frozenset(
    form for word in ("yes", "no", "true", "false", "on", "off") for form in (word, word.title(), word.upper())
)
NULLS = frozenset(("", "~", "null", "Null", "NULL"))
_WORDS = _BOOLEANS | NULLS
_FIRST = frozenset("0123456789+-.")
_DATE = late_pattern(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt \t].*)?")
_NUMBER = late_pattern(
    r"[-+]?(?:0b[01_]+|0o[0-7_]+|0x[0-9a-fA-F_]+|[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?"
    r"|(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?|\.(?:inf|Inf|INF))|\.(?:nan|NaN|NAN)"
)
_LONGEST_SPECIAL = 64  # longer text is neither a date nor a number that anything here accepts


def reads_as(text: str) -> str:
    """What YAML takes the unquoted `text` for, in words."""
    if text in NULLS:
        return "null"
    if text in _BOOLEANS:
        return "a boolean"
    return "a date" if _DATE.fullmatch(text) else "a number"


def is_special(text: str) -> bool:
    """Whether YAML takes the unquoted `text` for a null, a boolean, a number or a date."""
    return text in _WORDS or (
        text[0] in _FIRST
        and len(text) <= _LONGEST_SPECIAL
        and (_NUMBER.fullmatch(text) or _DATE.fullmatch(text)) is not None
    )
