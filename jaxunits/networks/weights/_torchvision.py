"""What torchvision calls the modules of the library's own networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .._arrays import arrays
from .._classifier import Classifier

# The convolutions that a pool follows, and where dense layers stand in torchvision's classifier,
# between dropouts and non-linearities.
_SEQUENCES = {
    "alexnet": (("conv1", "conv2", "conv5"), (1, 4, 6)),
    "vgg16": (("conv1_2", "conv2_2", "conv3_3", "conv4_3", "conv5_3"), (0, 3, 6)),
}
# Where fire2 to fire9 stand among the features.
_FIRES = {
    "squeezenet1_0": (3, 4, 5, 7, 8, 9, 10, 12),
    "squeezenet1_1": (3, 4, 6, 7, 9, 10, 11, 12),
}


def torchvision_layers(network: Classifier) -> Mapping[str, str]:
    """For modules' paths torchvision's, where they differ; whatever dropout the network has."""
    builder = network.architecture.builder if network.architecture else ""
    if (plain := builder.removesuffix("_bn")) in _SEQUENCES:
        return _numbered(network, *_SEQUENCES[plain], batch_norm=builder != plain)
    if builder in _FIRES:
        fires = {
            f"fire{number}.{part}": f"features.{place}.{part}"
            for number, place in enumerate(_FIRES[builder], start=2)
            for part in ("squeeze", "expand1x1", "expand3x3")
        }
        return {"conv1": "features.0", "conv10": "classifier.1"} | fires
    return {}


def _numbered(
    network: Classifier, pooled: Sequence[str], classifier: Sequence[int], *, batch_norm: bool
) -> dict[str, str]:
    """Modules by their places in two sequences: convolution, batch norm, ReLU, pool; dense."""
    layers = sorted({array.rpartition(".")[0] for array in arrays(network)})
    names: dict[str, str] = {}
    place = 0
    for layer in layers:
        if layer.startswith("conv"):
            names[layer] = f"features.{place}"
            names[layer.replace("conv", "bn")] = f"features.{place + 1}"
            place += 2 + batch_norm + (layer in pooled)
    dense = [layer for layer in layers if layer.startswith("fc")]
    return names | {
        layer: f"classifier.{place}" for layer, place in zip(dense, classifier, strict=False)
    }
