import gc
import json
import shutil
import signal
import sys
import threading
import time
import traceback

import jax.numpy as jnp
import numpy as np
import pytest
from orbax.checkpoint import v1 as ocp

import jaxunits as ju
from jaxunits import files
from jaxunits.networks import checkpoints
from jaxunits.train.command import main
from jaxunits.train.start import stoppable
from tests.reference import SMALL, arrays_equal, small_residual

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    arguments = [
        *("digits_convnet", "--network.widths", "3", "4", "--network.pool-after", "conv1"),
        *("--data.train-split", "train[:200]", "--data.validation-split", "validation[:100]"),
        *("--epochs", "2", "--checkpoints.every", "1", "--run-folder", str(folder)),
    ]
    assert main(arguments) == 0
    return folder


def built(widths=(3, 4)):
    return ju.networks.convnet(
        10, widths=widths, pool_after=("conv1",), preprocessing=SMALL, seed=5
    )


def message(*args, **kwargs):
    with pytest.raises(ju.InputError) as caught:
        ju.networks.restore(*args, **kwargs)
    return str(caught.value)


def test_builds_the_network_as_the_folder_says(run):
    network = ju.networks.restore(run)
    assert network.architecture == built().architecture
    assert network.preprocessing == SMALL
    assert network(jnp.zeros((1, 28, 28, 1))).shape == (1, 10)


def test_fills_a_network_of_the_same_architecture(run):
    network = built()
    before = ju.networks.arrays(network)["conv1.kernel"]
    restored = ju.networks.arrays(ju.networks.restore(run, network))
    assert (restored["conv1.kernel"] != before).any()
    assert arrays_equal(restored, ju.networks.arrays(ju.networks.restore(run)))
    np.testing.assert_array_equal(ju.networks.arrays(network)["conv1.kernel"], before)


def test_an_earlier_epoch(run):
    one, two = (ju.networks.restore(run, epoch=epoch) for epoch in (1, 2))
    assert not arrays_equal(ju.networks.arrays(one), ju.networks.arrays(two))


def test_another_architecture(run):
    assert message(run, built(widths=(3, 6))) == (
        f"checkpoint {run}/checkpoints/2 has another architecture than network 'convnet': "
        "conv2.bias is (4,) there and (6,) here; conv2.kernel is (3, 3, 3, 4) there and "
        "(3, 3, 3, 6) here; logits.kernel is (784, 10) there and (1176, 10) here. Build the "
        "network with the arguments that it was trained with, or leave the network out to build "
        "it from the folder"
    )


def test_another_kind_of_network(run):
    found = message(run, ju.networks.mlp(10, widths=(4,), preprocessing=SMALL))
    assert "conv1.bias is (3,) there and missing here" in found


def test_nothing_to_restore(run, tmp_path):
    assert f"{tmp_path} is not a run folder" in message(tmp_path)
    shutil.copy(run / "network.json", tmp_path)
    assert f"run folder {tmp_path} has no checkpoint yet" in message(tmp_path)
    (tmp_path / "checkpoints").mkdir()
    assert f"run folder {tmp_path} has no checkpoint yet" in message(tmp_path)
    assert "unknown epoch '9'" in message(run, epoch=9)


def test_damaged_architecture(run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    path = tmp_path / "run" / "network.json"
    text = path.read_text()
    path.write_text(text[:30])
    assert f"{path} is damaged" in message(tmp_path / "run")
    path.write_text(text.replace("convnet", "convnot"))
    assert f"{path} is damaged (it does not have its 'sha256'" in message(tmp_path / "run")
    path.write_text(text)
    settings = files.read_json(path, "no network")
    files.write_json(path, settings | {"builder": "convnot"})
    assert message(tmp_path / "run").endswith("Did you mean 'convnet'?")
    arguments = settings["arguments"]
    arguments["width"] = arguments.pop("widths")
    files.write_json(path, settings)
    assert "does not describe a convnet" in message(tmp_path / "run")


def files_of(checkpoint):
    return sorted(path for path in checkpoint.rglob("*") if path.is_file())


def damages(content, random):
    """A file cut, emptied, filled with zeros, without one bit, or gone."""
    changed = bytearray(content)
    if changed:
        changed[random.integers(len(changed))] ^= 1 << random.integers(8)
    return [content[: len(content) // 2], b"", bytes(len(content)), bytes(changed), None]


# Orbax forgets what it began when a checkpoint cannot be read.
@pytest.mark.filterwarnings("ignore:coroutine 'PyTreeHandler:RuntimeWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.slow
def test_no_damaged_checkpoint_is_read_as_another_network(run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    checkpoint = tmp_path / "run" / "checkpoints" / "2"
    whole = ju.networks.arrays(ju.networks.restore(run))
    random = np.random.default_rng(0)
    refusals = []
    for path in files_of(checkpoint):
        content = path.read_bytes()
        for damage in damages(content, random):
            path.unlink()
            if damage is not None:
                path.write_bytes(damage)
            try:
                found = ju.networks.restore(tmp_path / "run")
            except ju.InputError as error:
                refusals.append(str(error))
            else:
                # Not every file is needed for the network.
                assert arrays_equal(ju.networks.arrays(found), whole)
            path.write_bytes(content)
    assert len(refusals) > 10
    for refusal in refusals:
        assert refusal.startswith(f"checkpoint {checkpoint} is damaged (")
        assert refusal.endswith("or restore another one (epoch=1)")
    gc.collect()


def test_a_checkpoint_that_orbax_does_not_list_is_named(run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    folder = tmp_path / "run" / "checkpoints"
    described = folder / "2" / "_CHECKPOINT_METADATA"
    text = described.read_text()
    described.write_text(text.replace("init_timestamp_nsecs", "init_timestamp_nsEcs"))
    assert described.read_text() != text
    found = message(tmp_path / "run")
    assert found.startswith(f"{folder} holds a checkpoint that was damaged since it was written (")
    assert found.endswith("move the damaged one of its folders (1, 2) elsewhere")


@pytest.mark.parametrize("name", ["_CHECKPOINT_METADATA", "network/_METADATA", "network"])
def test_a_damaged_checkpoint_is_named(run, tmp_path, name):
    shutil.copytree(run, tmp_path / "run")
    checkpoint = tmp_path / "run" / "checkpoints" / "2"
    if (checkpoint / name).is_dir():
        shutil.rmtree(checkpoint / name)
    else:
        content = (checkpoint / name).read_bytes()
        (checkpoint / name).write_bytes(content[: len(content) // 2])
    found = message(tmp_path / "run")
    assert found.startswith(f"checkpoint {checkpoint} is damaged (")
    assert found.endswith(
        "train again with the same command, which resumes from the last intact checkpoint, or "
        "restore another one (epoch=1)"
    )
    earlier = ju.networks.restore(tmp_path / "run", epoch=1)
    assert arrays_equal(
        ju.networks.arrays(earlier), ju.networks.arrays(ju.networks.restore(run, epoch=1))
    )


def test_a_checkpoint_holds_the_metrics_of_all_its_epochs(run):
    lines = (run / "metrics.jsonl").read_text().splitlines()
    assert ju.networks.saved_metrics(run) == [json.loads(line) for line in lines]
    assert ju.networks.saved_metrics(run, epoch=1) == [json.loads(lines[0])]


def test_a_users_own_network_has_no_architecture(tmp_path):
    with pytest.raises(ju.InputError, match="is of a module of your own, which has no arch"):
        ju.networks.save_architecture(small_residual(), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("own", [False, True], ids=["built-in", "of the user"])
def test_a_saved_network_is_restored_bit_for_bit(tmp_path, own):
    network, other = (small_residual(), built())[:: -1 if not own else 1]
    ju.networks.save(other, tmp_path / "run")
    ju.networks.save(network, tmp_path / "run")
    again = ju.networks.restore(tmp_path / "run", network if own else None)
    assert again.fingerprint == network.fingerprint
    assert again.preprocessing == network.preprocessing
    if own:
        with pytest.raises(ju.InputError, match="is of a network of your own: build it"):
            ju.networks.restore(tmp_path / "run")


def test_a_training_run_is_not_overwritten(run):
    with pytest.raises(ju.InputError, match="is of a training run"):
        ju.networks.save(built(), run)


def test_parameters_with_nan_are_refused_by_the_sweep(run):
    network = ju.networks.restore(run)
    bias = ju.networks.arrays(network)["logits.bias"].at[0].set(np.nan)
    network = ju.networks.with_arrays(network, {"logits.bias": bias})
    with pytest.raises(ju.InputError, match=r"parameter logits\.bias"):
        ju.ablation.sweep(network, "conv1", ju.data.load("digits", "validation[:20]"))


def saved(folder):
    trees = {"network": ju.networks.arrays(built())}
    with checkpoints.open_checkpoints(folder) as checkpointer:
        checkpoints.save_state(checkpointer, 1, trees, [])


def waits():
    """Whether the main thread waits for the result of another."""
    stack = traceback.walk_stack(sys._current_frames()[threading.main_thread().ident])
    return any(frame.f_code.co_name == "result" for frame, _ in stack)


@pytest.mark.parametrize(
    "name", ["checkpointables_metadata", "load_checkpointables", "save_checkpointables"]
)
def test_an_interrupt_waits_until_orbax_is_done(run, tmp_path, monkeypatch, name):
    """Orbax would take it for a checkpoint that it cannot read."""
    work, done = getattr(ocp.training.Checkpointer, name), []

    def interrupted(*args, **kwargs):
        while threading.current_thread() is not threading.main_thread() and not waits():
            time.sleep(0.001)
        signal.raise_signal(signal.SIGINT)
        done.append(work(*args, **kwargs))
        return done[0]

    monkeypatch.setattr(ocp.training.Checkpointer, name, interrupted)
    act, folder = (saved, tmp_path) if name[:4] == "save" else (ju.networks.restore, run)
    with stoppable(), pytest.raises(KeyboardInterrupt):
        act(folder)
    assert len(done) == 1
