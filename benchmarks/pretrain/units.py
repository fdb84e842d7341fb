"""The units of the ablation: one training each, all on drawn scenes, without region captions.

Every unit differs from the one above it, or from ``ibot++``, in the settings that stand here.
"""

from __future__ import annotations

from typing import Any

from densezero.pretrain.settings import PretrainSettings

BATCH, SIDE_PX, STEPS, SCENES = 48, 112, 1900, 8000
MODEL = {"width": 96, "depth": 4, "heads": 4, "text_depth": 2}
"""Small, so that contrast alone is at three times chance within minutes on one core."""
HEAD = {"prototypes": 256, "hidden": 256}
SEEDS = {"clip": (0, 1, 2), "ibot": (0, 1, 2), "ibot++": (0, 1, 2), "full-ema": (0, 1, 2)}
"""Units that are trained several times; the others once, with seed 0."""

_NO_SELF: dict[str, Any] = {"dino": 0.0, "ibot": 0.0}
_IBOT: dict[str, Any] = {"dino": 0.0}

UNITS: dict[str, dict[str, dict[str, Any]]] = {
    "clip": {"losses": _NO_SELF},
    "ibot": {"losses": {**_IBOT, "ibot_on": "masked"}},
    "ibot++": {"losses": _IBOT},
    "full-ema": {"losses": _IBOT, "teacher": {"ema": "full"}},
    "dino": {"losses": {}},
    "short-captions": {"losses": {**_IBOT, "captions": "short"}},
    "long-captions": {"losses": {**_IBOT, "captions": "long"}},
    "mask-0": {"losses": {**_IBOT, "mask_ratio": 0.0}},
    "mask-50": {"losses": {**_IBOT, "mask_ratio": 0.5}},
    "value-clip": {"losses": {**_NO_SELF, "contrast_on": "value"}},
    "value-ibot++": {"losses": {**_IBOT, "contrast_on": "value"}},
    "distil-random": {"losses": {**_IBOT, "mask_ratio": 0.0}, "teacher": {"start": "random"}},
    "distil-teacher": {"losses": {**_IBOT, "mask_ratio": 0.0}, "teacher": {"start": "teacher"}},
}
ABOUT = {
    "clip": "contrast alone",
    "ibot": "+ iBOT: prototypes of masked patches",
    "ibot++": "+ iBOT++: prototypes of all patches",
    "full-ema": "iBOT++, the teacher's encoder is a moving average too",
    "dino": "iBOT++ and DINO on two local crops",
    "short-captions": "iBOT++, short captions alone",
    "long-captions": "iBOT++, long captions alone",
    "mask-0": "iBOT++, nothing masked",
    "mask-50": "iBOT++, half of the patches masked",
    "value-clip": "contrast alone, with the mean of the value tokens",
    "value-ibot++": "iBOT++, contrast with the mean of the value tokens",
    "distil-random": "patches distilled from iBOT++, student from random weights",
    "distil-teacher": "the same, student from the teacher's weights",
}


def settings_of(unit: str, seed: int, steps: int = STEPS, frozen: str = "", drawn: int = SCENES) -> PretrainSettings:
    """Give the settings of a unit.

    Args:
        unit: a name of ``UNITS``.
        seed: of everything that is drawn.
        steps: number of steps.
        frozen: checkpoint of the teacher, for the units that distil.
        drawn: number of training scenes.
    """
    chosen = UNITS[unit]
    teacher = chosen.get("teacher", {})
    if unit.startswith("distil"):
        teacher = {**teacher, "frozen": frozen}
    return PretrainSettings.from_dict(
        {
            "model": MODEL,
            "losses": chosen["losses"],
            "teacher": {**HEAD, **teacher},
            "data": {"scenes": drawn},
            "phases": [{"side_px": SIDE_PX, "batch": BATCH, "steps": steps}],
            "seed": seed,
            "dtype": "float32",
            "picture_every": 0,
            "save_every": 1000,
            "log_every": 100,
        }
    )
