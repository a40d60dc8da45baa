import numpy as np
import pytest
from PIL import Image

import jaxunits as ju


def save(path, pixels, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)


@pytest.fixture
def tree(tmp_path):
    """Two classes of grey and RGB, PNG and JPEG, of several sizes, and a file that is no image."""
    random = np.random.default_rng(0)
    for number, (height, width) in enumerate([(10, 12), (31, 7), (8, 8)]):
        grey = random.integers(0, 255, (height, width), np.uint8)
        colour = random.integers(0, 255, (height, width, 3), np.uint8)
        save(tmp_path / "train" / "ape" / f"{number}.png", grey)
        save(tmp_path / "train" / "bee" / f"{number}.JPEG", colour, quality=95)
        save(tmp_path / "val" / "bee" / f"{number}.jpg", grey)
    (tmp_path / "train" / "bee" / "notes.txt").write_text("no image")
    return tmp_path


def message(path, *args, **kwargs):
    with pytest.raises(ju.InputError) as caught:
        ju.data.load(f"folder:{path}", *args, **kwargs)
    return str(caught.value)


def test_reads_grey_and_colour_of_any_size(tree):
    data = ju.data.load(f"folder:{tree}", "train")
    assert data.class_names == ("ape", "bee")
    assert data.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert data.channels == 3
    assert [data[index]["image"].shape[:2] for index in range(3)] == [(10, 12), (31, 7), (8, 8)]
    grey = np.asarray(Image.open(tree / "train/ape/1.png"))
    np.testing.assert_array_equal(data[1]["image"], np.repeat(grey[..., None], 3, axis=2))
    colour = np.asarray(Image.open(tree / "train/bee/2.JPEG"))
    np.testing.assert_array_equal(data[5]["image"], colour)


def test_runs_through_batches_at_the_networks_size(tree):
    data = ju.data.load(f"folder:{tree}", "train")
    (batch,) = ju.data.batches(data, ju.data.Preprocessing((16, 16), 3, resize=20), 6)
    assert batch.images.shape == (6, 16, 16, 3)
    assert batch.valid.all()


def test_a_class_that_a_split_lacks_keeps_its_label(tree):
    data = ju.data.load(f"folder:{tree}", "val")
    assert data.class_names == ("ape", "bee")
    assert set(data.labels.tolist()) == {1}


def test_channels_convert(tree):
    data = ju.data.load(f"folder:{tree}", "train", channels=1)
    assert data.channels == 1
    np.testing.assert_array_equal(
        data[4]["image"][..., 0], np.asarray(Image.open(tree / "train/bee/1.JPEG").convert("L"))
    )


def test_a_grey_folder_is_read_as_grey(tree):
    assert ju.data.load(f"folder:{tree}", "val").channels == 1


def test_without_splits_and_with_an_order_of_classes(tree):
    data = ju.data.load(f"folder:{tree / 'train'}", class_names=["bee", "ape"])
    assert (data.split, data.class_names) == ("all", ("bee", "ape"))
    assert data.labels.tolist() == [0, 0, 0, 1, 1, 1]


def test_fingerprint_follows_the_files(tree):
    before = ju.data.load(f"folder:{tree}", "train").fingerprint
    assert ju.data.load(f"folder:{tree}", "train").fingerprint == before
    save(tree / "train" / "ape" / "2.png", np.zeros((9, 9), np.uint8))
    assert ju.data.load(f"folder:{tree}", "train").fingerprint != before


def test_missing_folder(tmp_path):
    assert message(tmp_path / "nowhere") == (
        f"folder {tmp_path / 'nowhere'} does not exist: give the folder above the classes"
    )


def test_unknown_split(tree):
    assert message(tree, "trian") == (
        f"unknown split 'trian': folder {tree} has train, val. Did you mean 'train'?"
    )


def test_unknown_class_name(tree):
    assert message(tree, "train", class_names=["ape", "bees"]) == (
        "unknown class 'bee': class_names has ape, bees. Did you mean 'bees'?"
    )


def test_empty_folder(tmp_path):
    (tmp_path / "ape").mkdir()
    assert message(tmp_path) == (
        f"folder {tmp_path} holds no images: put PNG or JPEG files into one folder a class, as "
        f"{tmp_path}/CLASS/image.png"
    )


def truncate(path):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def test_a_corrupt_file_is_named(tree):
    truncate(tree / "train/bee/1.JPEG")
    found = message(tree, "train")
    assert found.startswith(f"image file {tree}/train/bee/1.JPEG cannot be decoded (")
    assert found.endswith("): replace or delete it, or load the folder with on_corrupt='skip'")


def test_corrupt_files_can_be_skipped_and_are_counted(tree):
    truncate(tree / "train/bee/1.JPEG")
    (tree / "train/ape/0.png").write_bytes(b"no image at all")
    data = ju.data.load(f"folder:{tree}", "train", on_corrupt="skip")
    assert data.skipped == ("ape/0.png", "bee/1.JPEG")
    assert len(data) == 4
    network = ju.networks.mlp(2, widths=[3], preprocessing=ju.data.Preprocessing((8, 8), 3))
    result = ju.ablation.sweep(network, "fc1", data)
    assert result.attrs["skipped_files"] == "2"
    assert int(result["count"].sum()) == 4


def test_without_verifying_the_error_comes_when_the_file_is_reached(tree):
    truncate(tree / "train/bee/1.JPEG")
    data = ju.data.load(f"folder:{tree}", "train", channels=3, verify=False)
    with pytest.raises(ju.InputError, match=r"image file .*bee/1.JPEG cannot be decoded"):
        list(ju.data.batches(data, ju.data.Preprocessing((8, 8), 3), 4))


def test_nothing_but_corrupt_files(tree):
    for path in (tree / "val" / "bee").iterdir():
        path.write_bytes(b"")
    assert "none of its 3 image files can be decoded" in message(tree, "val", on_corrupt="skip")


def test_options_that_do_not_exist(tree):
    assert "on_corrupt='ignore'" in message(tree, "train", on_corrupt="ignore")
    assert "channels=2 for image files" in message(tree, "train", channels=2)
