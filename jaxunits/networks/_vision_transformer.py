"""A vision transformer (Dosovitskiy et al. 2021), small enough to train on a laptop."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from .._bounds import SEEDS, check_numbers, check_parameter_count
from .._errors import InputError
from .._kinds import checks_kinds
from ..data import CIFAR10, Preprocessing
from ._architecture import Architecture
from ._checked import check_options
from ._classifier import Classifier
from ._kernels import InitialKernels, dense
from ._nnx import nnx_classifier

# Of the class token and the positions.
_DEVIATION = 0.02
# The axis of heads in `[images, tokens, heads, features]`.
_OF_HEADS = 2


class Heads(nnx.Module):
    """What each head gives each token: a module, so that heads are a layer."""

    def __call__(
        self,
        query: Float[Array, "images tokens heads features"],
        key: Float[Array, "images tokens heads features"],
        value: Float[Array, "images tokens heads features"],
    ) -> Float[Array, "images tokens heads features"]:
        """Means of the values of all tokens, weighted by attention."""
        return nnx.dot_product_attention(query, key, value)


class Block(nnx.Module):
    """Attention, then a dense layer of neurons, each added to what comes in (pre-norm)."""

    def __init__(self, width: int, heads: int, hidden: int, kernels: InitialKernels) -> None:
        """Draw its weights.

        Args:
          width: numbers per token.
          heads: attention heads.
          hidden: neurons.
          kernels: draws the kernels.
        """
        inside = (heads, width // heads)
        self.norm1 = nnx.LayerNorm(width, rngs=kernels.rngs)
        self.query = _general(width, inside, kernels)
        self.key = _general(width, inside, kernels)
        self.value = _general(width, inside, kernels)
        self.heads = Heads()
        self.out = _general(inside, width, kernels)
        self.norm2 = nnx.LayerNorm(width, rngs=kernels.rngs)
        self.up = dense(width, hidden, kernels.he)
        self.down = dense(hidden, width, kernels.lecun)

    def __call__(
        self, tokens: Float[Array, "images tokens width"]
    ) -> Float[Array, "images tokens width"]:
        """The tokens, changed by attention and neurons."""
        given = self.norm1(tokens)
        seen = self.heads(self.query(given), self.key(given), self.value(given))
        tokens = tokens + self.out(seen)
        return tokens + self.down(nnx.gelu(self.up(self.norm2(tokens))))


class VisionTransformer(nnx.Module):
    """Patches, blocks of attention and neurons, and logits from the class token."""

    def __init__(
        self,
        classes: int,
        positions: int,
        *,
        channels: int,
        patch: int,
        width: int,
        depth: int,
        heads: int,
        hidden: int,
        seed: int = 0,
    ) -> None:
        """Draw its weights; see `vision_transformer` for the other arguments.

        Args:
          classes: number of classes.
          positions: patches per image.
          channels: of its images.
          patch: side of a patch in pixels.
          width: numbers per token.
          depth: blocks.
          heads: attention heads of a block.
          hidden: neurons of a block.
          seed: the seed of the weights.
        """
        kernels = InitialKernels(seed)
        rngs = kernels.rngs
        side = (patch, patch)
        self.patches = nnx.Conv(
            channels, width, side, side, padding="VALID", kernel_init=kernels.lecun, rngs=rngs
        )
        drawn = nnx.initializers.normal(_DEVIATION)
        self.token = nnx.Param(drawn(rngs.params(), (1, 1, width), jnp.float32))
        self.positions = nnx.Param(drawn(rngs.params(), (1, positions + 1, width), jnp.float32))
        self.blocks = nnx.List([Block(width, heads, hidden, kernels) for _ in range(depth)])
        self.norm = nnx.LayerNorm(width, rngs=rngs)
        self.logits = dense(width, classes, kernels.lecun)

    def __call__(
        self, images: Float[Array, "images height width channels"]
    ) -> Float[Array, "images classes"]:
        """Logits."""
        patches = self.patches(images)
        tokens = patches.reshape(len(images), -1, patches.shape[-1])
        first = jnp.broadcast_to(self.token[...], (len(images), 1, tokens.shape[-1]))
        tokens = jnp.concatenate([first, tokens], 1) + self.positions[...]
        for block in self.blocks:
            tokens = block(tokens)
        return self.logits(self.norm(tokens)[:, 0])


def _general(
    inputs: int | tuple[int, ...], outputs: int | tuple[int, ...], kernels: InitialKernels
) -> nnx.LinearGeneral:
    """A dense layer from or to several axes."""
    axes = (-1,) if isinstance(inputs, int) else tuple(range(-len(inputs), 0))
    return nnx.LinearGeneral(
        inputs, outputs, axis=axes, kernel_init=kernels.lecun, rngs=kernels.rngs
    )


@checks_kinds
def vision_transformer(
    classes: int,
    *,
    patch: int = 4,
    width: int = 64,
    depth: int = 4,
    heads: int = 4,
    hidden: int = 128,
    preprocessing: Preprocessing = CIFAR10,
    seed: int = 0,
) -> Classifier:
    """A vision transformer with pre-norm blocks and a class token (Dosovitskiy et al. 2021).

    Among its layers are `blocks.0.heads`, whose units are the attention heads (what a head gives
    all tokens is ablated together), and `blocks.0.up`, whose units are the neurons behind GELU.

    Args:
      classes: number of classes.
      patch: side of a patch in pixels; it divides the images' sides.
      width: numbers per token.
      depth: blocks.
      heads: attention heads of a block; their number divides the width.
      hidden: neurons of a block.
      preprocessing: size, channels and standardization of its images.
      seed: the seed of the initial weights (LeCun normal, He normal before GELU; biases 0).

    Returns:
      The network, with random weights.

    Raises:
      InputError: a number below 1, a patch that does not divide the images, heads that do not
        divide the width, more than 2^29 parameters, or a seed outside 0 to 2^32 - 1.
    """
    sizes = {"patch": patch, "width": width, "depth": depth, "heads": heads, "hidden": hidden}
    _check_sizes({"classes": classes, **sizes}, preprocessing)
    check_numbers(seed=(seed, SEEDS))
    module = VisionTransformer(
        classes,
        _positions(patch, preprocessing),
        channels=preprocessing.channels,
        seed=seed,
        **sizes,
    )
    of_heads = {f"blocks.{number}.heads": _OF_HEADS for number in range(depth)}
    return nnx_classifier(
        module,
        preprocessing=preprocessing,
        name="vision_transformer",
        architecture=Architecture.of(
            "vision_transformer",
            classes=classes,
            **sizes,
            preprocessing=dataclasses.asdict(preprocessing),
        ),
        function=check_options("unit", of_heads, None),
    )


def _positions(patch: int, preprocessing: Preprocessing) -> int:
    """Patches per image."""
    height, width = preprocessing.size
    return (height // patch) * (width // patch)


def _check_sizes(sizes: Mapping[str, int], preprocessing: Preprocessing) -> None:
    """Refuse numbers of which no network can be made.

    Args:
      sizes: the arguments of `vision_transformer` that are numbers, by name, without the seed.
      preprocessing: of the images.
    """
    for name, number in sizes.items():
        if number < 1:
            raise InputError(f"vision_transformer with {name}={number}: give at least 1")
    patch, width, depth, hidden = (sizes[name] for name in ("patch", "width", "depth", "hidden"))
    height, across = preprocessing.size
    if height % patch or across % patch:
        raise InputError(
            f"vision_transformer with patch={patch} for images of {height}×{across}: give a number "
            "that divides both sides"
        )
    if width % sizes["heads"]:
        raise InputError(
            f"vision_transformer with width={width} and heads={sizes['heads']}: give a number of "
            "heads that divides the width"
        )
    of_block = 4 * width * width + 2 * width * hidden
    of_patch = patch * patch * preprocessing.channels
    others = (_positions(patch, preprocessing) + of_patch + sizes["classes"]) * width
    check_parameter_count(
        depth * of_block + others,
        f"vision_transformer with width={width}, depth={depth} and hidden={hidden}",
    )
