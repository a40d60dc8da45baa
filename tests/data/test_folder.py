import os

import numpy as np
import pytest
from PIL import Image

import jaxunits as ju
from jaxunits.data import _folder, _folder_source, _listing


def save(path, pixels, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)


@pytest.fixture
def tree(tmp_path):
    """Two classes of gray and RGB, PNG and JPEG, of several sizes, and a file that is no image."""
    random = np.random.default_rng(0)
    for number, (height, width) in enumerate([(10, 12), (31, 7), (8, 8)]):
        gray = random.integers(0, 255, (height, width), np.uint8)
        color = random.integers(0, 255, (height, width, 3), np.uint8)
        save(tmp_path / "train" / "ape" / f"{number}.png", gray)
        save(tmp_path / "train" / "bee" / f"{number}.JPEG", color, quality=95)
        save(tmp_path / "val" / "bee" / f"{number}.jpg", gray)
    (tmp_path / "train" / "bee" / "notes.txt").write_text("no image")
    return tmp_path


def message(path, *args, **kwargs):
    with pytest.raises(ju.InputError) as caught:
        ju.data.load(f"folder:{path}", *args, **kwargs)
    return str(caught.value)


def test_reads_gray_and_color_of_any_size(tree):
    data = ju.data.load(f"folder:{tree}", "train")
    assert data.class_names == ("ape", "bee")
    assert data.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert data.channels == 3
    assert [data[index]["image"].shape[:2] for index in range(3)] == [(10, 12), (31, 7), (8, 8)]
    gray = np.asarray(Image.open(tree / "train/ape/1.png"))
    np.testing.assert_array_equal(data[1]["image"], np.repeat(gray[..., None], 3, axis=2))
    color = np.asarray(Image.open(tree / "train/bee/2.JPEG"))
    np.testing.assert_array_equal(data[5]["image"], color)


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


def test_a_gray_folder_is_read_as_gray(tree):
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


def test_fingerprint_follows_the_content_of_files_alike_in_name_size_and_time(tmp_path):
    """As archives that set all times to 0 leave them."""
    contents = [np.full((4, 4), 7, np.uint8), np.full((4, 4), 9, np.uint8)]
    for number, pixels in enumerate(contents):
        path = tmp_path / str(number) / "ape" / "0.png"
        save(path, pixels)
        os.utime(path, (0, 0))
    first, second = (tmp_path / str(number) / "ape" / "0.png" for number in (0, 1))
    assert first.stat().st_size == second.stat().st_size
    found = [ju.data.load(f"folder:{tmp_path / str(number)}").fingerprint for number in (0, 1)]
    assert found[0] != found[1]
    second.write_bytes(first.read_bytes())
    os.utime(second, (0, 0))
    assert ju.data.load(f"folder:{tmp_path / '1'}").fingerprint == found[0]


def test_fingerprints_of_large_folders_read_a_fixed_sample(tmp_path, monkeypatch):
    links(tmp_path, FILES)
    read = []
    monkeypatch.setattr(_folder, "stored_bytes", lambda path: read.append(path) or b"")
    ju.data.load(f"folder:{tmp_path / 'large'}", channels=1, verify=False)
    once = list(read)
    ju.data.load(f"folder:{tmp_path / 'large'}", channels=1, verify=False)
    assert len(set(once)) == 64
    assert read == 2 * once


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
        f"folder {tmp_path} holds no images: put PNG or JPEG files into one folder per class, "
        f"as {tmp_path}/CLASS/image.png"
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
    assert int(result["n_images"].sum()) == 4


def test_without_verifying_the_error_comes_when_the_file_is_reached(tree):
    truncate(tree / "train/bee/1.JPEG")
    data = ju.data.load(f"folder:{tree}", "train", channels=3, verify=False)
    with pytest.raises(ju.InputError, match=r"image file .*bee/1.JPEG cannot be decoded"):
        list(ju.data.batches(data, ju.data.Preprocessing((8, 8), 3), 4))


def test_nothing_but_corrupt_files(tree):
    for path in (tree / "val" / "bee").iterdir():
        path.write_bytes(b"")
    assert "none of its 3 image files can be decoded" in message(tree, "val", on_corrupt="skip")


def test_decodes_by_content(tmp_path):
    """ImageNet has CMYK photographs and a PNG whose name ends in .JPEG."""
    random = np.random.default_rng(0)
    inks = random.integers(0, 255, (9, 8, 4), np.uint8)
    (tmp_path / "ape").mkdir()
    Image.fromarray(inks, "CMYK").save(tmp_path / "ape" / "0.JPEG", quality=95)
    color = random.integers(0, 255, (9, 8, 3), np.uint8)
    Image.fromarray(color).save(tmp_path / "ape" / "1.JPEG", "PNG")
    data = ju.data.load(f"folder:{tmp_path}")
    assert data.channels == 3
    with Image.open(tmp_path / "ape" / "0.JPEG") as image:
        assert image.mode == "CMYK"
        stored = np.asarray(image).astype(np.float64)
    expected = (255 - stored[..., :3]) * (255 - stored[..., 3:]) / 255
    np.testing.assert_allclose(data[0]["image"], expected, atol=1.5)
    np.testing.assert_array_equal(data[1]["image"], color)


def test_a_file_that_was_skipped_may_as_well_be_missing(tree):
    (tree / "train/bee/3.JPEG").write_bytes(b"no image at all")
    skipped = ju.data.load(f"folder:{tree}", "train", on_corrupt="skip")
    (tree / "train/bee/3.JPEG").unlink()
    whole = ju.data.load(f"folder:{tree}", "train")
    assert whole.fingerprint == skipped.fingerprint
    assert whole.labels.tolist() == skipped.labels.tolist()


def test_images_count_from_the_end_too(tree):
    data = ju.data.load(f"folder:{tree}", "train")
    np.testing.assert_array_equal(data[-1]["image"], data[5]["image"])
    with pytest.raises(IndexError):
        data[6]


def test_options_that_do_not_exist(tree):
    assert "on_corrupt='ignore'" in message(tree, "train", on_corrupt="ignore")
    assert "channels=2 for image files" in message(tree, "train", channels=2)


STRAY = ["__MACOSX", ".hidden", "@eaDir", "__pycache__", "$RECYCLE.BIN", "lost+found"]


class TestStrayFolders:
    @pytest.mark.parametrize("name", STRAY)
    @pytest.mark.parametrize("place", ["train", "val", "."])
    def test_known_ones_are_no_classes(self, tree, name, place):
        save(tree / place / name / "x.png", np.zeros((4, 4), np.uint8))
        (tree / "train" / "ape" / "._0.png").write_bytes(b"what macOS leaves")
        data = ju.data.load(f"folder:{tree}", "train")
        assert data.class_names == ("ape", "bee")
        assert data.labels.tolist() == [0, 0, 0, 1, 1, 1]
        assert message(tree, "trian").count(name) == 0

    def test_a_flat_test_split_shifts_no_labels(self, tree):
        save(tree / "test" / "all" / "x.png", np.zeros((4, 4), np.uint8))
        expected = rf"split 'test' of folder {tree} has the folders 'all', which its split 'train'"
        for split, labels in (("train", [0, 0, 0, 1, 1, 1]), ("val", [1, 1, 1])):
            with pytest.warns(UserWarning, match=expected):
                data = ju.data.load(f"folder:{tree}", split)
            assert data.class_names == ("ape", "bee")
            assert data.labels.tolist() == labels
        assert message(tree, "test") == (
            f"split 'test' of folder {tree} has the folders 'all', which its split 'train' lacks: "
            "rename or remove them, or name all classes in the order of their labels with "
            "class_names"
        )
        assert len(ju.data.load(f"folder:{tree}", "test", class_names=["all"])) == 1

    def test_without_a_training_split_the_one_with_most_classes_decides(self, tree):
        (tree / "train").rename(tree / "validation")
        assert ju.data.load(f"folder:{tree}", "val").class_names == ("ape", "bee")
        save(tree / "test" / "all" / "x.png", np.zeros((4, 4), np.uint8))
        with pytest.warns(UserWarning, match="split 'test' .* 'all'"):
            assert ju.data.load(f"folder:{tree}", "val").class_names == ("ape", "bee")
        assert "its split 'validation' lacks" in message(tree, "test")

    def test_one_without_images_is_named(self, tree):
        (tree / "train" / "aaa").mkdir()
        with pytest.warns(UserWarning, match=f"folder {tree}/train/aaa holds no PNG or JPEG"):
            assert ju.data.load(f"folder:{tree}", "train").class_names == ("aaa", "ape", "bee")


COMPOSED, APART = "caf\u00e9", "cafe\u0301"


class TestNames:
    def test_accents_taken_apart_are_the_same_class(self, tree):
        save(tree / "train" / COMPOSED / "0.png", np.zeros((4, 4), np.uint8))
        save(tree / "val" / APART / "0.png", np.full((4, 4), 9, np.uint8))
        train, val = (ju.data.load(f"folder:{tree}", split) for split in ("train", "val"))
        assert train.class_names == val.class_names == ("ape", "bee", COMPOSED)
        assert val.labels.tolist() == [1, 1, 1, 2]
        assert val[3]["image"].max() == 9
        assert val.class_index(APART) == val.class_index(COMPOSED) == 2
        named = ju.data.load(f"folder:{tree}", "val", class_names=[APART, "bee"])
        assert named.labels.tolist() == [0, 1, 1, 1]

    def test_two_that_read_alike(self, tree):
        for name in (COMPOSED, APART):
            save(tree / "train" / name / "0.png", np.zeros((4, 4), np.uint8))
        assert message(tree, "train") == (
            f"folder {tree}/train has two class folders '{COMPOSED}' that differ in how accents "
            "are encoded ('cafe\\u0301', 'caf\\xe9'): make them one"
        )

    def test_a_class_that_is_not_utf_8(self, tree):
        (tree / "train" / os.fsdecode(b"caf\xe9")).mkdir()
        found = message(tree, "train")
        assert found == f"class folder {tree}/train/caf\\udce9 is not named in UTF-8: rename it"
        found.encode()

    def test_files_that_are_not_utf_8(self, tree):
        path = tree / "train" / "bee" / os.fsdecode(b"caf\xe9.png")
        path.write_bytes(b"no image at all")
        message(tree, "train").encode()
        data = ju.data.load(f"folder:{tree}", "train", on_corrupt="skip")
        assert data.skipped == ("bee/caf\\udce9.png",)
        (tree / "train" / "ape" / "0.png").replace(path)
        assert len(ju.data.load(f"folder:{tree}", "train")) == 6


@pytest.mark.parametrize("target", ["nowhere", "cat"])
def test_class_folders_that_are_links(tree, target):
    (tree / "train" / "dog").symlink_to(tree / "train" / "ape")
    assert ju.data.load(f"folder:{tree}", "train").class_names == ("ape", "bee", "dog")
    (tree / "train" / "cat").symlink_to(target)
    for on_corrupt in ("raise", "skip"):
        assert message(tree, "train", on_corrupt=on_corrupt) == (
            f"link {tree}/train/cat is broken: repair or delete it, since a class may be missing"
        )


CLASSES, FILES = 12, 20


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """The user's cache folder."""
    folder = tmp_path / "cache"
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name: folder / name)
    return folder / "jaxunits" / "listings"


@pytest.fixture
def large(tmp_path, cache, monkeypatch):
    """A tree that counts as large here."""
    monkeypatch.setattr(_listing, "_KEPT_ABOVE", 100)
    return links(tmp_path, FILES)


def links(folder, files):
    """Links to a gray and, first of each class, to a colored image, made an hour ago."""
    random = np.random.default_rng(0)
    save(folder / "gray.png", random.integers(0, 255, (2, 3), np.uint8))
    save(folder / "color.png", random.integers(0, 255, (2, 3, 3), np.uint8))
    for number in range(CLASSES):
        place = folder / "large" / f"class{number:02d}"
        place.mkdir(parents=True)
        for file in range(files):
            os.link(folder / ("color.png" if file == 0 else "gray.png"), place / f"{file}.png")
        settle(place)
    return folder / "large"


def settle(folder, hours=1):
    changed = folder.stat().st_mtime - hours * 3600
    os.utime(folder, (changed, changed))


@pytest.fixture
def work(monkeypatch):
    """Names of class folders as they are listed, and of files as they are verified."""
    done = {"listed": [], "verified": []}
    list_folder, decode = _listing._list_folder, _folder_source.decode

    def listed(root, name, *others):
        done["listed"].append(name)
        return list_folder(root, name, *others)

    def decoded(path, channels, place, **options):
        if channels is None:
            done["verified"].append(f"{path.parent.name}/{path.name}")
        return decode(path, channels, place, **options)

    monkeypatch.setattr(_listing, "_list_folder", listed)
    monkeypatch.setattr(_folder_source, "decode", decoded)

    def load(root, **options):
        done["listed"].clear()
        done["verified"].clear()
        data = ju.data.load(f"folder:{root}", **options)
        return data, sorted(done["listed"]), sorted(done["verified"])

    return load


class TestLargeTrees:
    def test_are_listed_and_verified_once(self, tmp_path, work, cache, monkeypatch):
        files = 100
        monkeypatch.setattr(_listing, "_KEPT_ABOVE", CLASSES * files - 1)
        large = links(tmp_path, files)
        data, listed, verified = work(large)
        assert (len(data), data.channels) == (CLASSES * files, 3)
        assert len(listed) == CLASSES
        assert len(verified) == len(set(verified)) == CLASSES * files
        again, *nothing = work(large)
        assert nothing == [[], []]
        assert again.fingerprint == data.fingerprint
        np.testing.assert_array_equal(again.labels, np.repeat(np.arange(CLASSES), files))
        expected = sorted(f"{file}.png" for file in range(files))
        for index in (0, 1, files - 1, files, 5 * files + 7, CLASSES * files - 1):
            folder, file = again.source.place(index)
            name = f"class{index // files:02d}/{expected[index % files]}"
            assert folder.path(file) == name
            gray = np.asarray(Image.open(large / name).convert("RGB"))
            np.testing.assert_array_equal(again[index]["image"], gray)
        (place,) = cache.iterdir()
        assert place.suffix == ".npz"

    def test_only_folders_that_changed_are_listed_again(self, large, work):
        before, *_ = work(large)
        os.link(large / "class03" / "7.png", large / "class03" / "new.png")
        settle(large / "class03", hours=0.5)
        data, listed, verified = work(large)
        assert (len(data), listed) == (CLASSES * FILES + 1, ["class03"])
        assert set(verified) == {f"class03/{file}.png" for file in [*range(FILES), "new"]}
        assert data.fingerprint != before.fingerprint
        (large / "class03" / "new.png").unlink()
        settle(large / "class03")
        data, listed, _ = work(large)
        assert listed == ["class03"]
        assert data.fingerprint == before.fingerprint

    def test_a_class_comes_and_another_goes(self, large, work):
        work(large)
        (large / "class05").rename(large / "other")
        data, listed, _ = work(large)
        assert listed == ["other"]
        assert data.class_names[-1] == "other"
        assert "class05" not in data.class_names

    def test_a_file_overwritten_in_place_is_noticed_when_listed_again(self, large, work):
        before, *_ = work(large)
        place = large / "class02" / "5.png"
        content = place.read_bytes()
        place.unlink()
        place.write_bytes(content + b" ")
        settle(large / "class02")
        work(large)
        place.write_bytes(content + b"  ")
        settled, listed, _ = work(large)
        assert listed == []
        data, listed, verified = work(large, relist=True)
        assert len(listed) == CLASSES
        assert {name.partition("/")[0] for name in verified} == {"class02"}
        assert len({each.fingerprint for each in (before, settled, data)}) == 3

    def test_corrupt_files_are_remembered_and_looked_at_again(self, large, work):
        place = large / "class04" / "9.png"
        place.unlink()
        place.write_bytes(b"no image at all")
        settle(large / "class04")
        for _ in range(2):
            with pytest.raises(ju.InputError, match=r"class04/9.png cannot be decoded"):
                work(large)
        data, _, _ = work(large, on_corrupt="skip")
        again, _, verified = work(large, on_corrupt="skip")
        assert data.skipped == again.skipped == ("class04/9.png",)
        assert (len(again), verified) == (CLASSES * FILES - 1, [])
        save(place, np.zeros((2, 2), np.uint8))
        mended, _, verified = work(large)
        assert (len(mended), verified) == (CLASSES * FILES, ["class04/9.png"])

    def test_a_damaged_cache_is_made_again(self, large, work, cache):
        before, *_ = work(large, channels=1, verify=False)
        (place,) = cache.iterdir()
        truncate(place)
        data, listed, _ = work(large, channels=1, verify=False)
        assert len(listed) == CLASSES
        assert data.fingerprint == before.fingerprint
        _, listed, _ = work(large, channels=1, verify=False)
        assert listed == []

    def test_a_cache_that_cannot_be_written_is_done_without(self, large, work, cache):
        cache.parent.mkdir(parents=True)
        cache.write_text("a file where a folder should be")
        data, *_ = work(large, channels=1, verify=False)
        assert len(data) == CLASSES * FILES

    def test_a_folder_that_changed_just_now_is_listed_again(self, large, work):
        os.utime(large / "class03")
        first, *_ = work(large)
        data, listed, verified = work(large)
        assert (listed, verified) == (["class03"], [])
        assert data.fingerprint == first.fingerprint


def test_small_trees_are_not_kept(tree, cache, work):
    for _ in range(2):
        _, listed, verified = work(tree / "train")
        assert listed == ["ape", "bee"]
        assert len(verified) == 6
    assert not cache.exists()
