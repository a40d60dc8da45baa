"""The page of what was found, made of `docs/findings.json`: no number of it is written by hand."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.pages import Page

_PLACE = "<!-- findings -->"
_VERDICTS = ("holds", "does not hold", "cannot be told")
_Row = Mapping[str, Any]


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, **_: Any) -> str:
    """A page with the results in the place that it has for them."""
    if _PLACE not in markdown:
        return markdown
    path = Path(config.docs_dir) / page.file.src_uri
    return markdown.replace(_PLACE, rendered(json.loads(path.with_suffix(".json").read_text())))


def rendered(found: Mapping[str, Any]) -> str:
    """The results as Markdown.

    Args:
      found: what `python -m analysis.claims` writes.
    """
    by_claim: dict[str, list[_Row]] = {key: [] for key in found["claims"]}
    for row in found["rows"]:
        by_claim[row["claim"]].append(row)
    parts = ["## Networks", *_networks(found["networks"]), "## All claims"]
    parts += _summary(found["claims"], by_claim)
    for key, claim in found["claims"].items():
        if by_claim[key]:
            parts += ["", f"## {claim['text']} {{: #{key} }}", "", _how(claim), ""]
            parts += _rows(claim, by_claim[key])
    return "\n".join(parts)


def _networks(networks: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield "\n| network | images | accuracy | layers |\n| --- | --- | --- | --- |"
    for each in networks:
        images = (
            f"{each['images']:,} of {each['data']}, {each['split']}" if "images" in each else ""
        )
        accuracy = f"{each['accuracy']:.2%}" if "accuracy" in each else ""
        layers = ", ".join(f"`{name}`" for name in each["layers"].get("ablation", []))
        yield f"| {each['name']} | {images} | {accuracy} | {layers} |"
    yield ""


def _summary(claims: Mapping[str, Any], by_claim: Mapping[str, Sequence[_Row]]) -> Iterator[str]:
    """In how many networks and layers each claim has which verdict."""
    yield f"\n| claim | paper | {' | '.join(_VERDICTS)} |\n| --- | --- | --: | --: | --: |"
    for key, claim in claims.items():
        counts = Counter(row["verdict"] for row in by_claim[key])
        text = f"[{claim['text']}](#{key})" if by_claim[key] else claim["text"]
        cells = [str(counts[verdict]) for verdict in _VERDICTS]
        if not by_claim[key]:
            cells = ["not measured", "", ""]
        yield f"| {text} | {claim['paper']} | {' | '.join(cells)} |"


def _how(claim: Mapping[str, Any]) -> str:
    measured = claim["measured"][0].upper() + claim["measured"][1:]
    return f"{claim['paper']}. {measured}. Holds where {claim['rule']}."


def _rows(claim: Mapping[str, Any], rows: Sequence[_Row]) -> Iterator[str]:
    unit = f" ({claim['unit']})" if claim["unit"] else ""
    yield f"| network | layer | found{unit} | 95 % interval | verdict |"
    yield "| --- | --- | --: | --- | --- |"
    for row in rows:
        interval = f"{_number(row['low'])} to {_number(row['high'])}"
        known = interval if row["low"] is not None else "none"
        cells = row["network"], row["layers"], _number(row["number"]), known, row["verdict"]
        yield f"| {' | '.join(cells)} |"


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.2f}"
