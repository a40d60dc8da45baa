"""The networks that can be trained: frozen dataclasses that build them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, Literal, Protocol, runtime_checkable

import jaxunits as ju


@runtime_checkable
class Network(Protocol):
    """The settings of a network: a frozen dataclass that builds it.

    For your own network, `build` wraps a module: `ju.networks.from_nnx(module, preprocessing=…)`.
    """

    def build(
        self, classes: int, preprocessing: ju.data.Preprocessing, seed: int
    ) -> ju.networks.Classifier:
        """Build it with fresh weights."""
        ...


@dataclass(frozen=True)
class _Arguments:
    """Settings that are the arguments of a builder of `ju.networks`.

    Attributes:
      _builders: its name; or two, without batch norm and with it.
    """

    _builders: ClassVar[tuple[str, ...]]

    def build(
        self, classes: int, preprocessing: ju.data.Preprocessing, seed: int
    ) -> ju.networks.Classifier:
        """Build it with fresh weights."""
        arguments = dict(vars(self))
        which = arguments.pop("batch_norm") if len(self._builders) == 2 else 0
        builder: Callable[..., ju.networks.Classifier]
        builder = getattr(ju.networks, self._builders[which])
        return builder(classes, preprocessing=preprocessing, seed=seed, **arguments)


@dataclass(frozen=True)
class ConvNet(_Arguments):
    """The convolutional network of *Representative Substitution* (arXiv 1911.05586)."""

    _builders = ("convnet",)

    widths: tuple[int, ...] = (64, 64, 128, 128)
    """Units of each convolution."""
    pool_after: tuple[str, ...] = ("conv2", "conv4")
    """The convolutions that are followed by a 2×2 max-pool."""
    dense: tuple[int, ...] = ()
    """Units of dense layers between the convolutions and the logits."""
    batch_norm: bool = False
    """Batch norm before each convolution's non-linearity."""
    dropout: float = 0.0
    """Probability that a unit of the dense layers is dropped."""
    channel_dropout: dict[str, float] = field(default_factory=dict)
    """Layers behind which channels are dropped, with the probability."""


@dataclass(frozen=True)
class MLP(_Arguments):
    """The multi-layer perceptron of *Representative Substitution* (arXiv 1911.05586)."""

    _builders = ("mlp",)

    widths: tuple[int, ...] = (128, 512, 2048, 2048)
    """Units of each layer."""
    dropout: float = 0.0
    """Probability that a unit is dropped."""


@dataclass(frozen=True)
class AlexNet(_Arguments):
    """AlexNet in torchvision's layout."""

    _builders = ("alexnet", "alexnet_bn")

    batch_norm: bool = False
    """Batch norm on the five convolutions."""
    width: float = 1.0
    """Factor on the number of units of every layer."""
    dropout: float = 0.0
    """Probability that a number read by fc6 or fc7 is dropped."""
    channel_dropout: dict[str, float] = field(default_factory=dict)
    """Layers behind which channels are dropped, with the probability."""


@dataclass(frozen=True)
class VGG16(_Arguments):
    """VGG16."""

    _builders = ("vgg16", "vgg16_bn")

    head: Literal["imagenet", "cifar"] = "imagenet"
    """Dense layers of 4,096 units as torchvision's, or one of 512 for images of 32×32."""
    batch_norm: bool = False
    """Batch norm on the convolutions."""
    width: float = 1.0
    """Factor on the number of units of every layer."""
    dropout: float = 0.0
    """Probability that a unit of the dense layers is dropped."""
    channel_dropout: dict[str, float] = field(default_factory=dict)
    """Layers behind which channels are dropped, with the probability."""


@dataclass(frozen=True)
class ResNet18(_Arguments):
    """ResNet18."""

    _builders = ("resnet18",)

    stem: Literal["imagenet", "cifar"] = "imagenet"
    """A 7×7 convolution of stride 2 and a pool, or a 3×3 convolution for images of 32×32."""
    width: float = 1.0
    """Factor on the number of units of every layer."""
    channel_dropout: dict[str, float] = field(default_factory=dict)
    """Layers behind which channels are dropped, with the probability."""


@dataclass(frozen=True)
class VisionTransformer(_Arguments):
    """A vision transformer (Dosovitskiy et al. 2021)."""

    _builders = ("vision_transformer",)

    patch: int = 4
    """Side of a patch in pixels."""
    width: int = 64
    """Numbers per token."""
    depth: int = 4
    """Blocks."""
    heads: int = 4
    """Attention heads of a block."""
    hidden: int = 128
    """Neurons of a block."""
