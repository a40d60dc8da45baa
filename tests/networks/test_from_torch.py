"""PyTorch modules as networks, against hooks on the modules themselves."""

import math

import numpy as np
import pytest

import jaxunits as ju

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from tests.networks.torch_zoo import ZOO, randomized  # noqa: E402
from tests.zoo.checks import EVERY, quick_compilation  # noqa: E402

IMAGES = 6
CLASSES = 7


@pytest.fixture(autouse=True, scope="module")
def _quick():
    with quick_compilation():
        yield


@pytest.fixture(scope="module", params=ZOO)
def pair(request):
    """A module, and the network that it becomes."""
    build, side = ZOO[request.param]
    module = randomized(build())
    preprocessing = ju.data.Preprocessing((side, side), 3, mean=(0.4,) * 3, std=(0.3,) * 3)
    return module, ju.networks.from_torch(module, preprocessing=preprocessing)


@pytest.fixture(scope="module")
def data(pair):
    """Noise, labeled as the module sees it but for one image in three."""
    module, network = pair
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (IMAGES, *network.preprocessing.size, 3)).astype(np.uint8)
    with torch.no_grad():
        labels = module(torch_images(pixels, network)).argmax(1).numpy().copy()
    labels[::3] = (labels[::3] + 1) % CLASSES
    return ju.data.load((pixels, labels), class_names=[f"class {k}" for k in range(CLASSES)])


def torch_images(pixels, network):
    preprocessing = network.preprocessing
    scaled = (pixels / 255 - np.array(preprocessing.mean)) / np.array(preprocessing.std)
    # In PyTorch's own order: `view` refuses what is turned in memory.
    return torch.from_numpy(np.ascontiguousarray(scaled.astype(np.float32).transpose(0, 3, 1, 2)))


def hooked(module, path, images, change=None):
    """Logits with a submodule's output changed in place of every call, and what it gave."""
    given = []

    def hook(_module, _inputs, output):
        given.append(output)
        return output if change is None else change(output)

    part = module.get_submodule(path)
    handle = part.register_forward_hook(hook)
    with torch.no_grad():
        logits = module(images)
    handle.remove()
    return logits.numpy(), given


def outputs_of(module, network, layer, images, activations):
    """The submodule whose only output are a layer's units, and their axis; None without one."""
    for path in [*layer.aliases[::-1], layer.name]:
        _, given = hooked(module, path, images)
        if len(given) != 1 or not isinstance(given[0], torch.Tensor):
            continue
        axis = (
            1 if given[0].ndim == 4 and given[0].shape[1] == layer.num_units else given[0].ndim - 1
        )
        moved = np.moveaxis(given[0].numpy(), axis, -1)
        if moved.shape == activations.shape and np.allclose(
            moved, activations, atol=1e-4 * np.abs(activations).max()
        ):
            return path, axis
    return None


def test_every_unit_is_ablated_as_a_hook_ablates_it(pair, data):
    module, network = pair
    images = np.stack([data[index]["image"] for index in range(IMAGES)])
    ours = network.preprocessing.standardize(images)
    theirs = torch_images(images, network)
    names = list(network.layers)
    activations = network.function.with_activations(network.params, ours, names)[1]
    places = {
        name: outputs_of(module, network, network.layers[name], theirs, np.asarray(each))
        for name, each in activations.items()
    }
    found = [name for name, place in places.items() if place is not None]
    # Units that end behind a function are no module's output.
    assert len(found) >= 0.5 * len(names)
    for name in found if EVERY else found[:: math.ceil(len(found) / 3)]:
        result = ju.ablation.sweep(network, name, data)
        units = network.layers[name].num_units
        for unit in {0, units // 2, units - 1}:
            path, axis = places[name]

            def silence(output, axis=axis, unit=unit):
                output = output.clone()
                output.select(axis, unit).zero_()
                return output

            logits, _ = hooked(module, path, theirs, silence)
            losses = torch.nn.functional.cross_entropy(
                torch.from_numpy(logits), torch.from_numpy(data.labels).long(), reduction="none"
            ).numpy()
            sums = np.bincount(data.labels, losses, CLASSES)
            np.testing.assert_allclose(
                result.loss_sum[unit], sums, atol=1e-3 * max(1, np.abs(logits).max())
            )


def test_no_name_is_a_pool_or_the_logits(pair):
    module, network = pair
    kinds = {name: type(module.get_submodule(name)).__name__ for name in network.layers}
    carrying = ("Pool", "Dropout", "Flatten")
    assert not {name for name, kind in kinds.items() if any(each in kind for each in carrying)}
    assert list(dict(module.named_modules()))[-1] not in network.layers


def test_the_module_is_left_as_it_was():
    module = ZOO["vgg"][0]().train()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    preprocessing = ju.data.Preprocessing((32, 32), 3)
    ju.networks.from_torch(module, preprocessing=preprocessing)
    assert module.training
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_other_weights_are_put_in_by_their_names():
    build, side = ZOO["resnet_projection"]
    preprocessing = ju.data.Preprocessing((side, side), 3)
    first, second = randomized(build(), seed=1), randomized(build(), seed=2)
    network = ju.networks.from_torch(first, preprocessing=preprocessing)
    other = network.with_params(
        {name: second.state_dict()[name].numpy() for name in network.params}
    )
    images = np.random.default_rng(0).normal(size=(2, side, side, 3)).astype(np.float32)
    with torch.no_grad():
        expected = second(torch.from_numpy(images.transpose(0, 3, 1, 2))).numpy()
    np.testing.assert_allclose(other(images), expected, atol=1e-4 * np.abs(expected).max())
