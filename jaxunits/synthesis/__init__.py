"""What images a unit answers to most, and which other units answer to them."""

from ._maximise import maximise as maximise
from ._method import ROBUST as ROBUST
from ._method import Method as Method
