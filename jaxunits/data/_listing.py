"""Which image files a tree of class folders holds, kept for large trees in the user's cache."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int8, Int64, UInt8

from .._errors import InputError
from . import _cache
from ._threads import in_threads

UNKNOWN, CORRUPT, UNREAD = 0, -1, -2

# Files of other formats that somebody means to be images, and that would be missed in silence.
_OTHER = {
    *("gif", "webp", "bmp", "dib", "tif", "tiff", "heic", "heif", "avif", "jp2", "j2k", "jxl"),
    *("ppm", "pgm", "pbm", "pnm", "tga", "ico", "psd", "eps", "svg", "dng", "raw", "exr", "dcm"),
}
# What archives, file servers, systems and interpreters leave beside the classes.
_STRAY = {
    *("__MACOSX", "__pycache__", "@eaDir", "#recycle", "$RECYCLE.BIN", "lost+found"),
    "System Volume Information",
}
_KEPT_ABOVE = 10_000
# A file that comes within the same tick of the clock leaves the folder's time as it was, so that a
# folder that changed just now is to be listed again.
_SETTLED_NS = 2 * 10**9
_UNSETTLED = -1


@dataclass(frozen=True, eq=False)
class ClassFolder:
    """The image files of one class, in alphabetical order, in arrays: there may be a million.

    Attributes:
      name: the folder's name.
      changed: when files came or went last, in ns; below 0 if that was just before listing.
      names: the files' names as bytes, one after the other.
      ends: where each name ends.
      sizes: bytes of each file.
      times: when each was modified, in ns.
      channels: what each stores, 1 or 3; `UNKNOWN` before it is decoded, `CORRUPT` if it cannot
        be, `UNREAD` if its name says that it is of a format that shall not be read. Written to as
        files are verified.
    """

    name: str
    changed: int
    names: UInt8[np.ndarray, " bytes"]
    ends: Int64[np.ndarray, " files"]
    sizes: Int64[np.ndarray, " files"]
    times: Int64[np.ndarray, " files"]
    channels: Int8[np.ndarray, " files"]

    @classmethod
    def of(
        cls,
        name: str,
        changed: int,
        files: Mapping[bytes, tuple[int, int]],
        suffixes: Collection[str],
    ) -> ClassFolder:
        """A folder with these files' sizes and times, by their names."""
        read = [_suffix(os.fsdecode(each)) in suffixes for each in files]
        return cls(
            name,
            changed,
            names=np.frombuffer(b"".join(files), np.uint8),
            ends=np.cumsum([len(each) for each in files], dtype=np.int64),
            sizes=np.asarray([size for size, _ in files.values()], np.int64),
            times=np.asarray([time for _, time in files.values()], np.int64),
            channels=np.where(np.asarray(read, bool), UNKNOWN, UNREAD).astype(np.int8),
        )

    def __len__(self) -> int:
        return len(self.ends)

    def path(self, file: int) -> str:
        """A file's path below the folder above the classes."""
        start = self.ends[file - 1] if file else 0
        return f"{self.name}/{os.fsdecode(self.names[start : self.ends[file]].tobytes())}"

    def only(self, kept: Bool[np.ndarray, " files"]) -> ClassFolder:
        """Some of the files."""
        if kept.all():
            return self
        inside = np.repeat(kept, np.diff(self.ends, prepend=0))
        return ClassFolder(
            self.name,
            self.changed,
            names=self.names[inside],
            ends=np.cumsum(np.diff(self.ends, prepend=0)[kept]),
            sizes=self.sizes[kept],
            times=self.times[kept],
            channels=self.channels[kept],
        )

    def same_files(self, other: ClassFolder) -> bool:
        """Whether names, sizes and times are the same."""
        return all(
            np.array_equal(getattr(self, each), getattr(other, each))
            for each in ("names", "ends", "sizes", "times")
        )


@dataclass(frozen=True, eq=False)
class Listing:
    """All image files of a tree, class folder by class folder.

    Attributes:
      root: the folder above the classes.
      folders: the classes' folders, in alphabetical order.
      suffixes: of the files that shall be read.
    """

    root: Path
    folders: tuple[ClassFolder, ...]
    suffixes: tuple[str, ...]

    def save(self) -> None:
        """Keep a large listing for the next time."""
        if sum(map(len, self.folders)) > _KEPT_ABOVE:
            _cache.write(_place(self.root, self.suffixes), _arrays(self.folders))


def subfolders(root: Path) -> list[str]:
    """Names of the folders in a folder, in alphabetical order.

    Hidden ones and those of systems (`__MACOSX`) are left out.

    Raises:
      InputError: a link is broken, or the folder cannot be listed.
    """
    try:
        with os.scandir(root) as items:
            return sorted(item.name for item in items if _may_be_class(item))
    except PermissionError as error:
        raise InputError(f"folder {root} cannot be listed ({error.strerror})") from error


def _may_be_class(item: os.DirEntry[str]) -> bool:
    if item.name.startswith(".") or item.name in _STRAY:
        return False
    if not item.is_symlink():
        return item.is_dir()
    path = Path(item.path)
    if not path.exists():
        raise InputError(
            f"link {path} is broken: repair or delete it, since a class may be missing"
        )
    return path.is_dir()


def list_files(root: Path, relist: bool, suffixes: tuple[str, ...]) -> Listing:
    """List the files of a tree of class folders that are images by their names.

    A folder of a large tree that was listed before is listed again only if files came or went since
    then, or if `relist` says so. What is known of files that are as they were is kept.
    """
    names = subfolders(root)
    known = {folder.name: folder for folder in _folders(_cache.read(_place(root, suffixes)))}

    def listed(name: str) -> ClassFolder:
        # Before its files are listed, so that one that comes meanwhile is noticed next time.
        changed = (root / name).stat().st_mtime_ns
        before = known.get(name)
        if before is not None and before.changed == changed and not relist:
            return before
        settled = time.time_ns() - changed > _SETTLED_NS
        found = _list_folder(root, name, changed if settled else _UNSETTLED, suffixes)
        if before is not None and found.same_files(before):
            found.channels[:] = before.channels
        return found

    listing = Listing(root, tuple(in_threads(listed, names)), suffixes)
    if any(known.get(folder.name) is not folder for folder in listing.folders):
        listing.save()
    return listing


def _list_folder(root: Path, name: str, changed: int, suffixes: Collection[str]) -> ClassFolder:
    wanted = {*suffixes, *_OTHER}
    try:
        with os.scandir(root / name) as items:
            files = {
                item.name: _size_and_time(item) for item in items if _is_image(item.name, wanted)
            }
    except PermissionError as error:
        raise InputError(f"folder {root / name} cannot be listed ({error.strerror})") from error
    by_name = {os.fsencode(key): files[key] for key in sorted(files)}
    return ClassFolder.of(name, changed, by_name, suffixes)


def _size_and_time(item: os.DirEntry[str]) -> tuple[int, int]:
    """Bytes, and when they were modified in ns; zeros for a link that leads nowhere."""
    if item.is_symlink() and not Path(item.path).exists():
        return 0, 0
    stat = item.stat()
    return stat.st_size, stat.st_mtime_ns


def _is_image(name: str, suffixes: Collection[str]) -> bool:
    """Whether a file counts as an image; hidden ones (macOS leaves `._cat.png`) do not."""
    return not name.startswith(".") and _suffix(name) in suffixes


def _suffix(name: str) -> str:
    return name.rpartition(".")[2].lower()


def _place(root: Path, suffixes: Sequence[str]) -> Path | None:
    key = b"\0".join([os.fsencode(root.resolve()), *map(str.encode, suffixes)])
    return _cache.path_of("listings", hashlib.sha256(key).hexdigest())


def _arrays(folders: Sequence[ClassFolder]) -> dict[str, np.ndarray]:
    """All folders' arrays, end to end."""
    return {
        "folders": np.frombuffer(
            b"\0".join(os.fsencode(folder.name) for folder in folders), np.uint8
        ),
        "changed": np.asarray([folder.changed for folder in folders], np.int64),
        "bytes": np.asarray([len(folder.names) for folder in folders], np.int64),
        "files": np.asarray([len(folder) for folder in folders], np.int64),
        **{
            each: np.concatenate([getattr(folder, each) for folder in folders])
            for each in ("names", "ends", "sizes", "times", "channels")
        },
    }


def _folders(arrays: Mapping[str, np.ndarray]) -> list[ClassFolder]:
    """Folders out of `_arrays`; none if there are no arrays."""
    if not arrays:
        return []
    files = np.cumsum(arrays["files"])[:-1]
    parts = {each: np.split(arrays[each], files) for each in ("ends", "sizes", "times", "channels")}
    names = np.split(arrays["names"], np.cumsum(arrays["bytes"])[:-1])
    return [
        ClassFolder(
            os.fsdecode(name),
            int(changed),
            names=names[number],
            **{each: part[number] for each, part in parts.items()},
        )
        for number, (name, changed) in enumerate(
            zip(arrays["folders"].tobytes().split(b"\0"), arrays["changed"], strict=True)
        )
    ]
