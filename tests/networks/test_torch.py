"""PyTorch's modules compute in JAX what they compute in PyTorch, submodule by submodule."""

import jax
import numpy as np
import pytest

import jaxunits as ju
from tests.networks.marked_values import marked_values

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from torch import nn  # noqa: E402

from jaxunits.networks._torch import translate  # noqa: E402
from tests.networks.torch_zoo import ZOO, randomised  # noqa: E402


@pytest.fixture(scope="module", params=list(ZOO))
def network(request):
    """A classifier, translated, and the side of its images."""
    build, side = ZOO[request.param]
    torch.manual_seed(0)
    module = randomised(build())
    return module, translate(module, ju.data.Preprocessing((side, side), 3)), side


def drawn(number, side, channels=3, seed=0):
    generator = np.random.default_rng(seed)
    return generator.normal(size=(number, side, side, channels)).astype(np.float32)


def channels_first(images):
    return torch.from_numpy(np.moveaxis(images, -1, 1).copy())


def assert_close(found, expected, tolerance=1e-4):
    expected = expected.detach().numpy()
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * np.abs(expected).max())


def hooked(module, images):
    """Logits, and what each call of a submodule returns, before anything works on it in place."""
    outputs = {}

    def record(name):
        def hook(_, inputs, output):
            output = output[0] if isinstance(output, tuple) else output
            outputs.setdefault(name, []).append(output.clone())

        return hook

    hooks = [part.register_forward_hook(record(name)) for name, part in module.named_modules()]
    with torch.no_grad():
        logits = module(images)
    for hook in hooks:
        hook.remove()
    return logits, outputs


@pytest.mark.parametrize("number", [1, 3])
def test_a_network_gives_pytorchs_logits_for_any_number_of_images(network, number):
    module, translated, side = network
    images = drawn(number, side, seed=number)
    expected = module(channels_first(images))
    assert_close(jax.jit(translated.forward)(translated.params, images), expected)


def test_every_submodules_output_is_marked_with_its_path(network):
    module, translated, side = network
    images = drawn(2, side)
    _, expected = hooked(module, channels_first(images))
    _, marked = marked_values(translated.forward, translated.params, images)
    assert set(marked) == set(translated.modules)
    named = {name for name, part in module.named_modules() if name in expected}
    identities = {name for name in named if isinstance(module.get_submodule(name), nn.Sequential)}
    assert named - {""} - identities <= set(marked) <= named
    for name, values in marked.items():
        assert len(values) == len(expected[name])
        for found, wanted in zip(values, expected[name], strict=True):
            assert_close(found, wanted)
