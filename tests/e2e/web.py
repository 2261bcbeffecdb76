"""An https server of a test: pages that it gives, and what was asked of it."""

from __future__ import annotations

import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from reconciler.sandbox.serve import self_signed

PICTURE = b"\x89PNG\r\n\x1a\n" + b"x" * 1000


class Web:
    """An https server on this machine; `pages` are path -> (status, headers, body). `asked` are the paths that came."""

    def __init__(self, folder):
        self.pages, self.asked, self.headers = {}, [], []
        self.released = threading.Event()
        web = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                web.headers += self.headers.items()
                web.asked.append((self.headers["Host"].partition(":")[0], self.path))
                status, headers, body = web.pages[self.path]
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)
                if headers.get("X-Hold"):
                    self.wfile.flush()
                    web.released.wait(30)

            def log_message(self, *_):
                return

        made = self_signed(folder, "logo.example")
        self.authority = str(made.authority)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(made.certificate, made.key)
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.handle_error = lambda *_: None
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self.thread.start()

    def url(self, path="/a.png", host="logo.example"):
        return f"https://{host}:{self.port}{path}"

    def stop(self):
        self.released.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
