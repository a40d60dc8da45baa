"""The door for Flax Linen modules, as they are."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
from flax import linen as nn
from flax.errors import FlaxError
from jaxtyping import Array, PyTree

from .._errors import InputError
from .._kinds import checks_kinds
from ..data import Preprocessing
from ._callable import check_arrays, count_classes
from ._functional import Functional
from ._layer import Layer
from ._masking import ablate, check_masks


@checks_kinds
def from_linen(
    module: nn.Module,
    variables: PyTree,
    *,
    preprocessing: Preprocessing,
    arguments: Mapping[str, Any] | None = None,
    allow_probabilities: bool = False,
) -> Functional:
    """A Linen module not written for masks as a network that can be measured.

    Its layers are its submodules that give one array of numbers, named by their paths (`Conv_0`,
    `block1/Conv_0`); the units are the last axis of what the submodule gives. Where a ReLU follows
    outside the submodule, ablating a unit to zero before it is the same as after it; for batch norm
    after a convolution name the batch norm. Values other than zero are set before that ReLU.

    Args:
      module: the module.
      variables: its variables, as `module.init` returns them.
      preprocessing: what it expects of images.
      arguments: keyword arguments of its call, such as `{"train": False}`.
      allow_probabilities: as for `from_callable`.

    Raises:
      InputError: the module does not give logits `[images, classes]`, or gives probabilities.
    """
    if not isinstance(variables, Mapping):
        raise InputError(
            f"variables of type {type(variables).__name__}: give what module.init returns"
        )
    check_arrays(variables, f"network {type(module).__name__!r}")
    call = {} if arguments is None else dict(arguments)
    name = type(module).__name__

    def apply(
        params: PyTree, images: Array, masks: Mapping[str, Array], values: Mapping[str, Array]
    ) -> Array:
        check_masks(masks, layers.values(), f"network {name!r}")

        def masked(path: str, output: Any) -> Any:
            return ablate(output, masks[path], values.get(path)) if path in masks else output

        with _intercepted(masked):
            logits: Any = module.apply(params, images, **call)
        return logits

    def with_activations(
        params: PyTree, images: Array, names: Sequence[str], masks: Mapping[str, Array]
    ) -> tuple[Array, dict[str, Array]]:
        check_masks(masks, layers.values(), f"network {name!r}")
        answers: dict[str, Array] = {}

        def record(path: str, output: Any) -> Any:
            output = ablate(output, masks[path]) if path in masks else output
            if path in names:
                answers[path] = output
            return output

        with _intercepted(record):
            logits: Any = module.apply(params, images, **call)
        return logits, answers

    def activations(params: PyTree, images: Array, layer: str) -> Array:
        return with_activations(params, images, [layer], {})[1][layer]

    def incoming_weights(params: PyTree, layer: str) -> Array | None:
        part = params.get("params", {})
        for key in layer.split("/"):
            part = part.get(key, {})
        kernel = part.get("kernel")
        return None if kernel is None else nn.unbox(kernel)

    layers = _find_layers(
        lambda params, images: module.apply(params, images, **call), variables, preprocessing
    )
    return Functional(
        name=name,
        apply=apply,
        params=variables,
        layers=layers,
        classes=count_classes(
            apply, variables, preprocessing, name, allow_probabilities=allow_probabilities
        ),
        preprocessing=preprocessing,
        activations=activations,
        with_activations=with_activations,
        incoming_weights=incoming_weights,
    )


@contextlib.contextmanager
def _intercepted(replace: Callable[[str, Any], Any]) -> Iterator[None]:
    """Within, `replace(path, output)` takes the place of what each submodule's call returns."""

    def interceptor(
        next_function: Callable[..., Any],
        args: Any,
        kwargs: Any,
        context: nn.module.InterceptorContext,
    ) -> Any:
        output = next_function(*args, **kwargs)
        if context.method_name != "__call__" or not context.module.path:
            return output
        return replace("/".join(context.module.path), output)

    with nn.intercept_methods(interceptor):
        yield


def _find_layers(
    forward: Callable[[PyTree, Array], Any], variables: PyTree, preprocessing: Preprocessing
) -> dict[str, Layer]:
    layers = {}

    def record(path: str, output: Any) -> Any:
        if is_units(output):
            layers[path] = Layer(path, output.shape[-1], tuple(output.shape[1:-1]))
        return output

    images = jax.ShapeDtypeStruct((1, *preprocessing.size, preprocessing.channels), "float32")
    with _intercepted(record):
        try:
            jax.eval_shape(forward, variables, images)
        except FlaxError as error:
            raise InputError(f"variables do not fit their module: {error}") from error
    return layers


def is_units(output: Any) -> bool:
    """Whether a submodule's output is activations `[images, *map, units]`."""
    return (
        isinstance(output, jax.Array)
        and output.ndim in (2, 4)
        and jax.numpy.issubdtype(output.dtype, jax.numpy.floating)
    )
