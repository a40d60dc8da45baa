"""Where a network's units are, and what a network computes behind them, read from its trace."""

from ._capture import capture as capture
from ._channel import channel as channel
from ._channels_last import channels_last as channels_last
from ._forms import Dense as Dense
from ._forms import Form as Form
from ._forms import Replaced as Replaced
from ._forms import along as along
from ._forms import is_form as is_form
from ._forms import take as take
from ._graph import Graph as Graph
from ._graph import kernel_of as kernel_of
from ._marks import mask as mask
from ._marks import module_output as module_output
from ._marks import unit as unit
from ._nonlinearity import before_nonlinearity as before_nonlinearity
from ._nonlinearity import is_after_nonlinearity as is_after_nonlinearity
from ._program import Program as Program
from ._program import trace as trace
from ._rules import RULES as RULES
from ._sites import Site as Site
from ._sites import find_sites as find_sites
from ._split import Halves as Halves
from ._split import split as split
from ._walk import Walk as Walk
