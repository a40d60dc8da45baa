"""Whether a file's arrays fit a network, and what to say where they do not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..._errors import InputError
from .._classifier import Classifier
from ._parameters import Parameter
from ._stored import FLOATING, StoredArray, printable

_MOST_ROWS = 20


@dataclass(frozen=True)
class Comparison:
    """How a file's arrays and a network's parameters meet.

    Attributes:
      fitting: parameters that the file has in their shape.
      missing: parameters that it lacks.
      other: parameters that it has in another shape.
      surplus: names that the network lacks.
    """

    fitting: tuple[Parameter, ...]
    missing: tuple[Parameter, ...]
    other: tuple[Parameter, ...]
    surplus: tuple[str, ...]


def compare(wanted: Sequence[Parameter], found: Mapping[str, StoredArray]) -> Comparison:
    """Compare names and shapes."""
    fits = {
        parameter: parameter.name in found
        and tuple(found[parameter.name].shape) == parameter.stored_shape
        for parameter in wanted
    }
    names = {parameter.name for parameter in wanted}
    return Comparison(
        fitting=tuple(parameter for parameter in wanted if fits[parameter]),
        missing=tuple(parameter for parameter in wanted if parameter.name not in found),
        other=tuple(
            parameter for parameter in wanted if parameter.name in found and not fits[parameter]
        ),
        surplus=tuple(name for name in found if name not in names),
    )


def check_fit(
    network: Classifier,
    comparison: Comparison,
    found: Mapping[str, StoredArray],
    place: str,
    partial: bool,
) -> None:
    """Refuse a file that does not fill the network, or with `partial` fills nothing of it.

    Raises:
      InputError: a table of what does not fit; a number of classes gets a sentence of its own.
    """
    classes = file_classes(network, comparison, found)
    if partial:
        whole = bool(comparison.fitting) and (not comparison.other or classes is not None)
    else:
        whole = not (comparison.missing or comparison.other or comparison.surplus)
        if classes is not None and not (comparison.missing or comparison.surplus):
            raise InputError(
                f"{place} has {classes} classes and network {network.name!r} "
                f"{network.classes}: build it with classes={classes}, or give partial=True to "
                f"leave {comparison.other[0].layer!r} random"
            )
    if not whole:
        raise _misfit(network, comparison, found, place)
    for parameter in comparison.fitting:
        _check_floating(parameter.name, found[parameter.name], place)


def file_classes(
    network: Classifier, comparison: Comparison, found: Mapping[str, StoredArray]
) -> int | None:
    """The file's number of classes if it is all whose shape differs; None otherwise."""
    counts = set()
    for parameter in comparison.other:
        shape, expected = found[parameter.name].shape, parameter.stored_shape
        # The axis of classes: ours is the last, and the file may have turned the kernel.
        axis = parameter.axes.index(len(parameter.split) - 1)
        # A layer that nothing else reads: what reads it would be of another shape too.
        if parameter.layer != comparison.other[0].layer or parameter.shape[-1] != network.classes:
            return None
        if len(shape) != len(expected):
            return None
        if shape[:axis] + shape[axis + 1 :] != expected[:axis] + expected[axis + 1 :]:
            return None
        counts.add(shape[axis])
    return counts.pop() if len(counts) == 1 else None


def _misfit(
    network: Classifier, comparison: Comparison, found: Mapping[str, StoredArray], place: str
) -> InputError:
    wrong = [*comparison.missing, *comparison.other]
    rows = [
        (
            parameter.name,
            _shape(found.get(parameter.name)),
            str(list(parameter.stored_shape)),
        )
        for parameter in wrong
    ]
    # Both sides get a place.
    shown = rows[: _MOST_ROWS - min(len(comparison.surplus), _MOST_ROWS // 2)]
    surplus = comparison.surplus[: _MOST_ROWS - len(shown)]
    shown += [(printable(name), _shape(found[name]), "missing") for name in surplus]
    table = [("name", "in the file", "in the network"), *shown]
    widths = [max(len(row[column]) for row in table) for column in (0, 1)]
    lines = [f"  {a:<{widths[0]}}  {b:<{widths[1]}}  {c}" for a, b, c in table]
    if more := len(rows) + len(comparison.surplus) - len(shown):
        lines.append(f"  … and {more} more")
    total = len(comparison.fitting) + len(wrong)
    return InputError(
        f"{place} does not fit network {network.name!r}: {len(comparison.fitting)} of "
        f"the network's {total} arrays are in it with their shapes.\n"
        + "\n".join(lines)
        + "\nBuild the network that the weights are of; partial=True loads what a file has and "
        "leaves layers that it lacks random"
    )


def _shape(array: StoredArray | None) -> str:
    return "missing" if array is None else printable(str(list(array.shape)))


def _check_floating(name: str, array: StoredArray, place: str) -> None:
    if array.dtype not in FLOATING:
        raise InputError(
            f"{place} has {name!r} as {array.dtype}: expected one of "
            f"{', '.join(FLOATING)}. Save the weights as floating-point numbers"
        )
