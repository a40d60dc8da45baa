"""Arguments of the wrong kind: each is answered with its name and what the function takes."""

import jaxtyping
import numpy as np
import pytest
import xarray as xr

import jaxunits as ju


@pytest.fixture(autouse=True)
def _as_users_call_it():
    """Without the checks of types that tests otherwise run with."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


IMAGES = np.random.default_rng(0).integers(0, 256, (4, 28, 28, 1), np.uint8)
LABELS = np.arange(4)
NAMES = [f"class {label}" for label in range(10)]


@pytest.fixture(scope="module")
def data():
    return ju.data.load((IMAGES, LABELS), class_names=NAMES)


def refused(function, *args, **kwargs):
    with pytest.raises(ju.InputError) as caught:
        function(*args, **kwargs)
    return str(caught.value)


class Foreign:
    """A number of another library, whose type is none of NumPy's."""

    shape = ()
    dtype = "torch.int64"


@pytest.mark.parametrize("argument", ["num_images", "fraction"])
def test_numbers_of_other_libraries_are_none(data, argument):
    assert refused(ju.data.sample, data, **{argument: Foreign()}).startswith(f"{argument}=<")


class Records:
    """A random-access source."""

    def __init__(self, labels):
        self.given = labels

    def __len__(self):
        return len(self.given)

    def __getitem__(self, index):
        return {"image": IMAGES[index], "label": self.given[index]}


class WithLabels(Records):
    @property
    def labels(self):
        return self.given


class TestClassNames:
    WRONG = (
        ("abcd", "class_names of type str for {}: give a list of names in the order of the labels"),
        (b"abcd", "class_names of type bytes for {}"),
        ({"a", "b", "c", "d"}, "class_names of type set for {}"),
        (dict.fromkeys("abcd"), "class_names of type dict for {}"),
        (4, "class_names of type int for {}"),
        ([], "class_names for {} are empty: give at least one name"),
        (["a", "", "c", "d"], "class name '' for {}: give a text that is not empty"),
        (["a", " ", "c", "d"], "class name ' ' for {}: give a text"),
        (["a", None, "c", "d"], "class name None for {}: give a text"),
        (["a", 1.5, "c", "d"], "class name 1.5 for {}: give a text"),
        (["a", "b", "c", "b"], "class name 'b' for {} comes twice, for the labels 1 and 3"),
        (["caf\u00e9", "b", "c", "cafe\u0301"], "for {} comes twice, for the labels 0 and 3"),
        ([1, 2, 3, "1"], "class name '1' for {} comes twice, for the labels 0 and 3"),
    )

    @pytest.mark.parametrize(("names", "expected"), WRONG)
    def test_of_arrays_sources_and_folders(self, names, expected, tmp_path):
        for folder in "abcd":
            (tmp_path / folder).mkdir()
        for source, place in (
            ((IMAGES, LABELS), "data 'arrays'"),
            (Records(LABELS), "data 'Records'"),
            (f"folder:{tmp_path}", f"folder {tmp_path}"),
        ):
            assert expected.format(place) in refused(ju.data.load, source, class_names=names)

    @pytest.mark.parametrize("names", [("a", "b", "c", "d"), np.array(list("abcd")), [*"abcd"]])
    def test_lists_tuples_and_arrays_of_names(self, names):
        data = ju.data.load((IMAGES, LABELS), class_names=names)
        assert data.class_names == ("a", "b", "c", "d")

    def test_whole_numbers_as_names(self):
        data = ju.data.load((IMAGES, LABELS), class_names=range(10, 14))
        assert data.class_names == ("10", "11", "12", "13")


class TestLabels:
    WRONG = (0.9, 1.7, 1.0, "1", None, True, np.bool_(True), np.float32(1), np.array([1]), 1 + 0j)

    @pytest.mark.parametrize("label", WRONG)
    @pytest.mark.parametrize(
        "read",
        [
            lambda data: data.labels,
            ju.data.in_memory,
            lambda data: list(ju.data.batches(data, ju.data.Preprocessing((28, 28), 1), 4)),
            lambda data: ju.data.of_class(data, "class 1"),
        ],
        ids=["labels", "in_memory", "batches", "of_class"],
    )
    def test_of_records(self, label, read):
        data = ju.data.load(Records([0, label, 2, 3]), class_names=NAMES)
        assert refused(read, data) == (
            f"label {label!r} of image 1 in data 'Records', split 'all': give a whole number, the "
            "index of the image's class"
        )

    def test_whole_numbers_of_any_type(self):
        labels = [np.uint8(0), np.int64(1), np.array(2), 3]
        data = ju.data.load(Records(labels), class_names=NAMES)
        assert data.labels.tolist() == [0, 1, 2, 3]

    @pytest.mark.parametrize(
        ("labels", "expected"),
        [
            ([0.9, 1.7, 0, 0], "labels of type float64 of data {}, such as 0.9: give whole"),
            ([0.0, 1, 2, 3], "labels of type float64 of data {}, such as 0.0: give whole numbers"),
            ([*"0123"], "labels of type <U1 of data {}, such as '0': give whole numbers"),
            ([True] * 4, "labels of type bool of data {}, such as True: give whole numbers"),
            ([1j] * 4, "labels of type complex128 of data {}"),
            (np.full(4, 2**63, np.uint64), "labels of data {} go up to 9223372036854775808"),
        ],
    )
    def test_of_whole_sources(self, labels, expected):
        given = np.asarray(labels)
        assert expected.format("'arrays'") in refused(ju.data.load, (IMAGES, given))
        assert expected.format("'WithLabels'") in refused(
            ju.data.load, WithLabels(given), class_names=NAMES
        )

    def test_another_number_of_labels_than_images(self):
        class Short(Records):
            labels = (0, 1)

        data = ju.data.load(Short(LABELS), class_names=NAMES)
        assert refused(lambda: data.labels) == (
            "labels of shape (2,) of data 'Short': give one for each of its 4 images"
        )


class TestPreprocessing:
    @pytest.mark.parametrize(
        ("settings", "expected"),
        [
            ({"size": (28, 28, 1)}, "size=(28, 28, 1): give two whole numbers of pixels"),
            ({"size": (28,)}, "size=(28,): give two whole numbers"),
            ({"size": 28}, "size=28: give two whole numbers"),
            ({"size": "28"}, "size='28': give two whole numbers"),
            ({"size": (28.0, 28)}, "size=(28.0, 28): give two whole numbers"),
            ({"size": (np.nan, 28)}, "size=(nan, 28): give two whole numbers"),
            ({"size": (0, 28)}, "preprocessing to (0, 28) × 3: give sizes above 0"),
            ({"channels": 1.5}, "channels=1.5: give a whole number"),
            ({"channels": "3"}, "channels='3': give a whole number"),
            ({"resize": np.nan}, "resize=nan: give a whole number"),
            ({"resize": 256.0}, "resize=256.0: give a whole number"),
            ({"mean": (np.nan, 0, 0)}, "mean=(nan, 0, 0): give finite numbers in a tuple"),
            ({"mean": 0.5}, "mean=0.5: give finite numbers in a tuple"),
            ({"mean": "000"}, "mean='000': give finite numbers in a tuple"),
            ({"mean": (1j,)}, "mean=(1j,): give finite numbers in a tuple"),
            ({"std": (np.inf,)}, "std=(inf,): give finite numbers in a tuple"),
            ({"std": (np.nan,)}, "std=(nan,): give finite numbers in a tuple"),
            ({"std": (-1.0,)}, "std=(-1.0,): give numbers above 0"),
            (
                {"std": (1e-300,)},
                "turn white into [inf]: give numbers whose quotients float32 can represent",
            ),
        ],
    )
    def test_what_it_cannot_be(self, settings, expected):
        usual = {"size": (28, 28), "channels": 3}
        assert expected in refused(ju.data.Preprocessing, **{**usual, **settings})

    def test_lists_and_numbers_of_numpy_are_the_same_as_tuples(self):
        listed = ju.data.Preprocessing(
            [np.int64(28), 28], 1, mean=[np.float64(0.5)], std=[np.float32(0.25)]
        )
        assert listed == ju.data.Preprocessing((28, 28), 1, mean=(0.5,), std=(0.25,))
        assert str(listed) == str(ju.data.Preprocessing((28, 28), 1, mean=(0.5,), std=(0.25,)))

    @pytest.mark.parametrize(
        ("settings", "expected"),
        [
            ({"padding": 2.5}, "padding=2.5: give a whole number"),
            ({"scale": (0.1, 0.5, 1)}, "scale=(0.1, 0.5, 1): give two numbers"),
            ({"scale": 0.5}, "scale=0.5: give two numbers"),
            ({"scale": (np.nan, 1)}, "scale=(nan, 1): give two shares"),
            ({"ratio": (1, np.inf)}, "ratio=(1, inf): give two numbers"),
            ({"ratio": (1, np.nan)}, "ratio=(1, nan): give two numbers"),
        ],
    )
    def test_augmentation(self, settings, expected):
        assert expected in refused(ju.data.Augmentation, **settings)


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (
            lambda network, data: ju.ablation.sweep(network, "conv2", data, np.ones((2, 8)) * 1j),
            "masks of type complex128 for layer 'conv2': give real numbers",
        ),
        (
            lambda network, data: ju.ablation.sweep(
                network, "conv2", data, values=np.ones(8, np.complex64)
            ),
            "values of type complex64 for layer 'conv2': give real numbers",
        ),
        (
            lambda network, data: ju.ablation.sweep(
                network, "conv2", data, other_masks={"conv1": np.ones(8) * 1j}
            ),
            "masks of type complex128 for layer 'conv1': give real numbers",
        ),
        (
            lambda network, data: ju.ablation.sweep(network, "conv2", data, np.full((1, 8), 1e39)),
            "masks for layer 'conv2' hold 1e+39 at [0, 0]: give finite numbers",
        ),
        (
            lambda network, data: ju.ablation.directions(network, "conv2", data, np.eye(8) * 1j),
            "basis of type complex128 for layer 'conv2': give real numbers",
        ),
        (
            lambda network, data: network(IMAGES / 255.0, {"conv2": np.ones(8) * 1j}),
            "mask of type complex128 for layer 'conv2' of network 'convnet': give real numbers",
        ),
        (
            lambda network, data: ju.statistics.paired_interval([1 + 1j], [0], [3]),
            "broken of type complex128: give real numbers",
        ),
        (
            lambda network, data: ju.topology.importance_order([1j, 2]),
            "effectiveness of type complex128: give real numbers",
        ),
        (
            lambda network, data: ju.results.representative_substitution(np.eye(2) * 1j),
            "responses of type complex128: give real numbers",
        ),
    ],
)
def test_complex_numbers(trained, data, call, expected):
    assert expected in refused(call, trained, data)


@pytest.mark.parametrize(
    ("units", "expected"),
    [
        ([0.7], "of type float64{}, such as 0.7: give whole numbers"),
        ([0, 1.0], "of type float64{}, such as 0.0: give whole numbers"),
        (["0"], "of type <U1{}, such as '0': give whole numbers"),
        ([True, False], "of type bool{}, such as True: give whole numbers"),
        ([None], "of type object{}, such as None: give whole numbers"),
        ([[0, 1], [2]], "{} are ragged: their rows differ in length or shape"),
    ],
)
def test_units_and_indices_that_are_no_whole_numbers(trained, data, units, expected):
    calls = {
        "units of layer 'conv2'": lambda: ju.synthesis.maximize(trained, "conv2", units),
        "units of layer 'conv2' ": lambda: ju.attributes.top_images(trained, "conv2", data, units),
        "units of group 1": lambda: ju.ablation.groups(8, [[0], units]),
        "units of group 0": lambda: ju.ablation.all_but(8, [units]),
        "orders for layer 'conv2'": lambda: ju.ablation.cumulative(trained, "conv2", data, units),
        "indices of images of data 'arrays'": lambda: ju.data.subset(data, units),
    }
    for what, call in calls.items():
        name, _, place = what.strip().partition(" ")
        found = refused(call)
        if "ragged" in expected:
            assert f"{name} {place} are ragged" in found
        else:
            assert f"{name} {expected.format(' ' + place)}" in found


@pytest.mark.parametrize(
    ("units", "expected"),
    [
        ([8], "unit 8 of layer 'conv2': it has units 0 to 7"),
        ([-1], "unit -1 of layer 'conv2': it has units 0 to 7"),
        ([3, 3], "unit 3 of layer 'conv2' comes twice: give it once"),
        ([], "no units of layer 'conv2': give at least one, or None for all"),
        (3, "units of shape () of layer 'conv2': give a list, such as [3, 5]"),
    ],
)
def test_units_that_a_layer_does_not_have(trained, data, units, expected):
    assert expected in refused(ju.synthesis.maximize, trained, "conv2", units)
    assert expected in refused(ju.attributes.top_images, trained, "conv2", data, units)


class TestCounts:
    RESULT = xr.Dataset(
        {
            "overall_accuracy_drop": ("unit", [0.1, 0.2, 0.3]),
            "max_class_accuracy_drop": ("unit", [0.5, 0.9, 0.5]),
        }
    )

    @pytest.mark.parametrize(
        ("count", "expected"),
        [
            (-1, "num_units=-1: give at least 1"),
            (0, "num_units=0: give at least 1"),
            (1.5, "num_units=1.5: give a whole number"),
            ("2", "num_units='2': give a whole number"),
            (None, "num_units=None: give a whole number"),
        ],
    )
    def test_most_damaging(self, count, expected):
        assert expected in refused(ju.results.most_damaging, self.RESULT, count)

    def test_most_damaging_of_what_is_no_sweep(self):
        assert "give what sweep returns" in refused(ju.results.most_damaging, xr.Dataset(), 3)

    def test_a_table_of_what_is_no_result(self):
        assert refused(ju.results.table, self.RESULT.max_class_accuracy_drop) == (
            "result of type DataArray: give a result, an xarray.Dataset"
        )

    def test_the_most_damaging_units(self):
        assert ju.results.most_damaging(self.RESULT, 2).tolist() == [1, 2]

    @pytest.mark.parametrize(
        ("call", "expected"),
        [
            (
                lambda: ju.ablation.single_units(-1),
                "num_units=-1: give the number of units of the layer",
            ),
            (lambda: ju.ablation.single_units(2.5), "units=2.5: give a whole number"),
            (
                lambda: ju.ablation.groups(-1, [[0]]),
                "num_units=-1: give the number of units of the layer",
            ),
            (
                lambda: ju.ablation.random_groups(8, 2, -1, seed=0),
                "num_groups=-1: give a whole",
            ),
            (lambda: ju.ablation.random_groups(8, 2.5, 1, seed=0), "size=2.5: give a whole"),
            (
                lambda: ju.ablation.random_groups(8, 2, 1, seed=-1),
                "seed=-1: give a whole",
            ),
            (
                lambda: ju.ablation.random_orders(8, -1, seed=0),
                "num_orders=-1: give a whole number from 0",
            ),
            (lambda: ju.ablation.random_orders(8, 1, seed=0.5), "seed=0.5: give a whole number"),
            (lambda: ju.ablation.haar(-1, seed=0), "num_units=-1: give at least one unit"),
            (lambda: ju.ablation.haar(0, seed=0), "num_units=0: give at least one unit"),
            (lambda: ju.ablation.haar(4, seed=-1), "seed=-1: give a whole number from 0"),
            (lambda: ju.ablation.haar(4.0, seed=0), "num_units=4.0: give a whole number"),
            (lambda: ju.topology.random_subsets(5, 2.0), "size=2.0: give a whole number"),
            (lambda: ju.topology.times_in_top([[0, 1]], top=1.5), "top=1.5: give a whole"),
            (lambda: ju.topology.times_in_top([0, 1], top=1), "ranks of shape (2,): give [subsets"),
        ],
    )
    def test_counts_units_and_seeds(self, call, expected):
        assert expected in refused(call)


DATA = ju.data.load((IMAGES, LABELS), class_names=NAMES)

CALLS = {
    "batches": lambda network, data: ju.data.batches(data, network.preprocessing, 2),
    "shuffled_batches": lambda network, data: ju.data.shuffled_batches(
        data, network.preprocessing, 2, seed=0, epoch=0
    ),
    "subset": lambda network, data: ju.data.subset(data, [0]),
    "of_class": lambda network, data: ju.data.of_class(data, "class 1"),
    "sample": lambda network, data: ju.data.sample(data, 1),
    "random_labels": lambda network, data: ju.data.random_labels(data, 0.5),
    "in_memory": lambda network, data: ju.data.in_memory(data),
    "computed": lambda network, data: ju.data.concepts.computed(data),
    "sweep": lambda network, data: ju.ablation.sweep(network, "conv2", data),
    "reference": lambda network, data: ju.ablation.sweep(
        network, "conv2", DATA, values="mean", reference=data
    ),
    "cumulative": lambda network, data: ju.ablation.cumulative(network, "conv2", data, [0]),
    "directions": lambda network, data: ju.ablation.directions(network, "conv2", data, np.eye(8)),
    "greedy": lambda network, data: ju.ablation.greedy(network, "conv2", data),
    "unit_means": lambda network, data: ju.ablation.unit_means(network, "conv2", data),
    "collect": lambda network, data: ju.attributes.collect(network, None, data),
    "top_images": lambda network, data: ju.attributes.top_images(network, "conv2", data, [0]),
    "births": lambda network, data: ju.topology.layer_birth_points(network, "conv2", data),
}


class TestDataSets:
    @pytest.mark.parametrize("name", CALLS)
    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            ((IMAGES, LABELS), "data of type tuple: give what ju.data.load returns, such as "),
            ("digits", "such as ju.data.load('digits')"),
            (IMAGES, "data of type ndarray: give what ju.data.load returns"),
            (5, "data of type int: give what ju.data.load returns"),
        ],
        ids=["tuple", "text", "array", "number"],
    )
    def test_what_is_none(self, trained, name, given, expected):
        assert expected in refused(CALLS[name], trained, given)

    def test_concepts_and_data_sets_are_not_taken_for_each_other(self, trained, data):
        concepts = ju.data.concepts.computed(data)
        assert "data of type Concepts: give what ju.data.load returns, or ju.data.concepts" in (
            refused(ju.attributes.top_images, trained, "conv2", concepts, [0])
        )
        assert "concepts of type Dataset: give what ju.data.concepts.load" in refused(
            ju.attributes.dissect, trained, "conv2", data
        )

    def test_a_network_is_no_preprocessing(self, trained, data):
        assert "preprocessing of type Classifier: give a ju.data.Preprocessing" in refused(
            ju.data.batches, data, trained, 2
        )


@pytest.mark.parametrize("layers", [1, [], 2.5])
@pytest.mark.parametrize(
    "call",
    [
        ju.ablation.sweep,
        ju.attributes.collect,
        lambda network, layers, data: ju.ablation.cumulative(network, layers, data, [0]),
        lambda network, layers, data: ju.ablation.insertion(network, layers, data, [0]),
    ],
)
def test_layers_that_are_none(trained, call, layers):
    assert refused(call, trained, layers, DATA) == (
        f"layers={layers!r}: give the name of a layer, a list of at least one, or None for all"
    )


@pytest.mark.parametrize("layer", [["conv1", "conv2"], ("conv1",), 1, None, np.array(["conv1"])])
@pytest.mark.parametrize(
    "call",
    [
        lambda network, layer: ju.ablation.greedy(network, layer, DATA),
        lambda network, layer: ju.ablation.shapley(network, layer, DATA),
        lambda network, layer: ju.ablation.synergies(network, layer, DATA),
        lambda network, layer: ju.ablation.unit_means(network, layer, DATA),
        lambda network, layer: ju.attributes.top_images(network, layer, DATA, [0]),
        lambda network, layer: ju.attributes.l1_norm(network, layer),
        lambda network, layer: ju.attributes.dissect(
            network, layer, ju.data.concepts.computed(DATA)
        ),
        lambda network, layer: ju.topology.layer_birth_points(network, layer, DATA),
        lambda network, layer: ju.synthesis.maximize(network, layer),
        lambda network, layer: network.activations(IMAGES, layer),
    ],
)
def test_several_layers_in_the_place_of_one(trained, call, layer):
    assert refused(call, trained, layer) == (
        f"layer of type {type(layer).__name__}: give the name of one layer of network 'convnet', "
        "such as 'conv1'"
    )


@pytest.mark.parametrize("layers", [[], (), 3, {}])
def test_no_layers(trained, layers):
    assert refused(ju.attributes.collect, trained, layers, DATA) == (
        f"layers={layers!r}: give the name of a layer, a list of at least one, or None for all"
    )


RAGGED = [[1.0] * 8, [1.0] * 7]


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda n: ju.ablation.sweep(n, "conv2", DATA, RAGGED), "masks for layer 'conv2'"),
        (
            lambda n: ju.ablation.sweep(n, "conv2", DATA, values=RAGGED),
            "values for layer 'conv2'",
        ),
        (
            lambda n: ju.ablation.sweep(n, "conv2", DATA, other_masks={"conv1": RAGGED}),
            "masks for layer 'conv1'",
        ),
        (
            lambda n: ju.ablation.directions(n, "conv2", DATA, RAGGED),
            "basis for layer 'conv2'",
        ),
        (
            lambda n: ju.ablation.cumulative(n, "conv2", DATA, [[0, 1], [2]]),
            "orders for layer 'conv2'",
        ),
        (lambda n: ju.data.load((RAGGED, LABELS)), "images"),
        (lambda n: ju.data.load((IMAGES, RAGGED)), "labels"),
        (lambda n: ju.data.subset(DATA, RAGGED), "indices of images of data 'arrays'"),
        (lambda n: ju.topology.birth_points(RAGGED), "maps"),
        (lambda n: ju.topology.feature_entropy(RAGGED), "birth points"),
        (lambda n: ju.topology.times_in_top(RAGGED), "ranks"),
        (lambda n: ju.statistics.paired_interval(RAGGED, [0], [1]), "broken"),
        (lambda n: ju.results.representative_substitution(RAGGED), "responses"),
    ],
)
def test_ragged_arrays(trained, call, expected):
    assert refused(call, trained).startswith(
        f"{expected} are ragged: their rows differ in length or shape"
    )


SETTINGS = [
    *({"batch_size": value} for value in (2.5, "8", True, np.float32(2))),
    *({"max_memory": value} for value in ("1GB", 1e9)),
]


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize(
    ("call", "takes"),
    [
        (lambda n, **given: ju.ablation.sweep(n, "conv2", DATA, **given), None),
        (lambda n, **given: ju.ablation.greedy(n, "conv2", DATA, **given), None),
        (lambda n, **given: ju.ablation.Execution(**given), None),
        (
            lambda n, **given: ju.attributes.dissect(
                n, "conv2", ju.data.concepts.computed(DATA), **given
            ),
            None,
        ),
        (lambda n, **given: ju.synthesis.maximize(n, "conv2", **given), None),
        (lambda n, **given: ju.attributes.collect(n, None, DATA, **given), "batch_size"),
        (lambda n, **given: ju.ablation.unit_means(n, "conv2", DATA, **given), "batch_size"),
        (
            lambda n, **given: ju.attributes.top_images(n, "conv2", DATA, [0], **given),
            "batch_size",
        ),
        (
            lambda n, **given: ju.topology.layer_birth_points(n, "conv2", DATA, **given),
            "batch_size",
        ),
        (lambda n, **given: ju.data.batches(DATA, n.preprocessing, **given), "batch_size"),
    ],
)
def test_sizes_that_are_no_whole_numbers(trained, call, takes, setting):
    ((name, value),) = setting.items()
    if takes in (None, name):
        assert refused(call, trained, **setting) == (
            f"{name}={value!r}: give a whole number, such as {name}=8"
        )


@pytest.mark.parametrize("devices", [["cpu"], "cpu", [], 2, [None]])
def test_devices_that_are_none(trained, devices):
    assert refused(ju.ablation.sweep, trained, "conv2", DATA, devices=devices).startswith(
        f"devices={devices!r}: give a list of JAX's devices, such as jax.devices('cpu')"
    )


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        (["ab"], "units of type <U2 of group 0, such as 'ab': give whole numbers"),
        (["conv1", "conv2"], "units of type <U5 of group 0, such as 'conv1'"),
        ([["1"]], "units of type <U1 of group 0, such as '1': give whole numbers"),
        ("abc", "groups of type str: give a list of lists of units"),
        ([0, 1], "group 0 of shape (): give a list of lists of units"),
        (3, "groups of type int: give a list of lists of units"),
    ],
)
def test_groups_of_what_is_no_unit(members, expected):
    assert expected in refused(ju.ablation.groups, 8, members)
    assert expected in refused(ju.ablation.all_but, 8, members)


@pytest.mark.parametrize(
    ("call", "typo", "nearest"),
    [
        (lambda n, **given: ju.ablation.sweep(n, "conv2", DATA, **given), "batchsize", ""),
        (lambda n, **given: ju.ablation.sweep(n, "conv2", DATA, **given), "refrence", "reference"),
        (lambda n, **given: ju.ablation.sweep(n, "conv2", DATA, **given), "valuse", "values"),
        (
            lambda n, **given: ju.ablation.cumulative(n, "conv2", DATA, [0], **given),
            "referense",
            "reference",
        ),
        (
            lambda n, **given: ju.ablation.directions(n, "conv2", DATA, np.eye(8), **given),
            "max_mem",
            "max_memory",
        ),
        (lambda n, **given: ju.ablation.greedy(n, "conv2", DATA, **given), "step", "steps"),
        (
            lambda n, **given: ju.attributes.collect(n, None, DATA, **given),
            "topimages",
            "top_images",
        ),
        (lambda n, **given: ju.attributes.collect(n, None, DATA, **given), "batchsize", ""),
    ],
)
def test_options_with_a_typo(trained, call, typo, nearest):
    found = refused(call, trained, **{typo: 3})
    assert found.startswith(f"unknown option {typo!r}: ")
    assert found.endswith(f"Did you mean {nearest or 'batch_size'!r}?")


@pytest.mark.parametrize(
    "value_range",
    [(1, 0), (0, 0), (0,), (0, 1, 2), (0, np.nan), (-np.inf, 0), ("0", "1"), "01", 1, (0, 1j)],
)
def test_ranges_that_are_none(value_range):
    for source in ((IMAGES, LABELS), Records(LABELS)):
        assert refused(ju.data.load, source, class_names=NAMES, value_range=value_range).startswith(
            f"value_range={value_range!r}: give the least and the largest value of"
        )


def test_ranges_of_whole_numbers():
    data = ju.data.load((IMAGES / 255.0, LABELS), class_names=NAMES, value_range=(0, 1))
    assert data.value_range == (0.0, 1.0)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ([(IMAGES[0],)], "record 0 of data 'list' has 1 fields (ndarray): give (image, label)"),
        ([3], "record 0 of data 'list' is of type int: give a mapping of 'image'"),
        ([IMAGES, LABELS], "record 0 of data 'list' is of type ndarray: give a mapping of"),
        (IMAGES, "record 0 of data 'ndarray' is of type ndarray: give a mapping of"),
        ({"image": IMAGES, "label": LABELS}, "data of type dict: give 'digits', 'tfds:NAME'"),
        (None, "data of type NoneType: give 'digits'"),
        (5, "data of type int: give 'digits'"),
    ],
)
def test_what_is_no_source_of_records(source, expected):
    assert expected in refused(ju.data.load, source, class_names=NAMES)
