"""Execute the tutorials and keep what they show: `python -m tests.notebooks [NAME …]`.

Each runs in a kernel and a folder of its own, and is written back with its outputs, without
execution counts, times and identifiers, so that a second execution changes little.
"""

import argparse
import os
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "tutorials"
# Seconds that a cell may take on a loaded machine.
LIMIT = 600
# What a tutorial needs, as the tag of a cell, and the package that has it.
NEEDS = {"needs-torch": "torch"}


def tutorials():
    """The notebooks by name, in their order."""
    return {path.stem: path for path in sorted(FOLDER.glob("*.ipynb"))}


def needs(notebook):
    """The packages that a notebook needs beside the extra `programs`."""
    tags = {tag for cell in notebook.cells for tag in cell.metadata.get("tags", ())}
    return [package for tag, package in NEEDS.items() if tag in tags]


def client_of(notebook, folder, **options):
    """Executes a notebook in a folder; with `km`, in a kernel that other notebooks share."""
    resources = {"metadata": {"path": str(folder)}}
    return NotebookClient(
        notebook, timeout=LIMIT, resources=resources, record_timing=False, **options
    )


def without_chance(notebook):
    """A notebook without what changes at every execution."""
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"
        if cell.cell_type != "code":
            continue
        cell.execution_count = None
        for output in cell.outputs:
            if "execution_count" in output:
                output.execution_count = None
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    return notebook


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="which tutorials; all by default")
    names = parser.parse_args().names or list(tutorials())
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    # Figures and numbers are those of a processor, whatever else the machine has.
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    for name in names:
        path = tutorials()[name]
        notebook = nbformat.read(path, as_version=4)
        missing = [package for package in needs(notebook) if not find_spec(package)]
        if missing:
            sys.stdout.write(f"{path.relative_to(ROOT)}: left as it is, needs {missing[0]}\n")
            continue
        with tempfile.TemporaryDirectory() as folder:
            client_of(notebook, folder).execute()
        nbformat.write(without_chance(notebook), path)
        sys.stdout.write(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1000:.0f} kB\n")


if __name__ == "__main__":
    main()
