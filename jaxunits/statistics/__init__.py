"""How sure a drop is: intervals, false discovery rates, and what chance alone would give."""

from ._chance import chance_drops as chance_drops
from ._intervals import paired_interval as paired_interval
from ._tests import damage_p_values as damage_p_values
from ._uncertainty import uncertainty as uncertainty
