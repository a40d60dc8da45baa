"""A study of any network: one call, one command, and an experiment in one file."""

import dataclasses
import os
import re
import shutil
import subprocess
import sys
import types
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image
from rich.console import Console

import jaxunits as ju
from jaxunits.analysis import command, experiment
from jaxunits.analysis import experiments as package
from jaxunits.analysis.measure import settings_by_layer
from jaxunits.analysis.subject import Subject, subject_of_run
from jaxunits.train.command import main as train
from tests.analysis.measured import measured
from tests.processes import LIMIT, code, output_of
from tests.stored import stored
from tests.vendored import PINS

QUIET = Console(quiet=True)
ROOT = Path(__file__).parents[2]
MODEL = """
import jax
import numpy as np
from flax import nnx

import jaxunits as ju

SIZE = ju.data.Preprocessing((12, 12), 3)


class Net(nnx.Module):
    def __init__(self, rngs):
        self.conv1 = nnx.Conv(3, 4, (3, 3), strides=2, rngs=rngs)
        self.conv2 = nnx.Conv(4, 5, (3, 3), strides=2, rngs=rngs)
        self.head = nnx.Linear(5 * 9, 3, rngs=rngs)

    def __call__(self, images):
        images = jax.nn.relu(self.conv2(jax.nn.relu(self.conv1(images))))
        return self.head(images.reshape(len(images), -1))


def flax_module():
    return Net(nnx.Rngs(0)), SIZE


def function():
    weights = np.random.default_rng(0).normal(size=(12 * 12 * 3, 6)) / 20

    def forward(params, images):
        flat = images.reshape(len(images), -1)
        return ju.networks.unit(jax.nn.relu(flat @ params["in"]), "hidden") @ params["out"]

    params = {"in": weights.astype(np.float32), "out": np.eye(6, 3, dtype=np.float32)}
    return ju.networks.from_callable(forward, params, preprocessing=SIZE)


def torch_module():
    import torch

    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3, stride=2),
        torch.nn.ReLU(),
        torch.nn.Flatten(),
        torch.nn.Linear(4 * 25, 3),
    ), SIZE


def images():
    random = np.random.default_rng(1)
    return random.integers(0, 256, (18, 12, 12, 3), np.uint8), np.arange(18) % 3


def dataset():
    return ju.data.load(images())
"""
RECORDS = """
import numpy as np


class Records:
    classes = ["cat", "dog", "frog"]

    def __len__(self):
        return 12

    def __getitem__(self, index):
        pixels = np.random.default_rng(index).integers(0, 256, (3, 12, 12), np.uint8)
        return index % 3, "a note", pixels


def records():
    return Records()
"""
# The EXIF data of an image that lies on its side.
TURNED = Image.Exif()
TURNED[ExifTags.Base.Orientation] = 6


def flags(options):
    """Options of reading images on the command line."""
    for name, value in options.items():
        option = name.replace("_", "-")
        if value is False:
            yield f"--data.no-{option}"
            continue
        yield f"--data.{option}"
        yield from map(str, value if isinstance(value, tuple) else [value])


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A folder with a file of networks and images, as users write them."""
    folder = tmp_path_factory.mktemp("files")
    (folder / "my_model.py").write_text(MODEL)
    return folder


@pytest.fixture(scope="module")
def studied(tmp_path_factory, few_digits):
    """A study of a stored network, and its folder."""
    folder = tmp_path_factory.mktemp("studies") / "mine"
    found = ju.analysis.study(
        stored("convnet"),
        few_digits,
        folder,
        ["drop_curves", "correlations"],
        ["conv3"],
        progress=False,
    )
    return found, folder


def refused(function, *arguments, **options):
    with pytest.raises(ju.InputError) as caught:
        function(*arguments, **options)
    return str(caught.value)


class TestCall:
    def test_measures_as_the_library_and_shows_figures(self, studied, few_digits):
        found, folder = studied
        assert list(found) == ["drop_curves", "correlations"]
        sweep = ju.ablation.sweep(stored("convnet"), "conv3", few_digits)
        np.testing.assert_array_equal(found.measured("ablation")["conv3"].correct, sweep.correct)
        for name in found:
            png = found[name].figure._repr_png_()
            assert png == (folder / "figures" / f"{found[name].figure.name}.png").read_bytes()
        assert found.report == folder / "report.html"
        page = found.report.read_text()
        assert "<h1>convnet on " in page
        assert (
            found["drop_curves"].tables[0].columns[0]
            in found["drop_curves"].tables[0]._repr_html_()
        )
        assert "unknown experiment 'drop_curve': this study has" in refused(
            found.__getitem__, "drop_curve"
        )

    def test_what_is_there_is_not_measured_again(self, studied, few_digits, monkeypatch):
        _, folder = studied
        page = (folder / "report.html").read_text()
        for package_of, name in ((ju.ablation, "sweep"), (ju.attributes, "collect")):
            monkeypatch.delattr(package_of, name)
        experiments = ["drop_curves", "correlations"]
        network = stored("convnet")
        ju.analysis.study(network, few_digits, folder, experiments, "conv3", progress=False)
        assert (folder / "report.html").read_text() == page

    def test_is_drawn_elsewhere_without_network_and_images(self, studied, tmp_path):
        _, folder = studied
        before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
        arguments = [str(folder), "drop_curves", "correlations", "--no-measure"]
        assert command.main([*arguments, "--output", str(tmp_path / "drawn")]) == 0
        assert (tmp_path / "drawn/report.html").read_text() == (folder / "report.html").read_text()
        assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before

    def test_drawing_imports_neither_networks_nor_data(self, studied, tmp_path):
        _, folder = studied
        program = """
            import sys
            from jaxunits.analysis.command import main
            assert main([sys.argv[1], "drop_curves", "--no-measure", "--output", sys.argv[2]]) == 0
            large = {"jax", "flax", "jaxunits.networks", "jaxunits.data", "jaxunits.execution"}
            print(sorted(large & set(sys.modules)))
        """
        assert output_of(*code(program), folder, tmp_path).splitlines()[-1] == "[]"

    def test_a_folder_is_of_one_network(self, studied, few_digits):
        _, folder = studied
        found = refused(ju.analysis.study, stored("residual"), few_digits, folder, progress=False)
        assert f"run folder {folder} belongs to another" in found
        assert "network.name is 'convnet' there and 'residual' now" in found
        trained = ju.results.RunFolder(folder.parent / "trained")
        trained.claim({"optimizer": {}, "network": {}, "data": {}})
        found = refused(
            ju.analysis.study, stored("convnet"), few_digits, trained.path, progress=False
        )
        assert "is of the training program" in found
        settings = experiment.config()(folder)
        assert "name network and images (--network, --data)" in refused(
            subject_of_run, settings, QUIET
        )

    @pytest.mark.parametrize(
        ("options", "text"),
        [
            ({"experiments": ["drop_curve"]}, "Did you mean 'drop_curves'?"),
            ({"options": {"greedy.step": 3}}, "Did you mean 'greedy.steps'?"),
            ({"options": {"greedy.steps": 0}}, "greedy.steps=0: give a number from 1"),
            ({"layers": ["conv4"]}, "unknown layer 'conv4': network 'convnet' has conv1"),
            ({"experiments": ["roles"]}, "the experiment roles needs the images that the network"),
            ({"experiments": ["topology"], "train_data": "digits"}, "the checkpoints of the"),
        ],
    )
    def test_what_cannot_be_is_said_before_anything_is_measured(
        self, tmp_path, few_digits, options, text, monkeypatch
    ):
        monkeypatch.delattr(ju.ablation, "sweep")
        if "train_data" in options:
            options = {**options, "train_data": few_digits}
        found = refused(
            ju.analysis.study, stored("convnet"), few_digits, tmp_path, progress=False, **options
        )
        assert text in found
        assert not list(tmp_path.glob("measurements/*.nc"))

    def test_training_images_are_loaded_once(self, tmp_path, few_digits):

        loaded = []

        def load():
            loaded.append(True)
            return few_digits

        settings = dataclasses.replace(experiment.config()(tmp_path), split="all")
        folder = ju.results.RunFolder(tmp_path)
        subject = Subject(settings, folder, stored("convnet"), few_digits, QUIET, load)
        for each, _ in experiment.measurements_of(list(experiment.experiments().values())):
            if each.training == "images":
                settings_by_layer(subject, each)
        assert loaded == [True]

    def test_experiments_on_training_images(self, tmp_path, few_digits):
        found = ju.analysis.study(
            stored("convnet"),
            few_digits,
            tmp_path / "run",
            ["roles"],
            ["conv2"],
            train_data=few_digits,
            options={"topology.classes": ("3",), "topology.images": 6, "roles.resamples": 50},
            progress=False,
        )
        assert len(found["roles"].figure.png) > 10_000
        assert found.measured("births")["conv2"].sizes["image"] == 6


def analyze(folder, *arguments):
    return command.main([str(folder), *map(str, arguments)])


class TestCommand:
    @pytest.mark.parametrize("name", ["flax_module", "function", "torch_module"])
    def test_a_network_of_a_file(self, files, tmp_path, name):
        if name == "torch_module":
            pytest.importorskip("torch", reason="PyTorch is not installed")
        model = f"{files}/my_model.py"
        folder = tmp_path / "run"
        network = ("--network", f"{model}:{name}", "--data", f"{model}:images")
        assert analyze(folder, "drop_curves", "correlations", *network) == 0
        assert (folder / "figures/drop_curves.png").stat().st_size > 10_000
        module = sys.modules["_jaxunits_my_model"]
        data = ju.data.load(module.images())
        layers = {path.name.split("_")[1] for path in (folder / "measurements").glob("ablation_*")}
        for layer in layers:
            saved = measured(folder, "ablation", layer)
            assert int(saved.n_images.sum()) == len(data)
        if name == "flax_module":
            expected = ju.networks.from_nnx(
                module.flax_module()[0], preprocessing=module.SIZE, name="Net"
            )
            sweep = ju.ablation.sweep(expected, "conv2", data)
            saved = measured(folder, "ablation", "conv2")
            np.testing.assert_array_equal(saved.correct, sweep.correct)

    def test_a_named_network_has_its_arguments(self, tmp_path):
        write_images(tmp_path / "images", size=(32, 32))
        data = ("--data", f"folder:{tmp_path}/images", "--split", "validation")
        named = ("--network", "cifar_resnet", "--network.depth", "8", "--layers", "conv1")
        assert analyze(tmp_path / "run", "drop_curves", *named, *data) == 0
        saved = measured(tmp_path / "run", "ablation", "conv1")
        assert saved["class"].values.tolist() == ["cat", "dog", "frog"]
        assert '"depth": 8' in saved.attrs["architecture"]

    @pytest.mark.parametrize(
        ("kind", "options", "reading"),
        [
            ("webp", {"lossless": True}, {"formats": ("WEBP",)}),
            ("bmp", {}, {"formats": ("PNG", "BMP"), "channels": 3}),
            ("tiff", {}, {"formats": ("TIFF",), "verify": False, "channels": 3}),
            ("png", {"exif": TURNED}, {"orientation": "stored"}),
        ],
    )
    def test_files_are_read_by_option(self, files, tmp_path, kind, options, reading):
        write_images(tmp_path / "images", size=(12, 12), kind=kind, **options)
        source = f"folder:{tmp_path}/images"
        network = ("--network", f"{files}/my_model.py:flax_module", "--layers", "conv2")
        data = ("--data", source, "--split", "train", *flags(reading))
        assert analyze(tmp_path / "run", "correlations", *network, *data) == 0
        saved = measured(tmp_path / "run", "ablation", "conv2")
        expected = ju.data.load(source, "train", **reading)
        assert saved.attrs["data_fingerprint"] == expected.fingerprint
        module = sys.modules["_jaxunits_my_model"]
        net = ju.networks.from_nnx(module.flax_module()[0], preprocessing=module.SIZE)
        sweep = ju.ablation.sweep(net, "conv2", expected)
        np.testing.assert_array_equal(saved.correct, sweep.correct)
        if kind == "png":
            other = ("--data", source, "--split", "train")
            assert analyze(tmp_path / "run", "correlations", *network, *other) == 0
            assert len(list((tmp_path / "run/measurements").glob("ablation_conv2_*.nc"))) == 2

    def test_fields_of_records_are_named_by_option(self, files, tmp_path):
        (tmp_path / "records.py").write_text(RECORDS)
        network = ("--network", f"{files}/my_model.py:flax_module", "--layers", "conv2")
        data = ("--data", f"{tmp_path}/records.py:records")
        fields = {"image": 2, "label": 0, "channels_first": True}
        assert analyze(tmp_path / "run", "correlations", *network, *data, *flags(fields)) == 0
        saved = measured(tmp_path / "run", "ablation", "conv2")
        assert saved.n_images.values.tolist() == [4, 4, 4]

    @pytest.mark.parametrize(
        ("arguments", "text"),
        [
            (("--data.formats", "WEBP"), "(--data, --weights and the like) without --network"),
            (
                (
                    *("--network", "MODEL:flax_module", "--data", "MODEL:dataset"),
                    *("--data.orientation", "stored"),
                ),
                "gives a ju.data.Dataset, which is read as it says",
            ),
            (
                (
                    *("--network", "MODEL:flax_module", "--data", "MODEL:images"),
                    *("--data.label", "1"),
                ),
                "label=1 for data",
            ),
            (("--network", "alexnat"), "unknown network 'alexnat': jaxunits.networks has alexnet"),
            (("--network", "alexnet"), "--network needs --data"),
            (
                ("--network", "nowhere.py:build", "--data", "MODEL:images"),
                "there is no file nowhere.py",
            ),
            (("--network", "MODEL:bild", "--data", "MODEL:images"), "unknown function 'bild'"),
        ],
    )
    def test_networks_that_do_not_exist(self, files, tmp_path, capsys, arguments, text):
        given = [each.replace("MODEL", f"{files}/my_model.py") for each in arguments]
        assert analyze(tmp_path / "run", "drop_curves", *given) == 2
        assert text in " ".join(capsys.readouterr().err.split())
        assert not (tmp_path / "run").exists()

    @pytest.mark.parametrize(
        ("wrong", "right"),
        [("--greedy.step", "--greedy.steps"), ("--nettwork", "--network"), ("--layer", "--layers")],
    )
    def test_a_typo_of_an_option_is_answered_with_the_nearest(self, tmp_path, capsys, wrong, right):
        with pytest.raises(SystemExit):
            analyze(tmp_path, wrong, "4")
        assert right in capsys.readouterr().err

    def test_a_plan_of_all_that_is_missing(self, tmp_path, files, capsys):
        model = f"{files}/my_model.py"
        network = ("--network", f"{model}:flax_module", "--data", f"{model}:images")
        options = ("--rotations.count", "2", "--layers", "conv2", "--plan")
        assert analyze(tmp_path / "run", "rotations", "correlations", *network, *options) == 0
        out = capsys.readouterr().out
        for name in ("ablation", "rotations", "attributes"):
            assert re.search(rf"│ {name} +│ conv2 +│ +[\d.]+ │ +[\d.]+ │", out), name
        assert not (tmp_path / "run").exists()


def sample():
    """The experiment that CONTRIBUTING shows."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    (found,) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    return found


@pytest.fixture
def fresh():
    """Experiments are looked for again, before and after."""
    caches = (experiment.experiments, experiment.config)
    for each in caches:
        each.cache_clear()
    yield
    for each in caches:
        each.cache_clear()


def is_found_and_drawn(folder, data, asked="silent_units"):
    found = ju.analysis.study(
        stored("mlp"),
        data,
        folder,
        asked,
        options={"silence.share": 0.9},
        progress=False,
    )
    assert len(found["silent_units"].figure.png) > 5_000
    page = found.report.read_text()
    assert "silent on 90%" in page
    (sentence,) = found["silent_units"].findings
    assert f"<p>{sentence}</p>" in page
    # A bar a layer, named by it.
    layers = list(stored("mlp").layers)
    rows = found["silent_units"].figure.values.splitlines()[1:]
    assert [row.split(",")[-1] for row in rows] == layers
    # It reads attributes alone.
    assert {path.name.split("_")[0] for path in (folder / "measurements").glob("*.nc")} == {
        "attributes"
    }


class TestExperiments:
    def test_one_file_is_an_experiment(self, tmp_path, few_digits, fresh, monkeypatch):
        (tmp_path / "silent_units.py").write_text(sample())
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path)])
        is_found_and_drawn(tmp_path / "run", few_digits)
        sys.modules.pop(f"{package.__name__}.silent_units")

    def test_packages_have_theirs_by_entry_points(self, tmp_path, few_digits, fresh, monkeypatch):
        (tmp_path / "their_package.py").write_text(sample())
        described = tmp_path / "their_package-1.dist-info"
        described.mkdir()
        (described / "METADATA").write_text(
            "Metadata-Version: 2.1\nName: their-package\nVersion: 1\n"
        )
        points = "[jaxunits.experiments]\nsilent_units = their_package:experiment\n"
        (described / "entry_points.txt").write_text(points)
        monkeypatch.syspath_prepend(str(tmp_path))
        is_found_and_drawn(tmp_path / "run", few_digits)
        (described / "entry_points.txt").write_text(points.replace(":experiment", ":nothing"))
        experiment.experiments.cache_clear()
        assert "their_package:nothing" in refused(experiment.experiments)

    def test_an_experiment_itself_is_drawn(self, tmp_path, few_digits, monkeypatch):
        module = types.ModuleType("mine")
        monkeypatch.setitem(sys.modules, "mine", module)
        exec(sample(), module.__dict__)  # noqa: S102
        is_found_and_drawn(tmp_path / "run", few_digits, module.experiment)
        again = dataclasses.replace(module.experiment, name="drop_curves")
        assert "two experiments are called 'drop_curves'" in refused(
            experiment.chosen, [again, "correlations"], 1
        )

    def test_papers_stand_for_their_experiments(self):
        names = {
            group: [each.name for each in experiment.chosen([group], 1)]
            for group in experiment.groups()
        }
        assert names == {
            "paper_a": [
                *("drop_curves", "greedy", "correlations", "prediction", "rotations", "concepts")
            ],
            "paper_b": ["topology", "phase_transition", "stability", "roles"],
            "paper_c": ["drop_curves", "substitution", "synthesized_images"],
        }


CONFIG = '''"""A network of mine."""

from dataclasses import dataclass

from flax import nnx
from my_model import Net

import jaxunits as ju
from jaxunits.train.config import Config, Data


@dataclass(frozen=True)
class Mine:
    shift: int = 0
    """Added to the seed."""

    def build(self, classes, preprocessing, seed):
        module = Net(nnx.Rngs(seed + self.shift))
        return ju.networks.from_nnx(module, preprocessing=preprocessing)


SIZE = ju.data.Preprocessing((12, 12), 3)
config = Config(
    network=Mine(),
    preprocessing=SIZE,
    data=Data("folder:images", formats=("WEBP",)),
    epochs=1,
    batch_size=6,
)


def build():
    return Mine().build(3, SIZE, 0)
'''


def write_images(folder, names=("cat", "dog", "frog"), size=(16, 14), kind="png", **options):
    """A few images of each class."""
    random = np.random.default_rng(0)
    for split in ("train", "validation"):
        for name in names:
            place = folder / split / name
            place.mkdir(parents=True)
            for number in range(4):
                pixels = random.integers(0, 256, (*size, 3), np.uint8)
                Image.fromarray(pixels).save(place / f"{number}.{kind}", **options)


def test_a_configuration_of_ones_own(files, tmp_path, monkeypatch, capsys):
    shutil.copy(files / "my_model.py", tmp_path)
    (tmp_path / "my_config.py").write_text(CONFIG)
    write_images(tmp_path / "images", kind="webp")
    monkeypatch.chdir(tmp_path)
    run = ("--run-folder", "run")
    named = [str(tmp_path / "my_config.py"), "--network.shift", "2", *run]
    assert train(named) == 0
    assert train([*named, "--data.orientation", "stored"]) == 2
    assert "data.orientation is 'exif' there and 'stored' now" in capsys.readouterr().err
    assert analyze("run", "drop_curves") == 2
    assert "is of a network of your own" in capsys.readouterr().err
    network = ("--network", f"{tmp_path}/my_config.py:build")
    assert analyze("run", "drop_curves", *network, "--data.channels", "1") == 2
    assert "run folder run has its own images: leave --data out" in capsys.readouterr().err
    assert analyze("run", "drop_curves", *network, "--layers", "conv2") == 0
    assert measured(Path("run"), "ablation", "conv2").attrs["epoch"] == "1"
    (tmp_path / "my_config.py").write_text("setting = 3")
    assert train([str(tmp_path / "my_config.py")]) == 2
    assert "has neither `config`" in capsys.readouterr().err


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, unpacked."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=LIMIT)
    (path,) = folder.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


@pytest.mark.slow
class TestInstalled:
    def test_the_wheel_has_one_package_and_a_command(self, wheel):
        names = {path.name for path in wheel.iterdir()}
        assert {name.split("-")[0] for name in names} == {"jaxunits"}
        (points,) = wheel.glob("*.dist-info/entry_points.txt")
        assert "jaxunits = jaxunits.__main__:main" in points.read_text()
        vendored = {path.name for path in (wheel / "jaxunits/analysis/explorer/vendor").iterdir()}
        assert vendored == {name for _, each in PINS.values() for name, _ in each.values()}

    def test_weights_and_a_folder_of_images_make_a_report(self, wheel, tmp_path):
        network = ju.networks.alexnet(3, width=0.1, seed=1)
        ju.networks.save_weights(network, tmp_path / "alexnet.safetensors")
        write_images(tmp_path / "places", size=(120, 140))
        arguments = [
            *("analysis", "runs/alexnet", "paper_a", "--network", "alexnet"),
            *("--network.width", "0.1", "--network.classes", "3"),
            *("--weights", "alexnet.safetensors", "--data", "folder:places"),
            *("--split", "validation", "--layers", "conv5", "--batch-size", "12"),
            *("--rotations.count", "1", "--greedy.steps", "2", "--greedy.random-orders", "1"),
        ]
        program = [sys.executable, "-m", "jaxunits", *arguments]
        done = subprocess.run(
            program,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(wheel)},
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert (tmp_path / "runs/alexnet/explorer.html").exists()
        page = (tmp_path / "runs/alexnet/report.html").read_text()
        assert "<h1>alexnet on folder:places</h1>" in page
        drawn = {path.stem for path in (tmp_path / "runs/alexnet/figures").iterdir()}
        assert drawn == {"drop_curves", "greedy", "concepts", "correlations", "rotations"}
