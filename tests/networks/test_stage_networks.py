import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from tests.benchmarks.networks import alexnet, convnet32, resnet18, vgg16

pytestmark = pytest.mark.slow

torch = pytest.importorskip("torch")
twins = pytest.importorskip("tests.benchmarks.torch_networks")

NETWORKS = {
    "alexnet": lambda: alexnet(7, size=96, narrow=4),
    "vgg16": lambda: vgg16(9, size=64, narrow=8),
    "resnet18": lambda: resnet18(11, size=64, narrow=8),
    "convnet32": convnet32,
}


@pytest.fixture(scope="module", params=NETWORKS)
def pair(request):
    """A network, its twin in PyTorch, and images as both read them."""
    network = NETWORKS[request.param]()
    shape = (3, *network.preprocessing.size, network.preprocessing.channels)
    images = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    return network, twins.torch_twin(network), images, twins.torch_images(images)


def assert_close(found, expected):
    expected = expected.numpy()
    if expected.ndim == 4:
        expected = expected.transpose(0, 2, 3, 1)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * np.abs(expected).max())


def test_every_layer_equals_pytorch(pair):
    network, twin, images, torch_images = pair
    seen, hooks = {}, []
    for layer in network.layers:

        def note(module, inputs, output, layer=layer):
            seen[layer] = twins.features(output).clone()

        hooks.append(twin.stage(layer).register_forward_hook(note))
    expected = twin(torch_images)
    for hook in hooks:
        hook.remove()
    run = jax.jit(
        lambda images: {layer: network.activations(images, layer) for layer in network.layers}
    )
    found = run(jnp.asarray(images))
    assert list(seen) == list(network.layers)
    for layer, activations in found.items():
        assert_close(activations, seen[layer])
        assert 0.05 < (activations > 0).mean() < 0.95
    assert_close(jax.jit(network)(jnp.asarray(images)), expected)


def test_masked_units_are_those_that_a_hook_zeroes(pair):
    network, twin, images, torch_images = pair
    run = jax.jit(network)
    plain = twin(torch_images)
    for layer in list(network.layers)[-3:]:
        answers = twins.features(twin.run(torch_images, through=layer))
        unit = int(answers.transpose(0, 1).flatten(1).sum(1).argmax())

        def zero(module, inputs, output, unit=unit):
            twins.features(output)[:, unit] = 0

        hook = twin.stage(layer).register_forward_hook(zero)
        expected = twin(torch_images)
        hook.remove()
        assert (expected != plain).any()
        mask = jnp.ones(network.layers[layer].units).at[unit].set(0)
        assert_close(run(jnp.asarray(images), {layer: mask}), expected)


def test_a_twin_run_in_parts_equals_the_whole(pair):
    network, twin, _, torch_images = pair
    middle = list(network.layers)[len(network.layers) // 2]
    state = twin.run(torch_images, through=middle)
    torch.testing.assert_close(twin.run(state, after=middle), twin(torch_images))


@pytest.mark.parametrize(
    ("build", "parameters"),
    [
        (lambda: alexnet(1000), 61_100_840),
        (vgg16, 138_357_544),
        (resnet18, 11_689_512),
    ],
    ids=["alexnet", "vgg16", "resnet18"],
)
def test_full_size_networks_have_as_many_parameters_as_torchvisions(build, parameters):
    network = build()
    state = nnx.state(network, nnx.Param)
    assert sum(leaf.size for leaf in jax.tree.leaves(state)) == parameters
    assert network.classes == 1000


def test_seeds_decide_the_weights():
    one, same, other = (resnet18(11, size=64, narrow=8, seed=seed) for seed in (0, 0, 1))
    leaves = [
        jax.tree.leaves(nnx.state(network, (nnx.Param, nnx.BatchStat)))
        for network in (one, same, other)
    ]
    for a, b, c in zip(*leaves, strict=True):
        np.testing.assert_array_equal(a, b)
        assert (a != c).any()
