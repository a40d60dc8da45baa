"""SqueezeNet (Iandola et al. 2016) in torchvision's layout."""

from __future__ import annotations

import dataclasses

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from .._kinds import checks_kinds
from ..data import IMAGENET, Preprocessing
from ._architecture import Architecture
from ._classifier import Classifier
from ._convolution import convolution
from ._kernels import InitialKernels
from ._nnx import nnx_classifier
from ._parts import unit_dropout
from ._pooling import max_pool
from ._sizes import MapSize, check_sizes, scaled

# Channels of the squeeze and of each of the two expanding convolutions, fire2 to fire9.
_FIRES = ((16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256))
# By version: units and side of the first kernel, and the modules that a pool follows.
_VERSIONS = {
    "1_0": (96, 7, ("conv1", "fire4", "fire8")),
    "1_1": (64, 3, ("conv1", "fire3", "fire5")),
}


class Fire(nnx.Module):
    """A 1×1 convolution to few channels, then 1×1 and 3×3 convolutions side by side."""

    def __init__(self, inputs: int, squeezed: int, expanded: int, kernels: InitialKernels) -> None:
        """Draw its weights."""
        self.squeeze = convolution(inputs, squeezed, 1, kernel_init=kernels.he)
        self.expand1x1 = convolution(squeezed, expanded, 1, kernel_init=kernels.he)
        self.expand3x3 = convolution(squeezed, expanded, 3, padding=1, kernel_init=kernels.he)

    def __call__(
        self, maps: Float[Array, "images height width inputs"]
    ) -> Float[Array, "images height width outputs"]:
        """Both expanded maps, that of 1×1 first."""
        squeezed = nnx.relu(self.squeeze(maps))
        expanded = [nnx.relu(self.expand1x1(squeezed)), nnx.relu(self.expand3x3(squeezed))]
        return jnp.concatenate(expanded, axis=-1)


class SqueezeNet(nnx.Module):
    """A convolution `conv1`, modules `fire2` to `fire9`, and `conv10` with a map per class."""

    def __init__(
        self,
        classes: int,
        *,
        version: str = "1_1",
        channels: int = 3,
        width: float = 1.0,
        dropout: float = 0.0,
        seed: int = 0,
    ) -> None:
        """Draw its weights; see `squeezenet1_1` for the arguments."""
        kernels = InitialKernels(seed)
        units, side, self.pool_after = _VERSIONS[version]
        inputs = scaled(units, width)
        self.conv1 = convolution(channels, inputs, side, strides=2, kernel_init=kernels.he)
        for number, sizes in enumerate(_FIRES, start=2):
            squeezed, expanded = (scaled(size, width) for size in sizes)
            setattr(self, f"fire{number}", Fire(inputs, squeezed, expanded, kernels))
            inputs = 2 * expanded
        self.dropout = unit_dropout(dropout, kernels.rngs)
        self.conv10 = convolution(inputs, classes, 1, kernel_init=kernels.he)

    def __call__(
        self, images: Float[Array, "images height width channels"]
    ) -> Float[Array, "images classes"]:
        """Logits: the means of the classes' maps."""
        maps = max_pool(nnx.relu(self.conv1(images)), 3, 2, 0, True)
        for number in range(2, 2 + len(_FIRES)):
            maps = getattr(self, f"fire{number}")(maps)
            if f"fire{number}" in self.pool_after:
                maps = max_pool(maps, 3, 2, 0, True)
        return nnx.relu(self.conv10(self.dropout(maps))).mean((1, 2))


@checks_kinds
def squeezenet1_0(
    classes: int = 1000,
    *,
    width: float = 1.0,
    dropout: float = 0.0,
    preprocessing: Preprocessing = IMAGENET,
    seed: int = 0,
) -> Classifier:
    """SqueezeNet 1.0, with a first kernel of 7×7; see `squeezenet1_1`.

    Args:
      classes: as for `squeezenet1_1`.
      width: as for `squeezenet1_1`.
      dropout: as for `squeezenet1_1`.
      preprocessing: as for `squeezenet1_1`.
      seed: as for `squeezenet1_1`.

    Returns:
      The network, with random weights.

    Raises:
      InputError: as `squeezenet1_1`.
    """
    return _build("squeezenet1_0", classes, width, dropout, preprocessing, seed)


@checks_kinds
def squeezenet1_1(
    classes: int = 1000,
    *,
    width: float = 1.0,
    dropout: float = 0.0,
    preprocessing: Preprocessing = IMAGENET,
    seed: int = 0,
) -> Classifier:
    """SqueezeNet 1.1: `conv1`, `fire2` to `fire9`, `conv10`, a global average.

    Args:
      classes: number of classes.
      width: factor on the number of units of every layer.
      dropout: probability that a number read by `conv10` is dropped in training; torchvision takes
        0.5.
      preprocessing: size, channels and standardization of its images.
      seed: the seed of the initial weights (He normal; biases 0).

    Returns:
      The network, with random weights.

    Raises:
      InputError: a number of classes or a width that leaves nothing, a rate that is not a
        probability, images too small for the pools, or a seed outside 0 to 2^32 - 1.
    """
    return _build("squeezenet1_1", classes, width, dropout, preprocessing, seed)


def _build(
    builder: str,
    classes: int,
    width: float,
    dropout: float,
    preprocessing: Preprocessing,
    seed: int,
) -> Classifier:
    check_sizes(builder, classes, width, seed)
    version = builder.removeprefix("squeezenet")
    _, side, pooled = _VERSIONS[version]
    size = MapSize.of_images(builder, preprocessing.size).behind("'conv1'", side, 2)
    for name in pooled:
        size = size.behind(f"the pool behind {name!r}", 3, 2, ceil=True)
    module = SqueezeNet(
        classes,
        version=version,
        channels=preprocessing.channels,
        width=width,
        dropout=dropout,
        seed=seed,
    )
    architecture = Architecture.of(
        builder,
        classes=classes,
        width=width,
        dropout=dropout,
        preprocessing=dataclasses.asdict(preprocessing),
    )
    return nnx_classifier(
        module, preprocessing=preprocessing, name=builder, architecture=architecture
    )
