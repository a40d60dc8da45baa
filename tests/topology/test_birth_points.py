import itertools
import math

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jaxunits as ju
from tests.reference import SMALL, images_of
from tests.topology.brute_force import authors_birth_point, birth_point
from tests.topology.gudhi_holes import births_by_gudhi
from tests.topology.maps import KINDS, maps_of

pytestmark = pytest.mark.slow

birth_points = ju.topology.birth_points
SIDES = (4, 8, 14, 33)
SEEDS = st.integers(0, 2**32 - 1)


def all_kinds(side):
    """264 maps."""
    return np.concatenate([maps_of(kind, side, 4, 6) for kind in KINDS])


def map_of(*values):
    """A single map, symmetric, from the values of edges (x, y)."""
    side = 1 + max(max(edge) for edge, _ in values)
    single = np.zeros((side, side), np.float32)
    for (x, y), value in values:
        single[x, y] = single[y, x] = value
    return single[None, ..., None]


# Together 1,056 maps; `python -m tests.benchmarks.birth_points --agreement 24000` compares more.
@pytest.mark.parametrize("side", SIDES)
def test_the_kernel_equals_ripser(side):
    maps = all_kinds(side)
    births = birth_points(maps, method="kernel")
    assert (births > 0).any()
    np.testing.assert_array_equal(births, birth_points(maps, method="ripser"))
    np.testing.assert_array_equal(births, birth_points(maps))


@pytest.mark.slow
@pytest.mark.parametrize("side", SIDES)
def test_the_kernel_equals_gudhi(side):
    maps = all_kinds(side)
    np.testing.assert_array_equal(birth_points(maps, method="kernel"), births_by_gudhi(maps))


def test_the_kernel_equals_the_definition():
    maps = all_kinds(8)[:, :, :, :2]
    expected = [[birth_point(image[..., unit]) for unit in range(2)] for image in maps]
    np.testing.assert_array_equal(birth_points(maps), expected)


def test_maps_of_a_trained_network(trained, few_digits):
    images = jnp.asarray(images_of(few_digits, SMALL)[0][:40], jnp.float32)
    maps = np.asarray(trained.activations(images, "conv2"))
    births = birth_points(maps, method="kernel")
    assert len(np.unique(births)) > 5
    np.testing.assert_array_equal(births, birth_points(maps, method="ripser"))


def test_a_hollow_square_is_born_at_rank_4():
    hollow = map_of(((0, 1), 9.0), ((1, 2), 8.0), ((2, 3), 7.0), ((0, 3), 6.0), ((0, 2), 5.0))
    for method in ("kernel", "ripser"):
        assert birth_points(hollow, method=method).tolist() == [[4]]


def test_equal_values_enter_together():
    sides = [((0, 1), 2.0), ((1, 2), 2.0), ((2, 3), 2.0), ((0, 3), 2.0)]
    for method in ("kernel", "ripser"):
        assert birth_points(map_of(*sides), method=method).tolist() == [[1]]
        filled = map_of(*sides, ((0, 2), 2.0))
        assert birth_points(filled, method=method).tolist() == [[0]]
        later = map_of(*sides[:3], ((0, 3), 1.0), ((1, 3), 1.0))
        assert birth_points(later, method=method).tolist() == [[0]]


def test_edges_that_fill_one_another_go_to_ripser():
    """A path, then all pairs at a distance of 3 or more at once: no edge is harmless, no hole."""
    steps = np.abs(np.subtract.outer(np.arange(12), np.arange(12)))
    maps = np.where(steps == 1, 2, np.where(steps >= 3, 1, 0)).astype(np.float32)
    assert birth_point(maps) == 0
    many = np.broadcast_to(maps[None, ..., None], (8, 12, 12, 16))
    assert not birth_points(many, method="kernel").any()


@settings(max_examples=25)
@given(seed=SEEDS, kind=st.sampled_from(KINDS), factor=st.sampled_from([2.0**-40, 0.1, 3.0, 1e9]))
def test_order_alone_matters(seed, kind, factor):
    maps = maps_of(kind, 8, 4, 6, seed)
    births = birth_points(maps)
    values = maps.astype(np.float64)
    np.testing.assert_array_equal(birth_points(values * factor), births)
    increasing = np.sign(values) * np.expm1(np.abs(values)) ** 3
    np.testing.assert_array_equal(birth_points(increasing), births)


@settings(max_examples=25)
@given(seed=SEEDS, kind=st.sampled_from(KINDS))
def test_names_of_vertices_do_not_matter(seed, kind):
    maps = maps_of(kind, 8, 4, 6, seed)
    births = birth_points(maps)
    order = np.random.default_rng(seed).permutation(8)
    np.testing.assert_array_equal(birth_points(maps[:, order][:, :, order]), births)
    np.testing.assert_array_equal(birth_points(maps.swapaxes(1, 2)), births)


@settings(max_examples=25)
@given(seed=SEEDS, kind=st.sampled_from(KINDS), apex=st.integers(0, 7))
def test_a_cone_has_no_birth_point(seed, kind, apex):
    maps = maps_of(kind, 8, 4, 6, seed)
    maps[:, apex] = 2
    assert not birth_points(maps).any()


def test_differences_that_float32_cannot_hold_count():
    random = np.random.default_rng(0)
    maps = 1 + random.random((4, 8, 8, 6)) * 1e-10
    assert len(np.unique(maps.astype(np.float32))) == 1
    births = birth_points(maps)
    assert births.any()
    np.testing.assert_array_equal(births, birth_points(maps - 1))
    np.testing.assert_array_equal(births, birth_points(maps, method="ripser"))


def test_the_smallest_numbers_are_not_zero():
    maps = maps_of("random", 8, 4, 6)
    tiny = np.round(maps * 1000).astype(np.float32) * np.float32(1e-45)
    assert 0 < tiny.max() < np.finfo(np.float32).tiny
    np.testing.assert_array_equal(birth_points(tiny), birth_points(np.round(maps * 1000)))


@pytest.mark.parametrize("method", ["kernel", "ripser"])
def test_the_limit_and_the_conventions(method):
    maps = np.concatenate([maps_of(kind, 8, 4, 6) for kind in ("half zero", "3 bits", "2 bits")])
    ranks = birth_points(maps, method=method)
    assert {1, 5, 6, 7} <= set(ranks.ravel().tolist())
    short = birth_points(maps, method=method, limit=6)
    np.testing.assert_array_equal(short, np.where(ranks <= 6, ranks, 0))
    authors = birth_points(maps, method=method, limit=6, convention="authors")
    # What their loop gives: curves are indexed from 0, and 0 stands for none.
    np.testing.assert_array_equal(authors, np.where(ranks - 1 <= 6, np.maximum(ranks - 1, 0), 0))


def signed_kinds(side):
    """Maps with values of both signs: with ties, with zeros, below zero alone."""
    maps = all_kinds(side)
    shifted = np.where(maps == 0, 0, maps - np.float32(0.5))
    return np.concatenate([maps, -maps, shifted, maps - np.float32(0.25)])


@pytest.mark.slow
@pytest.mark.parametrize("method", ["kernel", "ripser"])
def test_the_authors_births_equal_their_loop(method):
    maps = signed_kinds(7)[::3, :, :, :2]
    expected = [[authors_birth_point(image[..., unit]) for unit in range(2)] for image in maps]
    assert np.count_nonzero(expected) > 20
    for values in (maps, maps.astype(np.float64) * (1 + 1e-12)):
        births = birth_points(values, method=method, convention="authors")
        np.testing.assert_array_equal(births, expected)


@pytest.mark.slow
@pytest.mark.parametrize("side", [8, 11, 14, 33])
def test_the_authors_births_equal_gudhi(side):
    maps = signed_kinds(side)[::4]
    last = min(51, math.ceil(0.8 * side * (side - 1) / 2))
    ranks = births_by_gudhi(maps, limit=last, signed=True)
    expected = np.maximum(ranks - 1, 0)
    for method in ("kernel", "ripser"):
        births = birth_points(maps, method=method, convention="authors")
        np.testing.assert_array_equal(births, expected)
    assert (expected != np.maximum(births_by_gudhi(maps, limit=51) - 1, 0)).any()


def test_the_authors_do_not_take_absolute_values():
    """A hollow square of the strongest negative values is the last that enters."""
    hollow = -map_of(((0, 1), 9.0), ((1, 2), 8.0), ((2, 3), 7.0), ((0, 3), 6.0), ((0, 2), 5.0))
    for method in ("kernel", "ripser"):
        assert birth_points(hollow, method=method).tolist() == [[4]]
        assert birth_points(hollow, method=method, convention="authors").tolist() == [[0]]


def test_zeros_enter_before_negative_values_by_the_authors():
    """Four sides of a square are zero and its diagonals negative."""
    square = -map_of(((0, 2), 2.0), ((1, 3), 3.0), ((0, 1), 0.0))
    larger = np.full((1, 5, 5, 1), -9, np.float32)
    larger[:, :4, :4] = square
    larger[:, 0, 1] = larger[:, 1, 0] = 4
    for method in ("kernel", "ripser"):
        assert birth_points(larger, method=method, convention="authors").tolist() == [[1]]


@pytest.mark.parametrize("method", ["kernel", "ripser"])
def test_behind_a_relu_both_conventions_see_the_same_holes(method):
    maps = np.maximum(maps_of("signed", 14, 8, 6), 0)
    ranks = birth_points(maps, method=method, limit=51)
    authors = birth_points(maps, method=method, convention="authors")
    np.testing.assert_array_equal(authors, np.maximum(ranks - 1, 0))
    assert (authors > 0).any()


@pytest.mark.slow
@pytest.mark.parametrize(("side", "authors"), [(8, 21), (9, 28), (10, 0), (11, 0), (12, 0)])
@pytest.mark.parametrize("method", ["kernel", "ripser"])
def test_edges_beyond_the_authors_density_do_not_enter(side, authors, method):
    """A clique, two vertices at disjoint halves of it, and then the edge between the two."""
    x, y = side - 2, side - 1
    clique = list(itertools.combinations(range(x), 2))
    halves = [(each, x if each < x // 2 else y) for each in range(x)]
    order = [*clique, *halves, (x, y)]
    rank = len(order)
    order += [edge for edge in itertools.combinations(range(side), 2) if edge not in order]
    values = map_of(*((edge, len(order) - place) for place, edge in enumerate(order)))
    assert birth_points(values, method=method, limit=100).tolist() == [[rank]]
    found = birth_points(values, method=method, limit=100, convention="authors")
    assert found.tolist() == [[authors]]
    # So many rows have the curves of their code; the hole would come in row `rank - 1`.
    assert authors == (rank - 1 if rank <= math.ceil(0.8 * math.comb(side, 2)) else 0)


@pytest.mark.slow
def test_holes_of_dimension_2():
    octahedron = np.ones((6, 6), np.float32)
    octahedron[[0, 1, 2, 3, 4, 5], [1, 0, 3, 2, 5, 4]] = 0
    maps = np.concatenate([octahedron[None, ..., None], maps_of("2 bits", 6, 30, 1)])
    births = birth_points(maps, dimension=2)
    assert births[0, 0] == 1
    expected = [[birth_point(image[..., 0], dimension=2)] for image in maps]
    np.testing.assert_array_equal(births, expected)


@pytest.mark.parametrize("side", [1, 2, 3])
@pytest.mark.parametrize("method", ["auto", "kernel", "ripser"])
def test_too_few_vertices_have_no_hole(side, method):
    assert birth_points(np.ones((2, side, side, 3)), method=method).tolist() == [[0] * 3] * 2


@pytest.mark.parametrize("kind", [np.int8, np.int64])
@pytest.mark.parametrize("method", ["kernel", "ripser"])
def test_the_smallest_integer_is_the_largest_without_its_sign(kind, method):
    """It has no counterpart above 0."""
    smallest = np.iinfo(kind).min
    random = np.random.default_rng(0)
    maps = random.integers(smallest, smallest + 100, (4, 8, 8, 6), kind)
    maps[random.random(maps.shape) < 0.1] = smallest
    larger = np.maximum(maps, maps.swapaxes(1, 2))
    sizes = np.asarray([abs(int(value)) for value in larger.flat], np.uint64).reshape(maps.shape)
    expected = birth_points(sizes - sizes.min() + 1, method="ripser")
    assert expected.any()
    np.testing.assert_array_equal(birth_points(maps, method=method), expected)


def test_maps_larger_than_the_kernel_takes():
    maps = maps_of("half zero", 65, 1, 2)
    assert (birth_points(maps) > 0).all()


def test_other_types_of_numbers():
    maps = np.floor(maps_of("random", 8, 4, 6) * 100)
    births = birth_points(maps)
    for kind in (np.int8, np.uint8, np.int64, np.float16, jnp.bfloat16, np.float64):
        np.testing.assert_array_equal(birth_points(maps.astype(kind)), births)
    np.testing.assert_array_equal(birth_points(jnp.asarray(maps)), births)
    assert birth_points(maps[:0]).shape == (0, 6)
    assert set(np.unique(birth_points(maps > 70)).tolist()) == {0, 1}


@pytest.mark.parametrize(
    ("maps", "expected"),
    [
        (np.ones((2, 4, 5, 3)), "maps are 4×5: feature topology takes the rows and the columns"),
        (np.ones((4, 4)), "maps of shape [4, 4]: give [images, height, width, units]"),
        (np.full((1, 4, 4, 2), np.nan), "maps hold nan (image 0, row 0, column 0, unit 0)"),
        (np.full((1, 4, 4, 2), -np.inf), "maps hold -inf"),
        (np.ones((1, 0, 0, 2)), "maps are 0×0"),
        (np.ones((1, 4, 4, 2), complex), "maps of type complex128"),
        (np.full((1, 4, 4, 2), "a"), "maps of type <U1"),
    ],
)
def test_maps_that_cannot_be(maps, expected):
    for call in (birth_points, ju.topology.betti_curves, ju.topology.persistence):
        with pytest.raises(ju.InputError) as caught:
            call(maps)
        assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"limit": 0}, "limit=0"),
        ({"dimension": 0}, "dimension=0: birth points are of holes of dimension 1 or more"),
        ({"dimension": -1}, "dimension=-1"),
        ({"method": "kernel", "dimension": 2}, "method='kernel' with dimension=2"),
        ({"method": "kernal"}, "Did you mean 'kernel'?"),
        ({"convention": "author"}, "Did you mean 'authors'?"),
        ({"processes": 0}, "processes=0"),
    ],
)
def test_what_cannot_be_asked(arguments, expected):
    with pytest.raises(ju.InputError) as caught:
        birth_points(np.ones((1, 4, 4, 1)), **arguments)
    assert expected in str(caught.value)


def test_the_kernel_refuses_maps_that_are_too_large():
    with pytest.raises(ju.InputError) as caught:
        birth_points(np.ones((1, 65, 65, 1)), method="kernel")
    assert "method='kernel' with maps of 65×65: the kernel takes up to 64×64" in str(caught.value)
