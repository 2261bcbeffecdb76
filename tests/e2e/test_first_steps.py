"""The first minutes: from an empty folder to an empty plan, by what each command says to run next."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from reconciler import cli
from reconciler.manifest import schema_text

WORLD = """
orgs:
  acme:
    members: {alice: owner, bob: member, carol: {role: member, status: invited}}
    workspaces: {prod: {members: {bob: operator}}, dev: {}}
  beta: {members: {alice: owner}}
  gamma: {members: {dave: owner, alice: member}}
  delta: {members: {dave: owner, alice: {role: owner, status: invited}}}
"""
NOTHING = "No changes. Pipes matches the manifests.\n"


def next_commands(ran):
    """The commands that a run prints below `Next:`."""
    _, _, listed = ran.out.partition("\nNext:\n")
    return [line.strip() for line in listed.splitlines() if not line.startswith("   ")]


def run(bench, line):
    program, *args = shlex.split(line)
    assert program == "reconciler"
    return bench.run(*args)


def followed(bench, first):
    """Run a command, then each time the first one that was printed, until a plan is empty: what was run."""
    lines = [first]
    while True:
        ran = run(bench, lines[-1])
        assert ran.status == 0, ran.err
        if ran.out.endswith(NOTHING):
            return lines
        lines.append(next_commands(ran)[0])
        assert len(lines) <= 4, lines


def files(bench):
    return sorted(
        path.relative_to(bench.folder).as_posix()
        for path in bench.folder.rglob("*")
        if path.is_file() and not path.name.startswith("pipes.sqlite3") and ".reconciler" not in path.parts
    )


# --- from nothing to an empty plan ------------------------------------------------------------------------------------


def test_with_a_token_the_printed_commands_lead_to_an_empty_plan(bench, monkeypatch):
    bench.pipes(WORLD)
    with bench.served():
        monkeypatch.setenv("PIPES_HOST", bench.host)
        assert followed(bench, "reconciler init") == ["reconciler init", "reconciler import --all", "reconciler plan"]
    assert {"orgs/acme.yaml", "orgs/beta.yaml"} <= set(files(bench))


def test_the_host_and_the_token_file_that_were_given_are_given_again(bare):
    bare.pipes(WORLD)
    token = bare.folder / "a token"
    token.write_text("tpt_e2e0never0shown0anywhere\n")
    bare.sources.add(token)
    with bare.served():
        lines = followed(bare, f"reconciler init --host {bare.host} --token-file 'a token'")
        ends = f"--host {bare.host} --token-file 'a token'"
        assert lines[1:] == [f"reconciler import --all {ends}", f"reconciler plan {ends}"]


def test_without_a_token_the_printed_commands_lead_to_an_empty_plan_on_the_embedded_pipes(bare):
    lines = followed(bare, "reconciler init")
    assert lines == ["reconciler init", "reconciler sandbox seed --example", "reconciler plan --host sandbox"]


def test_a_sandbox_that_is_there_is_imported_like_any_other_pipes(bare):
    bare.pipes(WORLD)
    lines = followed(bare, f"reconciler init --host {bare.host}")
    assert lines[1:] == [f"reconciler import --all --host {bare.host}", f"reconciler plan --host {bare.host}"]


def test_all_commands_that_init_prints_without_a_token_work_in_their_order(bare):
    started = bare.run("init", "--host", "sandbox:a/b.sqlite3")
    for line in next_commands(started):
        assert run(bare, line).status == 0, line
    assert len(next_commands(started)) == 3


def test_the_first_manifest_can_be_changed_and_applied(bare):
    commands = next_commands(bare.run("init"))
    run(bare, commands[0])
    path = bare.folder / "orgs.yaml"
    path.write_text(path.read_text().replace("      carol: member\n", "").replace("          carol: reader\n", ""))
    planned = run(bare, commands[1])
    assert "0 to create, 0 to update, 0 to rename, 2 to delete" in planned.out
    assert run(bare, commands[2] + " --auto-approve").status == 0
    assert run(bare, commands[1]).out.endswith(NOTHING)


# --- init -------------------------------------------------------------------------------------------------------------


def test_init_lists_the_organizations_with_role_and_size(bench):
    bench.pipes(WORLD)
    ran = bench.run("init", *bench.local)
    assert re.findall(r"^  (\w+) +(.+?) +([\d?]+) +([\d?]+)$", ran.out, re.MULTILINE) == [
        ("acme", "owner", "3", "2"),
        ("beta", "owner", "1", "0"),
        ("gamma", "member", "2", "?"),
    ]


def test_init_imports_nothing_and_writes_no_manifest_with_a_token(bench):
    bench.pipes(WORLD)
    before = bench.database()
    bench.run("init", *bench.local)
    assert files(bench) == [".gitignore", ".vscode/settings.json", "schemas/manifest.schema.json"]
    assert bench.database() == before


def test_init_overwrites_nothing(bare):
    there = {
        "orgs.yaml": "version: 1\n",
        ".gitignore": "*.log\n",
        ".vscode/settings.json": "{}\n",
        "schemas/manifest.schema.json": "{}\n",
    }
    for name, text in there.items():
        (bare.folder / name).parent.mkdir(exist_ok=True)
        (bare.folder / name).write_text(text)
    ran = bare.run("init")
    assert ran.status == 0
    assert {name: (bare.folder / name).read_text() for name in there} == there
    assert "Add a line `.reconciler/` to .gitignore" in ran.out
    assert files(bare) == sorted(there)


def test_init_twice_says_what_is_there(bare):
    bare.run("init")
    again = bare.run("init")
    assert "orgs.yaml exists and is left alone." in again.out
    assert next_commands(again)[0] == "reconciler validate"


def test_a_token_that_does_not_work_is_no_reason_to_write_an_example(bench, monkeypatch):
    bench.pipes(WORLD)
    with bench.served():
        monkeypatch.setenv("PIPES_TOKEN", "tpt_wrong")
        ran = bench.run("init", "--host", bench.host)
    assert ran.status == 4
    assert files(bench) == []


def test_somebody_who_owns_nothing_is_told_what_importing_needs(bench):
    bench.pipes("orgs: {acme: {members: {bob: owner, alice: member}}}")
    ran = bench.run("init", *bench.local)
    assert "owns none of them" in ran.out
    assert next_commands(ran) == []


def test_somebody_without_an_organization_is_told_so(bench):
    bench.pipes("{}")
    ran = bench.run("init", *bench.local)
    assert "alice is in no organization" in ran.out


def test_the_first_manifest_names_a_schema_that_is_there(bare):
    bare.run("init")
    manifest = bare.folder / "orgs.yaml"
    assert the_schema_of(manifest) == json.loads(schema_text("manifest"))
    settings = json.loads((bare.folder / ".vscode" / "settings.json").read_text())
    assert [(bare.folder / name).is_file() for name in settings["yaml.schemas"]] == [True]
    assert bare.run("fmt", "--check").status in (0, 2)


def the_schema_of(manifest):
    header = manifest.read_text().splitlines()[0]
    found = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", header)
    assert found, header
    return json.loads((manifest.parent / found[1]).read_text())


# --- import -----------------------------------------------------------------------------------------------------------


def test_import_without_a_name_lists_what_could_be_imported_and_writes_nothing(bench):
    bench.pipes(WORLD)
    ran = bench.run("import", *bench.local)
    assert ran.status == 0
    assert "  acme " in ran.out
    assert next_commands(ran) == [
        f"reconciler import --all --host {bench.host}",
        f"reconciler import acme --host {bench.host}",
    ]
    assert files(bench) == []


def test_import_all_takes_what_the_user_owns_and_names_the_others(bench):
    bench.pipes(WORLD)
    ran = bench.run("import", "--all", *bench.local)
    assert ran.status == 0
    assert "alice does not own gamma" in ran.err
    assert "Note: org.acme, org.beta: the logo is left alone: " in ran.err
    assert [name for name in files(bench) if name.endswith(".yaml")] == ["orgs/acme.yaml", "orgs/beta.yaml"]


def test_import_all_of_nothing_is_an_error(bench):
    bench.pipes("orgs: {acme: {members: {bob: owner, alice: member}}}")
    ran = bench.run("import", "--all", *bench.local)
    assert ran.status == 4
    assert "owns no organization; it is a member of acme" in ran.err


@pytest.mark.parametrize("more", [["acme"], ["--from-terraform", "."]])
def test_all_goes_with_nothing_that_narrows(bench, more):
    bench.pipes(WORLD)
    assert bench.run("import", "--all", *more, *bench.local).status == 1


@pytest.mark.parametrize(
    ("options", "paths"),
    [((), ""), (("--out", "mine.yaml"), "mine.yaml "), (("--out", "my orgs", "--split"), "'my orgs' ")],
)
def test_import_ends_with_a_plan_of_what_it_wrote_and_the_files_to_commit(bench, options, paths):
    bench.pipes(WORLD)
    ran = bench.run("import", "acme", *options, *bench.local)
    plan, commit = next_commands(ran)
    assert plan == f"reconciler plan {paths}--host {bench.host}"
    assert run(bench, plan).out.endswith(NOTHING)
    named = shlex.split(commit)
    assert named[:2] == ["git", "add"]
    for name in files(bench):
        assert any(Path(name).is_relative_to(one) for one in named[2:]), name


def test_a_first_import_writes_a_header_that_works(bench):
    bench.pipes(WORLD)
    bench.run("import", "acme", *bench.local)
    assert the_schema_of(bench.folder / "orgs" / "acme.yaml") == json.loads(schema_text("manifest"))


def test_the_schema_can_be_written_again(bare):
    assert bare.run("schema", "--write").out == "schemas/manifest.schema.json: written.\n"
    path = bare.folder / "schemas" / "manifest.schema.json"
    path.write_text("{}")
    assert bare.run("schema", "--write").out == "schemas/manifest.schema.json: changed.\n"
    assert path.read_text() == schema_text("manifest")
    assert bare.run("schema", "--write").out == "schemas/manifest.schema.json is up to date.\n"
    assert bare.run("schema", "plan", "--write").status == 1


# --- the wrong door ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["plan", "apply", "validate", "drift"])
def test_an_empty_folder_points_to_init(bench, command):
    bench.pipes(WORLD)
    ran = bench.run(command, *(bench.local if command != "validate" else ()))
    assert ran.status == 1
    assert "`reconciler init` starts here" in ran.err + ran.out


def test_access_live_needs_no_manifests(bench):
    bench.pipes(WORLD)
    ran = bench.run("access", "--live", "--format", "json", *bench.local)
    assert ran.status == 0
    assert {reach["object"].partition("/")[0] for reach in ran.json["access"]} == {"acme", "beta"}
    assert "does not own gamma" in "".join(ran.json["notes"])


def test_access_live_without_manifests_and_without_a_token_points_to_init(bare):
    ran = bare.run("access", "--live")
    assert ran.status == 4
    assert "`reconciler init`" in ran.err


@pytest.mark.parametrize("name", [*cli.ANSWERS, *cli.ELSEWHERE, "help", "Version", "whomi", "statuss"])
def test_a_command_of_another_tool_is_answered_with_the_one_here(bare, name):
    ran = bare.run(name)
    assert ran.status == 1
    named = re.findall(r"`reconciler ([\w-]+)", ran.err)
    assert [word for word in named if word not in cli.COMMANDS and not word.startswith("--")] == []
    assert named


def test_help_of_a_command_is_answered_with_its_help(bare):
    assert "`reconciler plan --help`" in bare.run("help", "plan").err


HOSTILE = "Eve\nmallory: owner\u202e # x"


def test_import_writes_display_names_as_comments_and_nothing_in_them_is_read(bench):
    bench.pipes(
        {
            "users": {
                "bob": {"display_name": "Bob Ross"},
                "eve": {"display_name": HOSTILE},
                "kim": {"display_name": "AKIA" + "A" * 16},
            },
            "orgs": {"acme": {"members": {"alice": "owner", "bob": "member", "eve": "member", "kim": "member"}}},
        }
    )
    assert bench.run("import", "acme", *bench.local).status == 0
    written = (bench.folder / "orgs" / "acme.yaml").read_text()
    assert "      bob: member  # Bob Ross\n" in written
    assert "      eve: member  # Evemallory: owner # x\n" in written
    assert "      kim: member\n" in written
    assert bench.plan().out.endswith(NOTHING)
    assert bench.run("import", "acme", *bench.local).out == "Nothing to change: the manifests match Pipes.\n"
    assert bench.run("fmt", "--check").status == 0


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_printed_commands_can_be_pasted_into_a_shell(bare, shell):
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed")
    folder = bare.folder / "bin"
    folder.mkdir()
    (folder / "reconciler").write_text('#!/bin/sh\nprintf "%s|" reconciler "$@"; echo\n')
    (folder / "reconciler").chmod(0o755)
    ran = bare.run("init")
    lines, pasted = next_commands(ran), ran.out.partition("\nNext:\n")[2]
    options = {"bash": ["--norc"], "zsh": ["-f"], "fish": ["--no-config"]}[shell]
    environ = {"PATH": str(folder), "HOME": str(bare.folder), "TERM": "dumb"}
    ran = subprocess.run(
        [program, *options, "-i"],
        input=pasted,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
    )
    for line in lines:
        assert "|".join(shlex.split(line)) + "|\n" in ran.stdout, ran


# --- a folder that is not empty, and names that are not quite right ----------------------------------------------------


def test_init_leaves_an_editors_settings_alone_and_says_what_to_add(bare):
    settings = bare.folder / ".vscode" / "settings.json"
    settings.parent.mkdir()
    settings.write_text('{"editor.tabSize": 2}')
    said = bare.run("init").out
    assert settings.read_text() == '{"editor.tabSize": 2}'
    _, _, added = said.partition("To have editors check manifests, add:\n")
    settings.write_text(f'{{"editor.tabSize": 2,\n{added.partition("}")[0]}}}}}')
    assert json.loads(settings.read_text())["yaml.schemas"]["./schemas/manifest.schema.json"]
    assert "To have editors" not in bare.run("init").out


def test_init_takes_an_empty_folder_for_manifests_as_nothing(bare):
    (bare.folder / "orgs").mkdir()
    assert "orgs.yaml: written." in bare.run("init").out
    assert bare.run("validate").status == 0


def test_init_does_not_say_that_it_wrote_a_manifest_where_it_cannot(bare):
    (bare.folder / "orgs.yaml").mkdir()
    ran = bare.run("init")
    assert (ran.status, ran.err) == (1, "Error: orgs.yaml is not a file; rename it, and run `reconciler init` again\n")


@pytest.mark.parametrize(
    "args",
    [
        ("import", "ACME", "HOST"),
        ("plan", "--org", "ACME", "HOST"),
        ("drift", "--org", "Acm", "HOST"),
        ("plan", "--workspace", "ACME/Prod", "HOST"),
        ("access", "--org", "aCme"),
        ("access", "--live", "--workspace", "ACME/PROD", "HOST"),
        ("grant", "bob", "Reader", "ACME"),
        ("grant", "bob", "OWNER", "acme/PROD"),
    ],
)
def test_upper_case_is_no_reason_not_to_find_what_was_meant(bench, args):
    bench.pipes(WORLD)
    bench.manifest("orgs: {acme: {members: {alice: owner, bob: member}, workspaces: {prod: {}, dev: {}}}}")
    ran = bench.run(*(word for arg in args for word in (bench.local if arg == "HOST" else [arg])))
    assert "did you mean" in ran.err + ran.out
    assert re.search(r"did you mean `?(acme|acme/prod|reader|owner)\b", ran.err + ran.out)


@pytest.mark.parametrize("name", ["", "..", "../acme", "acme/prod", "a b", "acme?x=1"])
def test_what_cannot_be_a_handle_is_not_asked_for(bench, name):
    bench.pipes(WORLD)
    with bench.served() as seen:
        ran = bench.run("import", name, "--host", bench.host)
        assert seen == []
    assert ran.status == 1
    assert "cannot be the handle of an organization" in ran.err
