"""Do a unit's attributes tell which class it serves?"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float64, Int64

from .._bounds import Range, check_numbers
from .._errors import InputError
from .._kinds import checks_kinds
from .._optional import check_installed
from ..results import class_coordinates

ENSEMBLE = "ensemble"
VECTORS = ("class_correlation_by_class", "class_selectivity_by_class")


@checks_kinds
def predict_damaged_class(
    attributes: Sequence[xr.Dataset],
    sweeps: Sequence[xr.Dataset],
    *,
    features: Sequence[str] = VECTORS,
    fitted_on: int = 3,
    minimum_drop: float | None = None,
    regularization: float = 1.0,
) -> xr.Dataset:
    """Predict the class that a unit's ablation damages most (Zhou et al. 2018, §3.3).

    A multinomial logistic regression is fitted on the units of some networks, which differ in their
    seeds alone, and tested on the units of the others; every way of choosing them is tried, where
    Zhou et al. 2018 tries one. The ensemble averages the features' predicted probabilities. Needs
    the extra `jaxunits[prediction]`.

    Args:
      attributes: for each network numbers by `unit` and another dimension, of one layer.
      sweeps: for each network the sweep over single units of that layer.
      features: the attributes to predict from, each a vector a unit; standardized.
      fitted_on: how many networks to fit on; the others are tested.
      minimum_drop: units with a smaller max class accuracy drop are left out; none by default.
      regularization: scikit-learn's C: the larger, the closer the fit.

    Returns:
      A Dataset: `accuracy` by `feature` (the features, then `ensemble`) and `split`, `majority` by
      `split` (always the class most frequent among the units fitted on) and `chance` (a class at
      random); by `network` and `unit` the `label` and whether it was `used`, and by `feature` too
      the `prediction`, of the probabilities' mean over the splits that tested the network;
      `probability` by `network`, `unit` and `class` of the ensemble.

    Raises:
      InputError: scikit-learn is missing, there are too few networks, a feature is no vector a
        unit, or networks do not match, or regularization is not above 0.
    """
    check_installed("sklearn", "prediction", "predict_damaged_class")
    check_numbers(regularization=(regularization, Range(0, open="least")))
    if len(attributes) != len(sweeps) or not 1 <= fitted_on < len(sweeps):
        raise InputError(
            f"{len(attributes)} attributes and {len(sweeps)} sweeps, fitted on {fitted_on} "
            "networks: give as many of both, and more than are fitted on"
        )
    vectors = {name: [_vector(each, name) for each in attributes] for name in features}
    if not vectors:
        raise InputError("features=(): name at least one attribute that is a vector a unit")
    for name, arrays in vectors.items():
        if len({array.shape for array in arrays}) > 1:
            shapes = ", ".join(str(array.shape) for array in arrays)
            raise InputError(f"{name} has shapes {shapes}: give networks of one architecture")
    classes = [str(name) for name in sweeps[0]["class"].values]
    labels = np.stack([_labels(sweep, classes) for sweep in sweeps])
    used = np.stack([_used(sweep, minimum_drop) for sweep in sweeps])
    splits = list(itertools.combinations(range(len(sweeps)), fitted_on))
    names = [*vectors, ENSEMBLE]
    accuracy = np.full((len(names), len(splits)), np.nan)
    majority = np.full(len(splits), np.nan)
    total = np.zeros((len(names), *labels.shape, len(classes)))
    for number, fitted in enumerate(splits):
        tested = [index for index in range(len(sweeps)) if index not in fitted]
        train, test = used[list(fitted)], used[tested]
        known = labels[list(fitted)][train]
        if len(np.unique(known)) < 2 or not test.any():
            continue
        found = [
            _probabilities(arrays, list(fitted), tested, known, train, len(classes), regularization)
            for arrays in vectors.values()
        ]
        found.append(np.mean(found, axis=0))
        total[:, tested] += found
        correct = np.stack(found).argmax(-1) == labels[tested]
        accuracy[:, number] = correct[:, test].mean(1)
        majority[number] = (labels[tested][test] == np.bincount(known).argmax()).mean()
    return _labeled(names, classes, labels, used, accuracy, majority, total, sweeps[0])


def _probabilities(
    arrays: Sequence[Float64[np.ndarray, "units numbers"]],
    fitted: list[int],
    tested: list[int],
    known: Int64[np.ndarray, " fitted_units"],
    train: Bool[np.ndarray, "networks units"],
    classes: int,
    regularization: float,
) -> Float64[np.ndarray, "tested units classes"]:
    """Of each class for the tested networks' units; 0 for classes that no fitted unit has."""
    # Imported here because scikit-learn takes a second.
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model: Any = make_pipeline(
        StandardScaler(), LogisticRegression(C=regularization, max_iter=2000)
    )
    model.fit(np.stack([arrays[index] for index in fitted])[train], known)
    result = np.zeros((len(tested), len(arrays[0]), classes))
    for place, index in enumerate(tested):
        result[place][:, model.classes_] = model.predict_proba(arrays[index])
    return result


def _vector(attributes: xr.Dataset, name: str) -> Float64[np.ndarray, "units numbers"]:
    """An attribute as rows of numbers; NaN, of classes without images, as 0."""
    if (
        name not in attributes
        or attributes[name].dims[:1] != ("unit",)
        or (attributes[name].ndim != 2)
    ):
        known = [key for key, value in attributes.items() if value.dims[:1] == ("unit",)]
        vectors = [str(key) for key in known if attributes[key].ndim == 2]
        raise InputError(
            f"{name} is no vector of each unit: the attributes have {', '.join(vectors) or 'none'}"
        )
    return np.nan_to_num(np.asarray(attributes[name].values, np.float64))


def _labels(sweep: xr.Dataset, classes: Sequence[str]) -> Int64[np.ndarray, " units"]:
    if "most_damaged_class" not in sweep or sweep["most_damaged_class"].dims != ("unit",):
        raise InputError(
            "the sweep has no most_damaged_class by unit: give the result of a sweep over single "
            "units"
        )
    if [str(name) for name in sweep["class"].values] != list(classes):
        raise InputError("the sweeps have other classes: measure all networks on the same data")
    return np.asarray([classes.index(str(name)) for name in sweep["most_damaged_class"].values])


def _used(sweep: xr.Dataset, minimum_drop: float | None) -> Bool[np.ndarray, " units"]:
    drops = sweep["max_class_accuracy_drop"].values
    return np.ones(len(drops), bool) if minimum_drop is None else drops >= minimum_drop


def _labeled(
    names: Sequence[str],
    classes: Sequence[str],
    labels: Int64[np.ndarray, "networks units"],
    used: Bool[np.ndarray, "networks units"],
    accuracy: Float64[np.ndarray, "features splits"],
    majority: Float64[np.ndarray, " splits"],
    total: Float64[np.ndarray, "features networks units classes"],
    sweep: xr.Dataset,
) -> xr.Dataset:
    every = np.asarray(classes, object)
    of_units = ("network", "unit")
    splits_each = np.maximum(total.sum(-1, keepdims=True), 1)
    return xr.Dataset(
        {
            "accuracy": (("feature", "split"), accuracy),
            "majority": ("split", majority),
            "chance": 1 / len(classes),
            "label": (of_units, every[labels]),
            "used": (of_units, used),
            "prediction": (("feature", *of_units), every[total.argmax(-1)]),
            "probability": ((*of_units, "class"), (total / splits_each)[-1]),
        },
        coords={
            "feature": list(names),
            "unit": sweep["unit"].values,
            **class_coordinates(classes),
        },
        attrs={"model": "multinomial logistic regression on standardized features"},
    )
