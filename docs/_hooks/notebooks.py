"""Tutorials are notebooks with their outputs; as Markdown their links are checked as any page's."""

from __future__ import annotations

import base64
import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

_PICTURES = {"image/svg+xml": "svg", "image/png": "png"}
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_BLANK = re.compile(r"\n\s*\n")
_TABLE = re.compile(r"<table[^>]*>")
_LINK = re.compile(r"(\]\([^)#\s]+)\.ipynb\b")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put all tutorials into the navigation, in the order of their files' names."""
    folder = Path(config.docs_dir) / "tutorials"
    pages = [f"tutorials/{path.stem}.md" for path in sorted(folder.glob("*.ipynb"))]
    nav: list[Any] = config.nav or []
    config.nav = [
        {"Tutorials": pages} if entry == {"Tutorials": "tutorials/*"} else entry
        for entry in nav
        if pages or entry != {"Tutorials": "tutorials/*"}
    ]
    return config


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """A page and its pictures for every notebook, which itself can be downloaded."""
    for notebook in [file for file in files if file.src_uri.endswith(".ipynb")]:
        cells = json.loads(Path(str(notebook.abs_src_path)).read_text())["cells"]
        stem = notebook.src_uri.removesuffix(".ipynb")
        pictures: dict[str, bytes] = {}
        text = "\n\n".join(part for cell in cells for part in _parts(cell, stem, pictures))
        name = notebook.src_uri.rpartition("/")[2]
        text += f"\n\n---\n\nThis page is a notebook: [download it]({name}).\n"
        files.append(File.generated(config, f"{stem}.md", content=text))
        for path, content in pictures.items():
            files.append(File.generated(config, path, content=content))
    return files


def _parts(cell: dict[str, Any], stem: str, pictures: dict[str, bytes]) -> Iterator[str]:
    """A cell and its outputs as Markdown; pictures are added to those of the page."""
    tags = cell["metadata"].get("tags", [])
    source = "".join(cell["source"])
    if "remove-cell" in tags or not source.strip():
        return
    if cell["cell_type"] == "markdown":
        yield _LINK.sub(r"\1.md", source)
        return
    if "hide-input" not in tags:
        yield f"```python\n{source}\n```"
    if "hide-output" not in tags:
        outputs = (_output(output, stem, pictures) for output in cell["outputs"])
        # What is printed piece by piece is one block.
        for is_text, together in itertools.groupby(outputs, lambda each: isinstance(each, _Text)):
            if is_text:
                yield "```{.text .output}\n" + "\n".join(together) + "\n```"
            else:
                yield from together


class _Text(str):
    """What a cell printed."""


def _output(output: dict[str, Any], stem: str, pictures: dict[str, bytes]) -> str:
    data = {kind: "".join(text) for kind, text in output.get("data", {}).items()}
    for kind, ending in _PICTURES.items():
        if kind in data:
            path = f"{stem}-{len(pictures) + 1}.{ending}"
            raw = data[kind]
            pictures[path] = raw.encode() if ending == "svg" else base64.b64decode(raw)
            return f"![What the cell draws]({path.rpartition('/')[2]})"
    if "<table" in data.get("text/html", ""):
        # A blank line would end the block of HTML, and the theme styles tables without a class.
        table = _TABLE.sub("<table>", _BLANK.sub("\n", data["text/html"]))
        return f'<div class="output">{table}</div>'
    text = data.get("text/plain") or "".join(output.get("text", ""))
    return _Text(_ANSI.sub("", text).rstrip())
