"""Weights files of every format and age, and the names of every library."""

import argparse

import jax
import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy

import jaxunits as ju
from tests.benchmarks.networks import with_random_weights
from tests.networks import checkpoints, golden
from tests.networks.checkpoints import Altered, Call, state_dict, tensor, write_legacy, write_zip
from tests.networks.keras_files import NAMINGS, keras_layers, write_h5, write_weights_h5
from tests.networks.weights_files import assert_loads, convnet, exported
from tests.reference import SMALL

SIZE = ju.data.Preprocessing((64, 64), 3)


def alive(build):
    return with_random_weights(build, seed=0)


@pytest.fixture(scope="module")
def source():
    return alive(convnet)


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
    np.testing.assert_array_equal(ju.networks.arrays(network)["conv1.bias"], bias)


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
    wrapped["module.bn1.num_batches_tracked"] = tensor((), 1, key="n")
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
    def build():
        return ju.networks.alexnet(7, width=1 / 16, preprocessing=SIZE)

    network = alive(build)
    ju.networks.save_weights(network, path)
    arrays = {
        name.replace("features.", "features.module."): array
        for name, array in safetensors.numpy.load_file(path).items()
    }
    write_legacy(path, *state_dict(arrays))
    assert_loads(path, network, build)


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
    bias = np.asarray(ju.networks.arrays(source)["conv1.bias"])
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

    network = build()
    arrays = golden.weights(network)
    safetensors.numpy.save_file(arrays, path)
    network = ju.networks.load_weights(network, path)
    write, settings = KERAS_FILES[kind]
    assert_loads(write(path, keras_layers(arrays), **settings), network, build)


def test_the_writer_of_checkpoints_writes_what_pytorch_reads(path, source):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    for write, view in ((write_zip, ()), (write_legacy, (None,))):
        arrays, storages = state_dict(exported(source), view=view)
        found = torch.load(write(path, arrays, storages), weights_only=True)
        for name, array in exported(source).items():
            np.testing.assert_array_equal(found[name].numpy(), array)
    assert checkpoints.MAGIC == torch.serialization.MAGIC_NUMBER


@pytest.mark.parametrize("container", ["zip", "legacy"])
def test_what_a_training_program_of_pytorch_saves(container, path):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    model = torch.nn.Sequential()
    model.fc1, model.logits = torch.nn.Linear(784, 5), torch.nn.Linear(5, 4)
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
    model(torch.ones(1, 784)).sum().backward()
    optimizer.step()
    content = {
        "epoch": 3,
        "args": argparse.Namespace(arch="mlp", lr=0.1, dtype=torch.float16),
        "best_acc1": torch.tensor(0.5),
        "best_loss": np.float64(2),
        "random": [np.random.default_rng(0).normal(size=3), torch.get_rng_state()],
        "device": torch.device("cpu"),
        "state_dict": torch.nn.DataParallel(model).state_dict(),
        "optimizer": optimizer.state_dict(),
        "scheduler": torch.optim.lr_scheduler.MultiStepLR(optimizer, [3]).state_dict(),
    }
    torch.save(content, path, _use_new_zipfile_serialization=container == "zip")
    network = ju.networks.mlp(4, widths=(5,), preprocessing=SMALL)
    network = ju.networks.load_weights(network, path)
    for name in ("fc1", "logits"):
        kernel = getattr(model, name).weight.detach().numpy()
        np.testing.assert_array_equal(ju.networks.arrays(network)[f"{name}.kernel"], kernel.T)
    torch.save(model, path, _use_new_zipfile_serialization=container == "zip")
    with pytest.raises(ju.InputError, match=r"would run torch\.nn\.modules\.container\.Sequential"):
        ju.networks.load_weights(network, path)
