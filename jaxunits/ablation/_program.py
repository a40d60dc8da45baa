"""Masks compiled: by which method, how many at once, within a memory budget."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
from jaxtyping import Array, PyTree

from .. import execution
from .._errors import InputError
from .._programs import Shapes, kept
from ..execution import (
    Build,
    Images,
    Look,
    Read,
    along,
    array_bytes,
    bytes_held,
    cast,
    fitting,
    products,
    standardized,
    working_dtype,
)
from ._execution import Execution
from ._fast import Fast
from ._method import LaidOut, Method, Work, classify
from ._question import Question
from ._reference import Reference

_METHODS: Mapping[str, type[Method]] = {each.name: each for each in (Fast, Reference)}

# Rows of a matrix product that make up for reading its weights on a CPU (measured: AlexNet's rest
# takes 1.84, 1.67 and 1.62 s with 256, 512 and 1024 rows).
_CPU_ROWS = 512

# With one mask at a time XLA computes the layers before the mask anew for every mask of some
# networks (VGG16, 16 masks of conv5_3: 13.9 s against 1.2 s for two at a time).
_CPU_REFERENCE = 2


class Choice(NamedTuple):
    """How masks are evaluated.

    Attributes:
      method: the method.
      reason: why this one.
      work: what it costs per image.
    """

    method: type[Method]
    reason: str
    work: Work


@dataclass(frozen=True)
class Masked(Look):
    """A network under masks of a layer, whose programs `compile_program` compiles.

    Attributes:
      function: the network.
      layer: the layer.
      method: how the masks lie in the arguments.
      margins: whether margins are wanted too.
    """

    function: Any
    layer: str
    method: Method
    margins: bool


class Programs(NamedTuple):
    """Compiled programs, for any arrays of their shapes.

    Attributes:
      constants: from parameters and arguments to what all batches share.
      prepare: from these, parameters, inputs and arguments to what all masks share.
      evaluate: from constants, parameters, that, labels and arguments to outcomes.
      shared_bytes: bytes of what all masks share of a batch, on a device.
    """

    constants: Any
    prepare: Any
    evaluate: Any
    shared_bytes: int


@dataclass(frozen=True, eq=False)
class Program:
    """A question compiled for batches of one size, with its arrays on the devices.

    Attributes:
      choice: the method, and why.
      laid_out: the masks, as it evaluates them.
      masks_at_once: how many are evaluated together.
      build: what the programs depend on.
      compiled: the programs.
      params: the network's parameters.
      arguments: the masks' arguments.
      constants: what all batches share.
    """

    choice: Choice
    laid_out: LaidOut
    masks_at_once: int
    build: Build
    compiled: execution.Program
    params: PyTree
    arguments: PyTree
    constants: PyTree

    @property
    def batch_size(self) -> int:
        """Images per batch, all devices together."""
        return self.build.size * len(self.build.devices)

    def shared(self, inputs: Images) -> tuple[PyTree, Array]:
        """What all masks share of a batch, and its labels, on the devices."""
        placed = jax.device_put(inputs, self.compiled.places.by_image)
        state = self.compiled.run.prepare(self.constants, self.params, placed, self.arguments)
        return state, placed.labels

    def evaluate(self, state: PyTree, labels: Array, arguments: PyTree) -> Any:
        """Outcomes under all masks, `[rows, images]`."""
        return self.compiled.run.evaluate(self.constants, self.params, state, labels, arguments)

    def run(self, inputs: Images) -> Any:
        """Outcomes of a batch under all masks, `[rows, images]`; the device is not waited for."""
        return self.evaluate(*self.shared(inputs), self.arguments)


def compile_program(
    question: Question,
    read: Read,
    *,
    precision: str = "float32",
    margins: bool = False,
) -> Program:
    """Compile a question, with as many images and masks at once as the memory allows.

    Each device runs the same programs on batches of the same size, whatever the number of devices,
    so that outcomes do not depend on it. Programs serve later calls too, with other parameters,
    masks and values of the same shapes.

    Args:
      question: the masks.
      read: reads the images.
      precision: the precision of these programs.
      margins: whether margins are wanted too.

    Raises:
      InputError: one image and one mask take more memory than allowed.
    """
    network, carried_out = question.network, question.carried_out
    choice, layer = choose(question), question.layer.name
    size, budget = carried_out.batch_of(read.images), carried_out.budget
    at_once = _masks_at_once(carried_out, choice, size)
    compilations: list[str] = []
    while True:
        laid_out = choice.method.lay_out(question, at_once)
        build = Build(
            Masked(question.function, layer, laid_out.method, margins),
            network.preprocessing,
            Shapes.of(network.params),
            Shapes.of(question.inputs(read.example)),
            Shapes.of(laid_out.arguments),
            size,
            tuple(carried_out.places),
            precision,
            compilations,
        )
        found = _compiled(build)
        if found.peak <= budget:
            break
        if at_once > 1:
            at_once = fitting(at_once, found.peak, found.fixed, budget)
        elif size > 1:
            size = fitting(size, found.peak, found.fixed, budget)
        else:
            raise InputError(
                f"max_memory={budget}: one image under one mask of layer {layer!r} takes "
                f"{found.peak:,} bytes on the device, parameters included; allow at least that"
            )
    params, arguments = jax.device_put(
        (network.params, laid_out.arguments), found.places.everywhere
    )
    constants = found.run.constants(params, arguments)
    return Program(choice, laid_out, at_once, build, found, params, arguments, constants)


def choose(question: Question) -> Choice:
    """The requested method, or the one that costs less.

    Raises:
      InputError: the requested method cannot be used, or values are given for a layer whose
        activations are not known.
    """
    method, network = question.carried_out.method, question.network
    if question.values is not None:
        network.function.traced(network.params, network.example).check_values(question.layer.name)
    obstacles = {name: each.obstacle(question) for name, each in _METHODS.items()}
    if obstacles.get(method):
        others = " or ".join(repr(name) for name in ("auto", *_METHODS) if name != method)
        raise InputError(f"method={method!r}: {obstacles[method]}; give method={others}")
    if method in _METHODS:
        return Choice(_METHODS[method], "asked for", _METHODS[method].work(question))
    if obstacles["fast"]:
        return Choice(Reference, obstacles["fast"], Reference.work(question))
    fast, reference = Fast.work(question), Reference.work(question)
    numbers = (
        f"{fast.total:,} multiply-adds per image on the fast path, {reference.total:,} otherwise"
    )
    if reference.total <= fast.total:
        return Choice(Reference, numbers, reference)
    return Choice(Fast, numbers, fast)


def _masks_at_once(execution: Execution, choice: Choice, batch: int) -> int:
    """Masks evaluated together.

    A merged batch of masks and images leaves the caches of a CPU where convolutions follow, and
    fills its matrix products where dense stages do.
    """
    work = choice.work
    wanted = execution.masks_at_once or work.masks
    if execution.masks_at_once is None and execution.on_cpu:
        behind = math.ceil(_CPU_ROWS / batch) if work.dense and work.each else 1
        wanted = behind if choice.method is Fast else _CPU_REFERENCE
    # Two live arrays of the largest kind in half of the budget; the compiler has the last word.
    fitting = execution.budget // (4 * work.largest * batch)
    most = max(1, min(wanted, fitting, work.masks))
    # Chunks as even as can be, so that little of the last one is padding.
    return math.ceil(work.masks / math.ceil(work.masks / most))


@kept
def _compiled(build: Build) -> execution.Program:
    """Compile the programs of a build."""
    params, inputs, arguments = build.given()
    with products(build.precision):
        make_constants, prepare, evaluate = _sharded(build)
        once, constants = _lowered(make_constants, params, arguments)
        first, state = _lowered(prepare, constants, params, inputs, arguments)
        second, _ = _lowered(evaluate, constants, params, state, inputs.labels, arguments)
    build.compilations.extend(("constants", "prepare", "evaluate"))
    shared_bytes = int(first.memory_analysis().output_size_in_bytes)
    # One batch is evaluated while the next is prepared.
    peak = max(bytes_held(once), bytes_held(first), bytes_held(second) + shared_bytes)
    programs = Programs(once, first, second, shared_bytes)
    fixed = array_bytes((constants, params, arguments))
    return execution.Program(programs, build.places, peak, fixed)


def _lowered(function: Any, *shapes: PyTree) -> tuple[Any, PyTree]:
    """A function compiled for arguments of some shapes, and the shapes of what it gives."""
    program = function.lower(*shapes).compile()
    found = jax.tree.map(
        lambda leaf, place: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=place),
        jax.eval_shape(function, *shapes),
        program.output_shardings,
    )
    return program, found


def _sharded(build: Build) -> tuple[Any, Any, Any]:
    """What is compiled, each device with its share of the images."""
    look, dtype, places = build.look, working_dtype(build.precision), build.places
    inputs = jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct((build.size, *leaf.shape), leaf.dtype),
        build.inputs.tree(),
    )
    params, read = jax.eval_shape(
        lambda params, inputs: (
            cast(params, dtype),
            cast(standardized(inputs, build.preprocessing), dtype),
        ),
        *(build.params.tree(), inputs),
    )
    traced = look.function.traced(params, read.images)
    stages = look.method.stages(traced, look.layer, params, read, build.arguments.tree())

    def constants(params: PyTree, arguments: PyTree) -> PyTree:
        return stages.constants(cast(params, dtype), arguments["fixed"])

    def prepare(constants: PyTree, params: PyTree, inputs: Images, arguments: PyTree) -> PyTree:
        read = cast(standardized(inputs, build.preprocessing), dtype)
        own = constants, cast(params, dtype), arguments["fixed"]
        return stages.early(*own, read.images, read.partners)

    def evaluate(
        constants: PyTree, params: PyTree, state: PyTree, labels: Array, arguments: PyTree
    ) -> PyTree:
        def outcome(logits: Array) -> PyTree:
            found = classify(logits, labels)
            return found if look.margins else (found.prediction, found.loss)

        known = state, constants, cast(params, dtype), arguments["fixed"]
        return look.method.evaluate(stages, known, arguments, outcome)

    return (
        places.shared(constants, (False, False), along(None)),
        places.shared(prepare, (False, False, True, False), along(0)),
        places.shared(evaluate, (False, False, True, True, False), along(1)),
    )
