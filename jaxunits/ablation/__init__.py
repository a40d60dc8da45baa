"""What every class loses when units are silenced."""

from ._directions import directions as directions
from ._directions import haar as haar
from ._execution import Execution as Execution
from ._execution import Options as Options
from ._greedy import greedy as greedy
from ._masks import all_but as all_but
from ._masks import groups as groups
from ._masks import random_groups as random_groups
from ._masks import single_units as single_units
from ._means import unit_means as unit_means
from ._orders import cumulative as cumulative
from ._orders import insertion as insertion
from ._orders import random_orders as random_orders
from ._shapley import shapley as shapley
from ._sweep import Sweep as Sweep
from ._sweep import sweep as sweep
from ._sweep import sweep_settings as sweep_settings
from ._synergies import synergies as synergies
