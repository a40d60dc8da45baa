"""The explorer's page: styles, scripts and data in one file that needs no network."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from jaxunits import files

from ..runs import Runs
from ..web import policy
from .content import content_of
from .sprites import Sprites, remove_others

_HERE = Path(__file__).parent
_STYLES = ("vendor/tabulator_simple.min.css", "page/explorer.css")
_SCRIPTS = (
    "vendor/tabulator.min.js",
    "vendor/vega.min.js",
    "page/data.js",
    "page/pictures.js",
    "page/table.js",
    "page/scatter.js",
    "page/classes.js",
    "page/card.js",
    "page/overview.js",
    "page/controls.js",
    "page/explorer.js",
)
_MAP = re.compile(r"(//|/\*)# sourceMappingURL=.*")
# Bytes of a page up to which it holds its pictures itself.
_MOST = 40 * 10**6


def write_explorer(folder: Path, runs: Runs, *, most: int = _MOST) -> Path | None:
    """Write `explorer.html`, and the folder of its pictures where these are many.

    Args:
      folder: where to.
      runs: the networks.
      most: bytes up to which the page holds its pictures itself.

    Returns:
      The page's path; None where nothing was measured of single units.

    Raises:
      OSError: no space is left.
    """
    place = folder / "explorer.html"
    sprites = Sprites()
    content = content_of(runs, sprites)
    if content is None:
        place.unlink(missing_ok=True)
        remove_others(folder, [])
        return None
    addresses = sprites.embedded()
    text = page({"files": addresses, **content}).encode()
    if len(text) > most:
        addresses = sprites.written(folder)
        text = page({"files": addresses, **content}).encode()
    files.write_atomically(place, text)
    remove_others(folder, addresses)
    return place


def page(content: dict[str, Any]) -> str:
    """The whole page.

    Args:
      content: what it shows.
    """
    scripts = [_text(name) for name in _SCRIPTS]
    parts = {
        "POLICY": policy(scripts, compiles=True),
        "STYLES": "".join(f"<style>{_text(name)}</style>\n" for name in _STYLES),
        "SCRIPTS": "".join(f"<script>{script}</script>\n" for script in scripts),
        "DATA": embedded_json(content),
    }
    return re.sub("{{([A-Z]+)}}", lambda found: parts[found[1]], _text("page/explorer.html"))


def _text(name: str) -> str:
    # A browser whose tools are open would look for the map beside the page.
    return _MAP.sub("", (_HERE / name).read_text(encoding="utf-8"))


def embedded_json(content: Any) -> str:
    """JSON that ends no script element and no line of one, whatever its texts hold."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text
