"""Each hostile text through every string of a plan and a result at once, in every format."""

import json

import msgspec
import pytest
from msgspec import structs

from reconciler.report import FORMATS, Validation, render
from report import sample, test_github, test_html_page, test_junit, test_markdown, test_text, worlds

# Words that the model takes from a fixed list.
FIXED = {"action", "status", "severity", "method"}


def spoiled(value, raw):
    """`value` with `raw` in place of every string, however deep, but not of the words from a list."""
    if isinstance(value, str):
        return raw
    if isinstance(value, dict):
        return {f"{raw}{key}": spoiled(item, raw) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(spoiled(item, raw) for item in value)
    if isinstance(value, msgspec.Struct):
        fields = structs.asdict(value)
        changed = {name: item if name in FIXED else spoiled(item, raw) for name, item in fields.items()}
        return type(value)(**changed)
    return value


CHECKS = {
    "text": lambda subject: test_text.assert_harmless(render(subject, "text", verbose=True)),
    "json": lambda subject: json.loads(render(subject, "json")),
    "markdown": lambda subject: test_markdown.assert_ours(render(subject, "markdown")),
    "html": test_html_page.assert_ours,
    "github": lambda subject: test_github.assert_ours(render(subject, "github")),
    "junit": test_junit.assert_ours,
}


def test_every_format_has_its_check():
    assert tuple(CHECKS) == FORMATS


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("raw", worlds.HOSTILE)
def test_hostile_text_is_harmless_in_every_string_of_every_subject(format_, raw):
    # Steps name their requests by address, so those of the sample no longer fit once all addresses are one.
    plan = structs.replace(spoiled(sample.REFUSED, raw), steps=())
    result = structs.replace(spoiled(sample.APPLIED_IN_PART, raw), plan=plan)
    validation = Validation(spoiled((test_text.DIAGNOSTIC, sample.WARNING), raw), 1, 1)
    for subject in (plan, result, validation):
        CHECKS[format_](subject)
    for address in (f"org.{raw}", f"org.acme/member.{raw}", f"org.acme/workspace.{raw}/grant.{raw}"):
        changes = tuple(structs.replace(change, address=address) for change in plan.changes)
        CHECKS[format_](structs.replace(plan, changes=changes))
