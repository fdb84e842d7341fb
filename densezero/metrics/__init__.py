"""Counts and sums over pixels, and the scores computed from them. Those of several images add up; ratios do not."""

from densezero.metrics.boundary import BoundaryCounts, count_boundaries
from densezero.metrics.confusion import count_pairs
from densezero.metrics.depth import DepthScores, DepthSums, depth_scores, mean_depth_scores, sum_depth_errors
from densezero.metrics.normals import AngleCounts, NormalScores, count_angles, normal_scores
from densezero.metrics.scores import IouScores, iou_scores

__all__ = [
    "AngleCounts",
    "BoundaryCounts",
    "DepthScores",
    "DepthSums",
    "IouScores",
    "NormalScores",
    "count_angles",
    "count_boundaries",
    "count_pairs",
    "depth_scores",
    "iou_scores",
    "mean_depth_scores",
    "normal_scores",
    "sum_depth_errors",
]
