"""What PyTorch's pickles may name, each name with something inert that stands in for it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from ..._errors import InputError
from ._stored import printable

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
# What training checkpoints hold beside their weights, which is ignored.
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
    ("torch", "device"),
    *(("torch", name) for name in ("bfloat16", "float16", "float32", "float64", "int64")),
}
_MODELS = ("torch.nn.", "torchvision.", "timm.")
WAY_OUT = (
    "If you trust it, load it with PyTorch and save its arrays alone: "
    "torch.save(model.state_dict(), path)"
)


@dataclass(frozen=True)
class StorageType:
    """The type of a storage's numbers, by NumPy's name."""

    dtype: str


@dataclass(frozen=True)
class Storage:
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


@dataclass(frozen=True, eq=False)
class Tensor:
    """An array as a window on a storage, offset and strides counted in numbers; unchecked."""

    storage: Any
    offset: Any
    shape: Any
    strides: Any


class Function(Enum):
    """A function that a pickle may call."""

    DICTIONARY = "collections.OrderedDict"
    PARAMETER = "torch._utils._rebuild_parameter"
    SIZE = "torch.Size"
    TENSOR = "torch._utils._rebuild_tensor"


class Ignored(Enum):
    """Stands in for everything that is ignored."""

    IGNORED = "ignored"


IGNORED = Ignored.IGNORED
_FUNCTIONS = {
    ("collections", "OrderedDict"): Function.DICTIONARY,
    ("torch", "Size"): Function.SIZE,
    ("torch._utils", "_rebuild_parameter"): Function.PARAMETER,
    ("torch._utils", "_rebuild_parameter_with_state"): Function.PARAMETER,
    ("torch._utils", "_rebuild_tensor"): Function.TENSOR,
    ("torch._utils", "_rebuild_tensor_v2"): Function.TENSOR,
}


def stand_in(module: str, name: str, path: Path) -> StorageType | Function | Ignored:
    """What stands in for something of a module.

    Raises:
      InputError: the name is not among those that checkpoints need.
    """
    if module in _STORAGE_MODULES and name in _STORAGES:
        return StorageType(_STORAGES[name])
    if (module, name) in _IGNORED:
        return IGNORED
    if (module, name) in _FUNCTIONS:
        return _FUNCTIONS[module, name]
    raise refusal(module, name, path)


def refusal(module: str, name: str, path: Path) -> InputError:
    """The error for a pickle that would execute something."""
    wanted = printable(f"{module}.{name}")
    if module.startswith(_MODELS) or module == "torch.nn":
        return InputError(
            f"weights file {path} holds a whole pickled model: reading it would execute {wanted}, "
            f"and nothing was executed. {WAY_OUT}"
        )
    return InputError(
        f"weights file {path} would execute {wanted} when read; it was refused and nothing was "
        f"executed. {WAY_OUT}"
    )
