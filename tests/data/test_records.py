"""Data sets of PyTorch and Hugging Face, by stand-ins that have what theirs have."""

import numpy as np
import pytest
from PIL import Image

import jaxunits as ju

RANDOM = np.random.default_rng(0)
PIXELS = RANDOM.integers(0, 256, (5, 6, 7, 3), np.uint8)
LABELS = [0, 2, 1, 1, 0]
NAMES = ["ape", "bee", "cow"]
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def tensor(array):
    """An array whose type says that it is PyTorch's."""
    return np.ascontiguousarray(array).view(Tensor)


class Tensor(np.ndarray):
    pass


Tensor.__module__ = "torch"


class Scalar:
    """A tensor of one number, whose type is none of NumPy's."""

    shape = ()
    dtype = "torch.int64"

    def item(self):
        return 1


class Pairs:
    """A map-style data set of (image, label)."""

    def __init__(self, images, labels=LABELS, **attributes):
        self.images, self.given, self.read = images, labels, []
        vars(self).update(attributes)

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        self.read.append(index)
        return self.images[index], self.given[index]


class Subset:
    def __init__(self, dataset, indices):
        self.dataset, self.indices = dataset, indices

    def __len__(self):
        return len(self.indices)

    def __getitem__(self, index):
        return self.dataset[self.indices[index]]


class Normalize:
    def __init__(self, mean, std):
        self.mean, self.std = mean, std


class Compose:
    def __init__(self, transforms):
        self.transforms = transforms


class ClassLabel:
    names = NAMES


# Named as their features are.
ImageFeature = type("Image", (), {})


class Table:
    """What a data set of Hugging Face has."""

    def __init__(self, columns, features, kind=None, split=None):
        self.columns, self.features = columns, features
        self.format, self.split, self.read = {"type": kind}, split, []

    def __len__(self):
        return len(next(iter(self.columns.values())))

    def __getitem__(self, key):
        self.read.append(key)
        if isinstance(key, str):
            return self.columns[key]
        return {name: values[key] for name, values in self.columns.items()}


def pictures(pixels=PIXELS):
    return [Image.fromarray(each) for each in pixels]


def table(**options):
    columns = {"img": pictures(), "id": [*"abcde"], "fine": LABELS}
    features = {"img": ImageFeature(), "id": object(), "fine": ClassLabel()}
    return Table(columns, features, **options)


def message(source, *args, **kwargs):
    with pytest.raises(ju.InputError) as caught:
        ju.data.load(source, *args, **kwargs)
    return str(caught.value)


def images_of(data):
    return np.stack([data[index]["image"] for index in range(len(data))])


FIRST = np.moveaxis(PIXELS, -1, 1)
FLOATS = FIRST.astype(np.float32) / 255


@pytest.mark.parametrize(
    ("images", "options"),
    [
        (pictures(), {}),
        ([tensor(each) for each in FIRST], {}),
        (list(PIXELS), {}),
        (list(FIRST), {"channels_first": True}),
        ([tensor(each) for each in PIXELS], {"channels_first": False}),
    ],
)
class TestImages:
    def test_of_8_bits(self, images, options):
        data = ju.data.load(Pairs(images), class_names=NAMES, **options)
        np.testing.assert_array_equal(images_of(data), PIXELS)
        assert (data.channels, data.image_dtype, data.name) == (3, np.uint8, "Pairs")
        assert data.labels.tolist() == LABELS

    def test_reach_a_network_as_those_of_arrays_do(self, images, options):
        data = ju.data.load(Pairs(images), class_names=NAMES, **options)
        arrays = ju.data.load((PIXELS, LABELS), class_names=NAMES)
        preprocessing = ju.data.Preprocessing((4, 4), 3, mean=MEAN, std=STD, resize=5)
        for standardized in (True, False):
            found, expected = (
                next(ju.data.batches(each, preprocessing, 5, standardized=standardized))
                for each in (data, arrays)
            )
            np.testing.assert_array_equal(found.images, expected.images)
            np.testing.assert_array_equal(found.labels, expected.labels)


class TestNumbers:
    def test_of_floating_point(self):
        data = ju.data.load(Pairs([tensor(each) for each in FLOATS]), class_names=NAMES)
        np.testing.assert_array_equal(images_of(data), PIXELS.astype(np.float32) / 255)
        assert data.image_dtype is None

    def standardized(self):
        mean, std = (np.reshape(np.float32(each), (3, 1, 1)) for each in (MEAN, STD))
        return [tensor(each) for each in (FLOATS - mean) / std]

    def test_that_were_standardized_are_refused(self):
        said = message(Pairs(self.standardized()), class_names=NAMES)
        assert "image 0 of data 'Pairs' has values from -2." in said
        assert "outside 0 to 1: if a transform has standardized the images, leave it out or" in said
        assert "give normalized=(mean, std)" in said

    def test_that_were_standardized_are_taken_back_where_one_says_so(self):
        source = Pairs(self.standardized())
        data = ju.data.load(source, class_names=NAMES, normalized=(MEAN, STD))
        np.testing.assert_allclose(images_of(data), PIXELS / 255, atol=1e-6)
        preprocessing = ju.data.Preprocessing((6, 7), 3, mean=MEAN, std=STD)
        batch = next(ju.data.batches(data, preprocessing, 5))
        expected = np.moveaxis(np.stack(self.standardized()), 1, -1)
        np.testing.assert_allclose(batch.images, expected, atol=1e-5)

    def test_of_a_transform_that_standardizes_are_refused_whatever_they_are(self):
        transform = Compose([Compose([Normalize(list(MEAN), np.array(STD))])])
        # In 0 to 1, as dark images may be.
        source = Pairs([tensor(each) for each in FLOATS], transform=transform)
        said = message(Subset(source, [0, 1]), class_names=NAMES)
        assert said == (
            "a transform of data 'Subset' standardizes its images with mean (0.485, 0.456, 0.406) "
            "and std (0.229, 0.224, 0.225): leave it out, since the network's preprocessing "
            "standardizes, or give normalized=((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)), "
            "which undoes it"
        )
        said = message(source, class_names=NAMES, normalized=(0.5, 0.5))
        assert "and normalized=(0.5, 0.5) says otherwise" in said
        source = Pairs(self.standardized(), transform=transform)
        data = ju.data.load(source, class_names=NAMES, normalized=(MEAN, STD))
        np.testing.assert_allclose(images_of(data), PIXELS / 255, atol=1e-6)

    def test_that_the_network_reads_as_they_are(self):
        source = Pairs(self.standardized(), transform=Normalize(MEAN, STD))
        data = ju.data.load(source, class_names=NAMES, value_range=None)
        np.testing.assert_array_equal(
            images_of(data), np.moveaxis(np.stack(self.standardized()), 1, -1)
        )
        nothing = Pairs([tensor(each) for each in FLOATS], transform=Normalize(0.0, 1.0))
        ju.data.load(nothing, class_names=NAMES)

    @pytest.mark.parametrize(
        ("normalized", "text"),
        [
            ((0.5, 0.0), "normalized=(0.5, 0.0): give standard deviations above 0"),
            (((), ()), "normalized=((), ()): give the mean and the standard deviation"),
            (("a", 1.0), "normalized=('a', 1.0): give the mean"),
            (((0.5, 0.5), 0.5), "normalized= has 2 means and 1 standard deviations for image 0 of"),
        ],
    )
    def test_that_cannot_be(self, normalized, text):
        source = Pairs([tensor(each) for each in FLOATS])
        assert text in message(source, class_names=NAMES, normalized=normalized)

    def test_of_8_bits_are_not_standardized(self):
        said = message(Pairs(pictures()), class_names=NAMES, normalized=(MEAN, STD))
        assert "image 0 of data 'Pairs' is of uint8, and normalized= is for floating-point" in said

    @pytest.mark.parametrize(
        ("images", "text"),
        [
            (
                FIRST.astype(np.int64),
                "image 0 of data 'Pairs' is of type int64: give a Pillow image",
            ),
            (FLOATS * 255, "has values from 0 to 2"),
            (FLOATS * np.nan, "image 0 of data 'Pairs' holds nan at row 0, column 0, channel 0"),
            (PIXELS, "a tensor of shape (6, 7, 3), has 6 channels where its first axis is that of"),
            (FIRST[None], "image 0 of data 'Pairs' of shape (5, 3, 6, 7): give [channels, height,"),
        ],
    )
    def test_of_other_kinds(self, images, text):
        source = Pairs([tensor(each) for each in images], [0] * len(images))
        assert text in message(source, class_names=NAMES)

    def test_of_a_later_image(self):
        images = [tensor(each) for each in FLOATS]
        images[3] = tensor(FIRST[3])
        said = message(Pairs(images), class_names=NAMES)
        assert said.startswith("image 3 of data 'Pairs' is of type uint8, and image 0 of floating")
        images[3] = images[3][:1].astype(np.float32)
        assert "image 3 of data 'Pairs' of shape (6, 7, 1) has 1 channels and not 3" in message(
            Pairs(images), class_names=NAMES
        )

    def test_of_nothing_that_is_an_image(self):
        said = message(Pairs([{"bytes": b"", "path": "0.png"}], [0]), class_names=NAMES)
        assert said.startswith("image 0 of data 'Pairs' is of type dict: give a Pillow image")


class TestPictures:
    def test_of_gray_are_read_as_gray_or_as_asked(self):
        gray = [each.convert("L") for each in pictures()]
        data = ju.data.load(Pairs(gray), class_names=NAMES)
        assert data.channels == 1
        np.testing.assert_array_equal(data[2]["image"][..., 0], np.asarray(gray[2]))
        color = ju.data.load(Pairs(gray), class_names=NAMES, channels=3)
        np.testing.assert_array_equal(
            color[2]["image"], np.repeat(np.asarray(gray[2])[..., None], 3, 2)
        )

    def test_of_both_kinds(self):
        mixed = pictures()
        mixed[1] = mixed[1].convert("L")
        assert ju.data.load(Pairs(mixed), class_names=NAMES).channels == 3
        said = message(Pairs(mixed[1:], LABELS), class_names=NAMES)
        assert said.startswith("image 1 of data 'Pairs' has colors and image 0 is gray: give chan")
        assert ju.data.load(Pairs(mixed[1:], LABELS), class_names=NAMES, channels=1).channels == 1

    def test_of_other_numbers(self):
        deep = Image.fromarray(np.full((4, 4), 65535, np.uint16))
        data = ju.data.load(Pairs([deep], [0]), class_names=NAMES)
        np.testing.assert_array_equal(data[0]["image"], np.full((4, 4, 1), 255))
        said = message(Pairs([Image.new("F", (4, 4))], [0]), class_names=NAMES)
        assert said.startswith("image 0 of data 'Pairs' cannot be read (its pixels are F): give im")

    def test_have_one_or_three_channels(self):
        assert "channels=4 for image 0" in message(Pairs(pictures()), class_names=NAMES, channels=4)


class TestFields:
    def test_of_a_table_are_told_by_their_features(self):
        data = ju.data.load(table(split="train"))
        assert (data.class_names, data.split, data.name) == (tuple(NAMES), "train", "Table")
        np.testing.assert_array_equal(images_of(data), PIXELS)

    def test_labels_of_a_table_are_read_at_once(self):
        source = table()
        data = ju.data.load(source)
        source.read.clear()
        assert data.labels.tolist() == LABELS
        assert source.read == []
        # A function of the records is not called with a column.
        custom = table(kind="custom")
        assert ju.data.load(custom).labels.tolist() == LABELS
        assert "fine" not in custom.read

    def test_by_name(self):
        columns = {"picture": pictures(), "other": pictures()[::-1], "kind": LABELS, "x": LABELS}
        data = ju.data.load(
            Table(columns, {"kind": ClassLabel(), "x": ClassLabel()}), image="other", label="kind"
        )
        np.testing.assert_array_equal(images_of(data), PIXELS[::-1])
        assert data.class_names == tuple(NAMES)

    def test_by_number(self):
        records = [
            (index, label, picture)
            for index, (label, picture) in enumerate(zip(LABELS, pictures(), strict=True))
        ]
        data = ju.data.load(records, class_names=NAMES, image=2, label=1)
        np.testing.assert_array_equal(images_of(data), PIXELS)
        assert data.labels.tolist() == LABELS

    def test_of_records_without_features(self):
        records = [{"x": each, "y": label} for each, label in zip(pictures(), LABELS, strict=True)]
        data = ju.data.load(records, class_names=NAMES, image="x", label="y")
        np.testing.assert_array_equal(images_of(data), PIXELS)

    def test_that_are_not_certain(self):
        source = table()
        source.columns["coarse"] = LABELS
        source.features["coarse"] = ClassLabel()
        assert message(source) == (
            "record 0 of data 'Table' has the fields ['coarse', 'fine', 'id', 'img']: name the "
            "field of the label, as label='fine'"
        )

    @pytest.mark.parametrize(
        ("source", "options", "text"),
        [
            (table(), {"image": "imgs"}, "and no field 'imgs' or 'fine': give image= and label="),
            ([(0,)], {}, "record 0 of data 'list' has 1 fields (int): give (image, label) in each"),
            ([3], {"image": 0}, "record 0 of data 'list' is of type int: give a tuple"),
            (Pairs(pictures()), {"label": 2}, "2 fields (Image, int), and no field 0 or 2"),
        ],
    )
    def test_that_are_missing(self, source, options, text):
        assert text in message(source, class_names=NAMES, **options)

    def test_are_named_for_records_alone(self, tmp_path):
        assert message("digits", "train", image="x").startswith(
            "image='x' for data 'digits': it is"
        )
        assert "normalized=(0.5, 0.5) for data" in message((PIXELS, LABELS), normalized=(0.5, 0.5))

    def test_splits_of_a_dictionary(self):
        both = {"train": table(split="train"), "test": table(split="test")}
        assert ju.data.load(both, "test").split == "test"
        assert message(both, "tests").startswith(
            "unknown split 'tests': data of type dict has trai"
        )
        assert message(both).startswith("unknown split None")


class TestLabels:
    def test_of_a_list_are_used_where_records_say_the_same(self):
        source = Pairs(pictures(), targets=LABELS, classes=NAMES)
        data = ju.data.load(Subset(source, [3, 1]))
        source.read.clear()
        assert (data.labels.tolist(), data.class_names) == ([1, 2], tuple(NAMES))
        assert source.read == []

    @pytest.mark.parametrize(
        "attributes",
        [
            {"targets": [0, 0, 0, 0, 0]},
            {"targets": LABELS[:2]},
            {"targets": ["a"] * 5},
            {"targets": [2, 0, 1, 1, 0], "target_transform": abs},
        ],
    )
    def test_of_a_list_that_says_otherwise_are_read(self, attributes):
        source = Pairs(pictures(), **attributes)
        assert ju.data.load(source, class_names=NAMES).labels.tolist() == LABELS

    def test_that_change_later_are_refused(self):
        source = Pairs(pictures(), list(LABELS), targets=list(LABELS))
        data = ju.data.load(source, class_names=NAMES)
        source.given[1] = 0
        with pytest.raises(ju.InputError, match="label 0 of image 1 in data 'Pairs', whose list"):
            data[1]

    @pytest.mark.parametrize("label", [np.int64(1), np.array(1), Scalar()])
    def test_in_tensors_are_numbers(self, label):
        data = ju.data.load(Pairs(pictures(), [label] * 5), class_names=NAMES)
        assert data.labels.tolist() == [1] * 5

    @pytest.mark.parametrize("label", ["ape", 1.5, -1, 3])
    def test_that_name_no_class(self, label):
        data = ju.data.load(Pairs(pictures(), [label] * 5), class_names=NAMES)
        with pytest.raises(ju.InputError, match=f"label {label!r} of image 0 in data 'Pairs'"):
            _ = data.labels

    def test_that_are_several(self):
        several = [np.array([0, 1])] * 5
        data = ju.data.load(Pairs(pictures(), several, targets=LABELS), class_names=NAMES)
        with pytest.raises(ju.InputError, match=r"label array\(\[0, 1\]\) of image 0"):
            _ = data.labels

    def test_synonyms_of_a_class_are_joined(self):
        source = Pairs(pictures(), classes=[("ape", "monkey"), ("bee",), "cow"])
        assert ju.data.load(source).class_names == ("ape, monkey", "bee", "cow")

    def test_classes_without_names(self):
        assert "data 'Pairs' does not name its classes" in message(Pairs(pictures()))
        said = message(Table({"image": pictures(), "label": LABELS}, {}))
        assert "data 'Table' does not name its classes" in said


class TestFingerprint:
    def of(self, images, labels=LABELS, **options):
        return ju.data.load(Pairs(images, labels), class_names=NAMES, **options).fingerprint

    def test_follows_images_and_labels(self):
        other = PIXELS.copy()
        other[4, 5, 6, 2] ^= 1
        prints = [
            self.of(pictures()),
            self.of(pictures(other)),
            self.of(pictures(), LABELS[::-1]),
            self.of(pictures(), channels=1),
            self.of(pictures()[:4]),
        ]
        assert len(set(prints)) == len(prints)
        assert self.of(pictures()) == prints[0]

    def test_of_a_list_covers_every_record(self):
        images = list(RANDOM.integers(0, 256, (1500, 2, 2, 3), np.uint8))
        records = [(each, 0) for each in images]
        before = ju.data.load(records, class_names=NAMES).fingerprint
        for index in (1, 777, 1498):
            changed = list(records)
            changed[index] = (images[index] ^ 1, 0)
            assert ju.data.load(changed, class_names=NAMES).fingerprint != before

    def test_of_images_that_change_when_they_are_read_again_is_none(self):
        class Flipped(Pairs):
            def __getitem__(self, index):
                image, label = super().__getitem__(index)
                return image[:, :: 1 - 2 * (len(self.read) % 2)], label

        said = message(Flipped(list(PIXELS)), class_names=NAMES)
        assert said == (
            "image 0 of data 'Flipped' differs when it is read again: leave random changes "
            "out of its transform (ju.data.Augmentation is for training)"
        )


class TestOtherObjects:
    def test_that_load_batches(self):
        loader = type("Loader", (), {"dataset": None, "batch_size": 3, "__len__": lambda self: 2})()
        assert message(loader) == (
            "data of type Loader: give the data set that it loads, its attribute dataset, with "
            "random access"
        )

    def test_that_are_streams(self):
        said = message(iter([(0, 1)]))
        assert (
            "it can only be read from front to back; give one with __len__ and __getitem__" in said
        )


def test_a_sweep_of_tuples_is_that_of_arrays():
    preprocessing = ju.data.Preprocessing((6, 7), 3, mean=MEAN, std=STD)
    network = ju.networks.mlp(3, widths=(4,), preprocessing=preprocessing)
    tuples = ju.data.load(Pairs([tensor(each) for each in FIRST]), class_names=NAMES)
    arrays = ju.data.load((PIXELS, LABELS), class_names=NAMES)
    layer = next(iter(network.layers))
    found, expected = (
        ju.ablation.sweep(network, layer, each, progress=False) for each in (tuples, arrays)
    )
    np.testing.assert_array_equal(found.class_accuracy, expected.class_accuracy)
    np.testing.assert_array_equal(found.loss_sum, expected.loss_sum)
