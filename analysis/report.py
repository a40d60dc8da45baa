"""One self-contained page: figures, tables and where every number comes from."""

from __future__ import annotations

import base64
import json
import statistics
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
import xarray as xr

import jaxunits as ju
from jaxunits import files

from .papers import papers_of, software
from .runs import Runs
from .section import Section, Table, unit_address
from .web import policy

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

# Classes without images that are named; of ImageNet's there can be hundreds.
_NAMED = 10


def write_report(
    path: Path,
    sections: Mapping[str, Section],
    runs: Runs,
    *,
    papers: Iterable[str] = (),
    explorer: Path | None = None,
) -> Path:
    """Write the page and its figures, each as a file of its own too.

    Args:
      path: the folder to write into.
      sections: what the page shows, by experiment.
      runs: the networks.
      papers: the letters of those that the sections are after.
      explorer: the page of all units in the same folder, where there is one.

    Returns:
      The page's path.

    Raises:
      OSError: no space is left.
    """
    drawn = [figure.files for section in sections.values() for figure in section.figures]
    contents = {path / "figures" / name: each for one in drawn for name, each in one.items()}
    # Each file waits for the disk: together they wait once.
    with ThreadPoolExecutor() as pool:
        list(pool.map(files.write_atomically, contents, contents.values()))
    configurations = [
        (name, ju.results.RunFolder(members[0].folder).read_configuration())
        for name, members in runs.configurations.items()
    ]
    network, data = _names(runs.every[0].folder, configurations[0][1])
    measured = _first(runs)
    address = explorer.name if explorer else ""
    script = (_TEMPLATES / "report.js").read_text(encoding="utf-8")
    page = _template("" if runs.several else address).render(
        title=f"{path.name if runs.several else network} on {data}",
        lead=title_of(runs),
        summary=summary(runs),
        images=int(measured.n_images.sum()) if "n_images" in measured else 0,
        split=measured.attrs.get("split", ""),
        empty=_without_images(measured),
        sections=list(sections.values()),
        provenance=[
            (key.replace("_", " "), str(measured.attrs[key]) or "none")
            for key in _PROVENANCE
            if key in measured.attrs
        ],
        seconds=_seconds(runs),
        trainings=[(name, json.dumps(each, indent=2)) for name, each in configurations],
        explorer=address,
        software=software(),
        papers=papers_of(papers),
        script=script,
        policy=policy([script]),
    )
    place = ju.results.RunFolder(path).report
    files.write_atomically(place, page)
    return place


def _without_images(measured: xr.Dataset) -> str:
    """Which classes have no images: by their names where these are few."""
    if "n_images" not in measured:
        return ""
    names = measured["class"].values[(measured.n_images == 0).values].tolist()
    if len(names) <= _NAMED:
        return ", ".join(map(str, names))
    return f"{len(names):,} of {measured.sizes['class']:,}"


def _names(folder: Path, configuration: Mapping[str, Any]) -> tuple[str, str]:
    """What a run folder's network and images are called."""
    network = configuration["network"].get("name")
    if network is None:
        place = ju.results.RunFolder(folder).architecture
        described = files.read_json(place, "") if place.exists() else {}
        network = described.get("builder", configuration["network"].get("kind", folder.name))
    return str(network), str(configuration["data"]["source"])


def _first(runs: Runs) -> xr.Dataset:
    """What the page says where numbers come from: of a sweep where there is one."""
    run = runs.every[0]
    return next(iter((run.sweeps or next(iter(run.results.values()))).values()))


def title_of(runs: Runs) -> str:
    """How accurate the networks are with every unit in place, where that was measured."""
    found = [accuracy(next(iter(run.sweeps.values()))) for run in runs.every if run.sweeps]
    if not found:
        return ""
    if not runs.several:
        return f"accuracy {found[0]:.2%}"
    return f"{len(found)} networks, accuracy {min(found):.2%} to {max(found):.2%}"


def images_of(sweeps: Mapping[str, xr.Dataset]) -> str:
    """Which images a network's layers were swept on, and how many."""
    first = next(iter(sweeps.values()))
    images = int(first.n_images.sum())
    return f"{images:,} images ({first.attrs['data']}, {first.attrs['split']})"


def accuracy(sweep: xr.Dataset) -> float:
    """Share of images that are classified correctly without ablation."""
    return int(sweep.correct_before.sum()) / int(sweep.n_images.sum())


def summary(runs: Runs) -> Table | None:
    """The most damaging unit of each layer, of several networks means over seeds; None unswept."""
    if not any(run.sweeps for run in runs.every):
        return None
    rows = []
    for panel in runs.panels("ablation"):
        swept = panel.results
        worst = [each.isel(unit=ju.results.most_damaging(each, 1)[0]) for each in swept]
        overall = statistics.fmean(float(each.overall_accuracy_drop) for each in worst)
        largest = statistics.fmean(float(each.max_class_accuracy_drop) for each in worst)
        head: dict[str, object] = {"layer": panel.layer}
        whose = {"worst class": f"{worst[0].most_damaged_class.values} (unit {int(worst[0].unit)})"}
        if runs.several:
            head = {"configuration": panel.configuration, **head, "seeds": len(swept)}
            whose = {}
        rows.append(
            {
                **head,
                "units": swept[0].sizes["unit"],
                "overall drop": f"{overall:.2%}",
                "max class drop": f"{largest:.1%}",
                **whose,
                "seconds": f"{sum(map(_seconds_of, swept)):.1f}",
            }
        )
    means = ", means over seeds" if runs.several else ""
    return Table.of(f"The most damaging unit of each layer{means}", rows)


def _seconds_of(sweep: xr.Dataset) -> float:
    return float(sweep.attrs["compile_seconds"] + sweep.attrs["run_seconds"])


def _seconds(runs: Runs) -> Table:
    rows = []
    for run in runs.every:
        head = {"network": run.name} if runs.several else {}
        for layer, sweep in run.sweeps.items():
            of = sweep.attrs
            rows.append(
                {
                    **head,
                    "layer": layer,
                    "method": f"{of['method']}: {of['method_reason']}",
                    "compilation, s": f"{of['compile_seconds']:.2f}",
                    "run, s": f"{of['run_seconds']:.2f}",
                    "masks at once": of["masks_at_once"],
                    "memory, MiB": f"{of['peak_bytes'] / 2**20:.0f}",
                }
            )
    return Table.of("Time of each sweep", rows)


def _linked(table: Table, explorer: str) -> list[list[tuple[str, str]]]:
    """The cells of a table, with the explorer's address of what stands in the column `unit`."""
    places = {name: place for place, name in enumerate(table.columns)}
    if not explorer or not {"layer", "unit"} <= places.keys():
        return [[(cell, "") for cell in row] for row in table.rows]
    return [
        [
            (cell, f"{explorer}#{unit_address(row[places['layer']], cell)}" if at_unit else "")
            for cell, at_unit in zip(row, (name == "unit" for name in places), strict=True)
        ]
        for row in table.rows
    ]


def _template(explorer: str) -> Any:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["base64"] = lambda content: base64.b64encode(content).decode()
    environment.filters["address"] = quote
    environment.filters["linked"] = lambda table: _linked(table, explorer)
    return environment.get_template("report.html.jinja")
