"""What is kept of the images that are done: named tuples of arrays, merged where they can be."""

from __future__ import annotations

import functools
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, get_type_hints

import jax
import numpy as np

from ._devices import array_bytes
from ._store import Store

State = Any
Kind = Any


def added(one: State, other: State) -> State:
    """Named tuples of sums as one."""
    return type(one)(*(a + b for a, b in zip(one, other, strict=True)))


def joined(parts: Iterable[State]) -> State:
    """Named tuples of arrays as one, in their order."""
    several = list(parts)
    return type(several[0])(*map(np.concatenate, zip(*several, strict=True)))


class Kept(NamedTuple):
    """The state of some pieces.

    Attributes:
      pieces: their numbers.
      seconds: how long they took.
      how: how the last of them was done, as attributes of a result.
      state: what is kept of them.
    """

    pieces: tuple[int, ...]
    seconds: float
    how: Mapping[str, Any]
    state: State


class States:
    """A measurement's states in a store: one for all pieces of a process, or one per piece."""

    def __init__(
        self, store: Store, kind: Kind, merge: Callable[[State, State], State] | None
    ) -> None:
        """Take up what is there.

        Args:
          store: where states are kept.
          kind: their named tuples as types, in the lists and dictionaries that the states have.
          merge: the state of the images of both; None where every piece keeps its own.
        """
        self._store, self._kind, self._merge = store, kind, merge
        self._so_far: Kept | None = None
        # One process goes on with what others had merged.
        if merge is not None and jax.process_index() == 0:
            found = self._found()
            self._so_far = self._together(found) if found else None

    def done(self) -> set[int]:
        """The numbers of the pieces that are done."""
        if self._merge is None:
            return set(self._store)
        if not self._store.lasting:
            return set()
        return {number for kept in self._found() for number in kept.pieces}

    def add(self, piece: int, seconds: float, how: Mapping[str, Any], state: State) -> None:
        """Keep the state of a piece."""
        new = Kept((piece,), seconds, how, state)
        older: list[int] = []
        if self._merge is not None:
            if self._so_far is not None:
                older = list(self._so_far.pieces)
                new = self._together([self._so_far, new])
            self._so_far = new
            # Nobody reads it before the end.
            if not self._store.lasting:
                return
        self._store[piece] = pack(new)
        for number in set(older).intersection(self._store):
            del self._store[number]

    def all(self) -> tuple[Callable[[], Iterator[State]], float, Mapping[str, Any]]:
        """The states of all processes, in order, how long they took, and how the last was done.

        What can be merged is one state.
        """
        if self._merge is not None and not self._store.lasting and self._so_far is not None:
            if jax.process_count() == 1:
                whole = self._so_far
                return lambda: iter([whole.state]), whole.seconds, whole.how
            self._store[self._so_far.pieces[-1]] = pack(self._so_far)
        self._store.exchange()
        if self._merge is not None:
            whole = self._together(self._found())
            return lambda: iter([whole.state]), whole.seconds, whole.how
        each = [unpack(self._store[number], None) for number in self._store]
        seconds = sum(kept.seconds for kept in each)
        store, kind = self._store, self._kind
        return (
            lambda: (unpack(store[number], kind).state for number in store),
            seconds,
            each[-1].how,
        )

    def _found(self) -> list[Kept]:
        """What is there, without what a newer one holds too: a kill leaves both."""
        found = [unpack(self._store[number], self._kind) for number in self._store]
        every = [set(kept.pieces) for kept in found]
        return [kept for kept in found if not any(set(kept.pieces) < each for each in every)]

    def _together(self, found: list[Kept]) -> Kept:
        def both(one: Kept, other: Kept) -> Kept:
            state = self._merge(one.state, other.state) if self._merge else None
            last = max(one, other, key=lambda kept: max(kept.pieces))
            pieces, seconds = one.pieces + other.pieces, one.seconds + other.seconds
            return Kept(pieces, seconds, last.how, state)

        return functools.reduce(both, sorted(found, key=lambda kept: kept.pieces[0]))


def pack(kept: Kept) -> bytes:
    """A state as the bytes of an npz file."""
    buffer = io.BytesIO()
    leaves = jax.tree.leaves(kept.state)
    about = json.dumps(kept.how)
    floats = sum(leaf.nbytes for leaf in leaves if leaf.dtype.kind == "f")
    # Images and activations hardly shrink, but can take as long as finding them.
    save = np.savez if 2 * floats > array_bytes(leaves) else np.savez_compressed
    save(buffer, *leaves, pieces=kept.pieces, seconds=kept.seconds, how=about)
    return buffer.getvalue()


def unpack(content: bytes, kind: Kind) -> Kept:
    """The state of some bytes of `pack`.

    Args:
      content: the bytes.
      kind: the state's named tuples as types, in the same lists and dictionaries; None for nothing
        of the state.
    """
    with np.load(io.BytesIO(content), allow_pickle=False) as stored:
        leaves = (stored[f"arr_{number}"] for number in range(len(stored.files) - 3))
        state = None if kind is None else _built(kind, leaves)
        pieces, how = tuple(stored["pieces"].tolist()), json.loads(str(stored["how"]))
        return Kept(pieces, float(stored["seconds"]), how, state)


def _built(kind: Kind, leaves: Iterator[np.ndarray]) -> State:
    if isinstance(kind, Mapping):
        # As JAX orders the leaves of dictionaries.
        found = {key: _built(kind[key], leaves) for key in sorted(kind)}
        return {key: found[key] for key in kind}
    if isinstance(kind, list):
        return [_built(each, leaves) for each in kind]
    if isinstance(kind, type) and issubclass(kind, tuple) and hasattr(kind, "_fields"):
        hints = get_type_hints(kind)
        return kind(*(_built(hints[name], leaves) for name in kind._fields))
    return next(leaves)
