"""Where a plan's time goes, part by part, and what the libraries that were chosen for speed are worth.

    python benchmarks/parts.py [--members 100000] [--libraries-at 10000]

Everything in one process, on the embedded Pipes. CPU in seconds, of all threads, so that a busy machine says about the same.
"""

from __future__ import annotations

import argparse
import gc
import json
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

import worlds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def main() -> None:
    # as in reconciler.cli.main
    gc.set_threshold(10_000, 1_000, 1_000)
    options = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    options.add_argument("--members", type=int, default=100_000)
    options.add_argument("--libraries-at", type=int, default=10_000)
    given = options.parse_args()
    print(f"| part of a plan of {given.members:,} members | CPU s |\n|-|-|")
    with tempfile.TemporaryDirectory() as name:
        worlds.ours(Path(name), given.members)
        total = 0.0
        for what, spent in profile(Path(name)):
            print(f"| {what} | {spent:.2f} |", flush=True)
            total += spent
        print(f"| **all of it** | **{total:.2f}** |")
    print(f"\n| at {given.libraries_at:,} members | CPU s | instead of | CPU s |\n|-|-|-|-|")
    with tempfile.TemporaryDirectory() as name:
        worlds.ours(Path(name), given.libraries_at)
        for what, took, other, took_other in libraries(Path(name)):
            print(f"| {what} | {took:.3f} | {other} | {took_other:.3f} |", flush=True)


def profile(folder: Path) -> Iterator[tuple[str, float]]:
    """The parts of a plan in their order. Threads' own parts are taken by their own clocks."""
    begun = time.process_time()
    from reconciler import clock
    from reconciler.manifest import load, read_yaml
    from reconciler.manifest.check import Gaps, check
    from reconciler.pipes.client import Client
    from reconciler.pipes.embedded import Embedded
    from reconciler.pipes.reading import snapshot
    from reconciler.pipes.settings import resolve
    from reconciler.pipes.workers import Workers
    from reconciler.plan import make_plan
    from reconciler.report import render

    today = clock.today()
    yield "imports (here: some were there already)", time.process_time() - begun

    data = (folder / "orgs.yaml").read_bytes()
    read, took = spent(lambda: read_yaml.read("orgs.yaml", data))
    yield "manifests: YAML into texts with their places (libyaml's events)", took
    _, checked = spent(partial(check, read, Gaps()))
    yield "manifests: against the schema, and values as it expects them", checked
    desired, whole = spent(lambda: load([folder / "orgs.yaml"], today=today))
    yield "manifests: merged and resolved into what is desired", whole - took - checked

    sandbox, pages, taken = [0.0], [0.0], [0.0]
    Embedded.send = _timed(Embedded.send, sandbox)  # type: ignore[method-assign]
    Client.page = _timed(Client.page, pages)  # type: ignore[method-assign]
    Workers._take_one = _timed(Workers._take_one, taken)  # type: ignore[method-assign]  # noqa: SLF001
    with Client(resolve("sandbox:pipes.db", None, {}, cwd=folder), read_only=True, parallelism=1) as client:
        live, took = spent(lambda: snapshot(client, desired, {}))
    yield "reading: the embedded Pipes itself (SQLite, Falcon)", sandbox[0]
    yield "reading: requests, retries, and pages from JSON into rows (msgspec)", pages[0] - sandbox[0]
    yield "reading: rows into compact resources, and what to read next", taken[0]
    yield "reading: threads, queues, connections", took - pages[0] - taken[0]
    plan, took = spent(lambda: make_plan(desired, live, {}))
    yield "the plan: identity, differences, order, safeguards", took
    _, took = spent(lambda: render(plan, "text"))
    yield "the report", took


def libraries(folder: Path) -> Iterator[tuple[str, float, str, float]]:
    """Each choice beside what one would write without it, on the same data, with the same result."""
    import jsonschema
    import msgspec
    from answers import recorded

    from reconciler.kinds.member import Row
    from reconciler.manifest import read_yaml
    from reconciler.manifest.check import validator
    from reconciler.manifest.json_schema import schema

    data = (folder / "orgs.yaml").read_bytes()
    read, took = spent(lambda: read_yaml.read("orgs.yaml", data))
    plain, c_safe = spent(lambda: yaml.load(data, yaml.CSafeLoader))
    _, pure = spent(lambda: yaml.load(data, yaml.SafeLoader))
    assert plain["orgs"].keys() == read.root["orgs"].keys()
    yield "YAML with places: libyaml's events, a builder of our own", took, "CSafeLoader, no places", c_safe
    yield "the same", took, "PyYAML's SafeLoader, no places", pure

    yes, took = spent(lambda: validator().is_valid(plain))
    judge = jsonschema.Draft202012Validator(schema())
    same, slow = spent(lambda: judge.is_valid(plain))
    assert yes is same is True
    yield "yes or no by the schema: jsonschema-rs", took, "jsonschema", slow

    bodies = [answer.partition(b"\r\n\r\n")[2] for path, answer in recorded(folder).items() if b"/member" in path]
    decoder = msgspec.json.Decoder(_page(msgspec, Row))
    rows, took = spent(lambda: [row.user_handle for body in bodies for row in decoder.decode(body).items])
    others, slow = spent(lambda: [row["user_handle"] for body in bodies for row in json.loads(body)["items"]])
    assert rows == others
    yield f"{len(bodies):,} pages, only what is used of each row: msgspec", took, "json, whole rows", slow


def _page(msgspec: Any, row: Any) -> Any:
    return msgspec.defstruct("Page", [("items", list[row])])


def spent(work: Callable[[], Any]) -> tuple[Any, float]:
    """What `work` returns, and the CPU that it took."""
    begun = time.process_time()
    found = work()
    return found, time.process_time() - begun


def _timed(function: Any, total: list[float]) -> Any:
    def timed(*args: Any, **kwargs: Any) -> Any:
        begun = time.thread_time()
        try:
            return function(*args, **kwargs)
        finally:
            total[0] += time.thread_time() - begun

    return timed


if __name__ == "__main__":
    main()
