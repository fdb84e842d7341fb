"""The two published layouts of a DPT head's file: names, shapes, and the order of the axes.

``.zip`` and ``.npz`` files have Flax's names and axes, and hold one head. ``model.safetensors`` has the names of the
hub's repositories, and holds a backbone and one or three heads.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from torch import Tensor

from densezero.encoders.tips.checkpoint import Shapes, TensorFile
from densezero.encoders.tips.layout import differences
from densezero.errors import ModelError
from densezero.heads.dpt import LEVELS, DptConfig, DptDecoder, empty_decoder
from densezero.heads.names import DEPTH, NORMALS, SEGMENTATION

# Our layers, and their names in the files. In Flax's layout the units of a fusion block are numbered in the order of
# their first use: without a lateral unit, in block 0, the main one is number 0.
FLAX_LAYERS = (
    (r"reassemble\.(\d)\.readout", r"decoder/dpt/reassemble_blocks/readout_projects_\1"),
    (r"reassemble\.(\d)\.projection", r"decoder/dpt/reassemble_blocks/out_projection_\1"),
    (r"reassemble\.(\d)\.resize", r"decoder/dpt/reassemble_blocks/resize_layers_\1"),
    (r"convs\.(\d)", r"decoder/dpt/convs_\1"),
    (r"fusions\.0\.main\.(\w+)", r"decoder/dpt/fusion_blocks_0/PreActResidualConvUnit_0/\1"),
    (r"fusions\.(\d)\.lateral\.(\w+)", r"decoder/dpt/fusion_blocks_\1/PreActResidualConvUnit_0/\2"),
    (r"fusions\.(\d)\.main\.(\w+)", r"decoder/dpt/fusion_blocks_\1/PreActResidualConvUnit_1/\2"),
    (r"fusions\.(\d)\.projection", r"decoder/dpt/fusion_blocks_\1/Conv_0"),
    (r"project", r"decoder/dpt/project"),
)
FLAX_HEADS = {
    SEGMENTATION: "decoder/pixel_segmentation",
    DEPTH: "decoder/pixel_depth_classif",
    NORMALS: "decoder/pixel_normals",
}
HUB_LAYERS = (
    (r"reassemble\.(\d)\.readout", r"neck.reassemble_stage.readout_projects.\1.layers.0"),
    (r"reassemble\.(\d)\.(projection|resize)", r"neck.reassemble_stage.layers.\1.\2"),
    (r"convs\.(\d)", r"neck.convs.\1"),
    (r"fusions\.(\d)\.lateral\.conv(\d)", r"neck.fusion_stage.layers.\1.residual_layer1.convolution\2"),
    (r"fusions\.(\d)\.main\.conv(\d)", r"neck.fusion_stage.layers.\1.residual_layer2.convolution\2"),
    (r"fusions\.(\d)\.projection", r"neck.fusion_stage.layers.\1.projection"),
    (r"(project|head)", r"decoder.\1"),
)
UPSAMPLING = re.compile(r"reassemble\.[01]\.resize\.weight")  # the two transposed convolutions


@dataclass(frozen=True)
class HeadSource:
    """Where the tensors of one head are stored.

    Args:
        tensors: the file.
        task: what the head is for.
        flax: names and axes are Flax's.
        prefix: start of the names in a hub file: ``"depth_"`` and so on, or nothing for a file of one head.
    """

    tensors: TensorFile
    task: str
    flax: bool
    prefix: str = ""

    def name_of(self, own: str) -> str:
        """Name in the file of one of our tensors, such as ``convs.0.weight``."""
        layer, _, kind = own.rpartition(".")
        if not self.flax:
            return f"{self.prefix}{_translate(layer, HUB_LAYERS)}.{kind}"
        in_file = FLAX_HEADS[self.task] if layer == "head" else _translate(layer, FLAX_LAYERS)
        return f"{in_file}/{'kernel' if kind == 'weight' else kind}"

    def shapes(self) -> Shapes:
        """Name to shape of the head's tensors in the file; those of a backbone or of other heads are left out."""
        if self.flax:
            return self.tensors.shapes
        parts = (f"{self.prefix}neck.", f"{self.prefix}decoder.")
        return {name: shape for name, shape in self.tensors.shapes.items() if name.startswith(parts)}


def read_config(source: HeadSource, activation: str) -> DptConfig:
    """Read the sizes of a head from the shapes of its biases.

    Args:
        source: where the head is stored.
        activation: between the last two layers, which shapes do not tell.

    Raises:
        ModelError: if a bias is missing, or does not have exactly one axis.
    """
    return DptConfig(
        width=_length(source, "reassemble.0.readout.bias"),
        level_widths=tuple(_length(source, f"reassemble.{level}.projection.bias") for level in range(LEVELS)),
        channels=_length(source, "project.bias"),
        outputs=_length(source, "head.bias"),
        activation=activation,
    )


def check_head(source: HeadSource, config: DptConfig) -> None:
    """Compare the names and shapes in a file with those of a decoder of these sizes.

    Raises:
        ModelError: with the first tensors that are missing, unexpected or of another shape.
    """
    own = {name: tuple(value.shape) for name, value in empty_decoder(config).state_dict().items()}
    expected = {source.name_of(name): _shape_in_file(name, shape, source.flax) for name, shape in own.items()}
    found = source.shapes()
    if problems := differences(expected, found):
        raise ModelError(
            f"{source.tensors.file} does not hold a complete DPT head for {source.task}: "
            f"{problems}. Download the file again."
        )


def read_decoder(source: HeadSource, config: DptConfig) -> DptDecoder:
    """Read the weights of a head in float32.

    Raises:
        ModelError: if tensors are missing, unexpected or of another shape, or the file is damaged.
    """
    check_head(source, config)
    decoder = empty_decoder(config)
    own_names = {source.name_of(own): own for own in decoder.state_dict()}
    state = {}
    for name, value in source.tensors.each("", own_names):
        own = own_names[name]
        state[own] = (_from_flax(own, value) if source.flax else value).float().contiguous().clone()
    decoder.load_state_dict(state, assign=True)
    return decoder


def _translate(layer: str, table: tuple[tuple[str, str], ...]) -> str:
    for pattern, in_file in table:
        if match := re.fullmatch(pattern, layer):
            return match.expand(in_file)
    raise AssertionError(f"no name for {layer}")


def _length(source: HeadSource, own: str) -> int:
    name = source.name_of(own)
    shape = source.tensors.shapes.get(name)
    if shape is None or len(shape) != 1:
        came = "it is missing" if shape is None else f"it has shape {shape}"
        raise ModelError(
            f"{source.tensors.file} does not hold a complete DPT head for {source.task}: expected {name} as a list of "
            f"numbers; {came}. Download the file again."
        )
    return shape[0]


def _shape_in_file(own: str, shape: tuple[int, ...], flax: bool) -> tuple[int, ...]:
    """Give the shape that a tensor of ours has in the file."""
    if not flax or len(shape) == 1:
        return shape
    if len(shape) == 2:
        return shape[::-1]
    first, second, rows, columns = shape
    return (rows, columns, first, second) if UPSAMPLING.fullmatch(own) else (rows, columns, second, first)


def _from_flax(own: str, value: Tensor) -> Tensor:
    """Bring the axes of a tensor of a Flax file into torch's order."""
    if value.ndim == 2:
        return value.T  # (in, out) to (out, in)
    if value.ndim == 4 and UPSAMPLING.fullmatch(own):
        return value.flip(0, 1).permute(2, 3, 0, 1)  # (H, W, in, out) turned by 180 degrees, to (in, out, H, W)
    return value.permute(3, 2, 0, 1) if value.ndim == 4 else value  # (H, W, in, out) to (out, in, H, W)
