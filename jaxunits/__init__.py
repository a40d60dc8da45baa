"""What does each unit of an image classifier do, and what breaks without it?"""

from . import ablation as ablation
from . import attributes as attributes
from . import data as data
from . import networks as networks
from . import results as results
from . import statistics as statistics
from . import synthesis as synthesis
from . import topology as topology
from ._bounds import SEEDS as SEEDS
from ._bounds import THREADS as THREADS
from ._bounds import Range as Range
from ._bounds import check_settings as check_settings
from ._cluster import join_cluster as join_cluster
from ._compilation_cache import use_compilation_cache as use_compilation_cache
from ._errors import InputError as InputError
from ._errors import unknown_name as unknown_name
from ._version import __version__ as __version__
from .execution import Execution as Execution
from .execution import Plan as Plan
from .execution import measure as measure
from .execution import plan as plan
