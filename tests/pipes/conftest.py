"""A scripted server for what only a network can do wrong, sandboxes for everything else, and a clock that obeys."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from adapter import SandboxAdapter
from reconciler.pipes.client import Client, Observers
from reconciler.pipes.client import Clock as Source
from reconciler.pipes.settings import Settings
from reconciler.sandbox.app import create_app
from reconciler.sandbox.faults import Faults
from reconciler.sandbox.store import Store
from reconciler.sandbox.world import seed

TOKEN = "tpt_0123456789secret"


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self):
        self.now = 1000.0
        self.slept = []
        self._lock = threading.Lock()

    def __call__(self):
        return self.now

    @property
    def source(self):
        """This clock as a client takes one."""
        return Source(self, self, self.sleep)

    def sleep(self, seconds):
        with self._lock:
            self.slept.append(seconds)
            self.now += seconds


class Server:
    """Answers with what `script` holds, in order, and then forever with its last: (status, headers, body), a word,
    or a function of the path that gives one of them.

    `drop` closes the connection without an answer, `cut` announces more than it sends.
    """

    def __init__(self, tls=None):
        self.script = []
        self.requests = []  # (method, path, headers, body)
        self.connections = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # head and body in one packet: two would wait for an acknowledgement in between

            def setup(self):
                outer.connections += 1
                super().setup()

            def answer(self):
                length = int(self.headers.get("Content-Length") or 0)
                outer.requests.append((self.command, self.path, dict(self.headers), self.rfile.read(length)))
                what = outer.script.pop(0) if len(outer.script) > 1 else outer.script[0]
                if callable(what):
                    what = what(self.path)
                if what == "drop":
                    self.close_connection = True
                    return
                cut = what == "cut"
                status, headers, body = (200, {}, b'{"items": [') if cut else what
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body) + (100 if cut else 0)))
                self.end_headers()
                self.wfile.write(body)
                self.close_connection = self.close_connection or cut

            do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = answer  # noqa: N815 - the base class looks them up

            def log_message(self, *_):
                pass

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request, client_address):
                pass  # a client that refuses our certificate hangs up, as it should

        self.httpd = Quiet(("127.0.0.1", 0), Handler)
        if tls is not None:
            self.httpd.socket = tls.wrap_socket(self.httpd.socket, server_side=True)
        self.port = self.httpd.server_port
        self.scheme = "http" if tls is None else "https"
        self._thread = threading.Thread(target=self.httpd.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    @property
    def settings(self):
        return Settings(f"{self.scheme}://127.0.0.1:{self.port}/api/v0", TOKEN)

    def close(self):
        self.httpd.shutdown()
        self._thread.join()
        self.httpd.server_close()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def make_server():
    """Start a scripted server, with a TLS context or without."""
    made = []

    def make(tls=None):
        made.append(Server(tls))
        return made[-1]

    yield make
    for found in made:
        found.close()


@pytest.fixture
def server(make_server):
    return make_server()


@pytest.fixture
def client(server, clock):
    """A client of the scripted server that may write."""
    with Client(server.settings, read_only=False, clock=clock.source) as made:
        yield made


class Sandbox:
    """A seeded world and a client of it that notes each request as `GET /path`."""

    def __init__(self, path, world, faults, clock):
        self.seen = []
        self.trace = []
        self.store = Store(path)
        seed(self.store, world)
        self.token = self.store.default_token()
        self.client = Client(
            # an embedded one has no faults
            Settings("http://sandbox.invalid/api/v0", self.token, None if faults else path),
            read_only=True,
            clock=clock.source,
            observers=Observers(
                request=lambda method, path, _status, _seconds: self.seen.append(f"{method} {path}"),
                trace=self.trace.append,
            ),
        )
        if faults:
            app = create_app(self.store, Faults(faults))
            self.client.carrier.session.mount("http://", SandboxAdapter(app))

    def close(self):
        self.client.close()
        self.store.close()


@pytest.fixture
def sandbox(tmp_path, clock):
    """Make a sandbox of a world, with faults: `sandbox(world, *faults)`."""
    made = []

    def make(world, *faults):
        found = Sandbox(tmp_path / f"{len(made)}.db", world, faults, clock)
        made.append(found)
        return found

    yield make
    for found in made:
        found.close()
