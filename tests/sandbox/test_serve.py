"""The server under the sandbox: what a client does to its connection leaves nothing behind."""

from __future__ import annotations

import gc
import socket
import struct
import threading

import pytest

from reconciler.sandbox.serve import make_server, self_signed


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("sent", [b"", b"a handshake that never was"])
def test_a_client_that_resets_its_connection_before_the_handshake_leaves_no_socket_open(tmp_path, sent):
    lost = []
    server = make_server(lambda *_: [], "127.0.0.1", 0, self_signed(tmp_path, "127.0.0.1"))
    told = threading.Event()
    server.error_log = lambda message, *_, **__: (lost.append(message), told.set())
    with socket.create_connection(server.bind_addr) as client:
        client.sendall(sent)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # close with a reset
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    assert told.wait(10)
    server.stop()
    thread.join()
    gc.collect()  # an open socket is told here, and fails this test
    assert len(lost) == 1
    assert "lost" in lost[0]
