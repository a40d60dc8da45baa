"""How many pixels units and concepts share, as one matrix product per piece of an image."""

from __future__ import annotations

import math
from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from ..execution import products
from ._interpolation import Upsampling

# Bytes of a piece of all units' interpolated maps. On a CPU what its caches hold, and what it need
# not ask the system for anew (measured on 2 cores: one image's maps of AlexNet's conv5 at 224×224
# take 4 ms in pieces of 56 rows and 142 ms at once); elsewhere what keeps an accelerator busy.
_COUNTED, _STREAMED = 2**21, 2**23
_ON_ACCELERATORS = 2**27

_Sums = tuple[Array, Array]


def rows_at_once(
    units: int, size: tuple[int, int], max_memory: int, *, counted: bool = True
) -> int:
    """Rows of one image's interpolated maps that are held at once.

    Args:
      units: how many maps there are.
      size: rows and columns of the grid to which they are interpolated.
      max_memory: bytes to take.
      counted: whether they are counted on the device, or otherwise sent to the host.
    """
    piece = _COUNTED if counted else _STREAMED
    if jax.default_backend() != "cpu":
        piece = _ON_ACCELERATORS
    # Values, comparisons and their float32 form.
    return max(1, min(size[0], min(piece, max_memory // 3) // (4 * units * size[1])))


@partial(jax.jit, static_argnames=("rows",))
def upsampled(
    maps: Float[Array, "height width units"],
    first: Int[Array, ""],
    upsampling: Upsampling,
    *,
    rows: int,
) -> Float[Array, "units rows columns"]:
    """Some rows of one image's maps on the grid; 0 below the last row."""
    weights = _padded(jnp.asarray(upsampling.down), rows)
    down = jax.lax.dynamic_slice_in_dim(weights, first, rows)
    return _interpolate(maps, down, jnp.asarray(upsampling.across))


@partial(jax.jit, static_argnames=("rows", "present"))
def overlaps(
    maps: Float[Array, "images height width units"],
    thresholds: Float[Array, " units"],
    label_maps: Int[Array, "images maps rows columns"],
    upsampling: Upsampling,
    *,
    rows: int,
    present: int,
) -> tuple[Float[Array, "images units concepts"], Float[Array, "images concepts"]]:
    """Pixels where a unit is above its threshold and a concept is, and pixels of each concept.

    A last concept stands for the whole image. Sums of zeros and ones, exact in float32 up to 2^24
    pixels.

    Args:
      maps: the units' maps.
      thresholds: one per unit.
      label_maps: the image's own concepts on the grid, -1 where there is none.
      upsampling: of the maps to the grid.
      rows: rows of the grid that are held at once, of all units of one image.
      present: concepts per image, at most.
    """
    height = label_maps.shape[2]
    down = _padded(jnp.asarray(upsampling.down), rows)
    across = jnp.asarray(upsampling.across)
    inside = _padded(jnp.ones((height, 1)), rows)

    def image(arguments: tuple[Array, Array]) -> _Sums:
        one, labels = arguments
        masks = _pieces(jnp.pad(labels, ((0, 0), (0, len(down) - height), (0, 0))), 1, rows)

        def piece(sums: _Sums, part: tuple[Array, Array, Array]) -> tuple[_Sums, None]:
            weights, labels, inside = part
            active = _interpolate(one, weights, across) > thresholds[:, None, None]
            concepts = _one_hot(labels, present) & (inside > 0)[..., None]
            both = jnp.einsum(
                "urc,rck->uk", active.astype(jnp.float32), concepts.astype(jnp.float32)
            )
            return (sums[0] + both, sums[1] + concepts.sum((0, 1), dtype=jnp.float32)), None

        empty = jnp.zeros((maps.shape[3], present + 1)), jnp.zeros(present + 1)
        parts = _pieces(down, 0, rows), masks, _pieces(inside, 0, rows)
        return jax.lax.scan(piece, empty, parts)[0]

    return jax.lax.map(image, (maps, label_maps))


def _interpolate(
    maps: Float[Array, "height width units"],
    down: Float[Array, "rows height"],
    across: Float[Array, "columns width"],
) -> Float[Array, "units rows columns"]:
    with products():
        lines = jnp.einsum("rh,hwu->urw", down, maps)
        return jnp.einsum("urw,cw->urc", lines, across)


def _one_hot(
    labels: Int[Array, "maps rows columns"], present: int
) -> Bool[Array, "rows columns concepts"]:
    """Where each concept is, in any of the maps; the last is everywhere."""
    masks = jax.nn.one_hot(labels, present, dtype=bool).any(0)
    return jnp.concatenate([masks, jnp.ones((*masks.shape[:2], 1), bool)], -1)


def _padded(weights: Float[Array, "height stored"], rows: int) -> Float[Array, "all stored"]:
    """Padded with rows of 0 to a multiple of `rows`."""
    missing = math.ceil(len(weights) / rows) * rows - len(weights)
    return jnp.pad(weights, ((0, missing), (0, 0)))


def _pieces(array: Array, axis: int, rows: int) -> Array:
    """The axis of rows cut into pieces, along a new first axis."""
    shape = (*array.shape[:axis], -1, rows, *array.shape[axis + 1 :])
    return jnp.moveaxis(array.reshape(shape), axis, 0)
