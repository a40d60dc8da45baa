"""How a measurement is executed: nothing here changes what is measured."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypedDict

import jax

from .._arguments import check_whole, check_whole_or_none
from .._bounds import THREADS, check_numbers
from .._errors import InputError


class Options(TypedDict, total=False):
    """The keywords of `Execution`, which every measuring function takes."""

    precision: str
    batch_size: int | None
    max_memory: int | None
    devices: Sequence[jax.Device] | None
    images_per_piece: int
    decoding_threads: int


@dataclass(frozen=True)
class Execution:
    """How a measurement is executed.

    Attributes:
      precision: `"float32"`, with exact products on accelerators too; `"tf32"`, whose products have
        10 bits of mantissa where supported; or `"bfloat16"`, for activations and weights.
      batch_size: images per batch and device, at most; by default 32 on CPUs (measured to be the
        fastest there) and 256 elsewhere, fewer if memory requires it.
      max_memory: bytes that the compiled programs may take on a device, their arguments included;
        by default four fifths of an accelerator's memory, a quarter of the host's on CPUs. If a
        device still runs out of memory, what is computed at once is halved.
      devices: where to compute; all local devices by default. Images are shared out among them.
      images_per_piece: images after which progress is saved, rounded up to whole batches: the most
        that an interruption can lose; fewer if they take more than 256 MiB of the host's memory.
      decoding_threads: how many threads read images ahead.
    """

    precision: str = "float32"
    batch_size: int | None = None
    max_memory: int | None = None
    devices: Sequence[jax.Device] | None = None
    images_per_piece: int = 512
    decoding_threads: int = 4

    choices: ClassVar[Mapping[str, Sequence[str]]] = {"precision": ("float32", "tf32", "bfloat16")}
    numbers: ClassVar[Sequence[str]] = ("batch_size", "max_memory", "images_per_piece")

    def __post_init__(self) -> None:
        """Refuse invalid options.

        Raises:
          InputError: a name is unknown, a number is not a positive integer, there are more than
            1024 threads, or `devices` holds no JAX devices.
        """
        for name, known in self.choices.items():
            value: Any = getattr(self, name)
            if not isinstance(value, str) or value not in known:
                raise InputError(f"{name}={value!r}: give one of {', '.join(known)}")
        check_whole(images_per_piece=self.images_per_piece)
        for name in self.numbers:
            value = getattr(self, name)
            check_whole_or_none(**{name: value})
            if value is not None and value < 1:
                raise InputError(f"{name}={value}: give a number above 0")
        check_numbers(decoding_threads=(self.decoding_threads, THREADS))
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

    def batch_of(self, images: int) -> int:
        """Images per batch and device, out of so many images."""
        wanted = self.batch_size or (32 if self.on_cpu else 256)
        return max(1, min(wanted, -(-images // len(self.places))))

    @property
    def side_by_side(self) -> int:
        """Batches of a device that a piece holds at least."""
        return 1

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
