import contextlib
import dataclasses
import json
import warnings

import numpy as np
import pytest
from PIL import Image

import jaxunits as ju

PRESETS = {
    "IMAGENET": ju.data.IMAGENET,
    "IMAGENET_WHOLE": ju.data.IMAGENET_WHOLE,
    "KERAS_VGG16": ju.data.KERAS_VGG16,
    "CIFAR10": ju.data.CIFAR10,
}
SHAPES = [(300, 400), (500, 333), (256, 256), (32, 32), (224, 224)]


def photograph(shape):
    """Smooth colors with some noise."""
    random = np.random.default_rng(0)
    small = random.integers(0, 256, (8, 8, 3), np.uint8)
    large = np.asarray(
        Image.fromarray(small).resize((shape[1], shape[0]), Image.Resampling.BICUBIC)
    )
    noise = random.integers(-20, 20, large.shape)
    return np.clip(large.astype(np.int64) + noise, 0, 255).astype(np.uint8)


@contextlib.contextmanager
def other_library():
    """Within, what another library warns of is its own affair."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.fixture(scope="module")
def transforms():
    with other_library():
        return pytest.importorskip("torchvision").transforms


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", ["IMAGENET", "IMAGENET_WHOLE", "CIFAR10"])
def test_as_torchvision_does(transforms, name, shape):
    preset = PRESETS[name]
    resize = (
        [transforms.Resize(256), transforms.CenterCrop(224)]
        if name == "IMAGENET"
        else [transforms.Resize(preset.size)]
    )
    steps = [*resize, transforms.ToTensor(), transforms.Normalize(preset.mean, preset.std)]
    image = photograph(shape)
    expected = transforms.Compose(steps)(Image.fromarray(image)).numpy().transpose(1, 2, 0)
    np.testing.assert_allclose(preset(image), expected, rtol=0, atol=1e-6)


def test_colors_of_imagenet_are_those_of_torchvisions_weights(transforms):
    with other_library():
        models = pytest.importorskip("torchvision.models")
    trained = models.ResNet50_Weights.IMAGENET1K_V1.transforms()
    preset = ju.data.IMAGENET
    assert (list(preset.mean), list(preset.std)) == (trained.mean, trained.std)
    assert ([preset.resize], [preset.size[0]]) == (trained.resize_size, trained.crop_size)


def test_as_keras_does():
    with other_library():
        vgg16 = pytest.importorskip("keras").applications.vgg16
    image = photograph((224, 224))
    expected = vgg16.preprocess_input(image.astype(np.float32))
    np.testing.assert_allclose(ju.data.KERAS_VGG16(image), expected, rtol=0, atol=1e-4)


def test_vgg16_by_hand():
    image = photograph((224, 224))
    expected = image[..., ::-1].astype(np.float64) - [103.939, 116.779, 123.68]
    np.testing.assert_allclose(ju.data.KERAS_VGG16(image), expected, rtol=0, atol=1e-4)


def test_resized_crops_are_torchvisions(transforms):
    image = photograph((120, 90))
    augmentation = ju.data.Augmentation(crop="resized", flip=False)
    preprocessing = ju.data.Preprocessing((32, 24), 3)
    for numbers in augmentation.numbers(0, 0, 20):
        window = augmentation.window(120, 90, numbers)
        expected = transforms.functional.resized_crop(Image.fromarray(image), *window, [32, 24])
        found = augmentation(image, preprocessing, numbers)
        np.testing.assert_array_equal(found, np.asarray(expected))


@pytest.mark.parametrize("shape", [(10, 400), (400, 10), (1, 9), (37, 11)])
def test_crops_that_fit_nowhere_are_torchvisions(transforms, shape):
    augmentation = ju.data.Augmentation(crop="resized", scale=(1.0, 1.0))
    crop = transforms.RandomResizedCrop(8, scale=(1.0, 1.0))
    expected = crop.get_params(Image.new("L", shape[::-1]), crop.scale, crop.ratio)
    window = augmentation.window(*shape, augmentation.numbers(0, 0, 1)[0])
    assert window == tuple(expected)


@pytest.mark.parametrize("shape", [(200, 200), (120, 300)])
def test_areas_shapes_and_places_are_distributed_as_torchvisions(transforms, shape):
    import torch

    torch.manual_seed(0)
    augmentation = ju.data.Augmentation(crop="resized")
    crop = transforms.RandomResizedCrop(8)
    picture = Image.new("L", shape[::-1])
    count = 4000
    theirs = [crop.get_params(picture, crop.scale, crop.ratio) for _ in range(count)]
    ours = [augmentation.window(*shape, each) for each in augmentation.numbers(0, 0, count)]
    for quantity in (
        lambda top, left, height, width: top,
        lambda top, left, height, width: left,
        lambda top, left, height, width: height * width,
        lambda top, left, height, width: np.log(width / height),
    ):
        first, second = (
            np.asarray([quantity(*each) for each in found]) for found in (ours, theirs)
        )
        grid = np.sort(np.concatenate([first, second]))
        shares = (np.searchsorted(np.sort(each), grid, "right") / count for each in (first, second))
        # The two-sample Kolmogorov-Smirnov bound at 0.001.
        assert abs(np.subtract(*shares)).max() < 1.95 * np.sqrt(2 / count)


@pytest.mark.parametrize("name", PRESETS)
def test_survives_a_run_folder(name, tmp_path):
    network = ju.networks.mlp(3, widths=[2], preprocessing=PRESETS[name])
    ju.networks.save_architecture(network, tmp_path)
    arguments = json.loads((tmp_path / "network.json").read_text())["arguments"]
    stored = arguments["preprocessing"]
    restored = {
        key: tuple(value) if isinstance(value, list) else value for key, value in stored.items()
    }
    assert ju.data.Preprocessing(**restored) == PRESETS[name]
    # As files were written before the order was stored.
    if name != "KERAS_VGG16":
        del restored["order"]
        assert ju.data.Preprocessing(**restored) == PRESETS[name]


def test_is_a_frozen_value():
    assert dataclasses.replace(ju.data.IMAGENET, resize=None) == ju.data.IMAGENET_WHOLE
    assert ju.data.IMAGENET.order == "rgb"
