"""Names of values, which survive tracing."""

from __future__ import annotations

from typing import Any, NamedTuple

from jax.ad_checkpoint import checkpoint_name
from jaxtyping import Array

from .._errors import InputError

_MODULE = "module:"
_UNIT = "unit:"
_MASK = "mask:"


class Mark(NamedTuple):
    """A name that a value has in a traced program.

    Attributes:
      name: the module's path, or what the user calls the layer.
      kind: `"module"` for the output of a module, `"unit"` for a value that the user named, which
        is the unit as it is, and `"mask"` for a mask that the user's function applies.
    """

    name: str
    kind: str


def unit(value: Array, name: str) -> Array:
    """Name a value inside a network, which makes it a layer whose units can be masked.

    The value passes through unchanged; works in functions and inside any module.

    Args:
      value: activations `[images, ..., units]`.
      name: the layer's name.

    Returns:
      `value`, `[images, ..., units]`.

    Raises:
      InputError: the name is not a text, or is empty.
    """
    if not isinstance(name, str) or not name:
        raise InputError(f"unit named {name!r}: give a layer's name, such as unit(x, 'conv1')")
    return checkpoint_name(value, _UNIT + name)


def module_output(value: Array, path: str) -> Array:
    """Name the output of a module by the module's path."""
    return checkpoint_name(value, _MODULE + path)


def mask(value: Array, name: str) -> Array:
    """Name a mask `[units]` by its layer."""
    return checkpoint_name(value, _MASK + name)


def mark_of(equation: Any) -> Mark | None:
    """The mark that an equation of a traced program sets; None for any other equation."""
    if equation.primitive.name != "name":
        return None
    name = equation.params["name"]
    for prefix in (_MODULE, _UNIT, _MASK):
        if name.startswith(prefix):
            return Mark(name.removeprefix(prefix), prefix.removesuffix(":"))
    return None
