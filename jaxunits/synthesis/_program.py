"""The compiled programs of gradient ascent on many images, within a budget of memory."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from .._errors import InputError
from .._programs import kept
from ..execution import bytes_held, products
from ..networks import Layer
from ._ascent import Ascent, Image

# Images at once that were the fastest on CPUs, for maps and for dense layers (AlexNet's conv5 at
# 128 pixels takes 7.3, 8.7 and 11.6 ms an image and step with 8, 32 and 64; a dense layer of 2048
# units 0.10, 0.07 and 0.07 ms with 64, 128 and 256).
_CPU_IMAGES = (16, 128)
_IMAGES = 1024

# XLA adds up in another order for fewer images than fill a vector register, and ascent over the
# kinks of ReLUs makes pixels of such differences (up to 0.6 after 64 steps of a small conv net).
# With multiples of this an image has the same bits whatever other images climb beside it.
_LANES = 8

# Two chunks side by side keep the cores of a CPU busy where one leaves them idle (1.1 to 1.6 times
# as fast on 2 cores); an accelerator's queue is filled by one.
_CPU_SIDE_BY_SIDE = 2


@dataclass(frozen=True, eq=False)
class Program:
    """Ascent compiled for a chunk of images.

    Attributes:
      images_of_chunk: images that a program takes.
      side_by_side: chunks that climb at the same time.
      peak_of_chunk: bytes that the device holds at most for one, by the compiler's account.
      start: from keys, images and whether to start exactly there to states.
      step: from parameters, states, units, keys and a step's number to states and objectives; the
        states that come in are used up.
      finish: from parameters, states and units to images.
    """

    images_of_chunk: int
    side_by_side: int
    peak_of_chunk: int
    start: Callable[[Array, Array, Array], PyTree]
    step: Callable[[PyTree, PyTree, Array, Array, Array], tuple[PyTree, Array]]
    finish: Callable[[PyTree, PyTree, Array], Image]

    @property
    def images_at_once(self) -> int:
        """Images that climb at the same time."""
        return self.side_by_side * self.images_of_chunk

    @property
    def peak(self) -> int:
        """Bytes that the device holds at most."""
        return self.side_by_side * self.peak_of_chunk


def compile_program(
    ascent: Ascent,
    params: PyTree,
    layer: Layer,
    *,
    images: int,
    images_at_once: int | None,
    budget: int,
    on_cpu: bool,
) -> Program:
    """Compile ascent for as many images at once as the memory allows.

    Args:
      ascent: the functions of one image.
      params: the network's parameters.
      layer: the layer.
      images: how many there are in all.
      images_at_once: how many may climb at the same time; what is fastest by default.
      budget: bytes that the programs may take, parameters included.
      on_cpu: whether they run on CPUs.

    Raises:
      InputError: one image takes more memory than allowed.
    """
    fastest = _CPU_IMAGES[not layer.map_shape] if on_cpu else _IMAGES
    several = on_cpu and images_at_once is None and images > _LANES
    wanted = _CPU_SIDE_BY_SIDE if several else 1
    most = images_at_once or min(fastest, max(_LANES, math.ceil(images / wanted)))
    while True:
        at_once = _chunk(images, most)
        program = _compile(ascent, params, at_once)
        if fitting := min(wanted, budget // program.peak):
            return dataclasses.replace(program, side_by_side=fitting)
        if at_once == 1:
            raise InputError(
                f"max_memory={budget}: one image for a unit of layer {layer.name!r} takes "
                f"{program.peak:,} bytes on the device, parameters included; allow at least that"
            )
        most = at_once // 2


def _chunk(images: int, most: int) -> int:
    """Images at once: chunks as even as can be, in multiples of `_LANES` where that is allowed."""
    even = math.ceil(images / math.ceil(images / most))
    padded = math.ceil(even / _LANES) * _LANES
    return padded if padded <= most else even


def _compile(ascent: Ascent, params: PyTree, at_once: int) -> Program:
    shapes, structure = jax.tree.flatten(jax.eval_shape(lambda tree: tree, params))
    device = jnp.zeros(()).device
    return _compiled(ascent, tuple(shapes), structure, at_once, device)


# Seeds, starts, checkpoints and other networks of the same build ask for the same programs again.
@kept
def _compiled(
    ascent: Ascent,
    shapes: tuple[jax.ShapeDtypeStruct, ...],
    structure: Any,
    at_once: int,
    device: Any,
) -> Program:
    """Programs for arguments of these shapes; the device tells compiled programs apart alone."""
    del device
    params = jax.tree.unflatten(structure, shapes)
    keys = jax.eval_shape(lambda: jax.random.split(jax.random.key(0), at_once))
    units = jax.ShapeDtypeStruct((at_once,), jnp.int32)
    number = jax.ShapeDtypeStruct((), jnp.int32)
    images = jax.ShapeDtypeStruct((at_once, *ascent.shape), jnp.float32)
    exact = jax.ShapeDtypeStruct((at_once,), jnp.bool)
    begin = jax.vmap(ascent.start)
    state = jax.eval_shape(begin, keys, images, exact)
    go = jax.vmap(ascent.step, in_axes=(None, 0, 0, 0, None))
    end = jax.vmap(ascent.finish, in_axes=(None, 0, 0))
    with products():
        first = jax.jit(begin).lower(keys, images, exact).compile()
        step = jax.jit(go, donate_argnums=1).lower(params, state, units, keys, number).compile()
        last = jax.jit(end).lower(params, state, units).compile()
    peak = max(bytes_held(program) for program in (first, step, last))
    return Program(at_once, 1, peak, first, step, last)
