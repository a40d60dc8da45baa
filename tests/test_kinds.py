"""Arguments of other kinds than a function's annotations name."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import jax.numpy as jnp
import jaxtyping
import numpy as np
import pytest
import xarray as xr
from flax import linen
from jaxtyping import Float

import jaxunits as ju
from jaxunits._kinds import checks_kinds
from jaxunits.networks._checks import check_data, check_readable


def dissected(**settings):
    concepts = ju.data.concepts.computed(DATA, ["quadrants"])
    return ju.attributes.dissect(NETWORK, "fc1", concepts, **settings)


@pytest.fixture(autouse=True)
def _as_users_call_it():
    """Without the checks of types that tests otherwise run with."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


SIZE = ju.data.Preprocessing((2, 2), 1)
LINEN = linen.Dense(3)
NETWORK = ju.networks.mlp(4, widths=(2,), preprocessing=SIZE)
DATA = ju.data.load((np.zeros((4, 2, 2, 1), np.uint8), np.arange(4)))


@checks_kinds
def function(
    given: Any = None,
    *,
    count: int = 1,
    share: float | None = None,
    flag: bool = True,
    path: str | Path = "",
    order: Literal["rgb", "bgr"] = "rgb",
    names: Sequence[str] = (),
    size: tuple[int, int] = (1, 1),
    rates: Mapping[str, float] | None = None,
    rule: Callable[[int], int] = abs,
    result: xr.Dataset | None = None,
    image: Float[np.ndarray, "a b"] | None = None,
    preprocessing: ju.data.Preprocessing | None = None,
):
    """Answers what it was given."""
    return given


@pytest.mark.parametrize(
    "taken",
    [
        {"count": np.int64(3), "share": np.float32(0.5), "flag": np.bool_(True)},
        {"share": 2, "path": Path("x"), "order": "bgr", "names": np.array(["a"])},
        {"size": [2, 3], "rates": {"a": 1}, "rule": len, "result": xr.Dataset()},
        {"image": jnp.ones((2, 2)), "preprocessing": ju.data.Preprocessing((1, 1), 1)},
        {"rates": None, "names": ["a", "b"], "size": np.array([2, 3])},
    ],
)
def test_what_fits_is_taken(taken):
    assert function(5, **taken) == 5


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"count": 1.5}, "count=1.5: give a whole number, such as count=8"),
        ({"count": True}, "count=True: give a whole number, such as count=8"),
        ({"share": "x"}, "share='x': give a number or None"),
        ({"flag": 1}, "flag=1: give True or False"),
        ({"path": b"x"}, "path=b'x': give a path"),
        ({"order": np.ones(2)}, "order of type ndarray: give one of rgb, bgr"),
        ({"names": "abc"}, "names='abc': give a list, each of it text"),
        ({"names": ["a", 1]}, "names of type list: give a list, each of it text"),
        (
            {"size": (1, 2, 3)},
            "size of type tuple: give 2 values, each of it a whole number, such as size=8",
        ),
        (
            {"rates": {"a": "b"}},
            "rates of type dict: give a dictionary, its values each a number or None",
        ),
        ({"rule": 3}, "rule=3: give a function"),
        ({"result": {}}, "result of type dict: give a result, an xarray.Dataset or None"),
        ({"image": [1]}, "image of type list: give an array of NumPy or JAX or None"),
        ({"preprocessing": 8}, "preprocessing=8: give a ju.data.Preprocessing or None"),
    ],
)
def test_what_does_not_is_named(given, expected):
    with pytest.raises(ju.InputError) as caught:
        function(**given)
    assert str(caught.value) == expected


def test_a_typo_is_answered_as_python_does():
    with pytest.raises(TypeError, match="unexpected keyword argument 'cuont'"):
        function(cuont=1)


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda: ju.results.read(3), "path=3: give a path"),
        (lambda: ju.results.write({}, "x"), "dataset of type dict: give a result"),
        (lambda: ju.results.read_result(1.5), "file=1.5: give a path"),
        (lambda: ju.results.most_damaging(4, 2), "result=4: give a result"),
        (lambda: ju.results.detectors_by_concept([]), "result of type list: give a result"),
        (lambda: ju.results.detectors_by_category(None), "result=None: give a result"),
        (lambda: ju.data.concepts.images(3), "concepts=3: give a ju.data.concepts.Concepts"),
        (lambda: ju.data.concepts.subset("x", [0]), "concepts='x': give a ju.data.concepts"),
        (lambda: ju.data.IMAGENET([1]), "image of type list: give an array"),
        (lambda: ju.networks.mlp("3"), "classes='3': give a whole number"),
        (lambda: ju.networks.resnet18(3, stem=[]), "stem of type list: give text"),
        (lambda: ju.networks.restore({}), "run_folder of type dict: give a path"),
        (lambda: ju.networks.saved_metrics("x", epoch="1"), "epoch='1': give a whole number"),
        (lambda: ju.networks.arrays(range(3)), "network of type range: give a ju.networks"),
        (lambda: ju.networks.with_arrays(NETWORK, {"fc9.bias": 1}), "unknown array 'fc9.bias'"),
        (lambda: ju.networks.with_arrays(NETWORK, {"fc1.bias": 1}), "'fc1.bias' of shape ()"),
        (lambda: ju.networks.with_arrays(NETWORK, {"fc1.bias": "x"}), "fc1.bias"),
        (lambda: check_readable(3, "fc1"), "network of type int: make it one with"),
        (lambda: ju.networks.tagged(3), "module=3: give a flax.nnx"),
        (lambda: ju.statistics.uncertainty([]), "sweep of type list: give a result"),
        (lambda: ju.statistics.rank_correlation(1, 2), "attributes=1: give a result"),
        (lambda: ju.statistics.damage_p_values("x", 1), "broken of type <U1: give numbers"),
        (lambda: ju.statistics.damage_p_values([1, 2], [1, 2, 3]), "of shapes (2,), (3,)"),
        (lambda: ju.statistics.damage_p_values(np.nan, 1), "nan broken and 1 repaired"),
        (lambda: ju.statistics.chance_drops([1], [0], [3]), "counts of shape (1,): give [units"),
        (lambda: ju.topology.betti_curves([], convention=[]), "convention of type list: give text"),
        (
            lambda: ju.topology.betti_curves([], dimensions={1: 0}),
            "dimensions of type dict: give a",
        ),
        (lambda: ju.synthesis.Method(basis=np.ones(2)), "basis of type ndarray: give text"),
        (lambda: ju.check_settings(3), "settings=3: give a dataclass"),
        (lambda: list(ju.data.batches(DATA, SIZE, 2, start="1")), "start='1': give a whole"),
        (lambda: list(ju.data.batches(DATA, SIZE, 2, process=1)), "process=1: give a whole number"),
        (lambda: list(ju.data.batches(DATA, SIZE, 2, processes=0)), "processes=0: give a whole"),
        (lambda: ju.data.concepts.computed(DATA, "edges"), "kinds='edges': give a list"),
        (lambda: ju.data.concepts.computed(DATA, [[]]), "unknown kind []"),
        (lambda: check_data("x", DATA), "network of type str: make it"),
        (lambda: NETWORK(np.zeros((1, 2, 2, 1)), [1]), "masks of type list: give a dictionary"),
        (lambda: NETWORK(np.zeros((1, 2, 2, 1)), {"fc1": [1, 1]}), "mask of type list for layer"),
        (lambda: NETWORK("x"), "images of type str for network 'mlp': give an array"),
        (lambda: ju.networks.from_nnx(3, preprocessing=SIZE), "module=3: give a flax.nnx"),
        (lambda: ju.networks.from_callable(3, {}, layers={}, preprocessing=SIZE), "function=3: "),
        (lambda: ju.ablation.sweep(NETWORK, "fc1", DATA, file=1.5), "file=1.5: give a path, or"),
        (
            lambda: ju.ablation.sweep(NETWORK, "fc1", DATA, progress=1),
            "progress=1: give a function",
        ),
        (lambda: ju.attributes.collect(NETWORK, "fc1", DATA, progress=1), "progress=1: give a"),
        (lambda: ju.synthesis.maximize(NETWORK, "fc1", progress=1), "progress=1: give a function"),
        (
            lambda: ju.data.sample(DATA, np.ones(2)),
            "num_images=array([1., 1.]): give a whole number",
        ),
        (lambda: ju.attributes.Choices(activation=np.ones(2)), "activation=array([1., 1.]): give"),
        (lambda: ju.topology.birth_points([], method=[]), "method of type list: give text"),
        (lambda: ju.topology.importance_orders(-1, [[0]]), "birth points of shape () and subsets"),
        (lambda: ju.ablation.groups(10**9, [[0]]), "num_units=1000000000 gives 1 × 1,000,000,000"),
        (lambda: ju.ablation.single_units(10**5), "num_units=100000 gives 100,000 × 100,000"),
        (lambda: ju.ablation.haar(10**5, seed=0), "num_units=100000 gives 100,000 × 100,000"),
        (lambda: ju.ablation.random_orders(10**30, 1, seed=0), "numbers: give fewer"),
        (lambda: ju.ablation.random_groups(10**30, 1, 1, seed=0), "numbers: give fewer"),
        (lambda: ju.ablation.Execution(method=np.ones(2)), "method=array([1., 1.]): give one of"),
        (lambda: ju.synthesis.maximize(NETWORK, "fc1", objective=[]), "objective=[]: give one of"),
        (lambda: ju.attributes.collect(NETWORK, np.ones(0), DATA), "layers=array([]"),
        (lambda: ju.data.load((DATA, DATA), np.ones(2)), "split=array([1., 1.]): give the name"),
        (lambda: SIZE(np.zeros((0, 2, 1))), "image of shape (0, 2, 1): give [height, width"),
        (lambda: SIZE(np.zeros((1, 2, 2, 1))), "image of shape (1, 2, 2, 1): give [height, width"),
        (
            lambda: ju.data.concepts.cut(np.zeros((1, 0, 3)), (2, 2), SIZE, (2, 2)),
            "masks of shape (1, 0, 3): give [masks, rows, columns]",
        ),
        (lambda: NETWORK(np.zeros((0, 2, 2, 1))), "images of shape (0, 2, 2, 1)"),
        (lambda: NETWORK.with_activations(np.zeros((1, 2, 2, 1)), "fc1"), "layers='fc1': give a"),
        (lambda: ju.results.write(xr.Dataset(), "a\0b"), "path 'a\\x00b' has a null byte"),
        (lambda: ju.topology.persistence([], dimensions=np.ones(0, int)), "dimensions=[]: give"),
        (
            lambda: ju.ablation.greedy(NETWORK, "fc1", DATA, classes=3),
            "classes=3: give a list of names, such as ['cat'], or None",
        ),
        (lambda: ju.data.Augmentation(crop=[]), "crop=[]: give 'none', 'padded' or 'resized'"),
        (
            lambda: list(ju.data.shuffled_batches(DATA, SIZE, 2, seed=0, epoch=0, augmentation=3)),
            "augmentation of type int: give a ju.data.Augmentation",
        ),
        (lambda: ju.topology.persistence([], dimensions={0}), "dimensions of type set: give a"),
        (lambda: dissected(convention=[]), "unknown convention []"),
        (
            lambda: ju.networks.from_linen(LINEN, {"params": b"x"}, preprocessing=SIZE),
            "parameter ['params'] of network 'Dense' is of type bytes: give arrays of numbers",
        ),
        (
            lambda: ju.networks.from_linen(LINEN, {"params": {}}, preprocessing=SIZE),
            "network 'Dense' cannot be called with images [images, 2, 2, 1]: ",
        ),
        (lambda: ju.networks.from_linen(LINEN, [1], preprocessing=SIZE), "variables of type list"),
        (
            lambda: ju.networks.from_callable(
                lambda params, images, masks: images, ["x"], layers={}, preprocessing=SIZE
            ),
            "parameter [0] of network 'callable' is of type str: give arrays of numbers",
        ),
        (
            lambda: ju.topology.stability_ratio([[0, 1]], 1, top=1, num_units=1, reference_top=1),
            "reference of shape (): give [units]",
        ),
        (lambda: dissected(alignment=3), "alignment=3: give one of"),
        (lambda: dissected(grid=3), "grid=3: give rows and columns"),
        (lambda: dissected(outside=[]), "unknown outside []"),
        (lambda: ju.attributes.class_correlation(None, 1), "activations of type object: give"),
        (lambda: ju.attributes.class_selectivity([1.0]), "class_means: [1.0]: give an array"),
        (
            lambda: ju.attributes.class_selectivity(np.ones(3), weights=np.ones(2)),
            "weights of shape (2,) with class_means of shape (3,): give means",
        ),
    ],
)
def test_of_public_functions(call, expected):
    with pytest.raises(ju.InputError) as caught:
        call()
    assert expected in str(caught.value)
