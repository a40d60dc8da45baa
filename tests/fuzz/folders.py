"""Damaged folders of other people's: images, masks, tables, and our list of a large one."""

from __future__ import annotations

import contextlib
import csv
import io
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from unittest import mock

import numpy as np
from PIL import Image

import jaxunits as ju
from jaxunits.data import _listing
from jaxunits.data._decoding import SUFFIXES
from tests.fuzz.cases import Target, WrongError
from tests.fuzz.mutations import damaged_copy, mutated

Attempt = Callable[[np.random.Generator, Path], None]


def targets(folder: Path) -> list[Target]:
    """One for each kind of file; what they damage is made in a folder."""
    return [
        *(Target(kind, _image(kind)) for kind in ("PNG", "JPEG", "WEBP", "BMP", "TIFF")),
        Target("concepts", _concepts(folder / "whole-concepts")),
        Target("Broden", _broden(folder / "whole-broden")),
        Target("listing", _list(folder / "whole-listing")),
    ]


def _encoded(kind: str, pixels: np.ndarray, **options: object) -> bytes:
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, kind, **options)
    return content.getvalue()


def _images(kind: str) -> list[bytes]:
    """Images of the depths, colors and layouts that a format has."""
    random = np.random.default_rng(0)
    color, gray = (random.integers(0, 256, size, np.uint8) for size in ((9, 7, 3), (9, 7)))
    turned = Image.Exif()
    turned[0x0112] = 6
    if kind in ("WEBP", "BMP", "TIFF"):
        layouts = {
            "WEBP": [{"lossless": True}, {"quality": 20}, {"exif": turned}],
            "BMP": [{}],
            "TIFF": [{}, {"compression": "tiff_lzw"}, {"compression": "jpeg"}, {"exif": turned}],
        }
        return [_encoded(kind, each, **one) for each in (color, gray) for one in layouts[kind]]
    if kind == "JPEG":
        options = [{}, {"progressive": True}, {"quality": 20, "subsampling": 2}, {"exif": b"Exif"}]
        options.append({"exif": turned})
        cmyk = random.integers(0, 256, (9, 7, 4), np.uint8)
        found = [_encoded(kind, pixels, **each) for pixels in (color, gray) for each in options]
        content = io.BytesIO()
        Image.fromarray(cmyk, "CMYK").save(content, kind)
        return [*found, content.getvalue()]
    palette = io.BytesIO()
    Image.fromarray(color).quantize(16).save(palette, kind, transparency=3)
    alpha = random.integers(0, 256, (9, 7, 4), np.uint8)
    deep = random.integers(0, 2**16, (9, 7), np.uint16)
    return [
        *(_encoded(kind, pixels) for pixels in (color, gray, alpha, deep, gray > 128)),
        palette.getvalue(),
    ]


def _image(kind: str) -> Attempt:
    """A class folder with an image without damage and a damaged one."""
    contents = _images(kind)
    suffix = SUFFIXES[kind][0]

    def attempt(random: np.random.Generator, place: Path) -> None:
        (place / "cat").mkdir()
        whole, damaged, other = (
            contents[index] for index in random.integers(len(contents), size=3)
        )
        (place / "cat" / f"0.{suffix}").write_bytes(whole)
        (place / "cat" / f"1.{suffix}").write_bytes(mutated(damaged, other, random))
        skipping = ju.data.load(f"folder:{place}", on_corrupt="skip", formats=[kind])
        preprocessing = ju.data.Preprocessing((4, 4), skipping.channels)
        count = sum(int(batch.valid.sum()) for batch in ju.data.batches(skipping, preprocessing, 2))
        if count + len(skipping.skipped) != 2:
            raise WrongError(f"{count} images were read and {len(skipping.skipped)} skipped of 2")
        data = ju.data.load(f"folder:{place}", verify=False, formats=[kind])
        for index in range(2):
            _check(data[index]["image"], data.channels)

    return attempt


def _check(pixels: np.ndarray, channels: int) -> None:
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != channels:
        raise WrongError(f"pixels of {pixels.dtype} {pixels.shape} for {channels} channels")


def _table(path: Path, rows: Sequence[Sequence[object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)


def _save(path: Path, pixels: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(pixels, np.uint8)).save(path)


def _concepts(folder: Path) -> Attempt:
    """Images, masks and a table of concepts; the table is damaged as often as all others."""
    random = np.random.default_rng(0)
    for number in range(2):
        _save(folder / "images" / f"{number}.png", random.integers(0, 256, (4, 6, 3)))
        _save(folder / "masks" / f"{number}.png", np.kron([[3, 7]], np.ones((4, 3))))
    rows = [("index", "concept", "category"), (7, "sky", "stuff"), (3, "car", "thing")]
    _table(folder / "concepts.csv", rows)
    return _reading(folder, "folder")


def _broden(folder: Path) -> Attempt:
    """NetDissect's layout."""
    random = np.random.default_rng(0)
    _save(folder / "images" / "a.png", random.integers(0, 256, (4, 6, 3)))
    labels = np.zeros((4, 6, 3))
    labels[:2, :, 0], labels[2:, :, 0] = 1, 2
    _save(folder / "images" / "a_object.png", labels)
    _table(folder / "category.csv", [("name",), ("object",), ("texture",)])
    _table(
        folder / "label.csv",
        [
            ("number", "name", "category"),
            (1, "car", "object(5)"),
            (2, "wheel", "object(2);texture(1)"),
            (300, "striped", "texture(4)"),
        ],
    )
    _table(
        folder / "index.csv",
        [
            ("image", "split", "ih", "iw", "sh", "sw", "object", "texture"),
            ("a.png", "train", 4, 6, 4, 6, "a_object.png", "300"),
            ("a.png", "val", 4, 6, 4, 6, "", "2;300"),
        ],
    )
    return _reading(folder, "broden")


def _reading(folder: Path, kind: str) -> Attempt:
    def attempt(random: np.random.Generator, place: Path) -> None:
        damaged_copy(folder, place, random, pattern="*.csv" if random.integers(2) else "*")
        concepts = ju.data.concepts.load(f"{kind}:{place}", verify=bool(random.integers(2)))
        for index in range(len(concepts)):
            image, maps = concepts[index]
            _check(image, concepts.channels)
            if maps.max(initial=-1) >= len(concepts.names) or maps.min(initial=-1) < -1:
                raise WrongError("a mask has concepts that there are none of")

    return attempt


@contextlib.contextmanager
def _kept_in(cache: Path) -> Iterator[None]:
    """The user's cache is another folder, and lists of more than ten files are kept."""
    with (
        mock.patch.dict(os.environ, XDG_CACHE_HOME=str(cache)),
        mock.patch.object(_listing, "_KEPT_ABOVE", 10),
    ):
        yield


def _list(folder: Path) -> Attempt:
    """The list of a large folder in the user's cache, which holds what verifying found, too."""
    cache, tree = folder / "cache", folder / "tree"
    content = {True: _encoded("PNG", np.zeros((2, 2), np.uint8)), False: b"damaged"}
    for name in ("bee", "cat", "dog"):
        (tree / name).mkdir(parents=True)
        for file in range(4):
            (tree / name / f"{file}.png").write_bytes(content[file > 0])
        os.utime(tree / name, (1e9, 1e9))
    with _kept_in(cache):
        expected = ju.data.load(f"folder:{tree}", on_corrupt="skip")
    (kept,) = cache.rglob("*.npz")
    whole = kept.read_bytes()

    def attempt(random: np.random.Generator, place: Path) -> None:
        kept.write_bytes(mutated(whole, whole, random))
        with _kept_in(cache):
            found = ju.data.load(f"folder:{tree}", on_corrupt="skip")
        same = ("fingerprint", "skipped", "class_names", "channels")
        if any(getattr(found, each) != getattr(expected, each) for each in same):
            raise WrongError("a damaged list of files was used")
        if not np.array_equal(found.labels, expected.labels) or kept.read_bytes() != whole:
            raise WrongError("a damaged list of files was used or kept")

    return attempt
