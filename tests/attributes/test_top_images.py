import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jaxunits as ju
from tests.reference import SMALL, images_of


@pytest.fixture(scope="module")
def maps(trained, few_digits):
    images = jnp.asarray(images_of(few_digits, SMALL)[0], jnp.float32)
    return np.asarray(trained.activations(images, "conv2"))


@settings(max_examples=10)
@given(
    batch_size=st.integers(20, 400),
    count=st.integers(1, 20),
    activation=st.sampled_from(["mean", "max"]),
    quantile=st.floats(0.001, 0.5),
)
def test_equals_sorting_everything(
    trained, few_digits, maps, batch_size, count, activation, quantile
):
    units = [5, 0, 3]
    top = ju.attributes.top_images(
        trained,
        "conv2",
        few_digits,
        units,
        num_images=count,
        activation=activation,
        quantile=quantile,
        batch_size=batch_size,
    )
    assert top.unit.values.tolist() == units
    for place, unit in enumerate(units):
        of_unit = maps[..., unit].reshape(len(maps), -1)
        scores = of_unit.max(1) if activation == "max" else of_unit.mean(1)
        best = top.image.values[place]
        np.testing.assert_allclose(scores[best], np.sort(scores)[::-1][:count], rtol=1e-5)
        assert len(set(best.tolist())) == count
        np.testing.assert_allclose(
            top.activation_map.values[place], maps[best, ..., unit], rtol=1e-4, atol=1e-5
        )
        above = int(quantile * of_unit.size)
        threshold = np.sort(of_unit.ravel())[::-1][max(1, above)]
        np.testing.assert_allclose(top.threshold.values[place], threshold, rtol=1e-4, atol=1e-6)
        assert (of_unit > top.threshold.values[place] * (1 + 1e-4) + 1e-6).sum() <= max(1, above)


def test_equal_images_come_in_order(trained):
    data = ju.data.load((np.zeros((6, 28, 28, 1), np.uint8), np.arange(6)))
    top = ju.attributes.top_images(trained, "conv2", data, [1], num_images=4, batch_size=2)
    assert top.image.values.tolist() == [[0, 1, 2, 3]]


def test_dense_layers_have_maps_of_one_position(few_digits):
    network = ju.networks.mlp(10, widths=(6,), preprocessing=SMALL)
    top = ju.attributes.top_images(network, "fc1", few_digits, [2], num_images=3)
    assert top.activation_map.shape == (1, 3, 1, 1)
    np.testing.assert_array_equal(top.activation_map[0, :, 0, 0], top.activation[0])


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"units": [8]}, "unit 8 of layer 'conv2': it has units 0 to 7"),
        ({"units": [0], "num_images": 0}, "num_images=0"),
        ({"units": [0], "quantile": 1.0}, "quantile=1.0"),
        ({"units": [0], "activation": "sum"}, "activation='sum'"),
    ],
)
def test_what_cannot_be_asked(trained, few_digits, arguments, expected):
    with pytest.raises(ju.InputError) as caught:
        ju.attributes.top_images(trained, "conv2", few_digits, **arguments)
    assert expected in str(caught.value)
