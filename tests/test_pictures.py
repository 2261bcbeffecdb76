"""The picture in the README is what `make pictures` draws now, and it loads nothing from elsewhere."""

from __future__ import annotations

import importlib.util
import re
import xml.etree.ElementTree as ET
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "docs" / "pictures"


def shown(svg):
    """The texts of a picture: how rich arranges them differs between its versions."""
    found = "".join(
        "".join(element.itertext()) for element in ET.fromstring(svg).iter() if element.tag.endswith("text")
    )
    return re.sub(r"\s+", " ", found.replace("\xa0", " "))


def test_the_picture_shows_the_plan_as_it_is():
    spec = importlib.util.spec_from_file_location("make_pictures", FOLDER / "make.py")
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    svg = (FOLDER / "plan.svg").read_text()
    assert shown(svg) == shown(make.svg())
    lines = make.plan_text().rstrip().count("\n") + 2  # with that of the command
    assert len(set(re.findall(r'clip-path="url\(#(plan-line-\d+)', svg))) == lines, "no line is broken"


def test_the_picture_loads_nothing():
    svg = (FOLDER / "plan.svg").read_text()
    assert "url(http" not in svg
    assert "<script" not in svg
    assert re.findall(r'(?:href|src)="(?!#)', svg) == []
