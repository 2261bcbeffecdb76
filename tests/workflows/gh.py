"""A stand-in for GitHub's `gh`: a repository's comments, issues, runs and artifacts in one JSON file.

It refuses what the job's permissions do not cover, as GitHub does, and whatever it does not know. Started by runner.py.
"""

import json
import os
import re
import shutil
import sys
from fnmatch import fnmatch
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

BOT = "github-actions[bot]"
LONGEST = 65_536  # characters of a comment or an issue


def fail(words):
    sys.exit(f"gh: {words}")


def needs(scope, level):
    held = json.loads(os.environ["FAKE_GH_PERMISSIONS"]).get(scope, "none")
    if held != level and not (level == "read" and held == "write"):
        fail(f"HTTP 403: Resource not accessible by integration (needs {scope}: {level}, has {held})")


def bodied(payload):
    if len(payload.get("body", "")) > LONGEST:
        fail("HTTP 422: body is too long (maximum is 65536 characters)")
    return payload


def api(args, state):
    method, path, payload = "GET", "", None
    rest = iter(args)
    for word in rest:
        if word == "--method":
            method = next(rest)
        elif word == "--input":
            assert next(rest) == "-"
            payload = bodied(json.load(sys.stdin))
        elif word != "--paginate":
            assert not word.startswith("-"), word
            path = word
    parts = urlsplit(path)
    query = {key: values[0] for key, values in parse_qs(parts.query).items()}
    where = parts.path.removeprefix(f"repos/{os.environ['GITHUB_REPOSITORY']}/")
    state["calls"].append([method, where, payload])
    kind, _, number = where.rpartition("/")
    if method == "GET" and re.fullmatch(r"issues/\d+/comments", where):
        needs("pull-requests", "read")
        return [comment for comment in state["comments"] if comment["issue"] == where.split("/")[1]]
    if method == "POST" and re.fullmatch(r"issues/\d+/comments", where):
        on = where.split("/")[1]
        needs("issues" if any(str(issue["number"]) == on for issue in state["issues"]) else "pull-requests", "write")
        made = {"id": 1000 + len(state["comments"]), "issue": on, "user": {"login": BOT}, **payload}
        state["comments"].append(made)
        return made
    if method == "PATCH" and kind == "issues/comments":
        needs("pull-requests", "write")
        (found,) = (comment for comment in state["comments"] if comment["id"] == int(number))
        if found["user"]["login"] != BOT:
            fail("HTTP 403: not yours")
        found.update(payload)
        return found
    if method == "GET" and re.fullmatch(r"pulls/\d+/reviews", where):
        needs("pull-requests", "read")
        return state.get("reviews", [])
    if method == "GET" and where == "issues":
        needs("issues", "read")
        return [
            issue for issue in state["issues"]
            if issue["state"] == query["state"] and issue["user"]["login"] == query["creator"]
        ]  # fmt: skip
    if method == "POST" and where == "issues":
        needs("issues", "write")
        made = {"number": 1 + len(state["issues"]), "state": "open", "user": {"login": BOT}, **payload}
        state["issues"].append(made)
        return made
    if method == "PATCH" and kind == "issues":
        needs("issues", "write")
        (found,) = (issue for issue in state["issues"] if issue["number"] == int(number))
        found.update(payload)
        return found
    if method == "GET" and re.fullmatch(r"actions/workflows/[\w.-]+/runs", where):
        needs("actions", "read")
        return {"workflow_runs": [run for run in state["runs"] if run["conclusion"] == query["status"]]}
    return fail(f"HTTP 404: {method} {where}")


def download(args, state):
    needs("actions", "read")
    run, options = args[0], dict(zip(args[1::2], args[2::2], strict=True))
    state["calls"].append(["download", run, options])
    there = Path(os.environ["FAKE_GH_ARTIFACTS"]) / "artifacts" / run
    found = [
        place for place in (sorted(there.iterdir()) if there.is_dir() else [])
        if place.name == options.get("--name") or fnmatch(place.name, options.get("--pattern", ""))
    ]  # fmt: skip
    if not found:
        fail("no valid artifacts found to download")
    for place in found:
        # one that is asked for by its name comes without a folder of that name
        to = Path(options["--dir"]) / ("" if "--name" in options else place.name)
        shutil.copytree(place, to, dirs_exist_ok=True)


def pull(args, state):
    needs("pull-requests", "write")
    made = dict(zip(args[0::2], args[1::2], strict=True))
    state["calls"].append(["pr create", "", made])
    state["pulls"].append(made)


def main():
    if not os.environ.get("GH_TOKEN"):
        fail("set the GH_TOKEN environment variable")
    file = Path(os.environ["FAKE_GH_STATE"])
    state = json.loads(file.read_text())
    match sys.argv[1:]:
        case ["api", *args]:
            json.dump(api(args, state), sys.stdout)
        case ["run", "download", *args] if os.environ.get("GH_REPO"):
            download(args, state)
        case ["pr", "create", *args] if os.environ.get("GH_REPO"):
            pull(args, state)
        case other:
            fail(f"not known here: {other}")
    file.write_text(json.dumps(state))


main()
