"""Loading annotated images."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from ..._errors import InputError, unknown_name
from ..._kinds import checks_kinds
from ..._optional import check_installed
from .._threads import in_threads
from . import _broden, _folder
from ._concepts import Concepts

_DOORS = ("broden:PATH", "folder:PATH", "tfds:scene_parse150")


@checks_kinds
def load(
    source: str,
    split: str | None = None,
    *,
    channels: int = 3,
    categories: Collection[str] | None = None,
    ignore: Collection[str] | None = None,
    verify: bool = True,
    data_dir: str | Path | None = None,
) -> Concepts:
    """Load images with masks of visual concepts.

    | source | what it is |
    | --- | --- |
    | `"broden:PATH"` | NetDissect's layout: `index.csv` (columns image, split, ih, iw, sh, sw and the categories, each with mask files or numbers of labels of the whole image, `;` between), `category.csv`, `label.csv`, `images/`. A pixel's label is `R + 256 G` of its mask. A label of several categories counts for the one it is most frequent in (NetDissect takes the one in which it covers most) |
    | `"folder:PATH"` | `images/`, `masks/` with a PNG of one channel for every image, and `concepts.csv` (columns index, concept and perhaps category). A pixel's value is the concept's index; other values mean no concept. Splits are folders within both |
    | `"tfds:scene_parse150"` | ADE20K's masks of 100 things, as TensorFlow Datasets prepares them; read without TensorFlow (extra `tfds`) |

    The fingerprint covers labels and settings, the names, sizes and times of all files, and the
    content of 64 of the images and of their masks, evenly spaced; of TensorFlow's data sets name,
    version, sizes and 64 of the records.

    Args:
      source: one of the above.
      split: which part of it; by default all, for folders and Broden.
      channels: 3 reads every image as RGB, 1 as gray.
      categories: for Broden: the only categories to read.
      ignore: for folders: names in `concepts.csv` that are not concepts; `unlabeled`, where there is
        one, by default.
      verify: read every image and mask once now, so that one that cannot be used is found before
        anything expensive. Otherwise the error is raised when the file is reached.
      data_dir: for `tfds:`: the folder of prepared data sets; TFDS's own by default.

    Returns:
      The images with their masks, which are read when they are needed.

    Raises:
      InputError: the source, split or files cannot be used; the message says what to do.
    """  # noqa: E501
    if channels not in (1, 3):
        raise InputError(f"channels={channels}: give 1 (gray) or 3 (RGB)")
    kind, _, rest = source.partition(":")
    if kind == "broden" and rest:
        concepts = _broden.load(rest, split, channels, categories)
    elif kind == "folder" and rest:
        concepts = _folder.load(rest, split, channels, ignore)
    elif source == "tfds:scene_parse150":
        check_installed("tensorflow_datasets", "tfds", f"concepts {source!r}")
        from . import _scene_parse150

        concepts = _scene_parse150.load(split, channels, data_dir)
    else:
        raise unknown_name("concepts", source, _DOORS, "ju.data.concepts.load")
    if verify:
        _verify(concepts)
    return concepts


def _verify(concepts: Concepts) -> None:
    """Read everything once; refuse data without a single labeled pixel."""

    def labeled(index: int) -> bool:
        return bool((concepts[index].label_maps >= 0).any())

    if not any(list(in_threads(labeled, range(len(concepts))))):
        raise InputError(
            f"no pixel of the {len(concepts)} masks of data {concepts.name!r} has a concept: check "
            "that their values are the concepts' numbers"
        )
