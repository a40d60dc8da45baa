"""Names are drawn as they are: no formulas, no hidden labels, no silent boxes."""

import io
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure as Canvas
from matplotlib.ft2font import FT2Font
from PIL import Image

from jaxunits.analysis import fonts, report
from jaxunits.analysis.figures import label_of, legend, rendered

FONTS = Path(mpl.get_data_path()) / "fonts" / "ttf"
NAMES = ["a$b$", "$x", "{$\\frac{$}", "100 % ^_{}\\n", "_hidden", "__init__", "_child0", "café"]


def canvas_of(names, named=label_of):
    canvas = Canvas(figsize=(6, 3), layout="constrained")
    axes = canvas.subplots()
    for place, name in enumerate(names):
        axes.plot([0, 1], [place, place], label=named(name))
    axes.set_xticks(range(len(names)), names)
    axes.set_title(" ".join(names))
    legend(canvas, axes)
    return canvas


def pixels(figure):
    return np.asarray(Image.open(io.BytesIO(figure.png)))


def test_names_of_any_kind_are_drawn_as_they_are():
    canvas = canvas_of(NAMES)
    assert rendered("names", canvas, "Names.").caption == "Names."
    assert [text.get_text() for text in canvas.legends[0].get_texts()] == NAMES
    assert [text.get_text() for text in canvas.axes[0].get_xticklabels()] == NAMES
    assert canvas.axes[0].get_title() == " ".join(NAMES)


def test_a_formula_is_drawn_as_its_letters():
    one, other = (rendered("figure", canvas_of([name]), "") for name in ("$x$", "x"))
    assert not np.array_equal(pixels(one), pixels(other))
    escaped = canvas_of([r"\$x\$"])
    # Matplotlib's own way to write a dollar.
    file = io.BytesIO()
    for text in escaped.legends[0].get_texts():
        text.set_text(text.get_text().removeprefix("\N{WORD JOINER}"))
    escaped.savefig(file, format="png", dpi=160)
    np.testing.assert_array_equal(pixels(one), np.asarray(Image.open(file).convert("RGB")))


def test_characters_without_a_glyph_are_named(monkeypatch):
    monkeypatch.setattr(fonts, "_characters", lambda: frozenset(range(0x4E00)))
    figure = rendered("names", canvas_of(["猫", "cat", "犬猫"]), "Names.")
    assert figure.caption.startswith(
        "Names. Characters that no font of this machine has, drawn as boxes: 猫 犬; install"
    )


@pytest.mark.parametrize("text", ["naïve Straße", "Ελληνικά", "Кириллица", "עברית", "عربي"])
def test_matplotlibs_own_font_has_common_alphabets(text):
    assert fonts.without_glyph([text, "\n"]) == []


def test_fonts_of_the_machine_are_asked_for_what_the_first_lacks(monkeypatch, request):
    monkeypatch.setattr(fonts, "_FURTHER", ("STIXGeneral", "No Such Font"))
    for function in (fonts.families, fonts._characters):
        function.cache_clear()
        request.addfinalizer(function.cache_clear)
    assert fonts.families() == ["DejaVu Sans", "STIXGeneral"]
    # A private character of that font, which Matplotlib's first one lacks.
    own, first = (
        set(FT2Font(str(FONTS / f"{name}.ttf")).get_charmap())
        for name in ("STIXGeneral", "DejaVuSans")
    )
    only = own - first
    assert only
    assert fonts.without_glyph(map(chr, sorted(only))) == []


@pytest.mark.parametrize(("absent", "told"), [(0, ""), (2, "c0, c1"), (500, "500 of 1,000")])
def test_a_report_names_few_classes_without_images_and_counts_many(absent, told):
    images = np.where(np.arange(1000) < absent, 0, 3)
    names = [f"c{number}" for number in range(1000)]
    measured = xr.Dataset({"n_images": ("class", images)}, {"class": names})
    assert report._without_images(measured) == told
