import numpy as np
import pytest
import xarray as xr
from sklearn.linear_model import LogisticRegression

import jaxunits as ju

CLASSES = ["a", "b", "c", "d"]


def network(seed, signal, units=40):
    """Units that serve a class each, and a vector that tells which, more or less."""
    random = np.random.default_rng(seed)
    label = random.choice(4, units, p=[0.4, 0.2, 0.2, 0.2])
    clear = signal * np.eye(4)[label] + random.normal(size=(units, 4))
    noise = random.normal(size=(units, 7))
    attributes = xr.Dataset(
        {"clear": (("unit", "class"), clear), "noise": (("unit", "concept"), noise)},
        coords={"unit": np.arange(units), "class": CLASSES},
    )
    sweep = xr.Dataset(
        {
            "most_damaged_class": ("unit", np.asarray(CLASSES, object)[label]),
            "max_class_accuracy_drop": ("unit", random.uniform(0, 0.2, units)),
        },
        coords={"unit": np.arange(units), "class": CLASSES},
    )
    return attributes, sweep


def predicted(networks, **arguments):
    attributes, sweeps = zip(*networks, strict=True)
    return ju.statistics.predict_damaged_class(
        attributes, sweeps, features=["clear", "noise"], **arguments
    )


def test_a_vector_that_tells_the_class_is_found_and_noise_is_not():
    result = predicted([network(seed, signal=5.0) for seed in range(5)])
    assert result.accuracy.shape == (3, 10)
    means = result.accuracy.mean("split")
    assert float(means.sel(feature="clear")) > 0.95
    assert float(means.sel(feature="noise")) < float(result.majority.mean()) + 0.05
    assert float(result.chance) == 0.25
    assert 0.25 < float(result.majority.mean()) < 0.55
    agreed = result.prediction.sel(feature="clear") == result.label
    assert float(agreed.mean()) > 0.95
    np.testing.assert_allclose(result.probability.sum("class"), 1)


def test_one_split_equals_scikit_learn_by_hand():
    networks = [network(seed, signal=1.5) for seed in range(3)]
    result = predicted(networks, fitted_on=2, regularization=0.3)
    probabilities = []
    labels = [
        np.searchsorted(CLASSES, each[1].most_damaged_class.values.astype(str)) for each in networks
    ]
    for name in ("clear", "noise"):
        train = np.concatenate([networks[index][0][name].values for index in (0, 1)])
        mean, spread = train.mean(0), train.std(0)
        model = LogisticRegression(C=0.3, max_iter=2000)
        model.fit((train - mean) / spread, np.concatenate(labels[:2]))
        test = (networks[2][0][name].values - mean) / spread
        probabilities.append(model.predict_proba(test))
        assert float(result.accuracy.sel(feature=name)[0]) == pytest.approx(
            (probabilities[-1].argmax(1) == labels[2]).mean()
        )
    together = np.mean(probabilities, axis=0)
    assert float(result.accuracy.sel(feature="ensemble")[0]) == pytest.approx(
        (together.argmax(1) == labels[2]).mean()
    )
    np.testing.assert_allclose(result.probability[2], together, rtol=1e-6)


def test_units_that_damage_little_are_left_out():
    networks = [network(seed, signal=5.0) for seed in range(3)]
    result = predicted(networks, fitted_on=2, minimum_drop=0.1)
    drops = np.stack([each[1].max_class_accuracy_drop for each in networks])
    np.testing.assert_array_equal(result.used, drops >= 0.1)
    wrong = (result.prediction.sel(feature="clear") != result.label)[2] & result.used[2]
    assert float(result.accuracy.sel(feature="clear")[0]) == pytest.approx(
        1 - wrong.sum() / result.used[2].sum()
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"regularization": -1.0}, "regularization=-1.0: give a number above 0"),
        ({"fitted_on": 3}, "3 attributes and 3 sweeps, fitted on 3 networks"),
        ({"features": ["other"]}, "other is not one vector per unit: the attributes have clear, n"),
        ({"features": []}, "features=(): name at least one"),
    ],
)
def test_what_cannot_be_predicted_is_refused(change, message):
    attributes, sweeps = zip(*[network(seed, 1.0) for seed in range(3)], strict=True)
    arguments = {"features": ["clear"], "fitted_on": 2, **change}
    with pytest.raises(ju.InputError) as error:
        ju.statistics.predict_damaged_class(attributes, sweeps, **arguments)
    assert message in str(error.value)


def test_networks_that_do_not_match_are_refused():
    first, second = network(0, 1.0), network(1, 1.0, units=30)
    with pytest.raises(ju.InputError) as error:
        predicted([first, second], fitted_on=1)
    assert "clear has shapes (40, 4), (30, 4): give networks of one architecture" in str(
        error.value
    )
    third = network(2, 1.0)
    third[1]["class"] = ["a", "b", "c", "e"]
    with pytest.raises(ju.InputError) as error:
        predicted([first, third], fitted_on=1)
    assert "the sweeps have other classes" in str(error.value)
