"""Broden: the densely labeled images of network dissection, and folders of its form."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, SupportsIndex

import numpy as np
from jaxtyping import Int, Num

from ..._errors import InputError, unknown_name
from ._concepts import Annotated, Concepts
from ._files import as_table, files_fingerprint, lookup, read_image, read_mask
from ._tables import Row, read_table, whole_number

_COLUMNS = ("image", "split", "ih", "iw", "sh", "sw")
UNKNOWN = -2
_FREQUENCY = re.compile(r"([^(;]+)\(([0-9]{1,18})\)")
_WHOLE = re.compile("[0-9]+")
_MOST_PIXELS = 2**28


@dataclass(frozen=True)
class _Entry:
    """One line of the index.

    Attributes:
      image: the image file, below `images/`.
      size: rows and columns of its masks.
      masks: mask files, likewise.
      whole: numbers of the labels that hold for the whole image.
    """

    image: str
    size: tuple[int, int]
    masks: tuple[str, ...]
    whole: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class BrodenSource:
    """Images with masks of pixels, `R + 256 G` being the label's number, and labels of images.

    Attributes:
      root: the folder that the files' names start from.
      entries: the images.
      table: the concept of each label's number; -1 for 0, which is no label, and for labels of
        categories that are left out, -2 for numbers without a label.
      channels: 1 reads every image as gray, 3 as RGB.
    """

    root: Path
    entries: tuple[_Entry, ...]
    table: Int[np.ndarray, " numbers"]
    channels: int

    image_dtype: ClassVar[Any] = np.uint8

    def __len__(self) -> int:
        return len(self.entries)

    def image(self, index: SupportsIndex) -> Num[np.ndarray, "height width channels"]:
        return read_image(self.root / self.entries[index].image, self.channels)

    def __getitem__(self, index: SupportsIndex) -> Annotated:
        entry = self.entries[index]
        maps = [self._map(mask, entry.size) for mask in entry.masks]
        maps += [np.full(entry.size, self.table[number]) for number in entry.whole]
        empty = np.empty((0, *entry.size), np.int32)
        return Annotated(self.image(index), np.stack(maps) if maps else empty)

    def _map(self, name: str, size: tuple[int, int]) -> Int[np.ndarray, "rows columns"]:
        path = self.root / name
        values = read_mask(path, f"mask file {path}")
        if values.shape[:2] != size:
            raise InputError(
                f"mask file {path} has {values.shape[0]} × {values.shape[1]} pixels and index.csv "
                f"says sh × sw = {size[0]} × {size[1]}: correct either"
            )
        if values.shape[2] == 1:
            raise InputError(f"mask file {path} has one channel: its labels have to be R + 256 G")
        numbers = values[..., 0] + 256 * values[..., 1]
        found = lookup(numbers, self.table, beyond=UNKNOWN)
        if (found == UNKNOWN).any():
            raise InputError(
                f"mask file {path} has label {numbers[found == UNKNOWN][0]}, which is not in "
                "label.csv: add it there, or correct the mask"
            )
        return found


def load(
    path: str | Path, split: str | None, channels: int, categories: Collection[str] | None
) -> Concepts:
    """A folder with `index.csv`, `category.csv`, `label.csv` and `images/`.

    Raises:
      InputError: a file, column, split, category or label is missing or unknown.
    """
    root = Path(path)
    known = [row["name"] for row in read_table(root / "category.csv", ("name",))]
    for name in categories or ():
        if name not in known:
            raise unknown_name("category", name, known, f"file {root / 'category.csv'}")
    chosen = [name for name in known if categories is None or name in categories]
    rows = read_table(root / "index.csv", (*_COLUMNS, *chosen))
    for column in rows[0] if rows else ():
        if column not in (*_COLUMNS, *known):
            raise unknown_name("category", column, known, f"file {root / 'category.csv'}")
    splits = sorted({row["split"] for row in rows})
    if not rows or (split is not None and split not in splits):
        raise unknown_name("split", split, splits, f"file {root / 'index.csv'}")
    labels = _labels(root / "label.csv", known)
    table, concepts = _concepts(labels, chosen)
    rows = [row for row in rows if split in (None, row["split"])]
    entries = tuple(_entry(row, chosen, root / "index.csv", table) for row in rows)
    if not any(entry.masks or entry.whole for entry in entries):
        raise InputError(f"no image of {root / 'index.csv'} has a label of {', '.join(chosen)}")
    files = [(entry.image, *entry.masks) for entry in entries]
    return Concepts(
        source=BrodenSource(root / "images", entries, table, channels),
        names=tuple(name for name, _ in concepts),
        categories=tuple(category for _, category in concepts),
        channels=channels,
        name=f"broden:{path}",
        split=split or "all",
        fingerprint=files_fingerprint(root / "images", files, (rows, labels, chosen, channels)),
    )


def _labels(path: Path, known: Sequence[str]) -> dict[int, tuple[str, dict[str, int]]]:
    """Every label's name, and its frequency in each category, by the label's number."""
    labels = {}
    for row in read_table(path, ("number", "name", "category")):
        frequencies = {name: int(times) for name, times in _FREQUENCY.findall(row["category"])}
        number = whole_number(row, "number", path)
        if not frequencies:
            raise InputError(
                f"category {row['category']!r} of label {number} in {path}: give "
                "CATEGORY(FREQUENCY), several of them with ';' between"
            )
        for name in frequencies:
            if name not in known:
                raise unknown_name("category", name, known, f"file {path.parent / 'category.csv'}")
        labels[number] = (row["name"], frequencies)
    if 0 in labels:
        raise InputError(f"label 0 in {path}: 0 stands for pixels without a label; number from 1")
    return dict(sorted(labels.items()))


def _concepts(
    labels: Mapping[int, tuple[str, Mapping[str, int]]], chosen: Sequence[str]
) -> tuple[Int[np.ndarray, " numbers"], list[tuple[str, str]]]:
    """The concept of each label's number, and the concepts' names and categories."""
    concepts: list[tuple[str, str]] = []
    numbers = dict.fromkeys(labels, -1)
    for number, (name, frequencies) in labels.items():
        inside = [category for category in chosen if category in frequencies]
        if inside:
            numbers[number] = len(concepts)
            concepts.append((name, max(inside, key=frequencies.__getitem__)))
    table = as_table(numbers)
    table[[number for number in range(1, len(table)) if number not in labels]] = UNKNOWN
    return table, concepts


def _entry(
    row: Row, chosen: Sequence[str], path: Path, table: Int[np.ndarray, " numbers"]
) -> _Entry:
    values = [value for name in chosen for value in row[name].split(";") if value]
    # No label has more than five digits, and int() refuses thousands of them.
    whole = tuple(int(value[:9]) for value in values if _WHOLE.fullmatch(value))
    for number in whole:
        if number >= len(table) or table[number] == UNKNOWN:
            raise InputError(
                f"image {row['image']!r} in {path} has label {number}, which is not in label.csv: "
                "add it there, or correct the index"
            )
    size = whole_number(row, "sh", path), whole_number(row, "sw", path)
    if size[0] * size[1] > _MOST_PIXELS:
        raise InputError(
            f"image {row['image']!r} in {path} has sh × sw = {size[0]} × {size[1]}, more than "
            f"{_MOST_PIXELS:,} pixels: correct the index"
        )
    masks = tuple(value for value in values if not _WHOLE.fullmatch(value))
    return _Entry(row["image"], size, masks, whole)
