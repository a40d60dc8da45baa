"""What torchvision calls the layers of a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .._convolution import Convolution
from .._dense import Dense
from .._network import Network
from .._pools import MaxPool
from .._residual import Branch, Merge

# For a stage and the way to a layer inside it: the names of the layer and of its batch norm.
Prefixes = Mapping[tuple[str, ...], tuple[str, str]]
# Where dense layers stand in torchvision's classifier, between dropouts and non-linearities.
_CLASSIFIERS = {
    "alexnet": (1, 4, 6),
    "alexnet_bn": (1, 4, 6),
    "vgg16": (0, 3, 6),
    "vgg16_bn": (0, 3, 6),
}


def prefixes(network: Network) -> Prefixes:
    """The names of a network's convolutions and dense layers, and of their batch norms.

    The papers' networks have torchvision's, whatever dropout they have; others their stages'.
    """
    builder = network.architecture.builder if network.architecture else ""
    if builder in _CLASSIFIERS:
        return _numbered(network, _CLASSIFIERS[builder])
    if builder == "resnet18":
        return _residual(network)
    return {path: (".".join(path), ".".join((*path, "norm"))) for path in _layers(network)}


def _layers(network: Network) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for name in network.order:
        stage = network.stages[name]
        if isinstance(stage, Branch | Merge):
            found.append((name, "convolution"))
        if isinstance(stage, Branch) and stage.projection is not None:
            found.append((name, "projection"))
        if isinstance(stage, Convolution | Dense):
            found.append((name,))
    return found


def _numbered(network: Network, classifier: Sequence[int]) -> Prefixes:
    """Layers by their places in two sequences: convolution, batch norm, ReLU, pool; dense."""
    names: dict[tuple[str, ...], tuple[str, str]] = {}
    place, places = 0, iter(classifier)
    for name in network.order:
        stage = network.stages[name]
        if isinstance(stage, Convolution):
            names[name,] = f"features.{place}", f"features.{place + 1}"
            place += 2 if stage.norm is None else 3
        elif isinstance(stage, MaxPool):
            place += 1
        elif isinstance(stage, Dense):
            names[name,] = f"classifier.{next(places)}", ""
    return names


def _residual(network: Network) -> Prefixes:
    names: dict[tuple[str, ...], tuple[str, str]] = {}
    for stage, *inner in _layers(network):
        block, _, last = stage.rpartition(".")
        if inner == ["projection"]:
            names[stage, *inner] = f"{block}.downsample.0", f"{block}.downsample.1"
        elif inner and last == "conv1":
            names[stage, *inner] = stage, f"{block}.bn1"
        elif inner:
            names[stage, *inner] = f"{stage}.conv2", f"{stage}.bn2"
        else:
            names[stage,] = stage, stage.replace("conv", "bn")
    return names
