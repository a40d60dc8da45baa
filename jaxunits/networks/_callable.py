"""The door for a function of a user's own."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence

import jax
import numpy as np
from jaxtyping import Array, PyTree

from .._errors import InputError
from .._kinds import checks_kinds
from ..data import Preprocessing
from ._functional import Functional
from ._layer import Layer
from ._masking import check_masks

# Of a sum of a thousand numbers in bfloat16.
_PROBABILITY_ERROR = 1e-2


@checks_kinds
def from_callable(
    function: Callable[..., Array],
    params: PyTree,
    *,
    layers: Mapping[str, int],
    preprocessing: Preprocessing,
    activations: Callable[[PyTree, Array, Mapping[str, Array]], Mapping[str, Array]] | None = None,
    name: str = "callable",
    allow_probabilities: bool = False,
) -> Functional:
    """A function `(params, images, masks) → logits` as a network that can be measured.

    The function multiplies the activations of layer `name` by `masks[name]` where that is given
    (`ju.networks.ablate` does it). To ablate to other values than zero it takes them as a fourth
    argument, `values`.

    Args:
      function: a pure JAX function; `masks` is a dictionary that may lack layers.
      params: its first argument, any pytree of arrays.
      layers: how many units each layer has that the function can mask.
      preprocessing: what it expects of images.
      activations: a function of the same arguments that gives the activations of every layer,
        `[images, *map, units]`, masked; whatever reads activations needs it.
      name: what it is called in messages and results.
      allow_probabilities: take what is all non-negative and sums to one for logits, which is
        refused otherwise: the loss takes the softmax itself.

    Raises:
      InputError: the function takes other arguments, does not give logits `[images, classes]`, or
        gives probabilities.
    """
    check_arrays(params, f"network {name!r}")
    signature = inspect.signature(function)
    takes_values = "values" in signature.parameters
    try:
        signature.bind(params, None, {}, **({"values": {}} if takes_values else {}))
    except TypeError as error:
        raise InputError(
            f"network {name!r} cannot be called as function(params, images, masks): {error}"
        ) from error
    known = {key: Layer(key, units, None) for key, units in layers.items()}

    def apply(
        params: PyTree, images: Array, masks: Mapping[str, Array], values: Mapping[str, Array]
    ) -> Array:
        check_masks(masks, known.values(), f"network {name!r}")
        if takes_values:
            return function(params, images, masks, values=values)
        if values:
            raise InputError(
                f"network {name!r} cannot ablate to values other than zero: let its function take "
                "a fourth argument, values, or ablate to zero"
            )
        return function(params, images, masks)

    def with_activations(
        params: PyTree, images: Array, names: Sequence[str], masks: Mapping[str, Array]
    ) -> tuple[Array, dict[str, Array]]:
        answers = of_layers(params, images, masks)
        return apply(params, images, masks, {}), {key: answers[key] for key in names}

    def of_layers(params: PyTree, images: Array, masks: Mapping[str, Array]) -> Mapping[str, Array]:
        return {} if activations is None else activations(params, images, masks)

    def of_layer(params: PyTree, images: Array, layer: str) -> Array:
        return of_layers(params, images, {})[layer]

    return Functional(
        name=name,
        apply=apply,
        params=params,
        layers=known,
        classes=count_classes(
            apply, params, preprocessing, name, allow_probabilities=allow_probabilities
        ),
        preprocessing=preprocessing,
        activations=None if activations is None else of_layer,
        with_activations=None if activations is None else with_activations,
    )


def check_arrays(params: PyTree, place: str) -> None:
    """Refuse parameters among which something is no array of numbers.

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


def count_classes(
    apply: Callable[..., Array],
    params: PyTree,
    preprocessing: Preprocessing,
    name: str,
    *,
    allow_probabilities: bool,
) -> int:
    """How many logits a network gives.

    Args:
      apply: as in `Functional`.
      params: its parameters.
      preprocessing: what it expects of images.
      name: for messages.
      allow_probabilities: whether numbers may be all non-negative and sum to one.

    Raises:
      InputError: what it gives is not `[images, classes]`, or probabilities and not logits.
    """
    images = jax.ShapeDtypeStruct((2, *preprocessing.size, preprocessing.channels), "float32")
    logits = jax.eval_shape(apply, params, images, {}, {})
    shape = getattr(logits, "shape", None)
    if shape is None or len(shape) != 2 or shape[0] != 2:
        raise InputError(
            f"network {name!r} gives {shape or type(logits).__name__} for two images: expected "
            "logits [images, classes]"
        )
    if not allow_probabilities and shape[1] > 1:
        _check_logits(apply, params, images.shape, name)
    return int(shape[1])


def _check_logits(
    apply: Callable[..., Array], params: PyTree, shape: tuple[int, ...], name: str
) -> None:
    """Refuse a softmax at the end, by what two images of noise give.

    Raises:
      InputError: every number is non-negative, and every image's sum to one.
    """
    noise = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    logits = np.asarray(jax.jit(apply)(params, noise, {}, {}), np.float64)
    if (logits >= 0).all() and np.allclose(logits.sum(1), 1, atol=_PROBABILITY_ERROR):
        raise InputError(
            f"network {name!r} gives numbers that are all non-negative and sum to one: these look "
            "like probabilities, and the loss takes the softmax itself. Leave the softmax at its "
            "end out, or say allow_probabilities=True if they are meant as logits"
        )
