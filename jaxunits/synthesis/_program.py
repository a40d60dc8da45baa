"""The compiled programs of gradient ascent, for a batch of images on all devices."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from .._programs import Shapes, kept
from ..execution import Build, Program, along, array_bytes, bytes_held, products
from ._ascent import Ascent, Image


class Programs(NamedTuple):
    """Ascent of a batch.

    Attributes:
      start: from keys, images and whether to start exactly there to states.
      step: from parameters, states, units, keys and a step's number to states and objectives; the
        states that come in are used up.
      finish: from parameters, states and units to images.
    """

    start: Callable[[Array, Array, Array], PyTree]
    step: Callable[[PyTree, PyTree, Array, Array, int], tuple[PyTree, Array]]
    finish: Callable[[PyTree, PyTree, Array], Image]


# Seeds, starts, checkpoints and other networks of the same build ask for the same programs again.
@kept
def compile_ascent(ascent: Ascent, build: Build) -> Program:
    """Compile ascent for the batch of a build."""
    places = build.places
    params, starts, _ = build.given()

    def begin(key: Array, image: Array, exact: Array) -> PyTree:
        return jax.vmap(ascent.start)(jax.random.wrap_key_data(key), image, exact)

    def go(params: PyTree, state: PyTree, unit: Array, key: Array, number: Array) -> PyTree:
        step = jax.vmap(ascent.step, in_axes=(None, 0, 0, 0, None))
        return step(params, state, unit, jax.random.wrap_key_data(key), number)

    end = jax.vmap(ascent.finish, in_axes=(None, 0, 0))
    first = starts.key, starts.image, starts.exact
    state = Shapes.of(jax.eval_shape(begin, *first)).tree(places.by_image)
    number = jax.ShapeDtypeStruct((), jnp.int32, sharding=places.everywhere)
    shared, by_image = places.shared, along(0)
    with products():
        lowered = (
            shared(begin, (True, True, True), by_image).lower(*first),
            shared(go, (False, True, True, True, False), by_image, donated=(1,)).lower(
                params, state, starts.unit, starts.key, number
            ),
            shared(end, (False, True, True), by_image).lower(params, state, starts.unit),
        )
        compiled = [each.compile() for each in lowered]
    build.compilations.extend(Programs._fields)
    return Program(Programs(*compiled), places, max(map(bytes_held, compiled)), array_bytes(params))
