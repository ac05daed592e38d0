"""Runs side by side: tables, differences with confidence, and a page of plots."""

from mmlt.analysis.comparison.contestants import Contestant, Match, matches
from mmlt.analysis.comparison.differences import Difference, differences

__all__ = ['Contestant', 'Difference', 'Match', 'differences', 'matches']
