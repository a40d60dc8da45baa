"""Keras's HDF5 files: `.weights.h5` of Keras 3, and the older `.h5` of weights or whole models."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from jaxtyping import Shaped

from ..._errors import InputError
from ._stored import StoredArray, damaged

_NUMBER = re.compile(r"(.*?)(?:_(\d+))?$")


@contextmanager
def open_keras(path: Path) -> Iterator[dict[str, StoredArray]]:
    """The arrays of a file as `layer/kernel` and `layer/bias`.

    Layers that Keras numbered instead of naming are `conv2d/0`, `conv2d/1`, …, `dense/0`, … in the
    order of the model.

    Raises:
      InputError: it is no file of Keras, or breaks off.
    """
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise damaged(path, error) from error
    with file:
        try:
            arrays = _arrays(file, path)
        except (OSError, KeyError, ValueError, RuntimeError) as error:
            raise damaged(path, error) from error
        yield arrays


def _arrays(file: Any, path: Path) -> dict[str, StoredArray]:
    if "layers" in file:
        layers = _of_keras_3(file["layers"])
    else:
        group = file.get("model_weights", file)
        if "layer_names" not in group.attrs:
            raise InputError(
                f"weights file {path} is an HDF5 file that Keras did not write: give one of "
                "model.save_weights('x.weights.h5') or model.save('x.h5')"
            )
        layers = _of_older_keras(group)
    return {
        f"{layer}/{'bias' if values.ndim == 1 else 'kernel'}": _stored(values, path)
        for layer, datasets in layers.items()
        for values in datasets
        if isinstance(values, h5py.Dataset)
    }


def _of_keras_3(group: Any) -> dict[str, list[Any]]:
    layers = {}
    for key, layer in group.items():
        variables = layer.get("vars", {})
        name = variables.attrs.get("name") if len(variables) else None
        layers[name or "{}/{}".format(*_numbered(key))] = list(variables.values())
    return layers


def _numbered(key: str) -> tuple[str, str]:
    kind, number = _NUMBER.fullmatch(key).groups()  # type: ignore[union-attr]
    return kind, number or "0"


def _of_older_keras(group: Any) -> dict[str, list[Any]]:
    return {
        name: [group[name][weight] for weight in _texts(group[name].attrs["weight_names"])]
        for name in _texts(group.attrs["layer_names"])
    }


def _texts(values: Any) -> list[str]:
    return [text.decode() if isinstance(text, bytes) else str(text) for text in values]


def _stored(values: Any, path: Path) -> StoredArray:
    # Others take their numbers from other files.
    elsewhere = values.is_virtual or values.external or values.file.filename != str(path)
    if elsewhere:
        raise damaged(path, f"{values.name!r} is no array of this file")

    def read() -> Shaped[np.ndarray, ...]:
        try:
            return values[()]
        except OSError as error:
            raise damaged(path, f"{values.name!r}: {error}") from error

    return StoredArray(values.shape, values.dtype.name, read)
