"""What a report is cited with: the software and the papers whose experiments it repeats."""

from __future__ import annotations

from collections.abc import Iterable

import jaxunits as ju

PAPERS = {
    "A": "Zhou, Sun, Bau and Torralba (2018), Revisiting the Importance of Individual Units in "
    "CNNs via Ablation.",
    "B": "Zhao and Zhang (2021), Quantitative Effectiveness Assessment and Role Categorization of "
    "Individual Units in CNNs.",
    "C": "Chen, Ding, Li, Li, Peng and Li (2019), Understanding the Importance of Single "
    "Directions via Representative Substitution, arXiv:1911.05586.",
}


def software() -> str:
    """The software, as a text names it."""
    return f"jaxunits {ju.__version__} (The jaxunits authors, Apache License 2.0)"


def papers_of(letters: Iterable[str]) -> list[str]:
    """The papers of some experiments, each once and in order; other names than theirs are none."""
    wanted = set(letters)
    return [text for letter, text in PAPERS.items() if letter in wanted]
