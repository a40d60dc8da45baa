"""Tutorials run as they stand, one after another in one kernel and one folder."""

import os
from importlib.util import find_spec

import nbformat
import pytest

from tests.notebooks import ROOT, client_of, needs, tutorials

manager = pytest.importorskip("jupyter_client.manager", reason="nbclient is not installed")
pytest.importorskip("ipykernel", reason="ipykernel is not installed")

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

PICTURES = {"image/png", "text/html"}


@pytest.fixture(scope="module")
def kernel(tmp_path_factory):
    """A kernel that imports JAX and the network of most tutorials once, and its folder."""
    folder = tmp_path_factory.mktemp("tutorials")
    paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    started = manager.KernelManager(kernel_name="python3")
    started.start_kernel(cwd=str(folder), env={**os.environ, "PYTHONPATH": paths})
    yield started, folder
    started.shutdown_kernel(now=True)


@pytest.mark.parametrize("name", tutorials())
def test_a_tutorial_runs_and_shows_something(name, kernel):
    notebook = nbformat.read(tutorials()[name], as_version=4)
    for package in needs(notebook):
        if not find_spec(package):
            pytest.skip(f"{package} is not installed")
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    notebook.cells.insert(0, nbformat.v4.new_code_cell("%reset -f"))
    started, folder = kernel
    client = client_of(notebook, folder, km=started)
    try:
        client.execute()
    finally:
        client.kc.stop_channels()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    # Rich shows warnings as outputs of its own.
    warned = [each for each in outputs if each.get("name") == "stderr" or "Warning" in str(each)]
    assert not warned
    shown = [each for each in outputs if each.get("data", {}).keys() & PICTURES]
    assert any("image/png" in each.data for each in shown)


def test_tutorials_are_committed_with_their_outputs():
    assert len(tutorials()) == 8
    for name, path in tutorials().items():
        notebook = nbformat.read(path, as_version=4)
        assert notebook.cells[0].source.startswith("# "), name
        assert path.stat().st_size < 300_000, name
        ran = [cell for cell in notebook.cells if cell.get("outputs")]
        assert ran, f"execute it: python -m tests.notebooks {name}"
        text = [str(output) for cell in ran for output in cell.outputs]
        assert str(ROOT) not in "".join(text), name
