"""`reconciler explain`: the page of a safeguard, an exit status, or a key or role of a manifest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from reconciler.cli import names
from reconciler.model.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

STATUSES = {
    "0": "Done, or in sync.",
    "1": "An error: in the manifests, on the command line, or in a step. The message says where.",
    "2": "Changes or drift: always from `drift`, with --detailed-exitcode from `plan` and `review`, and from a check that "
    "found something to change.",
    "3": "Refused by a safeguard. Nothing was written. The refusal names its code: `reconciler explain CODE`.",
    "4": "Pipes is unreachable, or the token is not accepted. `reconciler doctor` says which, and how to fix it.",
    "5": "Applied in part: something was written and something else was not. Run `reconciler apply` again.",
    "130": "Interrupted with Ctrl-C, and nothing was left half done (143 for SIGTERM).",
}


@click.command(short_help="Explain a safeguard, an exit status, or a key of a manifest.")
@click.argument("subject", metavar="CODE|KEY", shell_complete=names.subjects)
def command(subject: str) -> None:
    """Print the page of a safeguard (owner-floor), an exit status (3), a manifest's key (expires, or workspaces.members where
    the same key means several things), or a role (operator).
    """
    from reconciler.report.text import escape

    pages = list(_pages(subject))
    if not pages:
        from difflib import get_close_matches

        near = get_close_matches(subject.lower(), subjects(), n=3)
        hint = (
            f"; did you mean {' or '.join(f'`{name}`' for name in near)}?"
            if near
            else ": name a safeguard's code, an exit status, or a key or role of a manifest"
        )
        raise UsageError(f"nothing here is called `{subject}`{hint}")
    click.echo("\n\n".join("\n".join(escape(line) for line in page.strip("\n").split("\n")) for page in pages))


def subjects() -> list[str]:
    """Everything that can be explained."""
    from reconciler.safeguards.table import SAFEGUARDS

    keys = dict.fromkeys(path.rpartition(".")[2] for path, _ in _keys())
    return [*SAFEGUARDS, *STATUSES, *keys, *_roles()]


def _pages(subject: str) -> Iterator[str]:
    from reconciler.safeguards.table import SAFEGUARDS

    word = subject.strip().strip("`").lower()
    code = word.partition("=")[0].replace("_", "-")  # as after --allow, too
    if code in SAFEGUARDS:
        yield SAFEGUARDS[code].text
    elif word in STATUSES or word == "143":
        status = "130" if word == "143" else word
        yield f"# exit status {word}\n\n{STATUSES[status]}"
    else:
        yield from (_role(word, found) for found in _roles().get(word, ()))
        keys = list(_keys())
        known = {name for path, _ in keys for name in path.split(".")}
        # `orgs.acme.members` means `orgs.members`: a path has no names of objects
        wanted = ".".join(name for name in subject.strip().strip("`:").split(".") if name in known)
        seen: dict[str, list[str]] = {}
        for path, part in keys if wanted else ():
            if path == wanted or path.endswith(f".{wanted}"):
                seen.setdefault(_key(part), []).append(path)
        yield from (f"# {', '.join(paths)}\n\n{text}" for text, paths in seen.items())


# --- the manifest ------------------------------------------------------------------------------------------------------


def _roles() -> dict[str, list[dict[str, Any]]]:
    """The roles of the schema, each with the parts that have it."""
    from reconciler.manifest import schema

    found: dict[str, list[dict[str, Any]]] = {}
    for name in ("orgRole", "grantRole"):
        part = schema()["$defs"][name]
        for role in part["enum"]:
            found.setdefault(role, []).append(part)
    return found


def _role(role: str, part: dict[str, Any]) -> str:
    text = dict(zip(part["enum"], part["enumDescriptions"], strict=True))[role]
    return f"# {role} ({part['title']})\n\n{text}"


def _keys() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every key of a manifest as `orgs.members`, with its part of the schema. Names of objects are left out of the path."""
    from reconciler.manifest import json_schema

    def below(
        part: dict[str, Any], path: tuple[str, ...], above: tuple[int, ...]
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        for leaf in json_schema.leaves(part):
            if id(leaf) in above:
                continue  # folders hold folders
            inside = (*above, id(leaf))
            for name, sub in leaf.get("properties", {}).items():
                whole = json_schema.resolved(sub)
                yield ".".join((*path, name)), whole
                yield from below(sub, (*path, name), inside)
            for named in (leaf.get("additionalProperties"), leaf.get("items")):
                if isinstance(named, dict):
                    yield from below(named, path, inside)

    seen: dict[tuple[str, int], None] = {}
    for path, part in below(json_schema.schema(), (), ()):
        key = (path, id(part.get("description")))
        if key not in seen:
            seen[key] = None
            yield path, part


def _key(part: dict[str, Any]) -> str:
    """The page of one key: what it means, what it takes, an example."""
    import json

    from reconciler.manifest import json_schema

    lines = [part.get("description", "")]
    leaves = json_schema.leaves(part)
    types = dict.fromkeys(name for leaf in leaves for name in json_schema.types(leaf))
    allowed = dict.fromkeys(json.dumps(value) for leaf in leaves for value in leaf.get("enum", ()))
    if allowed:
        lines.append(f"One of: {', '.join(allowed)}")
    elif types:
        lines.append(f"Takes: {', '.join(types)}")
    if "default" in part:
        lines.append(f"Default: {json.dumps(part['default'])}")
    lines += [f"Example: {json.dumps(example)}" for example in part.get("examples", ())[:2]]
    return "\n".join(line for line in lines if line)
