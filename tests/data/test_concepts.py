import csv
import io
import os
import shutil

import numpy as np
import pytest
import tensorflow_datasets as tfds
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import jaxunits as ju
from jaxunits.data.concepts import _files, _scene_parse150


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(pixels, np.uint8)).save(path)


def table(path, header, *rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def message(*args, **kwargs):
    with pytest.raises(ju.InputError) as caught:
        ju.data.concepts.load(*args, **kwargs)
    return str(caught.value)


@pytest.fixture
def folder(tmp_path):
    """Three images; the mask of the last is empty."""
    random = np.random.default_rng(0)
    for number in range(3):
        save(tmp_path / "images" / f"{number}.png", random.integers(0, 256, (6, 8, 3)))
        mask = np.zeros((6, 8)) if number == 2 else np.kron([[3, 7], [0, 9]], np.ones((3, 4)))
        save(tmp_path / "masks" / f"{number}.png", mask)
    table(tmp_path / "concepts.csv", ("index", "concept"), (7, "sky"), (3, "car"), (9, "unlabeled"))
    return tmp_path


class TestFolder:
    def test_reads_pairs(self, folder):
        concepts = ju.data.concepts.load(f"folder:{folder}")
        assert concepts.names == ("sky", "car")
        assert concepts.categories == ("concept", "concept")
        assert (len(concepts), concepts.channels) == (3, 3)
        image, label_maps = concepts[1]
        np.testing.assert_array_equal(image, Image.open(folder / "images" / "1.png"))
        expected = np.kron([[1, 0], [-1, -1]], np.ones((3, 4), int))
        np.testing.assert_array_equal(label_maps, expected[None])
        np.testing.assert_array_equal(concepts[1].mask(1), expected == 1)
        assert concepts.concept_index("car") == 1

    def test_categories_splits_channels_and_names_that_are_no_concepts(self, folder):
        for kind in ("images", "masks"):
            (folder / kind / "0.png").rename(folder / kind / "part.png")
            (folder / kind / "val").mkdir()
            (folder / kind / "part.png").rename(folder / kind / "val" / "0.png")
        rows = [(7, "sky", "stuff"), (3, "car", "thing"), (9, "unlabeled", "stuff")]
        table(folder / "concepts.csv", ("index", "concept", "category"), *rows)
        concepts = ju.data.concepts.load(f"folder:{folder}", "val", channels=1, ignore=["sky"])
        assert concepts.names == ("car", "unlabeled")
        assert concepts.categories == ("thing", "stuff")
        assert (len(concepts), concepts[0].image.shape) == (1, (6, 8, 1))

    def test_palettes_are_indices(self, folder):
        picture = Image.fromarray(np.full((6, 8), 7, np.uint8), "P")
        picture.putpalette([0, 0, 0] * 7 + [200, 100, 50])
        picture.save(folder / "masks" / "0.png")
        concepts = ju.data.concepts.load(f"folder:{folder}")
        assert concepts[0].mask(0).all()

    def test_fingerprint(self, folder):
        before = ju.data.concepts.load(f"folder:{folder}").fingerprint
        assert ju.data.concepts.load(f"folder:{folder}").fingerprint == before
        save(folder / "masks" / "0.png", np.full((6, 8), 7))
        assert ju.data.concepts.load(f"folder:{folder}").fingerprint != before

    def test_missing_files(self, folder):
        assert "folder" in message(f"folder:{folder}", "test")
        (folder / "masks" / "1.png").unlink()
        assert message(f"folder:{folder}") == (
            f"image file {folder / 'images' / '1.png'} has no mask: put it at "
            f"{folder / 'masks' / '1.png'}"
        )
        (folder / "concepts.csv").unlink()
        assert message(f"folder:{folder}") == (
            f"file {folder / 'concepts.csv'} does not exist: it has to be a CSV file with the "
            "columns index, concept"
        )

    @pytest.mark.parametrize(
        ("mask", "expected"),
        [
            (np.zeros((6, 9)), "1.png has 6 × 9 pixels and its image 6 × 8: give masks of their"),
            (np.zeros((6, 8, 3)), "1.png has several channels: give a PNG of one channel"),
        ],
    )
    def test_masks_that_cannot_be_used(self, folder, mask, expected):
        save(folder / "masks" / "1.png", mask)
        found = message(f"folder:{folder}")
        assert found.startswith(f"mask file {folder / 'masks'}")
        assert expected in found
        # Without verifying the error comes when the file is reached.
        concepts = ju.data.concepts.load(f"folder:{folder}", verify=False)
        with pytest.raises(ju.InputError):
            concepts[1]

    @pytest.mark.parametrize("kind", ["images", "masks"])
    def test_corrupt_files(self, folder, kind):
        path = folder / kind / "2.png"
        path.write_bytes(path.read_bytes()[:40])
        found = message(f"folder:{folder}")
        assert f"file {path} cannot be decoded (" in found
        assert found.endswith("replace it, or take its image out of the data")

    def test_no_labeled_pixel(self, folder):
        table(folder / "concepts.csv", ("index", "concept"), (100, "sky"))
        assert message(f"folder:{folder}").startswith("no pixel of the 3 masks of data")

    @pytest.mark.parametrize(
        ("header", "rows", "expected"),
        [
            (("index", "name"), [(7, "sky")], "unknown column 'concept': file"),
            (("index", "concept"), [("seven", "sky")], "index 'seven' in"),
            (("index", "concept"), [(7, "sky"), (7, "car")], "an index and a name of its own"),
            (("index", "concept"), [(7, "sky"), (3, "sky")], "an index and a name of its own"),
            (("index", "concept"), [], "give at least one concept"),
            (("index", "concept"), [(7,)], "row 0 of"),
        ],
    )
    def test_tables_that_cannot_be_used(self, folder, header, rows, expected):
        table(folder / "concepts.csv", header, *rows)
        assert expected in message(f"folder:{folder}")

    @pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "utf-16-be", "utf-32"])
    def test_tables_in_other_encodings(self, folder, encoding):
        path = folder / "concepts.csv"
        path.write_text("index,concept\n7,forêt\n", encoding=encoding)
        found = message(f"folder:{folder}")
        assert found.startswith(f"file {path} ")
        if encoding != "utf-16-be":
            assert found.startswith(f"file {path} is not UTF-8 (")
            assert found.endswith("): save it as CSV in UTF-8")
        path.write_text("index,concept\n7,forêt\n", encoding="utf-8-sig")
        assert ju.data.concepts.load(f"folder:{folder}").names == ("forêt",)

    def test_a_field_without_end(self, folder):
        path = folder / "concepts.csv"
        path.write_text('index,concept\n7,"' + "x" * 200_000)
        assert message(f"folder:{folder}").startswith(f"file {path} is not CSV (field larger")

    @pytest.mark.parametrize("index", ["65536", "9" * 5000, "-1", "1.5", "²", "٣", ""])
    def test_indices_that_no_pixel_has(self, folder, index):
        table(folder / "concepts.csv", ("index", "concept"), (index, "sky"))
        assert message(f"folder:{folder}") == (
            f"index {index[:40]!r} in {folder / 'concepts.csv'}: give a whole number from 0 to "
            "65535"
        )

    def test_links_that_lead_nowhere_and_hidden_files(self, folder):
        (folder / "images" / "._0.png").write_bytes(b"what macOS leaves")
        assert len(ju.data.concepts.load(f"folder:{folder}")) == 3
        path = folder / "images" / "1.png"
        path.unlink()
        path.symlink_to("nowhere.png")
        assert message(f"folder:{folder}").startswith(
            f"image file {path} is not a file, or is a broken link: "
        )

    def test_unknown_names(self, folder):
        assert "unknown concept 'skyy': file" in message(f"folder:{folder}", ignore=["skyy"])
        assert message("camvid") == (
            "unknown concepts 'camvid': ju.data.concepts.load has broden:PATH, folder:PATH, "
            "tfds:scene_parse150."
        )
        assert "channels=2: give 1 (gray) or 3 (RGB)" in message(f"folder:{folder}", channels=2)
        with pytest.raises(ju.InputError, match=r"unknown concept 'ca': .* Did you mean 'car'"):
            ju.data.concepts.load(f"folder:{folder}").concept_index("ca")


HEADER = ("image", "split", "ih", "iw", "sh", "sw", "object", "part", "texture")


def encoded(numbers):
    numbers = np.asarray(numbers)
    return np.stack([numbers % 256, numbers // 256, 0 * numbers], -1)


@pytest.fixture
def broden(tmp_path):
    """Two images of 8 × 12; masks of half their size, two for the parts of the first."""
    random = np.random.default_rng(0)
    for name in ("a", "b"):
        save(tmp_path / "images" / "x" / f"{name}.jpg", random.integers(0, 256, (8, 12, 3)))
    blocks = {
        "a_object": [[1, 0], [2, 1]],
        "a_part1": [[300, 0], [0, 0]],
        "a_part2": [[2, 0], [300, 0]],
        "b_object": [[0, 0], [2, 0]],
    }
    for name, block in blocks.items():
        save(
            tmp_path / "images" / "x" / f"{name}.png", encoded(np.kron(block, np.ones((2, 3), int)))
        )
    table(
        tmp_path / "index.csv",
        HEADER,
        ("x/a.jpg", "train", 8, 12, 4, 6, "x/a_object.png", "x/a_part1.png;x/a_part2.png", "4;5"),
        ("x/b.jpg", "val", 8, 12, 4, 6, "x/b_object.png", "", ""),
    )
    table(
        tmp_path / "category.csv",
        ("name", "first", "last", "count", "frequency"),
        *((name, 0, 9, 9, 9) for name in ("object", "part", "texture")),
    )
    table(
        tmp_path / "label.csv",
        ("number", "name", "category", "frequency", "coverage", "syns"),
        (1, "car", "object(2)", 2, 1, ""),
        (2, "wheel", "object(3);part(4)", 7, 1, "wheel;tyre"),
        (4, "striped", "texture(1)", 1, 1, ""),
        (5, "dotted", "texture(1)", 1, 1, ""),
        (300, "window", "part(9)", 9, 1, ""),
    )
    return tmp_path


class TestBroden:
    def test_concepts_of_pixels_and_of_images(self, broden):
        concepts = ju.data.concepts.load(f"broden:{broden}")
        assert concepts.names == ("car", "wheel", "striped", "dotted", "window")
        assert concepts.categories == ("object", "part", "texture", "texture", "part")
        image, maps = concepts[0]
        assert image.shape == (8, 12, 3)
        blocks = [[[0, -1], [1, 0]], [[4, -1], [-1, -1]], [[1, -1], [4, -1]]]
        np.testing.assert_array_equal(maps[:3], np.kron(blocks, np.ones((1, 2, 3), int)))
        assert (maps[3] == 2).all()
        assert (maps[4] == 3).all()
        wheel = np.kron([[1, 0], [1, 0]], np.ones((2, 3), bool))
        np.testing.assert_array_equal(concepts[0].mask(1), wheel)
        assert concepts[1].label_maps.shape == (1, 4, 6)

    def test_splits(self, broden):
        assert len(ju.data.concepts.load(f"broden:{broden}", "val")) == 1
        assert "unknown split 'test': file" in message(f"broden:{broden}", "test")

    def test_chosen_categories(self, broden):
        concepts = ju.data.concepts.load(f"broden:{broden}", categories=["object"])
        assert concepts.names == ("car", "wheel")
        assert concepts.categories == ("object", "object")
        assert concepts[0].label_maps.shape == (1, 4, 6)
        assert "unknown category 'objects': file" in message(
            f"broden:{broden}", categories=["objects"]
        )

    def test_masks_go_through_dissection_at_their_own_size(self, broden):
        """The whole image, so that masks of 4 × 6 are compared as they are."""
        concepts = ju.data.concepts.load(f"broden:{broden}")
        network = ju.networks.convnet(
            2, widths=(3,), pool_after=(), preprocessing=ju.data.Preprocessing((8, 12), 3)
        )
        result = ju.attributes.dissect(network, "conv1", concepts, grid=(4, 6))
        assert result.labeled.to_series().to_dict() == {
            "car": 12,
            "wheel": 12 + 6,
            "striped": 24,
            "dotted": 24,
            "window": 12,
        }

    @pytest.mark.parametrize("name", ["index.csv", "category.csv", "label.csv"])
    def test_missing_tables(self, broden, name):
        (broden / name).unlink()
        assert f"file {broden / name} does not exist" in message(f"broden:{broden}")

    def test_missing_column(self, broden):
        rows = [row[:-1] for row in csv.reader((broden / "index.csv").read_text().splitlines())]
        table(broden / "index.csv", *rows)
        assert "unknown column 'texture': file" in message(f"broden:{broden}")

    def test_unknown_categories(self, broden):
        table(broden / "category.csv", ("name",), ("object",), ("part",))
        assert "unknown category 'texture': file" in message(f"broden:{broden}")

    @pytest.mark.parametrize(
        ("row", "expected"),
        [
            ((0, "none", "object(2)"), "0 stands for pixels without a label"),
            ((1, "car", "object"), "give CATEGORY(FREQUENCY)"),
            ((1, "car", "thing(2)"), "unknown category 'thing'"),
            (("one", "car", "object(2)"), "number 'one' in"),
        ],
    )
    def test_labels_that_cannot_be_used(self, broden, row, expected):
        table(broden / "label.csv", ("number", "name", "category"), row)
        assert expected in message(f"broden:{broden}")

    @pytest.mark.parametrize(
        ("pixels", "expected"),
        [
            (encoded(np.full((4, 6), 3)), "has label 3, which is not in label.csv"),
            (encoded(np.full((4, 6), 301)), "has label 301, which is not in label.csv"),
            (encoded(np.ones((8, 12), int)), "8 × 12 pixels and index.csv says sh × sw = 4 × 6"),
            (np.ones((4, 6)), "has one channel: its labels have to be R + 256 G"),
        ],
    )
    def test_masks_that_cannot_be_used(self, broden, pixels, expected):
        path = broden / "images" / "x" / "b_object.png"
        save(path, pixels)
        found = message(f"broden:{broden}")
        assert found.startswith(f"mask file {path}")
        assert expected in found

    def test_missing_files(self, broden):
        path = broden / "images" / "x" / "b_object.png"
        path.unlink()
        assert f"mask file {path} cannot be decoded" in message(f"broden:{broden}")
        image = broden / "images" / "x" / "b.jpg"
        image.unlink()
        save(path, encoded(np.ones((4, 6), int)))
        assert f"image file {image} does not exist" in message(f"broden:{broden}")

    def test_unknown_label_of_an_image(self, broden):
        row = ("x/a.jpg", "train", 8, 12, 4, 6, "", "", "3")
        table(broden / "index.csv", HEADER, row)
        assert "image 'x/a.jpg' in" in message(f"broden:{broden}")

    @pytest.mark.parametrize("number", ["9" * 5000, "70000", "6"])
    def test_labels_of_an_image_beyond_the_table(self, broden, number):
        table(broden / "index.csv", HEADER, ("x/a.jpg", "train", 8, 12, 4, 6, "", "", number))
        assert "which is not in label.csv" in message(f"broden:{broden}")

    def test_masks_that_fit_into_no_memory(self, broden):
        table(broden / "index.csv", HEADER, ("x/a.jpg", "train", 8, 12, 60000, 60000, "", "", 4))
        assert "has sh × sw = 60000 × 60000, more than" in message(f"broden:{broden}")

    def test_no_labels(self, broden):
        table(broden / "index.csv", HEADER, ("x/a.jpg", "train", 8, 12, 4, 6, "", "", ""))
        assert "has a label of object, part, texture" in message(f"broden:{broden}")


def png(pixels):
    file = io.BytesIO()
    Image.fromarray(np.asarray(pixels, np.uint8)).save(file, "PNG")
    file.seek(0)
    return file


def annotation(index):
    """Category and instance; no category in the last row."""
    mask = np.zeros((5, 4, 3))
    mask[:4, :2, 0], mask[:4, 2:, 0], mask[..., 1] = index + 1, 100, 7
    return mask


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenes")
    builder = tfds.builder(
        "scene_parse150", data_dir=folder, file_format="array_record", try_gcs=False
    )

    def examples(count):
        for index in range(count):
            image = np.full((5, 4, 3), 10 * index)
            yield f"{index}", {"image": png(image), "annotation": png(annotation(index))}

    builder._split_generators = lambda manager: {"train": examples(6), "test": examples(2)}
    builder.download_and_prepare()
    return folder


class TestSceneParse150:
    def test_categories_of_things(self, scenes):
        concepts = ju.data.concepts.load("tfds:scene_parse150", "train", data_dir=scenes)
        assert (len(concepts), len(concepts.names), concepts.channels) == (6, 100, 3)
        assert len(set(concepts.names)) == 100
        for index in range(6):
            image, label_maps = concepts[index]
            # Records lie in an order of TensorFlow Datasets' own.
            number = int(image[0, 0, 0]) // 10
            np.testing.assert_array_equal(label_maps[0], annotation(number)[..., 0] - 1)
        assert concepts.names[0] == "bed"
        assert concepts.names[99] == "flag"

    def test_parts_of_splits(self, scenes):
        load = ju.data.concepts.load
        assert len(load("tfds:scene_parse150", "train[:2]+test", data_dir=scenes)) == 4
        assert "unknown split 'validation'" in message(
            "tfds:scene_parse150", "validation", data_dir=scenes
        )

    def test_not_prepared(self, tmp_path):
        assert "is not prepared at" in message("tfds:scene_parse150", "train", data_dir=tmp_path)

    @pytest.mark.parametrize(
        ("mask", "expected"),
        [
            (np.ones((5, 4)), "has 1 channels and values to 1: TFDS's own have 3"),
            (np.full((5, 4, 3), 101), "has 3 channels and values to 101"),
            (np.ones((5, 5, 3)), "is not of its image's size"),
        ],
    )
    def test_other_annotations(self, mask, expected):
        record = {"image": png(np.zeros((5, 4, 3))).read(), "annotation": png(mask).read()}
        with pytest.raises(ju.InputError) as caught:
            _scene_parse150.SceneParseSource([record], 3, "scenes")[0]
        assert expected in str(caught.value)


def data_of(*images):
    return ju.data.load((np.stack(images), np.zeros(len(images), int)))


def label_map(image, kind, **options):
    concepts = ju.data.concepts.computed(data_of(image), [kind], **options)
    (labels,) = concepts[0].label_maps
    return np.asarray([*concepts.names, "none"])[labels]


class TestComputed:
    def test_quadrants(self):
        found = label_map(np.zeros((5, 4, 1), np.uint8), "quadrants")
        assert (found[:2, :2] == "upper left").all()
        assert (found[:2, 2:] == "upper right").all()
        assert (found[2:, :2] == "lower left").all()
        assert (found[2:, 2:] == "lower right").all()

    @pytest.mark.parametrize(
        ("color", "name"),
        [
            ((10, 10, 10), "black"),
            ((250, 250, 245), "white"),
            ((128, 128, 128), "gray"),
            ((200, 20, 30), "red"),
            ((40, 140, 50), "green"),
            ((30, 60, 200), "blue"),
            ((250, 240, 60), "yellow"),
            ((255, 140, 0), "orange"),
            ((110, 70, 30), "brown"),
            ((255, 160, 200), "pink"),
            ((120, 40, 140), "purple"),
        ],
    )
    def test_colors(self, color, name):
        image = np.broadcast_to(np.uint8(color), (2, 3, 3))
        assert (label_map(image, "colors") == name).all()
        assert (label_map(image.astype(np.float32) / 255, "colors") == name).all()

    def test_prototypes_are_those_of_the_survey(self):
        matplotlib = pytest.importorskip("matplotlib.colors")
        for name, color in ju.data.concepts._colors.PROTOTYPES.items():
            known = matplotlib.to_rgb(f"xkcd:{name}")
            np.testing.assert_array_equal(np.rint(255 * np.asarray(known)), color)

    @pytest.mark.parametrize(
        ("color", "known"),
        # Lindbloom's calculator, sRGB under D65.
        [
            ((255, 255, 255), (100, 0, 0)),
            ((255, 0, 0), (53.24, 80.09, 67.20)),
            ((0, 255, 0), (87.73, -86.18, 83.18)),
            ((0, 0, 255), (32.30, 79.19, -107.86)),
            ((5, 5, 5), (1.37, 0, 0)),
        ],
    )
    def test_cielab(self, color, known):
        found = ju.data.concepts._colors.cielab(np.uint8(color))
        np.testing.assert_allclose(found, known, atol=0.03)

    def test_gray_images_have_three_colors(self):
        image = np.uint8([[[0], [130], [255]]])
        concepts = ju.data.concepts.computed(data_of(image), ["colors"])
        assert concepts.names == ("black", "gray", "white")
        np.testing.assert_array_equal(concepts[0].label_maps, [[[0, 1, 2]]])

    @pytest.mark.parametrize(
        ("step", "name"),
        [
            (lambda row, column: row > 5, "horizontal edge"),
            (lambda row, column: column > 5, "vertical edge"),
            (lambda row, column: row + column > 10, "rising edge"),
            (lambda row, column: row > column, "falling edge"),
        ],
    )
    @pytest.mark.parametrize("channels", [1, 3])
    def test_edges(self, step, name, channels):
        rows, columns = np.mgrid[:12, :12]
        image = np.repeat((60 * step(rows, columns)).astype(np.uint8)[..., None], channels, 2)
        found = label_map(image, "edges")
        assert found[5, 5] == name
        assert set(found[3:-3, 3:-3].ravel()) == {name, "none"}
        assert (label_map(255 - image, "edges") == found).all()
        assert (label_map(image, "edges", edge_contrast=0.5) == "none").all()

    def test_kinds_are_categories(self):
        concepts = ju.data.concepts.computed(data_of(np.zeros((4, 4, 3), np.uint8)))
        assert concepts[0].label_maps.shape == (3, 4, 4)
        counts = {name: concepts.categories.count(name) for name in set(concepts.categories)}
        assert counts == {"quadrants": 4, "colors": 11, "edges": 4}
        assert concepts.names[concepts[0].label_maps[1, 0, 0]] == "black"

    @pytest.mark.parametrize(
        ("options", "channels", "expected"),
        [
            ({"kinds": ["colours"]}, 3, "unknown kind 'colours': ju.data.concepts.computed has"),
            ({"kinds": []}, 3, "give at least one of them, each once"),
            ({"kinds": ["edges", "edges"]}, 3, "give at least one of them, each once"),
            ({"edge_contrast": 0.0}, 3, "edge_contrast=0.0: give a number above 0"),
            ({}, 2, "has 2 channels: concepts are computed for 1 or 3"),
        ],
    )
    def test_what_cannot_be_computed(self, options, channels, expected):
        with pytest.raises(ju.InputError) as caught:
            ju.data.concepts.computed(data_of(np.zeros((4, 4, channels), np.uint8)), **options)
        assert expected in str(caught.value)


@settings(max_examples=50)
@given(
    height=st.integers(1, 60),
    width=st.integers(1, 60),
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    resize=st.one_of(st.none(), st.integers(40, 50)),
)
def test_masks_are_cut_as_pillow_resizes_and_images_are_cropped(height, width, size, resize):
    preprocessing = ju.data.Preprocessing(size, 1, resize=resize)
    mask = np.random.default_rng(0).integers(0, 256, (height, width), np.uint8)
    found = ju.data.concepts.cut(mask[None], (height, width), preprocessing, size)[0]
    window = preprocessing.window(height, width)
    picture = Image.fromarray(mask).resize((window.width, window.height), Image.Resampling.NEAREST)
    known = np.asarray(picture)[window.top :, window.left :][: size[0], : size[1]]
    np.testing.assert_array_equal(found, known)


@pytest.mark.parametrize(("stored", "wanted"), [(480, 341), (360, 224), (97, 7), (5, 400)])
def test_a_center_between_two_pixels_goes_where_pillow_puts_it(stored, wanted):
    mask = np.arange(stored, dtype=np.int32)[None, None].repeat(2, 1)
    preprocessing = ju.data.Preprocessing((2, wanted), 1)
    found = ju.data.concepts.cut(mask, (2, stored), preprocessing, (2, wanted))[0]
    known = Image.fromarray(mask[0]).resize((wanted, 2), Image.Resampling.NEAREST)
    np.testing.assert_array_equal(found, np.asarray(known))


@settings(max_examples=50)
@given(
    stored=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    image=st.tuples(st.integers(20, 80), st.integers(20, 80)),
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
)
def test_masks_of_another_resolution_are_cut_as_pillow_resizes_a_box(stored, image, size):
    preprocessing = ju.data.Preprocessing((24, 20), 1, resize=32)
    mask = np.random.default_rng(0).integers(0, 256, stored, np.uint8)
    found = ju.data.concepts.cut(mask[None], image, preprocessing, size)[0]
    window = preprocessing.window(*image)
    rows = [edge * stored[0] / window.height for edge in (window.top, window.top + 24)]
    columns = [edge * stored[1] / window.width for edge in (window.left, window.left + 20)]
    box = (columns[0], rows[0], columns[1], rows[1])
    known = Image.fromarray(mask).resize(size[::-1], Image.Resampling.NEAREST, box)
    # Where a center falls between two pixels, the two ways of rounding may differ.
    centers = [
        (edges[0] + (np.arange(number) + 0.5) * (edges[1] - edges[0]) / number)
        for edges, number in zip((rows, columns), size, strict=True)
    ]
    sure = [abs(each - each.round()) > 1e-6 for each in centers]
    np.testing.assert_array_equal(found[np.ix_(*sure)], np.asarray(known)[np.ix_(*sure)])


def test_coarser_masks_of_a_crop():
    """An image of 40 × 20 is resized to 20 × 10, and its central 10 × 10 are seen."""
    preprocessing = ju.data.Preprocessing((10, 10), 1, resize=10)
    mask = np.arange(8).repeat(4).reshape(1, 8, 4)
    found = ju.data.concepts.cut(mask, (40, 20), preprocessing, (4, 4))
    np.testing.assert_array_equal(found[0], np.arange(2, 6).repeat(4).reshape(4, 4))


def test_concepts_of_each_image(folder):
    concepts = ju.data.concepts.load(f"folder:{folder}")
    asked = (concepts, ju.data.Preprocessing((6, 8), 3), (6, 8))
    first = ju.data.concepts.annotated_images(*asked, 0, 2)
    assert len(first.images) == 2
    np.testing.assert_array_equal(first.concepts, [[0, 1], [0, 1]])
    np.testing.assert_array_equal(first.label_maps[0], concepts[0].label_maps)
    last = ju.data.concepts.annotated_images(*asked, 2)
    assert len(last.images) == 1
    assert (last.concepts == -1).all()
    assert (last.label_maps == -1).all()
    with pytest.raises(ju.InputError, match="no image from 3 to 9"):
        ju.data.concepts.annotated_images(*asked, 3, 9)


def test_images_that_stay_uint8(folder):
    concepts = ju.data.concepts.load(f"folder:{folder}")
    preprocessing = ju.data.Preprocessing((3, 4), 3, mean=(0.5,), std=(0.25,))
    asked = (concepts, preprocessing, (3, 4))
    pixels, found = (
        ju.data.concepts.annotated_images(*asked, standardized=standardized)
        for standardized in (False, True)
    )
    assert (pixels.images.dtype, found.images.dtype) == (np.uint8, np.float32)
    np.testing.assert_array_equal(preprocessing.standardize(pixels.images), found.images)
    np.testing.assert_array_equal(pixels.label_maps, found.label_maps)
    np.testing.assert_array_equal(pixels.concepts, found.concepts)


class TestSubset:
    def test_keeps_concepts_and_order(self, folder):
        concepts = ju.data.concepts.load(f"folder:{folder}")
        few = ju.data.concepts.subset(concepts, [2, 0])
        np.testing.assert_array_equal(few[0].image, concepts[2].image)
        np.testing.assert_array_equal(few[1].label_maps, concepts[0].label_maps)
        assert few.names == concepts.names
        assert few.fingerprint != concepts.fingerprint
        images = ju.data.concepts.images(few)
        np.testing.assert_array_equal(images[1]["image"], concepts[0].image)
        assert images.labels.tolist() == [0, 0]

    @pytest.mark.parametrize("indices", [[], [0.5], [3], [-1]])
    def test_indices_that_cannot_be_used(self, folder, indices):
        concepts = ju.data.concepts.load(f"folder:{folder}")
        with pytest.raises(ju.InputError, match=r"give (0 to 2|a list|whole numbers)"):
            ju.data.concepts.subset(concepts, indices)


class TestFingerprint:
    """Changed content counts, though names, sizes and times are as before."""

    @staticmethod
    def of(source, **options):
        return ju.data.concepts.load(source, verify=False, **options).fingerprint

    @pytest.mark.parametrize(
        ("kind", "name"),
        [
            ("folder", "images/0.png"),
            ("folder", "images/2.png"),
            ("folder", "masks/1.png"),
            ("broden", "images/x/a.jpg"),
            ("broden", "images/x/b.jpg"),
            ("broden", "images/x/a_part2.png"),
            ("broden", "images/x/b_object.png"),
        ],
    )
    def test_content_of_the_same_size_and_time(self, request, kind, name):
        root = request.getfixturevalue(kind)
        before = self.of(f"{kind}:{root}")
        assert self.of(f"{kind}:{root}") == before
        path = root / name
        content, stat = path.read_bytes(), path.stat()
        middle = len(content) // 2
        path.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        assert self.of(f"{kind}:{root}") != before
        path.write_bytes(content)
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        assert self.of(f"{kind}:{root}") == before

    @pytest.mark.parametrize("kind", ["folder", "broden"])
    def test_tables_and_options(self, request, kind):
        root = request.getfixturevalue(kind)
        found = {self.of(f"{kind}:{root}"), self.of(f"{kind}:{root}", channels=1)}
        changed = root / ("concepts.csv" if kind == "folder" else "label.csv")
        changed.write_text(changed.read_text().replace("car", "cat"))
        found.add(self.of(f"{kind}:{root}"))
        assert len(found) == 3

    @pytest.mark.parametrize("kind", ["folder", "broden"])
    def test_a_copy_elsewhere_is_the_same(self, request, tmp_path_factory, kind):
        root = request.getfixturevalue(kind)
        copy = tmp_path_factory.mktemp("copies") / "copy"
        shutil.copytree(root, copy)
        assert self.of(f"{kind}:{copy}") == self.of(f"{kind}:{root}")

    def test_large_folders_cost_a_fixed_sample(self, folder, monkeypatch):
        for number in range(3, 200):
            for kind in ("images", "masks"):
                os.link(folder / kind / "0.png", folder / kind / f"{number}.png")
        read = []
        monkeypatch.setattr(_files, "stored_bytes", lambda path: read.append(path) or b"")
        self.of(f"folder:{folder}")
        assert len(set(read)) == len(read) == 2 * 64
        # The last of the images by their names.
        assert read[-2] == folder / "images" / "99.png"

    def test_a_dissection_of_other_images_is_another(self, folder):
        """What analyses know their measurements by."""
        found = set()
        for color in (10, 20):
            path = folder / "images" / "1.png"
            save(path, np.full((6, 8, 3), color))
            os.utime(path, (0, 0))
            concepts = ju.data.concepts.load(f"folder:{folder}")
            found |= {concepts.fingerprint, ju.data.concepts.images(concepts).fingerprint}
            found.add(ju.data.concepts.subset(concepts, [0, 1]).fingerprint)
        assert len(found) == 4
