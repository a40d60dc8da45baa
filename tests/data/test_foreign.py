"""Data sets of PyTorch, torchvision and Hugging Face themselves, where they are installed."""

import io

import numpy as np
import pytest
from PIL import Image

import jaxunits as ju

RANDOM = np.random.default_rng(0)
PIXELS = RANDOM.integers(0, 256, (6, 8, 9, 3), np.uint8)
LABELS = [0, 2, 1, 1, 0, 2]
NAMES = ["ape", "bee", "cow"]
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def images_of(data):
    return np.stack([data[index]["image"] for index in range(len(data))])


def oriented(pixels):
    """A PNG that is stored lying on its side."""
    exif = Image.Exif()
    exif[0x0112] = 6
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "PNG", exif=exif)
    return content.getvalue()


class TestTorch:
    @pytest.fixture
    def torch(self):
        return pytest.importorskip("torch")

    @pytest.fixture
    def tensors(self, torch):
        return torch.from_numpy(np.ascontiguousarray(np.moveaxis(PIXELS, -1, 1)))

    def test_tensors_of_8_bits_and_of_floating_point(self, torch, tensors):
        labels = torch.tensor(LABELS)
        dataset = torch.utils.data.TensorDataset(tensors, labels)
        data = ju.data.load(dataset, class_names=NAMES)
        np.testing.assert_array_equal(images_of(data), PIXELS)
        assert data.image_dtype == np.uint8
        assert data.labels.tolist() == LABELS
        floats = torch.utils.data.TensorDataset(tensors / 255, labels)
        data = ju.data.load(floats, class_names=NAMES)
        np.testing.assert_allclose(images_of(data), PIXELS / 255, atol=1e-7)

    def test_parts_and_loaders(self, torch, tensors):
        dataset = torch.utils.data.TensorDataset(tensors, torch.tensor(LABELS))
        part, _ = torch.utils.data.random_split(dataset, [4, 2])
        data = ju.data.load(part, class_names=NAMES)
        assert data.labels.tolist() == [LABELS[index] for index in part.indices]
        loader = torch.utils.data.DataLoader(dataset, batch_size=2)
        with pytest.raises(ju.InputError, match="give the data set that it loads"):
            ju.data.load(loader, class_names=NAMES)

    def test_tensors_that_numpy_cannot_read(self, torch, tensors):
        for images in (tensors.to(torch.bfloat16) / 255, (tensors / 255).requires_grad_()):
            with pytest.raises(ju.InputError, match="give a tensor on the CPU that needs no grad"):
                ju.data.load([(images[0], 0)], class_names=NAMES)


class TestTorchvision:
    @pytest.fixture
    def folder(self, tmp_path):
        for index, label in enumerate(LABELS):
            path = tmp_path / NAMES[label] / f"{index}.png"
            path.parent.mkdir(exist_ok=True)
            Image.fromarray(PIXELS[index]).save(path)
        (tmp_path / "ape" / "9.png").write_bytes(oriented(PIXELS[0]))
        return tmp_path

    @pytest.fixture
    def torchvision(self):
        pytest.importorskip("torch")
        return pytest.importorskip("torchvision")

    def test_its_folder_is_ours(self, torchvision, folder):
        theirs = ju.data.load(torchvision.datasets.ImageFolder(folder))
        ours = ju.data.load(f"folder:{folder}", orientation="stored")
        assert theirs.class_names == ours.class_names
        np.testing.assert_array_equal(theirs.labels, ours.labels)
        np.testing.assert_array_equal(images_of(theirs), images_of(ours))

    @pytest.mark.parametrize("version", ["transforms", "transforms.v2"])
    def test_transforms(self, torchvision, folder, version):
        from importlib import import_module

        kinds = import_module(f"torchvision.{version}")
        steps = [kinds.PILToTensor(), kinds.ConvertImageDtype(import_module("torch").float32)]
        plain = torchvision.datasets.ImageFolder(folder, kinds.Compose(steps))
        expected = images_of(ju.data.load(f"folder:{folder}", orientation="stored")) / 255
        np.testing.assert_allclose(images_of(ju.data.load(plain)), expected, atol=1e-6)
        steps.append(kinds.Normalize(MEAN, STD))
        whole = torchvision.datasets.ImageFolder(folder, kinds.Compose(steps))
        with pytest.raises(ju.InputError, match=r"standardizes its images with mean \(0.485, 0.45"):
            ju.data.load(whole)
        data = ju.data.load(whole, normalized=(MEAN, STD))
        np.testing.assert_allclose(images_of(data), expected, atol=1e-6)
        flip = kinds.Compose([kinds.RandomHorizontalFlip(), *steps[:2]])
        with pytest.raises(ju.InputError, match="differs when it is read again"):
            ju.data.load(torchvision.datasets.ImageFolder(folder, flip))

    def test_presets_of_weights(self, torchvision, folder):
        from importlib import import_module

        preset = import_module("torchvision.transforms._presets").ImageClassification(crop_size=8)
        with pytest.raises(ju.InputError, match=r"standardizes its images with mean \(0.485, 0.45"):
            ju.data.load(torchvision.datasets.ImageFolder(folder, preset))

    def test_made_up_data(self, torchvision):
        fake = torchvision.datasets.FakeData(5, (3, 8, 8), 4)
        data = ju.data.load(fake, class_names=[*"abcd"])
        np.testing.assert_array_equal(data[2]["image"], np.asarray(fake[2][0]))
        assert data.labels.tolist() == [int(fake[index][1]) for index in range(5)]


class TestHuggingFace:
    @pytest.fixture
    def datasets(self):
        return pytest.importorskip("datasets")

    @pytest.fixture
    def table(self, datasets):
        features = datasets.Features(
            {"img": datasets.Image(), "fine": datasets.ClassLabel(names=NAMES)}
        )
        columns = {"img": [Image.fromarray(each) for each in PIXELS], "fine": LABELS}
        return datasets.Dataset.from_dict(columns, features=features)

    def test_images_labels_and_names(self, table):
        data = ju.data.load(table)
        assert (data.class_names, data.image_dtype) == (tuple(NAMES), np.uint8)
        np.testing.assert_array_equal(images_of(data), PIXELS)
        assert data.labels.tolist() == LABELS
        again = ju.data.load(table.select(range(6)))
        assert again.fingerprint == data.fingerprint
        assert ju.data.load(table.select([1, 0, 2, 3, 4, 5])).fingerprint != data.fingerprint

    @pytest.mark.parametrize("kind", ["torch", "numpy"])
    def test_formats(self, table, kind):
        if kind == "torch":
            pytest.importorskip("torch")
        data = ju.data.load(table.with_format(kind))
        np.testing.assert_array_equal(images_of(data), PIXELS)
        assert data.labels.tolist() == LABELS

    def test_functions_of_records(self, table):
        def swapped(batch):
            return {
                "pixels": [np.asarray(each)[..., ::-1] for each in batch["img"]],
                "kind": [2 - label for label in batch["fine"]],
            }

        data = ju.data.load(
            table.with_transform(swapped), image="pixels", label="kind", class_names=NAMES
        )
        np.testing.assert_array_equal(images_of(data), PIXELS[..., ::-1])
        assert data.labels.tolist() == [2 - label for label in LABELS]

    def test_splits(self, datasets, table):
        both = datasets.DatasetDict({"train": table, "test": table.select([0, 1])})
        assert len(ju.data.load(both, "test")) == 2
        with pytest.raises(ju.InputError, match="unknown split 'validation': data of type"):
            ju.data.load(both, "validation")

    def test_images_stand_upright_as_in_folders(self, datasets, tmp_path):
        path = tmp_path / "ape" / "0.png"
        path.parent.mkdir()
        path.write_bytes(oriented(PIXELS[0]))
        features = datasets.Features(
            {"image": datasets.Image(), "label": datasets.ClassLabel(names=NAMES)}
        )
        columns = {"image": [str(path)], "label": [0]}
        theirs = ju.data.load(datasets.Dataset.from_dict(columns, features=features))
        np.testing.assert_array_equal(
            theirs[0]["image"], ju.data.load(f"folder:{tmp_path}")[0]["image"]
        )

    def test_streams_and_files(self, datasets, table):
        with pytest.raises(ju.InputError, match="load it without streaming"):
            ju.data.load(table.to_iterable_dataset())
        files = table.cast_column("img", datasets.Image(decode=False))
        with pytest.raises(ju.InputError, match="image 0 of data 'Dataset' is of type dict"):
            ju.data.load(files)
