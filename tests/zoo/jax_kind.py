"""A network of JAX, changed and differentiated by hand at the spots in it."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tests.zoo.kind import Kind
from tests.zoo.spots import acting


@dataclasses.dataclass(frozen=True, eq=False)
class JaxKind(Kind):
    """A network of JAX.

    `forward(params, images)` gives logits without the library, and passes through a spot for each
    of the layers.
    """

    forward: Callable[[Any, Any], Any]

    @functools.cached_property
    def _run(self):
        @jax.jit
        def run(params, images, changes):
            seen = {}

            def act(layer, value):
                matrix, shift = changes[layer]
                axis = self.layers[layer]
                changed = jnp.moveaxis(value, axis, -1) @ matrix
                if shift.ndim == 1:
                    shift = shift.reshape((1,) * (changed.ndim - 1) + shift.shape)
                changed = changed + shift
                seen.setdefault(layer, changed)
                return jnp.moveaxis(changed, -1, axis)

            with jax.default_matmul_precision("highest"), acting(act):
                logits = self.forward(params, images)
            return logits, seen

        return run

    @functools.cached_property
    def _unchanged(self):
        seen = {}

        def act(layer, value):
            units = value.shape[self.layers[layer]]
            seen[layer] = (np.eye(units, dtype=np.float32), np.zeros(units, np.float32))
            return value

        with acting(act):
            # A function of its own: JAX keeps traces by function, and spots act while tracing.
            jax.eval_shape(lambda *given: self.forward(*given), self.network.params, self.images)
        return seen

    def logits(self, changes=None, images=None):
        images = self.images if images is None else images
        logits, seen = self._run(
            self.network.params, images, {**self._unchanged, **(changes or {})}
        )
        return np.asarray(logits, np.float64), seen

    def units(self, layer):
        return len(self._unchanged[layer][1])

    def loss_derivatives(self, layer):
        shape = self.logits()[1][layer].shape
        matrix = self._unchanged[layer][0]

        @jax.jit
        @jax.grad
        def derivatives(shift, params, images, labels):
            changes = {**self._unchanged, layer: (matrix, shift)}
            scores = jax.nn.log_softmax(self._run(params, images, changes)[0])
            return -jnp.take_along_axis(scores, labels[:, None], 1).sum()

        given = self.network.params, self.images, self.labels
        return np.asarray(derivatives(np.zeros(shape, np.float32), *given), np.float64)

    def unit_derivatives(self, layer, images, weights):
        found = self._unit_derivatives(self.network.params, images, layer, weights)
        return np.asarray(found, np.float64)

    @functools.cached_property
    def _unit_derivatives(self):
        @functools.partial(jax.jit, static_argnums=2)
        @functools.partial(jax.grad, argnums=1)
        def derivatives(params, images, layer, weights):
            answers = self._run(params, images, self._unchanged)[1][layer]
            means = answers.reshape(len(answers), -1, answers.shape[-1]).mean(1)
            return (means * weights).sum()

        return derivatives
