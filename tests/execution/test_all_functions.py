"""What holds for every measuring function, because one loop carries all of them out."""

import dataclasses
import shutil

import jax
import numpy as np
import pytest
import xarray as xr
from jax import numpy as jnp

import jaxunits as ju
from jaxunits.ablation._program import Program
from jaxunits.execution import LookEngine
from tests.execution.functions import (
    COMMON,
    FUNCTIONS,
    KINDS,
    LEVELS,
    OF_DATA,
    OF_LAYER,
    STEPS,
    WITHOUT_DATA,
    assert_same,
    every,
    left_beside,
    measured,
    of_each_kind,
)
from tests.reference import forward, layers_of, linear, pooled

with_data = pytest.mark.parametrize(
    "name", [name for name in FUNCTIONS if name not in WITHOUT_DATA]
)
with_attributes = pytest.mark.parametrize(
    "name", [name for name in FUNCTIONS if name != "unit_means"]
)


def pixels_of(data):
    return np.stack([data[index]["image"] for index in range(len(data))])


# That what is compared below is the same on every processor.


def test_no_sum_of_the_network_rounds(network, data):
    """All numbers are multiples of one that float32 holds, whatever is added first."""
    images = pixels_of(data)
    arrays = ju.networks.arrays(network)
    sizes = ju.networks.with_arrays(network, {key: abs(arrays[key]) for key in arrays})
    state, unit = images.astype(np.float64), 1 / LEVELS
    for layer in layers_of(network):
        unit /= STEPS
        # Directions have two bits more, and twice the size.
        assert linear(sizes, layer, state).max() / unit < 2**24 / 8
        state = np.maximum(linear(network, layer, state), 0)
        state = pooled(state) if layer in network.module.pool_after else state
    logits = forward(network, images)
    assert (logits.argmax(1) == data.labels).mean() > 0.8
    found = network.function(network.params, jnp.asarray(images), {})
    np.testing.assert_array_equal(logits, found)


# Memory.


def out_of_memory():
    raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 8 bytes")


@pytest.fixture
def limited(monkeypatch):
    """Give a function that is called before every batch with its size."""

    def set_limit(check):
        one, shared = LookEngine._one, Program.shared
        monkeypatch.setattr(
            LookEngine, "_one", lambda self, *rest: check(self.batch_size) or one(self, *rest)
        )
        monkeypatch.setattr(
            Program, "shared", lambda self, *rest: check(self.batch_size) or shared(self, *rest)
        )

    return set_limit


@every
def test_running_out_of_memory_halves_and_goes_on(name, network, data, limited):
    some = ju.data.subset(data, np.arange(100))
    usual = measured(name, network, some, batch_size=32).drop_attrs()
    sizes = []

    def check(size):
        sizes.append(size)
        if size > 10:
            out_of_memory()

    limited(check)
    found = measured(name, network, some, batch_size=32, images_per_piece=64)
    assert max(sizes) > 10
    assert sizes[-1] == 8
    assert name == "unit_means" or found.attrs["batch_size"] == 8
    assert_same(found.drop_attrs(), usual)


@of_each_kind
def test_running_out_of_memory_late_repeats_nothing(name, network, data, limited):
    some = ju.data.subset(data, np.arange(100))
    usual = measured(name, network, some, batch_size=16).drop_attrs()
    batches = []

    def check(size):
        batches.append(size)
        if len(batches) == 4:
            out_of_memory()

    limited(check)
    found = measured(name, network, some, batch_size=16, images_per_piece=48)
    assert len(batches) > 4
    assert_same(found.drop_attrs(), usual)


@of_each_kind
def test_nothing_left_to_halve(name, network, few, limited):
    limited(lambda _: out_of_memory())
    with pytest.raises(ju.InputError, match="the device ran out of memory with one image"):
        measured(name, network, few)


@every
def test_other_device_errors_are_not_hidden(name, network, few, limited):
    def broken(size):
        raise jax.errors.JaxRuntimeError("INTERNAL: a broken device")

    limited(broken)
    with pytest.raises(jax.errors.JaxRuntimeError, match="a broken device"):
        measured(name, network, few)


# What is no number.


class WithNan:
    """Images that are read one by one, one of which is no image."""

    def __init__(self, data, wrong):
        self.data, self.wrong = data, wrong
        self.labels = data.labels

    def __len__(self):
        return len(self.data)

    def __getitem__(self, index):
        record = dict(self.data[index])
        if index == self.wrong:
            record["image"] = record["image"].copy()
            record["image"][3, 4, 0] = np.nan
        return record


def message_of(name, network, data):
    with pytest.raises(ju.InputError) as caught:
        measured(name, network, data, batch_size=16, images_per_piece=16)
    return str(caught.value)


@with_data
def test_nan_in_an_image_has_one_text(name, network, few):
    # Of class 1, whose images greedy looks at.
    wrong = int(np.flatnonzero(few.labels == 1)[-1])
    broken = dataclasses.replace(few, source=WithNan(few, wrong))
    assert message_of(name, network, broken) == (
        f"image {wrong} of data 'arrays' holds nan at row 3, column 4, channel 0: every pixel has "
        "to be a finite number of float32; repair the image or leave it out (ju.data.subset)"
    )


@every
def test_nan_in_a_parameter_has_one_text(name, network, few):
    kernel = ju.networks.arrays(network)["conv2.kernel"].at[0, 1, 2, 3].set(jnp.nan)
    broken = ju.networks.with_arrays(network, {"conv2.kernel": kernel})
    assert message_of(name, broken, few) == (
        "parameter conv2.kernel of network 'convnet' holds NaN or infinity in 1 of 432 places: "
        "restore an earlier checkpoint, or train again with a lower learning rate"
    )


@pytest.mark.parametrize("name", ["dissect", "layer_birth_points"])
def test_large_numbers_are_numbers(name, network, few):
    """Float32 holds each value of every map, if not their sum."""
    arrays = ju.networks.arrays(network)
    powers = {"conv2.kernel": 121, "conv2.bias": 121, "conv3.kernel": -121}
    large = ju.networks.with_arrays(
        network, {key: arrays[key] * 2.0 ** powers[key] for key in powers}
    )
    assert np.isfinite(large.activations(jnp.asarray(pixels_of(few)), "conv2")).all()
    found, usual = (measured(name, each, few).drop_attrs() for each in (large, network))
    assert set(found.variables) == set(usual.variables)
    for key in found:
        if found[key].dtype.kind == "f":
            finite = np.isfinite(found[key].values)
            assert np.all(finite | ~np.isfinite(usual[key].values)), key
    for key in {"birth_point", "image", "top_image", "intersection", "activated"} & set(found):
        np.testing.assert_array_equal(found[key], usual[key])


# Where numbers come from.


@with_attributes
def test_results_say_where_they_come_from(name, network, few):
    found = measured(name, network, few, batch_size=16)
    layer = found.attrs.get("layer", "conv1")
    known = {
        "layer_number": str(list(network.layers).index(layer)),
        "unit_is": "post-activation",
        "network": "convnet",
        "parameters": network.fingerprint,
        "data": "arrays",
        "split": "validation",
        "skipped_files": "0",
        "precision": "float32",
        "batch_size": 16,
    }
    without = OF_DATA if name in WITHOUT_DATA else OF_LAYER if name == "evaluate" else set()
    common, known = COMMON - without, {key: known[key] for key in known if key not in without}
    assert set(found.attrs) >= common
    assert {key: found.attrs[key] for key in known} == known
    assert found.attrs["peak_bytes"] > 0
    assert not set(found.attrs) & {"pass", "results", "piece"}


def test_means_in_a_file_say_where_they_come_from(network, few, tmp_path):
    means = measured("unit_means", network, few, file=tmp_path / "a.nc", batch_size=16)
    kept = ju.results.read_result(tmp_path / "a.nc")
    assert set(kept.attrs) >= COMMON
    np.testing.assert_array_equal(kept.sums / kept.images, means["values"])


# Programs.


@pytest.fixture(scope="module")
def compiled():
    """How many programs XLA has been asked for, from now on."""
    count = []
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, *_, **__: count.append(event) if "backend_compile" in event else None
    )
    return count


@every
def test_a_second_call_compiles_nothing(name, network, few, compiled):
    options = {"batch_size": 48, "images_per_piece": 48}
    compiled.clear()
    first = measured(name, network, few, **options)
    assert compiled
    compiled.clear()
    second = measured(name, network, few, **options)
    assert not compiled
    if name != "unit_means":
        assert first.attrs["programs"] > 0
        assert second.attrs["programs"] == 0
    xr.testing.assert_identical(first.drop_attrs(), second.drop_attrs())


# Plans.


@every
def test_a_plan_is_that_of_the_call(name, network, few, tmp_path, capfd):
    """It has the passes of the call, writes nothing, and there is none where results are."""
    options = {"batch_size": 16, "file": tmp_path / "a.nc"}
    plan = ju.plan(FUNCTIONS[name], network, few, **options)
    assert not list(tmp_path.iterdir())
    result = measured(name, network, few, **options)
    last = plan.passes[-1]
    if name != "unit_means":
        assert {key: result.attrs[key] for key in last.how} == dict(last.how)
    steps = [(each.images, each.steps) for each in plan.passes]
    assert steps == PASSES.get(name, [(len(few), 1)])
    assert plan.seconds > 0
    assert plan.peak_bytes == max(each.how["peak_bytes"] for each in plan.passes)
    assert f"{steps[-1][0]} images" in str(plan)
    assert ju.plan(FUNCTIONS[name], network, few, **options).passes == ()
    assert capfd.readouterr() == ("", "")


# Images and steps of each pass, where it is not one over all images.
PASSES = {
    "greedy": [(29, 2), (90, 1)],
    "dissect": [(90, 1)] * 2,
    "maximize": [(96, 3)],
    "shapley_on_some": [(45, 2)],
}


def test_a_plan_of_several_layers_and_measurements(network, few):
    wanted = [ju.ablation.Sweep(), ju.attributes.Attributes("conv2")]
    plan = ju.plan(ju.measure, network, few, wanted)
    assert [(each.measured, each.layers) for each in plan.passes] == [
        *(("sweep", (layer,)) for layer in network.layers),
        ("collect", ("conv2",)),
    ]


def test_a_plan_needs_a_function_and_its_arguments(network, few):
    with pytest.raises(ju.InputError, match="function='sweep': give a function that measures"):
        ju.plan("sweep", network, "conv2", few)
    with pytest.raises(ju.InputError, match="conv9"):
        ju.plan(ju.ablation.sweep, network, "conv9", few)


# Files and progress.


@every
def test_a_finished_file_is_read(name, network, few, tmp_path, monkeypatch, limited, capfd):
    file = tmp_path / "a.nc"
    first = measured(name, network, few, file=file)
    content = file.read_bytes()
    assert not left_beside(file)
    assert capfd.readouterr() == ("", "")

    def nothing(*_, **__):
        raise AssertionError("something is run")

    limited(nothing)
    monkeypatch.setattr(LookEngine, "__init__", nothing)
    monkeypatch.setattr(ju.ablation._engine.Engine, "__init__", nothing)
    xr.testing.assert_identical(measured(name, network, few, file=file), first)
    if name != "maximize":
        with pytest.raises(ju.InputError) as caught:
            measured(name, network, few, file=file, precision="bfloat16")
        assert str(caught.value).startswith(
            f"measurement {file} belongs to another configuration: precision is 'float32' there "
            "and 'bfloat16' now. "
        )
    kernel = ju.networks.arrays(network)["conv1.kernel"] * 2
    other = ju.networks.with_arrays(network, {"conv1.kernel": kernel})
    with pytest.raises(ju.InputError, match="another configuration: parameters is '"):
        measured(name, other, few, file=file)
    assert file.read_bytes() == content
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("kept", KINDS)
def test_a_file_of_another_function_is_refused(kept, network, few, tmp_path):
    """Of the same layer, images and parameters."""
    measured(kept, network, few, file=tmp_path / "a.nc")
    taken = []
    for name in FUNCTIONS:
        shutil.copytree(tmp_path, tmp_path.with_name(f"{kept}-{name}"))
        file = tmp_path.with_name(f"{kept}-{name}") / "a.nc"
        try:
            measured(name, network, few, file=file)
        except ju.InputError as error:
            assert "belongs to another configuration" in str(error)  # noqa: PT017
        except Exception as error:  # noqa: BLE001
            taken.append((name, repr(error)))
        else:
            taken.append(name)
    assert taken == [kept]


@of_each_kind
def test_unfinished_pieces_are_gone_on_with(name, network, few, tmp_path):
    options = {"file": tmp_path / "a.nc", "batch_size": 9, "images_per_piece": 18}
    whole = measured(name, network, few, **{**options, "file": None})

    def stop(done, total):
        if 2 * done > total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        FUNCTIONS[name](network, few, progress=stop, **options)
    other = ju.networks.with_arrays(network, {"conv1.bias": jnp.ones(6)})
    with pytest.raises(ju.InputError, match="another configuration: parameters is '"):
        measured(name, other, few, **options)
    xr.testing.assert_identical(
        measured(name, network, few, **options).drop_attrs(), whole.drop_attrs()
    )
    assert not left_beside(options["file"])


@of_each_kind
def test_progress_rises_to_all(name, network, few, capfd):
    seen = []
    FUNCTIONS[name](network, few, batch_size=16, progress=lambda *pair: seen.append(pair))
    done, total = zip(*seen, strict=True)
    assert len(set(total)) == 1
    assert list(done) == sorted(set(done))
    assert done[-1] == total[0]
    # Where nobody looks there is no bar either.
    FUNCTIONS[name](network, few, batch_size=16)
    assert capfd.readouterr() == ("", "")


@every
def test_what_is_no_progress_or_option_is_refused(name, network, few):
    for options, expected in (
        ({"batch_size": 0}, "batch_size=0: give a number above 0"),
        ({"images_per_piece": 0}, "images_per_piece=0: give a number above 0"),
        ({"decoding_threads": 0}, "decoding_threads=0: give a whole number from 1 up to 1024"),
        ({"max_memory": -1}, "max_memory=-1: give a number above 0"),
        ({"devices": []}, r"devices=\[\]: give a list of JAX's devices"),
        ({"precision": "float64"}, "precision='float64': give one of"),
        ({"batchsize": 3}, "batch_size"),
        ({"progress": int}, "progress=<class 'int'>: give a function of what is done"),
        ({"progress": len}, "progress=<built-in function len>: give a function of what is done"),
    ):
        with pytest.raises(ju.InputError, match=expected):
            FUNCTIONS[name](network, few, **options)
