"""Which images a unit responds to most, and which other units respond to them."""

from ._maximize import maximize as maximize
from ._method import ROBUST as ROBUST
from ._method import Method as Method
