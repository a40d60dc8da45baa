"""A tree of image files with one folder a class."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, SupportsIndex

import numpy as np
from jaxtyping import Int

from .._errors import InputError, unknown_name
from ..results import fingerprint
from ._dataset import Dataset
from ._decoding import decode
from ._listing import CORRUPT, UNKNOWN, ClassFolder, Listing, list_files, subfolders
from ._threads import in_threads

_SPLITS = ("train", "val", "validation", "test")


@dataclass(frozen=True, eq=False)
class FolderSource:
    """Image files as a random-access source, class by class, each in alphabetical order.

    Attributes:
      root: the folder above the classes.
      folders: the classes' folders, by label.
      channels: 1 reads every file as grey, 3 as RGB.
    """

    root: Path
    folders: tuple[ClassFolder, ...]
    channels: int

    @functools.cached_property
    def labels(self) -> Int[np.ndarray, " images"]:
        """The class of each image."""
        return np.repeat(np.arange(len(self.folders)), [len(folder) for folder in self.folders])

    @functools.cached_property
    def _starts(self) -> Int[np.ndarray, " classes"]:
        return np.searchsorted(self.labels, np.arange(len(self.folders)))

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: SupportsIndex) -> Mapping[str, Any]:
        folder, file = self.place(index)
        path = self.root / folder.path(file)
        image = decode(path, self.channels, f"image file {path}")
        return {"image": image, "label": int(self.labels[index])}

    def place(self, index: SupportsIndex) -> tuple[ClassFolder, int]:
        """The folder of an image and its number there."""
        position = range(len(self))[index]
        label = self.labels[position]
        return self.folders[label], position - int(self._starts[label])


def load(
    path: str,
    split: str | None,
    *,
    class_names: Sequence[str] | None,
    channels: int | None,
    on_corrupt: str,
    verify: bool,
    relist: bool,
) -> Dataset:
    """A class-per-folder tree as a data set; see `jaxunits.data.load` for the arguments.

    Raises:
      InputError: a folder is missing or empty, an option is unknown, or a file is corrupt.
    """
    _check_options(channels, on_corrupt, verify)
    root = _root(Path(path), split)
    classes = tuple(class_names or _classes(Path(path), root, split))
    listing = list_files(root, relist)
    folders = _by_label(listing, classes)
    skipped: list[str] = []
    if verify or channels is None:
        _verify(listing, on_corrupt)
        count = sum(map(len, folders))
        skipped = [
            folder.path(file)
            for folder in folders
            for file in np.flatnonzero(folder.channels == CORRUPT).tolist()
        ]
        folders = tuple(folder.only(folder.channels != CORRUPT) for folder in folders)
        if len(skipped) == count:
            raise InputError(f"folder {root}: none of its {count} image files can be decoded")
    channels = channels or max(int(folder.channels.max(initial=1)) for folder in folders)
    return Dataset(
        source=FolderSource(root, folders, channels),
        class_names=classes,
        channels=channels,
        name=f"folder:{path}",
        split=split or "all",
        fingerprint=_fingerprint(folders, classes, channels),
        skipped=tuple(skipped),
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
        raise unknown_name("split", split, subfolders(path), f"folder {path}")
    return path / split if split else path


def _classes(path: Path, root: Path, split: str | None) -> list[str]:
    """Class names, the same for every split: a class that one split lacks keeps its label."""
    siblings = [path / name for name in _SPLITS if split and (path / name).is_dir()]
    return sorted({name for folder in [root, *siblings] for name in subfolders(folder)})


def _by_label(listing: Listing, classes: Sequence[str]) -> tuple[ClassFolder, ...]:
    """The classes' folders in the order of the labels; an empty one for a class without any."""
    found = {folder.name: folder for folder in listing.folders}
    for name in found:
        if name not in classes:
            raise unknown_name("class", name, classes, "class_names")
    if not any(map(len, listing.folders)):
        raise InputError(
            f"folder {listing.root} holds no images: put PNG or JPEG files into one folder a "
            f"class, as {listing.root / 'CLASS' / 'image.png'}"
        )
    return tuple(found.get(name, ClassFolder.of(name, 0, {})) for name in classes)


def _verify(listing: Listing, on_corrupt: str) -> None:
    """Decode every file that was not decoded before, and write down its channels in the listing."""

    def probe(index: int) -> int:
        folder, file = files.place(index)
        path = listing.root / folder.path(file)
        try:
            return decode(path, None, f"image file {path}").shape[-1]
        except InputError:
            if on_corrupt == "skip":
                return CORRUPT
            raise

    files = FolderSource(listing.root, listing.folders, channels=3)
    known = np.concatenate([folder.channels for folder in listing.folders])
    # A file that was corrupt is looked at again: it raises, or it was mended.
    wanted = (UNKNOWN,) if on_corrupt == "skip" else (UNKNOWN, CORRUPT)
    unverified = np.flatnonzero(np.isin(known, wanted)).tolist()
    try:
        for index, channels in zip(unverified, in_threads(probe, unverified), strict=True):
            folder, file = files.place(index)
            folder.channels[file] = channels
    finally:
        if unverified:
            listing.save()


def _fingerprint(folders: Sequence[ClassFolder], classes: Sequence[str], channels: int) -> str:
    files = [[folder.names, folder.ends, folder.sizes, folder.times] for folder in folders]
    return fingerprint({"files": files, "classes": list(classes), "channels": channels})
