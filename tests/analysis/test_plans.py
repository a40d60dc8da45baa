"""A plan counts what a measurement does, and single classes are measured on their own images."""

import functools

import numpy as np
import pytest
from rich.console import Console

import jaxunits as ju
from jaxunits.analysis.experiment import config, experiments, measurements_of
from jaxunits.analysis.measurements.cumulative import importance_order
from jaxunits.analysis.settings import with_options
from jaxunits.analysis.subject import Subject
from tests.stored import stored
from tests.zoo import MAPS, kind

LAYER = "conv3"
UNITS = 10
MEASUREMENTS = {each.name: each for each, _ in measurements_of(list(experiments().values()))}
OPTIONS = {"removal.draws": 2, "removal.steps": 4, "removal.images": 200, "rotations.count": 3}
OPTIONS |= {"topology.random_orders": 2, "topology.greedy": False, "stability.subsets": 5}


@pytest.fixture
def subject(tmp_path):
    """A network with 60 held-out images and 250 training images, whose classes differ in size."""
    held_out = ju.data.load("digits", "validation[:60]")
    return subject_of(
        tmp_path, stored("convnet"), LAYER, held_out, ju.data.load("digits", "train[:250]")
    )


def subject_of(folder, network, layer, data, training, values="zero"):
    settings = config()(folder, layers=(layer,), split=data.split, values=values)
    return Subject(
        config=with_options(settings, OPTIONS),
        folder=ju.results.RunFolder(folder),
        network=network,
        data=data,
        console=Console(quiet=True),
        load_training=lambda: training,
    )


def measure(subject, name, layer=LAYER):
    """The result of a measurement and of those that it reads."""
    wanted = MEASUREMENTS[name]
    results = {each.name: {layer: measure(subject, each.name, layer)} for each in wanted.after}
    ((_, found),) = wanted.measure(subject, [layer], results)
    return found


@pytest.fixture
def work(monkeypatch):
    """How many images are run under how many masks, by call."""
    done = []

    def counted(call, masks_of):
        @functools.wraps(call)
        def counting(network, layer, data, what, **options):
            done.append(len(data) * masks_of(np.atleast_2d(what)))
            return call(network, layer, data, what, **options)

        return counting

    for name in ("cumulative", "insertion"):
        along = counted(getattr(ju.ablation, name), lambda orders: len(orders) * (UNITS + 1))
        monkeypatch.setattr(ju.ablation, name, along)
    for name in ("sweep", "directions"):
        monkeypatch.setattr(ju.ablation, name, counted(getattr(ju.ablation, name), len))
    return done


@pytest.mark.parametrize(
    "name", ["cumulative", "insertion", "samples", "removal", "removal_of_all", "rotations"]
)
def test_a_plan_is_of_all_that_is_done(name, subject, work):
    wanted = MEASUREMENTS[name]
    measure(subject, name)
    total, first = sum(work), work[0]
    if wanted.planned is not None:
        work.clear()
        wanted.planned(subject, LAYER)
        (first,) = work
    # Classes differ in size, and one stands for all.
    atol = 0.25 * total if name == "cumulative" else 0.5
    np.testing.assert_allclose(first * wanted.calls(subject), total, atol=atol)


def test_classes_are_inserted_into_on_their_own_images(subject, work):
    measure(subject, "insertion")
    assert sum(work) == (60 + 250) * (UNITS + 1)


@pytest.mark.parametrize("kind_of", ["mixed", "linen", "channels_first", "mobilenet"])
def test_ablated_units_give_their_mean_over_images_of_all_classes(kind_of, tmp_path):
    """Along the orders of single classes, against a loop over masks."""
    zoo, layer = kind(kind_of), MAPS[kind_of]
    training = ju.data.subset(zoo.data, np.arange(30))
    subject = subject_of(tmp_path, zoo.network, layer, zoo.data, training, "mean")
    births = measure(subject, "births", layer)
    ablated = measure(subject, "cumulative", layer).sel(
        ranking="importance", direction="most important first"
    )
    inserted = measure(subject, "insertion", layer)
    for label in inserted["class"].values.tolist():
        order = importance_order(subject, births, label)
        # Step by unit: how many units went before.
        gone = np.arange(len(order) + 1)[:, None] > np.argsort(order)
        cases = [(ablated, ~gone, 40), (inserted.sel(side="test"), gone, 40)]
        cases.append((inserted.sel(side="training"), gone, 30))
        for found, kept, images in cases:
            right, unclear, own = outcomes(zoo, layer, kept, label, images)
            counted = found.accuracy.sel({"class": label}).values * own
            assert (np.abs(counted - right) <= unclear + 1e-6).all()


def outcomes(zoo, layer, masks, label, images):
    """Under each mask, how many of a class's first images are right and how many nearly tie."""
    means = zoo.logits()[1][layer]
    means = means.reshape(-1, means.shape[-1]).mean(0)
    own = zoo.data.labels[:images] == zoo.data.class_index(label)
    right, unclear = [], []
    for mask in masks.astype(np.float32):
        logits = zoo.logits({layer: (np.diag(mask), (1 - mask) * means)})[0][:images][own]
        best = np.sort(logits, axis=1)
        right.append((logits.argmax(1) == zoo.data.class_index(label)).sum())
        unclear.append((best[:, -1] - best[:, -2] < 1e-4 * np.abs(logits).max()).sum())
    return np.array(right), np.array(unclear), own.sum()
