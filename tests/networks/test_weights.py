"""Weights files of every format and age, names of every library, and back."""

import json
import logging
import os
from pathlib import Path

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy
from flax import nnx
from safetensors import safe_open

import jaxunits as ju
from tests.benchmarks.networks import with_random_weights
from tests.networks import checkpoints, golden
from tests.networks.checkpoints import Altered, Call, state_dict, tensor, write_legacy, write_zip
from tests.networks.keras_files import NAMINGS, keras_layers, write_h5, write_weights_h5
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
    "convnet": lambda: ju.networks.convnet(
        4, widths=(3, 4), pool_after=("conv1",), dense=(5,), batch_norm=True, preprocessing=SMALL
    ),
    "mlp": lambda: ju.networks.mlp(4, widths=(5, 6), dropout=0.1, preprocessing=SMALL),
    "assembled": small_residual,
}


def alive(build, seed=0):
    return with_random_weights(build, seed)


def convnet(**arguments):
    settings = {"widths": (3, 4), "pool_after": ("conv1",), "preprocessing": SMALL, **arguments}
    return ju.networks.convnet(4, **settings)


def exported(network):
    """A network's arrays in PyTorch's layouts, by the one layout that tests here can check."""
    arrays = {}
    for stage in ("conv1", "conv2"):
        kernel = np.asarray(network.stages[stage].kernel[...])
        arrays[f"{stage}.weight"] = np.ascontiguousarray(kernel.transpose(3, 2, 0, 1))
        arrays[f"{stage}.bias"] = np.asarray(network.stages[stage].bias[...])
    kernel = np.asarray(network.stages["logits"].kernel[...]).reshape(14, 14, 4, 4)
    arrays["logits.weight"] = np.ascontiguousarray(kernel.transpose(3, 2, 0, 1)).reshape(4, -1)
    arrays["logits.bias"] = np.asarray(network.stages["logits"].bias[...])
    return arrays


@pytest.fixture(scope="module")
def source():
    return alive(convnet)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "weights"


def assert_loads(path, source, build=convnet):
    """Reading fills a network in place with just these numbers, and returns it."""
    network = build() if build is small_residual else alive(build, seed=1)
    assert ju.networks.load_weights(network, path) is network
    assert arrays_equal(ju.networks.arrays(network), ju.networks.arrays(source))


@pytest.mark.parametrize("name", BUILDERS)
def test_what_is_saved_is_loaded_again_bit_for_bit(name, path):
    build = BUILDERS[name]
    source = alive(build) if name != "assembled" else build()
    ju.networks.save_weights(source, path)
    assert_loads(path, source, build)
    traced = nnx.eval_shape(build) if name != "assembled" else build()
    ju.networks.load_weights(traced, path)
    assert arrays_equal(ju.networks.arrays(traced), ju.networks.arrays(source))


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


def test_names_of_blocks_and_norms_of_networks_made_by_hand(path):
    ju.networks.save_weights(small_residual(), path)
    names = set(safetensors.numpy.load_file(path))
    assert {
        *("conv1.weight", "conv1.norm.weight", "conv1.norm.running_var"),
        *("layer1.conv1.convolution.weight", "layer1.convolution.norm.bias"),
        *("layer2.conv1.projection.weight", "layer2.conv1.projection.norm.running_mean"),
        *("logits.weight", "logits.bias"),
    } < names
    assert "conv1.bias" not in names


def test_a_stage_of_a_users_own_keeps_its_arrays_as_they_are(path):
    class Scale(nnx.Module):
        units = 1
        per_channel = True

        def __init__(self, value):
            self.kernel = nnx.Param(jnp.full((28, 28, 1), value))

        def __call__(self, state):
            return state * self.kernel[...][None]

    def build(value=2.0):
        stages = [("scale", Scale(value)), ("flatten", ju.networks.Flatten())]
        return ju.networks.Network(stages, preprocessing=SMALL)

    ju.networks.save_weights(build(), path)
    assert safetensors.numpy.load_file(path)["scale.kernel"].shape == (28, 28, 1)
    network = ju.networks.load_weights(build(3.0), path)
    assert float(network.stages["scale"].kernel[...].max()) == 2


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_numbers_of_other_sizes_become_float32(dtype, path, source):
    rounded = {
        name: array.astype(np.dtype(getattr(ml_dtypes, dtype, dtype)))
        for name, array in exported(source).items()
    }
    safetensors.numpy.save_file(rounded, path)
    network = ju.networks.load_weights(convnet(), path)
    leaves = jax.tree.leaves(ju.networks.arrays(network))
    assert {leaf.dtype.name for leaf in leaves} == {"float32"}
    bias = rounded["conv1.bias"].astype(np.float32)
    np.testing.assert_array_equal(network.stages["conv1"].bias[...], bias)


@pytest.mark.parametrize("write", [write_zip, write_legacy])
def test_pytorch_checkpoints(write, path, source):
    assert_loads(write(path, *state_dict(exported(source))), source)


def test_checkpoints_of_python_2_and_the_first_versions(path, source):
    settings = {"rebuild": "_rebuild_tensor", "module": "torch.cuda", "view": (None,)}
    described = state_dict(exported(source), **settings)
    assert_loads(write_legacy(path, *described, python=2), source)


@pytest.mark.parametrize("write", [write_zip, write_legacy])
def test_training_checkpoints_and_data_parallel_names(write, path, source):
    arrays, storages = state_dict(exported(source))
    wrapped = {f"module.{name}": array for name, array in arrays.items()}
    wrapped["module.conv1.norm.num_batches_tracked"] = tensor((), 1, key="n")
    number = Call("numpy.core.multiarray", "scalar", (Altered(Call("numpy", "dtype"), ()), "x"))
    content = {
        "epoch": 90,
        "arch": "convnet",
        "best_prec1": tensor((), 1, key="n"),
        "best_loss": number,
        "args": Altered(Call("argparse", "Namespace"), {"lr": 1}),
        "optimizer": {"state": {0: {"momentum_buffer": tensor((1,), 1, key="n")}}, "lr": [1]},
        "state_dict": wrapped,
    }
    assert_loads(write(path, content, {**storages, "n": bytes(4)}), source)


@pytest.mark.parametrize("key", ["state_dict", "model", "model_state_dict"])
def test_wrappers_of_state_dicts_are_opened(key, path, source):
    arrays, storages = state_dict(exported(source))
    described = Altered(Call("collections", "OrderedDict"), {"_metadata": {}})
    assert_loads(write_zip(path, {"other": described, key: arrays}, storages), source)


def test_module_is_dropped_inside_names_too(path):
    network = alive(BUILDERS["alexnet"])
    ju.networks.save_weights(network, path)
    arrays = {
        name.replace("features.", "features.module."): array
        for name, array in safetensors.numpy.load_file(path).items()
    }
    write_legacy(path, *state_dict(arrays))
    assert_loads(path, network, BUILDERS["alexnet"])


@pytest.mark.parametrize("write", [write_zip, write_legacy])
def test_arrays_share_storages_and_have_strides(write, path, source):
    arrays = exported(source)
    flat = np.concatenate([np.zeros(2, np.float32), *(a.ravel() for a in arrays.values())])
    described, offset = {}, 2
    for name, array in arrays.items():
        described[name] = tensor(array.shape, flat.size, offset=offset)
        offset += array.size
    turned = np.ascontiguousarray(arrays["logits.weight"].T)
    described["logits.weight"] = tensor((4, 784), turned.size, key="1", strides=(1, 4))
    storages = {"0": flat.tobytes(), "1": turned.tobytes()}
    assert_loads(write(path, described, storages), source)


def test_views_of_storages_in_old_checkpoints(path, source):
    arrays, storages = state_dict(exported(source))
    # The second array.
    del storages["1"]
    bias = np.asarray(source.stages["conv1"].bias[...])
    padded = np.concatenate([[9, 9], bias, [9]]).astype(np.float32)
    arrays["conv1.bias"] = tensor((3,), 6, key="padded", view=(("view", 2, 3),))
    assert_loads(write_legacy(path, arrays, {**storages, "padded": padded.tobytes()}), source)


def test_timms_names(path):
    def build():
        return ju.networks.vgg16(3, width=1 / 32, preprocessing=SIZE)

    network = alive(build)
    ju.networks.save_weights(network, path)
    arrays = safetensors.numpy.load_file(path)
    for ours, theirs in {"0": "pre_logits.fc1", "3": "pre_logits.fc2", "6": "head.fc"}.items():
        arrays[f"{theirs}.bias"] = arrays.pop(f"classifier.{ours}.bias")
        arrays[f"{theirs}.weight"] = arrays.pop(f"classifier.{ours}.weight")
    for name, side in (("pre_logits.fc1.weight", 7), ("pre_logits.fc2.weight", 1)):
        arrays[name] = arrays[name].reshape(128, -1, side, side)
    safetensors.numpy.save_file(arrays, path)
    assert_loads(path, network, build)


KERAS_FILES = {
    **{f"h5 {naming}": (write_h5, {"naming": naming}) for naming in NAMINGS},
    "h5 of a whole model": (write_h5, {"naming": NAMINGS[-1], "model": True}),
    "weights.h5": (write_weights_h5, {}),
    "weights.h5 without names": (write_weights_h5, {"names": False}),
}


@pytest.mark.parametrize("kind", KERAS_FILES)
def test_keras_files_of_every_age(kind, path):
    def build():
        return ju.networks.vgg16(3, width=1 / 32, preprocessing=SIZE)

    network = nnx.eval_shape(build)
    arrays = golden.weights(network)
    safetensors.numpy.save_file(arrays, path)
    ju.networks.load_weights(network, path)
    write, settings = KERAS_FILES[kind]
    assert_loads(write(path, keras_layers(arrays), **settings), network, build)


def test_partial_files_leave_layers_and_say_which(path, source, caplog):
    arrays = exported(source)
    kept = {name: array for name, array in arrays.items() if "conv2" not in name}
    del kept["logits.bias"]
    safetensors.numpy.save_file({**kept, "extra": np.ones(3, np.float32)}, path)
    network = alive(convnet, seed=1)
    before = np.asarray(network.stages["conv2"].kernel[...])
    with caplog.at_level(logging.WARNING):
        ju.networks.load_weights(network, path, partial=True)
    rest, unused = caplog.messages
    assert rest == (
        f"not in weights file {path}, so left as they are, random in a new network: conv2, "
        "logits.bias"
    )
    assert unused == f"of weights file {path} the network has no use for: extra"
    np.testing.assert_array_equal(network.stages["conv2"].kernel[...], before)
    for stage in ("conv1", "logits"):
        expected = source.stages[stage].kernel[...]
        np.testing.assert_array_equal(network.stages[stage].kernel[...], expected)


def test_partial_leaves_the_last_layer_of_another_number_of_classes(path, source, caplog):
    ju.networks.save_weights(source, path)
    network = ju.networks.convnet(
        9, widths=(3, 4), pool_after=("conv1",), preprocessing=SMALL, seed=3
    )
    ju.networks.load_weights(network, path, partial=True)
    assert caplog.messages[0].endswith("random in a new network: logits")
    assert (network.stages["conv2"].kernel[...] == source.stages["conv2"].kernel[...]).all()


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
    network = nnx.eval_shape(getattr(ju.networks, name))
    ju.networks.load_weights(network, path, partial=True)
    first = next(iter(network.layers))
    kernel = safetensors.numpy.load_file(path)["features.0.weight"].astype(np.float32)
    found = np.asarray(network.stages[first].kernel[...])
    np.testing.assert_array_equal(found, kernel.transpose(2, 3, 1, 0))
    assert caplog.messages[0].endswith("random in a new network: fc6, fc7, fc8")
    assert len(caplog.messages) == 1


def test_the_writer_of_checkpoints_writes_what_pytorch_reads(path, source):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    for write, view in ((write_zip, ()), (write_legacy, (None,))):
        arrays, storages = state_dict(exported(source), view=view)
        found = torch.load(write(path, arrays, storages), weights_only=True)
        for name, array in exported(source).items():
            np.testing.assert_array_equal(found[name].numpy(), array)
    assert checkpoints.MAGIC == torch.serialization.MAGIC_NUMBER
