"""One self-contained page: figures, tables and where every number comes from."""

from __future__ import annotations

import base64
import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
import xarray as xr

import jaxunits as ju
from jaxunits import files

from .runs import Runs
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


def write_report(path: Path, sections: Sequence[Section], runs: Runs) -> Path:
    """Write the page and its figures, each as a file of its own too.

    Args:
      path: the run folder, or a study's.
      sections: what the page shows.
      runs: the networks.

    Returns:
      The page's path.

    Raises:
      OSError: no space is left.
    """
    folder = ju.results.RunFolder(path)
    for section in sections:
        for figure in section.figures:
            files.write_atomically(path / "figures" / f"{figure.name}.png", figure.png)
    first = next(iter(runs.every[0].sweeps.values()))
    page = _template().render(
        title=f"{path.name if runs.several else first.attrs['network']} on {first.attrs['data']}",
        lead=title_of(runs),
        summary=summary(runs),
        images=int(first.n_images.sum()),
        split=first.attrs["split"],
        empty=first.attrs["empty_classes"],
        sections=sections,
        provenance=_provenance(first),
        seconds=_seconds(runs),
        trainings=[
            (name, json.dumps(ju.results.RunFolder(each).read_configuration(), indent=2))
            for name, each in _first_folders(path, runs)
        ],
    )
    files.write_atomically(folder.report, page)
    return folder.report


def _first_folders(path: Path, runs: Runs) -> list[tuple[str, Path]]:
    """The folder of the first network of every configuration."""
    if not runs.several:
        return [(runs.every[0].configuration, path)]
    return [
        (name, path / name / members[0].seed if (path / name).is_dir() else path)
        for name, members in runs.configurations.items()
    ]


def title_of(runs: Runs) -> str:
    """How accurate the networks are with every unit in place."""
    found = [accuracy(next(iter(run.sweeps.values()))) for run in runs.every]
    if not runs.several:
        return f"accuracy {found[0]:.2%}"
    return f"{len(found)} networks, accuracy {min(found):.2%} to {max(found):.2%}"


def accuracy(sweep: xr.Dataset) -> float:
    """Share of images that are classified correctly without ablation."""
    return int(sweep.correct_before.sum()) / int(sweep.n_images.sum())


def summary(runs: Runs) -> Table:
    """The most damaging unit of each layer; of several networks the means over seeds."""
    if runs.several:
        return _means(runs)
    rows: list[tuple[str, ...]] = []
    for layer, sweep in runs.every[0].sweeps.items():
        unit = int(ju.results.most_damaging(sweep, 1)[0])
        rows.append(
            (
                layer,
                str(sweep.sizes["unit"]),
                f"{float(sweep.overall_accuracy_drop[unit]):.2%}",
                f"{float(sweep.max_class_accuracy_drop[unit]):.1%}",
                f"{sweep.most_damaged_class.values[unit]} (unit {unit})",
                _seconds_of([sweep]),
            )
        )
    return Table(
        caption="The most damaging unit of each layer",
        columns=("layer", "units", "overall drop", "max class drop", "worst class", "seconds"),
        rows=rows,
    )


def _means(runs: Runs) -> Table:
    rows = []
    for name, members in runs.configurations.items():
        for layer, sweep in members[0].sweeps.items():
            swept = [run.sweeps[layer] for run in members if layer in run.sweeps]
            worst = [each.isel(unit=ju.results.most_damaging(each, 1)[0]) for each in swept]
            overall = statistics.fmean(float(each.overall_accuracy_drop) for each in worst)
            largest = statistics.fmean(float(each.max_class_accuracy_drop) for each in worst)
            rows.append(
                (
                    name,
                    layer,
                    str(len(swept)),
                    str(sweep.sizes["unit"]),
                    f"{overall:.2%}",
                    f"{largest:.1%}",
                    _seconds_of(swept),
                )
            )
    return Table(
        caption="The most damaging unit of each layer, means over seeds",
        columns=(
            *("configuration", "layer", "seeds", "units"),
            *("overall drop", "max class drop", "seconds"),
        ),
        rows=rows,
    )


def _provenance(sweep: xr.Dataset) -> list[tuple[str, str]]:
    shown = {key: str(sweep.attrs.get(key, "")) for key in _PROVENANCE}
    return [(key.replace("_", " "), value or "none") for key, value in shown.items()]


def _seconds_of(sweeps: Sequence[xr.Dataset]) -> str:
    """How long sweeps took together."""
    return f"{sum(s.attrs['compile_seconds'] + s.attrs['run_seconds'] for s in sweeps):.1f}"


def _seconds(runs: Runs) -> Table:
    head = ("network",) if runs.several else ()
    return Table(
        caption="Time of each sweep",
        columns=(
            *head,
            *("layer", "method", "compilation, s", "run, s", "masks at once", "memory, MiB"),
        ),
        rows=[
            (
                *((run.name,) if head else ()),
                layer,
                f"{sweep.attrs['method']}: {sweep.attrs['method_reason']}",
                *(f"{sweep.attrs[name]:.2f}" for name in ("compile_seconds", "run_seconds")),
                str(sweep.attrs["masks_at_once"]),
                f"{sweep.attrs['peak_bytes'] / 2**20:.0f}",
            )
            for run in runs.every
            for layer, sweep in run.sweeps.items()
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
