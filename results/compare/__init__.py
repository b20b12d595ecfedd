"""Any two runs, paired item by item: `compare` returns the figures, `render` the text."""

from results.compare.run import compare
from results.compare.text import render

__all__ = ["compare", "render"]
