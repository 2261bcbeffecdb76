"""What is sent as a logo: the picture of the plan, and nothing that is no picture."""

from __future__ import annotations

import hashlib
import os

import pytest

from reconciler.apply.errors import StepFailed
from reconciler.apply.logo_upload import upload

PNG = b"\x89PNG\r\n\x1a\n" + b"acme"


def pinned(name, data):
    return f"{name}#sha256={hashlib.sha256(data).hexdigest()}"


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\0\0\0\0WEBP", "image/webp"),
    ],
)
def test_a_picture_is_sent_as_what_its_first_bytes_say(tmp_path, data, media_type):
    (tmp_path / "a.png").write_bytes(data)
    found = upload(pinned("a.png", data), str(tmp_path))
    assert (found.data, found.media_type) == (data, media_type)
    body, content_type = found.form()
    assert data in body
    assert content_type.startswith("multipart/form-data; boundary=")


@pytest.mark.parametrize(
    ("data", "planned", "said"),
    [
        (b"\x89PNG\r\n\x1a\nother", PNG, "is not the picture that was planned"),
        (b"GIF88a", b"GIF88a", "not a PNG, JPEG, GIF or WebP"),
        (b"<svg/>", b"<svg/>", "not a PNG, JPEG, GIF or WebP"),
        (PNG + bytes(2 * 1024**2), PNG + bytes(2 * 1024**2), "larger than 2 MiB"),
    ],
)
def test_another_file_than_the_plans_or_no_picture_is_not_sent(tmp_path, data, planned, said):
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(StepFailed, match=said):
        upload(pinned("a.png", planned), str(tmp_path))


def test_what_is_gone_or_has_become_a_pipe_is_said_so(tmp_path):
    with pytest.raises(StepFailed, match="cannot be read"):
        upload(pinned("a.png", PNG), str(tmp_path))
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(StepFailed, match="not a regular file"):
        upload(pinned("a.png", PNG), str(tmp_path))
