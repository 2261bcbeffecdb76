"""A page in a real browser, where there is one."""

import re
import subprocess

import pytest

from report.test_page import BROWSER

needs_browser = pytest.mark.skipif(BROWSER is None, reason="no Chromium here: apt-get install chromium-headless-shell")


def assert_fits(source, width, folder):
    """Nothing in the page is wider than a window of `width`."""
    measure = "<script>document.title = innerWidth + '/' + document.documentElement.scrollWidth</script></body>"
    source = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", source)
    file = folder / "page.html"
    file.write_text(source.replace("</body>", measure), encoding="utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}"]
    done = subprocess.run(
        [BROWSER, *options, f"--window-size={width},1000", "--dump-dom", file.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    inner, wide = map(int, re.search(r"<title>(\d+)/(\d+)</title>", done.stdout).groups())
    assert inner <= width
    assert wide <= inner
