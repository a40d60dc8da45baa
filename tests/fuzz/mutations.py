"""Damage to files: the kinds that disks, networks and people who mean harm do."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

# Bytes of numbers at the edges of their types, as sizes, counts and places have them.
_EDGES = [
    value.to_bytes(size, "little", signed=value < 0)
    for size in (1, 2, 4, 8)
    for value in (0, 1, 2 ** (8 * size - 1) - 1, -(2 ** (8 * size - 1)), 2 ** (8 * size) - 1)
]
_LONGEST_SPAN = 64


def mutated(content: bytes, other: bytes, random: np.random.Generator) -> bytes:
    """A file's bytes after one to four mutations, some of which bring in parts of another file."""
    for _ in range(random.integers(1, 5)):
        if content:
            content = _MUTATIONS[random.integers(len(_MUTATIONS))](
                content, other or content, random
            )
    return content


def _span(content: bytes, random: np.random.Generator) -> tuple[int, int]:
    start = int(random.integers(len(content)))
    return start, min(len(content), start + int(random.integers(1, _LONGEST_SPAN)))


def _flip(content: bytes, other: bytes, random: np.random.Generator) -> bytes:
    place = random.integers(len(content))
    changed = content[place] ^ (1 << int(random.integers(8)))
    return content[:place] + bytes([changed]) + content[place + 1 :]


def _edge(content: bytes, other: bytes, random: np.random.Generator) -> bytes:
    value = _EDGES[random.integers(len(_EDGES))]
    place = random.integers(len(content))
    return content[:place] + value + content[place + len(value) :]


def _noise(content: bytes, other: bytes, random: np.random.Generator) -> bytes:
    start, end = _span(content, random)
    return content[:start] + random.bytes(end - start) + content[end:]


def _insert(content: bytes, other: bytes, random: np.random.Generator) -> bytes:
    place = random.integers(len(content))
    return content[:place] + random.bytes(int(random.integers(1, 9))) + content[place:]


def _delete(content: bytes, other: bytes, random: np.random.Generator) -> bytes:
    start, end = _span(content, random)
    return content[:start] + content[end:]


def _repeat(content: bytes, other: bytes, random: np.random.Generator) -> bytes:
    start, end = _span(content, random)
    times = int(random.integers(2, 100))
    return content[:start] + content[start:end] * times + content[end:]


def _move(content: bytes, other: bytes, random: np.random.Generator) -> bytes:
    start, end = _span(content, random)
    place = random.integers(len(content))
    return content[:place] + content[start:end] + content[place + end - start :]


def _cut(content: bytes, other: bytes, random: np.random.Generator) -> bytes:
    return content[: random.integers(len(content))]


def _splice(content: bytes, other: bytes, random: np.random.Generator) -> bytes:
    start, end = _span(other, random)
    place = random.integers(len(content))
    return content[:place] + other[start:end] + content[place + end - start :]


_MUTATIONS = (_flip, _edge, _noise, _insert, _delete, _repeat, _move, _cut, _splice)


def damaged_copy(
    folder: Path, place: Path, random: np.random.Generator, pattern: str = "*"
) -> Path:
    """Copy a folder and damage one of its files that match a pattern; returns the damaged one."""
    shutil.copytree(folder, place, dirs_exist_ok=True)
    files = sorted(path for path in place.rglob(pattern) if path.is_file())
    path, other = (files[index] for index in random.integers(len(files), size=2))
    path.write_bytes(mutated(path.read_bytes(), other.read_bytes(), random))
    return path
