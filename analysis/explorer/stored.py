"""What the explorer reads: all that a run folder holds of the units of a network."""

from __future__ import annotations

import dataclasses

import xarray as xr

import jaxunits as ju

from ..files import Files
from ..measurement import Measurement, Results
from ..measurements.ablation import ablation
from ..measurements.attributes import attributes
from ..measurements.births import births
from ..measurements.concepts import concepts
from ..measurements.insertion import insertion
from ..measurements.panels import panels
from ..measurements.synthesis import synthesis
from ..runs import Run
from ..settings import Settings

_SHOWN: tuple[Measurement, ...] = (
    ablation,
    attributes,
    panels,
    concepts,
    births,
    insertion,
    synthesis,
)


def shown_results(run: Run, config: Settings) -> Results:
    """What is shown of a network, by name of the measurement and layer.

    That is what the report's experiments read, and what the folder holds besides of the same
    network with the same settings, so that a report of fewer experiments takes nothing away.

    Args:
      run: the network with what was read of it.
      config: what was asked for.
    """
    results = {each.name: run.results[each.name] for each in _SHOWN if each.name in run.results}
    first = next((result for of in run.results.values() for result in of.values()), None)
    # What others measure need not say whose parameters it is of.
    if first is None or "parameters" not in first.attrs:
        return results
    folder = ju.results.RunFolder(run.folder).measurements
    own = dataclasses.replace(config, split=config.split or first.attrs.get("split"))
    for each in _SHOWN:
        if each.name not in results and any(folder.glob(f"{each.name}_*.nc")):
            results[each.name] = _besides(Files(folder), each, own, first.attrs["parameters"])
    return {name: of for name, of in results.items() if of}


def _besides(
    files: Files, measurement: Measurement, config: Settings, parameters: str
) -> dict[str, xr.Dataset]:
    """Measurements that the report does not need: those of this version that can be read."""
    try:
        found = files.find(measurement.asked(config), for_whom="explorer.html")
    except ju.InputError:
        return {}
    return {
        layer: result
        for layer, result in found.items()
        if result.attrs["parameters"] == parameters
        and result.attrs.get("jaxunits", ju.__version__) == ju.__version__
        and layer in (config.layers or found)
    }
