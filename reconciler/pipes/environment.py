"""What the environment says about the way to Pipes: a file of certificates, and a proxy.

Both are checked before the first request: a mistake in one of them looks like a broken connection otherwise. No text that is
made here holds a variable's value, which may have a password in it.
"""

from __future__ import annotations

import os
import ssl
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from reconciler.pipes.errors import NotSentError

# as requests reads them, the first that is set
CERTIFICATES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def check(base_url: str) -> str | None:
    """The variable that names the proxy for `base_url`, None where none is used. Raises NotSentError for what cannot work."""
    _check_certificates()
    return _proxy(base_url)


def _check_certificates() -> None:
    name = next((name for name in CERTIFICATES if os.environ.get(name)), None)
    if name is None:
        return
    path = Path(os.environ[name])
    if path.is_dir():
        return
    problem = ""
    try:
        with path.open("rb"):
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=path)
    except ssl.SSLError:
        problem = "names a file that holds no certificate in PEM"
    except (OSError, ValueError) as error:
        problem = f"names a file that cannot be read: {getattr(error, 'strerror', None) or 'not a file'}"
    if problem:
        raise NotSentError(f"{name} {problem}", repeatable=False)


def _proxy(base_url: str) -> str | None:
    from requests.utils import get_environ_proxies, select_proxy

    proxies = get_environ_proxies(base_url, no_proxy=None)
    proxy = select_proxy(base_url, proxies)
    if not proxy:
        return None
    name = _variable(proxies, proxy, urlsplit(base_url).scheme)
    problem = _problem(proxy if "://" in proxy else f"http://{proxy}")
    if problem:
        raise NotSentError(f"{name} {problem}", repeatable=False)
    return name


def _variable(proxies: dict[str, str], proxy: str, scheme: str) -> str:
    key = scheme if proxies.get(scheme) == proxy else "all"
    lower, upper = f"{key}_proxy", f"{key}_proxy".upper()
    if os.environ.get(lower):
        return lower
    return upper if os.environ.get(upper) else "the system's proxy setting"


def _problem(proxy: str) -> str:
    try:
        parts = urlsplit(proxy)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "is not a proxy's URL such as http://proxy.example:3128: its host or port cannot be read"
    if not host:
        return "names no host: write a proxy's URL such as http://proxy.example:3128"
    if parts.scheme.startswith("socks") and parts.scheme in ("socks4", "socks4a", "socks5", "socks5h"):
        return (
            ""
            if find_spec("socks")
            else "names a SOCKS proxy, which needs the Python package PySocks beside reconciler"
        )
    if parts.scheme not in ("http", "https"):
        return "names a proxy of a kind that is not known: write a proxy's URL such as http://proxy.example:3128"
    return ""
