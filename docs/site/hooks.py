"""What `mkdocs build` adds to the pages of docs/: example reports, the files that pages link to, and a list of versions.

The pages are written for a forge, where a link may leave docs/ and Markdown is CommonMark. Here a link to another file of the
repository leads to a page with its text, and lists are written as Python-Markdown wants them.
"""

from __future__ import annotations

import os
import posixpath
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mkdocs.structure.files import File

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

sys.path.insert(0, str(Path(__file__).parent))
import reports

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)#\s]+)((?:#[^)\s]*)?)\)")
LANGUAGES = {".yml": "yaml", ".sh": "bash", ".py": "python", ".rego": "text", ".txt": "text", "": "text"}
ITEM = re.compile(r"( *)(?:[-*]|\d+\.) ")
_names: dict[str, str] = {}  # of the files that have a page, by its source


def on_config(config: MkDocsConfig) -> None:
    """List the versions where `mike`, which publishes them, builds the site."""
    if "MIKE_DOCS_VERSION" in os.environ:
        config.extra["version"] = {"provider": "mike"}


def on_files(files: Files, config: MkDocsConfig) -> None:
    """Add the example reports, and a page for each file outside of docs/ that a page links to, or that such a page links to."""
    for name, html in reports.made().items():
        files.append(File.generated(config, f"reports/{name}.html", content=html))
    pages = [path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "docs").glob("*.md"))]
    done = set(pages)
    while pages:
        page = pages.pop()
        for target in _targets(page, _text(page)):
            if not _is_in_the_site(target) and target not in done:
                done.add(target)
                _names[_source(target)] = target
                files.append(File.generated(config, _source(target), content=_page(target)))
                if target.endswith(".md"):
                    pages.append(target)


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001 mkdocs hands all four over
    """Lead links to where the files are in the site, show the reports in place of their pictures, and put lists in order."""
    source = page.file.src_path
    name = _names.get(source, f"docs/{source}")
    prose = re.split(r"(^ *```.*?^ *```$)", markdown, flags=re.MULTILINE | re.DOTALL)
    for at in range(0, len(prose), 2):
        prose[at] = LINK.sub(lambda found: _led(found, name, source), _lists(prose[at]))
        prose[at] = re.sub(r"!\[([^\]]*)\]\(pictures/report-(\w+)\.png\)", _frame, prose[at])
    return "".join(prose)


def _text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def _is_in_the_site(name: str) -> bool:
    return name.startswith("docs/") and posixpath.splitext(name)[1] in (".md", ".png", ".svg")


def _source(name: str) -> str:
    """Where the page of a file is among the site's sources. A name with a dot at its start would be passed over."""
    return f"repository/{name.lstrip('.')}.page.md"


def _resolved(name: str, link: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(name), link))


def _targets(name: str, text: str) -> list[str]:
    links = [link for _, _, link, _ in LINK.findall(text) if ":" not in link]
    return [target for target in (_resolved(name, link) for link in links) if (ROOT / target).exists()]


def _page(name: str) -> str:
    """The page of a file: Markdown as it is, a folder as a list, anything else as a block of code. Searches pass it over."""
    path = ROOT / name
    head = f"---\ntitle: {posixpath.basename(name)}\nsearch: {{exclude: true}}\n---\n"
    if path.is_dir():
        listed = sorted(file.name for file in path.iterdir() if file.is_file())
        return head + f"# {name}\n\n" + "".join(f"- `{file}`\n" for file in listed)
    text = _text(name)
    if name.endswith(".md"):
        return head + text
    language = LANGUAGES.get(path.suffix, path.suffix[1:])
    return head + f"# {name}\n\n`````{language}\n{text.rstrip()}\n`````\n"


def _led(found: re.Match[str], name: str, source: str) -> str:
    picture, words, link, anchor = found.groups()
    target = _resolved(name, link)
    if ":" in link or not (ROOT / target).exists():
        return found[0]
    inside = target.removeprefix("docs/") if _is_in_the_site(target) else _source(target)
    if words == link and inside.endswith(".md") and target.startswith("docs/"):
        words = _text(target).removeprefix("# ").split("\n", 1)[0]  # the page's title says more than the name of a file
    return f"{picture}[{words}]({posixpath.relpath(inside, posixpath.dirname(source))}{anchor})"


def _frame(found: re.Match[str]) -> str:
    title, name = found.groups()
    frame = f'<iframe src="reports/{name}.html" title="{title}" width="100%" height="640" style="border: 1px solid #8888"></iframe>'
    return f"{frame}\n\n[Open it alone](reports/{name}.html)"


def _lists(text: str) -> str:
    """CommonMark's lists for Python-Markdown: a blank line before the first item, and four spaces below an item."""
    lines: list[str] = []
    in_list = False  # the lines since the last blank one began with an item
    before = text.split("\n")
    for number, line in enumerate(before):
        item = ITEM.match(line)
        if number == 0 or not before[number - 1].strip():
            in_list = bool(item)
        elif item and not in_list:
            lines.append("")
            in_list = True
        indent = re.match(r" {2,3}(?=\S)", line)
        lines.append("    " + line[indent.end() :] if indent else line)
    return "\n".join(lines)
