"""A file from somebody's web server: https only, from public addresses only, and no more and no longer than said.

A manifest names the URL, so whoever can change a manifest chooses what this machine connects to. That must not
open the network that this machine is in: each name is resolved once, every address must be public, and the connection goes to
the very address that was checked, whatever DNS says a moment later. Proxies of the environment are not used: one would do
the resolving.
"""

from __future__ import annotations

import http.client
import ipaddress
import os
import socket
import ssl
from threading import Timer
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from requests.utils import DEFAULT_CA_BUNDLE_PATH

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Address = ipaddress.IPv4Address | ipaddress.IPv6Address

SECONDS = 20.0
REDIRECTS = 3
_REDIRECT = frozenset({301, 302, 303, 307, 308})


class FetchError(Exception):
    """Why there is no file, in a line."""


def is_public(address: Address) -> bool:
    """Whether an address is one of the internet's: not private, loopback, link-local, shared, reserved or multicast.

    An IPv6 address that carries IPv4 ones (6to4, Teredo, NAT64, ISATAP) is public where all of those are.
    """
    if isinstance(address, ipaddress.IPv4Address):
        return address.is_global and not address.is_multicast and not any(address in one for one in _NOT_PUBLIC_4)
    inner = [*_carried(address)]
    if address in _NAT64:
        return all(is_public(one) for one in inner)
    # all that IANA has given out to hosts of the internet; this leaves out mapped, compatible and translated IPv4 addresses
    # and whatever will be reserved elsewhere
    if address not in _UNICAST or any(address in one for one in _NOT_PUBLIC_6):
        return False
    tunnel = address.sixtofour is not None or address.teredo is not None
    return (tunnel or address.is_global) and all(is_public(one) for one in inner)


def _carried(address: ipaddress.IPv6Address) -> Iterator[ipaddress.IPv4Address]:
    """The IPv4 addresses that an IPv6 address leads to."""
    number = int(address)
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
    if address in _NAT64 or (number >> 32) & 0xFCFFFFFF == _ISATAP:
        yield ipaddress.IPv4Address(number & 0xFFFFFFFF)


_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052; the local one, 64:ff9b:1::/48 (RFC 8215), is not public
_ISATAP = 0x00005EFE  # RFC 5214: the interface identifier's upper half, two of its bits aside
_UNICAST = ipaddress.IPv6Network("2000::/3")
# what `ipaddress` calls global, in some of the Python versions that we run on, and is not a host of the internet
_NOT_PUBLIC_6 = (
    ipaddress.IPv6Network("2001:db8::/32"),  # documentation
    ipaddress.IPv6Network("3fff::/20"),  # documentation (RFC 9637)
    ipaddress.IPv6Network("2001:2::/48"),  # benchmarking
    ipaddress.IPv6Network("2001:10::/28"),  # ORCHID
    ipaddress.IPv6Network("2001:20::/28"),  # ORCHIDv2
)
_NOT_PUBLIC_4 = (
    ipaddress.IPv4Network("192.0.0.0/24"),  # IETF protocol assignments; 192.0.0.192 is a cloud's metadata service
    ipaddress.IPv4Network("192.88.99.0/24"),  # 6to4 relays (RFC 7526)
    ipaddress.IPv4Network("168.63.129.16/32"),  # Azure's own services, as every virtual machine there sees them
)


def resolve(host: str, port: int) -> list[str]:
    """The addresses of a host, by the system. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def fetch(
    url: str,
    limit: int,
    *,
    seconds: float = SECONDS,
    admits: Callable[[Address], bool] = is_public,
    resolved: Callable[[str, int], Sequence[str]] = resolve,
    authority: str | None = None,
) -> bytes:
    """The bytes behind an https URL, at most `limit` of them, within `seconds` for all of it.

    `authority` is a file of certificates to trust instead of the usual ones. Raises FetchError.
    """
    at = url
    for _ in range(REDIRECTS + 1):
        answer = _get(at, limit, seconds, admits, resolved, authority)
        if isinstance(answer, bytes):
            return answer
        at = urljoin(at, answer)
    raise FetchError(f"{_host(url)} redirects more than {REDIRECTS} times")


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or "nobody"
    except ValueError:
        return "nobody"


def _get(
    url: str,
    limit: int,
    seconds: float,
    admits: Callable[[Address], bool],
    resolved: Callable[[str, int], Sequence[str]],
    authority: str | None,
) -> bytes | str:
    """The bytes, or where a redirect leads."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or 443
    except ValueError:
        raise FetchError("this is not a URL") from None
    if parts.scheme != "https" or not host or parts.username is not None or not url.isascii() or not url.isprintable():
        raise FetchError(
            f"it leads to {parts.scheme or 'no'} URL of {host or 'nobody'}: https://HOST/PATH is followed only"
        )
    address = _checked(host, port, admits, resolved)
    connection = _Pinned(host, port, address, seconds, authority)
    # the sockets' own bound is for each byte; this one is for all of them
    watch = Timer(seconds, connection.cut)
    watch.daemon = True
    watch.start()
    answer: http.client.HTTPResponse | None = None
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("GET", target, headers={"User-Agent": "reconciler", "Accept": "image/*"})
        answer = connection.getresponse()
        if answer.status in _REDIRECT:
            return answer.getheader("Location") or ""
        if answer.status != 200:
            raise FetchError(f"{host} answered {answer.status}")
        data = answer.read(limit + 1)
        if len(data) > limit:
            raise FetchError(f"{host} has more than {limit // 1024} KiB there")
        if answer.length and not connection.late:
            raise FetchError(f"the answer of {host} was cut short")
    except ssl.SSLCertVerificationError as error:
        raise FetchError(f"the certificate of {host} is not trusted: {error.verify_message}") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        if connection.late or isinstance(error, TimeoutError):
            raise FetchError(f"{host} took more than {seconds:g} s") from None
        reason = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
        raise FetchError(f"{host} cannot be read: {reason}") from None
    finally:
        watch.cancel()
        if answer is not None:
            answer.close()
        connection.close()
    if connection.late:
        raise FetchError(f"{host} took more than {seconds:g} s")
    return data


def _checked(
    host: str, port: int, admits: Callable[[Address], bool], resolved: Callable[[str, int], Sequence[str]]
) -> str:
    """The address to connect to. One that is not public among several is reason enough to connect to none."""
    try:
        found = resolved(host, port)
    except (OSError, UnicodeError):
        raise FetchError(f"{host} is unknown to DNS") from None
    if not found:
        raise FetchError(f"{host} has no address")
    for text in found:
        try:
            address = ipaddress.ip_address(text.partition("%")[0])
        except ValueError:
            raise FetchError(f"{host} has an address that cannot be read") from None
        if not admits(address):
            raise FetchError(f"{host} has the address {address}, which is not public: nothing is fetched from there")
    return found[0]


class _Pinned(http.client.HTTPSConnection):
    """Connects to one address, and asks for the certificate of the host."""

    def __init__(self, host: str, port: int, address: str, seconds: float, authority: str | None) -> None:
        trusted = authority or os.environ.get("REQUESTS_CA_BUNDLE") or DEFAULT_CA_BUNDLE_PATH
        folder = os.path.isdir(trusted)  # noqa: PTH112 - it is a variable's text
        try:
            self._trust = ssl.create_default_context(
                cafile=None if folder else trusted, capath=trusted if folder else None
            )
        except OSError as error:  # ssl.SSLError is one, too
            raise FetchError(f"the certificates in {trusted} cannot be used: {error.strerror or 'no PEM'}") from None
        super().__init__(host, port, timeout=seconds, context=self._trust)
        self._address = address
        self.late = False

    def connect(self) -> None:
        self.sock: Any = socket.create_connection((self._address, self.port), self.timeout)
        self.sock = self._trust.wrap_socket(self.sock, server_hostname=self.host, do_handshake_on_connect=False)
        if self.late:  # there was no socket to cut
            raise TimeoutError
        self.sock.do_handshake()

    def cut(self) -> None:
        self.late = True
        if self.sock is not None:
            try:
                self.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                return
