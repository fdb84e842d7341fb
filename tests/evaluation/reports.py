"""Small reports for tests."""

import numpy as np

from densezero.evaluation.report import Report, score_counts, score_image

NAMES = ("sky", "sea", "boat")
COUNTS = np.array([[2, 1, 0], [1, 3, 0], [0, 0, 0]])


def make_report(**changes):
    scores, per_class = score_counts(COUNTS, NAMES)
    values = {
        "dataset": "ade20k",
        "model": "tipsv2-l14",
        "protocol": "tips-slide",
        "images": 2000,
        "scores": scores,
        "per_class": per_class,
        "confusion": COUNTS.tolist(),
        "per_image": [score_image("a", COUNTS)],
        "request": {"class_list": "ade20k", "selection": {}},
        "machine": {"torch": "2"},
        "seconds": {"segment": 1.0},
    }
    return Report(**{**values, **changes})
