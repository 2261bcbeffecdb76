"""The docs cannot lie: what they show is run, what they list is generated, what they link to is there.

RECONCILER_ACCEPT=1 (`make docs`) rewrites outputs and generated parts, for the reviewer to read as a diff.

A block becomes a file for the commands that follow when the paragraph before it ends in "Save as `NAME`:" (in words that
a reader sees, perhaps with a remark between the name and the colon). A file with `version:` is a manifest, a list is what
`sandbox serve --faults` takes, and anything else is a world for `sandbox seed`. YAML without a caption is a manifest.

Marks, for what no reader needs to see, each an HTML comment in the line before a block:
    wrong manifest        the manifest reader must refuse it
    world                 without a caption: a world all the same
    fragment              YAML that is not a whole manifest
    served: WORLD         the commands of this block meet that world over HTTP, with PIPES_HOST set and a token in
    served: WORLD, FAULTS ~/.pipes-token; with faults, if any
A `console` block is run; a command that fails is followed by `echo $?`.
"""

from __future__ import annotations

import difflib
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from shutil import copytree
from typing import TYPE_CHECKING, Any

import click
import pytest
import yaml

import reconciler
from days import clock_variables
from reconciler import cli
from reconciler.lockfile import file as lockfile
from reconciler.manifest import load_texts
from reconciler.model.errors import ManifestError
from reconciler.report import FORMATS
from reconciler.safeguards.table import SAFEGUARDS
from reconciler.sandbox import faults, world
from stopped.sitecustomize import DAY

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
NAMES = [page.relative_to(ROOT).as_posix() for page in PAGES]
STOPPED = ROOT / "tests" / "stopped"  # stops the clock of the commands in the docs
ACCEPT = os.environ.get("RECONCILER_ACCEPT") == "1"
PORT = "127.0.0.1:8765"  # stands for the free port that a served sandbox got

every_page = pytest.mark.parametrize("name", NAMES)


@dataclass(frozen=True)
class Block:
    """A fenced block: its text is `lines[start:end]`, after the opening fence and before the closing one."""

    language: str
    mark: str
    file: str  # the name under which the caption says to save it; empty without a caption
    start: int
    end: int
    text: str

    @property
    def role(self) -> str:
        return self.mark.partition(":")[0].strip() or self.kind_of_file

    @property
    def kind_of_file(self) -> str:
        """What a captioned YAML file is, by what stands in it."""
        if self.language != "yaml" or not self.file:
            return ""
        content = yaml.safe_load(self.text)
        return "faults" if isinstance(content, list) else "manifest" if "version" in content else "world"

    @property
    def names(self) -> list[str]:
        return [name.strip() for name in self.mark.partition(":")[2].split(",") if name.strip()]


CAPTION = re.compile(r"\b[Ss]ave (?:this |it )?as `([^`\s]+)`[^`:]*:$")


def caption(before: list[str]) -> str:
    """The name of the file that the paragraph just before a block says to save it as, or nothing."""
    paragraph = "\n".join(before).rstrip().rpartition("\n\n")[2]
    found = CAPTION.search(paragraph)
    return found[1] if found else ""


def blocks(text: str) -> list[Block]:
    found, lines = [], text.split("\n")
    start = None
    for number, line in enumerate(lines):
        if not line.startswith("```"):
            continue
        if start is None:
            start = number
            continue
        mark = re.fullmatch(r"<!-- (.*) -->", lines[start - 1] if start else "")
        file = caption(lines[: start - 1] if mark else lines[:start])
        inside = "\n".join(lines[start + 1 : number])
        found.append(Block(lines[start][3:].strip(), mark[1] if mark else "", file, start + 1, number, inside + "\n"))
        start = None
    assert start is None, f"a block that begins in line {(start or 0) + 1} has no end"
    return found


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


# --- running what is shown --------------------------------------------------------------------------------------------

SHIM = """
import sys
from reconciler.cli import main, progress
from reconciler.pipes import retry
retry.FIRST_WAIT = 0.01  # what is repeated is repeated as often, without the test waiting for it
progress.EVERY = 1e9  # a slow machine says no more than a quick one
main()
"""


class Scratch:
    """A folder that looks like a fresh clone after `make demo`, as far as the docs' commands touch it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "clone"
        self.home = folder / "home"
        self.home.mkdir()
        for part in ("examples", "schemas", "docs/tour"):
            copytree(ROOT / part, self.folder / part)
        self.bin = self.folder / ".venv" / "bin"
        self.bin.mkdir(parents=True)
        (self.bin / "shim.py").write_text(SHIM)
        command = self.bin / "reconciler"
        command.write_text(
            f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {shlex.quote(str(self.bin / "shim.py"))} "$@"\n'
        )
        command.chmod(0o755)
        (self.bin / "activate").write_text(f"PATH={shlex.quote(str(self.bin))}:$PATH\n")
        self.environ = {
            **clock_variables(),
            "PATH": f"{self.bin}:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self.home),
            "LC_ALL": "C.UTF-8",
            "COLUMNS": "80",
            "PYTHONPATH": os.pathsep.join([str(STOPPED), str(Path(reconciler.__file__).parent.parent)]),
        }

    def run(self, script: str) -> str:
        file = self.folder.parent / "script.sh"
        file.write_text(script)
        done = subprocess.run(
            ["/bin/sh", str(file)],
            cwd=self.folder,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=120,
        )
        return done.stdout.decode()

    def served_place(self, number: int) -> Path:
        return self.folder.parent / f"served{number}"

    @contextmanager
    def served(self, number: int, seed: str, rules: str | None) -> Iterator[str]:
        """A served sandbox; its URL. Its token is in the file `token` of `served_place`."""
        place = self.served_place(number)
        place.mkdir()
        (place / "world.yaml").write_text(seed)
        options = ["--port", "0"]
        if rules is not None:
            (place / "faults.yaml").write_text(rules)
            options += ["--faults", "faults.yaml"]
        command = str(self.bin / "reconciler")
        where = {"cwd": place, "env": self.environ}
        subprocess.run([command, "sandbox", "seed", "world.yaml"], check=True, stdout=subprocess.PIPE, **where)
        with subprocess.Popen(
            [command, "sandbox", "serve", *options], stdout=subprocess.PIPE, text=True, **where
        ) as server:
            assert server.stdout is not None
            try:
                url = server.stdout.readline().split()[1]
                token = server.stdout.readline().split()[1]
                (place / "token").write_text(token + "\n")
                yield url
            finally:
                server.terminate()
                server.stdout.read()


@dataclass(frozen=True)
class Told:
    """One command of a console block, where it stands, and what it said."""

    command: str
    start: int
    end: int
    said: str
    status: int


def commands(block: Block, lines: list[str]) -> list[tuple[int, int, str]]:
    """Where each command's output stands, and the command; lines that begin with `> ` continue it."""
    starts = [n for n in range(block.start, block.end) if lines[n].startswith("$ ")]
    assert starts, f"line {block.start}: a console block without a command"
    assert starts[0] == block.start, f"line {block.start}: a console block begins with a command"
    found = []
    for start, end in zip(starts, [*starts[1:], block.end], strict=True):
        command, after = lines[start][2:], start + 1
        while after < end and lines[after].startswith("> "):
            command += "\n" + lines[after][2:]
            after += 1
        found.append((after, end, command))
    return found


def tell(text: str, scratch: Scratch) -> list[Told]:
    """Run a page's console blocks, in their order, in one shell."""
    lines = text.split("\n")
    found = blocks(text)
    files = {block.file: block.text for block in found if block.file}
    script, places, ports = ["rc=0"], [], {}

    def content(name: str) -> str:
        return files[name] if name in files else read(name)

    with ExitStack() as running:
        for number, block in enumerate(found):
            if block.file:
                script.append(f"mkdir -p \"$(dirname {block.file})\"; cat > {block.file} <<'@end@'\n{block.text}@end@")
            if block.language != "console":
                continue
            if block.role == "served":
                seed, *rules = block.names
                served = scratch.served(number, content(seed), content(rules[0]) if rules else None)
                url = running.enter_context(served)
                ports[url.removeprefix("http://")] = PORT
                # each world has a token of its own; the docs keep it in the home folder
                script.append(f"export PIPES_HOST={url}; cp '{scratch.served_place(number)}/token' ~/.pipes-token")
            else:
                script.append("unset PIPES_HOST")
            for start, end, command in commands(block, lines):
                places.append((start, end, command))
                # a record separator and the last status stand before what a command says; `echo $?` sees it too
                script.append(f"printf '\\036%s\\n' \"$rc\"; (exit $rc)\n{command}\nrc=$?")
        script.append("printf '\\036%s\\n' \"$rc\"\n")
        said = scratch.run("\n".join(script)) if places else ""
    said = re.sub(r"\bgit [0-9a-f]{7}\b", "git 1a2b3c4", said)  # a commit is another one on each day
    for port, shown in ports.items():
        said = said.replace(port, shown)
    parts = [part.partition("\n") for part in said.split("\x1e")[1:]]
    assert len(parts) == (len(places) + 1 if places else 0), f"the shell stopped early:\n{said}"
    return [
        Told(command, start, end, parts[n][2], int(parts[n + 1][0])) for n, (start, end, command) in enumerate(places)
    ]


# --- what is generated ------------------------------------------------------------------------------------------------

GENERATED = re.compile(r"(<!-- generated: (.*?) -->\n)(.*?)(<!-- end of generated -->)", re.DOTALL)


def generated(what: str) -> str:
    verb, _, rest = what.partition(" ") if what.startswith("file ") else (what, "", "")
    return {
        "file": lambda: f"```yaml\n{read(rest)}```\n",
        "commands": command_table,
        "help": help_pages,
        "shared options": shared_options_list,
        "safeguards": safeguard_table,
        "safeguard-pages": safeguard_pages,
        "manifest": manifest_reference,
        "serve": served_words,
        "lock": lock_table,
    }[verb]()


def every_command() -> Iterator[tuple[str, click.Command]]:
    """Every command with its whole name, groups included."""

    def below(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
        yield name, command
        if isinstance(command, click.Group):
            context = click.Context(command)
            for child in command.list_commands(context):
                found = command.get_command(context, child)
                assert found is not None
                yield from below(f"{name} {child}", found)

    for name in cli.COMMANDS:
        found = cli.program.get_command(click.Context(cli.program), name)
        assert found is not None
        yield from below(name, found)


def command_table() -> str:
    """A link to each command's section."""
    names = [name for name, command in every_command() if not isinstance(command, click.Group)]
    return ", ".join(f"[`{name}`](#reconciler-{name.replace(' ', '-')})" for name in names) + "\n"


def lock_table() -> str:
    rows = [f"| `{name}` | {whose} | {what} |" for name, (whose, what) in lockfile.FIELDS.items()]
    return "\n".join(["| field | entries of | what it is |", "|-|-|-|", *rows]) + "\n"


SHARED = 2  # an option that as many commands have, with the same help, is described once for all of them


@cache
def shared_options() -> dict[tuple[str, str], list[str]]:
    """The commands that share an option, by how the option is written and its help."""
    users: dict[tuple[str, str], list[str]] = {}
    for name, command in every_command():
        for record in [] if isinstance(command, click.Group) else option_records(command):
            users.setdefault(record, []).append(name)
    return {record: names for record, names in users.items() if len(names) >= SHARED}


def option_records(command: click.Command) -> list[tuple[str, str]]:
    context = help_context("", command)
    options = [parameter for parameter in command.params if isinstance(parameter, click.Option)]
    found = [option.get_help_record(context) for option in options]
    return [record for record in found if record is not None]


def help_context(name: str, command: click.Command) -> click.Context:
    return click.Context(command, info_name=f"reconciler {name}", terminal_width=78, help_option_names=["-h", "--help"])


def help_pages() -> str:
    """What each command is for, its usage and the options that it does not share; the rest is in `--help` and its page."""
    pages = []
    for name, command in every_command():
        context = help_context(name, command)
        formatter = context.make_formatter()
        command.format_usage(context, formatter)
        own = [record for record in option_records(command) if record not in shared_options()]
        if own:
            with formatter.section("Options"):
                formatter.write_dl(own)
        about = cli.COMMANDS.get(name) or command.short_help
        pages.append(f"## reconciler {name}\n\n{about}\n\n```text\n{formatter.getvalue().rstrip()}\n```\n")
    return "\n" + "\n".join(pages) + "\n"


def shared_options_list() -> str:
    """Each option that several commands share; those of the same commands together."""
    groups: dict[tuple[str, ...], list[tuple[str, str]]] = {}
    for record, names in shared_options().items():
        groups.setdefault(tuple(names), []).append(record)
    lines = []
    for names, records in groups.items():
        every = len(names) == sum(not isinstance(command, click.Group) for _, command in every_command())
        lines.append(f"{'Every command' if every else ', '.join(f'`{name}`' for name in names)}:\n")
        lines += [f"- `{written}`: {words}" for written, words in records]
        lines.append("")
    return "\n".join(lines)


def safeguard_table() -> str:
    """Which safeguards `--allow` lifts, each with a link to its section."""
    lifted = [
        f"[`{code}`](#{code})" + (f" ({safeguard.allow_note})" if safeguard.allow_note else "")
        for code, safeguard in SAFEGUARDS.items()
        if safeguard.lifted_by_allow
    ]
    return f"`--allow` lifts {', '.join(lifted)}; no other.\n"


def safeguard_pages() -> str:
    return "\n" + "\n".join(f"### {code}\n\n{safeguard.page}" for code, safeguard in SAFEGUARDS.items()) + "\n"


def rewrite_safeguards(text: str) -> None:
    """Write what the commands on the docs' page print into the files of the safeguards, which the page is made from."""
    parts = dict(re.findall(r"^### (\S+)\n\n(.*?)(?=^### |\n<!-- end of generated)", text, re.DOTALL | re.MULTILINE))
    for code, safeguard in SAFEGUARDS.items():
        file = ROOT / "reconciler" / "safeguards" / f"{code.replace('-', '_')}.py"
        page = parts[code].rstrip("\n") + "\n"
        if page != safeguard.page:
            file.write_text(file.read_text(encoding="utf-8").replace(safeguard.page, page), encoding="utf-8")


def served_words() -> str:
    """What `sandbox serve` prints, for the port that it takes unless told otherwise."""
    from reconciler.cli.sandbox import _how_to

    words = _how_to(f"http://{PORT}", "tpt_made_by_sandbox_seed", None)
    return f"```text\n{words}\n```\n"


# --- the manifest's reference, from its schema


@cache
def schema() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(read("schemas/manifest.schema.json"))
    return loaded


def resolved(part: dict[str, Any]) -> dict[str, Any]:
    """A part with what its `$ref` says behind what it says itself."""
    if "$ref" not in part:
        return part
    target = schema()["$defs"][part["$ref"].rpartition("/")[2]]
    return {**resolved(target), **{key: value for key, value in part.items() if key != "$ref"}}


def manifest_reference() -> str:
    sections: list[str] = []
    _section("", schema(), sections, {})
    rows = ["### Names and handles\n"]
    for key in ("handle", "workspaceHandle", "connectionHandle", "name", "nameOrTeam"):
        part = schema()["$defs"][key]
        rows.append(f"- {part['title']}{' or team' if key == 'nameOrTeam' else ''}: {part['description']}")
    return "\n" + "\n".join([*sections, *rows]) + "\n\n"


def _section(path: str, part: dict[str, Any], sections: list[str], told: dict[str, str]) -> None:
    """The keys that a mapping has, and after it those of the mappings in it. `told` has the lines so far, by key."""
    rows = [f"### {f'`{path}`' if path else 'The file'}\n"]
    if part.get("description") and part["description"] not in "".join(told.values()):
        rows.append(f"{part['description']}\n")
    below, again = [], []
    alike: dict[str, list[str]] = {}  # the keys of this mapping by what is said of them
    for key, raw in part["properties"].items():
        value = resolved(raw)
        needed = ", required" if key in part.get("required", ()) else ""
        row = f"({_words(value)}{needed}): {value.get('description', '')}"
        if told.get(key) == row:
            again.append(f"`{key}`")
        else:
            alike.setdefault(row, []).append(f"`{key}`")
        told[key] = row
        where = f"{path}.{key}" if path else key
        if "properties" in value:
            below.append((where, value))
        elif isinstance(value.get("additionalProperties"), dict):
            name = "NAME" if "name" in resolved(value["propertyNames"])["title"] else "HANDLE"
            forms = _alternatives(resolved(value["additionalProperties"]))
            below.extend((f"{where}.{name}", form) for form in forms if "properties" in form)
    for row, keys in alike.items():
        sentences = re.split(r"(?<=\.) (?=[A-Z`])", row)
        said = "\n".join([*sections, *rows])
        rows.append(f"- {', '.join(keys)} {' '.join([sentences[0], *(s for s in sentences[1:] if s not in said)])}")
    if again:
        rows.append(f"- as above: {', '.join(again)}")
    sections.append("\n".join(rows) + "\n")
    for where, value in below:
        _section(where, value, sections, told)


def _alternatives(part: dict[str, Any]) -> list[dict[str, Any]]:
    """The forms that a value can have. The description of the whole goes along with each."""
    told = {key: part[key] for key in ("title", "description") if key in part}
    return [{**resolved(one), **told} for one in part["anyOf"]] if "anyOf" in part else [part]


def _words(part: dict[str, Any]) -> str:
    """What a value can be, in words."""
    if "anyOf" in part:
        return " or ".join(_words(one) for one in _alternatives(part))
    if "const" in part:
        return f"`{json.dumps(part['const'])}`"
    if "enum" in part:
        return ", ".join(f"`{value}`" for value in part["enum"])
    types = part["type"] if isinstance(part["type"], list) else [part["type"]]
    return " or ".join(_type_words(kind, part) for kind in types)


def _type_words(kind: str, part: dict[str, Any]) -> str:
    if kind == "integer":
        high = part.get("maximum", 2**63)
        # a bound that only keeps numbers within 64 bits, or from being absurd, is no news
        return f"integer, {part['minimum']} to {high}" if high < 10**6 else f"integer, at least {part['minimum']}"
    if kind == "array":
        return f"list of {_words(resolved(part['items']))}"
    if kind == "object":
        inner = part.get("additionalProperties")
        if not isinstance(inner, dict):
            return "mapping"
        name = resolved(part["propertyNames"])["title"]
        return (
            f"by {name}, team/NAME or service/KEY"
            if part["propertyNames"].get("$ref", "").endswith("/memberName")
            else f"by {name}"
        )
    if kind == "string":
        return {"date": "day", "date-time": "time"}.get(part.get("format", ""), "text")
    return kind


# --- the tests --------------------------------------------------------------------------------------------------------


@every_page
def test_a_page_shows_what_the_commands_print_and_what_the_code_says(name, tmp_path):
    text = read(name)
    wanted = GENERATED.sub(lambda match: match[1] + generated(match[2]) + match[4], text)
    lines = wanted.split("\n")
    told = tell(wanted, Scratch(tmp_path))
    for one in reversed(told):
        said = one.said.rstrip("\n")
        lines[one.start : one.end] = said.split("\n") if said else []
    wanted = "\n".join(lines)
    if ACCEPT and wanted != text:
        (ROOT / name).write_text(wanted, encoding="utf-8")
        if name == "docs/safeguards.md":
            rewrite_safeguards(wanted)
    else:
        difference = difflib.unified_diff(text.splitlines(), wanted.splitlines(), name, "as it is now", lineterm="")
        assert wanted == text, "`make docs` rewrites this page:\n" + "\n".join(difference)
    for number, one in enumerate(told, 1):
        asked = number < len(told) and told[number].command == "echo $?"
        assert one.status == 0 or asked, (
            f"{name}: `{one.command}` ended with {one.status}, and the page does not say so"
        )
        assert "Traceback" not in one.said, f"{name}: `{one.command}`"


@every_page
def test_yaml_in_the_docs_is_read_by_what_it_is_for(name):
    for block in blocks(read(name)):
        if block.language != "yaml":
            continue
        place = f"{name}:{block.start}"
        if block.role == "fragment":
            yaml.safe_load(block.text)
        elif block.role == "world":
            world.check(yaml.safe_load(block.text))
        elif block.role == "faults":
            faults.Faults(yaml.safe_load(block.text))
        elif block.role == "wrong manifest":
            with pytest.raises(ManifestError):
                load_texts({place: block.text.encode()}, today=DAY)
        else:
            assert load_texts({place: block.text.encode()}, today=DAY).warnings == (), place


@every_page
def test_links_lead_somewhere(name):
    text = re.sub(r"^```.*?^```", "", read(name), flags=re.DOTALL | re.MULTILINE)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        page = (ROOT / name).parent / path if path else ROOT / name
        assert page.exists(), f"{name}: {target}"
        assert page.resolve().is_relative_to(ROOT), f"{name}: {target} leads out of the repository"
        if anchor:
            assert anchor in anchors(page.read_text(encoding="utf-8")), f"{name}: {target}"


def anchors(text: str) -> set[str]:
    """The anchors that headings get: lower case, spaces to hyphens, punctuation dropped."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.*)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@every_page
def test_make_targets_and_extras_that_are_named_exist(name):
    text = read(name)
    targets = set(re.findall(r"^([a-z-]+):", read("Makefile"), flags=re.MULTILINE))
    assert set(re.findall(r"(?:`|^|&& )make ([a-z-]+)", text, flags=re.MULTILINE)) <= targets
    extras = set(tomllib.loads(read("pyproject.toml"))["project"]["optional-dependencies"])
    for named in re.findall(r"\.\[([a-z,]+)\]", text):
        assert set(named.split(",")) <= extras


@every_page
def test_no_page_names_a_path_of_somebodys_machine(name):
    assert re.findall(r"(?<![\w.~<])/(?:home|root|work|tmp|Users)/", read(name)) == []


@pytest.mark.parametrize(("name", "command"), [pytest.param(n, c, id=n) for n, c in every_command()])
def test_every_command_and_option_has_help_and_a_section(name, command):
    assert command.help
    assert command.short_help
    for parameter in command.params:
        assert isinstance(parameter, click.Argument) or parameter.help, parameter.opts
    assert f"\n## reconciler {name}\n" in read("docs/commands.md")


def test_every_safeguard_has_its_section_in_the_docs_and_in_its_own_file():
    page = read("docs/safeguards.md")
    assert re.findall(r"^### (.*)$", page, flags=re.MULTILINE) == list(SAFEGUARDS)
    assert f"<!-- generated: safeguard-pages -->\n{safeguard_pages()}<!-- end of generated -->" in page


def test_every_exit_status_is_in_the_reference_and_no_other():
    table = read("docs/commands.md").partition("## Exit statuses")[2].partition("\n## ")[0]
    shown = {int(status) for status in re.findall(r"^\| (\d+) \|", table, flags=re.MULTILINE)}
    known = {cli.DONE, cli.ERROR, cli.CHANGES, cli.REFUSED, cli.UNREACHABLE, cli.PARTLY, cli.INTERRUPTED}
    assert shown == known


def test_every_fault_is_described():
    page = read("docs/sandbox.md")
    assert [kind for kind in faults.KINDS if f"| `{kind}` |" not in page] == []


def test_every_format_is_described():
    page = read("docs/commands.md").partition("## Formats")[2]
    assert [name for name in FORMATS if f"| `{name}` |" not in page] == []


def test_every_page_is_linked_from_the_readme_or_the_index():
    index = "docs/index.md"
    linked = {f"docs/{page}" for page in re.findall(r"\]\(([\w-]+\.md)\)", read(index))}
    linked |= set(re.findall(r"\]\(((?:docs/)?[\w-]+\.md)\)", read("README.md")))
    assert sorted({*NAMES, index} - linked - {"README.md"}) == []
    assert index in linked
