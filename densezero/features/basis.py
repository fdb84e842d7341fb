"""A PCA basis as a value: what turns features into a few coordinates, stored and read back."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from densezero.encoders.base import DenseEncoder
from densezero.errors import FeatureError

FORMAT = "densezero PCA basis 1"


@dataclass(frozen=True)
class Gate:
    """The half of the features that counts as foreground: those with (feature - mean) . direction > threshold.

    Args:
        mean: (D,) of all features.
        direction: (D,) of length 1.
        threshold: of the projection.
    """

    mean: Tensor
    direction: Tensor
    threshold: float

    def mask(self, grid: Tensor) -> Tensor:
        """(..., D) features to (...) true where they are foreground."""
        return (grid - self.mean) @ self.direction > self.threshold


@dataclass(frozen=True)
class PcaBasis:
    """K directions of features, with what is needed to whiten, turn and stretch.

    Args:
        mean: (D,) float32 mean of the features that were fitted.
        components: (K, D) float32, orthonormal rows, by falling variance.
        deviation: (K,) float32 standard deviation along each, above 0.
        explained: (K,) float32 share of the variance, 0 to 1.
        turn: (K, K) float32 orthogonal, applied to whitened coordinates; the unit matrix unless aligned.
        low: (K,) float32, the 1st percentile of the fitted coordinates.
        high: (K,) float32, the 99th.
        gate: which features are foreground; None takes all.
        encoder: name of the encoder whose features were fitted; "" is none in particular.
        weights_sha256: of its weights.
        readout: of its last block.
    """

    mean: Tensor
    components: Tensor
    deviation: Tensor
    explained: Tensor
    turn: Tensor
    low: Tensor
    high: Tensor
    gate: Gate | None = None
    encoder: str = ""
    weights_sha256: str = ""
    readout: str = ""

    def coordinates(self, grid: Tensor) -> Tensor:
        """Whitened coordinates of features.

        Args:
            grid: (..., D) features.

        Returns:
            (..., K) float32; over the features that were fitted the mean is 0 and the variance 1.

        Raises:
            FeatureError: if the features have another width than the basis.
        """
        if grid.shape[-1] != len(self.mean):
            raise FeatureError(
                f"Expected features of width {len(self.mean)}, as the basis has; got {grid.shape[-1]}. "
                "A basis belongs to the encoder that it was fitted with."
            )
        return ((grid.float() - self.mean) @ self.components.T / self.deviation) @ self.turn

    def foreground(self, grid: Tensor) -> Tensor | None:
        """(...) true where (..., D) features are foreground; None where the basis takes all."""
        return None if self.gate is None else self.gate.mask(grid.float())

    def made_with(self, encoder: DenseEncoder, readout: str) -> PcaBasis:
        """The same basis, naming the encoder that its features came from."""
        return replace(self, encoder=encoder.name, weights_sha256=encoder.weights_hash, readout=readout)

    def refuse_other(self, encoder: DenseEncoder, readout: str) -> None:
        """Refuse an encoder that the basis was not fitted with.

        Raises:
            FeatureError: naming both.
        """
        if (self.weights_sha256, self.readout) != (encoder.weights_hash, readout):
            raise FeatureError(
                f"Expected the encoder of the basis, {self.encoder} (weights {self.weights_sha256[:12]}) with read-out "
                f"{self.readout!r}; got {encoder.name} ({encoder.weights_hash[:12]}) with {readout!r}. "
                "Fit a basis for each encoder."
            )


def save_basis(basis: PcaBasis, file: BinaryIO) -> None:
    """Write a basis as safetensors, the same bytes for the same basis."""
    from safetensors.torch import save

    tensors = {name: getattr(basis, name).contiguous() for name in _TENSORS}
    about = {"format": FORMAT, "encoder": basis.encoder, "sha256": basis.weights_sha256, "readout": basis.readout}
    if basis.gate is not None:
        tensors |= {"gate.mean": basis.gate.mean.contiguous(), "gate.direction": basis.gate.direction.contiguous()}
        about["gate.threshold"] = repr(basis.gate.threshold)
    file.write(save(tensors, {"densezero": json.dumps(about, sort_keys=True)}))


def load_basis(path: str | Path) -> PcaBasis:
    """Read a basis that ``save_basis`` wrote.

    Raises:
        FeatureError: if the file is missing or no such basis.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), "pt") as stored:
            about = json.loads((stored.metadata() or {})["densezero"])
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 - it is no dictionary
        if about["format"] != FORMAT:
            raise ValueError(about["format"])
        return _checked(tensors, about)
    except (OSError, SafetensorError, KeyError, ValueError, TypeError) as error:
        raise FeatureError(
            f"Expected a basis that --save-basis wrote; {path} cannot be read as one ({type(error).__name__}: {error})."
        ) from None


_TENSORS = ("mean", "components", "deviation", "explained", "turn", "low", "high")


def _checked(tensors: dict[str, Tensor], about: dict[str, Any]) -> PcaBasis:
    parts, width = len(tensors["components"]), len(tensors["mean"])
    vector = (parts,)
    shapes = {"mean": (width,), "components": (parts, width), "turn": (parts, parts)}
    for name in _TENSORS:
        expected = shapes.get(name, vector)
        if tensors[name].shape != expected or not torch.isfinite(tensors[name]).all():
            raise ValueError(f"{name} of shape {tuple(tensors[name].shape)}, not {expected} finite numbers")
    gate = None
    if "gate.threshold" in about:
        gate = Gate(tensors["gate.mean"], tensors["gate.direction"], float(about["gate.threshold"]))
    fitted = {name: tensors[name] for name in _TENSORS}
    return PcaBasis(
        **fitted, gate=gate, encoder=about["encoder"], weights_sha256=about["sha256"], readout=about["readout"]
    )
