"""A tree of image files with one folder a class."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, SupportsIndex

from .._errors import InputError, unknown_name
from ._dataset import Dataset
from ._decoding import decode

_SUFFIXES = {".png", ".jpg", ".jpeg"}
_SPLITS = ("train", "val", "validation", "test")


class _File(NamedTuple):
    """An image file: its path below the root, its class, and what its fingerprint covers."""

    name: str
    label: int
    size: int
    modified: int


@dataclass(frozen=True, eq=False)
class FolderSource:
    """Image files as a random-access source.

    Attributes:
      root: the folder above the classes.
      names: paths below it, class by class, each class in alphabetical order.
      labels: the class of each.
      channels: 1 reads every file as grey, 3 as RGB.
    """

    root: Path
    names: tuple[str, ...]
    labels: tuple[int, ...]
    channels: int

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: SupportsIndex) -> Mapping[str, Any]:
        path = self.root / self.names[index]
        image = decode(path, self.channels, f"image file {path}")
        return {"image": image, "label": self.labels[index]}


def load(
    path: str,
    split: str | None,
    *,
    class_names: Sequence[str] | None,
    channels: int | None,
    on_corrupt: str,
    verify: bool,
) -> Dataset:
    """A class-per-folder tree as a data set; see `jaxunits.data.load` for the arguments.

    Raises:
      InputError: a folder is missing or empty, an option is unknown, or a file is corrupt.
    """
    _check_options(channels, on_corrupt, verify)
    root = _root(Path(path), split)
    classes = tuple(class_names or _classes(Path(path), root, split))
    files = _files(root, classes)
    found: list[int | None] = [channels or 3] * len(files)
    if verify or channels is None:
        found = _stored_channels([root / file.name for file in files], on_corrupt)
    kept = [file for file, stored in zip(files, found, strict=True) if stored is not None]
    if not kept:
        raise InputError(f"folder {root}: none of its {len(files)} image files can be decoded")
    channels = channels or max(stored for stored in found if stored is not None)
    names = tuple(file.name for file in kept)
    return Dataset(
        source=FolderSource(root, names, tuple(file.label for file in kept), channels),
        class_names=classes,
        channels=channels,
        name=f"folder:{path}",
        split=split or "all",
        fingerprint=hashlib.sha256(repr((kept, classes, channels)).encode()).hexdigest(),
        skipped=tuple(
            file.name for file, stored in zip(files, found, strict=True) if stored is None
        ),
    )


def _check_options(channels: int | None, on_corrupt: str, verify: bool) -> None:
    if on_corrupt not in ("raise", "skip") or (on_corrupt == "skip" and not verify):
        raise InputError(
            f"on_corrupt={on_corrupt!r} with verify={verify}: give 'raise', or 'skip' with "
            "verify=True"
        )
    if channels not in (None, 1, 3):
        raise InputError(f"channels={channels} for image files: give 1 (grey) or 3 (RGB)")


def _root(path: Path, split: str | None) -> Path:
    """The folder above the classes."""
    if not path.is_dir():
        raise InputError(f"folder {path} does not exist: give the folder above the classes")
    if split is not None and not (path / split).is_dir():
        raise unknown_name("split", split, _subfolders(path), f"folder {path}")
    return path / split if split else path


def _classes(path: Path, root: Path, split: str | None) -> list[str]:
    """Class names, the same for every split: a class that one split lacks keeps its label."""
    siblings = [path / name for name in _SPLITS if split and (path / name).is_dir()]
    return sorted({name for folder in [root, *siblings] for name in _subfolders(folder)})


def _subfolders(folder: Path) -> list[str]:
    return sorted(
        item.name for item in os.scandir(folder) if item.is_dir() and not item.name.startswith(".")
    )


def _files(root: Path, classes: Sequence[str]) -> list[_File]:
    for name in _subfolders(root):
        if name not in classes:
            raise unknown_name("class", name, classes, "class_names")
    files = [
        _File(f"{name}/{item.name}", label, item.stat().st_size, item.stat().st_mtime_ns)
        for label, name in enumerate(classes)
        if (root / name).is_dir()
        for item in sorted(os.scandir(root / name), key=lambda item: item.name)
        if Path(item.name).suffix.lower() in _SUFFIXES
    ]
    if not files:
        raise InputError(
            f"folder {root} holds no images: put PNG or JPEG files into one folder a class, as "
            f"{root / 'CLASS' / 'image.png'}"
        )
    return files


def _stored_channels(paths: Sequence[Path], on_corrupt: str) -> list[int | None]:
    """Decode every file and tell its channels, or None for a corrupt one that is to be skipped."""

    def probe(path: Path) -> int | None:
        try:
            return decode(path, None, f"image file {path}").shape[-1]
        except InputError:
            if on_corrupt == "skip":
                return None
            raise

    with ThreadPoolExecutor() as pool:
        return list(pool.map(probe, paths))
