import dataclasses
import gc
import json
import os
import shutil
import signal
import time
from collections import namedtuple

import jax
import numpy as np
import optax
import pytest

import jaxunits as ju
from jaxunits import files
from jaxunits.train.command import configurations, main
from jaxunits.train.config import SGD, AdamW, Config, Data, Schedule
from jaxunits.train.metrics import read_metrics
from jaxunits.train.networks import MLP, ConvNet
from jaxunits.train.optimizers import build_optimizer, learning_rate
from jaxunits.train.regularizers import Regularizers
from jaxunits.train.step import build_step, initial_state
from tests.processes import LIMIT, finish, running
from tests.reference import SMALL, arrays_equal

pytestmark = pytest.mark.slow

TINY = [
    *("digits_mlp", "--network.widths", "8", "--epochs", "2", "--batch-size", "50"),
    *("--data.train-split", "train[:400]", "--data.validation-split", "validation[:100]"),
]


def parameters(folder, epoch=None):
    return ju.networks.arrays(ju.networks.restore(folder, epoch=epoch))


def run(folder, *overrides, expect=0):
    assert main([*TINY, *overrides, "--run-folder", str(folder)]) == expect


def refused(capsys, folder, *overrides):
    run(folder, *overrides, expect=2)
    return " ".join(capsys.readouterr().err.split())


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    run(folder)
    return folder


def test_a_run_folder_holds_everything(finished):
    names = {item.name for item in finished.iterdir() if not item.name.startswith(".")}
    assert names == {"configuration.json", "network.json", "metrics.jsonl", "checkpoints"}
    metrics = read_metrics(finished / "metrics.jsonl")
    assert [epoch.epoch for epoch in metrics] == [1, 2]
    assert metrics[1].train_loss < metrics[0].train_loss
    assert metrics[1].step == 16
    network = ju.networks.restore(finished)
    data = ju.data.load("digits", "validation[:100]")
    result = ju.ablation.sweep(network, "fc1", data)
    accuracy = int(result.correct_before.sum()) / len(data)
    assert accuracy == metrics[1].validation_accuracy
    loss = float(result.loss_sum_before.sum()) / len(data)
    assert loss == pytest.approx(metrics[1].validation_loss, rel=1e-5)


def test_a_finished_run_is_not_repeated(finished, capsys):
    before = {path: path.stat().st_mtime_ns for path in finished.glob("checkpoints/*/*")}
    run(finished)
    assert "nothing is left to do" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in finished.glob("checkpoints/*/*")} == before


@pytest.mark.parametrize("name", ["run[1]", "[bold]x", ":+1: a*b?"])
def test_names_of_run_folders_are_no_patterns_and_no_markup(finished, tmp_path, capsys, name):
    folder = tmp_path / name
    run(folder)
    assert f"{folder}: validation accuracy" in capsys.readouterr().out
    assert arrays_equal(parameters(finished), parameters(folder))
    run(folder)
    assert "nothing is left to do" in capsys.readouterr().out
    kept = sorted(item.name for item in (folder / "checkpoints").iterdir())
    assert kept == ["1", "2"]
    run(folder, "--seed", "9", expect=2)
    assert f"error: run folder {folder} belongs to" in capsys.readouterr().err


def test_the_same_seed_gives_the_same_network(finished, tmp_path):
    run(tmp_path / "again")
    assert arrays_equal(parameters(finished), parameters(tmp_path / "again"))
    run(tmp_path / "other", "--seed", "1")
    assert not arrays_equal(parameters(finished), parameters(tmp_path / "other"))


def test_checkpoints_are_kept_as_asked(tmp_path):
    run(tmp_path / "all", "--epochs", "5", "--checkpoints.keep", "all", "--checkpoints.every", "2")
    kept = sorted(item.name for item in (tmp_path / "all" / "checkpoints").iterdir())
    assert kept == ["2", "4", "5"]
    assert not arrays_equal(parameters(tmp_path / "all", 2), parameters(tmp_path / "all", 4))
    run(tmp_path / "latest", "--epochs", "5")
    kept = sorted(item.name for item in (tmp_path / "latest" / "checkpoints").iterdir())
    assert kept == ["4", "5"]


# Of the moments at which processes are killed.
SEED = 20_170_413
KILLED = [
    *("digits_convnet", "--network.widths", "4", "4", "--network.pool-after", "conv1", "conv2"),
    *("--epochs", "6", "--batch-size", "50", "--data.train-split", "train[:1000]"),
]


def training(folder):
    return running("-m", "train", *KILLED, "--run-folder", folder)


def wait_for_epochs(folder, count, process):
    while len(read_metrics(folder / "metrics.jsonl")) < count:
        assert process.poll() is None, finish(process)
        time.sleep(0.01)


def test_killed_at_three_random_moments_it_ends_with_the_same_parameters(
    tmp_path, record_testsuite_property
):
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    with training(undisturbed) as process:
        finish(process)
    epoch = min(row.seconds for row in read_metrics(undisturbed / "metrics.jsonl"))
    record_testsuite_property("seed_of_kills", SEED)
    moments = np.random.default_rng(SEED)
    # An epoch and more is left after the last of them; a run that ended before its kill is a fault
    # of the test's clock on a machine that stood still, and no kill.
    kills = 0
    for epochs in sorted(moments.choice(4, 3, replace=False)):
        with training(killed) as process:
            wait_for_epochs(killed, epochs, process)
            time.sleep(moments.uniform(0, epoch))
            process.send_signal(signal.SIGKILL)
            process.communicate(timeout=LIMIT)
            kills += process.returncode == -signal.SIGKILL
    assert kills > 0
    with training(killed) as process:
        finish(process)
    assert arrays_equal(parameters(undisturbed), parameters(killed))
    without_time = [
        [
            dataclasses.replace(epoch, seconds=0.0)
            for epoch in read_metrics(folder / "metrics.jsonl")
        ]
        for folder in (undisturbed, killed)
    ]
    assert without_time[0] == without_time[1]
    assert len(without_time[0]) == 6


def test_a_kill_in_the_middle_of_a_checkpoint_is_survived(finished, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(finished, folder)
    latest = folder / "checkpoints" / "2"
    latest.rename(folder / "checkpoints" / "2.orbax-checkpoint-tmp-1")
    run(folder)
    assert arrays_equal(parameters(finished), parameters(folder))


# Orbax forgets what it began when a checkpoint cannot be read.
@pytest.mark.filterwarnings("ignore:coroutine 'PyTreeHandler:RuntimeWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_damaged_checkpoints_are_set_aside_and_the_one_before_is_taken(finished, tmp_path, capsys):
    folder = tmp_path / "run"
    shutil.copytree(finished, folder)
    (folder / "checkpoints" / "9").mkdir()
    (values,) = (folder / "checkpoints" / "2" / "network" / "d").iterdir()
    values.write_bytes(bytes(values.stat().st_size))
    run(folder)
    gc.collect()
    told = " ".join(capsys.readouterr().out.split())
    for epochs in (9, 2):
        assert f"checkpoint {folder}/checkpoints/{epochs} is damaged (" in told
        assert f"it is moved to {folder}/damaged-checkpoint-{epochs}" in told
        assert (folder / f"damaged-checkpoint-{epochs}").is_dir()
    assert "1 of 2 epochs are done: resuming from there" in told
    assert arrays_equal(parameters(finished), parameters(folder))
    run(folder)
    assert "2 of 2 epochs are done" in capsys.readouterr().out


def test_where_no_checkpoint_is_whole_training_begins_anew(finished, tmp_path, capsys):
    folder = tmp_path / "run"
    shutil.copytree(finished, folder)
    for epochs in (1, 2):
        (folder / "checkpoints" / str(epochs) / "_CHECKPOINT_METADATA").write_bytes(b"{}")
    run(folder)
    assert "epoch 1/2" in capsys.readouterr().out
    assert arrays_equal(parameters(finished), parameters(folder))
    kept = sorted(item.name for item in (folder / "checkpoints").iterdir())
    assert kept == ["1", "2"]


@pytest.mark.parametrize("damage", ["cut", "a row less", "empty", "bit", "not JSON"])
def test_damaged_metrics_are_written_anew(finished, tmp_path, capsys, damage):
    folder = tmp_path / "run"
    shutil.copytree(finished, folder)
    path = folder / "metrics.jsonl"
    content = path.read_bytes()
    first, _ = content.splitlines(keepends=True)
    path.write_bytes(
        {
            "cut": content[:-30],
            "a row less": first,
            "empty": b"",
            "bit": content.replace(b'"epoch": 1', b'"epoch": 0'),
            "not JSON": b"\xff\n" + content,
        }[damage]
    )
    run(folder)
    told = capsys.readouterr().out
    assert f"{path} was damaged or missing: it is rewritten from the last checkpoint" in told
    assert "after 2 epochs" in told
    assert path.read_bytes() == content


@pytest.mark.parametrize("content", ["{", "3", '{"epoch": 1}', "[" * 100_000])
def test_damaged_lines_of_metrics_are_named(finished, tmp_path, content):
    first, _ = (finished / "metrics.jsonl").read_text().splitlines()
    (tmp_path / "metrics.jsonl").write_text(f"{first}\n{content}\n")
    with pytest.raises(ju.InputError, match=f"{tmp_path}/metrics.jsonl is damaged at line 2"):
        read_metrics(tmp_path / "metrics.jsonl")


def test_mixed_precision_keeps_parameters_in_float32(tmp_path):
    run(tmp_path / "mixed", "--precision", "bfloat16", "--epochs", "4")
    assert {leaf.dtype for leaf in jax.tree.leaves(parameters(tmp_path / "mixed"))} == {
        np.dtype("float32")
    }
    losses = [epoch.train_loss for epoch in read_metrics(tmp_path / "mixed" / "metrics.jsonl")]
    assert losses[-1] < losses[0]


def test_a_step_equals_optax_by_hand():
    config = Config(
        preprocessing=SMALL,
        network=MLP((5,)),
        optimizer=SGD(learning_rate=0.1, weight_decay=0.01),
        schedule=Schedule("constant"),
    )
    network = config.network.build(10, SMALL, seed=3)
    images = np.random.default_rng(0).normal(size=(6, 28, 28, 1)).astype(np.float32)
    labels = np.arange(6, dtype=np.int32)
    valid = np.array([True] * 4 + [False] * 2)
    optimizer = build_optimizer(config, 10)
    step = jax.jit(build_step(network, optimizer, "float32", Regularizers()))
    state = initial_state(network, optimizer)
    params, key = state.params, jax.random.key_data(jax.random.key(0))
    new, sums = step(state, ju.data.Batch(images, labels, valid), key, 0)

    def loss(params):
        x = images[:4].reshape(4, -1)
        logits = jax.nn.relu(x @ params["fc1.kernel"]) @ params["logits.kernel"]
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels[:4]).mean()

    for name in ("fc1.kernel", "logits.kernel"):
        kernel = params[name]
        gradient = jax.grad(loss)(params)[name] + 0.01 * kernel
        # Nesterov's first update is (1 + momentum) × gradient.
        np.testing.assert_allclose(new.params[name], kernel - 0.1 * 1.9 * gradient, atol=1e-6)
    assert int(sums.images) == 4
    assert float(sums.loss) / 4 == pytest.approx(float(loss(params)), rel=1e-5)


@pytest.mark.parametrize("kind", ["constant", "cosine"])
def test_learning_rate_rises_and_falls(kind):
    config = Config(
        preprocessing=SMALL,
        epochs=10,
        optimizer=AdamW(0.5),
        schedule=Schedule(kind, warmup_epochs=2.0),
    )
    rate = [float(learning_rate(config, 5)(step)) for step in range(51)]
    np.testing.assert_allclose(rate[:11], np.linspace(0, 0.5, 11), atol=1e-6)
    end = 0.5 if kind == "constant" else 0.0
    assert rate[50] == pytest.approx(end, abs=1e-6)
    assert np.all(np.diff(rate[10:]) <= 1e-9)


def test_every_configuration_of_the_repository_builds():
    known = configurations()
    assert {"digits_convnet", "digits_convnet_wide", "digits_mlp"} <= set(known)
    for name, (description, found) in known.items():
        assert description.endswith("."), name
        configs = [found] if isinstance(found, Config) else found.configs.values()
        built = {}
        for config in configs:
            # Narrow, and once for the networks that a study trains in several ways.
            chosen = config.network
            if isinstance(getattr(chosen, "width", None), float):
                chosen = dataclasses.replace(chosen, width=1 / 32)
            key = str((chosen, config.preprocessing))
            if key not in built:
                built[key] = chosen.build(10, config.preprocessing, config.seed)
            network = built[key]
            assert network.classes == 10, name
            config.regularizers.check(network)
            json.dumps(config.description())


def test_a_folder_of_images_trains(tmp_path):
    random_numbers = np.random.default_rng(0)
    from PIL import Image

    for split in ("train", "val"):
        for label in ("dark", "light"):
            folder = tmp_path / "images" / split / label
            folder.mkdir(parents=True)
            for number in range(8):
                pixels = random_numbers.integers(0, 99, (12, 10, 3)) + 150 * (label == "light")
                Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{number}.png")
    arguments = [
        *("digits_mlp", "--network.widths", "16", "--epochs", "25", "--batch-size", "8"),
        *("--optimizer.learning-rate", "0.01"),
        *("--data.source", f"folder:{tmp_path / 'images'}", "--data.validation-split", "val"),
        *("--preprocessing.channels", "3", "--preprocessing.size", "8", "8"),
        *("--preprocessing.mean", "0.5", "--schedule.kind", "constant"),
        *("--run-folder", str(tmp_path / "run")),
    ]
    assert main(arguments) == 0
    assert read_metrics(tmp_path / "run" / "metrics.jsonl")[-1].validation_accuracy == 1.0


def test_another_configuration_is_refused_and_nothing_changes(finished, capsys):
    before = {path: path.read_bytes() for path in finished.glob("*.json*")}
    assert "seed is 0 there and 9 now" in refused(capsys, finished, "--seed", "9")
    assert {path: path.read_bytes() for path in finished.glob("*.json*")} == before


def test_a_folder_in_use_is_refused(tmp_path, capsys):
    with ju.results.RunFolder(tmp_path / "run").in_use():
        found = refused(capsys, tmp_path / "run")
    assert f"error: run folder {tmp_path}/run is in use by process {os.getpid()} on " in found


def test_no_space_left_for_a_checkpoint(tmp_path, capsys, monkeypatch):
    run(tmp_path / "run", "--epochs", "1")
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(1, 1, 10))
    found = refused(capsys, tmp_path / "other")
    assert f"no space left for {tmp_path}/other/checkpoints/1" in found
    assert "repeat the call or command" in found
    monkeypatch.undo()
    run(tmp_path / "other")
    assert len(read_metrics(tmp_path / "other" / "metrics.jsonl")) == 2


def test_a_loss_that_becomes_nan(tmp_path, capsys):
    found = refused(capsys, tmp_path / "run", "--optimizer.learning-rate", "1e30")
    assert "the loss became NaN or infinite in epoch 1" in found
    assert "a lower learning rate than 1e+30" in found


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (("--data.train-split", "trian"), "unknown split 'trian': data 'digits' has train"),
        (("--data.source", "digit"), "unknown data 'digit'"),
        (("--preprocessing.channels", "3"), "have 1 channels and the network reads 3"),
        (("--network.widths", "0"), "give at least one layer, and positive integers"),
        (("--network.widths", "1000000000000"), "or more, and at most 536,870,912 fit"),
        (("--network.dropout", "nan"), "dropout of rate nan: give a number from 0 to below 1"),
        (("--batch-size", "100000000"), "batch_size=100000000 gives 100,000,000 × 784 numbers"),
    ],
)
def test_settings_that_cannot_be(tmp_path, capsys, overrides, expected):
    assert expected in refused(capsys, tmp_path / "run", *overrides)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("override", "value", "expected"),
    [
        ("--epochs", "0", "epochs=0: give a number from 1 up to 1000000"),
        ("--optimizer.learning-rate", "-1", "optimizer.learning_rate=-1.0: give a number above 0"),
        ("--optimizer.learning-rate", "nan", "optimizer.learning_rate=nan: give a number above 0"),
        ("--optimizer.b1", "2", "optimizer.b1=2.0: give a number from 0 below 1"),
        ("--optimizer.weight-decay", "-1", "optimizer.weight_decay=-1.0: give a number from 0"),
        ("--regularizers.l1-weights", "-1", "regularizers.l1_weights=-1.0: give a number from 0"),
        ("--schedule.warmup-epochs", "nan", "schedule.warmup_epochs=nan: give a number from 0"),
        ("--schedule.warmup-epochs", "-1", "schedule.warmup_epochs=-1.0: give a number from 0"),
        ("--schedule.warmup-epochs", "3", "warmup_epochs=3.0 of epochs=2: give a number from 0 up"),
        ("--data.threads", "0", "data.threads=0: give a whole number from 1 up to 1024"),
        ("--seed", str(2**64), f"seed={2**64}: give a whole number from 0 up to {2**32 - 1}"),
        ("--epoch", "3", "Perhaps you meant: --epochs"),
    ],
)
def test_overrides_that_cannot_be(capsys, override, value, expected):
    with pytest.raises(SystemExit) as caught:
        main([*TINY, override, value])
    assert caught.value.code == 2
    assert expected in " ".join(capsys.readouterr().err.replace("│", " ").split())


# Sections whose numbers are checked where they are used.
CHECKED_ELSEWHERE = ("network", "preprocessing", "augmentation")


def numbers_of(settings, prefix=()):
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if dataclasses.is_dataclass(value) and field.name not in CHECKED_ELSEWHERE:
            yield from numbers_of(value, (*prefix, field.name))
        elif type(value) in (int, float):
            yield (*prefix, field.name), type(value)


def with_value(settings, path, value):
    name, *rest = path
    inner = with_value(getattr(settings, name), rest, value) if rest else value
    return dataclasses.replace(settings, **{name: inner})


@pytest.mark.parametrize("optimizer", [SGD(), AdamW()])
def test_every_number_among_the_settings_has_a_range(optimizer):
    config = Config(preprocessing=SMALL, optimizer=optimizer)
    paths = list(numbers_of(config))
    assert len(paths) > 12
    for path, kind in paths:
        name = ".".join(path)
        wrong = [kind(-1)] * (name != "regularizers.class_selectivity")
        wrong += [float("nan"), float("inf"), float("-inf")] * (kind is float)
        for value in wrong:
            with pytest.raises(ju.InputError, match=rf"(^|; ){name}={value}: give a "):
                with_value(config, path, value)


def test_settings_that_are_wrong_are_all_named():
    with pytest.raises(ju.InputError) as caught:
        Config(preprocessing=SMALL, epochs=0, seed=10**5000, data=Data(fraction=0.0))
    assert str(caught.value).split("; ") == [
        "data.fraction=0.0: give a number above 0 up to 1",
        "epochs=0: give a number from 1 up to 1000000",
        "seed=1e5000: give a whole number from 0 up to 4294967295",
    ]


def test_unknown_configuration(capsys):
    assert main(["digits_convnit"]) == 2
    error = " ".join(capsys.readouterr().err.split())
    assert "unknown configuration 'digits_convnit': jaxunits.configs has" in error
    assert "Did you mean 'digits_convnet'?" in error


def test_help_reads_well(capsys):
    with pytest.raises(SystemExit):
        main(["digits_convnet", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert "The number of passes over the training images. (default: 10)" in text
    assert "--optimizer.learning-rate" in text


def test_network_and_data_settings_reach_what_they_set():
    config = Config(preprocessing=SMALL, network=ConvNet((3,), (), (5,)), data=Data("digits"))
    network = config.network.build(10, SMALL, 0)
    assert list(network.layers) == ["conv1", "fc2"]
    assert len(config.data.load_validation()) == 1000


def test_a_folder_of_somebody_elses_is_left_alone(tmp_path, capsys):
    (tmp_path / "thesis.tex").write_text("…")
    assert "is not a run folder and not empty" in refused(capsys, tmp_path)
    assert [item.name for item in tmp_path.iterdir()] == ["thesis.tex"]


def test_other_images_are_another_configuration(finished, capsys, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(finished, folder)
    settings = ju.results.RunFolder(folder).read_configuration()
    settings["data_fingerprint"]["train"] = "0" * 64
    files.write_json(folder / "configuration.json", settings)
    assert "data_fingerprint.train is" in refused(capsys, folder)


def test_settings_of_data_and_augmentation_reach_training(tmp_path):
    longer = ("--epochs", "8", "--network.widths", "32", "--optimizer.learning-rate", "0.005")
    run(tmp_path / "plain", *longer)
    changed = {
        "augmented": ("--augmentation.crop", "padded", "--augmentation.flip"),
        "relabeled": ("--data.random-labels", "0.5"),
        "fewer": ("--data.fraction", "0.5"),
    }
    plain = read_metrics(tmp_path / "plain" / "metrics.jsonl")
    for name, overrides in changed.items():
        run(tmp_path / name, *longer, *overrides)
        assert not arrays_equal(parameters(tmp_path / "plain"), parameters(tmp_path / name)), name
    relabeled = read_metrics(tmp_path / "relabeled" / "metrics.jsonl")
    assert relabeled[-1].train_loss > plain[-1].train_loss + 0.2
    fewer = read_metrics(tmp_path / "fewer" / "metrics.jsonl")
    assert (plain[-1].step, fewer[-1].step) == (64, 32)


def test_how_images_are_read_changes_nothing(tmp_path):
    run(tmp_path / "held", "--data.in-memory")
    run(tmp_path / "read", "--data.no-in-memory", "--data.threads", "1")
    assert arrays_equal(parameters(tmp_path / "held"), parameters(tmp_path / "read"))
    run(tmp_path / "held", "--data.no-in-memory")


def test_training_starts_from_the_weights_of_a_file(tmp_path, capsys):
    network = ju.networks.mlp(7, widths=(8,), preprocessing=SMALL, seed=5)
    ju.networks.save_weights(network, tmp_path / "other.safetensors")
    # So small a learning rate leaves the weights as they were.
    still = ("--optimizer.learning-rate", "1e-12", "--weights", str(tmp_path / "other.safetensors"))
    run(tmp_path / "run", *still)
    found, start = parameters(tmp_path / "run"), ju.networks.arrays(network)
    np.testing.assert_allclose(found["fc1.kernel"], start["fc1.kernel"], atol=1e-8)
    assert found["logits.kernel"].shape == (8, 10)
    assert "weights is" in refused(capsys, tmp_path / "run", *still[:2])
    missing = refused(capsys, tmp_path / "new", "--weights", str(tmp_path / "none.pth"))
    assert "there is no weights file" in missing
    assert not (tmp_path / "new").exists()


def test_a_process_outside_a_cluster_cannot_join_one(tmp_path, capsys):
    found = refused(capsys, tmp_path / "run", "--distributed")
    assert "this process is not part of a cluster job that JAX knows" in found
    assert not (tmp_path / "run").exists()
