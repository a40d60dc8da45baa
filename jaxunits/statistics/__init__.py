"""Uncertainty of drops, attributes that go with drops, and readings of ablation curves."""

from ._chance import chance_drops as chance_drops
from ._false_discoveries import false_discovery_rates as false_discovery_rates
from ._intervals import paired_interval as paired_interval
from ._mcnemar import damage_p_values as damage_p_values
from ._phase_transition import PhaseTransition as PhaseTransition
from ._phase_transition import phase_transition as phase_transition
from ._prediction import predict_damaged_class as predict_damaged_class
from ._rank_correlation import rank_correlation as rank_correlation
from ._roles import ROLES as ROLES
from ._roles import role_shares as role_shares
from ._roles import unit_roles as unit_roles
from ._spearman import RankCorrelation as RankCorrelation
from ._spearman import spearman as spearman
from ._uncertainty import uncertainty as uncertainty
