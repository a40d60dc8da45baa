"""The page of all units: that it holds what was measured, and how it does in a browser."""

import base64
import io
import json
import re

import numpy as np
import pytest
from PIL import Image

import jaxunits as ju
from jaxunits.analysis.experiments import unit_panels
from jaxunits.analysis.explorer import write_explorer
from jaxunits.analysis.explorer.neighbors import neighbors
from jaxunits.analysis.figures import active_places
from tests.analysis.synthetic import ATTRIBUTES, network, runs

HOSTILE = "</script><img src=x onerror=document.title='hostile'>"
CLASSES = ["cat", "dog", HOSTILE, "line\u2028break", "none of it"]
LAYERS = {"conv1": 12, "blocks.0": 9}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Two networks."""
    folder = tmp_path_factory.mktemp("study")
    first = network(folder, "first", LAYERS, CLASSES, seed=0)
    second = network(folder, "second", {"conv1": 12}, CLASSES, seed=1, pictures=False)
    every = runs(folder, first, second)
    return every, write_explorer(folder, every)


def held(path):
    """The data in a page."""
    (text,) = re.findall(
        '<script type="application/json" id="data">(.*?)</script>', path.read_text("utf-8"), re.S
    )
    return json.loads(text)


def array(packed):
    """An array in it."""
    numbers = np.frombuffer(base64.b64decode(packed["base64"]), f"<{packed['type']}")
    return numbers.reshape(packed["shape"])


def texts(packed):
    return [packed["texts"][number] for number in array(packed["index"])]


def cells(sprites, files):
    """The pictures of sprites."""
    height, width = sprites["cell"]
    for sheet in sprites["sheets"]:
        content = base64.b64decode(files[sheet["file"]].partition(",")[2])
        picture = np.asarray(Image.open(io.BytesIO(content)).convert("RGBA"))
        for row in range(sheet["rows"]):
            for column in range(sprites["columns"]):
                place = np.s_[row * height :, column * width :]
                yield picture[place][:height, :width]


class TestContent:
    """Cheap: the page is read without a browser."""

    def test_drops_are_the_sweeps(self, study):
        every, path = study
        page = held(path)
        for run, shown in zip(every.every, page["networks"], strict=True):
            assert shown["name"] == run.name
            assert shown["classes"] == CLASSES[:-1]
            for (name, sweep), layer in zip(run.sweeps.items(), shown["layers"], strict=True):
                assert layer["name"] == name
                expected = ju.statistics.uncertainty(sweep, num_draws=1).isel({"class": slice(-1)})
                outcome = array(layer["outcomes"]["outcome"])
                drop = array(layer["outcomes"]["drop"])[outcome]
                np.testing.assert_allclose(drop, sweep.class_accuracy_drop[:, :-1], rtol=1e-6)
                for key in ("low", "high"):
                    found = array(layer["outcomes"][key])[outcome]
                    np.testing.assert_allclose(found, expected[f"drop_{key}"], rtol=1e-5, atol=1e-7)
                damaged = array(layer["outcomes"]["damaged"])[outcome]
                np.testing.assert_array_equal(damaged, expected.damaged)
                np.testing.assert_array_equal(array(layer["columns"]["damaged"]), damaged.sum(1))

    def test_columns_are_the_measurements(self, study):
        every, path = study
        run, page = every.every[0], held(path)
        for layer in page["networks"][0]["layers"]:
            measured = {kind: of[layer["name"]] for kind, of in run.results.items()}
            sweep, columns = measured["ablation"], layer["columns"]
            for key, name in (("max", "max_class"), ("min", "min_class"), ("overall", "overall")):
                expected = sweep[f"{name}_accuracy_drop"]
                np.testing.assert_allclose(array(columns[f"{key}_drop"]), expected, rtol=1e-6)
            assert texts(columns["worst_class"]) == sweep.most_damaged_class.values.tolist()
            for name in ATTRIBUTES:
                np.testing.assert_allclose(
                    array(columns[name]), measured["attributes"][name], rtol=1e-6
                )
            assert texts(columns["concept"]) == measured["concepts"].best_concept.values.tolist()
            rs = measured["synthesis"].rs.sel(maximized="iam").mean("noise_seed")
            np.testing.assert_allclose(array(columns["rs_iam"])[::2], rs, rtol=1e-6)
            assert np.isnan(array(columns["rs_iam"])[1::2]).all()
        described = {column["key"]: column for column in page["columns"]}
        assert described["apoz"]["kind"] == "share"
        assert described["max_drop"]["interval"]
        assert set(described) >= {key for key in columns if "." not in key}

    def test_intervals_of_all_images(self, study):
        every, path = study
        sweep = every.every[0].sweeps["conv1"]
        columns = held(path)["networks"][0]["layers"][0]["columns"]
        broken = sweep["broken"].values.sum(1)
        repaired = (sweep["correct"] - sweep["correct_before"] + sweep["broken"]).values.sum(1)
        low, high = ju.statistics.paired_interval(broken, repaired, int(sweep.n_images.sum()))
        np.testing.assert_allclose(array(columns["overall_drop.low"]), low, rtol=1e-5)
        np.testing.assert_allclose(array(columns["overall_drop.high"]), high, rtol=1e-5)

    def test_pictures_are_the_panels(self, study):
        every, path = study
        page = held(path)
        shown = page["networks"][0]
        images = list(cells(shown["images"], page["files"]))
        for layer in shown["layers"]:
            panels = every.every[0].results["panels"][layer["name"]]
            top = layer["top"]
            np.testing.assert_array_equal(array(top["units"]), panels.unit)
            covers = list(cells(top["covers"], page["files"]))
            for number, (unit, rank) in enumerate(np.ndindex(*panels.image.shape)):
                picture = images[array(top["places"])[unit, rank]][..., :3]
                np.testing.assert_array_equal(picture, panels.thumbnail[unit, rank])
                active = covers[number][..., 3] == 0
                expected = Image.fromarray(panels.activation_map.values[unit, rank]).resize(
                    (16, 16), 2
                )
                np.testing.assert_array_equal(active, np.asarray(expected) > 0.6)
            synthesis = every.every[0].results["synthesis"][layer["name"]]
            made = list(cells(layer["made"]["pictures"], page["files"]))
            count = synthesis.sizes["unit"]
            for objective, unit in np.ndindex(2, count):
                picture = made[objective * count + unit][..., :3]
                np.testing.assert_array_equal(picture, synthesis.image[objective, unit])

    def test_an_image_that_several_units_show_is_kept_once(self, study):
        every, path = study
        images = held(path)["networks"][0]["images"]
        panels = every.every[0].results["panels"].values()
        different = set(np.concatenate([each.image.values.ravel() for each in panels]).tolist())
        cells_in_all = images["columns"] * sum(sheet["rows"] for sheet in images["sheets"])
        assert len(different) < cells_in_all < len(different) + 2 * 3 + images["columns"]

    def test_many_pictures_are_files_beside_the_page(self, study, tmp_path):
        every, path = study
        page = held(write_explorer(tmp_path, every, most=0))
        assert all((tmp_path / name).is_file() for name in page["files"])
        files = {**page, "files": held(path)["files"]}
        assert files == held(path)
        for name, embedded in zip(page["files"], files["files"], strict=True):
            content = base64.b64decode(embedded.partition(",")[2])
            assert (tmp_path / name).read_bytes() == content
        write_explorer(tmp_path, every)
        assert not (tmp_path / "explorer_files").exists()

    def test_what_was_not_measured_is_not_there(self, tmp_path):
        run = network(tmp_path, "one", {"fc1": 5}, ["a", "b", "c"], pictures=False)
        for kind in ("ablation", "concepts"):
            del run.results[kind]
        page = held(write_explorer(tmp_path, runs(tmp_path, run)))
        (layer,) = page["networks"][0]["layers"]
        assert layer["columns"].keys() == ATTRIBUTES.keys()
        assert not layer.keys() & {"top", "made", "outcomes"}
        del run.results["attributes"]
        assert write_explorer(tmp_path, runs(tmp_path, run)) is None
        assert not (tmp_path / "explorer.html").exists()

    def test_texts_are_no_markup(self, study):
        _, path = study
        page = path.read_text("utf-8")
        assert HOSTILE not in page
        assert "\u2028" not in page.partition('id="data">')[2].partition("</script>")[0]
        assert held(path)["networks"][0]["classes"][2:4] == CLASSES[2:4]


def test_neighbors_are_numpys_correlations():
    vectors = np.random.default_rng(0).normal(size=(40, 7))
    vectors[3] = 0.1
    places, r = neighbors(vectors, most=5)
    with np.errstate(invalid="ignore"):
        expected = np.corrcoef(vectors)
    np.fill_diagonal(expected, np.nan)
    for unit in set(range(40)) - {3}:
        order = np.argsort(-np.nan_to_num(expected[unit], nan=-2))[:5]
        np.testing.assert_array_equal(places[unit], order)
        np.testing.assert_allclose(r[unit], expected[unit, order], rtol=1e-5)
    assert np.isnan(r[3]).all()
    assert 3 not in places[[0, 1, 2]]


def test_active_places_of_a_map_with_one_value():
    assert active_places(np.array([[2.0]]), 1.0, (3, 4)).all()
    assert not active_places(np.array([[2.0]]), 2.0, (3, 4)).any()


def test_vendored_files_are_those_that_were_pinned():
    from tests import vendored

    vendored.check()


def test_the_report_draws_the_first_of_many_units(tmp_path, monkeypatch):
    monkeypatch.setattr(unit_panels, "_MOST_DRAWN", 1)
    every = runs(tmp_path, network(tmp_path, "one", {"conv1": 12}, ["a", "b", "c"]))
    section = unit_panels.experiment.draw(every)
    first = int(every.every[0].results["panels"]["conv1"].unit[0])
    assert [figure.name for figure in section.figures] == [f"unit_conv1_{first}"]
    assert "explorer.html shows the others" in section.text[-1]
