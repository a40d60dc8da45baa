"""PyTorch's pickles, read without running anything that they name.

A pickle is a program: it can ask for any function of any module to be called. Here it gets a short
list of names, each answered with something inert; every other name is refused before it is looked
up.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path
from typing import Any, NoReturn

from ..._errors import InputError
from ._stored import damaged

# The numbers' types of PyTorch's storages.
_STORAGES = {
    "BFloat16Storage": "bfloat16",
    "BoolStorage": "bool",
    "ByteStorage": "uint8",
    "CharStorage": "int8",
    "DoubleStorage": "float64",
    "FloatStorage": "float32",
    "HalfStorage": "float16",
    "IntStorage": "int32",
    "LongStorage": "int64",
    "ShortStorage": "int16",
    "UntypedStorage": "uint8",
}
_STORAGE_MODULES = ("torch", "torch.cuda", "torch.storage")
# What training checkpoints hold beside their weights; nobody looks at it.
_IGNORED = {
    ("_codecs", "encode"),
    ("__builtin__", "set"),
    ("argparse", "Namespace"),
    ("builtins", "set"),
    ("collections", "Counter"),
    ("collections", "defaultdict"),
    *(
        (f"numpy.{core}.multiarray", name)
        for core in ("core", "_core")
        for name in ("_reconstruct", "scalar")
    ),
    ("numpy", "dtype"),
    ("numpy", "ndarray"),
    *(("torch", name) for name in ("bfloat16", "float16", "float32", "float64", "int64")),
}
_MODELS = ("torch.nn.", "torchvision.", "timm.")
WAY_OUT = (
    "Where you trust it, load it with PyTorch and save its arrays alone: "
    "torch.save(model.state_dict(), path)"
)


class _Inert:
    """What a pickle cannot alter."""

    def __setstate__(self, state: object) -> NoReturn:
        raise pickle.UnpicklingError("it alters what it may only read")


@dataclass(frozen=True)
class StorageType(_Inert):
    """The type of a storage's numbers, by NumPy's name."""

    dtype: str


@dataclass(frozen=True)
class Storage(_Inert):
    """Where numbers lie.

    Attributes:
      dtype: NumPy's name of their type.
      key: which of the file's storages.
      count: how many numbers that storage has.
      start: the first of them that counts; others than 0 come from old files.
      length: how many count from there on.
    """

    dtype: str
    key: str
    count: int
    start: int
    length: int


@dataclass(frozen=True)
class Tensor(_Inert):
    """An array as a window on a storage, offset and strides counted in numbers; unchecked."""

    storage: Any
    offset: Any
    shape: Any
    strides: Any


@dataclass(frozen=True)
class _Function(_Inert):
    """What stands in for a function that a pickle may call."""

    call: Callable[..., Any]

    def __call__(self, *arguments: Any) -> Any:
        return self.call(*arguments)


class _Ignored:
    """What stands in for an object that nobody looks at: it takes anything and keeps nothing."""

    def __new__(cls, *arguments: Any, **settings: Any) -> _Ignored:
        return super().__new__(cls)

    def __setstate__(self, state: object) -> None:
        pass

    def __setitem__(self, key: object, value: object) -> None:
        pass

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)


def read_pickle(file: BufferedIOBase, path: Path) -> Any:
    """The next object of a stream of pickles, with `Tensor`s for its arrays.

    Args:
      file: the stream, left behind the object.
      path: the file, for errors.

    Raises:
      InputError: the pickle wants to run something, is broken or breaks off.
    """
    try:
        return _Unpickler(file, path).load()
    except InputError:
        raise
    # Broken pickles end in whatever the first wrong operation raises.
    except Exception as error:
        raise damaged(path, f"its pickle cannot be read ({error})") from error


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: BufferedIOBase, path: Path) -> None:
        # Python 2 wrote names as bytes.
        super().__init__(file, encoding="latin1")
        self._path = path

    def find_class(self, module: str, name: str) -> Any:
        if module in _STORAGE_MODULES and name in _STORAGES:
            return StorageType(_STORAGES[name])
        if (module, name) in _IGNORED:
            # A class of its own for each pickle: a pickle can set attributes of classes.
            return type("_Ignored", (_Ignored,), {})
        if (module, name) == ("collections", "OrderedDict"):
            return type("_Dictionary", (OrderedDict,), {})
        if (module, name) in _FUNCTIONS:
            return _Function(_FUNCTIONS[module, name])
        raise _refusal(self._path, module, name)

    def persistent_load(self, pid: Any) -> Any:
        kind, *content = pid
        if kind == "module":
            raise _refusal(self._path, "torch.nn.", "Module")
        if kind != "storage" or not isinstance(content[0], StorageType):
            raise pickle.UnpicklingError(f"unknown persistent object {kind!r}")
        storage_type, key, _, count, *view = content
        count = _whole(count)
        start, length = 0, count
        if view and view[0] is not None:
            _, start, length = view[0]
        return Storage(storage_type.dtype, str(key), count, _whole(start), _whole(length))


def _refusal(path: Path, module: str, name: str) -> InputError:
    if module.startswith(_MODELS) or module == "torch.nn":
        wanted = f"{module}{name}" if module.endswith(".") else f"{module}.{name}"
        return InputError(
            f"weights file {path} holds a whole pickled model: reading it would run {wanted}, and "
            f"nothing was run. {WAY_OUT}"
        )
    return InputError(
        f"weights file {path} wants to run {module}.{name} on being read; it was refused and "
        f"nothing was run. {WAY_OUT}"
    )


def _whole(number: Any) -> int:
    if not isinstance(number, int) or number < 0:
        raise pickle.UnpicklingError(f"a storage of {number!r} numbers")
    return number


def _rebuild_tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> Tensor:
    return Tensor(storage, offset, shape, strides)


_FUNCTIONS: dict[tuple[str, str], Callable[..., Any]] = {
    ("torch", "Size"): lambda shape=(): tuple(shape),
    ("torch", "device"): lambda *arguments: str(arguments),
    ("torch._utils", "_rebuild_tensor"): _rebuild_tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
    ("torch._utils", "_rebuild_parameter"): lambda tensor, *_: tensor,
    ("torch._utils", "_rebuild_parameter_with_state"): lambda tensor, *_: tensor,
}
