"""Fetching a file by URL: which addresses are admitted, that the checked one is connected to, and the bounds."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2e.web import PICTURE, Web
from reconciler.pipes.fetch import FetchError, fetch, is_public

HERE = ipaddress.ip_address("127.0.0.1")


@pytest.fixture
def web(tmp_path):
    found = Web(tmp_path)
    found.pages["/a.png"] = (200, {"Content-Length": str(len(PICTURE))}, PICTURE)
    yield found
    found.stop()


def got(web, url=None, names=None, **options):
    """Fetch with this machine admitted as if it were public; `names` says what each further name resolves to."""
    known = {"logo.example": ["127.0.0.1"], **(names or {})}
    options = {"limit": 2000, "admits": lambda a: a == HERE or is_public(a), "authority": web.authority, **options}
    return fetch(url or web.url(), resolved=lambda host, _port: known.get(host) or [host], **options)


def refused(web, *args, **options):
    with pytest.raises(FetchError) as error:
        got(web, *args, **options)
    return str(error.value)


def test_a_file_is_fetched_from_the_host_that_the_url_names(web):
    assert got(web) == PICTURE
    assert web.asked == [("logo.example", "/a.png")]


def test_a_redirect_is_followed_and_its_host_is_looked_at_as_the_first_was(web):
    web.pages["/old.png"] = (302, {"Location": "/a.png"}, b"")
    assert got(web, web.url("/old.png")) == PICTURE


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("https://127.0.0.2/x", "127.0.0.2, which is not public"),
        ("https://169.254.169.254/latest/meta-data", "169.254.169.254, which is not public"),
        ("https://[::1]/x", "::1, which is not public"),
        ("https://inside.example/x", "10.1.2.3, which is not public"),
        ("http://logo.example/a.png", "https://HOST/PATH is followed only"),
        ("file:///etc/passwd", "https://HOST/PATH is followed only"),
        ("https://user@logo.example/a.png", "https://HOST/PATH is followed only"),
        ("/loop", "redirects more than 3 times"),
        ("", "redirects more than 3 times"),
    ],
)
def test_a_redirect_leads_nowhere_inside(web, target, said):
    web.pages["/loop"] = (302, {"Location": target}, b"")
    assert said in refused(web, web.url("/loop"), names={"inside.example": ["10.1.2.3"]})
    assert {path for _, path in web.asked} == {"/loop"}


def test_one_address_that_is_not_public_among_several_is_enough(web):
    assert "10.0.0.1" in refused(web, names={"logo.example": ["127.0.0.1", "10.0.0.1"]})
    assert web.asked == []


def test_the_address_that_was_looked_at_is_the_one_connected_to(web):
    """DNS that answers otherwise the second time (rebinding) is not asked a second time."""
    answers = iter([["127.0.0.1"], ["10.0.0.1"]])
    found = fetch(
        web.url(),
        2000,
        admits=lambda a: a == HERE,
        resolved=lambda *_: next(answers),
        authority=web.authority,
    )
    assert found == PICTURE
    assert list(answers) == [["10.0.0.1"]]


def test_a_name_that_resolves_to_nothing_is_said_so(web):
    def unknown(*_):
        raise OSError

    with pytest.raises(FetchError, match=r"nobody\.example is unknown to DNS"):
        fetch("https://nobody.example/a.png", 10, resolved=unknown)
    with pytest.raises(FetchError, match=r"nobody\.example has no address"):
        fetch("https://nobody.example/a.png", 10, resolved=lambda *_: [])


def test_a_certificate_has_to_be_the_hosts_and_trusted(web):
    assert "is not trusted" in refused(web, web.url(host="other.example"), names={"other.example": ["127.0.0.1"]})
    assert "is not trusted" in refused(web, authority=None)
    assert web.asked == []


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ((404, {"Content-Length": "0"}, b""), "answered 404"),
        ((200, {"Content-Length": "2001"}, b"x" * 2001), "more than 1 KiB"),
        ((200, {}, b"x" * 5000), "more than 1 KiB"),
        ((200, {"Content-Length": "99999999999"}, b"x" * 2001), "more than 1 KiB"),
        ((200, {"Content-Length": "500"}, b"x"), "cut short"),
    ],
)
def test_an_answer_is_bounded_and_whole(web, page, said):
    web.pages["/a.png"] = page
    assert said in refused(web)


@pytest.mark.parametrize("seconds", [0.3, 0.02, 0.001])
def test_a_file_that_does_not_end_in_time_is_given_up(web, seconds):
    web.pages["/a.png"] = (200, {"Content-Length": "500", "X-Hold": "1"}, b"x")
    assert refused(web, seconds=seconds) == f"logo.example took more than {seconds} s"


@pytest.mark.parametrize(
    ("text", "public"),
    [
        ("93.184.216.34", True), ("2606:2800:220:1:248:1893:25c8:1946", True),
        ("0.0.0.0", False), ("100.64.0.1", False), ("192.168.1.1", False), ("172.16.0.1", False), ("224.0.0.1", False),
        ("255.255.255.255", False), ("192.0.2.1", False), ("fe80::1", False), ("fc00::1", False), ("::", False),
        ("::ffff:10.0.0.1", False), ("64:ff9b::a00:1", False), ("64:ff9b::5db8:d822", True), ("2002:a00:1::", False),
        ("ff02::1", False), ("ff0e::1", False),
    ],
)  # fmt: skip
def test_only_addresses_of_the_internet_are_public(text, public):
    assert is_public(ipaddress.ip_address(text)) is public


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_is_no_more_public_inside_an_ipv6_one(address):
    def inside(prefix, low=0):
        start = int(ipaddress.IPv6Address(prefix))
        return ipaddress.IPv6Address(start | int(address) << low)

    assert is_public(inside("64:ff9b::")) == is_public(address)  # NAT64
    assert is_public(inside("2002::", 80)) == is_public(address)  # 6to4
    assert is_public(inside("2600::5efe:0:0")) == is_public(address)  # ISATAP
    assert is_public(inside("2600::200:5efe:0:0")) == is_public(address)
    # mapped, compatible and translated ones, and NAT64 with a prefix of the network's own, are no host of the internet
    for prefix in ("::ffff:0:0", "::", "::ffff:0:0:0", "64:ff9b:1::"):
        assert not is_public(inside(prefix))


NOT_PUBLIC = [
    "0.0.0.0", "10.0.0.1", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.254", "168.63.129.16", "169.254.169.254",
    "172.16.0.1", "192.0.0.1", "192.0.0.9", "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.0.1", "198.18.0.1",
    "198.51.100.1", "203.0.113.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::127.0.0.1", "::8.8.8.8", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::ffff:0:127.0.0.1", "::ffff:0:8.8.8.8",
    "64:ff9b::7f00:1", "64:ff9b:1::7f00:1", "64:ff9b:1::808:808", "64:ff9b:1:ffff::1", "100::1", "100:0:0:1::1",
    "2001::1", "2001:0:7f00:1::1", "2001:2::1", "2001:10::1", "2001:20::1", "2001:db8::1", "2002:7f00:1::1",
    "2002:a9fe:a9fe::1", "2600::5efe:7f00:1", "3fff::1", "3fff:fff::1", "4000::1", "5f00::1", "8000::1", "fc00::1",
    "fd00:ec2::254", "fe80::1", "fec0::1", "feff::1", "ff02::1",
]  # fmt: skip
PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "192.31.196.1",
    "2600::1",
    "2606:4700:4700::1111",
    "2a00:1450:4001::1",
    "64:ff9b::808:808",
]


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_what_is_no_host_of_the_internet_is_not_public(address):
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", PUBLIC)
def test_a_host_of_the_internet_is_public(address):
    assert is_public(ipaddress.ip_address(address))
