"""Units removed one after another, the least important first, by every rank.

Ranks come from other images than those on which the network is measured then.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

import numpy as np
import xarray as xr
from jaxtyping import Float64

import jaxunits as ju

from ..measurement import SWEEP, Measurement, Progress, Results, asked_layers, layer_by_layer
from ..subject import Subject
from .shapley import Shapley, on_all_images, shapley_content, values_on

# More of these is less of the unit; `random` has orders of its own.
_FALLING = ("apoz", "silent_share")
_LEFT_OUT = ("random",)


@functools.lru_cache(maxsize=1)
def pruning_images(subject: Subject) -> tuple[ju.data.Dataset, ju.data.Dataset]:
    """The images to rank units on, and those to measure on.

    Raises:
      InputError: there are no training images, and one image to measure on.
    """
    wanted = subject.config.of(Shapley)
    if subject.load_training is not None:
        training = subject.training_images
        if len(training) > wanted.images:
            training = ju.data.sample(training, wanted.images, seed=wanted.seed)
        return training, subject.data
    count = len(subject.data)
    if count < 2:
        raise ju.InputError(f"{count} image cannot be halved for pruning: give 2 or more")
    shuffled = np.random.default_rng(wanted.seed).permutation(count)
    halves = np.sort(shuffled[: count // 2]), np.sort(shuffled[count // 2 :])
    chosen, measured = (ju.data.subset(subject.data, half) for half in halves)
    return chosen, measured


def _content(subject: Subject, layer: str) -> dict[str, str]:
    chosen, measured = pruning_images(subject)
    return {
        **shapley_content(subject, layer),
        "masks": "pruning",
        "chosen_on": chosen.fingerprint,
        "measured_on": measured.fingerprint,
    }


def _measure(subject: Subject, layer: str, _: Results, progress: Progress) -> xr.Dataset:
    chosen, measured = pruning_images(subject)
    scores = _scores(subject, layer)
    wanted = subject.config.of(Shapley)
    ranked = np.stack([np.argsort(score, kind="stable") for score in scores.values()])
    random = ju.ablation.random_orders(ranked.shape[1], wanted.random_orders, seed=wanted.seed)
    curves = ju.ablation.cumulative(
        subject.network,
        layer,
        measured,
        np.concatenate([ranked, random]),
        values=subject.config.values,
        file=str(pruning.unfinished(subject, layer) / "curves.nc"),
        progress=progress,
        **subject.options(),
    )
    trained_on = subject.load_training is not None
    ranked_on = f"{len(chosen):,} training images" if trained_on else "half of the images"
    images = curves.n_images.sum()
    accuracy = (curves.correct.sum("class") / images).transpose("order", "step").values
    return xr.Dataset(
        {
            "accuracy": (("ranking", "step"), accuracy[: len(ranked)]),
            "random_accuracy": (("draw", "step"), accuracy[len(ranked) :]),
            "ordered_unit": (("ranking", "position"), ranked),
            "n_images": int(images),
        },
        coords={"ranking": list(scores), "step": np.arange(accuracy.shape[1])},
        attrs={"ranked_on": ranked_on},
    )


def _values(subject: Subject, layer: str) -> xr.Dataset:
    """The Shapley values, which take most of the time."""
    chosen, _ = pruning_images(subject)
    file = str(pruning.unfinished(subject, layer) / "shapley.nc")
    return values_on(subject, layer, chosen, file, False)


def _scores(subject: Subject, layer: str) -> Mapping[str, Float64[np.ndarray, " units"]]:
    """How important units are by every rank, on the images that are for ranking."""
    chosen, _ = pruning_images(subject)
    values = _values(subject, layer)
    swept = ju.ablation.sweep(
        subject.network,
        layer,
        chosen,
        values=subject.config.values,
        file=str(pruning.unfinished(subject, layer) / "sweep.nc"),
        progress=False,
        **subject.options(),
    )
    attributes = ju.attributes.collect(subject.network, layer, chosen, top_images=0, progress=False)
    loss = swept.loss_sum.sum("class") - swept.loss_sum_before.sum("class")
    found = {
        "Shapley value": values.shapley,
        "Shapley value of the loss": values.loss_shapley,
        "single ablation": swept.overall_accuracy_drop,
        "single ablation, loss": loss,
    }
    for name, score in attributes.items():
        if score.dims == ("unit",) and name not in _LEFT_OUT:
            falling = name in _FALLING
            found[str(name)] = -score if falling else score
    return {name: np.asarray(score, np.float64) for name, score in found.items()}


pruning = Measurement(
    "pruning",
    layer_by_layer(lambda _, layer: f"pruning {layer} by every rank", _measure),
    _content,
    options=(*SWEEP, Shapley),
    without=on_all_images,
    layers=asked_layers(Shapley),
    planned=_values,
)
