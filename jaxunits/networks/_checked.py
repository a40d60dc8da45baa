"""Checks of a user's network, once, before anything is measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from flax import nnx
from flax.errors import FlaxError
from jaxtyping import PyTree

from .._errors import InputError
from ._classifier import Classifier

Output = str | int | Callable[[Any], Any] | None
# Of a sum of a thousand numbers in bfloat16.
_PROBABILITY_ERROR = 1e-2
# Of logits that do not depend on the other images, relative to the largest: rounding.
_NEIGHBOR_ERROR = 1e-3
_REFUSED = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    FlaxError,
    LookupError,
    TypeError,
    ValueError,
    jax.errors.JAXTypeError,
)


@dataclass(frozen=True, eq=False)
class Arguments:
    """Keyword arguments of a module's call; equal where they are equal and can be compared.

    Attributes:
      values: the arguments.
    """

    values: Mapping[str, Any]

    @classmethod
    def of(cls, values: Mapping[str, Any] | None) -> Arguments:
        """From what a user gave."""
        return cls(dict(values or {}))

    def fresh(self) -> dict[str, Any]:
        """The arguments for one call; what holds state is copied, so that no call changes it."""
        return {
            name: nnx.clone(value) if isinstance(value, nnx.Pytree) else value
            for name, value in self.values.items()
        }

    def _key(self) -> tuple[Any, ...]:
        plain = (bool, int, float, str, type(None))
        return tuple(
            (name, value if isinstance(value, plain) else id(value))
            for name, value in self.values.items()
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Arguments) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())


def check_options(
    hook: str, unit_axis: Mapping[str, int] | None, output: Any
) -> tuple[str, tuple[tuple[str, int], ...], Output]:
    """The options that say what a network's units and logits are.

    Raises:
      InputError: naming one that cannot be used.
    """
    if hook not in ("unit", "output"):
        raise InputError(f"hook={hook!r}: give 'unit' or 'output'")
    if not (output is None or isinstance(output, str | int) or callable(output)):
        raise InputError(
            f"output of type {type(output).__name__}: give a key or place of the logits among the "
            "outputs, or a function of them"
        )
    axes = tuple((unit_axis or {}).items())
    for name, axis in axes:
        if not isinstance(axis, int) or axis == 0:
            raise InputError(
                f"unit_axis={{{name!r}: {axis!r}}}: give the number of an axis; 0 are the images"
            )
    return hook, axes, output


def chosen_output(outputs: Any, output: Output) -> Any:
    """The logits among the outputs of a network."""
    if callable(output):
        return output(outputs)
    return outputs if output is None else outputs[output]


def check_arrays(params: PyTree, place: str) -> None:
    """Refuse parameters that are not arrays of numbers.

    Raises:
      InputError: naming the first.
    """
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        kind = getattr(leaf, "dtype", None)
        known = isinstance(leaf, int | float | complex) if kind is None else True
        # Objects, text and dates; keys of random numbers are of types without such a letter.
        if not known or getattr(kind, "kind", None) in tuple("OSUMm"):
            name = jax.tree_util.keystr(path) or "params"
            raise InputError(
                f"parameter {name} of {place} is of type {kind or type(leaf).__name__}: give "
                "arrays of numbers"
            )


def check_network(network: Classifier, *, allow_probabilities: bool) -> None:
    """Refuse a network that cannot be measured.

    Raises:
      InputError: it cannot be called with images alone, does not give logits `[images, classes]`,
        has no layers, gives NaN or probabilities, or an image's logits depend on others.
    """
    place = f"network {network.name!r}"
    try:
        program = network.function.traced(network.params, network.example).program
    except _REFUSED as error:
        if isinstance(error, InputError):
            raise
        raise _refusal(network, error) from error
    leaves = program.outputs
    shapes = [tuple(each.aval.shape) for each in leaves]
    if len(shapes) != 1:
        raise InputError(
            f"{place} gives {len(shapes)} arrays of shapes {shapes}: say which are the logits by "
            "output=, a key, an index or a function of them"
        )
    if len(shapes[0]) != 2 or shapes[0][0] != 2:
        raise InputError(
            f"{place} gives {shapes[0]} for two images: expected logits [images, classes]"
        )
    if not network.layers:
        raise InputError(
            f"{place} has no layers: none of its modules gives activations [images, ..., units]. "
            "Name values inside it by ju.networks.unit(x, 'conv1')"
        )
    for name, _ in network.function.unit_axis:
        network.layer(name)
    _check_logits(network, allow_probabilities)


def _check_logits(network: Classifier, allow_probabilities: bool) -> None:
    place = f"network {network.name!r}"
    noise = np.random.default_rng(0).normal(size=(3, *network.example.shape[1:]))
    others = noise[[0, 2, 1]]
    run = jax.jit(network.function.traced(network.params, network.example).program)
    first, second = (
        np.asarray(run(network.params, images.astype(np.float32)), np.float64)
        for images in (noise[:2], others[:2])
    )
    if not np.isfinite(first).all():
        # Parameters that are not numbers are refused where they are measured, by their names.
        return
    if np.abs(first[0] - second[0]).max() > _NEIGHBOR_ERROR * max(1e-6, np.abs(first).max()):
        raise InputError(
            f"{place} gives an image different logits beside other images: it uses statistics of "
            "the batch, as batch norm does in training. Set it to evaluation: arguments={'train': "
            "False} or {'use_running_average': True}, or module.eval()"
        )
    if allow_probabilities or first.shape[1] == 1:
        return
    if (first >= 0).all() and np.allclose(first.sum(1), 1, atol=_PROBABILITY_ERROR):
        raise InputError(
            f"{place} gives numbers that are all non-negative and sum to one: these look "
            "like probabilities, and the loss takes the softmax itself. Leave the softmax at its "
            "end out, or give allow_probabilities=True if they are meant as logits"
        )


def _refusal(network: Classifier, error: Exception) -> InputError:
    shape = ", ".join(map(str, network.example.shape[1:]))
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    return InputError(
        f"network {network.name!r} cannot be called with images [images, {shape}]: {text}. Images "
        "come as [images, height, width, channels] (transpose them inside for channels first); "
        "other arguments are given by arguments={'train': False}; the size and channels of images "
        "by preprocessing"
    )
