"""One self-contained page: figures, tables and where every number comes from."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import xarray as xr

import jaxunits as ju

from .measure import Measurements
from .section import Section, Table

_TEMPLATES = Path(__file__).parent / "templates"
_PROVENANCE = (
    "network",
    "architecture",
    "preprocessing",
    "parameters",
    "data",
    "split",
    "data_fingerprint",
    "skipped_files",
    "empty_classes",
    "values",
    "precision",
    "reference_fingerprint",
    "jaxunits",
    "versions",
    "platform",
    "devices",
    "created",
)


def write_report(
    folder: ju.results.RunFolder, sections: Sequence[Section], m: Measurements
) -> Path:
    """Write the page and its figures, each as a file of its own too.

    Returns:
      The page's path.

    Raises:
      OSError: no space is left.
    """
    for section in sections:
        for figure in section.figures:
            ju.results.write_atomically(folder.path / "figures" / f"{figure.name}.png", figure.png)
    first = next(iter(m.sweeps.values()))
    page = _template().render(
        title=f"{first.attrs['network']} on {first.attrs['data']}",
        summary=summary(m),
        accuracy=accuracy(first),
        images=int(first["count"].sum()),
        split=first.attrs["split"],
        empty=first.attrs["empty_classes"],
        sections=sections,
        provenance=_provenance(first),
        seconds=_seconds(m.sweeps),
        training=json.dumps(folder.read_configuration(), indent=2),
    )
    ju.results.write_atomically(folder.report, page)
    return folder.report


def accuracy(sweep: xr.Dataset) -> float:
    """Share of images that are classified correctly without ablation."""
    return int(sweep.correct_before.sum()) / int(sweep["count"].sum())


def summary(m: Measurements) -> Table:
    """One row a layer: its most damaging unit, and how long the layer took to measure."""
    rows: list[tuple[str, ...]] = []
    for layer, sweep in m.sweeps.items():
        unit = int(ju.ablation.most_damaging(sweep, 1)[0])
        seconds = sweep.attrs["compile_seconds"] + sweep.attrs["run_seconds"]
        rows.append(
            (
                layer,
                str(sweep.sizes["unit"]),
                f"{float(sweep.overall_accuracy_drop[unit]):.2%}",
                f"{float(sweep.max_class_accuracy_drop[unit]):.1%}",
                f"{sweep.most_damaged_class.values[unit]} (unit {unit})",
                f"{seconds:.1f}",
            )
        )
    return Table(
        caption="The most damaging unit of each layer",
        columns=("layer", "units", "overall drop", "max class drop", "worst class", "seconds"),
        rows=rows,
    )


def _provenance(sweep: xr.Dataset) -> list[tuple[str, str]]:
    shown = {key: str(sweep.attrs.get(key, "")) for key in _PROVENANCE}
    return [(key.replace("_", " "), value or "none") for key, value in shown.items()]


def _seconds(sweeps: Mapping[str, xr.Dataset]) -> Table:
    return Table(
        caption="Time of each sweep",
        columns=("layer", "path", "compilation, s", "run, s", "masks at once", "memory, MiB"),
        rows=[
            (
                layer,
                f"{sweep.attrs['path']}: {sweep.attrs['path_reason']}",
                f"{sweep.attrs['compile_seconds']:.2f}",
                f"{sweep.attrs['run_seconds']:.2f}",
                str(sweep.attrs["masks_at_once"]),
                f"{sweep.attrs['peak_bytes'] / 2**20:.0f}",
            )
            for layer, sweep in sweeps.items()
        ],
    )


def _template() -> Any:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["base64"] = lambda content: base64.b64encode(content).decode()
    return environment.get_template("report.html.jinja")
