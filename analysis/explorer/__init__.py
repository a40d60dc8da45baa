"""`explorer.html`: every unit of every measured layer, in one page to search."""

from .page import write_explorer as write_explorer
