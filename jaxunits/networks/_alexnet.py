"""AlexNet (Krizhevsky 2014) in torchvision's layout."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from flax import nnx
from jaxtyping import Array, Float

from .._kinds import checks_kinds
from ..data import IMAGENET, Preprocessing
from ._architecture import Architecture
from ._classifier import Classifier
from ._kernels import InitialKernels, dense
from ._nnx import nnx_classifier
from ._parts import add_convolution, check_dropout_layers, convolved, unit_dropout
from ._pooling import average_to, max_pool
from ._sizes import MapSize, check_sizes, scaled

# Units, side of the kernel, strides, padding; and the convolutions that a pool follows.
_CONVOLUTIONS = ((64, 11, 4, 2), (192, 5, 1, 2), (384, 3, 1, 1), (256, 3, 1, 1), (256, 3, 1, 1))
_POOLED = (1, 2, 5)


class AlexNet(nnx.Module):
    """Five convolutions `conv1` to `conv5` and three dense layers `fc6` to `fc8`."""

    def __init__(
        self,
        classes: int,
        *,
        channels: int = 3,
        width: float = 1.0,
        batch_norm: bool = False,
        dropout: float = 0.0,
        channel_dropout: Mapping[str, float] | None = None,
        seed: int = 0,
    ) -> None:
        """Draw its weights; see `alexnet` for the arguments."""
        kernels = InitialKernels(seed)
        rates = dict(channel_dropout or {})
        inputs = channels
        for number, (units, size, strides, padding) in enumerate(_CONVOLUTIONS, start=1):
            outputs = scaled(units, width)
            add_convolution(
                self,
                f"{number}",
                inputs,
                outputs,
                size=size,
                strides=strides,
                padding=padding,
                normalized=batch_norm,
                dropout=rates.get(f"conv{number}", 0.0),
                kernels=kernels,
            )
            inputs = outputs
        hidden = scaled(4096, width)
        self.dropout6 = unit_dropout(dropout, kernels.rngs)
        self.fc6 = dense(inputs * 36, hidden, kernels.he)
        self.dropout7 = unit_dropout(dropout, kernels.rngs)
        self.fc7 = dense(hidden, hidden, kernels.he)
        self.fc8 = dense(hidden, classes, kernels.lecun)

    def __call__(
        self, images: Float[Array, "images height width channels"]
    ) -> Float[Array, "images classes"]:
        """Logits."""
        maps = images
        for number in range(1, len(_CONVOLUTIONS) + 1):
            maps = convolved(self, f"{number}", maps)
            if number in _POOLED:
                maps = max_pool(maps, 3, 2)
        maps = average_to(maps, (6, 6))
        features = maps.reshape(len(maps), -1)
        features = nnx.relu(self.fc6(self.dropout6(features)))
        features = nnx.relu(self.fc7(self.dropout7(features)))
        return self.fc8(features)


@checks_kinds
def alexnet(
    classes: int = 1000,
    *,
    width: float = 1.0,
    dropout: float = 0.0,
    channel_dropout: Mapping[str, float] | None = None,
    preprocessing: Preprocessing = IMAGENET,
    seed: int = 0,
) -> Classifier:
    """AlexNet: `conv1` to `conv5`, `fc6`, `fc7`, and `fc8` for the logits.

    Args:
      classes: number of classes.
      width: factor on the number of units of every layer.
      dropout: probability that a number read by `fc6` or `fc7` is dropped in training; torchvision
        takes 0.5.
      channel_dropout: for some of the convolutions, the probability that a channel is dropped in
        training.
      preprocessing: size, channels and standardization of its images. Maps of other sizes than 6×6
        before `fc6` are averaged to that, so that weights fit images of any size.
      seed: the seed of the initial weights (He normal; biases 0).

    Returns:
      The network, with random weights.

    Raises:
      InputError: a number of classes or a width that leaves nothing, an unknown layer, a rate that
        is no probability, images too small for its layers, more than 2^29 parameters in a layer, or
        a seed outside 0 to 2^32 - 1.
    """
    return _build("alexnet", False, classes, width, dropout, channel_dropout, preprocessing, seed)


@checks_kinds
def alexnet_bn(
    classes: int = 1000,
    *,
    width: float = 1.0,
    dropout: float = 0.0,
    channel_dropout: Mapping[str, float] | None = None,
    preprocessing: Preprocessing = IMAGENET,
    seed: int = 0,
) -> Classifier:
    """AlexNet with batch norm on the five convolutions (Zhou et al. 2018, §3.5); see `alexnet`.

    Args:
      classes: as for `alexnet`.
      width: as for `alexnet`.
      dropout: as for `alexnet`.
      channel_dropout: as for `alexnet`.
      preprocessing: as for `alexnet`.
      seed: as for `alexnet`.

    Returns:
      The network, with random weights.

    Raises:
      InputError: as `alexnet`.
    """
    return _build("alexnet_bn", True, classes, width, dropout, channel_dropout, preprocessing, seed)


def _build(
    builder: str,
    batch_norm: bool,
    classes: int,
    width: float,
    dropout: float,
    channel_dropout: Mapping[str, float] | None,
    preprocessing: Preprocessing,
    seed: int,
) -> Classifier:
    check_sizes(builder, classes, width, seed)
    names = [f"conv{number}" for number in range(1, len(_CONVOLUTIONS) + 1)]
    rates = check_dropout_layers(channel_dropout, names, builder)
    _check_size(builder, preprocessing)
    module = AlexNet(
        classes,
        channels=preprocessing.channels,
        width=width,
        batch_norm=batch_norm,
        dropout=dropout,
        channel_dropout=rates,
        seed=seed,
    )
    architecture = Architecture.of(
        builder,
        classes=classes,
        width=width,
        dropout=dropout,
        channel_dropout=rates,
        preprocessing=dataclasses.asdict(preprocessing),
    )
    return nnx_classifier(
        module, preprocessing=preprocessing, name=builder, architecture=architecture
    )


def _check_size(builder: str, preprocessing: Preprocessing) -> None:
    size = MapSize.of_images(builder, preprocessing.size)
    for number, (_, window, strides, padding) in enumerate(_CONVOLUTIONS, start=1):
        size = size.behind(f"'conv{number}'", window, strides, padding)
        if number in _POOLED:
            size = size.behind(f"the pool behind 'conv{number}'", 3, 2)
