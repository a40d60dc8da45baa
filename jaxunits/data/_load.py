"""Loading labeled images from any source."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .._arguments import as_array, check_whole_or_none, shown
from .._errors import InputError, unknown_name
from .._optional import check_installed
from .._reading import USUAL
from . import _arrays, _digits, _folder
from ._dataset import Dataset
from ._pixels import checked_range
from ._records import RecordOptions

_DOORS = ("digits", "tfds:NAME", "folder:PATH")


def load(
    source: Any,
    split: str | None = None,
    *,
    class_names: Sequence[str] | None = None,
    channels: int | None = None,
    on_corrupt: str = "raise",
    verify: bool = True,
    relist: bool = False,
    data_dir: str | Path | None = None,
    value_range: tuple[float, float] | None = (0.0, 1.0),
    formats: Sequence[str] = USUAL,
    orientation: str = "exif",
    image: str | int | None = None,
    label: str | int | None = None,
    channels_first: bool | None = None,
    normalized: tuple[Any, Any] | None = None,
) -> Dataset:
    """Load labeled images.

    | source | what it is | its splits | its fingerprint covers |
    | --- | --- | --- | --- |
    | `"digits"` | 5,000 MNIST digits, 500 per class, offline | `train` (4,000), `validation` (1,000), also `train[:10%]` | every byte |
    | `"tfds:NAME"` | a TensorFlow data set, read without TensorFlow (extra `tfds`) | its own, and parts of them | name, version, sizes, and 64 of its records |
    | `"folder:PATH"` | one folder per class, PNG and JPEG of any size; WebP, BMP and TIFF by `formats` | folders above the classes; none | names, sizes and times of the files, and the content of 64 of them |
    | `(images, labels)` | arrays `[images, height, width, channels]`, `[images]` | a name of yours | every byte |
    | a data set of PyTorch or Hugging Face | records `(image, label)`, or of an image and a label among others; Pillow images, tensors `[channels, height, width]` or arrays; class names from `classes` and `features` | its own, if it is a dictionary of splits; otherwise a name of yours | as the next |
    | any random-access source | records of `image` and `label` | a name of yours | length, class names, split; all labels if the source has them as `labels`, and 64 of its records, otherwise 1,024 of its records; of a list every record |

    Results in files are identified by the fingerprint, so that the result of another data set is
    not mistaken for this one's. TFDS's images are read as TensorFlow reads them, whatever their EXIF orientation.
    Records and files that count are evenly spaced, the first and the last among
    them. If a change of other images has to count as well, load the images as arrays.

    Args:
      source: one of the above.
      split: which part of the source.
      class_names: the classes' names, for arrays and sources that do not know them, or other names
        for them; for folders,
        the folders' names in the order of the labels (alphabetical by default).
      channels: for folders and Pillow images: 1 reads every image as gray, 3 as RGB; as
        stored by default, which is RGB for a folder that mixes both, and as the first for others.
      on_corrupt: for folders: what to do about files that cannot be decoded, or that are of other
        formats than `formats` by their names. `"skip"` leaves them out and lists them in `skipped`.
      verify: for folders: decode every file once now, so that a corrupt one is found before
        anything expensive. Otherwise the error is raised when the file is reached.
      relist: for folders: the list of more than 10,000 files, and what verifying them found, is
        kept in the user's cache folder, and a class folder is listed again when files came or went.
        A file that was overwritten in place is noticed only with `relist=True`.
      data_dir: for `tfds:`: the folder of prepared data sets; TFDS's own by default.
      value_range: for arrays and sources: the least and the largest value of floating-point images.
        Images beyond it are refused; they reach the network's preprocessing as they are, whatever
        the range. None for any values. uint8 images are 0 to 255 and scaled by the preprocessing.
      formats: for folders: which are read, of `PNG`, `JPEG`, `WEBP`, `BMP` and `TIFF`. Of several
        frames or pages, the first is read; palettes give their colors, alpha is dropped, CMYK becomes
        RGB without a color profile, as torchvision's loader does it; gray of 16 bits is scaled to
        8. Numbers of 32 bits are refused.
      orientation: for folders: `"exif"` turns images upright, as their files' metadata say, as
        image viewers and Hugging Face's loader do; `"stored"` leaves their pixels as they lie in
        the file, which is what torchvision's and TensorFlow's loaders do, in published evaluations
        too. TIFF is turned by Pillow itself.
      image: for PyTorch and Hugging Face: the field of the image, a name or a number in a tuple;
        by default `image` or the only one that is an image, and the first of a tuple.
      label: the field of the label; by default `label` or the only one that is a `ClassLabel`, and the second.
      channels_first: for PyTorch and Hugging Face: whether arrays are `[channels, height, width]`;
        by default tensors are, and arrays are not.
      normalized: for PyTorch and Hugging Face: mean and standard deviation by which a transform has
        standardized the images already. It is undone, since the network's preprocessing
        standardizes.

    Returns:
      The images, which are decoded when they are read.

    Raises:
      InputError: the source, split or data cannot be used; the message says what to do.
    """  # noqa: E501
    allowed = checked_range(value_range)
    if split is not None and not isinstance(split, str):
        raise InputError(f"split={shown(split)}: give the name of a part of the data, or None")
    check_whole_or_none(channels=channels)
    if not isinstance(channels_first, bool | None):
        raise InputError(f"channels_first={shown(channels_first)}: give True, False or None")
    options = RecordOptions(image, label, channels, channels_first, normalized)
    if isinstance(source, str | tuple):
        _check_unused(options, source)
    if isinstance(source, tuple):
        return _arrays.load(*_pair(source), split or "all", class_names, allowed)
    if not isinstance(source, str):
        return _arrays.load_source(source, split, class_names, allowed, options)
    kind, _, rest = source.partition(":")
    if source == "digits":
        return _digits.load(split)
    if kind == "tfds" and rest:
        check_installed("tensorflow_datasets", "tfds", f"data {source!r}")
        from . import _tfds

        return _tfds.load(rest, split, data_dir)
    if kind == "folder" and rest:
        return _folder.load(
            rest,
            split,
            class_names=class_names,
            channels=channels,
            on_corrupt=on_corrupt,
            verify=verify,
            relist=relist,
            formats=formats,
            orientation=orientation,
        )
    raise unknown_name("data", source, _DOORS, "ju.data.load")


def _check_unused(options: RecordOptions, source: Any) -> None:
    """Refuse options that say something of records where there are none."""
    for name in ("image", "label", "channels_first", "normalized"):
        value = getattr(options, name)
        if value is not None:
            raise InputError(
                f"{name}={shown(value)} for data {shown(source)}: it is for data sets of PyTorch "
                "and Hugging Face; leave it out"
            )


def _pair(source: tuple[Any, ...]) -> tuple[np.ndarray, np.ndarray]:
    if len(source) != 2:
        raise InputError(f"data of {len(source)} arrays: give two, (images, labels)")
    return as_array(source[0], "images"), as_array(source[1], "labels")
