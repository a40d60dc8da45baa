"""VGG16 (Simonyan and Zisserman 2015, configuration D)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from flax import nnx
from jaxtyping import Array, Float

from .._errors import InputError
from .._kinds import checks_kinds
from ..data import CIFAR10, IMAGENET, Preprocessing
from ._architecture import Architecture
from ._classifier import Classifier
from ._kernels import InitialKernels
from ._nnx import nnx_classifier
from ._parts import add_convolution, add_dense, check_dropout_layers, classified, convolved
from ._pooling import average_to, max_pool
from ._sizes import MapSize, check_sizes, scaled

# Convolutions and their units, by group; a pool follows each group.
_GROUPS = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))
_NAMES = tuple(
    tuple(f"{group}_{number}" for number in range(1, count + 1))
    for group, (count, _) in enumerate(_GROUPS, start=1)
)


class VGG16(nnx.Module):
    """Thirteen convolutions `conv1_1` to `conv5_3`, then dense layers from `fc6` on."""

    def __init__(
        self,
        classes: int,
        map_size: tuple[int, int] = (7, 7),
        *,
        hidden: tuple[int, ...] = (4096, 4096),
        channels: int = 3,
        width: float = 1.0,
        batch_norm: bool = False,
        dropout: float = 0.0,
        channel_dropout: Mapping[str, float] | None = None,
        seed: int = 0,
    ) -> None:
        """Draw its weights; see `vgg16` for the other arguments.

        Args:
          classes: number of classes.
          map_size: rows and columns to which the last maps are averaged.
          hidden: units of the dense layers before the logits.
          channels: of its images.
          width: factor on the number of units of every layer.
          batch_norm: whether each convolution has a batch norm.
          dropout: probability that a unit of the dense layers is dropped.
          channel_dropout: for some convolutions the probability that a channel is dropped.
          seed: the seed of the weights.
        """
        kernels = InitialKernels(seed)
        rates = dict(channel_dropout or {})
        inputs = channels
        for names, (_, units) in zip(_NAMES, _GROUPS, strict=True):
            for name in names:
                outputs = scaled(units, width)
                add_convolution(
                    self,
                    name,
                    inputs,
                    outputs,
                    padding=1,
                    normalized=batch_norm,
                    dropout=rates.get(f"conv{name}", 0.0),
                    kernels=kernels,
                )
                inputs = outputs
        self.map_size = map_size
        widths = [*(scaled(units, width) for units in hidden), classes]
        self.dense = tuple(f"fc{number}" for number in range(6, 6 + len(widths)))
        add_dense(
            self,
            inputs * map_size[0] * map_size[1],
            dict(zip(self.dense, widths, strict=True)),
            dropout=dropout,
            kernels=kernels,
        )

    def __call__(
        self, images: Float[Array, "images height width channels"]
    ) -> Float[Array, "images classes"]:
        """Logits."""
        maps = images
        for names in _NAMES:
            for name in names:
                maps = convolved(self, name, maps)
            maps = max_pool(maps, 2, 2)
        maps = average_to(maps, self.map_size)
        return classified(self, self.dense, maps.reshape(len(maps), -1))


@checks_kinds
def vgg16(
    classes: int = 1000,
    *,
    head: str = "imagenet",
    width: float = 1.0,
    dropout: float = 0.0,
    channel_dropout: Mapping[str, float] | None = None,
    preprocessing: Preprocessing | None = None,
    seed: int = 0,
) -> Classifier:
    """VGG16: `conv1_1` to `conv5_3`, then dense layers, the last for the logits.

    Args:
      classes: number of classes.
      head: `"imagenet"`: `fc6` and `fc7` of 4,096 units and `fc8`, in torchvision's layout;
        `"cifar"`: `fc6` of 512 units and `fc7`, for images of 32×32.
      width: factor on the number of units of every layer.
      dropout: probability that a unit of the dense layers is dropped in training; torchvision
        takes 0.5.
      channel_dropout: for some of the convolutions, the probability that a channel is dropped in
        training.
      preprocessing: size, channels and standardization of its images; by default torchvision's for
        ImageNet, or 32×32. Under the ImageNet head maps of other sizes than 7×7 before `fc6` are
        averaged to that, so that weights fit images of any size.
      seed: the seed of the initial weights (He normal; biases 0).

    Returns:
      The network, with random weights.

    Raises:
      InputError: an unknown head or layer, a number of classes or a width that leaves nothing, a
        rate that is no probability, images too small for its layers, more than 2^29 parameters in a
        layer, or a seed outside 0 to 2^32 - 1.
    """
    return _build(
        "vgg16", False, classes, head, width, dropout, channel_dropout, preprocessing, seed
    )


@checks_kinds
def vgg16_bn(
    classes: int = 1000,
    *,
    head: str = "imagenet",
    width: float = 1.0,
    dropout: float = 0.0,
    channel_dropout: Mapping[str, float] | None = None,
    preprocessing: Preprocessing | None = None,
    seed: int = 0,
) -> Classifier:
    """VGG16 with batch norm on the convolutions; see `vgg16`.

    Args:
      classes: as for `vgg16`.
      head: as for `vgg16`.
      width: as for `vgg16`.
      dropout: as for `vgg16`.
      channel_dropout: as for `vgg16`.
      preprocessing: as for `vgg16`.
      seed: as for `vgg16`.

    Returns:
      The network, with random weights.

    Raises:
      InputError: as `vgg16`.
    """
    return _build(
        "vgg16_bn", True, classes, head, width, dropout, channel_dropout, preprocessing, seed
    )


def _build(
    builder: str,
    batch_norm: bool,
    classes: int,
    head: str,
    width: float,
    dropout: float,
    channel_dropout: Mapping[str, float] | None,
    preprocessing: Preprocessing | None,
    seed: int,
) -> Classifier:
    check_sizes(builder, classes, width, seed)
    if head not in ("imagenet", "cifar"):
        raise InputError(f"{builder} with head={head!r}: give 'imagenet' or 'cifar'")
    preprocessing = preprocessing or (IMAGENET if head == "imagenet" else CIFAR10)
    names = [f"conv{name}" for group in _NAMES for name in group]
    rates = check_dropout_layers(channel_dropout, names, builder)
    size = MapSize.of_images(builder, preprocessing.size)
    for group in _NAMES:
        size = size.behind(f"the pool behind 'conv{group[-1]}'", 2, 2)
    module = VGG16(
        classes,
        (7, 7) if head == "imagenet" else size.size,
        hidden=(4096, 4096) if head == "imagenet" else (512,),
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
        head=head,
        width=width,
        dropout=dropout,
        channel_dropout=rates,
        preprocessing=dataclasses.asdict(preprocessing),
    )
    return nnx_classifier(
        module, preprocessing=preprocessing, name=builder, architecture=architecture
    )
