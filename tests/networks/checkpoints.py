"""PyTorch checkpoints written byte by byte, so that tests need no PyTorch and can lie in them."""

import struct
import zipfile
from dataclasses import dataclass

import numpy as np

MAGIC = 0x1950A86A20F9469CFC6C
_TYPES = {"float32": "FloatStorage", "float16": "HalfStorage", "int64": "LongStorage"}


@dataclass(frozen=True)
class Global:
    """Something of a module, by its name."""

    module: str
    name: str


@dataclass(frozen=True)
class Call:
    """A call of something of a module."""

    module: str
    name: str
    arguments: tuple = ()


@dataclass(frozen=True)
class Persistent:
    """An object outside of the pickle."""

    key: tuple


@dataclass(frozen=True)
class Altered:
    """An object whose state is set."""

    thing: object
    state: object


@dataclass(frozen=True)
class Raw:
    """Operations of a pickle that leave one object."""

    operations: bytes


def pickled(value, python=3):
    """The pickle of a value, in protocol 2."""
    return b"\x80\x02" + _encoded(value, python) + b"."


def _encoded(value, python):
    def inner(*values):
        return b"".join(_encoded(item, python) for item in values)

    match value:
        case None:
            return b"N"
        case bool():
            return b"\x88" if value else b"\x89"
        case int() if -(2**31) <= value < 2**31:
            return b"J" + struct.pack("<i", value)
        case int():
            data = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
            return b"\x8a" + bytes([len(data)]) + data
        case str() if python == 2:
            return b"U" + bytes([len(value)]) + value.encode("latin1")
        case str():
            return b"X" + struct.pack("<I", len(value.encode())) + value.encode()
        case tuple():
            return b"(" + inner(*value) + b"t"
        case list():
            return b"](" + inner(*value) + b"e"
        case dict():
            return b"}(" + inner(*(part for item in value.items() for part in item)) + b"u"
        case Global():
            return f"c{value.module}\n{value.name}\n".encode()
        case Call():
            return inner(Global(value.module, value.name), value.arguments) + b"R"
        case Persistent():
            return inner(value.key) + b"Q"
        case Raw():
            return value.operations
        case Altered():
            return inner(value.thing, value.state) + b"b"
    raise TypeError(value)


def tensor(
    shape,
    count,
    *,
    key="0",
    storage="FloatStorage",
    strides=None,
    offset=0,
    view=(),
    module="torch",
    rebuild="_rebuild_tensor_v2",
):
    """An array that lies in a storage of so many numbers; by default one after another."""
    if strides is None:
        strides = tuple(int(np.prod(shape[axis + 1 :])) for axis in range(len(shape)))
    place = Persistent(("storage", Global(module, storage), key, "cpu", count, *view))
    rest = (False, Call("collections", "OrderedDict")) if rebuild.endswith("v2") else ()
    return Call("torch._utils", rebuild, (place, offset, tuple(shape), tuple(strides), *rest))


def state_dict(arrays, **settings):
    """Arrays as a pickle describes them, and the bytes of their storages."""
    described, storages = {}, {}
    for number, (name, array) in enumerate(arrays.items()):
        key = str(number)
        described[name] = tensor(
            array.shape, array.size, key=key, storage=_TYPES[array.dtype.name], **settings
        )
        storages[key] = array.tobytes()
    return described, storages


def write_zip(path, content, storages, *, compression=zipfile.ZIP_STORED, order="little"):
    """A checkpoint as PyTorch writes them since 1.6."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("archive/data.pkl", pickled(content))
        archive.writestr("archive/byteorder", order)
        for key, data in storages.items():
            archive.writestr(f"archive/data/{key}", data)
        archive.writestr("archive/version", "3\n")
    return path


def write_legacy(path, content, storages, *, python=3, item_size=4):
    """A checkpoint as PyTorch wrote them before 1.6; all storages have numbers of one size."""
    machine = {"protocol_version": 1001, "little_endian": True}
    head = [MAGIC, 1001, machine, content, list(storages)]
    with path.open("wb") as file:
        file.write(b"".join(pickled(value, python) for value in head))
        for data in storages.values():
            file.write(struct.pack("<q", len(data) // item_size) + data)
    return path
