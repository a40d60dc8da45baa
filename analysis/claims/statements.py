"""The papers' claims, each with how it is measured and the rule for its verdict."""

from __future__ import annotations

from dataclasses import dataclass

from .rules import Rule

_POINTS = "points"


@dataclass(frozen=True)
class Claim:
    """A claim of a paper.

    Attributes:
      paper: the paper, and where in it.
      text: what it says.
      measured: the number that it is judged by, and its interval.
      unit: of the number.
      rule: when it holds.
    """

    paper: str
    text: str
    measured: str
    unit: str
    rule: Rule


_ZHOU, _ZHAO, _CHEN = "Zhou et al. 2018", "Zhao and Zhang 2021", "Chen et al. 2019"
_MORCOS, _LEAVITT = "Morcos et al. 2018", "Leavitt and Morcos 2020"
_SIMULTANEOUS = "intervals of all {} together (Tango 1998, Bonferroni)"
_UNITS = "over the units of a layer, resampled"
_R = "Spearman's r over the units of a layer, resampled where five or more are apart from the rest"
_CLASSES = "over the classes, resampled"
# From which training accuracy on random labels a network has memorized them.
MEMORIZED = 0.9
_SEEDS = "means over seeds, Welch's interval"

CLAIMS = {
    "overall_mean": Claim(
        f"{_ZHOU}, §3.1",
        "Ablating a unit costs little overall accuracy: less than 1 point on average.",
        f"mean overall accuracy drop {_UNITS}",
        _POINTS,
        Rule("below", 1.0),
    ),
    "overall_largest": Claim(
        f"{_ZHOU}, §3.1",
        "No single unit costs 1 point of overall accuracy or more.",
        f"largest overall accuracy drop of a layer's units, {_SIMULTANEOUS.format('units')}",
        _POINTS,
        Rule("below", 1.0),
    ),
    "class_largest": Claim(
        f"{_ZHOU}, §3.1",
        "Some class loses much without some unit: more than 10 points.",
        f"largest class accuracy drop of a layer, {_SIMULTANEOUS.format('(unit, class) pairs')}",
        _POINTS,
        Rule("above", 10.0),
    ),
    "class_beyond_chance": Claim(
        f"{_ZHOU}, §3.1",
        "Units cost their most damaged class more than chance would make it seem.",
        f"mean max class drop {_UNITS}, less its mean when changed predictions go either way",
        _POINTS,
        Rule("above", 0.0),
    ),
    "selectivity_overall": Claim(
        f"{_ZHOU}, §3.3, after {_MORCOS}",
        "The more class-selective a unit, the less it costs overall.",
        f"{_R}: class selectivity and overall drop",
        "",
        Rule("below", 0.0),
    ),
    "selectivity_class": Claim(
        f"{_ZHOU}, §3.3",
        "The more class-selective a unit, the more its most damaged class loses.",
        f"{_R}: class selectivity and max class drop",
        "",
        Rule("above", 0.0),
    ),
    "correlation_class": Claim(
        f"{_ZHOU}, §3.3",
        "The more a unit goes with a class, the more its most damaged class loses.",
        f"{_R}: class correlation and max class drop",
        "",
        Rule("above", 0.0),
    ),
    "concepts_class": Claim(
        f"{_ZHOU}, §3.3",
        "The more a unit aligns with a concept, the more its most damaged class loses.",
        f"{_R}: concept alignment and max class drop",
        "",
        Rule("above", 0.0),
    ),
    "l1_overall": Claim(
        f"{_ZHOU}, §3.3",
        "Units of larger L1 norm cost more overall.",
        f"{_R}: L1 norm and overall drop",
        "",
        Rule("above", 0.0),
    ),
    "l1_class": Claim(
        f"{_ZHOU}, §3.3",
        "Units of larger L1 norm cost their most damaged class more.",
        f"{_R}: L1 norm and max class drop",
        "",
        Rule("above", 0.0),
    ),
    "greedy": Claim(
        f"{_ZHOU}, §3.2",
        "Five units chosen for a class cost it more than five random ones.",
        f"class drop after 5 greedy units less after 5 random ones, mean {_CLASSES}",
        _POINTS,
        Rule("above", 0.0),
    ),
    "greedy_ten": Claim(
        f"{_ZHOU}, §3.2",
        "Ten units chosen for a class cost it more than 40 points.",
        f"class drop after 10 greedy units, mean {_CLASSES}",
        _POINTS,
        Rule("above", 40.0),
    ),
    "rotations_class": Claim(
        f"{_ZHOU}, §3.4",
        "Units cost single classes more than directions of random rotations do.",
        "mean max class drop of units less of directions, both resampled",
        _POINTS,
        Rule("above", 0.0),
    ),
    "rotations_overall": Claim(
        f"{_ZHOU}, §3.4",
        "Units cost overall accuracy more than directions of random rotations do.",
        "mean overall drop of units less of directions, both resampled",
        _POINTS,
        Rule("above", 0.0),
    ),
    "batch_norm": Claim(
        f"{_ZHOU}, §3.5",
        "With batch norm single units cost single classes less.",
        f"mean max class drop, plain less batch norm; {_SEEDS}",
        _POINTS,
        Rule("above", 0.0),
    ),
    "dropout": Claim(
        f"{_ZHOU}, §3.5",
        "With channel dropout single units cost single classes less.",
        f"mean max class drop, plain less channel dropout; {_SEEDS}",
        _POINTS,
        Rule("above", 0.0),
    ),
    "entropy": Claim(
        f"{_ZHAO}, §3.2",
        "Feature entropy falls in training.",
        f"mean feature entropy at the last checkpoint less at the first {_UNITS}",
        "nats",
        Rule("below", 0.0),
    ),
    "transition": Claim(
        f"{_ZHAO}, §3.4",
        "With the least important unit first a class's accuracy falls at once: within a tenth of "
        "the units.",
        "units over which it falls from 90 to 10 % of its peak, as a share of the layer (1 where "
        f"it does not fall), mean {_CLASSES}",
        "",
        Rule("below", 0.1),
    ),
    "transition_random": Claim(
        f"{_ZHAO}, §3.4",
        "The importance rank keeps a class longer than random orders do.",
        "mean accuracy with the least important unit first, importance rank less random orders, "
        f"mean {_CLASSES}",
        _POINTS,
        Rule("above", 0.0),
    ),
    "transition_special": Claim(
        f"{_ZHAO}, §3.4",
        "No other rank keeps a class as long as the importance rank does.",
        "the same, importance rank less the best of L1 norm, APoZ, class selectivity and Taylor, "
        f"mean {_CLASSES}",
        _POINTS,
        Rule("above", 0.0),
    ),
    "stability": Claim(
        f"{_ZHAO}, §3.5",
        "The importance rank hardly depends on which images are taken: a stability above 0.9.",
        f"eq. 14 with the largest subsets of at most half of the images, mean {_CLASSES}",
        "",
        Rule("above", 0.9),
    ),
    "roles": Claim(
        f"{_ZHAO}, §3.6",
        "Few units of a layer are the core that a class needs: less than a quarter.",
        f"share of core units, mean {_CLASSES}",
        "",
        Rule("below", 0.25),
    ),
    "roles_generalization": Claim(
        f"{_ZHAO}, §3.6",
        "Networks that generalize better have fewer overfitted units.",
        "Spearman's r over networks: accuracy on held-out images and share of overfitted units",
        "",
        Rule("below", 0.0),
    ),
    "substitution_selectivity": Claim(
        f"{_CHEN}, figure 3",
        "The more class-selective a unit, the more others answer to its image.",
        f"{_R}: RS under IAM and class selectivity",
        "",
        Rule("above", 0.0),
    ),
    "substitution_depth": Claim(
        f"{_CHEN}, figure 3",
        "The correlation of RS with class selectivity fades with depth.",
        "Spearman's r over layers: the layer's place and its r of RS with class selectivity",
        "",
        Rule("below", 0.0),
    ),
    "substitution_drops": Claim(
        f"{_CHEN}, §3",
        "Units that others stand in for cost their most damaged class less.",
        f"{_R}: RS under IAM and max class drop",
        "",
        Rule("below", 0.0),
    ),
    "random_labels": Claim(
        f"{_MORCOS}, §3.1",
        "Networks that memorized random labels lose more when units are removed at random.",
        "accuracy on the training images and their labels, mean over all numbers of removed units, "
        "on a scale from 0 with none of the units to 1 with all; plain less random labels; "
        f"{_SEEDS}, none where less than {MEMORIZED:.0%} of the random labels' images are learned",
        "",
        Rule("above", 0.0),
    ),
    "selective_units": Claim(
        _LEAVITT,
        "A regularizer for class selectivity makes units more selective.",
        f"mean class selectivity, plain less regularized; {_SEEDS}",
        "",
        Rule("below", 0.0),
    ),
    "unselective_units": Claim(
        _LEAVITT,
        "A regularizer against class selectivity makes units less selective.",
        f"mean class selectivity, plain less regularized; {_SEEDS}",
        "",
        Rule("above", 0.0),
    ),
    "selective_accuracy": Claim(
        _LEAVITT,
        "Regularizing for class selectivity costs accuracy.",
        f"accuracy on held-out images, plain less regularized; {_SEEDS}",
        _POINTS,
        Rule("above", 0.0),
    ),
    "unselective_accuracy": Claim(
        _LEAVITT,
        "Regularizing against class selectivity costs little accuracy: less than 2 points.",
        f"accuracy on held-out images, plain less regularized; {_SEEDS}",
        _POINTS,
        Rule("below", 2.0),
    ),
    "selective_class": Claim(
        f"after {_ZHOU}, §3.3",
        "Units that a regularizer made more selective cost single classes more.",
        f"mean max class drop, plain less regularized; {_SEEDS}",
        _POINTS,
        Rule("below", 0.0),
    ),
    "unselective_class": Claim(
        f"after {_ZHOU}, §3.3",
        "Units that a regularizer made less selective cost single classes less.",
        f"mean max class drop, plain less regularized; {_SEEDS}",
        _POINTS,
        Rule("above", 0.0),
    ),
}
