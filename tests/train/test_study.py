"""Studies: seeds side by side, exactly as one after another; resumed, listed, refused."""

import signal
import time

import jax
import numpy as np
import pytest
from rich.console import Console

import jaxunits as ju
from jaxunits.data import Augmentation
from jaxunits.train import study as studies
from jaxunits.train.command import main
from jaxunits.train.config import AdamW, Config, Data
from jaxunits.train.devices import Devices
from jaxunits.train.loop import train_together
from jaxunits.train.metrics import read_metrics
from jaxunits.train.networks import MLP, ConvNet
from jaxunits.train.progress import Progress
from jaxunits.train.together import batched, in_threads, lanes
from tests.processes import LIMIT, code, finish, free_address, output_of, running
from tests.reference import SMALL, arrays_equal, small_convnet

pytestmark = pytest.mark.slow

# Of the moments at which processes are killed.
SEED = 20_170_413
SETTINGS = {
    "preprocessing": SMALL,
    "data": Data("digits", "train[:330]", "validation[:100]", in_memory=True),
    "optimizer": AdamW(2e-3, weight_decay=0.1),
    "epochs": 2,
    "batch_size": 100,
}
NETWORKS = {
    "mlp": MLP((12,), dropout=0.2),
    "convnet": ConvNet((4, 6), ("conv1", "conv2"), batch_norm=True, channel_dropout={"conv2": 0.1}),
}


class Quiet(Progress):
    """A progress that is shown to nobody."""

    def __init__(self):
        super().__init__(Console(quiet=True))

    def epoch(self, runs):
        self.runs = len(runs)


def parameters(folder):
    return ju.networks.arrays(ju.networks.restore(folder))


def without_biases(folder):
    """Arrays but for biases before batch norm and what they move.

    Their gradient is rounding, which Adam scales up.
    """
    found = parameters(folder)
    for name in [name for name in found if name.endswith(".mean")]:
        del found[name], found[name.replace("bn", "conv").replace(".mean", ".bias")]
    return found


def close(left, right):
    """Whether two networks are the same but for rounding, which training amplifies.

    Single numbers may have gone another way; training moved the whole by hundreds of times as much.
    """
    left, right = (
        np.concatenate([leaf.ravel() for leaf in jax.tree.leaves(tree)]) for tree in (left, right)
    )
    return np.linalg.norm(left - right) <= 1e-3 * np.linalg.norm(left)


# What is chosen for them on CPUs.
@pytest.mark.parametrize(("name", "how"), [("mlp", "vmap"), ("convnet", "threads")])
def test_seeds_side_by_side_are_those_one_after_another(name, how, tmp_path):
    config = Config(
        network=NETWORKS[name], augmentation=Augmentation("padded", padding=2), **SETTINGS
    )
    seeds = (0, 3)
    results = studies.train_study({"one": config}, seeds, tmp_path / "one", 1, Quiet())
    together = studies.train_study({"one": config}, seeds, tmp_path / "all", 3, Quiet(), how)
    found = []
    for run, seed in enumerate(seeds):
        alone, beside = (tmp_path / kind / "one" / f"seed{seed}" for kind in ("one", "all"))
        found.append(parameters(beside))
        same = arrays_equal if how == "threads" else close
        assert same(without_biases(alone), without_biases(beside))
        for one, other in zip(results["one"][run], together["one"][run], strict=True):
            assert one.train_loss == pytest.approx(other.train_loss, rel=1e-4)
            assert one.validation_accuracy == pytest.approx(other.validation_accuracy, abs=0.011)
        assert len(read_metrics(beside / "metrics.jsonl")) == 2
    assert not close(found[0], found[1])


def test_a_batched_step_is_the_step_of_each():
    def step(state, batch, key, number):
        return state * batch.sum() + key + number

    states, batches, keys = (np.random.default_rng(seed).random((3, 2)) for seed in range(3))
    found = batched(step, 3, (False, False, False, True))(states, batches, keys, 7)
    for run in range(3):
        expected = step(states[run], batches[run], keys[run], 7)
        np.testing.assert_allclose(found[run], expected, rtol=1e-6)


def test_cpus_batch_small_dense_networks_and_accelerators_every_one(monkeypatch):
    apart, together = [[0], [1], [2]], [[0, 1, 2]]
    small, wide = (
        ju.networks.mlp(10, widths=widths, preprocessing=SMALL) for widths in ((32, 64), (256, 256))
    )
    convnet = small_convnet()
    assert [lanes(3, "auto", each) for each in (small, wide, convnet)] == [together, apart, apart]
    assert lanes(3, "threads", small) == apart
    assert lanes(3, "vmap", convnet) == together
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert lanes(3, "auto", convnet) == together


def test_threads_keep_the_order_and_hand_on_errors():
    def act(item):
        if item == 9:
            raise ju.InputError("nine")
        time.sleep(0.01 * (3 - item))
        return item

    assert in_threads(act, [0, 1, 2]) == [0, 1, 2]
    with pytest.raises(ju.InputError, match="nine"):
        in_threads(act, [0, 9])


def test_a_finished_study_is_not_repeated_and_more_seeds_are_added(tmp_path):
    config = Config(network=NETWORKS["mlp"], **SETTINGS)
    studies.train_study({"one": config}, (0, 1), tmp_path, 2, Quiet())
    before = parameters(tmp_path / "one" / "seed1")
    stamps = {path: path.stat().st_mtime_ns for path in tmp_path.glob("one/seed*/checkpoints/*/*")}
    progress = Quiet()
    results = studies.train_study({"one": config}, (0, 1, 2), tmp_path, 2, progress)
    assert len(results["one"]) == 3
    assert progress.runs == 1
    assert arrays_equal(before, parameters(tmp_path / "one" / "seed1"))
    assert stamps.items() <= {path: path.stat().st_mtime_ns for path in stamps}.items()


def test_runs_that_were_stopped_between_their_saves_end_the_same(tmp_path):
    config = Config(network=NETWORKS["mlp"], **{**SETTINGS, "epochs": 3})
    paths = [tmp_path / "killed" / f"seed{seed}" for seed in (0, 1)]
    whole = [tmp_path / "whole" / f"seed{seed}" for seed in (0, 1)]
    seeded = [Config(**{**vars(config), "seed": seed}) for seed in (0, 1)]
    train_together(seeded, whole, Quiet())
    train_together(seeded, paths, Quiet())
    # As if a kill had come when the first run had saved its third epoch and the second had not.
    _remove(paths[1] / "checkpoints" / "3")
    train_together(seeded, paths, Quiet())
    for killed, other in zip(paths, whole, strict=True):
        assert arrays_equal(parameters(killed), parameters(other))
        assert len(read_metrics(killed / "metrics.jsonl")) == 3


def _remove(folder):
    for path in sorted(folder.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    folder.rmdir()


STUDY = [
    *("-m", "train", "digits_variants", "--only", "convnet_batch_norm", "convnet_dropout"),
    *("--seeds", "0", "1", "--run-folder"),
]
QUICK = [
    *("--", "--epochs", "3", "--network.widths", "4", "4", "4", "4", "--batch-size", "50"),
    *("--data.train-split", "train[:500]"),
]


def test_a_killed_study_ends_as_one_that_was_not(tmp_path):
    undisturbed, killed = (tmp_path / name for name in ("undisturbed", "killed"))
    output_of(*STUDY, undisturbed, *QUICK)
    with running(*STUDY, killed, *QUICK) as process:
        while not list(killed.glob("*/seed1/metrics.jsonl")):
            assert process.poll() is None, finish(process)
            time.sleep(0.02)
        time.sleep(np.random.default_rng(SEED).uniform(0, 1))
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=LIMIT)
        assert process.returncode == -signal.SIGKILL
    output = output_of(*STUDY, killed, *QUICK)
    for run in ("convnet_batch_norm", "convnet_dropout"):
        for each in ("seed0", "seed1"):
            left, right = (
                parameters(tmp_path / name / run / each) for name in ("undisturbed", "killed")
            )
            assert arrays_equal(left, right)
    assert "convnet_dropout" in output
    assert "%" in output.splitlines()[-2]


SHARED = """
import sys
import jax
jax.config.update("jax_num_cpu_devices", int(sys.argv[1]))
if len(sys.argv) > 3:
    jax.distributed.initialize(sys.argv[3], 2, int(sys.argv[4]))
from jaxunits.train.command import main
sys.exit(main(["digits_convnet", "--network.widths", "4", "4", "--network.batch-norm",
    "--network.pool-after", "conv1", "conv2", "--epochs", "2", "--batch-size", "56",
    "--optimizer.learning-rate", "2e-3", "--data.train-split", "train[:330]",
    "--data.validation-split", "validation[:101]",
    "--run-folder", sys.argv[2]]))
"""


def test_several_devices_and_processes_train_what_one_does(tmp_path):
    program, address = code(SHARED), free_address()
    output_of(*program, 1, tmp_path / "one")
    output_of(*program, 8, tmp_path / "eight")
    with (
        running(*program, 1, tmp_path / "two", address, 0) as first,
        running(*program, 1, tmp_path / "two", address, 1) as second,
    ):
        outputs = [finish(process) for process in (first, second)]
    assert "epoch 2/2" in outputs[0]
    assert "epoch" not in outputs[1]
    one = read_metrics(tmp_path / "one" / "metrics.jsonl")
    for name in ("eight", "two"):
        assert close(without_biases(tmp_path / "one"), without_biases(tmp_path / name)), name
        other = read_metrics(tmp_path / name / "metrics.jsonl")
        assert len(other) == 2
        for left, right in zip(one, other, strict=True):
            assert left.train_loss == pytest.approx(right.train_loss, rel=1e-4)
            assert left.validation_loss == pytest.approx(right.validation_loss, rel=1e-3)


def test_a_batch_that_cannot_be_shared_out_is_refused(monkeypatch):
    monkeypatch.setattr(jax, "device_count", lambda: 3)
    with pytest.raises(ju.InputError, match="batch_size=100 for 3 devices: give a multiple of 3"):
        Devices(100)


def test_a_grid_names_every_network_and_variant():
    base = Config(**SETTINGS)
    found = studies.grid(
        base,
        NETWORKS,
        {"plain": lambda config: config, "long": lambda c: Config(**{**vars(c), "epochs": 9})},
    )
    assert list(found) == ["mlp_plain", "mlp_long", "convnet_plain", "convnet_long"]
    assert found["convnet_long"].network == NETWORKS["convnet"]
    assert [config.epochs for config in found.values()] == [2, 9, 2, 9]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--only", "convnet_plane"), "unknown configuration 'convnet_plane': the study has"),
        (("--seeds", "1", "1"), "seeds=(1, 1): give distinct integers"),
        (
            ("--seeds", "0", str(2**64)),
            f"seeds={2**64}: give a whole number from 0 up to {2**32 - 1}",
        ),
        (("--together", "0"), "together=0: give a number from 1"),
        (("--", "--epochs", "0"), "epochs=0: give a number from 1"),
        (("--", "--epoch", "1"), "--epochs"),
    ],
)
def test_options_that_cannot_be(arguments, expected, capsys):
    try:
        status = main(["digits_variants", *arguments])
    except SystemExit as error:
        status = error.code
    assert status == 2
    assert expected in " ".join(capsys.readouterr().err.replace("│", " ").split())
