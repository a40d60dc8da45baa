"""Random units removed from small networks that know their images by heart."""

import numpy as np
import pytest
import xarray as xr

import jaxunits as ju
from jaxunits.analysis import Panel, Run
from jaxunits.analysis.experiments import removal
from jaxunits.analysis.measurements.removal import Removal, area_under, share_kept
from tests.reference import forward, images_of
from tests.stored import MEMORIZED, memorized, stored

OPTIONS = {"removal.draws": 6, "removal.steps": 2}
UNITS = 96


@pytest.fixture(scope="module")
def studies(tmp_path_factory):
    """What the experiment measures of a network with true, half random and random labels."""
    folder = tmp_path_factory.mktemp("removal")
    held_out = ju.data.load("digits", "validation[:60]")
    return {
        name: ju.analysis.study(
            stored(name),
            held_out,
            folder / name,
            "removal",
            train_data=memorized(name),
            options=OPTIONS,
            progress=False,
        )
        for name in MEMORIZED
    }


def right_without(name, units):
    """How many images are right without some units of both layers, and how many nearly tie."""
    network = stored(name)
    images, labels = images_of(resized(memorized(name), network), network.preprocessing)
    first, second = units[units < UNITS], units[units >= UNITS] - UNITS

    def without(activations):
        activations[:, second] = 0
        return activations

    logits = forward(network, images, ablated=("fc1", first), change=("fc2", without))
    best = np.sort(logits, axis=1)
    return (logits.argmax(1) == labels).sum(), (best[:, -1] - best[:, -2] < 1e-3).sum()


def resized(data, network):
    """The records of a data set with images as large as the network reads them."""
    fit = network.preprocessing.fit
    return [
        {"image": fit(np.asarray(each["image"])), "label": each["label"]}
        for each in (data[index] for index in range(len(data)))
    ]


@pytest.mark.slow
def test_curves_are_those_of_masks_by_hand(studies):
    name = "mlp_half_random_labels"
    found = studies[name].measured("removal_of_all")["fc1"]
    assert found.removed.values.tolist() == [0, UNITS, 2 * UNITS]
    assert found.attrs["layers"] == "fc1, fc2"
    orders = ju.ablation.random_orders(2 * UNITS, 6, seed=0)
    for draw, step in ((0, 0), (0, 1), (3, 1), (5, 2)):
        right, ties = right_without(name, orders[draw, : found.removed.values[step]])
        share = float(found.accuracy.sel(side="training")[draw, step])
        assert abs(share * len(memorized(name)) - right) <= ties + 1e-6
    of_second = studies[name].measured("removal")["fc2"]
    order = ju.ablation.random_orders(UNITS, 6, seed=0)[4, : UNITS // 2]
    right, ties = right_without(name, order + UNITS)
    share = float(of_second.accuracy.sel(side="training")[4, 1])
    assert abs(share * len(memorized(name)) - right) <= ties + 1e-6


@pytest.mark.slow
def test_networks_that_memorize_random_labels_keep_less(studies):
    kept = {}
    for name, study in studies.items():
        curves = study.measured("removal_of_all")["fc1"]
        assert (curves.accuracy.sel(side="training", step=0) == 1).all()
        kept[name] = float(share_kept(curves).sel(side="training").mean())
    of_true = kept.pop("mlp_true_labels")
    assert of_true > max(kept.values()) + 0.1, (of_true, kept)


@pytest.mark.slow
def test_the_report_has_curves_and_a_row_for_each_layer_and_for_all(studies):
    section = studies["mlp_random_labels"]["removal"]
    (table,) = section.tables
    assert [row[table.columns.index("layer")] for row in table.rows] == ["fc1", "fc2", "all layers"]
    assert section.figure.values.count("training") > 0
    assert "all layers: with half of 192 units removed at random" in section.findings[0]


def test_masks_go_along_random_orders_and_have_a_step_with_half_of_the_units():
    wanted = Removal(draws=3, steps=4, seed=5)
    masks = wanted.masks(10).reshape(3, 5, 10)
    orders = ju.ablation.random_orders(10, 3, seed=5)
    assert wanted.removed(10).tolist() == [0, 2, 5, 8, 10]
    for order, of_order in zip(orders, masks, strict=True):
        for removed, mask in zip((0, 2, 5, 8, 10), of_order, strict=True):
            assert set(np.flatnonzero(mask == 0)) == set(order[:removed].tolist())
    assert Removal(steps=20).removed(3).tolist() == [0, 1, 2, 3]


def test_large_sets_are_sampled_and_small_ones_are_whole():
    data = ju.data.load("digits", "validation[:50]")
    assert len(Removal(images=20).drawn(data)) == 20
    assert Removal(images=50).drawn(data) is data


def curves(training, held_out):
    """Curves of 4 units, of two draws each."""
    accuracy = np.array([training, held_out])
    return xr.Dataset(
        {"accuracy": (("side", "draw", "step"), accuracy)},
        coords={"side": ["training", "test"], "removed": ("step", [0, 2, 4])},
        attrs={"units": 4, "layers": "a, b"},
    )


MADE = curves([[1, 0.5, 0.1], [1, 0.7, 0.1]], [[0.8, 0.4, 0.1], [0.8, 0.2, 0.1]])


def test_what_is_kept_and_the_area_of_a_curve():
    np.testing.assert_allclose(share_kept(MADE).sel(side="training"), [0.5, 0.7])
    np.testing.assert_allclose(share_kept(MADE).sel(side="test"), [0.5, 0.25])
    nothing = curves([[0, 0.1, 0]] * 2, [[1, 0, 0]] * 2)
    assert np.isnan(share_kept(nothing).sel(side="training")).all()
    np.testing.assert_allclose(area_under(MADE).sel(side="training"), [0.525, 0.625])


def test_the_sentence_says_what_is_kept_on_average_and_its_spread():
    shown = Panel("net", "all layers", [Run("net", "s", {})], [MADE], "all layers")
    kept, sentence = removal._found(shown)
    assert kept == pytest.approx(0.6)
    assert sentence == (
        "all layers: with half of 4 units removed at random 60.0% of the training accuracy is kept "
        "(± 10.0% over draws); the mean accuracy along the curve is 57.5% on training images and "
        "37.5% on held-out ones."
    )
