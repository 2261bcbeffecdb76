"""Plain English: phrases that a reader has to decode do not come back.

They are looked for wherever a person reads: pages, comments and text of examples and workflows, descriptions in the
schemas, and in the package every docstring, comment and string. A phrase is there with what to write in its place.
"""

from __future__ import annotations

import ast
import io
import json
import re
import tokenize
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]

NOUNS = "JSON|YAML|URL|path|picture|list|folder|file|plan|shard|revision|resource|handle|number|address|filter|moment|sandbox"
# a regular expression, and what to write instead. Case does not count, unless the pattern begins with (?-i:
PHRASES = {
    r"\bways? on\b": "To fix: …",
    r"\bmissing in the manifest: everyone\b": "who is in Pipes but not in your manifest",
    r"\bleft out here\b": "… are hidden; use -v to show them",
    r"\bas it should be\b": "up to date",
    r"\bthe log does not tell\b": "not in the audit log",
    r"\bimitation\b": "a local Turbot Pipes",
    r"\banew\b": "again, new; rebuild",
    r"\ba deed\b": "an action, not a setting",
    r"\bwhat there is one of\b": "values created once per row",
    r"\bsearched for circles\b": "tracked by the garbage collector",
    r"\bof which (?:it is not known|nobody|nothing)\b": "whose … is unknown",
    r"\bshall\b": "must, should, will; or say it in the present",
    r"\bwhom (?:it is|no|nobody|nothing)\b": "turn the sentence round: who does what",
    r"(?-i:(?:^|[.:;!?]\s+)(?:Is what|What is to)\b)": "begin with the thing and a verb",
    r"\bwhat is to\b": "what will, what should",
    r"\b(?:is|are|was|were) to (?:be|go)\b": "will be, should be, has to be",
    r"\bdays? to come\b": "a future day",
    r"\bwhat stands\b": "what is in, what it says",
    r"\bstands? (?:in it|twice)\b": "is in it, appears twice",
    r"\bbelongs? into\b": "belongs in",
    r"\bmend(?:s|ed|ing)?\b": "fix, repair",
    r"\b(?:there twice|twice there)\b": "given twice",
    r"\b(?:do|does|did) not tell\b(?! .{0,20}\bapart\b)": "does not say",
    r"\bcannot be told\b(?! apart)": "is unclear, is unknown",
    r"\bcan be had\b": "is available",
    r"\b(?:is|are) said\b": "is reported",
    r"\bunsaid\b": "without a statement",
    r"\bwithout a word\b": "silently",
    # "there is no", "X is no longer", "if it has no …" are English; "this is no URL" is not
    rf"(?<!there )\b(?:is|are) no (?:{NOUNS})\b": "is not a …",
    r"\bstands? (?:in|under|beside|at|on|below|behind) (?!out\b)": "is in, is under, is beside",
    r"\b(?:may|can|cannot) stand\b": "may be, is allowed",
    r"\b(?:nothing|nobody|live|log|file|Pipes|tenant|manifests?) tells?\b(?! .{0,40}\bapart\b)": "shows, says, has",
    r"\bin the place of\b": "in place of, instead of",
    r"\b(?:some|any|no)(?:body|one|thing) else than\b": "other than",
    r"\bnowhere else than\b": "only where",
    r"\bat the begin\b": "at the beginning",
    r"\bcame to be\b": "was created",
    r"\bcome to its end\b": "has finished",
    r"\bare at it\b|\bis at it\b": "is doing that",
    r"\b(?:hereby|lest|thereof|therein|wherein|whereof|whosoever)\b": "the common word",
}
WORST = re.compile("|".join(f"(?:{phrase})" for phrase in PHRASES), re.IGNORECASE)

# files that somebody has still to go through; one without a hit has to leave the list
NOT_YET: frozenset[str] = frozenset()


def passages(path: Path) -> Iterator[tuple[int, str]]:
    """The texts of a file that a person reads, each in one line, with the number of the line where it begins."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        yield from of_python(text)
    elif path.suffix == ".json":
        yield from of_schema(json.loads(text))
    elif path.suffix == ".md":
        yield from of_page(text)
    else:
        yield from of_lines(text)


def of_python(source: str) -> Iterator[tuple[int, str]]:
    """Docstrings and other strings whole, however they are put together, and comments."""
    tree = ast.parse(source)
    inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = [part.value if isinstance(part, ast.Constant) else "{}" for part in node.values]
            yield node.lineno, one_line("".join(map(str, parts)))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside:
            yield node.lineno, one_line(node.value)
    comments = [
        (token.start[0], token.string.lstrip("#: "))
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    ]
    yield from joined(comments)


def of_schema(part: Any) -> Iterator[tuple[int, str]]:
    if isinstance(part, dict):
        for key, value in part.items():
            if key in ("title", "description", "$comment") and isinstance(value, str):
                yield 1, value
            else:
                yield from of_schema(value)
    elif isinstance(part, list):
        for value in part:
            yield from of_schema(value)


def of_page(text: str) -> Iterator[tuple[int, str]]:
    """Paragraphs and the files of the examples. What commands print and what is generated is found in the code."""
    text = re.sub(r"<!-- generated: .*?<!-- end of generated -->", blank, text, flags=re.DOTALL)
    text = re.sub(r"^```(?:console|diff)$.*?^```$", blank, text, flags=re.DOTALL | re.MULTILINE)
    yield from of_lines(text)


def blank(match: re.Match[str]) -> str:
    return "\n" * match[0].count("\n")


def of_lines(text: str) -> Iterator[tuple[int, str]]:
    """Paragraphs, without what marks a comment or a quotation at the beginning of a line."""
    lines = [(number, line.strip().lstrip("#>")) for number, line in enumerate(text.split("\n"), 1)]
    yield from joined([(number, line) for number, line in lines if line.strip()])


def joined(lines: list[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """Lines that follow each other as one text: a phrase may be broken anywhere."""
    start, last, text = 0, -1, ""
    for number, line in lines:
        if number == last + 1:
            text += " " + line
        else:
            if text:
                yield start, one_line(text)
            start, text = number, line
        last = number
    if text:
        yield start, one_line(text)


def one_line(text: str) -> str:
    return " ".join(text.split())


def hits(path: Path) -> list[str]:
    found = []
    for line, text in passages(path):
        for match in WORST.finditer(text):
            better = next(better for phrase, better in PHRASES.items() if re.fullmatch(phrase, match[0], re.IGNORECASE))
            around = text[max(0, match.start() - 40) : match.end() + 40]
            found.append(f"{path.relative_to(ROOT)}:{line}: `{match[0].strip()}` in “{around}”; better: {better}")
    return found


FILES = sorted(
    path
    for pattern in (
        "*.md", "docs/*.md", "tests/cases/README.md", "benchmarks/*.md", ".github/**/*", "examples/**/*",
        "schemas/*.json", "Makefile", "pyproject.toml", ".pre-commit-hooks.yaml", "docs/tour/*.yaml",
        "reconciler/**/*.py",
    )
    for path in ROOT.glob(pattern)
    if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".png"
)  # fmt: skip
NAMES = [path.relative_to(ROOT).as_posix() for path in FILES]


@pytest.mark.parametrize("name", sorted(set(NAMES) - NOT_YET))
def test_no_reader_has_to_decode_a_phrase(name):
    assert hits(ROOT / name) == []


@pytest.mark.parametrize("name", sorted(NOT_YET))
def test_a_file_leaves_the_list_once_it_is_done(name):
    assert (ROOT / name).exists(), f"{name} is gone: take it off NOT_YET, and put its successors there if need be"
    assert hits(ROOT / name), f"{name} is done: take it off NOT_YET"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param("x.py", '"""Make the file\nanew."""\n', id="a docstring, across lines"),
        pytest.param("x.py", 'error = f"{name} sh" "all not be"\n', id="a string in parts"),
        pytest.param("x.py", "x = 1  # what\n# stands there\n", id="a comment, across lines"),
        pytest.param("x.md", "Text.\n\nIs what\nit says.\n", id="a page, at the beginning of a sentence"),
        pytest.param("x.md", "```yaml\na: 1  # as it should be\n```\n", id="an example's comment"),
        pytest.param("x.json", '{"a": [{"description": "Way on: none"}]}', id="a description in a schema"),
        pytest.param("x.yml", "# to be mended\n# soon\n", id="a workflow's comment"),
    ],
)
def test_a_phrase_is_found_wherever_it_is_and_however_it_is_broken(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    assert any(WORST.search(passage) for _, passage in passages(tmp_path / name))


def test_what_commands_print_is_left_to_the_code():
    page = (
        "```console\n$ reconciler plan\nWay on: go\n```\n\n<!-- generated: help -->\nanew\n<!-- end of generated -->\n"
    )
    assert [text for _, text in of_page(page) if WORST.search(text)] == []
