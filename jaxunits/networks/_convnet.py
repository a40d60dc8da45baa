"""The convolutional network of *Representative Substitution* (arXiv 1911.05586)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from flax import nnx
from jaxtyping import Array, Float

from .._errors import unknown_name
from .._kinds import checks_kinds
from ..data import CIFAR10, Preprocessing
from ._architecture import Architecture
from ._classifier import Classifier
from ._kernels import InitialKernels
from ._nnx import nnx_classifier
from ._parts import add_convolution, add_dense, check_dropout_layers, classified, convolved
from ._pooling import max_pool
from ._sizes import MapSize, check_widths


class ConvNet(nnx.Module):
    """3×3 convolutions `conv1`, … with ReLU, then dense layers, the last of them `logits`."""

    def __init__(
        self,
        classes: int,
        map_size: tuple[int, int],
        *,
        widths: Sequence[int],
        pool_after: Sequence[str] = (),
        dense: Sequence[int] = (),
        channels: int = 3,
        batch_norm: bool = False,
        dropout: float = 0.0,
        channel_dropout: Mapping[str, float] | None = None,
        seed: int = 0,
    ) -> None:
        """Draw its weights; see `convnet` for the other arguments.

        Args:
          classes: number of classes.
          map_size: rows and columns of the last maps.
          widths: units of each convolution.
          pool_after: the convolutions that a 2×2 max-pool follows.
          dense: units of the dense layers before the logits.
          channels: of its images.
          batch_norm: whether each convolution has a batch norm.
          dropout: probability that a unit of the dense layers is dropped.
          channel_dropout: for some convolutions the probability that a channel is dropped.
          seed: the seed of the weights.
        """
        kernels = InitialKernels(seed)
        rates = dict(channel_dropout or {})
        inputs = channels
        for number, outputs in enumerate(widths, start=1):
            add_convolution(
                self,
                f"{number}",
                inputs,
                outputs,
                padding=1,
                normalized=batch_norm,
                dropout=rates.get(f"conv{number}", 0.0),
                kernels=kernels,
            )
            inputs = outputs
        self.convolutions = len(widths)
        self.pool_after = tuple(pool_after)
        first = len(widths) + 1
        self.dense = (*(f"fc{number}" for number in range(first, first + len(dense))), "logits")
        add_dense(
            self,
            inputs * map_size[0] * map_size[1],
            dict(zip(self.dense, [*dense, classes], strict=True)),
            dropout=dropout,
            kernels=kernels,
        )

    def __call__(
        self, images: Float[Array, "images height width channels"]
    ) -> Float[Array, "images classes"]:
        """Logits."""
        maps = images
        for number in range(1, self.convolutions + 1):
            maps = convolved(self, f"{number}", maps)
            if f"conv{number}" in self.pool_after:
                maps = max_pool(maps, 2, 2)
        return classified(self, self.dense, maps.reshape(len(maps), -1))


@checks_kinds
def convnet(
    classes: int,
    *,
    widths: Sequence[int] = (64, 64, 128, 128),
    pool_after: Sequence[str] = ("conv2", "conv4"),
    dense: Sequence[int] = (),
    batch_norm: bool = False,
    dropout: float = 0.0,
    channel_dropout: Mapping[str, float] | None = None,
    preprocessing: Preprocessing = CIFAR10,
    seed: int = 0,
) -> Classifier:
    """3×3 convolutions of stride 1 with ReLU, `conv1`, `conv2`, …, then `logits`.

    By default that of *Representative Substitution* (arXiv 1911.05586).

    Args:
      classes: number of classes.
      widths: units of each convolution.
      pool_after: the convolutions that are followed by a 2×2 max-pool.
      dense: units of dense layers between the convolutions and the logits, named `fc5`, ….
      batch_norm: whether each convolution has a batch norm before its non-linearity.
      dropout: probability that a unit of the dense layers is dropped in training.
      channel_dropout: for some of the convolutions, the probability that a channel is dropped in
        training.
      preprocessing: size, channels and standardization of its images.
      seed: the seed of the initial weights (He normal; biases 0).

    Returns:
      The network, with random weights.

    Raises:
      InputError: no layers, a width or number of classes below 1, a pool or dropout after a layer
        that does not exist, a rate that is not a probability, images too small for the pools, more
        than 2^29 parameters, or a seed outside 0 to 2^32 - 1.
    """
    check_widths("convnet", classes, [*widths, *dense], seed)
    names = [f"conv{number}" for number in range(1, len(widths) + 1)]
    for name in pool_after:
        if name not in names:
            raise unknown_name("layer", name, names, "pool_after: the network")
    rates = check_dropout_layers(channel_dropout, names, "convnet")
    size = MapSize.of_images("convnet", preprocessing.size)
    for name in names:
        if name in pool_after:
            size = size.behind(f"the pool behind {name!r}", 2, 2)
    module = ConvNet(
        classes,
        size.size,
        widths=widths,
        pool_after=pool_after,
        dense=dense,
        channels=preprocessing.channels,
        batch_norm=batch_norm,
        dropout=dropout,
        channel_dropout=rates,
        seed=seed,
    )
    architecture = Architecture.of(
        "convnet",
        classes=classes,
        widths=list(widths),
        pool_after=list(pool_after),
        dense=list(dense),
        batch_norm=batch_norm,
        dropout=dropout,
        channel_dropout=rates,
        preprocessing=dataclasses.asdict(preprocessing),
    )
    return nnx_classifier(
        module, preprocessing=preprocessing, name="convnet", architecture=architecture
    )
