"""The compiled programs of a path, which serve any arrays of their shapes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import NamedSharding, PartitionSpec
from jaxtyping import Array, PyTree

from .._programs import Shapes, kept
from ..networks import MaskedFunction
from ._path import Layout
from ._paths import cast_shapes, functions_of
from ._question import Inputs, Outcome, classify


@dataclass(frozen=True)
class Build:
    """All that compiled programs depend on; arrays are their arguments.

    Attributes:
      function: the network.
      layer: the layer.
      layout: how the masks lie in the arguments.
      params: shapes of the network's parameters.
      arguments: shapes of the path's arguments.
      images: the shape of a device's batch.
      partners: whether there are other images too, whose activations ablated units give.
      dtype: of activations and weights behind the images.
      margins: whether margins are wanted too.
      devices: where they run.
      compilations: the names of programs are added to it as they are compiled.
    """

    function: MaskedFunction
    layer: str
    layout: Layout
    params: Shapes
    arguments: Shapes
    images: tuple[int, ...]
    partners: bool
    dtype: Any
    margins: bool
    devices: tuple[jax.Device, ...]
    compilations: list[str] = field(default_factory=list, compare=False)


class Compiled(NamedTuple):
    """Compiled programs, for any arrays of their shapes.

    Attributes:
      prepare: from parameters, inputs and arguments to what all masks share.
      evaluate: from parameters, that, labels and arguments to outcomes.
      images: a batch of all devices, with its places.
      everywhere: where parameters and arguments go.
      peak: bytes that a device holds at most.
      shared_bytes: bytes of what all masks share of a batch, on a device.
    """

    prepare: Callable[..., PyTree]
    evaluate: Callable[..., PyTree]
    images: jax.ShapeDtypeStruct
    everywhere: NamedSharding
    peak: int
    shared_bytes: int


@kept
def compiled(build: Build) -> Compiled:
    """Compile the programs of a build."""
    mesh = jax.make_mesh((len(build.devices),), ("images",), devices=build.devices)
    everywhere = NamedSharding(mesh, PartitionSpec())
    by_image = NamedSharding(mesh, PartitionSpec("images"))
    total = build.images[0] * len(build.devices)
    images = _placed((total, *build.images[1:]), by_image)
    labels = _placed((total,), by_image, jnp.int32)
    inputs = Inputs(images, images if build.partners else None)
    params, arguments = build.params.tree(everywhere), build.arguments.tree(everywhere)
    # Matrix products in full float32 on accelerators too, whose default is less.
    with jax.default_matmul_precision("highest"):
        prepare, evaluate = _sharded_functions(build, mesh)
        first = prepare.lower(params, inputs, arguments).compile()
        state = jax.tree.map(
            lambda leaf, place: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=place),
            jax.eval_shape(prepare, params, inputs, arguments),
            first.output_shardings,
        )
        second = evaluate.lower(params, state, labels, arguments).compile()
    build.compilations.extend(("prepare", "evaluate"))
    return Compiled(
        prepare=first,
        evaluate=second,
        images=images,
        everywhere=everywhere,
        peak=_peak(first, second),
        shared_bytes=int(first.memory_analysis().output_size_in_bytes),
    )


def _sharded_functions(build: Build, mesh: Any) -> tuple[Any, Any]:
    """What is compiled, each device with its share of the images."""
    dtype = build.dtype
    image = jax.ShapeDtypeStruct(build.images, dtype)
    functions = functions_of(
        build.function,
        build.layer,
        build.layout,
        {
            "params": cast_shapes(build.params.tree(), dtype),
            "inputs": Inputs(image, image if build.partners else None),
            "arguments": build.arguments.tree(),
        },
    )

    def prepare(params: PyTree, inputs: Inputs, arguments: PyTree) -> PyTree:
        return functions.prepare(_cast(params, dtype), _cast(inputs, dtype), arguments)

    def evaluate(params: PyTree, state: PyTree, labels: Array, arguments: PyTree) -> PyTree:
        def outcome(logits: Array) -> Outcome | tuple[Array, Array]:
            found = classify(logits, labels)
            return found if build.margins else (found.prediction, found.loss)

        return functions.evaluate(_cast(params, dtype), state, arguments, outcome)

    none, share, out = PartitionSpec(), PartitionSpec("images"), PartitionSpec(None, "images")
    return (
        _sharded(prepare, mesh, (none, share, none), share),
        _sharded(evaluate, mesh, (none, share, share, none), out),
    )


def _sharded(function: Callable[..., Any], mesh: Any, inputs: Any, outputs: Any) -> Any:
    return jax.jit(
        jax.shard_map(function, mesh=mesh, in_specs=inputs, out_specs=outputs, check_vma=False)
    )


def _placed(
    shape: tuple[int, ...], sharding: NamedSharding, dtype: Any = jnp.float32
) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, dtype, sharding=sharding)


def _cast(arrays: PyTree, dtype: Any) -> PyTree:
    """Floating-point arrays in another type; nothing is done for float32."""
    if dtype == jnp.float32:
        return arrays
    return jax.tree.map(
        lambda leaf: leaf.astype(dtype) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf,
        arrays,
    )


def _peak(first: Any, second: Any) -> int:
    """Bytes a device holds while one batch is evaluated and the next is prepared."""
    before, after = (program.memory_analysis() for program in (first, second))
    one = before.temp_size_in_bytes + before.argument_size_in_bytes + before.output_size_in_bytes
    two = after.temp_size_in_bytes + after.argument_size_in_bytes + after.output_size_in_bytes
    return int(max(one, two + before.output_size_in_bytes))
