"""An image as the numbers that ascent changes (Olah, Mordvintsev and Schubert 2017)."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Float32, PRNGKeyArray

from ._method import Method

Shape = tuple[int, int, int]

# Square root of the covariance of ImageNet's colors, as in Lucid (Apache-2.0), whose largest
# column has length 1: from principal colors to red, green and blue.
_COLORS = np.asarray([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]], np.float32)
_COLORS /= np.linalg.norm(_COLORS, axis=0).max()

# Black and white as a sigmoid can give them.
_DARKEST = 1e-3


def start(
    method: Method,
    key: PRNGKeyArray,
    image: Float[Array, "height width channels"],
    exact: Bool[Array, ""],
) -> Float[Array, ...]:
    """The numbers that ascent starts from: those of an image, and noise.

    Args:
      method: the settings.
      key: of the noise.
      image: pixels from 0 to 1.
      exact: whether the noise is left out.
    """
    numbers = _numbers(method, image)
    noise = method.noise * jax.random.normal(key, numbers.shape)
    return project(method, numbers + jnp.where(exact, 0, noise))


def project(method: Method, numbers: Float[Array, ...]) -> Float[Array, ...]:
    """The nearest numbers whose pixels lie between 0 and 1."""
    return jnp.clip(numbers, 0, 1) if method.values == "clip" else numbers


def free(
    method: Method, gradient: Float[Array, ...], numbers: Float[Array, ...]
) -> Float[Array, ...]:
    """The part of a cost's gradient that does not lead beyond black or white.

    Without the rest the length of a normalized step is that of what can still change.
    """
    if method.values != "clip":
        return gradient
    beyond = ((numbers <= 0) & (gradient > 0)) | ((numbers >= 1) & (gradient < 0))
    return jnp.where(beyond, 0, gradient)


def pixels(
    method: Method, numbers: Float[Array, ...], shape: Shape
) -> Float[Array, "height width channels"]:
    """The image that the numbers stand for, from 0 to 1, red before green before blue."""
    image = _from_frequencies(numbers, shape) if method.basis == "fourier" else numbers
    if method.decorrelate_colors:
        image = image @ jnp.asarray(_COLORS.T)
    return jax.nn.sigmoid(image) if method.values == "sigmoid" else image


def _numbers(method: Method, image: Float[Array, "height width channels"]) -> Float[Array, ...]:
    """The numbers that stand for an image: what `pixels` undoes."""
    if method.values == "sigmoid":
        image = jax.scipy.special.logit(jnp.clip(image, _DARKEST, 1 - _DARKEST))
    if method.decorrelate_colors:
        image = image @ jnp.asarray(np.linalg.inv(_COLORS.T))
    if method.basis == "pixel":
        return image
    height, width, _ = image.shape
    spectrum = 4 * jnp.fft.rfft2(image, axes=(0, 1)) / _energies(height, width)[..., None]
    return jnp.stack([spectrum.real, spectrum.imag])


def _from_frequencies(
    numbers: Float[Array, "2 height half channels"], shape: Shape
) -> Float[Array, "height width channels"]:
    height, width, _ = shape
    spectrum = jax.lax.complex(numbers[0], numbers[1]) * _energies(height, width)[..., None]
    return jnp.fft.irfft2(spectrum, s=(height, width), axes=(0, 1)) / 4


def _energies(height: int, width: int) -> Float32[np.ndarray, "height half"]:
    """One over each frequency, so that coarse and fine start with equal energy."""
    frequencies = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    energies = np.sqrt(height * width) / np.maximum(frequencies, 1 / max(height, width))
    return energies.astype(np.float32)
