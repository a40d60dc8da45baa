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

LAYER = "conv3"
UNITS = 10
MEASUREMENTS = {each.name: each for each, _ in measurements_of(list(experiments().values()))}
OPTIONS = {"removal.draws": 2, "removal.steps": 4, "removal.images": 200, "rotations.count": 3}
OPTIONS |= {"topology.random_orders": 2, "topology.greedy": False, "stability.subsets": 5}


@pytest.fixture
def subject_of(tmp_path):
    """A network with 60 held-out images and 250 training images, whose classes differ in size."""

    def make(values="zero"):
        settings = config()(tmp_path, layers=(LAYER,), split="validation[:60]", values=values)
        training = ju.data.load("digits", "train[:250]")
        return Subject(
            config=with_options(settings, OPTIONS),
            folder=ju.results.RunFolder(tmp_path),
            network=stored("convnet"),
            data=ju.data.load("digits", "validation[:60]"),
            console=Console(quiet=True),
            load_training=lambda: training,
        )

    return make


def measure(subject, name, layer=LAYER):
    """The result of a measurement and of those that it reads."""
    wanted = MEASUREMENTS[name]
    results = {each.name: {layer: measure(subject, each.name)} for each in wanted.after}
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
def test_a_plan_is_of_all_that_is_done(name, subject_of, work):
    subject, wanted = subject_of(), MEASUREMENTS[name]
    measure(subject, name)
    total, first = sum(work), work[0]
    if wanted.planned is not None:
        work.clear()
        wanted.planned(subject, LAYER)
        (first,) = work
    # Classes differ in size, and one stands for all.
    atol = 0.25 * total if name == "cumulative" else 0.5
    np.testing.assert_allclose(first * wanted.calls(subject), total, atol=atol)


def test_classes_are_inserted_into_on_their_own_images(subject_of, work):
    subject = subject_of()
    measure(subject, "insertion")
    assert sum(work) == (60 + 250) * (UNITS + 1)


@pytest.mark.parametrize("name", ["cumulative", "insertion"])
def test_ablated_units_give_the_mean_over_images_of_all_classes(name, subject_of):
    subject = subject_of("mean")
    found, births = measure(subject, name), measure(subject, "births")
    found = found.sel(side="test") if name == "insertion" else found.sel(ranking="importance")
    along = getattr(ju.ablation, name)
    for label in found["class"].values.tolist():
        order = importance_order(subject, births, label)
        given = {"values": "mean", "progress": False}
        whole = along(subject.network, LAYER, subject.data, order, **given).sel({"class": label})
        curve = found.accuracy.sel({"class": label})
        if name == "cumulative":
            curve = curve.sel(direction="most important first")
        np.testing.assert_array_equal(curve, whole.class_accuracy)
