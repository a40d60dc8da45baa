"""Files that are no weights, are damaged, do not fit, or want to run something."""

import os
import pickle
import struct
import tarfile
import zipfile

import jax
import numpy as np
import pytest
import safetensors.numpy

import jaxunits as ju
from tests.benchmarks.networks import with_random_weights
from tests.networks.checkpoints import (
    Altered,
    Call,
    Global,
    Persistent,
    pickled,
    state_dict,
    tensor,
    write_legacy,
    write_zip,
)
from tests.networks.keras_files import write_h5
from tests.reference import SMALL, arrays_equal


def convnet(classes=4, **arguments):
    settings = {"widths": (3, 4), "pool_after": ("conv1",), "preprocessing": SMALL, **arguments}
    return ju.networks.convnet(classes, **settings)


@pytest.fixture(scope="module")
def network():
    return convnet()


@pytest.fixture(scope="module")
def arrays(network, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "weights"
    ju.networks.save_weights(network, path)
    return {name: array + 1 for name, array in safetensors.numpy.load_file(path).items()}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "weights"


def message(network, path, **arguments):
    """The error's text; nothing of the network may have changed."""
    before = jax.tree.map(np.asarray, ju.networks.arrays(network))
    with pytest.raises(ju.InputError) as caught:
        ju.networks.load_weights(network, path, **arguments)
    assert arrays_equal(ju.networks.arrays(network), before)
    return str(caught.value)


def listed(folder):
    return sorted(item.name for item in folder.iterdir())


def test_files_that_are_no_weights(network, path, tmp_path):
    assert f"there is no weights file {path}: give the path of a PyTorch checkpoint" in message(
        network, path
    )
    assert f"weights file {tmp_path} is a folder: give a file" in message(network, tmp_path)
    path.write_bytes(b"")
    assert message(network, path) == (f"weights file {path} is empty: fetch it or write it again")
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
    assert "is damaged or cut off: storage '0' has 4 bytes instead of" in message(network, path)
    del described[1]["0"]
    write_zip(path, *described)
    assert "entry 'archive/data/0' is missing" in message(network, path)


def test_a_changed_byte_in_an_archive_is_noticed(network, path, arrays):
    write_zip(path, *state_dict(arrays))
    content = path.read_bytes()
    place = content.index(arrays["logits.weight"].tobytes()) + 5
    path.write_bytes(content[:place] + b"\xff" + content[place + 1 :])
    assert "is damaged or cut off: entry 'archive/data/" in message(network, path)


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
        assert f"weights file {path} is damaged or cut off: " in message(network, path)


def test_keras_files_that_are_none(path):
    network = with_random_weights(lambda: ju.networks.vgg16(3, width=1 / 64), seed=0)
    layers = {"block1_conv1": [np.zeros((3, 3, 3, 1), "f4"), np.zeros(1, "f4")]}
    write_h5(path, layers)
    found = message(network, path)
    assert "2 of the network's 32 arrays are in it" in found
    assert "  block1_conv2/bias    missing      [1]" in found
    content = path.read_bytes()
    path.write_bytes(content[:900])
    assert "is damaged or cut off" in message(network, path)
    import h5py

    with h5py.File(path, "w") as file:
        file["kernel"] = np.zeros(3)
    assert "is an HDF5 file that Keras did not write" in message(network, path)
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
    assert lines[2].split() == ["conv1.bias", "missing", "[3]"]
    assert lines[-2] == "  … and 26 more"
    assert message(network, path, partial=True).splitlines() == lines


def test_another_number_of_classes_has_its_own_sentence(network, path):
    ju.networks.save_weights(convnet(365), path)
    assert message(network, path) == (
        f"weights file {path} tells 365 classes apart and network 'convnet' 4: build it with "
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
    assert "holds no state dict but a dictionary with epoch, arch. Where you" in message(
        network, write_zip(path, {"epoch": 3, "arch": "x"}, {})
    )
    assert "holds an object of type list and no state dict" in message(
        network, write_zip(path, [1], {})
    )


@pytest.mark.parametrize("write", [write_zip, write_legacy])
@pytest.mark.parametrize(
    "settings",
    [
        {"shape": (3,), "count": 3, "offset": 1},
        {"shape": (3,), "count": 3, "strides": (2,)},
        {"shape": (3,), "count": 3, "strides": (0,), "offset": 3},
        {"shape": (2**40,), "count": 3, "strides": (0,)},
        {"shape": (2**62, 2**62), "count": 3},
        {"shape": (3,), "count": 3, "offset": 2**63},
    ],
)
def test_arrays_that_reach_out_of_their_storage(settings, write, network, path):
    write(path, {"conv1.bias": tensor(**settings)}, {"0": bytes(12)})
    assert "is damaged or cut off: array 'conv1.bias' of shape [" in message(network, path)


@pytest.mark.parametrize(
    "settings",
    [
        {"shape": (-3,), "count": 3},
        {"shape": (3,), "count": 3, "strides": (-1,)},
        {"shape": (3,), "count": 3, "offset": -1},
        {"shape": (3,), "count": 3, "strides": (1, 1)},
        {"shape": ("3",), "count": 3, "strides": (1,)},
        {"shape": (3,), "count": -3},
        {"shape": (3,), "count": "3"},
        {"shape": (3,), "count": 3, "view": (("v", 2, 3),)},
    ],
)
def test_arrays_that_are_described_wrongly(settings, network, path):
    write_zip(path, {"conv1.bias": tensor(**settings)}, {"0": bytes(12)})
    assert f"weights file {path} is damaged or cut off: " in message(network, path)


def test_claimed_storages_take_no_memory(network, path):
    content = {"conv1.bias": tensor((3,), 2**50)}
    for write in (write_zip, write_legacy):
        write(path, content, {"0": bytes(12)})
        assert "is damaged or cut off: storage '0'" in message(network, path, partial=True)


def test_a_storage_of_two_sizes(network, path):
    content = {"conv1.bias": tensor((3,), 2**50), "conv2.bias": tensor((4,), 4)}
    write_legacy(path, content, {"0": bytes(16)})
    assert "storage '0'" in message(network, path, partial=True)
    write_legacy(path, dict(reversed(content.items())), {"0": bytes(16)})
    assert "storage '0'" in message(network, path, partial=True)


HOSTILE = {
    "posix.system": Call("posix", "system", ("touch ran",)),
    "os.system": Call("os", "system", ("touch ran",)),
    "builtins.eval": Call("builtins", "eval", ("open('ran', 'w')",)),
    "__builtin__.eval": Call("__builtin__", "eval", ("open('ran', 'w')",)),
    "builtins.getattr": Call("builtins", "getattr", (Global("os", "system"), "__call__")),
    "pathlib.Path": Call("pathlib", "Path", ("ran",)),
    "collections.OrderedDict.fromkeys": Call("collections", "OrderedDict.fromkeys", ([1],)),
    "torch.load": Call("torch", "load", ("ran",)),
    "torch.storage._load_from_bytes": Call("torch.storage", "_load_from_bytes", ("ran",)),
}


@pytest.mark.parametrize("write", [write_zip, write_legacy])
@pytest.mark.parametrize("name", HOSTILE)
def test_what_wants_to_run_is_refused_and_does_not_run(
    name, write, network, path, arrays, monkeypatch
):
    monkeypatch.chdir(path.parent)
    described, storages = state_dict(arrays)
    write(path, {"epoch": HOSTILE[name], **described}, storages)
    assert message(network, path, partial=True) == (
        f"weights file {path} wants to run {name} on being read; it was refused and nothing was "
        "run. Where you trust it, load it with PyTorch and save its arrays alone: "
        "torch.save(model.state_dict(), path)"
    )
    assert listed(path.parent) == ["weights"]


class Runs:
    def __reduce__(self):
        return os.system, ("touch ran",)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_pickles_of_any_protocol_do_not_run(protocol, network, path, monkeypatch):
    monkeypatch.chdir(path.parent)
    content = pickle.dumps(Runs(), protocol)
    path.write_bytes(content)
    assert "wants to run posix.system" in message(network, path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", content)
    assert "wants to run posix.system" in message(network, path)
    assert listed(path.parent) == ["weights"]
    # The same bytes do run where nothing holds them back.
    pickle.loads(content)  # noqa: S301
    assert listed(path.parent) == ["ran", "weights"]


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (Call("torch.nn.modules.conv", "Conv2d", (3, 4)), "torch.nn.modules.conv.Conv2d"),
        (Call("torchvision.models.alexnet", "AlexNet"), "torchvision.models.alexnet.AlexNet"),
        (Persistent(("module", Global("collections", "Counter"), "", "")), "torch.nn.Module"),
    ],
)
def test_whole_models_are_refused(content, name, network, path):
    for write in (write_zip, write_legacy):
        write(path, content, {})
        assert message(network, path) == (
            f"weights file {path} holds a whole pickled model: reading it would run {name}, and "
            "nothing was run. Where you trust it, load it with PyTorch and save its arrays alone: "
            "torch.save(model.state_dict(), path)"
        )


@pytest.mark.parametrize(
    "thing",
    [
        Global("torch._utils", "_rebuild_tensor_v2"),
        Global("torch", "FloatStorage"),
        tensor((3,), 3),
    ],
)
def test_nothing_of_ours_can_be_altered(thing, network, path):
    write_zip(path, {"a": Altered(thing, {"call": 1, "dtype": "O", "shape": (2**60,)})}, {})
    assert "its pickle cannot be read (it alters what it may only read)" in message(network, path)


def test_a_dictionary_that_contains_itself(network, path):
    # Memo 0 is the dictionary, its entry `model` the same again.
    content = b"\x80\x02}q\x00X\x05\x00\x00\x00modelh\x00s."
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", content)
    assert "holds no state dict but a dictionary with model" in message(network, path)


def test_a_header_that_claims_more_than_there_is(network, path):
    path.write_bytes(struct.pack("<Q", 2**40) + b"{" + bytes(100))
    assert f"weights file {path} is damaged or cut off" in message(network, path)
    path.write_bytes(pickled(0x1950A86A20F9469CFC6C) + pickled(7))
    assert "has PyTorch's unknown protocol 7" in message(network, path)
