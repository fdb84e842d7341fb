"""A PCA basis: the matrix and statistics that turn features into a few coordinates. It is saved and loaded here."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, Final

import torch
from torch import Tensor

from densezero.encoders.base import DenseEncoder
from densezero.encoders.device import plain_torch
from densezero.encoders.hashes import OLD_HASHES
from densezero.errors import FeatureError

FORMAT: Final = "densezero PCA basis 1"
"""A file of one basis."""
SEVERAL: Final = "densezero PCA bases 1"
"""A file of several: the tensors of each have its number before their name."""


@dataclass(frozen=True)
class ForegroundSplit:
    """Divides features by a plane. A feature is foreground if (feature - mean) . direction > threshold.

    Args:
        mean: (D,) float32 mean of all features.
        direction: (D,) float32 unit vector across the plane, towards the foreground.
        threshold: distance of the plane from the mean along ``direction``.
    """

    mean: Tensor
    direction: Tensor
    threshold: float

    @plain_torch()
    def mask(self, grid: Tensor) -> Tensor:
        """(..., D) features, on any device, to (...) booleans: true for foreground."""
        mean, direction = self.mean.to(grid.device), self.direction.to(grid.device)
        return (grid.float() - mean) @ direction > self.threshold


@dataclass(frozen=True)
class PcaBasis:
    """K principal components of features, and what is needed to whiten, rotate and stretch the coordinates.

    All tensors are on the processor.

    Args:
        mean: (D,) float32 mean of the fitted features.
        components: (K, D) float32 orthonormal rows, ordered by falling variance.
        deviation: (K,) float32 standard deviation along each component, above 0.
        explained: (K,) float32 share of the variance along each component, 0 to 1.
        rotation: (K, K) float32 orthogonal matrix for whitened coordinates; the identity unless the basis is aligned.
        low: (K,) float32 1st percentile of the fitted coordinates.
        high: (K,) float32 99th percentile of the fitted coordinates.
        foreground_split: divides foreground and background; None treats all features as foreground.
        encoder: name of the encoder whose features were fitted; "" if it is not known.
        weights_sha256: SHA-256 of the encoder's weights.
        readout: read-out of the encoder's last block, or ``layer 5`` for the tokens after a block.
    """

    mean: Tensor
    components: Tensor
    deviation: Tensor
    explained: Tensor
    rotation: Tensor
    low: Tensor
    high: Tensor
    foreground_split: ForegroundSplit | None = None
    encoder: str = ""
    weights_sha256: str = ""
    readout: str = ""

    @plain_torch()
    def coordinates(self, grid: Tensor) -> Tensor:
        """Compute the whitened coordinates of features.

        Args:
            grid: (..., D) features, on any device.

        Returns:
            (..., K) float32 on the device of the features. Over the fitted features their mean is 0 and their variance
            is 1.

        Raises:
            FeatureError: if the features have another width than the basis.
        """
        if grid.shape[-1] != len(self.mean):
            raise FeatureError(
                f"Expected features of width {len(self.mean)}, as the basis has; got {grid.shape[-1]}. "
                "A basis belongs to the encoder that it was fitted with."
            )
        mean, components, deviation, rotation = (
            part.to(grid.device) for part in (self.mean, self.components, self.deviation, self.rotation)
        )
        return ((grid.float() - mean) @ components.T / deviation) @ rotation

    def foreground(self, grid: Tensor) -> Tensor | None:
        """(...) booleans, true where (..., D) features are foreground; None if the basis does not divide them."""
        return None if self.foreground_split is None else self.foreground_split.mask(grid)

    def made_with(self, encoder: DenseEncoder, readout: str) -> PcaBasis:
        """Return the same basis with the name of the encoder that made its features."""
        return replace(self, encoder=encoder.name, weights_sha256=encoder.weights_hash, readout=readout)


# Attribute of a basis to the name of its tensor in a file. Format 1 fixes the names in files.
_STORED: Final = {name: name for name in ("mean", "components", "deviation", "explained", "low", "high")} | {
    "rotation": "turn"
}
_SPLIT_MEAN, _SPLIT_DIRECTION, _SPLIT_THRESHOLD = "gate.mean", "gate.direction", "gate.threshold"


def save_basis(basis: PcaBasis, file: BinaryIO) -> None:
    """Write a basis as safetensors. Equal bases give equal bytes."""
    save_bases([basis], file)


def save_bases(bases: Sequence[PcaBasis], file: BinaryIO) -> None:
    """Write bases, each of another encoder or read-out, as safetensors. Equal bases give equal bytes."""
    from safetensors.torch import save

    tensors: dict[str, Tensor] = {}
    abouts = []
    for number, basis in enumerate(bases):
        part, about = _to_parts(basis)
        abouts.append(about)
        tensors |= {name if len(bases) == 1 else f"{number}.{name}": tensor for name, tensor in part.items()}
    about = {"format": FORMAT, **abouts[0]} if len(bases) == 1 else {"format": SEVERAL, "bases": abouts}
    file.write(save(tensors, {"densezero": json.dumps(about, sort_keys=True)}))


def _to_parts(basis: PcaBasis) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Give the tensors of a basis by their names in a file, and what else is stored."""
    tensors = {stored: getattr(basis, name).contiguous() for name, stored in _STORED.items()}
    about: dict[str, Any] = {"encoder": basis.encoder, "sha256": basis.weights_sha256, "readout": basis.readout}
    if basis.foreground_split is not None:
        split = basis.foreground_split
        tensors |= {_SPLIT_MEAN: split.mean.contiguous(), _SPLIT_DIRECTION: split.direction.contiguous()}
        about[_SPLIT_THRESHOLD] = repr(split.threshold)
    return tensors, about


def load_basis(path: str | Path) -> PcaBasis:
    """Read a basis that ``save_basis`` wrote.

    Raises:
        FeatureError: if the file is missing or does not contain one basis.
    """
    bases = load_bases(path)
    if len(bases) > 1:
        raise FeatureError(f"Expected one basis in {path}; it holds {len(bases)}. Read it with load_bases.")
    return bases[0]


def load_bases(path: str | Path) -> list[PcaBasis]:
    """Read the bases that ``save_basis`` or ``save_bases`` wrote.

    Raises:
        FeatureError: if the file is missing or does not contain bases.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), "pt") as stored:
            about = json.loads((stored.metadata() or {})["densezero"])
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 - not a dictionary
        if about["format"] not in (FORMAT, SEVERAL):
            raise ValueError(about["format"])
        if about["format"] == FORMAT:
            return [_checked(tensors, about)]
        return [_checked(_numbered(tensors, number), each) for number, each in enumerate(about["bases"])]
    except (OSError, SafetensorError, KeyError, ValueError, TypeError) as error:
        raise FeatureError(
            f"Expected a basis that --save-basis wrote; {path} cannot be read as one ({type(error).__name__}: {error})."
        ) from None


def choose_basis(bases: Sequence[PcaBasis], model: str, weights_sha256: str, readout: str) -> PcaBasis:
    """Choose the basis of an encoder and a read-out.

    Args:
        bases: of a file.
        model: the encoder, for the message.
        weights_sha256: hash of its weights.
        readout: its read-out.

    Raises:
        FeatureError: if there is none. The message names what there is.
    """
    found = [basis for basis in bases if (basis.weights_sha256, basis.readout) == (weights_sha256, readout)]
    if not found:
        there = ", ".join(f"{basis.encoder} ({basis.weights_sha256[:12]}) with {basis.readout!r}" for basis in bases)
        raise FeatureError(
            f"Expected the encoder of the basis, {there}; got {model} ({weights_sha256[:12]}) with {readout!r}. Fit a "
            f"basis for this encoder too. A basis of a version {OLD_HASHES} must be fitted again."
        )
    return found[0]


def _numbered(tensors: dict[str, Tensor], number: int) -> dict[str, Tensor]:
    """The tensors of one of several bases."""
    start = f"{number}."
    return {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}


def _checked(tensors: dict[str, Tensor], about: dict[str, Any]) -> PcaBasis:
    parts, width = len(tensors["components"]), len(tensors["mean"])
    shapes = {"mean": (width,), "components": (parts, width), "rotation": (parts, parts)}
    fitted = {name: tensors[stored] for name, stored in _STORED.items()}
    for name, tensor in fitted.items():
        expected = shapes.get(name, (parts,))
        if tensor.shape != expected or not torch.isfinite(tensor).all():
            raise ValueError(f"{name} of shape {tuple(tensor.shape)}, not {expected} finite numbers")
    split = None
    if _SPLIT_THRESHOLD in about:
        split = ForegroundSplit(tensors[_SPLIT_MEAN], tensors[_SPLIT_DIRECTION], float(about[_SPLIT_THRESHOLD]))
    return PcaBasis(
        **fitted,
        foreground_split=split,
        encoder=about["encoder"],
        weights_sha256=about["sha256"],
        readout=about["readout"],
    )
