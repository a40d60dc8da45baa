"""Delete statements of numerical code at random places, and see that a test fails for each.

    python -m tests.mutations --places 10 --seed 0

A statement that can go without a test failing is either not needed or not tested.
"""

import argparse
import ast
import os
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
PACKAGES = ("ablation", "attributes", "tracing")
TESTS = ("tests/ablation", "tests/attributes", "tests/networks")
COPIED = ("jaxunits", "tests", "train", "analysis", "configs", "pyproject.toml", "README.md")
STATEMENTS = (ast.Assign, ast.AugAssign, ast.Expr, ast.Return, ast.If, ast.For)


class Place(NamedTuple):
    """Lines of a file, from 1, both included."""

    file: Path
    first: int
    last: int

    def text(self):
        lines = self.file.read_text().splitlines()[self.first - 1 : self.last]
        return f"{self.file}:{self.first}: {' '.join(line.strip() for line in lines)}"

    def delete(self, root):
        """Leave `pass` in its place."""
        lines = (root / self.file).read_text().splitlines()
        indent = len(lines[self.first - 1]) - len(lines[self.first - 1].lstrip())
        lines[self.first - 1 : self.last] = [" " * indent + "pass"]
        (root / self.file).write_text("\n".join(lines) + "\n")


def places():
    """All statements within functions that neither document nor raise."""
    for package in PACKAGES:
        for file in sorted((ROOT / "jaxunits" / package).glob("*.py")):
            functions = [
                node for node in ast.walk(ast.parse(file.read_text())) if hasattr(node, "returns")
            ]
            nodes = [node for function in functions for node in ast.walk(function)]
            found = {
                (node.lineno, node.end_lineno)
                for node in nodes
                if isinstance(node, STATEMENTS) and not documents(node) and not raises(node)
            }
            yield from (Place(file.relative_to(ROOT), *lines) for lines in sorted(found))


def documents(node):
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def raises(node):
    return any(isinstance(part, ast.Raise) for part in ast.walk(node))


def survives(place):
    """Whether all tests pass without the statement; and the test that failed first."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name in COPIED:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, root / name)
        place.delete(root)
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-n", "auto"]
        done = subprocess.run(
            [*command, "--dist", "loadfile", *TESTS],
            cwd=root,
            env={**os.environ, "PYTHONPATH": folder},
            capture_output=True,
            text=True,
        )
        failed = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
        return done.returncode == 0, (failed or [done.stdout[-200:]])[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--places", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    chosen = random.Random(options.seed).sample(list(places()), options.places)  # noqa: S311
    survivors = 0
    for place in chosen:
        alive, why = survives(place)
        survivors += alive
        outcome = "SURVIVES" if alive else "fails"
        print(outcome, place.text(), "" if alive else f"[{why[:150]}]", flush=True)  # noqa: T201
    raise SystemExit(survivors > 0)


if __name__ == "__main__":
    os.chdir(ROOT)
    main()
