"""The network up to the first layer of a pass, which its layers share."""

import jax
import numpy as np
import pytest
from jax import numpy as jnp

import jaxunits as ju
from jaxunits.ablation import _prefix
from jaxunits.execution import LookEngine
from tests.execution.functions import exact_digits, exact_network
from tests.processes import code, in_two_processes, output_of
from tests.zoo import LAYERS, kind


@pytest.mark.parametrize("name", ["mixed", "densenet", "transformer", "linen", "channels_first"])
def test_both_halves_are_the_network(name):
    network = kind(name).network
    shape = (3, *network.example.shape[1:])
    images = jnp.asarray(np.random.default_rng(0).normal(size=shape), jnp.float32)
    logits = network(images)
    for layer in LAYERS[name]:
        up_to = _prefix.UpTo(network.function, layer, shape[1:])
        halves = up_to.halves(network.params, images)[1]
        read = jax.jit(halves.early)(network.params, images)
        shapes = up_to.shapes(network.params, 3)
        assert [(each.shape, each.dtype) for each in read] == [(s.shape, s.dtype) for s in shapes]
        found = jax.jit(halves.late)(network.params, read)
        # Sums of fewer than a thousand terms, in another order.
        np.testing.assert_allclose(found, logits, rtol=1e-4, atol=1e-4 * abs(logits).max())


@pytest.fixture
def looked(monkeypatch):
    """Images that look engines have evaluated."""
    images, one = [], LookEngine._one

    def counted(self, part, turns):
        images.extend(part.image.tolist())
        return one(self, part, turns)

    monkeypatch.setattr(LookEngine, "_one", counted)
    return images


OPTIONS = {"batch_size": 16, "images_per_piece": 32, "progress": False}


@pytest.mark.parametrize("values", ["zero", "mean"])
def test_late_layers_share_what_is_before_them(values, looked):
    network, data = exact_network(), exact_digits(70)
    means = 2 * len(data) if values == "mean" else 0
    found = ju.ablation.sweep(network, ["conv2", "conv3"], data, values=values, **OPTIONS)
    assert sorted(set(looked)) == list(range(70))
    assert len(looked) == 70 + means
    convolutions = 28 * 28 * 9 * 6 + 14 * 14 * 9 * 6 * 8
    for name, result in found.items():
        alone = ju.ablation.sweep(network, name, data, values=values, **OPTIONS)
        saved = int(alone.attrs["multiply_adds"]) - int(result.attrs["multiply_adds"])
        assert saved == convolutions
        for counts in ("correct", "broken", "confusion", "n_images"):
            np.testing.assert_array_equal(result[counts], alone[counts])
        np.testing.assert_allclose(result.loss_sum, alone.loss_sum, rtol=1e-5)


def test_bfloat16_shares_it(looked):
    network, data = exact_network(), exact_digits(70)
    options = {**OPTIONS, "precision": "bfloat16"}
    found = ju.ablation.sweep(network, ["conv2", "conv3"], data, **options)
    assert sorted(looked) == list(range(70))
    for name, result in found.items():
        alone = ju.ablation.sweep(network, name, data, **options)
        # Compiled together or apart, products round at other places.
        close = abs(result.correct - alone.correct).sum() / alone.n_images.sum()
        assert float(close) <= 0.05 * alone.sizes["unit"]


SHARED_OUT = """
import sys, jax
if sys.argv[1:]:
    jax.distributed.initialize(sys.argv[2], 2, int(sys.argv[3]))
else:
    jax.config.update("jax_num_cpu_devices", 8)
import jaxunits as ju
from tests.execution.functions import assert_same, exact_digits, exact_network
network, data = exact_network(), exact_digits(70)
options = {"batch_size": 4, "images_per_piece": 32, "progress": False}
found = ju.ablation.sweep(network, ["conv2", "conv3"], data, **options)
for name, result in found.items():
    assert_same(result, ju.ablation.sweep(network, name, data, **options))
"""


@pytest.mark.slow
def test_devices_and_processes_share_it(tmp_path):
    output_of(*code(SHARED_OUT))
    in_two_processes(SHARED_OUT, tmp_path)


@pytest.mark.parametrize(
    "options", [{"values": "resample"}, {"precision": "checked"}, {"layers": ["conv3"]}]
)
def test_what_does_not_share(options, looked):
    asked = {"layers": ["conv2", "conv3"], **OPTIONS, **options}
    ju.ablation.sweep(exact_network(), asked.pop("layers"), exact_digits(40), **asked)
    assert not looked


@pytest.mark.parametrize("limit", ["_WORTH", "_BYTES"])
def test_nothing_is_computed_ahead_that_saves_little_or_does_not_fit(limit, looked, monkeypatch):
    monkeypatch.setattr(_prefix, limit, {"_WORTH": 0.9, "_BYTES": 1000}[limit])
    ju.ablation.sweep(exact_network(), ["conv2", "conv3"], exact_digits(40), **OPTIONS)
    assert not looked
