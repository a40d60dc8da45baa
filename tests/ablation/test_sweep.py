import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from jax import numpy as jnp

import jaxunits as ju
from jaxunits.ablation._question import Resampling
from jaxunits.networks._checks import check_classifier
from tests.outcomes import ROUNDING, assert_counts, before, logits_under, standardized
from tests.processes import code, output_of
from tests.reference import SMALL, forward, images_of, small_convnet

# Sums of float32 losses by class, each rounded to its last digits.
CLOSE = {"rtol": ROUNDING, "atol": 30 * ROUNDING}


@pytest.mark.parametrize("layer", ["conv1", "conv2", "conv3"])
def test_single_units_equal_a_brute_force_loop(trained, few_digits, layer):
    result = ju.ablation.sweep(trained, layer, few_digits, batch_size=64)
    images, labels = images_of(few_digits, SMALL)
    assert_counts(before(result), forward(trained, images), labels)
    np.testing.assert_array_equal(result["n_images"], np.bincount(labels, minlength=10))
    units = trained.layers[layer].num_units
    assert result.correct.sizes == {"unit": units, "class": 10}
    for unit in range(units):
        assert_counts(result.isel(unit=unit), forward(trained, images, (layer, [unit])), labels)


def test_the_trained_network_has_something_to_lose(trained, digits):
    results = [ju.ablation.sweep(trained, layer, digits) for layer in trained.layers]
    accuracy = int(results[0].correct_before.sum()) / len(digits)
    assert accuracy > 0.8
    assert max(float(result.max_class_accuracy_drop.max()) for result in results) > 0.1


def test_groups_and_constants_equal_a_brute_force_loop(trained, few_digits):
    groups = [[0], [1, 4], [], list(range(8))]
    masks = ju.ablation.groups(8, groups)
    value = np.linspace(0, 2, 8)
    result = ju.ablation.sweep(trained, "conv2", few_digits, masks, values=value)
    images, labels = images_of(few_digits, SMALL)
    for mask, group in enumerate(groups):
        logits = forward(trained, images, ("conv2", group), value[group])
        assert_counts(result.isel(mask=mask), logits, labels)
    np.testing.assert_array_equal(result.kept, masks)


def test_ablation_to_the_mean_sets_the_mean(trained, few_digits):
    images, labels = images_of(few_digits, SMALL)
    answers = np.asarray(trained.activations(jnp.asarray(images, jnp.float32), "conv3"))
    means = answers.astype(np.float64).mean((0, 1, 2))
    np.testing.assert_allclose(
        ju.ablation.unit_means(trained, "conv3", few_digits, batch_size=64),
        means,
        rtol=ROUNDING,
        atol=ROUNDING * means.max(),
    )
    result = ju.ablation.sweep(trained, "conv3", few_digits, values="mean")
    for unit in (0, 5, 9):
        logits = forward(trained, images, ("conv3", [unit]), means[unit])
        assert_counts(result.isel(unit=unit), logits, labels)
    assert result.attrs["values"] == "mean"


def test_mean_over_a_reference_set_is_another_measurement(trained, digits, few_digits):
    one = ju.ablation.sweep_settings(trained, "conv3", few_digits, values="mean")
    other = ju.ablation.sweep_settings(
        trained, "conv3", few_digits, values="mean", reference=digits
    )
    assert one["reference_fingerprint"] != other["reference_fingerprint"]


def test_all_masks_under_vmap_equal_one_mask_at_a_time(trained, clear_digits):
    together = ju.ablation.sweep(trained, "conv2", clear_digits, masks_at_once=9)
    assert together.attrs["masks_at_once"] == 9
    alone = [
        ju.ablation.sweep(trained, "conv2", clear_digits, mask[None])
        for mask in ju.ablation.single_units(8)
    ]
    for unit, result in enumerate(alone):
        np.testing.assert_array_equal(together.correct[unit], result.correct[0])
        np.testing.assert_allclose(together.loss_sum[unit], result.loss_sum[0], **CLOSE)


@pytest.mark.parametrize(
    "arguments",
    [
        {"batch_size": 1000},
        {"batch_size": 77, "masks_at_once": 100},
        {"batch_size": 64, "masks_at_once": 4},
        {"masks_at_once": 100, "max_memory": 2**21},
        {"method": "reference"},
        {"method": "reference", "masks_at_once": 4, "batch_size": 64},
    ],
)
def test_batches_chunks_and_memory_do_not_change_counts(trained, clear_digits, arguments):
    usual = ju.ablation.sweep(trained, "conv2", clear_digits)
    other = ju.ablation.sweep(trained, "conv2", clear_digits, **arguments)
    xr.testing.assert_equal(usual.correct, other.correct)
    xr.testing.assert_equal(usual["n_images"], other["n_images"])
    np.testing.assert_allclose(usual.loss_sum, other.loss_sum, **CLOSE)


@settings(max_examples=12)
@given(mask=hnp.arrays(bool, 10))
def test_any_group_equals_zeroed_activations(trained, few_digits, mask):
    result = ju.ablation.sweep(trained, "conv3", few_digits, mask[None])
    logits = logits_under(trained, "conv3", standardized(trained, few_digits), mask[None])
    assert_counts(result.isel(mask=0), logits[0], few_digits.labels)


@given(data=st.data(), units=st.integers(1, 12))
def test_masks_of_groups_and_of_their_complements(data, units):
    members = data.draw(st.lists(st.lists(st.integers(0, units - 1), unique=True), max_size=5))
    silenced = ju.ablation.groups(units, members)
    for mask, group in zip(silenced, members, strict=True):
        assert sorted(np.flatnonzero(mask == 0)) == sorted(group)
    np.testing.assert_array_equal(silenced + ju.ablation.all_but(units, members), 1)


def test_random_groups_have_their_size_and_repeat_by_seed():
    masks = ju.ablation.random_groups(20, 7, 50, seed=3)
    assert (masks == 0).sum(1).tolist() == [7] * 50
    np.testing.assert_array_equal(masks, ju.ablation.random_groups(20, 7, 50, seed=3))
    assert (masks != ju.ablation.random_groups(20, 7, 50, seed=4)).any()
    assert len(np.unique(masks, axis=0)) > 40


def test_drops_come_from_counts_of_unequal_classes(trained, few_digits):
    result = ju.ablation.sweep(trained, "conv1", few_digits)
    lost = result.correct_before.values - result.correct.values
    count = np.bincount(few_digits.labels)
    assert len(set(count)) > 1
    np.testing.assert_array_equal(result.overall_accuracy_drop, lost.sum(1) / len(few_digits))
    np.testing.assert_array_equal(result.class_accuracy_drop, lost / count)
    assert result.class_accuracy_drop.dims == ("unit", "class")
    worst = result.class_accuracy_drop.values.argmax(1)
    assert result.most_damaged_class.values.tolist() == [str(index) for index in worst]


def test_an_empty_class_is_named_and_not_divided_by(trained, few_digits):
    labels = few_digits.labels
    keep = labels != 7
    images = np.stack([few_digits[index]["image"] for index in np.flatnonzero(keep)])
    data = ju.data.load((images, labels[keep]), class_names=few_digits.class_names)
    result = ju.ablation.sweep(trained, "conv3", data)
    assert result.attrs["empty_classes"] == "7"
    assert np.isnan(result.class_accuracy_drop.sel({"class": "7"})).all()
    assert np.isfinite(result.max_class_accuracy_drop).all()
    assert np.isfinite(result.overall_accuracy_drop).all()


def test_most_damaging_units_come_first(trained, few_digits):
    result = ju.ablation.sweep(trained, "conv2", few_digits)
    order = ju.results.most_damaging(result, 8)
    drops = result.max_class_accuracy_drop.values[order]
    assert (np.diff(drops) <= 0).all()
    assert len(ju.results.most_damaging(result, 3)) == 3


def test_progress_counts_images_to_the_last(trained, few_digits):
    seen = []
    ju.ablation.sweep(
        trained, "conv3", few_digits, batch_size=128, progress=lambda *pair: seen.append(pair)
    )
    assert seen == [(128, 300), (256, 300), (300, 300)]


def test_provenance_says_where_the_numbers_come_from(trained, few_digits):
    result = ju.ablation.sweep(trained, "conv3", few_digits)
    attributes = result.attrs
    settings = ju.ablation.sweep_settings(trained, "conv3", few_digits)
    assert {key: attributes[key] for key in settings} == settings
    assert attributes["layer"] == "conv3"
    assert attributes["split"] == "validation"
    assert attributes["masks"] == "single units"
    assert attributes["jaxunits"] == ju.__version__
    assert attributes["run_seconds"] > 0
    assert result.correct.attrs["units"] == "images"
    other = small_convnet(seed=1)
    assert ju.ablation.sweep_settings(other, "conv3", few_digits) != settings


@pytest.mark.slow
def test_one_device_equals_eight(tmp_path):
    program = """
    import sys

    import jax

    jax.config.update("jax_num_cpu_devices", 8)
    import jaxunits as ju
    from tests.reference import small_convnet

    data = ju.data.load("digits", "validation[:500]")
    for count in (1, 2, 8):
        devices = jax.devices()[:count]
        assert len(devices) == count
        result = ju.ablation.sweep(
            small_convnet(), "conv2", data, batch_size=48, devices=devices
        )
        ju.results.write(result, f"{sys.argv[1]}/{count}.nc")
    """
    output_of(*code(program), tmp_path)
    one, two, eight = (ju.results.read(tmp_path / f"{count}.nc") for count in (1, 2, 8))
    xr.testing.assert_equal(one, two)
    xr.testing.assert_equal(one, eight)
    assert int(one.correct_before.sum()) > 0


def changed(network, name, change):
    """The network with another value of one of its arrays."""
    array = ju.networks.arrays(network)[name]
    return ju.networks.with_arrays(network, {name: change(array)})


def test_ablating_a_dead_unit_changes_nothing_at_all(few_digits):
    network = changed(small_convnet(), "conv3.bias", lambda bias: bias.at[4].set(-1e6))
    result = ju.ablation.sweep(network, "conv3", few_digits)
    np.testing.assert_array_equal(result.correct[4], result.correct_before)
    np.testing.assert_array_equal(result.loss_sum[4], result.loss_sum_before)
    others = [unit for unit in range(10) if unit != 4]
    assert (result.loss_sum[others] != result.loss_sum_before).any()


def refused(network, data, layer="conv3", **arguments):
    with pytest.raises(ju.InputError) as caught:
        ju.ablation.sweep(network, layer, data, **arguments)
    return str(caught.value)


def test_unknown_layer(trained, few_digits):
    assert refused(trained, few_digits, "conv9") == (
        "unknown layer 'conv9': network 'convnet' has conv1, conv2, conv3. Did you mean 'conv3'?"
    )


def test_mask_of_wrong_length(trained, few_digits):
    assert refused(trained, few_digits, masks=np.ones((2, 9))) == (
        "masks of shape (2, 9) for layer 'conv3': expected (masks, 10), one entry per unit"
    )


def test_mask_with_nan(trained, few_digits):
    masks = np.ones((2, 10))
    masks[1, 4] = np.nan
    assert refused(trained, few_digits, masks=masks) == (
        "masks for layer 'conv3' hold nan at [1, 4]: give finite numbers "
        "(1 keeps a unit, 0 ablates it)"
    )


def test_masks_that_are_not_numbers(trained, few_digits):
    masks = np.full((1, 10), "off")
    assert "masks of type <U3 for layer 'conv3': give numbers" in refused(
        trained, few_digits, masks=masks
    )


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ("median", "values='median': give 'zero', 'mean', 'resample' or one number per unit"),
        (
            np.zeros(3),
            "values of shape (3,) for layer 'conv3': give 'zero', 'mean', 'resample' or (10,)",
        ),
        (np.full(10, np.inf), "values for layer 'conv3' hold inf at [0]"),
    ],
)
def test_values_that_cannot_be_used(trained, few_digits, values, message):
    assert message in refused(trained, few_digits, values=values)


def test_no_image_is_resampled_from_itself(few_digits):
    for images in (few_digits, ju.data.subset(few_digits, range(2))):
        partners = Resampling(images, seed=1).partners(images)
        for index in range(len(images)):
            assert not np.array_equal(partners[index]["image"], images[index]["image"])
    others = ju.data.subset(few_digits, range(5, 9))
    assert len(Resampling(others, seed=1).partners(few_digits)) == len(few_digits)


def test_one_image_cannot_be_resampled(trained, few_digits):
    one = ju.data.subset(few_digits, [0])
    assert "there is no other to draw" in refused(trained, one, values="resample")


def test_images_of_the_wrong_channel_count(trained):
    data = ju.data.load((np.zeros((4, 28, 28, 3), np.uint8), np.arange(4)))
    assert refused(trained, data) == (
        "images of data 'arrays' have 3 channels and the network reads 1: build the network with "
        "Preprocessing(channels=3, ...), or load a folder with channels=1"
    )


def test_data_of_other_classes(trained):
    data = ju.data.load((np.zeros((4, 28, 28, 1), np.uint8), np.arange(4)))
    assert "gives 10 logits and data 'arrays' has 4 classes" in refused(trained, data)


def test_nan_in_parameters(few_digits):
    network = changed(small_convnet(), "conv2.bias", lambda bias: bias.at[3].set(jnp.nan))
    message = refused(network, few_digits)
    assert message.startswith(
        "parameter conv2.bias of network 'convnet' holds NaN or infinity in 1 of 8 places: "
        "restore an earlier checkpoint"
    )


def test_nan_in_logits(few_digits):
    network = changed(small_convnet(), "logits.kernel", lambda old: jnp.full(old.shape, 3e38))
    message = refused(network, few_digits)
    assert message.startswith(
        "a logit without ablation on image 0 of data 'arrays' is NaN or infinite (32 images"
    )


def test_nan_in_logits_under_one_mask(trained, few_digits):
    network = changed(trained, "logits.kernel", lambda kernel: kernel.at[6::10].set(10))
    values = np.zeros(10)
    values[6] = 3e38
    message = refused(network, few_digits, values=values)
    assert "under mask 6 of layer 'conv3'" in message


@pytest.mark.parametrize("arguments", [{"batch_size": 0}, {"max_memory": -1}, {"masks_at_once": 0}])
def test_sizes_below_one(trained, few_digits, arguments):
    assert "give a number above 0" in refused(trained, few_digits, **arguments)


def test_a_thing_that_is_no_network():
    with pytest.raises(
        ju.InputError, match=r"of type int: make it one with ju\.networks\.from_nnx"
    ):
        check_classifier(3)


@pytest.mark.parametrize("method", ["fast", "reference"])
def test_memory_decides_how_much_goes_at_once(trained, few_digits, method):
    def sizes(max_memory):
        attributes = ju.ablation.sweep(
            trained, "conv2", few_digits, method=method, masks_at_once=100, max_memory=max_memory
        ).attrs
        assert attributes["peak_bytes"] <= max_memory
        return attributes["masks_at_once"], attributes["batch_size"]

    assert sizes(2**40) == (9, 32)
    masks, images = sizes(2**21)
    assert 1 <= masks < 9
    masks, images = sizes(2**19)
    assert masks == 1
    assert images < 32


def test_too_little_memory_for_one_image_under_one_mask(trained, few_digits):
    message = refused(trained, few_digits, max_memory=1000)
    assert message.startswith("max_memory=1000: one image under one mask of layer 'conv3' takes ")
    assert message.endswith("bytes on the device, parameters included; allow at least that")
