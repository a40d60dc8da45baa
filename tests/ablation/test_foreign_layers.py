"""Layers of every kind of network by the fast path, against masking by hand."""

import numpy as np
import pytest

import jaxunits as ju
from tests.zoo import KINDS, kind
from tests.zoo.checks import EVERY, assert_rows, quick_compilation, single

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True, scope="module")
def _quick():
    with quick_compilation():
        yield


@pytest.mark.parametrize("name", KINDS)
def test_single_units_of_every_layer(name):
    found = kind(name)
    assert list(found.network.layers) == list(found.layers)
    for layer in list(found.layers)[:: 1 if EVERY else 3]:
        result = ju.ablation.sweep(found.network, layer, found.data, method="fast")
        logits = [found.under({layer: mask}) for mask in single(found.units(layer))]
        assert_rows(result, logits, found.labels)
        assert result.attrs["method"] == "fast"
        assert np.abs(result.correct - result.correct_before).sum() > 0
