import io

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

import jaxunits as ju
from jaxunits.data import _tfds
from jaxunits.data._splits import positions

# Of images and labels of each split, in their order.
DIGESTS = {
    "train": "af9503965c833c9871d778280603c577a5118e9f1b39b94dad94703b2f50608d",
    "validation": "a0c5528debad9ce31cde0b1b4f47a20946a052d4cf7edf539dbf68fd3ce27b64",
}


def message(*args, **kwargs):
    with pytest.raises(ju.InputError) as caught:
        ju.data.load(*args, **kwargs)
    return str(caught.value)


class TestDigits:
    def test_splits_are_fixed_stratified_and_disjoint(self):
        train, validation = ju.data.load("digits", "train"), ju.data.load("digits", "validation")
        assert np.bincount(train.labels).tolist() == [400] * 10
        assert np.bincount(validation.labels).tolist() == [100] * 10
        images = [
            data[index]["image"] for data in (train, validation) for index in range(len(data))
        ]
        assert len({image.tobytes() for image in images}) == 5000

    def test_their_order_stays(self):
        digests = {
            split: ju.results.fingerprint(
                {"images": data.held.images[data.held.positions], "labels": data.labels}
            )
            for split in ("train", "validation")
            for data in [ju.data.load("digits", split)]
        }
        assert digests == DIGESTS

    def test_describes_itself(self):
        data = ju.data.load("digits", "validation")
        assert data.class_names == tuple("0123456789")
        assert (data.channels, data.name, data.split) == (1, "digits", "validation")
        assert data[0]["image"].shape == (28, 28, 1)
        assert data[0]["image"].dtype == np.uint8
        assert data.fingerprint != ju.data.load("digits", "train").fingerprint

    def test_who_changes_the_images_changes_them_for_nobody_else(self):
        data = ju.data.load("digits", "validation")
        before = data[0]["image"].copy()
        data[0]["image"][:] = 7
        np.testing.assert_array_equal(ju.data.load("digits", "validation")[0]["image"], before)

    def test_unknown_split(self):
        assert message("digits", "val") == (
            "unknown split 'val': data 'digits' has train, validation. Did you mean 'validation'?"
        )
        assert message("digits", "train+test").startswith("unknown split 'test': data 'digits' has")

    def test_missing_split(self):
        assert "data 'digits' has train, validation" in message("digits")

    @pytest.mark.parametrize(
        "split", ["train[", "train[5]", "train[a:]", "train[1.5:]", "train[:]]", "train[3shard:]"]
    )
    def test_parts_of_another_form(self, split):
        assert message("digits", split) == (
            f"split {split!r} of data 'digits': give a part as in 'train[:300]' or 'train[25%:50%]'"
        )

    @pytest.mark.parametrize("part", ["[:1001]", "[-1001:]", "[:101%]", f"[:{'9' * 5000}]"])
    def test_parts_beyond_their_split(self, part):
        assert message("digits", f"validation{part}") == (
            f"split 'validation{part}' of data 'digits' goes beyond its 1,000 images: give smaller "
            "numbers"
        )

    def test_parts_without_images(self):
        assert (
            message("digits", "train[:0]") == "split 'train[:0]' of data 'digits' holds no images"
        )


class ThreeColors(tfds.core.GeneratorBasedBuilder):
    """A prepared data set like any of TensorFlow Datasets."""

    VERSION = tfds.core.Version("2.0.0")

    def _info(self):
        return tfds.core.DatasetInfo(
            builder=self,
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(None, None, 3)),
                    "label": tfds.features.ClassLabel(names=["red", "green", "blue"]),
                }
            ),
        )

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples(9), "test": self._generate_examples(6)}

    def _generate_examples(self, count):
        for index in range(count):
            yield index, {"image": picture(index % 3), "label": index % 3}


def picture(color):
    pixels = np.zeros((5, 4, 3), np.uint8)
    pixels[..., color] = 200
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    file.seek(0)
    return file


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tfds")
    ThreeColors(data_dir=folder, file_format="array_record").download_and_prepare()
    return folder


class TestTfds:
    def test_records_count_in_the_fingerprint(self, prepared, tmp_path, monkeypatch):
        def others(self, count):
            for index in range(count):
                yield index, {"image": picture(index % 3), "label": (index + 1) % 3}

        monkeypatch.setattr(ThreeColors, "_generate_examples", others)
        ThreeColors(data_dir=tmp_path, file_format="array_record").download_and_prepare()
        first, again, second = (
            ju.data.load("tfds:three_colors", "train", data_dir=folder)
            for folder in (prepared, prepared, tmp_path)
        )
        assert first.fingerprint == again.fingerprint != second.fingerprint

    def test_reads_by_name(self, prepared):
        data = ju.data.load("tfds:three_colors", "train", data_dir=prepared)
        assert len(data) == 9
        assert data.class_names == ("red", "green", "blue")
        assert data.channels == 3
        for index in range(9):
            record = data[index]
            assert record["image"].shape == (5, 4, 3)
            assert record["image"][0, 0].argmax() == record["label"]

    def test_reads_parts_of_splits(self, prepared):
        part = ju.data.load("tfds:three_colors", "train[:4]+test", data_dir=prepared)
        assert len(part) == 10

    @pytest.mark.parametrize(
        "split",
        [
            *("train", "test", "train+test", "test+train", "train[:4]+test", "train[2:5]"),
            *("train[-3:]", "train[:-2]", "train[:50%]", "train[-34%:]", "train[20:70%]"),
            *("train[10.5%:]", "test[1:]+train[:1]", "train[0:1_0%]"),
        ],
    )
    def test_parts_are_those_of_the_digits(self, prepared, split):
        """Splits of ours are read as TensorFlow Datasets reads its own."""
        chosen = positions(split, {"train": 9, "test": 6}, "three_colors")
        expected = ju.data.load("tfds:three_colors", "train+test", data_dir=prepared)
        found = ju.data.load("tfds:three_colors", split, data_dir=prepared)
        assert found.labels.tolist() == expected.labels[chosen].tolist()

    def test_labels_are_read_in_bulk_without_decoding(self, prepared, monkeypatch):
        data = ju.data.load("tfds:three_colors", "train+test", data_dir=prepared)
        expected = [data[index]["label"] for index in range(15)]
        monkeypatch.setattr(_tfds, "decode", None)
        monkeypatch.setattr(_tfds, "_AT_ONCE", 4)
        assert data.labels.tolist() == expected

    def test_labels_of_large_data_sets_are_kept(self, prepared, monkeypatch, tmp_path):
        def labels(split):
            return ju.data.load("tfds:three_colors", split, data_dir=prepared).labels.tolist()

        expected, part = labels("train"), labels("train[:8]")
        monkeypatch.setattr("platformdirs.user_cache_path", lambda name: tmp_path / name)
        monkeypatch.setattr(_tfds, "_KEPT_ABOVE", 7)
        assert labels("test") == labels("test")
        assert list(tmp_path.iterdir()) == []
        assert labels("train") == expected
        (kept,) = (tmp_path / "jaxunits" / "labels").iterdir()
        assert labels("train[:8]") == part
        with monkeypatch.context() as without_reading:
            without_reading.setattr(_tfds.TfdsSource, "_read_labels", None)
            assert labels("train") == expected
            assert labels("train[:8]") == part
        for damaged in (b"", b"no array at all", kept.read_bytes()[:-40]):
            kept.write_bytes(damaged)
            assert labels("train") == expected
            assert len(kept.read_bytes()) > 100

    def test_unknown_split(self, prepared):
        assert message("tfds:three_colors", "tset", data_dir=prepared) == (
            "unknown split 'tset': data 'tfds:three_colors' has train, test. Did you mean 'test'?"
        )

    def test_unknown_data_set(self):
        found = message("tfds:cifar1O", "train")
        assert found.startswith("unknown data set 'cifar1O': TensorFlow Datasets has ")
        assert found.endswith("Did you mean 'cifar10'?")

    def test_not_prepared(self, tmp_path):
        found = message("tfds:cifar10", "train", data_dir=tmp_path)
        assert f"data set 'cifar10' is not prepared at {tmp_path}" in found
        assert "tfds build cifar10 --file_format=array_record" in found


STOCK = {
    # name: splits, shape of the images, classes, some of their names
    "cifar10": (("train", "test"), (32, 32, 3), 10, {0: "airplane", 9: "truck"}),
    "fashion_mnist": (("train", "test"), (28, 28, 1), 10, {0: "T-shirt/top", 9: "Ankle boot"}),
    "imagenet2012": (
        ("train", "validation"),
        (None, None, 3),
        1000,
        {0: "n01440764", 340: "n02391049", 999: "n15075141"},
    ),
    "places365_small": (("train", "validation"), (256, 256, 3), 365, {0: "airfield"}),
}
# The stock builder reads them from the archive that it downloads.
CIFAR10_NAMES = [
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
]


def stock_image(shape, index):
    """A made image of one of the stock shapes; where any size will do, each has its own."""
    size = [side or 40 + 3 * index + axis for axis, side in enumerate(shape[:2])]
    pixels = np.random.default_rng(index).integers(0, 256, (*size, shape[2]), np.uint8)
    return pixels if shape[2] == 3 else pixels[..., 0]


def prepare_stock(name, folder):
    """Prepare a few made images with the stock builder, its features and its class names."""
    splits, shape, classes, _ = STOCK[name]
    builder = tfds.builder(name, data_dir=folder, file_format="array_record", try_gcs=False)

    def examples():
        for index in range(6):
            file = io.BytesIO()
            Image.fromarray(stock_image(shape, index)).save(file, "PNG")
            file.seek(0)
            others = {
                key: f"{index}" for key in builder.info.features if key not in ("image", "label")
            }
            yield index, {"image": file, "label": (index * 200) % classes, **others}

    def split_generators(dl_manager):
        if name == "cifar10":
            builder.info.features["label"].names = CIFAR10_NAMES
        return {split: examples() for split in splits}

    builder._split_generators = split_generators
    builder.download_and_prepare()


@pytest.mark.parametrize("name", STOCK)
def test_stock_data_sets_by_name(name, tmp_path):
    splits, shape, classes, names = STOCK[name]
    prepare_stock(name, tmp_path)
    for split in splits:
        data = ju.data.load(f"tfds:{name}", split, data_dir=tmp_path)
        assert (len(data), len(data.class_names), data.channels) == (6, classes, shape[2])
        assert {index: data.class_names[index] for index in names} == names
        # Records lie in an order of TensorFlow Datasets' own.
        found = {data[index]["image"].tobytes(): data[index]["label"] for index in range(6)}
        expected = {
            stock_image(shape, index).tobytes(): (index * 200) % classes for index in range(6)
        }
        assert found == expected
        assert data.labels.tolist() == [data[index]["label"] for index in range(6)]


def test_unknown_source():
    assert message("digit", "train") == (
        "unknown data 'digit': ju.data.load has digits, tfds:NAME, folder:PATH. "
        "Did you mean 'digits'?"
    )


class TestArrays:
    images = np.arange(6 * 4 * 4, dtype=np.uint8).reshape(6, 4, 4, 1)

    def test_arrays(self):
        data = ju.data.load((self.images, [0, 1, 2, 0, 1, 2]), class_names=["a", "b", "c"])
        assert (len(data), data.class_names, data.split) == (6, ("a", "b", "c"), "all")
        np.testing.assert_array_equal(data[4]["image"], self.images[4])
        assert data.class_index("b") == 1

    def test_every_byte_counts_in_the_fingerprint(self):
        labels = np.arange(6)
        changed = self.images.copy()
        changed[5, 3, 3] += 1
        prints = {
            ju.data.load(pair).fingerprint
            for pair in ((self.images, labels), (changed, labels), (self.images, labels[::-1]))
        }
        assert len(prints) == 3

    def test_label_outside_the_classes(self):
        assert message((self.images, [0, 1, 2, 3, 1, 2]), class_names=["a", "b", "c"]) == (
            "label 3 of image 3 in data 'arrays', split 'all', is outside its 3 classes (0 to 2): "
            "correct the label, or name all classes with class_names"
        )

    def test_negative_label(self):
        assert "label -1 of image 2" in message((self.images, [0, 1, -1, 0, 1, 2]))

    def test_unknown_class_name(self):
        data = ju.data.load((self.images, [0, 1, 2, 0, 1, 2]), class_names=["cat", "dog", "fox"])
        with pytest.raises(ju.InputError) as caught:
            data.class_index("fix")
        assert str(caught.value) == (
            "unknown class 'fix': data 'arrays' has cat, dog, fox. Did you mean 'fox'?"
        )

    @pytest.mark.parametrize(
        ("images", "labels", "expected"),
        [
            (np.zeros((3, 4, 4)), [0, 1, 2], "images of shape (3, 4, 4) with labels of shape (3,)"),
            (images, [0, 1], "with labels of shape (2,)"),
            (images.astype(np.int32), np.arange(6), "images of type int32: give uint8"),
            (images, np.arange(6) / 2, "labels of type float64 of data 'arrays', such as 0.0:"),
            (images[:0], np.arange(0), "data 'arrays' holds no images"),
            (
                images,
                [0, 1, 10**9, 3, 4, 5],
                "label 1000000000 of image 2 without class_names: there would be 1,000,000,001",
            ),
        ],
    )
    def test_arrays_that_cannot_be_used(self, images, labels, expected):
        assert expected in message((images, labels))

    def test_three_arrays(self):
        assert "data of 3 arrays: give two" in message((self.images, [0], [0]))


class Squares:
    """A source not written for us."""

    def __init__(self, labels):
        self.given = labels

    def __len__(self):
        return len(self.given)

    def __getitem__(self, index):
        return {"image": np.full((6, 6, 2), index, np.uint8), "label": self.given[index]}


class TestSources:
    def test_any_random_access_source(self):
        data = ju.data.load(Squares([0, 1, 1]), class_names=["a", "b"])
        assert (len(data), data.channels, data.name) == (3, 2, "Squares")
        assert data.labels.tolist() == [0, 1, 1]

    def test_its_labels_are_checked_as_they_are_read(self):
        data = ju.data.load(Squares([0, 1, 5]), class_names=["a", "b"])
        stream = ju.data.batches(data, ju.data.Preprocessing((6, 6), 2), 2)
        with pytest.raises(ju.InputError, match="label 5 of image 2 in data 'Squares'"):
            list(stream)

    def test_sources_that_cannot_be_used(self):
        assert "does not name its classes" in message(Squares([0]))
        assert "holds no images" in message(Squares([]), class_names=["a"])
        assert "data of type int" in message(3, class_names=["a"])
        assert "record 0 of data 'list' has the fields ['image']" in message(
            [{"image": np.zeros((2, 2, 1))}], class_names=["a"]
        )
