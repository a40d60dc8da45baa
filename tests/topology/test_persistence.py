import numpy as np
import pytest

import jaxunits as ju
from tests.topology.brute_force import authors_curves, betti_numbers, ranks_of
from tests.topology.maps import KINDS, maps_of


def ring(side):
    """Neighbors on a circle are near, opposite vertices far."""
    steps = np.abs(np.subtract.outer(np.arange(side), np.arange(side)))
    distance = np.minimum(steps, side - steps)
    return (side / 2 - distance + 1).astype(np.float32)[None, ..., None]


def test_a_circle_has_one_long_cycle():
    holes = ju.topology.persistence(ring(12), dimensions=(0, 1, 2))
    cycles = holes.where(holes.dimension == 1, drop=True)
    assert cycles.birth.values.tolist() == [1]
    assert cycles.death.values.tolist() == [4]
    components = holes.death[holes.dimension == 0]
    assert sorted(components.values.tolist()) == [1.0] * 11 + [np.inf]


def test_betti_curves_equal_the_definition():
    maps = np.concatenate([maps_of(kind, 6, 1, 2) for kind in KINDS])
    curves = ju.topology.betti_curves(maps, dimensions=(1, 0, 2))
    assert curves.dims == ("image", "unit", "dimension", "rank")
    assert curves.shape == (len(maps), 2, 3, 15)
    for image, unit in np.ndindex(len(maps), 2):
        ranks = ranks_of(maps[image, ..., unit])
        for rank in curves["rank"].values:
            entered = [edge for edge, at in ranks.items() if at <= rank]
            found = curves[image, unit].sel(rank=rank, dimension=[0, 1, 2]).values.tolist()
            assert found == betti_numbers(6, entered, 2)


def test_the_authors_curves_equal_their_code():
    """Signed values, indices from 0, up to their density, with the zeros in at the end."""
    maps = np.concatenate([maps_of(kind, 6, 1, 2) for kind in KINDS])
    maps = np.concatenate([maps, maps - np.float32(0.25), -maps])
    curves = ju.topology.betti_curves(maps, dimensions=(1, 0), convention="authors")
    assert curves.attrs["convention"] == "authors"
    assert curves["rank"].values.tolist() == list(range(12))
    for image, unit in np.ndindex(len(maps), 2):
        expected = authors_curves(maps[image, ..., unit])
        found = curves[image, unit].sel(dimension=[0, 1]).transpose("rank", "dimension")
        assert found.values.tolist() == expected


def test_zeros_enter_at_the_end_of_the_authors_curves():
    maps = np.zeros((1, 5, 5, 1), np.float32)
    for place, edge in enumerate([(0, 1), (1, 2), (2, 3), (0, 3)]):
        maps[0, *edge, 0] = 9 - place
    cycles = ju.topology.betti_curves(maps, dimensions=(1,), convention="authors")
    assert cycles.values.ravel().tolist() == [0, 0, 0, 1, 0, 0, 0, 0]
    paper = ju.topology.betti_curves(maps, dimensions=(1,))
    assert paper.values.ravel().tolist() == [0, 0, 0] + [1] * 7


@pytest.mark.parametrize("kind", ["random", "signed", "2 bits, half zero"])
def test_the_authors_births_are_where_their_curves_leave_0(kind):
    maps = maps_of(kind, 9, 4, 3)
    curve = ju.topology.betti_curves(maps, convention="authors").sel(dimension=1)
    first = curve["rank"].where(curve > 0).min("rank").fillna(0)
    births = ju.topology.birth_points(maps, convention="authors")
    np.testing.assert_array_equal(births, first)
    assert births.any()


def test_an_unknown_convention():
    for call in (ju.topology.betti_curves, ju.topology.persistence):
        with pytest.raises(ju.InputError) as caught:
            call(np.ones((1, 4, 4, 1)), convention="author")
        assert "Did you mean 'authors'?" in str(caught.value)


def test_birth_points_are_where_betti_curves_leave_0():
    maps = np.concatenate([maps_of(kind, 8, 2, 3) for kind in KINDS])
    curve = ju.topology.betti_curves(maps).sel(dimension=1)
    first = curve["rank"].where(curve > 0).min("rank").fillna(0)
    np.testing.assert_array_equal(ju.topology.birth_points(maps), first.where(first <= 50, 0))


@pytest.mark.slow
def test_several_processes_give_the_same():
    """More than one process's share; no more are started than there are shares."""
    maps = maps_of("half zero", 6, 20, 15)
    one = ju.topology.persistence(maps)
    assert one.identical(ju.topology.persistence(maps, processes=10**9))


@pytest.mark.parametrize("side", [1, 2])
def test_few_vertices(side):
    curves = ju.topology.betti_curves(np.ones((1, side, side, 2)))
    assert curves.shape == (1, 2, 2, side - 1)
    assert curves.sel(dimension=0).values.ravel().tolist() == [1] * (2 * (side - 1))
    holes = ju.topology.persistence(np.ones((0, side, side, 2)))
    assert holes.sizes["hole"] == 0


def test_dimensions_that_no_hole_of_so_few_vertices_has():
    maps = maps_of("random", 6, 1, 2)
    usual = ju.topology.persistence(maps, dimensions=(0, 1, 2))
    assert ju.topology.persistence(maps, dimensions=(0, 1, 2, 10**9)).identical(usual)
    curves = ju.topology.betti_curves(maps, dimensions=(10**9, 1))
    assert (curves.sel(dimension=10**9) == 0).all()
    known = ju.topology.betti_curves(maps, dimensions=(1,))
    np.testing.assert_array_equal(curves.sel(dimension=[1]), known)


@pytest.mark.parametrize("dimensions", [(), (-1,), (1, 1)])
def test_dimensions_that_cannot_be(dimensions):
    with pytest.raises(ju.InputError) as caught:
        ju.topology.persistence(np.ones((1, 4, 4, 1)), dimensions=dimensions)
    assert f"dimensions={list(dimensions)}: give distinct non-negative numbers" in str(caught.value)
