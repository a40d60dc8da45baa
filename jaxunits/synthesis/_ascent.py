"""Gradient ascent of one image: its start, one step, and its result."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, PyTree

from ..data import Preprocessing
from ..execution import Look
from ._method import Method
from ._objective import activation_of, mean_of_others, penalty
from ._parametrization import Shape, free, pixels, project, start
from ._responses import Read
from ._transformations import transformed


class State(NamedTuple):
    """An image during ascent.

    Attributes:
      numbers: what ascent changes.
      optimizer: the optimizer's state.
    """

    numbers: Float[Array, ...]
    optimizer: PyTree


class Image(NamedTuple):
    """An image after ascent.

    Attributes:
      image: from 0 to 1, red before green before blue.
      standardized: what the network reads.
      response: the activations of all units of the layer.
      objective: of the unit that it was made for.
    """

    image: Float[Array, "height width channels"]
    standardized: Float[Array, "height width channels"]
    response: Float[Array, " units"]
    objective: Float[Array, ""]


@dataclass(frozen=True)
class Ascent(Look):
    """Gradient ascent on the images of single units, as pure functions of one image.

    Equal for equal settings and networks of the same build, whatever their parameters.

    Attributes:
      read: from parameters and a standardized image to the layer's responses.
      preprocessing: the network's.
      objective: `"am"` or `"iam"`.
      activation: of a map, `"mean"` or `"max"`.
      method: the settings.
    """

    read: Read
    preprocessing: Preprocessing
    objective: str
    activation: str
    method: Method

    @property
    def shape(self) -> Shape:
        """Height, width and channels of the images."""
        return (*self.preprocessing.size, self.preprocessing.channels)

    def start(
        self,
        key: PRNGKeyArray,
        image: Float[Array, "height width channels"],
        exact: Bool[Array, ""],
    ) -> State:
        """Noise around an image, or exactly that image."""
        numbers = start(self.method, key, image, exact)
        return State(numbers, self._optimizer(numbers).init(numbers))

    def step(
        self, params: PyTree, state: State, unit: Int[Array, ""], key: PRNGKeyArray, number: Array
    ) -> tuple[State, Float[Array, ""]]:
        """The image after one step, and the objective before it."""
        (_, value), gradient = jax.value_and_grad(self.cost, argnums=1, has_aux=True)(
            params, state.numbers, unit, jax.random.fold_in(key, number)
        )
        gradient = free(self.method, gradient, state.numbers)
        updates, optimizer = self._optimizer(gradient).update(
            gradient, state.optimizer, state.numbers
        )
        numbers = optax.apply_updates(state.numbers, updates)
        return State(project(self.method, numbers), optimizer), value

    def cost(
        self, params: PyTree, numbers: Float[Array, ...], unit: Int[Array, ""], key: PRNGKeyArray
    ) -> tuple[Float[Array, ""], Float[Array, ""]]:
        """What a step lowers, and the objective, on the image as it is moved by a key."""
        image = pixels(self.method, numbers, self.shape)
        moved = transformed(self.method, key, image)
        value, climbed = self._evaluate(params, moved, unit)
        return penalty(self.method, image) - climbed, value

    def finish(self, params: PyTree, state: State, unit: Int[Array, ""]) -> Image:
        """The image, and what the layer gives for it."""
        image = pixels(self.method, state.numbers, self.shape)
        standardized = standardize(self.preprocessing, image)
        response = activation_of(self.read(params, standardized).after, self.activation)
        value = jnp.take(response, unit)
        if self.objective == "iam":
            value -= mean_of_others(response, unit)
        return Image(image, standardized, response, value)

    def _evaluate(
        self, params: PyTree, image: Float[Array, "height width channels"], unit: Int[Array, ""]
    ) -> tuple[Float[Array, ""], Float[Array, ""]]:
        """The objective, and what is climbed: the same but for a unit that is dead."""
        standardized = standardize(self.preprocessing, image)
        others = jnp.zeros((), image.dtype)
        if self.objective == "am":
            own = self.read(params, standardized, unit)
        else:
            responses = self.read(params, standardized)
            own = responses.of(unit)
            others = mean_of_others(activation_of(responses.after, self.activation), unit)
        value = activation_of(own.after, self.activation)[0] - others
        if not self.method.wake or own.before is None:
            return value, value
        before = activation_of(own.before, self.activation)[0] - others
        return value, jnp.where((own.after == 0).all(), before, value)

    def _optimizer(self, like: Array) -> optax.GradientTransformation:
        method = self.method
        build: dict[str, Callable[[Any], optax.GradientTransformation]] = {
            "gradient": optax.sgd,
            "adam": optax.adam,
            "normalized": lambda rate: optax.chain(
                optax.normalize_by_update_norm(math.sqrt(like.size), eps=1e-20), optax.sgd(rate)
            ),
        }
        if isinstance(method.optimizer, str):
            return build[method.optimizer](method.rate)
        return method.optimizer


def standardize(
    preprocessing: Preprocessing, image: Float[Array, "height width channels"]
) -> Float[Array, "height width channels"]:
    """`Preprocessing.standardize` for an image from 0 to 1, with a gradient."""
    ordered = image[..., ::-1] if preprocessing.order == "bgr" else image
    mean, std = (
        jnp.resize(jnp.asarray(values, image.dtype), (1, 1, preprocessing.channels))
        for values in (preprocessing.mean, preprocessing.std)
    )
    return (ordered - mean) / std
