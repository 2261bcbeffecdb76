from pathlib import Path

import pytest

from reconciler.model.errors import PipesError, UsageError
from reconciler.pipes import settings
from reconciler.pipes.settings import resolve
from reconciler.sandbox import DEFAULT_PATH
from reconciler.sandbox.store import Store
from reconciler.sandbox.world import seed

TOKEN = "tpt_0123456789secret"


def resolved(host=None, token_file=None, *, cwd=Path("/"), **environ):
    return resolve(host, token_file, environ, cwd=cwd)


@pytest.mark.parametrize(
    ("host", "base_url"),
    [
        pytest.param(None, "https://pipes.turbot.com/api/v0", id="none given: Pipes' public host"),
        pytest.param("acme.example", "https://acme.example/api/v0", id="a bare host means https"),
        pytest.param("acme.example:8443", "https://acme.example:8443/api/v0", id="a port"),
        pytest.param("https://acme.example", "https://acme.example/api/v0", id="a URL"),
        pytest.param("https://acme.example/", "https://acme.example/api/v0", id="a URL with a slash"),
        pytest.param("https://acme.example/api/v0", "https://acme.example/api/v0", id="the base path is there"),
        pytest.param("https://acme.example/api/v0/", "https://acme.example/api/v0", id="the base path with a slash"),
        pytest.param("https://acme.example/pipes", "https://acme.example/pipes/api/v0", id="behind a path"),
        pytest.param("http://localhost:9000", "http://localhost:9000/api/v0", id="plain http on loopback by name"),
        pytest.param("http://127.0.0.1:9000", "http://127.0.0.1:9000/api/v0", id="plain http on loopback by number"),
        pytest.param("http://[::1]:9000", "http://[::1]:9000/api/v0", id="plain http on loopback by IPv6"),
    ],
)
def test_a_host_becomes_the_url_of_the_api(host, base_url):
    found = resolved(host, PIPES_TOKEN=TOKEN)
    assert (found.base_url, found.token, found.sandbox_path) == (base_url, TOKEN, None)


@pytest.mark.parametrize(
    ("host", "says"),
    [
        pytest.param("http://acme.example", "plain http to acme.example", id="plain http to elsewhere"),
        pytest.param("http://127.0.0.1.example", "plain http", id="looks like loopback"),
        pytest.param("http://localhost.example", "plain http", id="looks like localhost"),
        pytest.param("https://alice:hunter2@acme.example", "user information", id="user and password"),
        pytest.param("hunter2@acme.example", "user information", id="user in a bare host"),
        pytest.param("https://acme.example?token=hunter2", "a query or a fragment", id="query"),
        pytest.param("https://acme.example#hunter2", "a query or a fragment", id="fragment"),
        pytest.param("ftp://acme.example", "asks for `ftp`", id="another scheme"),
        pytest.param("https://", "is not a host or URL", id="no host"),
        pytest.param("acme.example:hunter2", "is not a host or URL", id="a port that is none"),
        pytest.param("https://[::1", "is not a host or URL", id="half an IPv6 address"),
        pytest.param("https://acme.example/../evil", "is not a host or URL", id="a path that climbs"),
        pytest.param("acme example", "spaces", id="a space"),
        pytest.param("acme\x1b[2J.example", "control characters", id="an escape"),
        pytest.param("acmé.example", "beyond ASCII", id="a look-alike letter"),
        pytest.param("tpt_0123456789hunter2", "a token where a host belongs", id="the token itself"),
        pytest.param("", "--host is empty", id="empty"),
    ],
)
def test_a_host_that_cannot_be_meant_is_a_usage_error(host, says):
    with pytest.raises(UsageError) as error:
        resolved(host, PIPES_TOKEN=TOKEN)
    assert says in str(error.value)
    assert "hunter2" not in str(error.value)
    assert "\x1b" not in str(error.value)


@pytest.mark.parametrize(
    ("host", "pipes"),
    [
        ("pipes.turbot.com", "pipes.turbot.com"),
        ("https://PIPES.turbot.com/api/v0/", "pipes.turbot.com"),
        ("https://proxy.example:8443/east", "proxy.example:8443/east"),
    ],
)
def test_one_pipes_has_one_name_in_saved_plans_however_it_is_given(host, pipes, tmp_path):
    assert resolve(host, None, {"PIPES_TOKEN": "tpt_0"}, cwd=tmp_path).pipes == pipes


def test_the_option_beats_the_variable():
    assert resolved("one.example", PIPES_HOST="two.example", PIPES_TOKEN=TOKEN).base_url == "https://one.example/api/v0"
    assert resolved(PIPES_HOST="two.example", PIPES_TOKEN=TOKEN).base_url == "https://two.example/api/v0"


def test_an_error_names_the_variable_where_the_host_came_from_it():
    with pytest.raises(UsageError, match=r"^PIPES_HOST asks for plain http"):
        resolved(PIPES_HOST="http://acme.example", PIPES_TOKEN=TOKEN)


def test_the_token_file_beats_the_variable(tmp_path):
    (tmp_path / "token").write_text(f"\n  {TOKEN}\n\n")
    assert resolved(token_file=Path("token"), cwd=tmp_path, PIPES_TOKEN="tpt_other").token == TOKEN


def test_no_token_says_what_to_set():
    with pytest.raises(PipesError, match="no token: set PIPES_TOKEN, or name a file that holds one with --token-file"):
        resolved(PIPES_TOKEN="  \n")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param(b"", "is empty", id="empty"),
        pytest.param(b" \n\t\n", "is empty", id="white space alone"),
        pytest.param(b"tpt_hunter2\ntpt_hunter2\n", "more than one line", id="two lines"),
        pytest.param(b"tpt_hunter2 tpt_hunter2", "spaces or control characters", id="two words"),
        pytest.param(b"tpt_\x00hunter2", "spaces or control characters", id="NUL"),
        pytest.param(b"tpt_\x1bhunter2", "spaces or control characters", id="escape"),
        pytest.param("tpt_hunter2é".encode(), "beyond ASCII", id="beyond ASCII"),
        pytest.param("\ufefftpt_hunter2".encode(), "beyond ASCII", id="byte order mark"),
        pytest.param("tpt_hunter2".encode("utf-16"), "beyond ASCII", id="UTF-16"),
        pytest.param(b"hunter2" * 1000, "more than 4096 characters", id="too long"),
    ],
)
def test_a_token_file_that_holds_no_token_is_refused_without_showing_it(tmp_path, content, says):
    (tmp_path / "token").write_bytes(content)
    with pytest.raises(PipesError) as error:
        resolved(token_file=tmp_path / "token")
    assert says in str(error.value)
    assert "hunter2" not in str(error.value)
    assert error.value.__context__ is None


def test_a_bad_token_in_the_variable_is_refused_without_showing_it():
    with pytest.raises(PipesError, match="PIPES_TOKEN holds more than one line") as error:
        resolved(PIPES_TOKEN="tpt_hunter2\r\nX-Evil: 1")
    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize("name", ["missing", ".", "a\0b"])
def test_a_token_file_that_cannot_be_read_is_a_usage_error(tmp_path, name):
    with pytest.raises(UsageError, match="cannot be read"):
        resolved(token_file=Path(name), cwd=tmp_path)


def test_the_token_is_in_no_repr():
    assert TOKEN not in repr(resolved(PIPES_TOKEN=TOKEN))


def test_the_older_names_are_not_read_and_the_error_says_how_to_rename_them():
    with pytest.raises(PipesError) as error:
        resolved(STEAMPIPE_CLOUD_TOKEN="tpt_hunter2", STEAMPIPE_CLOUD_HOST="old.example")
    assert "STEAMPIPE_CLOUD_TOKEN is set but not read: rename it to PIPES_TOKEN" in str(error.value)
    assert "STEAMPIPE_CLOUD_HOST is set but not read: rename it to PIPES_HOST" in str(error.value)
    assert "hunter2" not in str(error.value)


def test_an_older_host_is_hinted_at_where_the_default_is_taken():
    found = resolved(PIPES_TOKEN=TOKEN, STEAMPIPE_CLOUD_HOST="old.example")
    assert found.hints == ("STEAMPIPE_CLOUD_HOST is set but not read: rename it to PIPES_HOST",)
    assert found.base_url == "https://pipes.turbot.com/api/v0"


def test_an_older_name_beside_its_new_one_is_no_matter():
    assert resolved("new.example", PIPES_TOKEN=TOKEN, STEAMPIPE_CLOUD_HOST="o", STEAMPIPE_CLOUD_TOKEN="o").hints == ()


def seeded(path):
    with Store(path) as store:
        seed(store, {"actor": "alice", "orgs": {"acme": {"members": {"alice": "owner"}}}})
        return store.default_token()


def test_the_sandbox_has_a_token_of_its_own_and_never_sees_that_of_pipes(tmp_path):
    own = seeded(tmp_path / "my.db")
    found = resolved("sandbox:my.db", cwd=tmp_path, PIPES_TOKEN=TOKEN)
    assert (found.token, found.sandbox_path) == (own, tmp_path / "my.db")
    assert own not in repr(found)
    assert resolved(PIPES_HOST="sandbox:my.db", cwd=tmp_path).sandbox_path == tmp_path / "my.db"


def test_a_token_file_counts_for_the_sandbox_too(tmp_path):
    seeded(tmp_path / "my.db")
    (tmp_path / "token").write_text("tpt_another")
    assert resolved("sandbox:my.db", Path("token"), cwd=tmp_path).token == "tpt_another"


@pytest.mark.parametrize(
    "pin",
    ["Pipes.Example", "pipes.example:443", "pipes.example:", "https://pipes.example:443/api/v0", "pipes.example/"],
)
def test_a_host_is_the_same_however_it_is_written(tmp_path, pin):
    (tmp_path / "token").write_text("tpt_another")
    settings = resolved("pipes.example", Path("token"), cwd=tmp_path)
    assert settings.is_at(pin)
    assert settings.where == resolved(pin.lower(), Path("token"), cwd=tmp_path).where


@pytest.mark.parametrize("pin", ["pipes.example:8443", "http://pipes.example:443", "pipes.example/other", "example"])
def test_another_port_or_path_is_another_host(tmp_path, pin):
    (tmp_path / "token").write_text("tpt_another")
    assert not resolved("pipes.example", Path("token"), cwd=tmp_path).is_at(pin)


def test_the_sandbox_is_below_the_current_folder_by_default(tmp_path):
    seeded(tmp_path / DEFAULT_PATH)
    assert resolved("sandbox", cwd=tmp_path).sandbox_path == tmp_path / DEFAULT_PATH


@pytest.mark.parametrize("with_file", [False, True])
def test_a_sandbox_that_is_not_there_says_how_to_make_one(tmp_path, with_file):
    (tmp_path / "token").write_text("tpt_another")
    with pytest.raises(PipesError, match="`reconciler sandbox seed --example` makes one"):
        resolved("sandbox", Path("token") if with_file else None, cwd=tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["token"]


def test_a_sandbox_without_a_world_says_how_to_make_one(tmp_path):
    Store(tmp_path / "my.db").close()
    with pytest.raises(PipesError, match=r"`reconciler sandbox seed --example --db my\.db` makes one"):
        resolved("sandbox:my.db", cwd=tmp_path)


@pytest.mark.parametrize("with_file", [False, True])
def test_a_file_that_is_no_sandbox_is_refused(tmp_path, with_file):
    (tmp_path / "token").write_text("tpt_another")
    (tmp_path / "notes.txt").write_text("buy milk\n" * 200)
    with pytest.raises(PipesError, match="the sandbox cannot be opened"):
        resolved("sandbox:notes.txt", Path("token") if with_file else None, cwd=tmp_path)


def test_without_the_extra_the_sandbox_names_it(tmp_path, monkeypatch):
    monkeypatch.setattr(settings, "find_spec", lambda _name: None)
    with pytest.raises(UsageError, match=r"reconciler\[sandbox\]"):
        resolved("sandbox", cwd=tmp_path)


def test_nothing_falls_back_to_the_sandbox(tmp_path):
    seeded(tmp_path / DEFAULT_PATH)
    with pytest.raises(PipesError, match="no token"):
        resolved(cwd=tmp_path)


@pytest.mark.parametrize(
    ("host", "proposed"),
    [
        ("http://[2001:db8::1]:8080", "https://[2001:db8::1]:8080"),
        ("http://[2001:db8::1]", "https://[2001:db8::1]"),
        ("http://pipes.example:8443/base", "https://pipes.example:8443/base"),
        ("http://pipes.example/base/", "https://pipes.example/base"),
        ("http://pipes.example:80", "https://pipes.example:80"),
    ],
)
def test_the_url_that_is_proposed_in_place_of_plain_http_is_the_same_place_and_is_taken(host, proposed):
    with pytest.raises(UsageError) as error:
        resolved(host, PIPES_TOKEN=TOKEN)
    assert str(error.value).endswith(f"use {proposed}")
    assert resolved(proposed, PIPES_TOKEN=TOKEN).base_url == f"{proposed}/api/v0"
