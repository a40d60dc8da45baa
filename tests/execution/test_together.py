import collections

import numpy as np
import pytest
import xarray as xr

import jaxunits as ju

LAYERS = ["conv1", "conv2", "conv3"]
WANTED = [
    ju.ablation.Sweep(LAYERS),
    ju.attributes.Attributes(top_images=3),
    ju.topology.BirthPoints(["conv2"]),
]


class Counted:
    """Digits that count how often each is read."""

    def __init__(self, data):
        self.data = data
        self.reads = collections.Counter()

    def __len__(self):
        return len(self.data)

    def __getitem__(self, index):
        self.reads[int(index)] += 1
        return self.data[index]


def counted(data, images):
    source = Counted(ju.data.subset(data, np.arange(images)))
    loaded = ju.data.load(source, class_names=data.class_names)
    source.reads.clear()
    return source, loaded


def test_every_image_is_read_once_for_all(trained, few_digits):
    source, data = counted(few_digits, 90)
    swept, attributes, births = ju.measure(
        trained, data, WANTED, batch_size=16, images_per_piece=32, progress=False
    )
    assert source.reads == dict.fromkeys(range(90), 1)
    assert list(swept) == LAYERS
    assert list(attributes) == list(trained.layers)
    for name in LAYERS:
        alone = ju.ablation.sweep(trained, name, data, batch_size=16)
        xr.testing.assert_equal(swept[name], alone)
        collected = ju.attributes.collect(trained, name, data, batch_size=16, top_images=3)
        xr.testing.assert_allclose(attributes[name], collected, rtol=1e-5, atol=1e-6)
    alone = ju.topology.layer_birth_points(trained, "conv2", data, batch_size=16)
    xr.testing.assert_equal(births["conv2"], alone)


def test_layers_of_a_sweep_share_a_pass(trained, few_digits, tmp_path):
    source, data = counted(few_digits, 40)
    found = ju.ablation.sweep(trained, None, data, file=tmp_path / "sweeps", batch_size=16)
    assert source.reads == dict.fromkeys(range(40), 1)
    assert list(found) == list(trained.layers)
    again = ju.ablation.sweep(trained, ["conv2"], data, file=tmp_path / "sweeps", batch_size=16)
    assert source.reads == dict.fromkeys(range(40), 1)
    xr.testing.assert_identical(again["conv2"], found["conv2"])
    with pytest.raises(ju.InputError, match="with several layers: give one layer"):
        ju.ablation.sweep(trained, None, data, np.ones((1, 8)))


def test_what_was_stopped_goes_on_where_it_was(trained, few_digits, tmp_path):
    def stop(done, total):
        if done > 40:
            raise KeyboardInterrupt

    options = {"file": tmp_path / "all", "batch_size": 16, "images_per_piece": 16}
    source, data = counted(few_digits, 90)
    with pytest.raises(KeyboardInterrupt):
        ju.measure(trained, data, WANTED, progress=stop, **options)
    source.reads.clear()
    found = ju.measure(trained, data, WANTED, progress=False, **options)
    # The piece that was stopped, for some, and one that was read ahead.
    assert 40 <= len(source.reads) < 90
    whole = ju.measure(trained, data, WANTED, progress=False, batch_size=16, images_per_piece=16)
    for one, other in zip(found, whole, strict=True):
        assert list(one) == list(other)
        for name, result in one.items():
            xr.testing.assert_equal(result, other[name])
    names = {path.name for path in (tmp_path / "all").glob("*.nc")}
    assert names == {
        *(f"ablation_{name}.nc" for name in LAYERS),
        *(f"attributes_{name}.nc" for name in trained.layers),
        "births_conv2.nc",
    }


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ([], "give a list of what to measure"),
        ([ju.ablation.Sweep(), ju.ablation.Sweep("conv2")], "ablation is wanted twice"),
        (["conv2"], "wanted of type str: give ju.ablation.Sweep"),
        ([ju.ablation.Sweep("conv9")], "unknown layer 'conv9'"),
        ([ju.ablation.Sweep(values="resample")], "values='resample' of Sweep: give 'zero' or"),
        ([ju.topology.BirthPoints(limit=0)], "limit=0"),
    ],
)
def test_what_cannot_be_wanted(trained, few_digits, wanted, expected):
    with pytest.raises(ju.InputError, match=expected):
        ju.measure(trained, few_digits, wanted)
