"""From measured networks to rows, each a claim, a network and layers with a verdict."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ..runs import Run
from ..settings import Settings
from .of_ablation import found_of_ablation
from .of_substitution import found_of_substitution
from .of_topology import found_of_topology
from .of_variants import found_of_variants
from .rules import Estimate
from .statements import CLAIMS

# Of a number in the file: more would differ between processors.
_DIGITS = 4


@dataclass(frozen=True)
class Row:
    """A claim, looked at in a network.

    Attributes:
      claim: its key in `CLAIMS`.
      network: the network, or those that are compared.
      layers: the layer, or how many.
      number: what was found, in the claim's unit; None where there is no number.
      low: lower end of its 95 % interval.
      high: upper end.
      verdict: what the claim's rule says.
    """

    claim: str
    network: str
    layers: str
    number: float | None
    low: float | None
    high: float | None
    verdict: str

    @classmethod
    def of(cls, claim: str, network: str, layers: str, estimate: Estimate) -> Row:
        """By the claim's rule, which sees the numbers as the row has them."""
        kept = Estimate(*(round(each, _DIGITS) + 0.0 for each in asdict(estimate).values()))
        verdict = CLAIMS[claim].rule.verdict(kept)
        number, low, high = (
            each if math.isfinite(each) else None for each in (kept.number, kept.low, kept.high)
        )
        return cls(claim, network, layers, number, low, high, verdict)


def rows(runs: Sequence[Run], config: Settings) -> list[Row]:
    """What of the claims can be looked at, in the order of the claims.

    Args:
      runs: measured networks; those that share a configuration differ in their seeds alone.
      config: the options of topology, stability and roles.
    """
    found = [Row.of(*each) for each in _each(runs, config)]
    order = list(CLAIMS)
    return sorted(found, key=lambda row: order.index(row.claim))


def _each(runs: Sequence[Run], config: Settings) -> Iterator[tuple[str, str, str, Estimate]]:
    for run in runs:
        name = _name(run, runs)
        for claim, layer, estimate in found_of_ablation(run):
            yield claim, name, layer, estimate
        for claim, layer, estimate in found_of_topology(run, config):
            yield claim, name, layer, estimate
        for claim, layer, estimate in found_of_substitution(run):
            yield claim, name, layer, estimate
    by_configuration: dict[str, list[Run]] = {}
    for run in runs:
        by_configuration.setdefault(run.configuration, []).append(run)
    yield from found_of_variants(by_configuration, config)


def _name(run: Run, runs: Sequence[Run]) -> str:
    """Its configuration, with the seed where there are several."""
    alike = sum(other.configuration == run.configuration for other in runs)
    return run.name if alike > 1 else run.configuration


def results_file(runs: Sequence[Run], found: Sequence[Row]) -> Mapping[str, Any]:
    """What the file holds: the claims with their rules, the networks, and the rows."""
    looked_at = {row.claim for row in found}
    return {
        "claims": {
            key: {
                "paper": claim.paper,
                "text": claim.text,
                "measured": claim.measured,
                "unit": claim.unit,
                "rule": claim.rule.text(claim.unit),
                "looked_at": key in looked_at,
            }
            for key, claim in CLAIMS.items()
        },
        "networks": [_network(run, runs) for run in runs],
        "rows": [asdict(row) for row in found],
    }


def _network(run: Run, runs: Sequence[Run]) -> dict[str, Any]:
    """What was measured of a network, and on which images."""
    described: dict[str, Any] = {
        "name": _name(run, runs),
        "configuration": run.configuration,
        "layers": {kind: list(of) for kind, of in run.results.items() if of},
    }
    if run.sweeps:
        sweep = next(iter(run.sweeps.values()))
        images = int(sweep.n_images.sum())
        described |= {
            "architecture": sweep.attrs["network"],
            "data": sweep.attrs["data"],
            "split": sweep.attrs["split"],
            "images": images,
            "accuracy": round(int(sweep.correct_before.sum()) / images, _DIGITS),
        }
    return described
