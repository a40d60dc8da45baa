"""How images are read: those options of `jaxunits.data.load` that programs have too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Format = Literal["PNG", "JPEG", "WEBP", "BMP", "TIFF"]
USUAL: tuple[Format, ...] = ("PNG", "JPEG")


@dataclass(frozen=True, kw_only=True)
class FileReading:
    """How images of a folder, or of a prepared data set, are read."""

    data_dir: str | None = None
    """The folder of prepared TensorFlow data sets; None for the usual one."""
    formats: tuple[Format, ...] = USUAL
    """Which files of a folder are images."""
    orientation: Literal["exif", "stored"] = "exif"
    """Turn images of a folder upright, as their EXIF data say, or leave them as stored."""
    channels: Literal[1, 3] | None = None
    """Read files of a folder as gray or in colors; as they are stored by default."""
    on_corrupt: Literal["raise", "skip"] = "raise"
    """What to do about files of a folder that cannot be read."""
    verify: bool = True
    """Decode every file of a folder beforehand, so that a corrupt one is found."""


@dataclass(frozen=True, kw_only=True)
class Reading(FileReading):
    """How images of files, arrays or records are read."""

    value_range: tuple[float, float] | None = (0.0, 1.0)
    """The least and the largest value of a function's floating-point images; None for any."""
    image: int | str | None = None
    """The field of the image, in records of PyTorch or Hugging Face."""
    label: int | str | None = None
    """The field of the label."""
    channels_first: bool | None = None
    """Whether arrays in records are [channels, height, width]."""
