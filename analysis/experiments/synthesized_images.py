"""Images made for units, and for the units that cover them (Chen et al. 2019, figure 2)."""

from __future__ import annotations

import io
import math

import numpy as np
import xarray as xr
from jaxtyping import Int, UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from PIL import Image, ImageDraw, ImageFont

from ..experiment import Experiment
from ..figures import rendered
from ..findings import counted, foremost
from ..measurements.attributes import attributes
from ..measurements.synthesis import synthesis
from ..runs import Run, Runs
from ..section import Figure, Section

_COVERING = 3
_SMALLEST = 48
_LABEL = 14
_GAP = 4
_ACROSS = 1600
_WIDER = 1.6
_TEXT = """For each layer the most selective unit among those that others respond more to the image
of (RS above 0 under IAM), with its image under AM and IAM, and the units that respond most to the
IAM image, each with its own. Where Chen et al. 2019 are right, their images contain what the
selective unit looks for and more. The sheets below show the images of all units, the first noise
seed's."""


def _section(runs: Runs) -> Section:
    """Selective units with those that cover them, and a sheet per layer."""
    firsts = [members[0] for members in runs.configurations.values()]
    figures = [
        figure
        for each in firsts
        for figure in (_covered(runs, each), *_sheets(runs, each))
        if figure
    ]
    return Section(
        title="Images that units respond to most",
        text=[_TEXT],
        figures=sorted(figures, key=lambda figure: figure.zoomable),
        findings=foremost(
            [
                _found(run, layer, f"{run.name}, {layer}" if runs.several else layer)
                for run in firsts
                for layer in run.kind("synthesis")
            ],
            "largest shares of covered units",
        ),
    )


def _found(run: Run, layer: str, title: str) -> tuple[float, str]:
    """The share of covered units, and the sentence: how many, and the most selective of them."""
    made = _first(run, layer)
    known = made["rs"].dropna("unit")
    covered, units = int((known > 0).sum()), known.sizes["unit"]
    unit = selective_unit(run, layer)
    text = f"{title}: others respond more to the IAM image of {covered} of {counted(units, 'unit')}"
    if unit is None:
        return 0.0, f"{text} that respond to theirs."
    selectivity = float(run.kind("attributes")[layer]["class_selectivity"].sel(unit=unit))
    return covered / units, (
        f"{text} than these do; the most selective of them is unit {unit} (selectivity "
        f"{selectivity:.2f}, RS {float(made['rs'].sel(unit=unit)):.2f})."
    )


def _first(run: Run, layer: str) -> xr.Dataset:
    """A layer's IAM images of the first noise seed."""
    return run.kind("synthesis")[layer].isel(noise_seed=0).sel(maximized="iam")


def _suffix(runs: Runs, run: Run) -> str:
    return f"_{run.configuration}" if runs.several else ""


def _covered(runs: Runs, run: Run) -> Figure | None:
    """A row per layer that has such a unit."""
    rows = [
        (layer, unit)
        for layer in run.kind("synthesis")
        if (unit := selective_unit(run, layer)) is not None
    ]
    if not rows:
        return None
    columns = 2 + _COVERING
    canvas = Canvas(figsize=(1.75 * columns, 1.9 * len(rows) + 0.1), layout="constrained")
    grid = canvas.subplots(len(rows), columns, squeeze=False)
    for axes in grid.flat:
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_color("0.7")
        axes.set_visible(False)
    for line, (layer, unit) in zip(grid, rows, strict=True):
        _draw_row(line, run, layer, unit)
    return rendered(
        f"covered_units{_suffix(runs, run)}",
        canvas,
        f"The most selective unit of each layer{' of ' + run.name if runs.several else ''} that "
        "others cover, and those that respond most to its IAM image, with their response as a "
        "multiple of the unit's own. After Chen et al. 2019, figure 2.",
    )


def selective_unit(run: Run, layer: str) -> int | None:
    """The most selective unit with RS above 0 under IAM; None where there is none."""
    made = _first(run, layer)
    selectivity = run.kind("attributes")[layer]["class_selectivity"].sel(unit=made["unit"])
    covered = selectivity.where(made["rs"] > 0).values
    if not np.isfinite(covered).any():
        return None
    return int(made["unit"].values[np.nanargmax(covered)])


def covering_units(made: xr.Dataset, unit: int, most: int) -> Int[np.ndarray, " units"]:
    """The units that respond more than the unit to its image, the strongest first.

    Args:
      made: one layer, objective and noise seed.
      unit: whose image it is.
      most: how many, at most.
    """
    response = made["response"].sel(unit=unit)
    stronger = response.where(response > response.sel(responding_unit=unit), drop=True)
    return stronger["responding_unit"].values[np.argsort(-stronger.values, kind="stable")][:most]


def _draw_row(line: np.ndarray, run: Run, layer: str, unit: int) -> None:
    images, made = run.kind("synthesis")[layer], _first(run, layer)
    selectivity = run.kind("attributes")[layer]["class_selectivity"]
    rs = float(made["rs"].sel(unit=unit))
    _show(
        line[0],
        images["image"].sel(maximized="am", unit=unit),
        f"{layer}, unit {unit}, AM\nselectivity {float(selectivity.sel(unit=unit)):.2f}",
    )
    _show(line[1], made["image"].sel(unit=unit), f"{layer}, unit {unit}, IAM\nRS {rs:.2f}")
    own = float(made["activation"].sel(unit=unit))
    for axes, other in zip(line[2:], covering_units(made, unit, _COVERING), strict=False):
        answer = float(made["response"].sel(unit=unit, responding_unit=other)) / own
        head = f"unit {other}, selectivity {float(selectivity.sel(unit=other)):.2f}"
        shown = other in made["unit"] and bool(made["active"].sel(unit=other))
        _show(axes, made["image"].sel(unit=other) if shown else None, f"{head}\n{answer:.1f} times")


def _show(axes: Axes, image: xr.DataArray | None, title: str) -> None:
    axes.set_visible(True)
    axes.set_title(title, fontsize=7)
    if image is None:
        axes.text(0.5, 0.5, "no image", ha="center", va="center", fontsize=7)
        return
    pixels = image.values
    axes.imshow(pixels[..., 0] if pixels.shape[-1] == 1 else pixels, cmap="gray", vmin=0, vmax=255)


def _sheets(runs: Runs, run: Run) -> list[Figure]:
    """All images of a layer, one sheet per objective and layer."""
    return [
        Figure(
            f"images{_suffix(runs, run)}_{layer}_{objective}",
            sheet(made.sel(maximized=objective).isel(noise_seed=0)),
            f"{run.name + ', ' if runs.several else ''}{layer}: images of "
            f"{made.sizes['unit']} units under {objective.upper()}. A crossed square: the unit "
            "does not respond to its image. Click to enlarge.",
            zoomable=True,
        )
        for layer, made in run.kind("synthesis").items()
        for objective in made["maximized"].values.tolist()
    ]


def sheet(made: xr.Dataset) -> bytes:
    """A PNG of all units' images, each under the unit's number.

    Args:
      made: one layer, objective and noise seed.
    """
    height, width = made.sizes["y"], made.sizes["x"]
    factor = max(1, -(-_SMALLEST // min(height, width)))
    across, down = width * factor + _GAP, height * factor + _LABEL + _GAP
    units = made.sizes["unit"]
    columns = min(max(1, _ACROSS // across), math.ceil(_WIDER * math.sqrt(units)), units)
    rows = -(-units // columns)
    page = Image.new("RGB", (columns * across + _GAP, rows * down + _GAP), "white")
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(_LABEL - 3)
    active = made["active"].values
    for place, unit in enumerate(made["unit"].values.tolist()):
        left, top = _GAP + place % columns * across, _GAP + place // columns * down
        pen.text((left, top), str(unit), fill="black", font=font)
        corner = (left, top + _LABEL)
        end = (left + width * factor - 1, top + _LABEL + height * factor - 1)
        if active[place]:
            # A frame, since many images are white up to their edges.
            around = (corner[0] - 1, corner[1] - 1, end[0] + 1, end[1] + 1)
            pen.rectangle(around, outline="silver")
            page.paste(_picture(made["image"].values[place], factor), corner)
        else:
            pen.rectangle((*corner, *end), fill="#eeeeee", outline="gray")
            pen.line((*corner, *end), fill="gray")
            pen.line((corner[0], end[1], end[0], corner[1]), fill="gray")
    file = io.BytesIO()
    page.save(file, format="png", optimize=True)
    return file.getvalue()


def _picture(image: UInt8[np.ndarray, "y x channels"], factor: int) -> Image.Image:
    picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
    size = (picture.width * factor, picture.height * factor)
    return picture.convert("RGB").resize(size, Image.Resampling.NEAREST)


experiment = Experiment(
    "synthesized_images", _section, needs=(attributes, synthesis), paper="C", figures="2"
)
