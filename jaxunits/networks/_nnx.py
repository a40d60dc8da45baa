"""The door for Flax NNX modules, as they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
from flax import nnx
from jaxtyping import Array, PyTree

from .._kinds import checks_kinds
from ..data import Preprocessing
from ._callable import count_classes
from ._functional import Functional
from ._layer import Layer
from ._linen import is_units
from ._masking import ablate, check_masks

_Path = tuple[Any, ...]
_CONTAINERS = (nnx.List, nnx.Dict, list, dict)


@checks_kinds
def from_nnx(
    module: nnx.Module, *, preprocessing: Preprocessing, allow_probabilities: bool = False
) -> Functional:
    """An NNX module not written for masks as a network that can be measured.

    Its layers are its submodules that are called with the images' way through and give one array of
    numbers, named by their paths (`conv1`, `blocks/0/conv`); the units are the last axis of what
    the submodule gives. Dropout and batch norm are set to evaluation. Where a ReLU follows outside
    the submodule, ablating a unit to zero before it is the same as after it; for batch norm after a
    convolution name the batch norm. Values other than zero are set before that ReLU.

    Args:
      module: the module, called with images alone; it is not changed.
      preprocessing: what it expects of images.
      allow_probabilities: as for `from_callable`.

    Raises:
      InputError: the module does not give logits `[images, classes]`, or gives probabilities.
    """
    name = type(module).__name__
    view = nnx.view(module, raise_if_not_found=False, deterministic=True, use_running_average=True)
    graph, state = nnx.split(view)
    paths = {
        "/".join(map(str, path)): path
        for path, part in nnx.iter_modules(view)
        if path and callable(part)
    }

    def run(params: PyTree, images: Array, replace: Mapping[str, Callable[[Any], Any]]) -> Any:
        fresh = nnx.merge(graph, params)
        # Children before parents: a wrapped parent would take its children's new attributes itself.
        for key in sorted(replace, key=lambda key: -len(paths[key])):
            _wrap(fresh, paths[key], replace[key])
        return fresh(images)

    def apply(
        params: PyTree, images: Array, masks: Mapping[str, Array], values: Mapping[str, Array]
    ) -> Array:
        check_masks(masks, layers.values(), f"network {name!r}")

        def masking(key: str) -> Callable[[Any], Any]:
            return lambda output: ablate(output, masks[key], values.get(key))

        return run(params, images, {key: masking(key) for key in masks})

    def with_activations(
        params: PyTree, images: Array, names: Sequence[str], masks: Mapping[str, Array]
    ) -> tuple[Array, dict[str, Array]]:
        check_masks(masks, layers.values(), f"network {name!r}")
        answers: dict[str, Array] = {}

        def noting(key: str) -> Callable[[Any], Any]:
            def note(output: Any) -> Any:
                answers[key] = ablate(output, masks[key]) if key in masks else output
                return answers[key]

            return note

        logits = run(params, images, {key: noting(key) for key in {*names, *masks}})
        return logits, {key: answers[key] for key in names}

    def activations(params: PyTree, images: Array, layer: str) -> Array:
        return with_activations(params, images, [layer], {})[1][layer]

    def incoming_weights(params: PyTree, layer: str) -> Array | None:
        part: Any = nnx.merge(graph, params)
        for key in paths[layer]:
            part = _child(part, key)
        kernel = getattr(part, "kernel", None)
        return None if kernel is None else kernel[...]

    layers = _find_layers(run, state, list(paths), preprocessing)
    return Functional(
        name=name,
        apply=apply,
        params=state,
        layers=layers,
        classes=count_classes(
            apply, state, preprocessing, name, allow_probabilities=allow_probabilities
        ),
        preprocessing=preprocessing,
        activations=activations,
        with_activations=with_activations,
        incoming_weights=incoming_weights,
    )


class _Wrapped:
    """A submodule whose output goes through a function; in all else the submodule itself."""

    def __init__(self, module: Any, function: Callable[[Any], Any]) -> None:
        self.module = module
        self.function = function

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(self.module(*args, **kwargs))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.module, name)


def _wrap(root: nnx.Module, path: _Path, function: Callable[[Any], Any]) -> None:
    """Put a wrapped submodule in the place of a submodule."""
    *parents, last = path
    owner: Any = root
    for key in parents:
        owner = _child(owner, key)
    wrapped = _Wrapped(_child(owner, last), function)
    if isinstance(owner, _CONTAINERS):
        owner[last] = wrapped
    else:
        setattr(owner, last, wrapped)


def _child(owner: Any, key: Any) -> Any:
    return owner[key] if isinstance(owner, _CONTAINERS) else getattr(owner, key)


def _find_layers(
    run: Callable[..., Any], state: PyTree, keys: list[str], preprocessing: Preprocessing
) -> dict[str, Layer]:
    """The submodules that are called, in the order of their calls."""
    called: list[tuple[str, Any]] = []

    def noting(key: str) -> Callable[[Any], Any]:
        def note(output: Any) -> Any:
            called.append((key, output))
            return output

        return note

    images = jax.ShapeDtypeStruct((1, *preprocessing.size, preprocessing.channels), "float32")
    jax.eval_shape(
        lambda params, images: run(params, images, {key: noting(key) for key in keys}),
        state,
        images,
    )
    return {
        key: Layer(key, output.shape[-1], tuple(output.shape[1:-1]))
        for key, output in called
        if is_units(output)
    }
