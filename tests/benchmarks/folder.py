"""Listing and reading a large tree of image files: `python -m tests.benchmarks.folder`.

The files are hard links to a few made photographs, so that they lie in the page cache and decoding
is what is measured. The tree and the cache of its listing are made in a temporary folder and
removed afterwards.
"""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import numpy as np
import tyro
from PIL import Image
from rich.console import Console
from rich.table import Table

import jaxunits as ju


def main(
    files: int = 200_000,
    classes: int = 1_000,
    verified: int = 20_000,
    decoded: int = 2_000,
    threads: tuple[int, ...] = (1, 2, 4),
    folder: Path | None = None,
) -> None:
    """Measure listing, verifying and decoding.

    Args:
      files: how many the tree holds.
      classes: in how many folders.
      verified: verification is timed on a tree of so many files.
      decoded: images that each number of threads decodes.
      threads: how many decode.
      folder: where the temporary folder is made.
    """
    table = Table(title=f"{files:,} files in {classes:,} folders, JPEG of 500 × 375 pixels")
    for column in ("what", "figure"):
        table.add_column(column, justify="right")
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        cache = Path(temporary) / "cache"
        with mock.patch("platformdirs.user_cache_path", lambda name: cache / name):
            root = make_tree(Path(temporary) / "tree", files, classes)
            for name, figure in measure_listing(root).items():
                table.add_row(name, figure)
            data = listed(root)
            for number in threads:
                table.add_row(
                    f"images/s decoded and resized, {number} threads",
                    f"{images_a_second(data, decoded, number):,.0f}",
                )
            smaller = make_tree(Path(temporary) / "verified", verified, classes)
            for name in ("first", "again"):
                seconds = timed(lambda: ju.data.load(f"folder:{smaller}"))
                table.add_row(f"seconds, verifying {verified:,} files, {name}", f"{seconds:.2f}")
    Console().print(table)


def measure_listing(root: Path) -> dict[str, str]:
    """Seconds of the first listing and of those after it, and the memory that they took."""
    before = peak()
    found = {"seconds, first listing": f"{timed(lambda: listed(root)):.2f}"}
    found["peak memory it added, MB"] = f"{peak() - before:.0f}"
    found["seconds, listing that was kept"] = f"{timed(lambda: listed(root)):.2f}"
    (place,) = (root.parent / "cache").rglob("*.npz")
    found["size of what is kept, MB"] = f"{place.stat().st_size / 2**20:.1f}"
    return found


def listed(root: Path) -> ju.data.Dataset:
    """The tree as a data set, its files not verified."""
    return ju.data.load(f"folder:{root}", channels=3, verify=False)


def images_a_second(data: ju.data.Dataset, count: int, threads: int) -> float:
    """How fast batches for an ImageNet network come out."""

    def read() -> None:
        for _ in ju.data.batches(data, ju.data.IMAGENET, 64, stop=count, threads=threads):
            pass

    return count / timed(read)


def timed(work: Callable[[], object]) -> float:
    """Seconds that a function takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def peak() -> float:
    """The most memory this process has taken so far, in MB."""
    scale = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale


def make_tree(root: Path, files: int, classes: int) -> Path:
    """Links to a few photographs, dated an hour ago so that the listing is kept."""
    random = np.random.default_rng(0)
    root.mkdir()
    # Some file systems allow 65,000 links to a file.
    count = 8 + files // 50_000
    photographs = [root.parent / f"{root.name}{number}.jpg" for number in range(count)]
    for path in photographs:
        small = Image.fromarray(random.integers(0, 256, (24, 32, 3), np.uint8))
        small.resize((500, 375), Image.Resampling.BICUBIC).save(path, quality=90)
    changed = time.time() - 3600
    for number in range(classes):
        folder = root / f"n{number:08d}"
        folder.mkdir()
        for file in range(number, files, classes):
            os.link(photographs[file % count], folder / f"{folder.name}_{file}.JPEG")
        os.utime(folder, (changed, changed))
    return root


if __name__ == "__main__":
    tyro.cli(main)
