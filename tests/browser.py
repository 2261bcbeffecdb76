"""A page in a real browser, where there is one, driven through the DevTools protocol.

The width is emulated: a window of its own cannot be made as narrow as a telephone everywhere (Debian's `chromium` stops
at 500 px).
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAMES = ("chromium-headless-shell", "chromium", "google-chrome")
BROWSER = next(filter(None, map(shutil.which, NAMES)), None)
PATIENCE = 120.0  # seconds until a browser that does not answer is ended

needs_browser = pytest.mark.skipif(BROWSER is None, reason="no Chromium here: apt-get install chromium-headless-shell")


class Tab:
    """One tab. Messages go through a pipe, each ended by a NUL byte (`--remote-debugging-pipe`)."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._number = 0
        self._events: list[dict[str, Any]] = []
        self._session: str | None = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.call("Page.enable")
        self.call("Page.setLifecycleEventsEnabled", enabled=True)

    def call(self, method: str, **params: object) -> dict[str, Any]:
        """The result of a method of https://chromedevtools.github.io/devtools-protocol/."""
        assert self._process.stdin is not None
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if self._session is not None:
            message["sessionId"] = self._session
        self._process.stdin.write(json.dumps(message).encode() + b"\0")
        self._process.stdin.flush()
        while (answer := self._read()).get("id") != self._number:
            self._events.append(answer)
        assert "error" not in answer, answer
        return answer["result"]

    def open(self, url: str) -> None:
        """Go to a page and wait until it is loaded."""
        went = self.call("Page.navigate", url=url)
        assert "errorText" not in went, went
        # the tab's first, empty page has a load event too: only the one of this navigation counts
        while not any(
            event["method"] == "Page.lifecycleEvent"
            and (event["params"]["name"], event["params"]["loaderId"]) == ("load", went["loaderId"])
            for event in self._events
        ):
            self._events.append(self._read())

    def value(self, expression: str) -> Any:
        """What an expression of JavaScript gives in the page."""
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"]["value"]

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        text = bytearray()
        while (byte := self._process.stdout.read(1)) != b"\0":
            assert byte, "the browser has ended"
            text += byte
        return json.loads(text)


@contextmanager
def tab(folder: Path) -> Iterator[Tab]:
    """A browser with one tab; its profile goes into `folder`."""
    assert BROWSER is not None
    options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}"]
    # the browser reads its commands from descriptor 3 and answers on 4; `sh` puts our pipes there
    script = 'exec "$@" 3<&0 4>&1 </dev/null >/dev/null 2>&1'
    with subprocess.Popen(
        ["sh", "-c", script, "sh", BROWSER, *options, "--remote-debugging-pipe"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "HOME": str(folder)},  # it leaves nothing in the user's
        start_new_session=True,
    ) as process:
        watch = threading.Timer(PATIENCE, _end, [process])
        watch.start()
        try:
            yield Tab(process)
        finally:
            watch.cancel()
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the browser with the processes that it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def assert_fits(source: str, width: int, folder: Path) -> None:
    """Nothing in the page is wider than a window of `width` pixels."""
    file = folder / "page.html"
    file.write_text(source, encoding="utf-8")
    with tab(folder) as page:
        page.call("Emulation.setDeviceMetricsOverride", width=width, height=1000, deviceScaleFactor=1, mobile=False)
        page.open(file.as_uri())
        assert page.value("innerWidth") == width
        wide = page.value("document.documentElement.scrollWidth")
        assert wide <= width, f"{wide} px wide in a window of {width} px"
