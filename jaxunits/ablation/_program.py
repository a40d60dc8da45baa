"""The compiled programs of a sweep, within a budget of memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import NamedSharding, PartitionSpec
from jaxtyping import Array, PyTree

from .._errors import InputError
from ..data import Batch
from ..networks import Classifier
from ._execution import Execution
from ._path import Path
from ._paths import Choice, build, choose
from ._question import Outcome, Question, classify
from ._sizes import batch_of, masks_at_once
from ._work import Work


@dataclass(frozen=True, eq=False)
class Program:
    """A question compiled for batches of one size.

    Attributes:
      path: how it is answered.
      reason: why so.
      work: what it costs.
      batch_size: images a batch, all devices together.
      masks_at_once: masks evaluated together.
      peak: bytes that a device holds at most, by the compiler's account.
      prepare: from a batch's images and the path's arguments to what all masks share.
      evaluate: from that, labels and the path's arguments to outcomes `[rows, images]`.
      arguments: the path's arguments, on the devices.
      images: a batch's images, with their places.
      shared_bytes: bytes of what all masks share of a batch, on a device.
    """

    path: Path
    reason: str
    work: Work
    batch_size: int
    masks_at_once: int
    peak: int
    prepare: Callable[[Array, PyTree], PyTree]
    evaluate: Callable[[PyTree, Array, PyTree], PyTree]
    arguments: PyTree
    images: jax.ShapeDtypeStruct
    shared_bytes: int

    def shared(self, batch: Batch) -> tuple[PyTree, Array]:
        """What all masks share of a batch, and its labels, on the devices."""
        images, labels = jax.device_put((batch.images, batch.labels), self.images.sharding)
        return self.prepare(images, self.arguments), labels

    def run(self, batch: Batch) -> Any:
        """Outcomes of a batch under all masks, `[rows, images]`; the device is not waited for."""
        state, labels = self.shared(batch)
        return self.evaluate(state, labels, self.arguments)


def compile_program(
    network: Classifier,
    question: Question,
    execution: Execution,
    *,
    images: int,
    dtype: Any = jnp.float32,
    margins: bool = False,
) -> Program:
    """Compile a question, with as many images and masks at once as the memory allows.

    Each device runs the same programs on batches of the same size, whatever the number of devices,
    so that outcomes do not depend on it.

    Args:
      network: the network.
      question: the masks.
      execution: the settings.
      images: how many images there are.
      dtype: of activations and weights behind the images.
      margins: whether margins are wanted too.

    Raises:
      InputError: one image and one mask take more memory than allowed.
    """
    choice = choose(network, question, execution.path)
    batch = batch_of(execution, images)
    at_once = masks_at_once(execution, choice.work, batch, fast=choice.name == "fast")
    while True:
        program = _compile(network, question, choice, execution, batch, at_once, dtype, margins)
        if program.peak <= execution.budget:
            return program
        if at_once > 1:
            at_once = at_once // 2
        elif batch > 1:
            batch = batch // 2
        else:
            raise InputError(
                f"max_memory={execution.budget}: one image under one mask of layer "
                f"{question.layer.name!r} takes {program.peak:,} bytes on the device, parameters "
                "included; allow at least that"
            )


def _compile(
    network: Classifier,
    question: Question,
    choice: Choice,
    execution: Execution,
    batch: int,
    at_once: int,
    dtype: Any,
    margins: bool,
) -> Program:
    devices = execution.places
    shape = network.example.shape[1:]
    # Matrix products in full float32 on accelerators too, whose default is less.
    with jax.default_matmul_precision("highest"):
        alone = jax.ShapeDtypeStruct((batch, *shape), dtype)
        path = build(network, question, choice.name, alone, dtype, at_once)
    mesh = jax.make_mesh((len(devices),), ("images",), devices=devices)
    everywhere = NamedSharding(mesh, PartitionSpec())
    by_image = NamedSharding(mesh, PartitionSpec("images"))
    total = batch * len(devices)
    images = _placed((total, *shape), by_image)
    labels = _placed((total,), by_image, jnp.int32)
    params, arguments = jax.device_put((network.params, path.arguments), everywhere)

    def prepare(params: PyTree, images: Array, arguments: PyTree) -> PyTree:
        return path.prepare(_cast(params, dtype), images.astype(dtype), arguments)

    def evaluate(params: PyTree, state: PyTree, labels: Array, arguments: PyTree) -> PyTree:
        def outcome(logits: Array) -> Outcome | tuple[Array, Array]:
            kept = classify(logits, labels)
            return kept if margins else (kept.prediction, kept.loss)

        return path.evaluate(_cast(params, dtype), state, arguments, outcome)

    none, share, out = PartitionSpec(), PartitionSpec("images"), PartitionSpec(None, "images")
    with jax.default_matmul_precision("highest"):
        shared = _sharded(prepare, mesh, (none, share, none), share)
        first = shared.lower(params, images, arguments).compile()
        state = jax.tree.map(
            lambda leaf, place: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=place),
            jax.eval_shape(shared, params, images, arguments),
            first.output_shardings,
        )
        second = (
            _sharded(evaluate, mesh, (none, share, share, none), out)
            .lower(params, state, labels, arguments)
            .compile()
        )
    return Program(
        path=path,
        reason=choice.reason,
        work=choice.work,
        batch_size=total,
        masks_at_once=at_once,
        peak=_peak(first, second),
        prepare=lambda images, arguments: first(params, images, arguments),
        evaluate=lambda state, labels, arguments: second(params, state, labels, arguments),
        arguments=arguments,
        images=images,
        shared_bytes=int(first.memory_analysis().output_size_in_bytes),
    )


def _sharded(function: Callable[..., Any], mesh: Any, inputs: Any, outputs: Any) -> Any:
    return jax.jit(
        jax.shard_map(function, mesh=mesh, in_specs=inputs, out_specs=outputs, check_vma=False)
    )


def _placed(
    shape: tuple[int, ...], sharding: NamedSharding, dtype: Any = jnp.float32
) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, dtype, sharding=sharding)


def _cast(params: PyTree, dtype: Any) -> PyTree:
    """Floating-point parameters in another type; nothing is done for float32."""
    if dtype == jnp.float32:
        return params
    return jax.tree.map(
        lambda leaf: leaf.astype(dtype) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf,
        params,
    )


def _peak(first: Any, second: Any) -> int:
    """Bytes a device holds while one batch is evaluated and the next is prepared."""
    before, after = (program.memory_analysis() for program in (first, second))
    one = before.temp_size_in_bytes + before.argument_size_in_bytes + before.output_size_in_bytes
    two = after.temp_size_in_bytes + after.argument_size_in_bytes + after.output_size_in_bytes
    return int(max(one, two + before.output_size_in_bytes))
