"""Files of class folders that cannot or shall not be read, named."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .._errors import InputError, printable
from ._decoding import SUFFIXES, either
from ._folder_source import FolderSource
from ._listing import CORRUPT, UNKNOWN, UNREAD, Listing
from ._threads import in_threads

# Files that a message names.
_NAMED = 5


def refuse_unread(listing: Listing, formats: Sequence[str]) -> None:
    """Refuse files that are images by their names, of formats that are not to be read.

    Raises:
      InputError: there are such files; the first are named.
    """
    unread = [
        printable(folder.path(file))
        for folder in listing.folders
        for file in np.flatnonzero(folder.channels == UNREAD).tolist()
    ]
    if not unread:
        return
    ends = {name.rpartition(".")[2].lower() for name in unread}
    more = [name for name, suffixes in SUFFIXES.items() if ends.intersection(suffixes)]
    way_out = "convert or remove them"
    if more:
        way_out = f"give formats={[*formats, *more]}, or {way_out}"
    raise InputError(
        f"{_counted(unread)} of folder {listing.root} of other formats than {either(formats)}: "
        f"{way_out}, or leave them out with on_corrupt='skip'"
    )


def verify_files(files: FolderSource, listing: Listing, on_corrupt: str) -> None:
    """Decode every file that was not decoded before, and write down its channels in the listing.

    Raises:
      InputError: some cannot be decoded and are not to be skipped; the first are named.
    """

    def probe(index: int) -> int | InputError:
        try:
            return files.stored_channels(index)
        except InputError as error:
            return error

    known = np.concatenate([folder.channels for folder in listing.folders])
    # A file that was corrupt is looked at again: it raises, or it was repaired.
    wanted = (UNKNOWN,) if on_corrupt == "skip" else (UNKNOWN, CORRUPT)
    unverified = np.flatnonzero(np.isin(known, wanted)).tolist()
    failed: list[tuple[str, InputError]] = []
    try:
        for index, found in zip(unverified, in_threads(probe, unverified), strict=True):
            folder, file = files.place(index)
            if isinstance(found, InputError):
                failed.append((printable(folder.path(file)), found))
            folder.channels[file] = CORRUPT if isinstance(found, InputError) else found
    finally:
        if unverified:
            listing.save()
    if failed and on_corrupt == "raise":
        _, first = failed[0]
        others = [name for name, _ in failed[1:]]
        if not others:
            raise first
        raise InputError(f"{first}. Nor can {_counted(others)} be decoded") from first


def _counted(names: Sequence[str]) -> str:
    """How many files, and the first of them."""
    first = ", ".join(names[:_NAMED]) + (", …" if len(names) > _NAMED else "")
    return f"{len(names):,} {'file' if len(names) == 1 else 'files'} ({first})"
