"""Equations become MathML when the site is built, so that no script has to run to show them."""

from __future__ import annotations

import html
import re
from typing import Any

from latex2mathml.converter import convert

# What pymdownx.arithmatex makes of $…$ and $$…$$, on pages and in docstrings.
_EQUATION = re.compile(
    r'<(?P<tag>span|div) class="arithmatex">\\[(\[](?P<latex>.*?)\\[)\]]</(?P=tag)>', re.DOTALL
)


def on_page_content(content: str, **_: Any) -> str:
    """A page with its equations as MathML."""

    def rendered(equation: re.Match[str]) -> str:
        display = "block" if equation["tag"] == "div" else "inline"
        return convert(html.unescape(equation["latex"]).strip(), display=display)

    return _EQUATION.sub(rendered, content)
