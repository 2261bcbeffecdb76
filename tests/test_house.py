"""The house itself: who may import whom, what `--help` may load, and that code, schema and help say the same."""

from __future__ import annotations

import ast
import importlib
import json
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from reconciler import cli
from reconciler.kinds import KINDS, children_of, grant
from reconciler.manifest import schema
from reconciler.sandbox.store import Store
from reconciler.sandbox.world import load as load_world
from reconciler.sandbox.world import seed
from sandbox.serving import Served

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "reconciler"
FILES = sorted(PACKAGE.rglob("*.py"))

# a room and the rooms that it may import. `plan` judges with the safeguards, so that they are below it and know of it only
# the worksheet that it fills in; `lockfile` matches rows to names as `plan` does
MODEL = {"model"}
KINDS_ROOM = {"kinds", *MODEL}
ACCESS = {"access", *KINDS_ROOM}
SAFEGUARDS = {"safeguards", *KINDS_ROOM}
PLAN = {"plan", *SAFEGUARDS}
DRIFT = {"drift", *PLAN}
MANIFEST = {"manifest", *KINDS_ROOM}
LOCKFILE = {"lockfile", *PLAN, *MANIFEST}
EDITING = {"editing", *ACCESS, *MANIFEST}
IMPORTING = {"importing", *EDITING}
HISTORY = {"history", *LOCKFILE}
PIPES = {"pipes", *KINDS_ROOM}
APPLY = {"apply", "clock", *PIPES, *LOCKFILE}
POLICY = {"policy", *PLAN, *ACCESS}
REPORT = {"report", *DRIFT, *ACCESS, *LOCKFILE}
ARROWS = {
    "model": MODEL,
    "kinds": KINDS_ROOM,
    "access": ACCESS,
    "policy": POLICY,
    "safeguards": SAFEGUARDS,
    "plan": PLAN,
    "drift": DRIFT,
    "manifest": MANIFEST,
    "lockfile": LOCKFILE,
    "editing": EDITING,
    "importing": IMPORTING,
    "history": HISTORY,
    "clock": set(),
    "__main__": {"cli"},  # `python -m reconciler`
    "pipes": {"clock", *PIPES},
    "apply": APPLY,
    "report": REPORT,
    "cli": {"cli", "clock", *APPLY, *REPORT, *IMPORTING, *HISTORY, *POLICY},
    "sandbox": {"sandbox"},
}
# the doors to the sandbox: `--host sandbox` and `reconciler sandbox`
DOORS = {"cli/sandbox.py", "pipes/embedded.py", "pipes/settings.py"}
PURE = ("model", "kinds", "access", "safeguards", "plan", "drift", "policy", "report")
DOES_IO = {
    "requests", "urllib3", "urllib", "http", "socket", "ssl", "select", "asyncio", "subprocess", "sqlite3", "shutil",
    "tempfile", "threading", "concurrent", "time", "random", "secrets", "uuid", "os", "io", "sys", "signal", "logging",
    "glob", "filelock", "tenacity", "click", "yaml", "rich",
}  # fmt: skip


def room(path):
    parts = path.relative_to(PACKAGE).parts
    return "" if parts == ("__init__.py",) else parts[0].removesuffix(".py")


def imports(path):
    """Every module that a file imports, wherever in it, as (line, dotted name)."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            here = path.relative_to(ROOT).with_suffix("").parts[: -node.level] if node.level else ()
            module = ".".join((*here, *filter(None, [node.module])))
            yield node.lineno, module
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)


def ours(path):
    """The rooms that a file imports, with the lines."""
    for line, name in imports(path):
        parts = name.split(".")
        if parts[0] == "reconciler" and len(parts) > 1:
            yield line, parts[1]


SCRIPTS = sorted(path for folder in (".github", "benchmarks", "examples") for path in (ROOT / folder).rglob("*.py"))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_what_a_script_takes_from_the_package_is_there(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "reconciler":
            module = importlib.import_module(node.module)
            for alias in node.names:
                assert hasattr(module, alias.name) or importlib.import_module(f"{node.module}.{alias.name}")


def test_every_room_has_its_arrows():
    assert {room(path) for path in FILES} - {""} == set(ARROWS)


@pytest.mark.parametrize("name", ARROWS)
def test_imports_point_down(name):
    wrong = []
    for path in FILES:
        if room(path) != name:
            continue
        allowed = ARROWS[name] | ({"sandbox"} if path.relative_to(PACKAGE).as_posix() in DOORS else set())
        wrong += [f"{path.relative_to(ROOT)}:{line}: {target}" for line, target in ours(path) if target not in allowed]
    assert wrong == []


@pytest.mark.parametrize("name", [name for name in ARROWS if (PACKAGE / name).is_dir()])
def test_a_room_has_a_door_that_says_what_goes_in_what_comes_out_and_where_to_begin(name):
    door = ast.get_docstring(ast.parse((PACKAGE / name / "__init__.py").read_text(encoding="utf-8"))) or ""
    first, *rest = door.splitlines()
    assert first.endswith(".")
    assert [word for word in ("In: ", "Out: ", "Open `") if word not in "\n".join(rest)] == []
    opened = re.findall(r"`([\w/]+(?:\.py|/))`", door)
    assert [file for file in opened if not (PACKAGE / name / file).exists()] == []
    assert len(door.splitlines()) <= 5


def private_names_of_other_rooms(path):
    """Names with a leading underscore that a file takes from another room, with their lines."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    foreign = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("reconciler"):
            parts = node.module.split(".")
            for alias in node.names:
                if (parts[1] if len(parts) > 1 else alias.name) == room(path):
                    continue
                foreign.add(alias.asname or alias.name)
                if any(part.startswith("_") for part in (*parts, alias.name)):
                    yield node.lineno, alias.name
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Attribute)
            and node.attr.startswith("_")
            and not node.attr.startswith("__")
            and isinstance(node.value, ast.Name)
            and node.value.id in foreign
        ):
            yield node.lineno, f"{node.value.id}.{node.attr}"


@pytest.mark.parametrize("name", ARROWS)
def test_a_private_name_stays_in_its_room(name):
    assert [(path, found) for path in FILES if room(path) == name for found in private_names_of_other_rooms(path)] == []


LONGEST = 500  # lines of a module that can be read in one sitting


@pytest.mark.parametrize("name", ARROWS)
def test_a_module_is_short_or_its_first_line_says_why_not(name):
    long = [
        path.relative_to(ROOT).as_posix()
        for path in FILES
        if room(path) == name and len(text := path.read_text(encoding="utf-8").splitlines()) > LONGEST
        if "long because" not in text[0]
    ]
    assert long == []


MANY = 6  # fields of a value that a reader can hold without a comment for each


def values_with_many_fields():
    """(file, class, source lines, fields) of each class with more than MANY fields that nothing else describes."""
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        tree, lines = ast.parse(text), text.splitlines()
        for found in ast.walk(tree):
            if not isinstance(found, ast.ClassDef):
                continue
            fields = [node for node in found.body if isinstance(node, ast.AnnAssign)]
            said = f"{ast.get_docstring(tree) or ''} {ast.get_docstring(found) or ''}".lower()
            # rows of the API and the fields of a document are described where they are defined
            if len(fields) > MANY and "contract" not in said and ".schema.json" not in said:
                yield path.relative_to(ROOT).as_posix(), found, lines, fields


def test_every_field_of_a_value_with_many_has_a_comment():
    bare = [
        f"{file}: {found.name}.{node.target.id}"
        for file, found, lines, fields in values_with_many_fields()
        for node in fields
        if not any("  # " in line for line in lines[node.lineno - 1 : node.end_lineno])
        and not lines[node.lineno - 2].lstrip().startswith("# ")
    ]
    assert bare == []


def test_the_fields_of_a_value_with_very_many_are_grouped():
    ungrouped = [
        f"{file}: {found.name}"
        for file, found, lines, fields in values_with_many_fields()
        if len(fields) > MANY + 2
        if sum(line.startswith("    # ") for line in lines[found.lineno : fields[-1].lineno]) < 2
    ]
    assert ungrouped == []


def test_the_doors_to_the_sandbox_are_used():
    used = {p.relative_to(PACKAGE).as_posix() for p in FILES if room(p) != "sandbox" and "sandbox" in dict_of(ours(p))}
    assert used == DOORS


def dict_of(found):
    return {target: line for line, target in found}


def test_the_package_itself_imports_nothing():
    assert [found for path in FILES if room(path) == "" for found in imports(path) if found[1] != "__future__"] == []


@pytest.mark.parametrize("path", [p for p in FILES if room(p) in PURE], ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_a_pure_room_does_no_io_and_takes_no_chance(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        line
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    loaded = {name.split(".")[0] for line, name in imports(path) if line not in typing_only}
    assert loaded & DOES_IO == set()
    calls = {
        node.func.id if isinstance(node.func, ast.Name) else node.func.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute)
    }
    assert (
        calls & {"open", "print", "input", "now", "today", "utcnow", "read_text", "write_text", "read_bytes", "mkdir"}
        == set()
    )


# --- start-up ---------------------------------------------------------------------------------------------------------

HEAVY = {"requests", "urllib3", "yaml", "jsonschema", "jsonschema_rs", "rich", "falcon", "msgspec", "deepdiff", "cheroot",
         "jinja2", "sqlite3", "ssl", "tenacity", "filelock", "asyncio"}  # fmt: skip


def loaded_by(*args):
    """What a run has loaded when it ends: the top-level modules, and each of ours."""
    code = (
        "import sys\nfrom reconciler.cli import run\n"
        f"status = run({list(args)!r})\n"
        "print('\\n' + ' '.join(sorted({*sys.modules, *(name.partition('.')[0] for name in sys.modules)})))\nsys.exit(status)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(
    "args", [["--help"], ["--version"], *([name, "--help"] for name in cli.COMMANDS)], ids=" ".join
)
def test_help_loads_nothing_heavy(args):
    assert loaded_by(*args) & HEAVY == set()


NEVER = {
    "asyncio", "cheroot", "deepdiff", "falcon", "filelock", "jinja2", "jsonschema", "rich", "sqlite3", "tenacity",
    "reconciler.apply", "reconciler.drift", "reconciler.editing", "reconciler.importing", "reconciler.sandbox",
    "reconciler.report.drift", "reconciler.report.github", "reconciler.report.html_layout",
    "reconciler.report.html_page", "reconciler.report.junit", "reconciler.report.lock", "reconciler.report.markdown",
}  # fmt: skip
OFFLINE = {
    *NEVER, "http", "requests", "ssl", "urllib3",
    "reconciler.pipes", "reconciler.plan.diff", "reconciler.plan.make", "reconciler.safeguards.table",
}  # fmt: skip


# what takes a noticeable part of a tenth of a second
SLOW = {"dataclasses", "difflib", "importlib.metadata", "subprocess"}


@pytest.fixture
def manifests(tmp_path, monkeypatch):
    """A manifest in the working folder, and the same in `base`."""
    monkeypatch.chdir(tmp_path)
    for folder in (tmp_path, tmp_path / "base"):
        folder.mkdir(exist_ok=True)
        (folder / "orgs.yaml").write_text("version: 1\norgs: {acme: {members: {alice: owner}}}\n")
    return tmp_path


@pytest.mark.parametrize("args", [["validate"], ["access"], ["review", "base", "."]], ids=" ".join)
def test_a_command_that_stays_offline_loads_neither_the_network_nor_the_planner(manifests, args):
    assert loaded_by(*args) & OFFLINE == set()


@pytest.mark.parametrize("args", [["validate"], ["--help"]], ids=" ".join)
def test_what_runs_at_each_save_loads_nothing_slow(manifests, args):
    assert loaded_by(*args) & SLOW == set()


def test_a_plan_loads_nothing_that_applies_and_no_report_but_its_own(manifests, monkeypatch):
    db = manifests / "pipes.sqlite3"
    with Store(db) as store:
        seed(store, {"actor": "alice", "orgs": {"acme": {"members": {"alice": "owner"}}}})
    server = Served(db, tls=False)
    try:
        monkeypatch.setenv("PIPES_TOKEN", server.token)
        loaded = loaded_by("plan", "--host", server.url)
    finally:
        server.stop()
    assert loaded & (NEVER | {"reconciler.report.json_document", "reconciler.report.sheet"}) == set()
    assert "reconciler.plan.diff" in loaded
    assert loaded_by("plan", "--host", f"sandbox:{db}") & {"requests", "urllib3"} == set()


# --- commands ---------------------------------------------------------------------------------------------------------


def commands():
    for name in cli.COMMANDS:
        command = importlib.import_module(cli.module_of(name)).command
        yield name, command
        if isinstance(command, click.Group):
            yield from ((f"{name} {sub}", found) for sub, found in command.commands.items())


ALL = dict(commands())


def test_every_command_module_is_listed():
    helpers = {
        "__init__",
        "due",
        "editing",
        "kept",
        "made",
        "manifests",
        "names",
        "next_steps",
        "options",
        "output_files",
        "progress",
        "prompt",
        "signals",
        "streams",
        "terraform",
        "token_end",
        "writing",
        "stale_plan",
    }
    modules = {path.stem for path in (PACKAGE / "cli").glob("*.py")} - helpers
    assert modules == {cli.module_of(name).rpartition(".")[2] for name in cli.COMMANDS}


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_the_short_help_of_a_command_is_the_one_that_help_lists(name):
    assert ALL[name].short_help == cli.COMMANDS[name]


@pytest.mark.parametrize("name", ALL)
def test_a_command_and_each_of_its_options_explain_themselves(name):
    command = ALL[name]
    assert command.help
    assert command.short_help
    assert command.short_help.endswith(".")
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{name} {parameter.opts[0]} has no help"
            assert parameter.help.rstrip("]").rstrip().endswith((".", "itself")) or "[env" in parameter.help
            assert "token" not in parameter.opts[0] or parameter.opts[0] == "--token-file"


# --- schema and kinds -------------------------------------------------------------------------------------------------


def own_words(kind):
    """What the manifest says of an object beside its attributes."""
    words = {"absent", "reason", *(child.section for child in children_of(kind.name))}
    words |= {"renamed_from"} if kind.rename else set()
    words |= {"expires", "then"} if kind.names_people else set()
    words |= {"everywhere"} if any(child.name.endswith("permission") for child in children_of(kind.name)) else set()
    words |= {"handle", "responsible"} if kind.of_primary_tenant else set()
    words |= {"unlisted"} if any(child.names_people for child in children_of(kind.name)) else set()
    words |= {"ignore"} if kind.name == "org" else set()
    return words | ({"rotate"} if any(a.secret for a in kind.attributes) else set())


def properties(fragment):
    """All property names of a schema fragment, wherever its branches have them."""
    if "$ref" in fragment:
        return properties(schema()["$defs"][fragment["$ref"].rpartition("/")[2]])
    found = set(fragment.get("properties", {}))
    for word in ("anyOf", "oneOf", "allOf"):
        for branch in fragment.get(word, ()):
            found |= properties(branch)
    return found


def definition_of(kind):
    """The key below `$defs` of a kind's fragment."""
    first, *rest = kind.split("_")
    return first + "".join(word.capitalize() for word in rest)


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if kind.lists_handles_of is None])
def test_the_schema_knows_exactly_the_settable_attributes_of_a_kind(name):
    settable = {a.name for a in KINDS[name].attributes if a.settable}
    assert properties(schema()["$defs"][definition_of(name)]) == settable | own_words(KINDS[name])


@pytest.mark.parametrize(("definition", "kind"), [("orgRole", "member"), ("grantRole", "grant")])
def test_the_roles_of_the_schema_are_the_ranks_of_the_kind(definition, kind):
    roles = [role for role in schema()["$defs"][definition]["enum"] if role not in grant.FORMER_NAMES]
    assert tuple(roles) == KINDS[kind].attribute("role").rank


def test_every_key_of_the_manifest_is_described_for_an_editor():
    found = schema()

    def described(part):
        if "description" in part:
            return True
        return "$ref" in part and "description" in found["$defs"][part["$ref"].rpartition("/")[2]]

    def undescribed(fragment, place):
        for name, part in fragment.get("properties", {}).items():
            if not described(part):
                yield f"{place}.{name}"
            yield from undescribed(part, f"{place}.{name}")

    wrong = list(undescribed(found, "manifest"))
    for name, part in found["$defs"].items():
        wrong += undescribed(part, name)
    assert wrong == []


@pytest.mark.parametrize("path", sorted((ROOT / "schemas").glob("*.json")), ids=lambda p: p.name)
def test_a_schema_is_a_valid_schema(path):
    from jsonschema import Draft202012Validator

    Draft202012Validator.check_schema(json.loads(path.read_text()))


# --- extras -----------------------------------------------------------------------------------------------------------

EXTRAS = ("falcon", "cheroot", "trustme", "jinja2")
WITHOUT = f"""
import sys
class Hiding:
    def __init__(self, finder):
        self.finder = finder
    def find_spec(self, name, path=None, target=None):
        return None if name.partition(".")[0] in {EXTRAS!r} else self.finder.find_spec(name, path, target)
sys.meta_path[:] = [Hiding(finder) for finder in sys.meta_path if hasattr(finder, "find_spec")]
from reconciler.cli import main
main()
"""
WANTED = "version: 1\norgs: {acme: {display_name: New, members: {alice: owner, bob: owner}, workspaces: {new: {members: {}}}}}\n"


@pytest.fixture
def core(tmp_path, monkeypatch):
    """The command as `pip install reconciler` gives it, without extras."""
    for name in ("PIPES_HOST", "PIPES_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "orgs.yaml").write_text(WANTED)

    def run(*args, **environ):
        import os

        return subprocess.run(
            [sys.executable, "-c", WITHOUT, *args],
            cwd=tmp_path,
            env={**os.environ, **environ},
            capture_output=True,
            text=True,
            timeout=120,
        )

    return run


def test_the_core_install_validates_plans_and_applies(core, tmp_path):
    world = tmp_path / "world.yaml"
    world.write_text("actor: alice\norgs: {acme: {members: {alice: owner, bob: member}}}\n")
    db = tmp_path / "pipes.sqlite3"
    with Store(db) as store:
        seed(store, load_world(world))
    server = Served(db, tls=False)
    try:
        environ = {"PIPES_HOST": server.url, "PIPES_TOKEN": server.token}
        assert core("validate").returncode == 0
        assert core("plan", "--detailed-exitcode", "-o", "plan.json", **environ).returncode == 2
        for form in ("text", "json", "markdown", "github", "junit"):
            assert core("show", "plan.json", "--format", form).returncode == 0
        assert core("apply", "plan.json", **environ).returncode == 0
        assert core("plan", "--detailed-exitcode", **environ).returncode == 0
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("args", "extra"),
    [
        pytest.param(("plan", "--host", "sandbox"), "reconciler[sandbox]", id="--host sandbox"),
        pytest.param(("sandbox", "serve"), "reconciler[sandbox]", id="sandbox serve"),
        pytest.param(("sandbox", "seed"), "reconciler[sandbox]", id="sandbox seed"),
        pytest.param(("validate", "--format", "html"), "reconciler[html]", id="--format html"),
    ],
)
def test_what_needs_an_extra_says_which(core, args, extra):
    done = core(*args)
    assert done.returncode == 1
    assert f"comes with the extra {extra}" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_core_dependencies_are_what_the_package_imports():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    def names(requirements):
        return {r.partition(">")[0].partition("[")[0].lower().replace("-", "_") for r in requirements}

    core_names = names(project["dependencies"])
    extra = names([*project["optional-dependencies"]["sandbox"], *project["optional-dependencies"]["html"]])
    assert core_names & extra == set()
    imported = set()
    for path in FILES:
        if room(path) == "sandbox" or path.relative_to(PACKAGE).as_posix() == "cli/sandbox.py":
            continue
        imported |= {name.split(".")[0] for _, name in imports(path)}
    # _typeshed is for type checkers only: no run imports it
    foreign = imported - set(sys.stdlib_module_names) - {"reconciler", "_typeshed"}
    called = {"pyyaml": "yaml"}
    html = {"jinja2", "markupsafe"}  # the latter comes with the former
    assert foreign - {called.get(name, name) for name in core_names} == html
    assert extra >= {"falcon", "cheroot", "jinja2"}
