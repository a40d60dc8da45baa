"""Files that are no weights, are damaged, or do not fit the network."""

import pickle
import tarfile
import zipfile

import h5py
import numpy as np
import pytest
import safetensors.numpy

import jaxunits as ju
from tests.benchmarks.networks import with_random_weights
from tests.networks.checkpoints import (
    state_dict,
    write_legacy,
    write_zip,
)
from tests.networks.keras_files import write_h5
from tests.networks.weights_files import convnet, message


def test_files_that_are_no_weights(network, path, tmp_path):
    assert f"there is no weights file {path}: give the path of a PyTorch checkpoint" in message(
        network, path
    )
    assert f"weights file {tmp_path} is a folder: give a file" in message(network, tmp_path)
    path.write_bytes(b"")
    assert message(network, path) == (
        f"weights file {path} is empty: download it or write it again"
    )
    path.write_bytes(b"<!DOCTYPE html><html>")
    assert message(network, path) == (
        f"{path} is not a weights file: it begins with b'<!DOCTYPE html><'. Give the path of a "
        "PyTorch checkpoint (torch.save(model.state_dict(), path)), a safetensors file, or Keras's "
        ".h5 or .weights.h5"
    )
    path.write_bytes(pickle.dumps({"conv1.weight": [1.0]}))
    assert "is a pickle that PyTorch did not write" in message(network, path)


def test_archives_of_another_kind(network, path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("conv1.npy", b"")
    assert "is another kind of archive instead of a PyTorch checkpoint" in message(network, path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model.weights.h5", b"")
    assert "is a Keras model instead of a PyTorch checkpoint" in message(network, path)
    write_zip(path, {}, {})
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("archive/constants.pkl", b"")
    assert "is a TorchScript program: load it with torch.jit.load" in message(network, path)
    with tarfile.open(path, "w") as archive:
        archive.add(__file__)
    assert "is a tar archive, as PyTorch 0.1 wrote checkpoints" in message(network, path)


def test_archives_that_pytorch_would_not_write(network, path, arrays):
    described = state_dict(arrays)
    write_zip(path, *described, compression=zipfile.ZIP_DEFLATED)
    assert "entry 'archive/byteorder' is compressed or encrypted" in message(network, path)
    write_zip(path, *described, order="big")
    assert "has byte order 'big': load it with PyTorch" in message(network, path)
    write_zip(path, described[0], described[1] | {"0": b"1234"})
    assert "is damaged or truncated: storage '0' has 4 bytes instead of" in message(network, path)
    del described[1]["0"]
    write_zip(path, *described)
    assert "entry 'archive/data/0' is missing" in message(network, path)


def test_a_changed_byte_in_an_archive_is_noticed(network, path, arrays):
    write_zip(path, *state_dict(arrays))
    content = path.read_bytes()
    place = content.index(arrays["logits.weight"].tobytes()) + 5
    path.write_bytes(content[:place] + b"\xff" + content[place + 1 :])
    assert "is damaged or truncated: entry 'archive/data/" in message(network, path)


@pytest.mark.parametrize("kind", ["zip", "legacy", "safetensors"])
def test_files_that_are_cut_off(kind, network, path, arrays):
    if kind == "safetensors":
        safetensors.numpy.save_file(arrays, path)
    else:
        {"zip": write_zip, "legacy": write_legacy}[kind](path, *state_dict(arrays))
    content = path.read_bytes()
    lengths = [*range(20, len(content), len(content) // 40), len(content) - 1]
    for length in lengths:
        path.write_bytes(content[:length])
        assert f"weights file {path} is damaged or truncated: " in message(network, path)


def test_keras_files_that_are_none(path):
    network = with_random_weights(lambda: ju.networks.vgg16(3, width=1 / 64), seed=0)
    layers = {"block1_conv1": [np.zeros((3, 3, 3, 1), "f4"), np.zeros(1, "f4")]}
    write_h5(path, layers)
    found = message(network, path)
    assert "2 of the network's 32 arrays are in it" in found
    assert "  block1_conv2/bias    missing      [1]" in found
    content = path.read_bytes()
    path.write_bytes(content[:900])
    assert "is damaged or truncated" in message(network, path)
    with h5py.File(path, "w") as file:
        file["kernel"] = np.zeros(3)
    assert "is an HDF5 file that Keras did not write" in message(network, path)
    (other := path.with_name("other")).write_bytes(content)
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = ["block1_conv1"]
        file.create_group("block1_conv1").attrs["weight_names"] = ["kernel"]
        file["block1_conv1/kernel"] = h5py.ExternalLink(other, "block1_conv1/block1_conv1_W_1:0")
    assert "'kernel' is a link, and links are not followed" in message(network, path)
    write_h5(path, layers)
    assert message(convnet(), path).endswith(
        "of network 'convnet' Keras has no counterpart here: only vgg16 reads Keras's files. Give "
        "a PyTorch or safetensors file"
    )


def test_another_architecture_is_a_table(network, path, arrays):
    changed = {name: array for name, array in arrays.items() if name != "conv1.bias"}
    changed["conv2.weight"] = np.zeros((4, 3, 5, 5), np.float32)
    changed["fc.bias"] = np.zeros(2, np.float32)
    safetensors.numpy.save_file(changed, path)
    assert message(network, path) == (
        f"weights file {path} does not fit network 'convnet': 4 of the network's 6 arrays are in "
        "it with their shapes.\n"
        "  name          in the file   in the network\n"
        "  conv1.bias    missing       [3]\n"
        "  conv2.weight  [4, 3, 5, 5]  [4, 3, 3, 3]\n"
        "  fc.bias       [2]           missing\n"
        "Build the network that the weights are of; partial=True loads what a file has and leaves "
        "layers that it lacks random"
    )
    assert "conv2.weight  [4, 3, 5, 5]  [4, 3, 3, 3]" in message(network, path, partial=True)


def test_long_tables_are_cut(network, path):
    safetensors.numpy.save_file({f"x{n}": np.zeros(1, np.float32) for n in range(40)}, path)
    lines = message(network, path).splitlines()
    assert len(lines) == 1 + 1 + 20 + 1 + 1
    assert lines[2].split() == ["conv1.weight", "missing", "[3,", "1,", "3,", "3]"]
    assert lines[-2] == "  … and 26 more"
    assert message(network, path, partial=True).splitlines() == lines


def test_another_number_of_classes_has_its_own_sentence(network, path):
    ju.networks.save_weights(convnet(365), path)
    assert message(network, path) == (
        f"weights file {path} has 365 classes and network 'convnet' 4: build it with "
        "classes=365, or give partial=True to leave 'logits' random"
    )


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_and_infinity(value, network, path, arrays):
    changed = arrays | {"conv2.bias": np.asarray([0, value, value, 1], np.float32)}
    write_zip(path, *state_dict(changed))
    assert (
        "has NaN or infinity in 'conv2.bias' (2 of 4 numbers): no measurement of such a network "
        "means anything" in message(network, path)
    )


def test_whole_numbers_are_no_weights(network, path, arrays):
    safetensors.numpy.save_file(arrays | {"conv1.bias": np.zeros(3, np.int64)}, path)
    assert "has 'conv1.bias' as I64: expected one of bfloat16, float16" in message(network, path)
    write_zip(path, *state_dict(arrays | {"conv1.bias": np.zeros(3, np.int64)}))
    assert "has 'conv1.bias' as int64: expected one of" in message(network, path)


def test_two_arrays_of_one_name(network, path, arrays):
    twice = arrays | {"module.conv1.bias": np.zeros(3, np.float32)}
    safetensors.numpy.save_file(twice, path)
    assert "has two arrays for 'conv1.bias'" in message(network, path)


def test_checkpoints_without_arrays(network, path):
    assert "holds no state dict but a dictionary with epoch, arch. If you" in message(
        network, write_zip(path, {"epoch": 3, "arch": "x"}, {})
    )
    assert "holds an object of type list and no state dict" in message(
        network, write_zip(path, [1], {})
    )
