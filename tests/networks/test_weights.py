"""What is saved is loaded again, under which names, and what a part of a network's weights does."""

import json
import logging
import os
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy
from flax import nnx
from safetensors import safe_open

import jaxunits as ju
from tests.benchmarks.networks import with_random_weights
from tests.networks.checkpoints import state_dict, write_zip
from tests.networks.weights_files import assert_loads, convnet, exported
from tests.reference import SMALL, arrays_equal, small_residual

SIZE = ju.data.Preprocessing((64, 64), 3)
CIFAR = ju.data.Preprocessing((32, 32), 3)
BUILDERS = {
    "alexnet": lambda: ju.networks.alexnet(7, width=1 / 16, dropout=0.5, preprocessing=SIZE),
    "alexnet_bn": lambda: ju.networks.alexnet_bn(
        7, width=1 / 32, channel_dropout={"conv2": 0.2}, preprocessing=SIZE
    ),
    "vgg16": lambda: ju.networks.vgg16(7, width=1 / 32, preprocessing=SIZE),
    "vgg16_bn": lambda: ju.networks.vgg16_bn(3, width=1 / 16, dropout=0.5),
    "cifar vgg16": lambda: ju.networks.vgg16(7, head="cifar", width=1 / 8, dropout=0.3),
    "resnet18": lambda: ju.networks.resnet18(7, width=1 / 16, channel_dropout={"layer2.0": 0.1}),
    "cifar resnet18": lambda: ju.networks.resnet18(7, stem="cifar", width=1 / 16),
    "cifar_resnet": lambda: ju.networks.cifar_resnet(8, 5, width=1 / 4, shortcut="B"),
    "squeezenet1_0": lambda: ju.networks.squeezenet1_0(5, width=1 / 16, preprocessing=SIZE),
    "squeezenet1_1": lambda: ju.networks.squeezenet1_1(5, width=1 / 16, preprocessing=SIZE),
    "convnet": lambda: ju.networks.convnet(
        4, widths=(3, 4), pool_after=("conv1",), dense=(5,), batch_norm=True, preprocessing=SMALL
    ),
    "mlp": lambda: ju.networks.mlp(4, widths=(5, 6), dropout=0.1, preprocessing=SMALL),
    "vision_transformer": lambda: ju.networks.vision_transformer(
        4, patch=7, width=8, depth=1, heads=2, hidden=6, preprocessing=SMALL
    ),
    "of one's own": small_residual,
}


def alive(build, seed=0):
    return with_random_weights(build, seed)


@pytest.fixture(scope="module")
def source():
    return alive(convnet)


@pytest.mark.parametrize("name", BUILDERS)
def test_what_is_saved_is_loaded_again_bit_for_bit(name, path):
    build = BUILDERS[name]
    source = alive(build)
    ju.networks.save_weights(source, path)
    assert_loads(path, source, build)


def test_saved_files_say_how_the_network_was_built(path, source):
    ju.networks.save_weights(source, path)
    with safe_open(path, "numpy") as file:
        metadata = file.metadata()
    assert metadata["format"] == "pt"
    assert metadata["builder"] == "convnet"
    assert json.loads(metadata["arguments"])["widths"] == [3, 4]
    assert [item.name for item in path.parent.iterdir()] == ["weights"]


def test_saved_names_and_layouts(path, source):
    ju.networks.save_weights(source, path)
    found, expected = safetensors.numpy.load_file(path), exported(source)
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array)


def test_names_of_blocks_and_norms(path):
    ju.networks.save_weights(small_residual(), path)
    names = set(safetensors.numpy.load_file(path))
    assert {
        *("conv1.weight", "bn1.weight", "bn1.running_var", "layer1.conv1.weight"),
        *("layer1.bn2.bias", "layer2.conv3.weight", "layer2.bn3.running_mean"),
        *("logits.weight", "logits.bias"),
    } < names
    assert "conv1.bias" not in names


class Own(nnx.Module):
    """A module of a user's own, with arrays that PyTorch has not."""

    def __init__(self, turned=False, value=2.0):
        rngs = nnx.Rngs(0)
        self.stem = nnx.List([nnx.Conv(1, 3, (3, 3), strides=4, rngs=rngs)])
        self.norm = nnx.GroupNorm(3, num_groups=1, rngs=rngs)
        self.scale = nnx.Param(jnp.full((1, 1, 1, 3), value))
        self.depthwise = nnx.Conv(3, 6, (3, 3), feature_group_count=3, rngs=rngs)
        self.head = nnx.Linear(7 * 7 * 6, 4, rngs=rngs)
        self.turned = turned

    def __call__(self, images):
        maps = nnx.relu(self.depthwise(self.norm(self.stem[0](images)) * self.scale[...]))
        if self.turned:
            maps = maps.transpose(0, 3, 1, 2)
        return self.head(nnx.relu(maps.reshape(len(maps), -1)))


def own(**arguments):
    return ju.networks.from_nnx(Own(**arguments), preprocessing=SMALL)


def test_names_and_layouts_of_a_users_own_module(path):
    network = own()
    arrays = ju.networks.arrays(network)
    ju.networks.save_weights(network, path)
    found = safetensors.numpy.load_file(path)
    assert set(found) == {
        *("stem.0.weight", "stem.0.bias", "norm.weight", "norm.bias", "scale"),
        *("depthwise.weight", "depthwise.bias", "head.weight", "head.bias"),
    }
    kernel = np.asarray(arrays["depthwise.kernel"])
    np.testing.assert_array_equal(found["depthwise.weight"], kernel.transpose(3, 2, 0, 1))
    kernel = np.asarray(arrays["head.kernel"]).reshape(7, 7, 6, 4).transpose(3, 2, 0, 1)
    np.testing.assert_array_equal(found["head.weight"], kernel.reshape(4, -1))
    assert found["scale"].shape == (1, 1, 1, 3)
    loaded = ju.networks.load_weights(own(value=3.0), path)
    assert float(ju.networks.arrays(loaded)["scale"].max()) == 2


def test_a_module_that_flattens_channels_first_keeps_its_order(path):
    network = own(turned=True)
    ju.networks.save_weights(network, path)
    kernel = np.asarray(ju.networks.arrays(network)["head.kernel"])
    np.testing.assert_array_equal(safetensors.numpy.load_file(path)["head.weight"], kernel.T)


class Square(nnx.Module):
    """Flattened maps through two dense layers of one shape."""

    def __init__(self):
        rngs = nnx.Rngs(0)
        self.conv = nnx.Conv(1, 2, (7, 7), strides=7, rngs=rngs)
        self.first, self.second = nnx.Linear(32, 32, rngs=rngs), nnx.Linear(32, 32, rngs=rngs)

    def __call__(self, images):
        maps = nnx.relu(self.conv(images))
        return self.second(nnx.relu(self.first(maps.reshape(len(maps), -1))))


def test_only_the_dense_layer_that_reads_flattened_maps_is_reordered(path):
    network = ju.networks.from_nnx(Square(), preprocessing=SMALL)
    arrays = ju.networks.arrays(network)
    ju.networks.save_weights(network, path)
    found = safetensors.numpy.load_file(path)
    kernel = np.asarray(arrays["first.kernel"]).reshape(4, 4, 2, 32).transpose(3, 2, 0, 1)
    np.testing.assert_array_equal(found["first.weight"], kernel.reshape(32, 32))
    np.testing.assert_array_equal(found["second.weight"], np.asarray(arrays["second.kernel"]).T)


def test_a_users_own_names(path, source):
    own_names = {
        name.replace("conv", "features/").replace("weight", "w"): array
        for name, array in exported(source).items()
    }

    def rename(name):
        return name.replace("conv", "features/").replace("weight", "w")

    for names in (rename, {name: rename(name) for name in exported(source)}):
        loaded = ju.networks.load_weights(convnet(), own_names, names=names)
        assert arrays_equal(ju.networks.arrays(loaded), ju.networks.arrays(source))
    ju.networks.save_weights(source, path, names=rename)
    assert safetensors.numpy.load_file(path).keys() == own_names.keys()
    with pytest.raises(ju.InputError, match=r"unknown parameter .conv9\.weight.: names"):
        ju.networks.load_weights(convnet(), own_names, names={"conv9.weight": "x"})


@pytest.mark.parametrize("make", [np.asarray, jnp.asarray])
def test_a_dictionary_of_arrays_in_the_place_of_a_file(make, source):
    arrays = {name: make(array) for name, array in exported(source).items()}
    for given in (arrays, {"state_dict": arrays, "epoch": 3}):
        loaded = ju.networks.load_weights(convnet(), given)
        assert arrays_equal(ju.networks.arrays(loaded), ju.networks.arrays(source))
    with pytest.raises(ju.InputError, match="the state dict holds no arrays but epoch"):
        ju.networks.load_weights(convnet(), {"epoch": 3})
    del arrays["conv1.bias"]
    with pytest.raises(ju.InputError, match="the state dict does not fit network 'convnet'"):
        ju.networks.load_weights(convnet(), arrays)


@pytest.mark.parametrize("kind", ["float32", "bfloat16"])
def test_tensors_of_pytorch_in_the_place_of_a_file(kind):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    model = torch.nn.Sequential()
    model.fc1, model.logits = torch.nn.Linear(784, 5), torch.nn.Linear(5, 4)
    model = model.to(getattr(torch, kind))
    network = ju.networks.mlp(4, widths=(5,), preprocessing=SMALL)
    for state in (model.state_dict(), dict(model.named_parameters())):
        arrays = ju.networks.arrays(ju.networks.load_weights(network, state))
        kernel = model.fc1.weight.detach().float().numpy()
        np.testing.assert_array_equal(arrays["fc1.kernel"], kernel.T)


@pytest.mark.parametrize(
    ("plain", "averaged"),
    [("state_dict", "state_dict_ema"), ("model", "model_ema"), ("state_dict", "ema_state_dict")],
)
def test_averaged_weights_beside_weights_are_chosen(plain, averaged, path, source):
    arrays = exported(source)
    average = {name: array + 1 for name, array in arrays.items()}
    described, storages = state_dict(
        {**arrays, **{f"average of {name}": array for name, array in average.items()}}
    )
    content = {
        plain: {name: described[name] for name in arrays},
        averaged: {name: described[f"average of {name}"] for name in arrays},
    }
    write_zip(path, content, storages)
    for given in (path, {plain: arrays, averaged: average}):
        for entry, expected in ((plain, arrays), (averaged, average)):
            loaded = ju.networks.load_weights(convnet(), given, entry=entry)
            found = ju.networks.arrays(loaded)
            np.testing.assert_array_equal(found["conv1.bias"], expected["conv1.bias"])
        with pytest.raises(ju.InputError) as caught:
            ju.networks.load_weights(convnet(), given)
        assert f"choose with entry={plain!r} or entry={averaged!r}" in str(caught.value)
        with pytest.raises(ju.InputError, match="has no entry 'other' with arrays; it has "):
            ju.networks.load_weights(convnet(), given, entry="other")
    ju.networks.save_weights(source, path)
    with pytest.raises(ju.InputError, match="has no entries, which PyTorch's checkpoints alone"):
        ju.networks.load_weights(convnet(), path, entry="model")


def test_partial_files_leave_layers_and_say_which(path, source, caplog):
    arrays = exported(source)
    kept = {name: array for name, array in arrays.items() if "conv2" not in name}
    del kept["logits.bias"]
    safetensors.numpy.save_file({**kept, "extra": np.ones(3, np.float32)}, path)
    network = alive(convnet, seed=1)
    before = np.asarray(ju.networks.arrays(network)["conv2.kernel"])
    with caplog.at_level(logging.WARNING):
        network = ju.networks.load_weights(network, path, partial=True)
    rest, unused = caplog.messages
    assert rest == (
        f"not in weights file {path}, so left as they are, random in a new network: conv2, "
        "logits.bias"
    )
    assert unused == f"of weights file {path} the network has no use for: extra"
    np.testing.assert_array_equal(ju.networks.arrays(network)["conv2.kernel"], before)
    for stage in ("conv1", "logits"):
        expected = ju.networks.arrays(source)[f"{stage}.kernel"]
        np.testing.assert_array_equal(ju.networks.arrays(network)[f"{stage}.kernel"], expected)


def test_partial_leaves_the_last_layer_of_another_number_of_classes(path, source, caplog):
    ju.networks.save_weights(source, path)
    network = ju.networks.convnet(
        9, widths=(3, 4), pool_after=("conv1",), preprocessing=SMALL, seed=3
    )
    network = ju.networks.load_weights(network, path, partial=True)
    assert caplog.messages[0].endswith("random in a new network: logits")
    assert (
        ju.networks.arrays(network)["conv2.kernel"] == ju.networks.arrays(source)["conv2.kernel"]
    ).all()


def test_a_whole_file_says_nothing(path, source, caplog):
    ju.networks.save_weights(source, path)
    ju.networks.load_weights(convnet(), path, partial=True)
    assert caplog.messages == []


@pytest.mark.skipif(
    "JAXUNITS_TEST_DATA" not in os.environ, reason="JAXUNITS_TEST_DATA names no folder"
)
@pytest.mark.parametrize(
    ("name", "file"),
    [("alexnet", "alexnet_imagenet_features"), ("vgg16", "vgg16_imagenet_features_f16")],
)
def test_real_weights(name, file, caplog):
    path = Path(os.environ["JAXUNITS_TEST_DATA"]) / "weights" / f"{file}.safetensors"
    if not path.exists():
        pytest.skip(f"{path} does not exist")
    network = getattr(ju.networks, name)()
    network = ju.networks.load_weights(network, path, partial=True)
    first = next(iter(network.layers))
    kernel = safetensors.numpy.load_file(path)["features.0.weight"].astype(np.float32)
    found = np.asarray(ju.networks.arrays(network)[f"{first}.kernel"])
    np.testing.assert_array_equal(found, kernel.transpose(2, 3, 1, 0))
    assert caplog.messages[0].endswith("random in a new network: fc6, fc7, fc8")
    assert len(caplog.messages) == 1
