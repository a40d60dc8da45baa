"""The JavaScript that the explorer carries: what it is, and how it is fetched anew.

`python -m tests.vendored` takes the pinned packages from npm, compares them with their hashes and
puts their files where they belong. For other versions change `PINS` and run it with `--pin`, which
prints the new hashes.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import subprocess
import tarfile
import tempfile
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "analysis" / "explorer" / "vendor"
# By package and version: the SHA-512 that npm lists, and the files with their SHA-256.
PINS: dict[str, tuple[str, dict[str, tuple[str, str]]]] = {
    "tabulator-tables@6.5.3": (
        "nJ2QaqZzQvd9B4rf4LBnRxfb6sSqA/BX2OsXnSJ2d8k21oXDSTtFtOUrDap04a/6BDGivC/MByCxy43ugadJIg==",
        {
            "dist/js/tabulator.min.js": (
                "tabulator.min.js",
                "ffac518cb793c672a2f0522b7fc80bf862234d96bb1e581c8aaf7f48f130eafa",
            ),
            "dist/css/tabulator_simple.min.css": (
                "tabulator_simple.min.css",
                "edef8839235a4b6a8c3dc391ec93f2ce1bc633dd5270a5f990753b6f9183d32b",
            ),
            "LICENSE": (
                "LICENSE.tabulator",
                "191a2ee554684e1064c897b432f0e1bc6dfa714ca045d3f6ea2cf692cbd398b7",
            ),
        },
    ),
    "vega@6.4.0": (
        "rHXCq2LpEWCLMjXBEj7hocY9G0/i5TGYRayGGSj06VTF4+l2IG2Z7oeZKCjWbUh/7hTE/mVhbaOPB72wCElh6g==",
        {
            "build/vega.min.js": (
                "vega.min.js",
                "8f6a3587cf8d4f42c7e08120e3eb05d067e746d554e39d2dcf52acc0bd5ba28f",
            ),
            "LICENSE": (
                "LICENSE.vega",
                "63727832aaf62004a2b249c933e327f3c90caf49e41a72f4bf436edf632cbda8",
            ),
        },
    ),
}


def check() -> None:
    """Compare the files that are there with their hashes.

    Raises:
      ValueError: one is another.
    """
    for package, (_, files) in PINS.items():
        for name, expected in files.values():
            found = hashlib.sha256((FOLDER / name).read_bytes()).hexdigest()
            if found != expected:
                raise ValueError(f"{name} is not that of {package}: run python -m tests.vendored")


def fetch(package: str, *, pin: bool) -> None:
    """Take a package's files from npm.

    Args:
      package: its name and version.
      pin: print its hashes instead of comparing them.

    Raises:
      ValueError: npm gives another file than was pinned.
    """
    integrity, files = PINS[package]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["npm", "pack", "--silent", package], cwd=folder, check=True)  # noqa: S607
        (archive,) = Path(folder).glob("*.tgz")
        found = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
        if pin:
            print(package, found)  # noqa: T201
        elif found != integrity:
            raise ValueError(
                f"npm gives {package} with the hash {found}, and {integrity} is pinned"
            )
        with tarfile.open(archive) as content:
            for source, (name, _) in files.items():
                file = content.extractfile(f"package/{source}")
                assert file is not None
                (FOLDER / name).write_bytes(file.read())
                if pin:
                    print(" ", name, hashlib.sha256((FOLDER / name).read_bytes()).hexdigest())  # noqa: T201


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pin", action="store_true", help="print new hashes")
    pin = parser.parse_args().pin
    for package in PINS:
        fetch(package, pin=pin)
    if not pin:
        check()


if __name__ == "__main__":
    main()
