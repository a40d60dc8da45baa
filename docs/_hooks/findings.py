"""The page of what was found, made of `docs/findings.json`: no number of it is written by hand."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.pages import Page

_PLACE = "<!-- findings -->"
_VERDICTS = ("holds", "does not hold", "cannot be told")
_FEW = 6
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
    names = {each["name"]: each["configuration"] for each in found["networks"]}
    parts = ["## Networks", *_networks(found["networks"]), "## All claims"]
    parts += _summary(found["claims"], by_claim)
    for key, claim in found["claims"].items():
        if by_claim[key]:
            parts += ["", f"## {claim['text']} {{: #{key} }}", "", _how(claim), ""]
            parts += _rows(claim, by_claim[key], names)
    return "\n".join(parts)


def _networks(networks: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """A row for each configuration, with the accuracies of its seeds."""
    yield "\n| network | images | accuracy | layers |\n| --- | --- | --- | --- |"
    for name, seeds in _together(networks, lambda each: each["configuration"]).items():
        images = [
            f"{each['images']:,} of {each['data']}, {each['split']}" if "images" in each else ""
            for each in seeds
        ]
        accuracies = ", ".join(f"{each['accuracy']:.2%}" for each in seeds if "accuracy" in each)
        layers = [f"`{layer}`" for each in seeds for layer in each["layers"].get("ablation", [])]
        cells = (_of_seeds(name, seeds), _listed(images), accuracies, _shortened(layers))
        yield f"| {' | '.join(cells)} |"
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
    paper, measured = (claim[key][0].upper() + claim[key][1:] for key in ("paper", "measured"))
    return f"{paper}. {measured}. Holds where {claim['rule']}."


def _rows(
    claim: Mapping[str, Any], rows: Sequence[_Row], names: Mapping[str, str]
) -> Iterator[str]:
    """A row for each configuration and layer, with the numbers of its seeds."""
    unit = f" ({claim['unit']})" if claim["unit"] else ""
    yield f"| network | layer | found{unit} | 95 % interval | verdict |"
    yield "| --- | --- | --: | --- | --- |"
    alike = _together(rows, lambda row: (names.get(row["network"], row["network"]), row["layers"]))
    for (name, layers), seeds in alike.items():
        found = ", ".join(_number(row["number"]) for row in seeds)
        known = [row for row in seeds if row["low"] is not None]
        low, high = (
            _number(choice((row[end] for row in known), default=None))
            for choice, end in ((min, "low"), (max, "high"))
        )
        interval = f"{low} to {high}" if known else "none"
        counts = Counter(row["verdict"] for row in seeds)
        verdict = ", ".join(
            name if len(counts) == 1 else f"{name} {counts[name]}"
            for name in _VERDICTS
            if counts[name]
        )
        yield f"| {_of_seeds(name, seeds)} | {layers} | {found} | {interval} | {verdict} |"


def _together(items: Sequence[_Row], key: Callable[[_Row], Hashable]) -> dict[Any, list[_Row]]:
    """The items of each key, in their order."""
    found: dict[Any, list[_Row]] = {}
    for each in items:
        found.setdefault(key(each), []).append(each)
    return found


def _of_seeds(name: str, seeds: Sequence[_Row]) -> str:
    """A configuration's name, which may break behind its study's, and how many seeds it has."""
    name = name.replace("/", "/<wbr>")
    return f"{name}, {len(seeds)} seeds" if len(seeds) > 1 else name


def _shortened(layers: Sequence[str]) -> str:
    """Each layer once; of many their number, the first and the last."""
    each = list(dict.fromkeys(layers))
    return _listed(each) if len(each) <= _FEW else f"{len(each)}, from {each[0]} to {each[-1]}"


def _listed(texts: Sequence[str]) -> str:
    """Each text once."""
    return ", ".join(dict.fromkeys(texts))


def _number(value: float | None) -> str:
    # Without the sign of a zero.
    return "none" if value is None else f"{round(value, 2) + 0.0:.2f}"
