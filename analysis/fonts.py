"""Fonts for names in any script: those of many scripts that the machine has, one after another."""

from __future__ import annotations

import functools
from collections.abc import Iterable

from matplotlib import font_manager
from matplotlib.ft2font import FT2Font

# Matplotlib's own, then what Linux, macOS and Windows have for scripts that it lacks.
_FIRST = "DejaVu Sans"
_FURTHER = (
    *("Noto Sans", "Noto Sans Arabic", "Noto Sans Armenian", "Noto Sans Bengali"),
    *("Noto Sans Devanagari", "Noto Sans Ethiopic", "Noto Sans Georgian", "Noto Sans Gujarati"),
    *("Noto Sans Hebrew", "Noto Sans Kannada", "Noto Sans Khmer", "Noto Sans Malayalam"),
    *("Noto Sans Myanmar", "Noto Sans Sinhala", "Noto Sans Tamil", "Noto Sans Telugu"),
    *("Noto Sans Thai", "Noto Sans CJK JP", "Noto Sans CJK SC", "Noto Sans CJK KR"),
    *("Noto Sans JP", "Noto Sans SC", "Noto Sans KR", "Source Han Sans", "WenQuanYi Zen Hei"),
    *("WenQuanYi Micro Hei", "IPAexGothic", "NanumGothic", "Droid Sans Fallback", "FreeSans"),
    *("Arial Unicode MS", "Hiragino Sans", "PingFang SC", "Apple SD Gothic Neo"),
    *("Microsoft YaHei", "Yu Gothic", "Malgun Gothic", "Nirmala UI", "Leelawadee UI"),
    *("Noto Sans Symbols", "Noto Sans Symbols 2", "Noto Emoji", "Symbola", "Unifont"),
)


@functools.cache
def families() -> list[str]:
    """The fonts to look for a character in, the first that has it being taken."""
    installed = set(font_manager.get_font_names())
    return [_FIRST, *(name for name in _FURTHER if name in installed)]


def without_glyph(texts: Iterable[str]) -> list[str]:
    """The characters of some texts that none of the fonts has, each once, in their order."""
    known = _characters()
    return [
        each for each in dict.fromkeys("".join(texts)) if each != "\n" and ord(each) not in known
    ]


@functools.cache
def _characters() -> frozenset[int]:
    paths = [font_manager.findfont(family) for family in families()]
    return frozenset().union(*(FT2Font(path).get_charmap() for path in paths))
