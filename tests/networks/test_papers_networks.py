"""The papers' networks: their layers, arguments and errors."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import jaxunits as ju
from jaxunits.networks import AdaptiveAveragePool, Branched, Dropout
from jaxunits.networks._checkpoint import _build as build_again
from jaxunits.results import RunFolder
from tests.benchmarks.networks import with_random_weights
from tests.outcomes import assert_agree, logits_under, standardized

pytestmark = pytest.mark.slow

SMALL = ju.data.Preprocessing((64, 64), 3)
CIFAR = ju.data.Preprocessing((32, 32), 3)


def alexnet(**arguments):
    return with_random_weights(
        lambda: ju.networks.alexnet(10, width=1 / 16, preprocessing=SMALL, **arguments), seed=0
    )


def parameters(build):
    return sum(leaf.size for leaf in jax.tree.leaves(nnx.state(nnx.eval_shape(build), nnx.Param)))


@pytest.mark.parametrize(
    ("build", "count"),
    [
        (ju.networks.alexnet, 61_100_840),
        (lambda: ju.networks.alexnet_bn(365), 61_100_840 - 635 * 4097 + 2 * 1152),
        (ju.networks.vgg16, 138_357_544),
        (ju.networks.vgg16_bn, 138_365_992),
        (ju.networks.resnet18, 11_689_512),
        (lambda: ju.networks.resnet18(10, stem="cifar"), 11_173_962),
        (lambda: ju.networks.vgg16(10, head="cifar"), 14_714_688 + 512 * 513 + 5130),
    ],
    ids=["alexnet", "alexnet_bn", "vgg16", "vgg16_bn", "resnet18", "cifar resnet18", "cifar vgg16"],
)
def test_they_have_as_many_parameters_as_published(build, count):
    assert parameters(build) == count


def test_layers_are_named_as_in_the_papers():
    layers = nnx.eval_shape(ju.networks.alexnet).layers
    assert {name: (layer.units, layer.map_shape) for name, layer in layers.items()} == {
        "conv1": (64, (55, 55)),
        "conv2": (192, (27, 27)),
        "conv3": (384, (13, 13)),
        "conv4": (256, (13, 13)),
        "conv5": (256, (13, 13)),
        "fc6": (4096, ()),
        "fc7": (4096, ()),
    }
    layers = nnx.eval_shape(ju.networks.vgg16).layers
    assert list(layers)[:3] == ["conv1_1", "conv1_2", "conv2_1"]
    assert list(layers)[-3:] == ["conv5_3", "fc6", "fc7"]
    assert layers["conv5_3"].map_shape == (14, 14)
    layers = nnx.eval_shape(ju.networks.resnet18).layers
    assert list(layers)[-4:] == ["layer4.0.conv1", "layer4.0", "layer4.1.conv1", "layer4.1"]
    assert (layers["layer4.1"].units, layers["layer4.1"].map_shape) == (512, (7, 7))
    cifar = nnx.eval_shape(lambda: ju.networks.resnet18(10, stem="cifar"))
    assert cifar.layers["layer4.1"].map_shape == (4, 4)


def test_weights_fit_images_of_any_size():
    order = nnx.eval_shape(lambda: ju.networks.alexnet()).order
    assert "avgpool" not in order
    larger = ju.data.Preprocessing((300, 400), 3)
    for build in (ju.networks.alexnet, ju.networks.vgg16):
        network = nnx.eval_shape(lambda build=build: build(preprocessing=larger))
        assert "avgpool" in network.order
        expected = nnx.eval_shape(build)
        shapes = [leaf.shape for leaf in jax.tree.leaves(nnx.state(network))]
        assert shapes == [leaf.shape for leaf in jax.tree.leaves(nnx.state(expected))]


def test_adaptive_average_pool_takes_the_windows_of_pytorch():
    maps = np.random.default_rng(0).normal(size=(2, 7, 5, 3)).astype(np.float32)
    found = AdaptiveAveragePool((3, 6))(jnp.asarray(maps))
    for row, (top, bottom) in enumerate([(0, 3), (2, 5), (4, 7)]):
        for column, (left, right) in enumerate([(0, 1), (0, 2), (1, 3), (2, 4), (3, 5), (4, 5)]):
            expected = maps[:, top:bottom, left:right].mean((1, 2))
            np.testing.assert_allclose(found[:, row, column], expected, atol=1e-6)


def test_dropout_is_random_with_a_key_and_nothing_without():
    stage = Dropout(0.25)
    maps = jnp.ones((50, 8, 8, 20))
    np.testing.assert_array_equal(stage(maps), maps)
    dropped = stage.in_training(maps, jax.random.key(0))
    assert set(np.unique(dropped)) == {0, np.float32(1 / 0.75)}
    assert 0.24 < float((dropped == 0).mean()) < 0.26


def test_channel_dropout_drops_whole_channels_of_an_image():
    stage = Dropout(0.5, whole_channels=True)
    dropped = np.asarray(stage.in_training(jnp.ones((50, 8, 8, 20)), jax.random.key(0)))
    assert (dropped == dropped[:, :1, :1]).all()
    share = (dropped[:, 0, 0] == 0).mean()
    assert 0.45 < share < 0.55
    assert 0 < (dropped[:, 0, 0, 3] == 0).mean() < 1
    state = Branched(jnp.ones((2, 4, 4, 3)), jnp.ones((2, 4, 4, 5)))
    inside = stage.in_training(state, jax.random.key(1))
    np.testing.assert_array_equal(inside.shortcut, state.shortcut)


def test_dropout_is_where_it_is_asked_for():
    network = alexnet(dropout=0.5, channel_dropout={"conv5": 0.2})
    dropouts = {
        name: (stage.rate, stage.whole_channels)
        for name, stage in network.stages.items()
        if isinstance(stage, Dropout)
    }
    assert dropouts == {
        "conv5.dropout": (0.2, True),
        "flatten.dropout": (0.5, False),
        "fc6.dropout": (0.5, False),
    }
    assert network.order.index("conv5.dropout") == network.order.index("conv5") + 1
    assert list(network.layers) == list(alexnet().layers)
    images = jax.random.normal(jax.random.key(0), (2, 64, 64, 3))
    plain = jax.jit(network)(images)
    np.testing.assert_array_equal(plain, jax.jit(alexnet())(images))
    run = jax.jit(lambda key: network(images, key=key))
    one, same, other = (run(jax.random.key(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()
    assert (one != plain).any()


def test_two_dropouts_of_one_network_draw_apart():
    network = ju.networks.mlp(4, widths=(300, 300), dropout=0.5, preprocessing=CIFAR)
    key = jax.random.key(0)
    ones = jnp.ones((1, 300))
    first = network.run(ones, after="fc1", through="fc1.dropout", key=key)
    second = network.run(ones, after="fc2", through="fc2.dropout", key=key)
    assert 0.3 < float((first == second).mean()) < 0.7


def test_blocks_take_channel_dropout_inside_and_behind():
    rates = {"layer4.1.conv1": 0.5, "layer4.1": 0.5}
    network = with_random_weights(
        lambda: ju.networks.resnet18(4, stem="cifar", width=1 / 16, channel_dropout=rates), seed=0
    )
    images = jax.random.normal(jax.random.key(0), (3, 32, 32, 3))
    run = jax.jit(lambda key: network(images, key=key))
    assert (run(jax.random.key(1)) != run(None)).any()


def test_the_fast_path_serves_a_network_with_dropout(tmp_path):
    network = alexnet(dropout=0.5, channel_dropout={"conv5": 0.2, "conv2": 0.1})
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (40, 64, 64, 3), np.uint8)
    data = ju.data.load((images, random.integers(0, 10, 40)), class_names=list("abcdefghij"))
    for layer in ("conv1", "conv2", "conv5", "fc6", "fc7"):
        fast, reference = (
            ju.ablation.sweep(network, layer, data, path=path) for path in ("fast", "reference")
        )
        masks = ju.ablation.single_units(network.layers[layer].units)
        logits = logits_under(network, layer, standardized(network, data), masks)
        assert_agree(fast, reference, logits, data.labels)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: ju.networks.alexnet(0), "alexnet with classes=0 and width=1.0: give at least one"),
        (lambda: ju.networks.vgg16_bn(width=0.0), "vgg16_bn with classes=1000 and width=0.0"),
        (lambda: ju.networks.vgg16(head="caffe"), "head='caffe': give 'imagenet' or 'cifar'"),
        (lambda: ju.networks.resnet18(stem="big"), "stem='big': give 'imagenet' or 'cifar'"),
        (
            lambda: alexnet(channel_dropout={"conv6": 0.5}),
            "unknown layer 'conv6': channel_dropout: network 'alexnet' has conv1",
        ),
        (lambda: alexnet(channel_dropout={"conv5": 1.0}), "dropout of rate 1.0: give a number"),
        (lambda: alexnet(dropout=-0.5), "dropout of rate -0.5"),
        (
            lambda: ju.networks.alexnet(width=0.1, preprocessing=CIFAR),
            "32×32 are too small for network 'alexnet': stage 'pool5' leaves nothing",
        ),
    ],
)
def test_arguments_that_make_no_network_are_refused(build, message):
    with pytest.raises(ju.InputError) as error:
        build()
    assert message in str(error.value)


@pytest.mark.parametrize(
    "build",
    [
        lambda: alexnet(channel_dropout={"conv5": 0.1}),
        lambda: ju.networks.alexnet_bn(4, width=0.05, dropout=0.2, preprocessing=SMALL),
        lambda: ju.networks.vgg16_bn(4, head="cifar", width=0.05),
        lambda: ju.networks.resnet18(4, stem="cifar", channel_dropout={"layer4.1": 0.3}),
        lambda: ju.networks.convnet(4, batch_norm=True, channel_dropout={"conv2": 0.5}),
    ],
    ids=["alexnet", "alexnet_bn", "vgg16_bn", "resnet18", "convnet"],
)
def test_they_are_built_again_from_a_run_folder(build, tmp_path):
    network = nnx.eval_shape(build)
    ju.networks.save_architecture(network, tmp_path)
    again = nnx.eval_shape(lambda: build_again(RunFolder(tmp_path)))
    assert again.architecture == network.architecture
    assert again.order == network.order
    assert nnx.graphdef(again) == nnx.graphdef(network)
