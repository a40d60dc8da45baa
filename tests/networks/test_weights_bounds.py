"""Weights files that would take the memory, the stack or the time of whoever opens them."""

import os
import re
import socket
import zipfile

import numpy as np
import pytest
import safetensors.numpy

import jaxunits as ju
from jaxunits.networks.weights import _pickle, _stored
from tests.networks.checkpoints import (
    MAGIC,
    Call,
    Persistent,
    Raw,
    pickled,
    state_dict,
    tensor,
    write_legacy,
    write_zip,
)
from tests.networks.weights_files import message

pytestmark = pytest.mark.slow

# Tuples in tuples, and a pair of pairs with 2**200 leaves: comparing, hashing and printing them
# take the whole stack or forever.
LARGE = {
    "deep": Raw(b")" + b"\x85" * 2_000),
    "doubling": Raw(b")" + b"2\x86" * 200),
    "deep list": Raw(b"](" * 1_200 + b"e" * 1_200),
    "deep dictionary": Raw(b"}(N" * 1_200 + b"N" + b"u" * 1_200),
}


def keyed(key):
    """A dictionary with such a key."""
    return Raw(b"}(" + pickled(key)[2:-1] + b"K\x01u")


@pytest.mark.parametrize("write", [write_zip, write_legacy])
@pytest.mark.parametrize("name", LARGE)
def test_what_nobody_looks_at_may_be_as_deep_and_shared_as_it_likes(
    name, write, network, path, arrays
):
    large = LARGE[name]
    described, storages = state_dict(arrays)
    content = {
        "value": large,
        "keyed": keyed(large),
        "set": Call("builtins", "set", (large,)),
        "dictionary": Call("collections", "OrderedDict", ([(large, 1)],)),
        "scalar": Call("numpy.core.multiarray", "scalar", (large, large)),
        "device": Call("torch", "device", (large,)),
        "state_dict": described,
    }
    write(path, content, storages)
    loaded = ju.networks.load_weights(network, path)
    np.testing.assert_array_equal(ju.networks.arrays(loaded)["conv1.bias"], arrays["conv1.bias"])


@pytest.mark.parametrize("name", LARGE)
def test_large_objects_in_places_that_mean_something(name, network, path):
    large = LARGE[name]
    storage = ("storage", Raw(b"ctorch\nFloatStorage\n"), "0", "cpu", 3)
    wrong = f"weights file {path} is damaged or truncated: "
    unreadable = f"{wrong}its pickle cannot be read "
    for place in range(len(storage)):
        lies = (*storage[:place], large, *storage[place + 1 :])
        arguments = (Persistent(lies), 0, (3,), (1,))
        if place == 3:
            # The device, which nobody looks at.
            continue
        write_zip(path, {"a": Call("torch._utils", "_rebuild_tensor", arguments)}, {})
        assert f"{unreadable}(a persistent object is not a storage)" in message(network, path)
    for place in range(4):
        arguments = [Persistent(storage), 0, (3,), (1,)]
        arguments[place] = large
        write_zip(path, {"a": Call("torch._utils", "_rebuild_tensor", tuple(arguments))}, {})
        assert f"{wrong}array 'a' is described wrongly" in message(network, path)
    write_zip(path, Persistent(large), {})
    assert f"{unreadable}(a persistent object is not a storage)" in message(network, path)
    write_zip(path, large, {})
    kind = {"deep list": "list", "deep dictionary": "dict"}.get(name, "tuple")
    found = message(network, path)
    if kind == "dict":
        assert "holds no state dict but a dictionary with nothing in it" in found
    else:
        assert f"holds an object of type {kind} and no state dict" in found


@pytest.mark.parametrize("name", LARGE)
def test_large_objects_between_the_pickles_of_old_checkpoints(name, network, path):
    large = LARGE[name]
    path.write_bytes(pickled(large))
    assert "is a pickle that PyTorch did not write" in message(network, path)
    path.write_bytes(pickled(MAGIC) + pickled(large))
    assert "has PyTorch's unknown protocol that is not a number" in message(network, path)
    head = pickled(MAGIC) + pickled(1001) + pickled({})
    path.write_bytes(head + pickled({"a": tensor((3,), 3)}) + pickled([large]))
    assert "the list of its storages is missing" in message(network, path)


def test_integers_of_one_hash_as_keys(network, path, arrays):
    described, storages = state_dict(arrays)
    # Multiples of 2**61 - 1, the modulus of Python's hashes: a dictionary of them is quadratic.
    keys = [(2**61 - 1) * (number + 1) for number in range(20_000)]
    assert len({hash(key) for key in keys[:1000]}) == 1
    state = Raw(b"}(" + b"".join(pickled(key)[2:-1] + b"N" for key in keys) + b"u")
    write_zip(path, {"optimizer": state, "state_dict": described}, storages)
    ju.networks.load_weights(network, path)


@pytest.mark.parametrize(
    ("operations", "reason"),
    [
        (b"N" * 20_001, "has a pickle of more than 20,000 operations"),
        # One list of a hundred pairs, given to a function a thousand times.
        (
            b"](" + b"NN\x86" * 100 + b"eq\x00" + b"ccollections\nOrderedDict\nh\x00\x85R" * 1000,
            "has a pickle of more than 20,000 operations",
        ),
        (b"\x8a\x01\x05\x8b\xff\xff\xff\x7f", "is damaged or truncated: its pickle cannot be read"),
        (b"X\xff\xff\xff\xffa", "(it takes more than 128 MiB)"),
        (b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7f", "(it takes more than 128 MiB)"),
        (b"I" + b"9" * 100_000 + b"\n", "is damaged or truncated: its pickle cannot be read"),
        (b"p9999999999999\n", "is damaged or truncated: its pickle cannot be read"),
        (b"Np9999999999999\n", "(it remembers an object as number 9999999999999)"),
        (b"\x82\x01", "(it has operation EXT1)"),
        (b"Pabc\n", "(it has operation PERSID)"),
        (b"S'\\q'\n", "(it has escape sequences)"),
        (b"ca\\q\nb\n", "(it has escape sequences)"),
        (b"\x80\x06", "(it has protocol 6)"),
        (b"\x97", "(it has operation NEXT_BUFFER)"),
        (b"K\x01K\x02a", "(it appends to something other than a list)"),
        (b"K\x01NNs", "(it sets items of something other than a dictionary)"),
        (b"}(Nu", "(a key of a dictionary has no value)"),
        (b"K\x01)R", "(it calls something other than a function)"),
        (b"ctorch\nSize\nK\x01\x85R", "(it calls torch.Size with other arguments than PyTorch)"),
        (b"ccollections\nOrderedDict\n](K\x01e\x85R", "(an item of a dictionary is not a pair)"),
        (b"K\x01K\x02\x93", "(a name is not a string)"),
        (b"iposix\nsystem\n", "is damaged or truncated: its pickle cannot be read"),
        (b"(iposix\nsystem\n", "would execute posix.system when read"),
        (b"(cposix\nsystem\no", "would execute posix.system when read"),
        (b"X\x05\x00\x00\x00posixX\x06\x00\x00\x00system\x93", "would execute posix.system"),
        (b"cpos\x1b[31m\nsys\n", r"would execute pos\x1b[31m.sys when read"),
        (b"c" + b"a" * 5000 + b"\nx\n", f"would execute {'a' * 100}… when read"),
    ],
)
def test_operations_that_lie(operations, reason, network, path, monkeypatch):
    monkeypatch.setattr(_pickle, "_MOST_OPERATIONS", 20_000)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02" + operations + b".")
    found = message(network, path)
    assert reason in found
    assert len(found) < 1000


@pytest.mark.parametrize("write", [write_zip, write_legacy])
def test_a_stack_that_is_empty(write, network, path):
    for operation in (b"0", b"1", b"2", b"\x85", b"t", b"a", b"s", b"R", b"b", b"Q", b"q\x00", b""):
        write(path, Raw(operation), {})
        assert "is damaged or truncated: its pickle cannot be read (" in message(network, path)


def test_keys_and_values_of_every_protocol(path, network, arrays):
    described, storages = state_dict(arrays)
    # What protocols 4 and 5 have beside protocol 2, in one training checkpoint.
    extras = Raw(
        b"\x95" + bytes(8) + b"((\x8f(K\x01\x90\x91" + b"\x8c\x01a\x94" + b"B\x01\x00\x00\x00a"
        b"\x8e\x01" + bytes(7) + b"a\x96\x01" + bytes(7) + b"aG" + bytes(8) + b"F1.5\n"
        b"cargparse\nNamespace\n)}\x92(cargparse\nNamespace\no(iargparse\nNamespace\n" + b"l"
    )
    write_zip(path, {"extras": extras, "state_dict": described}, storages)
    loaded = ju.networks.load_weights(network, path)
    np.testing.assert_array_equal(ju.networks.arrays(loaded)["conv2.bias"], arrays["conv2.bias"])


@pytest.mark.parametrize("write", [write_zip, write_legacy])
@pytest.mark.parametrize(
    ("shape", "strides", "count"),
    [((3, 3), (1, 1), 9), ((2, 2), (0, 1), 4), ((4, 3), (2, 1), 12), ((2, 3, 2), (1, 2, 3), 12)],
)
def test_arrays_with_numbers_in_two_places(shape, strides, count, write, network, path):
    places = np.tensordot(np.indices(shape), strides, (0, 0)).ravel()
    assert len(set(places.tolist())) < places.size
    write(path, {"a": tensor(shape, count, strides=strides)}, {"0": bytes(4 * count)})
    assert (
        f"array 'a' of shape {list(shape)} and strides {list(strides)} has numbers in two places"
        in message(network, path)
    )


def test_axes_of_one_number_have_any_stride(path, network, arrays):
    described, storages = state_dict(arrays)
    place = list(arrays).index("conv1.weight")
    described["conv1.weight"] = tensor((3, 1, 3, 3), 27, key=str(place), strides=(9, 2**62, 3, 1))
    write_zip(path, described, storages)
    assert arrays["conv1.weight"].shape == (3, 1, 3, 3)
    loaded = ju.networks.load_weights(network, path)
    expected = arrays["conv1.weight"].transpose(2, 3, 1, 0)
    np.testing.assert_array_equal(ju.networks.arrays(loaded)["conv1.kernel"], expected)


def many(count):
    return {f"x{number}": np.zeros(1, np.float32) for number in range(count)}


def test_files_of_very_many_arrays(network, path, monkeypatch):
    monkeypatch.setattr(_stored, "_MOST_ARRAYS", 100)
    limit = "arrays, and at most 100 are read: save the weights of one network alone"
    for count, reason in ((100, "and 86 more"), (101, f"weights file {path} has 101 {limit}")):
        safetensors.numpy.save_file(many(count), path)
        assert reason in message(network, path)
        for write in (write_zip, write_legacy):
            write(path, {name: tensor((1,), 1) for name in many(count)}, {"0": bytes(4)})
            assert reason in message(network, path)
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(101):
            archive.writestr(f"{number}/x", b"")
    assert f"weights file {path} has 101 {limit}" in message(network, path)


@pytest.mark.parametrize("name", ["a\nb", "a\x1b[31m", "a\ud800", "a\u202eb"])
def test_names_are_shown_without_control_characters(name, network, path, arrays, caplog):
    described, storages = state_dict(arrays)
    raw = name.encode("utf-8", "surrogatepass")
    entry = Raw(
        b"X" + len(raw).to_bytes(4, "little") + raw + pickled(tensor((3,), 3, key="n"))[2:-1]
    )
    content = Raw(pickled(described)[2:-2] + entry.operations + b"u")
    write_zip(path, content, {**storages, "n": bytes(12)})
    found = message(network, path)
    shown = repr(name)[1:-1]
    assert f"\n  {shown} " in found
    assert name not in found
    ju.networks.load_weights(network, path, partial=True)
    assert caplog.messages == [f"of weights file {path} the network has no use for: {shown}"]


def test_names_are_shown_short(network, path, arrays, caplog):
    changed = {**arrays, "a" * 10_000: np.zeros(1, np.float32)}
    safetensors.numpy.save_file(changed, path)
    assert len(message(network, path)) < 1000
    ju.networks.load_weights(network, path, partial=True)
    assert caplog.messages == [
        f"of weights file {path} the network has no use for: {'a' * 100}…",
    ]


@pytest.mark.parametrize("kind", ["pipe", "socket", "device", "link to a pipe"])
def test_files_that_may_never_end(kind, network, path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    expected = kind
    if "pipe" in kind:
        expected = "named pipe"
        os.mkfifo(tmp_path / "pipe")
        path.symlink_to(tmp_path / "pipe")
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as end:
            end.bind("weights")
    else:
        path.symlink_to("/dev/zero")
    if kind == "pipe":
        path = tmp_path / "pipe"
    assert message(network, path) == (
        f"weights file {path} is a {expected}: write what it gives to a regular file and give that"
    )


def test_paths_that_lead_nowhere(network, path):
    path.symlink_to(path.with_name("gone"))
    assert f"there is no weights file {path}" in message(network, path)
    path.unlink()
    path.symlink_to(path)
    assert f"weights file {str(path)!r} cannot be read" in message(network, path)
    # Python words it in several ways.
    assert re.search(r"cannot be read \(.*embedded null", message(network, "a\0b"))
    assert "cannot be read ([Errno 36] File name too long" in message(network, "a" * 5000)
    (file := path.with_name("file")).write_bytes(b"x")
    assert "cannot be read ([Errno 20] Not a directory" in message(network, file / "weights")


@pytest.mark.parametrize("length", [640, 896, 1152, 1408, 2**15 + 128])
def test_safetensors_headers_that_begin_like_pickles(length, network, path, arrays):
    for fill in range(8):
        metadata = {"note": "x" * fill}
        safetensors.numpy.save_file(arrays, path, metadata)
        shortest = int.from_bytes(path.read_bytes()[:8], "little")
        if shortest <= length:
            break
    metadata["note"] += "x" * (length - shortest)
    safetensors.numpy.save_file(arrays, path, metadata)
    content = path.read_bytes()
    assert content[0] == 0x80
    assert int.from_bytes(content[:8], "little") == length
    loaded = ju.networks.load_weights(network, path)
    np.testing.assert_array_equal(ju.networks.arrays(loaded)["conv1.bias"], arrays["conv1.bias"])
    for cut in (600, len(content) - 1):
        path.write_bytes(content[:cut])
        assert f"weights file {path} is damaged or truncated: " in message(network, path)


def test_safetensors_with_the_mark_of_a_tar_archive(network, path, arrays):
    safetensors.numpy.save_file(arrays, path, {"a": "ustar" * 100})
    content = path.read_bytes()
    place = content.index(b"ustar", 257 - 5)
    safetensors.numpy.save_file(arrays, path, {"a": "x" * ((257 - place) % 5) + "ustar" * 100})
    assert path.read_bytes()[257:262] == b"ustar"
    ju.networks.load_weights(network, path)


def test_absurd_ages_of_old_checkpoints(network, path):
    path.write_bytes(pickled(MAGIC) + pickled(2**120))
    assert f"has PyTorch's unknown protocol {2**120}" in message(network, path)
    path.write_bytes(pickled(MAGIC) + b"\x80\x02\x8a\xff" + b"\x7f" * 255 + b".")
    assert "has PyTorch's unknown protocol that is not a number" in message(network, path)
