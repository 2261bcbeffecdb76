"""A page in a real browser, where there is one, driven through the DevTools protocol.

The width is emulated: a window of its own cannot be made as narrow as a telephone everywhere (Debian's `chromium` stops
at 500 px).
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import subprocess
import threading
from contextlib import contextmanager, suppress
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest
from pypdf import PdfReader

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAMES = ("chromium-headless-shell", "chromium", "google-chrome")
BROWSER = next(filter(None, map(shutil.which, NAMES)), None)
PATIENCE = 120.0  # seconds until a browser that does not answer is ended

KEYS = {"Tab": (9, ""), "Enter": (13, "\r"), "Space": (32, " "), "Escape": (27, "")}

# The lowest contrast of any text that is shown with what is behind it (WCAG 2, "contrast ratio"), and the text.
CONTRAST = """
(() => {
  const channel = c => (c /= 255) <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => .2126 * channel(r) + .7152 * channel(g) + .0722 * channel(b);
  const rgb = text => text.match(/[\\d.]+/g).map(Number);
  const behind = one => { for (; one; one = one.parentElement) { const c = rgb(getComputedStyle(one).backgroundColor);
    if (c.length < 4 || c[3] > 0) return c; } return rgb(getComputedStyle(document.documentElement).backgroundColor); };
  let worst = [21, ""];
  const seen = new Set();
  for (const one of document.querySelectorAll("body *")) {
    if (![...one.childNodes].some(node => node.nodeType === 3 && node.textContent.trim()) || !one.checkVisibility()) continue;
    const front = getComputedStyle(one).color, back = behind(one), pair = front + back;
    if (seen.has(pair)) continue;
    seen.add(pair);
    const [a, b] = [light(rgb(front)), light(back)].sort((x, y) => y - x);
    if ((a + .05) / (b + .05) < worst[0]) worst = [(a + .05) / (b + .05), one.textContent];
  }
  return worst[0];
})()
"""

needs_browser = pytest.mark.skipif(BROWSER is None, reason="no Chromium here: apt-get install chromium-headless-shell")


class Tab:
    """One tab. Messages go through a pipe, each ended by a NUL byte (`--remote-debugging-pipe`)."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._number = 0
        self._events: list[dict[str, Any]] = []
        self._unread = b""
        self._session: str | None = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.call("Page.enable")
        self.call("Page.setLifecycleEventsEnabled", enabled=True)
        self.call("Runtime.enable")
        self.call("Log.enable")

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

    def show(self, url: str, width: int, scheme: str = "light", media: str = "") -> None:
        """Open a page in a window of `width` pixels, in light or dark, or as it is printed (`media="print"`)."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        scheme_feature = {"name": "prefers-color-scheme", "value": scheme}
        self.call("Emulation.setEmulatedMedia", media=media, features=[scheme_feature])
        self.open(url)

    def type(self, text: str) -> None:
        """Type into what has the focus."""
        for key in text:
            self.call("Input.dispatchKeyEvent", type="char", text=key)

    def press(self, name: str, *, shift: bool = False) -> None:
        """Press one of KEYS."""
        code, text = KEYS[name]
        key = {"key": text or name, "code": name, "windowsVirtualKeyCode": code, "modifiers": 8 if shift else 0}
        self.call("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", text=text, **key)
        self.call("Input.dispatchKeyEvent", type="keyUp", **key)

    def printed(self) -> list[str]:
        """The text of each page of the paper that the page is printed on."""
        pdf = self.call("Page.printToPDF", preferCSSPageSize=True)["data"]
        return [page.extract_text() for page in PdfReader(BytesIO(base64.b64decode(pdf))).pages]

    def when(self, condition: str) -> Any:
        """What an expression gives in the page once it is true; it is asked again whenever the page changes."""
        script = f"""new Promise(done => {{
            const look = () => {{ const found = {condition}; if (found) {{ watch.disconnect(); done(found); }} }};
            const watch = new MutationObserver(look);
            watch.observe(document, {{subtree: true, childList: true, attributes: true, characterData: true}});
            look();
        }})"""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        return answer["result"]["value"]

    def complaints(self) -> list[str]:
        """What the console has shown as errors or warnings since the last call, such as what a page's policy refused."""
        found = []
        for event in self._events:
            params = event.get("params", {})
            if event["method"] == "Runtime.exceptionThrown":
                found.append(params["exceptionDetails"]["text"])
            elif event["method"] == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
                found.append(str([one.get("value") for one in params["args"]]))
            elif event["method"] == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
                found.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")
        self._events.clear()
        return found

    def resize(self, width: int) -> None:
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=1000, deviceScaleFactor=1, mobile=False)

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        while b"\0" not in self._unread:
            more = os.read(self._process.stdout.fileno(), 1 << 20)
            assert more, "the browser has ended"
            self._unread += more
        text, _, self._unread = self._unread.partition(b"\0")
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
        page.resize(width)
        page.open(file.as_uri())
        assert page.value("innerWidth") == width
        wide = page.value("document.documentElement.scrollWidth")
        assert wide <= width, f"{wide} px wide in a window of {width} px"
