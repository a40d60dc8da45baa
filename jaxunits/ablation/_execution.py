"""How a sweep is carried out: nothing here changes what is asked."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

import jax

from .._arguments import check_whole, check_whole_or_none
from .._errors import InputError

PATHS = ("auto", "fast", "reference")
PRECISIONS = ("float32", "bfloat16", "checked")


class Options(TypedDict, total=False):
    """The keywords of `Execution`, which every sweep takes."""

    path: str
    precision: str
    batch_size: int | None
    masks_at_once: int | None
    max_memory: int | None
    devices: Sequence[jax.Device] | None
    images_per_piece: int


@dataclass(frozen=True)
class Execution:
    """How a sweep is carried out.

    Attributes:
      path: `"fast"` computes what a changed unit reaches behind the layer; `"reference"` computes
        all that lies behind it under every mask, for any masks; `"auto"` takes the one of fewer
        multiply-adds and says why.
      precision: `"float32"`; `"bfloat16"`, whose counts differ where logits are close; or
        `"checked"`, bfloat16 first and float32 again for every image whose two best logits are,
        under some mask, as close as bfloat16 can be wrong. The bound is four times the largest
        error of a margin under all masks on the first batch of each piece, and grows where a
        repeated image exceeds it. Predictions are then those of float32; losses of images that
        were not repeated are bfloat16's. The share repeated is the attribute `repeated_share`.
      batch_size: images a batch and device, at most; by default 32 on CPUs (measured to be the
        fastest there) and 256 elsewhere, fewer where memory asks for it.
      masks_at_once: masks evaluated together, at most; by default as many as the memory allows, on
        CPUs one after another where a convolution follows (two on the reference path), else as many
        as fill a matrix product.
      max_memory: bytes that the compiled programs may take on a device, their arguments included;
        by default four fifths of an accelerator's memory, a quarter of the host's on CPUs. Where a
        device runs out all the same, the masks and then the images at once are halved.
      devices: where to compute; all local devices by default. Images are shared out among them.
      images_per_piece: images after which what is done is kept, rounded up to whole batches: what a
        kill can lose.
    """

    path: str = "auto"
    precision: str = "float32"
    batch_size: int | None = None
    masks_at_once: int | None = None
    max_memory: int | None = None
    devices: Sequence[jax.Device] | None = None
    images_per_piece: int = 512

    def __post_init__(self) -> None:
        """Refuse what cannot be carried out.

        Raises:
          InputError: a name is unknown, a number is not a whole one above 0, or what was given for
            devices are none.
        """
        for name, known in (("path", PATHS), ("precision", PRECISIONS)):
            value: Any = getattr(self, name)
            if not isinstance(value, str) or value not in known:
                raise InputError(f"{name}={value!r}: give one of {', '.join(known)}")
        check_whole(images_per_piece=self.images_per_piece)
        for name in ("batch_size", "masks_at_once", "max_memory", "images_per_piece"):
            value = getattr(self, name)
            check_whole_or_none(**{name: value})
            if value is not None and value < 1:
                raise InputError(f"{name}={value}: give a number above 0")
        self._check_devices()

    def _check_devices(self) -> None:
        devices: Any = self.devices
        if devices is None:
            return
        known = isinstance(devices, Sequence) and not isinstance(devices, str)
        if not known or not devices or not all(isinstance(each, jax.Device) for each in devices):
            raise InputError(
                f"devices={devices!r}: give a list of JAX's devices, such as jax.devices('cpu'), "
                "or None for all local ones"
            )

    @property
    def places(self) -> Sequence[jax.Device]:
        """The devices to use."""
        return jax.local_devices() if self.devices is None else self.devices

    @property
    def on_cpu(self) -> bool:
        """Whether the devices are CPUs."""
        return self.places[0].platform == "cpu"

    @property
    def budget(self) -> int:
        """Bytes a device may hold."""
        if self.max_memory is not None:
            return self.max_memory
        statistics = self.places[0].memory_stats() or {}
        if "bytes_limit" in statistics:
            return int(statistics["bytes_limit"] * 0.8)
        return host_memory() // 4 // (len(self.places) if self.on_cpu else 1)


def host_memory() -> int:
    """Bytes of memory of this machine; 8 GiB where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 8 * 2**30
