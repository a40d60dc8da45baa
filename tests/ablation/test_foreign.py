"""Everything that is ablated, in every kind of network, against masking by hand."""

import numpy as np
import pytest

import jaxunits as ju
from tests.outcomes import assert_greedy
from tests.zoo import KINDS, LAYERS, kind
from tests.zoo.checks import assert_rows, quick_compilation, single


@pytest.fixture(autouse=True, scope="module")
def _quick():
    with quick_compilation():
        yield


@pytest.fixture(scope="module", params=KINDS)
def foreign(request):
    """A network, a layer, another layer, and a number for each unit."""
    found = kind(request.param)
    layer, other = LAYERS[request.param]
    values = np.random.default_rng(2).normal(size=found.units(layer)).astype(np.float32)
    return found, layer, other, values


def masks_of(order, units, insertion):
    """One for every step of an order."""
    masks = [np.full(units, float(not insertion))]
    for unit in order:
        masks.append(masks[-1].copy())
        masks[-1][unit] = float(insertion)
    return masks


def test_units_are_set_to_their_means(foreign):
    found, layer, _, _ = foreign
    activations = found.activations(layer)
    means = activations.mean(tuple(range(activations.ndim - 1)))
    result = ju.ablation.sweep(found.network, layer, found.data, values="mean")
    logits = [
        found.under({layer: mask}, {layer: means.astype(np.float32)})
        for mask in single(found.units(layer))
    ]
    assert_rows(result, logits, found.labels)
    np.testing.assert_allclose(
        ju.ablation.unit_means(found.network, layer, found.data),
        means,
        rtol=1e-4,
        atol=1e-5 * np.abs(activations).max(),
    )


def test_units_answer_as_on_other_images(foreign):
    found, layer, _, _ = foreign
    reference = ju.data.subset(found.data, range(5, 30))
    drawn = np.random.default_rng(4).integers(25, size=len(found.labels))
    others = found.activations(layer)[5:30][drawn]
    asked = {"values": "resample", "reference": reference, "seed": 4}
    result = ju.ablation.sweep(found.network, layer, found.data, **asked, method="reference")
    masks = single(found.units(layer))
    logits = [found.under({layer: mask}, {layer: others}) for mask in masks]
    assert_rows(result, logits, found.labels)
    assert result.attrs["values"] == "resample with seed 4"
    order = np.arange(found.units(layer))[::-1]
    curve = ju.ablation.cumulative(found.network, layer, found.data, order, **asked, method="fast")
    steps = masks_of(order, found.units(layer), insertion=False)
    logits = [found.under({layer: mask}, {layer: others}) for mask in steps]
    assert_rows(curve, logits, found.labels)


def test_groups_beside_masks_of_another_layer(foreign):
    found, layer, other, values = foreign
    units, others = found.units(layer), found.units(other)
    pair = [units - 2, units - 1]
    masks = np.concatenate(
        [ju.ablation.groups(units, [pair, [0]]), ju.ablation.all_but(units, [[1]])]
    )
    held = 1 - np.eye(others)[others - 1]
    result = ju.ablation.sweep(
        found.network,
        layer,
        found.data,
        masks,
        values=values,
        other_masks={other: held},
        method="fast",
    )
    logits = [found.under({layer: mask, other: held}, {layer: values}) for mask in masks]
    assert_rows(result, logits, found.labels)
    before = found.under({other: held})
    assert int(result.correct_before.sum()) == int((before.argmax(1) == found.labels).sum())


@pytest.mark.parametrize("insertion", [False, True])
def test_orders(foreign, insertion):
    found, layer, _, values = foreign
    units = found.units(layer)
    orders = ju.ablation.random_orders(units, 2, seed=1)
    along = ju.ablation.insertion if insertion else ju.ablation.cumulative
    result = along(
        found.network,
        layer,
        found.data,
        orders,
        values=values if insertion else "zero",
        method="fast",
    )
    given = {layer: values} if insertion else None
    logits = [
        found.under({layer: mask}, given)
        for order in orders
        for mask in masks_of(order, units, insertion)
    ]
    assert_rows(result, logits, found.labels)


def test_directions(foreign):
    found, layer, _, _ = foreign
    units = found.units(layer)
    basis = ju.ablation.haar(units, seed=5)
    result = ju.ablation.directions(found.network, layer, found.data, basis, method="fast")
    logits = [found.without_directions(layer, basis, mask) for mask in single(units)]
    assert_rows(result, logits, found.labels)


@pytest.mark.slow
def test_greedy_orders(foreign):
    found, layer, _, _ = foreign
    label = int(np.bincount(found.labels).argmax())
    name = str(found.data.class_names[label])
    result = ju.ablation.greedy(
        found.network, layer, found.data, classes=[name], steps=2, random=1, seed=0
    )
    chosen = result.ordered_unit.values[0, 1:]
    images = found.images[found.labels == label]
    units = found.units(layer)

    def without(gone):
        kept = np.ones(units, np.float32)
        kept[gone] = 0
        return found.logits({layer: (np.diag(kept), np.zeros(units, np.float32))}, images)[0]

    assert_greedy(chosen, units, label, without)
