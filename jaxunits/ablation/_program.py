"""The one compiled program of a sweep: a batch of images under all masks."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec
from jaxtyping import Array, Float, Float32, Int, Int32, PyTree

from ..data import Batch
from ..networks import Functional, Layer

Outcome = tuple[Int[Array, "masks images"], Float[Array, "masks images"]]


@dataclass(frozen=True)
class Program:
    """A compiled sweep of one batch.

    Attributes:
      run: takes a batch of `batch_size` images and returns the predicted class and the
        cross-entropy in nats, `[1 + masks, images]`; row 0 is without ablation.
      batch_size: images a batch, all devices together.
      masks_at_once: how many masks are evaluated together.
    """

    run: Callable[[Batch], Outcome]
    batch_size: int
    masks_at_once: int


def compile_program(
    network: Functional,
    layer: Layer,
    masks: Float32[np.ndarray, "masks units"],
    values: Float32[np.ndarray, " units"] | None,
    *,
    devices: Sequence[jax.Device],
    batch_size: int,
    masks_at_once: int | None,
    max_memory: int,
) -> Program:
    """Compile the evaluation of all masks on a batch, images shared out among devices.

    Each device runs the same program on `batch_size` images, whatever their number, so that counts
    do not depend on it.

    Args:
      network: the network.
      layer: where the masks apply.
      masks: 1 = kept.
      values: what ablated units give; None for zero.
      devices: where to run.
      batch_size: images a device, at most.
      masks_at_once: masks that are evaluated together, at most; None for one on CPUs, as many as
        fit elsewhere.
      max_memory: bytes that the largest intermediate array may take on a device.
    """
    largest = _largest_intermediate(network)
    batch_size = max(1, min(batch_size, max_memory // largest))
    fitting = max_memory // (largest * batch_size)
    if masks_at_once is None:
        # A larger batch leaves the caches of a CPU, and there is nothing else to gain there.
        masks_at_once = 1 if devices[0].platform == "cpu" else fitting
    rows, masks_at_once = _in_chunks(masks, min(masks_at_once, fitting))
    mesh = jax.make_mesh((len(devices),), ("images",), devices=devices)
    everywhere = NamedSharding(mesh, PartitionSpec())
    shared_out = NamedSharding(mesh, PartitionSpec("images"))
    program = jax.jit(
        jax.shard_map(
            _all_masks(network, layer, values, masks_at_once),
            mesh=mesh,
            in_specs=(everywhere.spec, everywhere.spec, shared_out.spec, shared_out.spec),
            out_specs=PartitionSpec(None, "images"),
            check_vma=False,
        )
    )
    params, rows = jax.device_put((network.params, rows), everywhere)
    total = batch_size * len(devices)
    shape = (total, *network.preprocessing.size, network.preprocessing.channels)
    # Matrix products in full float32 on accelerators too, whose default is less.
    with jax.default_matmul_precision("highest"):
        compiled = program.lower(
            params,
            rows,
            jax.ShapeDtypeStruct(shape, jnp.float32, sharding=shared_out),
            jax.ShapeDtypeStruct((total,), jnp.int32, sharding=shared_out),
        ).compile()

    def run(batch: Batch) -> Outcome:
        images, labels = jax.device_put((batch.images, batch.labels), shared_out)
        return compiled(params, rows, images, labels)

    return Program(run=run, batch_size=total, masks_at_once=masks_at_once)


def _all_masks(
    network: Functional,
    layer: Layer,
    values: Float32[np.ndarray, " units"] | None,
    masks_at_once: int,
) -> Callable[[PyTree, Array, Array, Array], Outcome]:
    """The program of one device: `(params, rows, images, labels) → outcome`."""
    fill = {} if values is None else {layer.name: jnp.asarray(values)}

    def all_masks(params: PyTree, rows: Array, images: Array, labels: Array) -> Outcome:
        def one_mask(row: Array) -> tuple[Array, Array]:
            return _outcome(network.apply(params, images, {layer.name: row}, fill), labels)

        # What does not depend on the row (the layers before the mask) is computed once.
        return jax.lax.map(one_mask, rows, batch_size=masks_at_once)

    return all_masks


def _outcome(
    logits: Float[Array, "images classes"], labels: Int32[Array, " images"]
) -> tuple[Int32[Array, " images"], Float32[Array, " images"]]:
    """Predicted class (the first of equals) and cross-entropy of each image."""
    log_probabilities = jax.nn.log_softmax(logits.astype(jnp.float32))
    loss = -jnp.take_along_axis(log_probabilities, labels[:, None], axis=1)[:, 0]
    return jnp.argmax(logits, axis=1).astype(jnp.int32), loss


def _in_chunks(
    masks: Float32[np.ndarray, "masks units"], most: int
) -> tuple[Float32[np.ndarray, "rows units"], int]:
    """Rows without ablation (the first) and with, padded to chunks of one size.

    Returns:
      The rows and the chunk's size, at most `most` and as even as can be.
    """
    count = len(masks) + 1
    chunks = math.ceil(count / max(1, min(most, count)))
    size = math.ceil(count / chunks)
    rows = np.ones((chunks * size, masks.shape[1]), np.float32)
    rows[1:count] = masks
    return rows, size


def _largest_intermediate(network: Functional) -> int:
    """Bytes of the largest array that one image leaves anywhere on its way."""
    shape = (1, *network.preprocessing.size, network.preprocessing.channels)
    image = jax.ShapeDtypeStruct(shape, jnp.float32)
    traced = jax.make_jaxpr(network.apply)(network.params, image, {}, {})
    return max(_sizes(traced.jaxpr), default=4)


def _sizes(jaxpr: Any) -> list[int]:
    """Bytes of every array that depends on the images, in nested calls too."""
    own = [
        variable.aval.size * variable.aval.dtype.itemsize
        for equation in jaxpr.eqns
        for variable in equation.outvars
        if hasattr(variable.aval, "dtype") and variable.aval.shape[:1] == (1,)
    ]
    inner = [
        getattr(item, "jaxpr", item)
        for equation in jaxpr.eqns
        for item in jax.tree.leaves(
            list(equation.params.values()), is_leaf=lambda leaf: hasattr(leaf, "eqns")
        )
        if hasattr(item, "eqns")
    ]
    return own + [size for jaxpr in inner for size in _sizes(jaxpr)]
