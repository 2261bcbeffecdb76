"""Manifests in any layout that YAML knows: blocks and flow, any order and quotes, comments anywhere."""

from __future__ import annotations

import json

from hypothesis import strategies as st


@st.composite
def rendered(draw, data, indent=0, *, flow=False, told=None):
    """Plain data as YAML, with any layout, quotes, order and comments; the comments are noted in `told`."""
    pad = " " * indent

    def comment():
        told.append(f"# c{len(told)} {draw(st.sampled_from(['x', 'a: b', '[', 'it is # so', '- {']))}")
        return told[-1]

    def some(often=4):
        return draw(st.integers(0, often)) == 0

    def scalar(value):
        if isinstance(value, str):
            plain = value.replace("-", "").isalpha() and value not in ("no", "on", "y", "null", "true")
            return draw(st.sampled_from([json.dumps(value), *([value] if plain else [])]))
        return json.dumps(value)

    if not isinstance(data, dict | list) or not data:
        return scalar(data)
    items = list(data.items()) if isinstance(data, dict) else list(enumerate(data))
    if isinstance(data, dict):
        items = draw(st.permutations(items))
    if flow or draw(st.integers(0, 3)) == 0:
        text = ""
        for n, (key, value) in enumerate(items):
            inner = draw(rendered(value, 0, flow=True, told=told))
            text += f"{scalar(key)}: {inner}" if isinstance(data, dict) else inner
            text += "," if n + 1 < len(items) else ""
            text += f" {comment()}\n{' ' * (indent + 40)}" if some(8) else " "
            text += f"\n{' ' * (indent + 40)}{comment()}\n{' ' * (indent + 40)}" if some(12) else ""
        return f"{{{text}}}" if isinstance(data, dict) else f"[{text}]"
    step = draw(st.integers(1, 4))
    lines = ""
    for key, value in items:
        lines += "\n" if some(6) else ""
        lines += f"{pad}{' ' * draw(st.integers(0, 3)) if some() else ''}{comment()}\n" if some() else ""
        begun = f"{pad}{scalar(key)}:" if isinstance(data, dict) else f"{pad}-"
        inner = draw(rendered(value, indent + step, told=told))
        if inner.startswith(" ") or (isinstance(value, dict | list) and value and not inner.startswith(("{", "["))):
            inner = inner if inner.startswith(" ") else " " * (indent + step) + inner
            lines += f"{begun}{'  ' + comment() if some() else ''}\n{inner}"
        else:
            lines += f"{begun} {inner}{' ' + comment() if some() else ''}\n"
    lines += f"{pad}{comment()}\n" if some(5) else ""
    return lines
