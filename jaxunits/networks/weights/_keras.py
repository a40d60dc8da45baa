"""Keras's HDF5 files: `.weights.h5` of Keras 3, and the older `.h5` of weights or whole models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py

from ..._errors import InputError
from ._hdf5 import DAMAGED, group, member, stored, text, texts
from ._stored import StoredArray, check_number_of_arrays, damaged

# The datasets of a layer by their names.
_Layer = Mapping[str, Any]


@contextmanager
def open_keras(path: Path) -> Iterator[dict[str, StoredArray]]:
    """The arrays of a file as `layer/kernel` and `layer/bias`.

    Layers that Keras numbered instead of naming are `conv2d/0`, `conv2d/1`, …, `dense/0`, … in the
    order of the model.

    Raises:
      InputError: it is not a Keras file, or is truncated.
    """
    try:
        file = h5py.File(path, "r")
    except DAMAGED as error:
        raise damaged(path, error) from error
    with file:
        try:
            arrays = _arrays(file, path)
        except InputError:
            raise
        except DAMAGED as error:
            raise damaged(path, error) from error
        yield arrays


def _arrays(file: Any, path: Path) -> dict[str, StoredArray]:
    if "layers" in file:
        layers = _of_keras_3(group(file, "layers", path), path)
    else:
        model = group(file, "model_weights", path) if "model_weights" in file else file
        if "layer_names" not in model.attrs:
            raise InputError(
                f"weights file {path} is an HDF5 file that Keras did not write: give one of "
                "model.save_weights('x.weights.h5') or model.save('x.h5')"
            )
        layers = _of_older_keras(model, path)
    return {
        f"{layer}/{name}": stored(dataset, path)
        for layer, datasets in layers.items()
        for name, dataset in _kinds(datasets).items()
    }


def _of_keras_3(layers: Any, path: Path) -> dict[str, _Layer]:
    check_number_of_arrays(len(layers), path)
    found: dict[str, _Layer] = {}
    for key in layers:
        layer = group(layers, key, path)
        if "vars" not in layer:
            continue
        variables = group(layer, "vars", path)
        check_number_of_arrays(len(variables), path)
        named = "name" in variables.attrs and len(variables)
        name = text(variables, "name", path) if named else _numbered(key)
        _add(found, name, {item: member(variables, item, path) for item in variables}, path)
    return found


def _numbered(key: str) -> str:
    """Keras's `conv2d_3` as `conv2d/3`; the first is `conv2d`."""
    kind, _, number = key.rpartition("_")
    return f"{kind}/{number}" if kind and number.isdecimal() else f"{key}/0"


def _of_older_keras(model: Any, path: Path) -> dict[str, _Layer]:
    found: dict[str, _Layer] = {}
    for name in texts(model, "layer_names", path):
        layer = group(model, name, path)
        weights = texts(layer, "weight_names", path)
        _add(found, name, {weight: member(layer, weight, path) for weight in weights}, path)
    return found


def _add(found: dict[str, _Layer], name: str, layer: _Layer, path: Path) -> None:
    if name in found:
        raise damaged(path, f"it has two layers {name!r}")
    found[name] = layer


def _kinds(members: _Layer) -> dict[str, Any]:
    """A layer's datasets as `kernel` and `bias`; all under their own names where that is unclear.

    A layer of several vectors, such as batch norm, has no `bias` then.
    """
    datasets = {name: item for name, item in members.items() if isinstance(item, h5py.Dataset)}
    kinds = ["bias" if item.ndim == 1 else "kernel" for item in datasets.values()]
    names = kinds if len(set(kinds)) == len(kinds) else list(datasets)
    return dict(zip(names, datasets.values(), strict=True))
