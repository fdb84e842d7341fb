"""The settings of a pretraining run: frozen values, read from a TOML file, stored beside the results."""

from __future__ import annotations

import json
import tomllib
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from densezero.errors import InputError, did_you_mean

CaptionKind = Literal["short", "long", "both"]


@dataclass(frozen=True)
class ModelSettings:
    """Sizes of the towers.

    Args:
        width: channels of both towers.
        depth: blocks of the vision tower.
        heads: of attention, in both towers.
        text_depth: blocks of the text tower.
        native_px: side of the images that the position embeddings are made for, pixels.
        patch_px: side of a patch, pixels.
    """

    width: int = 128
    depth: int = 6
    heads: int = 4
    text_depth: int = 3
    native_px: int = 224
    patch_px: int = 14


@dataclass(frozen=True)
class DataSettings:
    """Images and their captions.

    Args:
        kind: ``"scenes"`` (drawn), ``"folder"`` (images with text files) or ``"shards"`` (WebDataset tars).
        place: the folder, or shards with ``*``; drawn scenes need none.
        scenes: number of drawn scenes.
        concepts: of drawn scenes: the ``"first"`` thirty, or ``"all"``.
        tokenizer: SentencePiece model; empty trains one on the captions.
        vocab_size: pieces of a tokenizer that is trained.
        words: class names of the pictures of masks, with commas; empty takes those of the drawn scenes, and draws no
            pictures for other data.
    """

    kind: str = "scenes"
    place: str = ""
    scenes: int = 8000
    concepts: str = "first"
    tokenizer: str = ""
    vocab_size: int = 4096
    words: str = ""


@dataclass(frozen=True)
class LossSettings:
    """Weights of the losses, and what they look at.

    Args:
        contrast: weight of images against captions.
        contrast_on: the image's side: ``"class"``, the two class tokens, or ``"value"``, the mean of the value tokens.
        captions: of class token 2: ``"short"``, ``"long"``, or ``"both"`` by turns.
        dino: weight of local crops against the class token of the whole image; 0 leaves it out.
        regions: weight of the words of labelled regions; close to supervision, and for drawn scenes only.
        ibot: weight of the prototypes of patches; 0 leaves it out.
        ibot_on: ``"all"`` patches (iBOT++) or the ``"masked"`` ones alone (iBOT).
        mask_ratio: share of patches that the student does not see, 0 to 1.
        local_crops: number of local crops of each image, for DINO.
        local_px: side of a local crop, pixels.
    """

    contrast: float = 1.0
    contrast_on: str = "class"
    captions: CaptionKind = "both"
    regions: float = 0.0
    dino: float = 0.15
    ibot: float = 0.3
    ibot_on: str = "all"
    mask_ratio: float = 0.75
    local_crops: int = 2
    local_px: int = 56


@dataclass(frozen=True)
class TeacherSettings:
    """The teacher of patches and crops.

    Args:
        ema: ``"head"`` (the encoder is the student's) or ``"full"`` (the encoder has a moving average too).
        decay: of the moving averages.
        prototypes: number K of prototypes.
        hidden: width of the layers of a projection head.
        bottleneck: width before the prototypes.
        temperature: of the teacher's softmax over prototypes (sharpening).
        student_temperature: of the student's.
        centre_momentum: of the mean that is taken off the teacher's logits.
        frozen: checkpoint of another run, whose student is a frozen teacher of patches (distillation); empty for none.
        start: weights that a distilled student begins with: ``"random"`` or ``"teacher"``.
    """

    ema: str = "head"
    decay: float = 0.996
    prototypes: int = 512
    hidden: int = 512
    bottleneck: int = 128
    temperature: float = 0.03
    student_temperature: float = 0.1
    centre_momentum: float = 0.9
    frozen: str = ""
    start: str = "random"


@dataclass(frozen=True)
class OptimiserSettings:
    """AdamW with a linear warm-up and a cosine to zero.

    Args:
        learning_rate: at its highest.
        weight_decay: of matrices; biases, norms and single tokens have none.
        warmup_steps: until the learning rate is at its highest.
        clip: greatest norm of the gradient.
        accumulate: batches whose gradients are averaged for one step.
    """

    learning_rate: float = 5e-4
    weight_decay: float = 0.05
    warmup_steps: int = 200
    clip: float = 1.0
    accumulate: int = 1


@dataclass(frozen=True)
class Phase:
    """A part of the training with one size of images.

    Args:
        side_px: side of the images, pixels; a multiple of the patch.
        batch: images of a batch, of all processes together.
        steps: number of steps.
    """

    side_px: int
    batch: int
    steps: int


@dataclass(frozen=True)
class PretrainSettings:
    """All settings that decide the weights, and how often the run writes.

    Args:
        model: sizes.
        data: images and captions.
        losses: weights.
        teacher: of patches and crops.
        optimiser: steps.
        phases: in order, usually low and then high resolution.
        seed: of weights, order, crops, masks and captions.
        dtype: ``"auto"`` (bfloat16 where the machine computes it), ``"float32"`` or ``"bfloat16"``.
        save_every: steps between checkpoints.
        log_every: steps between rows of the log.
        picture_every: steps between pictures of masks; 0 draws none.

    Raises:
        InputError: for a value out of range, or values that contradict each other.
    """

    model: ModelSettings = field(default_factory=ModelSettings)
    data: DataSettings = field(default_factory=DataSettings)
    losses: LossSettings = field(default_factory=LossSettings)
    teacher: TeacherSettings = field(default_factory=TeacherSettings)
    optimiser: OptimiserSettings = field(default_factory=OptimiserSettings)
    phases: tuple[Phase, ...] = (Phase(112, 48, 3000), Phase(224, 16, 300))
    seed: int = 0
    dtype: str = "auto"
    save_every: int = 200
    log_every: int = 50
    picture_every: int = 500

    def __post_init__(self) -> None:
        _check_choices(self)
        _check_numbers(self)

    @property
    def steps(self) -> int:
        """Number of steps of all phases."""
        return sum(phase.steps for phase in self.phases)

    def phase_at(self, step: int) -> tuple[int, int]:
        """Give the number of the phase of a step, and the step within it."""
        for number, phase in enumerate(self.phases):
            if step < phase.steps:
                return number, step
            step -= phase.steps
        raise IndexError(f"the run has {self.steps} steps")

    def to_json(self) -> str:
        """Write the settings as JSON."""
        return json.dumps(asdict(self), indent=1) + "\n"

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> PretrainSettings:
        """Read settings as a TOML file or ``to_json`` gives them; what is missing takes its default.

        Raises:
            InputError: for an unknown name, a value of another type, or a value out of range.
        """
        made: PretrainSettings = _build(cls, values, "")
        return made


def read_settings(file: Path) -> PretrainSettings:
    """Read a TOML file.

    Raises:
        InputError: if the file cannot be read, its content is not TOML, or a setting is wrong.
    """
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"Expected the settings of a pretraining run in {file}; it cannot be read: {error}.") from None
    return PretrainSettings.from_dict(values)


_CHOICES = {
    "data.kind": ("scenes", "folder", "shards"),
    "data.concepts": ("first", "all"),
    "losses.contrast_on": ("class", "value"),
    "losses.captions": get_args(CaptionKind),
    "losses.ibot_on": ("all", "masked"),
    "teacher.ema": ("head", "full"),
    "teacher.start": ("random", "teacher"),
    "dtype": ("auto", "float32", "bfloat16"),
}
_LONGEST_PX = 1 << 13
_RANGES = {
    "model.width": (1, 1 << 14), "model.depth": (1, 256), "model.heads": (1, 1 << 10), "model.text_depth": (1, 256),
    "model.native_px": (1, 1 << 13), "model.patch_px": (1, 256),
    "data.scenes": (1, 1 << 24), "data.vocab_size": (64, 1 << 18),
    "losses.contrast": (0, 1e3), "losses.regions": (0, 1e3), "losses.dino": (0, 1e3), "losses.ibot": (0, 1e3),
    "losses.mask_ratio": (0, 1),
    "losses.local_crops": (0, 64), "losses.local_px": (1, 1 << 13),
    "teacher.decay": (0, 1), "teacher.prototypes": (2, 1 << 20), "teacher.hidden": (1, 1 << 16),
    "teacher.bottleneck": (1, 1 << 16), "teacher.temperature": (1e-3, 10), "teacher.student_temperature": (1e-3, 10),
    "teacher.centre_momentum": (0, 1),
    "optimiser.learning_rate": (0, 10), "optimiser.weight_decay": (0, 10), "optimiser.warmup_steps": (0, 1 << 30),
    "optimiser.clip": (1e-6, 1e6), "optimiser.accumulate": (1, 1 << 16),
    "seed": (0, 1 << 53), "save_every": (1, 1 << 30), "log_every": (1, 1 << 30), "picture_every": (0, 1 << 30),
}  # fmt: skip


def _check_choices(settings: PretrainSettings) -> None:
    for name, known in _CHOICES.items():
        given = attrgetter(name)(settings)
        if given not in known:
            raise InputError(f"Expected {name} out of {', '.join(known)}; got {given!r}.")
    if settings.teacher.start == "teacher" and not settings.teacher.frozen:
        raise InputError(
            "teacher.start is 'teacher', and there is none: set teacher.frozen to the checkpoint of a run."
        )


def _check_numbers(settings: PretrainSettings) -> None:
    for name, (low, high) in _RANGES.items():
        given = attrgetter(name)(settings)
        if not low <= given <= high:
            raise InputError(f"Expected {name} from {low:g} to {high:g}; got {str(given)[:40]}.")
    patch = settings.model.patch_px
    sides = [settings.model.native_px, *(phase.side_px for phase in settings.phases)]
    sides += [settings.losses.local_px] if settings.losses.dino else []
    if wrong := [side for side in sides if side < patch or side % patch]:
        raise InputError(f"Expected sides that are multiples of the patch, {patch} px; got {wrong[0]}.")
    if max(sides) > _LONGEST_PX:
        raise InputError(f"Expected sides of at most {_LONGEST_PX} px; got {str(max(sides))[:40]}.")
    if not settings.phases or any(min(phase.batch, phase.steps) < 1 for phase in settings.phases):
        raise InputError("Expected at least one of [[phases]], each with a batch and steps of at least 1.")
    if settings.model.width % settings.model.heads:
        raise InputError(f"Expected model.width as a multiple of model.heads; got {settings.model.width}.")
    if settings.losses.dino and not settings.losses.local_crops:
        raise InputError("losses.dino compares local crops; set losses.local_crops to at least 1, or losses.dino to 0.")
    losses = settings.losses
    if losses.regions and settings.data.kind != "scenes":
        raise InputError(
            "losses.regions needs labels, which only drawn scenes have: set it to 0, or data.kind to 'scenes'."
        )
    if not (losses.contrast or losses.regions or losses.dino or losses.ibot):
        raise InputError("Expected at least one loss with a weight above 0.")


def _dotted(table: str, name: str) -> str:
    return f"{table}.{name}" if table else name


def _build(kind: Any, values: Any, above: str) -> Any:
    """Build a dataclass of settings from nested mappings."""
    if not isinstance(values, dict):
        raise InputError(f"Expected [{above}] as a table of settings; got {values!r}.")
    hints, known = get_type_hints(kind), [each.name for each in fields(kind)]
    made = {}
    for name, value in values.items():
        if name not in known:
            raise InputError(f"Unknown setting {_dotted(above, name)}. {did_you_mean(name, known)}")
        made[name] = _value(hints[name], value, _dotted(above, name))
    try:
        return kind(**made)
    except TypeError:
        missing = ", ".join(name for name in known if name not in made)
        raise InputError(f"Expected {missing} in every one of [[{above}]].") from None


def _value(hint: Any, value: Any, name: str) -> Any:
    if is_dataclass(hint):
        return _build(hint, value, name)
    if get_origin(hint) is Literal:
        hint = str
    if get_args(hint):  # the phases
        if not isinstance(value, list):
            raise InputError(f"Expected {name} as [[{name}]] tables; got {value!r}.")
        return tuple(_build(get_args(hint)[0], one, name) for one in value)
    fits = isinstance(value, (int, float)) if hint is float else isinstance(value, hint)
    if not fits or isinstance(value, bool):
        words = {int: "a whole number", float: "a number", str: "a text"}
        raise InputError(f"Expected {name} as {words[hint]}; got {value!r}.")
    try:
        return hint(value)
    except OverflowError:
        raise InputError(f"Expected {name} as a number of usual size; got one of {len(str(value))} digits.") from None
