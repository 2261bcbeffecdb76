"""Makes hidden and misleading characters visible. Every format's escape function starts with this.

Sources: Unicode 15 `DerivedCoreProperties.txt` (Default_Ignorable_Code_Point) and UAX #9 for the bidirectional
controls; the runner of GitHub Actions for `##[command]` (src/Runner.Common/ActionCommand.cs), of which Azure Pipelines'
`##vso[` and TeamCity's `##teamcity[` are siblings.
"""

from __future__ import annotations

import re

UNSEEN = re.compile(
    "["
    "\x00-\x1f\x7f-\x9f"  # controls: newlines, ANSI escapes
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f"  # zero width, line separators, bidirectional marks
    "\u2800\u3164\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff\ufdd0-\ufdef"
    "\ud800-\udfff"  # half characters, which no UTF-8 output can carry
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
    "]"
)
SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}

# A runner looks for this anywhere in a line of output.
RUNNER_COMMAND = re.compile(r"##(?=\w*\[)")


def show_hidden(text: str) -> str:
    r"""`text` on one line, with `\x1b` for an escape, `\u202e` for a right-to-left override, and so on."""
    if text.isascii() and text.isprintable():
        return RUNNER_COMMAND.sub(r"#\\x23", text) if "##" in text else text
    return RUNNER_COMMAND.sub(r"#\\x23", UNSEEN.sub(_name, text))


def _name(match: re.Match[str]) -> str:
    char = match.group()
    code = ord(char)
    if char in SHORT:
        return SHORT[char]
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
