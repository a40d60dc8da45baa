"""A study in a notebook, as its user sees it."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from tests.processes import LIMIT

nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed")
nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed")

CELLS = (
    """
    import jaxunits as ju

    data = ju.data.load("digits", "validation[:100]")
    size = ju.data.Preprocessing((28, 28), 1)
    network = ju.networks.convnet(10, widths=(4, 6), pool_after=("conv1",), preprocessing=size)
    study = ju.analysis.study(network, data, "mine", ["drop_curves", "correlations"], ["conv2"])
    """,
    'study["drop_curves"].figure',
    'study["correlations"].tables[0]',
    "study.report",
)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_notebook_shows_figures_and_tables(tmp_path):
    cells = [nbformat.v4.new_code_cell("\n".join(map(str.strip, c.splitlines()))) for c in CELLS]
    notebook = nbformat.v4.new_notebook(cells=cells)
    where = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=LIMIT, resources=where).execute()
    figure, table, report = (cell.outputs[-1].data for cell in notebook.cells[1:])
    # A console shows the name and the caption alone, not the contents of files.
    assert len(figure["text/plain"]) < 1000
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(figure["image/png"]))).convert("L"))
    assert (pixels < 128).mean() > 0.005
    assert "<th>attribute</th>" in table["text/html"]
    assert "mine/report.html" in report["text/plain"]
    assert (tmp_path / "mine/report.html").exists()
