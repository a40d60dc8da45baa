"""Compiled programs for masks, within a memory budget."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

from .._errors import InputError
from .._programs import Shapes, kept
from ..data import Preprocessing
from ..execution import (
    Places,
    along,
    array_bytes,
    bytes_held,
    cast,
    fitting,
    products,
    standardized,
    working_dtype,
)
from ..networks import Classifier
from ..networks._function import MaskedFunction
from ._choice import Choice, choose, masks_at_once
from ._execution import Execution
from ._method import Functions, LaidOut, Method, Outcome, Work, classify
from ._question import Inputs, Question, Resampling


@dataclass(frozen=True, eq=False)
class Program:
    """A question compiled for batches of one size.

    Attributes:
      laid_out: the masks, as the method evaluates them.
      reason: why so.
      work: what it costs.
      batch_size: images per batch, all devices together.
      masks_at_once: masks evaluated together.
      peak: bytes that a device holds at most, as the compiler reports.
      prepare: from a batch's inputs and the masks' arguments to what all masks share.
      evaluate: from that, labels and the masks' arguments to outcomes `[rows, images]`.
      arguments: the masks' arguments, on the devices.
      images: a batch's images, with their places.
      shared_bytes: bytes of what all masks share of a batch, on a device.
      compilations: how many programs had to be compiled for it; none where an earlier call left
        them.
    """

    laid_out: LaidOut
    reason: str
    work: Work
    batch_size: int
    masks_at_once: int
    peak: int
    prepare: Callable[[Inputs, PyTree], PyTree]
    evaluate: Callable[[PyTree, Array, PyTree], PyTree]
    arguments: PyTree
    images: jax.ShapeDtypeStruct
    shared_bytes: int
    compilations: int

    def shared(self, inputs: Any) -> tuple[PyTree, Array]:
        """What all masks share of a batch, and its labels, on the devices."""
        given = (Inputs(inputs.images, inputs.partners), np.asarray(inputs.labels, np.int32))
        placed, labels = jax.device_put(given, self.images.sharding)
        return self.prepare(placed, self.arguments), labels

    def run(self, inputs: Any) -> Any:
        """Outcomes of a batch under all masks, `[rows, images]`; the device is not waited for."""
        state, labels = self.shared(inputs)
        return self.evaluate(state, labels, self.arguments)


def compile_program(
    network: Classifier,
    question: Question,
    execution: Execution,
    *,
    images: int,
    pixels: np.dtype,
    precision: str = "float32",
    margins: bool = False,
) -> Program:
    """Compile a question, with as many images and masks at once as the memory allows.

    Each device runs the same programs on batches of the same size, whatever the number of devices,
    so that outcomes do not depend on it. Programs serve later calls too, with other parameters,
    masks and values of the same shapes.

    Args:
      network: the network.
      question: the masks.
      execution: the settings.
      images: how many images there are.
      pixels: the type in which they come to the devices.
      precision: the precision of these programs.
      margins: whether margins are wanted too.

    Raises:
      InputError: one image and one mask take more memory than allowed.
    """
    choice = choose(network, question, execution.method)
    batch = execution.batch_of(images)
    at_once = masks_at_once(execution, choice, batch)
    compilations: list[str] = []
    while True:
        laid_out = choice.method.lay_out(question, at_once)
        build = Build(
            function=network.function,
            layer=question.layer.name,
            method=laid_out.method,
            params=Shapes.of(network.params),
            arguments=Shapes.of(laid_out.arguments),
            preprocessing=network.preprocessing,
            images=jax.ShapeDtypeStruct((batch, *network.example.shape[1:]), pixels),
            partners=isinstance(question.values, Resampling),
            precision=precision,
            margins=margins,
            devices=tuple(execution.places),
            compilations=compilations,
        )
        found = compiled(build)
        if found.peak <= execution.budget:
            return _program(network, choice, laid_out, at_once, found, len(compilations))
        if at_once > 1:
            at_once = found.fitting(at_once, execution.budget)
        elif batch > 1:
            batch = found.fitting(batch, execution.budget)
        else:
            raise InputError(
                f"max_memory={execution.budget}: one image under one mask of layer "
                f"{question.layer.name!r} takes {found.peak:,} bytes on the device, parameters "
                "included; allow at least that"
            )


def _program(
    network: Classifier,
    choice: Choice,
    laid_out: LaidOut,
    at_once: int,
    found: Compiled,
    compilations: int,
) -> Program:
    params, arguments = jax.device_put(
        (network.params, laid_out.arguments), found.places.everywhere
    )
    constants = found.constants(params, arguments)
    return Program(
        laid_out=laid_out,
        reason=choice.reason,
        work=choice.work,
        batch_size=found.images.shape[0],
        masks_at_once=at_once,
        peak=found.peak,
        prepare=functools.partial(found.prepare, constants, params),
        evaluate=functools.partial(found.evaluate, constants, params),
        arguments=arguments,
        images=found.images,
        shared_bytes=found.shared_bytes,
        compilations=compilations,
    )


@dataclass(frozen=True)
class Build:
    """All that compiled programs depend on; arrays are their arguments.

    Attributes:
      function: the network.
      layer: the layer.
      method: how the masks lie in the arguments.
      params: shapes of the network's parameters.
      arguments: shapes of the masks' arguments.
      preprocessing: what the network expects of images.
      images: the shape of a device's batch, as it comes to the device.
      partners: whether there are other images too, whose activations ablated units give.
      precision: as in `ju.Execution`.
      margins: whether margins are wanted too.
      devices: where they run.
      compilations: the names of programs are added to it as they are compiled.
    """

    function: MaskedFunction
    layer: str
    method: Method
    params: Shapes
    arguments: Shapes
    preprocessing: Preprocessing
    images: jax.ShapeDtypeStruct
    partners: bool
    precision: str
    margins: bool
    devices: tuple[jax.Device, ...]
    compilations: list[str] = field(default_factory=list, compare=False)


class Compiled(NamedTuple):
    """Compiled programs, for any arrays of their shapes.

    Attributes:
      constants: from parameters and arguments to what all batches share.
      prepare: from these, parameters, inputs and arguments to what all masks share.
      evaluate: from constants, parameters, that, labels and arguments to outcomes.
      images: a batch of all devices, with its places.
      places: where parameters and arguments go.
      peak: bytes that a device holds at most.
      shared_bytes: bytes of what all masks share of a batch, on a device.
      fixed: bytes of parameters and arguments, however many there are at once.
    """

    constants: Callable[..., PyTree]
    prepare: Callable[..., PyTree]
    evaluate: Callable[..., PyTree]
    images: jax.ShapeDtypeStruct
    places: Places
    peak: int
    shared_bytes: int
    fixed: int

    def fitting(self, at_once: int, budget: int) -> int:
        """How many together should fit, by what so many take."""
        return fitting(at_once, self.peak, self.fixed, budget)


@kept
def compiled(build: Build) -> Compiled:
    """Compile the programs of a build."""
    places = Places(build.devices)
    by_image, everywhere = places.by_image, places.everywhere
    batch, *image = build.images.shape
    total = batch * len(build.devices)
    images = jax.ShapeDtypeStruct((total, *image), build.images.dtype, sharding=by_image)
    labels = jax.ShapeDtypeStruct((total,), jnp.int32, sharding=by_image)
    inputs = Inputs(images, images if build.partners else None)
    params, arguments = build.params.tree(everywhere), build.arguments.tree(everywhere)
    with products(build.precision):
        functions = _sharded_functions(build, places)
        once, constants = _lowered(functions.constants, params, arguments)
        first, state = _lowered(functions.prepare, constants, params, inputs, arguments)
        second, _ = _lowered(functions.evaluate, constants, params, state, labels, arguments)
    build.compilations.extend(("constants", "prepare", "evaluate"))
    shared_bytes = int(first.memory_analysis().output_size_in_bytes)
    # One batch is evaluated while the next is prepared.
    peak = max(bytes_held(once), bytes_held(first), bytes_held(second) + shared_bytes)
    fixed = array_bytes((constants, params, arguments))
    return Compiled(once, first, second, images, places, peak, shared_bytes, fixed)


def _lowered(function: Any, *shapes: PyTree) -> tuple[Any, PyTree]:
    """A function compiled for arguments of some shapes, and the shapes of what it gives."""
    program = function.lower(*shapes).compile()
    found = jax.tree.map(
        lambda leaf, place: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=place),
        jax.eval_shape(function, *shapes),
        program.output_shardings,
    )
    return program, found


def _sharded_functions(build: Build, places: Places) -> Functions:
    """What is compiled, each device with its share of the images."""
    dtype = working_dtype(build.precision)
    image = jax.ShapeDtypeStruct(build.images.shape, dtype)
    params = jax.eval_shape(lambda arrays: cast(arrays, dtype), build.params.tree())
    inputs = Inputs(image, image if build.partners else None)
    functions = build.method.functions(
        build.function.traced(params, image),
        build.layer,
        {"params": params, "inputs": inputs, "arguments": build.arguments.tree()},
    )

    def constants(params: PyTree, arguments: PyTree) -> PyTree:
        return functions.constants(cast(params, dtype), arguments)

    def prepare(constants: PyTree, params: PyTree, inputs: Inputs, arguments: PyTree) -> PyTree:
        read = cast(standardized(inputs, build.preprocessing), dtype)
        return functions.prepare(constants, cast(params, dtype), read, arguments)

    def evaluate(
        constants: PyTree, params: PyTree, state: PyTree, labels: Array, arguments: PyTree
    ) -> PyTree:
        def outcome(logits: Array) -> Outcome | tuple[Array, Array]:
            found = classify(logits, labels)
            return found if build.margins else (found.prediction, found.loss)

        return functions.evaluate(constants, cast(params, dtype), state, arguments, outcome)

    return Functions(
        places.shared(constants, (False, False), along(None)),
        places.shared(prepare, (False, False, True, False), along(0)),
        places.shared(evaluate, (False, False, True, True, False), along(1)),
    )
