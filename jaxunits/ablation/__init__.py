"""What every class loses when units are silenced."""

from ._execution import Execution as Execution
from ._masks import all_but as all_but
from ._masks import groups as groups
from ._masks import random_groups as random_groups
from ._masks import single_units as single_units
from ._means import unit_means as unit_means
from ._measure import read_result as read_result
from ._result import most_damaging as most_damaging
from ._sweep import sweep as sweep
from ._sweep import sweep_settings as sweep_settings
