"""Memory, precision, pieces, kills, several processes, the plan."""

import jax
import numpy as np
import pytest
import xarray as xr
from jax import numpy as jnp

import jaxunits as ju
from jaxunits.ablation import _program
from jaxunits.ablation._fast import Fast
from jaxunits.ablation._question import question_of
from jaxunits.ablation._reference import Reference
from jaxunits.execution import Store
from tests.outcomes import assert_counts, before, standardized, without_near_ties
from tests.reference import SMALL, small_convnet


def stop_after_100(done, total):
    if done > 100:
        raise KeyboardInterrupt


def pieces_in(folder):
    return len(list(folder.glob("piece-*"))) if folder.is_dir() else 0


def test_a_finished_file_is_read_and_a_changed_question_refused(trained, few_digits, tmp_path):
    file = tmp_path / "sweep.nc"
    first = ju.ablation.sweep(trained, "conv3", few_digits, file=file)
    content = file.read_bytes()
    again = ju.ablation.sweep(trained, "conv3", few_digits, file=file)
    xr.testing.assert_identical(first, again)
    xr.testing.assert_identical(first, ju.results.read_result(file))
    with pytest.raises(ju.InputError) as caught:
        ju.ablation.sweep(small_convnet(seed=1), "conv3", few_digits, file=file)
    assert str(caught.value).startswith(
        f"measurement {file} belongs to another configuration: parameters is '"
    )
    with pytest.raises(ju.InputError, match="values is 'zero' there and 'mean' now"):
        ju.ablation.sweep(trained, "conv3", few_digits, file=file, values="mean")
    assert file.read_bytes() == content


def test_unfinished_pieces_of_another_question_are_refused(trained, few_digits, tmp_path):
    arguments = {"file": tmp_path / "a.nc", "batch_size": 32, "images_per_piece": 32}
    with pytest.raises(KeyboardInterrupt):
        ju.ablation.sweep(trained, "conv3", few_digits, progress=stop_after_100, **arguments)
    assert pieces_in(tmp_path / "a.pieces") == 3
    with pytest.raises(ju.InputError, match="layer is 'conv3' there and 'conv2' now"):
        ju.ablation.sweep(trained, "conv2", few_digits, **arguments)
    seen = []
    resumed = ju.ablation.sweep(
        trained, "conv3", few_digits, progress=lambda *pair: seen.append(pair), **arguments
    )
    assert seen[0] == (128, 300)
    whole = ju.ablation.sweep(trained, "conv3", few_digits, batch_size=32)
    xr.testing.assert_equal(resumed.correct, whole.correct)
    xr.testing.assert_equal(resumed.loss_sum, whole.loss_sum)


def test_a_damaged_piece_is_named(trained, few_digits, tmp_path):
    arguments = {"file": tmp_path / "a.nc", "batch_size": 32, "images_per_piece": 32}
    with pytest.raises(KeyboardInterrupt):
        ju.ablation.sweep(trained, "conv3", few_digits, progress=stop_after_100, **arguments)
    (tmp_path / "a.pieces" / "piece-000000032").write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(ju.InputError, match=r"piece .*piece-000000032 cannot be read \("):
        ju.ablation.sweep(trained, "conv3", few_digits, **arguments)


@pytest.mark.parametrize("content", [b"", b"[3, 4]", bytes(range(256)) * 3])
def test_no_changed_piece_is_read(tmp_path, content):
    store = Store(tmp_path)
    store[7] = content
    assert store[7] == content
    path = tmp_path / "piece-000000007"
    sealed = path.read_bytes()
    changes = [sealed[:end] for end in range(0, len(sealed), 9)]
    for place in range(len(sealed)):
        changes.append(sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :])
    for changed in changes:
        path.write_bytes(changed)
        with pytest.raises(ju.InputError, match=r"piece-000000007 cannot be read \("):
            store[7]
    path.unlink()
    path.mkdir()
    with pytest.raises(ju.InputError, match="piece-000000007 is not a regular file"):
        store[7]


def test_a_damaged_file_of_times_is_named(trained, few_digits, tmp_path):
    file = tmp_path / "sweep.nc"
    whole = ju.ablation.sweep(trained, "conv3", few_digits, file=file)
    timing = tmp_path / "sweep.timing.json"
    timing.write_text(timing.read_text().replace("run_seconds", "ran_seconds"))
    with pytest.raises(ju.InputError, match=r"sweep.timing.json is damaged \(.*delete it"):
        ju.results.read_result(file)
    timing.unlink()
    xr.testing.assert_equal(ju.results.read_result(file), whole)


def test_running_out_of_memory_halves_and_goes_on(trained, clear_digits, monkeypatch):
    usual = ju.ablation.sweep(trained, "conv2", clear_digits, masks_at_once=8, method="reference")
    run = _program.Program.run
    tried = []

    def limited(self, batch):
        tried.append((self.masks_at_once, self.batch_size))
        if self.masks_at_once * self.batch_size > 24:
            raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 8 bytes")
        return run(self, batch)

    monkeypatch.setattr(_program.Program, "run", limited)
    result = ju.ablation.sweep(trained, "conv2", clear_digits, masks_at_once=8, method="reference")
    assert list(dict.fromkeys(tried)) == [(5, 32), (2, 32), (1, 32), (1, 16)]
    xr.testing.assert_equal(result.correct, usual.correct)
    assert (result.attrs["masks_at_once"], result.attrs["batch_size"]) == (1, 16)

    monkeypatch.setattr(_program.Program, "run", lambda *_: limited_error())
    with pytest.raises(ju.InputError, match="ran out of memory with one image under one mask"):
        ju.ablation.sweep(trained, "conv2", clear_digits)


def limited_error():
    raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 8 bytes")


def test_other_device_errors_are_not_hidden(trained, few_digits, monkeypatch):
    def broken(self, batch):
        raise jax.errors.JaxRuntimeError("INTERNAL: a broken device")

    monkeypatch.setattr(_program.Program, "run", broken)
    with pytest.raises(jax.errors.JaxRuntimeError, match="a broken device"):
        ju.ablation.sweep(trained, "conv3", few_digits)


@pytest.mark.parametrize("count", [40, 300])
@pytest.mark.parametrize("layer", ["conv1", "conv3"])
def test_three_programs_whatever_the_images_and_units(few_digits, layer, count):
    # A network of its own: programs are kept, and no other test has compiled these.
    network = small_convnet(widths=(3, 5, 11))
    data = ju.data.subset(few_digits, np.arange(count))
    result = ju.ablation.sweep(network, layer, data, batch_size=count // 10 + 3)
    assert result.attrs["programs"] == 3
    assert result.attrs["peak_bytes"] > 0


def test_other_weights_and_images_compile_nothing(trained, few_digits):
    first = ju.ablation.sweep(trained, "conv3", few_digits, values="mean")
    halved = jax.tree.map(lambda leaf: leaf / 2, trained.params)
    others = ju.data.subset(few_digits, np.arange(100, 200))
    second = ju.ablation.sweep(trained.with_params(halved), "conv3", others, values="mean")
    assert second.attrs["programs"] == 0
    assert second.attrs["parameters"] != first.attrs["parameters"]


@pytest.mark.slow
def test_checked_precision_has_the_counts_of_float32(trained, digits):
    clear = without_near_ties(trained, ju.data.subset(digits, np.arange(300)))
    differing = 0
    for layer in trained.layers:
        exact = ju.ablation.sweep(trained, layer, clear)
        checked = ju.ablation.sweep(trained, layer, clear, precision="checked")
        low = ju.ablation.sweep(trained, layer, clear, precision="bfloat16")
        xr.testing.assert_equal(exact.correct, checked.correct)
        xr.testing.assert_equal(exact.confusion, checked.confusion)
        differing += int(np.abs(exact.correct - low.correct).sum())
        assert 0 < checked.attrs["repeated_share"] < 0.9
        assert exact.attrs["repeated_share"] == low.attrs["repeated_share"] == 0
        np.testing.assert_allclose(checked.loss, exact.loss, rtol=0.1, atol=0.05)
        assert checked.attrs["precision"] == "checked"
    # Of 7,000 images under masks, some are nearer than bfloat16 can tell.
    assert differing > 0


def test_checked_precision_where_one_batch_holds_all(trained, few_digits):
    exact = ju.ablation.sweep(trained, "conv3", few_digits, batch_size=300)
    checked = ju.ablation.sweep(trained, "conv3", few_digits, batch_size=300, precision="checked")
    xr.testing.assert_equal(exact.correct, checked.correct)
    assert checked.attrs["repeated_share"] == 1


def test_the_plan_says_what_a_sweep_costs(trained):
    data = ju.data.load("digits", "validation[:300]")
    question = question_of(trained, "conv2", data, ju.ablation.Execution())
    work, reference = (each.work(question) for each in (Fast, Reference))
    conv2 = 14 * 14 * 9 * 6 * 8
    conv3 = 7 * 7 * 9 * 8 * 10
    assert work.prefix == 28 * 28 * 9 * 6 + conv2
    assert (work.base, work.bases) == (conv3, 1)
    assert work.each == conv3 // 8 + 7 * 7 * 10 * 10
    assert reference.each == conv3 + 7 * 7 * 10 * 10
    (one,) = ju.plan(ju.ablation.sweep, trained, "conv2", data).passes
    assert (one.measured, one.layers, one.images, one.steps) == ("sweep", ("conv2",), 300, 1)
    assert min(one.batch_seconds, one.run_seconds, one.read_seconds) > 0
    text = str(one)
    assert text.startswith("sweep of conv2: 300 images, ")
    assert (
        "method: fast (246,078 multiply-adds per image on the fast path, 488,628 otherwise)" in text
    )
    assert f"plain passes: {246_078 / (reference.prefix + reference.each):.2f}; by the" in text
    result = ju.ablation.sweep(trained, "conv2", data)
    assert result.attrs.items() >= one.how.items()
    assert one.how["multiply_adds"] == str(work.total) == "246078"


@pytest.mark.parametrize(
    "arguments",
    [
        {"values": "mean"},
        {"values": "resample", "seed": 3},
        {"other_masks": {"conv2": np.ones((10, 8))}, "method": "reference"},
    ],
    ids=["mean", "resample", "other_masks"],
)
def test_the_plan_is_that_of_the_sweep_with_the_same_arguments(trained, few_digits, arguments):
    plan = ju.plan(ju.ablation.sweep, trained, "conv3", few_digits, **arguments)
    result = ju.ablation.sweep(trained, "conv3", few_digits, **arguments)
    means = ["unit means"] if arguments.get("values") == "mean" else []
    assert [each.measured for each in plan.passes] == [*means, "sweep"]
    assert result.attrs.items() >= plan.passes[-1].how.items()
    with pytest.raises(ju.InputError, match="values='median'"):
        ju.plan(ju.ablation.sweep, trained, "conv3", few_digits, values="median")


def test_paths_are_chosen_and_explained(trained, clear_digits):
    fast = ju.ablation.sweep(trained, "conv3", clear_digits)
    assert fast.attrs["method"] == "fast"
    total = int(fast.attrs["multiply_adds"])
    assert fast.attrs["method_reason"].startswith(f"{total:,} multiply-adds per image on the fast")
    mixed = ju.ablation.sweep(trained, "conv3", clear_digits, np.full((1, 10), 0.5))
    assert mixed.attrs["method"] == "reference"
    assert mixed.attrs["method_reason"] == "masks hold numbers other than 0 and 1"
    with pytest.raises(ju.InputError, match="method='fast': masks hold numbers other than 0 and 1"):
        ju.ablation.sweep(trained, "conv3", clear_digits, np.full((1, 10), 0.5), method="fast")
    with pytest.raises(ju.InputError, match="method='slow': give one of auto, fast, reference"):
        ju.ablation.sweep(trained, "conv3", clear_digits, method="slow")


@pytest.mark.parametrize("method", ["fast", "reference"])
def test_functions_of_masks_are_measured_like_modules(trained, clear_digits, method):
    expected = ju.ablation.sweep(trained, "conv3", clear_digits, method="reference")

    def classify(params, images, masks):
        return trained.function(params, images, masks)

    own = ju.networks.from_callable(
        classify, trained.params, layers={"conv3": 10}, preprocessing=SMALL
    )
    found = ju.ablation.sweep(own, "conv3", clear_digits, method=method)
    assert found.attrs["method"] == method
    xr.testing.assert_equal(found.correct, expected.correct)


@pytest.mark.parametrize("method", ["fast", "reference"])
def test_masks_of_weights_are_measured_to_zero_alone(trained, clear_digits, method):
    """A function that masks the weights that lead out of its units, not the units."""
    expected = ju.ablation.sweep(trained, "conv3", clear_digits, method="reference")
    weights = ju.networks.arrays(trained)

    def classify(params, images, masks):
        units = trained.function.activations(trained.params, images, "conv3")
        kernel = params["kernel"].reshape(-1, 10, 10) * masks["conv3"].reshape(1, -1, 1)
        return units.reshape(len(images), -1) @ kernel.reshape(-1, 10) + params["bias"][None]

    params = {kind: weights[f"logits.{kind}"] for kind in ("kernel", "bias")}
    own = ju.networks.from_callable(classify, params, layers={"conv3": 10}, preprocessing=SMALL)
    found = ju.ablation.sweep(own, "conv3", clear_digits, method=method)
    xr.testing.assert_equal(found.correct, expected.correct)
    with pytest.raises(ju.InputError, match="cannot be ablated to values other than zero"):
        ju.ablation.sweep(own, "conv3", clear_digits, values=np.ones(10), method=method)
    with pytest.raises(ju.InputError, match="layer 'conv3' does not show its activations"):
        ju.ablation.directions(own, "conv3", clear_digits, np.eye(10), method=method)


def test_masks_of_other_layers_go_by_any_of_their_names(families, few_digits):
    network = families["residual"]
    held = 1 - np.eye(6)[2]
    one, other = (
        ju.ablation.sweep_settings(network, "layer1", few_digits, other_masks={name: held})
        for name in ("conv1", "bn1")
    )
    assert one == other
    with pytest.raises(ju.InputError, match="other_masks hold layer 'conv1' too"):
        ju.ablation.sweep(network, "conv1", few_digits, other_masks={"bn1": held})
    both = {"conv1": held, "bn1": held}
    with pytest.raises(ju.InputError, match="other_masks hold layer 'conv1' twice"):
        ju.ablation.sweep(network, "layer1", few_digits, other_masks=both)


@pytest.mark.parametrize("method", ["fast", "reference"])
def test_masks_of_several_layers(trained, few_digits, method):
    masks = ju.ablation.groups(8, [[0], [3], []])
    held = 1 - np.eye(6)[2]
    along = ju.ablation.groups(10, [[1], [], [5, 6]])
    result = ju.ablation.sweep(
        trained,
        "conv2",
        few_digits,
        masks,
        other_masks={"conv1": held, "conv3": along},
        method=method,
    )
    assert result.attrs["method"] == method
    images = jnp.asarray(standardized(trained, few_digits))

    def logits(masks):
        masks = {name: jnp.asarray(mask, jnp.float32) for name, mask in masks.items()}
        return np.asarray(trained(images, masks))

    assert_counts(before(result), logits({"conv1": held}), few_digits.labels)
    for number in range(3):
        expected = logits({"conv1": held, "conv2": masks[number], "conv3": along[number]})
        assert_counts(result.isel(mask=number), expected, few_digits.labels)


def test_masks_of_an_earlier_layer_that_vary_take_the_reference_path(trained, few_digits):
    other = {"conv1": ju.ablation.groups(6, [[0], [1]])}
    masks = ju.ablation.groups(8, [[0], [3]])
    result = ju.ablation.sweep(trained, "conv2", few_digits, masks, other_masks=other)
    assert result.attrs["method_reason"] == (
        "masks of layer 'conv1', before layer 'conv2', differ from row to row"
    )
    with pytest.raises(ju.InputError, match="2 masks of layer 'conv1' in other_masks beside 1"):
        ju.ablation.sweep(trained, "conv2", few_digits, masks[:1], other_masks=other)
    with pytest.raises(ju.InputError, match="other_masks hold layer 'conv2' too"):
        ju.ablation.sweep(trained, "conv2", few_digits, masks, other_masks={"conv2": masks})


def test_confusions_and_broken_images_are_those_of_the_predictions(trained, clear_digits):
    result = ju.ablation.sweep(trained, "conv2", clear_digits)
    images = jnp.asarray(standardized(trained, clear_digits))
    labels = clear_digits.labels
    before = np.asarray(trained(images).argmax(1))
    for unit in range(8):
        mask = jnp.asarray(ju.ablation.single_units(8)[unit])
        after = np.asarray(trained(images, {"conv2": mask}).argmax(1))
        worst = int(result.most_damaged_class[unit].item())
        expected = np.bincount(after[labels == worst], minlength=10)
        np.testing.assert_array_equal(result.confusion[unit], expected)
        unchanged = np.bincount(before[labels == worst], minlength=10)
        np.testing.assert_array_equal(result.confusion_before[unit], unchanged)
        broken = np.bincount(labels[(before == labels) & (after != labels)], minlength=10)
        np.testing.assert_array_equal(result.broken[unit], broken)
