"""States in a store, whatever happens between writing one and deleting those before it."""

from typing import NamedTuple

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jaxtyping import Int64

from jaxunits.execution import Store
from jaxunits.execution._states import Kept, States, pack, unpack


class Sum(NamedTuple):
    """Of some pieces, each of which adds a bit of its own.

    Attributes:
      total: the sum.
      pieces: how many.
    """

    total: Int64[np.ndarray, ""]
    pieces: Int64[np.ndarray, ""]


def of_piece(piece):
    return Sum(np.asarray(1 << piece), np.asarray(1))


def both(one, other):
    return Sum(*(np.asarray(a + b) for a, b in zip(one, other, strict=True)))


class KilledError(BaseException):
    """The process has ended."""


class Fused(Store):
    """A folder that is kept in memory, whose process is killed before a change of it."""

    def __init__(self, folder, changes):
        super().__init__(None)
        self._memory, self.changes = folder, changes

    lasting = True

    def _burn(self):
        if self.changes is not None:
            self.changes -= 1
            if self.changes < 0:
                raise KilledError

    def __setitem__(self, number, content):
        self._burn()
        super().__setitem__(number, content)

    def __delitem__(self, number):
        self._burn()
        super().__delitem__(number)


PIECES = 6
KILLS = st.lists(st.integers(0, 12), max_size=6)


def whole(folder):
    states, *_ = States(Fused(folder, None), Sum, both).all()
    (state,) = states()
    return int(state.total), int(state.pieces)


@settings(max_examples=40)
@given(KILLS)
def test_one_process_loses_and_doubles_nothing(kills):
    folder, before = {}, set()
    for changes in [*kills, None]:
        try:
            states = States(Fused(folder, changes), Sum, both)
            done = states.done()
            assert before <= done
            for piece in set(range(PIECES)) - done:
                states.add(piece, 1.0, {}, of_piece(piece))
        except KilledError:
            pass
        before = States(Fused(folder, None), Sum, both).done()
    assert whole(folder) == (2**PIECES - 1, PIECES)


RUNS = st.lists(
    st.tuples(st.integers(1, 3), st.permutations(range(3)), st.integers(0, 12)), max_size=5
)


@settings(max_examples=40)
@given(RUNS)
def test_any_processes_lose_and_double_nothing(runs):
    """A run has so many processes, in some order, and is killed before so many changes of all."""
    folder, before, number = {}, set(), [0]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(jax, "process_index", lambda: number[0])
        for count, order, changes in [*runs, (2, [1, 0, 2], None)]:
            store = Fused(folder, changes)
            try:
                each = []
                for number[0] in range(count):
                    each.append(States(store, Sum, both))
                done = each[0].done()
                assert before <= done
                missing = [piece for piece in range(PIECES) if piece not in done]
                turns = [process for process in order if process < count]
                shares = {process: missing[process::count] for process in turns}
                while any(shares.values()):
                    for number[0] in turns:
                        if shares[number[0]]:
                            piece = shares[number[0]].pop(0)
                            each[number[0]].add(piece, 1.0, {}, of_piece(piece))
            except KilledError:
                pass
            number[0] = 0
            before = States(Fused(folder, None), Sum, both).done()
        assert whole(folder) == (2**PIECES - 1, PIECES)


@settings(max_examples=40)
@given(KILLS)
def test_states_of_their_own_stay(kills):
    folder = {}
    for changes in [*kills, None]:
        try:
            states = States(Fused(folder, changes), Sum, None)
            for piece in set(range(PIECES)) - states.done():
                states.add(piece, 1.0, {}, of_piece(piece))
        except KilledError:
            pass
    found, seconds, _ = States(Fused(folder, None), Sum, None).all()
    assert [int(state.total) for state in found()] == [1 << piece for piece in range(PIECES)]
    assert seconds == PIECES


class Nested(NamedTuple):
    """Other types than the one above.

    Attributes:
      values: of any type.
      inside: another one.
    """

    values: np.ndarray
    inside: Sum


@pytest.mark.parametrize("dtype", ["float32", "float64", "int8", "uint32", "bool"])
def test_what_is_packed_is_unpacked(dtype):
    inside = Sum(np.asarray(3), np.asarray(4))
    state = {
        "b": [Nested(np.arange(6).reshape(2, 3).astype(dtype), inside)],
        "a": [inside, Nested(np.zeros((0, 2), dtype), inside)],
    }
    kind = {"b": [Nested], "a": [Sum, Nested]}
    kept = unpack(pack(Kept((3, 1), 2.5, {"path": "fast"}, state)), kind)
    assert (kept.pieces, kept.seconds) == ((3, 1), 2.5)
    assert jax.tree.structure(kept.state) == jax.tree.structure(state)
    for found, expected in zip(jax.tree.leaves(kept.state), jax.tree.leaves(state), strict=True):
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)
