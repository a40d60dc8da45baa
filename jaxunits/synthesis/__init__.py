"""What images a unit responds to most, and which other units respond to them."""

from ._maximise import maximise as maximise
from ._method import ROBUST as ROBUST
from ._method import Method as Method
