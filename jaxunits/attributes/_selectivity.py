"""Class selectivity."""

from __future__ import annotations

from typing import Any

from jaxtyping import Float

from .._arguments import check_real, is_real_type, shown
from .._errors import InputError


def class_selectivity(
    class_means: Any,
    *,
    present: Any | None = None,
    weights: Any | None = None,
    epsilon: float = 1e-12,
) -> Float[Any, "*units classes"]:
    r"""(μ_k − μ_¬k) / (μ_k + μ_¬k + ε) for every unit and class k (Zhou et al. 2018, eq. 3).

    $$s_{u,k} = \frac{\mu_k - \mu_{\neg k}}{\mu_k + \mu_{\neg k} + \varepsilon}$$

    μ_¬k is the mean of the other classes' means, so that each class has equal weight. The scalar of
    Morcos et al. 2018 is the value of the class with the largest mean, which for non-negative
    activations is the largest of the vector. In 0 to 1 only for such activations; 0 for a
    unit that never responds.

    Args:
      class_means: `[*units, classes]`, mean activation of each unit over the images of each class;
        an array of NumPy or JAX.
      present: `[classes]`, false for classes without images, which get 0 and do not count. All are
        present by default.
      weights: `[classes]`, the weight of each class in μ_¬k; with the number of images as weight,
        each image counts equally. Equal weights by default.
      epsilon: ε.

    Returns:
      `[*units, classes]`, without a unit of measure.

    Raises:
      InputError: these are not arrays of real numbers, or their numbers of classes differ.
    """
    arrays = {"class_means": class_means, "present": present, "weights": weights}
    for name, array in arrays.items():
        _check(array, name, class_means)
    check_real(epsilon=epsilon)
    xp = class_means.__array_namespace__()
    counted = xp.ones(class_means.shape[-1], dtype=bool) if present is None else present
    weight = xp.where(counted, 1.0 if weights is None else weights, 0.0)
    weight = xp.broadcast_to(xp.astype(weight, class_means.dtype), class_means.shape)
    counted = xp.broadcast_to(counted, class_means.shape)
    means = xp.where(counted, class_means, 0)
    others = xp.where(counted, weight.sum(-1, keepdims=True) - weight, 0)
    total = (means * weight).sum(-1, keepdims=True) - means * weight
    rest = total / xp.where(others > 0, others, 1)
    return xp.where(counted, (means - rest) / (means + rest + epsilon), 0)


def _check(array: Any, name: str, class_means: Any) -> None:
    """Refuse what is not an array of real numbers by class; it may be traced, and is not read."""
    if array is None and name != "class_means":
        return
    kind = getattr(array, "dtype", None)
    if not hasattr(array, "__array_namespace__") or not is_real_type(kind):
        what = shown(array) if kind is None else f"an array of type {kind}"
        raise InputError(f"{name}: {what}: give an array of real numbers, of NumPy or JAX")
    classes = class_means.shape[-1:]
    if array.shape[-1:] != classes or (array is not class_means and array.ndim > 1) or not classes:
        raise InputError(
            f"{name} of shape {array.shape} with class_means of shape {class_means.shape}: give "
            "means [*units, classes] and one number for each class"
        )
