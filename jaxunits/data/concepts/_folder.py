"""A folder of images, a folder of masks, and a table of concepts."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, SupportsIndex

import numpy as np
from jaxtyping import Int, Num

from ..._errors import InputError, unknown_name
from ._concepts import Annotated, Concepts
from ._files import WAY_OUT, as_table, files_fingerprint, lookup, read_image, read_mask
from ._tables import Row, read_table, whole_number

_IMAGES = {".png", ".jpg", ".jpeg"}
_NO_CONCEPT = "unlabeled"


@dataclass(frozen=True, eq=False)
class FolderSource:
    """Pairs of image and mask files.

    Attributes:
      pairs: the files of each image and its mask.
      table: the concept of each pixel value; -1 for none.
      channels: 1 reads every image as gray, 3 as RGB.
    """

    pairs: tuple[tuple[Path, Path], ...]
    table: Int[np.ndarray, " values"]
    channels: int

    image_dtype: ClassVar[Any] = np.uint8

    def __len__(self) -> int:
        return len(self.pairs)

    def image(self, index: SupportsIndex) -> Num[np.ndarray, "height width channels"]:
        return read_image(self.pairs[index][0], self.channels)

    def __getitem__(self, index: SupportsIndex) -> Annotated:
        image = self.image(index)
        path = self.pairs[index][1]
        values = read_mask(path, f"mask file {path}")
        if values.shape[2] != 1:
            raise InputError(
                f"mask file {path} has several channels: give a PNG of one channel whose pixel "
                "values are the concepts' indices"
            )
        if values.shape[:2] != image.shape[:2]:
            raise InputError(
                f"mask file {path} has {values.shape[0]} × {values.shape[1]} pixels and its image "
                f"{image.shape[0]} × {image.shape[1]}: give masks of their images' sizes"
            )
        return Annotated(image, lookup(values[None, ..., 0], self.table))


def load(
    path: str | Path, split: str | None, channels: int, ignore: Collection[str] | None
) -> Concepts:
    """`images/`, `masks/` with a PNG of the same stem for every image, and `concepts.csv`.

    Raises:
      InputError: a file or folder is missing or cannot be used.
    """
    root = Path(path)
    rows = _rows(root / "concepts.csv", ignore)
    pairs = _pairs(root, split)
    files = [[file.relative_to(root).as_posix() for file in pair] for pair in pairs]
    return Concepts(
        source=FolderSource(
            pairs, as_table({value: at for at, value in enumerate(rows)}), channels
        ),
        names=tuple(row["concept"] for row in rows.values()),
        categories=tuple(row.get("category", "concept") for row in rows.values()),
        channels=channels,
        name=f"folder:{path}",
        split=split or "all",
        fingerprint=files_fingerprint(root, files, (rows, channels)),
    )


def _rows(path: Path, ignore: Collection[str] | None) -> dict[int, Row]:
    """The concepts by the values of their pixels."""
    rows = read_table(path, ("index", "concept"))
    indices = [whole_number(row, "index", path) for row in rows]
    names = [row["concept"] for row in rows]
    for name in ignore or ():
        if name not in names:
            raise unknown_name("concept", name, names, f"file {path}")
    left_out = (_NO_CONCEPT,) if ignore is None else ignore
    kept = {
        index: row
        for index, row in zip(indices, rows, strict=True)
        if row["concept"] not in left_out
    }
    if not kept or len(set(indices)) < len(rows) or len(set(names)) < len(rows):
        raise InputError(
            f"file {path}: give at least one concept, each an index and a name of its own"
        )
    return kept


def _pairs(root: Path, split: str | None) -> tuple[tuple[Path, Path], ...]:
    folders = [root / kind / split if split else root / kind for kind in ("images", "masks")]
    for folder in folders:
        if not folder.is_dir():
            raise InputError(
                f"folder {folder} does not exist: put images into images/ and masks into masks/, "
                "and those of a split into a folder of its name in both"
            )
    images = sorted(
        file
        for file in folders[0].iterdir()
        if file.suffix.lower() in _IMAGES and not file.name.startswith(".")
    )
    if not images:
        raise InputError(f"folder {folders[0]} holds no images: put PNG or JPEG files there")
    pairs = tuple((image, folders[1] / f"{image.stem}.png") for image in images)
    for image, mask in pairs:
        if not image.is_file():
            raise InputError(f"image file {image} is not a file, or is a broken link: {WAY_OUT}")
        if not mask.is_file():
            raise InputError(f"image file {image} has no mask: put it at {mask}")
    return pairs
