"""The page, and the numbers of its figures."""

import csv
import dataclasses
import io
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure as Canvas

import jaxunits as ju
from jaxunits.analysis import Figure, Section, Table, rendered
from jaxunits.analysis.drawn_values import unlisted, values_of
from jaxunits.analysis.experiment import config
from jaxunits.analysis.figures import band, label_of, panel
from jaxunits.analysis.report import write_report
from jaxunits.analysis.runs import Run, Runs
from jaxunits.analysis.section import unit_address
from jaxunits.files import write_json

UNITS = (5, 6, 7, 8, 9, 10, 0, 1, 2, 3, 4)
ROOT = Path(__file__).parents[2]


def drawn(*, columns=1):
    canvas = Canvas(figsize=(4, 3), layout="constrained")
    return canvas, canvas.subplots(1, columns, squeeze=False)[0]


def table_of(canvas):
    return list(csv.DictReader(io.StringIO(values_of(canvas))))


def columns_of(rows, *names):
    return [tuple(row[name] for name in names) for row in rows]


def test_a_curve_has_the_band_around_it_and_a_line_across_its_number():
    canvas, (axes,) = drawn()
    curves = [0, 1, 2], [1, 2.5, 3], [4, 5, 6]
    band(axes, [1, 2, 3], curves, color="red", label=label_of("_mine"))
    axes.plot([1, 2], [7, 8], label=unlisted("seed 0"))
    axes.axhline(4.5, label="chance")
    panel(axes, "conv1", "units")
    rows = table_of(canvas)
    assert {(row["panel"], row["x_axis"]) for row in rows} == {("conv1", "units")}
    assert columns_of(rows, "series", "x", "y", "low", "high") == [
        ("_mine", "1", "1", "0", "4"),
        ("_mine", "2", "2.5", "1", "5"),
        ("_mine", "3", "3", "2", "6"),
        ("seed 0", "1", "7", "", ""),
        ("seed 0", "2", "8", "", ""),
        ("chance", "", "4.5", "", ""),
    ]


@pytest.mark.parametrize("kind", ["bar", "barh"])
def test_bars_have_the_names_of_their_ticks_and_their_errors(kind):
    canvas, (axes, other) = drawn(columns=2)
    errors = {"bar": "yerr", "barh": "xerr"}[kind]
    getattr(axes, kind)([0, 1], [5, -2], label=["cats", "dogs"], **{errors: [1, 0.5]})
    (axes.set_xticks if kind == "bar" else axes.set_yticks)([0, 1], ["a, b", "$c$"])
    getattr(other, kind)(["x", "y"], [3, 4])
    name, value = ("x", "y") if kind == "bar" else ("y", "x")
    assert columns_of(table_of(canvas), "series", name, value, "low", "high") == [
        ("cats", "a, b", "5", "4", "6"),
        ("dogs", "$c$", "-2", "-2.5", "-1.5"),
        ("", "x", "3", "", ""),
        ("", "y", "4", "", ""),
    ]


def test_points_stand_at_the_tick_that_they_are_drawn_around():
    canvas, (axes,) = drawn()
    axes.errorbar([0.8], [np.nan], yerr=[[0], [0]], fmt="o", label="IAM")
    axes.errorbar([1.2], [0.5], yerr=[[0.25], [0.125]], fmt="o", label="AM")
    axes.scatter([0.1, 2.0], [1, 2], label="dots")
    axes.set_xticks([0, 1], ["conv1", "conv2"])
    assert columns_of(table_of(canvas), "series", "x", "y", "low", "high") == [
        ("IAM", "conv2", "", "", ""),
        ("AM", "conv2", "0.5", "0.25", "0.625"),
        ("dots", "conv1", "1", "", ""),
        ("dots", "2", "2", "", ""),
    ]


def test_maps_have_a_row_a_cell_and_pictures_and_scales_have_none():
    canvas, (axes, mesh, picture) = drawn(columns=3)
    shown = axes.imshow([[1.0, 2], [3, 4]])
    axes.set(xlabel="column", ylabel="row")
    canvas.colorbar(shown, ax=axes)
    mesh.pcolormesh([0, 1, 2], [0, 2], [[7.0, 8]])
    picture.imshow(np.zeros((2, 2)))
    assert columns_of(table_of(canvas), "x", "y", "value") == [
        *(("0", "0", "1"), ("1", "0", "2"), ("0", "1", "3"), ("1", "1", "4")),
        *(("0.5", "1", "7"), ("1.5", "1", "8")),
    ]
    empty, (alone,) = drawn()
    alone.imshow(np.zeros((2, 2, 3)))
    assert values_of(empty) == ""


def test_panels_of_a_grid_share_what_is_written_once():
    canvas = Canvas(figsize=(4, 3), layout="constrained")
    grid = canvas.subplots(2, 2)
    for axes in grid.flat:
        axes.plot([0], [1])
    for column, name in enumerate(("conv1", "conv2")):
        grid[0, column].set_title(name)
        grid[1, column].set_xlabel(f"units of {name}")
    grid[0, 0].set_ylabel("accuracy")
    grid[1, 0].set_ylabel("loss")
    assert columns_of(table_of(canvas), "panel", "x_axis", "y_axis") == [
        ("conv1", "units of conv1", "accuracy"),
        ("conv2", "units of conv2", "accuracy"),
        ("conv1", "units of conv1", "loss"),
        ("conv2", "units of conv2", "loss"),
    ]


def test_svg_keeps_letters_and_is_the_same_every_time():
    def figure():
        canvas, (axes,) = drawn()
        axes.plot(np.arange(3000) % 7, ".", label="cloud")
        axes.set_title("$x & <y>")
        return rendered("figure", canvas, "")

    one, other = figure(), figure()
    assert one.svg == other.svg
    # Written above.
    root = ET.fromstring(one.svg)  # noqa: S314
    assert "$x & <y>" in [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert len(list(root.iter("{http://www.w3.org/2000/svg}image"))) == 1
    assert one.svg.count(b"<use") < 100
    assert list(one.files) == ["figure.png", "figure.svg", "figure.csv"]


@pytest.fixture
def written(tmp_path):
    """A page of one section about a network with a strange layer."""
    folder = tmp_path / "run"
    folder.mkdir()
    settings = {"network": {"name": "net"}, "data": {"source": "digits"}}
    write_json(folder / "configuration.json", settings)
    measured = {"other": {"a/b": xr.Dataset(attrs={"split": "test"})}}
    runs = Runs([Run("net", "seed0", measured, folder)], config()(folder))
    rows = [{"layer": "a/b", "unit": unit, "class": "<b>&"} for unit in UNITS]
    figure = Figure("one two", b"png", "Shown.", svg=b"<svg/>", unit=unit_address("a/b", 3))
    section = Section("Found", ["Text."], [figure], [Table.of("All", rows)], ["Of <i> 3 units."])

    def write(**options):
        few = dataclasses.replace(section, tables=[Table.of("Few", rows[:10])], findings=[])
        return write_report(folder, {"one": section, "two": few}, runs, **options).read_text()

    return write


def test_names_are_text_and_findings_stand_before_the_text(written):
    page = written()
    assert "<b>&" not in page
    assert "<i>" not in page
    assert page.count("&lt;b&gt;&amp;") == 21
    assert page.index("Of &lt;i&gt; 3 units.") < page.index("Text.")
    assert page.count('<div class="findings">') == 1


def test_rows_beyond_ten_unfold_without_a_script(written):
    page = re.sub("<script>.*?</script>", "", written(), flags=re.DOTALL)
    assert page.count('<input type="checkbox" class="unfold"') == 1
    assert "Show all 11 rows" in page
    # Whoever has no style sheets reads all of them.
    assert len(re.findall("<td>a/b</td>", page)) == 21


def test_units_link_to_the_page_of_all_units_where_there_is_one(written):
    assert "explorer" not in written()
    page = written(explorer=Path("anywhere/explorer.html"))
    assert page.count('<td><a href="explorer.html#a%2Fb/10">10</a></td>') == 2
    assert len(re.findall(r'href="explorer\.html#a%2Fb/3"', page)) == 4
    assert 'href="explorer.html"' in page
    assert unit_address("x@y", 5, "net/seed 1") == "x%40y/5@net%2Fseed%201"


def test_every_figure_links_to_its_files(written, tmp_path):
    page = written()
    assert page.count('<a href="figures/one%20two.svg">SVG</a>') == 2
    assert "figures/one%20two.csv" not in page
    written_files = sorted(path.name for path in (tmp_path / "run" / "figures").iterdir())
    assert written_files == ["one two.png", "one two.svg"]


def test_the_page_says_how_to_cite_what_it_shows(written):
    page = written(papers=["C", "A", "A", ""])
    box = page[page.index('id="cite"') :]
    assert f"jaxunits {ju.__version__}" in box
    assert box.count("<li>") == 2
    assert "Zhou, Sun, Bau and Torralba (2018)" in box
    assert "arXiv:1911.05586" in box
    assert "Zhao" not in box
    citation = (ROOT / "CITATION.cff").read_text()
    assert f"\nversion: {ju.__version__}\n" in citation
    for title in ("via Ablation", "of Individual Units in CNNs", "Representative Substitution"):
        assert title in citation


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
def test_a_click_sorts_and_what_is_folded_unfolds(written, tmp_path, browser):
    written()
    page = browser.new_page()
    page.goto((tmp_path / "run" / "report.html").as_uri())
    rows = page.locator("table.sorted >> nth=0").locator("tbody tr")

    def shown():
        return rows.filter(visible=True).count()

    assert shown() == 10
    units = [str(unit) for unit in sorted(UNITS)]
    # The most first, the least first, as they stood; numbers, not letters.
    for expected in (units[::-1], units, [str(unit) for unit in UNITS]):
        page.locator("table.sorted >> nth=0").get_by_role("button", name="unit").click()
        assert rows.locator("td:nth-child(2)").all_text_contents() == expected
    assert shown() == 10
    page.locator("label.rows >> nth=0").click()
    assert shown() == 11
    page.close()


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
def test_no_script_runs_that_came_in_otherwise(written, tmp_path, browser):
    foreign = "<script>document.title = 'foreign'</script><img src=x onerror=document.title='it'>"
    place = tmp_path / "hostile.html"
    place.write_text(written().replace("<h1>", f"{foreign}<h1>"))
    page = browser.new_page()
    page.goto(place.as_uri())
    # The page's own script has run after it.
    page.get_by_role("button", name="unit").first.wait_for()
    assert page.title() == "net on digits – jaxunits"
    page.close()


def test_a_table_knows_its_columns_of_words():
    rows = [("conv1", "cat (unit 3)", "12.5 %", "", "p < 0.05")] * 2 + [
        ("conv2", "7", "−3", "", "<0.1")
    ]
    assert Table("", ("a", "b", "c", "d", "e"), rows).words == [1, 2, 5]
