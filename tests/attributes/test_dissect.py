import os
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from scipy import ndimage

import jaxunits as ju
from jaxunits.data.concepts import Annotated, Concepts
from tests.attributes.overlap import centers_by_corners, masks_of, overlap
from tests.benchmarks.networks import with_random_weights
from tests.chains import chain, changed, flatten
from tests.reference import small_convnet

IMAGES, UNITS, NAMES = 30, 5, ("ape", "bee", "cat", "dog", "whole", "absent")
PLAIN = ju.data.Preprocessing((28, 28), 1)


class Drawn:
    """Images of multiples of 1/64; two label maps that overlap, and some concepts of the image."""

    def __init__(self):
        random = np.random.default_rng(0)
        self.images = random.integers(0, 65, (IMAGES, 28, 28, 1)).astype(np.float32) / 64
        blocks = random.integers(-1, 4, (IMAGES, 2, 4, 4))
        self.maps = np.kron(blocks, np.ones((7, 7), np.int64))
        self.maps[:, 1][self.maps[:, 1] == 3] = -1

    def __len__(self):
        return IMAGES

    def image(self, index):
        return self.images[index]

    def __getitem__(self, index):
        maps = self.maps[index]
        if index % 3 == 0:
            maps = np.concatenate([maps, np.full((1, 28, 28), 4)])
        return Annotated(self.images[index], maps)


def concepts_of(source, names=NAMES, channels=1):
    kinds = ("animal",) * 4 + ("image",) * (len(names) - 4)
    return Concepts(source, names, kinds, channels, "drawn", "all", "0")


def network_of_patches():
    """A convolution of 4×4 patches by multiples of 1/4, so that float32 is exact throughout."""
    rngs = nnx.Rngs(0)
    network = chain(
        PLAIN,
        conv1=nnx.Conv(1, UNITS, (4, 4), strides=4, padding=0, rngs=rngs),
        relu1=nnx.relu,
        flatten=flatten,
        fc2=nnx.Linear(49 * UNITS, 3, rngs=rngs),
        relu2=nnx.relu,
        logits=nnx.Linear(3, 2, rngs=rngs),
    )
    kernel = np.random.default_rng(1).integers(-4, 5, (4, 4, 1, UNITS)) / 4
    return ju.networks.with_arrays(network, {"conv1.kernel": jnp.asarray(kernel, jnp.float32)})


@pytest.fixture(scope="module")
def drawn():
    return concepts_of(Drawn())


@pytest.fixture(scope="module")
def patches():
    return network_of_patches()


@pytest.fixture(scope="module")
def maps(patches, drawn):
    images = jnp.asarray(drawn.source.images)
    return np.asarray(patches.activations(images, "conv1"), np.float64)


@pytest.mark.parametrize(
    ("convention", "quantile", "expected", "factor"),
    [
        ("netdissect", None, 0.005, 4),
        ("netdissect", 0.1, 0.1, 4),
        ("netdissect", 0.2, 0.2, 1),
        ("dissect2020", None, 0.01, 4),
        ("dissect2020", 0.15, 0.15, 2),
    ],
)
def test_equals_brute_force(patches, drawn, maps, convention, quantile, expected, factor):
    result = ju.attributes.dissect(
        patches,
        "conv1",
        drawn,
        convention=convention,
        quantile=quantile,
        grid=(7 * factor, 7 * factor),
        batch_size=8,
    )
    upsampled = convention == "dissect2020"
    known = overlap(
        maps,
        masks_of(drawn, 4 // factor),
        expected,
        centers=centers_by_corners(7, 7 * factor),
        from_upsampled=upsampled,
    )
    thresholds, activated, labeled, intersection, iou, _ = known
    np.testing.assert_array_equal(result.threshold, thresholds)
    np.testing.assert_array_equal(result.activated, activated)
    np.testing.assert_array_equal(result.labeled, labeled)
    np.testing.assert_array_equal(result.intersection, intersection)
    np.testing.assert_allclose(result.iou, iou, rtol=1e-12)
    np.testing.assert_array_equal(result.alignment, iou.max(1))
    best = [NAMES[one.argmax()] if one.any() else "" for one in iou]
    assert result.best_concept.values.tolist() == best
    assert float(result.attrs["quantile"]) == expected
    # The network answers, and what is compared is not trivial.
    assert (intersection[:, :5] > 0).any(0).all()


@pytest.mark.parametrize("outside", ["edge", "zero"])
@pytest.mark.parametrize("alignment", ["corners", "receptive_field", (4.0, 1.5), (2.0, 9.0)])
def test_other_alignments_equal_brute_force(patches, drawn, maps, alignment, outside):
    result = ju.attributes.dissect(
        patches,
        "conv1",
        drawn,
        convention="dissect2020",
        quantile=0.15,
        grid=(28, 28),
        alignment=alignment,
        outside=outside,
    )
    # Patches of 4×4 pixels: the first has its center between the second and the third pixel.
    scale, offset = (4, 1.5) if isinstance(alignment, str) else alignment
    centers = (np.arange(28) - offset) / scale
    mode = {"edge": "nearest", "zero": "grid-constant"}[outside]
    known = overlap(maps, masks_of(drawn), 0.15, centers=centers, from_upsampled=True, mode=mode)
    np.testing.assert_allclose(result.threshold, known.thresholds, rtol=1e-6)
    np.testing.assert_array_equal(result.intersection, known.intersection)
    assert result.attrs["outside"] == outside
    assert result.attrs["map_alignment"].startswith(
        alignment if isinstance(alignment, str) else f"receptive_field, scale {scale:g}"
    )


def test_the_code_of_2020_is_its_options(patches, drawn):
    named = ju.attributes.dissect(patches, "conv1", drawn, convention="dissect2020_code")
    options = ju.attributes.dissect(
        patches,
        "conv1",
        drawn,
        convention="dissect2020",
        grid=(56, 56),
        alignment="receptive_field",
        outside="zero",
    )
    assert named.attrs["grid"] == "56, 56"
    assert named.equals(options)
    # Grid point i lies at pixel 27 / 55 · i, and maps fall to 0 outside their outermost centers.
    maps = np.asarray(patches.activations(jnp.asarray(drawn.source.images), "conv1"), np.float64)
    centers = (np.arange(56) * 27 / 55 - 1.5) / 4
    points = np.meshgrid(centers, centers, indexing="ij")
    for unit in range(UNITS):
        large = [
            ndimage.map_coordinates(image[:, :, unit], points, order=1, mode="grid-constant")
            for image in maps
        ]
        known = np.quantile(large, 0.99, method="inverted_cdf")
        np.testing.assert_allclose(named.threshold[unit], known, rtol=1e-5)


def in_cells(images):
    """The mean of each 4×4 pixels."""
    return images.reshape(-1, 7, 4, 7, 4, 1).mean((2, 4))


def test_networks_that_do_not_tell_their_receptive_fields(drawn):
    network = ju.networks.from_callable(
        lambda params, images: ju.networks.unit(in_cells(images), "conv1").mean((1, 2)) @ params,
        jnp.ones((1, 2)),
        preprocessing=PLAIN,
        unit_axis={"conv1": 3},
    )
    with pytest.raises(ju.InputError) as caught:
        ju.attributes.dissect(network, "conv1", drawn, convention="dissect2020_code")
    expected = "receptive fields of layer 'conv1' of network 'callable' are not available"
    assert expected in str(caught.value)
    given = ju.attributes.dissect(
        network, "conv1", drawn, convention="dissect2020_code", alignment=(4.0, 0.0)
    )
    assert given.activated.values > 0


@pytest.mark.parametrize("convention", ["netdissect", "dissect2020"])
def test_depends_on_neither_batches_nor_memory(patches, drawn, convention):
    def measured(**options):
        seen = []
        result = ju.attributes.dissect(
            patches,
            "conv1",
            drawn,
            convention=convention,
            quantile=0.15,
            progress=lambda *numbers: seen.append(numbers),
            **options,
        )
        return result, seen

    result, seen = measured(batch_size=8)
    assert seen[0] == (8, 2 * IMAGES)
    assert seen[-1] == (2 * IMAGES, 2 * IMAGES)
    other, seen = measured(batch_size=1000, grid_memory=1)
    assert other.equals(result)
    # Four passes for the thresholds where nothing can be kept.
    assert seen[-1] == (5 * IMAGES, 5 * IMAGES)


def test_parts_that_fill_the_image_add_up(few_digits):
    network = with_random_weights(small_convnet, 0)
    concepts = ju.data.concepts.computed(few_digits, ["quadrants", "edges"])
    result = ju.attributes.dissect(network, "conv2", concepts, quantile=0.05, grid=(14, 14))
    quadrants = result.isel(concept=result.category == "quadrants")
    np.testing.assert_array_equal(quadrants.intersection.sum("concept"), result.activated)
    np.testing.assert_array_equal(quadrants.labeled, [300 * 49] * 4)
    assert (result.intersection <= result.activated).all()
    assert (result.intersection <= result.labeled).all()
    assert float(result.alignment.max()) > 0.04


def test_a_result_is_kept_in_a_file(patches, drawn, tmp_path):
    result = ju.attributes.dissect(patches, "conv1", drawn)
    ju.results.write(result, tmp_path / "conv1.nc")
    assert ju.results.read(tmp_path / "conv1.nc").identical(result)


def test_units_of_dense_layers_are_active_on_whole_images(patches, drawn):
    result = ju.attributes.dissect(patches, "fc2", drawn, quantile=0.2)
    answers = np.asarray(patches.activations(jnp.asarray(drawn.source.images), "fc2"))
    active = answers > np.quantile(answers, 0.8, axis=0, method="inverted_cdf")
    np.testing.assert_array_equal(result.activated, active.sum(0) * 28 * 28)
    whole = active[::3].sum(0) * 28 * 28
    np.testing.assert_array_equal(result.intersection.sel(concept="whole"), whole)


def test_silent_units_align_with_nothing(drawn):
    network = changed(network_of_patches(), "conv1.kernel", jnp.zeros_like)
    result = ju.attributes.dissect(network, "conv1", drawn, convention="dissect2020")
    assert not result.activated.any()
    assert not result.detector.any()
    assert (result.best_concept == "").all()
    assert (result.iou == 0).all()


class TestDetectors:
    @pytest.fixture
    def result(self, patches, drawn):
        return ju.attributes.dissect(
            patches, "conv1", drawn, convention="dissect2020", quantile=0.15
        ).assign(
            best_concept=("unit", ["bee", "whole", "bee", "cat", "bee"]),
            detector=("unit", [True, True, True, False, True]),
        )

    def test_by_concept(self, result):
        found = ju.results.detectors_by_concept(result)
        assert found.to_series().to_dict() == {"bee": 3, "whole": 1}
        assert found.category.values.tolist() == ["animal", "image"]

    def test_by_category(self, result):
        found = ju.results.detectors_by_category(result)
        assert found.detectors.to_series().to_dict() == {"animal": 3, "image": 1}
        assert found.unique_detectors.to_series().to_dict() == {"animal": 1, "image": 1}

    def test_none(self, result):
        none = result.assign(detector=("unit", [False] * UNITS))
        assert ju.results.detectors_by_concept(none).size == 0
        assert not ju.results.detectors_by_category(none).to_array().any()

    def test_other_results_are_refused(self, result):
        with pytest.raises(ju.InputError, match=r"a result with unit.*: give one of ju.attributes"):
            ju.results.detectors_by_category(result[["unit"]])

    def test_their_iou_can_be_chosen(self, patches, drawn):
        result = ju.attributes.dissect(patches, "conv1", drawn, detector_iou=0.01)
        np.testing.assert_array_equal(result.detector, result.iou.max("concept") > 0.01)
        assert result.detector.any()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"layer": "conv2"}, "unknown layer 'conv2': network 'chain' has conv1, fc2"),
        ({"convention": "dissect"}, "Did you mean 'netdissect'?"),
        ({"alignment": "corner"}, "Did you mean 'corners'?"),
        (
            {"alignment": (0.0, 3.0)},
            "alignment=(0.0, 3.0): give one of corners, receptive_field, or",
        ),
        ({"outside": "zeros"}, "Did you mean 'zero'?"),
        ({"quantile": 1.0}, "quantile=1.0, detector_iou=0.04: give a share between 0 and 1"),
        ({"detector_iou": -0.1}, "detector_iou=-0.1"),
        ({"grid": (0, 7)}, "grid=(0, 7): give rows and columns of at least 1"),
        ({"grid": (5000, 5000)}, "at most 16,777,216 pixels"),
        ({"batch_size": 0}, "batch_size=0: give a number above 0"),
        ({"grid_memory": 0}, "grid_memory=0: give at least 1"),
    ],
)
def test_what_cannot_be_asked(patches, drawn, options, expected):
    with pytest.raises(ju.InputError) as caught:
        ju.attributes.dissect(patches, **{"layer": "conv1", "concepts": drawn, **options})
    assert expected in str(caught.value)


class TestWhatCannotBeMeasured:
    def message(self, network, concepts, layer="conv1"):
        with pytest.raises(ju.InputError) as caught:
            ju.attributes.dissect(network, layer, concepts)
        return str(caught.value)

    def test_network_without_activations(self, drawn):
        network = ju.networks.from_callable(
            lambda params, images, masks: (images.mean((1, 2)) + masks["fc"].sum()) @ params,
            jnp.ones((1, 2)),
            layers={"fc": 2},
            preprocessing=PLAIN,
        )
        expected = "layer 'fc' does not show its activations"
        assert expected in self.message(network, drawn, "fc")

    def test_activations_that_are_not_finite(self, drawn):
        network = changed(
            network_of_patches(), "conv1.kernel", lambda kernel: jnp.full_like(kernel, 3e38)
        )
        assert "activation of layer 'conv1' on image " in self.message(network, drawn)

    def test_no_labeled_pixel(self, patches):
        source = Drawn()
        source.maps[:] = -1
        source.__class__ = type("Empty", (Drawn,), {"__getitem__": unlabeled})
        assert "no image of data 'drawn' has a labeled concept" in self.message(
            patches, concepts_of(source)
        )

    def test_concept_that_does_not_exist(self, patches):
        concepts = concepts_of(Drawn(), NAMES[:3])
        assert "in data 'drawn' has concept" in self.message(patches, concepts)

    def test_other_channels(self, patches):
        assert "have 3 channels and the network reads 1" in self.message(
            patches, concepts_of(Drawn(), channels=3)
        )


def unlabeled(source, index):
    return Annotated(source.images[index], source.maps[index][:0])


@pytest.mark.slow
@pytest.mark.skipif(
    "JAXUNITS_TEST_DATA" not in os.environ, reason="JAXUNITS_TEST_DATA names no folder"
)
def test_street_scenes_have_detectors_in_alexnet():
    folder = Path(os.environ["JAXUNITS_TEST_DATA"])
    scenes = folder / "data" / "camvid"
    weights = folder / "weights" / "alexnet_imagenet_features.safetensors"
    if not (scenes.exists() and weights.exists()):
        pytest.skip(f"{scenes} or {weights} does not exist")
    concepts = ju.data.concepts.load(f"folder:{scenes}", verify=False)
    assert len(concepts) == 334
    assert "unlabeled" not in concepts.names
    few = ju.data.concepts.subset(concepts, np.arange(0, 334, 7))
    network = with_random_weights(
        lambda: ju.networks.alexnet(10, preprocessing=ju.data.IMAGENET), 0
    )
    network = ju.networks.load_weights(network, weights, partial=True)
    result = ju.attributes.dissect(network, "conv5", few, convention="dissect2020", grid=(56, 56))
    assert ju.results.detectors_by_concept(result).size >= 4
    assert 0.05 < float(result.alignment.max()) < 0.5
