"""Convolutions and dense layers with what follows them, added to a network by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from flax import nnx
from jaxtyping import Array, Float

from .._errors import InputError, unknown_name
from ._convolution import batch_norm, convolution
from ._kernels import InitialKernels, dense


def add_convolution(
    network: nnx.Module,
    name: str,
    inputs: int,
    outputs: int,
    *,
    normalized: bool,
    dropout: float,
    kernels: InitialKernels,
    **settings: Any,
) -> None:
    """Give a network a convolution `conv…`, its batch norm `bn…` and its dropout.

    Args:
      network: gets the attributes.
      name: what follows `conv`.
      inputs: channels that it reads.
      outputs: channels of its output.
      normalized: whether it has a batch norm.
      dropout: the probability that a channel is dropped.
      kernels: draws the kernel.
      **settings: of `convolution`.
    """
    conv = convolution(inputs, outputs, kernel_init=kernels.he, **settings)
    norm = batch_norm(outputs, kernels.rngs) if normalized else nnx.identity
    setattr(network, f"conv{name}", conv)
    setattr(network, f"bn{name}", norm)
    setattr(network, f"conv{name}_dropout", channel_dropout(dropout, kernels.rngs))


def convolved(
    network: Any, name: str, maps: Float[Array, "images height width inputs"]
) -> Float[Array, "images rows columns units"]:
    """What a network's convolution gives, normalized, after ReLU and dropout."""
    conv, norm = getattr(network, f"conv{name}"), getattr(network, f"bn{name}")
    return getattr(network, f"conv{name}_dropout")(nnx.relu(norm(conv(maps))))


def add_dense(
    network: nnx.Module,
    inputs: int,
    widths: Mapping[str, int],
    *,
    dropout: float,
    kernels: InitialKernels,
) -> None:
    """Give a network dense layers one after another, each but the last with its dropout.

    Args:
      network: gets the attributes.
      inputs: numbers per image that the first of them reads.
      widths: the units of each by its name; the last gives the logits.
      dropout: the probability that a unit is dropped.
      kernels: draws the kernels.
    """
    *hidden, last = widths
    for name, units in widths.items():
        kernel_init = kernels.lecun if name == last else kernels.he
        setattr(network, name, dense(inputs, units, kernel_init))
        if name in hidden:
            setattr(network, f"{name}_dropout", unit_dropout(dropout, kernels.rngs))
        inputs = units


def classified(
    network: Any, names: Sequence[str], features: Float[Array, "images inputs"]
) -> Float[Array, "images classes"]:
    """What a network's dense layers give one after another, ReLU and dropout behind all but one."""
    *hidden, last = names
    for name in hidden:
        features = getattr(network, f"{name}_dropout")(nnx.relu(getattr(network, name)(features)))
    return getattr(network, last)(features)


def unit_dropout(rate: float, rngs: nnx.Rngs) -> Callable[[Array], Array]:
    """Drops single numbers in training, each with a probability; nothing for 0.

    Raises:
      InputError: the probability is not in 0 ≤ rate < 1.
    """
    return _dropout(rate, (), rngs)


def channel_dropout(rate: float, rngs: nnx.Rngs) -> Callable[[Array], Array]:
    """Drops whole channels of maps in training; see `unit_dropout`."""
    return _dropout(rate, (1, 2), rngs)


def _dropout(rate: float, shared: tuple[int, ...], rngs: nnx.Rngs) -> Callable[[Array], Array]:
    if not 0 <= rate < 1:
        raise InputError(f"dropout of rate {rate}: give a number from 0 to below 1")
    return nnx.Dropout(rate, broadcast_dims=shared, rngs=rngs) if rate else nnx.identity


def check_dropout_layers(
    rates: Mapping[str, float] | None, layers: Sequence[str], builder: str
) -> dict[str, float]:
    """For some layers the probability that a channel is dropped.

    Raises:
      InputError: the network has no such layer.
    """
    rates = dict(rates or {})
    for name in rates:
        if name not in layers:
            raise unknown_name("layer", name, layers, f"channel_dropout: network {builder!r}")
    return rates
