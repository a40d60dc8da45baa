"""Images that climb together, batch by batch."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

from .._programs import Shapes, kept
from ..execution import (
    Build,
    Execution,
    LookEngine,
    Part,
    Program,
    Read,
    Turns,
    along,
    array_bytes,
    bytes_held,
    products,
)
from ..networks import Classifier, Layer
from ._ascent import Ascent, Image
from ._checks import check_finite
from ._result import Climbed

# Images of a batch that were the fastest on CPUs, for maps and for dense layers (AlexNet's conv5 at
# 128 pixels takes 7.3, 8.7 and 11.6 ms per image and step with 8, 32 and 64; a dense layer of 2048
# units 0.10, 0.07 and 0.07 ms with 64, 128 and 256).
_CPU_IMAGES = (16, 128)
_IMAGES = 1024

# XLA adds up in another order for fewer images than fill a vector register, and ascent over the
# kinks of ReLUs makes pixels of such differences (up to 0.6 after 64 steps of a small conv net).
# With multiples of this an image has the same bits whatever other images climb beside it.
_LANES = 8

# Two batches side by side keep the cores of a CPU busy where one leaves them idle (1.1 to 1.6 times
# as fast on 2 cores); an accelerator's queue is filled by one.
_CPU_SIDE_BY_SIDE = 2


@dataclass(frozen=True)
class Climbing(Execution):
    """How images climb, in addition to the options of `ju.Execution`.

    Attributes:
      batch_size: images that climb together on a device, at most; by default as many as are fast.
      images_per_piece: by default what is at the devices at once.
    """

    images_per_piece: int = 1

    choices: ClassVar[Mapping[str, Sequence[str]]] = {"precision": ("float32",)}

    def on(self, layer: Layer) -> Climbing:
        """With the batch size that suits a layer, if none was given."""
        fastest = _CPU_IMAGES[not layer.map_shape] if self.on_cpu else _IMAGES
        return dataclasses.replace(self, batch_size=self.batch_size or fastest)

    @property
    def side_by_side(self) -> int:
        """Batches of a device that a piece holds at least."""
        return _CPU_SIDE_BY_SIDE if self.on_cpu else 1

    def batch_of(self, images: int) -> int:
        """Images per batch and device, as even as can be."""
        most = _whole(self.batch_size or _IMAGES)
        # The last bit of an objective can change with the batch; more CPUs must not change it.
        together = self.side_by_side if self.on_cpu else len(self.places)
        rounds = math.ceil(images / (most * together))
        even = math.ceil(images / (rounds * together))
        return min(most, math.ceil(even / _LANES) * _LANES if most >= _LANES else even)


def _whole(size: int) -> int:
    return size // _LANES * _LANES or size


class AscentEngine(LookEngine):
    """Images climb by three programs on all devices; see `jaxunits.execution.Engine`."""

    def __init__(
        self, network: Classifier, layer: Layer, ascent: Ascent, read: Read, execution: Climbing
    ) -> None:
        """Compile, for as many images at once as the memory allows.

        Args:
          network: the network.
          layer: the layer, for messages.
          ascent: the functions of one image.
          read: gives the starts.
          execution: the execution options.

        Raises:
          InputError: one image takes more memory than allowed.
        """
        self.steps = ascent.method.steps
        self._place = f"layer {layer.name!r} of network {network.name!r}"
        what = f"a unit of layer {layer.name!r}"
        super().__init__(network, ascent, read, execution, what=what)

    @property
    def batches_at_once(self) -> int:
        """Batches at the devices at once: as many as the memory holds."""
        fitting = self._execution.budget // self.program.peak
        return max(1, min(self._execution.side_by_side, fitting))

    def attributes(self) -> dict[str, str | int | float]:
        """How images are made."""
        return {**super().attributes(), "peak_bytes": self.batches_at_once * self.program.peak}

    def even(self, size: int) -> int:
        """Images per device that are computed as exactly as more are, at most `size`."""
        return _whole(size)

    def compiled(self, build: Build) -> Program:
        """The programs for a batch."""
        return _compiled(build)

    def found(self, part: Part, turns: Turns) -> Climbed:
        """One batch, without padding.

        The steps are a loop in Python: XLA runs the gradients of convolutions up to five times as
        slowly in a compiled loop on CPUs, and a dispatch costs a tenth of a millisecond.

        Raises:
          InputError: an objective is not a number.
        """
        run, images, step = self.program.run, len(part.image), 0
        units, ascent = part.inputs.unit[:images], np.empty((images, self.steps), np.float32)
        try:
            with turns:
                placed = jax.device_put(part.inputs, self.program.places.by_image)
                state = run.start(placed.key, placed.image, placed.exact)
            for step in range(self.steps):
                with turns:
                    state, value = run.step(self.params, state, placed.unit, placed.key, step)
                ascent[:, step] = np.asarray(value)[:images]
                check_finite(ascent[:, step], units, f"before step {step}", self._place)
                if step + 1 < self.steps:
                    self.report(images)
            with turns:
                image = run.finish(self.params, state, placed.unit)
            climbed = Climbed(ascent, *self._look.settled(image, images))
        except BaseException:
            self.report(-step * images)
            raise
        check_finite(climbed.objective, units, f"after step {step}", self._place)
        return climbed


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
def _compiled(build: Build) -> Program:
    """Compile ascent for the batch of a build."""
    ascent, places = build.look, build.places
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
