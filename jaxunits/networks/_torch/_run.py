"""Running the steps of a translated module."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import jax

from ..._errors import InputError
from ._unsupported import UnsupportedError


@dataclass(frozen=True)
class Value:
    """What an input or an earlier step gave, by name."""

    name: str


@dataclass(frozen=True)
class Step:
    """One operation.

    Attributes:
      name: of the value that it computes.
      rule: what computes it.
      arguments: numbers, and values by name, nested in tuples.
      options: likewise, by the rule's keywords.
      place: the operation and its module, for messages.
      constant: whether it depends neither on images nor on weights.
    """

    name: str
    rule: Callable[..., Any]
    arguments: tuple[Any, ...]
    options: Mapping[str, Any]
    place: str
    constant: bool


def run(steps: Iterable[Step], inputs: Mapping[str, Any], output: Any) -> Any:
    """Compute what the steps say, one after another.

    Args:
      steps: the operations.
      inputs: the values that no step computes.
      output: what to return, with values by name.

    Raises:
      InputError: an operation is used in a way that its rule does not cover.
    """
    values = dict(inputs)
    for step in steps:
        values[step.name] = _compute(step, values)
    return jax.tree.map(lambda leaf: _look_up(leaf, values), output)


def no_translation(what: str) -> InputError:
    """The error for what no rule computes."""
    return InputError(
        f"{what} has no translation to JAX: write what the module computes with other "
        "operations, or write the network in JAX and give it to from_callable"
    )


def _compute(step: Step, values: Mapping[str, Any]) -> Any:
    # Indices that are known while tracing make slices, where traced ones would make gathers.
    known = jax.ensure_compile_time_eval() if step.constant else contextlib.nullcontext()
    arguments = [_look_up(argument, values) for argument in step.arguments]
    options = {key: _look_up(value, values) for key, value in step.options.items()}
    try:
        with known:
            return step.rule(*arguments, **options)
    except UnsupportedError as error:
        raise no_translation(f"{error} in {step.place}") from error


def _look_up(argument: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(argument, Value):
        return values[argument.name]
    if isinstance(argument, tuple):
        return tuple(_look_up(each, values) for each in argument)
    return argument
