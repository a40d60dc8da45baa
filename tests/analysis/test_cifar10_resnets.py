"""The study of ResNets with public weights, on images and weights of the same form."""

import json

import numpy as np
import pytest
from PIL import Image

import jaxunits as ju
from jaxunits.analysis.experiment import experiments
from jaxunits.configs import cifar10_resnets, cifar10_trained
from jaxunits.train.command import configurations

COUNTS = {"test_batch": 12, "data_batch_1": 5, "data_batch_2": 7}


@pytest.fixture(scope="module")
def pixels():
    random = np.random.default_rng(0)
    return {
        name: random.integers(0, 256, (count, 32, 32, 3), np.uint8)
        for name, count in COUNTS.items()
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory, pixels):
    """Images as rows, and weights under the public ones' name."""
    folder = tmp_path_factory.mktemp("cifar10")
    for name, images in pixels.items():
        Image.fromarray(images.reshape(len(images), -1, 3)).save(folder / f"{name}.png")
    for split, count in (("test", 12), ("train", 12)):
        labels = np.arange(count) % 10
        (folder / f"{split}_labels.json").write_text(json.dumps(labels.tolist()))
    network = ju.networks.cifar_resnet(20, seed=5)
    ju.networks.save_weights(network, folder / "cifar10_resnet20.safetensors")
    return folder


def run(folder, *arguments):
    given = ["--weights", folder, "--images", folder, "--folder", folder / "runs", "--depths", 20]
    return cifar10_resnets.main([str(each) for each in (*given, *arguments)])


def test_rows_are_images_and_batches_follow_each_other(folder, pixels):
    training = cifar10_resnets.images(str(folder), "train")
    held = np.concatenate([pixels["data_batch_1"], pixels["data_batch_2"]])
    assert len(training) == 12
    for index in (0, 4, 5, 11):
        np.testing.assert_array_equal(training[index]["image"], held[index])
        assert training.class_names[training[index]["label"]] == cifar10_resnets.CLASSES[index % 10]


def test_rows_become_a_folder_for_each_class(folder, pixels, tmp_path):
    cifar10_trained.write_folders(folder, tmp_path)
    for split, numbers in (("test", range(12)), ("test_fifth", (0, 5, 10))):
        files = {path.name: path for path in (tmp_path / split).glob("*/*.png")}
        assert files.keys() == {f"{number:05}.png" for number in numbers}
        for number in numbers:
            path = files[f"{number:05}.png"]
            assert path.parent.name == cifar10_resnets.CLASSES[number % 10]
            found = np.asarray(Image.open(path))
            np.testing.assert_array_equal(found, pixels["test_batch"][number])


def test_it_is_no_configuration_to_train_and_its_experiments_are_there():
    assert "cifar10_resnets" not in configurations()
    assert set(cifar10_resnets.EXPERIMENTS) <= set(experiments())


def test_counts_correct_images(folder, pixels, capsys):
    assert run(folder, "--evaluate") == 0
    # torchvision's numbers for RGB/255, which the weights were trained with.
    images = pixels["test_batch"] / 255
    images = (images - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    network = ju.networks.cifar_resnet(20, seed=5)
    found = np.asarray(network(images.astype(np.float32))).argmax(1)
    right = int((found == np.arange(12) % 10).sum())
    assert f"ResNet-20: {right} of 12 images correct" in capsys.readouterr().out


@pytest.mark.slow
def test_measures_with_what_follows_the_dashes_and_resumes(folder, capsys, monkeypatch):
    asked = ("--test-images", 10, "--", "correlations", "phase_transition", "--layers", "layer3.2")
    options = ("--topology.random-orders", 2, "--topology.classes", "cat", "dog")
    assert run(folder, *asked, *options) == 0
    page = (folder / "runs/resnet20/seed0/report.html").read_text()
    assert "on 10 images" in " ".join(page.split())
    assert "Cumulative ablation and the phase transition" in page
    assert "layer3.1" not in page
    monkeypatch.delattr(ju.ablation, "sweep")
    monkeypatch.delattr(ju.ablation, "cumulative")
    assert run(folder, *asked, *options) == 0
    assert (folder / "runs/resnet20/seed0/report.html").read_text() == page
    capsys.readouterr()
    with pytest.raises(SystemExit):
        run(folder, *asked, "--no-such-option")
    assert "Unrecognized options: --no-such-option" in capsys.readouterr().err
