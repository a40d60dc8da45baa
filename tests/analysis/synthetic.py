"""Measurements of networks that do not exist, as run folders hold them."""

from pathlib import Path

import numpy as np
import xarray as xr

from jaxunits.analysis import Run, Runs
from jaxunits.analysis.experiment import config

ATTRIBUTES = {
    "class_selectivity": "",
    "activation_mean": "",
    "apoz": "share of positions",
    "taylor": "nats per image",
}


def sweep(random, units, names, attrs):
    """A sweep with images of all classes but the last."""
    images = np.full(len(names), 40)
    images[-1] = 0
    before = (0.8 * images).astype(int)
    rare = random.random((units, len(names))) < 0.2
    broken = random.binomial(before, random.beta(0.3, 6, (units, len(names))) * rare)
    repaired = random.binomial(images - before, 0.05, (units, len(names)))
    correct = before - broken + repaired
    with np.errstate(invalid="ignore"):
        drop = (broken - repaired) / images
    pairs = ("unit", "class")
    loss = random.random((units, len(names)))
    return xr.Dataset(
        {
            "correct": (pairs, correct),
            "correct_before": ("class", before),
            "broken": (pairs, broken),
            "n_images": ("class", images),
            "loss_sum": (pairs, 10 + loss),
            "loss_sum_before": ("class", np.full(len(names), 10.0)),
            "most_damaged_class": ("unit", names[np.nanargmax(drop, 1)]),
            "class_accuracy_drop": (pairs, drop),
            "overall_accuracy_drop": ("unit", (broken - repaired).sum(1) / images.sum()),
            "max_class_accuracy_drop": ("unit", np.nanmax(drop, 1)),
            "min_class_accuracy_drop": ("unit", np.nanmin(drop, 1)),
        },
        coords={"unit": np.arange(units), "class": names},
        attrs=attrs,
    )


def attributes(random, units, names, attrs):
    columns = {
        name: ("unit", random.random(units), {"units": unit, "long_name": f"what {name} says"})
        for name, unit in ATTRIBUTES.items()
    }
    means = random.random((units, len(names)))
    means[:, -1] = np.nan
    columns["taylor"][1][0] = np.nan
    return xr.Dataset(
        {**columns, "class_mean": (("unit", "class"), means)},
        coords={"unit": np.arange(units), "class": names},
        attrs=attrs,
    )


def panels(random, units, names, attrs, side=16):
    """Top images of some units, and images of damaged classes; images are all of one color."""
    shown = random.permutation(units)[: max(2, units // 4)]
    image = random.integers(0, 50, (len(shown), 4))
    pictures = np.broadcast_to(4 * image[..., None, None, None], (*image.shape, side, side, 3))
    samples = np.broadcast_to(np.uint8(7), (len(shown), 2, 3, side, side, 3))
    return xr.Dataset(
        {
            "image": (("unit", "rank"), image),
            "activation": (("unit", "rank"), random.random(image.shape, np.float32)),
            "activation_map": (
                ("unit", "rank", "row", "column"),
                random.random((*image.shape, 4, 4), np.float32),
            ),
            "threshold": ("unit", np.full(len(shown), 0.6, np.float32)),
            "thumbnail": (("unit", "rank", "y", "x", "channel"), pictures.astype(np.uint8)),
            "damaged_class": (("unit", "place"), np.broadcast_to(names[:2], (len(shown), 2))),
            "sample": (("unit", "place", "number", "y", "x", "channel"), samples),
            "sampled": (("unit", "place", "number"), np.ones((len(shown), 2, 3), bool)),
        },
        coords={"unit": shown},
        attrs={**attrs, "panels.quantile": 0.02},
    )


def made(random, units, attrs, side=16):
    """Images for the even units, under two objectives and from two noise seeds."""
    shown = np.arange(0, units, 2)
    sizes = (2, 2, len(shown))
    axes = ("maximized", "noise_seed", "unit")
    pictures = random.integers(0, 255, (2, len(shown), side, side, 3), np.uint8)
    return xr.Dataset(
        {
            "rs": (axes, random.random(sizes)),
            "active": (axes, np.ones(sizes, bool)),
            "activation": (axes, random.random(sizes)),
            "image": (("maximized", "unit", "y", "x", "channel"), pictures),
        },
        coords={
            "maximized": ["am", "iam"],
            "noise_seed": [0, 1],
            "unit": shown,
            "responding_unit": np.arange(units),
        },
        attrs=attrs,
    )


def concepts(random, units, attrs):
    found = random.random(units)
    return xr.Dataset(
        {
            "best_concept": ("unit", random.choice(["sky", "red", "wheel"], units).astype(object)),
            "alignment": ("unit", found),
            "detector": ("unit", found > 0.5),
        },
        attrs={**attrs, "detector_iou": 0.5},
    )


def network(folder, name, layers, classes, *, pictures=True, seed=0):
    """A network with sweeps, attributes and concepts, and pictures of some units."""
    random = np.random.default_rng(seed)
    names = np.array(classes, object)
    results = {"ablation": {}, "attributes": {}, "concepts": {}}
    results |= {"panels": {}, "synthesis": {}} if pictures else {}
    for number, (layer, units) in enumerate(layers.items()):
        attrs = {"layer_number": str(number), "unit_is": "post-activation", "parameters": name}
        attrs |= {"network": name, "data": "drawn", "split": "test", "values": "zero"}
        attrs["layer"] = layer
        results["ablation"][layer] = sweep(random, units, names, attrs)
        results["attributes"][layer] = attributes(random, units, names, attrs)
        results["concepts"][layer] = concepts(random, units, attrs)
        if pictures:
            results["panels"][layer] = panels(random, units, names, attrs)
            results["synthesis"][layer] = made(random, units, attrs)
    return Run(name, f"seed{seed}", results, folder)


def runs(folder, *networks):
    """Networks as one study."""
    return Runs(networks, config()(Path(folder)))
