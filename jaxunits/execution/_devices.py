"""Programs for several devices: placement of arrays, precision of products, memory."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import PyTree

# Of matrix products and convolutions; accelerators use less than float32 by default.
_PRODUCTS = {"float32": "highest", "tf32": "tensorfloat32", "bfloat16": "highest"}


@contextlib.contextmanager
def products(precision: str = "float32") -> Iterator[None]:
    """Products traced within have the given precision of `Execution`."""
    with jax.default_matmul_precision(_PRODUCTS[precision]):
        yield


def working_dtype(precision: str) -> Any:
    """The type of activations and weights behind the images."""
    return jnp.dtype(jnp.bfloat16 if precision == "bfloat16" else jnp.float32)


def cast(arrays: PyTree, dtype: Any) -> PyTree:
    """Floating-point arrays in another type; nothing is done for float32."""
    if dtype == jnp.float32:
        return arrays
    return jax.tree.map(
        lambda leaf: leaf.astype(dtype) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf,
        arrays,
    )


@dataclass(frozen=True)
class Places:
    """Devices that share the images of a batch.

    Attributes:
      devices: the devices.
    """

    devices: tuple[jax.Device, ...]

    @property
    def everywhere(self) -> NamedSharding:
        """Where every device holds the whole array."""
        return NamedSharding(self._mesh, PartitionSpec())

    @property
    def by_image(self) -> NamedSharding:
        """Where each device holds its images, along the first axis."""
        return NamedSharding(self._mesh, PartitionSpec("images"))

    @property
    def _mesh(self) -> Mesh:
        return Mesh(np.asarray(self.devices), ("images",))

    def shared(
        self,
        function: Callable[..., Any],
        given: Sequence[bool],
        outcome: PyTree,
        donated: tuple[int, ...] = (),
    ) -> Any:
        """A function of which each device computes its images, compiled when it is called.

        Args:
          function: for the images of one device.
          given: for each argument whether it is by image.
          outcome: where its images are, by `along`.
          donated: the arguments that are used up.
        """
        specs = tuple(PartitionSpec("images") if each else PartitionSpec() for each in given)
        return jax.jit(
            jax.shard_map(
                function, mesh=self._mesh, in_specs=specs, out_specs=outcome, check_vma=False
            ),
            donate_argnums=donated,
        )


def along(axis: int | None) -> PartitionSpec:
    """The specification of arrays whose images lie along an axis, or that every device holds."""
    if axis is None:
        return PartitionSpec()
    return PartitionSpec(*[None] * axis, "images")


def bytes_held(program: Any) -> int:
    """Bytes that a compiled program holds on a device at most, its arguments included."""
    memory = program.memory_analysis()
    held = memory.temp_size_in_bytes + memory.argument_size_in_bytes
    return int(held + memory.output_size_in_bytes - memory.alias_size_in_bytes)


def array_bytes(arrays: PyTree) -> int:
    """Bytes of arrays, or of what has their shapes."""
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(arrays))


def fitting(at_once: int, peak: int, fixed: int, budget: int) -> int:
    """How many at once should fit into a budget, fewer than so many.

    Args:
      at_once: so many.
      peak: bytes that they take.
      fixed: bytes of these that any number takes.
      budget: bytes that may be taken.
    """
    share = (budget - fixed) / max(1, peak - fixed)
    return max(1, min(at_once - 1, int(at_once * share)))


def ran_out(error: BaseException) -> bool:
    """Whether a device ran out of memory."""
    return isinstance(error, jax.errors.JaxRuntimeError) and "RESOURCE_EXHAUSTED" in str(error)
