import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from flax import nnx
from scipy import special

import jaxunits as ju
from jaxunits.attributes._class_means import class_means
from jaxunits.attributes._correlation import correlation
from jaxunits.attributes._gradients import derivatives
from jaxunits.attributes._seen import joined, look
from jaxunits.attributes._statistics import statistics
from jaxunits.attributes._top import top
from jaxunits.execution import Execution, LookEngine, pieces, reading
from jaxunits.execution._states import Kept, pack, unpack
from tests.chains import average, chain, changed
from tests.outcomes import ROUNDING, tolerance
from tests.reference import (
    SMALL,
    before_relu,
    forward,
    images_of,
    small_convnet,
    small_residual,
)

SCALARS = (
    *("l1_norm", "class_correlation", "class_selectivity", "activation_mean", "activation_std"),
    *("activation_max", "apoz", "silent_share", "taylor", "gradient", "random"),
)


@pytest.fixture(scope="module")
def stored(trained, few_digits):
    """Activations of every layer, in float64, and the probabilities and labels."""
    images, labels = images_of(few_digits, SMALL)
    logits, answers = trained.with_activations(
        jnp.asarray(images, jnp.float32), list(trained.layers)
    )
    maps = {name: np.asarray(values, np.float64) for name, values in answers.items()}
    logits = np.asarray(logits, np.float64)
    return {
        "maps": maps,
        "probability": special.softmax(logits, axis=1),
        # A probability's relative error is the error of a difference of logits.
        "of_probability": tolerance(logits),
        "labels": labels,
        "images": images,
    }


def near(found, expected, scale=None):
    """Equal as far as sums in float32 are, relative to the largest number where numbers cancel."""
    expected = np.asarray(expected, np.float64)
    size = np.abs(expected).max() if scale is None else scale
    np.testing.assert_allclose(found, expected, rtol=ROUNDING, atol=ROUNDING * size)


@pytest.mark.parametrize("activation", ["mean", "max"])
@pytest.mark.parametrize("selectivity", ["classes", "images"])
def test_attributes_equal_numpy_on_stored_activations(
    trained, few_digits, stored, activation, selectivity
):
    found = ju.attributes.collect(
        trained,
        None,
        few_digits,
        activation=activation,
        selectivity=selectivity,
        gradients=False,
        batch_size=64,
    )
    assert list(found) == list(trained.layers)
    labels, probability = stored["labels"], stored["probability"]
    counts = np.bincount(labels, minlength=10)
    for layer, maps in stored["maps"].items():
        result = found[layer]
        flat = maps.reshape(len(maps), -1, maps.shape[-1])
        values = flat.max(1) if activation == "max" else flat.mean(1)
        near(result.activation_mean, values.mean(0))
        near(result.activation_std, values.std(0))
        near(result.activation_max, flat.max((0, 1)))
        # Positions where float32 cannot tell whether a ReLU gives zero.
        unclear = np.abs(before_relu(trained, stored["images"], layer)).reshape(flat.shape)
        unclear = unclear <= ROUNDING * flat.max()
        assert unclear.mean() < 0.01
        off = np.abs(result.apoz.values - (flat == 0).mean((0, 1)))
        assert (off <= unclear.mean((0, 1)) + 1e-12).all()
        off = np.abs(result.silent_share.values - (flat == 0).all(1).mean(0))
        assert (off <= unclear.any(1).mean(0) + 1e-12).all()
        means = np.stack([values[labels == k].mean(0) for k in range(10)], axis=1)
        near(result.class_mean, means)
        weights = counts if selectivity == "images" else np.ones(10)
        for k in range(10):
            others = np.arange(10) != k
            rest = (means[:, others] * weights[others]).sum(1) / weights[others].sum()
            vector = (means[:, k] - rest) / (means[:, k] + rest + 1e-12)
            near(result.class_selectivity_by_class[:, k], vector, scale=1)
        preferred = result.class_mean.values.argmax(1)
        np.testing.assert_array_equal(
            result.class_selectivity,
            result.class_selectivity_by_class.values[np.arange(len(preferred)), preferred],
        )
        expected = np.corrcoef(values.T, probability.T)[: values.shape[1], values.shape[1] :]
        apart = stored["of_probability"]
        np.testing.assert_allclose(result.class_correlation_by_class, expected, atol=apart)
        np.testing.assert_allclose(result.class_correlation, expected.max(1), atol=apart)
        best = np.argsort(-values, axis=0, kind="stable")[:9].T
        near(
            np.take_along_axis(values.T, result.top_image.values, 1),
            np.take_along_axis(values.T, best, 1),
        )
        kernel = np.asarray(ju.networks.arrays(trained)[f"{layer}.kernel"], np.float64)
        near(result.l1_norm, np.abs(kernel).reshape(-1, kernel.shape[-1]).sum(0))
        near(ju.attributes.l1_norm(trained, layer), result.l1_norm)
    assert found["conv3"].attrs["layer"] == "conv3"
    assert found["conv3"].attrs["selectivity"] == selectivity


def test_derivatives_equal_differences_of_the_loss_in_float64(trained, few_digits, stored):
    """Central differences of a network in NumPy, a mask's entry moved up and down."""
    data = ju.data.subset(few_digits, np.arange(60))
    found = ju.attributes.collect(trained, "conv2", data, batch_size=32)
    images, labels = stored["images"][:60], stored["labels"][:60]

    def losses(unit, factor):
        def change(maps):
            maps = maps.copy()
            maps[..., unit] *= factor
            return maps

        logits = forward(trained, images, change=("conv2", change))
        return special.logsumexp(logits, axis=1) - logits[np.arange(60), labels]

    step = 1e-5
    for unit in range(8):
        slope = (losses(unit, 1 + step) - losses(unit, 1 - step)) / (2 * step)
        scale = np.abs(slope).max()
        np.testing.assert_allclose(found.taylor[unit], -slope.mean(), rtol=1e-4, atol=1e-4 * scale)
        np.testing.assert_allclose(found.gradient[unit], np.abs(slope).mean(), rtol=1e-4)
        for k in np.unique(labels):
            chosen = slope[labels == k]
            np.testing.assert_allclose(
                found.taylor_by_class[unit, k], -chosen.mean(), rtol=1e-4, atol=1e-4 * scale
            )
            np.testing.assert_allclose(
                found.gradient_by_class[unit, k], np.abs(chosen).mean(), rtol=1e-3, atol=1e-4
            )
    assert np.isnan(found.taylor_by_class.values[:, ~np.isin(np.arange(10), labels)]).all()


def test_taylor_is_the_drop_of_a_loss_that_is_linear(few_digits):
    """A small mask step: the sweep's loss under it moves as the derivative says."""
    network = small_convnet()
    found = ju.attributes.collect(network, "conv3", few_digits)
    step = 1e-2
    masks = 1 - step * np.eye(10, dtype=np.float32)
    swept = ju.ablation.sweep(network, "conv3", few_digits, masks)
    change = (swept.loss_sum - swept.loss_sum_before).sum("class") / len(few_digits) / step
    scale = float(np.abs(found.taylor).max())
    np.testing.assert_allclose(change, found.taylor, rtol=0.05, atol=0.02 * scale)


COLLECTORS = [statistics, correlation, class_means("classes"), derivatives, top(9)]
SHARDS = ((100, 200), (1, 2, 299), tuple(range(13, 300, 29)))


@pytest.fixture(scope="module")
def seen_of(trained, few_digits):
    """What one pass sees of a layer on the images from one to another."""
    looking = look(trained, ["conv2"], activation="mean", gradients=True)
    read = reading(few_digits, trained.preprocessing, Execution())
    engine = LookEngine(trained, looking, read, Execution(batch_size=50), what="attributes")

    def seen(start, stop):
        (piece,) = pieces(read, [(start, stop)])
        return joined(list(engine.all_seen(piece)), few_digits.name)["conv2"]

    return seen


def observed(seen):
    return [collector.observe(seen) for collector in COLLECTORS]


def merged(parts):
    def both(one, other):
        return [
            collector.merge(left, right)
            for collector, left, right in zip(COLLECTORS, one, other, strict=True)
        ]

    return functools.reduce(both, parts)


def between(ends):
    return zip((0, *ends), (*ends, 300), strict=True)


def test_states_of_any_parts_merge_to_that_of_the_whole(seen_of):
    """The same float32 numbers in other parts: what is left is float64's rounding."""
    seen = seen_of(0, 300)
    whole = observed(seen)
    for ends in SHARDS:
        parts = [jax.tree.map(lambda part, a=a, b=b: part[a:b], seen) for a, b in between(ends)]
        states = merged([observed(part) for part in parts])
        for collector, one, other in zip(COLLECTORS, whole, states, strict=True):
            for name, variable in collector.finish(one).items():
                scale = np.nanmax(np.abs(variable.values))
                np.testing.assert_allclose(
                    collector.finish(other)[name].values,
                    variable.values,
                    rtol=1e-11,
                    atol=1e-11 * scale,
                )
    kinds = {"conv2": [collector.kind for collector in COLLECTORS]}
    packed = unpack(pack(Kept((0, 3), 1.5, {"peak_bytes": 7}, {"conv2": whole})), kinds)
    assert packed[:3] == ((0, 3), 1.5, {"peak_bytes": 7})
    assert jax.tree.all(jax.tree.map(np.array_equal, packed.state, {"conv2": whole}))


def test_pieces_of_any_size_are_gathered_to_the_whole(seen_of):
    """An image's last bits differ with its place in a batch."""

    def finished(ends):
        states = merged([observed(seen_of(start, stop)) for start, stop in between(ends)])
        found = [one.finish(state) for one, state in zip(COLLECTORS, states, strict=True)]
        return {name: variable.values for part in found for name, variable in part.items()}

    whole = finished(())
    for ends in SHARDS:
        found = finished(ends)
        for name in ("activation_mean", "activation_std", "class_mean", "top_activation"):
            near(found[name], whole[name])
        for name in ("taylor_by_class", "gradient_by_class"):
            # Two passes through the network, forwards and back.
            np.testing.assert_allclose(
                found[name], whole[name], atol=100 * ROUNDING * np.nanmax(abs(whole[name]))
            )


def test_large_offsets_lose_no_digits():
    """Sums of squares in float32 would leave nothing of this spread."""
    random = np.random.default_rng(0)
    values = (4096 + random.normal(size=(3000, 3)) / 64).astype(np.float32)
    probability = random.dirichlet(np.ones(4), 3000).astype(np.float32)
    expected = np.corrcoef(values.T.astype(float), probability.T.astype(float))[:3, 3:]
    found = ju.attributes.class_correlation(values, probability)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def test_constant_and_silent_units_have_no_correlation_and_no_selectivity(few_digits):
    network = changed(small_convnet(), "conv2.kernel", lambda kernel: kernel.at[..., :2].set(0))
    biases = jnp.asarray([-1.0, 0.3])
    network = changed(network, "conv2.bias", lambda bias: bias.at[:2].set(biases))
    found = ju.attributes.collect(network, "conv2", few_digits)
    for unit, value in ((0, 0.0), (1, 0.3)):
        assert float(found.activation_mean[unit]) == pytest.approx(value)
        assert float(found.activation_std[unit]) == pytest.approx(0, abs=1e-7)
        assert (found.class_correlation_by_class[unit] == 0).all()
        assert float(abs(found.class_selectivity_by_class[unit]).max()) < 1e-6
    assert found.apoz.values[:2].tolist() == [1, 0]
    assert found.silent_share.values[:2].tolist() == [1, 0]
    assert "negative" not in found.class_selectivity.long_name
    assert found.top_image.values[0].tolist() == list(range(9))
    assert float(found.class_correlation_by_class[2:].max()) > 0


def test_batches_are_no_larger_than_the_data(trained, few_digits):
    some = ju.data.subset(few_digits, range(9))
    found = ju.attributes.collect(trained, "conv2", some, batch_size=10**9, gradients=False)
    known = ju.attributes.collect(trained, "conv2", some, batch_size=9, gradients=False)
    np.testing.assert_array_equal(found.activation_mean, known.activation_mean)


def test_units_of_both_signs_are_seldom_zero_and_say_so(few_digits):
    rngs = nnx.Rngs(0)
    network = chain(
        SMALL,
        conv2=nnx.Conv(1, 8, (3, 3), rngs=rngs),
        tanh2=jnp.tanh,
        pool=average,
        logits=nnx.Linear(8, 10, rngs=rngs),
    )
    found = ju.attributes.collect(network, "conv2", few_digits, gradients=False)
    images = jnp.asarray(images_of(few_digits, SMALL)[0], jnp.float32)
    maps = np.asarray(network.activations(images, "conv2"))
    zeros = maps.reshape(len(maps), -1, maps.shape[-1]) == 0
    np.testing.assert_allclose(found.apoz, zeros.mean((0, 1)), atol=1e-5)
    np.testing.assert_allclose(found.silent_share, zeros.all(1).mean(0))
    assert (found.class_mean < 0).any()
    for name in ("class_selectivity", "class_selectivity_by_class"):
        expected = "not limited to 0 to 1: some class means are negative"
        assert found[name].long_name.endswith(expected)


def test_empty_classes_are_named_and_count_nowhere(trained, few_digits):
    without = ju.data.subset(few_digits, np.flatnonzero(few_digits.labels != 3))
    found = ju.attributes.collect(trained, "conv3", without)
    assert found.attrs["empty_classes"] == "3"
    assert np.isnan(found.class_mean.sel({"class": "3"})).all()
    assert (found.class_selectivity_by_class.sel({"class": "3"}) == 0).all()
    means = found.class_mean.values[:, np.arange(10) != 3]
    rest = (means.sum(1, keepdims=True) - means) / 8
    np.testing.assert_allclose(
        found.class_selectivity_by_class.values[:, np.arange(10) != 3],
        (means - rest) / (means + rest + 1e-12),
        rtol=1e-5,
        atol=1e-6,
    )


def test_the_result_is_labeled(trained, few_digits):
    ticks = []
    found = ju.attributes.collect(
        trained,
        ["conv3", "conv1"],
        few_digits,
        batch_size=128,
        seed=3,
        progress=lambda *pair: ticks.append(pair),
    )
    assert list(found) == ["conv1", "conv3"]
    result = found["conv3"]
    assert [name for name in result if result[name].dims == ("unit",)] == list(SCALARS)
    assert ticks == [(128, 300), (256, 300), (300, 300)]
    settings = ju.attributes.collect_settings(trained, "conv3", few_digits, seed=3)["conv3"]
    assert {key: result.attrs[key] for key in settings} == settings
    assert result.taylor.attrs["units"] == "nats per image"
    assert 0 <= result.random.min() < result.random.max() < 1
    again = ju.attributes.collect(trained, ["conv1", "conv3"], few_digits, seed=3, top_images=0)
    np.testing.assert_array_equal(again["conv3"].random, result.random)
    assert "top_image" not in again["conv3"]
    correlations = ju.statistics.rank_correlation(
        result, ju.ablation.sweep(trained, "conv3", few_digits)
    )
    assert correlations.attribute.values.tolist() == list(SCALARS)


class Hidden(nn.Module):
    @nn.compact
    def __call__(self, images):
        return nn.Dense(10)(nn.relu(nn.Dense(6, name="hidden")(images.reshape(len(images), -1))))


class HiddenNnx(nnx.Module):
    def __init__(self, rngs):
        self.hidden = nnx.Linear(784, 6, rngs=rngs)
        self.head = nnx.Linear(6, 10, rngs=rngs)

    def __call__(self, images):
        return self.head(nnx.relu(self.hidden(images.reshape(len(images), -1))))


def hidden_networks():
    """The same network through every door."""
    linen = Hidden()
    variables = linen.init(jax.random.key(0), jnp.zeros((1, 28, 28, 1)))
    module = HiddenNnx(nnx.Rngs(0))
    for part, name in ((module.hidden, "hidden"), (module.head, "Dense_0")):
        part.kernel[...] = variables["params"][name]["kernel"]

    def run(params, images, masks):
        hidden = jax.nn.relu(images.reshape(len(images), -1) @ params["in"])
        hidden = hidden * masks.get("hidden", jnp.ones(6)).reshape(1, 6)
        return hidden @ params["out"]

    params = {
        "in": variables["params"]["hidden"]["kernel"],
        "out": variables["params"]["Dense_0"]["kernel"],
    }
    return [
        ju.networks.from_linen(linen, variables, preprocessing=SMALL),
        ju.networks.from_nnx(module, preprocessing=SMALL),
        ju.networks.from_callable(run, params, layers={"hidden": 6}, preprocessing=SMALL),
    ]


def test_every_door_gives_the_same_attributes(few_digits):
    linen, module, plain = (
        ju.attributes.collect(network, "hidden", few_digits) for network in hidden_networks()
    )
    for other in (module, plain):
        for name in ("activation_mean", "class_correlation", "gradient", "taylor", "l1_norm"):
            np.testing.assert_allclose(linen[name], other[name], rtol=1e-4, atol=1e-6)
    assert (plain.activation_mean > 0).all()


def test_residual_blocks_have_the_norms_of_their_last_convolution():
    network = small_residual()
    found = ju.attributes.l1_norm(network, "layer2")
    kernel = np.asarray(ju.networks.arrays(network)["layer2.conv2.kernel"], np.float64)
    np.testing.assert_allclose(found, np.abs(kernel).sum((0, 1, 2)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"layers": "conv4"}, "unknown layer 'conv4'"),
        ({"layers": ["conv1"], "activation": "sum"}, "activation='sum': give one of mean, max"),
        ({"layers": None, "selectivity": "all"}, "selectivity='all': give one of classes, images"),
        ({"layers": None, "top_images": -1}, "top_images=-1"),
        ({"layers": None, "batch_size": 0}, "batch_size=0: give a number above 0"),
    ],
)
def test_what_cannot_be_collected_is_refused(trained, few_digits, arguments, message):
    with pytest.raises(ju.InputError) as error:
        ju.attributes.collect(trained, data=few_digits, **arguments)
    assert message in str(error.value)


def test_networks_that_show_nothing_and_layers_without_weights_are_refused(few_digits):
    def pixels(params, images, masks):
        return images.reshape(len(images), -1) @ (params * masks["pixels"][:, None])

    network = ju.networks.from_callable(
        pixels, jnp.zeros((784, 10)), layers={"pixels": 784}, preprocessing=SMALL
    )
    with pytest.raises(ju.InputError) as error:
        ju.attributes.collect(network, "pixels", few_digits)
    assert "layer 'pixels' does not show its activations" in str(error.value)
    with pytest.raises(ju.InputError) as error:
        ju.attributes.l1_norm(network, "pixels")
    assert "'pixels' of network 'callable' has no weights that lead into" in str(error.value)


def test_activations_that_are_no_numbers_are_named(few_digits):
    network = changed(small_convnet(), "conv1.kernel", lambda kernel: kernel.at[..., 4].set(3e38))
    with pytest.raises(ju.InputError) as error:
        ju.attributes.collect(network, ["conv1"], few_digits)
    assert "activation of layer 'conv1' on image 0 of data 'arrays' is NaN" in str(error.value)


def test_correlations_of_other_images_are_refused():
    with pytest.raises(ju.InputError) as error:
        ju.attributes.class_correlation(np.ones((3, 2)), np.ones((4, 5)))
    assert "activations of shape (3, 2) and probabilities of shape (4, 5)" in str(error.value)
