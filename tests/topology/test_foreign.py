"""Birth points of maps in every kind of network, from the definition."""

import numpy as np
import pytest

import jaxunits as ju
from tests.topology.brute_force import birth_point
from tests.zoo import KINDS, MAPS, kind
from tests.zoo.checks import quick_compilation

IMAGES = 12

# What float32 cannot tell of a layer's largest value, a sum of some 250 products.
FINE = 2.0**-20


@pytest.fixture(autouse=True, scope="module")
def _quick():
    with quick_compilation():
        yield


def is_clear(values, fine):
    """Whether the order of a map's edges, and which of them are 0, is more than `fine` apart."""
    edges = np.abs(np.maximum(values, values.T))[np.triu_indices(len(values), 1)]
    return np.diff(np.unique([*edges, 0])).min(initial=np.inf) > fine


@pytest.mark.parametrize("name", KINDS)
def test_birth_points(name):
    found, layer = kind(name), MAPS[name]
    maps = np.moveaxis(found.activations(layer)[:IMAGES], -1, 1)
    fine = FINE * np.abs(maps).max()
    clear = np.asarray([[is_clear(values, fine) for values in image] for image in maps])
    assert clear.mean() > 0.7
    expected = np.asarray([birth_point(values) for values in maps[clear]])
    # Four vertices have one hole at most, and seldom.
    assert len(np.unique(expected)) > (3 if maps.shape[-1] > 4 else 1)
    some = ju.data.subset(found.data, range(IMAGES))
    for method in ("kernel", "ripser"):
        result = ju.topology.layer_birth_points(
            found.network, layer, some, method=method, batch_size=5
        )
        assert result.birth_point.shape == maps.shape[:2]
        np.testing.assert_array_equal(result.birth_point.values[clear], expected)
        np.testing.assert_array_equal(result.class_index, found.labels[:IMAGES])


@pytest.mark.parametrize(
    ("name", "layer", "size"),
    [
        ("mixed", "dense1", "single numbers"),
        ("convnext", "norm", "single numbers"),
        ("marked", "hidden", "single numbers"),
        ("transformer", "blocks.0.up", "17"),
        ("transformer", "blocks.0.attention.value", "17×4"),
    ],
)
def test_what_has_no_square_maps(name, layer, size):
    found = kind(name)
    with pytest.raises(ju.InputError) as caught:
        ju.topology.layer_birth_points(found.network, layer, found.data)
    assert f"maps of layer {layer!r} are {size}: feature topology" in str(caught.value)
