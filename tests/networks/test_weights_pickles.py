"""Pickles that reach out of their file, or want to run something."""

import os
import pickle
import struct
import zipfile

import pytest

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
from tests.networks.weights_files import message


def listed(folder):
    return sorted(item.name for item in folder.iterdir())


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
    assert "is damaged or truncated: array 'conv1.bias' of shape [" in message(network, path)


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
    assert f"weights file {path} is damaged or truncated: " in message(network, path)


def test_claimed_storages_take_no_memory(network, path):
    content = {"conv1.bias": tensor((3,), 2**50)}
    for write in (write_zip, write_legacy):
        write(path, content, {"0": bytes(12)})
        assert "is damaged or truncated: storage '0'" in message(network, path, partial=True)


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
        f"weights file {path} would execute {name} when read; it was refused and nothing was "
        "executed. If you trust it, load it with PyTorch and save its arrays alone: "
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
    assert "would execute posix.system" in message(network, path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", content)
    assert "would execute posix.system" in message(network, path)
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
            f"weights file {path} holds a whole pickled model: reading it would execute {name}, "
            "and nothing was executed. If you trust it, load it with PyTorch and save its arrays "
            "alone: "
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
    assert "its pickle cannot be read (it modifies something read-only)" in message(network, path)


def test_a_dictionary_that_contains_itself(network, path):
    # Memo 0 is the dictionary, its entry `model` the same again.
    content = b"\x80\x02}q\x00X\x05\x00\x00\x00modelh\x00s."
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", content)
    assert "holds no state dict but a dictionary with model" in message(network, path)


def test_a_header_that_claims_more_than_there_is(network, path):
    path.write_bytes(struct.pack("<Q", 2**40) + b"{" + bytes(100))
    assert f"weights file {path} is damaged or truncated" in message(network, path)
    path.write_bytes(pickled(0x1950A86A20F9469CFC6C) + pickled(7))
    assert "has PyTorch's unknown protocol 7" in message(network, path)
