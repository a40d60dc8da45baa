"""Weights of other libraries' networks give, through a file, what these networks give."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy

import jaxunits as ju
from tests.networks import golden
from tests.networks.test_golden import every_layer

pytestmark = pytest.mark.slow

LARGER = ju.data.Preprocessing((256, 288), 3)
CIFAR = ju.data.Preprocessing((32, 32), 3)


@pytest.fixture(scope="module")
def others():
    """PyTorch's networks."""
    pytest.importorskip("torch", reason="PyTorch is not installed")
    from tests.networks import torch_networks

    return torch_networks


@pytest.fixture(scope="module")
def torchvision():
    """torchvision's networks."""
    pytest.importorskip("torchvision", reason="torchvision is not installed")
    from torchvision import models

    return models


def save(module, path, container):
    """Write a module's state dict in one of PyTorch's formats, or as safetensors."""
    import torch

    state = module.state_dict()
    if container == "safetensors":
        arrays = {name: tensor.numpy() for name, tensor in state.items()}
        safetensors.numpy.save_file(arrays, path)
    else:
        torch.save(state, path, _use_new_zipfile_serialization=container == "zip")


def loaded(build, path):
    """Our network with the weights of a file, which is deleted: it may have half a gigabyte."""
    network = ju.networks.load_weights(build(), path)
    path.unlink()
    return network


def assert_same(network, images, logits, layers):
    found, activations = every_layer(network, images)
    assert_close(found, logits)
    assert set(activations) == set(layers)
    for layer, expected in layers.items():
        assert_close(activations[layer], expected)
        assert 0.05 < (expected > 0).mean() < 0.95


def assert_close(found, expected):
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * np.abs(expected).max())


def assert_equals_module(others, build_module, build, path, container):
    network = build()
    state = shapes_of(others, build_module)
    module = others.filled(build_module, {name: golden.draw(name, state[name]) for name in state})
    save(module, path, container)
    images = golden.images(network)
    logits, layers = others.run(module, others.relus(module, network), images)
    assert_same(loaded(build, path), images, logits, layers)


def shapes_of(others, build_module):
    """Names and shapes of a module's arrays, by the module alone."""
    with others.torch.device("meta"):
        state = build_module().state_dict()
    return {
        name: tuple(tensor.shape)
        for name, tensor in state.items()
        if not name.endswith("num_batches_tracked")
    }


BUILT = {
    "alexnet": ("alexnet", {}, lambda: ju.networks.alexnet(50), "zip"),
    "larger alexnet": (
        *("alexnet", {}, lambda: ju.networks.alexnet(50, dropout=0.5, preprocessing=LARGER)),
        "legacy",
    ),
    "alexnet_bn": (
        *("alexnet", {"batch_norm": True}, lambda: ju.networks.alexnet_bn(50)),
        "safetensors",
    ),
    "vgg16": (
        *("vgg16", {"narrow": 4}, lambda: ju.networks.vgg16(50, width=1 / 4, dropout=0.5)),
        "legacy",
    ),
    "cifar vgg16": (
        "vgg16",
        {"narrow": 2, "head": "cifar"},
        lambda: ju.networks.vgg16(50, head="cifar", width=1 / 2, preprocessing=CIFAR),
        "zip",
    ),
    "vgg16_bn": (
        "vgg16",
        {"narrow": 4, "batch_norm": True},
        lambda: ju.networks.vgg16_bn(50, width=1 / 4, channel_dropout={"conv2_1": 0.1}),
        "zip",
    ),
    "resnet18": ("resnet18", {}, lambda: ju.networks.resnet18(50), "zip"),
    "cifar resnet18": (
        "resnet18",
        {"stem": "cifar"},
        lambda: ju.networks.resnet18(50, stem="cifar", preprocessing=CIFAR),
        "legacy",
    ),
}


@pytest.mark.parametrize("name", BUILT)
def test_pytorch(name, others, tmp_path):
    function, arguments, build, container = BUILT[name]
    module = lambda: getattr(others, function)(50, **arguments)  # noqa: E731
    assert_equals_module(others, module, build, tmp_path / "weights", container)


@pytest.mark.parametrize("version", ["1_0", "1_1"])
def test_squeezenet_of_pytorch(version, others, tmp_path):
    # Windows of two of the pools hang over the edges of 61×50 pixels.
    images = ju.data.Preprocessing((61, 50), 3)
    network = getattr(ju.networks, f"squeezenet{version}")(20, preprocessing=images)
    arrays = golden.weights(network)
    module = others.filled(lambda: others.squeezenet(20, version), arrays)
    save(module, tmp_path / "weights", "zip")
    images = golden.images(network)
    logits, _ = others.run(module, {}, images)
    loaded = ju.networks.load_weights(network, tmp_path / "weights")
    assert_close(loaded(jnp.asarray(images)), logits)


@pytest.mark.parametrize("name", ["alexnet", "vgg16", "vgg16_bn", "resnet18"])
def test_the_modules_built_here_are_torchvisions(name, others, torchvision):
    function, _, batch_norm = name.partition("_")
    arguments = {"batch_norm": True} if batch_norm else {}
    built = shapes_of(others, lambda: getattr(others, function)(1000, **arguments))
    assert built == shapes_of(others, getattr(torchvision, name))


@pytest.mark.parametrize(
    ("name", "container"),
    [
        *(("alexnet", "legacy"), ("vgg16", "zip"), ("vgg16_bn", "safetensors")),
        ("resnet18", "safetensors"),
    ],
)
def test_torchvision(name, container, others, torchvision, tmp_path):
    build = getattr(ju.networks, name)
    module = getattr(torchvision, name)
    assert_equals_module(others, module, build, tmp_path / "weights", container)


@pytest.mark.parametrize("name", ["vgg16", "vgg16_bn", "resnet18"])
def test_timm(name, others, tmp_path):
    timm = pytest.importorskip("timm", reason="timm is not installed")
    build = getattr(ju.networks, name)

    def module():
        return timm.create_model(name, pretrained=False, num_classes=50)

    path = tmp_path / "weights"
    assert_equals_module(others, module, lambda: build(50), path, "safetensors")


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_keras(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    pytest.importorskip("keras", reason="Keras is not installed")
    from tests.networks import keras_networks

    def build():
        return ju.networks.vgg16(20)

    network = build()
    model = keras_networks.vgg16(network, golden.weights(network))
    images = golden.images(network)
    logits, layers = keras_networks.run(model, images)
    for name, save_model in (("x.weights.h5", model.save_weights), ("x.h5", model.save)):
        save_model(tmp_path / name)
        assert_same(loaded(build, tmp_path / name), images, logits, layers)


@pytest.mark.parametrize("name", ["alexnet", "vgg16_bn", "resnet18"])
def test_pytorch_takes_what_we_save(name, others, tmp_path):
    settings = {"width": 1 / 16} if name == "vgg16_bn" else {}
    network = getattr(ju.networks, name)(5, **settings)
    safetensors.numpy.save_file(golden.weights(network), tmp_path / "drawn")
    network = ju.networks.load_weights(network, tmp_path / "drawn")
    ju.networks.save_weights(network, tmp_path / "weights")
    arrays = safetensors.numpy.load_file(tmp_path / "weights")
    function, _, batch_norm = name.partition("_")
    arguments = {"narrow": 16, "batch_norm": True} if batch_norm else {}
    module = others.filled(lambda: getattr(others, function)(5, **arguments), arrays)
    for written in tmp_path.iterdir():
        written.unlink()
    images = golden.images(network)
    logits, _ = others.run(module, {}, images)
    assert_close(jax.jit(network)(jnp.asarray(images)), logits)
