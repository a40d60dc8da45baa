"""A network's parameters under the names, and in the layouts, that files have."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from flax import nnx
from jaxtyping import Array, Shaped

from .._convolution import Convolution
from .._dense import Dense, Flatten
from .._dropout import Dropout
from .._network import Network
from .._state import features_of
from ._torchvision import Prefixes, prefixes

Path = tuple[str, ...]
# A network that was only traced has shapes for arrays.
Leaf = Array | jax.ShapeDtypeStruct
# What PyTorch calls the arrays of a batch norm.
_NORM = {"scale": "weight", "bias": "bias", "mean": "running_mean", "var": "running_var"}


@dataclass(frozen=True)
class Parameter:
    """An array of a network and its counterpart in files.

    The counterpart is the array with its axes split, reordered and joined:
    `array.reshape(split).transpose(axes).reshape(stored_shape)`.

    Attributes:
      path: where it is among the network's arrays.
      name: its counterpart's name.
      shape: its shape.
      split: its shape with the axes apart that the file orders in another way.
      axes: the order of these in the file.
      stored_shape: its counterpart's shape.
    """

    path: Path
    name: str
    shape: tuple[int, ...]
    split: tuple[int, ...]
    axes: tuple[int, ...]
    stored_shape: tuple[int, ...]

    @property
    def stage(self) -> str:
        """The stage that it belongs to."""
        return self.path[1]

    def stored(self, array: Shaped[np.ndarray, ...]) -> Shaped[np.ndarray, ...]:
        """The counterpart of the network's array."""
        return array.reshape(self.split).transpose(self.axes).reshape(self.stored_shape)

    def own(self, array: Shaped[np.ndarray, ...]) -> Shaped[np.ndarray, ...]:
        """The network's array from its counterpart."""
        ordered = array.reshape([self.split[axis] for axis in self.axes])
        return ordered.transpose(np.argsort(self.axes)).reshape(self.shape)


def parameters(network: Network) -> tuple[Parameter, ...]:
    """A network's parameters and running averages in PyTorch's layouts, in the network's order.

    The papers' networks have torchvision's names; others `stage.weight`, `stage.norm.weight`, ….
    """
    names, flattened = prefixes(network), _flattened_channels(network)
    found = flat_arrays(network)
    paths = sorted(found, key=lambda path: network.order.index(path[1]))
    return tuple(_parameter(network, path, found[path], names, flattened) for path in paths)


def flat_arrays(network: Network) -> dict[Path, Leaf]:
    """A network's parameters and running averages by their paths."""
    state = nnx.state(network, (nnx.Param, nnx.BatchStat))
    return dict(nnx.traversals.flatten_mapping(nnx.to_pure_dict(state)))


def _parameter(
    network: Network,
    path: Path,
    array: Leaf,
    names: Prefixes,
    flattened: Mapping[str, int],
) -> Parameter:
    shape, (_, stage, *inner) = tuple(array.shape), path
    normalised = inner[-2:-1] == ["norm"]
    module: Any = network.stages[stage]
    for attribute in inner[: -2 if normalised else -1]:
        module = getattr(module, attribute, None)
    if not isinstance(module, Convolution | Dense):
        # A stage of a user's own: as it is.
        return _reordered(path, ".".join(path[1:]), shape, shape, tuple(range(len(shape))))
    own, norm = names[stage, *inner[: -2 if normalised else -1]]
    if normalised:
        return _reordered(path, f"{norm}.{_NORM[inner[-1]]}", shape, shape, (0,))
    if inner[-1] == "bias":
        return _reordered(path, f"{own}.bias", shape, shape, (0,))
    split = shape
    if stage in flattened:
        # Ours flattens height, width, channels; PyTorch channels, height, width.
        split = (shape[0] // flattened[stage], flattened[stage], shape[1])
    axes = (3, 2, 0, 1) if len(shape) == 4 else tuple(reversed(range(len(split))))
    return _reordered(path, f"{own}.weight", shape, split, axes)


def _reordered(
    path: Path, name: str, shape: tuple[int, ...], split: tuple[int, ...], axes: tuple[int, ...]
) -> Parameter:
    stored = tuple(split[axis] for axis in axes)
    if len(stored) > len(shape):
        stored = (stored[0], math.prod(stored[1:]))
    return Parameter(path, name, shape, split, axes, stored)


def _flattened_channels(network: Network) -> dict[str, int]:
    """For dense stages that read flattened maps how many channels these have."""
    before = _channels_before(network)
    found: dict[str, int] = {}
    channels: int | None = None
    for name in network.order:
        stage = network.stages[name]
        if isinstance(stage, Flatten):
            channels = before[name]
        elif isinstance(stage, Dense) and channels is not None:
            found[name] = channels
        if not isinstance(stage, Flatten | Dropout):
            channels = None
    return found


def _channels_before(network: Network) -> dict[str, int]:
    """How many channels each stage reads, from shapes alone."""
    graph, state = nnx.split(network)
    images = (1, *network.preprocessing.size, network.preprocessing.channels)
    found: dict[str, int] = {}

    def run(state: Any, features: Any) -> Any:
        stages = nnx.merge(graph, state).stages
        for name in network.order:
            found[name] = features_of(features).shape[-1]
            features = stages[name](features)
        return features

    jax.eval_shape(run, state, jax.ShapeDtypeStruct(images, jax.numpy.float32))
    return found
