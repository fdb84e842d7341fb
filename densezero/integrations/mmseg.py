"""densezero inside mmsegmentation: what its ``Runner`` needs to test a model of ours from a config.

mmsegmentation 1.2 wants the compiled half of mmcv when it is imported, and for nothing that testing needs.
``import_mmseg`` therefore puts a stand-in where the compiled module would be, imports, and takes it away again.
``register`` makes the segmentor, the two data sets that mmsegmentation lacks, and a check known to its registries.

Its ``IoUMetric`` and ``densezero.metrics`` count the same pixels, so the scores agree to the last digit that it shows.
Two differences remain:

- *Resize.* Take the image as it is on disk (``LoadImageFromFile``, ``LoadAnnotations``, ``PackSegInputs``), and the
  labels equal ours pixel by pixel: the protocol makes the model input from the original. With mmsegmentation's own
  ``Resize`` in the pipeline the model sees pixels that OpenCV interpolated (bilinear, no antialias) instead of
  Pillow's bicubic (antialias), and a long side that is rounded where ``tips-*`` cuts off. All that follows is the same.
- *Large sums.* ``IoUMetric`` adds pixels up in float32, which is exact up to 2**24 pixels for each class; ours are
  integers. On whole benchmarks the last shown digit of a frequent class may differ by that.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any, NoReturn

import numpy as np
import torch
from torch import Tensor

from densezero.encoders.catalog import DEFAULT_MODEL, load_encoder
from densezero.engine.presets import DEFAULT_PROTOCOL, protocol_for
from densezero.engine.segmenter import Segmenter
from densezero.errors import DenseZeroError, InputError, VocabularyError
from densezero.vocabulary import class_list_from, load_class_list, load_packaged, load_templates

_COMPILED = "mmcv._ext"
_NEEDED = ("mmseg", "mmengine.runner", "mmseg.datasets", "mmseg.engine", "mmseg.evaluation", "mmseg.models",
           "mmseg.structures", "mmseg.visualization")  # fmt: skip


def import_mmseg() -> ModuleType:
    """Import mmsegmentation with its models, data sets and metrics, whether or not mmcv has its compiled half.

    Afterwards nothing of a stand-in is left in ``sys.modules``: mmengine and mmcv see that there are no compiled
    operations. Parts of mmsegmentation that call one raise ``DenseZeroError`` when they do.

    Returns:
        The package ``mmseg``.

    Raises:
        DenseZeroError: it is not installed, or not in versions that fit each other.
    """
    try:
        with warnings.catch_warnings():
            # mmcv warns of a moved name on every import, whoever imports it.
            warnings.filterwarnings("ignore", message=r".*MultiScaleDeformableAttention", category=ImportWarning)
            with _compiled_half():
                packages = [import_module(name) for name in _NEEDED]
                return packages[0]
    # mmseg asserts the versions that it fits; an old mmengine registers an optimizer that torch has by now.
    except (ImportError, AssertionError, KeyError) as error:
        raise DenseZeroError(
            f"Expected mmsegmentation 1.2, mmengine and mmcv-lite 2.1; importing them failed: {error}. "
            "Install them with: pip install 'densezero[mmseg]'"
        ) from error


def register() -> None:
    """Make ``DenseZeroSegmentor``, the two data sets and the check known to mmsegmentation, under their class names.

    Raises:
        DenseZeroError: as ``import_mmseg``.
    """
    parts = _parts()
    from mmseg.registry import DATASETS, HOOKS, MODELS

    MODELS.register_module(module=parts["DenseZeroSegmentor"], force=True)
    HOOKS.register_module(module=parts["ClassCountHook"], force=True)
    for name in ("VOC20Dataset", "COCOObjectDataset"):
        DATASETS.register_module(module=parts[name], force=True)


def build_segmenter(
    classes: str | Sequence[str | Sequence[str]],
    model: str,
    protocol: str,
    templates: str | None,
    short_side_px: int | None,
    device: str,
    dtype: str,
) -> Segmenter:
    """Make a segmenter of the plain values of a config.

    Args:
        classes: a packaged class list's name or a file, or names; a list inside the list is one class with synonyms.
        model: a model's name, or a path.
        protocol: a preset's name; an ``ovss`` preset takes its paper's constants for a packaged class list.
        templates: prompt templates, a name or a file; None takes the protocol's.
        short_side_px: short side of the model input; None takes the protocol's.
        device: where to compute.
        dtype: numeric type of the vision tower.

    Raises:
        DenseZeroError: if one of them cannot be used, or the protocol adds a background to the classes.
    """
    class_list = load_class_list(classes) if isinstance(classes, str) else class_list_from(classes)
    settings = protocol_for(class_list, protocol)
    if short_side_px is not None:
        settings = replace(settings, name=f"{settings.name} (changed)", short_side_px=short_side_px)
    words = load_templates(templates or settings.templates)
    segmenter = Segmenter(load_encoder(model, device, dtype), class_list, settings, words)
    if len(segmenter.classes) != len(class_list):
        raise VocabularyError(
            f"Expected one label for each of the {len(class_list)} classes of {class_list.name}; the protocol "
            f"{settings.name} adds a background. Use a class list with a background, and the data set that has one."
        )
    return segmenter


def segment_packed(segmenter: Segmenter, bgr: Tensor, metainfo: dict[str, Any]) -> Tensor:
    """Segment an image as mmsegmentation's pipeline packs it.

    Args:
        segmenter: what to segment with.
        bgr: (3, h, w) uint8, blue first; the image itself, or what mmsegmentation's ``Resize`` made of it.
        metainfo: of its ``SegDataSample``; ``ori_shape`` is the (H, W) of the image.

    Returns:
        (1, H, W) int64 class indices on the device of ``bgr``.

    Raises:
        InputError: if the pipeline did anything else to the image.
    """
    if bgr.dtype != torch.uint8 or bgr.ndim != 3 or bgr.shape[0] != 3:
        raise InputError(
            f"Expected images as PackSegInputs packs them, uint8 (3, h, w); got {bgr.dtype} {tuple(bgr.shape)}. "
            "Leave data_preprocessor, Normalize and to_float32 out of the config: the encoder scales by itself."
        )
    changed = [key for key in ("flip", "pad_shape", "img_padding_size") if metainfo.get(key)]
    if changed:
        raise InputError(f"Expected images neither flipped nor padded; got {', '.join(changed)}. Take the step out.")
    rgb = np.ascontiguousarray(bgr.flip(0).permute(1, 2, 0).cpu().numpy())  # (h, w, 3)
    h, w = rgb.shape[:2]
    image_hw = tuple(metainfo.get("ori_shape", (h, w)))[:2]  # (H, W)
    labels = segmenter.segment(rgb).labels if image_hw == (h, w) else _label_resized(segmenter, rgb, image_hw)
    return torch.from_numpy(labels.astype(np.int64))[None].to(bgr.device)


def _label_resized(segmenter: Segmenter, rgb: Any, image_hw: tuple[int, int]) -> Any:
    """Labels at (H, W) from an image that is already resized: the scores go to the original size, then the argmax."""
    (scored,) = segmenter.score([segmenter.prepare(rgb)._replace(image_hw=image_hw)])
    return segmenter.label(scored)


def __getattr__(name: str) -> Any:
    """Give the classes that need mmsegmentation when they are asked for, as unpickling in a loader's worker does."""
    if name not in ("DenseZeroSegmentor", "ClassCountHook", "VOC20Dataset", "COCOObjectDataset"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return _parts()[name]


@cache
def _parts() -> dict[str, type]:
    """The classes by name, made once; mmsegmentation must be there to derive from."""
    import_mmseg()
    parts = (_segmentor_class(), _hook_class(), *_dataset_classes())
    for part in parts:
        part.__qualname__ = part.__name__  # found again through __getattr__
    return {part.__name__: part for part in parts}


def _segmentor_class() -> type:
    from mmengine.structures import PixelData
    from mmseg.models import BaseSegmentor
    from mmseg.structures import SegDataSample

    class DenseZeroSegmentor(BaseSegmentor):  # type: ignore[misc]  # the base has no types
        """Tests a zero-shot segmenter in mmsegmentation's ``Runner``; the arguments are those of ``build_segmenter``.

        One process computes; for several use ``densezero evaluate`` under torchrun.
        """

        def __init__(
            self,
            classes: str | Sequence[str | Sequence[str]],
            model: str = DEFAULT_MODEL,
            protocol: str = DEFAULT_PROTOCOL,
            templates: str | None = None,
            short_side_px: int | None = None,
            device: str = "auto",
            dtype: str = "float32",
        ) -> None:
            super().__init__()
            self.segmenter = build_segmenter(classes, model, protocol, templates, short_side_px, device, dtype)

        def predict(self, inputs: Sequence[Tensor], data_samples: Sequence[Any] | None = None) -> list[Any]:
            """Fill ``pred_sem_seg`` of each sample with (1, H, W) labels at the image's own size."""
            samples = [SegDataSample() for _ in inputs] if data_samples is None else list(data_samples)
            for image, sample in zip(inputs, samples, strict=True):
                sample.pred_sem_seg = PixelData(data=segment_packed(self.segmenter, image, sample.metainfo))
            return samples

        def loss(self, inputs: Any, data_samples: Any) -> NoReturn:
            raise _only_tests()

        def extract_feat(self, inputs: Any) -> NoReturn:
            raise _only_tests()

        def encode_decode(self, inputs: Any, batch_data_samples: Any) -> NoReturn:
            raise _only_tests()

        def _forward(self, inputs: Any, data_samples: Any = None) -> NoReturn:
            raise _only_tests()

    return DenseZeroSegmentor


def _only_tests() -> DenseZeroError:
    return DenseZeroError(
        'Expected mode "predict"; DenseZeroSegmentor has no training and no dense forward pass. Call Runner.test; for '
        "features use densezero.load_encoder."
    )


def _hook_class() -> type:
    from mmengine.hooks import Hook

    class ClassCountHook(Hook):  # type: ignore[misc]  # the base has no types
        """Stops a test in which segmentor and data set differ in their number of classes; ``IoUMetric`` would not."""

        def before_test(self, runner: Any) -> None:
            segmented = runner.model.segmenter.classes
            labelled = runner.test_dataloader.dataset.metainfo["classes"]
            if len(segmented) != len(labelled):
                raise VocabularyError(
                    f"Expected as many classes as the data set has, {len(labelled)}; the segmentor's list "
                    f"{segmented.name} has {len(segmented)}. Give model.classes a list in the order of the labels."
                )

    return ClassCountHook


def _dataset_classes() -> tuple[type, ...]:
    from mmseg.datasets import BaseSegDataset

    class _Packaged(BaseSegDataset):  # type: ignore[misc]  # the base has no types
        """A data set whose classes and colours are those of a packaged class list."""

        seg_map_suffix, reduce_zero_label = ".png", False

        def __init__(
            self,
            data_root: str,
            data_prefix: dict[str, str],
            ann_file: str = "",
            pipeline: Sequence[Any] = (),
            indices: int | None = None,
            test_mode: bool = False,
            lazy_init: bool = False,
        ) -> None:
            super().__init__(
                ann_file=ann_file, seg_map_suffix=self.seg_map_suffix, data_root=data_root, data_prefix=data_prefix,
                indices=indices, pipeline=list(pipeline), test_mode=test_mode, lazy_init=lazy_init,
                reduce_zero_label=self.reduce_zero_label,
            )  # fmt: skip

    class VOC20Dataset(_Packaged):
        """Pascal VOC 2012 without background: of the files' values 0 and 255 are ignored, k is class k - 1."""

        METAINFO = _metainfo("voc20")
        reduce_zero_label = True

    class COCOObjectDataset(_Packaged):
        """COCO's background and 80 objects, 0 to 80, in the ``*_instanceTrainIds.png`` of the training-free papers."""

        METAINFO = _metainfo("coco-object")
        seg_map_suffix = "_instanceTrainIds.png"

    return VOC20Dataset, COCOObjectDataset


def _metainfo(name: str) -> dict[str, Any]:
    classes = load_packaged(name)
    return {"classes": classes.names, "palette": classes.colours.tolist()}


class _MissingHalf(ModuleType):
    """In place of mmcv's compiled module: has every operation by name, and each refuses to run."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)

        def refuse(*_args: object, **_kwargs: object) -> NoReturn:
            raise DenseZeroError(
                f"The operation {name} needs mmcv's compiled half, and mmcv-lite has none. Use a model without it, or "
                "install the full mmcv of the same version."
            )

        return refuse


@contextmanager
def _compiled_half() -> Iterator[None]:
    """Let ``mmcv.ops`` import; without a real compiled half, make mmcv look as before afterwards."""
    import mmcv

    if _COMPILED in sys.modules or find_spec(_COMPILED) is not None:
        yield
        return
    sys.modules[_COMPILED] = _MissingHalf(_COMPILED)
    try:
        yield
    finally:
        # mmcv.ops goes too: who asks whether there are operations imports it, and must get an ImportError.
        for name in [name for name in sys.modules if name == _COMPILED or f"{name}.".startswith("mmcv.ops.")]:
            del sys.modules[name]
        if hasattr(mmcv, "ops"):
            del mmcv.ops
