"""Wrong and hostile manifests: each gives its errors with their places, and never a traceback.

A case in `hostile/` is a manifest and, after the line `# expected`, every error and warning that it gives.
RECONCILER_ACCEPT=1 rewrites what is expected, for the reviewer to read as a diff. Cases that no text file can hold are
built here.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from reconciler.manifest import load_texts
from reconciler.model.errors import ManifestError
from stopped.sitecustomize import DAY as TODAY

CASES = Path(__file__).parent / "hostile"
MARK = "# expected\n"


def found_in(data, name="a.yaml"):
    try:
        return load_texts({name: data}, today=TODAY).warnings
    except ManifestError as error:
        return error.diagnostics


def listed(diagnostics):
    """One line a problem, its second place and its hint below."""
    lines = []
    for found in diagnostics:
        assert found.source is not None
        lines.append(f"{found.source.line}:{found.source.column}: {found.severity}: {found.summary}")
        if found.also is not None:
            lines.append(f"  also: {found.also.line}:{found.also.column}")
        if found.hint is not None:
            lines.append(f"  hint: {found.hint}")
    return "".join(f"# {line}\n" for line in lines)


@pytest.mark.parametrize("path", sorted(CASES.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_wrong_manifest_gives_exactly_these_problems(path):
    text = path.read_bytes().decode()
    manifest, mark, expected = text.partition(MARK)
    assert mark, "the case has no `# expected`"
    found = listed(found_in(manifest.encode()))
    if os.environ.get("RECONCILER_ACCEPT") == "1":
        path.write_bytes((manifest + MARK + found).encode())
        return
    assert found == expected


def test_there_are_at_least_forty_cases():
    assert len(list(CASES.glob("*.yaml"))) + len(BUILT) >= 40


def bomb(levels, width=10):
    lines = [f"  a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * width)}]" for n in range(1, levels)]
    return "\n".join(["version: 1", "teams:", "  a0: &a0 [alice]", *lines]).encode()


ORGS = b"version: 1\norgs:\n  acme:\n    display_name: "

BUILT = {
    "utf-16 with a byte order mark": ("version: 1\n".encode("utf-16"), "1:1", "UTF-16"),
    "utf-16 without a byte order mark": ("version: 1\n".encode("utf-16-le"), "1:1", "UTF-16"),
    "utf-32 text": ("version: 1\n".encode("utf-32"), "1:1", "UTF-16 or UTF-32"),
    "latin-1 text": (ORGS + "Café".encode("latin-1") + b"\n", "4:22", "0xE9 is not UTF-8"),
    "a character cut off at the end of the file": (ORGS + "é".encode()[:1], "4:19", "0xC3 is not UTF-8"),
    "latin-1 after characters of several bytes": (ORGS + "“é” ".encode() + b"\xe9", "4:23", "0xE9"),
    "a NUL in a value": (ORGS + b"Ac\0me\n", "4:21", "U+0000"),
    "a NUL after a byte order mark": (b"\xef\xbb\xbf" + ORGS + b"\0", "4:19", "U+0000"),
    "a NUL as the whole file": (b"\0", "1:1", "U+0000"),
    "an ANSI escape in a value": (ORGS + b"\x1b[2Jgone\n", "4:19", "U+001B"),
    "a bell in a comment": (b"version: 1 # \x07\n", "1:14", "U+0007"),
    "a scalar of 5 MB": (ORGS + b"x" * 5_000_000 + b"\n", "4:19", "5,000,000 characters"),
    "a quoted scalar of 5 MB": (ORGS + b'"' + b"x" * 5_000_000 + b'"\n', "4:19", "5,000,000 characters"),
    "a key of 5 MB": (b"version: 1\n? " + b"x" * 5_000_000 + b"\n: 1\n", "2:3", "5,000,000 characters"),
    "a scalar just beyond the bound": (ORGS + b"x" * 65_537 + b"\n", "4:19", "65,537 characters"),
    "a number of 5,000 digits": (b"version: " + b"1" * 5_000, "1:10", "only 1 is known"),
    "brackets 33 deep": (b"version: 1\nteams: " + b"[" * 33, "2:40", "levels deep"),
    "brackets 100,000 deep": (b"version: 1\nteams: " + b"[" * 100_000, None, "levels deep"),
    "braces 100,000 deep": (b"version: 1\norgs: " + b"{a: " * 100_000, None, "levels deep"),
    "an alias bomb of ten levels": (bomb(10), None, "expand to more than"),
    "an alias bomb of empty lists": (bomb(12).replace(b"[alice]", b"[]"), None, "expand to more than"),
    "aliases that nest one level each": (
        b"version: 1\nx:\n- &a0 []\n" + b"".join(b"- &a%d [*a%d]\n" % (n, n - 1) for n in range(1, 100)),
        None,
        "too deep",
    ),
    "a file of nothing": (b"", "1:1", "the file is empty"),
    "a file of blanks": (b" \n\n", "1:1", "the file is empty"),
    "a byte order mark and nothing else": (b"\xef\xbb\xbf", "1:1", "the file is empty"),
}


@pytest.mark.parametrize(("data", "place", "fragment"), BUILT.values(), ids=BUILT.keys())
def test_bytes_that_are_no_manifest_give_an_error_with_its_place(data, place, fragment):
    found = [problem for problem in found_in(data) if fragment in problem.summary]
    assert len(found) == 1
    if place is not None:
        assert f"{found[0].source.line}:{found[0].source.column}" == place


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\xef\xbb\xbfversion: 1\norgs: {acme: {display_name: X}}\n", id="a byte order mark"),
        pytest.param(b"version: 1\r\norgs: {acme: {display_name: X}}\r\n", id="CRLF"),
        pytest.param(b"version: 1\rorgs: {acme: {display_name: X}}\r", id="CR alone"),
        pytest.param(b"version: 1\norgs: {acme: {display_name: X}}", id="no final newline"),
        pytest.param(
            b"%YAML 1.1\n---\nversion: 1\norgs: {acme: {display_name: X}}\n...\n", id="a directive and document marks"
        ),
        pytest.param(b'{"version": 1, "orgs": {"acme": {"display_name": "X"}}}', id="JSON"),
        pytest.param(b"version: 1\norgs: {acme: {display_name: &a X}}", id="an anchor that nobody uses"),
    ],
)
def test_other_ways_to_write_the_same_are_read(data):
    desired = load_texts({"a.yaml": data}, today=TODAY)
    assert desired.orgs["acme"].attrs == {"display_name": "X"}


def test_a_place_counts_characters_and_not_bytes():
    data = "version: 1\norgs: {acme: {display_name: «é€», rolle: 1}}\n".encode()
    assert [str(problem.source) for problem in found_in(data)] == ["a.yaml:2:35"]


def test_a_place_after_crlf_and_a_byte_order_mark_is_the_editors():
    data = b"\xef\xbb\xbfrolle: 1\r\nversion: 1\r\nrole: 1\r\n"
    assert [str(problem.source) for problem in found_in(data)] == ["a.yaml:1:1", "a.yaml:3:1"]


def test_a_problem_carries_its_line_and_the_length_of_the_word():
    (found,) = found_in(b"version: 1\norgs: {acme: {members: {alice: {rolle: owner, role: owner}}}}\n")
    assert found.text == "orgs: {acme: {members: {alice: {rolle: owner, role: owner}}}}"
    assert found.text[found.source.column - 1 :][: found.length] == "rolle"


def test_a_long_line_is_cut_on_the_right_only():
    data = b"version: 1\nteams: {sre: [" + b"alice, " * 100 + b"BOB, " + b"carol, " * 1000 + b"dave]}\n"
    found = next(problem for problem in found_in(data) if "BOB" in problem.summary)
    assert found.text[found.source.column - 1 :].startswith("BOB")
    assert len(found.text) < 1000


def test_control_characters_of_the_manifest_do_not_reach_a_message():
    data = b'version: 1\norgs: {"\\e[2Jacme\\u202e": {}, "a\\nb": {}}\n'
    assert [problem.summary for problem in found_in(data)] == [
        r"`\x1b[2Jacme\u202e` is not a handle",
        r"`a\nb` is not a handle",
    ]
