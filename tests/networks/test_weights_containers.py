"""Zip archives and HDF5 files that are not what their parts say."""

import os

import h5py
import numpy as np
import pytest

import jaxunits as ju
from jaxunits.networks.weights import _hdf5
from tests.benchmarks.networks import with_random_weights
from tests.networks.checkpoints import state_dict, write_zip
from tests.networks.keras_files import write_h5, write_weights_h5
from tests.networks.weights_files import message

LAYERS = {"block1_conv1": [np.zeros((3, 3, 3, 1), "f4"), np.zeros(1, "f4")]}
LAYER = "layers/conv2d/vars"


@pytest.fixture(scope="module")
def vgg16():
    return with_random_weights(lambda: ju.networks.vgg16(3, width=1 / 64), seed=0)


def changed(path, mark, place, value):
    """Every record of a zip archive that begins with a mark gets other bytes at a place."""
    content = bytearray(path.read_bytes())
    start = content.find(mark)
    while start >= 0:
        content[start + place : start + place + len(value)] = value
        start = content.find(mark, start + 1)
    path.write_bytes(content)


LOCAL, CENTRAL, END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ([(CENTRAL, 6, b"\xff\x00")], "its archive cannot be read (zip file version 25.5)"),
        ([(CENTRAL, 9, b"\x08"), (CENTRAL, 46, b"\xff")], "its archive cannot be read ("),
        ([(LOCAL, 7, b"\x08"), (LOCAL, 30, b"\xff")], "entry 'archive/byteorder' cannot be read ("),
        ([(CENTRAL, 46, b"\xff")], "/byteorder' cannot be read (File name in directory"),
        ([(LOCAL, 30, b"x")], "entry 'archive/byteorder' cannot be read ("),
        ([(CENTRAL, 8, b"\x20")], "entry 'archive/byteorder' cannot be read ("),
        ([(CENTRAL, 8, b"\x40")], "entry 'archive/byteorder' cannot be read ("),
        ([(CENTRAL, 8, b"\x01")], "entry 'archive/byteorder' is compressed or encrypted"),
        ([(CENTRAL, 10, b"\x63")], "entry 'archive/byteorder' is compressed or encrypted"),
        ([(CENTRAL, 24, b"\xff\xff\xff\x7f")], "entry 'archive/byteorder' claims 2147483647 bytes"),
        ([(CENTRAL, 20, b"\xff" * 8)], "claims 4294967295 bytes"),
        ([(CENTRAL, 42, b"\xff\xff\xff\x7f")], "entry 'archive/byteorder' cannot be read ("),
        ([(CENTRAL, 30, b"\xff\xff")], "its archive cannot be read ("),
        ([(END, 12, b"\xff\xff\xff\x7f")], "its archive cannot be read ("),
        ([(END, 16, b"\xff\xff\xff\x7f")], "cannot be read ("),
        ([(END, 0, b"x")], "its archive cannot be read (File is not a zip file)"),
    ],
)
def test_oddities_of_archives(changes, reason, network, path, arrays):
    write_zip(path, *state_dict(arrays))
    for change in changes:
        changed(path, *change)
    found = message(network, path)
    assert reason in found
    assert found.startswith(f"weights file {path}")


def test_names_of_entries_are_shown_without_control_characters(network, path, arrays):
    write_zip(path, *state_dict(arrays), order="big\x1b[31m\n\x1b" + "x" * 1000)
    found = message(network, path)
    assert r"has byte order 'big\x1b[31m\n\x1bxxx" in found
    assert len(found) < 500


def as_dataset(name):
    def change(file):
        del file[name]
        file[name] = np.zeros(3, np.float32)

    return change


def attribute(name, value):
    def change(file):
        file[LAYER].attrs[name] = value

    return change


def replaced(name, value):
    def change(file):
        del file[name]
        file[name] = value

    return change


def created(name, *arguments, **settings):
    def change(file):
        del file[name]
        file.create_dataset(name, *arguments, **settings)

    return change


def virtual(file):
    del file[f"{LAYER}/0"]
    layout = h5py.VirtualLayout((3, 3, 3, 1), "f4")
    layout[:] = h5py.VirtualSource("elsewhere", "x", (3, 3, 3, 1))
    file.create_virtual_dataset(f"{LAYER}/0", layout)


FIRST = f"{LAYER}/0"
LINK = "'0' is a link, and links are not followed"
SHAPE = (3, 3, 3, 1)
KERAS_3 = {
    "layers": (as_dataset("layers"), "'layers' is not a group"),
    "layer": (as_dataset("layers/conv2d"), "'conv2d' is not a group"),
    "vars": (as_dataset(LAYER), "'vars' is not a group"),
    "number": (attribute("name", 3), "attribute 'name' of '/layers/conv2d/vars' is not a text"),
    "list": (
        attribute("name", ["a", "b"]),
        "attribute 'name' of '/layers/conv2d/vars' is not a text",
    ),
    "empty": (attribute("name", h5py.Empty("f4")), "is not a text"),
    "bytes": (attribute("name", np.bytes_(b"\xff")), "codec can't decode byte 0xff"),
    "soft": (replaced(FIRST, h5py.SoftLink("/layers/conv2d/vars/1")), LINK),
    "dangling": (replaced(FIRST, h5py.SoftLink("/gone")), "'0' is "),
    "pipe": (replaced(FIRST, h5py.ExternalLink("pipe", "/x")), LINK),
    "loop": (replaced(LAYER, h5py.SoftLink("/layers/conv2d/vars")), "'vars' is "),
    "null": (created(FIRST, data=h5py.Empty("f4")), "has no shape"),
    "unwritten": (created(FIRST, SHAPE, "f4"), "the numbers of '/layers/conv2d/vars/0' were never"),
    "unwritten chunks": (created(FIRST, SHAPE, "f4", chunks=(3, 3, 1, 1)), "were never written"),
    "chunks": (
        created(FIRST, SHAPE, "f4", chunks=(3, 3, 3, 2**19), maxshape=(3, 3, 3, None)),
        "has chunks of [3, 3, 3, 524288] numbers",
    ),
    "external": (
        created(FIRST, SHAPE, "f4", external=[("pipe", 0, h5py.h5f.UNLIMITED)]),
        "is not an array of this file",
    ),
    "virtual": (virtual, "is not an array of this file"),
    "texts": (replaced(FIRST, np.asarray([b"a"])), "[3, 3, 3, 1]"),
    "compound": (replaced(FIRST, np.zeros(SHAPE, "f4,i4")), "'block1_conv1/kernel' as void64"),
    "complex": (replaced(FIRST, np.zeros(SHAPE, "c8")), "'block1_conv1/kernel' as complex64"),
    "object": (
        created(FIRST, SHAPE, h5py.string_dtype(), data=np.full(SHAPE, "a", object)),
        "'block1_conv1/kernel' as object",
    ),
}


@pytest.mark.parametrize("kind", KERAS_3)
def test_oddities_of_keras_3(kind, vgg16, path, monkeypatch):
    monkeypatch.chdir(path.parent)
    os.mkfifo("pipe")
    change, reason = KERAS_3[kind]
    write_weights_h5(path, LAYERS)
    with h5py.File(path, "a") as file:
        change(file)
    found = message(vgg16, path, partial=True) if "as " in reason else message(vgg16, path)
    assert reason in found
    assert len(found) < 3000


def test_two_layers_of_one_name(vgg16, path):
    write_weights_h5(path, LAYERS)
    with h5py.File(path, "a") as file:
        file.copy("layers/conv2d", "layers/conv2d_1")
    assert "it has two layers 'block1_conv1'" in message(vgg16, path)


def test_layers_of_several_vectors_have_no_bias(vgg16, path):
    write_weights_h5(path, {"block1_conv1": [np.ones(1, "f4"), np.zeros(1, "f4")]})
    found = message(vgg16, path, partial=True)
    assert "0 of the network's 32 arrays are in it" in found
    rows = [line.split() for line in found.splitlines()]
    assert ["block1_conv1/0", "[1]", "missing"] in rows
    assert ["block1_conv1/bias", "missing", "[1]"] in rows


@pytest.mark.parametrize("name", ["a\nb", "_", "_1", "a_", "a__2", "é_3", "conv2d_²"])
def test_odd_names_of_layers(name, vgg16, path):
    write_weights_h5(path, {})
    with h5py.File(path, "a") as file:
        file[f"layers/{name}/vars/0"] = np.zeros(5, np.float32)
    assert "0 of the network's 32 arrays are in it" in message(vgg16, path)


def root_attribute(name, value, of="/"):
    def change(file):
        file[of].attrs[name] = value

    return change


KERAS_2 = {
    "one text": (
        root_attribute("layer_names", "block1_conv1"),
        "'layer_names' of '/' is not a list",
    ),
    "number": (root_attribute("layer_names", 7), "'layer_names' of '/' is not a list"),
    "empty": (
        root_attribute("layer_names", h5py.Empty("S1")),
        "'layer_names' of '/' is not a list",
    ),
    "numbers": (root_attribute("layer_names", [1, 2]), "'layer_names' of '/' holds no texts"),
    "square": (root_attribute("layer_names", [[b"a"]]), "'layer_names' of '/' is not a list"),
    "bytes": (root_attribute("layer_names", np.asarray([b"\xff"])), "can't decode byte 0xff"),
    "missing": (root_attribute("layer_names", [b"gone"]), "'gone' is missing"),
    "through": (
        root_attribute("layer_names", [b"block1_conv1/block1_conv1_W_1:0"]),
        "is not a group",
    ),
    "twice": (root_attribute("layer_names", [b"input_1"] * 2), "it has two layers 'input_1'"),
    "no weight names": (
        lambda file: file["input_1"].attrs.__delitem__("weight_names"),
        "attribute 'weight_names' of '/input_1' is missing",
    ),
    "above": (root_attribute("weight_names", [b"../x"], "input_1"), "'../x' is missing"),
    "layer": (as_dataset("block1_conv1"), "'block1_conv1' is not a group"),
    "model": (lambda file: file.create_dataset("model_weights", data=1), "is not a group"),
}


@pytest.mark.parametrize("kind", KERAS_2)
def test_oddities_of_older_keras(kind, vgg16, path):
    change, reason = KERAS_2[kind]
    write_h5(path, LAYERS)
    with h5py.File(path, "a") as file:
        change(file)
    assert reason in message(vgg16, path)


def test_attributes_that_are_too_large(vgg16, path, monkeypatch):
    monkeypatch.setattr(_hdf5, "_MOST_TEXT", 1000)
    write_h5(path, LAYERS)
    with h5py.File(path, "a") as file:
        file.attrs["layer_names"] = np.asarray([b"x" * 1001])
    assert "attribute 'layer_names' of '/' is too large" in message(vgg16, path)
