"""The multi-layer perceptron of *Representative Substitution* (arXiv 1911.05586)."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from flax import nnx
from jaxtyping import Array, Float

from .._kinds import checks_kinds
from ..data import CIFAR10, Preprocessing
from ._architecture import Architecture
from ._classifier import Classifier
from ._kernels import InitialKernels
from ._nnx import nnx_classifier
from ._parts import add_dense, classified
from ._sizes import check_widths


class MLP(nnx.Module):
    """Dense layers `fc1`, `fc2`, … with ReLU, then `logits`."""

    def __init__(
        self,
        inputs: int,
        widths: Sequence[int],
        classes: int,
        *,
        dropout: float = 0.0,
        seed: int = 0,
    ) -> None:
        """Draw its weights.

        Args:
          inputs: numbers per image.
          widths: units of each layer.
          classes: number of classes.
          dropout: probability that a unit is dropped in training.
          seed: the seed of the weights.
        """
        self.dense = (*(f"fc{number}" for number in range(1, len(widths) + 1)), "logits")
        add_dense(
            self,
            inputs,
            dict(zip(self.dense, [*widths, classes], strict=True)),
            dropout=dropout,
            kernels=InitialKernels(seed),
        )

    def __call__(
        self, images: Float[Array, "images height width channels"]
    ) -> Float[Array, "images classes"]:
        """Logits."""
        return classified(self, self.dense, images.reshape(len(images), -1))


@checks_kinds
def mlp(
    classes: int,
    *,
    widths: Sequence[int] = (128, 512, 2048, 2048),
    dropout: float = 0.0,
    preprocessing: Preprocessing = CIFAR10,
    seed: int = 0,
) -> Classifier:
    """Dense layers with ReLU, `fc1`, `fc2`, …, then `logits`.

    By default that of *Representative Substitution* (arXiv 1911.05586).

    Args:
      classes: number of classes.
      widths: units of each layer.
      dropout: probability that a unit is dropped in training.
      preprocessing: size, channels and standardization of its images.
      seed: the seed of the initial weights (He normal; biases 0).

    Returns:
      The network, with random weights.

    Raises:
      InputError: no layers, a width or number of classes below 1, more than 2^29 parameters, a rate
        that is not a probability, or a seed outside 0 to 2^32 - 1.
    """
    check_widths("mlp", classes, widths, seed)
    module = MLP(preprocessing.numbers, widths, classes, dropout=dropout, seed=seed)
    architecture = Architecture.of(
        "mlp",
        classes=classes,
        widths=list(widths),
        dropout=dropout,
        preprocessing=dataclasses.asdict(preprocessing),
    )
    return nnx_classifier(
        module, preprocessing=preprocessing, name="mlp", architecture=architecture
    )
