"""Confusion counts, and the scores computed from them. Counts of several images add up; their ratios do not."""

from densezero.metrics.boundary import BoundaryCounts, count_boundaries
from densezero.metrics.confusion import count_pairs
from densezero.metrics.scores import IouScores, iou_scores

__all__ = ["BoundaryCounts", "IouScores", "count_boundaries", "count_pairs", "iou_scores"]
