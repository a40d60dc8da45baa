"""Every unit ablated alone."""

from __future__ import annotations

import numpy as np
import xarray as xr

import jaxunits as ju

from ..measurement import SWEEP, Measurement, Progress, Results, layer_by_layer
from ..subject import Subject


def _sweep(subject: Subject, layer: str, _: Results, progress: Progress) -> xr.Dataset:
    return ju.ablation.sweep(
        subject.network,
        layer,
        subject.data,
        values=subject.config.values,
        file=ablation.unfinished(subject, layer) / "sweep.nc",
        progress=progress,
        **subject.options(),
    )


def _stand_in(subject: Subject, layer: str) -> xr.Dataset:
    shape = (subject.units(layer), len(subject.data.class_names))
    drops = xr.DataArray(np.zeros(shape), dims=("unit", "class"))
    return xr.Dataset(
        {
            "class_accuracy_drop": drops,
            **dict.fromkeys(
                ("max_class_accuracy_drop", "overall_accuracy_drop"), drops.max("class")
            ),
        },
        coords={"unit": np.arange(shape[0])},
        attrs={"layer": layer},
    )


ablation = Measurement(
    "ablation",
    layer_by_layer(lambda of, name: f"ablating {name}, {of.units(name)} units", _sweep),
    Subject.sweep_settings,
    options=SWEEP,
    stand_in=_stand_in,
)
