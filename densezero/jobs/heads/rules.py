"""What a request for a trained head may not be. Importing this does not load torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from densezero.errors import InputError
from densezero.heads.names import DEFAULT_SIDE_PX, OFFICIAL, PRESETS, RATIO


def check_input(preset: str, side_px: int, option: str = "--side") -> None:
    """Refuse a model input that cannot be, or contradicts its preset.

    Raises:
        InputError: if it is refused.
    """
    if preset not in PRESETS:
        raise InputError(f"Expected a preset out of {', '.join(PRESETS)}; got {preset!r}.")
    if side_px < 1:
        raise InputError(f"Expected {option} of at least 1 pixel; got {side_px}. Try {DEFAULT_SIDE_PX}.")
    if preset == OFFICIAL and side_px != DEFAULT_SIDE_PX:
        raise InputError(
            f"--preset {OFFICIAL} is the square of {DEFAULT_SIDE_PX} x {DEFAULT_SIDE_PX} pixels of the official "
            f"notebook; got {option} {side_px}. Leave one of them out."
        )


def check_head(
    head: str | None, preset: str, side_px: int | None, others: Mapping[str, Any], option: str = "--side"
) -> None:
    """Refuse options that contradict a head, or need one.

    Args:
        head: of ``--head``; None takes words.
        preset: of ``--preset``.
        side_px: of the option for the side; None takes the default.
        others: the options that say which words are searched for and how, with their values; None, False, or nothing
            where they were not given.
        option: name of the option for the side.

    Raises:
        InputError: naming the options.
    """
    if head is None:
        if preset != RATIO:
            raise InputError(f"--preset {preset} is for trained heads. Add --head ade20k, or leave it out.")
        return
    if beside := [name for name, value in others.items() if value]:
        raise InputError(
            f"Expected --head without {', '.join(beside)}, because a trained head has its own classes and takes no "
            "words. Leave one of them out."
        )
    check_input(preset, side_px or DEFAULT_SIDE_PX, option)
