"""Measurements are known by everything that their numbers depend on, and found by nothing less."""

import contextlib
import csv
import dataclasses
import re

import numpy as np
import pytest
import xarray as xr
from rich.console import Console

import jaxunits as ju
from jaxunits import files
from jaxunits.analysis import measure as measuring
from jaxunits.analysis.experiment import config as config_class
from jaxunits.analysis.experiment import experiments, measurements_of
from jaxunits.analysis.files import INDEX, Files, with_settings
from jaxunits.analysis.runs import read_measurements
from jaxunits.analysis.subject import Subject, with_split
from tests.analysis.measured import measured
from tests.processes import code, finish, running
from tests.stored import stored

Config = config_class()
KINDS = {each.name: each for each, _ in measurements_of(list(experiments().values()))}
DROP_CURVES = [experiments()["drop_curves"]]
SPLITS = ("validation[:300]", "validation[300:]", "validation[:-300]", "validation[:50%]")
OF_TRAINING_IMAGES = {"births", "maps", "training"}
OF_IMAGES = set(KINDS) - OF_TRAINING_IMAGES - {"synthesis"}


@pytest.fixture
def run(tmp_path):
    """A run folder without a network."""
    folder = ju.results.RunFolder(tmp_path / "run")
    data = {"source": "digits", "train_split": "train[:100]", "validation_split": "validation"}
    data |= {"data_dir": None, "on_corrupt": "raise", "fraction": 1, "random_labels": 0, "seed": 0}
    folder.claim({"data": data})
    (folder.checkpoints / "3").mkdir(parents=True)
    return folder


@pytest.fixture(scope="module")
def network():
    return stored("mlp")


@pytest.fixture
def subject_of(run, network):
    """The subject of some options, with a stored network."""

    def make(config):
        config = dataclasses.replace(with_split(config), epoch=config.epoch or 3)
        data = ju.data.load("digits", config.split)
        training = ju.data.load("digits", "train[:100]")
        console = Console(quiet=True)
        return Subject(config, run, network, data, console, lambda: training, trained=True)

    return make


def file_names(subject):
    """The name of each kind's file of a layer."""
    kinds = KINDS.values()
    return {kind.name: subject.files.path(kind.settings(subject, "fc1")).name for kind in kinds}


def test_every_kind_and_every_spelling_of_a_split_has_a_file_of_its_own(run, subject_of):
    every = {split: file_names(subject_of(Config(run.path, split=split))) for split in SPLITS}
    every["validation"] = file_names(subject_of(Config(run.path)))
    assert file_names(subject_of(Config(run.path, split="validation"))) == every["validation"]
    for kind in KINDS:
        names = [found[kind] for found in every.values()]
        assert len(set(names)) == (5 if kind in OF_IMAGES else 1)
    assert len({name for found in every.values() for name in found.values()}) == (
        5 * len(OF_IMAGES) + len(OF_TRAINING_IMAGES) + 1
    )
    assert re.fullmatch("ablation_fc1_validation-300_[0-9a-f]{12}.nc", every[SPLITS[0]]["ablation"])
    assert re.fullmatch("births_fc1_train-100_[0-9a-f]{12}.nc", every[SPLITS[0]]["births"])
    assert re.fullmatch("synthesis_fc1_[0-9a-f]{12}.nc", every[SPLITS[0]]["synthesis"])


CUMULATIVE = {"cumulative", "samples", "insertion"}
BIRTHS = {"births", "maps", "training", *CUMULATIVE}
ORDERS = {"shapley", "pruning"}
SWEPT = {"ablation", "panels", "greedy", "removal", *CUMULATIVE, *ORDERS}


@pytest.mark.parametrize(
    ("option", "value", "changed"),
    [
        ("epoch", 2, set(KINDS)),
        ("values", "mean", SWEPT),
        ("precision", "bfloat16", SWEPT | {"rotations", "removal_of_all"}),
        ("panels.units", 4, {"panels"}),
        ("panels.quantile", 0.1, {"panels"}),
        ("rotations.count", 2, {"rotations"}),
        ("rotations.seed", 1, {"rotations"}),
        ("greedy.steps", 4, {"greedy"}),
        ("greedy.classes", ("3",), {"greedy"}),
        ("greedy.random_orders", 2, {"greedy"}),
        ("greedy.seed", 1, {"greedy"}),
        ("concepts.convention", "dissect2020", {"concepts"}),
        ("concepts.detector_iou", 0.1, {"concepts"}),
        ("topology.classes", ("3", "8"), BIRTHS),
        ("topology.images", 5, BIRTHS),
        ("topology.limit", 40, BIRTHS),
        ("topology.convention", "authors", BIRTHS),
        ("topology.seed", 1, BIRTHS),
        ("topology.p", 0.1, CUMULATIVE | {"maps"}),
        ("topology.shown_class", "8", {"maps", "training", "cumulative", "samples"}),
        ("topology.random_orders", 3, {"cumulative"}),
        ("topology.greedy", False, {"cumulative"}),
        ("stability.sizes", (4,), {"samples"}),
        ("stability.subsets", 10, {"samples"}),
        ("removal.draws", 2, {"removal", "removal_of_all"}),
        ("removal.steps", 4, {"removal", "removal_of_all"}),
        ("removal.images", 9, {"removal", "removal_of_all"}),
        ("synthesis.steps", 7, {"synthesis"}),
        ("synthesis.iam_from", "am", {"synthesis"}),
        ("shapley.orders", 8, ORDERS),
        ("shapley.images_per_order", 64, ORDERS),
        ("shapley.standard_error", 0.1, ORDERS),
        ("shapley.images", 50, {"pruning"}),
        ("shapley.random_orders", 3, {"pruning"}),
        # How a measurement is carried out, and what is drawn of it, is no part of it.
        ("batch_size", 8, set()),
        ("method", "reference", set()),
        # All layers together are those that were asked for.
        ("layers", ("fc1",), {"removal_of_all"}),
        ("topology.layers", ("fc1",), set()),
        ("shapley.layers", ("fc1",), set()),
        ("rivals.draws", 10, set()),
        ("roles.resamples", 10, set()),
        ("prediction.fitted_on", 1, set()),
        ("stability.top", 3, set()),
    ],
)
def test_an_option_makes_another_measurement_of_what_depends_on_it(
    run, subject_of, option, value, changed
):
    config = Config(run.path)
    section, _, name = option.partition(".")
    if name:
        value = dataclasses.replace(getattr(config, section), **{name: value})
    before = file_names(subject_of(config))
    after = file_names(subject_of(dataclasses.replace(config, **{section: value})))
    assert {kind for kind in before if before[kind] != after[kind]} == changed


def test_other_images_or_parameters_under_the_same_names_make_another(run, subject_of):
    subject = subject_of(Config(run.path))
    before = file_names(subject)
    size = subject.network.preprocessing
    other = ju.networks.mlp(10, widths=(16, 12), preprocessing=size, seed=9)
    after = file_names(dataclasses.replace(subject, network=other))
    assert all(before[kind] != after[kind] for kind in before)
    data = dataclasses.replace(subject.data, fingerprint="other images of the same name")
    after = file_names(dataclasses.replace(subject, data=data))
    assert {kind for kind in before if before[kind] != after[kind]} == OF_IMAGES


@pytest.fixture
def measure(subject_of):
    """Measure the drop curves of a layer, with the stored network."""

    def drop_curves(run, **options):
        config = Config(run.path, layers=("fc2",), **options)
        return measuring.measure(subject_of(config), DROP_CURVES)["ablation"]

    return drop_curves


def read(run, **options):
    """What `--no-measure` reads."""
    wanted = [(each, experiment.name) for each, experiment in measurements_of(DROP_CURVES)]
    return read_measurements(Config(run.path, **options), wanted)["ablation"]


def message(function, *arguments, **options):
    with pytest.raises(ju.InputError) as caught:
        function(*arguments, **options)
    return str(caught.value)


def contents(run):
    return {path.name: path.read_bytes() for path in run.measurements.glob("*.nc")}


def test_overwrite_measures_what_is_asked_for_and_leaves_the_rest(run, measure):
    for split in SPLITS:
        measure(run, split=split)
    before = contents(run)
    assert len(before) == len(SPLITS)
    for split in SPLITS:
        data = ju.data.load("digits", split)
        found = measured(run.path, "ablation", "fc2", split=split)
        assert int(found["n_images"].sum()) == len(data)
        np.testing.assert_array_equal(found["n_images"], np.bincount(data.labels, minlength=10))
        assert read(run, split=split)["fc2"].attrs == found.attrs
    own = Files(run.measurements).path(
        {key: found.attrs[key] for key in found.attrs["settings"].split(", ")}
    )
    # A damaged one is measured again, and no other is read, let alone deleted.
    own.write_bytes(b"damaged")
    assert str(own) in message(measure, run, split=SPLITS[-1])
    measure(run, split=SPLITS[-1], overwrite=True)
    after = contents(run)
    assert {name for name in before if before[name] != after[name]} <= {own.name}
    xr.testing.assert_equal(found, ju.results.read(own))
    assert sorted(path.name for path in run.measurements.iterdir()) == sorted([*before, INDEX])


def test_what_is_there_is_read_and_not_measured_again(run, measure, monkeypatch):
    first = measure(run, split=SPLITS[0])["fc2"]
    before = contents(run)
    monkeypatch.delattr(ju.ablation, "sweep")
    xr.testing.assert_identical(measure(run, split=SPLITS[0])["fc2"], first)
    assert contents(run) == before


def write(run, **settings):
    """A measurement by its settings alone."""
    whole = {"kind": "ablation", "layer": "fc1", "layer_number": "0", "epoch": "3"}
    whole |= {"split": "validation", "values": "zero", "precision": "float32"}
    whole |= {"parameters": "ab" * 32, **settings}
    result = xr.Dataset({"a": ("unit", [1.0, 2.0])}, attrs={"made_by": "hand"})
    Files(run.measurements).write(whole, with_settings(result, whole))
    return Files(run.measurements).path(whole)


@pytest.mark.parametrize("split", SPLITS)
def test_no_measure_refuses_another_splits_and_says_what_there_is(run, split):
    others = [each for each in SPLITS if each != split]
    for each in others:
        write(run, split=each)
        write(run, split=each, layer="fc2", layer_number="1")
    found = message(read, run, split=split)
    assert found.startswith(
        f"{run.measurements} holds no measurements of the kind 'ablation' with the settings that "
        "are asked for, which drop_curves needs. It holds those of fc1, fc2 with split "
    )
    for each in others:
        assert f"of fc1, fc2 with split {each!r} instead of {split!r}" in found
    assert list(read(run, split=others[0])) == ["fc1", "fc2"]


def test_no_measure_of_the_runs_own_split(run):
    own = write(run)
    write(run, split="validation[:300]")
    assert read(run)["fc1"].attrs["split"] == "validation"
    own.unlink()
    assert "split 'validation[:300]' instead of 'validation'" in message(read, run)


def test_a_kind_that_was_never_measured(run):
    write(run, kind="births")
    found = message(read, run)
    assert "holds no measurements of the kind 'ablation', which drop_curves needs" in found


def test_measurements_that_differ_in_what_was_not_asked_for(run):
    first, second = write(run), write(run, epoch="2", parameters="cd" * 32)
    found = message(read, run)
    assert first.name in found
    assert second.name in found
    assert re.search(
        r"differ in epoch \('[23]', '[23]'\), parameters \('\w{12}', '\w{12}'\)", found
    )
    assert read(run, epoch=2)["fc1"].attrs["parameters"] == "cd" * 32


def test_measurements_of_several_networks_are_not_mixed(run):
    write(run)
    write(run, epoch="2", parameters="cd" * 32, layer="fc2", layer_number="1")
    found = message(read, run)
    assert "are of 2 networks (epoch 3, parameters abababababab: ablation of fc1; " in found
    assert "epoch 2, parameters cdcdcdcdcdcd: ablation of fc2)" in found
    assert list(read(run, epoch=2)) == ["fc2"]


def test_a_renamed_file_is_never_read_as_what_its_name_says(run, measure):
    measure(run, split=SPLITS[0])
    measure(run, split=SPLITS[1])
    files = Files(run.measurements)
    first, second = (
        files.path({key: found.attrs[key] for key in found.attrs["settings"].split(", ")})
        for found in (measured(run.path, "ablation", "fc2", split=split) for split in SPLITS[:2])
    )
    second.replace(first)
    found = message(measure, run, split=SPLITS[0])
    assert found.startswith(f"measurement {first} belongs to another configuration: ")
    assert f"split is {SPLITS[1]!r} there and {SPLITS[0]!r} now" in found
    assert "It was renamed: give it its name back" in found
    for split in SPLITS[:2]:
        assert message(read, run, split=split) == (
            f"measurement {first} was renamed: by its settings it is {second.name}. Give it that "
            "name, or delete it"
        )
    measure(run, split=SPLITS[0], overwrite=True)
    assert read(run, split=SPLITS[0])["fc2"].attrs["split"] == SPLITS[0]


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"settings": "kind, layer", "kind": "ablation", "layer": "fc1"},
        {"settings": "kind, layer, layer_number", "kind": "ablation", "layer_number": "0"},
        {
            "settings": "kind, layer, layer_number",
            "kind": "ablation",
            "layer": "fc1",
            "layer_number": "first",
        },
    ],
)
def test_a_measurement_that_does_not_say_its_settings_is_named(run, attributes):
    path = run.measurements / "ablation_fc1_zero.nc"
    ju.results.write(xr.Dataset(attrs=attributes), path)
    expected = f"measurement {path} does not say its settings: delete it and measure again"
    assert message(read, run) == expected


def test_a_damaged_measurement_is_named(run):
    path = write(run)
    write(run, layer="fc2", layer_number="1")
    path.write_bytes(path.read_bytes()[:2000])
    assert f"result file {path} (2,000 bytes) is damaged" in message(read, run)


def rows(run):
    with (run.measurements / INDEX).open(newline="") as file:
        return list(csv.DictReader(file))


class TestIndex:
    def test_says_what_every_file_is(self, run):
        path = write(
            run, split='validation[:300], "so"', reference_fingerprint="", architecture=80 * "x"
        )
        write(run, layer="fc2", layer_number="1")
        listed = {row["file"]: row for row in rows(run)}
        assert listed.keys() == contents(run).keys()
        row = listed[path.name]
        assert (row["kind"], row["layer"]) == ("ablation", "fc1")
        assert row["split"] == 'validation[:300], "so"'
        assert row["settings"] == (
            f"architecture={50 * 'x'}…; reference_fingerprint=; parameters=abababababab; "
            "precision=float32; values=zero; epoch=3; layer_number=0"
        )
        assert row["created"] == ju.results.read(path).attrs["created"]

    @pytest.mark.parametrize("content", [None, b"", b"\xff\x00 no table", "before"])
    def test_is_made_again_from_the_files(self, run, content):
        write(run)
        place = run.measurements / INDEX
        before = place.read_bytes()
        write(run, layer="fc2", layer_number="1")
        whole = place.read_bytes()
        place.unlink()
        if content is not None:
            place.write_bytes(before if content == "before" else content)
        read(run)
        assert place.read_bytes() == whole
        stamp = place.stat().st_mtime_ns
        read(run)
        assert place.stat().st_mtime_ns == stamp

    def test_names_files_that_say_nothing(self, run):
        path = write(run)
        path.write_bytes(b"damaged")
        Files(run.measurements).write_index()
        (row,) = rows(run)
        assert row["settings"] == "not known: delete it and measure again"

    def test_what_another_process_writes_meanwhile_is_not_lost(self, run, monkeypatch):
        """It finishes a file and its list after ours was made, and before ours is written."""
        original = files.write_atomically
        others = []

        def late(path, content):
            if path.name == INDEX and not others:
                others.append(True)
                others.append(write(run, layer="fc2", layer_number="1"))
            original(path, content)

        monkeypatch.setattr(files, "write_atomically", late)
        path = write(run)
        assert {row["file"] for row in rows(run)} == {path.name, others[1].name}

    @pytest.mark.slow
    def test_two_processes_and_a_kill(self, run):
        program = """
            import os, signal, sys
            from pathlib import Path
            import xarray as xr
            from jaxunits import files
            from jaxunits.analysis.files import INDEX, Files, with_settings
            own = Files(Path(sys.argv[1]))
            original = files.write_atomically
            def killed(path, content):
                os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)
                original(path, content)
            for number in range(8):
                if sys.argv[3] == "kill" and number == 7:
                    files.write_atomically = killed
                settings = {"kind": "ablation", "layer": f"fc{number}", "split": sys.argv[2]}
                settings["layer_number"] = str(number)
                own.write(settings, with_settings(xr.Dataset(), settings))
        """
        with contextlib.ExitStack() as stack:
            processes = [
                stack.enter_context(running(*code(program), run.measurements, split, "no"))
                for split in SPLITS[:2]
            ]
            for process in processes:
                finish(process)
        assert {(row["split"], row["layer"]) for row in rows(run)} == {
            (split, f"fc{number}") for split in SPLITS[:2] for number in range(8)
        }
        with running(*code(program), run.measurements, SPLITS[2], "kill") as process:
            assert process.wait(1800) == -9
        before = len(rows(run))
        assert before == 2 * 8 + 7
        with run.in_use():
            Files(run.measurements).write_index()
        assert len(rows(run)) == 3 * 8
        assert sorted(path.suffix for path in run.measurements.iterdir()) == [".csv", *24 * [".nc"]]
