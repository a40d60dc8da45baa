"""Every unit ablated alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import xarray as xr

import jaxunits as ju

from ..measurement import SWEEP, Measurement, Results
from ..progress import image_bar
from ..subject import Subject


def _measure(
    subject: Subject, layers: Sequence[str], _: Results
) -> Iterator[tuple[str, xr.Dataset]]:
    for layer in layers:
        units = subject.network.layer(layer).num_units
        with image_bar(subject.console, f"ablating {layer}, {units} units") as progress:
            yield (
                layer,
                ju.ablation.sweep(
                    subject.network,
                    layer,
                    subject.data,
                    values=subject.config.values,
                    file=ablation.unfinished(subject, layer) / "sweep.nc",
                    progress=progress,
                    **subject.options(),
                ),
            )


def _stand_in(subject: Subject, layer: str) -> xr.Dataset:
    shape = (subject.network.layer(layer).num_units, len(subject.data.class_names))
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
    "ablation", _measure, Subject.sweep_settings, options=SWEEP, stand_in=_stand_in
)
