"""A tree of image files with one folder per class."""

from __future__ import annotations

import hashlib
import unicodedata
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .._arguments import shown
from .._errors import InputError, printable, unknown_name
from ..results import fingerprint
from ._content import sampled
from ._dataset import Dataset, checked_class_names
from ._decoding import SUFFIXES, either, stored_bytes
from ._folder_source import FolderSource
from ._listing import UNKNOWN, ClassFolder, Listing, list_files, subfolders
from ._unreadable import refuse_unread, verify_files

_TRAINING = ("train", "training")
_SPLITS = (*_TRAINING, "val", "valid", "validation", "test", "testing")


def load(
    path: str,
    split: str | None,
    *,
    class_names: Sequence[str] | None,
    channels: int | None,
    on_corrupt: str,
    verify: bool,
    relist: bool,
    formats: Sequence[str],
    orientation: str,
) -> Dataset:
    """A class-per-folder tree as a data set; see `jaxunits.data.load` for the arguments.

    Raises:
      InputError: a folder is missing or empty, an option is unknown, a file is corrupt, names of
        classes are not UTF-8 or alike, or the split has folders that are not classes of the
        training split.
    """
    _check_options(channels, on_corrupt, verify, orientation)
    read = _checked_formats(formats)
    root = _root(Path(path), split)
    if class_names is None:
        classes = tuple(_classes(Path(path), split))
    else:
        classes = tuple(map(_composed, checked_class_names(class_names, f"folder {path}")))
    suffixes = tuple(suffix for each in read for suffix in SUFFIXES[each])
    listing = list_files(root, relist, suffixes)
    folders = _by_label(listing, classes, read)
    if on_corrupt == "raise":
        refuse_unread(listing, read)
    upright = orientation == "exif"
    if verify or channels is None:
        verify_files(FolderSource(root, listing.folders, 3, read, upright), listing, on_corrupt)
    count = sum(map(len, folders))
    skipped = [
        printable(folder.path(file))
        for folder in folders
        for file in np.flatnonzero(folder.channels < UNKNOWN).tolist()
    ]
    folders = tuple(folder.only(folder.channels >= UNKNOWN) for folder in folders)
    if len(skipped) == count:
        raise InputError(f"folder {root}: none of its {count} image files can be decoded")
    channels = channels or max(int(folder.channels.max(initial=1)) for folder in folders)
    source = FolderSource(root, folders, channels, read, upright)
    return Dataset(
        source=source,
        class_names=classes,
        channels=channels,
        name=printable(f"folder:{path}"),
        split=split or "all",
        fingerprint=_fingerprint(source, classes),
        skipped=tuple(skipped),
    )


def _check_options(channels: int | None, on_corrupt: str, verify: bool, orientation: str) -> None:
    if orientation not in ("exif", "stored"):
        raise InputError(
            f"orientation={shown(orientation)}: give 'exif' (upright, as the file's metadata say) "
            "or 'stored'"
        )
    if on_corrupt not in ("raise", "skip") or (on_corrupt == "skip" and not verify):
        raise InputError(
            f"on_corrupt={on_corrupt!r} with verify={verify}: give 'raise', or 'skip' with "
            "verify=True"
        )
    if channels not in (None, 1, 3):
        raise InputError(f"channels={channels} for image files: give 1 (gray) or 3 (RGB)")


def _checked_formats(formats: Any) -> tuple[str, ...]:
    """Formats by their names in Pillow, each once, in the order of `SUFFIXES`.

    Raises:
      InputError: these are not formats, or one is not available.
    """
    if isinstance(formats, str) or not isinstance(formats, Iterable):
        raise InputError(f"formats={shown(formats)}: give a list, such as ['PNG', 'JPEG', 'WEBP']")
    wanted = [each.upper() if isinstance(each, str) else each for each in formats]
    for name in wanted:
        if name not in list(SUFFIXES):
            raise unknown_name("format", name, SUFFIXES, "ju.data.load of a folder")
    if not wanted:
        raise InputError(f"formats={shown(formats)}: name at least one of {', '.join(SUFFIXES)}")
    return tuple(name for name in SUFFIXES if name in wanted)


def _root(path: Path, split: str | None) -> Path:
    """The folder above the classes."""
    if not path.is_dir():
        raise InputError(f"folder {path} does not exist: give the folder above the classes")
    if split is not None and not (path / split).is_dir():
        raise unknown_name("split", split, subfolders(path), f"folder {path}")
    return path / split if split else path


def _classes(path: Path, split: str | None) -> list[str]:
    """Class names, the same for every split: a class that one split lacks keeps its label.

    They are those of the training split, or without one of the split that has most.
    """
    if split is None:
        return sorted(_class_folders(path, subfolders(path)))
    names = [name for name in dict.fromkeys((*_SPLITS, split)) if (path / name).is_dir()]
    known = {name: set(_class_folders(path / name, subfolders(path / name))) for name in names}
    training = [name for name in _TRAINING if known.get(name)]
    first = training[0] if training else max(known, key=lambda name: len(known[name]))
    for name in names:
        strays = sorted(known[name] - known[first])
        if not strays:
            continue
        message = (
            f"split {name!r} of folder {path} has the folders {', '.join(map(repr, strays))}, "
            f"which its split {first!r} lacks"
        )
        if name == split:
            raise InputError(
                f"{message}: rename or remove them, or name all classes in the order of their "
                "labels with class_names"
            )
        warnings.warn(f"{message}: they are not classes of {split!r}", stacklevel=2)
    return sorted(known[first])


def _class_folders(root: Path, folders: Sequence[str]) -> dict[str, str]:
    """The folders of the classes in a folder, by the classes' names.

    Raises:
      InputError: a name is not UTF-8, or two of them read alike.
    """
    found: dict[str, str] = {}
    for folder in folders:
        if printable(folder) != folder:
            raise InputError(f"class folder {root / folder} is not named in UTF-8: rename it")
        name = _composed(folder)
        if name in found:
            raise InputError(
                f"folder {root} has two class folders {name!r} that differ in how accents are "
                f"encoded ({found[name]!a}, {folder!a}): make them one"
            )
        found[name] = folder
    return found


def _composed(name: str) -> str:
    """A name with its accents as Linux and Windows write them, where macOS may take them apart."""
    return unicodedata.normalize("NFC", name)


def _by_label(
    listing: Listing, classes: Sequence[str], formats: Sequence[str]
) -> tuple[ClassFolder, ...]:
    """The classes' folders in the order of the labels; an empty one for a class without any."""
    folders = {folder.name: folder for folder in listing.folders}
    names = _class_folders(listing.root, list(folders))
    for name in names:
        if name not in classes:
            raise unknown_name("class", name, classes, "class_names")
    if not any(map(len, listing.folders)):
        raise InputError(
            f"folder {listing.root} holds no images: put {either(formats)} files into one folder "
            f"per class, as {listing.root / 'CLASS' / 'image.png'}"
        )
    for folder in listing.folders:
        if not len(folder):
            warnings.warn(
                f"folder {listing.root / folder.name} holds no {either(formats)} files and counts "
                "as a class: remove it if it is not one",
                stacklevel=2,
            )
    absent = ClassFolder.of("", 0, {}, ())
    return tuple(folders[names[name]] if name in names else absent for name in classes)


def _fingerprint(source: FolderSource, classes: Sequence[str]) -> str:
    """Of what is known of all files, and of the content of some, evenly spaced."""
    files = [[folder.names, folder.ends, folder.sizes, folder.times] for folder in source.folders]
    places = [source.place(index) for index in sampled(len(source)).tolist()]
    contents = [stored_bytes(source.root / folder.path(file)) for folder, file in places]
    return fingerprint(
        {
            "files": files,
            "classes": list(classes),
            "channels": source.channels,
            "upright": source.upright,
            "contents": [hashlib.sha256(content).hexdigest() for content in contents],
        }
    )
