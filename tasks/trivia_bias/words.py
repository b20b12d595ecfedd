"""Words for the grading of trivia: which of them join a name, and which mean nothing by themselves."""

from __future__ import annotations

_TITLES = """
    mr mrs ms miss dr sir dame lord lady king queen prince princess president pope emperor empress
"""
TITLES = frozenset(_TITLES.split())
"""Words before a name that do not change it: `President Kennedy`."""

_ABBREVIATED = """
    mr mrs ms dr st ft mt jr sr prof
"""
ABBREVIATED = frozenset(_ABBREVIATED.split())
"""Words whose full stop does not end a sentence."""

_JOINING = """
    and of de del della di da du des von van der den la le el and y for in at on to
"""
JOINING = frozenset(_JOINING.split())
"""Words inside names."""

_FUNCTION = """
    i me my we us our you your he him his she her it its they them their this that these those who whom
    whose which what when where why how is are was were be been being am do does did has have had will
    would shall should can could may might must and or but if as at by for from in into of on off over
    to up with about after before than then there here not no nor so too very more most one two all any
    some each both few only own same out down again once go help because since while until during
    through between against now just also called named answer correct right probably perhaps maybe think
    believe say said tell see let get make
"""
FUNCTION = frozenset(_FUNCTION.split())
"""Words of any sentence: beside an alias they are not part of its name, and as an alias they prove
nothing."""
