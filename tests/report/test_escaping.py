"""Every character that cannot be seen is shown, and none that can be."""

import sys
import unicodedata

import pytest

from reconciler.report.escaping import UNSEEN, show_hidden

# Format characters of category Cf that have a shape of their own: Arabic number signs, Kaithi and Egyptian ones.
SEEN_CF = {*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD, *range(0x13430, 0x13440)}


def test_every_control_format_separator_and_half_character_is_unseen():
    for code in range(sys.maxunicode + 1):
        char = chr(code)
        category = unicodedata.category(char)
        if category in ("Cc", "Zl", "Zp", "Cs") or (category == "Cf" and code not in SEEN_CF):
            assert UNSEEN.match(char), f"U+{code:04X}"


@pytest.mark.parametrize("text", ["Zoë", "東京", "🙂", "a b", "é\u0301", "\xa0", "\u0627\u0644", "Ωμέγα"])
def test_what_has_a_shape_stays(text):
    assert show_hidden(text) == text
