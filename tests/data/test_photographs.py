"""Real photographs: CIFAR-10 as JPEG files in one folder a class."""

import os
from pathlib import Path

import numpy as np
import pytest

import jaxunits as ju

FOLDER = os.environ.get("JAXUNITS_TEST_DATA")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        FOLDER is None, reason="set JAXUNITS_TEST_DATA to a folder with data/cifar10_jpeg_test.npz"
    ),
]


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """300 test images of all classes; offsets say where each file ends and the next begins."""
    folder = tmp_path_factory.mktemp("cifar10")
    with np.load(Path(FOLDER) / "data" / "cifar10_jpeg_test.npz", allow_pickle=False) as file:
        content, offset, label = (file[name] for name in ("jpeg", "offset", "label"))
    for index in np.linspace(0, len(label) - 1, 300).astype(int):
        path = folder / "test" / f"class{label[index]}" / f"{index:05d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content[offset[index] : offset[index + 1]].tobytes())
    return folder


def test_photographs_load_and_run_through_a_sweep(tree):
    data = ju.data.load(f"folder:{tree}", "test")
    assert (len(data), len(data.class_names), data.channels) == (300, 10, 3)
    assert data[0]["image"].shape == (32, 32, 3)
    assert 50 < np.mean([data[index]["image"].mean() for index in range(300)]) < 200
    network = ju.networks.convnet(10, widths=(8, 8, 8, 8))
    result = ju.ablation.sweep(network, "conv4", data)
    assert int(result["n_images"].sum()) == 300
    assert np.isfinite(result.loss).all()
    assert float(abs(result.loss - result.loss_before).max()) > 0


def test_photographs_are_resized_for_larger_networks(tree):
    data = ju.data.load(f"folder:{tree}", "test", channels=1)
    preprocessing = ju.data.Preprocessing(size=(48, 48), channels=1, resize=56)
    batch = next(ju.data.batches(data, preprocessing, 16))
    assert batch.images.shape == (16, 48, 48, 1)
    assert batch.images.std() > 0.1
