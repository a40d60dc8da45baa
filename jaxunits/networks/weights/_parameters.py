"""A network's arrays under the names, and in the layouts, that files have."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from flax import nnx
from jaxtyping import Shaped

from ..._errors import unknown_name
from .._arrays import arrays
from .._classifier import Classifier
from ._reading import reading
from ._torchvision import torchvision_layers

# From a parameter's name to the file's.
Names = Mapping[str, str] | Callable[[str], str]
_NORMS = (nnx.BatchNorm, nnx.GroupNorm, nnx.InstanceNorm, nnx.LayerNorm, nnx.RMSNorm)
# What PyTorch calls the arrays of Flax's modules.
_KINDS: Mapping[Any, Mapping[str, str]] = {
    nnx.Conv: {"kernel": "weight", "bias": "bias"},
    nnx.Embed: {"embedding": "weight"},
    nnx.Linear: {"kernel": "weight", "bias": "bias"},
    _NORMS: {"scale": "weight", "bias": "bias", "mean": "running_mean", "var": "running_var"},
}


@dataclass(frozen=True)
class Parameter:
    """An array of a network and its counterpart in files.

    The counterpart is the array with its axes split, reordered and joined:
    `array.reshape(split).transpose(axes).reshape(stored_shape)`.

    Attributes:
      array: its name among the network's arrays.
      layer: the path of the module that it belongs to; empty for the network itself.
      name: its counterpart's name.
      shape: its shape.
      split: its shape with the axes apart that the file orders in another way.
      axes: the order of these in the file.
      stored_shape: its counterpart's shape.
    """

    array: str
    layer: str
    name: str
    shape: tuple[int, ...]
    split: tuple[int, ...]
    axes: tuple[int, ...]
    stored_shape: tuple[int, ...]

    @property
    def kind(self) -> str:
        """What its module calls it."""
        return self.array.rpartition(".")[2]

    def stored(self, array: Shaped[np.ndarray, ...]) -> Shaped[np.ndarray, ...]:
        """The counterpart of the network's array."""
        return array.reshape(self.split).transpose(self.axes).reshape(self.stored_shape)

    def own(self, array: Shaped[np.ndarray, ...]) -> Shaped[np.ndarray, ...]:
        """The network's array from its counterpart."""
        ordered = array.reshape([self.split[axis] for axis in self.axes])
        return ordered.transpose(np.argsort(self.axes)).reshape(self.shape)


def parameters(network: Classifier, names: Names | None = None) -> tuple[Parameter, ...]:
    """A network's parameters and running averages in PyTorch's layouts, in the order of their use.

    Args:
      network: of Flax NNX. The library's own networks have torchvision's names; others the paths
        of their modules, as PyTorch would call them: `conv1.weight`, `bn1.running_mean`.
      names: other names for some of these.

    Raises:
      InputError: `names` names a parameter that the network does not have.
    """
    used = reading(network)
    layers = torchvision_layers(network)
    modules = {".".join(map(str, path)): each for path, each in nnx.iter_modules(network.module)}
    shapes = {name: tuple(leaf.shape) for name, leaf in arrays(network).items()}
    found = []
    for array in used.order:
        layer, _, kind = array.rpartition(".")
        terms = _terms(modules.get(layer))
        name = ".".join(filter(None, (layers.get(layer, layer), terms.get(kind, kind))))
        turned = terms.get(kind) == "weight" and kind == "kernel"
        channels = used.flattened.get(array)
        found.append(_parameter(array, layer, name, shapes[array], turned, channels))
    return _renamed(found, names)


def _terms(module: Any) -> Mapping[str, str]:
    """What PyTorch calls a module's arrays; nothing for modules that it does not have."""
    return next((terms for kind, terms in _KINDS.items() if isinstance(module, kind)), {})


def _parameter(
    array: str,
    layer: str,
    name: str,
    shape: tuple[int, ...],
    turned: bool,
    channels: int | None,
) -> Parameter:
    split = shape
    if channels is not None:
        # Ours flattens height, width, channels; PyTorch channels, height, width.
        split = (shape[0] // channels, channels, shape[1])
    places = tuple(range(len(split) - 2))
    # The outputs first, then the inputs.
    axes = (len(split) - 1, len(split) - 2, *places) if turned else tuple(range(len(split)))
    stored = tuple(split[axis] for axis in axes)
    if len(split) > len(shape):
        stored = (stored[0], math.prod(stored[1:]))
    return Parameter(array, layer, name, shape, split, axes, stored)


def _renamed(found: list[Parameter], names: Names | None) -> tuple[Parameter, ...]:
    if names is None:
        return tuple(found)
    if isinstance(names, Mapping):
        known = [parameter.name for parameter in found]
        for name in names:
            if name not in known:
                raise unknown_name("parameter", name, known, "names: the network")
    rename = (lambda name: names.get(name, name)) if isinstance(names, Mapping) else names
    return tuple(replace(parameter, name=rename(parameter.name)) for parameter in found)
