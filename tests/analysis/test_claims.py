"""Verdicts on the papers' claims, from made-up results whose answers are known."""

import importlib.util
import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from scipy import stats

import jaxunits as ju
from jaxunits.analysis import Run
from jaxunits.analysis.claims.__main__ import main
from jaxunits.analysis.claims.of_ablation import found_of_ablation, largest, ranks
from jaxunits.analysis.claims.reading import measured_runs
from jaxunits.analysis.claims.rows import Row, results_file, rows
from jaxunits.analysis.claims.rules import (
    FAILS,
    HOLDS,
    UNKNOWN,
    VERDICTS,
    Estimate,
    Rule,
    of_difference,
    of_few_ranks,
    of_mean,
    of_samples,
)
from jaxunits.analysis.claims.statements import CLAIMS
from jaxunits.analysis.experiment import config

ROOT = Path(__file__).parents[2]
UNITS, CLASSES, IMAGES = 24, 4, 1000
NAMES = [f"class {k}" for k in range(CLASSES)]
SETTINGS = config()(Path("none"))
# How results are made: so that claims hold, so that they do not, and so that nothing can be told.
GOOD, BAD, NOISE = "good", "bad", "noise"


def sweep_of(broken, images=IMAGES):
    """Units that break so many images of each class and repair none."""
    broken = np.broadcast_to(broken, (len(broken), CLASSES))
    drops = broken / images
    before = np.full(CLASSES, images * 9 // 10)
    return xr.Dataset(
        {
            "broken": (("unit", "class"), broken),
            "correct": (("unit", "class"), before - broken),
            "correct_before": ("class", before),
            "n_images": ("class", np.full(CLASSES, images)),
            "class_accuracy_drop": (("unit", "class"), drops),
            "overall_accuracy_drop": ("unit", drops.mean(1)),
            "max_class_accuracy_drop": ("unit", drops.max(1)),
        },
        coords={"unit": np.arange(len(broken)), "class": NAMES},
        attrs={"network": "made up", "data": "nothing", "split": "test"},
    )


def graded(points):
    """A sweep in which unit u costs every class u steps of so many points."""
    return sweep_of((10 * points * np.arange(UNITS)).astype(int)[:, None])


def ordered(kind, rising):
    """A number of units that rises or falls with the damage, or has nothing to do with it."""
    if kind == NOISE:
        return np.random.default_rng(5).permutation(UNITS).astype(float)
    up = np.arange(UNITS, dtype=float)
    return up if (kind == GOOD) == rising else -up


def of_ablation(kind):
    sweeps = {
        # Nothing breaks; all of every class does; half of the units break a little.
        GOOD: {"few": sweep_of(np.zeros((UNITS, 1), int)), "one": one_pair(300)},
        BAD: {"few": sweep_of(np.full((UNITS, 1), 100)), "one": one_pair(20)},
        NOISE: {"few": sweep_of(np.arange(UNITS)[:, None] % 2 * 20), "one": one_pair(100)},
    }[kind]
    little = sweep_of(np.full((UNITS, 1), 10))
    return [Run(kind, "seed0", {"ablation": {**sweeps, "little": little}})]


def one_pair(broken):
    """A unit that breaks images of one class alone, and 23 that break and repair nothing."""
    found = np.zeros((UNITS, CLASSES), int)
    found[3, 1] = broken
    return sweep_of(found)


def against_chance(kind):
    """Each unit damages a class of its own; or repairs all classes; or half of them do either."""
    broken = np.zeros((UNITS, CLASSES), int)
    broken[np.arange(UNITS), np.arange(UNITS) % CLASSES] = 200
    if kind == BAD:
        broken = np.full((UNITS, CLASSES), -20)
    if kind == NOISE:
        broken = np.where(np.arange(UNITS)[:, None] % 2, 1, -1) * np.ones((1, CLASSES), int)
    sweep = sweep_of(np.maximum(broken, 0))
    repaired = np.maximum(-broken, 0)
    sweep["correct"] = sweep.correct + repaired
    sweep["max_class_accuracy_drop"] = ("unit", (broken / IMAGES).max(1))
    return [Run(kind, "seed0", {"ablation": {"conv": sweep}})]


def attributes(kind):
    columns = {
        "class_selectivity": ordered(kind, rising=True),
        "class_correlation": ordered(kind, rising=True),
        "l1_norm": ordered(kind, rising=True),
    }
    found = xr.Dataset({name: ("unit", values) for name, values in columns.items()})
    falling = found.assign(class_selectivity=("unit", ordered(kind, rising=False)))
    concepts = xr.Dataset({"alignment": ("unit", ordered(kind, rising=True))})
    results = {
        "ablation": {"up": graded(1), "down": graded(1)},
        "attributes": {"up": found, "down": falling},
        "concepts": {"up": concepts},
    }
    return [Run(kind, "seed0", results)]


def greedy(kind):
    """Series of 12 units: greedy ones take so many points a unit, random ones others."""
    noise = np.array([9.0, -9, 8, -8])
    each = {GOOD: 6 + 0 * noise, BAD: 1 + 0 * noise, NOISE: 4 + noise / 4}[kind]
    random = {GOOD: 0 * noise, BAD: 2 + 0 * noise, NOISE: 4 - noise / 4}[kind]
    steps = np.arange(13)
    curves = np.empty((CLASSES + 2, 13, CLASSES))
    curves[:CLASSES] = 0.9 - steps[None, :, None] * each / 100
    curves[CLASSES:] = 0.9 - steps[None, :, None] * random / 100
    found = xr.Dataset(
        {"class_accuracy": (("order", "step", "class"), curves)},
        coords={"class": NAMES, "target": ("order", [*NAMES, "", ""])},
    )
    return [Run(kind, "seed0", {"greedy": {"conv": found}})]


def rotations(kind):
    units = graded(1)
    drop = {GOOD: -0.5, BAD: 0.9, NOISE: 0.0}[kind]
    rotated = xr.concat([units, units], "rotation").rename(unit="direction")
    names = ["overall_accuracy_drop", "max_class_accuracy_drop"]
    rotated = (rotated[names] + drop).assign_attrs(units.attrs)
    results = {"ablation": {"conv": units}, "rotations": {"conv": rotated}}
    return [Run(kind, "seed0", results)]


def trained(folder, name, **changes):
    """A run folder of a network that was trained in some way."""
    network = {"batch_norm": False, "channel_dropout": {}}
    settings = {
        "network": network,
        "data": {"random_labels": 0.0, "fraction": 1.0},
        "regularizers": {"class_selectivity": 0.0, "l1_weights": 0.0},
        "epochs": 10,
    }
    for key, value in changes.items():
        settings[key] = {**settings[key], **value}
    run = ju.results.RunFolder(folder / name / "seed0")
    if not run.configuration.exists():
        run.claim({**settings, "data_fingerprint": {"train": name}})
    return run.path


def variants(kind, folder):
    """Three seeds; the plain network is hurt more, or less, or as much."""
    ways = {
        "plain": {},
        "normed": {"network": {"batch_norm": True}},
        "dropped": {"network": {"channel_dropout": {"conv": 0.3}}},
        "shuffled": {"data": {"random_labels": 0.5}},
        "selective": {"regularizers": {"class_selectivity": 1.0}},
        "unselective": {"regularizers": {"class_selectivity": -1.0}},
        # In two ways: nothing can be said.
        "other": {"network": {"batch_norm": True}, "data": {"fraction": 0.5}},
    }
    size = {GOOD: 1, BAD: -1, NOISE: 0}[kind]
    # So many images of each class a unit breaks, and so many fewer are correct.
    broken = dict.fromkeys(ways, -20 * size) | {"plain": 0, "selective": 20 * size}
    wrong = dict.fromkeys(ways, 0) | {"selective": 40 * size}
    # Of the regularizer against selectivity more than 2 points less say the contrary.
    wrong["unselective"] = {GOOD: 0, BAD: 100, NOISE: 20}[kind]
    found = []
    for seed, (name, changes) in itertools.product(range(3), ways.items()):
        sweep = sweep_of(np.full((UNITS, 1), 50 + broken[name] + 2 * seed))
        for count in ("correct", "correct_before"):
            sweep[count] = sweep[count] - wrong[name] - 2 * seed
        selectivity = 0.4 + 0.01 * seed + 0.01 * broken[name]
        left = 0.6 + 0.01 * seed - (0.3 * size if name == "shuffled" else 0)
        results = {
            "ablation": {"conv": sweep},
            "attributes": {"conv": with_selectivity(selectivity)},
            "removal": {"conv": removed(left)},
            "removal_of_all": {"conv": removed(left)},
        }
        place = trained(folder, name, **changes)
        found.append(Run(name, f"seed{seed}", results, place))
    return found


def with_selectivity(value):
    return xr.Dataset({"class_selectivity": ("unit", np.full(UNITS, value))})


def removed(left, whole=0.95):
    """Curves on which so much is left of training accuracy from 1 unit to 7, and of the other all.

    Both are 0.1 without units.
    """
    scale = np.ones((2, 2, 9))
    scale[0, :, 1:] = left
    scale[..., -1] = 0
    return xr.Dataset(
        {"accuracy": (("side", "draw", "step"), 0.1 + (whole - 0.1) * scale)},
        coords={"side": ["training", "test"], "removed": ("step", np.arange(9))},
        attrs={"units": 8},
    )


def with_rankings(random, last=0.5, other=0.5, others=("L1 norm", "Taylor")):
    """Curves of cumulative ablation by rankings beside random ones."""
    steps = random.sizes["step"]
    every = ["importance", *others]
    accuracy = np.empty((CLASSES, 2, len(every), steps))
    accuracy[:, :, 0] = last
    accuracy[:, :, 1:] = other
    coords = {
        "class": NAMES,
        "direction": ["most important first", "least important first"],
        "ranking": every,
    }
    dims = ("class", "direction", "ranking", "step")
    return random.assign(accuracy=(dims, accuracy)).assign_coords(coords)


def transition(kind):
    """40 units. Curves that hold and fall at once; that fall slowly and early; that differ."""
    steps = np.arange(41)
    sudden = np.where(steps < 38, 0.9, 0.0)
    slow = np.clip(0.9 - steps / 40, 0, 1)
    random = np.broadcast_to(np.clip(0.9 - steps / 30, 0, 1), (CLASSES, 2, 41))
    last = {GOOD: np.stack([sudden] * CLASSES), BAD: np.stack([slow] * CLASSES)}.get(
        kind, np.stack([sudden, slow, 0.5 * sudden, 0 * slow])
    )
    other = {GOOD: 0.3, BAD: 0.8}.get(kind, 0.45)
    if kind == BAD:
        random = np.full((CLASSES, 2, 41), 0.8)
    if kind == NOISE:
        random = np.full((CLASSES, 2, 41), 0.45)
    curves = xr.Dataset({"random_accuracy": (("class", "draw", "step"), random)})
    found = with_rankings(curves, last[:, None], other)
    return [Run(kind, "seed0", {"cumulative": {"conv": found}})]


def births(kind):
    """40 images a class: ten units with one birth point each; none; ten for some classes alone."""
    random = np.random.default_rng(1)
    anew = random.integers(1, 3, (40, 80))
    alike = anew.copy()
    alike[:, :10] = np.arange(40)[:, None] >= np.arange(10)
    each = {GOOD: [alike] * 4, BAD: [anew] * 4, NOISE: [alike, alike, alike, anew]}[kind]
    names = np.repeat(np.asarray(NAMES, object), 40)
    found = xr.Dataset(
        {"birth_point": (("image", "unit"), np.concatenate(each))},
        coords={"class": ("image", names)},
    )
    return [Run(kind, "seed0", {"births": {"conv": found}})]


def entropy(kind):
    random = np.random.default_rng(2)
    wild, tame = random.integers(1, 30, (30, UNITS)), random.integers(1, 3, (30, UNITS))
    first, last = {GOOD: (wild, tame), BAD: (tame, wild)}.get(kind, (wild, wild[::-1].copy()))
    if kind == NOISE:
        last = random.integers(1, 30, (30, UNITS))
    found = xr.Dataset({"birth_point": (("epoch", "image", "unit"), np.stack([first, last]))})
    return [Run(kind, "seed0", {"training": {"conv": found}})]


def insertion_of(rising):
    """Both curves rise over so many of 60 units, by class, and are level then."""
    curves = np.stack([np.minimum(np.arange(61) / count, 1) / 2 for count in rising])
    both = np.stack([curves, curves], axis=2)
    return xr.Dataset(
        {"accuracy": (("class", "step", "side"), both)},
        coords={"class": NAMES, "side": ["training", "test"]},
    )


def insertion(kind):
    rising = {GOOD: [6] * 4, BAD: [40] * 4, NOISE: [6, 40, 6, 20]}[kind]
    return [Run(kind, "seed0", {"insertion": {"conv": insertion_of(rising)}})]


def generalization(kind):
    """Six networks whose overfitted units fall or rise with their accuracy, or neither."""
    overfitted = {GOOD: np.arange(6)[::-1], BAD: np.arange(6)}.get(kind, [3, 1, 5, 0, 4, 2])
    found = []
    for number, share in enumerate(overfitted):
        sweep = sweep_of(np.zeros((UNITS, 1), int))
        sweep["correct_before"] = sweep.correct_before + 3 * number
        sweep["correct"] = sweep.correct + 3 * number
        curves = insertion_of([10] * 4)
        # Over so many units behind the core training accuracy rises alone.
        rise = np.clip(np.arange(61) - 10, 0, 8 * share) * 0.01
        curves["accuracy"].loc[{"side": "training"}] += rise
        results = {"ablation": {"conv": sweep}, "insertion": {"conv": curves}}
        found.append(Run(f"{kind}{number}", "seed0", results))
    return found


def substitution(kind):
    layers = ["conv1", "conv2", "conv3", "conv4", "conv5", "conv6"]
    places = {GOOD: 1.0, BAD: -1.0, NOISE: 0.0}[kind]
    results = {"ablation": {}, "attributes": {}, "synthesis": {}}
    random = np.random.default_rng(3)
    selectivity = random.permutation(UNITS).astype(float)
    noise = 4 * random.normal(size=UNITS)
    for depth, layer in enumerate(layers):
        # Of the first layer RS is the selectivity, or the contrary, of the last mostly noise.
        weight = {GOOD: 1, BAD: -1, NOISE: 0}[kind]
        rs = weight * selectivity + depth * noise
        steps = np.argsort(np.argsort(rs * places)) if places else random.permutation(UNITS)
        results["ablation"][layer] = sweep_of((10 * (UNITS - steps))[:, None])
        results["attributes"][layer] = xr.Dataset(
            {"class_selectivity": ("unit", selectivity)}, coords={"unit": np.arange(UNITS)}
        )
        each = np.stack([rs, rs])[:, None]
        results["synthesis"][layer] = xr.Dataset(
            {"rs": (("maximized", "noise_seed", "unit"), each)},
            coords={"maximized": ["am", "iam"], "unit": np.arange(UNITS)},
        )
    return [Run(kind, "seed0", results)]


MADE = (
    *(of_ablation, against_chance, attributes, greedy, rotations, transition, births),
    *(entropy, insertion, generalization, substitution),
)


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory):
    """Which verdicts each claim had, from all that is made up."""
    found = {claim: set() for claim in CLAIMS}
    folder = tmp_path_factory.mktemp("variants")
    for kind in (GOOD, BAD, NOISE):
        for runs in (*(make(kind) for make in MADE), variants(kind, folder)):
            for row in rows(runs, SETTINGS):
                found[row.claim].add(row.verdict)
    return found


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """What networks that were trained in several ways say together."""
    found = rows(variants(GOOD, tmp_path_factory.mktemp("compared")), SETTINGS)
    return [row for row in found if ", " in row.network]


def test_networks_are_compared_that_differ_in_one_thing(compared):
    assert {(row.claim, row.network, row.layers) for row in compared} == {
        ("batch_norm", "plain, normed", "conv"),
        ("dropout", "plain, dropped", "conv"),
        ("random_labels", "plain, shuffled", "conv"),
        ("random_labels", "plain, shuffled", "all layers"),
        ("selective_units", "plain, selective", "conv"),
        ("selective_accuracy", "plain, selective", "whole network"),
        ("selective_class", "plain, selective", "conv"),
        ("unselective_units", "plain, unselective", "conv"),
        ("unselective_accuracy", "plain, unselective", "whole network"),
        ("unselective_class", "plain, unselective", "conv"),
    }


def test_what_is_kept_of_training_accuracy_is_between_all_units_and_none(compared):
    (row,) = (row for row in compared if (row.claim, row.layers) == ("random_labels", "conv"))
    # By trapezoids: 6 intervals of what is left, and half of it in the first and in the last.
    assert row.number == pytest.approx(0.3 * (6 + 2 / 2) / 8, abs=1e-4)


def test_random_labels_that_nobody_learned_tell_nothing(tmp_path):
    runs = variants(GOOD, tmp_path)
    for run in runs:
        curves = removed(0.3 if run.configuration == "shuffled" else 0.6, whole=0.8)
        run.results["removal"]["conv"] = curves
    (row,) = (
        row for row in rows(runs, SETTINGS) if row.claim == "random_labels" and row.layers == "conv"
    )
    assert (row.verdict, row.low) == (UNKNOWN, None)
    assert row.number == pytest.approx(0.2625, abs=1e-4)


def test_networks_of_two_studies_are_not_taken_for_seeds_of_one(tmp_path, capsys):
    places = [tmp_path / study / "net" / f"seed{seed}" for study in "ab" for seed in range(2)]
    places.append(tmp_path / "b" / "other" / "seed0")
    for number, place in enumerate(places):
        run_folder = ju.results.RunFolder(place)
        way = {"batch_norm": "b" in place.parts, "width": len(place.parent.name)}
        run_folder.claim({"network": way})
        kept(one_pair(number), run_folder, "conv")
    runs = measured_runs([tmp_path / "a", tmp_path / "b"])
    names = [f"{study}/net/seed{seed}" for study in "ab" for seed in range(2)]
    assert [run.name for run in runs] == [*names, "b/other/seed0"]
    networks = {row.network for row in rows(runs, SETTINGS)}
    assert networks == {*names, "b/other", "a/net, b/net"}
    assert [run.name for run in measured_runs(places[:2])] == ["net/seed0", "net/seed1"]
    output = str(tmp_path / "x.json")
    assert main([str(places[0]), str(tmp_path / "a"), "--output", output]) == 2
    assert "are both called net/seed0" in " ".join(capsys.readouterr().err.split())


def test_networks_that_generalize_are_those_of_the_same_images():
    runs = [*generalization(GOOD), *generalization(BAD)]
    for run in runs[6:]:
        run.sweeps["conv"].attrs["data"] = "other images"
    found = [row for row in rows(runs, SETTINGS) if row.claim == "roles_generalization"]
    assert [(row.network, row.number) for row in found] == [("6 networks", -1), ("6 networks", 1)]


@pytest.mark.parametrize("claim", CLAIMS)
def test_every_verdict_of_every_claim_is_reached(verdicts, claim):
    assert verdicts[claim] == set(VERDICTS)


@pytest.mark.parametrize(
    ("side", "low", "high", "expected"),
    [
        ("above", 1.1, 2, HOLDS),
        ("above", -2, 0.9, FAILS),
        ("above", 0.9, 1.1, UNKNOWN),
        ("above", 1, 2, UNKNOWN),
        ("below", 0, 0.9, HOLDS),
        ("below", 1.1, 2, FAILS),
        ("below", 0, 1, UNKNOWN),
        ("below", math.nan, math.nan, UNKNOWN),
    ],
)
def test_rules(side, low, high, expected):
    rule = Rule(side, 1.0)
    assert rule.verdict(Estimate(0.0, float(low), float(high))) == expected
    assert rule.text("points") == f"the whole interval is {side} 1 point"


def test_intervals_are_those_of_scipy():
    random = np.random.default_rng(0)
    one, other = random.normal(1, 2, 40), random.normal(0, 1, 5)
    welch = stats.ttest_ind(one, other, equal_var=False).confidence_interval()
    found = of_difference(one, other)
    assert (found.low, found.high) == pytest.approx((welch.low, welch.high))
    resampled = stats.bootstrap((one,), np.mean, method="percentile", random_state=1)
    found = of_mean(one)
    expected = resampled.confidence_interval
    near = 0.1 * (expected.high - expected.low)
    assert (found.low, found.high) == pytest.approx(tuple(expected), abs=near)
    assert found.number == pytest.approx(one.mean())
    holes = of_samples(lambda a, b: a.mean(-1) - b.mean(-1), np.append(one, np.nan), other)
    assert holes.number == pytest.approx(one.mean() - other.mean())
    assert math.isnan(of_mean(one[:1]).low)
    assert math.isnan(of_difference(one[:1], other).low)
    assert of_difference(np.ones(3), np.zeros(3)) == Estimate(1.0, 1.0, 1.0)


def test_few_ranks_tell_nothing_and_five_in_order_do():
    """Of n! orders two have |r| = 1: more than 5 % of those of four things, fewer of five."""
    for count in (2, 3, 4):
        found = of_few_ranks(range(count), range(count))
        assert Rule("above", 0.0).verdict(found) == UNKNOWN
    assert Rule("above", 0.0).verdict(of_few_ranks(range(5), range(5))) == HOLDS
    assert Rule("above", 0.0).verdict(of_few_ranks(range(5), [1, 0, 3, 2, 4])) == UNKNOWN


@pytest.mark.parametrize(("apart", "expected"), [(1, UNKNOWN), (4, UNKNOWN), (5, HOLDS)])
def test_a_rank_correlation_of_few_units_tells_nothing(apart, expected):
    """Resampled, one unit that is first of all in both is so each time that it is drawn."""
    x = np.maximum(np.arange(16.0) - 15 + apart, 0)
    found = ranks(x, np.arange(16.0))
    assert found.number > 0
    assert Rule("above", 0.0).verdict(found) == expected
    assert Rule("above", 0.0).verdict(ranks(np.arange(16.0), x)) == expected
    holes = np.concatenate([x, np.full(9, np.nan)])
    assert Rule("above", 0.0).verdict(ranks(holes, np.arange(25.0))) == expected


def test_the_largest_of_noisy_drops_is_not_taken_for_damage():
    """Where nothing is damaged the interval of the largest drop is above 0 in few layers."""
    random = np.random.default_rng(4)
    above = 0
    for _ in range(40):
        broken, repaired = random.binomial(20, 0.5, (2, UNITS, CLASSES))
        sweep = sweep_of(broken)
        sweep["correct"] = sweep.correct + repaired
        estimate = largest(sweep)
        assert estimate.number > 0
        above += estimate.low > 0
    assert above <= 6


def test_units_that_cost_less_than_chance_are_told():
    (run,) = of_ablation(GOOD)
    found = {(claim, layer): estimate for claim, layer, estimate in found_of_ablation(run)}
    largest_drop = found["class_largest", "one"]
    assert largest_drop.number == pytest.approx(30)
    assert largest_drop.low > 20
    assert found["overall_mean", "few"] == Estimate(0.0, 0.0, 0.0)


def kept(sweep, run_folder, layer, number=0):
    """Write a sweep where a run folder has it."""
    attrs = {"kind": "ablation", "layer": layer, "layer_number": str(number)}
    run_folder.measurements.mkdir(exist_ok=True)
    path = run_folder.measurements / f"ablation_{layer}.nc"
    ju.results.write(sweep.assign_attrs({**sweep.attrs, **attrs}), path)


def test_the_page_has_a_row_for_all_seeds():
    good, bad = of_ablation(GOOD)[0], of_ablation(BAD)[0]
    runs = [Run("study/net", f"seed{k}", run.results) for k, run in enumerate((good, good, bad))]
    held = json.loads(json.dumps(results_file(runs, rows(runs, SETTINGS))))
    of_one = [
        row for row in held["rows"] if (row["claim"], row["layers"]) == ("class_largest", "one")
    ]
    low, high = min(row["low"] for row in of_one), max(row["high"] for row in of_one)
    expected = (
        f"| study/<wbr>net, 3 seeds | one | 30.00, 30.00, 2.00 | {low:.2f} to {high:.2f} | "
        "holds 2, does not hold 1 |"
    )
    assert expected in _hook().rendered(held).splitlines()


def test_the_file_and_the_page_have_the_same_numbers(tmp_path, capsys):
    folder = tmp_path / "study" / "net" / "seed0"
    run_folder = ju.results.RunFolder(folder)
    run_folder.claim({"network": {}, "data": {}})
    (run,) = of_ablation(GOOD)
    for number, (layer, sweep) in enumerate(run.sweeps.items()):
        kept(sweep, run_folder, layer, number)
    output = tmp_path / "findings.json"
    assert main([str(tmp_path / "study"), "--output", str(output)]) == 0
    assert "Some class loses much without some unit: more than 10 points. holds 1" in (
        capsys.readouterr().out
    )
    held = json.loads(output.read_text())
    (row,) = (
        row for row in held["rows"] if (row["claim"], row["layers"]) == ("class_largest", "one")
    )
    assert row["verdict"] == HOLDS
    assert row["number"] == 30
    page = _hook().rendered(held)
    shown = f"| net | one | 30.00 | {row['low']:.2f} to {row['high']:.2f} | holds |"
    assert shown in page.splitlines()
    assert "| net | 4,000 of nothing, test | 90.00% | `few`, `one`, `little` |" in page
    assert "Feature entropy falls in training. |" in page
    assert "not measured" in page


def test_what_cannot_be_read_is_named(tmp_path, capsys):
    assert main([str(tmp_path), "--output", str(tmp_path / "x.json")]) == 2
    assert "holds no measurements" in " ".join(capsys.readouterr().err.split())
    for number in range(2):
        sweep = one_pair(number).assign_attrs(kind="ablation", layer="a", layer_number="0")
        place = tmp_path / "measurements"
        place.mkdir(exist_ok=True)
        ju.results.write(sweep, place / f"{number}.nc")
    assert main([str(tmp_path), "--output", str(tmp_path / "x.json")]) == 2
    assert "several measurements of the kind 'ablation' of layer 'a'" in " ".join(
        capsys.readouterr().err.split()
    )


def test_the_committed_results_are_of_these_claims_and_rules():
    """A rule that is changed makes the results anew."""
    held = json.loads((ROOT / "docs" / "findings.json").read_text())
    now = results_file([], [])["claims"]
    for key, claim in held["claims"].items():
        assert {**now[key], "looked_at": claim["looked_at"]} == claim
    assert list(held["claims"]) == list(now)
    for row in held["rows"]:
        estimate = Estimate(
            *(math.nan if row[name] is None else row[name] for name in ("number", "low", "high"))
        )
        assert Row.of(row["claim"], row["network"], row["layers"], estimate) == Row(**row)


def _hook():
    path = ROOT / "docs" / "_hooks" / "findings.py"
    spec = importlib.util.spec_from_file_location("findings_hook", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
