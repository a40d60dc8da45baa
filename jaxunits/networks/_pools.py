"""Pooling: stages that act on each channel by itself."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float

from .._bounds import check_numbers
from .._kinds import checks_kinds
from ._pooling import max_pool
from ._stages import SIZES, Centres, check_padding


class MaxPool(nnx.Module):
    """The largest value of each window of each channel; rows and columns left over are dropped.

    Attributes:
      size: side of the window in pixels.
      strides: step in pixels; `size` by default.
      padding: pixels on each side that no value of the image can lose against.
    """

    units = None
    per_channel = True

    @checks_kinds
    def __init__(self, size: int = 2, strides: int | None = None, padding: int = 0) -> None:
        self.size = size
        self.strides = size if strides is None else strides
        check_numbers(size=(size, SIZES), strides=(self.strides, SIZES))
        check_padding(padding)
        self.padding = padding

    def __call__(
        self, state: Float[Array, "images height width units"]
    ) -> Float[Array, "images rows columns units"]:
        """Pool."""
        return max_pool(state, self.size, self.strides, self.padding)

    def centres(self, _: tuple[int, int]) -> tuple[Centres, Centres]:
        """Where the windows lie, see `LocalStage`."""
        window = Centres(self.strides, (self.size - 1) / 2 - self.padding)
        return window, window


class AveragePool(nnx.Module):
    """The mean of each window of each channel; rows and columns left over are dropped.

    Attributes:
      size: side of the window in pixels; None for the whole map, which leaves `[images, units]`.
      strides: step in pixels; `size` by default.
    """

    units = None
    per_channel = True

    @checks_kinds
    def __init__(self, size: int | None = 2, strides: int | None = None) -> None:
        self.size = size
        self.strides = size if strides is None else strides
        if self.size is not None and self.strides is not None:
            check_numbers(size=(self.size, SIZES), strides=(self.strides, SIZES))

    def __call__(
        self, state: Float[Array, "images height width units"]
    ) -> Float[Array, "images *map units"]:
        """Pool."""
        if self.size is None or self.strides is None:
            return state.mean((1, 2))
        return nnx.avg_pool(state, (self.size,) * 2, (self.strides,) * 2)

    def centres(self, size: tuple[int, int]) -> tuple[Centres, Centres]:
        """Where the windows lie, see `LocalStage`."""
        if self.size is None or self.strides is None:
            return _evenly(size[0], 1), _evenly(size[1], 1)
        window = Centres(self.strides, (self.size - 1) / 2)
        return window, window


class AdaptiveAveragePool(nnx.Module):
    """The mean of each of a fixed number of windows, whatever the size of the maps (PyTorch's).

    Window i of n covers the rows from ⌊i · height / n⌋ up to ⌈(i + 1) · height / n⌉, columns
    likewise. Windows overlap where the division leaves a remainder.

    Attributes:
      size: rows and columns that are left.
    """

    units = None
    per_channel = True

    @checks_kinds
    def __init__(self, size: tuple[int, int]) -> None:
        check_numbers(rows=(size[0], SIZES), columns=(size[1], SIZES))
        self.size = tuple(size)

    def __call__(
        self, state: Float[Array, "images height width units"]
    ) -> Float[Array, "images rows columns units"]:
        """Pool."""
        down, across = (
            jnp.asarray(_window_means(sides, windows), state.dtype)
            for sides, windows in zip(state.shape[1:3], self.size, strict=True)
        )
        return jnp.einsum("nhwu,rh,cw->nrcu", state, down, across)

    def centres(self, size: tuple[int, int]) -> tuple[Centres, Centres]:
        """Where the windows lie on average, see `LocalStage`."""
        return _evenly(size[0], self.size[0]), _evenly(size[1], self.size[1])


def _evenly(length: int, windows: int) -> Centres:
    """Windows side by side."""
    step = length / windows
    return Centres(step, (step - 1) / 2)


def _window_means(length: int, windows: int) -> Float[np.ndarray, "windows length"]:
    """The mean over each window, as a matrix."""
    means = np.zeros((windows, length))
    for window in range(windows):
        start, stop = window * length // windows, -(-(window + 1) * length // windows)
        means[window, start:stop] = 1 / (stop - start)
    return means
